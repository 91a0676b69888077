"""Planograms as tables: a row per place on a shelf, ``shelf, position, facings, gtin``.

Positions count from 1, from the left; ``facings`` are items side by side. In: such a table, and a store document that
has the shelves. Out: what lies there now; and the table of a store.
"""

import csv
import io
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smartstore.domain.items import Item
from smartstore.formats.text import FormatError, read_text
from smartstore.site import Site

COLUMNS = ("shelf", "position", "facings", "gtin")
GAP_M = 0.01
"""Room beside the items of a new place."""


@dataclass(frozen=True, slots=True)
class Place:
    """One row: ``facings`` items of a SKU side by side."""

    shelf: str
    position: int
    facings: int
    sku: str


def read_planogram(path: Path) -> list[Place]:
    """The rows of a table, shelf by shelf from the left.

    Raises:
        FormatError: the table or a row of it cannot be read.
    """
    text = read_text(path)
    head = text.partition("\n")[0]
    table = csv.DictReader(io.StringIO(text), delimiter=";" if head.count(";") > head.count(",") else ",")
    names = {name.strip().lower(): name for name in table.fieldnames or []}
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise FormatError(f"{path}: has no column {missing[0]!r}; its first line must name {', '.join(COLUMNS)}")
    places: dict[tuple[str, int], Place] = {}
    try:
        for row in table:
            place = _place(f"{path}:{table.line_num}", {name: row[names[name]] for name in COLUMNS})
            if (place.shelf, place.position) in places:
                raise FormatError(f"{path}:{table.line_num}: position {place.position} of {place.shelf} comes twice")
            places[place.shelf, place.position] = place
    except csv.Error as error:
        raise FormatError(
            f"{path}:{table.line_num}: is no row of a table ({error}); look for a quote too many"
        ) from error
    if not places:
        raise FormatError(f"{path}: has no rows; there is nothing to import")
    return [places[key] for key in sorted(places)]


def planogram_csv(site: Site) -> str:
    """The table of a store."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for shelf in site.shelves.values():
        for position, facing in enumerate(shelf.facings, start=1):
            table.writerow((shelf.id, position, facing.columns, facing.sku))
    return out.getvalue()


def put_on_shelves(document: MutableMapping[str, Any], places: list[Place], items: Mapping[str, Item]) -> int:
    """Changes the facings of a store document (plain data, or as ruamel reads it) to those of a table.

    A shelf with as many places as before keeps them; else they are laid out anew from the left, as wide as their items.
    Shelves that the table does not name stay. Returns the number of shelves changed; the result is still to be checked.

    Raises:
        FormatError: a shelf is not in the document, or an item not in the catalogue.
    """
    shelves = {
        str(shelf.get("id")): (fixture, shelf)
        for fixture in document.get("fixtures", []) for shelf in fixture.get("shelves", [])
    }  # fmt: skip
    wanted: dict[str, list[Place]] = {}
    for place in places:
        if place.shelf not in shelves:
            raise FormatError(f"shelf {place.shelf!r} is not in the store; it has {', '.join(list(shelves)[:8])}, ...")
        if place.sku not in items:
            raise FormatError(f"{place.sku} (shelf {place.shelf}, position {place.position}) is not in the catalogue")
        wanted.setdefault(place.shelf, []).append(place)
    for name, row in wanted.items():
        fixture, shelf = shelves[name]
        _fill(fixture, shelf, row, items)
    return len(wanted)


def _fill(
    fixture: Mapping[str, Any], shelf: MutableMapping[str, Any], row: list[Place], items: Mapping[str, Item]
) -> None:
    before = list(shelf.get("facings") or [])
    if len(before) == len(row):
        for facing, place in zip(before, row, strict=True):
            facing["sku"], facing["columns"] = place.sku, place.facings
            facing["rows"] = min(int(facing["rows"]), _rows(fixture, items[place.sku]))
        return
    offset_m, facings = 0.0, []
    for index, place in enumerate(row):
        item = items[place.sku]
        width_m = round(place.facings * item.size_m[0] + GAP_M, 4)
        facings.append({
            "id": f"{shelf['id']}-{_letters(index)}", "sku": place.sku, "offset_m": round(offset_m, 4),
            "width_m": width_m, "columns": place.facings, "rows": _rows(fixture, item),
        })  # fmt: skip
        offset_m += width_m
    shelf["facings"] = facings


def _rows(fixture: Mapping[str, Any], item: Item) -> int:
    return max(1, int(float(fixture["depth_m"]) / item.size_m[1] + 1e-9))


def _letters(index: int) -> str:
    """a to z, then aa, ab, ..."""
    return ("" if index < 26 else _letters(index // 26 - 1)) + chr(ord("a") + index % 26)


def _place(where: str, row: Mapping[str, str | None]) -> Place:
    texts = {name: (value or "").strip() for name, value in row.items()}
    empty = [name for name, text in texts.items() if not text]
    if empty:
        raise FormatError(f"{where}: {empty[0]} is empty; fill it in")
    numbers = {}
    for name in ("position", "facings"):
        try:
            numbers[name] = int(texts[name])
        except ValueError:
            numbers[name] = 0
        if not 1 <= numbers[name] <= 10_000:
            raise FormatError(f"{where}: {name} {texts[name]!r} is not a whole number from 1 on")
    if not texts["gtin"].isdecimal() or not texts["gtin"].isascii() or len(texts["gtin"]) not in (8, 12, 13, 14):
        raise FormatError(f"{where}: gtin {texts['gtin']!r} is not one of 8, 12, 13 or 14 digits; keep leading zeros")
    return Place(texts["shelf"], numbers["position"], numbers["facings"], texts["gtin"])
