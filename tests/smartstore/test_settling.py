"""The ledger ends right however the payment provider fails: never charged twice, never lost, unpaid is visible."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from smartstore.bus.base import MemoryHub
from smartstore.cli import run
from smartstore.domain.events import PaymentAnswered, PaymentRequested, StoreEvent
from smartstore.domain.money import Money
from smartstore.ledger.audit import audit
from smartstore.ledger.books import Books
from smartstore.ledger.journal import Journal
from smartstore.ledger.settlement import SettlementOptions
from smartstore.ledger.verdicts import Verdict
from smartstore.payment.gateway import Fault, GatewayError, StubGateway, StubOptions, faults_of
from smartstore.site import Site, load_site
from smartstore.wire import topics
from smartstore.wire.codec import Packet, decode
from smartstore.wire.messages import RetailTransaction
from tests.smartstore.judged import OTHER_PLACE, ROOT, doubt, judge, left, opened, price, sku, taken


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(ROOT / "configs/stores/corner.yaml")


def books(site: Site, journal: Journal, provider: StubGateway) -> Books:
    """What a service makes of a journal and a provider; a new one is a new life of it."""
    hub = MemoryHub()
    return Books(hub.deliver, site, journal, provider, SettlementOptions(), "main")


def receipt(journal: Journal, visit: str = "v1") -> RetailTransaction:
    found = journal.receipt(visit)
    assert found is not None
    return found.transaction


def failing(call: str, fault: Fault, times: int = 1) -> StubGateway:
    """A provider that fails the first calls of a kind."""
    return StubGateway(lambda kind, _key, before: fault if kind == call and before < times else None)


CALM = StubGateway
FAILURES: list[tuple[str, Callable[[], StubGateway]]] = [
    ("nothing", CALM),
    ("the gate hears nothing", lambda: failing("authorise", "down")),
    ("the gate's answer is lost", lambda: failing("authorise", "lost_answer")),
    ("the till hears nothing", lambda: failing("capture", "down", 3)),
    ("the till's answer is lost", lambda: failing("capture", "lost_answer", 3)),
    ("both, often", lambda: StubGateway(faults_of(StubOptions(down=0.4, lost_answer=0.4)))),
]


@pytest.mark.parametrize("provider", [f for _, f in FAILURES], ids=[name for name, _ in FAILURES])
def test_who_got_no_answer_asks_again_and_is_charged_once(
    site: Site, journal: Journal, provider: Callable[[], StubGateway]
) -> None:
    psp = provider()
    till = books(site, journal, psp)
    till.book([opened(), taken(site), left()])
    for _ in range(20):
        till.hear_provider()
    total = price(site, OTHER_PLACE)
    assert psp.captured == {"v1": Money(total, "EUR")}
    assert (receipt(journal).transaction_status, receipt(journal).total) == ("Finished", total)
    assert [tender.amount for tender in receipt(journal).tender] == [total]
    assert audit(journal).problems == []


def test_until_there_is_an_answer_the_receipt_is_unpaid_and_seen(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    psp = failing("capture", "lost_answer")
    with Journal(f"sqlite:///{tmp_path / 'store.db'}") as journal:
        till = books(site, journal, psp)
        till.book([opened(), taken(site), left(), opened("v2"), replace(left("v2"), caused_by="exit:v2")])
        assert receipt(journal).transaction_status == "Unpaid"
        assert psp.captured, "the money was taken, nobody knows"
        assert run(["receipts", "--unpaid", "--json", "--db", str(tmp_path / "store.db")]) == 0
        (shown,) = msgspec.json.decode(capsys.readouterr().out)
        assert (shown["TransactionID"], shown["TransactionStatus"]) == ("corner-v1", "Unpaid")
        till.hear_provider()
        assert run(["receipts", "--unpaid", "--json", "--db", str(tmp_path / "store.db")]) == 0
        assert msgspec.json.decode(capsys.readouterr().out) == []


def test_no_receipt_is_told_before_the_journal_has_it(site: Site, journal: Journal) -> None:
    """Settled without an answer, paid later, changed by a verdict: three versions, each kept before it is told."""
    told: list[int] = []

    def publish(packet: Packet) -> None:
        received = decode(packet)
        if received is not None and received.channel is topics.RECEIPT:
            kept = [msgspec.json.encode(version) for version in journal.receipt_versions(received.device)]
            assert msgspec.json.encode(received.message) in kept
            told.append(received.message.seq)

    till = Books(publish, site, journal, failing("capture", "lost_answer"), SettlementOptions(), "main")
    till.book([opened(), taken(site), doubt(site), left()])
    till.hear_provider()
    judge(journal, 1)
    till.hear_verdicts()
    assert told == [0, 1, 2]


def test_a_declined_payment_stays_unpaid_and_takes_nothing(site: Site, journal: Journal) -> None:
    psp = failing("capture", "decline", 99)
    till = books(site, journal, psp)
    till.book([opened(), taken(site), left()])
    till.hear_provider()
    assert (receipt(journal).transaction_status, receipt(journal).tender, psp.captured) == ("Unpaid", [], {})


def test_a_verdict_waits_for_the_answer_to_what_was_asked_before(site: Site, journal: Journal) -> None:
    """Between a lost answer and its repetition a case is decided: the sum is right, whatever was taken before."""
    psp = failing("capture", "lost_answer")
    till = books(site, journal, psp)
    till.book([opened(), taken(site), doubt(site), left()])
    judge(journal, 1)
    till.hear_verdicts()
    till.hear_provider()
    total = price(site) + price(site, OTHER_PLACE)
    assert sum(money.minor for money in psp.captured.values()) == total
    assert (receipt(journal).total, receipt(journal).transaction_status) == (total, "Finished")


@pytest.mark.parametrize("fault", ["down", "lost_answer"])
def test_a_refund_is_given_once_though_its_answer_was_lost(site: Site, journal: Journal, fault: Fault) -> None:
    psp = failing("refund", fault, 2)
    till = books(site, journal, psp)
    till.book([opened(), taken(site), doubt(site), left()])
    judge(journal, Verdict("v1", sku(site, OTHER_PLACE), -1))
    till.hear_verdicts()
    assert receipt(journal).transaction_status == "Overpaid"
    for _ in range(4):
        till.hear_provider()
    assert [money.minor for money in psp.refunded.values()] == [price(site, OTHER_PLACE)]
    assert (receipt(journal).total, receipt(journal).transaction_status) == (0, "Finished")


class PowerCut(BaseException):
    """The process is gone."""


class MortalJournal(Journal):
    """Ends the process at its next writing once it has written ``left`` times."""

    left = 10**9

    def append(self, events: Any, receipts: Any = None) -> list[StoreEvent]:
        if self.left == 0:
            raise PowerCut
        self.left -= 1
        return super().append(events, receipts)


@pytest.mark.parametrize("writings", range(12))
def test_a_crash_after_any_writing_is_made_good_by_the_next_life(site: Site, tmp_path: Path, writings: int) -> None:
    psp, story = StubGateway(), [opened(), taken(site), doubt(site), left()]
    journal = MortalJournal(f"sqlite:///{tmp_path / 'store.db'}")
    journal.left = writings
    try:
        books(site, journal, psp).book(story)
        judge(journal, 1)
        books(site, journal, psp).hear_verdicts()
    except PowerCut:
        pass
    journal.close()
    with Journal(f"sqlite:///{tmp_path / 'store.db'}") as journal:
        till = books(site, journal, psp)
        till.complete()
        till.book(story)  # the pipeline decides it once more
        till.complete()
        judge(journal, 1)
        till.hear_verdicts()
        total = price(site) + price(site, OTHER_PLACE)
        assert sum(money.minor for money in psp.captured.values()) == total
        assert (receipt(journal).total, receipt(journal).transaction_status) == (total, "Finished")
        questions = [event for event in journal.all_events() if isinstance(event, PaymentRequested)]
        answers = [event for event in journal.all_events() if isinstance(event, PaymentAnswered)]
        assert [question.caused_by for question in questions] == [answer.caused_by for answer in answers]
        assert audit(journal).problems == []


def test_who_took_nothing_gets_the_authorisation_back(site: Site, journal: Journal) -> None:
    psp = StubGateway()
    books(site, journal, psp).book([opened(), left()])
    assert (psp.voided, psp.captured, receipt(journal).transaction_status) == (["v1"], {}, "Finished")


def test_a_dispute_is_seen_and_its_end_too(site: Site, journal: Journal) -> None:
    psp = StubGateway()
    till = books(site, journal, psp)
    till.book([opened(), taken(site), left()])
    (tender,) = receipt(journal).tender
    seen = []
    for state in ("open", "won", "open", "lost"):
        psp.dispute(tender.authorization_code or "", Money(tender.amount, "EUR"), state)
        till.hear_provider()
        till.hear_provider()
        seen.append(receipt(journal).transaction_status)
    assert seen == ["Disputed", "Finished", "Finished", "Unpaid"], "a dispute that was won is not opened again"
    assert [t.amount for t in receipt(journal).tender] == [tender.amount, -tender.amount]
    assert len(psp.captured) == 1, "what a cardholder got back is not captured again"
    versions = journal.receipt_versions("v1")
    assert [after.seq - before.seq for before, after in pairwise(versions)] == [1] * (len(versions) - 1)


def test_a_refund_by_a_person_is_an_event_and_so_is_a_void(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    psp, db = StubGateway(), str(tmp_path / "store.db")
    with Journal(f"sqlite:///{db}") as journal:
        till = books(site, journal, psp)
        till.book([opened(), taken(site), replace(taken(site, cause="step:2"), sku=sku(site), quantity=2), left()])
        before = list(journal.all_events())
        assert run(["refund", "corner-v1", "--sku", sku(site), "--quantity", "1", "--by", "Mia", "--db", db]) == 0
        till.hear_verdicts()
        assert receipt(journal).total == price(site) + price(site, OTHER_PLACE)
        assert [money.minor for money in psp.refunded.values()] == [price(site)]
        assert run(["refund", "corner-v1", "--all", "--by", "Mia", "--db", db]) == 0
        till.hear_verdicts()
        assert (receipt(journal).total, receipt(journal).line_item) == (0, [])
        assert sum(m.minor for m in psp.captured.values()) == sum(m.minor for m in psp.refunded.values())
        assert list(journal.all_events())[: len(before)] == before, "nothing was edited"
        capsys.readouterr()
        for wrong, says in ((["--all"], "nothing is left on"), (["--sku", "123", "--quantity", "1"], "is not on")):
            assert run(["refund", "corner-v1", *wrong, "--by", "Mia", "--db", db]) == 2
            assert says in capsys.readouterr().err


def test_the_provider_of_straw_keeps_its_books_over_its_own_end(tmp_path: Path) -> None:
    first = StubGateway(books=tmp_path / "provider.db")
    promise = first.authorise("token", Money(500, "EUR"), "v1")
    capture = first.capture(promise, Money(300, "EUR"), "v1")
    second = StubGateway(books=tmp_path / "provider.db")
    assert second.capture(promise, Money(300, "EUR"), "v1") == capture
    assert second.captured == {"v1": Money(300, "EUR")}
    with pytest.raises(GatewayError, match="used for another capture"):
        second.capture(promise, Money(200, "EUR"), "v1")
