"""The error model of people, fitted to rows of who was there and what the detector made of them.

In: :class:`~sims.lab.fit_edge_samples.Samples`. Out: the ``people`` part of an error model, as plain values.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

from sims.devices.edge_laws import COVER
from sims.lab.fit_edge_joints import fit_joints
from sims.lab.fit_edge_maths import SLOPES, folded, linear, logistic, luck_memory, named, noise_memory, to_normal
from sims.lab.fit_edge_samples import PAIR_S, Samples, overlap

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

HELD = 10.0
"""How firmly a light is held for harmless."""


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
    use: Mask = np.asarray(s.in_picture.any(axis=1))
    slopes = logistic(s.features[use], s.found[use])
    odds = s.features @ slopes
    chance: Array = np.asarray(expit(odds))
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
        "chance": named(slopes),
        "most": most,
        "memory_s": memory_s,
        "score_base": float(base + rest.mean()),
        "score_chance": float(slope),
        "score_luck": float(rest.std()),
        "score_least": least_score,
        "score_most": most_score,
    }


def found_shift(s: Samples, law: Mapping[str, Any]) -> float:
    """What must be added to the log-odds of being found, held towards 0."""
    use = s.in_picture.any(axis=1)
    odds = s.features[use] @ np.array([law["chance"][name] for name in SLOPES])
    shift = 0.0
    for _ in range(20):
        chance = np.asarray(expit(odds + shift))
        curve = float((chance * (1 - chance)).sum()) + HELD
        shift += float(np.clip(((s.found[use] - chance).sum() - HELD * shift) / curve, -1.0, 1.0))
    return float(np.clip(shift, -5.0, 5.0))


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
    a, b, gap_s = s.pairs_among(rows)
    return {
        "bias": [float(v) for v in bias],
        "sigma": sigma,
        "grows": named(np.clip(slopes, -2.5, 2.5)),
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
        around_both, around_one = overlap(box, np.array([both, before]))
        hits += bool(around_both > around_one + 0.05)
    return hits / max(1, len(missed))


def fit_doubles(s: Samples) -> dict[str, Any]:
    """Second boxes."""
    seconds = [extra for extra in s.surplus if extra.row >= 0]
    twice = np.zeros(len(s.found), bool)
    twice[[extra.row for extra in seconds]] = True
    rows = np.nonzero(s.found)[0]
    slopes = logistic(s.features[rows], twice[rows], 3.0)
    chance = expit(s.features @ slopes)
    a, b, gap_s = s.pairs_among(rows)
    pair = ((chance[rows][a], chance[rows][b]), (twice[rows][a], twice[rows][b]))
    memory_s = luck_memory(*pair, gap_s)[0] if len(seconds) > 5 else 0.4
    inset, scores = np.full((1, 4), 0.1), np.array([0.4])
    if seconds:
        first = s.seen_box[[extra.row for extra in seconds]]
        size = np.tile(first[:, 2:] - first[:, :2], 2)
        inset = np.clip((np.array([e.box for e in seconds]) - first) * [1, 1, -1, -1] / np.maximum(size, 1.0), 0, 0.45)
        scores = np.array([e.score for e in seconds])
    return {
        "chance": named(slopes),
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

    def mean(use: Mask, otherwise: float) -> float:
        return float(product[use].mean()) if use.sum() > 20 else otherwise

    other = mean(same_take & ~one_camera & ~one_person, 0.5)
    other_here = mean(one_camera & ~one_person, other)
    same = mean(same_take & ~one_camera & one_person, 0.8)
    same_here = mean(one_camera & one_person & late, same)
    common, camera = max(0.0, other), max(0.0, other_here - other)
    own = max(0.05, same - other)
    noise = max(0.01, 1.0 - max(same_here, common + camera + own))
    spread = float(product[same_take & ~one_person].std()) if (same_take & ~one_person).sum() > 20 else 0.1
    shown = s.features[rows, 2]
    a, b, gap_s = s.pairs_among(rows)
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
