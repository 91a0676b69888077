"""Pictures of a coverage: the plan with how many cameras see each place, and every shelf face by pixels per metre."""

import io
import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from sims.lab.coverage import Coverage
from smartstore.site import Fixture, Site
from smartstore.site.draw import draw_store
from smartstore.site.sight import CLASSES_PX_M
from smartstore.site.writing import write_whole

SEEN_COLOURS = ("#b2182b", "#fdae61", "#a6d96a", "#1a7f4b")
"""For none, one, two, three cameras or more."""
CLASS_COLOURS = ("#b2182b", "#f4a582", "#fddbc7", "#d9f0d3", "#a6dba0", "#5aae61", "#1b7837", "#00441b")
"""Below the lowest class, then each class."""
ACROSS = 4
"""Shelf faces side by side."""


def draw(folder: Path, site: Site, found: Coverage) -> None:
    """Writes ``plan.png``, ``faces.png`` and ``coverage.json``. Raises EditError where they cannot be written."""
    with suppress(FileExistsError):  # a file of that name is told of when one is written into it
        folder.mkdir(parents=True, exist_ok=True)
    for name, figure in (("plan.png", floor_figure(site, found)), ("faces.png", faces_figure(site, found))):
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png")
        write_whole(folder / name, drawn.getvalue())
    write_whole(folder / "coverage.json", (json.dumps(found.document(), indent=2) + "\n").encode())


def floor_figure(site: Site, found: Coverage) -> Any:
    """The plan; colours say how many cameras are likely to see somebody who stands there."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch, Rectangle

    walls = np.asarray(site.walls_m, float)
    wide, deep = np.ptp(walls, axis=0)
    inches = min(11.0 / (wide + 1.5), 9.0 / (deep + 1.5))
    figure = Figure(
        figsize=(max(7.0, (wide + 1.5) * inches), (deep + 1.5) * inches + 1.2), dpi=110, layout="constrained"
    )
    axes = figure.subplots()
    count = (found.floor_chance >= 0.5).sum(axis=0)
    half = found.step_m / 2
    for (x, y), number in zip(found.floor_m, count, strict=True):
        axes.add_patch(Rectangle((x - half, y - half), 2 * half, 2 * half, fc=SEEN_COLOURS[number], lw=0, alpha=0.75))
    draw_store(axes, site)
    for number, spot in enumerate(found.blind_floor[:9], start=1):
        axes.annotate(
            str(number), (spot.x_m, spot.y_m), ha="center", va="center", fontsize=8, weight="bold", color="white",
            bbox={"boxstyle": "circle", "fc": SEEN_COLOURS[0], "ec": "white"}, zorder=9,
        )  # fmt: skip
    names = ("no camera", "1 camera", "2 cameras", "3 or more")
    figure.legend(
        handles=[Patch(fc=c, alpha=0.75, label=n) for c, n in zip(SEEN_COLOURS, names, strict=True)],
        loc="outside lower center", ncols=4, frameon=False, fontsize=9,
    )  # fmt: skip
    people = f"{found.density_per_m2:g} people per m²" if found.density_per_m2 else "nobody else there"
    one, two, three = found.floor
    axes.set_title(
        f"{site.name}: cameras that see a standing person, {people}\n"
        f"of the floor {one:.1%} is seen by one or more, {two:.1%} by two, {three:.1%} by three", fontsize=10,
        parse_math=False,
    )  # fmt: skip
    return figure


def faces_figure(site: Site, found: Coverage) -> Any:
    """All shelf faces as they are seen from the front, coloured by the class of their best camera."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    fixtures = [fixture for fixture in site.fixtures.values() if any(shelf.facings for shelf in fixture.shelves)]
    across = min(ACROSS, len(fixtures))
    down = math.ceil(len(fixtures) / across)
    figure = Figure(figsize=(3.4 * across, 2.7 * down + 0.9), dpi=100, layout="constrained")
    grid = figure.subplots(down, across, squeeze=False)
    for axes in grid.ravel()[len(fixtures) :]:
        axes.set_visible(False)
    for axes, fixture in zip(grid.ravel(), fixtures, strict=False):
        _draw_face(axes, site, found, fixture)
    names = ["not seen", *(f"{name}, {px:g}" for name, px in CLASSES_PX_M.items())]
    figure.legend(
        handles=[Patch(fc=c, label=n) for c, n in zip(CLASS_COLOURS, names, strict=True)],
        loc="outside lower center", ncols=4, frameon=False, fontsize=9,
    )  # fmt: skip
    title = f"{site.name}: pixels per metre of the best camera, classes of IEC 62676-4:2025"
    figure.suptitle(title, fontsize=11, parse_math=False)
    return figure


def _draw_face(axes: Any, site: Site, found: Coverage, fixture: Fixture) -> None:
    from matplotlib.patches import Rectangle

    least = np.array(list(CLASSES_PX_M.values()))
    for view in (view for view in found.facings if view.fixture == fixture.id):
        facing = site.facings[view.facing]
        shelf, high = site.shelves[facing.shelf], site.items[facing.sku].size_m[2]
        mine = found.faces.by_facing[view.facing]
        places, px = found.faces.places_m[mine], found.face_px_m[mine]
        columns, rows = len(np.unique(places[:, 0])), len(np.unique(places[:, 1]))
        wide, tall = facing.width_m / columns, high / rows
        for (u, z), density in zip(places, px, strict=True):
            colour = CLASS_COLOURS[int(np.searchsorted(least, density, side="right"))]
            axes.add_patch(Rectangle((u - wide / 2, z - tall / 2), wide, tall, fc=colour, lw=0))
        axes.add_patch(
            Rectangle((facing.offset_m, shelf.height_m), facing.width_m, high, fill=False, ec="#333", lw=0.6)
        )
        label = f"{view.px_m:.0f}" if facing.width_m > 0.12 else ""
        axes.text(facing.offset_m + facing.width_m / 2, shelf.height_m + high / 2, label, ha="center", va="center",
                  fontsize=6, color="white" if view.px_m >= 250 or view.px_m < 20 else "black")  # fmt: skip
    for shelf in fixture.shelves:
        axes.plot([0, fixture.width_m], [shelf.height_m, shelf.height_m], color="#555", lw=1.5)
    axes.add_patch(Rectangle((0, 0), fixture.width_m, fixture.height_m, fill=False, ec="#555", lw=1))
    axes.set_xlim(-0.05, fixture.width_m + 0.05)
    axes.set_ylim(0, fixture.height_m + 0.08)
    axes.set_aspect("equal")
    axes.tick_params(labelsize=6)
    axes.set_title(fixture.id, fontsize=8)
