"""The measures of one run as a flat row of numbers: what sweeps keep, comparisons compare and reports show.

In: what was played, the store, a price list. Out: a number per measure, None where there is none. The same in every
process and on every machine: no times of computers are among them.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sims.building import Building
from sims.lab.cost import Prices, cost_of
from sims.lab.play import Played
from sims.lab.score import money_amounts, receipt_lines, score
from smartstore.site import Site

Row = dict[str, float | int | None]


@dataclass(frozen=True, slots=True)
class Measure:
    """What a number means. ``better``: which way is good, 0 where neither is; ``matters``: the smallest difference that
    a planner would act on; ``decides``: whether comparisons go by it."""

    name: str
    title: str
    unit: Literal["share", "count", "s", "minor", "bytes/s", "1/s"]
    better: Literal[-1, 0, 1]
    matters: float = 0.0
    decides: bool = False


MEASURES: tuple[Measure, ...] = (
    Measure("exact_receipts", "exact receipts", "share", 1, 0.05, True),
    Measure("item_f1", "item F1", "share", 1, 0.02, True),
    Measure("leak", "leak", "share", -1, 0.02, True),
    Measure("overcharge", "overcharge", "share", -1, 0.02, True),
    Measure("review_rate", "review rate", "share", -1, 0.03, True),
    Measure("floor_idf1", "floor IDF1", "share", 1, 0.02, True),
    Measure("event_precision", "event precision", "share", 1),
    Measure("event_recall", "event recall", "share", 1),
    Measure("floor_hota", "floor HOTA", "share", 1),
    Measure("floor_moda", "floor MODA", "share", 1),
    Measure("receipt_p50_s", "time to receipt, median", "s", -1),
    Measure("receipt_p95_s", "time to receipt, 95th percentile", "s", -1),
    Measure("visits", "visits", "count", 0),
    Measure("items_sold", "items sold", "count", 0),
    Measure("sales_minor", "sales due", "minor", 0),
    Measure("leak_minor", "leak, money", "minor", -1),
    Measure("overcharge_minor", "overcharge, money", "minor", -1),
    Measure("cases", "review cases", "count", -1),
    Measure("review_minor", "cost of reviews", "minor", -1),
    Measure("hardware_minor", "hardware", "minor", -1),
    Measure("month_minor", "hardware and power, a month", "minor", -1),
    Measure("inside_mean", "people inside, mean", "count", 0),
    Measure("inside_most", "people inside, most", "count", 0),
    Measure("messages_per_s", "messages", "1/s", 0),
    Measure("bytes_per_s", "bandwidth", "bytes/s", -1),
    Measure("event_s", "event time", "s", 0),
)
BY_NAME: Mapping[str, Measure] = {measure.name: measure for measure in MEASURES}
OF_TRACKS = frozenset({"floor_idf1", "floor_hota", "floor_moda"})
"""Measures of who is where; all others that decide are of what is billed."""


def row_of(played: Played, site: Site, building: Building, prices: Prices) -> Row:
    """All measures of a run."""
    truth, said = played.truth, played.said
    cost_minor = {sku: item.price_minor for sku, item in site.items.items()}
    shelf_of = {facing.id: facing.shelf for facing in site.facings.values()}
    fixture_of = {facing.id: facing.fixture for facing in site.facings.values()}
    scored = score(truth, said, shelf_of, cost_minor, building.walls_m, fixture_of)
    due = {visit.visit: dict(visit.lines) for visit in truth.visits}
    billed = {visit: receipt_lines(receipt) for visit, receipt in said.receipts.items()}
    over, under, sales = money_amounts(due, billed, cost_minor)
    cases = sum(change.kind == "doubt" for _, change in said.changes)
    event_s = _event_s(played)
    cost = cost_of(site, prices)
    inside = [len(people) for _, people in truth.positions] or [0]
    values: dict[str, Any] = {
        "exact_receipts": scored["exact_receipt_rate"], "item_f1": scored["item_f1"], "leak": scored["undercharge"],
        "overcharge": scored["overcharge"], "review_rate": scored["review_rate"],
        "floor_idf1": scored["floor"]["idf1"], "event_precision": scored["event_precision"],
        "event_recall": scored["event_recall"], "floor_hota": scored["floor"]["hota"],
        "floor_moda": scored["floor"]["moda"], "receipt_p50_s": scored["time_to_receipt_s"]["p50"],
        "receipt_p95_s": scored["time_to_receipt_s"]["p95"], "visits": len(truth.visits),
        "items_sold": scored["sales"], "sales_minor": sales, "leak_minor": under, "overcharge_minor": over,
        "cases": cases, "review_minor": cases * prices.running.review.minor,
        "hardware_minor": cost.hardware_minor, "month_minor": cost.month_minor,
        "inside_mean": float(np.mean(inside)), "inside_most": max(inside),
        "messages_per_s": sum(played.traffic.messages.values()) / event_s,
        "bytes_per_s": sum(played.traffic.payload_bytes.values()) / event_s, "event_s": event_s,
    }  # fmt: skip
    return {measure.name: values[measure.name] for measure in MEASURES}


def _event_s(played: Played) -> float:
    """How long the run lasted, from its start to the last line of the truth."""
    times = [t_ns for t_ns, _ in played.truth.positions]
    return max(1.0, (max(times, default=0) - played.truth.start_ns) / 1e9)


def shown(name: str, value: float | None, currency: str = "") -> str:
    """A number as people read it."""
    if value is None or math.isnan(value):
        return "–"
    match BY_NAME[name].unit if name in BY_NAME else "":
        case "share":
            return f"{value:.3f}"
        case "minor":
            return f"{value / 100:,.2f} {currency}".strip()
        case "bytes/s":
            return f"{value / 1000:,.1f} kB/s"
        case "1/s":
            return f"{value:,.1f}/s"
        case "s":
            return f"{value:,.1f} s"
        case _:
            return f"{value:,.4g}" if value != int(value) else f"{int(value):,}"


def means(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The mean of every measure over the rows that have it."""
    columns: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for name in BY_NAME:
            if row.get(name) is not None:
                columns[name].append(float(row[name]))
    return {name: float(np.mean(values)) for name, values in columns.items()}
