"""Fused tracks against true positions, in metres, with trackeval."""

import contextlib
import io
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

GATE_M = 0.5
STALE_NS = 600_000_000

Moment = tuple[int, tuple[tuple[object, float, float], ...]]
"""Time and, of everybody there, (identity, x_m, y_m)."""


def floor_metrics(true: Sequence[Moment], found: Sequence[Moment]) -> dict[str, float]:
    """IDF1, HOTA and MODA; a pair matches within 0.5 m (similarity 1 - d / 1 m, threshold 0.5).

    Sampled at the times of the truth; the product's positions are the latest ones interpolated to that time.
    """
    if not true:
        return {"idf1": 1.0, "hota": 1.0, "moda": 1.0}
    times_ns = [t_ns for t_ns, _ in found]
    pairs = [(people, _at(found, times_ns, t_ns)) for t_ns, people in sorted(true, key=lambda m: m[0])]
    data = _trackeval_data(pairs)
    wanted = max(1, sum(len(people) for people, _ in pairs))
    import trackeval

    with contextlib.redirect_stdout(io.StringIO()):
        identity = trackeval.metrics.Identity({"PRINT_CONFIG": False}).eval_sequence(data)
        clear = trackeval.metrics.CLEAR({"PRINT_CONFIG": False}).eval_sequence(data)
        hota = trackeval.metrics.HOTA().eval_sequence(data)
    moda = (float(clear.get("CLR_TP", 0)) - float(clear.get("CLR_FP", 0))) / wanted
    return {"idf1": float(identity.get("IDF1", 0.0)), "hota": float(np.mean(hota["HOTA"])), "moda": moda}


def _at(found: Sequence[Moment], times_ns: Sequence[int], t_ns: int) -> tuple[tuple[object, float, float], ...]:
    """Everybody's believed position at ``t_ns``, interpolated between the published moments around it."""
    after = bisect_left(times_ns, t_ns)
    before = max(0, after - 1)
    if after >= len(found):
        return found[-1][1] if found and t_ns - found[-1][0] <= STALE_NS else ()
    (t0, people0), (t1, people1) = found[before], found[after]
    if t1 <= t0 or t1 - t0 > 2 * STALE_NS:
        return people1 if t1 - t_ns <= STALE_NS else ()
    share = (t_ns - t0) / (t1 - t0)
    earlier = {who: (x, y) for who, x, y in people0}
    nearer = people1 if share >= 0.5 else people0
    later = {who: (x, y) for who, x, y in people1}
    return tuple((who, *_between(earlier.get(who, (x, y)), later.get(who, (x, y)), share)) for who, x, y in nearer)


def _between(a: tuple[float, float], b: tuple[float, float], share: float) -> tuple[float, float]:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def _trackeval_data(
    pairs: Sequence[tuple[Sequence[tuple[object, float, float]], Sequence[tuple[object, float, float]]]],
) -> dict[str, object]:
    """Sequences in trackeval's layout, identities renumbered from zero."""
    true_ids = {who: i for i, who in enumerate(sorted({str(p[0]) for people, _ in pairs for p in people}))}
    track_ids = {who: i for i, who in enumerate(sorted({str(p[0]) for _, people in pairs for p in people}))}
    similarity = []
    for true, found in pairs:
        a = np.array([p[1:] for p in true], float).reshape(-1, 1, 2)
        b = np.array([p[1:] for p in found], float).reshape(1, -1, 2)
        similarity.append(np.clip(1 - np.linalg.norm(a - b, axis=2) / (2 * GATE_M), 0, 1))
    return {
        "gt_ids": [np.array([true_ids[str(p[0])] for p in true], int) for true, _ in pairs],
        "tracker_ids": [np.array([track_ids[str(p[0])] for p in found], int) for _, found in pairs],
        "similarity_scores": similarity,
        "num_gt_ids": len(true_ids),
        "num_tracker_ids": len(track_ids),
        "num_gt_dets": sum(len(true) for true, _ in pairs),
        "num_tracker_dets": sum(len(found) for _, found in pairs),
        "num_timesteps": len(pairs),
    }
