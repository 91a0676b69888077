"""Which detection belongs to which track: gated assignment of one view.

In: a matrix of costs. Out: pairs. Pure functions.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Array = NDArray[np.float64]
Pairs = list[tuple[int, int]]


def assign(cost: Array, gate: float) -> Pairs:
    """Row and column of the cheapest one-to-one assignment; pairs that cost more than ``gate`` stay apart.

    Leaving a row and a column alone costs as much as the gate, so a forbidden pair never pushes good ones out.
    """
    if not cost.size:
        return []
    rows, columns = linear_sum_assignment(np.minimum(cost, gate))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if cost[r, c] < gate]


def appearance_cost(memories: Sequence[Array], seen: Sequence[Array]) -> Array:
    """Cosine distances (n, m) of appearance vectors, zero where one of the two is not known."""
    cost = np.zeros((len(memories), len(seen)))
    for row, memory in enumerate(memories):
        for column, vector in enumerate(seen):
            if len(memory) and len(memory) == len(vector):
                cost[row, column] = max(0.0, 1.0 - float(memory @ vector))
    return cost
