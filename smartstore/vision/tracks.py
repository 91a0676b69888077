"""Tracks on the floor and their options.

In: what a view saw of somebody. Out: what is known of them. The state is (x, y, height, vx, vy) in metres and seconds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import FloorTrack, Hand
from smartstore.vision import match_kernels

Array = NDArray[np.float64]
Looks = tuple[Array, int]
"""The sum of several appearances, and how many they are."""


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """Gates, life cycle and motion of floor tracks; times in seconds, lengths in metres."""

    gate: float = 14.0
    """Largest squared Mahalanobis distance (3 degrees of freedom) plus appearance cost of a match."""
    gate_m: float = 1.2
    appearance_weight: float = 1.0
    """Share of the looks' log-likelihood ratio that counts: appearances of one camera err together."""
    alone_m: float = 1.6
    """From pairs this far apart from all others it is learned what looks alike."""
    appearance_memory_s: float = 8.0
    min_score: float = 0.2
    birth_score: float = 0.4
    acceleration_m_s2: float = 1.6
    stoop_m: float = 0.4
    """How much the height of a body may have changed after a second: people bend to low shelves and rise again."""
    halt_s: float = 0.6
    """Time constant with which an unseen track comes to a halt."""
    confirm_entry_s: float = 0.35
    """Age at which a birth at the entry is believed."""
    confirm_entry_alone_s: float = 2.0
    """The same while one camera alone shows it although others look there: boxes around nobody last a while."""
    alone_most: int = 3
    """What one camera alone shows is nobody if more than so many others look there."""
    confirm_s: float = 3.0
    """Age at which a birth away from the entry is believed, if two cameras show it and it is nobody known."""
    start_s: float = 1.0
    confirm_start_s: float = 1.2
    """The same for whoever is there when the tracker starts: the store may have been open."""
    witness_share: float = 0.25
    """Share of a camera's pictures since birth, and at least two of them, that make the camera a witness of it."""
    confirm_hits: int = 3
    confirm_share: float = 0.45
    """Share of the pictures since birth, of the camera that sees it best, that must show a new track."""
    tentative_gap_s: float = 0.6
    """A tentative track that was not seen for so long is forgotten."""
    lost_after_s: float = 0.6
    coast_s: float = 3.0
    """A lost track is still reported for so long."""
    forget_s: float = 45.0
    exit_zone_m: float = 0.8
    forget_at_door_s: float = 1.0
    """Who was last seen so near to an exit, or beyond the entry, has left after so long."""
    recover_after_s: float = 0.4
    recover_after_alone_s: float = 0.8
    """The same while one camera alone shows the new track."""
    chest_m: float = 1.2
    """A camera looks at a place if it has this height above it in its picture."""
    recover_m: float = 0.8
    recover_speed_m_s: float = 1.3
    recover_limit_m: float = 3.5
    recover_cost: float = 4.0
    echo_m: float = 1.3
    echo_cost: float = -2.0
    """A birth so near to somebody who looks so alike, and never seen beside them, is nobody new."""
    trusted: float = 5.0
    """Squared Mahalanobis distance beyond which a measurement counts less (as under a Student's t)."""
    merge_m: float = 0.35
    merge_s: float = 1.0
    entry_zone_m: float = 1.3
    """Births so near to an entry are expected."""
    left_m: float = 0.35
    """A track so far beyond the exit is over."""


class Life(Enum):
    """Where a track is in its life, as in DeepSORT."""

    TENTATIVE = "tentative"
    CONFIRMED = "confirmed"
    LOST = "lost"


@dataclass(slots=True, eq=False)
class Track:
    """One person on the floor. ``number`` is 0 until the track is confirmed."""

    mean: Array
    cov: Array
    born_ns: int
    seen_ns: int
    serial: int = 0
    """Tells it from every other track, also after the state of the floor was kept and taken up again."""
    number: int = 0
    life: Life = Life.TENTATIVE
    hits: int = 1
    shown: dict[str, int] = field(default_factory=dict)
    """Matches by camera."""
    before: dict[str, int] = field(default_factory=dict)
    """Views by camera before the birth."""
    expected: bool = False
    """Born where people come in."""
    appearance: Array = field(default_factory=lambda: np.zeros(0))
    apart_from: set[int] = field(default_factory=set)
    """Tracks (by ``serial``) that a view showed beside this one while it was tentative."""
    close_since: dict[int, int] = field(default_factory=dict)
    """Since when another track (by ``serial``) runs along, unless one view has shown both."""

    @property
    def sigma_m(self) -> float:
        """One standard deviation of the position."""
        return math.sqrt((self.cov[0, 0] + self.cov[1, 1]) / 2)

    def unseen_s(self, t_ns: int) -> float:
        """Seconds since the last match."""
        return (t_ns - self.seen_ns) / 1e9

    def reported(self, t_ns: int, hands: tuple[Hand, ...]) -> FloorTrack:
        """What others learn of a confirmed track."""
        x, y, _, vx, vy = self.mean.tolist()
        return FloorTrack(self.number, t_ns, x, y, vx, vy, self.sigma_m, hands)

    def away_m(self, other: "Track") -> float:
        """Distance to another track on the floor."""
        return math.hypot(self.mean[0] - other.mean[0], self.mean[1] - other.mean[1])

    def give_up(self) -> None:
        """It was nobody, or somebody else goes on as this one: it is forgotten at once."""
        self.life, self.number, self.seen_ns = Life.TENTATIVE, 0, -(1 << 62)

    def share_seen(self, views: Mapping[str, int]) -> float:
        """The largest share, over cameras, of the views since birth that show this track."""
        return max(self.shares_seen(views).values(), default=0.0)

    def shares_seen(self, views: Mapping[str, int]) -> dict[str, float]:
        """By camera, the share of the views since birth that show this track."""
        return {
            camera: hits / max(views[camera] - self.before.get(camera, 0), 1) for camera, hits in self.shown.items()
        }

    def remember(self, seen: Sequence[Array], dt_s: float, memory_s: float) -> Looks:
        """Lets the running mean of the appearance follow those that were ``seen`` at one moment; returns their sum and
        how many they are, of those that can be compared with it.
        """
        if not len(self.appearance):
            self.appearance = next((one.copy() for one in seen if len(one) and np.isfinite(one).all()), self.appearance)
        alike = [one for one in seen if len(one) == len(self.appearance)]
        if not alike:
            return self.appearance, 0
        total, count = sum(alike[1:], alike[0]), len(alike)
        share = max(count / (self.hits + count), min(1.0, dt_s / memory_s))
        mixed = (1.0 - share) * self.appearance + (share / count) * total
        length = math.sqrt(mixed @ mixed)
        if not math.isfinite(length):
            return self.appearance, 0
        self.appearance = mixed / max(length, 1e-9)
        return total, count


def near_pairs(tracks: Sequence[Track], metres: float) -> list[tuple[int, int]]:
    """The numbers of those in ``tracks`` that are nearer to each other on the floor, each pair once, in their order."""
    if len(tracks) < 2:
        return []
    means = np.concatenate([track.mean for track in tracks]).reshape(len(tracks), -1)
    pairs = match_kernels.near_pairs(means, metres)
    return [(i, j) for i, j in pairs.tolist()]
