"""What one observation says about who did what: log-likelihoods in nats, as pure functions.

Terms about a person are log-likelihood RATIOS of "this one did it" against "this one did not", so that people about
whom nothing is known stay comparable with those in full view. Numbers stand in :class:`EvidenceOptions`; the defaults
are set by hand, ``configs/learned.yaml`` has learned ones.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from smartstore.site import Facing, Fixture, Shelf


@dataclass(frozen=True, slots=True)
class EvidenceOptions:
    """Lengths in metres, probabilities as shares."""

    hand_sigma_m: float = 0.05
    """Size of a hand: uncertainty of the place that it touches beyond that of its middle."""
    front_m: float = 0.06
    """How far before the face a hand already counts as inside."""
    reach_m: float = 0.75
    """Horizontal distance from the body's middle at which an arm still reaches a front comfortably."""
    body_sigma_m: float = 0.18
    hand_hit: float = 0.93
    """Share of changes whose hand is seen near the place, when that person's hands are seen at all."""
    hand_by_chance: float = 0.03
    """Share of moments at which somebody's hand is in the place without moving goods."""
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


def outside_m(
    fixture: Fixture, shelf: Shelf, facing: Facing, point_m: tuple[float, float, float], front_m: float
) -> float:
    """Distance of a point from the space of a facing (from ``front_m`` before the face to the back), 0 inside."""
    u, v, z = fixture.to_local(point_m)
    du = max(facing.offset_m - u, u - facing.offset_m - facing.width_m, 0.0)
    dv = max(-front_m - v, v - fixture.depth_m, 0.0)
    dz = max(shelf.height_m - z, z - shelf.height_m - shelf.clear_m, 0.0)
    return math.sqrt(du * du + dv * dv + dz * dz)


def hand_log(sigmas: float, options: EvidenceOptions) -> float:
    """Ratio for a hand that came within ``sigmas`` standard deviations of the place.

    ``log((h exp(-z^2 / 2) + (1 - h) c) / c)`` with h = ``hand_hit`` and c = ``hand_by_chance``: a mixture of "the
    hand was there" and "it was missed", over the chance that a hand is there anyway.
    """
    hit, chance = options.hand_hit, options.hand_by_chance
    return math.log((hit * math.exp(-0.5 * sigmas**2) + (1 - hit) * chance) / chance)


def body_log(distance_m: float, sigma_m: float, options: EvidenceOptions) -> float:
    """Ratio for a body at a horizontal distance from the facing's front: 0 within reach, a Gaussian flank beyond."""
    beyond = max(distance_m - options.reach_m, 0.0)
    variance = options.body_sigma_m**2 + sigma_m**2
    return max(-0.5 * beyond**2 / variance, options.floor_nats)


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
