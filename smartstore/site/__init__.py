"""The store document: walls, gates, fixtures, planogram, scales, cameras and catalogue of one store.

In: a YAML file. Out: a :class:`Site` of frozen parts, or every error of the document at once, with path and line.
"""

from dataclasses import replace
from pathlib import Path

from smartstore.domain.items import Item
from smartstore.site.checks import catalogue_problems, id_problems, picture_of, shelf_problems
from smartstore.site.document import (
    CameraNode,
    CatalogueDocument,
    FacingNode,
    FixtureNode,
    ItemNode,
    Parsed,
    ShelfNode,
    StoreDocument,
    catalogue_schema,
    parse,
    store_schema,
)
from smartstore.site.parts import Facing, Fixture, Gate, Plate, ScaleSpec, Shelf, Sign, Site, SurveyedCamera
from smartstore.site.room import bare_fixture, calibration, room_problems
from smartstore.site.source import Problem, Source, read_source, source_of

__all__ = [
    "Facing", "Fixture", "Gate", "Plate", "Problem", "ScaleSpec", "Shelf", "Sign", "Site", "SiteError",
    "SurveyedCamera", "catalogue_schema", "check_document", "load_site", "read_site", "store_schema",
]  # fmt: skip


class SiteError(Exception):
    """A store document that cannot be used; ``problems`` names every error in it."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}")


def load_site(path: str | Path) -> Site:
    """The store described in ``path``. Raises :class:`SiteError` with all problems when there are any."""
    return _sound(Path(path), *read_source(Path(path)))


def read_site(text: str, path: str | Path) -> Site:
    """The same of a text that is to be written to ``path``."""
    return _sound(Path(path), *source_of(text, str(path)))


def check_document(path: str | Path) -> list[Problem]:
    """Every error of the store document in ``path`` and of its catalogue, by file and line; empty when it is sound."""
    return _examine(*read_source(Path(path)))[2]


def _sound(path: Path, source: Source | None, found: list[Problem]) -> Site:
    store, catalogue, problems = _examine(source, found)
    if problems or store is None or catalogue is None:
        raise SiteError(problems)
    return _site(store, catalogue, (path.parent / store.catalogue).parent)


def _examine(
    source: Source | None, problems: list[Problem]
) -> tuple[StoreDocument | None, CatalogueDocument | None, list[Problem]]:
    if source is None:
        return None, None, problems
    store = parse(source, StoreDocument)
    problems += _new(store.problems, problems) + list(id_problems(store))
    catalogue = _catalogue(source, problems)
    items: dict[str, ItemNode | None] | None = None
    if catalogue is not None:
        problems += _new(catalogue.problems, problems)
        tax_classes = source.data.get("tax_classes") if isinstance(source.data, dict) else None
        if isinstance(tax_classes, dict):
            problems += catalogue_problems(catalogue, tax_classes)
        items = _items(catalogue)
    if items is not None:
        problems += shelf_problems(store, items)
    problems += room_problems(store, items or {})
    problems.sort(key=lambda problem: (problem.file != source.file, problem.line, problem.where))
    return store.node, catalogue.node if catalogue else None, problems


def _new(found: list[Problem], known: list[Problem]) -> list[Problem]:
    """Without those whose place has a problem already: what cannot be read is also of a wrong type."""
    places = {(problem.file, problem.where) for problem in known}
    return [problem for problem in found if (problem.file, problem.where) not in places]


def _catalogue(source: Source, problems: list[Problem]) -> Parsed[CatalogueDocument] | None:
    """The catalogue that the store names; its absence is a problem at the place of the name."""
    name = source.data.get("catalogue") if isinstance(source.data, dict) else None
    if not isinstance(name, str) or not name:
        return None
    path = Path(source.file).parent / name
    if not path.is_file():
        problems.append(
            source.problem(("catalogue",), f"there is no file {path}", "give its path relative to this file")
        )
        return None
    read, found = read_source(path)
    problems += found
    return parse(read, CatalogueDocument) if read else None


def _items(catalogue: Parsed[CatalogueDocument]) -> dict[str, ItemNode | None]:
    """Items by SKU; None where the entry is broken but says which SKU it is about."""
    data = catalogue.source.data
    listed = data.get("items") if isinstance(data, dict) else None
    named = [entry.get("sku") for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    items: dict[str, ItemNode | None] = {str(sku): None for sku in named}
    if catalogue.node is not None:
        items.update({item.sku: item for item in catalogue.node.items})
    return items


def _site(store: StoreDocument, catalogue: CatalogueDocument, folder: Path) -> Site:
    items = {node.sku: _item(node, picture_of(node, catalogue.pictures, folder)) for node in catalogue.items}
    return Site(
        store=store.store,
        name=store.name,
        currency=store.currency,
        tax_classes=dict(store.tax_classes),
        walls_m=store.walls_m,
        ceiling_m=store.ceiling_m,
        gates=tuple(Gate(gate.id, gate.kind, gate.line_m) for gate in store.gates),
        fixtures={node.id: _fixture(node, items) for node in store.fixtures},
        cameras={node.id: _camera(node) for node in store.cameras},
        items=items,
        palm_station_m=store.palm_station_m,
        signs=tuple(Sign(sign.id, sign.kind, sign.position_m) for sign in store.signs),
    )


def _item(node: ItemNode, picture: Path | None) -> Item:
    return Item(
        node.sku, node.name, node.price_minor, node.tax_class, node.grams, node.grams_sigma, node.size_m,
        str(picture) if picture is not None else None,
    )  # fmt: skip


def _fixture(node: FixtureNode, items: dict[str, Item]) -> Fixture:
    frame = bare_fixture(node)
    scale = ScaleSpec(node.scale.rate_hz, node.scale.batch) if node.scale else None
    return replace(frame, scale=scale, shelves=tuple(_shelf(frame, shelf, items) for shelf in node.shelves))


def _shelf(frame: Fixture, node: ShelfNode, items: dict[str, Item]) -> Shelf:
    plates = tuple(
        Plate(plate.id, frame.id, node.id, plate.offset_m, plate.width_m)
        for plate in sorted(node.plates, key=lambda plate: plate.offset_m)
    )
    facings = tuple(
        _facing(frame, node, facing, plates, items[facing.sku].size_m[2])
        for facing in sorted(node.facings, key=lambda facing: facing.offset_m)
    )
    return Shelf(node.id, frame.id, node.height_m, node.clear_m, plates, facings)


def _facing(frame: Fixture, shelf: ShelfNode, node: FacingNode, plates: tuple[Plate, ...], item_m: float) -> Facing:
    left, right = node.offset_m + 0.005, node.offset_m + node.width_m - 0.005
    under = tuple(plate.id for plate in plates if plate.offset_m < right and plate.offset_m + plate.width_m > left)
    centre = frame.point(node.offset_m + node.width_m / 2, 0.0, shelf.height_m + item_m / 2)
    return Facing(
        node.id, frame.id, shelf.id, node.sku, node.offset_m, node.width_m, node.columns, node.rows, under, centre
    )  # fmt: skip


def _camera(node: CameraNode) -> SurveyedCamera:
    return SurveyedCamera(node.id, node.kind, node.watches, node.fps, calibration(node))
