"""The arithmetic of plates at rest, compiled: some sixty times a second of event time, a handful of numbers each.

In: readings as plain arrays, a column per plate. Out: arrays; what :class:`smartstore.scales.cells.PlateNoise` learns
is changed in place.
"""

import numpy as np
from numpy.typing import NDArray

from smartstore.compiled import compiled

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Times = NDArray[np.int64]


@compiled
def medians(samples: Array, size: int) -> Array:
    """Medians (cells, plates) of ``size`` samples each of (samples, plates); NaN where half of them or more are
    missing.
    """
    cells, plates = len(samples) // size, samples.shape[1]
    out, there = np.full((cells, plates), np.nan), np.empty(size)
    for cell in range(cells):
        for plate in range(plates):
            count = 0
            for i in range(cell * size, (cell + 1) * size):
                value = samples[i, plate]
                if np.isnan(value):
                    continue
                at = count
                while at > 0 and there[at - 1] > value:
                    there[at] = there[at - 1]
                    at -= 1
                there[at] = value
                count += 1
            if 2 * count > size:
                out[cell, plate] = 0.5 * (there[(count - 1) // 2] + there[count // 2])
    return out


@compiled
def hear(heard_ns: Times, cells: Array, start_ns: int, step_ns: int) -> None:
    """Notes when each plate (n,) gave numbers last: of cells (c, n), the first at ``start_ns``."""
    for cell in range(len(cells)):
        for plate in range(len(heard_ns)):
            if not np.isnan(cells[cell, plate]):
                heard_ns[plate] = start_ns + cell * step_ns


@compiled
def vary(varied_ns: Times, number: Array, samples: Array, t_ns: int) -> None:
    """Notes that a plate (n,) gave another number than ``number``, its last one before these samples (s, n): no number
    differs from any, but those that give none do not vary.
    """
    for plate in range(len(number)):
        differs, there = False, False
        for i in range(len(samples)):
            differs = differs or samples[i, plate] != number[plate]
            there = there or not np.isnan(samples[i, plate])
        if differs and there:
            varied_ns[plate] = t_ns
        number[plate] = samples[-1, plate]


@compiled
def near(cell: Array, level: Array, sigma: Array, sigmas: float, grams: float) -> Bools:
    """Which plates (n,) are where they were, within so many standard deviations or grams, whichever is more; not those
    without a number, or without a level yet.
    """
    out = np.empty(len(cell), np.bool_)
    for plate in range(len(cell)):
        out[plate] = abs(cell[plate] - level[plate]) <= max(sigmas * sigma[plate], grams)
    return out


@compiled
def follow(
    cell: Array, quiet: Bools, level: Array, weight: Array, seen: Array, mean_abs: Array, previous: Array,
    product: Array, sigma: Array, most_weight: float, most_seen: float, of_abs: float, least_sigma: float,
) -> None:  # fmt: skip
    """Learns from a cell (n,) on the plates that are ``quiet`` (n,): their level, which rests on ``weight`` cells, and
    from ``seen`` cells the mean deviation from it, and the product of a deviation with the ``previous`` one. Deviations
    are clipped at three ``sigma``, which is ``of_abs`` times that mean deviation, and not less than the least one.
    """
    for plate in range(len(cell)):
        if not quiet[plate]:
            previous[plate] = 0.0
            continue
        most = 3.0 * sigma[plate]
        deviation = min(max(cell[plate] - level[plate], -most), most)
        seen[plate], weight[plate] = min(seen[plate] + 1.0, most_seen), min(weight[plate] + 1.0, most_weight)
        mean_abs[plate] += (abs(deviation) - mean_abs[plate]) / seen[plate]
        product[plate] += (deviation * previous[plate] - product[plate]) / seen[plate]
        previous[plate] = deviation
        level[plate] += deviation / max(weight[plate], 1.0)
        sigma[plate] = max(mean_abs[plate] * of_abs, least_sigma)
