"""The Kalman filter that moves all tracks of the floor at once.

In: tracks, times and measurements of (x, y, body height). Out: the tracks, predicted and updated. Motion is nearly
constant velocity (white acceleration), and a body's height wanders: people stoop.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from smartstore.vision import flock_kernels
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


class Pairs(NamedTuple):
    """How far n tracks and m measurements are apart, all (n, m): on the floor in metres, as squared Mahalanobis
    distance, and as -2 log of the likelihood of such a measurement, less what a perfectly known track would have: that
    distance plus the growth of the floor covariance's log determinant, so that a long unseen track does not snatch the
    detections of others.
    """

    metres: Array
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
        unseen = np.array([track.unseen_s(t_ns) > options.lost_after_s for track in self.tracks])
        slower = float(np.exp(-dt_s / options.halt_s))
        halting, going = (slower, options.halt_s * (1 - slower)), (1.0, dt_s)
        flock_kernels.predict(self.mean, self.cov, unseen, halting, going, _noise(dt_s, options))

    def compare(self, measured: Array, cov_measured: Array, reach_m: Array) -> Pairs:
        """All tracks beside all measurements of x, y, height: (m, 3) with (m, 3, 3). What is farther from a track on
        the floor than its reach (n,) is infinitely unlikely.
        """
        return Pairs(*flock_kernels.compare(self.mean, self.cov, measured, cov_measured, reach_m))

    def update(self, rows: Rows, measured: Array, cov_measured: Array, distance: Array, trusted: float) -> None:
        """The Kalman update of the tracks of these ``rows`` (k,), each with a measurement (k, 3), any number of them to
        a track: in information form measurements that are independent add up.

        A measurement whose squared Mahalanobis ``distance`` (k,) exceeds ``trusted`` is given a covariance so much
        larger.
        """
        flock_kernels.update(self.mean, self.cov, rows, measured, cov_measured, np.maximum(distance / trusted, 1.0))


@lru_cache(maxsize=64)
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
