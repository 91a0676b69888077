"""Stops before shelves: somebody walks up to a facing, looks at it, and does what they came for.

In: errands, and what is seen at every tick. Out: deeds, tick by tick.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sims.building import Building, Facing
from sims.customs import standing_place
from sims.errands import ShelfErrand, TakeWithBothHands
from sims.feet import Feet
from sims.shelf_work import Manner, ShelfWork, Tick


class Stops:
    """Feet and hands of somebody who shops. Generators yield once per tick."""

    def __init__(
        self, building: Building, feet: Feet, work: ShelfWork, manner: Manner, random: np.random.Generator, tick: Tick
    ) -> None:
        self._building, self._feet, self._work = building, feet, work
        self._manner, self._random, self._tick = manner, random, tick
        self._ready_for: ShelfErrand | None = None

    def approach(self, errand: ShelfErrand) -> Iterator[None]:
        """Go to where an errand is done, look at it, and be ready for it; or fail to get there."""
        facing, self._ready_for = self._spot(errand), None
        for _ in range(3):
            place = standing_place(
                self._building, facing, self._manner.stand_off_m, self._feet.others, self._random,
                self._manner.left_handed,
            )  # fmt: skip
            yield from self._feet.walk(place)
            if self._feet.reachable(facing):
                self._ready_for = errand
                self._feet.look_at(facing)
                break

    def make(self, errand: ShelfErrand) -> Iterator[None]:
        """An errand; at once if one is ready for it."""
        if self._ready_for is not errand:
            yield from self.approach(errand)
            if self._ready_for is not errand:
                return
            yield from self._tick.wait(self._manner.hesitate_s * float(self._random.lognormal(0.0, 0.35)))
        self._ready_for = None
        yield from self._work.do(errand)

    def _spot(self, errand: ShelfErrand) -> Facing:
        """The facing to stand before; of two, what lies between their outer edges."""
        facing = self._building.facings[errand.facing]
        if not isinstance(errand, TakeWithBothHands):
            return facing
        right = self._building.facings[errand.right]
        return replace(facing, width_m=right.offset_m + right.width_m - facing.offset_m)
