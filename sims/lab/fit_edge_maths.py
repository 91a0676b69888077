"""Small fits: logistic and linear slopes, latent luck with a memory, heavy tails by quantiles.

In: features and outcomes as arrays. Out: coefficients. Pure functions.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtr, ndtri

Array = NDArray[np.float64]

MEMORIES_S = np.geomspace(0.05, 12.0, 23)
SLOPES = ("base", "size", "shown", "cut", "crowd")
FRACTIONS = np.linspace(0.1, 0.98, 23)
MOST_TAIL = 0.45


def logistic(features: Array, outcomes: NDArray[np.bool_], ridge: float = 1.0) -> Array:
    """Slopes of a logistic regression by Newton's method; ``ridge`` holds all but the first towards 0."""
    slopes: Array = np.zeros(features.shape[1])
    share = np.clip(outcomes.mean(), 1e-4, 1 - 1e-4) if len(outcomes) else 0.5
    slopes[0] = np.log(share / (1 - share))
    hold = np.full(len(slopes), ridge)
    hold[0] = 1e-6
    for _ in range(40):
        chance: Array = np.asarray(expit(features @ slopes))
        gradient = features.T @ (outcomes - chance) - hold * slopes
        curve = (features * (chance * (1 - chance))[:, None]).T @ features + np.diag(hold)
        step = np.linalg.solve(curve, gradient)
        slopes += np.clip(step, -3, 3)
        if np.abs(step).max() < 1e-7:
            break
    return slopes


def linear(features: Array, outcomes: Array, ridge: float = 3.0) -> Array:
    """Slopes of a linear regression; ``ridge`` holds all but the first towards 0. Outliers count by their sign only."""
    hold = np.full(features.shape[1], ridge)
    hold[0] = 1e-6
    weights = np.ones(len(outcomes))
    slopes: Array = np.zeros(features.shape[1])
    for _ in range(8):
        weighted = features * weights[:, None]
        slopes[:] = np.linalg.solve(weighted.T @ features + np.diag(hold), weighted.T @ outcomes)
        rest = np.abs(outcomes - features @ slopes)
        scale = 1.5 * np.median(rest) + 1e-9
        weights = np.minimum(1.0, scale / np.maximum(rest, 1e-9))
    return slopes


def both(first: Array, second: Array, correlation: ArrayLike) -> Array:
    """Probability that two normal numbers with a correlation are both below the quantiles of two chances.

    One common factor, integrated by Gauss-Hermite quadrature.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    weights = weights / weights.sum()
    rho = np.clip(np.asarray(correlation, float), 0.0, 0.9999)
    a, b = (ndtri(np.clip(p, 1e-9, 1 - 1e-9)) for p in (first, second))
    root, rest = np.sqrt(rho), np.sqrt(1 - rho)
    total = np.zeros(np.broadcast(a, rho).shape)
    for node, weight in zip(nodes, weights, strict=True):
        total += weight * ndtr((a - root * node) / rest) * ndtr((b - root * node) / rest)
    return total


def luck_memory(
    chance: tuple[Array, Array], outcome: tuple[NDArray[np.bool_], NDArray[np.bool_]], gap_s: Array
) -> tuple[float, float]:
    """Memory in seconds of the luck behind pairs of outcomes, and the gain in log-likelihood over no memory."""
    p1, p2 = (np.clip(p, 1e-4, 1 - 1e-4) for p in chance)
    o1, o2 = outcome

    def total(memory_s: float) -> float:
        p11 = np.clip(both(p1, p2, np.exp(-gap_s / memory_s)), 1e-9, None)
        cells = np.where(o1, np.where(o2, p11, p1 - p11), np.where(o2, p2 - p11, 1 - p1 - p2 + p11))
        return float(np.log(np.clip(cells, 1e-9, None)).sum())

    fits = [total(m) for m in MEMORIES_S]
    best = int(np.argmax(fits))
    return float(MEMORIES_S[best]), fits[best] - fits[0]


def noise_memory(first: Array, second: Array, gap_s: Array, all_kept: bool = False) -> tuple[float, float]:
    """Share of standardised noise that has a memory, and that memory in seconds, from pairs so far apart in time.

    The autocorrelation is taken for ``share * exp(-gap / memory)``; with ``all_kept`` the share is 1.
    """
    product = np.clip(first, -3, 3) * np.clip(second, -3, 3)
    square = float(np.mean(np.clip(first, -3, 3) ** 2) * np.mean(np.clip(second, -3, 3) ** 2)) ** 0.5
    product = product / max(square, 1e-9)
    best = (np.inf, 1.0, 0.3)
    for memory_s in MEMORIES_S:
        shape = np.exp(-gap_s / memory_s)
        share = 1.0 if all_kept else float(np.clip((product * shape).sum() / max((shape**2).sum(), 1e-9), 0.0, 1.0))
        best = min(best, (float(np.mean((product - share * shape) ** 2)), share, float(memory_s)))
    return best[1], best[2]


def radial(sizes: Array) -> tuple[float, float]:
    """Scale and Tukey's h of two-dimensional errors, from their sizes.

    Where ``e = sigma z exp(h |z|² / 2)`` with a normal z, ``log(r / R) = log sigma + h R² / 2`` for all quantiles r of
    the sizes and R of the Rayleigh distribution.
    """
    reference = np.sqrt(-2 * np.log(1 - FRACTIONS))
    return _tukey(sizes, reference)


def folded(sizes: Array) -> tuple[float, float]:
    """The same for errors along one axis: the reference is the half-normal distribution."""
    return _tukey(sizes, ndtri((1 + FRACTIONS) / 2))


def _tukey(sizes: Array, reference: Array) -> tuple[float, float]:
    if len(sizes) < 10:
        return float(np.median(sizes)) if len(sizes) else 0.02, 0.1
    ratio = np.log(np.maximum(np.quantile(sizes, FRACTIONS), 1e-5) / reference)
    slope = np.polyfit(reference**2 / 2, ratio, 1)[0]
    tail = float(np.clip(slope, 0.0, MOST_TAIL))
    return float(np.exp(np.mean(ratio - tail * reference**2 / 2))), tail


def to_normal(sizes: Array, sigma: Array, tail: float) -> Array:
    """The R of :func:`radial` that belong to sizes: the inverse of ``r = sigma R exp(h R² / 2)``."""
    grid = np.linspace(0.0, 5.0, 501)
    return np.interp(sizes / np.maximum(sigma, 1e-9), grid * np.exp(tail * grid**2 / 2), grid)


def tail_beside(logs: Array, trouble: float, fresh: float) -> tuple[float, float]:
    """Tukey's h of two-dimensional errors, and their median size where sigma is 1.

    A share ``fresh`` of their variance is new in every frame, and only what is remembered makes tails; a lognormal
    factor of spread ``trouble`` is shared. 92 % and 50 % quantile are as far apart as those of ``logs``, the logarithms
    of the errors' sizes.
    """
    rng = np.random.default_rng(3)
    steady, new = rng.standard_normal((2, 20_000, 2))
    radius2 = np.minimum((steady**2).sum(axis=1), 12.0)
    size = np.linalg.norm(np.sqrt(1 - fresh) * steady + np.sqrt(fresh) * new, axis=1)
    level = np.log(size) + trouble * rng.standard_normal(20_000)
    tails = np.linspace(0.0, MOST_TAIL, 46)
    middle, high = np.quantile(level + tails[:, None] * radius2 / 2, (0.5, 0.92), axis=1)
    logs = logs[np.isfinite(logs)]
    if len(logs) < 30:
        best = int(np.abs(tails - 0.1).argmin())
    else:
        best = int(np.abs(high - middle - np.quantile(logs, 0.92) + np.quantile(logs, 0.5)).argmin())
    return float(tails[best]), float(np.exp(middle[best]))


def ranks(values: Array) -> Array:
    """Normal scores of values."""
    order = np.empty(len(values))
    order[np.argsort(values, kind="stable")] = np.arange(len(values))
    return np.asarray(ndtri((order + 0.5) / max(1, len(values))))


def kolmogorov(one: Array, other: Array) -> float:
    """Largest distance between two empirical distributions; NaN where one is empty."""
    if not len(one) or not len(other):
        return float("nan")
    points = np.sort(np.concatenate([one, other]))
    below = [np.searchsorted(np.sort(values), points, side="right") / len(values) for values in (one, other)]
    return float(np.abs(below[0] - below[1]).max())


def named(slopes: Array) -> dict[str, float]:
    """Slopes by their names in a model."""
    return {name: float(value) for name, value in zip(SLOPES, slopes, strict=True)}
