"""Shelf faces as a camera with inference on board reports them: stock and crowd go in, fills and changes come out.

Errors are those of an :class:`~sims.devices.edge_model.EdgeModel`, fitted to the real reader: a facing stays hidden
for a while after somebody stood before it, counts may be off by one, some changes are missed or invented, more of them
the smaller the goods are in the picture, and the name of what changed is sometimes that of something that looks alike.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from sims.arrangement import foreign
from sims.building import Building, Facing
from sims.devices.edge_laws import FacingErrors
from sims.devices.edge_model import shifted
from sims.devices.sight import Array, Crowd, Mask, hidden_by_arms, hidden_by_people
from sims.optics import CameraSpec
from sims.scene import Scene
from smartstore.wire.messages import Facings, SeenFacing

ALIKE = 4
"""How many SKUs a SKU may be confused with."""
NEAR_M = 1.2
"""Somebody whose body is within this distance of a facing, on the floor, is near it."""
USUAL_ITEM_PX = 40.0
"""Size of an item's front in the picture: square root of its pixels."""

Columns = tuple[tuple[str, ...], ...]


@dataclass(slots=True)
class _Memory:
    """What the camera believes of one facing."""

    seen: Columns
    """What was there when it last took note."""
    items: float
    """The count it believes."""
    capacity: int
    hidden: bool = False
    overlooked: Columns | None = None
    """A change that it looked at and did not notice."""
    invented: int = 0
    """Items that it believes to have come or gone and that have not."""


class FaceSights:
    """When the facings that a shelf camera watches are covered, and by how many pixels an item is seen."""

    def __init__(self, building: Building, spec: CameraSpec) -> None:
        self.facings = [f for f in building.facings.values() if f.fixture in spec.watches]
        self._eye = np.asarray(spec.position_m)
        self._points = np.array([_front(building, f) for f in self.facings]).reshape(-1, 3)
        self._middles = self._points.reshape(len(self.facings), -1, 3).mean(axis=1)
        self.item_px = np.array([_item_px(building, spec, f) for f in self.facings])
        self.small = [float(np.clip(np.log(USUAL_ITEM_PX / size), -1.5, 1.5)) for size in self.item_px]
        """Logarithm of how much smaller than usual each item's front is in the picture."""

    def covered(self, crowd: Crowd) -> Array:
        """Share of each facing's front that is behind somebody (n,)."""
        if not crowd.people:
            return np.zeros(len(self.facings))
        nobody = np.full(len(self._points), -1)
        blocked = hidden_by_people(self._eye[None], self._points, crowd, nobody, np.zeros(len(self._points), bool))[0]
        blocked |= hidden_by_arms(self._eye, self._points, crowd.arms)
        return np.asarray(blocked.reshape(len(self.facings), -1).mean(axis=1))

    def near(self, crowd: Crowd) -> Mask:
        """Whether somebody is near each facing (n,)."""
        if not len(crowd.people):
            return np.zeros(len(self.facings), bool)
        away = np.linalg.norm(self._middles[:, None, :2] - crowd.axes[None], axis=2)
        return np.asarray(away.min(axis=1) < NEAR_M)


class FacingReader:
    """One shelf camera's reading of the faces it watches."""

    def __init__(self, building: Building, spec: CameraSpec, errors: FacingErrors, random: np.random.Generator) -> None:
        self._errors, self._random = errors, random
        self._sights = FaceSights(building, spec)
        self._memory: dict[str, _Memory] = {}
        self._alike = _alike(building)
        self._last_ns: int | None = None
        self._seq = 0

    def read(self, scene: Scene, crowd: Crowd, t_ns: int) -> Facings:
        """The report on all faces watched; ``t_ns`` is the camera's own clock."""
        passed_s = 0.0 if self._last_ns is None else (scene.t_ns - self._last_ns) / 1e9
        self._last_ns = scene.t_ns
        facings, errors = self._sights.facings, self._errors
        covered, near = self._sights.covered(crowd) > errors.hidden_share, self._sights.near(crowd)
        chances = self._random.random((3, len(facings)))
        stays = chances[0] < (np.exp(-passed_s / errors.clears_s) if errors.clears_s > 0 else 0.0)
        starts = near & (chances[1] < 1 - np.exp(-passed_s * errors.near_hides_per_s))
        invented = chances[2] < errors.invented_per_min * passed_s / 60 / max(1, len(facings))
        seen = []
        for i, facing in enumerate(facings):
            stock = scene.stock[facing.id]
            memory = self._memory.get(facing.id) or self._first(facing, stock)
            memory.hidden = bool(covered[i] or (stays[i] if memory.hidden else starts[i]))
            seen.append(self._facing(i, facing, memory, stock, bool(invented[i]), passed_s))
        self._seq += 1
        return Facings(seq=self._seq - 1, t_ns=t_ns, facings=seen)

    def _first(self, facing: Facing, stock: Columns) -> _Memory:
        items = max(0.0, sum(map(len, stock)) + np.rint(self._random.normal(0.0, self._errors.fill_sigma_items)))
        memory = self._memory[facing.id] = _Memory(stock, float(items), facing.columns * facing.rows)
        return memory

    def _facing(
        self, index: int, facing: Facing, memory: _Memory, stock: Columns, invented: bool, passed_s: float
    ) -> SeenFacing:
        if memory.hidden:
            return SeenFacing(facing=facing.id, fill=_fill(memory), hidden=True)
        errors, change, scores = self._errors, 0.02, dict[str, float]()
        small = self._sights.small[index]
        if stock != memory.seen:
            late = stock == memory.overlooked
            chance = (
                1 - np.exp(-passed_s / errors.second_look_s)
                if late
                else 1 - shifted(errors.missed, errors.missed_small * small)
            )
            if self._random.random() < chance:
                change, scores = self._noticed(memory, stock, late, small)
            else:
                memory.overlooked = stock
        elif memory.invented and self._random.random() < 1 - np.exp(-passed_s / errors.invented_lasts_s):
            change, scores = self._imagine(memory, facing, -memory.invented)
        elif invented and not memory.invented:
            change, scores = self._imagine(memory, facing, int(self._random.choice([-1, 1])))
        return SeenFacing(facing=facing.id, fill=_fill(memory), change=round(change, 3), scores=scores)

    def _noticed(self, memory: _Memory, stock: Columns, late: bool, small: float) -> tuple[float, dict[str, float]]:
        """A change that the camera sees: it counts what is gone or has come, and names it."""
        before = Counter(sku for column in memory.seen for sku in column)
        after = Counter(sku for column in stock for sku in column)
        step = after.total() - before.total()
        if self._random.random() < self._errors.miscounted:
            step += int(self._random.choice([-1, 1]))
        memory.items = max(0.0, memory.items + step)
        changed = sorted(((before - after) + (after - before)).elements())
        memory.seen, memory.overlooked = stock, None
        sure = self._random.uniform(*(self._errors.sure_late if late else self._errors.sure_first))
        return float(sure), self._scores(changed, small) if changed else {}

    def _imagine(self, memory: _Memory, facing: Facing, step: int) -> tuple[float, dict[str, float]]:
        """Believe that something has come or gone, or no longer believe it."""
        memory.invented += step
        memory.items = max(0.0, memory.items + step)
        return float(self._random.uniform(*self._errors.sure_late)), self._scores([facing.sku], 0.0)

    def _scores(self, skus: list[str], small: float) -> dict[str, float]:
        """Probabilities over what changed and what looks like it."""
        scores: dict[str, float] = {}
        misnamed = shifted(self._errors.misnamed, self._errors.misnamed_small * small)
        for sku in skus:
            names = [sku, *self._alike[sku]]
            if foreign(sku):  # no class of its own: what it looks like most, without being sure
                names = self._alike[sku]
                for name, share in zip(names, self._random.dirichlet(np.ones(len(names))), strict=True):
                    scores[name] = scores.get(name, 0.0) + float(share) / len(skus)
                continue
            if len(names) > 1 and self._random.random() < misnamed:
                names[0], names[1] = names[1], names[0]
            best = float(self._random.beta(9.0, 2.0))
            rest = self._random.dirichlet(np.linspace(2.0, 0.5, max(1, len(names) - 1))) * (1 - best)
            for name, share in zip(names, (best, *rest), strict=False):
                scores[name] = scores.get(name, 0.0) + float(share) / len(skus)
        return {name: round(share, 4) for name, share in sorted(scores.items(), key=lambda s: (-s[1], s[0]))}


def _fill(memory: _Memory) -> float:
    return round(min(max(memory.items / memory.capacity, 0.0), 2.0), 4)


def _front(building: Building, facing: Facing) -> list[tuple[float, float, float]]:
    """Six points of a facing's front in store metres."""
    fixture, shelf = building.fixtures[facing.fixture], building.shelves[facing.shelf]
    height_m = min(shelf.clear_m, building.items[facing.sku].size_m[2])
    return [
        fixture.point(facing.offset_m + share * facing.width_m, 0.02, shelf.height_m + up * height_m)
        for share in (0.2, 0.5, 0.8)
        for up in (0.3, 0.8)
    ]


def _item_px(building: Building, spec: CameraSpec, facing: Facing) -> float:
    """Square root of the pixels that the front of one item covers."""
    fixture, shelf = building.fixtures[facing.fixture], building.shelves[facing.shelf]
    width_m, _, height_m = building.items[facing.sku].size_m
    middle = facing.offset_m + facing.width_m / 2
    z_m = shelf.height_m
    corners = [
        fixture.point(middle + u * width_m, 0.02, z_m + z * height_m) for u, z in ((-0.5, 0), (0.5, 0), (0.5, 1))
    ]
    one, two, three = spec.project(np.array(corners))
    across, up = two - one, three - two
    return float(np.sqrt(max(4.0, np.nan_to_num(abs(across[0] * up[1] - across[1] * up[0])))))


def _alike(building: Building) -> dict[str, list[str]]:
    """Per SKU those that look most like it, by colour, shape and size."""
    items = list(building.items.values())
    looks = np.array(
        [[*(c / 80 for c in i.colour), i.size_m[2] * 8, i.size_m[0] * 8, i.shape == "box"] for i in items], float
    )
    gaps = np.linalg.norm(looks[:, None] - looks[None], axis=2)
    order = np.argsort(gaps, axis=1, kind="stable")
    names = [item.sku for item in items]
    return {
        sku: [names[j] for j in order[i] if j != i and not foreign(names[j])][:ALIKE] for i, sku in enumerate(names)
    }
