"""The structure of a store document and of a catalogue: which keys there are and what each may hold.

In: the data of a :class:`Source`. Out: frozen nodes, plus a problem for everything that does not fit. Parts with
structural problems are left out of the nodes, so that the rest can still be checked; paths keep pointing into the file
as it was written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from smartstore.site.source import Loc, Problem, Source

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=1, le=100)]
Length = Annotated[float, Field(strict=True, gt=0, le=100)]
Offset = Annotated[float, Field(strict=True, ge=0, le=100)]
Text = Annotated[str, Field(strict=True, min_length=1, max_length=120)]
Id = Annotated[str, Field(strict=True, pattern="^[a-z0-9][a-z0-9-]{0,39}$")]
Gtin = Annotated[str, Field(strict=True, pattern="^([0-9]{8}|[0-9]{12}|[0-9]{13})$")]
Pixels = Annotated[int, Field(strict=True, ge=64, le=8192)]
Lens = Annotated[float, Field(strict=True, ge=-2, le=2)]
BasisPoints = Annotated[int, Field(strict=True, ge=0, le=10_000)]
Point2 = tuple[Number, Number]
Point3 = tuple[Number, Number, Number]


class Node(BaseModel):
    """A mapping in the document: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GateNode(Node):
    id: Id = Field(description="Unique over the document.")
    kind: Literal["entry", "exit"]
    line_m: tuple[Point2, Point2] = Field(description="The two ends of the gap, on a wall.")


class SignNode(Node):
    id: Id = Field(description="Unique over the document.")
    kind: Literal["biometrics"] = Field(description="What people are told.")
    position_m: Point2 = Field(description="Where it hangs, on the plan.")


class ScaleNode(Node):
    rate_hz: Annotated[float, Field(strict=True, gt=0, le=1000)] = Field(description="Samples per second and plate.")
    batch: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(description="Samples per message.")


class SpanNode(Node):
    id: Id = Field(description="Unique over the document.")
    offset_m: Offset = Field(description="From the left end of the fixture.")
    width_m: Length


class PlateNode(SpanNode):
    """A load cell's plate."""


class FacingNode(SpanNode):
    """The place of one SKU on a shelf."""

    sku: Gtin = Field(description="A GTIN of the catalogue, in quotes.")
    columns: Count = Field(description="Items side by side.")
    rows: Count = Field(description="Items in depth; the first row stands at the front edge.")


class ShelfNode(Node):
    id: Id = Field(description="Unique over the document.")
    height_m: Offset = Field(description="Top surface of the board above the floor.")
    clear_m: Length = Field(description="Free height above the board.")
    plates: tuple[PlateNode, ...] = Field(default=(), description="Load cell plates, left to right.")
    facings: tuple[FacingNode, ...] = Field(default=(), description="Left to right.")


class FixtureNode(Node):
    id: Id = Field(description="Unique over the document.")
    kind: Literal["gondola", "cooler", "table"] = Field(description="A table is an obstacle without shelves.")
    origin_m: Point2 = Field(description="Left end of the front edge, as seen by somebody who stands before the face.")
    facing_deg: Annotated[float, Field(strict=True, ge=-360, le=360)] = Field(
        description="Direction the face looks to; 0 is +x, counter-clockwise."
    )
    width_m: Length = Field(description="Along the face.")
    depth_m: Length = Field(description="Behind the face.")
    height_m: Length
    scale: ScaleNode | None = Field(default=None, description="Absent: no load cells.")
    shelves: tuple[ShelfNode, ...] = Field(default=(), description="Bottom to top.")


class CameraNode(Node):
    id: Id = Field(description="Unique over the document.")
    kind: Literal["ceiling", "shelf"]
    watches: tuple[Id, ...] = Field(default=(), description="Fixtures whose face a shelf camera looks at.")
    position_m: Point3 = Field(description="The optical centre.")
    look_at_m: Point3 = Field(description="A point on the optical axis.")
    roll_deg: Annotated[float, Field(strict=True, ge=-180, le=180)] = Field(
        default=0.0, description="Turn about the optical axis: the right side of the picture hangs so far below level."
    )
    width_px: Pixels
    height_px: Pixels
    focal_px: Annotated[float, Field(strict=True, ge=10, le=20_000)]
    principal_px: Point2 | None = Field(
        default=None, description="Where the optical axis meets the picture; absent: in the middle."
    )
    distortion: tuple[Lens, Lens, Lens, Lens, Lens] = Field(description="Brown-Conrady: k1, k2, p1, p2, k3.")
    fps: Annotated[float, Field(strict=True, gt=0, le=120)] = Field(description="Frames per second.")


class StoreDocument(Node):
    """A store: its walls, gates, fixtures, planogram, scales and cameras. Metres, degrees, GTINs as text."""

    schema_: Literal[1] = Field(alias="schema", description="Version of this format.")
    store: Id = Field(description="Name of the store in topics.")
    name: Text
    currency: Annotated[str, Field(strict=True, pattern="^[A-Z]{3}$")] = Field(description="ISO 4217.")
    tax_classes: dict[str, BasisPoints] = Field(min_length=1, description="Basis points, included in the prices.")
    walls_m: Annotated[tuple[Point2, ...], Field(min_length=3)] = Field(description="The floor's outline.")
    ceiling_m: Annotated[float, Field(strict=True, ge=1.8, le=30)]
    catalogue: Text = Field(description="Path of the catalogue, relative to this file.")
    gates: tuple[GateNode, ...]
    fixtures: tuple[FixtureNode, ...]
    cameras: tuple[CameraNode, ...] = ()
    palm_station_m: Point2 | None = Field(default=None, description="Where palms are scanned, before the entry.")
    signs: tuple[SignNode, ...] = Field(default=(), description="Notices to shoppers.")


class ItemNode(Node):
    sku: Gtin = Field(description="GTIN-13, -12 or -8, in quotes.")
    name: Text
    price_minor: Annotated[int, Field(strict=True, ge=1, le=10_000_000)] = Field(
        description="Minor units, tax included."
    )
    tax_class: Text = Field(description="A key of the store's tax_classes.")
    grams: Annotated[float, Field(strict=True, gt=0, le=50_000)] = Field(description="Gross weight.")
    grams_sigma: Annotated[float, Field(strict=True, ge=0, le=5_000)] = Field(
        description="Standard deviation between units."
    )
    size_m: tuple[Length, Length, Length] = Field(description="Width, depth and height as it stands on the shelf.")
    shape: Literal["box", "bottle", "can", "bag"]
    colour: Annotated[str, Field(strict=True, pattern="^#[0-9a-fA-F]{6}$")]
    picture: Text | None = Field(
        default=None, description="Picture of its front before white, cropped to the product; relative to this file."
    )


class CatalogueDocument(Node):
    """What a store sells."""

    pictures: Text | None = Field(
        default=None, description="Folder of pictures named SKU.png or SKU.jpg, relative to this file."
    )
    items: tuple[ItemNode, ...] = Field(min_length=1)


NODES: dict[str, type[Node]] = {
    "gates": GateNode, "fixtures": FixtureNode, "scale": ScaleNode, "shelves": ShelfNode, "plates": PlateNode,
    "facings": FacingNode, "cameras": CameraNode, "items": ItemNode, "signs": SignNode,
}  # fmt: skip
THINGS = frozenset(NODES) - {"scale"}
"""Lists whose elements can be left out when they are broken."""
STAND_INS: dict[str, object] = {"schema": 1, "store": "x", "name": "x", "currency": "XXX", "palm_station_m": None}
"""Values for top-level keys that no other check depends on."""


def store_schema() -> dict[str, object]:
    """The JSON Schema of a store document."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **StoreDocument.model_json_schema()}


def catalogue_schema() -> dict[str, object]:
    """The JSON Schema of a catalogue."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **CatalogueDocument.model_json_schema()}


D = TypeVar("D", bound=Node)


@dataclass(frozen=True, slots=True)
class Parsed(Generic[D]):
    """What could be made of a document. ``node`` is None when too little is left of it; ``kept`` has, for each list
    (by its path in the node), the indices that its elements have in the file."""

    source: Source
    node: D | None
    problems: list[Problem]
    kept: Mapping[Loc, list[int]]

    def problem(self, loc: Loc, what: str, remedy: str) -> Problem:
        """A problem at ``loc`` of the node, placed in the file."""
        placed: Loc = ()
        for depth, part in enumerate(loc):
            indices = self.kept.get(loc[:depth]) if isinstance(part, int) else None
            placed = (*placed, indices[part] if indices is not None and isinstance(part, int) else part)
        return self.source.problem(placed, what, remedy)


def parse(source: Source, model: type[D]) -> Parsed[D]:
    """The nodes of a document and its structural problems, all of them."""
    try:
        return Parsed(source, model.model_validate(source.data), [], {})
    except ValidationError as error:
        details = error.errors(include_url=False)
    problems = [_structural(source, model, detail) for detail in details]
    pruned = _Pruned({_dropped(detail) for detail in details})
    data = pruned.copy(source.data, (), ())
    if isinstance(data, dict):
        for key in {str(detail["loc"][0]) for detail in details if detail["loc"]} & set(STAND_INS):
            data[key] = STAND_INS[key]
    try:
        return Parsed(source, model.model_validate(data), problems, pruned.kept)
    except ValidationError:
        return Parsed(source, None, problems, {})


def _dropped(detail: ErrorDetails) -> Loc:
    """What to leave out because of an error: an unknown key alone, else the thing around the value."""
    loc = detail["loc"]
    if detail["type"] == "extra_forbidden":
        return loc
    for end in range(len(loc), 1, -1):
        if isinstance(loc[end - 1], int) and loc[end - 2] in THINGS:
            return loc[:end]
    return loc


class _Pruned:
    """Copies data without the paths in ``drop`` and keeps track of the indices."""

    def __init__(self, drop: set[Loc]) -> None:
        self.drop = drop
        self.kept: dict[Loc, list[int]] = {}

    def copy(self, data: object, loc: Loc, target: Loc) -> object:
        if isinstance(data, dict):
            keys = [key for key in data if (*loc, key) not in self.drop]
            return {key: self.copy(data[key], (*loc, key), (*target, key)) for key in keys}
        if isinstance(data, list):
            self.kept[target] = [index for index in range(len(data)) if (*loc, index) not in self.drop]
            return [self.copy(data[old], (*loc, old), (*target, new)) for new, old in enumerate(self.kept[target])]
        return data


def _structural(source: Source, model: type[Node], detail: ErrorDetails) -> Problem:
    """A validation error in words."""
    loc, kind = detail["loc"], detail["type"]
    text = source.texts.get(loc, "")
    if kind == "extra_forbidden":
        names = [part for part in loc[:-1] if isinstance(part, str)]
        fields = (NODES.get(names[-1], model) if names else model).model_fields
        known = ", ".join(field.alias or name for name, field in fields.items())
        return source.problem(loc, f"unknown key '{loc[-1]}'", f"known here: {known}")
    if kind == "missing":
        what = f"key '{loc[-1]}' is missing" if isinstance(loc[-1], str) else "a number is missing"
        return source.problem(loc, what, "add it")
    if kind == "string_type" and text:
        return source.problem(loc, f"{text} is a number or a word of YAML, not a text", f'put it in quotes: "{text}"')
    if kind == "string_pattern_mismatch":
        return source.problem(
            loc, f"'{text}' {_PATTERNS.get(str(detail['ctx']['pattern']), 'is malformed')}", "correct it"
        )
    what = detail["msg"].replace("Input should be", f"'{text}' must be" if text else "must be")
    return source.problem(loc, what[0].lower() + what[1:], "correct it")


_PATTERNS = {
    "^[a-z0-9][a-z0-9-]{0,39}$": "is no id (lower-case letters, digits and hyphens, at most 40)",
    "^([0-9]{8}|[0-9]{12}|[0-9]{13})$": "is no GTIN (8, 12 or 13 digits)",
    "^[A-Z]{3}$": "is no ISO 4217 currency (such as EUR)",
    "^#[0-9a-fA-F]{6}$": "is no colour (such as #d92121)",
}
