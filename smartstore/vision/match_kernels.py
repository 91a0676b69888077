"""Whose a detection is, compiled: see :mod:`smartstore.vision.association` and ``likeness``.

In: distances of tracks and what was seen, as plain arrays. Out: costs and pairs.
"""

import numpy as np
from numpy.typing import NDArray

from smartstore.compiled import compiled

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Bools = NDArray[np.bool_]


@compiled
def likeness_cost(
    distances: Array, same: float, same_var: float, other: float, other_var: float, least: float, most: float
) -> Array:
    """-2 log likelihood ratio (n, m), from ``least`` to ``most``, that pairs in such distances are the same person:
    those have a normal distribution of distances, different ones another. 0 where a distance is NaN.

    Beyond the usual distances nothing more is said: the tails of two normal distributions tell tales.
    """
    out, grown = np.zeros(distances.shape), np.log(same_var / other_var)
    for i in range(len(distances)):
        for j in range(distances.shape[1]):
            if np.isfinite(distances[i, j]):
                d = min(max(distances[i, j], min(same, other)), max(same, other))
                cost = (d - same) ** 2 / same_var - (d - other) ** 2 / other_var + grown
                out[i, j] = min(max(cost, least), most)
    return out


@compiled
def sure_pairs(
    distances: Array, metres: Array, known: Bools, starts: Rows, near_m: float, far_m: float
) -> tuple[Array, Array]:
    """The distances that are no NaN of ``known`` tracks (n,) and what was seen (n, m both): of pairs nearer than the
    one limit on the floor while all others of either in this view, from one of ``starts`` to the next, are beyond the
    other; and of those that are beyond it.
    """
    n, m = metres.shape
    same, other, sames, others = np.empty(n * m), np.empty(n * m), 0, 0
    for v in range(len(starts) - 1):
        for j in range(starts[v], starts[v + 1]):
            for i in range(n):
                if not known[i] or not np.isfinite(distances[i, j]):
                    continue
                if metres[i, j] > far_m:
                    other[others] = distances[i, j]
                    others += 1
                elif metres[i, j] < near_m:
                    alone = True
                    for k in range(n):
                        alone = alone and (k == i or not known[k] or metres[k, j] > far_m)
                    for k in range(starts[v], starts[v + 1]):
                        alone = alone and (k == j or metres[i, k] > far_m)
                    if alone:
                        same[sames] = distances[i, j]
                        sames += 1
    return same[:sames], other[:others]


@compiled
def assign(cost: Array, gate: float, starts: Rows, first: Bools, more: float) -> tuple[Rows, Rows]:
    """Rows and columns of the cheapest one-to-one assignments of a matrix of costs (n, m), one for each view, whose
    columns are those from one of ``starts`` to the next. A pair has to cost less than the gate, and gains what it costs
    less; ``more`` times as much where its row (n,) comes ``first``.
    """
    n, m = cost.shape
    row_of = np.full(m, -1)
    for v in range(len(starts) - 1):
        low, high = starts[v], starts[v + 1]
        loss = np.zeros((n, high - low))
        for i in range(n):
            for j in range(low, high):
                if cost[i, j] < gate:
                    loss[i, j - low] = (cost[i, j] - gate) * (more if first[i] else 1.0)
        if n <= high - low:
            for i, j in enumerate(_cheapest(loss)):
                row_of[low + j] = i
        else:
            for j, i in enumerate(_cheapest(loss.T.copy())):
                row_of[low + j] = i
    for j in range(m):
        if row_of[j] >= 0 and not cost[row_of[j], j] < gate:
            row_of[j] = -1
    columns = np.flatnonzero(row_of >= 0)
    return row_of[columns], columns


@compiled
def _cheapest(cost: Array) -> Rows:
    """For each row of a matrix of costs (n, m), n <= m, its column in the cheapest one-to-one assignment: the Hungarian
    algorithm with shortest augmenting paths (Jonker and Volgenant, 1987), row by row.
    """
    n, m = cost.shape
    owner, before = np.full(m + 1, -1), np.zeros(m + 1, np.intp)
    of_row, of_column = np.zeros(n), np.zeros(m + 1)
    for row in range(n):
        owner[m], at = row, m
        least, done = np.full(m + 1, np.inf), np.zeros(m + 1, np.bool_)
        while owner[at] >= 0:
            done[at] = True
            i, step, following = owner[at], np.inf, -1
            for j in range(m):
                if not done[j]:
                    if cost[i, j] - of_row[i] - of_column[j] < least[j]:
                        least[j], before[j] = cost[i, j] - of_row[i] - of_column[j], at
                    if least[j] < step:
                        step, following = least[j], j
            for j in range(m + 1):
                if done[j]:
                    of_row[owner[j]] += step
                    of_column[j] -= step
                else:
                    least[j] -= step
            at = following
        while at != m:
            owner[at], at = owner[before[at]], before[at]
    out = np.full(n, -1)
    for j in range(m):
        if owner[j] >= 0:
            out[owner[j]] = j
    return out


@compiled
def near_pairs(places_m: Array, metres: float) -> Rows:
    """The pairs (k, 2) of places, whose x and y stand first in (n, 2 or more), that are nearer to each other."""
    n = len(places_m)
    out, count = np.empty((n * n, 2), np.intp), 0
    for i in range(n):
        for j in range(i + 1, n):
            if np.hypot(places_m[i, 0] - places_m[j, 0], places_m[i, 1] - places_m[j, 1]) < metres:
                out[count] = i, j
                count += 1
    return out[:count]
