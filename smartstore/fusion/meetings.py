"""Hands of two people that met away from the shelves: something may have gone from one to the other.

In: floor states, and when visits moved goods. Out: :class:`Meeting` facts of two visits. No sensor sees what changed
hands, or whether anything did: a meeting is doubt about what both carry.
"""

import math
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from smartstore.domain.people import FloorState, FloorTrack, Hand
from smartstore.fusion.parting import PartingOptions, Signs, signs
from smartstore.site import Fixture, Site

NS_PER_S = 1_000_000_000
LEAST_FIT = 0.05
"""Hands that fit an item between them worse than this are not together."""
MEMORY_NS = 60 * NS_PER_S
"""Who moved goods is known for longer than any meeting lasts and waits."""
SEEN_NS = 16 * NS_PER_S
"""What people did is known from well before the longest meeting until it is told."""


@dataclass(frozen=True, slots=True)
class MeetingOptions:
    """Times in seconds, lengths in metres, speeds in metres per second."""

    least_s: float = 0.4
    """Hands that were together for less only passed each other."""
    most_s: float = 3.5
    """Whose hands are near to each other for longer only stand together."""
    palms_m: float = 0.14
    """Two palms with something between them are so far apart ..."""
    palms_sigma_m: float = 0.12
    """... give or take so much: where hands are a little farther apart, the time counts for less."""
    near_m: float = 0.54
    arm_m: float = 1.2
    """Nobody hands over anything to whoever stands nearer than the first, which is as wide as all but the widest
    shoulders (NASA 3000): arms touch anyway there; or farther than the second of these."""
    still_m_s: float = 0.5
    out_m: float = 0.15
    """A hand that is held out to somebody is so far from the middle of its body towards them; one that hangs is not."""
    low_m: float = 0.85
    high_m: float = 1.7
    """Hands that hang, or that are not where a camera thought, are not between these heights."""
    lift_m: float = 0.05
    """Arms that hang are long or short: a hand that is held out is so much higher than the other one ..."""
    raised_m: float = 1.02
    """... or higher than the hanging wrist of all but the tallest: that of 95 of 100 men is below 0.94 (NASA 3000)."""
    hand_m: float = 0.8
    """A hand is no farther from its body than this."""
    hand_sigma_m: float = 0.25
    guess: float = 0.5
    """What time counts in which a hand of the one is held out to another one of whose hands not both are known."""
    before_m: float = 0.1
    """A hand so near to the front of a shelf is at the shelf."""
    step_s: float = 0.1
    """Floor states less apart than this are not looked at."""
    gap_s: float = 0.6
    again_s: float = 4.0
    busy_s: float = 2.0
    """Whoever moves goods so shortly before or after has their hands there for that."""
    wait_s: float = 5.0
    """Until it is decided what both carried, and what they moved then."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """Hands of two visits were together between the two times, and what was seen of it."""

    visits: tuple[str, str]
    t_start_ns: int
    t_end_ns: int
    signs: Signs

    @property
    def t_ns(self) -> int:
        return (self.t_start_ns + self.t_end_ns) // 2


@dataclass(slots=True)
class _Stay:
    start_ns: int
    last_ns: int
    together_s: float = 0.0


@dataclass
class Meetings:
    """Watches the hands of everybody who stands with somebody."""

    site: Site
    options: MeetingOptions = field(default_factory=MeetingOptions)
    parting: PartingOptions = field(default_factory=PartingOptions)
    _seen: deque[FloorState] = field(default_factory=deque)
    """What people did a while ago, for whoever meets somebody."""
    _looked_ns: int = -1
    _stays: dict[tuple[int, int], _Stay] = field(default_factory=dict)
    _over: list[tuple[tuple[int, int], _Stay]] = field(default_factory=list)
    _busy: list[tuple[str, int, int]] = field(default_factory=list)
    """Who moved goods, and from when to when."""

    def observe(self, state: FloorState) -> None:
        """Everybody at one moment."""
        if state.t_ns - self._looked_ns < self.options.step_s * NS_PER_S:
            return
        self._looked_ns = state.t_ns
        self._seen.append(state)
        while self._seen[0].t_ns < state.t_ns - SEEN_NS:
            self._seen.popleft()
        gap_ns = round(self.options.gap_s * NS_PER_S)
        for a, b in self._in_reach(state.tracks):
            together = self._together(a, b)
            if together > LEAST_FIT:
                stay = self._stays.setdefault((a.track, b.track), _Stay(state.t_ns, state.t_ns))
                stay.together_s += together * min(state.t_ns - stay.last_ns, gap_ns) / NS_PER_S
                stay.last_ns = state.t_ns
        for pair in [pair for pair, stay in self._stays.items() if state.t_ns - stay.last_ns > gap_ns]:
            self._end(pair)

    def _end(self, pair: tuple[int, int]) -> None:
        """A meeting is over; of several of the same two shortly after each other the longest is the one."""
        stay = self._stays.pop(pair)
        again_ns = stay.start_ns - round(self.options.again_s * NS_PER_S)
        before = next((entry for entry in self._over if entry[0] == pair and entry[1].last_ns > again_ns), None)
        too_long = stay.last_ns - stay.start_ns > self.options.most_s * NS_PER_S
        if too_long or stay.together_s < max(self.options.least_s, before[1].together_s if before else 0.0):
            return
        if before:
            self._over.remove(before)
        self._over.append((pair, stay))

    def moved(self, visit: str, start_ns: int, end_ns: int) -> None:
        """Goods were moved by ``visit``, somewhen between the two times."""
        self._busy.append((visit, start_ns, end_ns))

    @property
    def since(self) -> int | None:
        """The begin of the oldest meeting that waits."""
        return min((stay.start_ns for _, stay in self._over), default=None)

    def due(self, now_ns: int, owners: Mapping[int, str], final: bool) -> list[Meeting]:
        """The meetings of two visits that can be told at ``now_ns``, oldest first."""
        if final:
            for pair in list(self._stays):
                self._end(pair)
        wait_ns = round(self.options.wait_s * NS_PER_S)
        ready = [entry for entry in self._over if final or now_ns - entry[1].last_ns >= wait_ns]
        self._over = [entry for entry in self._over if entry not in ready]
        self._busy = [entry for entry in self._busy if now_ns - entry[2] < MEMORY_NS]
        found = []
        for (a, b), stay in ready:
            one, other = owners.get(a), owners.get(b)
            if one and other and one != other and not self.at_work((one, other), stay.start_ns, stay.last_ns):
                seen = signs(self._seen, (a, b), stay.start_ns, stay.last_ns, self._holds_out, self.parting)
                found.append(Meeting((one, other), stay.start_ns, stay.last_ns, seen))
        return sorted(found, key=lambda meeting: (meeting.t_start_ns, meeting.visits))

    def at_work(self, visits: Collection[str], start_ns: int, end_ns: int) -> bool:
        """Whether one of these moved goods around that time, for which their hands were there."""
        margin = round(self.options.busy_s * NS_PER_S)
        return any(
            visit in visits and start - margin <= end_ns and start_ns <= end + margin
            for visit, start, end in self._busy
        )

    def _in_reach(self, tracks: Iterable[FloorTrack]) -> Iterator[tuple[FloorTrack, FloorTrack]]:
        """Those of two who stand still and not too far apart to hand something over, in the order of their tracks."""
        still = [track for track in tracks if math.hypot(track.vx_m_s, track.vy_m_s) <= self.options.still_m_s]
        still.sort(key=lambda track: track.x_m)
        for i, a in enumerate(still):
            for b in still[i + 1 :]:
                if b.x_m - a.x_m >= self.options.arm_m:
                    break
                yield (a, b) if a.track < b.track else (b, a)

    def _together(self, a: FloorTrack, b: FloorTrack) -> float:
        """How well the hands of two people fit an item between them: 0 where they do not, 1 where they touch it."""
        options = self.options
        apart_m = math.hypot(b.x_m - a.x_m, b.y_m - a.y_m)
        if not options.near_m < apart_m < options.arm_m:
            return 0.0
        held = [list(self._reaching(a, b, apart_m)), list(self._reaching(b, a, apart_m))]
        best = max((self._fit(math.dist(p, q)) for p in held[0] for q in held[1]), default=0.0)
        middle = ((a.x_m + b.x_m) / 2, (a.y_m + b.y_m) / 2)
        for hands, other in ((held[0], b), (held[1], a)):
            if sum(self._plausible(other, hand) for hand in other.hands) < 2:
                best = max([best, *(options.guess * self._fit(2 * math.dist(hand[:2], middle)) for hand in hands)])
        return best

    def _holds_out(self, track: FloorTrack, other: FloorTrack) -> bool:
        """Whether somebody holds a hand out to another one."""
        apart_m = math.hypot(other.x_m - track.x_m, other.y_m - track.y_m)
        return any(self._reaching(track, other, max(apart_m, 1e-6)))

    def _fit(self, gap_m: float) -> float:
        beyond_m = max(gap_m - self.options.palms_m, 0.0)
        return math.exp(-0.5 * (beyond_m / self.options.palms_sigma_m) ** 2)

    def _plausible(self, track: FloorTrack, hand: Hand) -> bool:
        """Whether a hand can be where it is thought to be."""
        near = math.hypot(hand.x_m - track.x_m, hand.y_m - track.y_m) < self.options.hand_m
        return near and hand.z_m < self.options.high_m and hand.sigma_m < self.options.hand_sigma_m

    def _reaching(self, track: FloorTrack, other: FloorTrack, apart_m: float) -> Iterator[tuple[float, float, float]]:
        """The hands of somebody that are held out to another one and not into a shelf."""
        ux, uy = (other.x_m - track.x_m) / apart_m, (other.y_m - track.y_m) / apart_m
        hands = [hand for hand in track.hands if self._plausible(track, hand)]
        for hand in hands:
            hanging = [other.z_m for other in hands if other is not hand and other.z_m < self.options.raised_m]
            above_m = max([self.options.low_m, *(z_m + self.options.lift_m for z_m in hanging)])
            least_m = min(above_m, self.options.raised_m)
            held_out = (hand.x_m - track.x_m) * ux + (hand.y_m - track.y_m) * uy > self.options.out_m
            if held_out and hand.z_m > least_m and not self._at_shelf(hand):
                yield hand.x_m, hand.y_m, hand.z_m

    def _at_shelf(self, hand: Hand) -> bool:
        near_m = math.hypot(self.options.before_m, self.options.before_m)
        return any(self._before(fixture, hand) for fixture in self.site.shelved_near(hand.x_m, hand.y_m, near_m))

    def _before(self, fixture: Fixture, hand: Hand) -> bool:
        u, v, _ = fixture.to_local((hand.x_m, hand.y_m, hand.z_m))
        beside = self.options.before_m
        return -beside < v < fixture.depth_m and -beside < u < fixture.width_m + beside
