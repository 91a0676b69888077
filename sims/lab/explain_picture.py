"""A moment of a run as a picture: the floor around a place, the weights of its shelf, and what its camera saw.

In: a run, its replay, a time and a place. Out: a PNG. Filled is what was, dotted and hollow what was believed.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sims.lab.explain_run import (
    AROUND_S,
    Replay,
    Run,
    fixture_of,
    frames_around,
    near,
    place_m,
    seconds,
    shelf_of,
    weights,
)
from sims.lab.picture import draw_plan
from smartstore.domain.events import CaseRaised, ItemReturned, ItemTaken, StoreEvent
from smartstore.vision.worker import decode_jpeg

SHOWN_M = 1.7
"""Of the floor, to each side of where one stands before the place."""
STAND_M = 0.6
TRAIL_S = 3.0
ASIDE_NS = 2_000_000_000
"""The shelf is shown so long before and after: longer than most hands are in the way."""


def draw_moment(
    path: Path, run: Run, seen: Replay, events: Sequence[StoreEvent], t_ns: int, place: str, title: str
) -> None:
    """Write the picture of the time ``t_ns`` at ``place``, a facing or a shelf."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    pictures = _shelf_pictures(run, place, t_ns)
    rows = 2 if pictures else 1
    figure = plt.figure(figsize=(12, 5.6 * rows - 0.6 * (rows - 1)), dpi=100, layout="constrained")
    grid = figure.add_gridspec(rows, 2, width_ratios=(1, 1.25) if rows == 1 else (1, 1))
    _floor(figure.add_subplot(grid[0, 0]), run, seen, t_ns, place)
    _weights(figure.add_subplot(grid[0, 1]), run, seen, events, t_ns, place)
    for column, (label, picture, spot) in enumerate(pictures):
        axes = figure.add_subplot(grid[1, column])
        axes.imshow(picture)
        if spot is not None:
            axes.plot(*spot, "o", mfc="none", mec="gold", mew=2, ms=34)
        axes.set_title(label, fontsize=9)
        axes.set_axis_off()
    figure.suptitle(title if len(title) < 130 else f"{title[:127]}...", fontsize=10)
    figure.savefig(path)
    plt.close(figure)


def _floor(axes: Any, run: Run, seen: Replay, t_ns: int, place: str) -> None:
    """True people filled, believed ones hollow, each with a trail; believed hands as crosses, the place as a star."""
    draw_plan(axes, run.building)
    colours = _colours(run)
    x, y = place_m(run, place)
    true: dict[str, list[tuple[int, float, float]]] = defaultdict(list)
    for when, people in run.truth.positions:
        if abs(when - t_ns) <= TRAIL_S * 1e9:
            for person, px, py in people:
                true[person].append((when, px, py))
    for person, points in sorted(true.items()):
        axes.plot(*np.array(points)[:, 1:].T, color=colours.get(person, "grey"), lw=1.5, zorder=3)
        _, px, py = min(points, key=lambda point: abs(point[0] - t_ns))
        axes.plot(px, py, "o", color=colours.get(person, "grey"), mec="black", ms=11, zorder=6)
        axes.annotate(person, (px, py), xytext=(8, 7), textcoords="offset points", fontsize=9, zorder=8)
    _believed(axes, run, seen, t_ns, colours)
    axes.plot(x, y, "*", color="gold", mec="black", ms=15, zorder=9)
    fixture = run.site.fixtures.get(fixture_of(run, place))
    nx, ny = fixture.normal if fixture else (0.0, 0.0)
    middle_x, middle_y = x + STAND_M * nx, y + STAND_M * ny
    axes.set_xlim(middle_x - SHOWN_M, middle_x + SHOWN_M)
    axes.set_ylim(middle_y - SHOWN_M, middle_y + SHOWN_M)
    axes.set_title(f"{seconds(run, t_ns)}, ±{TRAIL_S:.0f} s; filled: true, hollow: believed, cross: hand", fontsize=9)


def _believed(axes: Any, run: Run, seen: Replay, t_ns: int, colours: dict[str, Any]) -> None:
    tracks: dict[int, list[Any]] = defaultdict(list)
    for state in seen.floor:
        if abs(state.t_ns - t_ns) <= TRAIL_S * 1e9:
            for track in state.tracks:
                tracks[track.track].append(track)
    for name, points in sorted(tracks.items()):
        visit = seen.owners.get(name, "")
        person = run.people.get(visit, "")
        colour = colours.get(person, "black")
        axes.plot([t.x_m for t in points], [t.y_m for t in points], ":", color=colour, lw=1.5, zorder=4)
        at = min(points, key=lambda track: abs(track.t_ns - t_ns))
        axes.plot(at.x_m, at.y_m, "o", mfc="none", mec=colour, mew=2, ms=17, zorder=7)
        label = person or (f"visit {visit[:6]}" if visit else "no visit")
        axes.annotate(label, (at.x_m, at.y_m), xytext=(-10, -14), textcoords="offset points", fontsize=8, ha="right",
                      style="italic", zorder=8)  # fmt: skip
        for hand in at.hands:
            axes.plot(hand.x_m, hand.y_m, "+", color=colour, ms=10, mew=2, zorder=8)


def _weights(axes: Any, run: Run, seen: Replay, events: Sequence[StoreEvent], t_ns: int, place: str) -> None:
    """The plates of the shelf against their start; true changes as lines, decided steps shaded, bookings written."""
    shelf = run.site.shelves.get(shelf_of(run, place))
    if shelf is None:
        axes.set_axis_off()
        return
    batches = weights(run, shelf.fixture, t_ns - round(AROUND_S * 1e9), t_ns + round(AROUND_S * 1e9))
    plates = {plate.id for plate in shelf.plates}
    curves: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for batch in batches:
        for i, row in enumerate(batch.grams):
            at_s = (batch.t_ns + i * batch.period_ns - t_ns) / 1e9
            for name, value in zip(batch.plates, row, strict=True):
                if name in plates and value is not None:
                    curves[name].append((at_s, value))
    for name, points in sorted(curves.items()):
        at_s, grams = np.array(points).T
        axes.plot(at_s, grams - np.median(grams[:60]), lw=1.2, label=name)
    if curves:
        axes.legend(fontsize=7, loc="lower left")
    else:
        axes.text(0.5, 0.5, "no scale here", transform=axes.transAxes, ha="center", color="grey")
    for decision in seen.decisions:
        change = decision.change
        if change.shelf == shelf.id and near(change.t_start_ns, t_ns):
            axes.axvspan((change.t_start_ns - t_ns) / 1e9, (change.t_end_ns - t_ns) / 1e9, color="orange", alpha=0.25)
    _marks(axes, run, events, t_ns, shelf.id)
    axes.set_xlim(-AROUND_S, AROUND_S)
    axes.set_xlabel(f"seconds from {seconds(run, t_ns)}")
    axes.set_ylabel("g")
    axes.set_title(f"shelf {shelf.id}; shaded: change decided, line: truth (above), belief (below)", fontsize=9)


def _marks(axes: Any, run: Run, events: Sequence[StoreEvent], t_ns: int, shelf: str) -> None:
    colours = _colours(run)
    true = [c for c in run.truth.changes if c.shelf == shelf and near(c.t_ns, t_ns)]
    for i, change in enumerate(true):
        at_s, name = (change.t_ns - t_ns) / 1e9, run.site.items[change.sku].name
        axes.axvline(at_s, color=colours.get(change.person, "grey"), lw=1.5)
        text = f" {change.person} {'took' if change.kind == 'take' else 'put back'} {change.quantity} × {name}"
        _write(axes, at_s, 0.96 - 0.05 * i, text, colours.get(change.person, "black"))
    told = [e for e in events if isinstance(e, ItemTaken | ItemReturned | CaseRaised)]
    mine = [e for e in told if near(e.t_ns, t_ns) and shelf == shelf_of(run, e.place)]
    for i, event in enumerate(mine):
        at_s, who = (event.t_ns - t_ns) / 1e9, run.people.get(event.visit, event.visit[:6] or "nobody")
        axes.axvline(at_s, color="black", lw=1, ls=":")
        if isinstance(event, CaseRaised):
            text = f" a case: {len(event.candidates)} candidates, perhaps {who}"
        else:
            did = "took" if isinstance(event, ItemTaken) else "put back"
            text = f" {who} {did} {event.quantity} × {run.site.items[event.sku].name} ({event.probability:.2f})"
        _write(axes, at_s, 0.20 + 0.05 * i, text, "black")


def _write(axes: Any, at_s: float, height: float, text: str, colour: Any) -> None:
    """Beside a line, on the side that has room."""
    axes.text(at_s, height, text if at_s < 1 else text.strip() + " ", transform=axes.get_xaxis_transform(), fontsize=8,
              color=colour, ha="left" if at_s < 1 else "right", va="top")  # fmt: skip


def _colours(run: Run) -> dict[str, Any]:
    import matplotlib.pyplot as plt

    people = sorted({person for _, people in run.truth.positions for person, _, _ in people})
    return {person: plt.get_cmap("tab10")(i % 10) for i, person in enumerate(people)}


def _shelf_pictures(run: Run, place: str, t_ns: int) -> list[tuple[str, Any, Any]]:
    """What a shelf camera of the place saw before and after, with the place in it; nothing without pictures."""
    facing = run.site.facings.get(place)
    for camera in run.site.watchers_of(fixture_of(run, place)):
        spot = run.site.cameras[camera].model.project(facing.centre_m)[0] if facing else None
        frames = frames_around(run, camera, (t_ns - ASIDE_NS, t_ns + ASIDE_NS))
        shown = [(f"{camera} at {seconds(run, f.t_ns)}", decode_jpeg(f.jpeg), spot) for f in frames]
        if shown:
            return [(label, picture, at) for label, picture, at in shown if picture is not None]
    return []
