"""What boxes of one picture share, compiled: see :mod:`smartstore.vision.doubles`.

In: boxes, joints and places, one row per person. Out: who is alike, and who is crowded.
"""

import numpy as np
from numpy.typing import NDArray

from smartstore.compiled import compiled

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Bools = NDArray[np.bool_]


@compiled
def alike(
    boxes_px: Array, joints_px: Array, places_m: Array, starts: Rows, within: float, near_m: float, least: float,
    same: float,
) -> Bools:  # fmt: skip
    """Whether one of two boxes (n, 4) of a picture lies ``within`` so large a part of it in the other one, both show
    one place, whose x and y stand first in (n, 2 or more), and both have the same joints: (n, n). Pictures begin at
    ``starts`` (v + 1).
    """
    out = np.zeros((len(boxes_px), len(boxes_px)), np.bool_)
    for v in range(len(starts) - 1):
        for i in range(starts[v], starts[v + 1]):
            for j in range(starts[v], i):
                away2 = (places_m[i, 0] - places_m[j, 0]) ** 2 + (places_m[i, 1] - places_m[j, 1]) ** 2
                area = min(_area(boxes_px[i]), _area(boxes_px[j]))
                if away2 < near_m**2 and _common(boxes_px[i], boxes_px[j]) > within * area:
                    size = max(boxes_px[i, 3] - boxes_px[i, 1], boxes_px[j, 3] - boxes_px[j, 1])
                    out[i, j] = out[j, i] = _same_joints(joints_px[i], joints_px[j], least, same * size)
    return out


@compiled
def _same_joints(one: Array, other: Array, least: float, near_px: float) -> bool:
    """Whether most joints (17, 3) that score the ``least`` in both are so near to each other; if they are few, too."""
    shared, near = 0, 0
    for k in range(len(one)):
        if one[k, 2] >= least and other[k, 2] >= least:
            x, y = one[k, 0] - other[k, 0], one[k, 1] - other[k, 1]
            shared += 1
            near += x * x + y * y < near_px**2
    return shared < 3 or 2 * near > shared


@compiled
def crowded(boxes_px: Array, kept: Bools, starts: Rows, share: float) -> Bools:
    """Of whose box (n, 4) that of somebody ``kept`` (n,) in the same picture covers more than such a share: (n,)."""
    out = np.zeros(len(boxes_px), np.bool_)
    for v in range(len(starts) - 1):
        for i in range(starts[v], starts[v + 1]):
            for j in range(starts[v], starts[v + 1]):
                if i != j and kept[j] and _common(boxes_px[i], boxes_px[j]) > share * _area(boxes_px[i]):
                    out[i] = True
    return out


@compiled
def _common(one: Array, other: Array) -> float:
    """What two boxes share, in square pixels."""
    width, height = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return float(max(width, 0.0) * max(height, 0.0))


@compiled
def _area(box: Array) -> float:
    return float(max((box[2] - box[0]) * (box[3] - box[1]), 1.0))
