"""People whom another system already follows in 3D become tracks on our floor.

In: views of followed people in store metres, in event time. Out: the state of the floor after each view, with hands.

The other system's ids are a hint and no more: they swap when people cross, and start anew after an occlusion. A view is
one step of the same Kalman filter as for cameras; the assignment of people to tracks weighs how far somebody is from
where a track should be, and a switch of the id has a price. Whoever is gone for a moment is the same person again.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import FloorState, FloorTrack, FollowedPerson, FollowedView, Hand
from smartstore.site import Site
from smartstore.vision.association import assign
from smartstore.vision.births import stays
from smartstore.vision.flock import Flock, begun
from smartstore.vision.ground import Ground
from smartstore.vision.tracks import Life, Track, TrackerOptions

Array = NDArray[np.float64]
Matches = list[tuple[int, int]]
_SIDES = ("left", "right")
_HEADS = ("head", "nose", "left_eye", "right_eye", "left_ear", "right_ear")


@dataclass(frozen=True, slots=True)
class FollowOptions:
    """What is believed of another system; times in seconds, lengths in metres."""

    gate: float = 14.0
    """Largest squared Mahalanobis distance (3 degrees of freedom) plus price of an id of a match."""
    gate_m: float = 0.9
    switch_cost: float = 5.0
    """Price of a match under another id than the track had last, as a squared distance."""
    min_score: float = 0.3
    confirm_hits: int = 3
    confirm_s: float = 0.3
    away_m_s: float = 0.5
    """How much further off somebody may turn up for every second out of view, up to ``away_most_m``."""
    away_most_m: float = 2.5
    joint_score: float = 0.3
    palm_beyond_wrist: float = 0.36
    """Palm centre beyond the wrist as a share of the forearm, as for cameras."""
    wrist_sigma_m: float = 0.05
    """Spread of a wrist of score 1; one of half the score has twice that."""
    height_m: float = 1.70
    crown_m: float = 0.12
    """The crown above the middle of the head."""


@dataclass(slots=True)
class _Followed:
    """A track and what the other systems call it."""

    track: Track
    names: dict[str, str] = field(default_factory=dict)
    hands: tuple[Hand, ...] = ()


class FloorFollower:
    """Keeps everybody in the store apart; ids count up from ``first`` and belong to this object alone."""

    def __init__(self, site: Site, first: int = 1) -> None:
        self.options, self.motion = FollowOptions(), TrackerOptions()
        self._ground = Ground.of(site)
        self._people: list[_Followed] = []
        self._t_ns = -1
        self._next = first

    def observe(self, view: FollowedView) -> FloorState | None:
        """The floor at the time of ``view``; None for a view from the past."""
        if view.t_ns < self._t_ns:
            return None
        dt_s = (view.t_ns - self._t_ns) / 1e9 if self._t_ns >= 0 else 0.0
        self._t_ns = view.t_ns
        flock = Flock([person.track for person in self._people])
        flock.predict(view.t_ns, dt_s, self.motion)
        seen = [person for person in view.people if self._is_credible(person)]
        mean, cov = self._measured(seen)
        pairs = flock.compare(mean, cov, np.full(len(self._people), np.inf))
        matches = self._match(view.source, seen, pairs.metres, pairs.unlikely)
        row, column = np.array(matches, np.intp).reshape(-1, 2).T
        flock.update(row, mean[column], cov[column], pairs.distance[row, column], self.motion.trusted)
        for p, d in matches:
            self._take_up(self._people[p], view, seen[d])
        matched = {d for _, d in matches}
        for d, person in enumerate(seen):
            if d not in matched:
                self._born(view, person, mean[d], cov[d])
        self._people = [p for p in self._people if stays(p.track, self._ground, view.t_ns, self.motion)]
        return self._state()

    def _is_credible(self, person: FollowedPerson) -> bool:
        return person.score >= self.options.min_score and math.isfinite(person.x_m) and math.isfinite(person.y_m)

    def _measured(self, seen: list[FollowedPerson]) -> tuple[Array, Array]:
        """Place and body height (n, 3) with covariances (n, 3, 3)."""
        mean, cov = np.zeros((len(seen), 3)), np.zeros((len(seen), 3, 3))
        for i, person in enumerate(seen):
            height_m = self._height_m(person.joints_m)
            mean[i] = person.x_m, person.y_m, height_m or self.options.height_m
            cov[i] = np.diag([person.sigma_m**2, person.sigma_m**2, 0.1**2 if height_m else 0.5**2])
        return mean, cov

    def _height_m(self, joints_m: Mapping[str, tuple[float, float, float, float]]) -> float | None:
        heads = [joints_m[name][2] for name in _HEADS if name in joints_m and self._is_seen(joints_m[name])]
        return sum(heads) / len(heads) + self.options.crown_m if heads else None

    def _is_seen(self, joint_m: tuple[float, float, float, float]) -> bool:
        return joint_m[3] >= self.options.joint_score and all(map(math.isfinite, joint_m))

    def _match(self, source: str, seen: list[FollowedPerson], metres: Array, unlikely: Array) -> Matches:
        """Matches of track and person: whoever is in view first, then those who were lost with what is left."""
        lost = [person.track.unseen_s(self._t_ns) > self.motion.lost_after_s for person in self._people]
        matches: Matches = []
        for wanted in (False, True):
            rows = [i for i, is_lost in enumerate(lost) if is_lost is wanted]
            columns = [d for d in range(len(seen)) if d not in {d for _, d in matches}]
            if not rows or not columns:
                continue
            away = metres[np.ix_(rows, columns)]
            other = np.array([[self._people[i].names.get(source) != seen[d].name for d in columns] for i in rows])
            if wanted:  # how far is all that one knows of them by now, and a new id is usual
                cost, gate = np.where(away > self._reach_m(rows)[:, None], np.inf, away + 0.1 * other), 1e3
            else:
                unlike = unlikely[np.ix_(rows, columns)] + self.options.switch_cost * other
                cost, gate = np.where(away > self.options.gate_m, np.inf, unlike), self.options.gate
            found = assign(cost, gate, (0, len(columns)))
            matches += [(rows[r], columns[c]) for r, c in zip(*found, strict=True)]
        return matches

    def _reach_m(self, rows: list[int]) -> Array:
        """How far from its last place a lost track may turn up."""
        unseen_s = np.array([self._people[i].track.unseen_s(self._t_ns) for i in rows])
        return np.asarray(self.options.gate_m + np.minimum(unseen_s * self.options.away_m_s, self.options.away_most_m))

    def _take_up(self, person: _Followed, view: FollowedView, seen: FollowedPerson) -> None:
        track = person.track
        track.hits += 1
        track.seen_ns = view.t_ns
        person.names[view.source] = seen.name
        person.hands = tuple(hand for side in _SIDES if (hand := self._hand(side, seen, view.t_ns)) is not None)
        old_enough = (view.t_ns - track.born_ns) / 1e9 >= self.options.confirm_s
        if track.life is Life.TENTATIVE and track.hits >= self.options.confirm_hits and old_enough:
            track.number, track.life = self._next, Life.CONFIRMED
            self._next += 1

    def _hand(self, side: str, seen: FollowedPerson, t_ns: int) -> Hand | None:
        """The centre of the palm, from wrist and elbow."""
        wrist, elbow = seen.joints_m.get(f"{side}_wrist"), seen.joints_m.get(f"{side}_elbow")
        if wrist is None or not self._is_seen(wrist):
            return None
        beyond = self.options.palm_beyond_wrist if elbow is not None and self._is_seen(elbow) else 0.0
        x, y, z = (w + beyond * (w - e) for w, e in zip(wrist[:3], (elbow or wrist)[:3], strict=True))
        return Hand(side, x, y, z, self.options.wrist_sigma_m / min(wrist[3], 1.0), t_ns)

    def _born(self, view: FollowedView, seen: FollowedPerson, mean: Array, cov: Array) -> None:
        track = Track(*begun(mean, cov), view.t_ns, view.t_ns)
        self._people.append(_Followed(track, {view.source: seen.name}))

    def _state(self) -> FloorState:
        shown = [
            person for person in self._people
            if person.track.life is not Life.TENTATIVE and person.track.unseen_s(self._t_ns) <= self.motion.coast_s
        ]  # fmt: skip
        return FloorState(self._t_ns, tuple(self._report(person) for person in shown))

    def _report(self, person: _Followed) -> FloorTrack:
        return person.track.reported(self._t_ns, person.hands if person.track.seen_ns == self._t_ns else ())
