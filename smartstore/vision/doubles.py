"""Boxes of one picture that share a body: the same person found twice, or people before each other.

In: the people of a picture. Out: which of them to keep, and which are crowded by others.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import SeenPerson
from smartstore.vision import sight_kernels

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]

SAME_PLACE_M = 0.3
SAME_JOINTS = 0.12
"""Joints that two boxes share are the same within this share of the larger box's height, if most of them are."""
WITHIN = 0.6
"""Share of the smaller box that lies in the larger one."""
MIN_SCORE = 0.3
CROWDED = 0.25
"""Share of a box that lies in another one."""


def alike(boxes_px: Array, places_m: Array, starts: Rows) -> Bools:
    """Whether (n, n) one of two boxes (n, 4) of a picture lies mostly within the other one, and both show one place,
    whose x and y stand first in (n, 2 or more); the people of a picture are those from one of ``starts`` (v + 1) to the
    next.
    """
    return sight_kernels.alike(boxes_px, places_m, starts, WITHIN, SAME_PLACE_M)


def crowded(boxes_px: Array, kept: Bools, starts: Rows) -> Bools:
    """Of whom (n,) the box of somebody in the same picture who is ``kept`` (n,) covers much.

    Their appearance is partly somebody else's.
    """
    return sight_kernels.crowded(boxes_px, kept, starts, CROWDED)


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
    both = np.minimum(one.joints_px[:, 2], other.joints_px[:, 2]) >= MIN_SCORE
    shared = np.count_nonzero(both)
    if shared < 3:
        return True
    x, y, _ = (one.joints_px - other.joints_px).T
    size = max(one.box_px[3] - one.box_px[1], other.box_px[3] - other.box_px[1])
    return bool(2 * np.count_nonzero(both & (x * x + y * y < (SAME_JOINTS * size) ** 2)) > shared)
