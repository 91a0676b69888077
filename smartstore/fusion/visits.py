"""Whose track is whose: visits from the entry gate, bound to tracks on the floor, until they cross the exit.

In: gate events and floor states, in event-time order. Out: :class:`VisitOpened`, :class:`VisitLeft`, and a
:class:`CaseRaised` at the entry for everybody who walked in without being let in. The tracks of a party belong to one
visit, those of staff and of tailgaters to none: they are ``strangers``, who come and go like visits but never pay.
A lost track leaves its visit at its last place, where a new track may take it up again.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from smartstore.domain.events import CaseRaised, VisitLeft, VisitOpened
from smartstore.domain.people import FloorState
from smartstore.fusion.gates import BeamBroken, GateEntered, StaffEntered, distance_m
from smartstore.site import Gate
from smartstore.site.floor import inside

Said = VisitOpened | VisitLeft | CaseRaised

NS_PER_S = 1_000_000_000
NEVER = 1e6
"""Cost of an impossible pair."""


@dataclass(frozen=True, slots=True)
class VisitOptions:
    """Times in seconds, distances in metres, speeds in metres per second."""

    early_s: float = 2.0
    """A track may appear this long before its entry event."""
    appear_s: float = 10.0
    appear_m: float = 2.2
    """Distance from the entry line at which a new track may still be somebody who came in."""
    lost_s: float = 0.8
    """A track that is not in the states for so long has ended."""
    near_m: float = 0.8
    walk_m_s: float = 1.5
    patience_s: float = 2.0
    """An unbound track takes up any unseen visit after so long."""
    settle_s: float = 0.6
    """Floor states after a beam that are waited for."""
    exit_m: float = 1.8
    """A visit whose track is in view further from the exit than this did not break the beam."""
    silent_exit_s: float = 4.0
    """A track that ended at the exit without a beam has left after so long."""
    silent_exit_m: float = 0.7
    uninvited_s: float = 4.0
    uninvited_m: float = 1.5
    """A track from the entry that is of no visit after so long, and so far in, walked in behind somebody."""
    memory_s: float = 60.0
    """Ended tracks and departed visits are remembered for so long."""


@dataclass(slots=True)
class _Track:
    first_ns: int
    first: tuple[float, float]
    places: deque[tuple[int, float, float]]
    visit: str | None = None
    ended: bool = False
    gone: bool = False
    """Over the exit."""
    came_in: bool = False


@dataclass(slots=True)
class _Visit:
    """``visit`` is a name of the keeper's own for those who have none."""

    visit: str
    opened_ns: int
    party: int
    role: Literal["shopper", "staff", "tailgater"] = "shopper"
    tracks: list[int] = field(default_factory=list)
    gone: int = 0
    left: bool = False
    left_ns: int = -1


class VisitKeeper:
    """Binds tracks to visits. ``owners`` maps every track that ever belonged to a visit to it.

    ``strangers`` are the tracks that are known to belong to none. Whoever waits outside of the walls has not come in.
    """

    def __init__(
        self,
        gates: tuple[Gate, ...],
        options: VisitOptions | None = None,
        walls_m: Sequence[tuple[float, float]] = (),
    ) -> None:
        self._options, self._walls_m = options or VisitOptions(), walls_m
        self._lines = {gate.id: gate.line_m for gate in gates}
        self._entries = {gate.id: gate.line_m for gate in gates if gate.kind == "entry"}
        self._exits = [gate.line_m for gate in gates if gate.kind == "exit"]
        self._tracks: dict[int, _Track] = {}
        self._visits: dict[str, _Visit] = {}
        self._known: set[str] = set()
        self._beams: list[BeamBroken] = []
        self.owners: dict[int, str] = {}
        self.strangers: set[int] = set()
        self.unclaimed_beams = 0

    @property
    def inside(self) -> list[str]:
        """The visits that have not left, in the order of their entry."""
        return [visit.visit for visit in self._visits.values() if visit.role == "shopper" and not visit.left]

    @property
    def remembered(self) -> int:
        """Tracks that are kept in mind."""
        return len(self._tracks)

    def observe(self, fact: GateEntered | StaffEntered | BeamBroken | FloorState) -> Sequence[Said]:
        """What follows from one more fact."""
        if isinstance(fact, GateEntered):
            if fact.visit in self._known:
                return []
            self._known.add(fact.visit)
            self._visits[fact.visit] = _Visit(fact.visit, fact.t_ns, fact.party_size)
            return [VisitOpened(fact.visit, fact.t_ns, fact.caused_by, fact.token, fact.party_size)]
        if isinstance(fact, StaffEntered):
            self._visits.setdefault(fact.caused_by, _Visit(fact.caused_by, fact.t_ns, 1, "staff"))
            return []
        if isinstance(fact, BeamBroken):
            self._beams.append(fact)
            return []
        self._follow(fact)
        self._bind()
        left = self._exits_until(fact.t_ns - self._ns(self._options.settle_s)) + self._silent_exits(fact.t_ns)
        return [*self._uninvited(fact.t_ns), *left]

    def flush(self) -> list[VisitLeft]:
        """The feed has ended: decides the beams that still wait for floor states."""
        return self._exits_until(max((beam.t_ns for beam in self._beams), default=0))

    def _follow(self, state: FloorState) -> None:
        for seen in state.tracks:
            track = self._tracks.get(seen.track)
            if track is None:
                place = (seen.x_m, seen.y_m)
                track = self._tracks[seen.track] = _Track(state.t_ns, place, deque(maxlen=200))
            track.places.append((state.t_ns, seen.x_m, seen.y_m))
            track.ended = False
            if not track.came_in:
                track.first_ns, track.first = state.t_ns, (seen.x_m, seen.y_m)
                track.came_in = not self._walls_m or bool(inside([track.first], self._walls_m)[0])
        self._forget(state.t_ns - self._ns(self._options.memory_s))
        for track in self._tracks.values():
            if state.t_ns - track.places[-1][0] > self._ns(self._options.lost_s):
                track.ended = True

    def _forget(self, before_ns: int) -> None:
        """Tracks that ended and visits that left before a time are of no use any more."""
        gone = {name for name, visit in self._visits.items() if visit.left and visit.left_ns < before_ns}
        old = [
            number
            for number, track in self._tracks.items()
            if track.places[-1][0] < before_ns and (track.visit is None or track.visit in gone)
        ]
        for number in old:
            del self._tracks[number]
            self.strangers.discard(number)
        for name in gone:
            if not any(number in self._tracks for number in self._visits[name].tracks):
                del self._visits[name]

    def _bind(self) -> None:
        """The cheapest assignment of unbound tracks to visits that miss somebody."""
        free = self._free()
        missing = [visit for visit in self._visits.values() if self._misses(visit)]
        if not free or not missing:
            return
        costs = np.array([[self._cost(visit, track) for visit in missing] for _, track in free])
        rows, columns = linear_sum_assignment(costs)
        for row, column in zip(rows, columns, strict=True):
            if costs[row, column] < NEVER:
                number, track = free[row]
                self._belongs(number, track, missing[column])

    def _free(self) -> list[tuple[int, _Track]]:
        """The tracks of people inside who are of no visit."""
        return [
            (number, track)
            for number, track in sorted(self._tracks.items())
            if track.visit is None and track.came_in and not track.ended
        ]

    def _belongs(self, number: int, track: _Track, visit: _Visit) -> None:
        track.visit = visit.visit
        visit.tracks.append(number)
        if visit.role == "shopper":
            self.owners[number] = visit.visit
        else:
            self.strangers.add(number)

    def _uninvited(self, t_ns: int) -> list[CaseRaised]:
        """Tracks that came in through an entry for which nobody was let in: from now on they are strangers."""
        out = []
        for number, track in self._free():
            gate, line = min(
                self._entries.items(), key=lambda entry: distance_m(entry[1], track.first), default=(None, None)
            )
            if gate is None or line is None or distance_m(line, track.first) > self._options.appear_m:
                continue
            waited = t_ns - track.first_ns >= self._ns(self._options.uninvited_s)
            if waited and distance_m(line, track.places[-1][1:]) >= self._options.uninvited_m:
                name = f"uninvited:{gate}:{track.first_ns}:{number}"
                self._visits[name] = _Visit(name, track.first_ns, 1, "tailgater")
                self._belongs(number, track, self._visits[name])
                out.append(CaseRaised("", track.first_ns, name, name.replace(":", "-"), gate, ()))
        return out

    def _misses(self, visit: _Visit) -> bool:
        if visit.left:
            return False
        seen = sum(not self._tracks[number].ended for number in visit.tracks)
        return seen + visit.gone < visit.party

    def _cost(self, visit: _Visit, track: _Track) -> float:
        options = self._options
        waited_s = (track.places[-1][0] - track.first_ns) / NS_PER_S
        late = 20.0 if waited_s > options.patience_s else NEVER
        if len(visit.tracks) < visit.party:
            after_s = (track.first_ns - visit.opened_ns) / NS_PER_S
            away_m = min((distance_m(line, track.first) for line in self._entries.values()), default=0.0)
            if -options.early_s <= after_s <= options.appear_s and away_m <= options.appear_m:
                return abs(after_s - 2.0) / 2 + away_m
            if not visit.tracks:
                return late + away_m if after_s >= -options.early_s else NEVER
        last_ns, x_m, y_m = self._last_place(visit)
        apart_s = (track.first_ns - last_ns) / NS_PER_S
        away_m = math.hypot(track.first[0] - x_m, track.first[1] - y_m)
        if apart_s > -2.0 and away_m <= options.near_m + options.walk_m_s * max(apart_s, 0.0):
            return 1.0 + away_m / (0.5 + 0.5 * max(apart_s, 0.0))
        return late + away_m if apart_s > -2.0 else NEVER

    def _last_place(self, visit: _Visit) -> tuple[int, float, float]:
        """Where the one of a visit who is missing was last seen."""
        tracks = [self._tracks[number] for number in visit.tracks]
        missing = [track for track in tracks if track.ended and not track.gone]
        return max(track.places[-1] for track in missing or tracks)

    def _exits_until(self, t_ns: int) -> list[VisitLeft]:
        due = sorted((beam for beam in self._beams if beam.t_ns <= t_ns), key=lambda beam: (beam.t_ns, beam.caused_by))
        self._beams = [beam for beam in self._beams if beam.t_ns > t_ns]
        out = []
        for beam in due:
            scored = []
            for visit in self._visits.values():
                if not visit.left:
                    cost, number = self._exit_cost(visit, beam)
                    scored.append((cost, visit.opened_ns, visit.visit, number))
            if not scored or min(scored)[0] >= NEVER:
                self.unclaimed_beams += 1
                continue
            _, _, name, number = min(scored)
            if number:
                self._tracks[number].gone = True
            out += self._goes(self._visits[name], beam.t_ns, beam.caused_by)
        return out

    def _exit_cost(self, visit: _Visit, beam: BeamBroken) -> tuple[float, int]:
        """Metres between the visit and the exit at the beam, and the number of the nearest track, 0 for none.

        What walking could have bridged counts a third.
        """
        options = self._options
        line = self._lines.get(beam.gate)
        if line is None or not visit.tracks:
            return 50.0, 0
        costs = [(NEVER, 0)]
        for number in visit.tracks:
            track = self._tracks[number]
            if track.gone:
                continue
            near = min(track.places, key=lambda place: (abs(place[0] - beam.t_ns), place[0]))
            gap_s = max((beam.t_ns - near[0]) / NS_PER_S, 0.0)
            away_m = distance_m(line, near[1:])
            if gap_s < options.lost_s:
                costs.append((away_m if away_m <= options.exit_m else NEVER, number))
            else:
                late_m = max(away_m - options.walk_m_s * gap_s, 0.0) * 3
                costs.append((late_m + away_m / 3 + options.exit_m / 3, number))
        return min(costs)

    def _goes(self, visit: _Visit, t_ns: int, caused_by: str) -> list[VisitLeft]:
        visit.gone += 1
        if visit.gone < visit.party:
            return []
        visit.left, visit.left_ns = True, t_ns
        return [VisitLeft(visit.visit, t_ns, caused_by)] if visit.role == "shopper" else []

    def _silent_exits(self, t_ns: int) -> list[VisitLeft]:
        """Visits whose tracks all ended at an exit, although no beam spoke."""
        out = []
        for visit in self._visits.values():
            if visit.left or not visit.tracks or not all(self._tracks[number].ended for number in visit.tracks):
                continue
            last = max(self._tracks[number].places[-1] for number in visit.tracks)
            near = any(distance_m(line, last[1:]) < self._options.silent_exit_m for line in self._exits)
            if near and t_ns - last[0] > self._ns(self._options.silent_exit_s):
                visit.left, visit.left_ns = True, t_ns
                if visit.role == "shopper":
                    out.append(VisitLeft(visit.visit, last[0], f"crossing:{visit.visit}:{last[0]}"))
        return out

    @staticmethod
    def _ns(seconds: float) -> int:
        return round(seconds * NS_PER_S)
