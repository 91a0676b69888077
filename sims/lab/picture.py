"""The floor of a run as a picture: plan, paths by shopper, takes and put-backs, and what the product believed."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from sims.building import Building
from sims.lab.score import Published
from sims.truth import Truth
from sims.walking import through

MARGIN_M = 0.6
"""What is shown around the walls."""
GATE_LABEL_M = 0.3


def draw_floor(path: Path, building: Building, truth: Truth, said: Published) -> None:
    """Write the picture. Solid: where shoppers were; dotted: where the product believed them."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=_figure_size(building), dpi=110, layout="constrained")
    draw_plan(axes, building)
    paths: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for _, people in truth.positions:
        for person, x, y in people:
            paths[person].append((x, y))
    colours = {person: plt.get_cmap("tab10")(i % 10) for i, person in enumerate(sorted(paths))}
    for person, points in sorted(paths.items()):
        axes.plot(*np.array(points).T, color=colours[person], lw=1.6, label=person, zorder=3)
    believed: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for _, tracks in said.floor:
        for track, x, y in tracks:
            believed[track].append((x, y))
    for points in believed.values():
        axes.plot(*np.array(points).T, color="black", lw=0.7, ls=":", zorder=4)
    _changes(axes, building, truth, said, colours)
    axes.legend(loc="upper center", fontsize=7, framealpha=0.9)
    figure.savefig(path)
    plt.close(figure)


def _figure_size(building: Building) -> tuple[float, float]:
    """Inches that the plan fills, with room for title and scales, whether the store is long or wide."""
    walls = np.array(building.walls_m)
    width_m, height_m = walls.max(axis=0) - walls.min(axis=0) + 2 * MARGIN_M
    inches_per_m = min(9.0 / width_m, 8.0 / height_m)
    return max(5.5, float(width_m * inches_per_m) + 0.8), float(height_m * inches_per_m) + 1.1


def draw_plan(axes: Any, building: Building) -> None:
    """Walls, gates, fixtures with their faces, and cameras."""
    walls = np.array([*building.walls_m, building.walls_m[0]])
    axes.plot(*walls.T, color="black", lw=2.5)
    for gate in building.gates:
        (x0, y0), (x1, y1) = gate.line_m
        axes.plot([x0, x1], [y0, y1], color="white", lw=4, zorder=2)
        x, y = through(building, gate, GATE_LABEL_M)
        axes.annotate(gate.id, (x, y), ha="center", va="center", fontsize=8, rotation=90 if abs(x1 - x0) < 0.1 else 0)
    for fixture in building.fixtures.values():
        corners = np.array(fixture.footprint_m())
        axes.fill(*corners.T, facecolor="#d9dde3", edgecolor="#7b8494", zorder=1)
        axes.annotate(fixture.id, corners.mean(axis=0), ha="center", va="center", fontsize=9)
        u0, u1 = fixture.point(0, 0, 0), fixture.point(fixture.width_m, 0, 0)
        axes.plot([u0[0], u1[0]], [u0[1], u1[1]], color="#3b6ea5", lw=2.5, zorder=2)
    for camera in building.cameras.values():
        x, y, _ = camera.position_m
        axes.plot(x, y, marker="o" if camera.kind == "ceiling" else "s", color="#a33", ms=5, zorder=5)
        axes.annotate(camera.id, (x, y), textcoords="offset points", xytext=(4, 4), fontsize=7, color="#a33")
    axes.set_aspect("equal")
    (low_x, low_y), (high_x, high_y) = walls.min(axis=0), walls.max(axis=0)
    axes.set_xlim(low_x - MARGIN_M, high_x + MARGIN_M)
    axes.set_ylim(low_y - MARGIN_M, high_y + MARGIN_M)
    axes.set_xlabel("x / m")
    axes.set_ylabel("y / m")


def _front(building: Building, facing_id: str) -> tuple[float, float, float]:
    """The middle of a facing's front edge, drawn a little before the face."""
    facing = building.facings[facing_id]
    return building.fixtures[facing.fixture].point(facing.offset_m + facing.width_m / 2, -0.06, 0.0)


def _changes(axes: Any, building: Building, truth: Truth, said: Published, colours: dict[str, Any]) -> None:
    marks = {"take": "^", "put_back": "v"}
    seen: dict[str, int] = defaultdict(int)
    for change in truth.changes:
        x, y, _ = _front(building, change.facing)
        offset = 0.06 * seen[change.facing]
        seen[change.facing] += 1
        axes.plot(
            x,
            y + offset,
            marks[change.kind],
            color=colours.get(change.person, "grey"),
            mec="black",
            mew=0.5,
            ms=8,
            zorder=6,
        )
    for place, doubt in said.changes:
        if doubt.kind == "doubt" and place in building.facings:
            x, y, _ = _front(building, place)
            axes.plot(x, y, "o", mfc="none", mec="red", ms=14, zorder=7)
    exact = f"{len(said.receipts)} receipts for {len(truth.visits)} visits"
    axes.set_title(f"{truth.scenario}, seed {truth.seed}: {exact}\nsolid: true paths, dotted: fused tracks; "
                   "triangle up: take, down: put-back; ring: doubt", fontsize=9)  # fmt: skip
