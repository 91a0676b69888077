"""What must hold between the parts of a store document: ids, GTINs, and what fits on the shelves.

In: parsed documents. Out: one problem per error, placed where somebody has to change something.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from smartstore.site.document import (
    CatalogueDocument,
    FacingNode,
    FixtureNode,
    ItemNode,
    Parsed,
    SpanNode,
    StoreDocument,
)
from smartstore.site.source import Loc, Problem, where

SLACK_M = 0.002
"""Rounding that is allowed between neighbours."""
LARGEST_SPREAD = 0.2
"""A standard deviation above this share of the weight is a mistake."""


def gtin_check_digit(gtin: str) -> str:
    """The check digit that the other digits of a GTIN call for (GS1 General Specifications, section 7.9)."""
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(gtin[:-1])))
    return str(-weighted % 10)


def catalogue_problems(catalogue: Parsed[CatalogueDocument], tax_classes: Mapping[str, int]) -> Iterator[Problem]:
    """Check digits, double entries, tax classes and impossible weights of the items."""
    if catalogue.node is None:
        return
    yield from _picture_problems(catalogue)
    seen: dict[str, Loc] = {}
    for index, item in enumerate(catalogue.node.items):
        loc: Loc = ("items", index)
        yield from _check_digit(catalogue, (*loc, "sku"), item.sku)
        first = seen.setdefault(item.sku.zfill(14), loc)
        if first is not loc:
            line = catalogue.problem(first, "", "").line
            yield catalogue.problem((*loc, "sku"), f"SKU {item.sku} is there twice (first in line {line})", "keep one")
        if item.tax_class not in tax_classes:
            known = ", ".join(tax_classes)
            yield catalogue.problem(
                (*loc, "tax_class"), f"unknown tax class '{item.tax_class}'", f"the store has: {known}"
            )
        if item.grams_sigma > LARGEST_SPREAD * item.grams:
            what = f"a spread of {item.grams_sigma:g} g is impossible for an item of {item.grams:g} g"
            yield catalogue.problem((*loc, "grams_sigma"), what, "give one standard deviation in grams")


def picture_of(item: ItemNode, pictures: str | None, folder: Path) -> Path | None:
    """The file of an item's picture: the one it names, else the one in the catalogue's folder; None without either."""
    if item.picture is not None:
        return folder / item.picture
    names = [folder / pictures / f"{item.sku}{kind}" for kind in (".png", ".jpg")] if pictures is not None else []
    return next((name for name in names if name.is_file()), None)


def _picture_problems(catalogue: Parsed[CatalogueDocument]) -> Iterator[Problem]:
    """Named pictures, and the folder of pictures, that are not there."""
    assert catalogue.node is not None
    folder = Path(catalogue.source.file).parent
    if catalogue.node.pictures is not None and not (folder / catalogue.node.pictures).is_dir():
        what = f"there is no folder {folder / catalogue.node.pictures}"
        yield catalogue.problem(("pictures",), what, "give its path relative to this file, or leave the key out")
    for index, item in enumerate(catalogue.node.items):
        if item.picture is not None and not (folder / item.picture).is_file():
            what = f"there is no file {folder / item.picture}"
            yield catalogue.problem(("items", index, "picture"), what, "give its path relative to this file")


def id_problems(store: Parsed[StoreDocument]) -> Iterator[Problem]:
    """Every id names one thing in the document; of two, the second is the problem. Broken things count too."""
    seen: dict[str, Loc] = {}
    for loc, name in sorted(_ids(store.source.data, ()), key=lambda pair: store.source.line(pair[0])):
        first = seen.setdefault(name, loc)
        if first is not loc:
            what = f"id '{name}' is there twice (first at {where(first)}, line {store.source.line(first)})"
            yield store.source.problem(loc, what, "give every thing its own id")


def shelf_problems(store: Parsed[StoreDocument], items: Mapping[str, ItemNode | None]) -> Iterator[Problem]:
    """Shelves, plates and facings of every fixture. ``items`` by SKU; None for one whose entry is broken."""
    if store.node is None:
        return
    for index, fixture in enumerate(store.node.fixtures):
        loc: Loc = ("fixtures", index)
        yield from _boards(store, loc, fixture)
        for number, shelf in enumerate(fixture.shelves):
            place: Loc = (*loc, "shelves", number)
            yield from _row(store, (*place, "plates"), "plate", shelf.plates, fixture.width_m)
            yield from _row(store, (*place, "facings"), "facing", shelf.facings, fixture.width_m)
            for slot, facing in enumerate(shelf.facings):
                spot: Loc = (*place, "facings", slot)
                if facing.sku not in items:
                    yield _unknown_sku(store, (*spot, "sku"), facing)
                elif (item := items[facing.sku]) is not None:
                    yield from _fit(store, spot, facing, item, (fixture.depth_m, shelf.clear_m))


def known_ids(source_data: object, kind: str) -> set[str]:
    """The ids in the top-level list ``kind``, of broken things too."""
    things = source_data.get(kind) if isinstance(source_data, dict) else None
    return {str(thing.get("id")) for thing in things if isinstance(thing, dict)} if isinstance(things, list) else set()


def _ids(data: object, loc: Loc) -> Iterator[tuple[Loc, str]]:
    if isinstance(data, dict):
        if isinstance(data.get("id"), str):
            yield (*loc, "id"), data["id"]
        for key, value in data.items():
            yield from _ids(value, (*loc, key))
    if isinstance(data, list):
        for index, value in enumerate(data):
            yield from _ids(value, (*loc, index))


def _check_digit(parsed: Parsed[CatalogueDocument], loc: Loc, gtin: str) -> Iterator[Problem]:
    digit = gtin_check_digit(gtin)
    if gtin[-1] != digit:
        what = f"GTIN {gtin} has the wrong check digit: {gtin[-1]} instead of {digit}"
        yield parsed.problem(loc, what, "look the number up again")


def _unknown_sku(store: Parsed[StoreDocument], loc: Loc, facing: FacingNode) -> Problem:
    digit = gtin_check_digit(facing.sku)
    if facing.sku[-1] != digit:
        what = f"GTIN {facing.sku} of facing {facing.id} has the wrong check digit: {facing.sku[-1]} instead of {digit}"
        return store.problem(loc, what, "look the number up again")
    return store.problem(loc, f"facing {facing.id} has unknown SKU {facing.sku}", "add the item to the catalogue")


def _boards(store: Parsed[StoreDocument], loc: Loc, fixture: FixtureNode) -> Iterator[Problem]:
    if fixture.kind == "table" and (fixture.shelves or fixture.scale):
        yield store.problem((*loc, "kind"), f"table {fixture.id} has shelves or a scale", "make it a gondola")
    if fixture.scale and not any(shelf.plates for shelf in fixture.shelves):
        yield store.problem(
            (*loc, "scale"), f"fixture {fixture.id} has a scale but no plates", "add plates or leave it out"
        )
    for index, (lower, upper) in enumerate(pairwise(fixture.shelves)):
        if lower.height_m + lower.clear_m > upper.height_m + SLACK_M:
            top = lower.height_m + lower.clear_m
            what = f"shelf {lower.id} reaches up to {top:.2f} m, above shelf {upper.id} at {upper.height_m:g} m"
            yield store.problem(
                (*loc, "shelves", index, "clear_m"), what, "list shelves bottom to top and lower clear_m"
            )
    for index, shelf in enumerate(fixture.shelves):
        if shelf.height_m >= fixture.height_m:
            top = fixture.height_m
            what = f"shelf {shelf.id} at {shelf.height_m:g} m is not below the top of {fixture.id} ({top:g} m)"
            yield store.problem((*loc, "shelves", index, "height_m"), what, "lower the shelf")


def _row(
    store: Parsed[StoreDocument], loc: Loc, noun: str, row: Sequence[SpanNode], width_m: float
) -> Iterator[Problem]:
    for index, thing in enumerate(row):
        end = thing.offset_m + thing.width_m
        if thing.width_m > width_m + SLACK_M:
            what = f"{noun} {thing.id} is {thing.width_m:g} m wide, its fixture only {width_m:g} m"
            yield store.problem((*loc, index, "width_m"), what, "make it narrower")
        elif end > width_m + SLACK_M:
            what = f"{noun} {thing.id} ends at {end:.3g} m, beyond its fixture's width of {width_m:g} m"
            yield store.problem((*loc, index, "offset_m"), what, "move it to the left")
    order = sorted(range(len(row)), key=lambda index: row[index].offset_m)
    for left, right in pairwise(order):
        end = row[left].offset_m + row[left].width_m
        if end > row[right].offset_m + SLACK_M:
            what = f"{noun} {row[right].id} overlaps {noun} {row[left].id} by {end - row[right].offset_m:.3g} m"
            yield store.problem((*loc, right, "offset_m"), what, "move them apart")


def _fit(
    store: Parsed[StoreDocument], loc: Loc, facing: FacingNode, item: ItemNode, room_m: tuple[float, float]
) -> Iterator[Problem]:
    """``room_m`` is the depth of the fixture and the clear height of the shelf."""
    width, depth, height = item.size_m
    depth_m, clear_m = room_m
    needs: Iterable[tuple[str, str, float, float]] = (
        ("columns", f"{facing.columns} columns of '{item.name}' are", facing.columns * width, facing.width_m),
        ("rows", f"{facing.rows} rows of '{item.name}' are", facing.rows * depth, depth_m),
        ("sku", f"'{item.name}' is", height, clear_m),
    )
    for key, what, need, room in needs:
        if need > room + (SLACK_M if key != "sku" else 0):
            side = {"columns": "wide", "rows": "deep", "sku": "high"}[key]
            text = f"{what} {need:.3g} m {side}, facing {facing.id} has {room:g} m"
            yield store.problem((*loc, key), text, f"lower {key}" if key != "sku" else "choose a higher shelf")
