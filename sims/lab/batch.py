"""Many runs, one result file each: goes on where it stopped, in one process or several.

In: jobs with a name and a digest of what they play. Out: their results, in the order of the jobs.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sims.lab.run import write_json

Result = dict[str, Any]


class BatchError(Exception):
    """A folder that cannot hold results; one line."""


class Job(Protocol):
    """One run. ``name`` is that of its files; ``digest`` changes with what is played, not with the program."""

    @property
    def name(self) -> str: ...
    def document(self) -> str: ...
    def digest(self) -> str: ...
    def play(self) -> Result: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is."""

    done: int
    total: int
    left_s: float
    last: str

    def __str__(self) -> str:
        return f"{self.done} of {self.total} runs, last {self.last}; about {self.left_s / 60:.0f} min left"


def run_all(
    jobs: Sequence[Job], folder: Path, workers: int, resume: bool, watch: Callable[[Progress], None] = lambda _: None
) -> list[Result]:
    """Results of all jobs, each also as ``NAME.json`` in the folder with its scenario as ``NAME.yaml`` beside it.

    With ``resume`` a result that is there and has the same digest is kept, whatever program made it.

    Raises:
        BatchError: the folder cannot be written; and whatever a job raises.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BatchError(f"{folder}: {error.strerror}; give another folder with --out") from error
    results = {job.name: kept for job in jobs if resume and (kept := _kept(folder, job))}
    left, had, started = [job for job in jobs if job.name not in results], len(results), time.monotonic()
    for job, result in _played(left, workers):
        results[job.name] = {**result, "digest": job.digest()}
        (folder / f"{job.name}.yaml").write_text(job.document())
        write_json(folder / f"{job.name}.json", results[job.name])
        pace_s = (time.monotonic() - started) / (len(results) - had)
        watch(Progress(len(results), len(jobs), pace_s * (len(jobs) - len(results)), job.name))
    return [results[job.name] for job in jobs]


def _play(job: Job) -> Result:
    return job.play()


def _played(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, Result]]:
    """Results as they come; with several workers each is a process of its own."""
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            yield job, job.play()
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(min(workers, len(jobs)), multiprocessing.get_context("spawn")) as pool:
        going = {pool.submit(_play, job): job for job in jobs}
        try:
            for future in as_completed(going):
                yield going[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _kept(folder: Path, job: Job) -> Result | None:
    """The result of a job that played the same, if there is one."""
    try:
        result: Result = json.loads((folder / f"{job.name}.json").read_text())
    except (OSError, json.JSONDecodeError):
        return None
    return result if result.get("digest") == job.digest() else None
