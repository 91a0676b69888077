"""``smartstore sim explain``: what went wrong in a run, and why.

In: the folder of a run. Out: a list of all that was wrong or in doubt; of one of these what happened, what was believed
and the evidence, in words and as a picture in that folder.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from sims.lab.explain_run import Decision, ExplainError, Replay, Run, read_run, replay
from sims.lab.score import FATE_NS, receipt_lines
from sims.truth import TrueChange
from smartstore.domain.events import CaseDecided, CaseRaised, ItemReturned, ItemTaken, StoreEvent

AROUND_S = 6.0
"""What is told of the time before and after."""
AT_ONCE_S = 1.5
"""Changes at the fixture's other shelves bear on one another in so short a time."""
NEAR_M = 1.5
"""Who stands farther away is not named."""
MOST_MOMENTS = 3

Told = ItemTaken | ItemReturned | CaseRaised


@dataclass(frozen=True, slots=True)
class Moment:
    """A time and the facing (or shelf) that it is about."""

    t_ns: int
    place: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to explain: a wrong line of a receipt, named VISIT/SKU, or a case."""

    name: str
    kind: Literal["missing", "extra", "case"]
    what: str
    moments: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """The words, paragraph by paragraph, and the pictures that were written."""

    paragraphs: tuple[str, ...]
    pictures: tuple[Path, ...]


def subjects(run: Run, events: Sequence[StoreEvent]) -> list[Subject]:
    """Every line that a receipt has wrong, by visit, then every case."""
    return [*_wrong_lines(run, events), *_cases(run, events)]


def _wrong_lines(run: Run, events: Sequence[StoreEvent]) -> Iterator[Subject]:
    due = {visit.visit: dict(visit.lines) for visit in run.truth.visits}
    billed = {visit: receipt_lines(receipt) for visit, receipt in run.said.receipts.items()}
    for visit in [*due, *sorted(set(billed) - set(due))]:
        right, wrong = due.get(visit, {}), billed.get(visit, {})
        for sku in sorted(set(right) | set(wrong)):
            more = wrong.get(sku, 0) - right.get(sku, 0)
            if more:
                counts = f"{wrong.get(sku, 0)} instead of {right.get(sku, 0)}"
                what = f"{_who(run, visit)} pays for {counts} × {_item(run, sku)}"
                yield Subject(f"{visit}/{sku}", "extra" if more > 0 else "missing", what,
                              _moments(run, events, visit, sku))  # fmt: skip


def _moments(run: Run, events: Sequence[StoreEvent], visit: str, sku: str) -> tuple[Moment, ...]:
    """When truth and belief about an item of a visit part; where they never do, all that happened to it."""
    true = [c for c in run.truth.changes if (c.visit, c.sku) == (visit, sku)]
    told = [e for e in events if isinstance(e, ItemTaken | ItemReturned) and (e.visit, e.sku) == (visit, sku)]
    left = [event for event in told for _ in range(event.quantity)]
    parted: list[Moment] = []
    for change in itertools.chain.from_iterable([c] * c.quantity for c in true):
        kind = ItemTaken if change.kind == "take" else ItemReturned
        same = [e for e in left if isinstance(e, kind) and abs(e.t_ns - change.t_ns) <= FATE_NS]
        if same:
            left.remove(min(same, key=lambda e: abs(e.t_ns - change.t_ns)))
        else:
            parted.append(Moment(change.t_ns, change.facing))
    parted += [Moment(event.t_ns, event.place) for event in left]
    every = [Moment(c.t_ns, c.facing) for c in true] + [Moment(e.t_ns, e.place) for e in told]
    return tuple(dict.fromkeys(parted or every))[:MOST_MOMENTS]


def _cases(run: Run, events: Sequence[StoreEvent]) -> Iterator[Subject]:
    decided = {event.case: event for event in events if isinstance(event, CaseDecided)}
    for case in (event for event in events if isinstance(event, CaseRaised)):
        best = case.candidates[0] if case.candidates else None
        likely = f"; perhaps {_candidate(run, best.visit, best.sku, best.quantity, best.probability)}" if best else ""
        end = f"; decided by {decided[case.case].by}" if case.case in decided else ""
        what = f"nobody could tell what happened at {case.place}{likely}{end}"
        yield Subject(case.case, "case", what, (Moment(case.t_ns, case.place),))


def listed(folder: Path, store: Path | None = None) -> list[Subject]:
    """What can be explained of a run: everything that was wrong or in doubt."""
    run = read_run(folder, store)
    return subjects(run, run.events or replay(run).events)


def explain(folder: Path, name: str, store: Path | None = None, settings: Path | None = None) -> Explained:
    """One of the subjects of a run, by its name or its number in the list.

    Raises:
        ExplainError, and whatever reading the run raises; each is one line.
    """
    from sims.lab.explain_picture import draw_moment

    run = read_run(folder, store)
    seen = replay(run, settings)
    events = run.events or seen.events
    found = subjects(run, events)
    wanted = [s for i, s in enumerate(found, start=1) if name in (s.name, str(i))]
    if not wanted:
        raise ExplainError(
            f"{folder}: nothing called {name!r} was wrong or in doubt; `sim explain {folder}` lists what was"
        )
    subject = wanted[0]
    paragraphs, pictures = [f"{subject.kind}: {subject.what}"], list[Path]()
    if not subject.moments:
        paragraphs.append("Neither truth nor journal has anything about it: look at the receipt itself.")
    for number, moment in enumerate(subject.moments, start=1):
        paragraphs += _told(run, seen, events, moment)
        slug = re.sub(r"[^\w-]+", "-", subject.name)[:100]
        path = folder / f"explain-{slug}{f'-{number}' if number > 1 else ''}.png"
        draw_moment(path, run, seen, events, moment.t_ns, moment.place, paragraphs[0])
        pictures.append(path)
    return Explained(tuple(paragraphs), tuple(pictures))


def _told(run: Run, seen: Replay, events: Sequence[StoreEvent], moment: Moment) -> list[str]:
    """What happened, what was believed, and why, around a moment at the fixture of its place."""
    fixture, t_ns = fixture_of(run, moment.place), moment.t_ns
    true = [c for c in run.truth.changes if fixture_of(run, c.facing) == fixture and near(c.t_ns, t_ns)]
    told = [e for e in events if isinstance(e, Told) and fixture_of(run, e.place) == fixture and near(e.t_ns, t_ns)]
    why = [d for d in seen.decisions if d.change.fixture == fixture and _bears_on(run, d, moment)]
    head = f"Around {seconds(run, t_ns)} at {moment.place} ({_item(run, _home(run, moment.place))})"
    return [
        _paragraph(f"{head}, what happened", [_true(run, change) for change in true] + _standing(run, moment)),
        _paragraph("what was believed", [_believed(run, event) for event in told]),
        _paragraph("why", [line for decision in why for line in _evidence(run, seen, decision)]),
        *_differs(told, seen),
    ]


def _bears_on(run: Run, decision: Decision, moment: Moment) -> bool:
    """Whether a change can have to do with a moment: on the same shelf around it, or anywhere near at the same time."""
    apart_s = abs(_middle_ns(decision) - moment.t_ns) / 1e9
    return apart_s <= (AROUND_S if decision.change.shelf == shelf_of(run, moment.place) else AT_ONCE_S)


def _differs(told: Sequence[Told], seen: Replay) -> list[str]:
    """A warning where the pipeline of today does not decide as that of the run did."""
    again = {(type(e), e.visit, e.place) for e in seen.events if isinstance(e, Told)}
    if all((type(event), event.visit, event.place) in again for event in told):
        return []
    return [
        "Fed with the same recording, the pipeline of today decides otherwise: its reasons are not those of the run."
    ]


def _paragraph(head: str, lines: Sequence[str]) -> str:
    return "\n".join([head + ":", *(f"  {line}" for line in lines or ["nothing"])])


def _true(run: Run, change: TrueChange) -> str:
    did = "took" if change.kind == "take" else "put back"
    where = f"{'from' if change.kind == 'take' else 'at'} {change.facing}"
    stray = f", whose place is {change.home}" if change.home != change.facing else ""
    what = f"{change.quantity} × {_item(run, change.sku)}"
    return f"{seconds(run, change.t_ns)}  {change.person} {did} {what} {where}{stray}"


def _standing(run: Run, moment: Moment) -> list[str]:
    """Who really stood how far away."""
    at = min(run.truth.positions, key=lambda state: abs(state[0] - moment.t_ns), default=(0, ()))[1]
    x, y = place_m(run, moment.place)
    apart = sorted((float(np.hypot(px - x, py - y)), person) for person, px, py in at)
    return [f"{person} stood {away:.1f} m away" for away, person in apart if away <= NEAR_M]


def _believed(run: Run, event: Told) -> str:
    when = seconds(run, event.t_ns)
    if isinstance(event, CaseRaised):
        lines = [_candidate(run, c.visit, c.sku, c.quantity, c.probability) for c in event.candidates]
        return f"{when}  a case at {event.place} ({event.case}): " + "; ".join(lines or ["no candidates"])
    sign = 1 if isinstance(event, ItemTaken) else -1
    count = event.quantity + (event.doubtful if isinstance(event, ItemReturned) else 0)
    return f"{when}  at {event.place}: {_candidate(run, event.visit, event.sku, sign * count, event.probability)}"


def _evidence(run: Run, seen: Replay, decision: Decision) -> list[str]:
    """The signals behind a decision, and how the explanations compare."""
    change, lines = decision.change, []
    span = f"{seconds(run, change.t_start_ns)} to {seconds(run, change.t_end_ns)}"
    if change.step is not None:
        plates = ", ".join(f"{plate} {grams:+.0f}" for plate, grams in change.step.plates)
        lines.append(f"{span}  weight {change.step.grams:+.1f} ± {change.step.sigma_grams:.1f} g (plates {plates})")
    if change.seen is not None:
        what = "something, unclear what" if change.seen.unclear else f"{change.seen.items:+d} items"
        lines.append(
            f"{span}  {change.seen.camera} saw {what} at {change.seen.facing}, {change.seen.probability:.2f} sure"
        )
    named = sorted({h.visit for h, _ in decision.ranking if h.visit})
    for facing in dict.fromkeys(h.facing for h, _ in decision.ranking[:3] if h.facing):
        reaches = [f"{_who(run, v)} {r}" for v in named if (r := _reach(run, seen, v, facing, decision))]
        lines.append(f"  reach to {facing}: {'; '.join(reaches) or 'nobody was near'}")
    for claim, probability in decision.ranking[:5]:
        lines.append(f"  {_candidate(run, claim.visit or None, claim.sku, claim.quantity, probability)}"
                     f" at {claim.facing}")  # fmt: skip
    return lines


def _reach(run: Run, seen: Replay, visit: str, facing: str, decision: Decision) -> str:
    """How near the hands and the body of a visit were believed to come during a change; "" when far away."""
    target = np.array(run.site.facings[facing].centre_m)
    margin = 500_000_000
    hands, bodies = list[float](), list[float]()
    for state in seen.floor:
        if not decision.change.t_start_ns - margin <= state.t_ns <= decision.change.t_end_ns + margin:
            continue
        for track in state.tracks:
            if seen.owners.get(track.track) == visit:
                bodies.append(float(np.hypot(track.x_m - target[0], track.y_m - target[1])))
                hands += [float(np.linalg.norm(np.array([h.x_m, h.y_m, h.z_m]) - target)) for h in track.hands]
    if not bodies or min(bodies) > NEAR_M:
        return ""
    return f"hand {min(hands):.2f} m, body {min(bodies):.2f} m" if hands else f"no hand seen, body {min(bodies):.2f} m"


def _candidate(run: Run, visit: str | None, sku: str, quantity: int, probability: float) -> str:
    if not sku or not quantity:
        return f"nothing ({probability:.3f})"
    did = "took" if quantity > 0 else "put back"
    return f"{_who(run, visit)} {did} {abs(quantity)} × {_item(run, sku)} ({probability:.3f})"


def seconds(run: Run, t_ns: int) -> str:
    """Event time as seconds of the run."""
    return f"{(t_ns - run.truth.start_ns) / 1e9:.2f} s"


def near(t_ns: int, other_ns: int) -> bool:
    """Whether two times are told together."""
    return abs(t_ns - other_ns) <= AROUND_S * 1e9


def fixture_of(run: Run, place: str) -> str:
    """The fixture of a facing or a shelf; "" for what is neither."""
    part = run.site.facings.get(place) or run.site.shelves.get(place)
    return part.fixture if part else ""


def shelf_of(run: Run, place: str) -> str:
    """The shelf of a facing; a shelf is its own."""
    return run.site.facings[place].shelf if place in run.site.facings else place


def place_m(run: Run, place: str) -> tuple[float, float]:
    """Where a facing's front is on the floor; of a shelf, its middle."""
    if place in run.site.facings:
        x, y, _ = run.site.facings[place].centre_m
        return x, y
    fixture = run.site.fixtures[fixture_of(run, place)]
    x, y, _ = fixture.point(fixture.width_m / 2, 0.0, 0.0)
    return x, y


def _home(run: Run, place: str) -> str:
    return run.site.facings[place].sku if place in run.site.facings else ""


def _middle_ns(decision: Decision) -> int:
    return int(decision.change.t_start_ns + decision.change.t_end_ns) // 2


def _who(run: Run, visit: str | None) -> str:
    return "nobody known" if not visit else run.people.get(visit, visit)


def _item(run: Run, sku: str) -> str:
    item = run.site.items.get(sku)
    return item.name if item else sku or "several items"


def counted(found: Sequence[Subject]) -> str:
    """How much there is to explain, in a few words."""
    kinds = Counter(subject.kind for subject in found)
    return ", ".join(f"{kinds[kind]} {kind}" for kind in ("missing", "extra", "case") if kinds[kind]) or "nothing wrong"
