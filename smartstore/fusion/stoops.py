"""Hands that went down to the floor: something may have been left there.

In: floor states, and who had a hand in a shelf. Out: :class:`Stoop` facts of visits. Nobody's hands are at the floor,
away from all shelves, but to lay something down or to pick it up; whether it was goods is for a person to say.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile

from smartstore.domain.people import FloorState, FloorTrack, Hand
from smartstore.fusion.parting import PartingOptions, Source, heights, to_floor
from smartstore.site import Fixture, Site

NS_PER_S = 1_000_000_000
SEEN_NS = 8 * NS_PER_S
"""What hands did is known for longer than from before they went down until they came up."""
IN_SHELF_NS = 60 * NS_PER_S
"""Who had a hand in a shelf is known for longer than any stoop lasts and waits."""


@dataclass(frozen=True, slots=True)
class StoopOptions:
    """Times in seconds, lengths in metres."""

    low_m: float = 0.36
    """Hands lower than this are at the floor, or stand a bottle there."""
    least_s: float = 0.2
    gap_s: float = 0.5
    hand_m: float = 0.6
    """The hand of somebody who has bent down is no farther from the middle of the body than this."""
    hand_sigma_m: float = 0.15
    before_m: float = 0.05
    """A hand nearer to a fixture than this may be in its lowest shelf."""
    wait_s: float = 4.0
    """Until it is decided what the visit carried."""
    before_s: float = 1.9
    """What hands did so long before tells where they had it from ..."""
    knee_m: float = 0.5
    """... until one was as low as this on its way to the floor."""


@dataclass(frozen=True, slots=True)
class Stoop:
    """Somebody of a visit had a hand at the floor between the two times."""

    visit: str
    t_start_ns: int
    t_end_ns: int
    source: Source
    """Where what was left there, if anything was, had been."""

    @property
    def t_ns(self) -> int:
        return (self.t_start_ns + self.t_end_ns) // 2


@dataclass
class Stoops:
    """Watches how low everybody's hands are."""

    site: Site
    options: StoopOptions = field(default_factory=StoopOptions)
    parting: PartingOptions = field(default_factory=PartingOptions)
    _stays: dict[int, tuple[int, int]] = field(default_factory=dict)
    _over: list[tuple[int, int, int, Source]] = field(default_factory=list)
    """Track, begin, end and source of those that wait to be told."""
    _seen: deque[FloorState] = field(default_factory=deque)
    _in_shelf: list[tuple[int, int, int]] = field(default_factory=list)
    """Track, begin and end of hands in shelves."""

    def in_shelf(self, track: int, start_ns: int, end_ns: int) -> None:
        """Somebody had a hand in a shelf between the two times: a plate moved under it and nobody was billed, or there
        is no plate that would have.
        """
        self._in_shelf.append((track, start_ns, end_ns))

    def observe(self, state: FloorState) -> None:
        """Everybody at one moment."""
        self._seen.append(state)
        while self._seen[0].t_ns < state.t_ns - SEEN_NS:
            self._seen.popleft()
        for track in state.tracks:
            if any(self._at_floor(track, hand) for hand in track.hands):
                self._stays[track.track] = self._stays.get(track.track, (state.t_ns, 0))[0], state.t_ns
        gap_ns = round(self.options.gap_s * NS_PER_S)
        for number in [n for n, (_, last_ns) in self._stays.items() if state.t_ns - last_ns > gap_ns]:
            start_ns, last_ns = self._stays.pop(number)
            if last_ns - start_ns >= self.options.least_s * NS_PER_S:
                self._over.append((number, start_ns, last_ns, self._source(number, start_ns)))

    @property
    def since(self) -> int | None:
        """The begin of the oldest that waits."""
        return min((start_ns for _, start_ns, *_ in self._over), default=None)

    def due(self, now_ns: int, owners: Mapping[int, str], final: bool) -> list[Stoop]:
        """Those of visits that can be told at ``now_ns``, oldest first."""
        wait_ns = round(self.options.wait_s * NS_PER_S)
        ready = [entry for entry in self._over if final or now_ns - entry[2] >= wait_ns]
        self._over = [entry for entry in self._over if entry not in ready]
        self._in_shelf = [entry for entry in self._in_shelf if now_ns - entry[2] < IN_SHELF_NS]
        return [
            Stoop(owners[number], start, end, source)
            for number, start, end, source in ready
            if number in owners and not self._busy(number, start, end)
        ]

    def _busy(self, number: int, start_ns: int, end_ns: int) -> bool:
        return any(track == number and first <= end_ns and start_ns <= last for track, first, last in self._in_shelf)

    def _source(self, number: int, start_ns: int) -> Source:
        """Where what hands let go of had been, by how they went until one was low."""
        begin_ns = start_ns - round(self.options.before_s * NS_PER_S)
        seen = [(state.t_ns, t) for state in self._seen for t in state.tracks if t.track == number]
        paths = heights([(t_ns, track) for t_ns, track in seen if begin_ns <= t_ns < start_ns])
        return to_floor([[*takewhile(lambda z_m: z_m > self.options.knee_m, path)] for path in paths], self.parting)

    def _at_floor(self, track: FloorTrack, hand: Hand) -> bool:
        if hand.z_m > self.options.low_m or hand.sigma_m > self.options.hand_sigma_m:
            return False
        if math.hypot(hand.x_m - track.x_m, hand.y_m - track.y_m) > self.options.hand_m:
            return False
        return not any(self._beside(fixture, hand) for fixture in self.site.fixtures.values())

    def _beside(self, fixture: Fixture, hand: Hand) -> bool:
        u, v, _ = fixture.to_local((hand.x_m, hand.y_m, hand.z_m))
        near = self.options.before_m
        return -near < v < fixture.depth_m + near and -near < u < fixture.width_m + near
