"""Scenario documents: who comes to the store, what they want, and what is wrong with the devices.

In: a YAML document (schema 1). Out: a frozen :class:`Scenario`, or a :class:`ScenarioError` of one line that names
the file and the key. Times are seconds of event time since ``start``.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, PrivateAttr, ValidationError, model_validator

from sims.building import Building
from sims.demand_document import Demand
from sims.documents import Part, Share, read_document
from sims.flaws import Light, Link, LoadCells, Mounting, Sensor
from sims.script import ACTIONS, Mention, ScriptedShopper, Seconds, mentions


class ScenarioError(Exception):
    """A scenario that cannot be played: one line, file, key and what to do."""


class Range(Part):
    """Drawn uniformly between ``min`` and ``max``."""

    min: Annotated[float, Field(gt=0.0, le=10_000.0)]
    max: Annotated[float, Field(gt=0.0, le=10_000.0)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max < self.min:
            raise ValueError(f"max {self.max:g} is less than min {self.min:g}; swap them")
        return self


class Arrivals(Part):
    """When shoppers stand at the gate: at ``times_s``, or the first at ``first_s`` and the others after gaps."""

    first_s: Seconds = 3.0
    gap_s: Range = Range(min=15, max=30)
    times_s: Annotated[tuple[Seconds, ...], Field(min_length=1)] | None = None


class Items(Part):
    """How much a shopper takes. ``second_unit``: chance that two of a product are wanted; ``double_grab``: that both
    are grabbed at once; ``fixture`` and ``share``: this share of all takes is wanted from this fixture."""

    min: Annotated[int, Field(ge=0, le=50)] = 3
    max: Annotated[int, Field(ge=0, le=50)] = 4
    second_unit: Share = 0.15
    double_grab: Share = 0.0
    fixture: str | None = None
    share: Share = 0.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max < self.min:
            raise ValueError(f"max {self.max} is less than min {self.min}; swap them")
        if (self.fixture is None) != (self.share == 0.0):
            raise ValueError("fixture and share belong together; give both or neither")
        return self


class PutBacks(Part):
    """``total`` takes of all shoppers are put back (None: each with chance ``share``); ``misplaced`` of them into
    another facing, ``at_once`` of them before the shopper walks on."""

    total: Annotated[int, Field(ge=0, le=500)] | None = None
    share: Share = 0.0
    misplaced: Share = 0.0
    at_once: Share = 0.4


class Shoppers(Part):
    """Shoppers drawn from the seed."""

    count: Annotated[int, Field(ge=1, le=200)]
    arrivals: Arrivals = Arrivals()
    items: Items = Items()
    put_backs: PutBacks = PutBacks()
    touches: Share = 0.12
    """Chance that an errand begins with a touch or a reach without taking."""
    speed_m_s: Range = Range(min=0.65, max=1.05)


class Scenario(Part):
    """What happens in a run. Exactly one of ``shoppers``, ``script`` and ``demand`` says who comes."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    scenario: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    store_file: Annotated[str, Field(alias="store", min_length=1)]
    start: AwareDatetime = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    seed: Annotated[int, Field(ge=0)] = 1
    shoppers: Shoppers | None = None
    script: tuple[ScriptedShopper, ...] | None = None
    demand: Demand | None = None
    """A day's demand, or in a file its name, like ../demand/corner-weekday.yaml; people come from ``start`` on."""
    minutes: Annotated[float, Field(gt=0.0, le=1440.0)] = 10.0
    """For so long they come, by ``demand``."""
    one_at_a_fixture: bool = False
    """Shoppers wait until nobody else stands at a fixture."""
    fill: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Share of the stock that is there at the start; what is missing is missing at the front."""
    planogram_swaps: tuple[tuple[str, str], ...] = ()
    """Pairs of facings whose goods stand in each other's place, and the store document does not know."""
    tail_s: Annotated[float, Field(ge=0.0, le=600.0)] = 10.0
    """Event time after the last shopper has left."""
    limit_s: Annotated[float, Field(gt=0.0, le=86_400.0)] = 3_600.0
    """A run that takes longer is an error."""
    scales_off: tuple[str, ...] = ()
    cameras_off: tuple[str, ...] = ()
    dead_plates: tuple[str, ...] = ()
    """Plates that give no numbers."""
    stuck_plates: tuple[str, ...] = ()
    """Plates that always give the same number."""
    clock_offsets_s: dict[str, Annotated[float, Field(ge=-5.0, le=5.0)]] = Field(default_factory=dict)
    """By device (camera, fixture of a scale, gate): its clock minus true time."""
    mounting: Mounting = Mounting()
    light: Light = "shipped"
    """How the store is lit, for pictures."""
    sensor: Sensor = Sensor()
    sensors: dict[str, Sensor] = Field(default_factory=dict)
    """By camera, instead of ``sensor``."""
    fps: dict[str, Annotated[float, Field(gt=0.0, le=60.0)]] = Field(default_factory=dict)
    """By camera, instead of the store document's rate."""
    link: Link = Link()
    """Of all cameras."""
    links: dict[str, Link] = Field(default_factory=dict)
    """By camera or fixture of a scale, instead of ``link``."""
    load_cells: LoadCells = LoadCells()
    edge_errors: Annotated[float, Field(gt=0.0, le=10.0)] = 1.0
    """How much larger and more frequent their errors are than the model says: 1.5 is half as much again."""
    edge: Annotated[str, Field(min_length=1)] | None = None
    """How cameras with on-board inference err: a file like ../edge/default.yaml, which is the default."""

    _path: Path = PrivateAttr(default=Path("."))

    @model_validator(mode="after")
    def _one_cast(self) -> Self:
        if sum(cast is not None for cast in (self.shoppers, self.script, self.demand)) != 1:
            raise ValueError(
                "give either shoppers (drawn from the seed), script (written down) or demand (by the hour)"
            )
        return self

    @property
    def path(self) -> Path:
        """The file it came from."""
        return self._path

    @property
    def store(self) -> Path:
        """The store document, found from the scenario's own folder."""
        return self._path.parent / self.store_file

    @property
    def edge_file(self) -> Path | None:
        """The error model of edge cameras, found from the scenario's own folder; None: the one shipped."""
        return None if self.edge is None else self._path.parent / self.edge

    @property
    def start_ns(self) -> int:
        """UTC nanoseconds of the first instant."""
        return int(self.start.timestamp()) * 1_000_000_000 + self.start.microsecond * 1000

    def check(self, building: Building) -> None:
        """Raises :class:`ScenarioError` where the scenario names things that the building does not have."""
        devices = {*building.cameras, *building.fixtures, *(gate.id for gate in building.gates)}
        scales = [f.id for f in building.fixtures.values() if f.scale]
        wanted: list[Mention] = [
            *((f"scales_off[{i}]", name, scales) for i, name in enumerate(self.scales_off)),
            *((f"cameras_off[{i}]", name, building.cameras) for i, name in enumerate(self.cameras_off)),
            *((f"dead_plates[{i}]", name, building.plates) for i, name in enumerate(self.dead_plates)),
            *((f"stuck_plates[{i}]", name, building.plates) for i, name in enumerate(self.stuck_plates)),
            *((f"clock_offsets_s.{name}", name, devices) for name in self.clock_offsets_s),
            *((f"sensors.{name}", name, building.cameras) for name in self.sensors),
            *((f"fps.{name}", name, building.cameras) for name in self.fps),
            *((f"links.{name}", name, [*building.cameras, *scales]) for name in self.links),
        ]
        for i, pair in enumerate(self.planogram_swaps):
            wanted += [(f"planogram_swaps[{i}][{j}]", name, building.facings) for j, name in enumerate(pair)]
        if self.shoppers and self.shoppers.items.fixture:
            stocked = [f.id for f in building.fixtures.values() if f.shelves]
            wanted.append(("shoppers.items.fixture", self.shoppers.items.fixture, stocked))
        wanted += mentions(self.script or (), building)
        if self.demand:
            goods = {name for f in building.facings.values() for name in (f.fixture, f.id, f.sku)}
            wanted += [(f"demand.{key}", name, goods) for key, name in self.demand.names()]
        for key, name, known in wanted:
            if name not in known:
                some = ", ".join(sorted(known)[:6])
                raise ScenarioError(
                    f"{self._path}: {key}: {name!r} is not in store {building.store}; there are {some}, ..."
                )


def load_scenario(path: str | Path) -> Scenario:
    """The scenario at ``path``; raises :class:`ScenarioError`."""
    path = Path(path)
    document = read_document(path, ScenarioError, "configs/scenarios/corner-quiet.yaml")
    if isinstance(document.get("demand"), str):
        example = "configs/demand/corner-weekday.yaml"
        document["demand"] = read_document(path.parent / document["demand"], ScenarioError, example)
    try:
        scenario = Scenario.model_validate(document)
    except ValidationError as error:
        raise ScenarioError(f"{path}: {_first_problem(error)}") from error
    scenario._path = path  # noqa: SLF001  where it came from is not part of the document
    return scenario


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema of scenario documents, for editors."""
    schema = Scenario.model_json_schema(by_alias=True)
    schema["properties"]["demand"]["anyOf"].append({"type": "string"})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Scenario of a simulated store",
    } | schema


def _first_problem(error: ValidationError) -> str:
    """The first problem in the words of the document: key, what, way out."""
    problems = error.errors()
    problem = next((p for p in problems if p["type"] != "missing"), problems[0])
    key = ""
    for part in problem["loc"]:
        if isinstance(part, int):
            key += f"[{part}]"
        elif part not in ACTIONS:
            key += f".{part}" if key else str(part)
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}; remove it or correct its spelling"
    if problem["type"] == "missing":
        return f"{key!r} is missing; add it"
    text = problem["msg"].removeprefix("Value error, ")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{key + ': ' if key else ''}{text[0].lower()}{text[1:]}{more}"
