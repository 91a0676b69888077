"""``smartstore sim sweep``: many runs of a design with fields varied, each value with several seeds.

In: a plan (YAML). Out: ``results.parquet`` in a folder, a row per run in the order of the plan: a column per axis, the
seed, every measure, and of a run that failed why. The same plan gives the same bytes, on any number of machines.
"""

import hashlib
import itertools
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError

from sims.documents import Part, read_document
from sims.lab.batch import Progress, Result, play_all, write_json
from sims.lab.cost import Prices, load_prices
from sims.lab.design import PARTS, Design, DesignError, Edit, load_design, unpacked
from sims.lab.measures import MEASURES, means, row_of
from sims.lab.play import building_of, play_together, site_of
from sims.scenario import load_scenario
from smartstore.settings import read_settings

OUT = Path("data/runs/sweep")
RESULTS, PLAN, RUNS = "results.parquet", "plan.json", "runs"
MOST_RUNS = 100_000


class SweepError(Exception):
    """A plan that cannot be carried out; one line: file, key and what to do."""


class Plan(Part):
    """A sweep. An axis is a field with its values, or a name of one's own with named edits."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    sweep: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    design: Annotated[str, Field(min_length=1)]
    """A scenario, a store or an edit document, relative to this file."""
    settings: str | None = None
    prices: str | None = None
    seeds: Annotated[str, Field(pattern=r"^[0-9]+(-[0-9]+)?$")]
    """A-B, or one."""
    axes: Annotated[dict[str, list[Any] | dict[str, Any]], Field(min_length=1)]

    @property
    def seed_range(self) -> range:
        """The seeds, one by one."""
        first, _, last = self.seeds.partition("-")
        return range(int(first), int(last or first) + 1)


@dataclass(frozen=True, slots=True)
class Point:
    """One value of every axis, as labels, and the edits that make the design so."""

    labels: tuple[Any, ...]
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class DesignRun:
    """One run of a design: a job of a batch, complete in itself, so that another machine can play it."""

    name: str
    design: Design
    seed: int
    prices: Prices
    about: str
    """What is varied, as a document."""

    def document(self) -> str:
        """What is varied."""
        return self.about

    def digest(self) -> str:
        """Changes with what is played and with the prices."""
        told = f"{self.design.digest}|{self.seed}|{self.prices.model_dump_json()}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def story(self) -> str:
        """The same for all runs in which the building does the same."""
        return f"{self.design.digest_of_building}|{self.seed}"

    def play(self) -> Result:
        """The row of measures."""
        return self.play_with([])[0]

    def play_with(self, others: "Sequence[DesignRun]") -> list[Result]:
        """The rows of this run and of others that hear the same story."""
        runs = [self, *others]
        for run in runs:
            run.design.check()
        files = unpacked(self.design)
        settings = [read_settings(unpacked(run.design).pipeline) for run in runs]
        played = play_together(load_scenario(files.scenario), files.store, self.seed, settings)
        site, building = site_of(files.store), building_of(files.store)
        return [{"row": row_of(one, site, building, run.prices)} for run, one in zip(runs, played, strict=True)]


@dataclass(frozen=True)
class Sweep:
    """A plan that can be carried out: its design, its axes, and all of its runs in order."""

    plan: Plan
    design: Design
    points: tuple[Point, ...]
    runs: tuple[DesignRun, ...]


def read_sweep(path: Path) -> Sweep:
    """The sweep that a plan describes, with every field and every value checked.

    Raises:
        SweepError, DesignError and what the documents of the design raise: one line.
    """
    document = read_document(path, SweepError, "configs/sweeps/corner-crowd.yaml")
    try:
        plan = Plan.model_validate(document)
    except ValidationError as error:
        raise SweepError(f"{path}: {_problem(error)}") from error
    if not plan.seed_range:
        raise SweepError(f"{path}: seeds: {plan.seeds!r} is no range; write for example 1-10")
    design = load_design(path.parent / plan.design, settings=path.parent / plan.settings if plan.settings else None)
    design.check()
    prices = load_prices(path.parent / plan.prices if plan.prices else None)
    axes = [_axis(path, name, values) for name, values in plan.axes.items()]
    seeds = plan.seed_range.stop - plan.seed_range.start  # as a number: len() is for what fits into memory
    if (count := seeds * math.prod(map(len, axes))) > MOST_RUNS:
        raise SweepError(f"{path}: axes: {count} runs are more than {MOST_RUNS}; cut an axis or take fewer seeds")
    points = tuple(
        Point(tuple(label for label, _ in chosen), tuple(edit for _, edit in chosen))
        for chosen in itertools.product(*axes)
    )
    return Sweep(plan, design, points, tuple(_runs(path, plan, design, points, prices)))


def sweep(
    path: Path, workers: int, scheduler: str | None = None, resume: bool = False, out: Path | None = None,
    watch: Callable[[Progress], None] = lambda _: None,
) -> tuple[Path, list[dict[str, Any]]]:  # fmt: skip
    """Carry a plan out. Returns the folder and the rows.

    Raises:
        SweepError, DesignError, BatchError: one line; what was finished is kept for ``resume``.
    """
    told = read_sweep(path)
    folder = out or OUT / told.plan.sweep
    results = play_all(told.runs, folder / RUNS, workers, resume, watch, scheduler)
    return folder, write_results(folder, told, results)


def write_results(folder: Path, told: Sweep, results: Sequence[Result]) -> list[dict[str, Any]]:
    """Write the table of all runs as Parquet, and what is said of the sweep beside it. Returns its rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, seeds = list(told.plan.axes), told.plan.seed_range
    rows: list[dict[str, Any]] = []
    for (point, seed), result in zip(itertools.product(told.points, seeds), results, strict=True):
        measures = result.get("row") or dict.fromkeys(m.name for m in MEASURES)
        rows.append({**dict(zip(names, point.labels, strict=True)), "seed": seed, **measures,
                     "failed": result.get("failed")})  # fmt: skip
    columns = {name: _column(pa, [row[name] for row in rows], name in names) for name in rows[0]}
    about = {"sweep": told.plan.sweep, "axes": names, "seeds": told.plan.seeds, "design": told.design.name}
    table = pa.table(columns).replace_schema_metadata({"smartstore": json.dumps(about)})
    try:
        pq.write_table(table, folder / f".{RESULTS}.partial")
        (folder / f".{RESULTS}.partial").replace(folder / RESULTS)
        prices = told.runs[0].prices.model_dump(mode="json", by_alias=True)
        write_json(folder / PLAN, {**about, "prices": prices, "documents": told.design.documents})
    except OSError as error:
        raise SweepError(f"{error.filename or folder}: {error.strerror}; make room and go on with --resume") from error
    return list(table.to_pylist())


def read_results(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What is said of a sweep that is over, and its rows; raises :class:`SweepError`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[dict[str, Any]] = pq.read_table(folder / RESULTS).to_pylist()
        about: dict[str, Any] = json.loads((folder / PLAN).read_text())
    except (OSError, pa.ArrowInvalid, json.JSONDecodeError) as error:
        raise SweepError(f"{folder}: has no results of a sweep ({error}); run `smartstore sim sweep` first") from error
    return about, rows


def _column(pa: Any, values: list[Any], axis: bool) -> Any:
    """A column; values of an axis that are not all numbers are text."""
    plain = all(isinstance(value, bool | int | float | None) for value in values)
    if axis and not plain:
        return pa.array([_text(value) for value in values], pa.string())
    if not axis and plain and any(isinstance(value, float) for value in values):
        return pa.array(values, pa.float64())
    return pa.array(values)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _axis(path: Path, name: str, values: list[Any] | dict[str, Any]) -> list[tuple[Any, Edit]]:
    """The labels of an axis with the edit of each."""
    if not values:
        raise SweepError(f"{path}: axes.{name} is empty; give it values or remove it")
    if name in {measure.name for measure in MEASURES} | {"seed", "failed"}:
        raise SweepError(f"{path}: axes.{name}: is the name of a measure; call it something else")
    if isinstance(values, dict):
        try:
            return [(label, Edit.model_validate(edit)) for label, edit in values.items()]
        except ValidationError as error:
            raise SweepError(f"{path}: axes.{name}: {_problem(error)}") from error
    if name.partition(".")[0] not in PARTS:
        raise SweepError(
            f"{path}: axes.{name}: there is no such field; fields begin with {', '.join(PARTS)}, and an axis with a "
            "name of its own has named edits"
        )
    return [(value, Edit.model_validate({"set": {name: value}})) for value in values]


def _runs(path: Path, plan: Plan, design: Design, points: Sequence[Point], prices: Prices) -> "list[DesignRun]":
    runs = []
    for number, point in enumerate(points):
        varied = design
        for name, label, edit in zip(plan.axes, point.labels, point.edits, strict=True):
            try:
                varied = varied.changed(edit, f"{path}: axes.{name}: {_text(label)}")
            except DesignError as error:
                raise SweepError(str(error)) from error
        told: Mapping[str, Any] = dict(zip(plan.axes, point.labels, strict=True))
        slug = "-".join(re.sub(r"[^\w.]+", "-", f"{_text(label)}").strip("-")[:24] for label in point.labels)
        for seed in plan.seed_range:
            about = yaml.safe_dump({"sweep": plan.sweep, "seed": seed, "axes": dict(told)}, sort_keys=False)
            runs.append(DesignRun(f"{number:04d}-{slug}-{seed}", varied, seed, prices, about))
    return runs


def _problem(error: ValidationError) -> str:
    found = error.errors()[0]
    key = ".".join(str(part) for part in found["loc"])
    if found["type"] == "extra_forbidden":
        return f"unknown key {key!r}; remove it or correct its spelling"
    if found["type"] == "missing":
        return f"{key!r} is missing; add it"
    return f"{key}: {found['msg'].lower()}; compare with configs/sweeps/corner-crowd.yaml"


SUMMARY = ("exact_receipts", "item_f1", "leak", "overcharge", "review_rate", "floor_idf1", "hardware_minor")


def summary(rows: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """The means over seeds of the measures that matter most, a line per point: names, and lines."""
    known = {measure.name for measure in MEASURES} | {"seed", "failed"}
    axes = tuple(name for name in rows[0] if name not in known)
    points: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        points.setdefault(tuple(row[name] for name in axes), []).append(row)
    lines = []
    for point, mine in points.items():
        mean = means([dict(row) for row in mine if not row["failed"]])
        lines.append((*map(str, point), *(mean.get(name, float("nan")) for name in SUMMARY)))
    return (*axes, *SUMMARY), lines


def sweep_schema() -> dict[str, Any]:
    """The JSON Schema of plans, for editors."""
    schema = Plan.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Plan of a sweep"} | schema
