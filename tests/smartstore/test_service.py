"""The shell told as stories: packets in, journal first, then carts and receipts; nothing brings it down."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from smartstore.bus.base import MemoryBus, MemoryHub
from smartstore.domain.events import CaseRaised, ItemReturned, ItemTaken, StoreEvent, VisitLeft, VisitOpened
from smartstore.domain.items import Candidate, Item
from smartstore.domain.money import Money
from smartstore.domain.people import FloorState, FloorTrack
from smartstore.ledger.journal import Journal, JournalError
from smartstore.palm.tokens import Claims, Verifier, new_signer
from smartstore.payment.gateway import StubGateway
from smartstore.pipeline import PipelineOptions
from smartstore.service import EntryCheck, Service, pipeline_options, status_packet
from smartstore.settings import Settings, parse_settings
from smartstore.wire import messages as m
from smartstore.wire import topics
from smartstore.wire.codec import Packet, Received, decode, encode

COLA = "4006381333931"
ANYBODY = EntryCheck(None)
S = 1_000_000_000
SITE: Any = SimpleNamespace(
    store="corner",
    currency="EUR",
    tax_classes={"standard": 1900},
    cameras={"c1": None},
    fixtures={"g1": SimpleNamespace(id="g1", shelves=("g1-1",), scale="60 Hz")},
    gates=(SimpleNamespace(id="entry"), SimpleNamespace(id="exit")),
    facings={},
    shelves={"g1-1": SimpleNamespace(id="g1-1", fixture="g1")},
    items={COLA: Item(COLA, "Cola", 129, "standard", 350.0, 1.0, (0.1, 0.1, 0.1))},
)


@dataclass
class Script:
    """A pipeline that says what it was told to say when a device's message with this number comes."""

    says: dict[int, Sequence[StoreEvent]]
    at_the_end: Sequence[StoreEvent] = ()
    processed_ns: int = -1
    stats: dict[str, int] = field(default_factory=dict)
    floor: FloorState = field(default_factory=lambda: FloorState(-1, ()))
    owners: dict[int, str] = field(default_factory=dict)

    def feed(self, received: Received) -> Sequence[StoreEvent]:
        self.processed_ns = max(self.processed_ns, received.t_ns)
        said = self.says.get(received.message.seq, ())
        if isinstance(said, Exception):
            raise said
        return said

    def flush(self) -> Sequence[StoreEvent]:
        return self.at_the_end


def beam(seq: int, t_s: float = 1.0) -> Packet:
    event = m.GateEvent(seq=seq, t_ns=round(t_s * S), event_id=f"e{seq}", kind="exit_beam")
    return encode(topics.GATE, "corner", "exit", event)


def entry(seq: int, visit: str | None = "v1", token: str | None = None, party: int | None = 1) -> Packet:
    event = m.GateEvent(seq=seq, t_ns=S, event_id=f"e{seq}", kind="entry", visit=visit, token=token, party_size=party)
    return encode(topics.GATE, "corner", "entry", event)


VISIT: dict[int, Sequence[StoreEvent]] = {
    0: [VisitOpened("v1", S, "gate:0", "token", 1)],
    1: [ItemTaken("v1", 2 * S, "step:1", COLA, 2, "a", 0.99), ItemReturned("v1", 3 * S, "step:2", COLA, 1, "a", 0.98)],
    2: [CaseRaised("v1", 4 * S, "step:3", "case-1", "g1-1", (Candidate(None, COLA, 1, "a", 0.6),))],
    3: [VisitLeft("v1", 5 * S, "gate:3", decided_ns=9 * S)],
}


@dataclass
class App:
    """What an app hears of the store."""

    bus: MemoryBus

    def heard(self) -> list[Received]:
        found = []
        while (packet := self.bus.receive(0)) is not None:
            received = decode(packet)
            assert received is not None
            found.append(received)
        return found

    def heard_of(self, channel: topics.Channel) -> list[Any]:
        return [received.message for received in self.heard() if received.channel is channel]


@dataclass
class Store:
    service: Service
    app: App
    journal: Journal
    gateway: StubGateway
    hub: MemoryHub


@contextmanager
def a_store(
    script: Script, journal: Journal | None = None, verify: EntryCheck = ANYBODY
) -> Iterator[Store]:  # fmt: skip
    hub, book, gateway = MemoryHub(), journal or Journal(), StubGateway()
    with hub.connect(status_packet("corner", "main", "offline", 0)) as bus, hub.connect() as listener:
        listener.subscribe("smartstore/v1/corner/event/#", "smartstore/v1/corner/sys/#")
        yield Store(Service(bus, SITE, script, book, gateway, verify), App(listener), book, gateway, hub)


def test_a_visit_becomes_carts_a_case_and_a_settled_receipt() -> None:
    with a_store(Script(VISIT)) as store:
        for seq in range(4):
            store.service.handle(beam(seq))
        heard = store.app.heard()
    carts = [received.message for received in heard if received.channel is topics.CART]
    assert [(c.seq, c.phase, c.total_minor) for c in carts] == [
        (0, "new", 0), (1, "update", 258), (2, "update", 129), (3, "end", 129)]  # fmt: skip
    (review,) = [received for received in heard if received.channel is topics.REVIEW]
    assert (review.device, review.message.visit, review.message.candidates[0].sku) == ("case-1", "v1", COLA)
    (receipt,) = [received for received in heard if received.channel is topics.RECEIPT]
    assert (receipt.device, receipt.message.left_ns, receipt.message.t_ns) == ("v1", 5 * S, 9 * S)
    assert receipt.message.transaction.total == 129
    assert store.gateway.captured == {"v1": Money(129, "EUR")}
    assert msgspec.json.encode(store.journal.receipt("v1")) == msgspec.json.encode(receipt.message)


def test_nobody_hears_of_what_the_journal_does_not_have() -> None:
    class BrokenJournal(Journal):
        def append(self, events: Sequence[StoreEvent], receipts: Any = None) -> list[StoreEvent]:
            raise JournalError("disk full")

    with a_store(Script(VISIT), BrokenJournal()) as store:
        with pytest.raises(JournalError):
            store.service.handle(beam(0))
        assert store.app.heard_of(topics.CART) == []


def test_what_was_booked_before_is_not_told_again() -> None:
    with a_store(Script(VISIT)) as store:
        for seq in (0, 1, 2, 3, 1, 3, 0):
            store.service.handle(beam(seq))
        heard = store.app.heard()
    assert sum(received.channel is topics.CART for received in heard) == 4
    assert sum(received.channel is topics.RECEIPT for received in heard) == 1
    assert store.gateway.captured == {"v1": Money(129, "EUR")}


def test_what_comes_to_light_after_settling_changes_nothing_and_is_not_lost() -> None:
    late: Sequence[StoreEvent] = [ItemTaken("v1", 2 * S, "step:9", COLA, 5, "a", 0.9)]
    with a_store(Script({**VISIT, 4: late})) as store:
        for seq in range(5):
            store.service.handle(beam(seq))
        assert len(store.app.heard_of(topics.CART)) == 4
    assert store.service.counts["after_settling"] == 1
    assert store.gateway.captured == {"v1": Money(129, "EUR")}
    assert late[0] in store.journal.events("v1")


def test_after_a_crash_before_settling_the_receipt_comes_with_the_next_start() -> None:
    journal = Journal()
    journal.append([event for events in VISIT.values() for event in events])
    with a_store(Script({}), journal) as store:
        store.service.stop()
        store.service.run()
        (receipt,) = store.app.heard_of(topics.RECEIPT)
    assert receipt.transaction.total == 129
    with a_store(Script({}), journal) as store:
        store.service.stop()
        store.service.run()
        assert store.app.heard_of(topics.RECEIPT) == [], "settled once"


def test_the_end_of_a_feed_settles_who_still_waits() -> None:
    script = Script({**VISIT, 3: []}, at_the_end=VISIT[3])
    with a_store(script) as store:
        for seq in range(4):
            store.service.handle(beam(seq))
        assert store.app.heard_of(topics.RECEIPT) == []
        store.service.finish()
        assert len(store.app.heard_of(topics.RECEIPT)) == 1


# Whatever arrives

MALFORMED = [
    Packet("smartstore/v1/corner/event/gate/exit", b"\x00\xff"),
    Packet("smartstore/v1/corner/event/gate/exit", b"{}"),
    Packet("smartstore/v1/corner/data/scale/g1", b"[" * 100_000),
    Packet("smartstore/v1/corner/data/camera/c1/frame", b"\xff\xd8", "image/jpeg", {"t_ns": "yesterday"}),
    Packet("smartstore/v1/corner/data/camera/c1/people", b""),
]


def test_what_cannot_be_read_is_counted_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    with a_store(Script(VISIT)) as store, caplog.at_level(logging.WARNING):
        for _ in range(10):
            for packet in MALFORMED:
                store.service.handle(packet)
        store.service.handle(beam(0))
        assert len(store.app.heard_of(topics.CART)) == 1
    assert store.service.counts["malformed"] == 50
    assert len(caplog.records) == 4, "one line per device: gate, scale, frames, people"


def test_strange_topics_and_fields_are_tolerated_and_counted() -> None:
    body = msgspec.json.decode(beam(0).payload) | {"firmware": "7.1"}
    with a_store(Script(VISIT)) as store:
        store.service.handle(Packet("smartstore/v1/corner/data/lidar/l1", b"?"))
        store.service.handle(Packet(beam(0).topic, msgspec.json.encode(body), qos=1))
        assert len(store.app.heard_of(topics.CART)) == 1
    assert (store.service.counts["unknown_topic"], store.service.counts["unknown_field"]) == (1, 1)


def test_a_message_that_the_pipeline_chokes_on_is_dropped_with_a_trace(caplog: pytest.LogCaptureFixture) -> None:
    says: dict[int, Any] = {7: ZeroDivisionError("no plates"), **VISIT}
    with a_store(Script(says)) as store:
        store.service.handle(beam(7))
        store.service.handle(beam(0))
        assert len(store.app.heard_of(topics.CART)) == 1
    assert store.service.counts["failed"] == 1
    assert "ZeroDivisionError" in caplog.text


# Who may come in

SIGNER = new_signer(b"s" * 32)
TOKEN = SIGNER.sign(Claims("v1", "corner", 2, 0, 60))


@pytest.mark.parametrize(("packet", "admitted"), [
    (entry(0, "v1", TOKEN), True),
    (entry(0, "v1", TOKEN, party=None), True),
    (entry(0, "v1", None), False),
    (entry(0, "v2", TOKEN), False),
    (entry(0, None, TOKEN), False),
    (entry(0, "v1", TOKEN, party=3), False),
    (entry(0, "v1", TOKEN[:-2]), False),
    (entry(0, "v1", SIGNER.sign(Claims("v1", "elsewhere", 2, 0, 60))), False),
], ids=["in order", "party unsaid", "no token", "another visit", "no visit", "too many", "cut", "far"])  # fmt: skip
def test_an_entry_needs_a_token_that_is_in_order(packet: Packet, admitted: bool) -> None:
    verify = EntryCheck(Verifier(SIGNER.key.public_key(), "corner"))
    with a_store(Script(VISIT), verify=verify) as store:
        store.service.handle(packet)
        assert len(store.app.heard_of(topics.CART)) == admitted
    assert store.service.counts["refused_token"] == (not admitted)


@pytest.mark.parametrize(("visit", "refused"), [(None, 0), ("v1", 1)], ids=["staff", "a shopper as staff"])
def test_staff_need_no_token_and_a_visit_is_never_opened_in_their_name(visit: str | None, refused: int) -> None:
    event = m.GateEvent(seq=0, t_ns=S, event_id="e0", kind="entry", visit=visit, staff=True)
    with a_store(Script({}), verify=EntryCheck(Verifier(SIGNER.key.public_key(), "corner"))) as store:
        store.service.handle(encode(topics.GATE, "corner", "entry", event))
    assert store.service.counts["refused_token"] == refused


# Progress and status


def test_progress_follows_event_time_and_is_not_a_flood() -> None:
    with a_store(Script({})) as store:
        for n in range(1000):
            store.service.handle(beam(n, t_s=n / 100))
        progress = store.app.heard_of(topics.PROGRESS)
    assert 80 <= store.service.counts["received"] / 10 <= 110
    assert len(progress) <= 1 + 10 / Settings().service.progress_s
    assert progress == sorted(progress, key=lambda p: p.seq)
    assert progress[-1].processed_ns > 9.7 * S


def test_a_running_service_is_online_until_it_is_told_to_stop() -> None:
    with a_store(Script(VISIT)) as store, store.hub.connect() as gate:
        thread = threading.Thread(target=store.service.run)
        thread.start()
        assert wait_for(store.app, topics.STATUS).state == "online"
        gate.publish(beam(0, t_s=1.0))
        gate.publish(beam(1, t_s=1.01))
        assert wait_for(store.app, topics.CART, seq=2).total_minor == 129
        assert wait_for(store.app, topics.PROGRESS, t_ns=round(1.01 * S)).messages == 2, "the last bit comes when idle"
        store.service.stop()
        thread.join(5)
        assert not thread.is_alive()
        assert wait_for(store.app, topics.STATUS).state == "offline"
    (retained,) = store.hub.retained("smartstore/v1/corner/sys/service-main/status")
    assert b"offline" in retained.payload


def wait_for(app: App, channel: topics.Channel, **fields: Any) -> Any:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        packet = app.bus.receive(0.1)
        received = decode(packet) if packet else None
        if received is None or received.channel is not channel:
            continue
        if all(getattr(received.message, name) == value for name, value in fields.items()):
            return received.message
    raise AssertionError(f"no {channel.name} with {fields}")


# Settings reach the stages


def test_the_defaults_of_the_settings_are_those_of_the_stages() -> None:
    assert pipeline_options(Settings()) == PipelineOptions()


def test_every_setting_arrives_where_it_belongs() -> None:
    options = pipeline_options(
        parse_settings({"timing": {"lateness_s": 2}, "steps": {"noise": {"quantum_grams": 1.5}}})
    )
    assert (options.lateness_s, options.steps.noise.quantum_grams) == (2.0, 1.5)


def test_positions_are_published_a_few_times_a_second_with_the_visit_of_a_track() -> None:
    track = FloorTrack(track=3, t_ns=S, x_m=1.23456, y_m=2.0, vx_m_s=0.0, vy_m_s=0.0, sigma_m=0.1)
    script = Script({}, owners={3: "v1"})
    with a_store(script) as store:
        store.app.bus.subscribe("smartstore/v1/corner/data/#")
        for seq, t_ns in enumerate((S, 11 * S // 10, 5 * S // 4)):
            script.floor = FloorState(t_ns, (track,))
            store.service.handle(beam(seq))
        floors = store.app.heard_of(topics.FLOOR)
    assert [floor.t_ns for floor in floors] == [S, 5 * S // 4]
    assert floors[0].tracks == [m.FloorPerson(track=3, x_m=1.235, y_m=2.0, visit="v1")]


def test_every_explained_change_is_told_with_its_place() -> None:
    with a_store(Script(VISIT)) as store:
        for seq in range(3):
            store.service.handle(beam(seq))
        told = [(r.device, r.message.kind, r.message.quantity) for r in store.app.heard() if r.channel is topics.CHANGE]
    assert told == [("a", "take", 2), ("a", "put_back", 1), ("g1-1", "doubt", 0)]
