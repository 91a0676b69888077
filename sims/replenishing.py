"""What staff bring and do on a round: the gaps on the shelves as they are now.

In: the stock, the building, a generator. Out: items from the back room, and errands that put them where they belong.
"""

from typing import Protocol

import numpy as np

from sims.building import Building
from sims.errands import FillUp, Replenish
from sims.stock import LEAST_GRAMS, Unit


class Shelves(Protocol):
    """What can be seen of the stock."""

    def count(self, facing: str, column: int) -> int: ...


def gaps(
    building: Building, stock: Shelves, round_: Replenish, random: np.random.Generator
) -> tuple[list[Unit], list[FillUp]]:
    """The emptiest facings first, until the trolley is full."""
    found = []
    for facing in building.facings.values():
        there, room = sum(stock.count(facing.id, c) for c in range(facing.columns)), facing.columns * facing.rows
        if there < round_.below * room:
            found.append((there / room, facing, room - there))
    units: list[Unit] = []
    errands: list[FillUp] = []
    for _, facing, missing in sorted(found, key=lambda gap: (gap[0], gap[1].id)):
        count = min(missing, round_.most - len(units))
        if count <= 0:
            break
        item = building.items[facing.sku]
        grams = item.grams + np.clip(random.normal(0.0, 1.0, count), -3, 3) * item.grams_sigma
        units += [Unit(facing.sku, float(max(LEAST_GRAMS, g)), facing.id) for g in grams]
        errands.append(FillUp(facing.id, count))
    return units, errands
