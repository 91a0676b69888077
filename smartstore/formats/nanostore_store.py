"""The NanoStore as a store document with its catalogue.

In: gondolas, cameras, goods and placements. Out: the two documents as plain data. What the data set does not have
(gates, ceiling, sizes of goods, taxes) is assumed here, in one place, and every assumption is a finding.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smartstore.formats.nanostore_geometry import INCH_M, Gondola, read_cameras, read_gondolas
from smartstore.formats.nanostore_goods import Good, Placement, Plate, read_goods, read_planogram
from smartstore.formats.nanostore_source import (
    Findings,
    NanoStoreError,
    document,
    documents,
    formed_like_the_set,
    number,
)

STORE = "nanostore"
BOTTLE_GRAMS = 300.0
"""What is heavier is a bottle or a can, what is lighter a bag: the data has no shapes."""
BOTTLE_M, BAG_M = (0.07, 0.07, 0.21), (0.15, 0.055, 0.18)
SIDE_M = 0.008
"""Room beside an item in its facing."""
MOST_ROWS = 5
SPREAD_SHARE, SPREAD_GRAMS = 0.008, 0.4
"""Standard deviation between units: the data has one weight per product."""
GATE_M = 1.4


@dataclass(frozen=True, slots=True)
class NanoStore:
    """What the data set says of the store. ``planogram`` is the one of ``planogram.json``."""

    gondolas: Mapping[int, Gondola]
    cameras: Sequence[Mapping[str, Any]]
    walls_m: tuple[float, float, float, float]
    """Left, front, right and back of the room."""
    goods: Mapping[str, Good]
    planogram: tuple[Placement, ...]

    @property
    def plates(self) -> set[Plate]:
        """All plates there are."""
        return {(g, s, p) for g, one in self.gondolas.items() for s, board in one.shelves.items() for p in board.plates}


def read_store(folder: Path, findings: Findings) -> NanoStore:
    """The store in ``folder``; raises :class:`NanoStoreError`."""
    meta = folder / "store_meta"
    listed = {
        name: document(meta / f"{name.capitalize()}.json").get(name) for name in ("gondolas", "shelves", "plates")
    }
    for name, parts in listed.items():
        if not isinstance(parts, list) or not parts:
            raise NanoStoreError(f"{meta / name.capitalize()}.json: has no list '{name}'; fetch it again")
    calibration = document(meta / "calibration.json")
    with formed_like_the_set(folder / "products.json"):
        goods = read_goods(documents(folder / "products.json", findings), findings)
    with formed_like_the_set(folder / "planogram.json"):
        facings = list(documents(folder / "planogram.json", findings))
        hung_m = _hung(facings)
    shelves, gondolas, plates = (listed[name] or [] for name in ("shelves", "gondolas", "plates"))
    stands = read_gondolas(gondolas, shelves, plates, hung_m, findings)
    with formed_like_the_set(meta / "calibration.json"):
        left, front, right, back = (float(inches) * INCH_M for inches in calibration["world_ltrb"])
        cameras = read_cameras(calibration, findings)
    there = {(g, s, p) for g, one in stands.items() for s, board in one.shelves.items() for p in board.plates}
    with formed_like_the_set(folder / "planogram.json"):
        planogram = read_planogram(facings, goods, there, findings)
    store = NanoStore(stands, cameras, (left, front, right, back), goods, planogram)
    unplaced = [
        f"{good.gtin} {good.name}" for good in goods.values() if good.gtin not in {p.gtin for p in store.planogram}
    ]
    for name in unplaced:
        findings.add("a product has no place in the planogram", name, "in the catalogue, on no shelf")
    if bare := len(there) - sum(len(place.plates) for place in store.planogram):
        findings.add("plates carry nothing by the planogram", "in all", "left bare", bare)
    return store


def _hung(facings: Sequence[Mapping[str, Any]]) -> dict[tuple[int, int], float]:
    """Heights of shelves by the planogram's global coordinates, where its facings agree."""
    heights: dict[tuple[int, int], set[float]] = {}
    for facing in facings:
        moved = (facing.get("global_coordinates") or {}).get("transform") or {}
        height = number((moved.get("translation") or {}).get("z"))
        for plate in facing.get("plate_ids") or []:
            shelf = plate.get("shelf_id") or {}
            if height is not None and "shelf_index" in shelf:
                key = int(shelf["gondola_id"]["id"]), int(shelf["shelf_index"])
                heights.setdefault(key, set()).add(round(height, 3))
    return {key: found.pop() for key, found in heights.items() if len(found) == 1}


def shelf_id(gondola: int, shelf: int) -> str:
    """The id of a shelf in the document."""
    return f"g{gondola}-s{shelf}"


def plate_id(plate: Plate) -> str:
    """The id of a plate in the document."""
    return f"{shelf_id(*plate[:2])}-p{plate[2]}"


def facing_id(place: Placement) -> str:
    """The id of a facing in the document: shelf, first and last plate."""
    ends = sorted({place.plates[0], place.plates[-1]})
    return f"{shelf_id(place.gondola, place.shelf)}-f{'-'.join(map(str, ends))}"


def store_document(store: NanoStore, planogram: Sequence[Placement], catalogue: str) -> dict[str, Any]:
    """The store with this planogram; ``catalogue`` is the name of the catalogue's file."""
    left, front, right, back = (round(v, 4) for v in store.walls_m)
    gates = (("entry", 0.68), ("exit", 0.27))
    sizes = item_sizes(store, planogram)
    return {
        "schema": 1, "store": STORE, "name": "AiFi NanoStore", "currency": "USD", "tax_classes": {"none": 0},
        "walls_m": [[left, front], [right, front], [right, back], [left, back]],
        "ceiling_m": round(max((camera["position_m"][2] for camera in store.cameras), default=2.4) + 0.2, 2),
        "catalogue": catalogue,
        "gates": [_gate(kind, left + share * (right - left), front) for kind, share in gates],
        "fixtures": [_fixture(number_, gondola, planogram, sizes) for number_, gondola in store.gondolas.items()],
        "cameras": [dict(camera) for camera in store.cameras],
    }  # fmt: skip


def assumptions(store: NanoStore, findings: Findings) -> None:
    """What the documents say although the data does not."""
    for what, where, done in (
        ("the data has no gates", "entry and exit", "put into the wall opposite the gondolas, 1.4 m wide"),
        ("the data has no ceiling", "the room", "0.2 m above the highest camera"),
        ("the data has no frame rate", f"{len(store.cameras)} cameras", "5 pictures a second"),
        ("the data has no picture size", f"{len(store.cameras)} cameras", "1280 x 720, which makes pixels square"),
        ("the data has no taxes", "all products", "none"),
        ("the data has no sizes of products", f"{len(store.goods)} products",
         f"from {BOTTLE_GRAMS:g} g on a bottle on one plate, else a bag as wide as its facing, at most 15 cm"),
        ("the data has no spread of weights", f"{len(store.goods)} products", "0.8 % and 0.4 g"),
    ):  # fmt: skip
        findings.add(what, where, done)


def catalogue_document(store: NanoStore, planogram: Sequence[Placement]) -> dict[str, Any]:
    """All goods, those without a place too."""
    sizes = item_sizes(store, planogram)
    return {
        "items": [
            {
                "sku": good.gtin, "name": good.name, "price_minor": good.price_minor, "tax_class": "none",
                "grams": round(good.grams, 2), "grams_sigma": round(SPREAD_SHARE * good.grams + SPREAD_GRAMS, 2),
                "size_m": list(sizes[good.gtin]), "shape": "bottle" if _bottled(good) else "bag",
                "colour": f"#{zlib.crc32(good.gtin.encode()) & 0xFFFFFF:06x}",
            }
            for good in sorted(store.goods.values(), key=lambda good: good.gtin)
        ]
    }  # fmt: skip


def item_sizes(store: NanoStore, planogram: Sequence[Placement]) -> dict[str, tuple[float, float, float]]:
    """A size for every product that fits all its facings."""
    out = {}
    for good in store.goods.values():
        width, depth, height = BOTTLE_M if _bottled(good) else BAG_M
        for place in planogram:
            if place.gtin == good.gtin:
                board = store.gondolas[place.gondola].shelves[place.shelf]
                width = min(width, _span(store, place)[1] - SIDE_M)
                height = min(height, board.clear_m - 0.02)
        out[good.gtin] = (round(width, 4), depth, round(height, 4))
    return out


def _span(store: NanoStore, place: Placement) -> tuple[float, float]:
    """Offset and width of a facing."""
    plates = store.gondolas[place.gondola].shelves[place.shelf].plates
    left, (last, width) = plates[place.plates[0]][0], plates[place.plates[-1]]
    return left, round(last + width - left, 4)


def _bottled(good: Good) -> bool:
    return good.grams >= BOTTLE_GRAMS


def _gate(kind: str, x_m: float, y_m: float) -> dict[str, Any]:
    ends = [[round(x_m + side * GATE_M / 2, 4), y_m] for side in (-1, 1)]
    return {"id": kind, "kind": kind, "line_m": ends}


def _fixture(
    name: int, gondola: Gondola, planogram: Sequence[Placement], sizes: Mapping[str, tuple[float, float, float]]
) -> dict[str, Any]:
    shelves = []
    for shelf, board in sorted(gondola.shelves.items(), key=lambda pair: pair[1].height_m):
        places = [place for place in planogram if (place.gondola, place.shelf) == (name, shelf)]
        shelves.append({
            "id": shelf_id(name, shelf), "height_m": board.height_m, "clear_m": board.clear_m,
            "plates": [
                {"id": plate_id((name, shelf, plate)), "offset_m": offset, "width_m": width}
                for plate, (offset, width) in board.plates.items()
            ],
            "facings": [_facing(gondola, board, place, sizes[place.gtin]) for place in places],
        })  # fmt: skip
    return {
        "id": f"gondola-{name}", "kind": "gondola", "origin_m": list(gondola.origin_m),
        "facing_deg": gondola.facing_deg, "width_m": gondola.width_m, "depth_m": gondola.depth_m,
        "height_m": gondola.height_m, "scale": {"rate_hz": 60.0, "batch": 12}, "shelves": shelves,
    }  # fmt: skip


def _facing(gondola: Gondola, board: Any, place: Placement, size_m: tuple[float, float, float]) -> dict[str, Any]:
    left, (last, width) = board.plates[place.plates[0]][0], board.plates[place.plates[-1]]
    room_m = last + width - left
    columns = max(1, math.floor((room_m + 1e-6) / max(size_m[0] + SIDE_M, width)))
    rows = min(MOST_ROWS, int((gondola.depth_m - 0.03) / (size_m[1] + 0.008)))
    return {
        "id": facing_id(place), "offset_m": left, "width_m": round(room_m, 4), "sku": place.gtin, "columns": columns,
        "rows": rows,
    }  # fmt: skip
