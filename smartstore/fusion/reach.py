"""Where everybody's hands were: a short memory of the floor, and the touches it contains.

In: floor states. Out: how strongly a track's hands and body speak for a change at a facing, and touches: stretches of
time during which a hand was inside a shelf.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np

from smartstore.domain.people import FloorState, FloorTrack, Hand
from smartstore.fusion.evidence import EvidenceOptions, Floats, body_log, grasp_odds, idle_density, lean_log
from smartstore.fusion.lean import LeanOptions, leans_m
from smartstore.site import Facing, Site

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ReachOptions:
    """Times in seconds, lengths in metres."""

    memory_s: float = 12.0
    before_s: float = 0.3
    """A hand counts from so long before a change began ..."""
    after_s: float = 0.3
    """... until so long after it had settled."""
    stretch_s: float = 0.8
    """Long intervals are looked at in stretches of this length."""
    lean: LeanOptions = field(default_factory=LeanOptions)
    touch_s: float = 0.3
    """Shortest stay of a hand that counts as a touch."""
    touch_gap_s: float = 0.4
    touch_memory_s: float = 90.0
    touch_front_m: float = 0.1
    """How far before the face the hand's middle may be."""
    touch_sigma_m: float = 0.2
    """Hands less certain than this do not make touches."""


@dataclass(frozen=True, slots=True)
class Touch:
    """A hand of ``track`` was inside a shelf; ``facings`` holds the time at each facing in seconds, longest first."""

    track: int
    side: str
    fixture: str
    t_start_ns: int
    t_end_ns: int
    facings: tuple[tuple[str, float], ...]


@dataclass(slots=True)
class _Stay:
    start_ns: int
    last_ns: int
    times: dict[str, float] = field(default_factory=dict)


class ReachMemory:
    """Remembers the floor for a while and answers who could have reached a facing."""

    def __init__(self, site: Site, evidence: EvidenceOptions, options: ReachOptions | None = None) -> None:
        self._site, self._evidence, self._options = site, evidence, options or ReachOptions()
        self._seen: dict[int, deque[FloorTrack]] = {}
        """Where everybody was, by track."""
        self._stays: dict[tuple[int, str, str], _Stay] = {}
        self._grasps: dict[tuple[str, bool], tuple[Floats, Floats]] = {}
        """Where hands grasp goods at each facing that somebody asked for."""
        self._ratios: dict[tuple[tuple[int, ...], str, int, int, bool], float] = {}
        self._leans: dict[tuple[int, str, int, int], list[float]] = {}
        """What was asked since the floor was last seen."""
        self.touches: deque[Touch] = deque()
        self._known: list[int] | None = None
        """The tracks within the memory, once somebody asked."""

    def observe(self, state: FloorState) -> list[Touch]:
        """The touches that ended."""
        self._known = None
        self._ratios.clear()
        self._leans.clear()
        for track in state.tracks:
            self._seen.setdefault(track.track, deque()).append(track)
            self._follow(track, state.t_ns)
        self._forget(state.t_ns - round(self._options.memory_s * NS_PER_S))
        ended = self._ended(state.t_ns)
        self.touches.extend(ended)
        while self.touches and self.touches[0].t_end_ns < state.t_ns - round(self._options.touch_memory_s * NS_PER_S):
            self.touches.popleft()
        return ended

    def _forget(self, oldest_ns: int) -> None:
        for number, seen in list(self._seen.items()):
            while seen and seen[0].t_ns < oldest_ns:
                seen.popleft()
            if not seen:
                del self._seen[number]

    def tracks(self) -> list[int]:
        """Everybody who was on the floor, or touched something, within the memory."""
        if self._known is None:
            self._known = sorted({*self._seen, *(touch.track for touch in self.touches)})
        return self._known

    def log_ratio(self, tracks: Iterable[int], facing: Facing, start_ns: int, end_ns: int, came: bool = False) -> float:
        """Log-likelihood ratio that ``tracks`` (one person) reached into ``facing`` between the two times.

        Over a long interval it is that of its best stretch. ``came``: to put something there.
        """
        asked = (tuple(tracks), facing.id, start_ns, end_ns, came)
        if asked not in self._ratios:
            self._ratios[asked] = self._log_ratio(asked[0], facing, start_ns, end_ns, came)
        return self._ratios[asked]

    def _log_ratio(self, tracks: Iterable[int], facing: Facing, start_ns: int, end_ns: int, came: bool) -> float:
        low = start_ns - round(self._options.before_s * NS_PER_S)
        high = end_ns + round(self._options.after_s * NS_PER_S)
        wanted = set(tracks)
        seen = [
            track
            for number in wanted
            for track in takewhile(lambda track: track.t_ns >= low, reversed(self._seen.get(number, ())))
            if track.t_ns <= high
        ]
        if not seen:
            return self._evidence.unseen_nats + self._far_log(wanted, facing, low, high)
        stretches: dict[int, list[FloorTrack]] = {}
        length_ns = round(self._options.stretch_s * NS_PER_S)
        for track in seen:
            index = (track.t_ns - low) // length_ns if high - low > 2 * length_ns else 0
            stretches.setdefault(index, []).append(track)
        return max(self._stretch_log(part, facing, came) for part in stretches.values())

    def lean_log(self, tracks: Iterable[int], facing: Facing, start_ns: int, end_ns: int) -> float:
        """Log-likelihood ratio that whoever of ``tracks`` (one visit) was nearest leaned to goods of ``facing`` between
        the two times; 0 where nobody can say.
        """
        x, y, height_m = facing.centre_m
        high = end_ns + NS_PER_S // 2
        here = [
            (math.hypot(seen.x_m - x, seen.y_m - y), track)
            for track in tracks
            for seen in takewhile(lambda seen: seen.t_ns >= start_ns, reversed(self._seen.get(track, ())))
            if seen.t_ns <= high
        ]
        if not here:
            return 0.0
        _, nearest = min(here)
        asked = nearest, facing.fixture, start_ns, end_ns
        if asked not in self._leans:
            normal, options = self._site.fixtures[facing.fixture].normal, self._options.lean
            first_ns = start_ns - round(options.around_s * NS_PER_S)
            around = takewhile(lambda seen: seen.t_ns >= first_ns, reversed(self._seen[nearest]))
            self._leans[asked] = leans_m(around, normal, start_ns, end_ns, options)
        return sum(lean_log(lean_m, height_m, self._evidence) for lean_m in self._leans[asked])

    def touch_log(self, tracks: Iterable[int], facing: Facing, start_ns: int, end_ns: int) -> float:
        """The same ratio from the touches alone, which are remembered for longer; the worst where there is none."""
        wanted = set(tracks)
        touched = any(
            touch.track in wanted and any(name == facing.id and spent > 0 for name, spent in touch.facings)
            for touch in self.touches
            if touch.t_end_ns >= start_ns and touch.t_start_ns <= end_ns
        )
        if not touched:
            return self._evidence.floor_nats
        _, spread = self._grasp(facing, came=True)
        seen = np.reshape(_round(self._options.touch_sigma_m), (1, 3, 3))
        anywhere = np.array([self._evidence.hands_per_m3])
        return math.log(float(grasp_odds(np.zeros((1, 3)), seen + spread, anywhere, self._evidence)[0]) / 2)

    def _stretch_log(self, seen: list[FloorTrack], facing: Facing, came: bool) -> float:
        """The ratio over one stretch of time.

        Goods moved at one of its moments, by one of two hands: the mean of all their ratios, in which a hand that is
        not seen says nothing.
        """
        body = max(self._body(track, facing) for track in seen)
        hands = [(track, hand) for track in seen for hand in track.hands]
        if body <= self._evidence.floor_nats or not hands:
            return body
        unseen = 2 * len(seen) - len(hands)
        return body + math.log((float(self._grasped(hands, facing, came).sum()) + unseen) / (2 * len(seen)))

    def _far_log(self, wanted: set[int], facing: Facing, low_ns: int, high_ns: int) -> float:
        """Whether somebody out of view can have come to ``facing`` from where they were last, or next, seen."""
        seen = [track for number in wanted for track in self._seen.get(number, ())]
        gaps_s = [max(low_ns - track.t_ns, track.t_ns - high_ns, 0) / NS_PER_S for track in seen]
        walked = (
            self._body(track, facing, gap_s * self._evidence.walk_m_s)
            for track, gap_s in zip(seen, gaps_s, strict=True)
        )
        return max(self._evidence.floor_nats, *walked) if seen else 0.0

    def _grasped(self, hands: Sequence[tuple[FloorTrack, Hand]], facing: Facing, came: bool) -> Floats:
        """For each of ``hands``, with its owner, the likelihood ratio that it grasps goods at a facing."""
        place, spread = self._grasp(facing, came)
        points = np.array([(hand.x_m, hand.y_m, hand.z_m) for _, hand in hands])
        covs = np.array([hand.cov_m2 or _round(hand.sigma_m) for _, hand in hands]).reshape(-1, 3, 3)
        away_m = np.hypot(*(points[:, :2] - [(track.x_m, track.y_m) for track, _ in hands]).T)
        idle = idle_density(away_m, points[:, 2], covs, self._evidence)
        return grasp_odds(points - place, covs + spread, idle, self._evidence)

    def _grasp(self, facing: Facing, came: bool) -> tuple[Floats, Floats]:
        """Where hands are that grasp goods at a facing, store metres: mean (3,) and covariance (3, 3).

        Goods stand side by side over all its width, which counts by its variance; those that ``came`` may be set down
        at any height that is clear.
        """
        if (facing.id, came) not in self._grasps:
            nx, ny = self._site.fixtures[facing.fixture].normal
            along, up = np.array([-ny, nx, 0.0]), np.array([0.0, 0.0, 1.0])
            spread = facing.width_m**2 / 12 * np.outer(along, along) + self._evidence.hand_sigma_m**2 * np.eye(3)
            if came:
                shelf = self._site.shelves[facing.shelf]
                off_m = shelf.height_m + shelf.clear_m / 2 - facing.centre_m[2]
                spread += (shelf.clear_m**2 / 12 + off_m**2) * np.outer(up, up)
            self._grasps[facing.id, came] = np.array(facing.centre_m), spread
        return self._grasps[facing.id, came]

    def _body(self, track: FloorTrack, facing: Facing, walked_m: float = 0.0) -> float:
        away = math.hypot(track.x_m - facing.centre_m[0], track.y_m - facing.centre_m[1])
        _, v, _ = self._site.fixtures[facing.fixture].to_local((track.x_m, track.y_m, 0.0))
        behind = self._evidence.reach_m * 2 if v > 0.35 else 0.0
        return body_log(max(away + behind - walked_m, 0.0), track.sigma_m, self._evidence)

    def _follow(self, track: FloorTrack, t_ns: int) -> None:
        for hand in track.hands:
            if hand.sigma_m > self._options.touch_sigma_m:
                continue
            facing = self._facing_at((hand.x_m, hand.y_m, hand.z_m))
            if facing is None:
                continue
            stay = self._stays.setdefault((track.track, hand.side, facing.fixture), _Stay(t_ns, t_ns))
            stay.times[facing.id] = stay.times.get(facing.id, 0.0) + min((t_ns - stay.last_ns) / NS_PER_S, 0.3)
            stay.last_ns = t_ns

    def _facing_at(self, point: tuple[float, float, float]) -> Facing | None:
        for fixture in self._site.shelved_near(point[0], point[1], self._options.touch_front_m):
            u, v, z = fixture.to_local(point)
            if not (-self._options.touch_front_m <= v <= fixture.depth_m and 0.0 <= u <= fixture.width_m):
                continue
            for shelf in fixture.shelves:
                if shelf.height_m <= z <= shelf.height_m + shelf.clear_m:
                    for facing in shelf.facings:
                        if facing.offset_m <= u <= facing.offset_m + facing.width_m:
                            return facing
        return None

    def _ended(self, t_ns: int) -> list[Touch]:
        out = []
        for key, stay in list(self._stays.items()):
            if t_ns - stay.last_ns <= self._options.touch_gap_s * NS_PER_S:
                continue
            del self._stays[key]
            if stay.last_ns - stay.start_ns >= self._options.touch_s * NS_PER_S:
                facings = tuple(sorted(stay.times.items(), key=lambda pair: (-pair[1], pair[0])))
                out.append(Touch(key[0], key[1], key[2], stay.start_ns, stay.last_ns, facings))
        return sorted(out, key=lambda touch: (touch.t_start_ns, touch.track, touch.side))


def _round(sigma_m: float) -> tuple[float, ...]:
    """The covariance of what is as uncertain in all directions, row by row."""
    variance = sigma_m**2
    return variance, 0.0, 0.0, 0.0, variance, 0.0, 0.0, 0.0, variance
