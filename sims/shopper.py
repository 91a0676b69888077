"""A shopper: a story told tick by tick, from the palm at the gate to the way out.

In: a plan, and at every tick the :class:`Snapshot` that all shoppers see. Out: deeds, and how the body stands and
moves. A shopper never touches the world; what a deed brought is told with :meth:`Shopper.receive` and
:meth:`Shopper.admitted`.
"""

import math
from collections.abc import Iterator

import numpy as np

from sims import deeds
from sims.bodies.gait import stride_m
from sims.building import Building, Facing
from sims.customs import Customs, standing_place, waiting_place
from sims.deeds import Snapshot
from sims.errands import Errand, Plan, PutItemBack, StandStill, TakeItems, TouchGoods
from sims.hands import Hands
from sims.motion import turn_towards
from sims.scene import BodyState, Gear
from sims.shelf_work import Manner, ShelfWork, Tick
from sims.stock import Unit
from sims.walking import Place
from sims.wheels import ROLLING, Wheels

TURN_RAD_S = math.radians(200.0)
FARTHEST_M = 0.78
"""Farthest that an item may be from the body's axis, on the floor, to be reached."""
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
        self.present = self.done = False
        self._manner = Manner(
            reach_s=random.uniform(0.65, 1.0), hesitate_s=random.uniform(0.7, 1.6),
            inspect_s=random.uniform(0.5, 1.3), stand_off_m=random.uniform(0.40, 0.50), left_handed=plan.left_handed,
        )  # fmt: skip
        self.hands = Hands(building, height_m, self._manner.reach_s, dt_s, plan.gear)
        self._tick = Tick(dt_s)
        self._work = ShelfWork(building, self.hands, self._manner, random, self._tick)
        self._wheels = Wheels(building, plan.gear, height_m)
        self._gait_phase = 0.0
        self._wanted_heading_rad: float | None = None
        self._claimed: str | None = None
        self._refused = False
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
        self.hands.here = self._here()
        if next(self._story, self) is self:
            self.done = True
        return self._tick.done

    def receive(self, units: list[Unit]) -> None:
        """The hand has closed around these."""
        self.hands.holds += units

    def admitted(self, visit: str | None) -> None:
        """The gate's answer to a scan: a visit, or None for a palm it does not know."""
        self.visit, self._refused = visit, visit is None

    def move(self, snapshot: Snapshot) -> BodyState:
        """Turn and step for one tick; how the body is then."""
        (x, y), (vx, vy) = snapshot.where[self.name], snapshot.velocity[self.name]
        speed = math.hypot(vx, vy)
        wanted = self._wanted_heading_rad
        if speed > 0.15:
            wanted = math.atan2(vy, vx)
        if wanted is not None:
            self.hands.heading_rad = turn_towards(self.hands.heading_rad, wanted, TURN_RAD_S * self.dt_s)
        self._gait_phase = (self._gait_phase + speed * self.dt_s / stride_m(self.height_m, speed)) % 1.0
        hands = self.hands
        return BodyState(
            self.name, self.plan.body, self.plan.outfit, x, y, hands.heading_rad, speed, self._gait_phase,
            hands.left, hands.right, tuple(unit.sku for unit in hands.holds), self._gear((x, y), speed),
            hands.left_active,
        )  # fmt: skip

    def _gear(self, here: Place, speed_m_s: float) -> Gear | None:
        """What the shopper shops with, and what is in it."""
        kind, hands = self.plan.gear, self.hands
        if not kind:
            return None
        goods = tuple(unit.sku for unit in hands.bag)
        if kind not in ROLLING:
            return Gear(kind, goods)
        place = self._wheels.follow(here, hands.heading_rad, speed_m_s, self.dt_s)
        return Gear(kind, goods, place, gripped=self._wheels.gripped and hands.palm is None)

    # The story. Every ``yield`` lets one tick pass.

    def _live(self) -> Iterator[None]:
        yield from self._enter()
        if self.visit is not None:
            yield from self._shop()
            yield from self._leave()
        self._tick.do(deeds.Vanish())
        yield

    def _enter(self) -> Iterator[None]:
        while self._tick.seen.t_s < self.plan.arrive_s:
            yield
        yield from self._claim("entry")
        self._tick.do(deeds.Appear(self.customs.station))
        self.present = True
        self.hands.heading_rad = self._bearing(self.customs.station, self.customs.inside)
        yield from self._tick.wait(self.random.uniform(0.6, 1.4))
        for attempt in range(SCANS):
            self._tick.do(deeds.ScanPalm(attempt))
            yield
            if not self._refused:
                break
            yield from self._tick.wait(1.0)
        if self.visit is not None:
            yield from self._tick.wait(self.random.uniform(0.3, 0.6))
            self._tick.do(deeds.Go(self.customs.inside))
            yield
            while math.dist(self._here(), self.customs.station) < 0.9 and not self._is_there():
                yield
        self._release()

    def _shop(self) -> Iterator[None]:
        left: list[Errand] = list(self.plan.errands)
        while left:
            errand = self._next_errand(left)
            if errand is None:
                if self.customs.one_at_a_fixture and self._claimed is None and self._in_the_way():
                    yield from self._walk(waiting_place(self.customs, self._here(), self._others()))
                yield
                continue
            left.remove(errand)
            if isinstance(errand, StandStill):
                yield from self._tick.wait(errand.pause_s)
                continue
            yield from self._go_and_do(errand)
            if not any(self._fixture_of(other) == self._claimed for other in left):
                self._release()
        self._release()

    def _next_errand(self, left: list[Errand]) -> Errand | None:
        """The first errand that can be done now."""
        if self._claimed is not None and self._tick.seen.owners.get(self._claimed) != self.name:
            self._claimed = None
        for errand in left[:1] if self.plan.in_order else left:
            if isinstance(errand, PutItemBack) and not self.hands.has(errand.source):
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

    def _go_and_do(self, errand: Errand) -> Iterator[None]:
        assert not isinstance(errand, StandStill)
        facing = self.building.facings[errand.facing]
        for _ in range(3):
            place = standing_place(
                self.building, facing, self._manner.stand_off_m, self._others(), self.random, self._manner.left_handed
            )
            yield from self._walk(place)
            if self._reachable(facing):
                break
        else:
            return
        self._look_at(facing)
        yield from self._tick.wait(self._manner.hesitate_s * float(self.random.lognormal(0.0, 0.35)))
        if isinstance(errand, TakeItems):
            yield from self._work.take(facing, errand)
        elif isinstance(errand, PutItemBack):
            yield from self._work.put_back(facing, errand.source)
        elif isinstance(errand, TouchGoods):
            yield from self._work.touch(facing)

    # Feet

    def _others(self) -> list[Place]:
        """Where others are and where they go."""
        places = (self._tick.seen.where, self._tick.seen.going)
        return [place for told in places for name, place in told.items() if name != self.name]

    def _in_the_way(self) -> bool:
        return all(math.dist(self._here(), place) > 0.3 for place in self.customs.waiting)

    def _reachable(self, facing: Facing) -> bool:
        x, y, _ = self.building.fixtures[facing.fixture].point(facing.offset_m + facing.width_m / 2, 0.0, 0.0)
        return math.dist(self._here(), (x, y)) < FARTHEST_M

    def _walk(self, target: Place) -> Iterator[None]:
        self.hands.palm, self.hands.both, self._wanted_heading_rad = None, False, None
        self._tick.do(deeds.Go(target))
        yield
        while not self._is_there():
            yield

    def _leave(self) -> Iterator[None]:
        yield from self._walk(self.customs.exit_inside)
        yield from self._walk(self.customs.exit_outside)

    def _look_at(self, facing: Facing) -> None:
        fixture = self.building.fixtures[facing.fixture]
        spot = fixture.point(facing.offset_m + facing.width_m / 2, 0.1, 0.0)
        straight = math.atan2(-fixture.normal[1], -fixture.normal[0])
        self._wanted_heading_rad = turn_towards(straight, self._bearing(self._here(), spot[:2]), math.radians(30))

    # Small words

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
        return None if isinstance(errand, StandStill) else self.building.facings[errand.facing].fixture

    def _here(self) -> Place:
        return self._tick.seen.where.get(self.name, self.customs.station)

    def _is_there(self) -> bool:
        return self.name in self._tick.seen.arrived

    @staticmethod
    def _bearing(start: Place, end: Place) -> float:
        return math.atan2(end[1] - start[1], end[0] - start[0])
