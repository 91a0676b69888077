"""Hands: how they reach, grasp, carry and stow, tick by tick.

In: where the body stands and what the hand is to reach. Out: where the right palm is, and what is in the hand and in
the bag.
"""

from collections.abc import Iterator

from sims.building import Building, Facing
from sims.motion import bend, beside, distance, minimum_jerk
from sims.scene import Point
from sims.stock import Stock, Unit
from sims.walking import Place


class Hands:
    """Two hands and a bag. Generators yield once per tick of ``dt_s``; ``reach_s`` is how slow somebody is."""

    def __init__(self, building: Building, height_m: float, reach_s: float, dt_s: float) -> None:
        self._building, self._height_m = building, height_m
        self._reach_s, self._dt_s = reach_s, dt_s
        self.here: Place = (0.0, 0.0)
        self.heading_rad = 0.0
        self.right: Point | None = None
        """Where the right palm is; None while the arm hangs."""
        self.holds: list[Unit] = []
        self.bag: list[Unit] = []
        self.at_shelf: str | None = None
        """The shelf that the hand is at."""

    def has(self, home: str) -> bool:
        """Whether there is an item of this home in hand or bag."""
        return any(unit.home == home for unit in (*self.holds, *self.bag))

    def reach(self, facing: Facing, goal: Point) -> Iterator[None]:
        """Move the palm to a place in a shelf, from before its edge."""
        self.at_shelf = facing.shelf
        fixture, start = self._building.fixtures[facing.fixture], self.right or self._rest()
        u, v, z = fixture.to_local(goal)
        over = fixture.point(u, min(v, 0.0) - 0.14, z + 0.05)
        yield from self._sweep(start, over, goal, self._reach_s * (0.7 + 0.5 * distance(start, goal)))

    def withdraw(self, facing: Facing) -> Iterator[None]:
        """Take the hand out of the shelf."""
        assert self.right is not None
        fixture = self._building.fixtures[facing.fixture]
        u, v, z = fixture.to_local(self.right)
        over = fixture.point(u, min(v, 0.0) - 0.16, z + 0.08)
        yield from self._sweep(self.right, over, self._carry(), 0.9 * self._reach_s)
        self.at_shelf = None

    def lower(self) -> Iterator[None]:
        """Let the arm hang, whatever the hand holds."""
        if self.right is not None:
            yield from self._sweep(self.right, self.right, self._rest(), 0.4 * self._reach_s)
            self.right = None

    def stow(self) -> Iterator[None]:
        """What is in the hand goes into the bag at the left hip."""
        if not self.holds:
            return
        start = self.right or self._carry()
        yield from self._sweep(start, start, self._bag_place(), 0.5 * self._reach_s)
        self.bag += self.holds
        self.holds = []

    def fetch(self, home: str) -> Iterator[None]:
        """Take an item of this home out of the bag."""
        yield from self._sweep(self._rest(), self._carry(), self._bag_place(), 0.6 * self._reach_s)
        unit = next(unit for unit in self.bag if unit.home == home)
        self.bag.remove(unit)
        self.holds.append(unit)
        yield from self._sweep(self._bag_place(), self._carry(), self._carry(), 0.5 * self._reach_s)

    def front(self, stock: Stock, facing: Facing, column: int) -> Point:
        """Where the palm goes for the first item of a column."""
        index = stock.count(facing.id, column) - 1
        return self.grip(facing, column, index, stock.view[facing.id][column][index])

    def grip(self, facing: Facing, column: int, index: int, sku: str) -> Point:
        """Where the palm goes for an item: before the upper half of its front."""
        u, v, z = self._building.slot(facing.id, column, index, sku)
        _, depth, height = self._building.items[sku].size_m
        return self._building.fixtures[facing.fixture].point(u, v - depth / 2 - 0.01, z + 0.6 * height)

    def _sweep(self, start: Point, over: Point, end: Point, seconds: float) -> Iterator[None]:
        ticks = max(1, round(seconds / self._dt_s))
        for tick in range(1, ticks + 1):
            self.right = bend(start, over, end, minimum_jerk(tick / ticks))
            yield

    def _rest(self) -> Point:
        return beside(*self.here, self.heading_rad, 0.05, 0.20, 0.46 * self._height_m)

    def _carry(self) -> Point:
        return beside(*self.here, self.heading_rad, 0.28, 0.10, 0.64 * self._height_m)

    def _bag_place(self) -> Point:
        return beside(*self.here, self.heading_rad, 0.14, -0.16, 0.55 * self._height_m)
