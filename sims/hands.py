"""Hands: how they reach, grasp, carry and stow, tick by tick.

In: where the body stands and what the hand is to reach. Out: where the active palm is, and what is in the hand and in
the bag, basket or trolley.
"""

import math
from collections.abc import Iterator

from sims.building import Building, Facing
from sims.motion import bend, beside, distance, minimum_jerk
from sims.scene import Point
from sims.stock import Stock, Unit
from sims.walking import Place

BESIDE_M = 0.15
"""How far from the active palm the other one holds on."""
APART_M = 0.40
"""How far apart palms are that hang."""
CLEARLY_M = 0.08
"""What is so far to one side is for that side's hand."""
STOW_PLACES = {"basket": (0.06, -0.27, 0.44), "arm_basket": (0.22, -0.22, 0.52), "roller": (-0.05, -0.30, 0.45)}
"""Where goods are dropped by gear: forward and to the right of the body, in metres, and the share of its height."""


class Hands:
    """The active hand and a bag. Generators yield once per tick of ``dt_s``; ``reach_s`` is how slow somebody is."""

    def __init__(self, building: Building, height_m: float, reach_s: float, dt_s: float, gear: str = "") -> None:
        """``gear`` is the kind of what one shops with."""
        self._building, self._height_m = building, height_m
        self._reach_s, self._dt_s = reach_s, dt_s
        self.here: Place = (0.0, 0.0)
        self.heading_rad = 0.0
        self.palm: Point | None = None
        """Where the active palm is; None while the arm hangs."""
        self.left_active = False
        self.both = False
        """The other hand helps."""
        self._gear = gear
        self.holds: list[Unit] = []
        self.bag: list[Unit] = []
        self.at_shelf: str | None = None
        """The shelf that the hand is at."""

    @property
    def left_free(self) -> bool:
        """Whether the left hand has nothing else to do."""
        return self._gear not in ("basket", "arm_basket")

    @property
    def right(self) -> Point | None:
        """Where the right palm is; None while the arm hangs."""
        return self._of(left=False)

    @property
    def left(self) -> Point | None:
        """Where the left palm is; None while the arm hangs."""
        return self._of(left=True)

    def _of(self, left: bool) -> Point | None:
        if self.palm is None or (left != self.left_active and not self.both):
            return None
        if left == self.left_active:
            return self.palm
        forward = math.cos(self.heading_rad), math.sin(self.heading_rad)
        out = min(1.0, math.dist(self.palm, self._rest()) / 0.35)
        aside = (APART_M + (BESIDE_M - APART_M) * out) * (-1.0 if left else 1.0)
        return self.palm[0] + aside * forward[1], self.palm[1] - aside * forward[0], self.palm[2]

    def choose(self, goal: Point, left_handed: bool) -> None:
        """Make the hand active that reaches for ``goal``: the nearer one, or the better one straight ahead."""
        if self.holds or self.palm is not None:
            return
        dx, dy = goal[0] - self.here[0], goal[1] - self.here[1]
        right_m = dx * math.sin(self.heading_rad) - dy * math.cos(self.heading_rad)
        nearer_left = right_m < -CLEARLY_M or (left_handed and right_m < CLEARLY_M)
        self.left_active = self.left_free and nearer_left

    def has(self, home: str) -> bool:
        """Whether there is an item of this home in hand or bag."""
        return any(unit.home == home for unit in (*self.holds, *self.bag))

    def reach(self, facing: Facing, goal: Point) -> Iterator[None]:
        """Move the palm to a place in a shelf, from before its edge."""
        self.at_shelf = facing.shelf
        fixture, start = self._building.fixtures[facing.fixture], self.palm or self._rest()
        u, v, z = fixture.to_local(goal)
        over = fixture.point(u, min(v, 0.0) - 0.14, z + 0.05)
        yield from self._sweep(start, over, goal, self._reach_s * (0.7 + 0.5 * distance(start, goal)))

    def withdraw(self, facing: Facing) -> Iterator[None]:
        """Take the hand out of the shelf."""
        assert self.palm is not None
        fixture = self._building.fixtures[facing.fixture]
        u, v, z = fixture.to_local(self.palm)
        over = fixture.point(u, min(v, 0.0) - 0.16, z + 0.08)
        yield from self._sweep(self.palm, over, self._carry(), 0.9 * self._reach_s)
        self.at_shelf = None

    def lower(self) -> Iterator[None]:
        """Let the arm hang, whatever the hand holds."""
        if self.palm is not None:
            yield from self._sweep(self.palm, self.palm, self._rest(), 0.4 * self._reach_s)
            self.palm, self.both = None, False

    def stow(self) -> Iterator[None]:
        """What is in the hand goes into the basket, or into the bag at the left hip."""
        if not self.holds:
            return
        start = self.palm or self._carry()
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
            self.palm = bend(start, over, end, minimum_jerk(tick / ticks))
            yield

    def _rest(self) -> Point:
        return beside(*self.here, self.heading_rad, 0.05, 0.20 * self._side, 0.46 * self._height_m)

    def _carry(self) -> Point:
        return beside(*self.here, self.heading_rad, 0.28, 0.10 * self._side, 0.64 * self._height_m)

    def _bag_place(self) -> Point:
        forward_m, right_m, share = STOW_PLACES.get(self._gear, (0.14, -0.16, 0.55))
        return beside(*self.here, self.heading_rad, forward_m, right_m, share * self._height_m)

    @property
    def _side(self) -> float:
        return -1.0 if self.left_active else 1.0
