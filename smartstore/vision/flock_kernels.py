"""The filters of people and hands on the floor, compiled: see :mod:`smartstore.vision.flock` and ``hands``.

In: states and measurements as plain arrays, a row per track, hand, ray or measurement. Out: arrays; states are changed
in place.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from smartstore.compiled import compiled

if TYPE_CHECKING:
    from smartstore.vision.hands import HandOptions

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Bools = NDArray[np.bool_]
Times = NDArray[np.int64]
Motion = tuple[float, float]
"""Which share of the speed stays, and how many seconds' way at that speed is made."""


@compiled
def predict(mean: Array, cov: Array, unseen: Bools, halting: Motion, going: Motion, noise: Array) -> None:
    """Moves tracks (n, 5) with covariances (n, 5, 5), those that are ``unseen`` (n,) as ``halting``, the others as
    ``going``; ``noise`` (5, 5) is added to the covariance.
    """
    for i in range(len(mean)):
        keep, move = halting if unseen[i] else going
        for a in range(2):
            mean[i, a] += move * mean[i, 3 + a]
            mean[i, 3 + a] *= keep
            for b in range(5):
                cov[i, a, b] += move * cov[i, 3 + a, b]
                cov[i, 3 + a, b] *= keep
        for b in range(5):
            for a in range(2):
                cov[i, b, a] += move * cov[i, b, 3 + a]
                cov[i, b, 3 + a] *= keep
        _add(cov[i], noise, 1.0)


@compiled
def compare(
    mean: Array, cov: Array, measured: Array, cov_measured: Array, reach_m: Array
) -> tuple[Array, Array, Array]:
    """Of all tracks (n, 5) and measurements of x, y and height (m, 3), how many metres they are apart on the floor, and
    within the reach (n,) of a track their squared Mahalanobis distance, and how unlikely they are: that distance plus
    the growth of the floor covariance's log determinant. Beyond it both are infinite. All three (n, m).
    """
    n, m = len(mean), len(measured)
    metres, distance, unlikely = np.empty((n, m)), np.full((n, m), np.inf), np.full((n, m), np.inf)
    for i in range(n):
        own = cov[i]
        for j in range(m):
            said = cov_measured[j]
            x, y, h = measured[j, 0] - mean[i, 0], measured[j, 1] - mean[i, 1], measured[j, 2] - mean[i, 2]
            metres[i, j] = np.hypot(x, y)
            if metres[i, j] > reach_m[i]:
                continue
            xx, xy, xh = own[0, 0] + said[0, 0], own[0, 1] + said[0, 1], own[0, 2] + said[0, 2]
            yy, yh, hh = own[1, 1] + said[1, 1], own[1, 2] + said[1, 2], own[2, 2] + said[2, 2]
            a, b, c = yy * hh - yh * yh, xh * yh - xy * hh, xy * yh - xh * yy
            d, e, f = xx * hh - xh * xh, xy * xh - xx * yh, xx * yy - xy * xy
            square = x * (a * x + 2.0 * (b * y + c * h)) + y * (d * y + 2.0 * e * h) + f * h * h
            distance[i, j] = square / (xx * a + xy * b + xh * c)
            area2 = said[0, 0] * said[1, 1] - said[0, 1] * said[0, 1]
            unlikely[i, j] = distance[i, j] + np.log(f / area2)
    return metres, distance, unlikely


@compiled
def update(mean: Array, cov: Array, rows: Rows, measured: Array, cov_measured: Array, trust: Array) -> None:
    """The Kalman update of tracks (n, 5) with measurements (k, 3) of those in ``rows`` (k,), any number of them to a
    track: in information form independent measurements add up. ``trust`` (k,) is by how much each covariance grows.
    """
    said, news = np.zeros((len(mean), 3, 3)), np.zeros((len(mean), 3, 1))
    off, within, cross = np.empty((3, 1)), np.empty((3, 3)), np.empty((5, 3))
    for k in range(len(rows)):
        weight = _inverse(cov_measured[k])
        for a in range(3):
            off[a, 0] = (measured[k, a] - mean[rows[k], a]) / trust[k]
        _add(said[rows[k]], weight, 1.0 / trust[k])
        _add(news[rows[k]], _product(weight, off), 1.0)
    for i in range(len(mean)):
        if said[i, 0, 0] > 0:
            for a in range(5):
                for b in range(3):
                    cross[a, b] = cov[i, a, b]
            _one(within)
            _add(within, _product(said[i], cross), 1.0)
            gain = _product(cross, _inverse(within))
            step, less = _product(gain, news[i]), _product(gain, said[i])
            for a in range(5):
                mean[i, a] += step[a, 0]
                for b in range(5):
                    for c in range(3):
                        cov[i, a, b] -= (less[a, c] * cross[b, c] + less[b, c] * cross[a, c]) / 2
        mean[i, 2] = min(max(mean[i, 2], 0.9), 2.1)


@compiled
def move(
    mean: Array,
    cov: Array,
    seen_ns: Times,
    hands: Rows,
    t_ns: int,
    flock: Array,
    flock_cov: Array,
    options: "HandOptions",
) -> Rows:
    """Some ``hands`` as they may be at ``t_ns``: they go along with the body, of the flock (n, 5), and move by
    themselves. Returns those that were not seen for long, which now may be anywhere around it.
    """
    stale = np.zeros(len(mean), np.bool_)
    for h in hands:
        dt_s = (t_ns - seen_ns[h]) / 1e9
        seen_ns[h] = t_ns
        if dt_s > options.stale_s:
            stale[h] = True
            put_down(mean[h], cov[h], flock[h // 2], flock_cov[h // 2], options)
            continue
        for axis in range(2):
            mean[h, axis] += flock[h // 2, 3 + axis] * dt_s
        for axis in range(3):
            cov[h, axis, axis] += (options.speed_m_s * dt_s) ** 2
    return np.flatnonzero(stale)


@compiled
def put_down(mean: Array, cov: Array, body: Array, body_cov: Array, options: "HandOptions") -> None:
    """A hand of a body (5,) may be anywhere within an arm's length."""
    _one(cov)
    for axis in range(3):
        mean[axis] = body[axis] * (options.height_share if axis == 2 else 1.0)
        cov[axis, axis] = options.reach_sigma_m**2 + (body_cov[axis, axis] if axis < 2 else 0.0)


@compiled
def cut(
    mean: Array, cov: Array, refused: Rows, hand: Rows, origin_m: Array, along: Array, across: Array, sigma_rad: Array,
    gate: float,
) -> Bools:  # fmt: skip
    """Updates hands (n, 3) with rays (k,): each says that its ``hand`` is near the line ``along`` (k, 3) from a camera.
    False (k,) where a hand cannot be on a ray: that changes only how many it has ``refused`` (n,) in a row.

    In information form what independent rays say of a hand adds up: each fixes it across its direction.
    """
    accepted, away, weight = np.zeros(len(hand), np.bool_), np.empty((3, 1)), np.empty((3, 3))
    said, news = np.zeros((len(mean), 3, 3)), np.zeros((len(mean), 3, 1))
    for k in range(len(hand)):
        h, ray, distance = hand[k], along[k], 0.0
        for a in range(3):
            away[a, 0] = origin_m[k, a] - mean[h, a]
            distance -= away[a, 0] * ray[a]
        noise = (sigma_rad[k] * max(distance, 0.3)) ** 2
        if _across2(_product(across[k], away), _product(across[k], cov[h]), across[k], noise) <= gate:
            accepted[k] = True
            for a in range(3):
                for b in range(3):
                    weight[a, b] = ((1.0 if a == b else 0.0) - ray[a] * ray[b]) / noise
            _add(said[h], weight, 1.0)
            _add(news[h], _product(weight, away), 1.0)
        else:
            refused[h] += 1
    for h in range(len(mean)):
        if said[h, 0, 0] + said[h, 1, 1] + said[h, 2, 2] > 0:
            refused[h] = 0
            known = _inverse(cov[h])
            _add(known, said[h], 1.0)
            now = _inverse(known)
            step = _product(now, news[h])
            for a in range(3):
                mean[h, a] += step[a, 0]
                for b in range(3):
                    cov[h, a, b] = now[a, b]
    return accepted


@compiled
def _across2(offset: Array, half: Array, across: Array, noise: float) -> float:
    """Squared Mahalanobis distance of an offset (2, 1) across a ray; ``half`` (2, 3): ``across`` times a covariance."""
    first, second, both = noise, noise, 0.0
    for a in range(3):
        first, second = first + half[0, a] * across[0, a], second + half[1, a] * across[1, a]
        both += half[0, a] * across[1, a]
    x, y = offset[0, 0], offset[1, 0]
    return float((second * x * x - 2.0 * both * x * y + first * y * y) / (first * second - both * both))


@compiled
def depths(cov: Array, hand: Rows, along: Array) -> Array:
    """The variance (k,) of each ``hand`` along its ray (k, 3)."""
    out = np.zeros(len(hand))
    for k in range(len(hand)):
        for a in range(3):
            for b in range(3):
                out[k] += along[k, a] * cov[hand[k], a, b] * along[k, b]
    return out


@compiled
def known(cov: Array, seen_ns: Times, since_ns: int, most_m: float) -> tuple[Rows, Array]:
    """The hands (k,) that were looked for since then and are not more uncertain than that, and how uncertain they are:
    one standard deviation, if it is the same in all directions.
    """
    which, sigma_m, count = np.empty(len(cov), np.intp), np.empty(len(cov)), 0
    for h in range(len(cov)):
        sigma = np.sqrt((cov[h, 0, 0] + cov[h, 1, 1] + cov[h, 2, 2]) / 3)
        if seen_ns[h] >= since_ns and sigma <= most_m:
            which[count], sigma_m[count] = h, sigma
            count += 1
    return which[:count], sigma_m[:count]


@compiled
def _inverse(m: Array) -> Array:
    """The inverse of a matrix (3, 3), by cofactors."""
    a, b, c = (
        m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1],
        m[1, 2] * m[2, 0] - m[1, 0] * m[2, 2],
        m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0],
    )
    out = np.empty((3, 3))
    out[0, 0], out[0, 1], out[0, 2] = a, m[0, 2] * m[2, 1] - m[0, 1] * m[2, 2], m[0, 1] * m[1, 2] - m[0, 2] * m[1, 1]
    out[1, 0], out[1, 1], out[1, 2] = b, m[0, 0] * m[2, 2] - m[0, 2] * m[2, 0], m[0, 2] * m[1, 0] - m[0, 0] * m[1, 2]
    out[2, 0], out[2, 1], out[2, 2] = c, m[0, 1] * m[2, 0] - m[0, 0] * m[2, 1], m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]
    of = m[0, 0] * a + m[0, 1] * b + m[0, 2] * c
    for i in range(3):
        for j in range(3):
            out[i, j] /= of
    return out


@compiled
def _product(a: Array, b: Array) -> Array:
    """The product of two small matrices, without a call to a library."""
    out = np.zeros((a.shape[0], b.shape[1]))
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for k in range(a.shape[1]):
                out[i, j] += a[i, k] * b[k, j]
    return out


@compiled
def _add(to: Array, more: Array, times: float) -> None:
    """Adds a matrix, so many times, to another one of its size."""
    for i in range(to.shape[0]):
        for j in range(to.shape[1]):
            to[i, j] += times * more[i, j]


@compiled
def _one(m: Array) -> None:
    """Makes a matrix the identity."""
    for i in range(m.shape[0]):
        for j in range(m.shape[1]):
            m[i, j] = 1.0 if i == j else 0.0
