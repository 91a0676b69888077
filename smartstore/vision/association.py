"""Which detection belongs to which track: gated assignment of the views of one moment.

In: a matrix of costs. Out: pairs. Pure functions.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Bools = NDArray[np.bool_]
FIRST = 1000.0
"""So much more than that of others the gain of those counts who come first."""


def assign(cost: Array, gate: float, starts: Sequence[int], first: Bools | None = None) -> tuple[Rows, Rows]:
    """Rows and columns of the cheapest one-to-one assignments, one for each view: its columns are those from one of
    ``starts`` to the next one. Pairs that cost more than ``gate``, or nobody knows what, stay apart.

    Leaving a row and a column alone costs as much as the gate, so a forbidden pair never pushes good ones out. The rows
    that come ``first`` leave only what they do not need to the others.
    """
    gain = np.fmin(cost, gate) - gate
    if first is not None:
        gain[first] *= FIRST
    parts = [linear_sum_assignment(gain[:, low:high]) for low, high in pairwise(starts)]
    rows = np.concatenate([np.zeros(0, np.intp), *(rows for rows, _ in parts)])
    columns = np.concatenate([np.zeros(0, np.intp), *(low + at for low, (_, at) in zip(starts, parts, strict=False))])
    near = cost[rows, columns] < gate
    return rows[near], columns[near]
