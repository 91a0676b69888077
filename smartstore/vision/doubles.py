"""Boxes of one picture that share a body: the same person found twice, or people before each other.

In: the people of a picture. Out: which of them to keep, and which are crowded by others.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import SeenPerson

Array = NDArray[np.float64]

SAME_PLACE_M = 0.3
SAME_JOINTS = 0.12
"""Median distance of joints that two boxes share, as a share of the larger box's height."""
WITHIN = 0.6
"""Share of the smaller box that lies in the larger one."""
MIN_SCORE = 0.3
CROWDED = 0.25
"""Share of a box that lies in another one."""


def once_each(people: Sequence[SeenPerson], places_m: Array) -> list[int]:
    """Indices of the people without doubles, such as a box of all of somebody and one of their upper half.

    Of two boxes at one place (n, 2), one mostly within the other and with the same joints, the better one stays.
    """
    if len(people) < 2:
        return list(range(len(people)))
    within = _shared(people, smaller=True)
    np.fill_diagonal(within, 0.0)
    if within.max() <= WITHIN:
        return list(range(len(people)))
    kept: list[int] = []
    for i in sorted(range(len(people)), key=lambda j: (-people[j].score, j)):
        if not any(
            within[i, k] > WITHIN
            and np.hypot(*(places_m[i] - places_m[k])) < SAME_PLACE_M
            and _same_joints(people[i], people[k])
            for k in kept
        ):
            kept.append(i)
    return sorted(kept)


def crowded(people: Sequence[SeenPerson]) -> NDArray[np.bool_]:
    """Of whom another box covers much (n,): their appearance is partly somebody else's."""
    if len(people) < 2:
        return np.zeros(len(people), bool)
    shared = _shared(people, smaller=False)
    np.fill_diagonal(shared, 0.0)
    return np.asarray(shared.max(axis=1) > CROWDED)


def _shared(people: Sequence[SeenPerson], smaller: bool) -> Array:
    """Shares (n, n) of box i that lie in box j, or of the smaller one of both."""
    boxes = np.array([person.box_px for person in people], float)
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    size = boxes[:, 2:] - boxes[:, :2]
    area = np.maximum(size[:, 0] * size[:, 1], 1.0)
    whole = np.minimum(area[:, None], area[None]) if smaller else area[:, None]
    common = np.maximum(high - low, 0.0)
    return np.asarray(common[..., 0] * common[..., 1] / whole)


def _same_joints(one: SeenPerson, other: SeenPerson) -> bool:
    if not len(one.joints_px) or not len(other.joints_px):
        return True
    both = (one.joints_px[:, 2] >= MIN_SCORE) & (other.joints_px[:, 2] >= MIN_SCORE)
    if np.count_nonzero(both) < 3:
        return True
    apart = np.linalg.norm(one.joints_px[both, :2] - other.joints_px[both, :2], axis=1)
    size = max(one.box_px[3] - one.box_px[1], other.box_px[3] - other.box_px[1])
    return bool(np.median(apart) < SAME_JOINTS * size)
