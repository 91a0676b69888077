"""What nobody could tell, and the people who settle it: verdicts told as stories, with carts, receipts and money."""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from smartstore.bus.base import MemoryHub
from smartstore.cli import run
from smartstore.domain.events import (
    CaseDecided,
    CaseRaised,
    ItemReturned,
    ItemTaken,
    ReceiptAmended,
    StoreEvent,
    VerdictApplied,
    VisitLeft,
    VisitOpened,
)
from smartstore.domain.items import Candidate, WeightStep
from smartstore.domain.money import Money
from smartstore.domain.payments import Capture, GatewayError, Refund
from smartstore.domain.people import FloorState
from smartstore.fusion.bookings import Bookings
from smartstore.fusion.changes import Change
from smartstore.fusion.joint import Choice, Hypothesis
from smartstore.fusion.planogram import Planogram
from smartstore.ledger.album import Album
from smartstore.ledger.cart import fold
from smartstore.ledger.journal import Journal, JournalError
from smartstore.ledger.review_cli import picture_folder
from smartstore.ledger.verdicts import NOTHING, Verdict, VerdictError, candidate, cart_of, decide, read_cases
from smartstore.payment.gateway import StubGateway
from smartstore.service import Service, entry_check, status_packet
from smartstore.settings import Settings, parse_settings
from smartstore.site import Site, load_site
from smartstore.wire import topics
from smartstore.wire.codec import Packet, Received, decode, encode
from smartstore.wire.messages import Frame, GateEvent

ROOT = Path(__file__).parents[2]
S = 1_000_000_000
PLACE, OTHER_PLACE = "g1-2-b", "g1-2-d"
CASE = "step-g1-9"
LATER = 100 * S


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(ROOT / "configs/stores/corner.yaml")


@dataclass
class Script:
    """A pipeline that says the next chapter with every message."""

    chapters: list[Sequence[StoreEvent]] = field(default_factory=list)
    processed_ns: int = -1
    stats: dict[str, int] = field(default_factory=dict)
    floor: FloorState = field(default_factory=lambda: FloorState(-1, ()))
    owners: dict[int, str] = field(default_factory=dict)

    def feed(self, received: Received) -> Sequence[StoreEvent]:
        return self.chapters.pop(0) if self.chapters else ()

    def flush(self) -> Sequence[StoreEvent]:
        return ()


@dataclass
class Store:
    """A service with its journal and provider, and what was heard of it."""

    site: Site
    journal: Journal
    gateway: StubGateway
    service: Service
    script: Script
    ear: Any

    def tells(self, *events: StoreEvent) -> None:
        """The pipeline decides something; then the service asks for verdicts, as it does twice a second."""
        self.script.chapters.append(events)
        message = GateEvent(seq=0, t_ns=S, event_id="e", kind="door")
        self.service.handle(encode(topics.GATE, self.site.store, "exit", message))
        self.service.hear_verdicts()

    def heard(self) -> list[Received]:
        found = []
        while (packet := self.ear.receive(0)) is not None:
            received = decode(packet)
            assert received is not None
            found.append(received)
        return found

    def receipts(self) -> list[tuple[str, int, str, int]]:
        """(visit, version, phase, total) of the receipts heard since."""
        return [(r.device, r.message.seq, r.message.phase, r.message.transaction.total)
                for r in self.heard() if r.channel is topics.RECEIPT]  # fmt: skip

    @property
    def paid(self) -> int:
        """Minor units that really moved."""
        taken, back = self.gateway.captured.values(), self.gateway.refunded.values()
        return sum(money.minor for money in taken) - sum(money.minor for money in back)


@contextmanager
def a_store(
    site: Site, journal: Journal | None = None, gateway: StubGateway | None = None, settings: Settings | None = None,
    pictures: Path | None = None,
) -> Iterator[Store]:  # fmt: skip
    hub, book, provider = MemoryHub(), journal or Journal(), gateway or StubGateway()
    with hub.connect(status_packet(site.store, "main", "offline", 0)) as bus, hub.connect() as ear:
        ear.subscribe(f"smartstore/v1/{site.store}/event/#")
        script = Script()
        service = Service(bus, site, script, book, provider, entry_check(None), settings=settings or Settings(),
                          frames=False, pictures=pictures)  # fmt: skip
        yield Store(site, book, provider, service, script, ear)


def sku(site: Site, place: str = PLACE) -> str:
    return site.facings[place].sku


def price(site: Site, place: str = PLACE) -> int:
    return site.items[sku(site, place)].price_minor


def opened(visit: str = "v1") -> VisitOpened:
    return VisitOpened(visit, S, f"gate:{visit}", f"token-{visit}", 1)


def left(visit: str = "v1") -> VisitLeft:
    return VisitLeft(visit, 50 * S, f"exit:{visit}", 55 * S)


def doubt(site: Site) -> CaseRaised:
    """Somebody took one from one of two facings: anna more likely than ben."""
    candidates = (
        Candidate("v1", sku(site), 1, PLACE, 0.5),
        Candidate("v2", sku(site), 1, PLACE, 0.3),
        Candidate("v1", sku(site, OTHER_PLACE), 1, OTHER_PLACE, 0.15),
        Candidate(None, "", 0, PLACE, 0.05),
    )
    return CaseRaised("v1", 9 * S, "step:g1:9", CASE, PLACE, candidates)


def taken(site: Site, visit: str = "v1", cause: str = "step:1") -> ItemTaken:
    return ItemTaken(visit, 5 * S, cause, sku(site, OTHER_PLACE), 1, OTHER_PLACE, 0.99)


def judge(journal: Journal, verdict: Verdict | int, again: bool = False, by: str = "Mia", t_ns: int = LATER) -> None:
    """A person decides, as the command line does: into the journal, whatever else runs."""
    case = read_cases(journal)[CASE]
    chosen = candidate(case.raised, verdict) if isinstance(verdict, int) else verdict
    journal.append(decide(case, chosen, by, t_ns, again))


# Before and after the exit


def test_a_doubtful_take_that_is_decided_before_the_exit_is_on_the_receipt_and_charged_once(site: Site) -> None:
    with a_store(site) as store:
        store.tells(opened(), taken(site), doubt(site))
        judge(store.journal, 1)
        store.service.hear_verdicts()
        heard = store.heard()
        store.tells(left())
        total = price(site) + price(site, OTHER_PLACE)
        assert store.receipts() == [("v1", 0, "new", total)]
        assert store.gateway.captured == {"v1": Money(total, "EUR")}
    reviews = [r.message for r in heard if r.channel is topics.REVIEW]
    assert [(r.phase, r.seq) for r in reviews] == [("new", 0), ("end", 1)]
    assert (reviews[1].verdict.visit, reviews[1].verdict.sku, reviews[1].verdict.quantity) == ("v1", sku(site), 1)
    carts = [r.message.total_minor for r in heard if r.channel is topics.CART]
    assert carts == [0, price(site, OTHER_PLACE), total]


def test_the_same_decided_after_the_receipt_makes_a_new_version_and_charges_the_difference_once(site: Site) -> None:
    with a_store(site) as store:
        store.tells(opened(), taken(site), doubt(site), left())
        assert store.receipts() == [("v1", 0, "new", price(site, OTHER_PLACE))]
        judge(store.journal, 1)
        store.service.hear_verdicts()
        total = price(site) + price(site, OTHER_PLACE)
        assert store.receipts() == [("v1", 1, "update", total)]
        store.service.hear_verdicts()
        assert store.receipts() == [], "once"
        assert store.paid == total
        newest, (amended,) = store.journal.receipt("v1"), store.journal.of_kind(ReceiptAmended)
        assert newest is not None
        assert sum(tender.amount for tender in newest.transaction.tender) == total
        assert isinstance(amended, ReceiptAmended)
        assert (amended.version, amended.total_minor, amended.moved_minor) == (1, total, price(site))
        assert [r.transaction.total for r in store.journal.receipt_versions("v1")] == [price(site, OTHER_PLACE), total]
        assert cart_of(store.journal, "v1") == store.service._carts["v1"], "a replay of the journal is the live state"


def test_a_receipt_is_the_same_whenever_the_case_was_decided(site: Site) -> None:
    lines = []
    for early in (True, False):
        with a_store(site) as store:
            store.tells(opened(), taken(site), doubt(site), *([] if early else [left()]))
            judge(store.journal, 1)
            store.tells(*([left()] if early else []))
            receipt = store.journal.receipt("v1")
            assert receipt is not None
            lines.append(
                (receipt.transaction.line_item, receipt.transaction.tax, receipt.transaction.total, store.paid)
            )
    assert lines[0] == lines[1]


def test_nobodys_sale_closes_the_case_and_moves_no_money(site: Site) -> None:
    with a_store(site) as store:
        store.tells(opened(), taken(site), doubt(site), left())
        store.heard()
        judge(store.journal, NOTHING)
        store.service.hear_verdicts()
        heard = store.heard()
        assert [(r.channel.name, r.message.phase) for r in heard] == [("review", "end")]
        assert store.paid == price(site, OTHER_PLACE)
        assert cart_of(store.journal, "v1").cases == ()
        assert store.journal.of_kind(ReceiptAmended) == []


def test_what_another_one_took_is_on_the_other_ones_receipt(site: Site) -> None:
    with a_store(site) as store:
        store.tells(opened(), opened("v2"), doubt(site), left(), left("v2"))
        store.heard()
        judge(store.journal, 2)
        store.service.hear_verdicts()
        assert store.receipts() == [("v2", 1, "update", price(site))]
        assert store.paid == price(site)


def test_a_verdict_that_is_overruled_gives_the_money_back_and_stays_in_the_journal(site: Site) -> None:
    with a_store(site) as store:
        store.tells(opened(), opened("v2"), taken(site), doubt(site), left(), left("v2"))
        judge(store.journal, 1)
        store.service.hear_verdicts()
        store.heard()
        judge(store.journal, 2, again=True, by="Tom")
        store.service.hear_verdicts()
        heard = store.heard()
        totals = {r.device: (r.message.seq, r.message.transaction.total) for r in heard if r.channel is topics.RECEIPT}
        assert totals == {"v1": (2, price(site, OTHER_PLACE)), "v2": (1, price(site))}
        assert [r.message.phase for r in heard if r.channel is topics.REVIEW] == ["update"]
        assert [money.minor for money in store.gateway.refunded.values()] == [price(site)]
        assert store.paid == price(site) + price(site, OTHER_PLACE)
        newest = store.journal.receipt("v1")
        assert newest is not None
        assert [tender.amount for tender in newest.transaction.tender] == [
            price(site, OTHER_PLACE), price(site), -price(site)]  # fmt: skip
        said = [(d.by, d.visit, d.mover) for d in store.journal.of_kind(CaseDecided) if isinstance(d, CaseDecided)]
    assert said == [("Mia", "v1", "v1"), ("Tom", "v1", "v2"), ("Tom", "v2", "v2")]


def test_a_put_back_that_was_billed_is_refunded(site: Site) -> None:
    with a_store(site) as store:
        store.tells(opened(), taken(site), doubt(site), left())
        judge(store.journal, Verdict("v1", sku(site, OTHER_PLACE), -1))
        store.service.hear_verdicts()
        assert store.receipts()[-1] == ("v1", 1, "update", 0)
        assert store.paid == 0


def test_a_receipt_that_was_held_is_paid_when_its_last_case_is_decided(site: Site) -> None:
    with a_store(site, settings=parse_settings({"settlement": {"doubt": "hold"}})) as store:
        other = replace(doubt(site), case="step-g1-20", caused_by="step:g1:20")
        store.tells(opened(), taken(site), doubt(site), other, left())
        judge(store.journal, 1)
        store.service.hear_verdicts()
        assert store.receipts() == [("v1", 0, "new", 0)], "one case is open yet"
        store.journal.append(decide(read_cases(store.journal)[other.case], NOTHING, "Mia", LATER))
        store.service.hear_verdicts()
        total = price(site) + price(site, OTHER_PLACE)
        assert store.receipts() == [("v1", 1, "update", total)]
        assert store.paid == total


def test_a_paid_receipt_is_not_held_again_by_cases_that_come_to_light_later(site: Site) -> None:
    with a_store(site, settings=parse_settings({"settlement": {"doubt": "hold"}})) as store:
        other = replace(doubt(site), case="step-g1-20", caused_by="step:g1:20")
        store.tells(opened(), taken(site), left())
        store.tells(doubt(site), other)
        judge(store.journal, NOTHING)
        store.service.hear_verdicts()
        assert store.receipts() == [("v1", 0, "new", price(site, OTHER_PLACE))]
        assert store.gateway.refunded == {}


@pytest.mark.parametrize("early", [True, False], ids=["before the put-back", "after it"])
def test_what_was_put_back_before_anybody_looked_is_not_billed(site: Site, early: bool) -> None:
    back = ItemReturned("v1", 12 * S, "step:12", sku(site), 0, PLACE, 0.9, doubtful=1)
    with a_store(site) as store:
        store.tells(opened(), doubt(site), *([] if early else [back]))
        judge(store.journal, 1)
        store.tells(*([back] if early else []), left())
        assert store.receipts() == [("v1", 0, "new", 0)]


def test_putting_back_what_was_taken_in_doubt_is_booked_as_doubtful(site: Site) -> None:
    bookings, holdings = Bookings(site, Planogram(site), 0.75, 5), {"v1": Counter[str]()}
    take, back = (Hypothesis("v1", sku(site), quantity, PLACE, 0.0) for quantity in (1, -1))
    change = Change("step:9", "g1", "g1-2", 9 * S, 9 * S, (PLACE,), of_nothing(site))
    (case,) = bookings.book(change, Choice(take, 0.6, ((take, 0.6),)), 9 * S, holdings)
    later = replace(change, caused_by="step:12")
    (event,) = bookings.book(later, Choice(back, 0.9, ((back, 0.9),)), 12 * S, holdings)
    assert isinstance(case, CaseRaised)
    assert isinstance(event, ItemReturned)
    assert (event.quantity, event.doubtful) == (0, 1)


def of_nothing(site: Site) -> WeightStep:
    return WeightStep("g1", "g1-2", 9 * S, 9 * S, -100.0, 1.0, ((site.facings[PLACE].plates[0], -100.0),))


def test_a_case_that_comes_to_light_after_the_receipt_can_be_decided_too(site: Site) -> None:
    with a_store(site) as store:
        store.tells(opened(), left(), doubt(site))
        assert [r.device for r in store.heard() if r.channel is topics.REVIEW] == [CASE]
        judge(store.journal, 1)
        store.service.hear_verdicts()
        assert store.receipts() == [("v1", 1, "update", price(site))]


def test_what_was_sold_keeps_its_price(site: Site) -> None:
    journal = Journal()
    with a_store(site, journal) as store:
        store.tells(opened(), taken(site), doubt(site), left())
    dearer = replace(site, items={name: replace(item, price_minor=999) for name, item in site.items.items()})
    judge(journal, 1)
    with a_store(dearer, journal) as store:
        store.service.hear_verdicts()
        assert store.receipts() == [("v1", 1, "update", price(site, OTHER_PLACE) + 999)]


# Nothing twice, nothing lost


def test_a_verdict_given_while_no_service_runs_takes_effect_with_the_next_start_and_only_then(site: Site) -> None:
    journal, gateway = Journal(), StubGateway()
    with a_store(site, journal, gateway) as store:
        store.tells(opened(), taken(site), doubt(site), left())
    judge(journal, 1)
    for expected in ([("v1", 1, "update", price(site) + price(site, OTHER_PLACE))], []):
        with a_store(site, journal, gateway) as store:
            store.service.stop()
            store.service.run()
            assert store.receipts() == expected
    assert sum(money.minor for money in gateway.captured.values()) == price(site) + price(site, OTHER_PLACE)


def test_a_case_of_a_visit_that_an_earlier_run_settled_can_be_decided(site: Site) -> None:
    journal, gateway = Journal(), StubGateway()
    with a_store(site, journal, gateway) as store:
        store.tells(opened(), left())
    with a_store(site, journal, gateway) as store:
        store.tells(doubt(site))
        judge(journal, 1)
        store.service.hear_verdicts()
        assert store.receipts() == [("v1", 1, "update", price(site))]


def test_a_crash_between_payment_and_journal_charges_once(site: Site) -> None:
    class Crashing(Journal):
        armed = False

        def append(self, events: Sequence[StoreEvent], receipts: Any = None) -> list[StoreEvent]:
            if self.armed and any(isinstance(event, VerdictApplied) for event in events):
                raise JournalError("the power is gone")
            return super().append(events, receipts)

    journal, gateway = Crashing(), StubGateway()
    with a_store(site, journal, gateway) as store:
        store.tells(opened(), doubt(site), left())
        judge(journal, 1)
        journal.armed = True
        with pytest.raises(JournalError):
            store.service.hear_verdicts()
    assert sum(money.minor for money in gateway.captured.values()) == price(site)
    journal.armed = False
    judge(journal, 3, again=True, t_ns=LATER + S)  # a second verdict comes before the first one is in effect
    with a_store(site, journal, gateway) as store:
        store.service.hear_verdicts()
        assert store.receipts() == [("v1", 1, "update", price(site)), ("v1", 2, "update", price(site, OTHER_PLACE))]
        assert store.paid == price(site, OTHER_PLACE)


def test_a_verdict_that_reaches_the_journal_just_before_the_receipt_is_not_lost(site: Site) -> None:
    with a_store(site) as store:
        store.tells(opened(), doubt(site))
        judge(store.journal, 1)
        store.service._book([left()])  # the service has not asked the journal since
        store.service.hear_verdicts()
        assert store.receipts() == [("v1", 0, "new", 0), ("v1", 1, "update", price(site))]
        assert store.paid == price(site)


class Unwilling(StubGateway):
    """A provider that gives nothing back, or does not answer."""

    silent = False

    def refund(self, capture: Capture, amount: Money, key: str) -> Refund:
        if self.silent:
            raise GatewayError("no answer")
        return Refund("", amount, approved=False, reason="no")


@pytest.mark.parametrize("silent", [True, False])
def test_money_that_could_not_be_given_back_is_seen_on_the_receipt(site: Site, silent: bool) -> None:
    gateway = Unwilling()
    gateway.silent = silent
    with a_store(site, gateway=gateway) as store:
        store.tells(opened(), taken(site), doubt(site), left())
        judge(store.journal, Verdict("v1", sku(site, OTHER_PLACE), -1))
        store.service.hear_verdicts()
        receipt = store.journal.receipt("v1")
        assert receipt is not None
        assert (receipt.transaction.total, receipt.transaction.transaction_status) == (0, "Overpaid")


def test_what_is_above_the_limit_of_the_gate_is_a_visible_unpaid_receipt(site: Site) -> None:
    settings = parse_settings({"settlement": {"limit_minor": price(site, OTHER_PLACE)}})
    with a_store(site, settings=settings) as store:
        store.tells(opened(), taken(site), doubt(site), left())
        judge(store.journal, 1)
        store.service.hear_verdicts()
        receipt = store.journal.receipt("v1")
        assert receipt is not None
        assert receipt.transaction.transaction_status == "Unpaid"
        assert store.paid == price(site, OTHER_PLACE)


def test_the_same_verdict_twice_is_one_and_another_one_needs_to_be_meant(site: Site) -> None:
    journal = Journal()
    journal.append([opened(), opened("v2"), doubt(site)])
    judge(journal, 1)
    assert decide(read_cases(journal)[CASE], candidate(doubt(site), 1), "Tom", LATER + S) == []
    with pytest.raises(VerdictError, match=rf"decided otherwise by Mia \(v1 took 1 of {sku(site)}\); --again"):
        judge(journal, NOTHING)
    judge(journal, NOTHING, again=True)
    case = read_cases(journal)[CASE]
    assert [decided.decision for decided in case.decisions] == [1, 2]
    assert fold("v1", journal.events("v1")).lines == ()


def test_of_two_people_who_decide_at_once_one_is_told_that_it_is_too_late(site: Site) -> None:
    journal = Journal()
    journal.append([opened(), doubt(site)])
    case = read_cases(journal)[CASE]
    assert journal.append(decide(case, candidate(case.raised, 1), "Mia", LATER))
    assert journal.append(decide(case, NOTHING, "Tom", LATER)) == []


def test_a_candidate_that_is_nobody_is_nobodys_sale(site: Site) -> None:
    assert candidate(doubt(site), 4) == NOTHING
    with pytest.raises(VerdictError, match="candidates 1 to 4, not 5"):
        candidate(doubt(site), 5)
    with pytest.raises(VerdictError, match="not 0"):
        candidate(doubt(site), 0)


def test_a_journal_of_before_versions_is_one_clear_line(tmp_path: Path) -> None:
    import sqlite3

    with Journal(f"sqlite:///{tmp_path / 'old.db'}"):
        pass
    with sqlite3.connect(tmp_path / "old.db") as database:
        database.execute("ALTER TABLE receipt RENAME COLUMN version TO edition")
    with pytest.raises(JournalError, match=r"old\.db was written by an older smartstore"):
        Journal(f"sqlite:///{tmp_path / 'old.db'}", create=False)


# Pictures


def picture(camera: str, t_s: float, body: bytes = b"") -> Packet:
    t_ns = round(t_s * S)
    frame = Frame(seq=0, t_ns=t_ns, width=64, height=48, jpeg=b"\xff\xd8" + (body or f"{camera}{t_s:.1f}".encode()))
    return encode(topics.FRAME, "corner", camera, frame)


def test_a_case_keeps_the_pictures_that_show_its_place_around_its_time(site: Site, tmp_path: Path) -> None:
    with a_store(site, pictures=tmp_path / "cases") as store:
        for tenth in range(0, 140, 2):
            for camera in site.cameras:
                store.service.handle(picture(camera, tenth / 10))
        store.tells(opened(), doubt(site))
        (review,) = [r.message for r in store.heard() if r.channel is topics.REVIEW]
        (raised,) = store.journal.of_kind(CaseRaised)
    assert (review.fixture, review.shelf, review.facing) == ("g1", "g1-2", PLACE)
    assert isinstance(raised, CaseRaised)
    assert [p.file for p in raised.pictures] == [p.file for p in review.pictures]
    by_camera = {camera: [p.t_ns / S for p in raised.pictures if p.camera == camera] for camera in site.cameras}
    shown = {camera for camera, times in by_camera.items() if times}
    assert set(site.watchers_of("g1")) < shown, "the shelf's own camera, and from above"
    assert len(shown) <= len(site.watchers_of("g1")) + 2
    for times in (by_camera[camera] for camera in shown):
        assert len(times) == 5
        assert all(abs(t - wanted) < 0.3 for t, wanted in zip(times, (6, 8, 9, 10, 11), strict=True))
    first = raised.pictures[0]
    assert (
        tmp_path / "cases" / first.file
    ).read_bytes() == b"\xff\xd8" + f"{first.camera}{first.t_ns / S:.1f}".encode()


def test_a_case_at_a_gate_shows_the_gate_from_above(site: Site, tmp_path: Path) -> None:
    album = Album(site, tmp_path)
    for camera in site.cameras:
        album.see(camera, picture(camera, 9.0))
    case = CaseRaised("", 9 * S, "tailgater:7", "tailgater-7", "entry", ())
    seen = [taken.camera for taken in album.illustrated(case).pictures]
    assert len(seen) == 2
    assert {site.cameras[camera].kind for camera in seen} == {"ceiling"}


def test_pictures_kept_for_cases_are_bounded(site: Site, tmp_path: Path) -> None:
    album = Album(site, tmp_path)
    for tenth in range(6000):
        album.see(next(iter(site.cameras)), picture("any", tenth / 10))
        album.see("nobody's", picture("any", tenth / 10))
    kept = album._kept
    assert set(kept) == set(site.cameras)
    assert sum(len(pictures) for pictures in kept.values()) == 75


def test_without_a_folder_or_with_a_full_disk_a_case_is_still_a_case(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    for folder in (None, tmp_path / "file"):
        album = Album(site, folder)
        for camera in site.cameras:
            album.see(camera, picture(camera, 9.0))
            album.see(camera, Packet(picture(camera, 9.0).topic, b"", properties={"t_ns": "yesterday"}))
        assert album.illustrated(doubt(site)).pictures == ()
    assert "cannot be kept" in caplog.text


# The command line


@pytest.fixture
def db(site: Site, tmp_path: Path) -> str:
    """A journal with a settled visit and its open case."""
    with Journal(f"sqlite:///{tmp_path / 'store.db'}") as journal, a_store(site, journal) as store:
        store.tells(opened(), opened("v2"), taken(site), doubt(site), left())
    return str(tmp_path / "store.db")


def tell(*arguments: object) -> int:
    return run([str(argument) for argument in arguments])


def test_a_case_is_listed_shown_and_decided(db: str, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell("review", "list", "--db", db) == 0
    assert CASE in capsys.readouterr().out
    assert tell("review", "show", CASE, "--db", db, "--store", ROOT / "configs/stores/corner.yaml") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"took 1 × {site.items[sku(site)].name}" in shown
    assert tell("review", "decide", CASE, "--candidate", 1, "--by", "Mia", "--db", db) == 0
    assert tell("review", "decide", CASE, "--candidate", 1, "--by", "Mia", "--db", db) == 0
    assert "decided before" in capsys.readouterr().out
    assert tell("review", "list", "--db", db) == 0
    assert CASE not in capsys.readouterr().out
    assert tell("review", "list", "--all", "--json", "--db", db) == 0
    (document,) = json.loads(capsys.readouterr().out)
    assert (document["open"], document["decisions"][0]["by"]) == (False, "Mia")


def test_a_verdict_in_own_words_knows_the_catalogue(db: str, site: Site) -> None:
    other = sku(site, "g3-2-c")
    words = ["review", "decide", CASE, "--sku", other, "--visit", "v2", "--quantity", "-1", "--by", "Mia", "--db", db]
    assert tell(*words) == 2
    assert tell(*words, "--store", ROOT / "configs/stores/corner.yaml") == 0
    with Journal(f"sqlite:///{db}", create=False) as journal:
        last = read_cases(journal)[CASE].last
    assert last is not None
    assert (last.mover, last.sku, last.quantity) == ("v2", other, -1)


def test_a_running_service_notices_by_itself(db: str, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    with Journal(f"sqlite:///{db}") as journal, a_store(site, journal) as store:
        thread = threading.Thread(target=store.service.run)
        thread.start()
        assert tell("review", "decide", CASE, "--candidate", 1, "--by", "Mia", "--db", db) == 0
        for _ in range(100):
            packet = store.ear.receive(0.1)
            received = decode(packet) if packet else None
            if received is not None and received.channel is topics.RECEIPT:
                break
        store.service.stop()
        thread.join(5)
    assert received is not None
    assert received.message.transaction.total == price(site) + price(site, OTHER_PLACE)
    assert tell("receipt", "v1", "--db", db) == 0
    shown = capsys.readouterr().out
    assert "before a person decided" in shown
    assert "to be reviewed" not in shown


BAD = {
    "no such case": (["show", "x"], "there is no case x .*review list --all"),
    "no way": (["decide", CASE, "--by", "Mia"], "in one way: --candidate N, or --nothing, or"),
    "two ways": (["decide", CASE, "--by", "Mia", "--nothing", "--candidate", "1"], "in one way"),
    "nobody decides": (["decide", CASE, "--nothing"], "Missing option '--by'"),
    "a blank decides": (["decide", CASE, "--nothing", "--by", " "], "say who decides"),
    "no such candidate": (["decide", CASE, "--by", "Mia", "--candidate", "9"], "candidates 1 to 4, not 9"),
    "half a sentence": (["decide", CASE, "--by", "Mia", "--sku", "1"], "go together"),
    "none taken": (["decide", CASE, "--by", "Mia", "--sku", "1", "--visit", "v1", "--quantity", "0"], "not 0"),
    "no such visit": (["decide", CASE, "--by", "M", "--sku", "1", "--visit", "v9", "--quantity", "1"], "no visit v9"),
    "no such item": (["decide", CASE, "--by", "M", "--sku", "1", "--visit", "v1", "--quantity", "1"], "--store FILE"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_one_line(name: str, db: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, says = BAD[name]
    assert tell("review", *words, "--db", db) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.strip().splitlines()
    assert re.search(says, line), line


def test_pictures_lie_beside_the_file_of_the_journal() -> None:
    assert picture_folder("data/runs/store.db") == Path("data/runs/store.pictures")
    assert picture_folder("sqlite:////var/store.db") == Path("/var/store.pictures")
    assert picture_folder("postgresql+psycopg://h/d") is None
    assert picture_folder("sqlite://") is None
