"""Whether probabilities mean what they say: a reliability diagram and the expected calibration error.

In: pairs of a probability and whether it came true. Out: bins, one number, and a picture. The error is that of Naeini
et al. (2015), "Obtaining Well Calibrated Probabilities Using Bayesian Binning": the mean gap between what was said and
what came true, weighted by how often it was said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0)


@dataclass(frozen=True, slots=True)
class Bin:
    """What was said between two probabilities: how often, how much on average, and the share that came true."""

    low: float
    high: float
    count: int
    said: float
    came_true: float


def reliability(pairs: Sequence[tuple[float, bool]]) -> list[Bin]:
    """The bins that are not empty; the last one includes 1."""
    bins = []
    for low, high in pairwise(EDGES):
        here = [(p, hit) for p, hit in pairs if low <= p < high or (high == 1.0 and p >= 1.0)]
        if here:
            said, hits = np.mean([p for p, _ in here]), np.mean([hit for _, hit in here])
            bins.append(Bin(low, high, len(here), float(said), float(hits)))
    return bins


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error, 0 to 1."""
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.said - one.came_true) for one in bins) / total if total else 0.0


def draw_reliability(path: Path, bins: Sequence[Bin]) -> None:
    """A PNG: what was said across, what came true up, with how often and one standard deviation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7")
    said, true = [one.said for one in bins], [one.came_true for one in bins]
    spread = [(max(p * (1 - p), 0.25 / one.count) / one.count) ** 0.5 for p, one in zip(true, bins, strict=True)]
    axes.errorbar(said, true, yerr=spread, fmt="o", capsize=3)
    for one in bins:
        axes.annotate(str(one.count), (one.said, one.came_true), textcoords="offset points", xytext=(6, -12))
    axes.set(
        xlabel="probability of the chosen explanation", ylabel="share that was right", xlim=(0, 1.02), ylim=(0, 1.02)
    )
    axes.set_title(f"{sum(one.count for one in bins)} decisions, calibration error {calibration_error(bins):.3f}")
    figure.savefig(path, dpi=110)
