"""Symmetric three by three matrices by the thousand. In: arrays (n, 3, 3). Out: their inverses."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def inverse(matrices: Array) -> Array:
    """Inverses of symmetric matrices (n, 3, 3) by cofactors: several times as fast as a solver for any matrix."""
    xx, xy, xz = matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 0, 2]
    yy, yz, zz = matrices[:, 1, 1], matrices[:, 1, 2], matrices[:, 2, 2]
    out = np.empty_like(matrices)
    out[:, 0, 0], out[:, 1, 1], out[:, 2, 2] = yy * zz - yz * yz, xx * zz - xz * xz, xx * yy - xy * xy
    out[:, 0, 1] = out[:, 1, 0] = xz * yz - xy * zz
    out[:, 0, 2] = out[:, 2, 0] = xy * yz - xz * yy
    out[:, 1, 2] = out[:, 2, 1] = xy * xz - xx * yz
    out /= (xx * out[:, 0, 0] + xy * out[:, 0, 1] + xz * out[:, 0, 2])[:, None, None]
    return out
