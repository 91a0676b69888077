"""What a difference in appearance says about identity, learned while tracking.

In: cosine distances of pairs that are surely the same person, and of pairs that surely are not. Out: costs of
distances, as -2 log likelihood ratios. Appearance vectors of different cameras and networks have different scales: what
is "alike" is learned from the pictures themselves, so nothing has to be set by hand.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


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
        self.mean += new / self.weight * float(away.mean())
        self.var += new / self.weight * (float(away @ away) / len(values) - self.var)

    def log_density(self, values: Array) -> Array:
        var = max(self.var, 0.04**2)
        return np.asarray(-0.5 * ((values - self.mean) ** 2 / var + math.log(var)))


class Likeness:
    """Costs of cosine distances between appearances."""

    def __init__(self, least: float = -6.0, most: float = 9.0) -> None:
        self._least, self._most = least, most
        self._same, self._other = _Spread(0.2, 0.15**2), _Spread(0.6, 0.25**2)

    def cost(self, distances: Array) -> Array:
        """-2 log likelihood ratio of "the same" against "somebody else"; 0 where a distance is NaN (not known)."""
        known = np.isfinite(distances)
        # Beyond the usual distances nothing more is learned: the tails of two normal distributions tell tales.
        low, high = sorted((self._same.mean, self._other.mean))
        d = np.minimum(np.maximum(np.where(known, distances, low), low), high)
        ratio = self._same.log_density(d) - self._other.log_density(d)
        return np.where(known, np.minimum(np.maximum(-2.0 * ratio, self._least), self._most), 0.0)

    def watch(self, distances: Array, metres: Array, starts: Sequence[int], alone_m: float) -> None:
        """Learns from tracks and what was seen, (n, m) both, the columns of each view from one of ``starts`` on: pairs
        far from all others of a view on the floor are surely the same person; pairs far from each other surely not.
        """
        near, far = metres < alone_m / 4, metres > alone_m
        views = starts[:-1]
        alone_there = np.logical_and.reduceat(near | far, views, axis=1) & (np.add.reduceat(near, views, axis=1) == 1)
        alone = (
            near
            & ((near | far).all(axis=0) & (near.sum(axis=0) == 1))
            & np.repeat(alone_there, np.diff(starts), axis=1)
        )
        self.learn(distances[alone], distances[far])

    def learn(self, same: Array, other: Array) -> None:
        """Takes in distances of surely equal and surely different pairs; NaN are left out."""
        self._same.add(same[np.isfinite(same)])
        self._other.add(other[np.isfinite(other)])


def cosine_distances(memories: Sequence[Array], seen: Sequence[Array]) -> Array:
    """Cosine distances (n, m) of unit vectors, NaN where one of the two is not known or their lengths differ."""
    out = np.full((len(memories), len(seen)), np.nan)
    sizes = {len(v) for v in (*memories, *seen)}
    if len(sizes) == 1 and sizes != {0} and len(memories) and len(seen):
        return np.asarray(1.0 - np.array(memories) @ np.array(seen).T)
    for row, memory in enumerate(memories):
        for column, vector in enumerate(seen):
            if len(memory) and len(memory) == len(vector):
                out[row, column] = 1.0 - float(memory @ vector)
    return out
