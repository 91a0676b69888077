"""Shelf faces as a camera with inference on board reports them: stock and crowd go in, fills and changes come out.

Errors are set by hand: counts are off by a fraction of an item until the next change, some changes are missed or
invented, and the name of what changed is sometimes that of something that looks alike.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from sims.building import Building, Facing
from sims.devices.sight import Array, Crowd, hidden_by_arms, hidden_by_people
from sims.optics import CameraSpec
from sims.scenario import EdgeErrors
from sims.scene import Scene
from smartstore.wire.messages import Facings, SeenFacing

HIDDEN_SHARE = 0.25
"""A facing is hidden when more than this share of its front is."""
ALIKE = 4
"""How many SKUs a SKU may be confused with."""
SECOND_LOOK_S = 12.0
"""Mean time until a change that was overlooked is noticed after all, and less surely."""

Columns = tuple[tuple[str, ...], ...]


@dataclass(slots=True)
class _Memory:
    """What the camera believes of one facing."""

    seen: Columns
    """What was there when it last took note."""
    items: float
    """The count it believes."""
    capacity: int
    overlooked: Columns | None = None
    """A change that it looked at and did not notice."""


class FacingReader:
    """One shelf camera's reading of the faces it watches."""

    def __init__(self, building: Building, spec: CameraSpec, errors: EdgeErrors, random: np.random.Generator) -> None:
        self._building, self._errors, self._random = building, errors, random
        self._eye = np.asarray(spec.position_m)
        self._facings = [f for f in building.facings.values() if f.fixture in spec.watches]
        self._points = np.array([_front(building, f) for f in self._facings]).reshape(-1, 3)
        self._memory: dict[str, _Memory] = {}
        self._alike = _alike(building)
        self._last_ns: int | None = None
        self._seq = 0

    def read(self, scene: Scene, crowd: Crowd, t_ns: int) -> Facings:
        """The report on all faces watched; ``t_ns`` is the camera's own clock."""
        passed_s = 0.0 if self._last_ns is None else (scene.t_ns - self._last_ns) / 1e9
        self._last_ns = scene.t_ns
        hidden = self._hidden(crowd)
        invented = self._random.random(len(self._facings)) < (
            self._errors.changes_invented_per_min * passed_s / 60 / max(1, len(self._facings))
        )
        jitter = self._random.normal(0.0, 0.03, (len(self._facings), 2))
        seen = [
            self._facing(f, scene.stock[f.id], bool(hidden[i]), bool(invented[i]), jitter[i], passed_s)
            for i, f in enumerate(self._facings)
        ]
        self._seq += 1
        return Facings(seq=self._seq - 1, t_ns=t_ns, facings=seen)

    def _hidden(self, crowd: Crowd) -> Array:
        """Whether each facing is behind somebody (n,)."""
        nobody = np.full(len(self._points), -1)
        blocked = hidden_by_people(self._eye[None], self._points, crowd, nobody, np.zeros(len(self._points), bool))[0]
        blocked |= hidden_by_arms(self._eye, self._points, crowd.arms)
        return np.asarray(blocked.reshape(len(self._facings), -1).mean(axis=1) > HIDDEN_SHARE)

    def _facing(
        self, facing: Facing, stock: Columns, hidden: bool, invented: bool, jitter: Array, passed_s: float
    ) -> SeenFacing:
        memory = self._memory.get(facing.id)
        if memory is None:
            items = sum(map(len, stock)) + self._random.normal(0.0, self._errors.fill_sigma_items)
            memory = self._memory[facing.id] = _Memory(stock, items, facing.columns * facing.rows)
        if hidden:
            return SeenFacing(facing=facing.id, fill=self._fill(memory, 0.0), hidden=True)
        change = float(min(0.3, abs(jitter[1])))
        scores: dict[str, float] = {}
        if stock != memory.seen:
            late = stock == memory.overlooked
            chance = 1 - np.exp(-passed_s / SECOND_LOOK_S) if late else 1 - self._errors.change_missed
            if self._random.random() < chance:
                change, scores = self._noticed(memory, stock, late)
            else:
                memory.overlooked = stock
        elif invented:
            change = float(self._random.uniform(0.45, 0.85))
            memory.items += float(self._random.choice([-1.0, -0.4, 0.4, 1.0]))
            scores = self._scores([facing.sku])
        return SeenFacing(facing=facing.id, fill=self._fill(memory, jitter[0]), change=round(change, 3), scores=scores)

    def _noticed(self, memory: _Memory, stock: Columns, late: bool) -> tuple[float, dict[str, float]]:
        """A change that the camera sees: it counts anew, and looks at what is gone or has come."""
        before = Counter(sku for column in memory.seen for sku in column)
        after = Counter(sku for column in stock for sku in column)
        error = 0.5 * (memory.items - before.total()) + self._random.normal(0.0, self._errors.fill_sigma_items)
        memory.items = after.total() + error
        changed = sorted(((before - after) + (after - before)).elements())
        memory.seen, memory.overlooked = stock, None
        sure = self._random.uniform(0.4, 0.75) if late else self._random.uniform(0.7, 0.99)
        return float(sure), self._scores(changed) if changed else {}

    def _fill(self, memory: _Memory, jitter: float) -> float:
        return round(float(np.clip((memory.items + jitter) / memory.capacity, 0.0, 2.0)), 4)

    def _scores(self, skus: list[str]) -> dict[str, float]:
        """Probabilities over what changed and what looks like it."""
        scores: dict[str, float] = {}
        for sku in skus:
            names = [sku, *self._alike[sku]]
            if len(names) > 1 and self._random.random() < self._errors.sku_confused:
                names[0], names[1] = names[1], names[0]
            best = float(self._random.beta(9.0, 2.0))
            rest = self._random.dirichlet(np.linspace(2.0, 0.5, max(1, len(names) - 1))) * (1 - best)
            for name, share in zip(names, (best, *rest), strict=False):
                scores[name] = scores.get(name, 0.0) + float(share) / len(skus)
        return {name: round(share, 4) for name, share in sorted(scores.items(), key=lambda s: (-s[1], s[0]))}


def _front(building: Building, facing: Facing) -> list[tuple[float, float, float]]:
    """Six points of a facing's front in store metres."""
    fixture, shelf = building.fixtures[facing.fixture], building.shelves[facing.shelf]
    height_m = min(shelf.clear_m, building.items[facing.sku].size_m[2])
    return [
        fixture.point(facing.offset_m + share * facing.width_m, 0.02, shelf.height_m + up * height_m)
        for share in (0.2, 0.5, 0.8)
        for up in (0.3, 0.8)
    ]


def _alike(building: Building) -> dict[str, list[str]]:
    """Per SKU those that look most like it, by colour, shape and size."""
    items = list(building.items.values())
    looks = np.array(
        [[*(c / 80 for c in i.colour), i.size_m[2] * 8, i.size_m[0] * 8, i.shape == "box"] for i in items], float
    )
    gaps = np.linalg.norm(looks[:, None] - looks[None], axis=2)
    order = np.argsort(gaps, axis=1, kind="stable")
    return {item.sku: [items[j].sku for j in order[i] if j != i][:ALIKE] for i, item in enumerate(items)}
