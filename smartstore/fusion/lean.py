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
    for track in seen:
        first = track.t_ns < start_ns
        off_s = max(start_ns - track.t_ns, track.t_ns - end_ns, 0) / NS_PER_S
        away_m = track.x_m * nx + track.y_m * ny
        if off_s <= (options.before_s if first else options.after_s):
            here.append(away_m)
        elif options.apart_s <= off_s <= options.around_s:
            (before if first else after).append(away_m)
    if not here:
        return []
    middle_m = sum(here) / len(here)
    return [sorted(side)[len(side) // 2] - middle_m for side in (before, after) if len(side) >= options.least]
