"""How far people leaned towards a shelf: a body tells of a reach whose hand no camera saw.

In: where somebody was for some seconds around a change. Out: how much nearer to the shelf they were meanwhile than
before it, and than after it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from smartstore.domain.people import FloorTrack

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class LeanOptions:
    """Times in seconds."""

    before_s: float = 0.25
    after_s: float = 0.35
    """A body leans from so long before goods move until so long after."""
    apart_s: float = 0.7
    """Farther than this from a change it stands upright, unless a hand rests on goods for long before they move ..."""
    around_s: float = 2.2
    """... of which so much is looked at on each side."""
    least: int = 2
    """Fewer sights of one side say nothing."""


def leans_m(
    seen: Iterable[FloorTrack], normal: tuple[float, float], start_ns: int, end_ns: int, options: LeanOptions
) -> list[float]:
    """How much nearer to a shelf with this outward ``normal`` somebody was between two times, metres, on average: than
    before, and than after. Fewer, or none, where they were not seen.

    ``seen`` are their places, in any order, of more than that time.
    """
    nx, ny = normal
    here: list[float] = []
    before: list[float] = []
    after: list[float] = []
    begin_ns, finish_ns = start_ns - options.before_s * NS_PER_S, end_ns + options.after_s * NS_PER_S
    apart_ns, around_ns = options.apart_s * NS_PER_S, options.around_s * NS_PER_S
    for track in seen:
        t_ns, away_m = track.t_ns, track.x_m * nx + track.y_m * ny
        if begin_ns <= t_ns <= finish_ns:
            here.append(away_m)
        elif apart_ns <= start_ns - t_ns <= around_ns:
            before.append(away_m)
        elif apart_ns <= t_ns - end_ns <= around_ns:
            after.append(away_m)
    if not here:
        return []
    middle_m = sum(here) / len(here)
    return [sorted(side)[len(side) // 2] - middle_m for side in (before, after) if len(side) >= options.least]
