"""What one observation says about who did what: log-likelihoods in nats, as pure functions.

Terms about a person are log-likelihood RATIOS of "this one did it" against "this one did not", so that people about
whom nothing is known stay comparable with those in full view. Numbers stand in :class:`EvidenceOptions`; the defaults
are set by hand, ``configs/learned.yaml`` has learned ones.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EvidenceOptions:
    """Lengths in metres, probabilities as shares."""

    hand_sigma_m: float = 0.05
    """How far the middle of a hand is from the goods that it grasps, in every direction."""
    reach_m: float = 0.75
    """Horizontal distance from the body's middle at which an arm still reaches a front comfortably."""
    body_sigma_m: float = 0.18
    hand_hit: float = 0.93
    """Share of changes whose hand is found where its covariance allows it to be."""
    hands_per_m3: float = 0.3
    """How dense one hand that moves no goods is before a shelf, wherever it is."""
    idle_m: float = 0.27
    idle_sigma_m: float = 0.055
    """Hands that hang or carry are so far from the body's middle ..."""
    idle_height_m: float = 0.92
    idle_height_sigma_m: float = 0.16
    """... and so high."""
    idle_share: float = 0.35
    """Share of the hands that move no goods of which this is so."""
    lean_share: float = 0.22
    lean_top_m: float = 1.3
    """Who reaches for goods below this height leans towards them by that share of how far below it they are."""
    lean_sigma_m: float = 0.03
    lean_spread: float = 0.6
    """How far from that the body is found, and by what share of it more."""
    lean_hit: float = 0.6
    """Share of changes at which it is so."""
    still_share: float = 0.5
    still_sigma_m: float = 0.035
    """Share of those who move no goods that stay where they are, and how exactly ..."""
    stroll_m: float = 0.25
    """... and how far the others move meanwhile."""
    unseen_nats: float = -2.0
    """For somebody whose place was not known at that time."""
    walk_m_s: float = 1.3
    """How fast somebody out of view may walk."""
    floor_nats: float = -14.0
    press_grams: float = 45.0
    """Weight of a hand that rests."""
    count_sigma: float = 0.4
    """How well a camera counts what is missing, in items."""
    count_outlier: float = 0.05
    score_floor: float = 0.08


def idle_density(away_m: Floats, height_m: Floats, cov_m2: Floats, options: EvidenceOptions) -> Floats:
    """How dense (n,) a hand that moves no goods is where hands are found, per cubic metre.

    They are (n,) metres from the middle of their owner's body, so high, and known with covariances (n, 3, 3). Those
    that hang or carry something fill a ring around the body; the others may be anywhere.
    """
    wide_m2 = options.idle_sigma_m**2 + (cov_m2[:, 0, 0] + cov_m2[:, 1, 1]) / 2
    high_m2 = options.idle_height_sigma_m**2 + cov_m2[:, 2, 2]
    squared = (away_m - options.idle_m) ** 2 / wide_m2 + (height_m - options.idle_height_m) ** 2 / high_m2
    around_m = 2 * math.pi * np.maximum(away_m, options.idle_m)
    ring = np.exp(-0.5 * squared) / (2 * math.pi * np.sqrt(wide_m2 * high_m2) * around_m)
    return np.asarray(options.hands_per_m3 + options.idle_share * ring)


def grasp_odds(off_m: Floats, cov_m2: Floats, idle_per_m3: Floats, options: EvidenceOptions) -> Floats:
    """Likelihood ratios of hands whose middles are found (n, 3) metres off the place where goods are grasped.

    ``h N(off; 0, S) / c + 1 - h`` with h = ``hand_hit``, c = ``idle_per_m3`` and S = ``cov_m2`` (n, 3, 3), how
    uncertain hand and place are together: a mixture of "it is the hand that was there" and "it says nothing", over the
    chance that a hand is there anyway. A hand that nobody knows well says little, and one that is known in one
    direction alone says what it can.
    """
    precision = np.linalg.inv(cov_m2)
    squared = np.einsum("ni,nij,nj->n", off_m, precision, off_m)
    density = np.exp(-0.5 * squared) * np.sqrt(np.linalg.det(precision) / (2 * math.pi) ** 3)
    return np.asarray(options.hand_hit * density / idle_per_m3 + 1 - options.hand_hit)


def body_log(distance_m: float, sigma_m: float, options: EvidenceOptions) -> float:
    """Ratio for a body at a horizontal distance from the facing's front: 0 within reach, a Gaussian flank beyond."""
    beyond = max(distance_m - options.reach_m, 0.0)
    variance = options.body_sigma_m**2 + sigma_m**2
    return max(-0.5 * beyond**2 / variance, options.floor_nats)


def lean_log(lean_m: float, height_m: float, options: EvidenceOptions) -> float:
    """Ratio for a body that was found ``lean_m`` nearer to a shelf than before, or after, a change of goods that stand
    so high.

    ``h N(lean; m, s) / b + 1 - h``: the lower the goods, the farther whoever moves them leans (m); b is how dense those
    are who do not, a share of whom stand still (Gaussian) while the others walk (Laplace).
    """
    lean = options.lean_share * max(options.lean_top_m - height_m, 0.0)
    sigma = math.hypot(options.lean_sigma_m, options.lean_spread * lean)
    still, stroll = options.still_sigma_m, options.stroll_m
    idle = options.still_share * _normal(lean_m / still) / still
    idle += (1 - options.still_share) * math.exp(-abs(lean_m) / stroll) / (2 * stroll)
    return math.log(options.lean_hit * _normal((lean_m - lean) / sigma) / sigma / idle + 1 - options.lean_hit)


def _normal(off: float) -> float:
    return math.exp(-0.5 * off**2) / math.sqrt(2 * math.pi)


def camera_log(
    items: int,
    probability: float,
    scores: Mapping[str, float],
    sku: str,
    quantity: int,
    options: EvidenceOptions,
) -> float:
    """What a camera's view of the facing says about "``quantity`` of ``sku`` taken" (negative: put back).

    A Gaussian in the count with an outlier share, mixed with "the camera is wrong" by its own ``probability``; times
    the score of the SKU, floored because recognisers are sure of themselves. With ``items`` 0 the camera is sure that
    something changed and could not count it: the same for every quantity and direction.
    """
    close = math.exp(-0.5 * ((items + quantity) / options.count_sigma) ** 2) if items else 0.5
    count = probability * ((1 - options.count_outlier) * close + options.count_outlier * 0.2) + (1 - probability) * 0.1
    floor = options.score_floor
    score = floor + (1 - floor) * scores.get(sku, 0.0) if scores else 0.5
    return math.log(count) + math.log(score)


def press_log(grams: float, options: EvidenceOptions) -> float:
    """Log density of the weight of a hand that rests on a shelf: Student's t, 2 degrees of freedom, in nats."""
    scale = options.press_grams
    return -math.log(2 * math.sqrt(2) * scale) - 1.5 * math.log1p((grams / scale) ** 2 / 2)


def same_weight_log(off_grams: float, sigma_grams: float) -> float:
    """Log density of what is left when a thing that came goes again: Student's t, 4 degrees of freedom, in nats."""
    return math.log(0.375 / sigma_grams) - 2.5 * math.log1p((off_grams / sigma_grams) ** 2 / 4)


def quantity_log(quantity: int, more: float) -> float:
    """Log prior of the number of items moved: geometric, ``more`` is the share of those with yet another one."""
    return math.log(1 - more) + (abs(quantity) - 1) * math.log(more)
