"""Which detection belongs to which track: gated assignment of the views of one moment.

In: a matrix of costs. Out: pairs. Pure functions.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from smartstore.vision import match_kernels

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Bools = NDArray[np.bool_]
FIRST = 1000.0
"""So much more than that of others the gain of those counts who come first."""


def assign(cost: Array, gate: float, starts: Sequence[int] | Rows, first: Bools | None = None) -> tuple[Rows, Rows]:
    """Rows and columns of the cheapest one-to-one assignments, one for each view: its columns are those from one of
    ``starts`` to the next one. They come column by column. Pairs that cost more than ``gate``, or nobody knows what,
    stay apart.

    Leaving a row and a column alone costs as much as the gate, so a forbidden pair never pushes good ones out. The rows
    that come ``first`` leave only what they do not need to the others.
    """
    nobody = np.zeros(len(cost), bool)
    return match_kernels.assign(cost, gate, np.asarray(starts), nobody if first is None else first, FIRST)
