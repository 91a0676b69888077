"""The report of a run: paths, heat, zones, goods, the gate, receipts with every error explained, money, the wire.

In: a run that is over. Out: a page.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sims.lab import report_pictures as pictures
from sims.lab.cost import Prices, cost_of
from sims.lab.explain import counted, subjects
from sims.lab.explain_picture import draw_moment
from sims.lab.explain_run import Replay, Run, replay
from sims.lab.explain_words import became, told
from sims.lab.measures import BY_NAME, MEASURES, row_of, shown
from sims.lab.report_data import Wire, channel_rows, goods, played, receipt_rows, time_line, wire, zones
from sims.lab.report_page import Page, Picture, Section, Table, coverage_section, hardware_section
from smartstore.domain.events import StoreEvent

MOST_BYTES = 5_000_000
KEPT_FREE = 600_000
"""Of the file, for words and tables; pictures that do not fit are left out, and that is said."""
MOST_ERRORS = 60


def run_page(run: Run, prices: Prices, settings: Path | None, watch: Callable[[str], None]) -> Page:
    """The report of one run."""
    watch("reading the recording")
    heard = wire(run)
    row = row_of(played(run, heard.traffic), run.site, run.building, prices)
    cost = cost_of(run.site, prices)
    watch("deciding everything once more, for the reasons")
    seen = replay(run, settings)
    events = run.events or seen.events
    sections = [
        _floor(run), _zones(run), _goods(run, prices), _gate(run), _receipts(run, prices),
        _money(row, prices), hardware_section(cost, prices), _wire(heard, float(row["event_s"] or 1.0)),
        coverage_section(run.site, run.building, float(row["inside_mean"] or 0.0)), _measures(row, prices),
    ]  # fmt: skip
    room = MOST_BYTES - KEPT_FREE - _pictures_bytes(sections)
    sections.insert(5, _errors(run, seen, events, room, watch))
    facts = tuple(
        (BY_NAME[name].title, shown(name, row[name], prices.currency))
        for name in ("visits", "exact_receipts", "item_f1", "leak", "overcharge", "review_rate", "sales_minor")
    )
    return Page(
        f"{run.site.name}: {run.truth.scenario}, seed {run.truth.seed}",
        f"One simulated run of {shown('event_s', row['event_s'])} in the store “{run.site.store}”; "
        f"{len(run.site.cameras)} cameras, "
        f"{sum(bool(f.scale and f.shelves) for f in run.site.fixtures.values())} fixtures with scales.",
        (*facts, ("hardware", shown("hardware_minor", cost.hardware_minor, cost.currency))), tuple(sections),
    )  # fmt: skip


def _pictures_bytes(sections: Sequence[Section]) -> int:
    return sum(len(part.png) * 4 // 3 for section in sections for part in section.parts if isinstance(part, Picture))


def _receipts(run: Run, prices: Prices) -> Section:
    rows = tuple(
        (r["person"], r["visit"][:8], shown("receipt_p50_s", r["stayed_s"]), str(r["items"]),
         shown("sales_minor", r["due"]), shown("sales_minor", r["billed"]), "exact" if r["exact"] else "wrong")
        for r in receipt_rows(run)
    )  # fmt: skip
    head = ("shopper", "visit", "stayed", "items", "due", "billed", "receipt")
    right = sum(row[-1] == "exact" for row in rows)
    caption = f"Receipts: {right} of {len(rows)} are exact. Due is what was carried out, {prices.currency}."
    return Section("Receipts", [Table(caption, head, rows, words=2)])


def _errors(run: Run, seen: Replay, events: Sequence[StoreEvent], room: int, watch: Callable[[str], None]) -> Section:
    """Every wrong line and every case, in words and with a picture as long as there is room."""
    found = subjects(run, events)
    section = Section("Errors and doubts, explained", [f"{counted(found)}."])
    left_out = 0
    for number, subject in enumerate(found[:MOST_ERRORS], start=1):
        watch(f"explaining {number} of {len(found)}")
        words = [f"{number}. {subject.kind}: {subject.what}", *became(run, *subject.line)]
        drawn: list[Picture] = []
        for moment in subject.moments[:1]:
            words += told(run, seen, events, moment)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "moment.png"
                draw_moment(path, run, seen, events, moment.t_ns, moment.place, words[0])
                png = pictures.small_png(path.read_bytes())
            if len(png) * 4 // 3 <= room:
                room -= len(png) * 4 // 3
                alt = f"The floor around {moment.place} and the weights of its shelf; the text above says the same."
                drawn.append(
                    Picture(f"{number}. {moment.place}, {(moment.t_ns - run.truth.start_ns) / 1e9:.1f} s", alt, png)
                )
            else:
                left_out += 1
        section.parts += ["\n".join(words), *drawn]
    if left_out:
        section.parts.append(f"{left_out} pictures are left out to keep the file small; `sim explain` draws them.")
    if len(found) > MOST_ERRORS:
        section.parts.append(f"{len(found) - MOST_ERRORS} more are not told here; `sim explain` tells them.")
    return section


def _floor(run: Run) -> Section:
    return Section("Paths and heat", [
        Picture("Paths of all people; triangles up: takes, down: put-backs",
                "Plan of the store with the path of every person and where they took things",
                pictures.plan_with_paths(run)),
        Picture("Where time is spent", "Plan of the store; warmer squares were stood on longer",
                pictures.heat(run, "time")),
        Picture("Where people pass", "Plan of the store; warmer squares were crossed by more people",
                pictures.heat(run, "people")),
    ])  # fmt: skip


def _zones(run: Run) -> Section:
    rows = tuple(
        (z.fixture, str(z.passed), str(z.stopped), str(z.touched), str(z.took), str(z.put_back),
         f"{z.dwell_s:.0f}", f"{z.median_s:.1f}", f"{z.took / z.passed:.0%}" if z.passed else "–")
        for z in zones(run)
    )  # fmt: skip
    head = ("zone", "pass", "stop", "touch", "take", "put-backs", "dwell s", "median s", "take / pass")
    caption = (
        "Funnel and dwell per zone: the floor within 1.1 m before a fixture. People who pass it, stop in it, touch its "
        "goods and take some; dwell is of all people together, the median of those who stopped."
    )
    return Section("Zones", [Table(caption, head, rows)])


def _goods(run: Run, prices: Prices) -> Section:
    rows = tuple(
        (g.name, g.fixtures, shown("sales_minor", g.price_minor), str(g.taken), str(g.put_back), str(g.sold),
         str(g.billed), str(g.wrong), shown("sales_minor", g.sold * g.price_minor))
        for g in goods(run)
    )  # fmt: skip
    head = ("product", "where", "price", "taken", "put back", "sold", "billed", "wrong", "sales")
    return Section(
        "Products", [Table(f"Products that anybody touched or was billed for, {prices.currency}.", head, rows, 2)]
    )


def _gate(run: Run) -> Section:
    line = time_line(run)
    parts: list[Table | Picture | str] = [
        Picture("People inside, and people waiting before the entry", "Two step curves over the minutes of the run",
                pictures.occupancy(line))
    ]  # fmt: skip
    if line.waits_s:
        waits = sorted(line.waits_s)
        parts.append(
            f"{len(waits)} people came in; they waited {sum(waits) / len(waits):.1f} s on average and "
            f"{waits[-1]:.1f} s at most; at most {int(line.waiting.max())} waited at once and "
            f"{int(line.inside.max())} were inside."
        )
    return Section("Occupancy and gate", parts)


def _money(row: Any, prices: Prices) -> Section:
    due, leak, over = row["sales_minor"], row["leak_minor"], row["overcharge_minor"]
    lost = round(leak * prices.running.goods_share)
    lines = (
        ("sales due", due), ("billed", due - leak + over), ("leak: carried out and not billed", leak),
        ("overcharge: billed and not carried out", over),
        (f"leaked goods at cost ({prices.running.goods_share:.0%} of the price)", lost),
        (f"reviews, {row['cases']} cases", row["review_minor"]),
    )  # fmt: skip
    rows = tuple(
        (what, shown("sales_minor", value, prices.currency), f"{value / due:.2%}" if due else "–")
        for what, value in lines
    )
    return Section("Money", [Table("What was due, what was billed, what errors and reviews cost.",
                                   ("what", "amount", "of sales"), rows)])  # fmt: skip


def _wire(heard: Wire, event_s: float) -> Section:
    rows = tuple(
        (topic, f"{count:,}", f"{rate:.1f}", f"{size / 1000:.1f}")
        for topic, count, rate, size in channel_rows(heard.traffic, event_s)
    )
    head = ("topic", "messages", "messages/s", "kB/s")
    return Section("Bandwidth", [
        Table("What was on the wire, by topic; payloads only.", head, rows),
        Picture("Messages and bytes a second, over five seconds", "Two curves over the minutes of the run",
                pictures.bandwidth(heard)),
    ])  # fmt: skip


def _measures(row: Any, prices: Prices) -> Section:
    rows = tuple((m.title, shown(m.name, row[m.name], prices.currency)) for m in MEASURES)
    return Section("All measures", [Table("Every measure of the run.", ("measure", "value"), rows)])
