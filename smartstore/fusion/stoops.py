"""Hands that went down to the floor: something may have been left there.

In: floor states. Out: :class:`Stoop` facts of visits. Nobody's hands are at the floor, away from all shelves, but to
lay something down or to pick it up; whether it was goods is for a person to say.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from smartstore.domain.people import FloorState, FloorTrack, Hand
from smartstore.site import Fixture, Site

NS_PER_S = 1_000_000_000


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


@dataclass(frozen=True, slots=True)
class Stoop:
    """Somebody of a visit had a hand at the floor between the two times."""

    visit: str
    t_start_ns: int
    t_end_ns: int

    @property
    def t_ns(self) -> int:
        return (self.t_start_ns + self.t_end_ns) // 2


@dataclass
class Stoops:
    """Watches how low everybody's hands are."""

    site: Site
    options: StoopOptions = field(default_factory=StoopOptions)
    _stays: dict[int, tuple[int, int]] = field(default_factory=dict)
    _over: list[tuple[int, int, int]] = field(default_factory=list)
    """Track, begin and end of those that wait to be told."""

    def observe(self, state: FloorState) -> None:
        """Everybody at one moment."""
        for track in state.tracks:
            if any(self._at_floor(track, hand) for hand in track.hands):
                self._stays[track.track] = self._stays.get(track.track, (state.t_ns, 0))[0], state.t_ns
        gap_ns = round(self.options.gap_s * NS_PER_S)
        for number in [n for n, (_, last_ns) in self._stays.items() if state.t_ns - last_ns > gap_ns]:
            start_ns, last_ns = self._stays.pop(number)
            if last_ns - start_ns >= self.options.least_s * NS_PER_S:
                self._over.append((number, start_ns, last_ns))

    @property
    def since(self) -> int | None:
        """The begin of the oldest that waits."""
        return min((start_ns for _, start_ns, _ in self._over), default=None)

    def due(self, now_ns: int, owners: Mapping[int, str], final: bool) -> list[Stoop]:
        """Those of visits that can be told at ``now_ns``, oldest first."""
        wait_ns = round(self.options.wait_s * NS_PER_S)
        ready = [entry for entry in self._over if final or now_ns - entry[2] >= wait_ns]
        self._over = [entry for entry in self._over if entry not in ready]
        return [Stoop(owners[number], start, end) for number, start, end in ready if number in owners]

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
