"""A first layout from a few answers: wall gondolas, islands back to back, coolers, cameras over every aisle, one plate
per facing. In: wishes and a catalogue. Out: a store document that passes ``site check``, to go on from with
``site edit``.
"""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from smartstore.site.document import CatalogueDocument, ItemNode, parse
from smartstore.site.lint import ROW_REACH_M, weighed_apart
from smartstore.site.sight import ROW_GAP_M
from smartstore.site.source import read_source
from smartstore.site.writing import EditError

SMALLEST_M, LARGEST_M = (4.0, 4.5), (40.0, 40.0)
"""Width and depth of a room that this can lay out."""
GATE_M, GATE_FROM_CORNER_M, PALM_M = 1.0, 0.6, 0.6
RACK_M, COOLER_M = (1.2, 0.45), (1.8, 0.55)
"""Width and depth."""
RACK_SHELVES_M, COOLER_SHELVES_M = ((0.3, 0.4), (0.75, 0.36), (1.15, 0.35)), ((0.3, 0.42), (0.75, 0.37), (1.15, 0.45))
"""Height and clear height."""
RACK_HIGH_M, COOLER_HIGH_M = 1.5, 1.75
FACINGS, MOST_ROWS = 4, 5
AISLE_M = 1.3
"""Least width of an aisle."""
FRONT_M, BACK_M, CROSS_M = 1.7, 0.6, 1.4
"""Free floor before the first wall fixture, behind the last one, and before and behind islands."""
LENS: dict[str, Any] = {
    "width_px": 960, "height_px": 540, "focal_px": 430, "distortion": [-0.2, 0.04, 0.0, 0.0, 0.0], "fps": 5,
}  # fmt: skip
BELOW_CEILING_M, FROM_WALL_M, CAMERA_STEP_M = 0.2, 0.3, 1.8
TAX_BASIS_POINTS = {"reduced": 700, "standard": 1900, "zero": 0}
HEAD = """\
# {name}: laid out by `smartstore site new`. Metres; x to the right and y to the back as seen from the entry wall, z
# up from the floor; degrees turn counter-clockwise from +x. Fixtures are given by the left end of their front edge, as
# seen by somebody who faces them.
"""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What somebody who plans a store has to say. ``coolers`` stand along the right wall, from the front."""

    name: str
    width_m: float
    depth_m: float
    catalogue: Path
    ceiling_m: float = 3.0
    coolers: int = 1
    currency: str = "EUR"


def new_store(wishes: Wishes, out: Path) -> str:
    """The text of a store document that is to be written to ``out``.

    Raises:
        EditError: the room is too small or too large, or nothing of the catalogue fits on the shelves.
    """
    (least_w, least_d), (most_w, most_d) = SMALLEST_M, LARGEST_M
    if not (least_w <= wishes.width_m <= most_w and least_d <= wishes.depth_m <= most_d):
        size = f"{wishes.width_m:g} x {wishes.depth_m:g} m"
        raise EditError(f"a room of {size} cannot be laid out; give {least_w:g}-{most_w:g} by {least_d:g}-{most_d:g} m")
    items = _items(wishes.catalogue)
    stock = _Stock(items)
    fixtures = [_fixture(f"f{number}", place, stock) for number, place in enumerate(_places(wishes), start=1)]
    catalogue = os.path.relpath(wishes.catalogue.resolve(), out.parent.resolve())
    taxes = {item.tax_class: TAX_BASIS_POINTS.get(item.tax_class, 1900) for item in items}
    cameras = list(_cameras(wishes, _aisles(wishes)))
    document = {
        "schema": 1, "store": _slug(wishes.name), "name": wishes.name, "currency": wishes.currency,
        "tax_classes": taxes, **_shell(wishes), "catalogue": catalogue, "fixtures": fixtures, "cameras": cameras,
    }  # fmt: skip
    body = yaml.safe_dump(_rounded(document), default_flow_style=None, sort_keys=False, width=4000, allow_unicode=True)
    return HEAD.format(name=wishes.name) + body


def _slug(name: str) -> str:
    """A name as it may stand in topics."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower()).strip("-")[:40] or "store"


def _shell(wishes: Wishes) -> dict[str, Any]:
    """The room: walls, ceiling, gates in the entry wall, palm station and sign before it."""
    w, d, near, far = wishes.width_m, wishes.depth_m, GATE_FROM_CORNER_M, GATE_FROM_CORNER_M + GATE_M
    return {
        "walls_m": [[0, 0], [w, 0], [w, d], [0, d]],
        "ceiling_m": wishes.ceiling_m,
        "gates": [
            {"id": "entry", "kind": "entry", "line_m": [[near, 0], [far, 0]]},
            {"id": "exit", "kind": "exit", "line_m": [[w - far, 0], [w - near, 0]]},
        ],
        "palm_station_m": [(near + far) / 2, -PALM_M],
        "signs": [{"id": "sign-palm", "kind": "biometrics", "position_m": [0.4, -0.25]}],
    }


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a fixture stands: left end of its front edge, direction of its face."""

    kind: str
    x_m: float
    y_m: float
    facing_deg: int


def _places(wishes: Wishes) -> Iterator[_Place]:
    """Along the left wall, along the right wall (coolers first), then islands of two rows back to back."""
    w, d = wishes.width_m, wishes.depth_m
    for y in _row(FRONT_M, d - BACK_M):
        yield _Place("gondola", RACK_M[1], y, 0)
    y, coolers = FRONT_M, wishes.coolers
    while True:
        kind, (wide, deep) = ("cooler", COOLER_M) if coolers > 0 else ("gondola", RACK_M)
        if y + wide > d - BACK_M + 1e-9:
            break
        yield _Place(kind, w - deep, y + wide, 180)
        y, coolers = y + wide + (0.1 if kind == "cooler" else 0.0), coolers - 1
    for left, right in _islands(wishes):
        for y in _row(FRONT_M + 0.1, d - CROSS_M):
            yield _Place("gondola", left, y + RACK_M[0], 180)
            yield _Place("gondola", right, y, 0)


def _row(start: float, end: float) -> list[float]:
    return [start + number * RACK_M[0] for number in range(int((end - start) / RACK_M[0] + 1e-9))]


def _islands(wishes: Wishes) -> list[tuple[float, float]]:
    """The left and right face of every island."""
    free, deep = wishes.width_m - RACK_M[1] - COOLER_M[1], 2 * RACK_M[1]
    count = max(0, int((free - AISLE_M) / (deep + AISLE_M)))
    aisle = (free - count * deep) / (count + 1)
    lefts = [RACK_M[1] + aisle + number * (deep + aisle) for number in range(count)]
    return [(left, left + deep) for left in lefts]


def _aisles(wishes: Wishes) -> list[float]:
    """The middle lines of all aisles."""
    faces = [RACK_M[1], *(x for island in _islands(wishes) for x in island), wishes.width_m - COOLER_M[1]]
    return [(left + right) / 2 for left, right in zip(faces[::2], faces[1::2], strict=True)]


class _Stock:
    """Deals items out, each in turn, never beside one of the same weight."""

    def __init__(self, items: Sequence[ItemNode]) -> None:
        self._waiting = list(items)
        self._beside: ItemNode | None = None

    def next_row(self) -> None:
        """A new shelf begins: nothing stands to the left."""
        self._beside = None

    def take(self, width_m: float, depth_m: float, clear_m: float) -> tuple[ItemNode, int, int] | None:
        """An item that fits, with columns and rows; None if none does."""
        fitting = [item for item in self._waiting if _fits(item, width_m, depth_m, clear_m)]
        apart = [item for item in fitting if self._beside is None or weighed_apart(item, self._beside)]
        if not fitting:
            return None
        item = (apart or fitting)[0]
        self._waiting.remove(item)
        self._waiting.append(item)
        self._beside = item
        wide, deep, _ = item.size_m
        rows = max(
            1, min(MOST_ROWS, int((depth_m - 0.03) / (deep + ROW_GAP_M)), 1 + int(ROW_REACH_M / (deep + ROW_GAP_M)))
        )
        return item, min(10, int(width_m / (wide + 0.005))), rows


def _fits(item: ItemNode, width_m: float, depth_m: float, clear_m: float) -> bool:
    wide, deep, high = item.size_m
    return wide + 0.005 <= width_m and deep + 0.03 <= depth_m and high + 0.01 <= clear_m


def _fixture(name: str, place: _Place, stock: _Stock) -> dict[str, Any]:
    cooler = place.kind == "cooler"
    (wide, deep), boards = (COOLER_M, COOLER_SHELVES_M) if cooler else (RACK_M, RACK_SHELVES_M)
    shelves = [_shelf(f"{name}-{number}", board, wide, deep, stock) for number, board in enumerate(boards, start=1)]
    return {
        "id": name, "kind": place.kind, "origin_m": [place.x_m, place.y_m], "facing_deg": place.facing_deg,
        "width_m": wide, "depth_m": deep, "height_m": COOLER_HIGH_M if cooler else RACK_HIGH_M,
        "scale": {"rate_hz": 60, "batch": 12}, "shelves": shelves,
    }  # fmt: skip


def _shelf(name: str, board: tuple[float, float], wide: float, deep: float, stock: _Stock) -> dict[str, Any]:
    (height, clear), pitch = board, wide / FACINGS
    plates, facings = [], []
    stock.next_row()
    for number, letter in enumerate("abcdefgh"[:FACINGS]):
        taken = stock.take(pitch, deep, clear)
        if taken is None:
            raise EditError(f"nothing of the catalogue fits a facing {pitch:g} m wide with {clear:g} m above")
        item, columns, rows = taken
        span = {"offset_m": number * pitch, "width_m": pitch}
        plates.append({"id": f"{name}-p{number + 1}", **span})
        facings.append({"id": f"{name}-{letter}", "sku": item.sku, **span, "columns": columns, "rows": rows})
    return {"id": name, "height_m": height, "clear_m": clear, "plates": plates, "facings": facings}


def _cameras(wishes: Wishes, aisles: Sequence[float]) -> Iterator[dict[str, Any]]:
    """At both ends of every aisle looking along it, and above it looking at one face and the other in turn."""
    d, z = wishes.depth_m, wishes.ceiling_m - BELOW_CEILING_M
    number = 0
    for x in aisles:
        views = [((x, FROM_WALL_M), (x, d / 2, 1.0)), ((x, d - FROM_WALL_M), (x, d / 2, 1.0))]
        count = max(2, math.ceil((d - FRONT_M - BACK_M) / CAMERA_STEP_M))
        for step in range(count):
            y = FRONT_M + (step + 0.5) * (d - FRONT_M - BACK_M) / count
            views.append(((x, y), (x + (0.5 if step % 2 else -0.5), y, 1.0)))
        for (at_x, at_y), aim in views:
            number += 1
            yield {"id": f"c{number}", "kind": "ceiling", "position_m": [at_x, at_y, z], "look_at_m": list(aim), **LENS}


def _items(path: Path) -> list[ItemNode]:
    source, problems = read_source(path)
    catalogue = parse(source, CatalogueDocument) if source is not None else None
    problems = problems + (catalogue.problems if catalogue is not None else [])
    if problems or catalogue is None or catalogue.node is None:
        raise EditError(f"the catalogue cannot be used: {problems[0]}")
    return list(catalogue.node.items)


def _rounded(data: Any) -> Any:
    """The same with lengths to the millimetre."""
    if isinstance(data, dict):
        return {key: _rounded(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_rounded(value) for value in data]
    return round(data, 3) if isinstance(data, float) else data
