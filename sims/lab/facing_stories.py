"""Stories before one shelf camera: people who take, put back, misplace, rummage and walk past, with exact truth.

In: a building as built, a camera, a generator. Out: :class:`Moment` after moment (what can be seen at each frame's
time), and the :class:`Episode` list that says what really happened. Hands move as shoppers' hands do everywhere else in
the simulation; only the way to the shelf is shortened, because the trial is about shelves.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from sims.bodies.gait import stride_m
from sims.building import Building, Facing, Fixture
from sims.hands import Hands
from sims.motion import turn_towards
from sims.optics import CameraSpec
from sims.scene import BodyState, Scene
from sims.stock import Stock, Unit
from sims.walking import Place

TICK_S = 0.05
TURN_RAD_S = math.radians(200.0)
AISLE_M = 0.85
"""How far from the face people walk past."""
AWAY_M = 1.3
"""How far beyond the ends of a fixture they come from and go to."""
ALIKE_GRAMS = 5.0
"""Items this close in weight cannot be told apart by a scale."""
GAP_S = (2.2, 3.4)
"""How long nobody is there between two visits."""
KINDS = ("take", "second unit", "put-back", "misplaced", "touch")
SHARES = (0.40, 0.10, 0.18, 0.18, 0.14)


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


class Story:
    """What happens before one camera over ``visits`` visits; ``heights_m`` are the heights of the bodies to cast."""

    def __init__(
        self, building: Building, camera: CameraSpec, heights_m: Sequence[float], visits: int,
        random: np.random.Generator,
    ) -> None:  # fmt: skip
        self.building, self.camera, self.random = building, camera, random
        self.stock = Stock(building, random, 1.0 if random.random() < 0.5 else float(random.uniform(0.55, 0.95)))
        self.episodes: list[Episode] = []
        self._fixtures = [building.fixtures[name] for name in camera.watches]
        self._facings = [f for f in building.facings.values() if f.fixture in camera.watches]
        self._grown = [body for body, height in enumerate(heights_m) if height >= 1.5]
        self._heights_m, self._visits = heights_m, visits
        self._t_ns = 0
        self._people = 0

    def frames(self, fps: float) -> Iterator[Scene]:
        """The scenes at the camera's frame times, from an empty store on."""
        period, due = 1.0 / fps, float(self.random.uniform(0.0, 0.1))
        for tick, people in enumerate(self._ticks()):
            self._t_ns = round(tick * TICK_S * 1e9)
            if tick * TICK_S + 1e-9 >= due:
                due += period
                yield Scene(self._t_ns, people, self.stock.view)

    def _ticks(self) -> Iterator[tuple[BodyState, ...]]:
        yield from self._nobody(3.0)
        for _ in range(self._visits):
            self.episodes.append(Episode(self._t_ns))
            acts = [self._visit()]
            if self.random.random() < 0.3:
                acts.append(self._pass_by(float(self.random.uniform(0.0, 4.0))))
            yield from _together(acts)
            yield from self._nobody(float(self.random.uniform(*GAP_S)))

    def _nobody(self, seconds: float) -> Iterator[tuple[BodyState, ...]]:
        for _ in range(round(seconds / TICK_S)):
            yield ()

    def _errands(self) -> list[Errand]:
        """One or two errands at one fixture, at different facings."""
        fixture = self._fixtures[self.random.integers(len(self._fixtures))]
        here = [f for f in self._facings if f.fixture == fixture.id]
        count = 2 if self.random.random() < 0.35 else 1
        chosen = self.random.choice(len(here), size=count, replace=False)
        return [errand for i in chosen if (errand := self._errand(here[int(i)])) is not None]

    def _errand(self, facing: Facing) -> Errand | None:
        kind = str(self.random.choice(KINDS, p=SHARES))
        if kind == "put-back" and not self.stock.free_columns(facing.id):
            kind = "take"
        if kind in ("take", "second unit", "touch") and not self.stock.filled_columns(facing.id):
            return None
        return Errand(kind, facing, self._stranger(facing) if kind == "misplaced" else facing.sku)

    def _stranger(self, facing: Facing) -> str:
        """A product of another facing: half of the time one that weighs the same, else a neighbour of this camera."""
        items = self.building.items
        sold = {f.sku for f in self.building.facings.values()} - {facing.sku}
        alike = sorted(s for s in sold if abs(items[s].grams - items[facing.sku].grams) <= ALIKE_GRAMS)
        near = sorted({f.sku for f in self._facings} - {facing.sku})
        room_m = self.building.shelves[facing.shelf].clear_m
        pool = [s for s in (alike if alike and self.random.random() < 0.5 else near) if items[s].size_m[2] < room_m]
        return pool[int(self.random.integers(len(pool)))] if pool else facing.sku

    def _visit(self) -> Iterator[BodyState]:
        errands = self._errands()
        if not errands:
            yield from self._pass_by(0.0)
            return
        someone = _Someone(self, self._cast())
        episode = self.episodes[-1]
        fixture = self.building.fixtures[errands[0].facing.fixture]
        yield from someone.enter(fixture, errands[0])
        for errand in errands:
            yield from someone.go_to(errand.facing)
            yield from someone.do(errand, episode)
        episode.gone_ns = self._t_ns
        yield from someone.leave(fixture)

    def _pass_by(self, after_s: float) -> Iterator[BodyState]:
        """Somebody who walks past a little later and touches nothing."""
        someone = _Someone(self, self._cast())
        fixture = self._fixtures[self.random.integers(len(self._fixtures))]
        yield from someone.walk_past(fixture, round(after_s / TICK_S))

    def _cast(self) -> tuple[str, int, int, float]:
        """Name, body, outfit and height of somebody new."""
        self._people += 1
        body = self._grown[int(self.random.integers(len(self._grown)))]
        return f"p{self._people}", body, int(self.random.integers(100_000, 200_000)), self._heights_m[body]

    def note(self, episode: Episode, errand: Errand, column: int, sku: str, items: int) -> None:
        """Writes down what a hand has done."""
        episode.deeds.append(Deed(self._t_ns, errand.kind, errand.facing.id, column, sku, items))


class _Someone:
    """One person of a story; generators yield once per tick."""

    def __init__(self, story: Story, cast: tuple[str, int, int, float]) -> None:
        self._name, self._body, self._outfit, self._height_m = cast
        self._story, self._random, self._building = story, story.random, story.building
        self._speed_m_s = float(self._random.uniform(0.8, 1.3))
        self._reach_s = float(self._random.uniform(0.65, 1.0))
        self._hands = Hands(story.building, self._height_m, self._reach_s, TICK_S)
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
        stock, facing = self._story.stock, errand.facing
        columns = stock.filled_columns(facing.id)
        if not columns:
            return
        column = columns[int(self._random.integers(len(columns)))]
        yield from self._stand(self._hands.reach(facing, self._hands.front(stock, facing, column)))
        yield from self._pause(0.05, 0.3)
        taken = stock.take(facing.id, column, 1)
        self._hands.holds += taken
        self._story.note(episode, errand, column, taken[0].sku, -1)

    def _put(self, errand: Errand, episode: Episode) -> Iterator[BodyState]:
        stock, facing = self._story.stock, errand.facing
        free = stock.free_columns(facing.id) or list(range(facing.columns))
        column = free[int(self._random.integers(len(free)))]
        unit = Unit(errand.sku, self._building.items[errand.sku].grams, "")
        if not any(held.sku == errand.sku for held in self._hands.holds):
            self._hands.holds.insert(0, unit)
        goal = self._hands.grip(facing, column, stock.count(facing.id, column), errand.sku)
        yield from self._stand(self._hands.reach(facing, goal))
        stock.put(facing.id, column, unit)
        self._hands.holds = [held for held in self._hands.holds if held.sku != errand.sku]
        self._story.note(episode, errand, column, errand.sku, 1)
        yield from self._pause(0.05, 0.3)

    def _touch(self, errand: Errand, episode: Episode) -> Iterator[BodyState]:
        stock, facing = self._story.stock, errand.facing
        columns = stock.filled_columns(facing.id)
        column = columns[int(self._random.integers(len(columns)))]
        yield from self._stand(self._hands.reach(facing, self._hands.front(stock, facing, column)))
        self._story.note(episode, errand, column, facing.sku, 0)
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


def _together(acts: Sequence[Iterator[BodyState]]) -> Iterator[tuple[BodyState, ...]]:
    """All acts at once, until the last one is over."""
    left = list(acts)
    while left:
        states = [(act, state) for act in left if (state := next(act, None)) is not None]
        left = [act for act, _ in states]
        if states:
            yield tuple(state for _, state in states)
