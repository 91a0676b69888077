"""Fuses the people of all cameras into tracks on the floor.

In: what cameras see, moment by moment, in event time and in any mixture of frame rates. Out: the state of the floor
after each moment.

Every view is one step of a Kalman filter: predict all tracks to its time, match its detections (gated assignment on
Mahalanobis distance and appearance), update. A track is *tentative* until it lived long enough, then *confirmed*, and
*lost* while nobody sees it; whoever appears in the middle of the store where somebody was lost is that person again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import FloorState, PeopleView
from smartstore.site import Site
from smartstore.site.survey import calibration_fault
from smartstore.vision.association import Matches, assign
from smartstore.vision.births import continued, is_echo, missed_by, stands_apart, stays
from smartstore.vision.flock import Flock, begun
from smartstore.vision.floor import FloorOptions
from smartstore.vision.ground import Ground
from smartstore.vision.hands import HandOptions, HandTracker
from smartstore.vision.likeness import Likeness, cosine_distances
from smartstore.vision.rays import RayTable
from smartstore.vision.sights import Sight, Viewer
from smartstore.vision.tracks import Life, Track, TrackerOptions

Array = NDArray[np.float64]


@dataclass(slots=True)
class TrackerCounts:
    """What the tracker could not use."""

    unknown_camera: int = 0
    out_of_order: int = 0


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
        usable = [camera for camera in site.cameras.values() if calibration_fault(camera) is None]
        self.rays = RayTable({camera.id: camera.model for camera in usable})
        hands = hands or HandOptions()
        self._viewer = Viewer(self.rays, self._ground, self.floor, hands, self.options.min_score)
        self._foreseen: dict[PeopleView, Sight] = {}
        self._hands = HandTracker(site, hands)
        self._flock = Flock([])
        self._likeness = Likeness()
        self._views: dict[str, int] = {}
        self._first_ns = self._t_ns = -1
        self._numbers = self._births = 0

    @property
    def last_number(self) -> int:
        """The id of the track that was confirmed last; 0 before the first."""
        return self._numbers

    def foresee(self, views: Sequence[PeopleView]) -> None:
        """Works out all ``views``, which :meth:`observe` gets next, at once: cheaper than moment by moment."""
        known = [view for view in views if view.people and view.camera in self.rays.number]
        self._foreseen = dict(zip(known, self._viewer.see(known), strict=True)) if known else {}

    def observe(self, views: Sequence[PeopleView]) -> FloorState | None:
        """The floor after the ``views`` of one moment; None if all are of unknown cameras or from the past."""
        known = [view for view in views if view.camera in self.rays.number]
        self.counts.unknown_camera += len(views) - len(known)
        if known and known[0].t_ns < self._t_ns:
            self.counts.out_of_order += len(known)
            return None
        if not known:
            return None
        if not all(view in self._foreseen for view in known if view.people):
            self.foresee(known)
        self._begin(known[0].t_ns)
        for view in known:
            self._views[view.camera] = self._views.get(view.camera, 0) + 1
            if view.people:
                self._meet(view.camera, self._foreseen.pop(view))
        if self._flock.tracks:
            self._live()
            self._forget()
        return self._state()

    def _begin(self, t_ns: int) -> None:
        """Moves everybody on to a moment."""
        dt_s = (t_ns - self._t_ns) / 1e9 if self._t_ns >= 0 else 0.0
        self._first_ns, self._t_ns = t_ns if self._first_ns < 0 else self._first_ns, t_ns
        self._flock.predict(t_ns, dt_s, self.options)

    def _meet(self, camera: str, seen: Sight) -> None:
        """Takes in who a view shows: updates the tracks that it met and their hands, and begins new ones."""
        matched = self._match(seen) if seen.people and self._flock.tracks else []
        if matched:
            self._note(camera, seen, matched)
            met = [(self._flock.tracks[t], int(seen.rows[d])) for t, d in matched]
            self._hands.observe(self._t_ns, seen.wrists, met)
        self._born(camera, seen, matched)

    def _match(self, seen: Sight) -> Matches:
        """Moves tracks to where they were seen; the matches of track and detection: known people first, then the
        tentative ones with what is left.
        """
        tracks, options = self._flock.tracks, self.options
        known = np.array([track.life is not Life.TENTATIVE for track in tracks])
        metres = self._flock.metres(seen.mean)
        unlike = cosine_distances([track.appearance for track in tracks], [one.appearance for one in seen.people])
        if known.any():
            self._learn(unlike[known], metres[known])
        rows, columns = np.nonzero(metres <= self._reach()[:, None])
        pairs = self._flock.pairs(rows, seen.mean[columns], seen.cov[columns])
        cost = np.full(metres.shape, np.inf)
        cost[rows, columns] = pairs.unlikely + options.appearance_weight * self._likeness.cost(unlike[rows, columns])
        matched = assign(np.where(known[:, None], cost, np.inf), options.gate)
        if not known.all():
            cost[known] = np.inf
            cost[:, [detection for _, detection in matched]] = np.inf
            matched += assign(cost, options.gate)
        place = {at: i for i, at in enumerate(zip(rows.tolist(), columns.tolist(), strict=True))}
        self._flock.update(pairs, np.array([place[match] for match in matched], np.intp), options.trusted)
        return matched

    def _learn(self, unlike: Array, metres: Array) -> None:
        """Pairs far from all others on the floor are surely the same person; pairs far from each other surely not."""
        near, far = metres < self.options.alone_m / 4, metres > self.options.alone_m
        apart = far | near
        alone = (
            near
            & (apart.all(axis=0) & (near.sum(axis=0) == 1))
            & (apart.all(axis=1) & (near.sum(axis=1) == 1))[:, None]
        )
        self._likeness.learn(unlike[alone], unlike[far][:8])

    def _reach(self) -> Array:
        """How far from its prediction each track may be found, metres."""
        unseen = np.array([track.unseen_s(self._t_ns) for track in self._flock.tracks])
        return self.options.gate_m + np.minimum(np.maximum(unseen - self.options.lost_after_s, 0.0), 1.5)

    def _note(self, camera: str, seen: Sight, matched: Matches) -> None:
        """Remembers who was seen just now, how they looked and beside whom."""
        for t, d in matched:
            track = self._flock.tracks[t]
            dt_s = min(track.unseen_s(self._t_ns), 1.0)
            if not seen.mixed[d]:
                track.remember(seen.people[d].appearance, dt_s, self.options.appearance_memory_s)
            track.hits += 1
            if track.life is Life.TENTATIVE:
                track.shown[camera] = track.shown.get(camera, 0) + 1
            track.seen_ns = self._t_ns
            if track.life is Life.LOST:
                track.life = Life.CONFIRMED
        self._note_company([self._flock.tracks[t] for t, _ in matched])

    def _note_company(self, together: Sequence[Track]) -> None:
        """Two tracks that one view shows apart are two people: their time side by side starts anew."""
        serials = {track.serial for track in together}
        for track in together:
            if track.close_since:
                track.close_since = {other: since for other, since in track.close_since.items() if other not in serials}
            if track.life is Life.TENTATIVE:
                track.apart_from |= serials - {track.serial}

    def _born(self, camera: str, seen: Sight, matched: Matches) -> None:
        if len(matched) == len(seen.people):
            return
        together, taken = {self._flock.tracks[t].serial for t, _ in matched}, {d for _, d in matched}
        born: list[Track] = []
        for d, person in enumerate(seen.people):
            if d in taken or person.score < self.options.birth_score:
                continue
            at = seen.mean[d, :2]
            near_entry = self._ground.from_entry_m(float(at[0]), float(at[1])) < self.options.entry_zone_m
            if not near_entry and not self._ground.is_free(at, 0.15):
                continue
            self._births += 1
            track = Track(*begun(seen.mean[d], seen.cov[d]), self._t_ns, self._t_ns, self._births, expected=near_entry,
                          appearance=person.appearance.copy())  # fmt: skip
            track.shown, track.apart_from = {camera: 1}, set(together)
            track.before = {**self._views, camera: self._views[camera] - 1}
            born.append(track)
        self._flock.join(born)

    def _live(self) -> None:
        """Confirms, loses and recovers tracks."""
        for track in self._flock.tracks:
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
        missed = missed_by(track, {camera: self.rays.models[camera] for camera in self._views}, options)
        if missed > options.alone_most:
            return
        alone = missed > 0
        if age_s >= (options.recover_after_alone_s if alone else options.recover_after_s):
            if self._recover(track):
                return
            if is_echo(track, self._flock.tracks, self._unlike, options):
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
        return witnesses >= min(2, len(track.shown)) and stands_apart(track, self._flock.tracks, options)

    def _recover(self, born: Track) -> bool:
        """Gives ``born`` the number of the lost track that it continues, if there is one."""
        lost = continued(born, self._flock.tracks, self._unlike, self._t_ns, self.options)
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
        alive = [track for track in self._flock.tracks if track.life is not Life.LOST]
        places = [(float(track.mean[0]), float(track.mean[1])) for track in alive]
        for i, younger in enumerate(alive):
            for j in range(i):
                older = alive[j]
                if math.dist(places[i], places[j]) >= self.options.merge_m:
                    if younger.close_since:
                        younger.close_since.pop(older.serial, None)
                    if older.close_since:
                        older.close_since.pop(younger.serial, None)
                    continue
                # Both sides keep the start, and a view that shows both clears both.
                since = younger.close_since.setdefault(older.serial, self._t_ns)
                since = max(since, older.close_since.setdefault(younger.serial, since))
                if (self._t_ns - since) / 1e9 >= self.options.merge_s:
                    keep, drop = (older, younger) if older.number or not younger.number else (younger, older)
                    drop.give_up()
                    keep.seen_ns = max(keep.seen_ns, drop.seen_ns)

    def _forget(self) -> None:
        staying = [track for track in self._flock.tracks if stays(track, self._ground, self._t_ns, self.options)]
        if len(staying) < len(self._flock.tracks):
            serials = {track.serial for track in staying}
            for track in staying:
                track.close_since = {other: since for other, since in track.close_since.items() if other in serials}
            self._flock = Flock(staying)
            self._hands.keep(staying)

    def _state(self) -> FloorState:
        shown = [
            track
            for track in self._flock.tracks
            if track.life is not Life.TENTATIVE and track.unseen_s(self._t_ns) <= self.options.coast_s
        ]
        shown.sort(key=lambda track: track.number)
        return FloorState(self._t_ns, tuple(t.reported(self._t_ns, self._hands.of(t, self._t_ns)) for t in shown))
