"""``smartstore sim faults``: what each fault of a document costs, alone, against none of them.

In: a scenario, a document of faults and seeds. Out: a row without faults, one per fault alone, and one with all. Every
run is kept under ``out``; ``--resume`` goes on where a table was interrupted.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from sims.building import load_building
from sims.lab.batch import Progress, Result, run_all
from sims.lab.hazards import check_plan
from sims.lab.run import Fidelity, RunRequest, run
from sims.lab.score import mean_score
from sims.scenario import load_scenario
from smartstore.faults import FaultPlan

OUT = Path("data/runs/faults")
NONE, ALL = "none", "all together"
MEASURES = {
    "exact receipts": ("exact_receipt_rate",),
    "item F1": ("item_f1",),
    "overcharge": ("overcharge",),
    "undercharge": ("undercharge",),
    "review rate": ("review_rate",),
    "receipt p95, s": ("time_to_receipt_s", "p95"),
}
"""By column, where its number is in a score."""


@dataclass(frozen=True, slots=True)
class FaultRun:
    """One run with one fault, with all of them, or with none (``plan`` None)."""

    scenario: Path
    seed: int
    fidelity: Fidelity
    fault: str
    plan: FaultPlan | None
    folder: Path

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.scenario.stem}-{self.fidelity}-{self.seed}-{self.fault.replace(' ', '-')}"

    def document(self) -> str:
        """The faults as a document."""
        keys = {} if self.plan is None else self.plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return yaml.safe_dump(keys, sort_keys=False)

    def digest(self) -> str:
        """Changes with what is played, not with the program."""
        store = load_scenario(self.scenario).store
        told = f"{self.seed}|{self.fidelity}|{self.document()}|{self.scenario.read_text()}|{store.read_text()}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def play(self) -> Result:
        """Play it; its folder is kept."""
        request = RunRequest(
            self.scenario, seed=self.seed, fidelity=self.fidelity, out=self.folder / self.name, faults=self.plan
        )
        return {"fault": self.fault, **run(request)}


@dataclass(frozen=True, slots=True)
class Cost:
    """One row: means over the seeds, and what they differ by from those of no fault."""

    fault: str
    hits: float
    figures: dict[str, float]
    differences: dict[str, float]


def costs(
    scenario: Path, plan: FaultPlan, seeds: Sequence[int], fidelity: Fidelity = "edge", workers: int = 1,
    out: Path | None = None, resume: bool = False, watch: Callable[[Progress], None] = lambda _: None,
) -> list[Cost]:  # fmt: skip
    """A row per fault.

    Raises:
        ScenarioError, FaultsError, BatchError, and whatever a run raises; each is one line.
    """
    check_plan(plan, load_building(load_scenario(scenario).store), own_broker=True)
    plans: dict[str, FaultPlan | None] = {NONE: None, **{name: plan.only(name) for name in plan.named}}
    if len(plan.faults) > 1:
        plans[ALL] = plan
    folder = out or OUT
    jobs = [FaultRun(scenario, seed, fidelity, name, each, folder) for seed in seeds for name, each in plans.items()]
    return compared(run_all(jobs, folder, workers, resume, watch))


def compared(results: Sequence[Result]) -> list[Cost]:
    """The results of runs, by fault and against those of none."""
    by_fault: dict[str, list[Result]] = {}
    for result in results:
        by_fault.setdefault(result["fault"], []).append(result)
    means = {name: _mean(same) for name, same in by_fault.items()}
    hits = {name: sum(sum(r.get("faults", {}).values()) for r in same) / len(same) for name, same in by_fault.items()}
    return [
        Cost(name, hits[name], figures, {column: value - means[NONE][column] for column, value in figures.items()})
        for name, figures in means.items()
    ]


def _mean(results: Sequence[Result]) -> dict[str, float]:
    score = mean_score(results)
    return {column: _at(score, keys) for column, keys in MEASURES.items()}


def _at(score: dict[str, Any], keys: tuple[str, ...]) -> float:
    value: Any = score
    for key in keys:
        value = value[key]
    return float(value)


def table(rows: Sequence[Cost], title: str) -> Table:
    """The rows for a terminal: what is without faults, and by how much each fault changes it."""
    out = Table("fault", "packets hit", *MEASURES, title=title)
    for row in rows:
        bare = row.fault == NONE
        cells = [f"{value:.3f}" if bare else f"{row.differences[column]:+.3f}" for column, value in row.figures.items()]
        out.add_row(row.fault, f"{row.hits:.0f}", *cells, end_section=bare)
    return out
