"""How right a run was: the truth of the building against what the product published.

In: ``truth.jsonl`` and the packets of the feed. Out: the numbers of ``score.json``. Pure functions; the metrics of
the floor are trackeval's.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from scipy.optimize import linear_sum_assignment
from shapely.geometry import Polygon

from sims.lab.floor import Moment, floor_metrics
from sims.truth import TrueChange, Truth
from smartstore.wire import topics
from smartstore.wire.codec import Packet, decode
from smartstore.wire.messages import Receipt, ShelfChange

MATCH_NS = 1_000_000_000
FATE_NS = 10_000_000_000
"""How far from a take what the product says about it may be: a shelf camera waits for whoever stands before it."""


@dataclass(slots=True)
class Published:
    """What the product said on the wire during a run."""

    receipts: dict[str, Receipt] = field(default_factory=dict)
    changes: list[tuple[str, ShelfChange]] = field(default_factory=list)
    floor: list[tuple[int, tuple[tuple[int, float, float], ...]]] = field(default_factory=list)
    of_two: list[tuple[str, int, frozenset[str]]] = field(default_factory=list)
    """Place and time of cases in which something may have gone from one visit to another, and those visits."""

    def observe(self, packet: Packet) -> None:
        """Take note of a packet if it is one of the product's facts."""
        received = decode(packet)
        if received is None:
            return
        if received.channel is topics.RECEIPT:
            self.receipts[received.device] = received.message
        elif received.channel is topics.CHANGE:
            self.changes.append((received.device, received.message))
        elif received.channel is topics.REVIEW and received.message.phase == "new":
            visits = {visit for c in received.message.candidates if c.giver for visit in (c.visit, c.giver)}
            case = (received.message.place, received.message.happened_ns, frozenset(visits))
            self.of_two += [case] if visits else []
        elif received.channel is topics.FLOOR:
            people = tuple((p.track, p.x_m, p.y_m) for p in received.message.tracks)
            self.floor.append((received.t_ns, people))


def published(packets: Iterable[Packet]) -> Published:
    """Everything the product said in a recorded feed."""
    said = Published()
    for packet in packets:
        said.observe(packet)
    return said


def score(
    truth: Truth,
    said: Published,
    shelf_of: Mapping[str, str],
    prices: Mapping[str, int],
    walls_m: Sequence[tuple[float, float]],
    fixture_of: Mapping[str, str],
) -> dict[str, Any]:
    """All measures of one run. ``shelf_of`` and ``fixture_of`` map facings, ``prices`` maps SKUs to minor units.

    The truth has everybody within ``walls_m``; tracks outside, such as of somebody waiting at the palm scanner, do not
    count.
    """
    billed = {visit: receipt_lines(receipt) for visit, receipt in said.receipts.items()}
    due = {visit.visit: dict(visit.lines) for visit in truth.visits}
    precision, recall, f1 = item_scores(due, billed)
    over, under = money_scores(due, billed, prices)
    event_precision, event_recall = event_scores(truth.changes, said.changes, shelf_of)
    doubts = sum(change.kind == "doubt" for _, change in said.changes)
    return {
        "shoppers": len(truth.visits),
        "sales": sum(sum(lines.values()) for lines in due.values()),
        "items": len(truth.changes),
        "exact_receipt_rate": exact_rate(due, billed),
        "item_precision": precision,
        "item_recall": recall,
        "item_f1": f1,
        "overcharge": over,
        "undercharge": under,
        "review_rate": _ratio(doubts, max(len(said.changes), len(truth.changes)), empty=0.0),
        "time_to_receipt_s": receipt_delays(truth, said.receipts),
        "event_precision": event_precision,
        "event_recall": event_recall,
        "takes": take_fates(truth.changes, said.changes, shelf_of, fixture_of),
        "floor": floor_metrics(truth.positions, within(walls_m, said.floor)),
    }


def without_receipts(runs: int) -> str:
    """What is said of runs of shoppers in which no receipt came out."""
    told = "one run" if runs == 1 else f"{runs} runs"
    return f"no receipt came before {told} ended, so nothing counts as billed: a longer tail_s lets them come"


def mean_score(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean of every number over the runs that have it; other values are kept where all runs agree."""
    mean: dict[str, Any] = {}
    for key, value in results[0].items():
        column = [result[key] for result in results]
        numbers = [x for x in column if isinstance(x, int | float)]
        if isinstance(value, Mapping):
            mean[key] = mean_score(column)
        elif key == "seed":
            mean[key] = column
        elif numbers:
            mean[key] = sum(numbers) / len(numbers)
        elif all(x == value for x in column):
            mean[key] = value
    return mean


def within(walls_m: Sequence[tuple[float, float]], moments: Sequence[Moment]) -> list[Moment]:
    """The moments with only those who are inside the polygon."""
    room = Polygon(walls_m)
    shapely.prepare(room)
    return [(t_ns, tuple(p for p in people if shapely.contains_xy(room, p[1], p[2]))) for t_ns, people in moments]


def receipt_lines(receipt: Receipt) -> dict[str, int]:
    """SKU to quantity of a published receipt."""
    lines: Counter[str] = Counter()
    for line in receipt.transaction.line_item:
        lines[line.item_id] += line.quantity
    return dict(lines)


def booked_lines(receipt: Receipt) -> dict[str, int]:
    """SKU to quantity of a published receipt had everybody kept what they were seen to take."""
    lines = Counter(receipt_lines(receipt))
    lines.update({doubt.sku: doubt.quantity for doubt in receipt.in_doubt})
    return dict(lines)


Lines = Mapping[str, Mapping[str, int]]
Event = tuple[str, str, int]
"""Shelf, kind and time of a change."""


def exact_rate(due: Lines, billed: Lines) -> float:
    """Share of visits whose receipt equals the truth in every line; a missing receipt is not exact."""
    return _ratio(sum(visit in billed and dict(billed[visit]) == dict(lines) for visit, lines in due.items()), len(due))


def item_scores(due: Lines, billed: Lines) -> tuple[float, float, float]:
    """Precision, recall and F1 over items of one run; an item is right if SKU and visit are right."""
    hits = sum(min(n, billed.get(visit, {}).get(sku, 0)) for visit, lines in due.items() for sku, n in lines.items())
    wanted = sum(n for lines in due.values() for n in lines.values())
    given = sum(n for lines in billed.values() for n in lines.values())
    precision, recall = _ratio(hits, given), _ratio(hits, wanted)
    return precision, recall, _ratio(2 * hits, wanted + given)


def money_scores(due: Lines, billed: Lines, prices: Mapping[str, int]) -> tuple[float, float]:
    """Money billed too much and too little, each as a share of what was due; never netted against each other."""
    over, under, total = money_amounts(due, billed, prices)
    return _ratio(over, total, empty=float(over > 0)), _ratio(under, total, empty=0.0)


def money_amounts(due: Lines, billed: Lines, prices: Mapping[str, int]) -> tuple[int, int, int]:
    """Money billed too much, billed too little, and due, in minor units."""
    over = under = total = 0
    for visit in sorted(set(due) | set(billed)):
        right, wrong = due.get(visit, {}), billed.get(visit, {})
        for sku in sorted(set(right) | set(wrong)):
            difference = (wrong.get(sku, 0) - right.get(sku, 0)) * prices.get(sku, 0)
            over, under = over + max(0, difference), under + max(0, -difference)
            total += right.get(sku, 0) * prices.get(sku, 0)
    return over, under, total


def event_scores(
    true: Sequence[TrueChange], found: Sequence[tuple[str, ShelfChange]], shelf_of: Mapping[str, str]
) -> tuple[float, float]:
    """Precision and recall of shelf changes, matched one to one within 1 s on the same shelf and direction.

    What people without a visit do, staff and those who slipped in, need not be said; saying it is not wrong.
    """
    given = [
        (shelf_of.get(place, place), change.kind, change.happened_ns)
        for place, change in found
        for _ in range(max(1, change.quantity))
    ]
    everybody, visitors = (
        [(shelf_of.get(c.facing, c.facing), c.kind, c.t_ns) for c in changes]
        for changes in (true, [c for c in true if c.visit])
    )
    return _ratio(_matched(everybody, given), len(given)), _ratio(_matched(visitors, given), len(visitors))


def _matched(wanted: Sequence[Event], given: Sequence[Event]) -> int:
    """How many can be paired."""
    if not wanted or not given:
        return 0
    cost = np.array([[_distance(w, g) for g in given] for w in wanted])
    return int(np.sum(cost[linear_sum_assignment(cost)] <= MATCH_NS))


def take_fates(
    true: Sequence[TrueChange],
    found: Sequence[tuple[str, ShelfChange]],
    shelf_of: Mapping[str, str],
    fixture_of: Mapping[str, str],
) -> dict[str, dict[str, int]]:
    """What became of the true takes on some visit, per fixture: found, undone, doubted or missed.

    Found is a take of the right SKU by the right visit from the right shelf within 10 s. Undone is one of the rest that
    was put back into its place within 10 s: what happens behind somebody's back and leaves no trace cannot be found.
    Doubted is a case at that shelf within 10 s, missed is what then remains.
    """
    fates = {
        fixture: {"found": 0, "undone": 0, "doubted": 0, "missed": 0} for fixture in sorted(set(fixture_of.values()))
    }
    given = [
        (shelf_of.get(place, place), change.visit, change.sku, change.happened_ns)
        for place, change in found
        if change.kind == "take"
        for _ in range(change.quantity)
    ]
    doubts = [(shelf_of.get(place, place), change.happened_ns) for place, change in found if change.kind == "doubt"]
    for take in sorted((c for c in true if c.kind == "take" and c.visit), key=lambda change: change.t_ns):
        shelf = shelf_of.get(take.facing, take.facing)
        mine = [g for g in given if g[:3] == (shelf, take.visit, take.sku) and abs(g[3] - take.t_ns) <= FATE_NS]
        fate = "missed"
        if mine:
            given.remove(min(mine, key=lambda g: abs(g[3] - take.t_ns)))
            fate = "found"
        elif _undone(take, true):
            fate = "undone"
        elif any(place == shelf and abs(t_ns - take.t_ns) <= FATE_NS for place, t_ns in doubts):
            fate = "doubted"
        fates[fixture_of[take.facing]][fate] += 1
    return fates


def _undone(take: TrueChange, true: Sequence[TrueChange]) -> bool:
    """Whether the same visit put such an item back into the same place soon after."""
    same = (take.visit, take.sku, take.facing)
    return any(
        change.kind == "put_back"
        and (change.visit, change.sku, change.facing) == same
        and 0 <= change.t_ns - take.t_ns <= FATE_NS
        for change in true
    )


def _distance(wanted: Event, given: Event) -> float:
    if wanted[0] != given[0] or given[1] not in (wanted[1], "doubt"):
        return 1e15
    gap = abs(wanted[2] - given[2])
    return float(gap) if gap <= MATCH_NS else 1e15


def receipt_delays(truth: Truth, receipts: Mapping[str, Receipt]) -> dict[str, float | None]:
    """Seconds of event time from crossing the exit to the receipt: median and 95th percentile."""
    delays = [(receipts[v.visit].t_ns - v.left_ns) / 1e9 for v in truth.visits if v.visit in receipts and v.left_ns]
    if not delays:
        return {"p50": None, "p95": None}
    return {"p50": float(np.percentile(delays, 50)), "p95": float(np.percentile(delays, 95))}


def _ratio(part: float, whole: float, empty: float = 1.0) -> float:
    return part / whole if whole else empty
