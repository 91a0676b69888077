"""Hands: how they reach, grasp, carry and stow, tick by tick.

In: where the body stands and what the hand is to reach. Out: where the active palm is, and what is in the hand and in
the bag, basket or trolley.
"""

import math
from collections.abc import Iterator
from itertools import zip_longest

from sims.building import Building, Facing
from sims.motion import bend, beside, distance, minimum_jerk
from sims.scene import BASKETS, Place, Point
from sims.stock import Stock, Unit

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
        self._apart: Point | None = None
        """Where the other palm is while it does something of its own."""
        self._gear = gear
        self.holds: list[Unit] = []
        self.bag: list[Unit] = []
        self.at_shelf: str | None = None
        """The shelf that the hand is at."""

    @property
    def left_free(self) -> bool:
        """Whether the left hand has nothing else to do."""
        return self._gear not in BASKETS

    @property
    def right(self) -> Point | None:
        """Where the right palm is; None while the arm hangs."""
        return self._of(left=False)

    @property
    def left(self) -> Point | None:
        """Where the left palm is; None while the arm hangs."""
        return self._of(left=True)

    def _of(self, left: bool) -> Point | None:
        if self.palm is None or left == self.left_active:
            return self.palm
        if self._apart is not None:
            return self._apart
        return self._helping(self.palm) if self.both else None

    def _helping(self, palm: Point) -> Point:
        """Where the other palm is while it helps the active one at ``palm``."""
        left = not self.left_active
        forward = math.cos(self.heading_rad), math.sin(self.heading_rad)
        out = min(1.0, math.dist(palm, self._rest()) / 0.35)
        aside = (APART_M + (BESIDE_M - APART_M) * out) * (-1.0 if left else 1.0)
        return palm[0] + aside * forward[1], palm[1] - aside * forward[0], palm[2]

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
        start = self.palm or self._rest()
        yield from self._sweep(start, self._before(facing, goal), goal, self._reach_time(start, goal))

    def withdraw(self, facing: Facing) -> Iterator[None]:
        """Take the hand out of the shelf."""
        assert self.palm is not None
        over = self._before(facing, self.palm, 0.16, 0.08)
        yield from self._sweep(self.palm, over, self._carry(), 0.9 * self._reach_s)
        self.at_shelf = None

    def reach_with_both(self, facing: Facing, goals: tuple[Point, Point], lag_s: float) -> Iterator[None]:
        """Move the active palm to the first place and the other one, ``lag_s`` later, to the second."""
        self.at_shelf, self.both = facing.shelf, True
        start = self.palm or self._rest()
        seconds, other = self._reach_time(start, goals[0]), self._helping(start)
        ways = (
            self._way(start, self._before(facing, goals[0]), goals[0], seconds),
            self._way(other, self._before(facing, goals[1]), goals[1], seconds + lag_s),
        )
        yield from self._together(*ways)

    def withdraw_both(self, facing: Facing) -> Iterator[None]:
        """Take both hands out of the shelf."""
        assert self.palm is not None
        assert self._apart is not None
        end, seconds = self._carry(), 0.9 * self._reach_s
        ways = (
            self._way(self.palm, self._before(facing, self.palm, 0.16, 0.08), end, seconds),
            self._way(self._apart, self._before(facing, self._apart, 0.16, 0.08), self._helping(end), seconds),
        )
        yield from self._together(*ways)
        self.at_shelf = self._apart = None

    def raise_up(self, by_m: float, seconds: float) -> Iterator[None]:
        """Lift the palm straight up."""
        assert self.palm is not None
        x, y, z = self.palm
        yield from self._sweep(self.palm, (x, y, z + by_m / 2), (x, y, z + by_m), seconds)

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

    def take_out(self, home: str) -> Iterator[None]:
        """Have an item of this home in the hand, out of the bag if need be."""
        if not any(unit.home == home for unit in self.holds):
            yield from self.stow()
            yield from self.fetch(home)

    def extend(self, goal: Point) -> Iterator[None]:
        """Move the palm to a place before the body."""
        start = self.palm or self._rest()
        middle = bend(start, self._carry(), goal, 0.5)
        yield from self._sweep(start, middle, goal, self._reach_time(start, goal))

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
        for place in self._way(start, over, end, seconds):
            self.palm = place
            yield

    def _way(self, start: Point, over: Point, end: Point, seconds: float) -> Iterator[Point]:
        """Where a palm is at every tick on its way."""
        ticks = max(1, round(seconds / self._dt_s))
        for tick in range(1, ticks + 1):
            yield bend(start, over, end, minimum_jerk(tick / ticks))

    def _together(self, active: Iterator[Point], other: Iterator[Point]) -> Iterator[None]:
        """Both palms on their ways, until the longer one is over."""
        for palm, apart in zip_longest(active, other):
            self.palm, self._apart = palm or self.palm, apart or self._apart
            yield

    def _before(self, facing: Facing, place: Point, off_m: float = 0.14, up_m: float = 0.05) -> Point:
        """The point before the shelf's edge by which a hand comes and goes."""
        fixture = self._building.fixtures[facing.fixture]
        u, v, z = fixture.to_local(place)
        return fixture.point(u, min(v, 0.0) - off_m, z + up_m)

    def _reach_time(self, start: Point, goal: Point) -> float:
        return self._reach_s * (0.7 + 0.5 * distance(start, goal))

    def _rest(self) -> Point:
        return beside(*self.here, self.heading_rad, 0.05, 0.20 * self._side, 0.46 * self._height_m)

    def _carry(self) -> Point:
        return beside(*self.here, self.heading_rad, 0.28, 0.10 * self._side, 0.64 * self._height_m)

    def floor_ahead(self, height_m: float) -> Point:
        """Where the palm is when something of that height stands on the floor."""
        return beside(*self.here, self.heading_rad, 0.30, 0.08 * self._side, height_m)

    def _bag_place(self) -> Point:
        forward_m, right_m, share = STOW_PLACES.get(self._gear, (0.14, -0.16, 0.55))
        return beside(*self.here, self.heading_rad, forward_m, right_m, share * self._height_m)

    @property
    def _side(self) -> float:
        return -1.0 if self.left_active else 1.0
