"""Who of those inside could have reached a facing at the time of a change.

In: a memory of where hands were, and whose track is whose. Out: functions that give log-likelihood ratios in nats.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from smartstore.fusion.changes import Change
from smartstore.fusion.exchanges import Reached
from smartstore.fusion.hypotheses import Reach
from smartstore.fusion.reach import ReachMemory
from smartstore.site import Facing


@dataclass(frozen=True)
class Nearby:
    """Asks the memory for everybody of a visit at once."""

    memory: ReachMemory

    def reacher(
        self, change: Change, owners: Mapping[int, str], inside: Sequence[str], strangers: Collection[int]
    ) -> Reach:
        """How surely a visit reached a facing at the time of a change, or, as "", somebody known to be of none."""
        tracks = self._tracks_of(owners, inside)
        seen = sorted(set(strangers) & set(self.memory.tracks()))

        def of(numbers: list[int], facing: Facing) -> float:
            where = (numbers, facing, *change.hands_ns)
            ratio = self.memory.log_ratio(*where, came=change.may_come)
            return ratio if change.step else max(ratio, self.memory.touch_log(*where))

        def reach(visit: str, facing: Facing) -> float:
            if visit:
                return of(tracks[visit], facing)
            return max((of([stranger], facing) for stranger in seen), default=-math.inf)

        return reach

    def reached(self, owners: Mapping[int, str], inside: Sequence[str]) -> Reached:
        """Who of those inside may have reached into a facing between two times."""

        def reached(facing: Facing, start_ns: int, end_ns: int) -> dict[str, float]:
            return {
                visit: self.memory.log_ratio(tracks, facing, start_ns, end_ns)
                for visit, tracks in self._tracks_of(owners, inside).items()
            }

        return reached

    def _tracks_of(self, owners: Mapping[int, str], inside: Sequence[str]) -> dict[str, list[int]]:
        """The tracks of everybody inside."""
        tracks: dict[str, list[int]] = {visit: [] for visit in inside}
        for track in self.memory.tracks():
            if owners.get(track) in tracks:
                tracks[owners[track]].append(track)
        return tracks
