"""Boxes of one picture that share a body: the same person found twice, or people before each other.

In: the people of a picture. Out: which of them to keep, and which are crowded by others.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import SeenPerson

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

SAME_PLACE_M = 0.3
SAME_JOINTS = 0.12
"""Joints that two boxes share are the same within this share of the larger box's height, if most of them are."""
WITHIN = 0.6
"""Share of the smaller box that lies in the larger one."""
MIN_SCORE = 0.3
CROWDED = 0.25
"""Share of a box that lies in another one."""


class Overlaps:
    """How far the boxes (v, n, 4) of v pictures cover each other, whose people stand at ``places_m`` (v, n, 2); an
    empty box covers nothing.
    """

    def __init__(self, boxes_px: Array, places_m: Array) -> None:
        self._places = places_m
        low = np.maximum(boxes_px[:, :, None, :2], boxes_px[:, None, :, :2])
        size = np.maximum(np.minimum(boxes_px[:, :, None, 2:], boxes_px[:, None, :, 2:]) - low, 0.0)
        self._common = size[..., 0] * size[..., 1]
        own = boxes_px[:, :, 2:] - boxes_px[:, :, :2]
        self._area = np.maximum(own[..., 0] * own[..., 1], 1.0)
        places = np.arange(boxes_px.shape[1])
        self._common[:, places, places] = 0.0

    def alike(self) -> Bools:
        """Whether (v, n, n) one of two boxes of a picture lies mostly within the other one, and both show one place."""
        away = self._places[:, :, None] - self._places[:, None]
        near = (away * away).sum(axis=3) < SAME_PLACE_M**2
        return np.asarray(near & (self._common > WITHIN * np.minimum(self._area[:, :, None], self._area[:, None])))

    def crowded(self, kept: Bools) -> Bools:
        """Of whom (v, n) the box of one of those who are ``kept`` (v, n) covers much.

        Their appearance is partly somebody else's.
        """
        return np.asarray(((self._common > CROWDED * self._area[:, :, None]) & kept[:, None]).any(axis=2))


def once_each(people: Sequence[SeenPerson], who: Iterable[int], alike: Bools) -> list[int]:
    """Those of ``who`` without doubles, such as a box of all of somebody and one of their upper half.

    Of two boxes that are ``alike`` (n, n) and have the same joints, the better one stays.
    """
    kept: list[int] = []
    for i in sorted(who, key=lambda j: (-people[j].score, j)):
        if not any(alike[i, k] and _same_joints(people[i], people[k]) for k in kept):
            kept.append(i)
    return sorted(kept)


def _same_joints(one: SeenPerson, other: SeenPerson) -> bool:
    if not len(one.joints_px) or not len(other.joints_px):
        return True
    both = (one.joints_px[:, 2] >= MIN_SCORE) & (other.joints_px[:, 2] >= MIN_SCORE)
    if np.count_nonzero(both) < 3:
        return True
    apart = np.linalg.norm(one.joints_px[both, :2] - other.joints_px[both, :2], axis=1)
    size = max(one.box_px[3] - one.box_px[1], other.box_px[3] - other.box_px[1])
    return bool(2 * np.count_nonzero(apart < SAME_JOINTS * size) > len(apart))
