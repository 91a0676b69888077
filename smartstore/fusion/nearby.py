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

FAR_NATS = 8.0
"""Whose hands and place are so much less likely than another one's did nothing, however they leaned."""


@dataclass(frozen=True)
class Nearby:
    """Asks the memory for everybody of a visit at once."""

    memory: ReachMemory

    def reacher(
        self, change: Change, owners: Mapping[int, str], inside: Sequence[str], strangers: Collection[int]
    ) -> Reach:
        """How surely a visit reached a facing at the time of a change, or, as "", somebody known to be of none.

        How people leaned tells who it was and not whether it was anybody: whoever is surest by both is as sure as
        whoever was by hands.
        """
        people = {visit: [tracks] for visit, tracks in self._tracks_of(owners, inside).items()}
        people[""] = [[track] for track in sorted(set(strangers) & set(self.memory.tracks()))]
        known: dict[str, dict[str, float]] = {}

        def by_hands(tracks: list[int], facing: Facing) -> float:
            where = (tracks, facing, *change.hands_ns)
            ratio = self.memory.log_ratio(*where, came=change.may_come)
            return ratio if change.step else max(ratio, self.memory.touch_log(*where))

        def of_all(facing: Facing) -> dict[str, float]:
            hands = {visit: [by_hands(tracks, facing) for tracks in each] for visit, each in people.items() if each}
            found = {visit: max(ratios) for visit, ratios in hands.items()}
            surest = max(found.values(), default=-math.inf)
            rivals = [visit for visit, ratio in found.items() if ratio > surest - FAR_NATS]
            if change.step is None or len(rivals) < 2:
                return found
            both = {
                visit: max(
                    ratio + self.memory.lean_log(tracks, facing, *change.hands_ns)
                    for ratio, tracks in zip(hands[visit], people[visit], strict=True)
                )
                for visit in rivals
            }
            off = surest - max(both.values())
            return found | {visit: ratio + off for visit, ratio in both.items()}

        def reach(visit: str, facing: Facing) -> float:
            if facing.id not in known:
                known[facing.id] = of_all(facing)
            return known[facing.id].get(visit, -math.inf)

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
