"""What a store's devices, its computers and its reviews cost.

In: a price list (``configs/prices.yaml``) and the store as the product reads it. Out: a line per kind of thing, and
sums in minor units of the price list's currency.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from sims.documents import Part, read_document
from smartstore.site import Site

SHIPPED = Path(__file__).resolve().parents[2] / "configs/prices.yaml"
Minor = Annotated[int, Field(ge=0, le=1_000_000_000)]


class PriceError(Exception):
    """A price list that cannot be used; one line: file, key and what to do."""


class Price(Part):
    """One thing, bought and mounted. ``source``: where the price is from, or "placeholder"."""

    minor: Minor
    source: Annotated[str, Field(min_length=3)]


class Computer(Price):
    """A computer for what cameras see; ``cameras`` of the ceiling or of shelves can be served by one."""

    cameras: Annotated[int, Field(ge=1, le=1000)]
    watts: Annotated[float, Field(ge=0, le=5000)]


class Running(Part):
    """What goes on costing: power, and people who decide cases."""

    kwh: Price
    camera_watts: Annotated[float, Field(ge=0, le=500)]
    review: Price
    """One case."""
    goods_share: Annotated[float, Field(ge=0, le=1)]
    """Of the price of goods that nobody was billed for, the share that is lost."""


class Prices(Part):
    """A price list."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    ceiling_camera: Price
    shelf_camera: Price
    plate: Price
    """One load cell plate."""
    scale_controller: Price
    """What reads the plates of a fixture."""
    gate: Price
    palm_scanner: Price
    computer: Computer
    years: Annotated[float, Field(gt=0, le=30)]
    """How long hardware lasts: what it costs a month is its price over so many years."""
    running: Running


@dataclass(frozen=True, slots=True)
class Line:
    """So many of a thing at a price each."""

    what: str
    count: int
    each_minor: int
    source: str

    @property
    def minor(self) -> int:
        """All of them."""
        return self.count * self.each_minor


@dataclass(frozen=True)
class Cost:
    """What a store costs before anybody comes."""

    currency: str
    lines: tuple[Line, ...]
    years: float
    power_month_minor: int

    @property
    def hardware_minor(self) -> int:
        """Everything bought once."""
        return sum(line.minor for line in self.lines)

    @property
    def month_minor(self) -> int:
        """A month of it: hardware over its life, and power."""
        return round(self.hardware_minor / (12 * self.years)) + self.power_month_minor


def load_prices(path: Path | None = None) -> Prices:
    """The price list at ``path``, or the one shipped; raises :class:`PriceError`."""
    path = path or SHIPPED
    document = read_document(path, PriceError, "configs/prices.yaml", missing="give another file with --prices")
    try:
        return Prices.model_validate(document)
    except ValidationError as error:
        found = error.errors()[0]
        key = ".".join(str(part) for part in found["loc"])
        raise PriceError(f"{path}: {key}: {found['msg'].lower()}; compare with configs/prices.yaml") from error


def cost_of(site: Site, prices: Prices) -> Cost:
    """What the devices of a store cost."""
    kinds = [camera.kind for camera in site.cameras.values()]
    scales = [fixture for fixture in site.fixtures.values() if fixture.scale and fixture.shelves]
    plates = sum(len(shelf.plates) for fixture in scales for shelf in fixture.shelves)
    entries = sum(gate.kind == "entry" for gate in site.gates)
    computers = math.ceil(len(kinds) / prices.computer.cameras)
    counted: Sequence[tuple[str, int, Price]] = (
        ("ceiling camera", kinds.count("ceiling"), prices.ceiling_camera),
        ("shelf camera", kinds.count("shelf"), prices.shelf_camera),
        ("load cell plate", plates, prices.plate),
        ("scale controller", len(scales), prices.scale_controller),
        ("gate", len(site.gates), prices.gate),
        ("palm scanner", entries, prices.palm_scanner),
        ("computer", computers, prices.computer),
    )
    lines = tuple(Line(what, count, price.minor, price.source) for what, count, price in counted if count)
    watts = len(kinds) * prices.running.camera_watts + computers * prices.computer.watts
    power = round(watts / 1000 * 24 * 365 / 12 * prices.running.kwh.minor)
    return Cost(prices.currency, lines, prices.years, power)


def prices_schema() -> dict[str, Any]:
    """The JSON Schema of price lists, for editors."""
    schema = Prices.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Prices of a store's devices"} | schema
