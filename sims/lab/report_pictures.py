"""The pictures of a report: plan with paths, heat, time lines, coverage, sensitivity. Each a small PNG in memory.

In: rows of ``report_data`` and results of sweeps. Out: PNG bytes, at most a hundred colours, drawn for white paper.
"""

import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from sims.building import Building
from sims.lab.explain_run import Run
from sims.lab.picture import draw_plan
from sims.lab.report_data import Array, TimeLine, Wire, walks

DPI, COLOURS = 110, 100
CELL_M = 0.2
BLUE, ORANGE, GREEN = "#0b5394", "#b45f06", "#38761d"


def small_png(png: bytes) -> bytes:
    """The same picture with few colours: a third of the size, and lines stay sharp."""
    from PIL import Image

    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS).save(out, "PNG", optimize=True)
    return out.getvalue()


def _figure(width_in: float, height_in: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained", dpi=DPI)


def _png(figure: Any) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return small_png(out.getvalue())


def _size(building: Building) -> tuple[float, float]:
    walls = np.array(building.walls_m)
    width_m, height_m = walls.max(axis=0) - walls.min(axis=0) + 1.2
    scale = min(6.2 / width_m, 6.6 / height_m)
    return float(width_m * scale) + 0.9, float(height_m * scale) + 0.8


def plan_with_paths(run: Run) -> bytes:
    """Where everybody walked, with takes and put-backs."""
    figure = _figure(*_size(run.building))
    axes = figure.subplots()
    draw_plan(axes, run.building)
    for number, (person, path) in enumerate(walks(run).items()):
        colour = f"C{number % 10}"
        axes.plot(path[:, 1], path[:, 2], color=colour, lw=1.2, zorder=3, label=person)
        for change in (change for change in run.truth.changes if change.person == person):
            x, y, _ = run.site.facings[change.facing].centre_m
            axes.plot(x, y, "^" if change.kind == "take" else "v", color=colour, mec="black", mew=0.5, ms=7, zorder=6)
    if len(run.people) <= 12:
        figure.legend(loc="outside lower center", fontsize=7, ncols=4)
    return _png(figure)


def heat(run: Run, what: str) -> bytes:
    """Seconds spent, or different people seen, on each square of 20 cm: ``what`` is "time" or "people"."""
    figure = _figure(*_size(run.building))
    axes = figure.subplots()
    walls = np.array(run.building.walls_m)
    (x0, y0), (x1, y1) = walls.min(axis=0), walls.max(axis=0)
    edges = np.arange(x0, x1 + CELL_M, CELL_M), np.arange(y0, y1 + CELL_M, CELL_M)
    grid = np.zeros((len(edges[0]) - 1, len(edges[1]) - 1))
    for path in walks(run).values():
        step_s = float(np.median(np.diff(path[:, 0]))) if len(path) > 1 else 0.2
        counts, *_ = np.histogram2d(path[:, 1], path[:, 2], bins=edges)
        grid += counts * step_s if what == "time" else counts > 0
    shown = np.ma.masked_less_equal(grid.T, 0)
    label = "seconds per square of 20 cm" if what == "time" else "different people per square of 20 cm"
    image = axes.pcolormesh(*edges, shown, cmap="YlOrRd", zorder=0.5, vmin=0)
    figure.colorbar(image, ax=axes, label=label, shrink=0.7)
    draw_plan(axes, run.building)
    return _png(figure)


def occupancy(line: TimeLine) -> bytes:
    """People inside, and people who wait before the entry."""
    figure = _figure(7.2, 3.4)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    above.fill_between(line.times_s / 60, line.inside, step="post", color=BLUE, alpha=0.25)
    above.step(line.times_s / 60, line.inside, where="post", color=BLUE, lw=1.4)
    above.set_ylabel("people inside")
    below.fill_between(line.times_s / 60, line.waiting, step="post", color=ORANGE, alpha=0.5)
    below.set_ylabel("at the gate")
    below.set_xlabel("minutes of event time")
    for axes in (above, below):
        axes.grid(alpha=0.3)
        axes.set_ylim(bottom=0)
        axes.yaxis.get_major_locator().set_params(integer=True)
    return _png(figure)


def bandwidth(wire: Wire) -> bytes:
    """Messages and bytes a second."""
    figure = _figure(7.2, 3.2)
    above, below = figure.subplots(2, 1, sharex=True)
    kernel = np.ones(5) / 5
    for axes, values, label, colour in (
        (above, wire.messages_per_s, "messages/s", BLUE), (below, wire.bytes_per_s / 1000, "kB/s", GREEN)
    ):  # fmt: skip
        mean = np.convolve(values, kernel, "valid")
        axes.plot(wire.seconds[2 : 2 + len(mean)] / 60, mean, color=colour, lw=1.2)
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    below.set_xlabel("minutes of event time")
    return _png(figure)


def seen_floor(building: Building, floor_m: Array, chance: Array, step_m: float) -> bytes:
    """How many cameras see each place of the floor, as the expected number up to three."""
    figure = _figure(*_size(building))
    axes = figure.subplots()
    cameras = chance.sum(axis=0)
    dots = axes.scatter(
        floor_m[:, 0], floor_m[:, 1], c=cameras, cmap="viridis", vmin=0, vmax=3, marker="s", linewidths=0,
        s=(step_m * 60) ** 2, zorder=0.5,
    )  # fmt: skip
    figure.colorbar(dots, ax=axes, label="cameras that see it (3: three or more)", shrink=0.7)
    draw_plan(axes, building)
    return _png(figure)


def mean_over_seeds(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[float, float]:
    """The mean of a measure, and how far its 95 % interval reaches to either side; 0 where there is only one seed.

    Points that share a seed share its people and its luck, so each seed counts once, with its mean over the points.
    """
    by_seed: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        if row[name] is not None:
            by_seed[row["seed"]].append(float(row[name]))
    each = np.array([np.mean(values) for values in by_seed.values()])
    if len(each) < 2:
        return float(each.mean()) if len(each) else float("nan"), 0.0
    return float(each.mean()), float(stats.t.ppf(0.975, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each)))


def sensitivity(axis: str, measures: Sequence[tuple[str, str]], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """How each measure changes along an axis: means over everything else, bars are 95 % intervals over seeds."""
    values = list(dict.fromkeys(row[axis] for row in rows))
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    at = np.array(values, float) if numeric else np.arange(len(values), dtype=float)
    columns = 3
    lines = -(-len(measures) // columns)
    figure = _figure(8.4, 2.3 * lines)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes, (name, title) in zip(grid.flat, measures, strict=False):
        mean, reach = [], []
        for value in values:
            middle, ends = mean_over_seeds([row for row in rows if row[axis] == value], name)
            mean.append(middle)
            reach.append(ends)
        axes.errorbar(at, mean, yerr=reach, marker="o", ms=4, capsize=3, lw=1.2 if numeric else 0, elinewidth=1.2,
                      color=BLUE)  # fmt: skip
        axes.set_title(title, fontsize=9)
        axes.grid(alpha=0.3)
        axes.tick_params(labelsize=8)
        if not numeric:
            axes.set_xticks(at, [str(value)[:18] for value in values], rotation=20, ha="right", fontsize=8)
            axes.set_xlim(-0.6, len(values) - 0.4)
    for axes in list(grid.flat)[len(measures) :]:
        axes.set_axis_off()
    figure.supxlabel(axis, fontsize=9)
    return _png(figure)


def cost_against(rows: Sequence[tuple[str, float, float]], currency: str) -> bytes:
    """Points of a sweep: hardware against exact receipts."""
    figure = _figure(7.2, 3.8)
    axes = figure.subplots()
    for label, cost_minor, exact in rows:
        axes.plot(cost_minor / 100, exact, "o", color=BLUE, ms=6)
        axes.annotate(label, (cost_minor / 100, exact), xytext=(5, 4), textcoords="offset points", fontsize=8)
    axes.set_xlabel(f"hardware, {currency}")
    axes.set_ylabel("exact receipts")
    axes.grid(alpha=0.3)
    axes.margins(0.15)
    return _png(figure)
