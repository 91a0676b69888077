"""The report of a sweep: what each axis does to every measure, what each point costs, and which runs failed.

In: the folder of a sweep. Out: a page.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sims.lab import report_pictures as pictures
from sims.lab.cost import Prices, cost_of
from sims.lab.design import Design, unpacked
from sims.lab.measures import BY_NAME, means, shown
from sims.lab.play import building_of, site_of
from sims.lab.report_page import Page, Picture, Section, Table, coverage_section, hardware_section
from sims.lab.sweep import SweepError, read_results, summary

SHOWN = ("exact_receipts", "item_f1", "leak", "overcharge", "review_rate", "floor_idf1")


def sweep_page(folder: Path, prices: Prices | None, watch: Callable[[str], None]) -> Page:
    """The report of a sweep; its hardware at other ``prices`` than those that it was made with, if they are given.

    Raises:
        SweepError: there are no results, or every run failed.
    """
    about, rows = read_results(folder)
    good = [row for row in rows if not row["failed"]]
    if not good:
        raise SweepError(f"{folder}: all {len(rows)} runs failed, the first so: {rows[0]['failed']}")
    watch("drawing")
    axes: Sequence[str] = about["axes"]
    overall, own = means(good), Prices.model_validate(about["prices"])
    sections = [_points(rows, own.currency), *(_sensitivity(axis, good) for axis in axes), _effects(axes, good)]
    if len({row["hardware_minor"] for row in good}) > 1:
        sections.append(_trade(rows, own.currency))
    sections += _base(about, prices or own, overall.get("inside_mean", 0.0)) + _failures(axes, rows)
    facts = [("runs", f"{len(rows)}"), ("failed", f"{len(rows) - len(good)}")]
    facts += [(BY_NAME[name].title, shown(name, overall.get(name))) for name in SHOWN]
    told = f"{len(rows)} runs of “{about['design']}”, seeds {about['seeds']}, with {', '.join(axes)} varied."
    return Page(f"Sweep: {about['sweep']}", told, tuple(facts), tuple(sections))


def _points(rows: Sequence[Mapping[str, Any]], currency: str) -> Section:
    head, lines = summary(rows)
    titles = tuple(BY_NAME[name].title if name in BY_NAME else name for name in head)
    table = Table(
        "Means over the seeds, a line per point.", titles,
        tuple(tuple(shown(n, v, currency) if isinstance(v, float) else str(v) for n, v in zip(head, line, strict=True))
              for line in lines), words=sum(name not in BY_NAME for name in head),
    )  # fmt: skip
    return Section("Points", [table])


def _sensitivity(axis: str, rows: Sequence[Mapping[str, Any]]) -> Section:
    measures = [(name, BY_NAME[name].title) for name in SHOWN]
    return Section(f"Along {axis}", [
        Picture(f"Measures along {axis}: means over everything else, bars are 95 % intervals over seeds",
                f"Six small plots of measures against {axis}; the table of points has the numbers",
                pictures.sensitivity(axis, measures, rows))
    ])  # fmt: skip


def _effects(axes: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Section:
    """From the worst to the best value of each axis: how far the means lie apart."""
    lines = []
    for axis in axes:
        by_value: dict[Any, list[dict[str, Any]]] = {}
        for row in rows:
            by_value.setdefault(row[axis], []).append(dict(row))
        mean = [means(mine) for mine in by_value.values()]
        spans = [max(m[name] for m in mean) - min(m[name] for m in mean) for name in SHOWN]
        lines.append((axis, *(shown(name, span) for name, span in zip(SHOWN, spans, strict=True))))
    head = ("axis", *(BY_NAME[name].title for name in SHOWN))
    caption = "How much each axis moves each measure: the largest mean minus the smallest."
    return Section("What matters most", [Table(caption, head, tuple(lines))])


def _trade(rows: Sequence[Mapping[str, Any]], currency: str) -> Section:
    head, lines = summary(rows)
    exact, cost = head.index("exact_receipts"), head.index("hardware_minor")
    words = sum(name not in BY_NAME for name in head)
    points = [(", ".join(line[:words]), float(line[cost]), float(line[exact])) for line in lines]
    return Section("Cost against receipts", [
        Picture("Hardware and exact receipts of each point", "A dot per point; the table of points has the numbers",
                pictures.cost_against(points, currency))
    ])  # fmt: skip


def _base(about: Mapping[str, Any], prices: Prices, inside: float) -> list[Section]:
    """Hardware and coverage of the design that is varied."""
    design = Design(str(about["design"]), about["documents"])
    store = unpacked(design).store
    site = site_of(store)
    return [hardware_section(cost_of(site, prices), prices), coverage_section(site, building_of(store), inside)]


def _failures(axes: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[Section]:
    failed = [row for row in rows if row["failed"]]
    if not failed:
        return []
    lines = tuple((*(str(row[axis]) for axis in axes), str(row["seed"]), str(row["failed"])) for row in failed)
    return [Section("Failed runs", [Table("Runs that failed, and why.", (*axes, "seed", "why"), lines, len(axes) + 2)])]
