"""Many runs, one result file each: the one way in which the lab runs many. Goes on where it stopped.

In: jobs with a name and a digest of what they play; processes here, or a Dask cluster by its address. Out: their
results, in the order of the jobs. A run that fails is a result, too, and stops no other one. Jobs that hear the same
story are played together, a few at once.
"""

import json
import logging
import math
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from smartstore.process import quiet_collector

Result = dict[str, Any]
LOG = "runs.log"
"""In the folder of a batch: a line per run that was played, in the order in which they ended."""
ANSWER_S, WORKERS_S = 8.0, 20.0
TOGETHER = 8
"""At most so many runs hear a story at once: an interruption loses no more, and the story is a small part of each."""
UNWATCHED = {
    "distributed.worker.profile.enabled": False,
    "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1},
}
"""Workers here are left alone: Dask would look at their stacks a hundred times a second, and have malloc give every
large array back to the kernel at once, which took half as much CPU time again."""
_ONE_AT_A_TIME = threading.Lock()


class BatchError(Exception):
    """A batch that cannot begin or go on; one line."""


class Job(Protocol):
    """One run. ``name`` is that of its files; ``digest`` changes with what is played, not with the program."""

    @property
    def name(self) -> str: ...
    def document(self) -> str: ...
    def digest(self) -> str: ...
    def play(self) -> Result: ...


@runtime_checkable
class Hearer(Job, Protocol):
    """A run that hears the same story as all others of its ``story``, so that it can be played together with them."""

    @property
    def story(self) -> str: ...
    def play_with(self, others: Sequence[Any]) -> list[Result]: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is."""

    done: int
    total: int
    left_s: float
    last: str
    """Name of the run that ended just now; empty before the first."""
    failed: int = 0

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        ahead = f", last {self.last}; about {self.left_s / 60:.0f} min left" if self.last else ""
        return f"{self.done} of {self.total} runs{failed}{ahead}"


def run_all(
    jobs: Sequence[Job], folder: Path, workers: int, resume: bool, watch: Callable[[Progress], None] = lambda _: None,
    scheduler: str | None = None,
) -> list[Result]:  # fmt: skip
    """Like :func:`play_all`, for whom only all results will do.

    Raises:
        BatchError: also when a run failed, at the end; the others are kept.
    """
    results = play_all(jobs, folder, workers, resume, watch, scheduler)
    failed = [(job.name, result["failed"]) for job, result in zip(jobs, results, strict=True) if result.get("failed")]
    if failed:
        raise BatchError(
            f"{len(failed)} of {len(jobs)} runs failed, the first is {failed[0][0]}: {failed[0][1]}; the others are "
            f"kept in {folder} for --resume"
        )
    return results


def play_all(
    jobs: Sequence[Job], folder: Path, workers: int, resume: bool, watch: Callable[[Progress], None] = lambda _: None,
    scheduler: str | None = None,
) -> list[Result]:  # fmt: skip
    """Results of all jobs, each also as ``NAME.json`` in the folder with its scenario as ``NAME.yaml`` beside it; of a
    run that failed it is ``failed``, one line. ``scheduler`` is the address of a Dask cluster instead of ``workers``.

    With ``resume`` a result that is there, did not fail and has the same digest is kept, whatever program made it.

    Raises:
        BatchError: the folder cannot be written, or the cluster does not answer; finished runs are kept.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BatchError(f"{folder}: {error.strerror}; give another folder with --out") from error
    results = {job.name: kept for job in jobs if resume and (kept := _kept(folder, job))}
    left, had, failed = [job for job in jobs if job.name not in results], len(results), 0
    started = time.monotonic()
    watch(Progress(had, len(jobs), 0.0, ""))
    for job, result in _played(left, workers, scheduler):
        results[job.name] = {**result, "digest": job.digest()}
        try:
            _keep(folder, job, results[job.name])
        except OSError as error:
            raise BatchError(
                f"{error.filename or folder}: {error.strerror}; {len(results) - 1} finished runs are kept, make room "
                "and go on with --resume"
            ) from error
        pace_s = (time.monotonic() - started) / (len(results) - had)
        failed += "failed" in result
        watch(Progress(len(results), len(jobs), pace_s * (len(jobs) - len(results)), job.name, failed))
    return [results[job.name] for job in jobs]


def _tasks(jobs: Sequence[Job], workers: int) -> list[list[Job]]:
    """Jobs that are played in one go, in the order of the first of each; enough of them that every worker has some."""
    stories: dict[str, list[Job]] = {}
    for job in jobs:
        stories.setdefault(job.story if isinstance(job, Hearer) else job.name, []).append(job)
    most = min(TOGETHER, math.ceil(len(jobs) / workers))
    return [told[first : first + most] for told in stories.values() for first in range(0, len(told), most)]


def _play(jobs: Sequence[Job]) -> list[Result]:
    """Results of jobs of one story, each with its share of the CPU time."""
    with _ONE_AT_A_TIME:  # also on a Dask worker with several threads
        quiet_collector()
        started = time.process_time()
        results = _heard(jobs)
        share_s = round((time.process_time() - started) / len(jobs), 2)
        return [{**result, "cpu_s": share_s} for result in results]


def _heard(jobs: Sequence[Job]) -> list[Result]:
    """Of a job that fails the line for the user, and the trace for us; where one of several fails, each is alone."""
    first, others = jobs[0], jobs[1:]
    try:
        return first.play_with(others) if others and isinstance(first, Hearer) else [first.play()]
    except Exception as error:  # noqa: BLE001 - a run that fails must not stop the others
        if others:
            return [result for job in jobs for result in _heard([job])]
        ours = type(error).__module__.split(".")[0] in ("sims", "smartstore")
        line = " ".join(str(error).split()) if ours else f"{type(error).__name__}: {' '.join(str(error).split())}"
        return [{"failed": line, "trace": traceback.format_exc()}]


def _played(jobs: Sequence[Job], workers: int, scheduler: str | None) -> Iterator[tuple[Job, Result]]:
    """Results as they come."""
    if scheduler is None and (workers <= 1 or len(jobs) <= 1):
        for task in _tasks(jobs, 1):
            yield from zip(task, _play(task), strict=True)
        return
    with _cluster(min(workers, len(jobs)), scheduler) as client:
        from distributed import as_completed

        going = {client.submit(_play, task, pure=False): task for task in _tasks(jobs, len(client.nthreads()))}
        ended = as_completed(list(going), loop=client.loop)
        for future in ended:
            if future.status in ("cancelled", "lost"):
                raise BatchError(f"{scheduler or 'the workers'} went away; finished runs are kept, go on with --resume")
            error, task = future.exception(), going[future]
            if error is None:
                yield from zip(task, future.result(), strict=True)
            elif len(task) == 1:
                yield task[0], {"failed": f"its worker ended: {' '.join(str(error).split())}", "cpu_s": 0.0}
            else:
                alone = {client.submit(_play, [job], pure=False): [job] for job in task}
                going |= alone
                ended.update(list(alone))


@contextmanager
def _cluster(workers: int, scheduler: str | None) -> Iterator[Any]:
    """A client of the cluster at an address, or of one that lives as long as this."""
    import dask
    from distributed import Client, LocalCluster

    if scheduler is None:
        host = {"host": "127.0.0.1", "dashboard_address": None, "silence_logs": logging.CRITICAL}
        with (
            dask.config.set(UNWATCHED),
            LocalCluster(n_workers=workers, threads_per_worker=1, **host) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(scheduler, timeout=ANSWER_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise BatchError(
            f"{scheduler}: no Dask scheduler answers there; start one with `dask scheduler`, or leave out --scheduler"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=WORKERS_S)
        except TimeoutError as error:
            raise BatchError(
                f"{scheduler}: the scheduler has no workers; start some with `dask worker {scheduler}`"
            ) from error
        yield client


def _keep(folder: Path, job: Job, result: Result) -> None:
    """Write what a run gave, whole or not at all, and then that it was played."""
    _write(folder / f"{job.name}.yaml", job.document())
    write_json(folder / f"{job.name}.json", result)
    with (folder / LOG).open("a", encoding="utf-8") as log:
        log.write(f"{job.name}\t{result['cpu_s']:g} s\t{result.get('failed', 'done')}\n")


def write_json(path: Path, document: object) -> None:
    """A JSON file, whole or not at all."""
    _write(path, json.dumps(document, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _kept(folder: Path, job: Job) -> Result | None:
    """The result of a job that played the same, if there is one."""
    try:
        result: Result = json.loads((folder / f"{job.name}.json").read_text())
    except (OSError, json.JSONDecodeError):
        return None
    return result if result.get("digest") == job.digest() and "failed" not in result else None
