"""Fuses the people of all cameras into tracks on the floor.

In: what cameras see, moment by moment, in event time and in any mixture of frame rates. Out: the state of the floor
after each moment.

Every moment is one step of a Kalman filter: predict all tracks to its time, match the detections of each view (gated
assignment on Mahalanobis distance and appearance), update with those of all views at once. A track is *tentative* until
it lived long enough, then *confirmed*, and *lost* while nobody sees it; whoever appears in the middle of the store
where somebody was lost is that person again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import FloorState, PeopleView
from smartstore.site import Site
from smartstore.site.survey import calibration_fault
from smartstore.vision.association import Rows, assign
from smartstore.vision.births import continued, is_echo, missed_by, stands_apart, stays
from smartstore.vision.company import apart, merge
from smartstore.vision.crossings import Crossings
from smartstore.vision.flock import Flock, begun
from smartstore.vision.floor import FloorOptions
from smartstore.vision.ground import Ground
from smartstore.vision.hands import HandOptions, HandTracker
from smartstore.vision.likeness import Likeness, cosine_distances
from smartstore.vision.rays import RayTable
from smartstore.vision.sights import Sight, Viewer
from smartstore.vision.tracks import Life, Looks, Track, TrackerOptions

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
        self._foreseen: dict[tuple[PeopleView, ...], Sight] = {}
        self._hands = HandTracker(site, hands)
        self._flock = Flock([])
        self._likeness = Likeness()
        self._crossings = Crossings()
        self._views: dict[str, int] = {}
        self._first_ns = self._t_ns = -1
        self._numbers = self._births = 0

    @property
    def last_number(self) -> int:
        """The id of the track that was confirmed last; 0 before the first."""
        return self._numbers

    def foresee(self, views: Sequence[PeopleView]) -> None:
        """Works out all ``views``, which :meth:`observe` gets next, at once: cheaper than moment by moment."""
        known = [view for view in views if view.camera in self.rays.number]
        moments = [tuple(moment) for _, moment in groupby(known, key=lambda view: view.t_ns)]
        self._foreseen = dict(zip(moments, self._viewer.see(moments), strict=True))

    def observe(self, views: Sequence[PeopleView]) -> FloorState | None:
        """The floor after the ``views`` of one moment; None if all are of unknown cameras or from the past."""
        known = tuple(view for view in views if view.camera in self.rays.number)
        self.counts.unknown_camera += len(views) - len(known)
        if known and known[0].t_ns < self._t_ns:
            self.counts.out_of_order += len(known)
            return None
        if not known:
            return None
        if known not in self._foreseen:
            self.foresee(known)
        self._begin(known[0].t_ns)
        cameras = [view.camera for view in known]
        for camera in cameras:
            self._views[camera] = self._views.get(camera, 0) + 1
        self._meet(cameras, self._foreseen.pop(known))
        if self._flock.tracks:
            self._live()
            self._forget()
        return self._state()

    def _begin(self, t_ns: int) -> None:
        """Moves everybody on to a moment."""
        dt_s = (t_ns - self._t_ns) / 1e9 if self._t_ns >= 0 else 0.0
        self._first_ns, self._t_ns = t_ns if self._first_ns < 0 else self._first_ns, t_ns
        self._flock.predict(t_ns, dt_s, self.options)

    def _meet(self, cameras: Sequence[str], seen: Sight) -> None:
        """Takes in whom the views of a moment show: moves tracks to where they were seen, and begins new ones.

        Whoever is new in several views is born of the first of them, and met by the others: what a tentative track
        nearby had laid hold of, too, is theirs if it fits them better.
        """
        met, births, last = np.full(len(seen.looks), -1), list[int](), -1
        distance = self._match(seen, met, births)
        while born := self._born(cameras, seen, met, last):
            births += born
            last = int(seen.view[born[0]])
            distance = self._match(seen, met, births)
        places = np.flatnonzero(met >= 0)
        old = places[~np.isin(places, births)] if births else places
        if len(old):
            self._flock.update(met[old], seen.mean[old], seen.cov[old], distance[old], self.options.trusted)
        if len(places):
            looks = self._note(cameras, seen, met.tolist())
            for one, other in self._crossings.observe(self._flock.tracks, looks):
                one.number, other.number = other.number, one.number
            self._hands.observe(self._t_ns, self._flock, met[places], seen.wrists, seen.rows[places])

    def _match(self, seen: Sight, met: Rows, births: Sequence[int]) -> Array:
        """Says in ``met`` whose all places are: of known people first, then of the tentative ones with what is left.
        The flock is not moved. Returns the squared Mahalanobis distance of each place from whose it is.

        Those who were born at ``births`` have their places; only later views than that of their birth show them, too.
        """
        tracks, options = self._flock.tracks, self.options
        distance = np.zeros(len(met))
        if not tracks or not len(met):
            return distance
        known = np.array([track.life is not Life.TENTATIVE for track in tracks])
        pairs = self._flock.compare(seen.mean, seen.cov, self._reach())
        unlike = cosine_distances([track.appearance for track in tracks], seen.looks)
        if not births:
            self._likeness.watch(unlike, pairs.metres, known, seen.starts, options.alone_m)
        cost = pairs.unlikely + options.appearance_weight * self._likeness.cost(unlike)
        own = met[births]
        cost[:, births] = np.inf
        for born, birth in zip(own.tolist(), births, strict=True):
            cost[born, seen.view <= seen.view[birth]] = np.inf
        row, column = assign(cost, options.gate, seen.starts, first=known)
        met[:] = -1
        met[births], met[column] = own, row
        distance[column] = pairs.distance[row, column]
        return distance

    def _reach(self) -> Array:
        """How far from its prediction each track may be found, metres."""
        unseen = np.array([track.unseen_s(self._t_ns) for track in self._flock.tracks])
        return self.options.gate_m + np.minimum(np.maximum(unseen - self.options.lost_after_s, 0.0), 1.5)

    def _note(self, cameras: Sequence[str], seen: Sight, met: Sequence[int]) -> dict[int, Looks]:
        """Remembers who was seen just now, how they looked and beside whom; their looks, by row."""
        looks: dict[int, Looks] = {}
        shown: dict[int, list[int]] = {}
        together: dict[int, set[int]] = {}
        view = seen.view.tolist()
        for place, row in enumerate(met):
            if row >= 0:
                shown.setdefault(row, []).append(place)
                together.setdefault(view[place], set()).add(row)
        for row, places in shown.items():
            track = self._flock.tracks[row]
            dt_s = min(track.unseen_s(self._t_ns), 1.0)
            shows = [seen.looks[place] for place in places if not seen.mixed[place]]
            looks[row] = track.remember(shows, dt_s, self.options.appearance_memory_s)
            track.hits += len(places)
            track.seen_ns = self._t_ns
            if track.life is Life.LOST:
                track.life = Life.CONFIRMED
            if track.life is Life.TENTATIVE:
                for place in places:
                    camera = cameras[view[place]]
                    track.shown[camera] = track.shown.get(camera, 0) + 1
            if track.life is Life.TENTATIVE or track.close_since:
                beside = set().union(*(together[view[place]] for place in places)) - {row}
                others = {self._flock.tracks[other].serial for other in beside}
                apart(track, others)
                track.apart_from |= others
        return looks

    def _born(self, cameras: Sequence[str], seen: Sight, met: Rows, after: int) -> list[int]:
        """Begins a track for everybody new whom the first view ``after`` one shows that shows such; their places."""
        born: list[Track] = []
        places: list[int] = []
        for place in np.flatnonzero((met < 0) & (seen.view > after)).tolist():
            view, at = int(seen.view[place]), seen.mean[place, :2]
            if places and view != seen.view[places[0]]:
                break
            if seen.scores[place] < self.options.birth_score:
                continue
            near_entry = self._ground.from_entry_m(float(at[0]), float(at[1])) < self.options.entry_zone_m
            if not near_entry and not self._ground.is_free(at, 0.15):
                continue
            self._births += 1
            places.append(place)
            track = Track(*begun(seen.mean[place], seen.cov[place]), self._t_ns, self._t_ns, self._births,
                          hits=0, expected=near_entry, appearance=seen.looks[place].copy())  # fmt: skip
            track.before = {camera: n - cameras.count(camera) for camera, n in self._views.items()}
            met[place] = len(self._flock.tracks) + len(born)
            born.append(track)
        if born:
            self._flock.join(born)
            self._hands.join(len(born))
        return places

    def _live(self) -> None:
        """Confirms, loses and recovers tracks."""
        for track in self._flock.tracks:
            if track.life is Life.CONFIRMED and track.unseen_s(self._t_ns) > self.options.lost_after_s:
                track.life = Life.LOST
            if track.life is Life.TENTATIVE and track.seen_ns == self._t_ns:
                self._grow_up(track)
        merge(self._flock.tracks, self._t_ns, self.options)

    def _grow_up(self, track: Track) -> None:
        """A tentative track that was just seen may be somebody who was lost, or somebody new."""
        options, age_s = self.options, (self._t_ns - track.born_ns) / 1e9
        if track.hits < options.confirm_hits or track.share_seen(self._views) < options.confirm_share:
            return
        missed = missed_by(track, self._views.keys(), self.rays, options)
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
        lost.give_up()
        return True

    def _unlike(self, one: Track, other: Track) -> float:
        """Cost of taking two tracks for the same person by their looks."""
        return float(self._likeness.cost(cosine_distances([one.appearance], [other.appearance]))[0, 0])

    def _forget(self) -> None:
        tracks = self._flock.tracks
        rows = [row for row, track in enumerate(tracks) if stays(track, self._ground, self._t_ns, self.options)]
        if len(rows) < len(tracks):
            staying = [tracks[row] for row in rows]
            serials = {track.serial for track in staying}
            for track in staying:
                track.close_since = {other: since for other, since in track.close_since.items() if other in serials}
            self._flock = Flock(staying)
            self._hands.keep(rows)

    def _state(self) -> FloorState:
        shown = [
            (track, hands)
            for track, hands in zip(self._flock.tracks, self._hands.told(self._t_ns), strict=True)
            if track.life is not Life.TENTATIVE and track.unseen_s(self._t_ns) <= self.options.coast_s
        ]
        shown.sort(key=lambda one: one[0].number)
        return FloorState(self._t_ns, tuple(track.reported(self._t_ns, hands) for track, hands in shown))
