"""Fuses the people of all cameras into tracks on the floor.

In: what each camera sees, view by view, in event time and in any mixture of frame rates. Out: the state of the floor
after each view.

Every view is one step of a Kalman filter: predict all tracks to its time, match its detections (gated assignment on
Mahalanobis distance and appearance), update. A track is *tentative* until it lived long enough, then *confirmed*, and
*lost* while nobody sees it; whoever appears in the middle of the store where somebody was lost is that person again.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import FloorState, PeopleView, SeenPerson
from smartstore.site import Site
from smartstore.site.survey import calibration_fault
from smartstore.vision.association import Pairs, assign
from smartstore.vision.births import continued, is_echo, missed_by, stands_apart, stays
from smartstore.vision.doubles import crowded, once_each
from smartstore.vision.floor import FloorOptions, RayTable, Stands, locate, locate_all
from smartstore.vision.ground import Ground
from smartstore.vision.hands import HandOptions, HandTracker
from smartstore.vision.likeness import Likeness, cosine_distances
from smartstore.vision.tracks import Life, Track, TrackerOptions, begun, distances, predict, update

Array = NDArray[np.float64]


@dataclass(slots=True)
class TrackerCounts:
    """What the tracker could not use."""

    unknown_camera: int = 0
    out_of_order: int = 0


@dataclass(frozen=True, slots=True)
class _View:
    """One view on the floor: detections that stand where somebody can stand."""

    camera: str
    t_ns: int
    people: tuple[SeenPerson, ...]
    mean: Array
    cov: Array

    def part(self, index: Sequence[int]) -> "_View":
        if len(index) == len(self.people):
            return self
        chosen = list(index)
        return _View(self.camera, self.t_ns, tuple(self.people[i] for i in chosen), self.mean[chosen], self.cov[chosen])


class FloorTracker:
    """Tracks everybody in the store; its ids count up from 1 and belong to this tracker alone."""

    def __init__(
        self,
        site: Site,
        options: TrackerOptions | None = None,
        floor: FloorOptions | None = None,
        hands: HandOptions | None = None,
    ) -> None:
        self.options, self.floor = options or TrackerOptions(), floor or FloorOptions()
        self.counts = TrackerCounts()
        self._ground = Ground.of(site)
        self._low, self._high = self._ground.walls.min(axis=0), self._ground.walls.max(axis=0)
        self._foreseen: dict[PeopleView, Stands] = {}
        usable = [camera for camera in site.cameras.values() if calibration_fault(camera) is None]
        self._tables = {camera.id: RayTable(camera.model) for camera in usable}
        self._hands = HandTracker(site, hands or HandOptions())
        self._tracks: list[Track] = []
        self._likeness = Likeness()
        self._views: dict[str, int] = {}
        self._first_ns = self._t_ns = -1
        self._numbers = 0

    @property
    def tables(self) -> Mapping[str, RayTable]:
        """The rays of all usable cameras: they follow from the survey alone."""
        return self._tables

    @property
    def last_number(self) -> int:
        """The id of the track that was confirmed last; 0 before the first."""
        return self._numbers

    def foresee(self, views: Sequence[PeopleView]) -> None:
        """Locates the people of all ``views``, which :meth:`observe` gets next, at once: cheaper than one by one."""
        known = [view for view in views if view.people and view.camera in self._tables]
        stands = locate_all([(self._credible(view), self._tables[view.camera]) for view in known], self.floor)
        self._foreseen = dict(zip(known, stands, strict=True))

    def observe(self, view: PeopleView) -> list[FloorState]:
        """The floor at the time of ``view``; nothing for an unknown camera or a view from the past."""
        table = self._tables.get(view.camera)
        if table is None:
            self.counts.unknown_camera += 1
            return []
        if view.t_ns < self._t_ns:
            self.counts.out_of_order += 1
            return []
        dt_s = (view.t_ns - self._t_ns) / 1e9 if self._t_ns >= 0 else 0.0
        self._t_ns = view.t_ns
        self._first_ns = view.t_ns if self._first_ns < 0 else self._first_ns
        self._views[view.camera] = self._views.get(view.camera, 0) + 1
        predict(self._tracks, view.t_ns, dt_s, self.options)
        met = self._meet(view, table) if view.people else []
        if self._tracks:
            self._live()
            self._hands.observe(table, view.t_ns, met)
            self._forget()
        return [self._state()]

    def _meet(self, view: PeopleView, table: RayTable) -> list[tuple[Track, SeenPerson]]:
        """Takes in who a view shows: the tracks that it met, updated, with what it saw of them."""
        seen = self._on_floor(view, table)
        matched = self._match(seen)
        self._update(seen, matched)
        self._born(seen, matched)
        return [(self._tracks[t], seen.people[d]) for t, d in matched]

    def _on_floor(self, view: PeopleView, table: RayTable) -> _View:
        people = self._credible(view)
        stands = self._foreseen.pop(view, None) or locate(people, table, self.floor)
        all_of = _View(view.camera, view.t_ns, people, stands.mean, stands.cov)
        seen = all_of.part(np.flatnonzero(self._plausible(stands)).tolist())
        return seen.part(once_each(seen.people, seen.mean[:, :2]))

    def _credible(self, view: PeopleView) -> tuple[SeenPerson, ...]:
        return tuple(person for person in view.people if person.score >= self.options.min_score)

    def _plausible(self, stands: Stands) -> NDArray[np.bool_]:
        """Who (n,) stands in the store or just before it, as far as can be said."""
        at, spread = stands.mean[:, :2], np.sqrt((stands.cov[:, 0, 0] + stands.cov[:, 1, 1]) / 2)
        slack = (1.2 + np.minimum(spread, 0.5))[:, None]
        around = ((at > self._low - slack) & (at < self._high + slack)).all(axis=1)
        return np.asarray(stands.known & around & (spread < 1.5))

    def _match(self, seen: _View) -> Pairs:
        """Pairs of track and detection: known people first, then the tentative ones with what is left."""
        pairs: Pairs = []
        for known in (True, False):
            rows = [i for i, track in enumerate(self._tracks) if (track.life is not Life.TENTATIVE) is known]
            taken = {detection for _, detection in pairs}
            columns = [d for d in range(len(seen.people)) if d not in taken]
            if not rows or not columns:
                continue
            tracks, part = [self._tracks[i] for i in rows], seen.part(columns)
            cost, metres = distances(tracks, part.mean, part.cov)
            unlike = cosine_distances([t.appearance for t in tracks], [p.appearance for p in part.people])
            if known:
                self._learn(unlike, metres)
            cost = cost + self.options.appearance_weight * self._likeness.cost(unlike)
            cost[metres > self._reach(tracks)[:, None]] = np.inf
            cost = np.where(np.isfinite(cost), cost, 1e6)
            pairs += [(rows[r], columns[c]) for r, c in assign(cost, self.options.gate)]
        return pairs

    def _learn(self, unlike: Array, metres: Array) -> None:
        """Pairs far from all others on the floor are surely the same person; pairs far from each other surely not."""
        near, far = np.asarray(metres < self.options.alone_m / 4), np.asarray(metres > self.options.alone_m)
        apart = far | near
        columns = np.asarray(apart.all(axis=0) & (near.sum(axis=0) == 1))
        rows = np.asarray(apart.all(axis=1) & (near.sum(axis=1) == 1))
        alone = near & columns & rows[:, None]
        self._likeness.learn(unlike[alone], unlike[far][:8])

    def _reach(self, tracks: Sequence[Track]) -> Array:
        """How far from its prediction a track may be found, metres."""
        unseen = np.array([track.unseen_s(self._t_ns) for track in tracks])
        return np.asarray(self.options.gate_m + np.clip(unseen - self.options.lost_after_s, 0.0, 1.5))

    def _update(self, seen: _View, pairs: Pairs) -> None:
        tracks = [self._tracks[t] for t, _ in pairs]
        detections = [d for _, d in pairs]
        update(tracks, seen.mean[detections], seen.cov[detections], self.options.trusted)
        mixed = crowded(seen.people)
        for track, d in zip(tracks, detections, strict=True):
            dt_s = min(track.unseen_s(seen.t_ns), 1.0)
            if not mixed[d]:
                track.remember(seen.people[d].appearance, dt_s, self.options.appearance_memory_s)
            track.hits += 1
            if track.life is Life.TENTATIVE:
                track.shown[seen.camera] = track.shown.get(seen.camera, 0) + 1
            track.seen_ns = seen.t_ns
            if track.life is Life.LOST:
                track.life = Life.CONFIRMED
        self._note_company(tracks)

    def _note_company(self, together: Sequence[Track]) -> None:
        """Two tracks that one view shows apart are two people: their time side by side starts anew."""
        ids = {id(track) for track in together}
        for track in together:
            if track.close_since:
                track.close_since = {other: since for other, since in track.close_since.items() if other not in ids}
            if track.life is Life.TENTATIVE:
                track.apart_from |= ids - {id(track)}

    def _born(self, seen: _View, matched: Pairs) -> None:
        together, taken = [t for t, _ in matched], {d for _, d in matched}
        for d, person in enumerate(seen.people):
            if d in taken or person.score < self.options.birth_score:
                continue
            at = seen.mean[d, :2]
            near_entry = self._ground.from_entry_m(float(at[0]), float(at[1])) < self.options.entry_zone_m
            if not near_entry and not self._ground.is_free(at, 0.15):
                continue
            track = Track(*begun(seen.mean[d], seen.cov[d]), seen.t_ns, seen.t_ns, expected=near_entry,
                          appearance=person.appearance.copy())  # fmt: skip
            track.shown = {seen.camera: 1}
            track.apart_from = {id(self._tracks[t]) for t in together}
            track.before = {**self._views, seen.camera: self._views[seen.camera] - 1}
            self._tracks.append(track)

    def _live(self) -> None:
        """Confirms, loses and recovers tracks."""
        for track in self._tracks:
            if track.life is Life.CONFIRMED and track.unseen_s(self._t_ns) > self.options.lost_after_s:
                track.life = Life.LOST
            if track.life is Life.TENTATIVE and track.seen_ns == self._t_ns:
                self._grow_up(track)
        self._merge()

    def _grow_up(self, track: Track) -> None:
        """A tentative track that was just seen may be somebody who was lost, or somebody new."""
        options, age_s = self.options, (self._t_ns - track.born_ns) / 1e9
        if track.hits < options.confirm_hits or track.share_seen(self._views) < options.confirm_share:
            return
        missed = missed_by(track, {camera: self._tables[camera].model for camera in self._views}, options)
        if missed > options.alone_most:
            return
        alone = missed > 0
        if age_s >= (options.recover_after_alone_s if alone else options.recover_after_s):
            if self._recover(track):
                return
            if is_echo(track, self._tracks, self._unlike, options):
                track.give_up()
                return
        if self._is_believed(track, age_s, alone):
            self._numbers += 1
            track.number, track.life = self._numbers, Life.CONFIRMED

    def _is_believed(self, track: Track, age_s: float, alone: bool) -> bool:
        """Whether a tentative track is somebody new: soon at the entry, where people come in, and late elsewhere."""
        options = self.options
        if track.expected:
            return age_s >= (options.confirm_entry_alone_s if alone else options.confirm_entry_s)
        early = (track.born_ns - self._first_ns) / 1e9 < options.start_s
        if alone or age_s < (options.confirm_start_s if early else options.confirm_s):
            return False
        shares = track.shares_seen(self._views)
        witnesses = sum(hits > 1 and shares[camera] > options.witness_share for camera, hits in track.shown.items())
        return witnesses >= min(2, len(track.shown)) and stands_apart(track, self._tracks, options)

    def _recover(self, born: Track) -> bool:
        """Gives ``born`` the number of the lost track that it continues, if there is one."""
        lost = continued(born, self._tracks, self._unlike, self._t_ns, self.options)
        if lost is None:
            return False
        born.number, born.life, born.hits = lost.number, Life.CONFIRMED, born.hits + lost.hits
        born.born_ns = lost.born_ns
        self._hands.drop(lost)
        lost.give_up()
        return True

    def _unlike(self, one: Track, other: Track) -> float:
        """Cost of taking two tracks for the same person by their looks."""
        return float(self._likeness.cost(cosine_distances([one.appearance], [other.appearance]))[0, 0])

    def _merge(self) -> None:
        """Ends the younger of two tracks that run along without any view that shows both."""
        alive = [track for track in self._tracks if track.life is not Life.LOST]
        places = [(float(track.mean[0]), float(track.mean[1])) for track in alive]
        for i, younger in enumerate(alive):
            for j in range(i):
                older = alive[j]
                if math.dist(places[i], places[j]) >= self.options.merge_m:
                    if younger.close_since:
                        younger.close_since.pop(id(older), None)
                    if older.close_since:
                        older.close_since.pop(id(younger), None)
                    continue
                # Both sides keep the start, and a view that shows both clears both.
                since = younger.close_since.setdefault(id(older), self._t_ns)
                since = max(since, older.close_since.setdefault(id(younger), since))
                if (self._t_ns - since) / 1e9 >= self.options.merge_s:
                    keep, drop = (older, younger) if older.number or not younger.number else (younger, older)
                    drop.give_up()
                    keep.seen_ns = max(keep.seen_ns, drop.seen_ns)

    def _forget(self) -> None:
        self._tracks = [track for track in self._tracks if stays(track, self._ground, self._t_ns, self.options)]
        self._hands.keep(self._tracks)

    def _state(self) -> FloorState:
        shown = [
            track
            for track in self._tracks
            if track.life is not Life.TENTATIVE and track.unseen_s(self._t_ns) <= self.options.coast_s
        ]
        shown.sort(key=lambda track: track.number)
        return FloorState(self._t_ns, tuple(t.reported(self._t_ns, self._hands.of(t, self._t_ns)) for t in shown))
