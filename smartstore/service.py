"""The shell around the pipeline: bus, decoding, journal, settlement, and what apps get to hear.

In: packets from the bus. Out: carts, receipts, review cases, progress and status, each only after the journal has it.
Whatever arrives, nothing of it makes an exception leave: what cannot be read is counted, named once per device and
minute, and dropped. Only a journal that cannot be written ends the service.
"""

import gc
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Protocol

from smartstore.bus.base import Bus
from smartstore.domain.events import (
    CaseDecided,
    CaseRaised,
    ItemReturned,
    ItemTaken,
    StoreEvent,
    VisitLeft,
    VisitOpened,
)
from smartstore.domain.payments import Gateway
from smartstore.domain.people import FloorState
from smartstore.ledger.album import Album
from smartstore.ledger.cart import Cart, PriceList, apply
from smartstore.ledger.journal import Journal
from smartstore.ledger.settlement import Settlement
from smartstore.ledger.telling import Teller
from smartstore.ledger.verdicts import bring_into_effect, cart_of
from smartstore.palm.tokens import SingleAdmission, TokenError, Verifier
from smartstore.pipeline import PipelineOptions
from smartstore.settings import Settings
from smartstore.site import Site
from smartstore.wire import messages, topics
from smartstore.wire.codec import Packet, Received, WireError, decode, encode

log = logging.getLogger(__name__)

VerifyToken = Callable[[messages.GateEvent], None]
"""Accepts the token of an entry, or raises TokenError."""

DEFAULTS = Settings()
_LOG_AGAIN_S = 60.0
_STALE_S = 0.5
"""Progress is repeated this often while nothing comes: a lost packet must not stop whoever waits for it."""


class StoreEvents(Protocol):
    """What the service needs of a pipeline."""

    @property
    def processed_ns(self) -> int: ...
    @property
    def stats(self) -> dict[str, int]: ...
    @property
    def floor(self) -> FloorState: ...
    @property
    def owners(self) -> Mapping[int, str]: ...
    def feed(self, received: Received) -> Sequence[StoreEvent]: ...
    def flush(self) -> Sequence[StoreEvent]: ...


def pipeline_options(settings: Settings) -> PipelineOptions:
    """The pipeline's options out of the settings of everything."""
    stages = {
        entry.name: getattr(settings, entry.name) for entry in fields(PipelineOptions) if hasattr(settings, entry.name)
    }
    timing = {entry.name: getattr(settings.timing, entry.name) for entry in fields(settings.timing)}
    return PipelineOptions(**stages, **timing)


def status_packet(store: str, service: str, state: str, t_ns: int) -> Packet:
    """The retained status of a service; the one for "offline" is also its last will."""
    status = messages.Status(seq=0, t_ns=t_ns, state="online" if state == "online" else "offline", kind="service")
    return encode(topics.STATUS, store, f"service-{service}", status)


def entry_check(verifier: Verifier | None) -> VerifyToken:
    """Accepts entries whose token is signed, in time, for this visit and store, and was not used for another entry;
    None accepts any entry."""
    admission = SingleAdmission(verifier.leeway_s if verifier else 0.0)

    def check(entry: messages.GateEvent) -> None:
        if verifier is None:
            return
        if not entry.token:
            raise TokenError("there is no token")
        claims = verifier.verify(entry.token, entry.t_ns)
        if claims.visit != entry.visit:
            raise TokenError("token is for another visit")
        if (entry.party_size or 1) > claims.party_size:
            raise TokenError(f"token admits {claims.party_size}, not {entry.party_size}")
        admission.use(claims, entry.event_id, entry.t_ns)

    return check


def quiet_collector() -> None:
    """Spares the garbage collector what was imported and most of its rounds: a tenth of the time of a busy service."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


class Service:
    """One store's software on an open bus. :meth:`run` it, or hand it packets with :meth:`handle`.

    ``pictures`` is the folder for those of review cases; without it cases have none.
    """

    def __init__(
        self, bus: Bus, site: Site, pipeline: StoreEvents, journal: Journal, gateway: Gateway,
        verify_token: VerifyToken, name: str = "main", settings: Settings = DEFAULTS, frames: bool = True,
        pictures: Path | None = None,
    ) -> None:  # fmt: skip
        self._bus, self._store, self._pipeline, self._journal = bus, site.store, pipeline, journal
        self._site, self._album = site, Album(site, pictures)
        self._verify_token, self._name, self._options, self._frames = verify_token, name, settings.service, frames
        prices = PriceList(site.currency, site.items, site.tax_classes)
        self._settlement = Settlement(site.store, prices, gateway, settings.settlement)
        self._teller = Teller(bus.publish, site, prices, name)
        self._carts: dict[str, Cart] = {}
        self._shown_ns, self._reported_ns, self._reported_at, self._asked_at = -1, -1, 0.0, 0.0
        self._named: dict[str, float] = {}
        self._stopping = False
        self.counts: Counter[str] = Counter()
        """Packets by fate: received, malformed, unknown_topic, unknown_field, refused_token, failed; and how often a
        feed has ``finished``."""

    def run(self) -> None:
        """Works until :meth:`stop` is called or the bus is closed.

        Raises:
            JournalError: the journal cannot be read or written.
        """
        self._resume()
        quiet_collector()
        # One filter for all: some brokers keep the order of messages only within a subscription.
        self._bus.subscribe(f"{topics.ROOT}/{self._store}/#")
        self._bus.publish(status_packet(self._store, self._name, "online", time.time_ns()))
        self._report(again=True)
        while not self._stopping:
            if time.monotonic() - self._asked_at > self._options.verdicts_s:
                self.hear_verdicts()
            packet = self._bus.receive(self._options.idle_s)
            if packet is not None:
                self.handle(packet)
            elif self._bus.closed:
                break
            else:
                self._report(again=True)
        self._bus.publish(status_packet(self._store, self._name, "offline", time.time_ns()))
        log.info("stopped; packets %s, pipeline %s", dict(self.counts), self._pipeline.stats)

    def stop(self) -> None:
        """Ends :meth:`run` after the packet in hand; may be called from a signal handler."""
        self._stopping = True

    def handle(self, packet: Packet) -> None:
        """Takes one packet through everything."""
        found = topics.find(packet.topic)
        if found is not None and found[0] is topics.FRAME:
            self._album.see(found[2], packet)
        if found is not None and not self._listens(found[0], found[2]):
            return
        self.counts["received"] += 1
        try:
            received = decode(packet)
        except WireError as error:
            self._drop("malformed", error.device, str(error))
            return
        if received is None:
            self.counts["unknown_topic"] += 1
            return
        if received.unknown_fields:
            self.counts["unknown_field"] += 1
        if received.channel is topics.FINISH:
            self.finish()
            return
        if not self._admits(received):
            return
        try:
            events = self._pipeline.feed(received)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            self._drop("failed", packet.topic, f"{packet.topic}: {error!r}", trace=True)
            return
        if events:
            self._book(events)
        self._show_floor()
        self._report()

    def finish(self) -> None:
        """The feed has ended: decides, books and publishes all that still waits."""
        self._book(self._pipeline.flush())
        self.counts["finished"] += 1
        self._reported_at = 0.0
        self._report(again=True)

    def _listens(self, channel: topics.Channel, device: str) -> bool:
        if channel is topics.FINISH:
            return device == self._name
        if channel is topics.FRAME:
            return self._frames
        return channel.sender == "device" and channel is not topics.STATUS

    def _admits(self, received: Received) -> bool:
        """Whether a message may go on: an entry needs a token that is in order, but for staff, who open no visit."""
        message = received.message
        if not isinstance(message, messages.GateEvent) or message.kind != "entry":
            return True
        if message.staff and not message.visit:
            return True
        try:
            self._verify_token(message)
        except TokenError as error:
            self._drop("refused_token", received.device, f"entry at {received.device}: {error}")
            return False
        return True

    def _book(self, events: Sequence[StoreEvent]) -> None:
        """Commits first, then tells: carts, cases and receipts."""
        events = [self._album.illustrated(event) if isinstance(event, CaseRaised) else event for event in events]
        for event in events:
            if event.visit:
                self._cart(event.visit)  # as it was before the journal has the event
        new = self._journal.append(events)
        self.counts["repeated_events"] += len(events) - len(new)
        for event in new:
            if event.visit:
                before = self._cart(event.visit)
                self._carts[event.visit] = apply(before, event)
                if self._carts[event.visit].after_settling > before.after_settling:
                    self.counts["after_settling"] += 1
                    log.warning("visit %s is settled; %s needs a human", event.visit, event)
                    continue
            self._tell(event)

    def _tell(self, event: StoreEvent) -> None:
        """What apps and the gateway hear of a booked event."""
        match event:
            case VisitOpened():
                authorisation = self._settlement.open(event)
                if not authorisation.approved:
                    log.warning("visit %s: payment not authorised (%s)", event.visit, authorisation.reason)
                self._tell_cart(event, "new")
            case ItemTaken() | ItemReturned():
                self._teller.change(event)
                self._tell_cart(event, "update")
            case CaseRaised(again=False):
                if event.place in self._site.facings or event.place in self._site.shelves:  # not somebody at a gate
                    self._teller.change(event)
                self._teller.case(event)
            case VisitLeft():
                self._tell_cart(event, "end")
                self._settle(event)

    def _settle(self, left: VisitLeft) -> None:
        cart = self._carts[left.visit]
        settled = self._settlement.settle(cart, left, left.decided_ns or left.t_ns)
        if settled.unpriced:
            log.error("visit %s: no price for %s; left off its receipt", left.visit, ", ".join(settled.unpriced))
        self._journal.append([settled.event], {left.visit: settled.receipt})
        self._carts[left.visit] = apply(cart, settled.event)
        self._teller.receipt(left.visit, settled.receipt)

    def hear_verdicts(self) -> None:
        """Brings into effect what people decided since: in carts, and in receipts that are out already.

        One decision after the other, in the order of the journal, each committed with what follows from it: whatever
        interrupts this, a decision counts once.
        """
        self._asked_at = time.monotonic()
        for decided in self._journal.pending_verdicts():
            self._apply_verdict(decided)

    def _apply_verdict(self, decided: CaseDecided) -> None:
        visit = decided.visit
        effect = bring_into_effect(decided, self._cart(visit) if visit else None, self._journal, self._settlement)
        if effect.cart is not None:
            self._carts[visit] = effect.cart
            if effect.cart.state != "settled":
                self._tell_cart(decided, "update")
        if effect.amended is not None:
            self._teller.receipt(visit, effect.amended.receipt)
        if effect.closed is not None:
            self._teller.case(effect.closed, decided)

    def _cart(self, visit: str) -> Cart:
        """The cart of a visit, which an earlier run of the service may have opened, or settled."""
        if visit not in self._carts:
            self._carts[visit] = cart_of(self._journal, visit)
        return self._carts[visit]

    def _resume(self) -> None:
        """Takes up what the last run of the service left: carts, and visits that left but were not settled."""
        for visit in self._journal.open_visits():
            self._cart(visit)
            for left in self._journal.events(visit):
                if isinstance(left, VisitLeft):
                    self._settle(left)
        self.hear_verdicts()

    def _tell_cart(self, event: StoreEvent, phase: messages.Phase) -> None:
        self._teller.cart(self._carts[event.visit], event.t_ns, phase)

    def _show_floor(self) -> None:
        """Where everybody is, a few times a second of event time."""
        state = self._pipeline.floor
        if state.t_ns - self._shown_ns < self._options.floor_s * 1e9:
            return
        self._shown_ns = state.t_ns
        self._teller.floor(state, self._pipeline.owners)

    def _report(self, again: bool = False) -> None:
        """Says how far event time is processed: now and then while busy, and ``again`` whenever idle."""
        processed_ns = self._pipeline.processed_ns
        advanced = processed_ns - self._reported_ns
        due = advanced >= self._options.progress_s * 1e9
        if again and not due:
            due = advanced > 0 or time.monotonic() - self._reported_at > _STALE_S
        if not due:
            return
        self._reported_ns, self._reported_at = processed_ns, time.monotonic()
        dropped = self.counts["malformed"] + self.counts["failed"] + self.counts["refused_token"]
        self._teller.progress(max(processed_ns, 0), self.counts["received"], dropped, self.counts["finished"])

    def _drop(self, fate: str, device: str, text: str, trace: bool = False) -> None:
        """Counts a packet that goes no further, and names it once per device and minute."""
        self.counts[fate] += 1
        now = time.monotonic()
        if now - self._named.get(device, -_LOG_AGAIN_S) < _LOG_AGAIN_S:
            return
        if len(self._named) > 10_000:
            self._named.clear()
        self._named[device] = now
        log.warning("%s: %s", fate.replace("_", " "), text[:500], exc_info=trace)
