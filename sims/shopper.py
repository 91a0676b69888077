"""A shopper: a story told tick by tick, from the palm at the gate to the way out.

In: a plan, and at every tick the :class:`Snapshot` that all shoppers see. Out: deeds, and how the body stands and
moves. A shopper never touches the world; what a deed brought is told with :meth:`Shopper.receive` and
:meth:`Shopper.admitted`.
"""

import math
from collections.abc import Iterator

import numpy as np

from sims import deeds
from sims.arrangement import foreign
from sims.building import Building
from sims.company import Company
from sims.customs import Customs, waiting_place
from sims.deeds import Snapshot
from sims.errands import (
    DropItem,
    Errand,
    GiveTo,
    Plan,
    PutItemBack,
    Replenish,
    StandStill,
    StandUntil,
    TakeItems,
)
from sims.feet import Feet, bearing_rad
from sims.hands import Hands
from sims.replenishing import gaps
from sims.scene import BodyState, Gear, Place
from sims.shelf_work import Manner, ShelfWork, Tick
from sims.stock import Unit
from sims.stops import Stops
from sims.wheels import ROLLING, Wheels

SCANS = 3


class Shopper:
    """One shopper, from arrival to exit. ``dt_s`` is the length of a tick."""

    def __init__(
        self,
        plan: Plan,
        building: Building,
        customs: Customs,
        height_m: float,
        random: np.random.Generator,
        dt_s: float,
    ) -> None:
        self.plan, self.building, self.customs = plan, building, customs
        self.height_m, self.random, self.dt_s = height_m, random, dt_s
        self.visit: str | None = None
        self.done = False
        self.comes_s = plan.arrive_s if plan.behind is None else 0.0
        """From when on they :meth:`decide`; who follows somebody looks out for them from the start."""
        manner = Manner(
            reach_s=random.uniform(0.65, 1.0), hesitate_s=random.uniform(0.7, 1.6),
            inspect_s=random.uniform(0.5, 1.3), stand_off_m=random.uniform(0.40, 0.50), left_handed=plan.left_handed,
        )  # fmt: skip
        self.hands = Hands(building, height_m, manner.reach_s, dt_s, plan.gear)
        self.hands.bag = list(plan.brings)
        self._tick = Tick(dt_s)
        self._work = ShelfWork(building, self.hands, manner, random, self._tick)
        self._wheels = Wheels(building, plan.gear, height_m)
        self._feet = Feet(plan.name, building, customs, height_m, self.hands, self._tick)
        self._stops = Stops(building, self._feet, self._work, manner, random, self._tick)
        self._company = Company(plan.name, plan.awaits, building, height_m, self.hands, self._feet, random, self._tick)
        self._claimed: str | None = None
        self._inside = False
        self._story = self._live()

    @property
    def name(self) -> str:
        """Who it is; truth only."""
        return self.plan.name

    @property
    def held(self) -> list[Unit]:
        """Everything the shopper has."""
        return [*self.hands.holds, *self.hands.bag]

    def decide(self, snapshot: Snapshot) -> list[deeds.Deed]:
        """The deeds of this tick."""
        self._tick.begin(snapshot)
        self.hands.here = self._feet.here
        if next(self._story, self) is self:
            self.done = True
        return self._tick.done

    def receive(self, units: list[Unit]) -> None:
        """The hand has closed around these."""
        self.hands.holds += units

    def admitted(self, visit: str | None) -> None:
        """The way is free, on a visit or (staff, those who slip in) on none."""
        self.visit, self._inside = visit, True

    def move(self, snapshot: Snapshot) -> BodyState:
        """Turn and step for one tick; how the body is then."""
        (x, y), hands = snapshot.where[self.name], self.hands
        speed = self._feet.step(snapshot, self.dt_s)
        return BodyState(
            self.name, self.plan.body, self.plan.outfit, x, y, hands.heading_rad, speed, self._feet.gait_phase,
            hands.left, hands.right, tuple(unit.sku for unit in hands.holds), self._gear((x, y), speed),
            hands.left_active,
        )  # fmt: skip

    def _gear(self, here: Place, speed_m_s: float) -> Gear | None:
        """What the shopper shops with, and what is in it."""
        kind, hands = self.plan.gear, self.hands
        if not kind:
            return None
        goods = tuple(unit.sku for unit in hands.bag if not foreign(unit.sku))
        if kind not in ROLLING:
            return Gear(kind, goods)
        place = self._wheels.follow(here, hands.heading_rad, speed_m_s, self.dt_s)
        return Gear(kind, goods, place, gripped=self._wheels.gripped and hands.palm is None)

    # The story. Every ``yield`` lets one tick pass.

    def _live(self) -> Iterator[None]:
        yield from self._enter()
        if self._inside:
            yield from self._shop()
            yield from self._leave()
        self._tick.do(deeds.Vanish())
        yield

    def _enter(self) -> Iterator[None]:
        if self.plan.behind is None:
            yield from self._claim("entry")
            yield from self._ask_in()
        else:
            yield from self._follow(self.plan.behind)
        if self._inside:
            self._tick.do(deeds.Go(self.customs.inside))
            yield
            while math.dist(self._feet.here, self.customs.station) < 0.9 and not self._feet.there:
                yield
        if self._inside and self.plan.followed_by:
            self._tick.do(deeds.PassOn("entry", self.plan.followed_by))
            self._claimed = None
        self._release()

    def _ask_in(self) -> Iterator[None]:
        """Hold the palm over the scanner, or show the pass."""
        self._appear()
        yield from self._tick.wait(self.random.uniform(0.6, 1.4))
        for _ in range(SCANS):
            self._tick.do(deeds.ShowPass() if self.plan.role == "staff" else deeds.ScanPalm())
            yield
            if self._inside:
                yield from self._tick.wait(self.random.uniform(0.3, 0.6))
                break
            yield from self._tick.wait(1.0)

    def _follow(self, ahead: str) -> Iterator[None]:
        """Walk in right behind somebody, if they are let in."""
        while self._tick.seen.owners.get("entry") != self.name:
            if ahead in self._tick.seen.gone:
                return
            yield
        self._claimed = "entry"
        self._appear()
        self._tick.do(deeds.FollowIn())
        yield

    def _appear(self) -> None:
        self._tick.do(deeds.Appear(self.customs.station))
        self.hands.heading_rad = bearing_rad(self.customs.station, self.customs.inside)

    def _shop(self) -> Iterator[None]:
        left: list[Errand] = list(self.plan.errands)
        while left or self._company.expects():
            if self._company.hailed:
                yield from self._company.attend()
                continue
            errand = self._next_errand(left)
            if errand is None:
                if self.customs.one_at_a_fixture and self._claimed is None and self._in_the_way():
                    yield from self._feet.walk(waiting_place(self.customs, self._feet.here, self._feet.others))
                yield
                continue
            left.remove(errand)
            yield from self._do(errand)
            if not any(self._fixture_of(other) == self._claimed for other in left):
                self._release()
        self._release()

    def _do(self, errand: Errand) -> Iterator[None]:
        if isinstance(errand, StandStill):
            yield from self._company.stand(errand.pause_s)
        elif isinstance(errand, StandUntil):
            yield from self._stand_until(errand)
        elif isinstance(errand, GiveTo):
            yield from self._company.give(errand.to, errand.source)
        elif isinstance(errand, DropItem):
            yield from self._work.drop(errand.source)
        elif isinstance(errand, Replenish):
            yield from self._fill_gaps(errand)
        else:
            yield from self._stops.make(errand)

    def _fill_gaps(self, round_: Replenish) -> Iterator[None]:
        units, fillings = gaps(self.building, self._tick.seen.stock, round_, self.random)
        self.hands.bag += units
        for filling in fillings:
            yield from self._stops.make(filling)

    def _next_errand(self, left: list[Errand]) -> Errand | None:
        """The first errand that can be done now."""
        if self._claimed is not None and self._tick.seen.owners.get(self._claimed) != self.name:
            self._claimed = None
        for errand in left[:1] if self.plan.in_order else left:
            if isinstance(errand, PutItemBack | GiveTo | DropItem) and not self.hands.has(errand.source):
                if self._company.expects(errand.source):
                    return None
                if any(isinstance(other, TakeItems) and other.facing == errand.source for other in left):
                    continue
                left.remove(errand)
                return self._next_errand(left)
            fixture = self._fixture_of(errand)
            if fixture is None or not self.customs.one_at_a_fixture:
                return errand
            owner = self._tick.seen.owners.get(fixture)
            if owner == self.name:
                return errand
            if owner is None and self._claimed is None:
                self._claimed = fixture
                self._tick.do(deeds.Claim(fixture))
                return None
        return None

    def _stand_until(self, errand: StandUntil) -> Iterator[None]:
        if errand.then is not None:
            yield from self._stops.approach(errand.then)
        while self._tick.seen.t_s < errand.until_s:
            yield from self._company.stand(0.0)

    def _in_the_way(self) -> bool:
        return all(math.dist(self._feet.here, place) > 0.3 for place in self.customs.waiting)

    def _leave(self) -> Iterator[None]:
        yield from self._feet.walk(self.customs.exit_inside)
        yield from self._feet.walk(self.customs.exit_outside)

    def _claim(self, place: str) -> Iterator[None]:
        while self._tick.seen.owners.get(place) != self.name:
            if place not in self._tick.seen.owners:
                self._tick.do(deeds.Claim(place))
            yield
        self._claimed = place

    def _release(self) -> None:
        if self._claimed is not None:
            self._tick.do(deeds.Release(self._claimed))
            self._claimed = None

    def _fixture_of(self, errand: Errand) -> str | None:
        if isinstance(errand, StandUntil):
            return None if errand.then is None else self._fixture_of(errand.then)
        if isinstance(errand, StandStill | GiveTo | DropItem | Replenish):
            return None
        return self.building.facings[errand.facing].fixture
