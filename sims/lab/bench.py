"""``make bench``: how fast the store runs on this machine, all figures in one go, as ratios.

In: nothing but the shipped scenarios. Out: a table, and ``data/runs/bench.json``.
"""

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from sims.bodies.library import BodyLibrary
from sims.building import load_building
from sims.devices.look import Look
from sims.devices.renderer import Renderer
from sims.lab.crowd_bench import crowd_rows
from sims.lab.feed_bench import feed_rows
from sims.lab.run import RunRequest, run
from sims.lab.scenes import Cast, random_scene
from sims.lab.vision_bench import vision_rows
from sims.scene import Scene
from smartstore.palm.bench import speed_rows as palm_rows

CORNER = Path("configs/stores/corner.yaml")
QUIET = Path("configs/scenarios/corner-quiet.yaml")
OUT = Path("data/runs/bench")


def main() -> None:
    """Run everything, show it and keep it."""
    rows = [
        *_real_time_factors(), *feed_rows(OUT / "edge/feed.mcap", "corner-quiet"), *crowd_rows(),
        *_views(), *_detector(), *vision_rows(OUT / "frames", CORNER),
        *palm_rows(100_000), *palm_rows(1_000_000),
    ]  # fmt: skip
    table = Table(
        "what", "figure", "unit", title=f"{platform.processor() or platform.machine()}, {platform.python_version()}"
    )
    for what, figure, unit in rows:
        table.add_row(what, f"{figure:.2f}", unit)
    Console(markup=False).print(table)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "bench.json").write_text(
        json.dumps([dict(zip(("what", "figure", "unit"), row, strict=True)) for row in rows], indent=2)
    )


Row = tuple[str, float, str]


def _real_time_factors() -> list[Row]:
    rows: list[Row] = []
    for fidelity in ("edge", "frames"):
        result: dict[str, Any] = run(RunRequest(QUIET, seed=1, fidelity=fidelity, out=OUT / fidelity))
        rows.append((f"corner-quiet, {fidelity}, seed 1", result["real_time_factor"], "x real time"))
    return rows


def _views() -> list[Row]:
    scene, renderer = _crowd(6)
    what = f"views of 640 x 360 with 6 people, {renderer.kind}"
    return [(what, 1 / _seconds(lambda: renderer.render(scene, "c1")), "per s")]


def _detector() -> list[Row]:
    from smartstore.vision.detector import OpenVinoDetector

    scene, renderer = _crowd(3)
    picture, detector = renderer.render(scene, "c1"), OpenVinoDetector()
    return [
        ("people and joints, 3 people, one thread", 1 / _seconds(lambda: detector.detect([picture])), "frames per s")
    ]


def _crowd(people: int) -> tuple[Scene, Renderer]:
    """A corner store with so many people in it."""
    building, library, rng = load_building(CORNER), BodyLibrary.load(), np.random.default_rng(5)
    heights = tuple(library.height_m(body) for body in range(library.count))
    cast = Cast(tuple(range(library.count)), (0, 100), heights)
    while len((scene := random_scene(building, cast, rng)).people) != people:
        pass
    return scene, Renderer(building, Look.shipped())


def _seconds(work: Callable[[], object], rounds: int = 40) -> float:
    """Median seconds of one call."""
    times = []
    for _ in range(rounds + 3):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return float(np.median(times[3:]))


if __name__ == "__main__":
    main()
