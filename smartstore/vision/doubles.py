"""Boxes of one picture that share a body: the same person found twice, or people before each other.

In: the people of a picture. Out: which of them to keep, and which are crowded by others.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import SeenPeople
from smartstore.vision import box_kernels

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


def alike(people: SeenPeople, places_m: Array, starts: Rows) -> Bools:
    """Whether (n, n) one of two boxes of a picture lies mostly within the other one, both show one place, whose x and y
    stand first in (n, 2 or more), and both have the same joints; the people of a picture are those from one of
    ``starts`` (v + 1) to the next.
    """
    boxes, joints = people.boxes_px, people.joints_px
    return box_kernels.alike(boxes, joints, places_m, starts, WITHIN, SAME_PLACE_M, MIN_SCORE, SAME_JOINTS)


def crowded(boxes_px: Array, kept: Bools, starts: Rows) -> Bools:
    """Of whom (n,) the box of somebody in the same picture who is ``kept`` (n,) covers much.

    Their appearance is partly somebody else's.
    """
    return box_kernels.crowded(boxes_px, kept, starts, CROWDED)


def once_each(scores: Array, who: Iterable[int], alike: Bools) -> list[int]:
    """Those of ``who`` without doubles, such as a box of all of somebody and one of their upper half: of two that are
    ``alike`` (n, n) the better one stays.
    """
    kept: list[int] = []
    for i in sorted(who, key=lambda j: (-scores[j], j)):
        if not any(alike[i, k] for k in kept):
            kept.append(i)
    return sorted(kept)
