"""The error model of joints, fitted to rows of who was there and what the detector made of them.

In: :class:`~sims.lab.fit_edge_samples.Samples`. Out: the ``joints`` part of an error model, as plain values.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from sims.devices.edge import MIRROR
from sims.devices.edge_laws import COVER, GROUP_OF, GROUPS, KNOT_FIRST, KNOT_STEP, KNOTS, STATES
from sims.lab.fit_edge_maths import (
    SLOPES,
    linear,
    luck_memory,
    named,
    noise_memory,
    radial,
    ranks,
    tail_beside,
    to_normal,
)
from sims.lab.fit_edge_samples import Samples

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LIMBS = np.arange(5, 17)
LEAST_AMONG = 50
BORROWED = 0.06
"""A covered joint so near to the same joint of who stands before (share of the height) is borrowed."""


def fit_joints(s: Samples) -> dict[str, Any]:
    """Errors and scores of joints."""
    rows = np.nonzero(s.found & s.in_picture.any(axis=1))[0]
    swapped = _swapped(s, rows)
    joints = np.where(swapped[:, None, None], s.joints[rows][:, MIRROR], s.joints[rows])
    tall = s.tall_px[rows, None]
    error = (joints[..., :2] - np.nan_to_num(s.pixels[rows])) / tall[..., None]
    there = s.in_picture[rows]
    state = np.where(there, 1 + s.visible[rows].astype(int), 0)
    borrowed, could = _borrowed(s, rows, joints, state)
    free = (state == 2) & (s.at_shelf[rows] == 0)
    laws, normal = {}, np.full((*state.shape, 2), np.nan)
    rest = np.full(state.shape, np.nan)
    for name, use in (("covered", (state == 1) & ~borrowed), ("seen", free)):
        laws[name] = _joint_law(s.features[rows], error, joints[..., 2], use, normal, rest)
    among = np.where(state == 2, s.at_shelf[rows], 0.0)
    at_shelf = _at_shelf(s.features[rows], error, joints[..., 2], free, among, laws["seen"])
    a, b, gap_s = s.pairs_among(rows)
    good = np.isfinite(normal[a, :, 0]) & np.isfinite(normal[b, :, 0])
    gaps = np.broadcast_to(gap_s[:, None], good.shape)[good]
    kept, memory_s = noise_memory(normal[a][good].ravel(), normal[b][good].ravel(), np.repeat(gaps, 2))
    scores = _score_levels(joints[..., 2], state)
    trouble, score_trouble = _within(rest), _within(scores)
    top = np.sqrt(max(0.0, 0.95 - max(laws[n]["score_follows"] for n in laws) ** 2))
    for name, number in (("covered", 1), ("seen", 2)):
        _finish(laws[name], rest, state == number, min(trouble, 0.8), 1.0 - kept)
    swap_memory, swap_rate = _flag_memory(swapped, a, b, gap_s)
    return laws | {
        "at_shelf": at_shelf,
        "memory_s": memory_s,
        "fresh": 1.0 - kept,
        "common": float(np.clip(_within(normal[..., 0]) ** 2 / 2 + _within(normal[..., 1]) ** 2 / 2, 0.0, 0.9)),
        "trouble": float(min(trouble, 0.8)),
        "score_trouble": float(min(score_trouble, top)),
        "swapped": swap_rate,
        "swap_memory_s": swap_memory,
        "borrowed": float(borrowed.sum() / max(1, could.sum())),
        "scores": {
            group: {
                name: _quantiles(joints[..., 2][(state == number) & (among == 0) & (g == GROUP_OF)])
                for number, name in enumerate(STATES)
            }
            for g, group in enumerate(GROUPS)
        },
    }


def error_shift(plain: Samples, other: Samples, laws: Mapping[str, Any]) -> float:
    """How much larger the errors of clear joints are in ``other`` rows, as a difference of logarithms."""
    levels = []
    for s in (plain, other):
        use = (s.visible & s.found[:, None])[:, 5:]
        error = np.linalg.norm(s.joints[:, 5:, :2] - np.nan_to_num(s.pixels[:, 5:]), axis=2) / s.tall_px[:, None]
        growth = s.features @ np.array([laws["seen"]["grows"][name] for name in SLOPES])
        sigma = np.array([laws["seen"]["sigma"][group] for group in GROUPS])[GROUP_OF][5:]
        levels.append((np.log(np.maximum(error, 1e-4)) - growth[:, None] - np.log(np.maximum(sigma, 1e-4)))[use])
    few = 50.0
    gap = float(np.median(levels[1]) - np.median(levels[0])) if len(levels[1]) else 0.0
    return float(np.clip(gap * len(levels[1]) / (len(levels[1]) + few), -1.0, 2.0))


def _joint_law(features: Array, error: Array, scores: Array, use: Mask, normal: Array, rest: Array) -> dict[str, Any]:
    """Errors of the joints in one state, but for tails; fills in standardised errors and what is left of their
    logarithms when all that is known of them is taken away."""
    of = [use & (n == GROUP_OF) for n in range(len(GROUPS))]
    sink = [float(np.median(error[..., 1][chosen])) if chosen.any() else 0.0 for chosen in of]
    shifted = error - np.stack([np.zeros(17), np.array(sink)[GROUP_OF]], axis=1)
    size = np.linalg.norm(shifted, axis=2)
    log = np.log(np.maximum(size, 1e-4))
    middle = np.array([np.median(log[chosen]) if chosen.any() else -4.0 for chosen in of])
    row, joint = np.nonzero(use)
    slopes = np.clip(linear(features[row], log[use] - middle[GROUP_OF[joint]]), -2.5, 2.5)
    slopes[0] = 0.0
    level = size / np.exp(features @ slopes)[:, None]
    sigma = {}
    for group, chosen in zip(GROUPS, of, strict=True):
        scale, tail = radial(level[chosen])
        radius = to_normal(level[chosen], np.full(int(chosen.sum()), scale), tail)
        normal[chosen] = shifted[chosen] / np.maximum(size[chosen], 1e-9)[:, None] * radius[:, None]
        sigma[group] = float(np.median(level[chosen])) if chosen.any() else 0.02
        rest[chosen] = np.log(np.maximum(level[chosen] / sigma[group], 1e-3))
    follows = [-np.corrcoef(ranks(size[c]), ranks(scores[c]))[0, 1] for c in of if c.sum() > 30]
    return {
        "sigma": sigma,
        "sink": dict(zip(GROUPS, sink, strict=True)),
        "grows": named(slopes),
        "score_follows": float(np.clip(np.nanmean(follows), 0.0, 0.9)) if follows else 0.0,
    }


def _at_shelf(
    features: Array, error: Array, scores: Array, free: Mask, among: Array, law: Mapping[str, Any]
) -> dict[str, float]:
    """How much errors of wrists grow, and how far scores fall, with how far they are ``among`` goods: against those
    of ``free`` ones under a ``law``."""
    wrists = GROUPS.index("wrists") == GROUP_OF
    free, there = free & wrists, (among > 0) & wrists
    if there.sum() < LEAST_AMONG or not free.any():
        return {"grows": 0.0, "score": 0.0}
    size = np.linalg.norm(error - [0.0, law["sink"]["wrists"]], axis=2)
    slopes = np.array([law["grows"][name] for name in SLOPES])
    level = np.log(np.maximum(size, 1e-4)) - (features @ slopes)[:, None]
    below = np.searchsorted(np.sort(scores[free]), scores[there]) / free.sum()
    deep = among[there]

    def slope(values: Array) -> float:
        return float(deep @ values / (deep @ deep))

    return {"grows": slope(level[there] - np.median(level[free])), "score": slope(ndtri(np.clip(below, 0.01, 0.99)))}


def _finish(law: dict[str, Any], rest: Array, use: Mask, trouble: float, fresh: float) -> None:
    """Tails beside the trouble that all joints share, and scales such that medians are as measured."""
    law["tail"] = {}
    for n, group in enumerate(GROUPS):
        law["tail"][group], middle = tail_beside(rest[use & (n == GROUP_OF)], trouble, fresh)
        law["sigma"][group] /= middle


def _swapped(s: Samples, rows: NDArray[np.intp]) -> Mask:
    """Reports whose limbs fit far better with left and right swapped."""
    joints, pixels = s.joints[rows][:, LIMBS], np.nan_to_num(s.pixels[rows])
    use = s.visible[rows][:, LIMBS]
    own = np.linalg.norm(joints[..., :2] - pixels[:, LIMBS], axis=2) * use
    other = np.linalg.norm(joints[..., :2] - pixels[:, MIRROR[LIMBS]], axis=2) * use
    apart = np.linalg.norm(pixels[:, LIMBS] - pixels[:, MIRROR[LIMBS]], axis=2) * use
    enough = apart.sum(axis=1) > 0.05 * s.tall_px[rows] * np.maximum(4, use.sum(axis=1))
    return np.asarray((use.sum(axis=1) >= 4) & enough & (other.sum(axis=1) < 0.6 * own.sum(axis=1)))


def _borrowed(s: Samples, rows: NDArray[np.intp], joints: Array, state: NDArray[np.intp]) -> tuple[Mask, Mask]:
    """Covered joints of the crowded that lie on those of the person before them, and all that could."""
    crowded = (s.features[rows, 4] > COVER)[:, None] & (state == 1)
    before = np.nan_to_num(s.pixels[s.over[rows]], nan=-1e4)
    tall = s.tall_px[rows, None]
    there = np.minimum(
        np.linalg.norm(joints[..., :2] - before, axis=2), np.linalg.norm(joints[..., :2] - before[:, MIRROR], axis=2)
    )
    own = np.linalg.norm(joints[..., :2] - np.nan_to_num(s.pixels[rows], nan=-1e4), axis=2)
    return crowded & (there < BORROWED * tall) & (own > 2 * there), crowded


def _within(values: Array) -> float:
    """Square root of the mean product of different columns in the same row (NaN: missing): what a row shares."""
    known = np.isfinite(values)
    filled = np.where(known, np.clip(np.nan_to_num(values), -3, 3), 0.0)
    count = known.sum(axis=1)
    pairs = (filled.sum(axis=1) ** 2 - (filled**2).sum(axis=1)).sum()
    return float(np.sqrt(max(0.0, pairs / max(1, (count * (count - 1)).sum()))))


def _score_levels(scores: Array, state: NDArray[np.intp]) -> Array:
    """Normal scores of joint scores within their group and state; NaN outside the picture."""
    levels = np.full(state.shape, np.nan)
    for number in (1, 2):
        for g in range(len(GROUPS)):
            use = (state == number) & (g == GROUP_OF)
            if use.sum() > 20:
                levels[use] = ranks(scores[use])
    return levels


def _quantiles(values: Array) -> list[float]:
    if len(values) < 5:
        return [0.05] * KNOTS
    at = ndtr(KNOT_FIRST + KNOT_STEP * np.arange(KNOTS))
    return [float(v) for v in np.clip(np.quantile(values, at), 0.0, 1.0)]


def _flag_memory(flags: Mask, a: NDArray[np.intp], b: NDArray[np.intp], gap_s: Array) -> tuple[float, float]:
    """Memory and rate of something that is or is not the case."""
    rate = float(flags.mean()) if len(flags) else 0.0
    if flags.sum() < 3:
        return 0.4, rate
    chance = np.full(len(flags), rate)
    return luck_memory((chance[a], chance[b]), (flags[a], flags[b]), gap_s)[0], rate
