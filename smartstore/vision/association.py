"""Which detection belongs to which track: gated assignment of one view.

In: a matrix of costs. Out: pairs. Pure functions.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Array = NDArray[np.float64]
Matches = list[tuple[int, int]]


def assign(cost: Array, gate: float) -> Matches:
    """Row and column of the cheapest one-to-one assignment; pairs that cost more than ``gate``, or nobody knows what,
    stay apart.

    Leaving a row and a column alone costs as much as the gate, so a forbidden pair never pushes good ones out.
    """
    if not cost.size:
        return []
    rows, columns = linear_sum_assignment(np.fmin(cost, gate))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if cost[r, c] < gate]
