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

from sims.lab.explain_run import ExplainError, Run, item_name, read_run, replay, who
from sims.lab.explain_words import Moment, became, candidate, told
from sims.lab.score import FATE_NS, receipt_lines
from smartstore.domain.events import CaseDecided, CaseRaised, ItemReturned, ItemTaken, StoreEvent

MOST_MOMENTS = 3
"""Of one subject; more are more of the same."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to explain: a wrong line of a receipt, named VISIT/SKU, or a case."""

    name: str
    kind: Literal["missing", "extra", "case"]
    what: str
    moments: tuple[Moment, ...]

    @property
    def line(self) -> tuple[str, str]:
        """Visit and SKU of a wrong line."""
        visit, _, sku = self.name.partition("/")
        return visit, sku


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
        unbilled = "" if visit in billed else "; no receipt came before the run ended, a longer tail_s lets it come"
        for sku in sorted(set(right) | set(wrong)):
            more = wrong.get(sku, 0) - right.get(sku, 0)
            if more:
                counts = f"{wrong.get(sku, 0)} instead of {right.get(sku, 0)}"
                what = f"{who(run, visit)} pays for {counts} × {item_name(run, sku)}{unbilled}"
                yield Subject(f"{visit}/{sku}", "extra" if more > 0 else "missing", what,
                              _moments(run, events, visit, sku))  # fmt: skip


def _moments(run: Run, events: Sequence[StoreEvent], visit: str, sku: str) -> tuple[Moment, ...]:
    """When truth and belief about an item of a visit part; where they never do, all that happened to it."""
    true = [c for c in run.truth.changes if (c.visit, c.sku) == (visit, sku)]
    booked = [e for e in events if isinstance(e, ItemTaken | ItemReturned) and (e.visit, e.sku) == (visit, sku)]
    left = [event for event in booked for _ in range(event.quantity)]
    parted: list[Moment] = []
    for change in itertools.chain.from_iterable([c] * c.quantity for c in true):
        kind = ItemTaken if change.kind == "take" else ItemReturned
        same = [e for e in left if isinstance(e, kind) and abs(e.t_ns - change.t_ns) <= FATE_NS]
        if same:
            left.remove(min(same, key=lambda e: abs(e.t_ns - change.t_ns)))
        else:
            parted.append(Moment(change.t_ns, change.facing))
    parted += [Moment(event.t_ns, event.place) for event in left]
    every = [Moment(c.t_ns, c.facing) for c in true] + [Moment(e.t_ns, e.place) for e in booked]
    return tuple(dict.fromkeys(parted or every))[:MOST_MOMENTS]


def _cases(run: Run, events: Sequence[StoreEvent]) -> Iterator[Subject]:
    decided = {event.case: event for event in events if isinstance(event, CaseDecided)}
    for case in (event for event in events if isinstance(event, CaseRaised)):
        best = case.candidates[0] if case.candidates else None
        likely = f"; perhaps {candidate(run, best.visit, best.sku, best.quantity, best.probability)}" if best else ""
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
    paragraphs, pictures = [f"{subject.kind}: {subject.what}", *became(run, *subject.line)], list[Path]()
    if not subject.moments:
        paragraphs.append("Neither truth nor journal has anything about it: look at the receipt itself.")
    for number, moment in enumerate(subject.moments, start=1):
        paragraphs += told(run, seen, events, moment)
        slug = re.sub(r"[^\w-]+", "-", subject.name)[:100]
        path = folder / f"explain-{slug}{f'-{number}' if number > 1 else ''}.png"
        draw_moment(path, run, seen, events, moment.t_ns, moment.place, paragraphs[0])
        pictures.append(path)
    return Explained(tuple(paragraphs), tuple(pictures))


def counted(found: Sequence[Subject]) -> str:
    """How much there is to explain, in a few words."""
    kinds = Counter(subject.kind for subject in found)
    return ", ".join(f"{kinds[kind]} {kind}" for kind in ("missing", "extra", "case") if kinds[kind]) or "nothing wrong"
