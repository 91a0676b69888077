"""The plan of a store as planners read it: walls, fixtures with their facings, cameras with what they look at, scales,
gates, dimensions and a scale bar. In: a :class:`Site`. Out: an SVG or PNG file, or marks in axes of matplotlib.
"""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from smartstore.site.gates import inward
from smartstore.site.parts import Fixture, Gate, Site, SurveyedCamera
from smartstore.site.writing import write_whole

FORMATS = (".svg", ".png", ".pdf")
MARGIN_M = 1.1
CONE_M = 2.2
"""How far the view of a camera is drawn."""
KINDS = {"gondola": "#dfe5ec", "cooler": "#cfe3f2", "table": "#eee4d3"}
CEILING, SHELF, FACE, SCALE, ENTRY, EXIT, SIGN = (
    "#b0413e", "#7b4ea3", "#2f5d8a", "#2e8b57", "#2e8b57", "#b0413e", "#b8860b",
)  # fmt: skip


def draw_plan(site: Site, path: Path) -> None:
    """Writes the annotated plan as the ending of ``path`` says: .svg, .png or .pdf; raises EditError."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    walls = np.asarray(site.walls_m, float)
    wide, deep = np.ptp(walls, axis=0) + 2 * MARGIN_M
    inches = min(13.0 / wide, 10.0 / deep, 1.35)
    with rc_context({"svg.hashsalt": "smartstore", "svg.fonttype": "none"}):
        figure = Figure(figsize=(max(7.5, wide * inches), deep * inches + 1.2), dpi=120, layout="constrained")
        axes = figure.subplots()
        for camera in site.cameras.values():
            _cone(axes, camera)
        draw_store(axes, site, detailed=True)
        _dimensions(axes, site)
        marks: list[Any] = [Patch(fc=colour, ec="#7b8494", label=kind) for kind, colour in KINDS.items()]
        marks += [
            Line2D([], [], color=FACE, lw=3, label="face"),
            Line2D([], [], color=SCALE, lw=3, label="load cells"),
            Line2D([], [], color=CEILING, marker="o", ls="", label="ceiling camera"),
            Line2D([], [], color=SHELF, marker="s", ls="", label="shelf camera"),
            Line2D([], [], color=SIGN, marker="^", ls="", label="palm station"),
        ]
        figure.legend(handles=marks, loc="outside lower center", ncols=5, frameon=False, fontsize=8)
        cells = len(site.plates)
        axes.set_title(
            f"{site.name}: {len(site.fixtures)} fixtures, {len(site.facings)} facings, {len(site.cameras)} cameras, "
            f"{cells} load cells, ceiling {site.ceiling_m:g} m", fontsize=10,
            parse_math=False,
        )  # fmt: skip
        drawn, ending = io.BytesIO(), path.suffix.removeprefix(".")
        figure.savefig(drawn, format=ending, metadata={"Date": None} if ending == "svg" else None)
    write_whole(path, drawn.getvalue())


def draw_store(axes: Any, site: Site, detailed: bool = False) -> None:
    """Walls, gates, fixtures and cameras in axes of metres; with ``detailed`` also facings and load cells."""
    walls = np.array([*site.walls_m, site.walls_m[0]])
    axes.plot(*walls.T, color="#222", lw=3, solid_joinstyle="miter", zorder=3)
    for fixture in site.fixtures.values():
        _fixture(axes, fixture, detailed)
    for gate in site.gates:
        _gate(axes, site, gate)
    for camera in site.cameras.values():
        _camera(axes, camera)
    if detailed and site.palm_station_m is not None:
        axes.plot(*site.palm_station_m, "^", color=SIGN, ms=8, zorder=7)
    for sign in site.signs if detailed else ():
        axes.annotate(
            sign.kind, sign.position_m, ha="center", va="center", fontsize=5.5, zorder=7,
            bbox={"boxstyle": "square,pad=0.25", "fc": "#fff3c4", "ec": SIGN},
        )  # fmt: skip
    axes.set_aspect("equal")
    (low_x, low_y), (high_x, high_y) = walls.min(axis=0), walls.max(axis=0)
    axes.set_xlim(low_x - MARGIN_M, high_x + MARGIN_M)
    axes.set_ylim(low_y - MARGIN_M, high_y + MARGIN_M)
    axes.set_xlabel("x / m", fontsize=8)
    axes.set_ylabel("y / m", fontsize=8)
    axes.tick_params(labelsize=7)


def _fixture(axes: Any, fixture: Fixture, detailed: bool) -> None:
    corners = np.array(fixture.footprint_m())
    axes.fill(*corners.T, fc=KINDS.get(fixture.kind, "#ddd"), ec="#7b8494", lw=0.8, zorder=2)
    left, right = fixture.point(0, 0, 0), fixture.point(fixture.width_m, 0, 0)
    if fixture.shelves:
        axes.plot([left[0], right[0]], [left[1], right[1]], color=FACE, lw=2.5, zorder=4, solid_capstyle="butt")
    if detailed and fixture.scale is not None:
        ends = fixture.point(0.02, 0.06, 0), fixture.point(fixture.width_m - 0.02, 0.06, 0)
        axes.plot(*zip(*(end[:2] for end in ends), strict=True), color=SCALE, lw=2, zorder=4, solid_capstyle="butt")
    if detailed:
        ends_m = {f.offset_m for shelf in fixture.shelves for f in shelf.facings}
        for u in sorted(ends_m - {0.0}):
            a, b = fixture.point(u, 0, 0), fixture.point(u, min(0.16, fixture.depth_m), 0)
            axes.plot([a[0], b[0]], [a[1], b[1]], color=FACE, lw=0.6, zorder=4)
    facings = sum(len(shelf.facings) for shelf in fixture.shelves)
    note = f"\n{len(fixture.shelves)} × {facings / max(len(fixture.shelves), 1):.2g}" if detailed and facings else ""
    along = (fixture.facing_deg + 90.0 + 89.9) % 180.0 - 89.9
    axes.text(
        *corners.mean(axis=0), fixture.id + note, ha="center", va="center", fontsize=7, zorder=5, rotation=along,
        rotation_mode="anchor", linespacing=1.0,
    )  # fmt: skip


def _gate(axes: Any, site: Site, gate: Gate) -> None:
    (x0, y0), (x1, y1) = gate.line_m
    colour = ENTRY if gate.kind == "entry" else EXIT
    axes.plot([x0, x1], [y0, y1], color="white", lw=4, zorder=4)
    axes.plot([x0, x1], [y0, y1], color=colour, lw=2, ls=(0, (2, 1)), zorder=5)
    middle, into = (np.array(place) for place in inward(site, gate))
    start, end = (middle - 0.55 * into, middle + 0.25 * into)[:: 1 if gate.kind == "entry" else -1]
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.8}, zorder=6)
    axes.text(
        *(middle - 0.35 * into + 0.3 * np.array([abs(into[1]), abs(into[0])])), gate.id, ha="center", va="center",
        fontsize=8, color=colour, rotation=0 if abs(into[0]) > 0.7 else 90,
    )  # fmt: skip


def _camera(axes: Any, camera: SurveyedCamera) -> None:
    x, y, z = (float(c) for c in camera.model.position_m)
    colour, marker = (CEILING, "o") if camera.kind == "ceiling" else (SHELF, "s")
    axes.plot(x, y, marker, color=colour, ms=5, zorder=8)
    axes.annotate(
        f"{camera.id} {z:.1f} m", (x, y), textcoords="offset points", xytext=(4, 4), fontsize=6, color=colour,
        zorder=8,
        bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.7},
    )  # fmt: skip


def _cone(axes: Any, camera: SurveyedCamera) -> None:
    """What the middle row of the picture looks over, on the plan."""
    x, y, _ = camera.model.position_m
    fx, fy, _ = camera.model.rotation[2]
    if math.hypot(fx, fy) < 0.05:
        return
    heading = math.degrees(math.atan2(fy, fx))
    half = math.degrees(math.atan(camera.model.width_px / 2 / float(camera.model.k[0, 0])))
    from matplotlib.patches import Wedge

    colour = CEILING if camera.kind == "ceiling" else SHELF
    axes.add_patch(Wedge((x, y), CONE_M, heading - half, heading + half, fc=colour, alpha=0.09, lw=0, zorder=1))
    for side in (-half, half):
        end = math.radians(heading + side)
        axes.plot([x, x + CONE_M * math.cos(end)], [y, y + CONE_M * math.sin(end)], color=colour, lw=0.4, alpha=0.6)


def _dimensions(axes: Any, site: Site) -> None:
    """Width and depth of the room outside its walls, and a scale bar above them."""
    walls = np.asarray(site.walls_m, float)
    (x0, y0), (x1, y1) = walls.min(axis=0), walls.max(axis=0)
    arrow = {"arrowstyle": "<|-|>", "color": "#444", "lw": 0.8, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x0, y1 + 0.45), (x1, y1 + 0.45), arrowprops=arrow)
    axes.text((x0 + x1) / 2, y1 + 0.5, f"{x1 - x0:.2f} m", ha="center", va="bottom", fontsize=8, color="#444")
    axes.annotate("", (x1 + 0.45, y0), (x1 + 0.45, y1), arrowprops=arrow)
    axes.text(x1 + 0.5, (y0 + y1) / 2, f"{y1 - y0:.2f} m", va="center", fontsize=8, color="#444", rotation=90)
    length = 1.0 if x1 - x0 < 12 else 2.0
    left, low = x0, y1 + 0.8
    for part in range(4):
        start = left + part * length / 4
        axes.plot(
            [start, start + length / 4],
            [low, low],
            color="#222" if part % 2 == 0 else "#aaa",
            lw=4,
            solid_capstyle="butt",
        )
    axes.text(left + length / 2, low + 0.1, f"{length:g} m", ha="center", va="bottom", fontsize=7)
