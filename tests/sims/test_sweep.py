"""Sweeps: one row per run whoever plays it, nothing is run twice, what is not there is said before anything runs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from sims.lab.batch import LOG, BatchError, play_all, run_all
from sims.lab.cost import prices_schema
from sims.lab.design import Design, DesignError, Edit, edit_schema, load_design
from sims.lab.sweep import RESULTS, RUNS, read_results, read_sweep, summary, sweep, sweep_schema
from smartstore.cli import run as tell

ROOT = Path(__file__).parents[2]
CORNER = ROOT / "configs/scenarios/corner-rush.yaml"
FEW = {"store": ["remove c3", "remove c4", "remove s1", "remove s2", "remove s3"]}


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody comes, takes a bag of flour and goes."""
    path = tmp_path_factory.mktemp("scenario") / "short.yaml"
    shopper = {"arrive_s": 1, "speed_m_s": 1.2, "actions": [{"take": "g1-1-a"}]}
    path.write_text(yaml.safe_dump({
        "schema": 1, "scenario": "short", "store": str(ROOT / "configs/stores/corner.yaml"), "script": [shopper],
        "tail_s": 6,
    }))  # fmt: skip
    return path


def write_plan(folder: Path, design: Path, axes: dict[str, Any], seeds: str = "461") -> Path:
    path = folder / "plan.yaml"
    plan = {"schema": 1, "sweep": "s", "design": str(design), "seeds": seeds, "axes": axes}
    path.write_text(yaml.safe_dump(plan, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def plan(short: Path) -> Path:
    """Two stories, each heard by two products: one that books what it believes, and one that wants to be certain."""
    axes = {"cameras": {"all": {}, "few": FEW}, "pipeline.attribution.sure": [0.6, 0.9999999]}
    return write_plan(short.parent, short, axes)


@pytest.fixture(scope="module")
def table(plan: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The results as one process after the other gives them."""
    out = tmp_path_factory.mktemp("alone")
    sweep(plan, 1, out=out)
    return (out / RESULTS).read_bytes()


def test_a_sweep_has_a_row_per_run_in_the_order_of_its_plan(table: bytes, tmp_path: Path) -> None:
    (tmp_path / RESULTS).write_bytes(table)
    (tmp_path / "plan.json").write_text("{}")
    _, rows = read_results(tmp_path)
    told = [(row["cameras"], row["pipeline.attribution.sure"], row["seed"]) for row in rows]
    assert told == [("all", 0.6, 461), ("all", 0.9999999, 461), ("few", 0.6, 461), ("few", 0.9999999, 461)]
    assert rows[0]["item_f1"] == 1.0
    assert [row["cases"] for row in rows] == [0, 1, 0, 1]
    assert rows[0]["hardware_minor"] > rows[2]["hardware_minor"]
    assert rows[0]["bytes_per_s"] > rows[2]["bytes_per_s"]
    assert {row["failed"] for row in rows} == {None}


def test_runs_that_hear_one_story_say_what_each_says_by_itself(plan: Path, table: bytes, tmp_path: Path) -> None:
    runs = read_sweep(plan).runs
    assert [first.story == other.story for first, other in pairwise(runs)] == [True, False, True]
    (tmp_path / RESULTS).write_bytes(table)
    (tmp_path / "plan.json").write_text("{}")
    for run, row in zip(runs[:2], read_results(tmp_path)[1], strict=False):
        assert run.play()["row"].items() <= row.items()


def test_killed_half_way_and_resumed_nothing_is_run_twice(plan: Path, table: bytes, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "smartstore", "sim", "sweep", str(plan), "--workers", "1", "--out", str(tmp_path)]
    log, runs = tmp_path / RUNS / LOG, tmp_path / RUNS
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while not (log.is_file() and log.read_text().count("\n") >= 1):
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    finished = {path.name: path.stat().st_mtime_ns for path in runs.glob("*.json")}
    assert 1 <= len(finished) < 4 and not (tmp_path / RESULTS).exists()
    sweep(plan, 1, resume=True, out=tmp_path)
    assert (tmp_path / RESULTS).read_bytes() == table
    assert {name: (runs / name).stat().st_mtime_ns for name in finished} == finished
    played = [line.split("\t")[0] for line in log.read_text().splitlines()]
    assert len(played) == len(set(played)) == 4


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """A scheduler and a worker, started by hand."""
    file, quiet = folder / "scheduler.json", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    local = ["--scheduler-file", str(file), "--no-dashboard"]
    dask = [sys.executable, "-m", "dask"]
    scheduler = subprocess.Popen([*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", *local], **quiet)
    worker = subprocess.Popen(
        [*dask, "worker", *local, "--no-nanny", "--nthreads", "2"], cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, **quiet,
    )  # fmt: skip
    try:
        while not file.is_file():
            assert scheduler.poll() is None and worker.poll() is None
            time.sleep(0.05)
        yield json.loads(file.read_text())["address"]
    finally:
        for process in (worker, scheduler):
            process.terminate()
            process.wait(timeout=20)


def test_a_cluster_of_the_users_own_gives_the_same_bytes(plan: Path, table: bytes, tmp_path: Path) -> None:
    with cluster(tmp_path) as address:
        assert tell(["sim", "sweep", str(plan), "--scheduler", address, "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / RESULTS).read_bytes() == table


def test_a_story_that_ends_before_its_receipts_says_so(
    short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = write_plan(tmp_path, short, {"scenario.tail_s": [0]})
    assert tell(["sim", "sweep", str(plan), "--workers", "1", "--out", str(tmp_path / "out")]) == 0
    assert "no receipt came before one run ended" in capsys.readouterr().err


class Broken:
    """A run that goes wrong, or not."""

    def __init__(self, name: str, right: bool) -> None:
        self.name, self._right = name, right

    def document(self) -> str:
        return "{}\n"

    def digest(self) -> str:
        return "1"

    def play(self) -> dict[str, Any]:
        if not self._right:
            raise DesignError("nobody can walk there")
        return {"row": 1}


def test_a_run_that_fails_is_told_and_stops_no_other(tmp_path: Path) -> None:
    jobs = [Broken("a", False), Broken("b", True)]
    first, second = play_all(jobs, tmp_path, 1, resume=False)
    assert first["failed"] == "nobody can walk there" and second["row"] == 1
    with pytest.raises(BatchError, match="1 of 2 runs failed, the first is a: nobody can walk there"):
        run_all(jobs, tmp_path, 1, resume=True)
    assert [line.split("\t")[0] for line in (tmp_path / LOG).read_text().splitlines()] == ["a", "b", "a"]


class Together(Broken):
    """A run that hears the same story as the others; one that goes wrong takes them along."""

    story = "one"

    def play_with(self, others: Sequence["Together"]) -> list[dict[str, Any]]:
        return [{**run.play(), "together": True} for run in (self, *others)]


def test_a_run_that_fails_beside_others_leaves_them_their_results(tmp_path: Path) -> None:
    right, wrong = [Together("a", True), Together("b", True)], [Together("c", True), Together("d", False)]
    assert play_all(right, tmp_path, 1, resume=False)[1] == {"row": 1, "together": True, "cpu_s": 0.0, "digest": "1"}
    third, fourth = play_all(wrong, tmp_path, 1, resume=False)
    assert third == {"row": 1, "cpu_s": 0.0, "digest": "1"} and fourth["failed"] == "nobody can walk there"


def test_a_layout_that_cannot_be_is_a_failed_row(short: Path, tmp_path: Path) -> None:
    axes = {"store.fixtures.g2.origin_m": [[0.45, 3.5], [0.45, 2.3]]}  # the second one stands within g1
    _, rows = sweep(write_plan(tmp_path, short, axes, "461"), 1, out=tmp_path / "out")
    assert summary(rows)[1][0][0] == "[0.45, 3.5]", "a value that is a list is told as text"
    assert rows[0]["failed"] is None
    assert "g1" in rows[1]["failed"] and rows[1]["item_f1"] is None
    _, kept = read_results(tmp_path / "out")
    assert kept == rows


def test_a_full_disk_keeps_what_is_finished(short: Path, tmp_path: Path) -> None:
    told = read_sweep(write_plan(tmp_path, short, {"scenario.tail_s": [5, 6]}, "461"))
    jobs = [Broken(run.name, True) for run in told.runs]
    runs = tmp_path / "out"
    runs.mkdir()
    (runs / f".{jobs[1].name}.json.partial").symlink_to("/dev/full")
    with pytest.raises(BatchError, match=r"No space left on device; 1 finished runs are kept, make room"):
        play_all(jobs, runs, 1, resume=False)
    assert json.loads((runs / f"{jobs[0].name}.json").read_text())["row"] == 1
    assert not (runs / f"{jobs[1].name}.json").exists()


@pytest.mark.parametrize(
    ("axes", "line"),
    [
        ({"scenario.shoppers.cuont": [1]}, "there is no field scenario.shoppers.cuont"),
        ({"scenario.shoppers.cuont": [1]}, "scenario.shoppers has no 'cuont'; near it: count"),
        ({"store.cameras.c9.fps": [1]}, "store.cameras has no 'c9'; near it: c"),
        ({"pipeline.atribution.sure": [0.5]}, "near it: attribution"),
        ({"shoppers.count": [1]}, "axes.shoppers.count: there is no such field; fields begin with store, catalogue"),
        ({"scenario.shoppers.count": []}, "axes.scenario.shoppers.count is empty; give it values or remove it"),
        ({"cameras": {"none": {"store": ["remove c7"]}}}, "axes.cameras: none: "),
        ({"cameras": {"none": {"take": ["c1"]}}}, "unknown key"),
        ({}, "axes"),
    ],
)  # fmt: skip
def test_what_cannot_be_swept_is_one_line_before_anything_runs(
    axes: dict[str, Any], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_plan(tmp_path, CORNER, axes)
    assert tell(["sim", "sweep", str(path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1, said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seeds", ["1-999999999999", "1-99999999999999999999"])
def test_more_runs_than_anybody_can_wait_for_are_one_line(
    seeds: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_plan(tmp_path, CORNER, {"scenario.shoppers.count": [1, 2]}, seeds)
    assert tell(["sim", "sweep", str(path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "runs are more than 100000; cut an axis or take fewer seeds" in said and said.count("\n") == 1, said


def test_a_store_without_cameras_is_one_line(short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = yaml.safe_load((ROOT / "configs/stores/corner.yaml").read_text())
    store |= {"cameras": [], "catalogue": str(ROOT / "data/catalogues/corner.yaml")}
    (tmp_path / "bare.yaml").write_text(yaml.safe_dump(store))
    path = write_plan(tmp_path, tmp_path / "bare.yaml", {"scenario.tail_s": [5]})
    assert tell(["sim", "sweep", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "bare.yaml: has no cameras: nobody can be followed; add some" in capsys.readouterr().err


def test_a_scheduler_that_is_not_there_is_one_line(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sims.lab.batch.ANSWER_S", 0.5)
    assert tell(["sim", "sweep", str(plan), "--scheduler", "tcp://127.0.0.1:1", "--out", str(tmp_path / "out")]) == 2
    assert "tcp://127.0.0.1:1: no Dask scheduler answers there; start one with" in capsys.readouterr().err


def test_the_schema_beside_the_plans_is_the_one_of_the_program() -> None:
    assert json.loads((ROOT / "configs/sweeps/sweep.schema.json").read_text()) == sweep_schema()
    assert json.loads((ROOT / "configs/sweeps/edit.schema.json").read_text()) == edit_schema()
    assert json.loads((ROOT / "configs/prices.schema.json").read_text()) == prices_schema()


def test_every_shipped_sweep_can_be_carried_out() -> None:
    plans = sorted((ROOT / "configs/sweeps").glob("*.yaml"))
    assert plans
    for path in plans:
        if "axes" in yaml.safe_load(path.read_text()):
            assert read_sweep(path).runs


@pytest.fixture(scope="module")
def corner() -> Design:
    return load_design(CORNER)


def test_fields_go_by_dotted_paths(corner: Design) -> None:
    changed = corner.changed(
        Edit(
            set={"store.cameras.*.fps": 7, "scenario.load_cells.noise": 2.0, "pipeline.attribution.sure": 0.9,
                 "store.fixtures.g1.origin_m.0": 0.5},
            store=("remove c2", "swap g1-1-a g2-2-a"),
        ), "changed",
    ).documents  # fmt: skip
    assert [camera["id"] for camera in changed["store"]["cameras"]] == ["c1", "c3", "c4", "s1", "s2", "s3"]
    assert {camera["fps"] for camera in changed["store"]["cameras"]} == {7}
    assert changed["scenario"]["load_cells"]["noise"] == 2.0
    assert changed["pipeline"] == {"attribution": {"sure": 0.9}}
    first = changed["store"]["fixtures"][0]
    assert first["origin_m"] == [0.5, 2.2]
    assert first["shelves"][0]["facings"][0]["sku"] == "2000265916502"
    assert len(corner.documents["store"]["cameras"]) == 7, "the design itself is as it was"
