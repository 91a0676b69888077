"""People who stood so close that their tracks may have changed places: told by their looks when they are apart again.

In: tracks, and what they were seen to look like, moment by moment. Out: pairs of tracks that follow each other's
person. What a camera's light does to looks it does to both: only the difference between the two is looked at, before
they met and after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from smartstore.vision.tracks import Looks, Track, near_pairs

Array = NDArray[np.float64]
_NONE: Looks = np.zeros(0), 0


@dataclass(frozen=True, slots=True)
class CrossingOptions:
    """Lengths in metres; looks are unit vectors."""

    near_m: float = 0.7
    """Tracks so near to each other may change places."""
    apart_m: float = 1.0
    """Beyond that nobody is taken for the other one."""
    least_looks: int = 10
    """Of both, seen apart, before anything is said ..."""
    clear: float = 0.3
    """... and so clear it has to be: the cosine between the differences before and after is near 1 if they are who they
    were, and near -1 if they have changed places. In 24 rushes it was 0.3 to 0.98 for 286 pairs that had not, in
    another one -0.05 after ten looks."""
    most_looks: int = 60
    """After so many of both its sign is believed."""
    unlike: float = 0.15
    """A difference shorter than that tells nothing: they wear the same."""


@dataclass(slots=True)
class _Crossing:
    """What two tracks looked like before they met, and the sums of what they look like since."""

    one: Array
    other: Array
    sums: list[Array] = field(default_factory=list)
    seen: list[int] = field(default_factory=lambda: [0, 0])

    def forget(self) -> None:
        """They are near each other: what either looks like may be the other one."""
        self.sums, self.seen = [np.zeros_like(self.one) for _ in range(2)], [0, 0]

    def add(self, *looks: Looks) -> None:
        """Takes in what the two look like now."""
        for which, (total, count) in enumerate(looks):
            if count and len(total) == len(self.one) == len(self.other):
                self.sums[which] += total
                self.seen[which] += count

    def differences(self) -> tuple[Array, Array]:
        """How they differed, and how they differ now."""
        return self.one - self.other, self.sums[0] / self.seen[0] - self.sums[1] / self.seen[1]


class Crossings:
    """All crossings that are not decided."""

    def __init__(self, options: CrossingOptions | None = None) -> None:
        self._options = options or CrossingOptions()
        self._open: dict[tuple[int, int], _Crossing] = {}

    def observe(self, tracks: Sequence[Track], looks: Mapping[int, Looks]) -> list[tuple[Track, Track]]:
        """Pairs of ``tracks`` that have changed places; ``looks`` are those of this moment, by row."""
        row = {track.serial: i for i, track in enumerate(tracks) if track.number}
        waiting = [(row[one], row[other]) for one, other in self._open if one in row and other in row]
        rows = [*row.values()]
        near = [(rows[i], rows[j]) for i, j in near_pairs([tracks[i] for i in rows], self._options.near_m)]
        still: dict[tuple[int, int], _Crossing] = {}
        changed = []
        for i, j in sorted({*waiting, *near}):
            one, other = tracks[i], tracks[j]
            key, metres = (one.serial, other.serial), one.away_m(other)
            crossing = self._open.get(key)
            if metres < self._options.near_m:
                still[key] = crossing = crossing or _Crossing(one.appearance, other.appearance)
                crossing.forget()
            elif crossing is not None:
                still[key] = crossing
                if metres > self._options.apart_m:
                    crossing.add(looks.get(i, _NONE), looks.get(j, _NONE))
                if min(crossing.seen) >= self._options.least_looks and (said := self._said(crossing)) is not None:
                    del still[key]
                    if said:
                        changed.append((one, other))
        self._open = still
        return changed

    def _said(self, crossing: _Crossing) -> bool | None:
        """Whether two have changed places; None while that is not clear."""
        before, after = crossing.differences()
        long = float(np.linalg.norm(before)), float(np.linalg.norm(after))
        if min(long) < self._options.unlike:
            return False
        cosine = float(before @ after) / (long[0] * long[1])
        if abs(cosine) < self._options.clear and min(crossing.seen) < self._options.most_looks:
            return None
        return cosine < 0.0
