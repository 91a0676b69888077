"""The walls between the packages hold: import contracts, the wire as the only way through, no clock and no dice."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
TEST_BENCH = {"lab", "cli"}

CLOCKS = {
    "time",
    "time_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "sleep",
    "localtime",
    "gmtime",
}
DICE = {"random", "secrets", "uuid"}
SHELLS = [
    name for name, rules in SETTINGS["tool"]["ruff"]["lint"]["per-file-ignores"].items()
    if "TID251" in rules and not name.startswith("tests")
]  # fmt: skip
MAY_ROLL_DICE = ["smartstore/palm/*"]
"""Tokens and salts must not be guessable; nothing that a receipt says depends on them."""


def imported(source: str) -> Iterator[str]:
    """Every module that the source imports anywhere, spelled out."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            ours = node.module in ("smartstore", "sims")
            yield from (f"{node.module}.{alias.name}" if ours else node.module for alias in node.names)


def through_the_wall(source: str) -> list[str]:
    """What a module of the building imports and must not: anything of the product but the wire, and the test bench."""
    ours = (name for name in imported(source) if name.split(".")[0] in ("smartstore", "sims", "importlib"))
    allowed = ("sims.", "smartstore.wire.")
    bench = tuple(f"sims.{name}." for name in TEST_BENCH)
    return [name for name in ours if not f"{name}.".startswith(allowed) or f"{name}.".startswith(bench)]


def clocks_and_dice(source: str) -> list[str]:
    """Reads of a clock and sources of chance that nobody passed in, as written."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            name = text.rpartition(".")[2]
            clock = text.startswith(("time.", "datetime.")) and name in CLOCKS | {"now", "utcnow", "today"}
            dice = ".random." in f".{text}" and name.islower() and name != "default_rng" and "np" in text.split(".")
            found += [text] if clock or dice or text == "os.urandom" else []
        if isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime"):
            found += [f"from time import {alias.name}" for alias in node.names if alias.name in CLOCKS]
        if isinstance(node, ast.Call) and not node.args and not node.keywords:
            name = ast.unparse(node.func).rpartition(".")[2]
            found += [f"{name}()"] if name in ("default_rng", "SeedSequence") else []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hash":
            found.append("hash() differs from process to process")
    return found + [name for name in imported(source) if name.split(".")[0] in DICE]


def files(package: str) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*.py"))


def covered(file: str, patterns: list[str]) -> bool:
    return any(fnmatch(file, pattern.replace("**", "*")) for pattern in patterns)


def test_the_import_contracts_hold() -> None:
    command = "from importlinter.cli import lint_imports_command as lint; lint()"
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_every_part_of_the_building_is_under_contract() -> None:
    contracts = SETTINGS["tool"]["importlinter"]["contracts"]
    listed = next(c["source_modules"] for c in contracts if c["name"] == "the building knows only the wire")
    parts = {p.stem for p in (ROOT / "sims").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert {f"sims.{part}" for part in parts - TEST_BENCH - {"__init__", "__main__"}} == set(listed)


def test_the_building_knows_nothing_of_the_product_but_the_wire() -> None:
    building = [file for file in files("sims") if file.split("/")[1].removesuffix(".py") not in TEST_BENCH]
    assert {file: found for file in building if (found := through_the_wall((ROOT / file).read_text()))} == {}


def test_the_product_knows_nothing_of_the_building() -> None:
    seen = {file: set(imported((ROOT / file).read_text())) for file in files("smartstore")}
    assert {file: names for file, names in seen.items() if any(f"{name}.".startswith("sims.") for name in names)} == {}


@pytest.mark.parametrize("package", ["smartstore", "sims"])
def test_below_the_shells_there_is_no_clock_and_no_dice(package: str) -> None:
    quiet = [file for file in files(package) if not covered(file, SHELLS + MAY_ROLL_DICE)]
    assert {file: found for file in quiet if (found := clocks_and_dice((ROOT / file).read_text()))} == {}


@pytest.mark.parametrize("source", [
    "import smartstore", "import smartstore.site", "from smartstore import site", "from smartstore.domain import items",
    "def f():\n    import smartstore", "from sims.lab import run", "import importlib", "from smartstore import *",
])  # fmt: skip
def test_ways_through_the_wall_are_seen(source: str) -> None:
    assert through_the_wall(source)


@pytest.mark.parametrize("source", [
    "import smartstore.wire", "from smartstore import wire", "from smartstore.wire.codec import encode",
    "import sims.scene",
])  # fmt: skip
def test_the_gate_in_the_wall_is_open(source: str) -> None:
    assert not through_the_wall(source)


@pytest.mark.parametrize("source", [
    "import time\ntime.time()", "from time import monotonic", "import datetime\ndatetime.datetime.now()",
    "import random",
    "from random import choice", "import numpy as np\nnp.random.rand(3)", "np.random.default_rng()", "hash('a')",
    "import uuid", "from numpy.random import default_rng\ndefault_rng()",
])  # fmt: skip
def test_clocks_and_dice_are_seen(source: str) -> None:
    assert clocks_and_dice(source)


@pytest.mark.parametrize("source", [
    "np.random.default_rng(7)", "def f(rng: np.random.Generator): return rng.random()", "np.random.SeedSequence(1)",
    "from datetime import UTC, datetime\ndatetime.fromtimestamp(0, UTC)",
])  # fmt: skip
def test_a_generator_that_is_passed_down_is_welcome(source: str) -> None:
    assert not clocks_and_dice(source)
