"""Stories before one shelf camera: people who take, put back, misplace, rummage and walk past, with exact truth.

In: a building as built, a camera, a generator. Out: scene after scene (what can be seen at each frame's time), and the
:class:`~sims.lab.facing_people.Episode` list that says what really happened.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from sims.building import Building, Facing
from sims.lab.facing_people import TICK_S, Cast, Deed, Episode, Errand, Someone
from sims.optics import CameraSpec
from sims.scene import BodyState, Scene
from sims.stock import Stock

ALIKE_GRAMS = 5.0
"""Items this close in weight cannot be told apart by a scale."""
GAP_S = (2.2, 3.4)
"""How long nobody is there between two visits."""
KINDS = ("take", "second unit", "put-back", "misplaced", "touch")
SHARES = (0.40, 0.10, 0.18, 0.18, 0.14)


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
        someone = self._someone()
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
        someone = self._someone()
        fixture = self._fixtures[self.random.integers(len(self._fixtures))]
        yield from someone.walk_past(fixture, round(after_s / TICK_S))

    def _someone(self) -> Someone:
        """Somebody new."""
        self._people += 1
        body = self._grown[int(self.random.integers(len(self._grown)))]
        outfit = int(self.random.integers(100_000, 200_000))
        cast = Cast(f"p{self._people}", body, outfit, self._heights_m[body])
        return Someone(self.building, self.stock, self.random, cast, self._note)

    def _note(self, episode: Episode, errand: Errand, column: int, sku: str, items: int) -> None:
        """Writes down what a hand has done."""
        episode.deeds.append(Deed(self._t_ns, errand.kind, errand.facing.id, column, sku, items))


def _together(acts: Sequence[Iterator[BodyState]]) -> Iterator[tuple[BodyState, ...]]:
    """All acts at once, until the last one is over."""
    left = list(acts)
    while left:
        states = [(act, state) for act in left if (state := next(act, None)) is not None]
        left = [act for act, _ in states]
        if states:
            yield tuple(state for _, state in states)
