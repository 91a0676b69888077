"""What a story of the gauntlet may use of a store: places and people, drawn from its seed.

In: a building and a seed. Out: facings, fixtures and times that differ from seed to seed, and scenarios made of them
in memory. Seconds, metres and grams.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from sims.building import Building, Facing
from sims.chance import stream
from sims.scenario import Scenario

STORES = Path(__file__).resolve().parents[3] / "configs/stores"
EDGE = STORES.parent / "edge"
TWIN_SHARE, TWIN_GRAMS = 0.01, 2.0
"""Two products weigh the same if they differ by no more than this share, or by so many grams."""
TAIL_S = 22.0
"""Longer than the product may wait for something doubtful before it writes a receipt."""
WALK_S = 17.0
"""From the palm at the gate to any shelf, with time to spare."""

Action = dict[str, Any]
Person = dict[str, Any]


class Stage:
    """A store and a seed, ready for a story. No facing is drawn twice."""

    def __init__(self, family: str, building: Building, seed: int) -> None:
        self.family, self.building, self.seed = family, building, seed
        self.random = stream(seed, f"gauntlet/{family}/{building.store}")
        self._used: set[str] = set()

    def between(self, low: float, high: float) -> float:
        """A number of this seed, in hundredths."""
        return round(float(self.random.uniform(low, high)), 2)

    def one_of(self, options: Sequence[Any]) -> Any:
        """One of several."""
        return options[int(self.random.integers(len(options)))]

    def fixtures(self) -> list[str]:
        """Fixtures whose shelves have scales, in an order of this seed."""
        weighed = [f.id for f in self.building.fixtures.values() if f.scale and f.shelves]
        return [weighed[i] for i in self.random.permutation(len(weighed))]

    def facing(self, fixture: str | None = None, fits: Callable[[Facing], bool] = lambda _: True) -> Facing:
        """A weighed facing that no other part of the story uses, and whose product none uses."""
        free = [f for f in self._weighed() if fixture in (None, f.fixture) and fits(f) and f.id not in self._used]
        if not free:
            raise LookupError(f"{self.family}: store {self.building.store} has no such facing left")
        return self.use(self.one_of(free))

    def facings(self, count: int, fixture: str | None = None) -> list[Facing]:
        """Several of them."""
        return [self.facing(fixture) for _ in range(count)]

    def neighbours(self, count: int, exchangeable: bool = False) -> list[Facing]:
        """Facings of one shelf, side by side, with different products; ``exchangeable``: each fits into each."""
        rows = []
        for shelf in self.building.shelves.values():
            if self.building.fixtures[shelf.fixture].scale is None:
                continue
            for i in range(len(shelf.facings) - count + 1):
                row = shelf.facings[i : i + count]
                fit = not exchangeable or all(self.fits(a.sku, b) for a in row for b in row)
                if fit and len({f.sku for f in row}) == count and not self._used & {f.id for f in row}:
                    rows.append(row)
        return [self.use(facing) for facing in self.one_of(rows)]

    def twins(self, same_shelf: bool = False) -> tuple[Facing, Facing]:
        """Two facings of one fixture with different products of equal weight, in either order."""
        pairs = [
            (a, b)
            for a in self._weighed()
            for b in self._weighed()
            if a.fixture == b.fixture and (a.shelf == b.shelf or not same_shelf) and self._alike(a, b)
            if not self._used & {a.id, b.id} and self.fits(a.sku, b)
        ]
        first, second = self.one_of(pairs)
        return self.use(first), self.use(second)

    def fits(self, sku: str, facing: Facing) -> bool:
        """Whether an item can stand in a facing."""
        width_m, _, height_m = self.building.items[sku].size_m
        return width_m <= facing.width_m and height_m < self.building.shelves[facing.shelf].clear_m

    def grams(self, facing: Facing) -> float:
        """What one item of a facing weighs."""
        return self.building.items[facing.sku].grams

    def use(self, facing: Facing) -> Facing:
        """Keep a facing, and others of its product, for this part of the story."""
        self._used |= {other.id for other in self.building.facings.values() if other.sku == facing.sku}
        return facing

    def _weighed(self) -> Iterable[Facing]:
        return [f for f in self.building.facings.values() if self.building.fixtures[f.fixture].scale is not None]

    def _alike(self, a: Facing, b: Facing) -> bool:
        near = abs(self.grams(a) - self.grams(b))
        return a.sku != b.sku and near <= max(TWIN_GRAMS, TWIN_SHARE * self.grams(a))

    def person(self, name: str, arrive_s: float | None, *actions: Action, **keys: Any) -> Person:
        """A shopper whose actions are written down; those who walk in behind somebody have no time of their own."""
        when = {} if arrive_s is None else {"arrive_s": arrive_s}
        return {"name": name, **when, "speed_m_s": self.between(0.75, 1.1), "actions": list(actions), **keys}

    def scenario(self, *script: Person, **keys: Any) -> Scenario:
        """A scenario with these people; other keys as in a document."""
        edge = EDGE / f"{self.building.store}.yaml"
        document = {
            "schema": 1, "scenario": f"{self.family}-{self.building.store}",
            "store": str(STORES / f"{self.building.store}.yaml"), "seed": self.seed, "tail_s": TAIL_S, "limit_s": 600.0,
            **({"edge": str(edge)} if edge.is_file() else {}), **({"script": list(script)} if script else {}), **keys,
        }  # fmt: skip
        return Scenario.model_validate(document)


def take(facing: Facing, count: int = 1, **keys: Any) -> Action:
    """Take items from a facing."""
    return {"take": facing.id, **({"count": count} if count > 1 else {}), **keys}


def put_back(facing: Facing, to: Facing | None = None) -> Action:
    """Put an item of a facing back, into another one if ``to`` says so."""
    return {"put_back": facing.sku, **({"to": to.id} if to else {})}


def until(t_s: float) -> Action:
    """Stand still until an event time, so that several act at once."""
    return {"pause_until_s": round(t_s, 2)}
