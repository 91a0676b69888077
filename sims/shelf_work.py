"""What shoppers do at a shelf: take, put back, touch, lean.

In: a facing, and what is seen at every tick. Out: deeds, tick by tick; the hands move as they are done.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from sims import deeds
from sims.arrangement import foreign
from sims.building import Building, Facing
from sims.deeds import Snapshot
from sims.errands import FillUp, LeanOn, LookAt, PickThingUp, PutItemBack, ShelfErrand, TakeItems, TakeWithBothHands
from sims.hands import Hands

BOTH_HANDS_GRAMS = 1200.0
"""What is heavier is taken with both hands."""
LIFTED_M = 0.05
"""How far a slow lift goes before the hand comes out of the shelf."""
LEAN_GRAMS, LEAN_M = (500.0, 3000.0), (0.35, 0.60)
"""What somebody who leans rests on a shelf, and over how much of its width."""
PATIENCE_S = 60.0
"""How long somebody waits for what another shopper is to leave on a shelf."""
HOLD_GRAMS = (60.0, 300.0)
"""What the hand around an item weighs on the shelf."""


@dataclass(slots=True)
class Manner:
    """How quick somebody is and with which hand; drawn once per person. Seconds and metres."""

    reach_s: float
    hesitate_s: float
    inspect_s: float
    stand_off_m: float
    left_handed: bool


@dataclass(slots=True)
class Tick:
    """What somebody sees and does now; every ``yield`` lets one tick of ``dt_s`` pass."""

    dt_s: float
    seen: Snapshot = field(init=False)
    done: list[deeds.Deed] = field(default_factory=list)

    def begin(self, seen: Snapshot) -> None:
        """The next tick."""
        self.seen, self.done = seen, []

    def do(self, deed: deeds.Deed) -> None:
        """One more deed of this tick."""
        self.done.append(deed)

    def wait(self, seconds: float) -> Iterator[None]:
        """Let time pass, one tick at least."""
        for _ in range(max(1, round(seconds / self.dt_s))):
            yield


class ShelfWork:
    """The hands of somebody who stands before a facing."""

    def __init__(
        self, building: Building, hands: Hands, manner: Manner, random: np.random.Generator, tick: Tick
    ) -> None:
        self._building, self._hands, self._manner = building, hands, manner
        self._random, self._tick = random, tick

    def do(self, errand: ShelfErrand) -> Iterator[None]:
        """An errand, from the hanging hand to the hanging hand."""
        facing = self._building.facings[errand.facing]
        if isinstance(errand, TakeItems):
            yield from self.take(facing, errand)
        elif isinstance(errand, TakeWithBothHands):
            yield from self.take_both((facing, self._building.facings[errand.right]))
        elif isinstance(errand, PutItemBack):
            yield from self.put_back(facing, errand.source)
        elif isinstance(errand, FillUp):
            for _ in range(errand.count):
                yield from self.put_back(facing, facing.id)
        elif isinstance(errand, PickThingUp):
            yield from self.pick_up(facing)
        elif isinstance(errand, LeanOn):
            yield from self.lean(facing, errand.lean_s)
        elif isinstance(errand, LookAt):
            yield from self._tick.wait(errand.look_s)
        else:
            yield from self.touch(facing)

    def take(self, facing: Facing, errand: TakeItems) -> Iterator[None]:
        """Take items, one by one or several at a grab, and put one back at once if the errand says so."""
        if errand.touch_first:
            yield from self.touch(facing)
            yield from self._tick.wait(self._random.uniform(0.3, 0.9))
        count = 0
        for _ in range(errand.count + 2):
            if count >= errand.count:
                break
            yield from self._hands.stow()
            wanted = self._building.facings[errand.left_from].sku if errand.left_from else facing.sku
            if errand.left_from:
                yield from self._wait_for(facing, wanted)
            column = self._choose(self._columns_of(facing, wanted))
            if column is None:
                break
            goal = self._hands.front(self._tick.seen.stock, facing, column)
            self._hands.choose(goal, self._manner.left_handed)
            self._hands.both = self._hands.left_free and (errand.double_grab or self._heavy(wanted))
            yield from self._hands.reach(facing, goal)
            if errand.hold_s:
                yield from self._hold(facing, column, errand.hold_s)
            before = len(self._hands.holds)
            grasp = self._grasp(facing, column, errand.count - count if errand.double_grab else 1)
            self._tick.do(replace(grasp, lift_s=errand.lift_s or grasp.lift_s))
            yield
            count += len(self._hands.holds) - before
            yield from self._tick.wait(self._random.uniform(0.10, 0.25))
            if errand.lift_s:
                yield from self._hands.raise_up(LIFTED_M, errand.lift_s)
            yield from self._hands.withdraw(facing)
        yield from self._tick.wait(self._manner.inspect_s * float(self._random.lognormal(0.0, 0.3)))
        if errand.put_back_at_once and self._hands.holds:
            yield from self.put_back(self._building.facings[errand.put_back_at_once], facing.id)
        else:
            yield from self._hands.lower()

    def take_both(self, facings: tuple[Facing, Facing]) -> Iterator[None]:
        """Take one item from each of two facings, left and right, one with each hand, within 0.3 s."""
        yield from self._hands.stow()
        columns = [self._choose(self._columns_of(facing, facing.sku)) for facing in facings]
        left, right = columns
        if left is None or right is None:
            return
        stock, places = self._tick.seen.stock, list(zip(facings, (left, right), strict=True))
        self._hands.left_active = bool(self._random.random() < 0.5)
        if not self._hands.left_active:
            places.reverse()
        (first, column), (second, later_column) = places
        goals = self._hands.front(stock, first, column), self._hands.front(stock, second, later_column)
        reached = False
        for _ in self._hands.reach_with_both(first, goals, float(self._random.uniform(0.03, 0.25))):
            if not reached and self._hands.palm == goals[0]:
                reached = True
                self._tick.do(self._grasp(first, column, 1))
            yield
        self._tick.do(self._grasp(second, later_column, 1))
        yield
        yield from self._tick.wait(self._random.uniform(0.10, 0.25))
        yield from self._hands.withdraw_both(first)
        yield from self._tick.wait(self._manner.inspect_s)
        yield from self._hands.stow()
        yield from self._hands.lower()

    def put_back(self, facing: Facing, home: str) -> Iterator[None]:
        """Put an item of this home into a facing, out of the hand or the bag."""
        yield from self._hands.take_out(home)
        unit = next(unit for unit in self._hands.holds if unit.home == home)
        column = self._choose(self._tick.seen.stock.free_columns(facing.id))
        if column is None:
            column = int(self._random.integers(facing.columns))
        index = self._tick.seen.stock.count(facing.id, column)
        yield from self._hands.reach(facing, self._hands.grip(facing, column, index, unit.sku))
        press_grams = float(self._random.uniform(5, 30))
        self._tick.do(deeds.PutDown(facing.id, column, home, press_grams, float(self._random.uniform(0.12, 0.35))))
        yield
        self._hands.holds.remove(unit)
        yield from self._tick.wait(self._random.uniform(0.10, 0.25))
        yield from self._hands.withdraw(facing)
        yield from self._hands.lower()

    def touch(self, facing: Facing) -> Iterator[None]:
        """Rummage, press a little, or reach and think better of it."""
        yield from self._hands.stow()
        column = self._choose(self._tick.seen.stock.filled_columns(facing.id))
        if column is None:
            return
        goal = self._hands.front(self._tick.seen.stock, facing, column)
        self._hands.choose(goal, self._manner.left_handed)
        yield from self._hands.reach(facing, goal)
        if self._random.random() < 0.6:
            press_s = float(self._random.uniform(0.15, 0.6))
            self._tick.do(deeds.Press(facing.id, column, float(self._random.uniform(15, 90)), press_s))
            yield from self._tick.wait(press_s)
        yield from self._hands.withdraw(facing)
        yield from self._hands.lower()

    def lean(self, facing: Facing, lean_s: float) -> Iterator[None]:
        """Rest one or both arms on the edge of the shelf."""
        yield from self._hands.stow()
        fixture, shelf = self._building.fixtures[facing.fixture], self._building.shelves[facing.shelf]
        middle_m = facing.offset_m + facing.width_m / 2 + float(self._random.uniform(-0.12, 0.12))
        edge = fixture.point(middle_m, 0.02, shelf.height_m + 0.03)
        self._hands.choose(edge, self._manner.left_handed)
        self._hands.both = self._hands.left_free
        yield from self._hands.reach(facing, edge)
        grams, width_m = float(self._random.uniform(*LEAN_GRAMS)), float(self._random.uniform(*LEAN_M))
        ease_s = min(0.4 * lean_s, float(self._random.uniform(0.25, 0.7)))
        self._tick.do(deeds.Lean(facing.id, middle_m, width_m, grams, lean_s - ease_s, ease_s))
        yield from self._tick.wait(lean_s)
        yield from self._hands.withdraw(facing)
        yield from self._hands.lower()

    def pick_up(self, facing: Facing) -> Iterator[None]:
        """Take away a thing that is no product, if there is one."""
        yield from self._hands.stow()
        view = self._tick.seen.stock.view[facing.id]
        column = next((c for c, skus in enumerate(view) if skus and foreign(skus[-1])), None)
        if column is None:
            return
        goal = self._hands.front(self._tick.seen.stock, facing, column)
        self._hands.choose(goal, self._manner.left_handed)
        yield from self._hands.reach(facing, goal)
        self._tick.do(self._grasp(facing, column, 1))
        yield
        yield from self._tick.wait(self._random.uniform(0.10, 0.25))
        yield from self._hands.withdraw(facing)
        yield from self._hands.stow()
        yield from self._hands.lower()

    def drop(self, home: str) -> Iterator[None]:
        """Leave an item on the floor before the feet."""
        yield from self._hands.take_out(home)
        sku = next(unit.sku for unit in self._hands.holds if unit.home == home)
        spot = self._hands.floor_ahead(self._building.items[sku].size_m[2])
        yield from self._hands.extend(spot)
        self._tick.do(deeds.Drop(home, spot))
        yield
        yield from self._tick.wait(self._random.uniform(0.1, 0.4))
        yield from self._hands.lower()

    def _hold(self, facing: Facing, column: int, hold_s: float) -> Iterator[None]:
        """The hand rests on an item, heavier and lighter."""
        ease_s = min(0.4 * hold_s, float(self._random.uniform(0.1, 0.3)))
        press_grams = float(self._random.uniform(*HOLD_GRAMS))
        self._tick.do(deeds.Press(facing.id, column, press_grams, hold_s - ease_s, ease_s))
        yield from self._tick.wait(hold_s)

    def _grasp(self, facing: Facing, column: int, count: int) -> deeds.Grasp:
        """Push of the fingers before the lift, +26 to +53 g for about 0.1 s, now and then more and longer."""
        heavy = self._random.random() < 0.12
        press_grams = self._random.uniform(60, 160) if heavy else self._random.uniform(26, 53)
        press_s = self._random.uniform(0.06, 0.30 if heavy else 0.16)
        lift_s = self._random.uniform(0.07, 0.30)
        return deeds.Grasp(facing.id, column, count, float(press_grams), float(press_s), float(lift_s))

    def _choose(self, columns: list[int]) -> int | None:
        return columns[int(self._random.integers(len(columns)))] if columns else None

    def _heavy(self, sku: str) -> bool:
        return self._building.items[sku].grams > BOTH_HANDS_GRAMS

    def _columns_of(self, facing: Facing, sku: str) -> list[int]:
        """Columns with a product at the front."""
        stock = self._tick.seen.stock
        return [column for column in stock.filled_columns(facing.id) if stock.view[facing.id][column][-1] == sku]

    def _wait_for(self, facing: Facing, sku: str) -> Iterator[None]:
        """Until somebody has left a product in a facing, but not for ever."""
        for _ in range(round(PATIENCE_S / self._tick.dt_s)):
            if self._columns_of(facing, sku):
                return
            yield
