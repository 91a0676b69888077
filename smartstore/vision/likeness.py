"""What a difference in appearance says about identity, learned while tracking.

In: cosine distances of pairs that are surely the same person, and of pairs that surely are not. Out: costs of
distances, as -2 log likelihood ratios. Appearance vectors of different cameras and networks have different scales: what
is "alike" is learned from the pictures themselves, so nothing has to be set by hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smartstore.vision import match_kernels

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]


@dataclass(slots=True)
class _Spread:
    """A running normal distribution; ``weight`` is the number of samples it counts for, at most ``memory``."""

    mean: float
    var: float
    weight: float = 20.0
    memory: float = 400.0
    at_once: float = 40.0
    """The samples of one moment count for so many at most."""

    def add(self, values: Array) -> None:
        if not len(values):
            return
        new = min(float(len(values)), self.at_once)
        self.weight = min(self.weight + new, self.memory)
        away = values - self.mean
        self.mean += new / self.weight * float(away.sum()) / len(values)
        self.var += new / self.weight * (float(away @ away) / len(values) - self.var)

    @property
    def believed_var(self) -> float:
        """The variance, never too small a one."""
        return max(self.var, 0.04**2)


class Likeness:
    """Costs of cosine distances between appearances."""

    def __init__(self, least: float = -6.0, most: float = 9.0) -> None:
        self._least, self._most = least, most
        self._same, self._other = _Spread(0.2, 0.15**2), _Spread(0.6, 0.25**2)

    def cost(self, distances: Array) -> Array:
        """-2 log likelihood ratio (n, m) of "the same" against "somebody else"; 0 where a distance is NaN (unknown)."""
        same, other = self._same, self._other
        return match_kernels.likeness_cost(
            distances, same.mean, same.believed_var, other.mean, other.believed_var, self._least, self._most
        )

    def watch(self, distances: Array, metres: Array, known: Bools, starts: Rows, alone_m: float) -> None:
        """Learns from tracks and what was seen, (n, m) both, the columns of each view from one of ``starts`` on: pairs
        of ``known`` tracks (n,) far from all others of a view on the floor are surely the same person; pairs far from
        each other surely not.
        """
        self.learn(*match_kernels.sure_pairs(distances, metres, known, starts, alone_m / 4, alone_m))

    def learn(self, same: Array, other: Array) -> None:
        """Takes in distances of surely equal and surely different pairs, none of them NaN."""
        self._same.add(same)
        self._other.add(other)


def cosine_distances(memories: Sequence[Array], seen: Sequence[Array]) -> Array:
    """Cosine distances (n, m) of unit vectors, NaN where one of the two is not known or their lengths differ."""
    sizes = {len(v) for v in (*memories, *seen)}
    if len(sizes) == 1 and sizes != {0} and len(memories) and len(seen):
        one, other = (np.concatenate(vectors).reshape(len(vectors), -1) for vectors in (memories, seen))
        return np.asarray(1.0 - one @ other.T)
    out = np.full((len(memories), len(seen)), np.nan)
    for row, memory in enumerate(memories):
        for column, vector in enumerate(seen):
            if len(memory) and len(memory) == len(vector):
                out[row, column] = 1.0 - float(memory @ vector)
    return out
