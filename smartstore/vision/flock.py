"""The Kalman filter that moves all tracks of the floor at once.

In: tracks, times and measurements of (x, y, body height). Out: the tracks, predicted and updated. Motion is nearly
constant velocity (white acceleration), and a body's height wanders: people stoop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from smartstore.vision.symmetric import inverse
from smartstore.vision.tracks import Track, TrackerOptions

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
BIRTH_M_S = 0.7
"""Spread of the speed of somebody who was just seen for the first time: half of a usual walk."""


def begun(mean: Array, cov: Array) -> tuple[Array, Array]:
    """The state of whoever is seen for the first time, from a measurement: they may walk in any direction."""
    spread = np.zeros((5, 5))
    spread[:3, :3] = cov
    spread[3, 3] = spread[4, 4] = BIRTH_M_S**2
    return np.array([*mean, 0.0, 0.0]), spread


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """p pairs of a track (its row) and a measurement, and how far they are apart.

    ``unlikely`` is -2 log of the likelihood of such a measurement, less what a perfectly known track would have:
    squared Mahalanobis ``distance`` plus the growth of the floor covariance's log determinant, so that a long unseen
    track does not snatch the detections of others.
    """

    rows: Rows
    innovation: Array
    cov_measured: Array
    distance: Array
    unlikely: Array


class Flock:
    """Tracks with their states as whole arrays: ``mean`` (n, 5) and ``cov`` (n, 5, 5).

    The state of each track is its row of these arrays, so that what changes here changes there.
    """

    def __init__(self, tracks: Sequence[Track]) -> None:
        self.tracks: list[Track] = []
        self.mean, self.cov = np.zeros((0, 5)), np.zeros((0, 5, 5))
        self.join(tracks)

    def __reduce__(self) -> tuple[type[Self], tuple[list[Track]]]:
        """A copy has rows of its own."""
        return type(self), (self.tracks,)

    def join(self, tracks: Sequence[Track]) -> None:
        """More tracks; their rows come after the others."""
        if not tracks:
            return
        self.tracks += tracks
        self.mean = np.array([track.mean for track in self.tracks])
        self.cov = np.array([track.cov for track in self.tracks])
        for track, mean, cov in zip(self.tracks, self.mean, self.cov, strict=True):
            track.mean, track.cov = mean, cov

    def predict(self, t_ns: int, dt_s: float, options: TrackerOptions) -> None:
        """Moves all tracks ``dt_s`` ahead; those that nobody sees come to a halt."""
        if not self.tracks or dt_s <= 0:
            return
        unseen = np.array([track.unseen_s(t_ns) > options.lost_after_s for track in self.tracks])[:, None]
        keep = np.where(unseen, np.exp(-dt_s / options.halt_s), 1.0)
        move = np.where(unseen, options.halt_s * (1 - keep), dt_s)
        self.mean[:, :2] += move * self.mean[:, 3:]
        self.mean[:, 3:] *= keep
        self.cov[:, :2] += move[:, None] * self.cov[:, 3:]
        self.cov[:, 3:] *= keep[:, None]
        self.cov[:, :, :2] += move[:, None] * self.cov[:, :, 3:]
        self.cov[:, :, 3:] *= keep[:, None]
        self.cov += _noise(dt_s, options)

    def metres(self, measured: Array) -> Array:
        """Metres on the floor (tracks, measurements) between all tracks and measurements (m, 3)."""
        away = measured[:, :2] - self.mean[:, None, :2]
        return np.hypot(away[..., 0], away[..., 1])

    def pairs(self, rows: Rows, measured: Array, cov_measured: Array) -> Pairs:
        """The tracks of these rows (p,), each beside a measurement of x, y, height: (p, 3) with (p, 3, 3)."""
        innovation = measured - self.mean[rows, :3]
        spread = self.cov[rows, :3, :3] + cov_measured
        distance = (innovation * (inverse(spread) @ innovation[:, :, None])[:, :, 0]).sum(axis=1)
        unlikely = distance + np.log(_area2(spread) / _area2(cov_measured))
        return Pairs(rows, innovation, cov_measured, distance, unlikely)

    def update(self, pairs: Pairs, chosen: Rows, trusted: float) -> None:
        """The Kalman update of all tracks with the measurements of the ``chosen`` pairs, any number of them to a track:
        in information form measurements that are independent add up.

        A measurement whose squared Mahalanobis distance exceeds ``trusted`` is given a covariance so much larger.
        """
        rows, far = pairs.rows[chosen], np.maximum(pairs.distance[chosen] / trusted, 1.0)
        weight = inverse(pairs.cov_measured[chosen] * far[:, None, None])
        said, news = np.zeros((len(self.tracks), 3, 3)), np.zeros((len(self.tracks), 3, 1))
        np.add.at(said, rows, weight)
        np.add.at(news, rows, weight @ pairs.innovation[chosen][:, :, None])
        cross = self.cov[:, :, :3].copy()
        gain = cross @ np.linalg.inv(np.eye(3) + said @ cross[:, :3])
        self.mean += (gain @ news)[:, :, 0]
        self.mean[:, 2] = np.minimum(np.maximum(self.mean[:, 2], 0.9), 2.1)
        cov = self.cov - gain @ said @ cross.transpose(0, 2, 1)
        self.cov[:] = (cov + cov.transpose(0, 2, 1)) / 2


def _noise(dt_s: float, options: TrackerOptions) -> Array:
    """Discrete white acceleration, at a density that makes the result the same for any frame rate."""
    q = options.acceleration_m_s2**2 * 0.4
    place, both, speed = q * dt_s**3 / 3 + 0.02**2 * dt_s, q * dt_s**2 / 2, q * dt_s
    return np.array([
        [place, 0.0, 0.0, both, 0.0],
        [0.0, place, 0.0, 0.0, both],
        [0.0, 0.0, options.stoop_m**2 * dt_s, 0.0, 0.0],
        [both, 0.0, 0.0, speed, 0.0],
        [0.0, both, 0.0, 0.0, speed],
    ])  # fmt: skip


def _area2(cov: Array) -> Array:
    """Determinant of the floor part of covariances (..., 3, 3)."""
    return np.asarray(cov[..., 0, 0] * cov[..., 1, 1] - cov[..., 0, 1] ** 2)
