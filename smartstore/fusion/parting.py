"""Signs of what a hand parted with: what it held already, or what it first took out of a bag.

In: how high hands were, and floor states around a meeting of two people. Out: what was seen, by name; how likely that
makes what is in :mod:`smartstore.fusion.shares`. Pure functions.

A hand that lets go of what it holds goes there straight. One that takes something out of a bag first comes up out of
it, which takes time. Of two hands that meet, the one that was held out first offers, and the other one takes; and
people who came together for that go their ways again.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

from smartstore.domain.people import FloorState, FloorTrack

NS_PER_S = 1_000_000_000
FRESH_NS = 50_000_000
"""A hand that a camera saw longer ago is where it is thought to be, and no longer tells how it moved."""
Reaching = Callable[[FloorTrack, FloorTrack], bool]
"""Whether the first one holds a hand out to the second."""
Heights = Sequence[float]
Source = Literal["rose", "sank", "slow", "quick", "came_up", "was_up"]
"""A sign of where what a hand parted with had been: :class:`PartingOptions` tells what each means."""


@dataclass(frozen=True, slots=True)
class PartingOptions:
    """Times in seconds, lengths in metres, speeds in metres per second."""

    rise_m: float = 0.09
    """A hand that came up by so much before it went down to the floor ``rose``: it had been in a bag. Others ``sank``.
    """
    fetch_s: float = 2.5
    """Whoever stood there for longer before the hands met was ``slow``, and had to look for it in the bag; others were
    ``quick``."""
    up_s: float = 2.0
    dip_m: float = 0.1
    """Of somebody who was there before: a hand that ``came_up`` by so much so shortly before had it already; another
    one ``was_up``."""
    before_s: float = 5.0
    """What people did so long before a meeting belongs to it."""
    offer_s: float = 1.5
    longer_s: float = 0.3
    """A hand that was held out for so much longer than the other one, in so long before they met, offers."""
    walk_m_s: float = 0.6
    """Whoever walks up to somebody who stands gives."""
    pause_s: float = 0.2
    """A look at hands stands for no more time than this."""
    parts_s: float = 1.4
    """Two who met for that part again so soon: one walks on."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What was seen of a meeting of two. ``parted``: one of them walked on; ``offered``: who of them, 0 or 1, held a
    hand out for longer, if one did; ``came``: who alone walked up to the other; ``sources``: of each of the two, where
    what they may have given had been.
    """

    parted: bool
    offered: int | None
    came: int | None
    sources: tuple[Source, Source]


def to_floor(paths: Sequence[Heights], options: PartingOptions) -> Source:
    """How hands went, from how high they were until one went down to the floor."""
    risen_m = max((_rise(_smooth(path)) for path in paths), default=0.0)
    return "rose" if risen_m >= options.rise_m else "sank"


def signs(
    states: Sequence[FloorState], pair: tuple[int, int], start_ns: int, end_ns: int, reaching: Reaching,
    options: PartingOptions,
) -> Signs:  # fmt: skip
    """What floor states show of a meeting of two tracks between the two times."""
    before_ns, soon_ns = start_ns - _ns(options.before_s), end_ns + _ns(options.parts_s)
    both = []
    for state in states:
        tracks = {track.track: track for track in state.tracks if track.track in pair}
        if before_ns <= state.t_ns <= soon_ns and len(tracks) == len(pair):
            both.append((state.t_ns, tracks[pair[0]], tracks[pair[1]]))
    walks = [_walking([(t_ns, two[i]) for t_ns, *two in both], options) for i in (0, 1)]
    came = [max((t_ns for t_ns in times if t_ns <= start_ns), default=None) for times in walks]
    offer_ns, up_ns = start_ns - _ns(options.offer_s), start_ns - _ns(options.up_s)
    early = [moment for moment in both if offer_ns <= moment[0] <= start_ns]
    longer_ns = 0
    for (before, *_), (t_ns, a, b) in pairwise(early):
        longer_ns += min(t_ns - before, _ns(options.pause_s)) * (reaching(a, b) - reaching(b, a))
    first, second = (
        _source(came[i], start_ns, [(t_ns, two[i]) for t_ns, *two in both if up_ns < t_ns < start_ns], options)
        for i in (0, 1)
    )
    return Signs(
        parted=any(t_ns > end_ns for times in walks for t_ns in times),
        offered=None if abs(longer_ns) < _ns(options.longer_s) else 0 if longer_ns > 0 else 1,
        came=None if (came[0] is None) == (came[1] is None) else 0 if came[1] is None else 1,
        sources=(first, second),
    )


def _source(
    came_ns: int | None, start_ns: int, before: Sequence[tuple[int, FloorTrack]], options: PartingOptions
) -> Source:
    """Where something had been: by how long ago they had come when hands met, or else by their hands."""
    if came_ns is not None:
        return "slow" if start_ns - came_ns > _ns(options.fetch_s) else "quick"
    sunk_m = max((_dip(_smooth(path)) for path in heights(before)), default=0.0)
    return "came_up" if sunk_m >= options.dip_m else "was_up"


def heights(moments: Sequence[tuple[int, FloorTrack]]) -> list[Heights]:
    """How high each hand of somebody was, whenever a camera saw it."""
    paths: dict[str, list[float]] = {}
    for t_ns, track in moments:
        for hand in track.hands:
            if hand.seen_ns is None or t_ns - hand.seen_ns < FRESH_NS:
                paths.setdefault(hand.side, []).append(hand.z_m)
    return list(paths.values())


def _rise(path: Heights) -> float:
    lowest, best = math.inf, 0.0
    for height in path:
        lowest = min(lowest, height)
        best = max(best, height - lowest)
    return best


def _dip(path: Heights) -> float:
    """How far a hand sank and came up again."""
    before, after = accumulate(path, max), [*accumulate(reversed(path), max)][::-1]
    return max((min(high, later) - z_m for high, z_m, later in zip(before, path, after, strict=True)), default=0.0)


def _smooth(path: Heights) -> list[float]:
    """Each height is the middle one of itself and those beside it."""
    return [sorted(path[max(0, i - 1) : i + 2])[len(path[max(0, i - 1) : i + 2]) // 2] for i in range(len(path))]


def _walking(moments: Sequence[tuple[int, FloorTrack]], options: PartingOptions) -> list[int]:
    """When somebody walked, at that moment and at the one before: who stands still seems to jerk now and then."""
    fast = [(t_ns, math.hypot(track.vx_m_s, track.vy_m_s) > options.walk_m_s) for t_ns, track in moments]
    return [t_ns for (_, before), (t_ns, now) in pairwise(fast) if before and now]


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
