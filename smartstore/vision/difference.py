"""Where one picture differs from another of the same place.

In: two RGB pictures. Out: a mask of pixels. The light may have changed as a whole, and in the dark little is much.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Picture = NDArray[np.uint8]

DARK_SHARE, DARKEST_LEVELS = 0.16, 7
"""In the dark a pixel has changed that differs by more than this share of its brightness, and these grey levels."""


def differs(picture: Picture, other: Picture, levels: int, where: Bools | None) -> Bools:
    """Pixels that differ by more than ``levels`` in a colour, after the light of ``other`` is set to ``picture``'s."""
    a, b = picture[::8, ::8].reshape(-1, 3), other[::8, ::8].reshape(-1, 3)
    if where is not None:
        chosen = where[::8, ::8].ravel()
        a, b = (a[chosen], b[chosen]) if np.count_nonzero(chosen) > 100 else (a, b)
    gain = float(np.median(a.sum(axis=1) / np.maximum(b.sum(axis=1, dtype=np.int64), 1)))
    level = other if abs(gain - 1) < 0.004 else cv2.convertScaleAbs(other, alpha=float(np.clip(gain, 0.5, 2.0)))
    difference = _brightest(np.asarray(cv2.absdiff(picture, level)))
    least = cv2.LUT(_brightest(np.asarray(level)), _threshold(levels))
    mask = cv2.compare(difference, least, cv2.CMP_GT)
    return np.asarray(cv2.medianBlur(mask, 3) > 0)


def _brightest(picture: Picture) -> Picture:
    red, green, blue = cv2.split(picture)
    return np.asarray(cv2.max(cv2.max(red, green), blue))


@lru_cache(maxsize=8)
def _threshold(levels: int) -> NDArray[np.uint8]:
    """By how much a pixel of each brightness must differ to have changed: in the dark less is much."""
    return np.asarray(np.clip(DARK_SHARE * np.arange(256), DARKEST_LEVELS, levels), np.uint8)
