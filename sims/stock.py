"""What stands on the shelves, item by item, each with a weight of its own.

In: takes and put-backs. Out: what is where now, which plates carry it, and how heavy it is. Nobody outside the world
may ask for grams.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sims.building import Building, Shelf

LEAST_GRAMS = 1.0


@dataclass(frozen=True, slots=True)
class Unit:
    """One item. ``home`` is the facing it stood in when the store opened."""

    sku: str
    grams: float
    home: str


class Stock:
    """The items of all facings, per column from back to front."""

    def __init__(self, building: Building, random: np.random.Generator, fill: float = 1.0) -> None:
        self._building = building
        self._columns: dict[str, list[list[Unit]]] = {}
        for facing in building.facings.values():
            item = building.items[facing.sku]
            spread = np.clip(random.normal(0.0, 1.0, (facing.columns, facing.rows)), -3, 3) * item.grams_sigma
            grams = np.maximum(LEAST_GRAMS, item.grams + spread)
            left = random.binomial(facing.rows, fill, facing.columns) if fill < 1 else [facing.rows] * facing.columns
            self._columns[facing.id] = [
                [Unit(facing.sku, float(g), facing.id) for g in grams[c, : max(1, int(left[c]))]]
                for c in range(facing.columns)
            ]
        self._view = {facing: self._seen(facing) for facing in self._columns}

    @property
    def view(self) -> Mapping[str, tuple[tuple[str, ...], ...]]:
        """Facing to its columns of SKUs; a new mapping after every change, so that it may be kept."""
        return self._view

    def count(self, facing: str, column: int) -> int:
        """Items in a column."""
        return len(self._columns[facing][column])

    def filled_columns(self, facing: str) -> list[int]:
        """Columns from which something can be taken."""
        return [c for c, units in enumerate(self._columns[facing]) if units]

    def free_columns(self, facing: str) -> list[int]:
        """Columns with room at the front."""
        rows = self._building.facings[facing].rows
        return [c for c, units in enumerate(self._columns[facing]) if len(units) < rows]

    def take(self, facing: str, column: int, count: int) -> list[Unit]:
        """Remove up to ``count`` items from the front of a column and return them, front one first."""
        units = self._columns[facing][column]
        taken = [units.pop() for _ in range(min(count, len(units)))]
        self._changed(facing)
        return taken

    def put(self, facing: str, column: int, unit: Unit) -> None:
        """Stand an item before the others of a column."""
        self._columns[facing][column].append(unit)
        self._changed(facing)

    def grams_on_plates(self, fixture: str) -> dict[str, float]:
        """Grams of goods on every plate of a fixture."""
        grams = {p.id: 0.0 for p in self._building.plates.values() if p.fixture == fixture}
        for facing, columns in self._columns.items():
            if self._building.facings[facing].fixture == fixture:
                for column, units in enumerate(columns):
                    for index, unit in enumerate(units):
                        for plate, share in self.plate_shares(facing, column, index, unit.sku).items():
                            grams[plate] += unit.grams * share
        return grams

    def plate_shares(self, facing: str, column: int, index: int, sku: str) -> dict[str, float]:
        """How an item's weight is shared by the plates below it, by the width it stands on each."""
        place = self._building.facings[facing]
        u_m = self._building.slot(facing, column, index, sku)[0]
        return shares_below(self._building.shelves[place.shelf], u_m, self._building.items[sku].size_m[0] / 2)

    def _changed(self, facing: str) -> None:
        self._view = {**self._view, facing: self._seen(facing)}

    def _seen(self, facing: str) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(unit.sku for unit in units) for units in self._columns[facing])


def shares_below(shelf: Shelf, u_m: float, half_m: float) -> dict[str, float]:
    """How the plates of a shelf share what lies on it from ``u_m - half_m`` to ``u_m + half_m``, by width."""
    covered = {}
    for plate in shelf.plates:
        right_m = min(u_m + half_m, plate.offset_m + plate.width_m)
        if right_m > (left_m := max(u_m - half_m, plate.offset_m)):
            covered[plate.id] = right_m - left_m
    whole = sum(covered.values())
    return {plate: width / whole for plate, width in covered.items()}
