"""People's verdicts on review cases: what may be decided, and how a decision comes into effect.

In: the journal, a case, and what a person says. Out: decision events to append; later, the cart after a decision and
the next version of a receipt that was out already. Nothing is edited: a decision is an event like any other, one that
overrules another is one more, and the same decision comes into effect once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from smartstore.domain.events import CaseDecided, CaseRaised, StoreEvent, VerdictApplied
from smartstore.ledger.cart import Cart, apply, fold
from smartstore.ledger.journal import Journal
from smartstore.ledger.settlement import Amended, Settlement


class VerdictError(Exception):
    """A verdict that cannot be given; one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person says that it was: ``mover`` took ``quantity`` of ``sku`` (negative: put back).

    ``Verdict(None, "", 0)`` says that it was nothing that anybody has to pay for. With a ``giver`` it changed hands:
    what ``mover`` has now is not with that visit any more.
    """

    mover: str | None
    sku: str
    quantity: int
    giver: str | None = None


NOTHING = Verdict(None, "", 0)


@dataclass(frozen=True, slots=True)
class Case:
    """A case with its decisions, the first one first; a decision that concerns two visits is two events.

    ``also`` are the visits that it concerns besides the one for which it was raised first.
    """

    raised: CaseRaised
    decisions: tuple[CaseDecided, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def last(self) -> CaseDecided | None:
        """The decision that stands."""
        return self.decisions[-1] if self.decisions else None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a decision changed: the cart (None where the case was nobody's), a receipt, and the case it closed."""

    cart: Cart | None
    amended: Amended | None
    closed: CaseRaised | None


def read_cases(journal: Journal) -> dict[str, Case]:
    """All cases by name, in the order in which they were raised."""
    return collect(journal.of_kind(CaseRaised, CaseDecided))


def collect(events: Iterable[StoreEvent]) -> dict[str, Case]:
    """The cases among events, oldest first."""
    cases: dict[str, Case] = {}
    for event in events:
        if isinstance(event, CaseRaised):
            case = cases.setdefault(event.case, Case(event))
            if event.again:
                cases[event.case] = replace(case, also=(*case.also, event.visit))
        elif isinstance(event, CaseDecided):
            case = cases[event.case]
            cases[event.case] = replace(case, decisions=(*case.decisions, event))
    return cases


def candidate(case: CaseRaised, number: int) -> Verdict:
    """The verdict that a candidate of the case, counted from 1, was right.

    Raises:
        VerdictError: there is no such candidate.
    """
    if not 1 <= number <= len(case.candidates):
        raise VerdictError(f"case {case.case} has candidates 1 to {len(case.candidates)}, not {number}")
    chosen = case.candidates[number - 1]
    if not chosen.visit or not chosen.sku:
        return NOTHING
    return Verdict(chosen.visit, chosen.sku, chosen.quantity, chosen.giver)


def decide(case: Case, verdict: Verdict, by: str, t_ns: int, again: bool = False) -> list[CaseDecided]:
    """The events of a decision made at ``t_ns``; none when the case stands decided just so.

    Raises:
        VerdictError: it was decided otherwise, and this is not said to be a decision ``again``.
    """
    last = case.last
    if last is not None and Verdict(last.mover, last.sku, last.quantity, last.giver) == verdict:
        return []
    if last is not None and not again:
        raise VerdictError(
            f"case {last.case} was decided otherwise by {last.by} ({told(last)}); --again overrules that"
        )
    number = last.decision + 1 if last else 1
    said = [verdict, *(Verdict(d.mover, d.sku, d.quantity, d.giver) for d in case.decisions)]
    named = {name for one in said for name in (one.mover, one.giver)} | set(case.also)
    visits = [case.raised.visit, *sorted(named - {None, case.raised.visit}, key=str)]
    return [
        CaseDecided(
            visit or "", t_ns, f"case:{case.raised.case}:{number}:{visit}", case.raised.case, number, verdict.mover,
            verdict.sku, verdict.quantity, by, verdict.giver,
        )
        for visit in visits
    ]  # fmt: skip


def told(decided: CaseDecided | Verdict) -> str:
    """A decision in a few words."""
    if not decided.mover or not decided.quantity:
        return "nobody's sale"
    if decided.giver:
        return f"{decided.giver} handed {decided.quantity} of {decided.sku} to {decided.mover}"
    verb = "took" if decided.quantity > 0 else "put back"
    return f"{decided.mover} {verb} {abs(decided.quantity)} of {decided.sku}"


def cart_of(journal: Journal, visit: str) -> Cart:
    """The cart of a visit as the journal has it, without decisions that are not in effect yet."""
    waiting = journal.pending_verdicts()
    return fold(visit, [event for event in journal.told_events(visit) if event not in waiting])


def bring_into_effect(decided: CaseDecided, cart: Cart | None, journal: Journal, settlement: Settlement) -> Effect:
    """Applies a decision to the cart of its visit and, where one is out, to its receipt; commits what follows.

    What moves is in the journal before the provider is asked: whatever interrupts this, no money moves again.
    """
    amended = None
    if cart is not None:
        cart = apply(cart, decided)
        receipt = journal.receipt(cart.visit) if cart.state == "settled" else None
        amended = settlement.amend(cart, receipt, decided.t_ns, decided.caused_by) if receipt else None
    done = VerdictApplied(decided.visit, decided.t_ns, decided.caused_by, decided.case)
    if amended is None:
        journal.append([done])
    else:
        journal.append([done, amended.event], {decided.visit: amended.receipt})
    raised = read_cases(journal)[decided.case].raised
    return Effect(cart, amended, raised if raised.visit == decided.visit else None)
