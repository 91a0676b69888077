"""The books of a store: what the pipeline decides is committed first, then told; so are settlements and verdicts.

In: events of the pipeline, and what people and the provider said meanwhile. Out: the journal, and what apps hear.
A repetition changes nothing. After a crash the pipeline decides once more what it had decided since its last state was
kept: what the journal has of that already is told again, and nothing is booked or paid twice.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from smartstore.domain.events import (
    CaseDecided,
    CaseRaised,
    ItemReturned,
    ItemTaken,
    PaymentDisputed,
    StoreEvent,
    VisitLeft,
    VisitOpened,
    VisitSettled,
)
from smartstore.domain.payments import Gateway, GatewayError
from smartstore.ledger.album import Album
from smartstore.ledger.cart import Cart, PriceList, apply
from smartstore.ledger.journal import Journal
from smartstore.ledger.payments import Payments
from smartstore.ledger.settlement import Settlement, SettlementOptions
from smartstore.ledger.telling import Teller
from smartstore.ledger.verdicts import bring_into_effect, cart_of
from smartstore.site import Site
from smartstore.wire import messages
from smartstore.wire.codec import Packet

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BookMark:
    """Where the books are, for whoever goes on from here: the last event told, the carts, and what was counted."""

    event: int
    carts: dict[str, Cart]
    said: Counter[str]


class Books:
    """Journal, settlement and what apps hear, of one store. ``pictures`` is the folder for those of review cases."""

    def __init__(
        self, publish: Callable[[Packet], None], site: Site, journal: Journal, gateway: Gateway,
        options: SettlementOptions, service: str, pictures: Path | None = None,
    ) -> None:  # fmt: skip
        self._site, self._journal, self._gateway = site, journal, gateway
        prices = PriceList(site.currency, site.items, site.tax_classes)
        self._payments = Payments(gateway, journal)
        self._settlement = Settlement(site.store, prices, self._payments, options)
        self.album = Album(site, pictures)
        self.teller = Teller(publish, site, prices, service)
        self._carts: dict[str, Cart] = {}
        self.counts: Counter[str] = Counter()
        """Events by fate: repeated_events, after_settling."""

    @property
    def mark(self) -> BookMark:
        """Where the books are now."""
        return BookMark(self._journal.told, dict(self._carts), self.teller.said)

    def go_on_from(self, mark: BookMark) -> None:
        """Takes up the place of an earlier run: what was booked after it is told again when it is decided again."""
        self._journal.told, self._carts, self.teller.said = mark.event, dict(mark.carts), mark.said

    def cart(self, visit: str) -> Cart:
        """The cart of a visit, which an earlier run of the service may have opened, or settled."""
        if visit not in self._carts:
            self._carts[visit] = cart_of(self._journal, visit)
        return self._carts[visit]

    def book(self, events: Sequence[StoreEvent]) -> None:
        """Commits events, then tells carts, cases and receipts.

        Raises:
            JournalError: nothing was committed, and nothing was told.
        """
        events = [self.album.illustrated(event) if isinstance(event, CaseRaised) else event for event in events]
        for event in events:
            if event.visit:
                self.cart(event.visit)  # as it was before the journal has the event
        new = self._journal.append(events)
        self.counts["repeated_events"] += len(events) - len(new)
        for event in new:
            if event.visit:
                before = self.cart(event.visit)
                self._carts[event.visit] = apply(before, event)
                if self._carts[event.visit].after_settling > before.after_settling:
                    self.counts["after_settling"] += 1
                    log.warning("visit %s is settled; %s needs a human", event.visit, event)
                    continue
            self._tell(event)

    def complete(self) -> None:
        """What a former run left undone: visits that left and were not settled, verdicts and open questions."""
        self._carts.clear()  # from here on, they are what the journal says
        self._journal.tell_all()
        self._payments.take_up()
        for visit in self._journal.open_visits():
            for left in self._journal.events(visit):
                if isinstance(left, VisitLeft):
                    self._settle(left)
        self.hear_verdicts()
        self.hear_provider()

    def hear_verdicts(self) -> None:
        """Brings into effect what people decided since: in carts, and in receipts that are out already.

        One decision after the other, in the order of the journal, each committed with what follows from it: whatever
        interrupts this, a decision counts once.
        """
        for decided in self._journal.pending_verdicts():
            self._apply_verdict(decided)

    def hear_provider(self) -> None:
        """Asks again what the provider did not answer, and takes note of disputes: receipts that are out follow."""
        for visit in self._payments.open:
            if self._payments.ask_again(visit):
                self._follow_up(visit, f"payment:{len(self._payments.account(visit).answers)}:{visit}")
        try:
            disputes = self._gateway.disputes()
        except GatewayError as error:
            log.warning("disputes are not known: %s", error)
            return
        for dispute in disputes:
            cause = f"dispute:{dispute.code}:{dispute.state}"
            if self._journal.knows(PaymentDisputed, cause):
                continue
            payer = self._journal.visit_of_payment(dispute.capture)
            if payer is None:
                continue
            left_ns = self.cart(payer).left_ns
            self._journal.append(
                [PaymentDisputed(payer, left_ns, cause, dispute.capture, dispute.amount.minor, dispute.state)]
            )
            log.warning("visit %s: capture %s is disputed: %s", payer, dispute.capture, dispute.state)
            self._follow_up(payer, cause)

    def _follow_up(self, visit: str, cause: str) -> None:
        """A new version of a receipt whose payment changed after it was out."""
        former = self._journal.receipt(visit)
        amended = self._settlement.amend(self.cart(visit), former, former.t_ns, cause) if former else None
        if amended is not None:
            self._journal.append([amended.event], {visit: amended.receipt})
            self.teller.receipt(visit, amended.receipt)

    def _tell(self, event: StoreEvent) -> None:
        """What apps and the gateway hear of a booked event."""
        match event:
            case VisitOpened():
                authorisation = self._settlement.open(event)
                if not authorisation.approved:
                    log.warning("visit %s: payment not authorised (%s)", event.visit, authorisation.reason)
                self._tell_cart(event, "new")
            case ItemTaken() | ItemReturned():
                self.teller.change(event)
                self._tell_cart(event, "update")
            case CaseRaised():
                if not event.again:
                    self._tell_case(event)
                if event.withheld and self._carts[event.visit].state != "settled":
                    self._tell_cart(event, "update")
            case VisitLeft():
                self._tell_cart(event, "end")
                self._settle(event)

    def _tell_case(self, case: CaseRaised) -> None:
        if case.place in self._site.facings or case.place in self._site.shelves:  # not somebody at a gate
            self.teller.change(case)
        self.teller.case(case)

    def _settle(self, left: VisitLeft) -> None:
        """Prices, charges and tells the visit; of one that was settled before, its receipt is told again."""
        known = self._journal.receipt(left.visit)
        if known is not None:
            self._journal.tell(VisitSettled, left.caused_by)
            self._carts.pop(left.visit, None)
            self.teller.receipt(left.visit, known)
            return
        cart = cart_of(self._journal, left.visit)
        settled = self._settlement.settle(cart, left, left.decided_ns or left.t_ns)
        if settled.unpriced:
            log.error("visit %s: no price for %s; left off its receipt", left.visit, ", ".join(settled.unpriced))
        self._journal.append([settled.event], {left.visit: settled.receipt})
        self._carts.pop(left.visit, None)  # who asks for it later gets it from the journal
        self.teller.receipt(left.visit, settled.receipt)

    def _apply_verdict(self, decided: CaseDecided) -> None:
        visit = decided.visit
        effect = bring_into_effect(decided, self.cart(visit) if visit else None, self._journal, self._settlement)
        if effect.cart is not None:
            self._carts[visit] = effect.cart
            if effect.cart.state != "settled":
                self._tell_cart(decided, "update")
        if effect.amended is not None:
            self.teller.receipt(visit, effect.amended.receipt)
        if effect.closed is not None:
            self.teller.case(effect.closed, decided)

    def _tell_cart(self, event: StoreEvent, phase: messages.Phase) -> None:
        self.teller.cart(self._carts[event.visit], event.t_ns, phase)
