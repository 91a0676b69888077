"""``smartstore sim gauntlet``: every failure that the field knows as a family of scenarios, played and counted.

In: families, seeds and what the product has to do without. Out: the figures of every case, kept one file each with its
scenario beside it, and a table per family.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sims.lab.families import families_named
from sims.lab.gauntlet_play import Case, Fidelity, GauntletError, Mode, Without, play
from sims.lab.run import write_json

OUT = Path("data/runs/gauntlet")


@dataclass(frozen=True, slots=True)
class GauntletRequest:
    """What to play. ``resume`` keeps the results that are in ``out`` and belong to the same stories."""

    seeds: Sequence[int]
    only: Sequence[str] = ()
    fidelity: Fidelity = "edge"
    mode: Mode = "both"
    without: Without | None = None
    workers: int = 1
    out: Path | None = None
    resume: bool = False

    @property
    def folder(self) -> Path:
        """Where the results are kept."""
        names = [self.fidelity, *([self.mode] if self.mode != "both" else [])]
        return self.out or OUT / "-".join([*names, *([f"without-{self.without}"] if self.without else [])])

    def cases(self) -> list[Case]:
        """All cases, seed by seed, so that an interrupted gauntlet has something of every family."""
        families = families_named(self.only)
        return [Case(f.name, seed, self.mode, self.without, self.fidelity) for seed in self.seeds for f in families]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a gauntlet is."""

    done: int
    total: int
    left_s: float
    case: str

    def __str__(self) -> str:
        return f"{self.done} of {self.total} cases, last {self.case}; about {self.left_s / 60:.0f} min left"


def title(request: GauntletRequest) -> str:
    """What was played, in words."""
    seeds = f"seeds {request.seeds[0]}-{request.seeds[-1]}" if len(request.seeds) > 1 else f"seed {request.seeds[0]}"
    return ", ".join([
        f"gauntlet, {request.fidelity}", seeds, *([request.mode] if request.mode != "both" else []),
        *([f"without {request.without}"] if request.without else []),
    ])  # fmt: skip


def gauntlet(request: GauntletRequest, watch: Callable[[Progress], None] = lambda _: None) -> list[dict[str, Any]]:
    """The results of all cases, in their order.

    Raises:
        FamilyError, GauntletError, and whatever a run raises for bad input; each is one line.
    """
    cases, folder = request.cases(), request.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GauntletError(f"{folder}: {error.strerror}; give another folder with --out") from error
    results = {case: kept for case in cases if request.resume and (kept := _kept(folder, case))}
    left = [case for case in cases if case not in results]
    started, total, had = time.monotonic(), len(cases), len(results)
    for case, result in _played(left, request.workers):
        write_json(folder / f"{case.name}.json", result)
        (folder / f"{case.name}.yaml").write_text(case.document())
        results[case] = result
        done = len(results)
        pace_s = (time.monotonic() - started) / (done - had)
        watch(Progress(done, total, pace_s * (total - done), case.name))
    return [results[case] for case in cases]


def _played(cases: Sequence[Case], workers: int) -> Iterator[tuple[Case, dict[str, Any]]]:
    """Results as they come; with several workers each is a process of its own."""
    if workers <= 1 or len(cases) <= 1:
        for case in cases:
            yield case, play(case)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(min(workers, len(cases)), multiprocessing.get_context("spawn")) as pool:
        going = {pool.submit(play, case): case for case in cases}
        try:
            for future in as_completed(going):
                yield going[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _kept(folder: Path, case: Case) -> dict[str, Any] | None:
    """The result of a case of the same story, if there is one."""
    try:
        result: dict[str, Any] = json.loads((folder / f"{case.name}.json").read_text())
    except (OSError, json.JSONDecodeError):
        return None
    return result if result.get("digest") == case.digest() else None
