"""The error model of people, fitted to rows of who was there and what the detector made of them.

In: :class:`~sims.lab.fit_edge_samples.Samples`. Out: the ``people`` part of an error model, as plain values.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr, ndtri

from sims.devices.edge import MIRROR
from sims.devices.edge_model import COVER, GROUP_OF, GROUPS, KNOT_FIRST, KNOT_STEP, KNOTS, STATES
from sims.lab.fit_edge_maths import (
    folded,
    linear,
    logistic,
    luck_memory,
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
BORROWED = 0.06
"""A covered joint so near to the same joint of who stands before (share of the height) is borrowed."""
SLOPES = ("base", "size", "shown", "cut", "crowd")
PAIR_S = (0.05, 1.3)
"""Pairs of frames so far apart tell how long errors last."""


def fit_people(s: Samples, least_score: float) -> dict[str, Any]:
    """The ``people`` part of the model."""
    return {
        "finding": fit_finding(s, least_score),
        "joints": fit_joints(s),
        "boxes": fit_boxes(s),
        "doubles": fit_doubles(s),
        "false_boxes": fit_false(s),
        "looks": fit_looks(s),
    }


def fit_finding(s: Samples, least_score: float) -> dict[str, Any]:
    """The law of being found and of scores."""
    use = s.in_picture.any(axis=1)
    slopes = logistic(s.features[use], s.found[use])
    odds = s.features @ slopes
    chance = expit(odds)
    sure = use & (chance > 0.985)
    most = float(np.clip(s.found[sure].mean(), 0.9, 1.0)) if sure.sum() > 200 else 1.0
    chance = np.minimum(chance, most)
    a, b = s.pairs(*PAIR_S)
    good = use[a] & use[b]
    a, b = a[good], b[good]
    memory_s, _ = luck_memory((chance[a], chance[b]), (s.found[a], s.found[b]), s.t_s[b] - s.t_s[a])
    seen = use & s.found
    most_score = float(min(0.99, s.score[seen].max() + 0.01))
    level = logit(np.clip((s.score - least_score) / (most_score - least_score), 0.01, 0.99))
    bounded = np.clip(odds, -4.0, 6.0)
    base, slope = linear(np.column_stack([np.ones(seen.sum()), bounded[seen]]), level[seen], 0.0)
    rest = level[seen] - base - slope * bounded[seen]
    return {
        "chance": _named(slopes),
        "most": most,
        "memory_s": memory_s,
        "score_base": float(base + rest.mean()),
        "score_chance": float(slope),
        "score_luck": float(rest.std()),
        "score_least": least_score,
        "score_most": most_score,
    }


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
    laws, normal = {}, np.full((*state.shape, 2), np.nan)
    rest = np.full(state.shape, np.nan)
    for name, number in (("covered", 1), ("seen", 2)):
        laws[name] = _joint_law(s.features[rows], error, joints[..., 2], (state == number) & ~borrowed, normal, rest)
    a, b, gap_s, _ = _pairs_among(s, rows)
    good = np.isfinite(normal[a, :, 0]) & np.isfinite(normal[b, :, 0])
    gaps = np.broadcast_to(gap_s[:, None], good.shape)[good]
    kept, memory_s = noise_memory(normal[a][good].ravel(), normal[b][good].ravel(), np.repeat(gaps, 2))
    scores = _score_levels(joints[..., 2], state)
    trouble, score_trouble = _within(rest), _within(scores)
    top = np.sqrt(max(0.0, 0.95 - max(laws[n]["score_follows"] for n in laws) ** 2))
    for name, number in (("covered", 1), ("seen", 2)):
        _finish(laws[name], rest, state == number, min(trouble, 0.8))
    swap_memory, swap_rate = _flag_memory(swapped, a, b, gap_s)
    return laws | {
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
                name: _quantiles(joints[..., 2][(state == number) & (g == GROUP_OF)])
                for number, name in enumerate(STATES)
            }
            for g, group in enumerate(GROUPS)
        },
    }


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
        "grows": _named(slopes),
        "score_follows": float(np.clip(np.nanmean(follows), 0.0, 0.9)) if follows else 0.0,
    }


def _finish(law: dict[str, Any], rest: Array, use: Mask, trouble: float) -> None:
    """Tails beside the trouble that all joints share, and scales such that medians are as measured."""
    law["tail"] = {g: tail_beside(rest[use & (n == GROUP_OF)], trouble) for n, g in enumerate(GROUPS)}
    half2 = 2.0 * np.log(2.0)
    """Square of the median of the Rayleigh distribution."""
    for group in GROUPS:
        law["sigma"][group] /= float(np.sqrt(half2) * np.exp(law["tail"][group] * half2 / 2))


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


def _pairs_among(s: Samples, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp], Array, Array]:
    """Pairs of the same person and camera as positions in ``rows``, with their gaps in seconds."""
    place = np.full(len(s.found), -1)
    place[rows] = np.arange(len(rows))
    a, b = s.pairs(*PAIR_S)
    good = (place[a] >= 0) & (place[b] >= 0)
    a, b = a[good], b[good]
    return place[a], place[b], s.t_s[b] - s.t_s[a], place


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


def fit_boxes(s: Samples) -> dict[str, Any]:
    """Errors of the four edges, and how often boxes go around two."""
    rows = np.nonzero(s.found & s.in_picture.any(axis=1))[0]
    error = (s.seen_box[rows] - s.boxes[rows]) / s.tall_px[rows, None]
    bias = np.median(error, axis=0)
    log = np.log(np.maximum(np.abs(error - bias), 1e-4))
    middle = np.median(log, axis=0)
    slopes = linear(np.repeat(s.features[rows], 4, axis=0), (log - middle).ravel())
    slopes[0] = 0.0
    level = np.abs(error - bias) / np.exp(s.features[rows] @ slopes)[:, None]
    fits = [folded(level[:, side]) for side in range(4)]
    tail = float(np.mean([t for _, t in fits]))
    half = float(ndtri(0.75))
    sigma = [float(np.median(level[:, side]) / (half * np.exp(tail * half**2 / 2))) for side in range(4)]
    scale = np.array(sigma) * np.exp(s.features[rows] @ slopes)[:, None]
    normal = np.sign(error - bias) * to_normal(np.abs(error - bias), scale, tail)
    a, b, gap_s, _ = _pairs_among(s, rows)
    return {
        "bias": [float(v) for v in bias],
        "sigma": sigma,
        "grows": _named(np.clip(slopes, -2.5, 2.5)),
        "tail": tail,
        "memory_s": noise_memory(normal[a].ravel(), normal[b].ravel(), np.repeat(gap_s, 4), all_kept=True)[1],
        "joined": _joined(s),
    }


def _joined(s: Samples) -> float:
    """Share of those missed behind somebody reported whose box goes around both."""
    missed = np.nonzero(~s.found & s.in_picture.any(axis=1) & (s.features[:, 4] > COVER) & s.found[s.over])[0]
    hits = 0
    for row in missed:
        before, box = s.boxes[s.over[row]], s.seen_box[s.over[row]]
        both = np.concatenate([np.minimum(before[:2], s.boxes[row, :2]), np.maximum(before[2:], s.boxes[row, 2:])])
        hits += bool(_overlap(box, both) > _overlap(box, before) + 0.05)
    return hits / max(1, len(missed))


def _overlap(box: Array, other: Array) -> float:
    size = np.clip(np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2]), 0, None)
    area = np.prod(box[2:] - box[:2]) + np.prod(other[2:] - other[:2]) - size.prod()
    return float(size.prod() / max(area, 1e-9))


def fit_doubles(s: Samples) -> dict[str, Any]:
    """Second boxes."""
    seconds = [extra for extra in s.surplus if extra.row >= 0]
    twice = np.zeros(len(s.found), bool)
    twice[[extra.row for extra in seconds]] = True
    rows = np.nonzero(s.found)[0]
    slopes = logistic(s.features[rows], twice[rows], 3.0)
    chance = expit(s.features @ slopes)
    a, b, gap_s, _ = _pairs_among(s, rows)
    pair = ((chance[rows][a], chance[rows][b]), (twice[rows][a], twice[rows][b]))
    memory_s = luck_memory(*pair, gap_s)[0] if len(seconds) > 5 else 0.4
    inset, scores = np.full((1, 4), 0.1), np.array([0.4])
    if seconds:
        first = s.seen_box[[extra.row for extra in seconds]]
        size = np.tile(first[:, 2:] - first[:, :2], 2)
        inset = np.clip((np.array([e.box for e in seconds]) - first) * [1, 1, -1, -1] / np.maximum(size, 1.0), 0, 0.45)
        scores = np.array([e.score for e in seconds])
    return {
        "chance": _named(slopes),
        "memory_s": memory_s,
        "inset": [float(v) for v in inset.mean(axis=0)],
        "score": float(np.median(scores)),
        "score_spread": float(scores.std()),
    }


def fit_false(s: Samples) -> dict[str, Any]:
    """Boxes around nobody: how often they begin, how long they stay, how they look."""
    alone = [extra for extra in s.surplus if extra.row < 0]
    if not alone:
        return {"per_min": 0.05, "lasts_s": 0.3, "tall": 0.2, "tall_spread": 0.4, "score": 0.45, "score_spread": 0.08}
    begins = sum(extra.begins for extra in alone)
    tall = np.array([extra.tall for extra in alone])
    scores = np.array([e.score for e in alone])
    period_s = 60.0 * s.minutes / max(1, s.frames)
    return {
        "per_min": begins / s.minutes,
        "lasts_s": float(-period_s / np.log(np.clip(1.0 - begins / len(alone), 0.01, 0.99))),
        "tall": float(np.median(tall)),
        "tall_spread": float(np.log(np.maximum(tall, 0.01)).std()),
        "score": float(np.median(scores)),
        "score_spread": float(scores.std()),
    }


def fit_looks(s: Samples) -> dict[str, Any]:
    """Weights of what appearance vectors share, by the mean products of pairs of them."""
    rows = np.nonzero(s.found & (s.features[:, 2] > 0.25) & (np.linalg.norm(s.looks, axis=1) > 0.5))[0]
    rng = np.random.default_rng(7)
    a, b = rng.integers(0, len(rows), (2, 60_000))
    a, b = rows[a], rows[b]
    product = np.einsum("ij,ij->i", s.looks[a], s.looks[b])
    same_take = s.camera[a] // 100 == s.camera[b] // 100
    one_camera, one_person = s.camera[a] == s.camera[b], s.person[a] == s.person[b]
    late = np.abs(s.t_s[a] - s.t_s[b]) > 3.0
    mean = lambda use, otherwise: float(product[use].mean()) if use.sum() > 20 else otherwise  # noqa: E731
    other = mean(same_take & ~one_camera & ~one_person, 0.5)
    other_here = mean(one_camera & ~one_person, other)
    same = mean(same_take & ~one_camera & one_person, 0.8)
    same_here = mean(one_camera & one_person & late, same)
    common, camera = max(0.0, other), max(0.0, other_here - other)
    own = max(0.05, same - other)
    noise = max(0.01, 1.0 - max(same_here, common + camera + own))
    spread = float(product[same_take & ~one_person].std()) if (same_take & ~one_person).sum() > 20 else 0.1
    shown = s.features[rows, 2]
    a, b, gap_s, _ = _pairs_among(s, rows)
    near = np.einsum("ij,ij->i", s.looks[rows][a], s.looks[rows][b])
    alike = np.clip((near - (1 - noise)) / noise, 0.0, 1.0)
    memory_s = float(np.clip(-np.median(gap_s) / np.log(np.clip(np.median(alike), 0.05, 0.97)), 0.1, 20.0))
    return {
        "numbers": int(np.clip(round((own / max(spread, 1e-3)) ** 2), 6, 28)),
        "common": float(np.sqrt(common)),
        "own": float(np.sqrt(own)),
        "camera": float(np.sqrt(camera)),
        "noise": float(np.sqrt(noise)),
        "hidden_noise": _hidden_noise(s, rows, shown),
        "memory_s": memory_s,
    }


def _hidden_noise(s: Samples, rows: NDArray[np.intp], shown: Array) -> float:
    """How much the deviation from a person's mean look grows with the share that does not show."""
    people = s.track[rows]
    far = np.full(len(rows), np.nan)
    for track in np.unique(people):
        mine = people == track
        if mine.sum() >= 10:
            mean = s.looks[rows][mine].mean(axis=0)
            far[mine] = np.linalg.norm(s.looks[rows][mine] - mean, axis=1)
    good = np.isfinite(far)
    if good.sum() < 100:
        return 0.0
    slope, base = np.polyfit(1.0 - shown[good], far[good], 1)
    return float(np.clip(slope / max(base, 1e-3), 0.0, 3.0))


def _named(slopes: Array) -> dict[str, float]:
    return {name: float(value) for name, value in zip(SLOPES, slopes, strict=True)}
