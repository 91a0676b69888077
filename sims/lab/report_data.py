"""What a report of a run tells, as plain rows: zones, goods, time lines, the wire. Others draw and print them.

In: a run that is over. Out: rows. Metres, seconds since the start of the run, minor units.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sims.lab.explain_run import Run
from sims.lab.play import Played, Traffic
from sims.lab.score import receipt_lines
from smartstore.bus.recording import read_feed
from smartstore.wire import topics
from smartstore.wire.codec import WireError, decode

ZONE_M = 1.1
"""A fixture's zone reaches so far before its face."""
ASIDE_M = 0.2
STOP_S, STOP_M = 1.5, 0.35
"""Who stays within so many metres for so long has stopped."""
TOUCH_M = 0.06
"""A hand so near before the face touches goods."""
GONE_S = 1.0
"""Who is out of a zone for longer and comes back passes it a second time."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Zone:
    """The floor before a fixture: how many people passed, stopped, touched, took, and how long they stayed."""

    fixture: str
    passed: int
    stopped: int
    touched: int
    took: int
    put_back: int
    dwell_s: float
    """Of all people together."""
    median_s: float
    """Of those who stopped, each in all."""


@dataclass(frozen=True, slots=True)
class Sold:
    """One product: taken and put back in truth, sold (carried out by those who pay), billed, and cases about it."""

    sku: str
    name: str
    fixtures: str
    price_minor: int
    taken: int
    put_back: int
    sold: int
    billed: int
    wrong: int
    """Items billed too much and too little, by visit, never netted."""


@dataclass(frozen=True)
class TimeLine:
    """People inside and people waiting before the entry, at regular times."""

    times_s: Array
    inside: Array
    waiting: Array
    waits_s: tuple[float, ...]
    """Of everybody who came in: from standing at the gate to being let in."""


def walks(run: Run) -> dict[str, Array]:
    """Of each person where they were: rows of (seconds, x, y)."""
    found: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for t_ns, people in run.truth.positions:
        for person, x, y in people:
            found[person].append(((t_ns - run.truth.start_ns) / 1e9, x, y))
    return {person: np.array(points) for person, points in sorted(found.items())}


def zones(run: Run) -> list[Zone]:
    """Every fixture that has goods, by its dwell."""
    paths, found = walks(run), []
    staff = {guest.person for guest in run.truth.guests if guest.role == "staff"}
    reaches = [(person, point) for _, person, point in run.truth.reaches if person not in staff]
    changes = [change for change in run.truth.changes if change.person not in staff]
    for fixture in run.site.fixtures.values():
        if not fixture.shelves:
            continue
        stays = {who: stay for who, path in paths.items() if who not in staff and len(stay := _inside(fixture, path))}
        stopped = {who: s for who, path in stays.items() if (s := _stopped_s(path)) >= STOP_S}
        mine = [change for change in changes if run.site.facings[change.facing].fixture == fixture.id]
        touched = {who for who, point in reaches if _touches(fixture, point)} | {change.person for change in mine}
        took = {change.person for change in mine if change.kind == "take"}
        back = sum(change.quantity for change in mine if change.kind == "put_back")
        dwell = {who: _dwell_s(path) for who, path in stays.items()}
        median = float(np.median([dwell[who] for who in stopped])) if stopped else 0.0
        found.append(
            Zone(fixture.id, len(stays), len(stopped), len(touched & set(stays)), len(took), back, sum(dwell.values()),
                 median)
        )  # fmt: skip
    return sorted(found, key=lambda zone: -zone.dwell_s)


def _inside(fixture: Any, path: Array) -> Array:
    """The part of a path before a fixture."""
    nx, ny = fixture.normal
    dx, dy = path[:, 1] - fixture.origin_m[0], path[:, 2] - fixture.origin_m[1]
    u, v = -dx * ny + dy * nx, -dx * nx - dy * ny
    inside = (v <= 0) & (v >= -ZONE_M) & (u >= -ASIDE_M) & (u <= fixture.width_m + ASIDE_M)
    return np.asarray(path[inside])


def _dwell_s(path: Array) -> float:
    gaps = np.diff(path[:, 0])
    return float(gaps[gaps <= GONE_S].sum())


def _stopped_s(path: Array) -> float:
    """The longest time within a small circle."""
    longest, first = 0.0, 0
    for last in range(len(path)):
        while first < last and (
            np.hypot(*(path[last, 1:] - path[first, 1:])) > STOP_M or path[last, 0] - path[last - 1, 0] > GONE_S
        ):
            first += 1
        longest = max(longest, float(path[last, 0] - path[first, 0]))
    return longest


def _touches(fixture: Any, point: tuple[float, float, float]) -> bool:
    u, v, z = fixture.to_local(point)
    lowest = min(shelf.height_m for shelf in fixture.shelves)
    return bool(-TOUCH_M <= v <= fixture.depth_m and 0 <= u <= fixture.width_m and z >= lowest - 0.05)


def goods(run: Run) -> list[Sold]:
    """Every product that anybody touched or was billed for, best-selling first."""
    due: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    billed: Counter[str] = Counter()
    lines = {visit: receipt_lines(receipt) for visit, receipt in run.said.receipts.items()}
    owed = {visit.visit: visit.lines for visit in run.truth.visits}
    for visit in {*lines, *owed}:
        right, given = owed.get(visit, {}), lines.get(visit, {})
        for sku in {*right, *given}:
            due[sku] += right.get(sku, 0)
            billed[sku] += given.get(sku, 0)
            wrong[sku] += abs(given.get(sku, 0) - right.get(sku, 0))
    taken: Counter[str] = Counter()
    back: Counter[str] = Counter()
    for change in run.truth.changes:
        (taken if change.kind == "take" else back)[change.sku] += change.quantity
    places: dict[str, list[str]] = defaultdict(list)
    for facing in run.site.facings.values():
        if facing.fixture not in places[facing.sku]:
            places[facing.sku].append(facing.fixture)
    names = sorted({*taken, *back, *due, *billed} & set(run.site.items))
    rows = [
        Sold(sku, run.site.items[sku].name, ", ".join(places[sku]), run.site.items[sku].price_minor, taken[sku],
             back[sku], due[sku], billed[sku], wrong[sku])
        for sku in names
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row.sold, row.name))


def time_line(run: Run) -> TimeLine:
    """Occupancy and the queue at the gate, second by second."""
    truth = run.truth
    at = np.array([(t_ns - truth.start_ns) / 1e9 for t_ns, _ in truth.positions]) if truth.positions else np.zeros(1)
    count = np.array([len(people) for _, people in truth.positions], float) if truth.positions else np.zeros(1)
    times = np.arange(0.0, at[-1] + 1.0)
    inside = count[np.clip(np.searchsorted(at, times, side="right") - 1, 0, len(count) - 1)]
    entered = {visit.person: (visit.entered_ns - truth.start_ns) / 1e9 for visit in truth.visits}
    entered |= {guest.person: (guest.entered_ns - truth.start_ns) / 1e9 for guest in truth.guests}
    came = [(truth.came_s[who], left) for who, left in entered.items() if who in truth.came_s]
    waiting = np.array([sum(first <= t < last for first, last in came) for t in times], float)
    return TimeLine(times, inside, waiting, tuple(max(0.0, last - first) for first, last in came))


@dataclass(frozen=True)
class Wire:
    """What was on the wire: in all, and by second, messages and bytes."""

    traffic: Traffic
    seconds: Array
    messages_per_s: Array
    bytes_per_s: Array


def wire(run: Run) -> Wire:
    """Counted from the recording, by the time on the messages."""
    traffic, first_ns = Traffic(), run.truth.start_ns
    last_s = max(1, round((run.truth.positions[-1][0] - first_ns) / 1e9)) if run.truth.positions else 1
    messages, payload = np.zeros(last_s + 1), np.zeros(last_s + 1)
    for packet in read_feed(run.folder / "feed.mcap"):
        traffic.count(packet)
        try:
            received = decode(packet)
        except WireError:
            continue
        if received is None or received.channel in (topics.STATUS, topics.PROGRESS):
            continue
        slot = min(last_s, max(0, round((received.t_ns - first_ns) / 1e9)))
        messages[slot] += 1
        payload[slot] += len(packet.payload)
    return Wire(traffic, np.arange(last_s + 1.0), messages, payload)


def channel_rows(traffic: Traffic, event_s: float) -> list[tuple[str, int, float, float]]:
    """By channel: messages, messages a second, bytes a second; the busiest first."""
    rows = [
        (_topic(name), count, count / event_s, traffic.payload_bytes[name] / event_s)
        for name, count in traffic.messages.items()
    ]
    return sorted(rows, key=lambda row: -row[3])


def _topic(name: str) -> str:
    return next((channel.pattern for channel in topics.CHANNELS if channel.name == name), name)


def played(run: Run, traffic: Traffic) -> Played:
    """The run as its measures are made of it."""
    return Played(run.truth, run.said, traffic=traffic)


def receipt_rows(run: Run) -> list[dict[str, Any]]:
    """Every visit: due, billed, and whether the receipt is exact."""
    rows: list[dict[str, Any]] = []
    prices = {sku: item.price_minor for sku, item in run.site.items.items()}
    for visit in run.truth.visits:
        receipt = run.said.receipts.get(visit.visit)
        lines = receipt_lines(receipt) if receipt else {}
        rows.append({
            "person": visit.person, "visit": visit.visit, "stayed_s": (visit.left_ns - visit.entered_ns) / 1e9,
            "items": sum(visit.lines.values()), "due": sum(prices.get(s, 0) * n for s, n in visit.lines.items()),
            "billed": receipt.transaction.total if receipt else None,
            "exact": receipt is not None and lines == dict(visit.lines),
        })  # fmt: skip
    return rows
