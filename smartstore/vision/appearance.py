"""What somebody wears as a short unit vector, so that two people who cross can be told apart afterwards.

In: an RGB picture, a box and joints. Out: 28 numbers, 14 for the upper body and 14 for the legs: a soft histogram of
8 hues
(weighted by saturation) and of 6 shades of brightness (weighted by its lack), in square roots, so
that the scalar product of two vectors is a Bhattacharyya-like likeness in 0..1.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Array = NDArray[np.float64]

HUES, SHADES = 8, 6
LENGTH = 2 * (HUES + SHADES)
_MIN_SCORE = 0.3
_L_SHOULDER, _R_SHOULDER, _L_HIP, _R_HIP, _L_KNEE, _R_KNEE = 5, 6, 11, 12, 13, 14


def describe(picture: Picture, box_px: tuple[float, float, float, float], joints_px: Array) -> Array:
    """Unit vector (28,) of a person's clothes; empty where the box holds no picture."""
    height, width = picture.shape[:2]
    left, right = (int(np.clip(v, 0, width)) for v in (box_px[0], np.ceil(box_px[2])))
    top, bottom = (int(np.clip(v, 0, height)) for v in (box_px[1], np.ceil(box_px[3])))
    if right - left < 2 or bottom - top < 2:
        return np.zeros(0)
    piece = picture[top:bottom, left:right]
    by = max(1, min(piece.shape[0] // 64, piece.shape[1] // 24))
    piece = piece[::by, ::by]
    joints = (joints_px[:, :2] - [left, top]) / by
    hsv = cv2.cvtColor(np.ascontiguousarray(piece), cv2.COLOR_RGB2HSV).reshape(-1, 3).astype(np.float64)
    parts = []
    for mask in _regions(piece.shape[:2], joints, joints_px[:, 2]):
        parts.append(_histogram(hsv[mask.ravel()]))
    vector = np.concatenate(parts)
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def likeness(one: Array, other: Array) -> float:
    """How alike two appearances are, 0..1; 0.5 ("cannot tell") where either is missing."""
    if one.size == 0 or other.size == 0 or one.size != other.size:
        return 0.5
    return float(np.clip(one @ other, 0.0, 1.0))


def _regions(shape: tuple[int, int], joints: Array, scores: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks of upper body and legs: by the joints where they are sure, else by shares of the box."""
    torso = _polygon(shape, joints, scores, (_L_SHOULDER, _R_SHOULDER, _R_HIP, _L_HIP))
    legs = _polygon(shape, joints, scores, (_L_HIP, _R_HIP, _R_KNEE, _L_KNEE))
    return (
        torso if torso is not None else _band(shape, 0.18, 0.48),
        legs if legs is not None else _band(shape, 0.58, 0.85),
    )


def _polygon(shape: tuple[int, int], joints: Array, scores: Array, which: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Pixels around and inside the polygon of some joints; None where one is unsure or too little of it is in the
    picture.
    """
    if np.min(scores[list(which)]) < _MIN_SCORE:
        return None
    mask = np.zeros(shape, np.uint8)
    points = np.clip(joints[list(which)], -1e4, 1e4).round().astype(np.int32)
    cv2.fillPoly(mask, [points], 1)
    cv2.polylines(mask, [points], True, 1, max(1, shape[1] // 12))
    return mask.astype(bool) if int(mask.sum()) >= 12 else None


def _band(shape: tuple[int, int], low: float, high: float) -> NDArray[np.bool_]:
    """The middle half of a box's width between two shares of its height."""
    mask = np.zeros(shape, bool)
    top, left = int(shape[0] * low), int(shape[1] * 0.25)
    mask[top : max(top + 1, int(shape[0] * high)), left : max(left + 1, int(np.ceil(shape[1] * 0.75)))] = True
    return mask


def _histogram(hsv: Array) -> Array:
    """Square roots of the soft histogram (14,) of pixels (n, 3) as OpenCV's hue 0..180, saturation and value 0..255."""
    hue, saturation, value = hsv[:, 0] / 180 * HUES, hsv[:, 1] / 255, hsv[:, 2] / 255
    colourful = np.clip((saturation - 0.12) / 0.25, 0, 1) * np.clip(value / 0.2, 0, 1)
    low = np.floor(hue).astype(int)
    part = hue - low
    hues = np.bincount(low % HUES, colourful * (1 - part), HUES) + np.bincount((low + 1) % HUES, colourful * part, HUES)
    place = np.clip(value, 0, 1) * (SHADES - 1)
    floor = np.minimum(np.floor(place).astype(int), SHADES - 2)
    over = place - floor
    grey = 1 - 0.6 * colourful
    shades = np.bincount(floor, grey * (1 - over), SHADES) + np.bincount(floor + 1, grey * over, SHADES)
    return np.sqrt(np.concatenate([hues, shades]) / max(1, len(hsv)))
