"""The shell around the pipeline: bus, decoding, journal, settlement, and what apps get to hear.

In: packets from the bus. Out: carts, receipts, review cases, progress and status, each only after the journal has it.
Whatever arrives, nothing of it makes an exception leave: what cannot be read is counted, named once per device and
minute, and dropped. Only a journal that cannot be written ends the service.

A service that is killed goes on where it was: what it heard is on disk before the pipeline gets it, the pipeline's
state every few seconds of event time. The next run takes up the last state, hears the rest once more from the disk, and
asks the devices for what came meanwhile (see :mod:`smartstore.recall`).
"""

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Protocol

from smartstore.bus.base import Bus
from smartstore.domain.events import CaseRaised, StoreEvent
from smartstore.domain.payments import Gateway
from smartstore.domain.people import FloorState
from smartstore.intake import Intake
from smartstore.ledger.books import Books
from smartstore.ledger.inputs import Entry, InputLog, Mark
from smartstore.ledger.journal import Journal
from smartstore.listening import EntryCheck, Listener
from smartstore.pipeline import PipelineOptions
from smartstore.process import quiet_collector
from smartstore.recall import Recall
from smartstore.settings import Settings
from smartstore.site import Site
from smartstore.state import StateError, freeze, thaw
from smartstore.vitals import DROPPED, Vitals, Watch
from smartstore.wire import messages, topics
from smartstore.wire.codec import Packet, Received, decode, encode

log = logging.getLogger(__name__)

DEFAULTS = Settings()
_WATCHED_S = 1.0
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
    def hold(self) -> None: ...
    def release(self) -> Sequence[StoreEvent]: ...
    def flush(self) -> Sequence[StoreEvent]: ...
    def save(self) -> bytes: ...
    def load(self, state: bytes) -> None: ...


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


class Service:
    """One store's software on an open bus. :meth:`run` it, or hand it packets with :meth:`handle`.

    ``inputs`` keeps what is heard, for a run after a crash; without it such a run starts from the journal alone.
    ``pictures`` is the folder for those of review cases; without it cases have none.
    """

    def __init__(
        self, bus: Bus, site: Site, pipeline: StoreEvents, journal: Journal, gateway: Gateway,
        entry_check: EntryCheck, name: str = "main", settings: Settings = DEFAULTS, frames: bool = True,
        pictures: Path | None = None, inputs: InputLog | None = None, watch: Watch | None = None,
    ) -> None:  # fmt: skip
        self._bus, self._store, self._pipeline, self._journal = bus, site.store, pipeline, journal
        self._entry_check, self._name, self._options = entry_check, name, settings.service
        self.books = Books(bus.publish, site, journal, gateway, settings.settlement, name, pictures)
        self._inputs, self._connections = inputs, bus.connections
        self._site, self._intake, self._watch = site, Intake(site, settings.service.most_per_s), watch
        self._recall = Recall(bus.publish, site.store, name, self._options.listen_s, self._options.catch_up_s)
        self._shown_ns, self._reported_ns, self._reported_at, self._kept_ns = -1, -1, 0.0, -1
        self._verdicts_at = self._provider_at = self._watched_at = self._advanced_at = 0.0
        self._stopping = False
        self.counts: Counter[str] = self.books.counts
        """Packets by fate: received, malformed, unknown_topic, unknown_field, refused_token, failed, and
        unknown_device and too_many, which are not received; events, too: repeated_events, after_settling; and how
        often a feed has ``finished``."""
        self._listener = Listener(name, self._intake, entry_check, frames, self.books.album.see, self.counts)

    def run(self) -> None:
        """Works until :meth:`stop` is called or the bus is closed.

        Raises:
            JournalError: the journal, or what is heard, cannot be read or written.
        """
        before = self._resume()
        quiet_collector()
        # One filter for all: some brokers keep the order of messages only within a subscription.
        self._bus.subscribe(f"{topics.ROOT}/{self._store}/#")
        self._bus.publish(status_packet(self._store, self._name, "online", time.time_ns()))
        if before:
            self._catch_up()
        self._report(again=True)
        while not self._stopping:
            self._listen_elsewhere()
            packet = self._bus.receive(self._options.idle_s)
            if self._bus.connections != self._connections:
                self._connections = self._bus.connections
                self._catch_up()
            if packet is not None:
                self.handle(packet)
            elif self._bus.closed:
                break
            else:
                self._report(again=True)
            if self._recall.over():
                self._go_on()
        self._keep(least_s=0.0)
        self._bus.publish(status_packet(self._store, self._name, "offline", time.time_ns()))
        log.info("stopped; packets %s, pipeline %s", dict(self.counts), self._pipeline.stats)

    def stop(self) -> None:
        """Ends :meth:`run` after the packet in hand; may be called from a signal handler."""
        self._stopping = True

    def handle(self, packet: Packet) -> None:
        """Takes one packet through everything."""
        received = self._listener.understood(packet, self._pipeline.processed_ns, self._recall.waiting)
        if received is None:
            return
        if isinstance(received.message, messages.Status | messages.Replayed):
            if self._recall.note(received.device, received.message):
                self._keep(least_s=0.0)  # the next run has to know whom to wait for
            return
        if received.channel is topics.FINISH:
            self.finish()
            return
        if self._inputs is not None:
            self._inputs.write(packet)
        self._take(received)
        self._keep(self._options.keep_state_s)
        self._show_floor()
        self._report()

    def finish(self) -> None:
        """The feed has ended: decides, books and publishes all that still waits."""
        self._mark("finish")
        self.books.book(self._pipeline.flush())
        self.counts["finished"] += 1
        self._reported_at = 0.0
        self._report(again=True)

    def hear_verdicts(self) -> None:
        """Brings into effect what people decided since."""
        self._verdicts_at = time.monotonic()
        self.books.hear_verdicts()

    def _listen_elsewhere(self) -> None:
        """Now and then: what people decided, and what the payment provider has to say."""
        now = time.monotonic()
        if now - self._verdicts_at > self._options.verdicts_s:
            self.hear_verdicts()
        if now - self._provider_at > self._options.payments_s:
            self._provider_at = now
            self.books.hear_provider()

    def _take(self, received: Received) -> None:
        """One message through the pipeline, and what follows into the books."""
        try:
            events = self._pipeline.feed(received)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            topic = received.channel.topic(received.store, received.device)
            self._listener.drop("failed", topic, f"{topic}: {error!r}", trace=True)
            return
        if events:
            self.books.book(events)

    def vitals(self) -> Vitals:
        """How the service is just now."""
        site, heard = self._site, self._intake.heard_s
        scales = (fixture.id for fixture in site.fixtures.values() if fixture.scale and fixture.shelves)
        return Vitals(
            self._store, self._name, time.monotonic(), self._pipeline.processed_ns, self._advanced_at,
            dict(self.counts), self._pipeline.stats, {name: heard.get(name) for name in (*site.cameras, *scales)},
            self._bus.lost, self._bus.refused, self._bus.connected,
        )  # fmt: skip

    def _resume(self) -> bool:
        """Takes up what the last run of the service left; whether there was one that heard something."""
        before = self._recover() if self._inputs is not None else False
        self.books.complete()
        return before

    def _recover(self) -> bool:
        assert self._inputs is not None
        state, entries = self._inputs.recover()
        known = state is not None and self._load(state)
        for entry in entries:
            self._hear_again(entry)
        if not known:
            self._ask_for_the_lost(bool(entries))
            self._keep(least_s=0.0)
        if entries:
            log.info("took up the last run: %d packets since its last state were heard again", len(entries))
        return known or bool(entries)

    def _load(self, state: bytes) -> bool:
        try:
            kept = thaw(state, {})
            self._pipeline.load(kept["pipeline"])
        except StateError as error:
            log.warning("%s; starting from the journal", error)
            return False
        self.books.go_on_from(kept["books"])
        self._entry_check.admission = kept["admission"]
        self._recall.keepers |= kept["keepers"]
        self._kept_ns = self._pipeline.processed_ns
        return True

    def _hear_again(self, entry: Entry) -> None:
        if entry == "hold":
            self._pipeline.hold()
        elif entry == "release":
            self.books.book(self._pipeline.release())
        elif entry == "finish":
            self.books.book(self._pipeline.flush())
        elif isinstance(entry, Packet) and (received := decode(entry)) is not None and self._listener.admits(received):
            self._take(received)

    def _ask_for_the_lost(self, heard: bool) -> None:
        """Of visits that only the journal remembers nobody can say what they still did: a person has to look."""
        if not heard and self._pipeline.processed_ns < 0:
            lost = [visit for visit in self._journal.open_visits() if self.books.cart(visit).state == "shopping"]
            self.books.book(
                [CaseRaised(visit, self.books.cart(visit).opened_ns, f"lost:{visit}", f"lost-{visit}", "", ())
                 for visit in lost]
            )  # fmt: skip

    def _keep(self, least_s: float) -> None:
        """Keeps the state of everything, once ``least_s`` of event time have passed since the last time."""
        now_ns = self._pipeline.processed_ns
        if self._inputs is None or self._recall.waiting or now_ns - self._kept_ns < least_s * 1e9:
            return
        self._kept_ns = now_ns
        state = {"pipeline": self._pipeline.save(), "books": self.books.mark, "keepers": self._recall.keepers,
                 "admission": self._entry_check.admission}  # fmt: skip
        self._inputs.keep(freeze(state, {}))

    def _catch_up(self) -> None:
        """Something may have been missed: collects without deciding until it came again."""
        if not self._recall.waiting:
            self._mark("hold")
            self._pipeline.hold()
        self._recall.ask(self._pipeline.processed_ns)

    def _go_on(self) -> None:
        """What was missed is there, or will not come: decides on it."""
        self._mark("release")
        self.books.book(self._pipeline.release())
        self._keep(least_s=0.0)  # what came twice is not heard a third time
        self._report()

    def _mark(self, mark: Mark) -> None:
        if self._inputs is not None:
            self._inputs.write(mark)

    def _show_floor(self) -> None:
        """Where everybody is, a few times a second of event time."""
        state = self._pipeline.floor
        if state.t_ns - self._shown_ns < self._options.floor_s * 1e9:
            return
        self._shown_ns = state.t_ns
        self.books.teller.floor(state, self._pipeline.owners)

    def _report(self, again: bool = False) -> None:
        """Says how far event time is processed: now and then while busy, and ``again`` whenever idle."""
        if self._watch is not None and time.monotonic() - self._watched_at > _WATCHED_S:
            self._watched_at = time.monotonic()
            self._watch(self.vitals())
        processed_ns = self._pipeline.processed_ns
        advanced = processed_ns - self._reported_ns
        due = advanced >= self._options.progress_s * 1e9
        if again and not due:
            due = advanced > 0 or time.monotonic() - self._reported_at > _STALE_S
        if not due:
            return
        self._reported_at = time.monotonic()
        if processed_ns > self._reported_ns:
            self._reported_ns, self._advanced_at = processed_ns, self._reported_at
        dropped = sum(self.counts[fate] for fate in DROPPED)
        self.books.teller.progress(max(processed_ns, 0), self.counts["received"], dropped, self.counts["finished"])
