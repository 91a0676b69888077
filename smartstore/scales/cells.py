"""The noise of every plate of a fixture, learned while nobody touches it.

In: the median of each plate over a cell (a tenth of a second). Out: level and noise per plate. Load cells are never
zeroed, their noise differs plate by plate and is correlated in time, so nothing here is a constant of a store.
"""

from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from smartstore.scales import kernels

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


class PlateNoise:
    """Level, standard deviation and lag-1 correlation of the cell medians of each plate.

    The deviations are taken from a level that averages over 1.5 s, so slow wander counts as noise; each is clipped at
    three standard deviations, which makes the estimate robust against the beginning of a touch.
    """

    def __init__(self, plates: int, options: NoiseOptions) -> None:
        self._options, self._least_sigma = options, options.quantum_grams * 12**-0.5
        self.level: Array = np.full(plates, np.nan)
        self.weight: Array = np.zeros(plates)
        """Cells that the level rests on."""
        self._mean_abs = np.full(plates, options.prior_grams / ABS_TO_SIGMA)
        self._seen = np.full(plates, options.prior_cells)
        self._previous = np.zeros(plates)
        self._product = np.zeros(plates)
        self.sigma = self._sigma()
        """Standard deviation of one cell's median around the level, grams."""

    def _sigma(self) -> Array:
        return np.maximum(self._mean_abs * ABS_TO_SIGMA, self._least_sigma)

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
        self.sigma = self._sigma()

    def settled(self, plate: int, level: float, cells: Array) -> None:
        """A restless plate has come to rest: ``level`` over the last ``cells`` (n,), which also say how noisy it is."""
        self.level[plate], self.weight[plate] = level, len(cells)
        share = 0.5 * len(cells) / self._seen[plate]
        middle = median(cells.tolist())
        spread = sum(abs(value - middle) for value in cells.tolist()) / len(cells)
        self._mean_abs[plate] += min(share, 0.5) * max(spread - self._mean_abs[plate], 0.0)
        self.sigma = self._sigma()

    def follow(self, cell: Array, quiet: NDArray[np.bool_]) -> None:
        """Learns from one cell (plates,) on the plates that are ``quiet``."""
        kernels.follow(
            cell, quiet, self.level, self.weight, self._seen, self._mean_abs, self._previous, self._product, self.sigma,
            self._options.level_cells, self._options.memory_cells, ABS_TO_SIGMA, self._least_sigma,
        )  # fmt: skip
