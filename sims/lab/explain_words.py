"""The words of an explanation: what happened around a moment of a run, what was believed, and why.

In: a run, its replay, a moment. Out: paragraphs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sims.lab.explain_run import (
    AROUND_S,
    Decision,
    Replay,
    Run,
    fixture_of,
    item_name,
    near,
    place_m,
    seconds,
    shelf_of,
    who,
)
from sims.truth import TrueChange
from smartstore.domain.events import CaseRaised, ItemReturned, ItemTaken, StoreEvent

AT_ONCE_S = 1.5
"""Changes at the fixture's other shelves bear on one another in so short a time."""
NEAR_M = 1.5
"""Who stands farther away is not named."""

Told = ItemTaken | ItemReturned | CaseRaised


@dataclass(frozen=True, slots=True)
class Moment:
    """A time and the facing (or shelf) that it is about."""

    t_ns: int
    place: str


def told(run: Run, seen: Replay, events: Sequence[StoreEvent], moment: Moment) -> list[str]:
    """What happened, what was believed, and why, around a moment at the fixture of its place."""
    fixture, t_ns = fixture_of(run, moment.place), moment.t_ns
    true = [c for c in run.truth.changes if fixture_of(run, c.facing) == fixture and near(c.t_ns, t_ns)]
    said = [e for e in events if isinstance(e, Told) and fixture_of(run, e.place) == fixture and near(e.t_ns, t_ns)]
    why = [d for d in seen.decisions if d.change.fixture == fixture and _bears_on(run, d, moment)]
    home = f" ({item_name(run, run.site.facings[moment.place].sku)})" if moment.place in run.site.facings else ""
    head = f"Around {seconds(run, t_ns)} at {moment.place}{home}"
    return [
        paragraph(f"{head}, what happened", _happened(run, true, moment) + _standing(run, moment)),
        paragraph("what was believed", [_believed(run, event) for event in said]),
        paragraph("why", [line for decision in why for line in _evidence(run, seen, decision)]),
        *_differs(said, seen),
    ]


def _bears_on(run: Run, decision: Decision, moment: Moment) -> bool:
    """Whether a change can have to do with a moment: on the same shelf around it, or anywhere near at the same time."""
    apart_s = abs(_middle_ns(decision) - moment.t_ns) / 1e9
    return apart_s <= (AROUND_S if decision.change.shelf == shelf_of(run, moment.place) else AT_ONCE_S)


def _differs(said: Sequence[Told], seen: Replay) -> list[str]:
    """A warning where the pipeline of today does not decide as that of the run did."""
    again = {(type(e), e.visit, e.place) for e in seen.events if isinstance(e, Told)}
    if all((type(event), event.visit, event.place) in again for event in said):
        return []
    return [
        "Fed with the same recording, the pipeline of today decides otherwise: its reasons are not those of the run."
    ]


def paragraph(head: str, lines: Sequence[str]) -> str:
    return "\n".join([head + ":", *(f"  {line}" for line in lines or ["nothing"])])


def _happened(run: Run, changes: Sequence[TrueChange], moment: Moment) -> list[str]:
    """Changes at the fixture, and foreign things on it, in the order of time."""
    fixture = fixture_of(run, moment.place)
    lines = [(change.t_ns, _true(run, change)) for change in changes]
    for thing in run.truth.foreign:
        if fixture_of(run, thing.facing) == fixture and near(thing.t_ns, moment.t_ns):
            did = "left something of their own" if thing.kind == "left" else "picked up something of their own"
            what = f"{thing.person} {did} ({thing.grams:.0f} g) at {thing.facing}"
            lines.append((thing.t_ns, f"{seconds(run, thing.t_ns)}  {what}"))
    return [line for _, line in sorted(lines)]


def _true(run: Run, change: TrueChange) -> str:
    did = "took" if change.kind == "take" else "put back"
    where = f"{'from' if change.kind == 'take' else 'at'} {change.facing}"
    stray = f", whose place is {change.home}" if change.home != change.facing else ""
    what = f"{change.quantity} × {item_name(run, change.sku)}"
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
        lines = [candidate(run, c.visit, c.sku, c.quantity, c.probability) for c in event.candidates]
        return f"{when}  a case at {event.place} ({event.case}): " + "; ".join(lines or ["no candidates"])
    sign = 1 if isinstance(event, ItemTaken) else -1
    count = event.quantity + (event.doubtful if isinstance(event, ItemReturned) else 0)
    return f"{when}  at {event.place}: {candidate(run, event.visit, event.sku, sign * count, event.probability)}"


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
        reaches = [f"{who(run, v)} {r}" for v in named if (r := _reach(run, seen, v, facing, decision))]
        lines.append(f"  reach to {facing}: {'; '.join(reaches) or 'nobody was near'}")
    for claim, probability in decision.ranking[:5]:
        lines.append(f"  {candidate(run, claim.visit or None, claim.sku, claim.quantity, probability)}"
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


def candidate(run: Run, visit: str | None, sku: str, quantity: int, probability: float) -> str:
    """One explanation with its probability."""
    if not sku or not quantity:
        return f"nothing ({probability:.3f})"
    did = "took" if quantity > 0 else "put back"
    return f"{who(run, visit)} {did} {abs(quantity)} × {item_name(run, sku)} ({probability:.3f})"


def became(run: Run, visit: str, sku: str) -> list[str]:
    """What became of an item after it was taken, where that was more than being carried out or put back."""
    lines = [
        (h.t_ns, f"{seconds(run, h.t_ns)}  {h.person} handed it to {h.to}")
        for h in run.truth.hand_overs if h.sku == sku and visit in (h.visit, h.to_visit)
    ]  # fmt: skip
    lines += [
        (d.t_ns, f"{seconds(run, d.t_ns)}  {d.person} left it on the floor")
        for d in run.truth.drops if (d.visit, d.sku) == (visit, sku)
    ]  # fmt: skip
    return [paragraph(f"What became of {item_name(run, sku)}", [line for _, line in sorted(lines)])] if lines else []


def _middle_ns(decision: Decision) -> int:
    return int(decision.change.t_start_ns + decision.change.t_end_ns) // 2
