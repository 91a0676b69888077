"""The noise of every plate of a fixture, learned while nobody touches it.

In: the median of each plate over a cell (a tenth of a second). Out: level and noise per plate. Load cells are never
zeroed, their noise differs plate by plate and is correlated in time, so nothing here is a constant of a store.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ABS_TO_SIGMA = 1.2533
"""sqrt(pi / 2): mean absolute deviation to standard deviation of a normal variable."""
MAD_TO_SIGMA = 1.4826
"""Median absolute deviation to standard deviation of a normal variable."""


@dataclass(frozen=True, slots=True)
class NoiseOptions:
    """How levels and noise are followed."""

    prior_grams: float = 1.0
    """Standard deviation of a cell's median that is believed before anything was measured."""
    prior_cells: float = 5.0
    memory_cells: float = 200.0
    level_cells: float = 15.0
    """Cells that the level of a quiet plate averages over (drift passes, steps do not)."""
    quantum_grams: float = 0.25
    """Resolution of a load cell: noise is never believed to be smaller than this over the square root of 12."""


def cell_medians(samples: Array) -> Array:
    """Medians (cells, plates) of samples (cells, samples, plates); NaN where half a cell or more is missing."""
    count = samples.shape[1]
    ordered = np.sort(samples, axis=1)  # what is missing comes last
    if not np.count_nonzero(np.isnan(ordered[:, -1])):
        return np.asarray(0.5 * (ordered[:, (count - 1) // 2] + ordered[:, count // 2]))
    there = count - np.isnan(samples).sum(axis=1)
    low = np.maximum((there - 1) // 2, 0)[:, None, :]
    high = np.minimum(there // 2, count - 1)[:, None, :]
    middle = 0.5 * (np.take_along_axis(ordered, low, 1) + np.take_along_axis(ordered, high, 1))[:, 0, :]
    return np.where(2 * there > count, middle, np.nan)


class PlateNoise:
    """Level, standard deviation and lag-1 correlation of the cell medians of each plate.

    The deviations are taken from a level that averages over 1.5 s, so slow wander counts as noise; each is clipped at
    three standard deviations, which makes the estimate robust against the beginning of a touch.
    """

    def __init__(self, plates: int, options: NoiseOptions) -> None:
        self._options = options
        self.level: Array = np.full(plates, np.nan)
        self.weight: Array = np.zeros(plates)
        """Cells that the level rests on."""
        self._mean_abs = np.full(plates, options.prior_grams / ABS_TO_SIGMA)
        self._seen = np.full(plates, options.prior_cells)
        self._previous = np.zeros(plates)
        self._product = np.zeros(plates)
        self._young = True
        self.sigma = self._sigma()
        """Standard deviation of one cell's median around the level, grams."""

    def _sigma(self) -> Array:
        return np.maximum(self._mean_abs * ABS_TO_SIGMA, self._options.quantum_grams * 12**-0.5)

    def inflation(self, plate: int) -> float:
        """How much larger the variance of a mean is than with independent cells: (1 + r) / (1 - r) for AR(1) noise."""
        rho = float(self._product[plate]) / max(float(self.sigma[plate]) ** 2, 1e-9)
        rho = min(max(rho, 0.0), 0.8)
        return (1 + rho) / (1 - rho)

    def begin(self, plate: int, cells: Array) -> None:
        """Level and noise from the last ``cells`` (n,) of a plate, by medians, so that outliers do not matter."""
        good = cells[~np.isnan(cells)]
        self.level[plate] = np.median(good)
        self.weight[plate] = len(good)
        jumps = float(np.median(np.abs(np.diff(good)))) / 2**0.5 if len(good) > 2 else 0.0
        spread = MAD_TO_SIGMA * max(jumps, float(np.median(np.abs(good - self.level[plate]))))
        n, prior = len(good), self._options.prior_cells
        sigma = ((prior * self._options.prior_grams**2 + n * spread**2) / (prior + n)) ** 0.5
        self._mean_abs[plate] = sigma / ABS_TO_SIGMA
        self._seen[plate] = prior + n
        self._previous[plate] = self._product[plate] = 0.0
        self._young = True
        self.sigma = self._sigma()

    def settled(self, plate: int, level: float, cells: Array) -> None:
        """A restless plate has come to rest: ``level`` over the last ``cells`` (n,), which also say how noisy it is."""
        self.level[plate], self.weight[plate] = level, len(cells)
        share = 0.5 * len(cells) / self._seen[plate]
        spread = float(np.mean(np.abs(cells - np.median(cells))))
        self._mean_abs[plate] += min(share, 0.5) * max(spread - self._mean_abs[plate], 0.0)
        self._young = True
        self.sigma = self._sigma()

    def follow(self, cell: Array, quiet: NDArray[np.bool_]) -> None:
        """Learns from one cell (plates,) on the plates that are ``quiet``."""
        most = 3 * self.sigma
        deviation = np.where(quiet, np.minimum(np.maximum(cell - self.level, -most), most), 0.0)
        if self._young:
            self._grow(quiet)
        gain = quiet / self._seen
        self._mean_abs += gain * (np.abs(deviation) - self._mean_abs)
        self._product += gain * (deviation * self._previous - self._product)
        self._previous = deviation
        self.level += deviation / np.maximum(self.weight, 1)
        self.sigma = self._sigma()

    def _grow(self, quiet: NDArray[np.bool_]) -> None:
        """Counts a cell, until estimates are as old as they ever get."""
        options = self._options
        self._seen = np.minimum(self._seen + quiet, options.memory_cells)
        self.weight = np.minimum(self.weight + quiet, options.level_cells)
        self._young = bool((self._seen < options.memory_cells).any() or (self.weight < options.level_cells).any())
