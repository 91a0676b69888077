"""The building as its devices know it: walls, fixtures, goods and cameras, read from a store document.

In: a store document (YAML, schema 1) and the catalogue that it names. Out: a frozen :class:`Building`. The simulator
reads the document on its own, so that nothing of the product's reader (or of its mistakes) reaches the world that the
product is judged by.

The store's frame: metres, x to the right and y to the back as seen from the entry wall, z up. A fixture's frame: u
along the face to the shopper's right, v into the fixture (0 at the face), z up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sims.documents import read_document
from sims.fixtures import CatalogueItem, Facing, Fixture, Plate, ScaleSpec, Shelf
from sims.optics import CameraSpec, Point

__all__ = [
    "Building",
    "BuildingError",
    "CameraSpec",
    "CatalogueItem",
    "Facing",
    "Fixture",
    "Gate",
    "Plate",
    "Shelf",
    "load_building",
]

SHAPES = ("box", "bottle", "can", "bag")
FRONT_GAP_M = 0.012
"""Distance of the first row from the shelf's front edge."""


class BuildingError(Exception):
    """A store document that the building cannot be raised from: one line, what and where."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A gap in the wall."""

    id: str
    kind: str
    line_m: tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Building:
    """All that a device can know of the store it hangs in."""

    store: str
    name: str
    walls_m: tuple[tuple[float, float], ...]
    ceiling_m: float
    gates: tuple[Gate, ...]
    fixtures: Mapping[str, Fixture]
    cameras: Mapping[str, CameraSpec]
    items: Mapping[str, CatalogueItem]
    palm_station_m: tuple[float, float] | None = None

    @cached_property
    def shelves(self) -> dict[str, Shelf]:
        """Shelves by id."""
        return {shelf.id: shelf for fixture in self.fixtures.values() for shelf in fixture.shelves}

    @cached_property
    def facings(self) -> dict[str, Facing]:
        """Facings by id, in the document's order."""
        return {facing.id: facing for shelf in self.shelves.values() for facing in shelf.facings}

    @cached_property
    def plates(self) -> dict[str, Plate]:
        """Load plates by id."""
        return {plate.id: plate for shelf in self.shelves.values() for plate in shelf.plates}

    def full_stock(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """Every facing filled with its own product: facing id -> per column the SKUs from back to front."""
        return {f.id: ((f.sku,) * f.rows,) * f.columns for f in self.facings.values()}

    def slot(self, facing_id: str, column: int, index: int, sku: str | None = None) -> Point:
        """(u, v, z) in the fixture's frame of the base centre of item ``index`` (0 at the back) of a column.

        Items keep their places when those before them go. One put before a full column stands on top of the first row.
        """
        facing = self.facings[facing_id]
        fixture, shelf = self.fixtures[facing.fixture], self.shelves[facing.shelf]
        item = self.items[sku or facing.sku]
        own_depth = self.items[facing.sku].size_m[1]
        pitch = min(own_depth + 0.008, (fixture.depth_m - 0.03) / facing.rows)
        row = facing.rows - 1 - index
        u = facing.offset_m + (column + 0.5) * facing.width_m / facing.columns
        v = FRONT_GAP_M + max(row, 0) * pitch + item.size_m[1] / 2
        return u, v, shelf.height_m + max(0, -row) * self.items[facing.sku].size_m[2]


def load_building(path: str | Path) -> Building:
    """The building that the store document at ``path`` describes; raises :class:`BuildingError`."""
    path = Path(path)
    document = _read_yaml(path)
    try:
        catalogue = _read_yaml(path.parent / str(document["catalogue"]))
        items = {item.sku: item for item in map(_item, catalogue["items"])}
        fixtures = {f.id: f for f in map(_fixture, document["fixtures"])}
        cameras = {c.id: c for c in map(_camera, document["cameras"])}
        station = document.get("palm_station_m")
        building = Building(
            store=str(document["store"]),
            name=str(document.get("name", document["store"])),
            walls_m=_round(tuple((float(x), float(y)) for x, y in document["walls_m"])),
            ceiling_m=float(document["ceiling_m"]),
            gates=tuple(_gate(gate) for gate in document.get("gates", [])),
            fixtures=fixtures,
            cameras=cameras,
            items=items,
            palm_station_m=(float(station[0]), float(station[1])) if station else None,
        )
    except KeyError as error:
        raise BuildingError(f"{path}: {error.args[0]!r} is missing; add it (see configs/stores/corner.yaml)") from error
    except (TypeError, ValueError) as error:
        raise BuildingError(f"{path}: {error}; compare with configs/stores/corner.yaml") from error
    for facing in building.facings.values():
        if facing.sku not in items:
            raise BuildingError(f"{path}: facing {facing.id}: SKU {facing.sku} is not in the catalogue; add it there")
    return building


def _read_yaml(path: Path) -> dict[str, Any]:
    return read_document(path, BuildingError, "configs/stores/corner.yaml")


def _round(corners_m: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """An outline counter-clockwise, whichever way round it was written: the inside is on the left of every wall."""
    following = (*corners_m[1:], *corners_m[:1])
    twice_m2 = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(corners_m, following, strict=True))
    return corners_m if twice_m2 >= 0 else corners_m[::-1]


def _point(values: Any) -> Point:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _item(raw: Mapping[str, Any]) -> CatalogueItem:
    colour = str(raw["colour"]).lstrip("#")
    if raw["shape"] not in SHAPES:
        raise ValueError(f"item {raw['sku']}: shape {raw['shape']!r} is none of {', '.join(SHAPES)}")
    return CatalogueItem(
        sku=str(raw["sku"]),
        name=str(raw["name"]),
        grams=float(raw["grams"]),
        grams_sigma=float(raw["grams_sigma"]),
        size_m=_point(raw["size_m"]),
        shape=str(raw["shape"]),
        colour=(int(colour[0:2], 16), int(colour[2:4], 16), int(colour[4:6], 16)),
        price_minor=int(raw.get("price_minor", 0)),
    )


def _fixture(raw: Mapping[str, Any]) -> Fixture:
    scale = raw.get("scale")
    x, y = raw["origin_m"]
    name = str(raw["id"])
    return Fixture(
        id=name,
        kind=str(raw["kind"]),
        origin_m=(float(x), float(y)),
        facing_deg=float(raw["facing_deg"]),
        width_m=float(raw["width_m"]),
        depth_m=float(raw["depth_m"]),
        height_m=float(raw["height_m"]),
        scale=ScaleSpec(float(scale["rate_hz"]), int(scale["batch"])) if scale else None,
        shelves=tuple(_shelf(name, shelf) for shelf in raw.get("shelves") or ()),
    )


def _shelf(fixture: str, raw: Mapping[str, Any]) -> Shelf:
    shelf = str(raw["id"])
    plates = tuple(
        Plate(str(p["id"]), fixture, shelf, float(p["offset_m"]), float(p["width_m"])) for p in raw.get("plates") or ()
    )
    facings = tuple(
        Facing(
            id=str(f["id"]),
            fixture=fixture,
            shelf=shelf,
            sku=str(f["sku"]),
            offset_m=float(f["offset_m"]),
            width_m=float(f["width_m"]),
            columns=int(f["columns"]),
            rows=int(f["rows"]),
        )
        for f in raw.get("facings") or ()
    )
    return Shelf(shelf, fixture, float(raw["height_m"]), float(raw["clear_m"]), plates, facings)


def _gate(raw: Mapping[str, Any]) -> Gate:
    (x0, y0), (x1, y1) = raw["line_m"]
    return Gate(str(raw["id"]), str(raw["kind"]), ((float(x0), float(y0)), (float(x1), float(y1))))


def _camera(raw: Mapping[str, Any]) -> CameraSpec:
    k1, k2, p1, p2, k3 = (float(value) for value in raw.get("distortion", (0, 0, 0, 0, 0)))
    principal = raw.get("principal_px")
    return CameraSpec(
        id=str(raw["id"]),
        kind=str(raw["kind"]),
        position_m=_point(raw["position_m"]),
        look_at_m=_point(raw["look_at_m"]),
        width_px=int(raw["width_px"]),
        height_px=int(raw["height_px"]),
        focal_px=float(raw["focal_px"]),
        distortion=(k1, k2, p1, p2, k3),
        fps=float(raw["fps"]),
        watches=tuple(str(w) for w in raw.get("watches") or ()),
        roll_deg=float(raw.get("roll_deg", 0.0)),
        principal_px=(float(principal[0]), float(principal[1])) if principal else None,
    )
