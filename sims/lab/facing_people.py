"""One person before a shelf: comes, does errands with a hand, goes; and what that hand truly did.

In: a building as built, its stock, a generator, who it is. Out: the person's state tick after tick, and every
:class:`Deed` as it happens. Hands move as shoppers' hands do everywhere else in the simulation; only the way to the
shelf is shortened.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sims.bodies.gait import stride_m
from sims.building import Building, Facing, Fixture
from sims.hands import Hands
from sims.motion import turn_towards
from sims.scene import BodyState, Place
from sims.stock import Stock, Unit

TICK_S = 0.05
TURN_RAD_S = math.radians(200.0)
AISLE_M = 0.85
"""How far from the face people walk past."""
AWAY_M = 1.3
"""How far beyond the ends of a fixture they come from and go to."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One item that left (-1) or joined (+1) a facing; a touch moves none (0)."""

    t_ns: int
    kind: str
    facing: str
    column: int
    sku: str
    items: int


@dataclass(slots=True)
class Episode:
    """One visit to the face and the quiet after it; ends when the next one starts."""

    start_ns: int
    gone_ns: int = 0
    """When the last hand left the shelf."""
    deeds: list[Deed] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Errand:
    """What somebody came to do."""

    kind: str
    facing: Facing
    sku: str


class Cast(NamedTuple):
    """Who somebody is."""

    name: str
    body: int
    outfit: int
    height_m: float


Note = Callable[[Episode, Errand, int, str, int], None]
"""Writes down what a hand has done: on which errand, to which column, with which SKU, items that came."""


class Someone:
    """One person of a story; generators yield once per tick."""

    def __init__(self, building: Building, stock: Stock, random: np.random.Generator, cast: Cast, note: Note) -> None:
        self._name, self._body, self._outfit, self._height_m = cast
        self._building, self._stock, self._random, self._note = building, stock, random, note
        self._speed_m_s = float(self._random.uniform(0.8, 1.3))
        self._reach_s = float(self._random.uniform(0.65, 1.0))
        self._hands = Hands(building, self._height_m, self._reach_s, TICK_S)
        self._at: Place = (0.0, 0.0)
        self._phase = float(self._random.random())

    def enter(self, fixture: Fixture, errand: Errand) -> Iterator[BodyState]:
        """Comes along the aisle, with the item in hand where there is one to be put back."""
        self._at = self._end(fixture)
        if errand.kind in ("put-back", "misplaced"):
            self._hands.here, self._hands.heading_rad = self._at, 0.0
            self._hands.holds = [Unit(errand.sku, 100.0, "")]
        yield from self._walk(self._before(errand.facing))

    def leave(self, fixture: Fixture) -> Iterator[BodyState]:
        yield from self._walk(self._end(fixture))

    def walk_past(self, fixture: Fixture, wait_ticks: int) -> Iterator[BodyState]:
        start, stop = self._end(fixture, -1.0), self._end(fixture, 1.0)
        if self._random.random() < 0.5:
            start, stop = stop, start
        self._at = start
        for _ in range(wait_ticks):
            yield self._state(0.0)
        yield from self._walk(stop)

    def go_to(self, facing: Facing) -> Iterator[BodyState]:
        """Walks over if the facing is out of reach, looks at it, and thinks."""
        here = self._building.fixtures[facing.fixture].to_local((*self._at, 0.0))
        if abs(here[0] - facing.offset_m - facing.width_m / 2) > 0.45:
            yield from self._walk(self._before(facing))
        fixture = self._building.fixtures[facing.fixture]
        spot = fixture.point(facing.offset_m + facing.width_m / 2, 0.1, 0.0)
        bearing = math.atan2(spot[1] - self._at[1], spot[0] - self._at[0])
        for _ in range(round(float(self._random.uniform(0.4, 1.2)) / TICK_S)):
            self._turn(bearing)
            yield self._state(0.0)

    def do(self, errand: Errand, episode: Episode) -> Iterator[BodyState]:
        """The errand itself, and the hand back at the side."""
        facing = errand.facing
        if errand.kind in ("put-back", "misplaced"):
            yield from self._put(errand, episode)
        elif errand.kind == "touch":
            yield from self._touch(errand, episode)
        else:
            yield from self._stand(self._hands.stow())
            yield from self._take(errand, episode)
            if errand.kind == "second unit":
                yield from self._stand(self._hands.withdraw(facing))
                yield from self._stand(self._hands.stow())
                yield from self._take(errand, episode)
        yield from self._pause(0.1, 0.3)
        yield from self._stand(self._hands.withdraw(facing))
        yield from self._pause(0.0, 1.2)
        yield from self._stand(self._hands.lower())

    def _take(self, errand: Errand, episode: Episode) -> Iterator[BodyState]:
        stock, facing = self._stock, errand.facing
        columns = stock.filled_columns(facing.id)
        if not columns:
            return
        column = columns[int(self._random.integers(len(columns)))]
        yield from self._stand(self._hands.reach(facing, self._hands.front(stock, facing, column)))
        yield from self._pause(0.05, 0.3)
        taken = stock.take(facing.id, column, 1)
        self._hands.holds += taken
        self._note(episode, errand, column, taken[0].sku, -1)

    def _put(self, errand: Errand, episode: Episode) -> Iterator[BodyState]:
        stock, facing = self._stock, errand.facing
        free = stock.free_columns(facing.id) or list(range(facing.columns))
        column = free[int(self._random.integers(len(free)))]
        unit = Unit(errand.sku, self._building.items[errand.sku].grams, "")
        if not any(held.sku == errand.sku for held in self._hands.holds):
            self._hands.holds.insert(0, unit)
        goal = self._hands.grip(facing, column, stock.count(facing.id, column), errand.sku)
        yield from self._stand(self._hands.reach(facing, goal))
        stock.put(facing.id, column, unit)
        self._hands.holds = [held for held in self._hands.holds if held.sku != errand.sku]
        self._note(episode, errand, column, errand.sku, 1)
        yield from self._pause(0.05, 0.3)

    def _touch(self, errand: Errand, episode: Episode) -> Iterator[BodyState]:
        stock, facing = self._stock, errand.facing
        columns = stock.filled_columns(facing.id)
        column = columns[int(self._random.integers(len(columns)))]
        yield from self._stand(self._hands.reach(facing, self._hands.front(stock, facing, column)))
        self._note(episode, errand, column, facing.sku, 0)
        yield from self._pause(0.2, 1.2)

    def _pause(self, low_s: float, high_s: float) -> Iterator[BodyState]:
        for _ in range(round(float(self._random.uniform(low_s, high_s)) / TICK_S)):
            yield self._state(0.0)

    def _stand(self, motion: Iterator[None]) -> Iterator[BodyState]:
        for _ in motion:
            yield self._state(0.0)

    def _walk(self, goal: Place) -> Iterator[BodyState]:
        step = self._speed_m_s * TICK_S
        while math.dist(self._at, goal) > step:
            bearing = math.atan2(goal[1] - self._at[1], goal[0] - self._at[0])
            self._turn(bearing)
            self._at = (self._at[0] + step * math.cos(bearing), self._at[1] + step * math.sin(bearing))
            yield self._state(self._speed_m_s)
        self._at = goal

    def _turn(self, wanted_rad: float) -> None:
        self._hands.heading_rad = turn_towards(self._hands.heading_rad, wanted_rad, TURN_RAD_S * TICK_S)

    def _state(self, speed_m_s: float) -> BodyState:
        self._hands.here = self._at
        self._phase = (self._phase + speed_m_s * TICK_S / stride_m(self._height_m, speed_m_s)) % 1.0
        held = tuple(unit.sku for unit in self._hands.holds)
        return BodyState(
            self._name, self._body, self._outfit, *self._at, self._hands.heading_rad, speed_m_s, self._phase,
            None, self._hands.right, held,
        )  # fmt: skip

    def _before(self, facing: Facing) -> Place:
        fixture = self._building.fixtures[facing.fixture]
        aside = float(self._random.normal(-0.10, 0.08))
        x, y, _ = fixture.point(facing.offset_m + facing.width_m / 2 + aside, -float(self._random.uniform(0.4, 0.5)), 0)
        return x, y

    def _end(self, fixture: Fixture, side: float | None = None) -> Place:
        """A place in the aisle beyond one end of a fixture."""
        right = (self._random.random() < 0.5) if side is None else side > 0
        u = fixture.width_m + AWAY_M if right else -AWAY_M
        x, y, _ = fixture.point(u, -AISLE_M + float(self._random.uniform(-0.15, 0.3)), 0)
        return x, y
