"""The world: shoppers, goods and floor, stepped together at a fixed rate.

In: a building, a scenario and a seed. Out, per step: what gates notice, what load cells feel, what is true. Everybody
decides on the same snapshot; then their deeds are carried out in the order of the plans; then everybody walks.
"""

import shapely
from shapely.geometry import Polygon

from sims import deeds
from sims.arrangement import arranged
from sims.building import Building
from sims.casting import check_bodies, draw_plans
from sims.chance import stream
from sims.customs import customs_of
from sims.deeds import Snapshot
from sims.devices.sight import Figures
from sims.handling import Handling
from sims.happened import Happened
from sims.reception import Enrol, Reception, Scan, gates_of
from sims.scenario import Scenario
from sims.scene import BodyState, Place, Scene
from sims.shopper import Shopper
from sims.stock import Stock
from sims.truth import TruePerson, TruePositions
from sims.walking import Walkways

STEPS_PER_S = 60
GROWN_M = 1.5
"""Bodies shorter than this do not shop alone."""


class World:
    """Steps through event time. ``t_ns`` is UTC nanoseconds, ``t_s`` seconds since the start."""

    def __init__(
        self, building: Building, scenario: Scenario, seed: int, figures: Figures, scan: Scan, enrol: Enrol
    ) -> None:
        building = arranged(building, scenario)
        self.building, self.scenario = building, scenario
        self.dt_s = 1.0 / STEPS_PER_S
        self.steps, self._start_ns = 0, scenario.start_ns
        self.stock = Stock(building, stream(seed, "stock"), scenario.fill)
        self.bodies: dict[str, BodyState] = {}
        self._walkways = Walkways(building, self.dt_s)
        self._going: dict[str, Place] = {}
        self._owners: dict[str, str] = {}
        self._room = Polygon(building.walls_m)
        shapely.prepare(self._room)
        customs = customs_of(building, self._walkways, *gates_of(building, scenario), scenario.one_at_a_fixture)
        check_bodies(scenario, figures.count)
        grown = [body for body in range(figures.count) if figures.height_m(body) >= GROWN_M]
        plans = draw_plans(scenario, building, seed, grown or list(range(figures.count)))
        self.shoppers = [
            Shopper(plan, building, customs, figures.height_m(plan.body), stream(seed, plan.name), self.dt_s)
            for plan in plans
        ]
        self._people = {shopper.name: shopper for shopper in self.shoppers}
        self._gone: frozenset[str] = frozenset()
        self._handling = Handling(building, self.stock, self._people)
        self._reception = Reception(building, scenario, seed, self.shoppers, scan, enrol)
        self._now = self._snapshot()

    @property
    def t_s(self) -> float:
        """Seconds since the start."""
        return self.steps / STEPS_PER_S

    @property
    def t_ns(self) -> int:
        """UTC nanoseconds."""
        return self._start_ns + self.steps * 1_000_000_000 // STEPS_PER_S

    @property
    def empty(self) -> bool:
        """Whether everybody has come and gone."""
        return len(self._gone) == len(self.shoppers)

    @property
    def inside(self) -> int:
        """People with a visit that are on the floor."""
        return sum(self._people[name].visit is not None for name in self.bodies)

    def scene(self) -> Scene:
        """What can be seen now."""
        return Scene(self.t_ns, tuple(self.bodies.values()), self.stock.view, tuple(self._handling.dropped))

    def positions(self) -> TruePositions:
        """Where everybody inside the walls is."""
        people = []
        for shopper in self.shoppers:
            body = self.bodies.get(shopper.name)
            if body is None or not self._inside((body.x_m, body.y_m)):
                continue
            hand = body.left_hand_m if body.left_active else body.right_hand_m
            people.append(
                TruePerson(
                    person=shopper.name, visit=shopper.visit, x_m=round(body.x_m, 4), y_m=round(body.y_m, 4),
                    hand_m=(round(hand[0], 4), round(hand[1], 4), round(hand[2], 4)) if hand else None,
                )
            )  # fmt: skip
        return TruePositions(t_ns=self.t_ns, people=tuple(people))

    def step(self) -> Happened:
        """One step of 1/60 s."""
        happened = Happened(self.t_ns)
        before = self._now
        active = [shopper for shopper in self.shoppers if shopper.comes_s <= before.t_s and not shopper.done]
        decided = [(shopper, shopper.decide(before)) for shopper in active]
        for shopper, wanted in decided:
            for deed in wanted:
                self._carry_out(shopper, deed, happened)
        self._gone |= {shopper.name for shopper in active if shopper.done}
        self._walkways.step()
        self.steps += 1
        after = self._now = self._snapshot()
        for shopper in active:
            if (here := after.where.get(shopper.name)) is not None:
                self.bodies[shopper.name] = shopper.move(after)
                if (was := before.where.get(shopper.name)) is not None:
                    self._reception.watch(shopper, was, here, self.t_ns, happened)
        return happened

    def _snapshot(self) -> Snapshot:
        on_floor = list(self._going)
        return Snapshot(
            t_s=self.t_s,
            where={name: self._walkways.where(name) for name in on_floor},
            velocity={name: self._walkways.velocity(name) for name in on_floor},
            going=self._going.copy(),
            arrived=frozenset(name for name in on_floor if self._walkways.arrived(name)),
            gone=self._gone,
            owners=self._owners.copy(),
            meetings=self._handling.meetings.copy(),
            stock=self.stock,
        )

    def _carry_out(self, shopper: Shopper, deed: deeds.Deed, happened: Happened) -> None:
        name = shopper.name
        match deed:
            case deeds.Claim(place):
                self._owners.setdefault(place, name)
            case deeds.Release(place) | deeds.PassOn(place):
                if self._owners.get(place) == name:
                    del self._owners[place]
                    if isinstance(deed, deeds.PassOn):
                        self._owners[place] = deed.to
            case deeds.Appear(at):
                self._walkways.appear(name, at, shopper.plan.speed_m_s)
                self._going[name] = at
            case deeds.ScanPalm() | deeds.ShowPass() | deeds.FollowIn():
                self._reception.enter(shopper, deed, self.t_ns, happened)
            case deeds.Go(target):
                self._walkways.go(name, target)
                self._going[name] = target
            case deeds.Vanish():
                if name in self._going:
                    self._walkways.vanish(name)
                    del self._going[name], self.bodies[name]
            case _:
                self._handling.carry_out(shopper, deed, self.t_s, happened)

    def _inside(self, place: Place) -> bool:
        return bool(shapely.contains_xy(self._room, *place))
