"""Hands that went into shelves, one after the other.

In: floor states. Out: :class:`Dip` facts: from when to when somebody had a hand in a fixture, and how well that fits
each of its facings. A hand goes in once for every item that it moves, so dips can be counted against changes. Who
bends to the lowest shelf hides their own hands: when no camera sees either hand of somebody who stands at a face, they
are taken to be down there.
"""

import math
from dataclasses import dataclass, field

from smartstore.domain.people import FloorState, FloorTrack, Hand
from smartstore.site import Facing, Fixture, Site

NS_PER_S = 1_000_000_000
Place = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class DipOptions:
    """Times in seconds, lengths in metres."""

    dip_s: float = 0.2
    """Shortest stay of a hand that counts, between its first and its last sight in there; at low shelves every sight
    counts, for there are few."""
    gap_s: float = 0.4
    """A hand out of the shelf for longer comes a second time ..."""
    low_gap_s: float = 0.8
    """... and at a low shelf, where it is seen less often."""
    front_m: float = 0.12
    """How far before the face the middle of a hand may be."""
    chest_low_m: float = 1.0
    chest_high_m: float = 1.2
    """Between these heights people hold before them what they look at ..."""
    chest_front_m: float = 0.06
    """... so a hand has to be nearer to the face to be in the shelf."""
    hang_m: float = 0.3
    """A hand so near to the middle of its body hangs beside it: it has to be behind the face to be in the shelf."""
    hand_sigma_m: float = 0.15
    """Hands less certain than this are not seen."""
    place_sigma_m: float = 0.10
    """How far beside its place a hand is thought to be."""
    stand_m: float = 0.75
    """Nobody farther from the face than this has a hand in it."""
    beside_m: float = 0.2
    """How far beyond the ends of the face they may stand."""
    still_m_s: float = 1.0
    """Whose hands are not seen while they walk faster than this, walks."""
    blind_s: float = 0.25
    """Both hands not seen for longer: they are behind their own body."""
    low_m: float = 0.66
    """A hand lower than this is at a low shelf; only there it is behind its own body."""
    arm_m: float = 0.3
    """How far to the side an unseen hand is from the body's middle."""
    blind_fit: float = 0.8


@dataclass(frozen=True, slots=True)
class Dip:
    """A hand of ``track`` was in ``fixture``. ``facings``: how well that fits each facing, best first, 0..1."""

    track: int
    fixture: str
    t_start_ns: int
    t_end_ns: int
    facings: tuple[tuple[str, float], ...]
    low: bool = False
    """Whether it was down at a low shelf."""

    def fit(self, facing: str) -> float:
        """How well the hand's place fits a facing; 0 where it does not."""
        return next((fit for name, fit in self.facings if name == facing), 0.0)


@dataclass(slots=True)
class _Stay:
    start_ns: int
    last_ns: int
    body_u_m: float
    deepest: Place | None = None
    """Where a hand was farthest in: u, v, z."""
    sights: int = 0


@dataclass
class DipFinder:
    """Finds dips in floor states."""

    site: Site
    options: DipOptions = field(default_factory=DipOptions)
    _stays: dict[tuple[int, str, bool], _Stay] = field(default_factory=dict)
    _last_seen: dict[tuple[int, str], int] = field(default_factory=dict)
    """When a hand was last seen, by track and side."""

    def observe(self, state: FloorState) -> list[Dip]:
        """The dips that ended."""
        near_m = math.hypot(self.options.stand_m, self.options.beside_m)
        for track in state.tracks:
            seen = self._seen(track, state.t_ns)
            if seen == []:
                continue
            for fixture in self.site.shelved_near(track.x_m, track.y_m, near_m):
                self._follow(track, fixture, seen, state.t_ns)
        gap_ns = {low: round(s * NS_PER_S) for low, s in ((False, self.options.gap_s), (True, self.options.low_gap_s))}
        ended = [(key, stay) for key, stay in self._stays.items() if state.t_ns - stay.last_ns > gap_ns[key[2]]]
        for key, _ in ended:
            del self._stays[key]
        dips = [self._dip(*key, stay) for key, stay in ended if key[2] or self._counts(stay)]
        for hand in [hand for hand, t_ns in self._last_seen.items() if state.t_ns - t_ns >= 10 * NS_PER_S]:
            del self._last_seen[hand]
        return sorted(dips, key=lambda dip: (dip.t_start_ns, dip.track, dip.fixture))

    def _counts(self, stay: _Stay) -> bool:
        return stay.sights >= 2 and stay.last_ns - stay.start_ns >= self.options.dip_s * NS_PER_S

    def _seen(self, track: FloorTrack, t_ns: int) -> list[Hand] | None:
        """The hands that were seen since the last state; None when none was for a while."""
        new = []
        for hand in track.hands:
            key, seen_ns = (track.track, hand.side), t_ns if hand.seen_ns is None else hand.seen_ns
            if hand.sigma_m <= self.options.hand_sigma_m and seen_ns > self._last_seen.get(key, -1):
                self._last_seen[key] = seen_ns
                new.append(hand)
        left_ns, right_ns = (self._last_seen.get((track.track, side), -1) for side in ("left", "right"))
        last_ns = max(left_ns, right_ns)
        blind = last_ns >= 0 and t_ns - last_ns > self.options.blind_s * NS_PER_S
        return None if blind else new

    def _follow(self, track: FloorTrack, fixture: Fixture, seen: list[Hand] | None, t_ns: int) -> None:
        u, v, _ = fixture.to_local((track.x_m, track.y_m, 0.0))
        beside = max(-u, u - fixture.width_m)
        if not -self.options.stand_m < v < fixture.depth_m or beside > self.options.beside_m:
            return
        places = ((hand, fixture.to_local((hand.x_m, hand.y_m, hand.z_m))) for hand in seen or ())
        inside = [place for hand, place in places
                  if self._inside(fixture, place) and not (place[1] < 0 and self._hangs(track, hand))]  # fmt: skip
        blind = seen is None and math.hypot(track.vx_m_s, track.vy_m_s) < self.options.still_m_s
        for place in [*inside, None] if blind else inside:
            low = place is None or place[2] < self.options.low_m
            stay = self._stays.setdefault((track.track, fixture.id, low), _Stay(t_ns, t_ns, u))
            stay.last_ns = t_ns
            if place is not None:
                stay.sights += 1
                stay.deepest = place if stay.deepest is None or place[1] > stay.deepest[1] else stay.deepest

    def _hangs(self, track: FloorTrack, hand: Hand) -> bool:
        return math.hypot(hand.x_m - track.x_m, hand.y_m - track.y_m) < self.options.hang_m

    def _inside(self, fixture: Fixture, place: Place) -> bool:
        u, v, z = place
        low, high = fixture.shelves[0].height_m - 0.1, fixture.shelves[-1].height_m + fixture.shelves[-1].clear_m
        chest = self.options.chest_low_m < z < self.options.chest_high_m
        front = self.options.chest_front_m if chest else self.options.front_m
        across = -self.options.place_sigma_m < u < fixture.width_m + self.options.place_sigma_m
        return across and -front < v < fixture.depth_m and low < z < high + self.options.place_sigma_m

    def _dip(self, track: int, fixture: str, low: bool, stay: _Stay) -> Dip:
        fits = [
            (facing.id, round(self._fit(facing, stay), 6))
            for shelf in self.site.fixtures[fixture].shelves
            for facing in shelf.facings
        ]
        likely = sorted(((name, fit) for name, fit in fits if fit > 0.05), key=lambda pair: (-pair[1], pair[0]))
        return Dip(track, fixture, stay.start_ns, stay.last_ns, tuple(likely), low)

    def _fit(self, facing: Facing, stay: _Stay) -> float:
        shelf = self.site.shelves[facing.shelf]
        left, right = facing.offset_m, facing.offset_m + facing.width_m
        if stay.deepest is None:
            beside = max(left - stay.body_u_m, stay.body_u_m - right, 0.0)
            low = self.options.blind_fit if shelf.height_m < self.options.low_m else 0.0
            return low * math.exp(-0.5 * (beside / self.options.arm_m) ** 2)
        u, _, z = stay.deepest
        du = max(left - u, u - right, 0.0)
        dz = max(shelf.height_m - z, z - shelf.height_m - shelf.clear_m, 0.0)
        return math.exp(-0.5 * (du * du + dz * dz) / self.options.place_sigma_m**2)
