"""From events to carts, prices, stored facts and receipts."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartstore.domain.events import (
    CaseRaised,
    ItemReturned,
    ItemTaken,
    StoreEvent,
    VisitLeft,
    VisitOpened,
    VisitSettled,
)
from smartstore.domain.items import Candidate, Item
from smartstore.domain.money import Money
from smartstore.ledger.cart import PriceList, fold, price
from smartstore.ledger.journal import Journal, JournalError
from smartstore.ledger.payments import Payments
from smartstore.ledger.settlement import Settlement, SettlementOptions, iso_time
from smartstore.payment.gateway import Authorisation, Capture, GatewayError, StubGateway

COLA, BREAD, GUM = "4006381333931", "96385074", "0012345678905"
PRICES = PriceList(
    "EUR",
    {
        COLA: Item(COLA, "Cola", 129, "standard", 350.0, 1.0, (0.06, 0.06, 0.12)),
        BREAD: Item(BREAD, "Bread", 249, "reduced", 500.0, 9.0, (0.1, 0.2, 0.1)),
    },
    {"reduced": 700, "standard": 1900},
)
OPENED = VisitOpened("v1", 10**18, "gate:e1", "token-1", 1)
LEFT = VisitLeft("v1", 10**18 + 65 * 10**9, "gate:e9")


def taken(sku: str, quantity: int = 1, cause: str = "step:1") -> ItemTaken:
    return ItemTaken("v1", 10**18 + 1, cause, sku, quantity, "g1-1-a", 0.98)


def returned(sku: str, quantity: int = 1, cause: str = "step:2") -> ItemReturned:
    return ItemReturned("v1", 10**18 + 2, cause, sku, quantity, "g1-1-a", 0.97)


def doubt(case: str) -> CaseRaised:
    return CaseRaised("v1", 10**18 + 3, f"step:{case}", case, "g1-1", (Candidate("v1", COLA, 1, "g1-1-a", 0.5),))


def lines(*events: StoreEvent) -> dict[str, int]:
    return dict(fold("v1", events).lines)


# Carts


def test_what_is_put_back_is_not_in_the_cart() -> None:
    assert lines(OPENED, taken(COLA, 2), taken(BREAD), returned(COLA), returned(BREAD)) == {COLA: 1}


def test_a_put_back_that_is_known_before_its_take_still_cancels_it() -> None:
    assert lines(OPENED, returned(COLA), taken(COLA)) == {}


@given(st.permutations([taken(COLA, 2), returned(COLA), taken(BREAD), taken(COLA, 3), returned(BREAD)]))
def test_the_order_of_changes_does_not_matter(events: list[StoreEvent]) -> None:
    assert lines(*events) == {COLA: 4}


def test_a_visit_goes_from_shopping_to_left_to_settled_and_then_stands_still() -> None:
    story: list[StoreEvent] = [OPENED, taken(COLA), doubt("c1"), doubt("c1"), LEFT]
    cart = fold("v1", story)
    assert (cart.state, cart.cases, cart.token, cart.left_ns) == ("left", ("c1",), "token-1", LEFT.t_ns)
    settled = VisitSettled("v1", LEFT.t_ns, LEFT.caused_by, "corner-v1", 129, "EUR", "C1", "Finished")
    late = fold("v1", [*story, settled, taken(BREAD, cause="late")])
    assert (late.state, dict(late.lines), late.after_settling) == ("settled", {COLA: 1}, 1)


def test_prices_contain_tax_rounded_once_per_line() -> None:
    priced = price(fold("v1", [taken(COLA, 3), taken(BREAD), taken(GUM)]), PRICES)
    assert [(line.name, line.total_minor, line.tax_minor) for line in priced.lines] == [
        ("Cola", 387, 62),
        ("Bread", 249, 16),
    ]
    assert priced.total_minor == 636
    assert priced.unpriced == (GUM,), "what has no price is named, never billed"


# The journal


def test_a_story_is_read_back_as_it_was_told(journal: Journal) -> None:
    story: list[StoreEvent] = [OPENED, taken(COLA), doubt("c1"), returned(COLA), LEFT]
    other = VisitOpened("v2", 10**18, "gate:e2", "token-2", 3)
    assert journal.append([*story, other]) == [*story, other]
    assert journal.events("v1") == story
    assert list(journal.all_events()) == [*story, other]
    assert journal.visits() == ["v1", "v2"]


def test_the_same_cause_is_booked_once_however_often_it_comes(journal: Journal) -> None:
    assert journal.append([OPENED, taken(COLA)]) == [OPENED, taken(COLA)]
    assert journal.append([taken(COLA), taken(BREAD, cause="step:1"), taken(BREAD, cause="step:7")]) == [
        taken(BREAD, cause="step:7")
    ]
    assert dict(fold("v1", journal.events("v1")).lines) == {COLA: 1, BREAD: 1}


@pytest.mark.parametrize("bad", [
    ItemTaken("v1", 5, "step:3", COLA, "two", "g1-1-a", 0.9),  # type: ignore[arg-type]
    ItemTaken("v1", -5, "step:3", COLA, 1, "g1-1-a", 0.9),
    ItemTaken("v1", 5, "", COLA, 1, "g1-1-a", 0.9),
    ItemTaken("v1", 5, "step:3", COLA, 1, "g1-1-a", float("nan")),
    "an event",
], ids=["text for a number", "before time", "no cause", "not a number", "no event"])  # fmt: skip
def test_an_invalid_event_takes_its_whole_batch_with_it(journal: Journal, bad: StoreEvent) -> None:
    with pytest.raises(JournalError):
        journal.append([OPENED, bad])
    assert list(journal.all_events()) == []


def test_a_file_outlives_its_process_and_lies_in_a_write_ahead_log(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    writer = Journal(url)
    writer.append([OPENED])
    assert (tmp_path / "store.db-wal").exists()
    assert Journal(url, create=False).events("v1") == [OPENED]


@pytest.mark.parametrize(("url", "create", "says"), [
    ("sqlite:///{tmp}/none.db", False, r"there is no journal .*none\.db.*--db"),
    ("sqlite:///{tmp}/no/folder.db", False, "there is no journal"),
    ("sqlite:///{tmp}/no/folder.db", True, "cannot open the journal"),
    ("mysql://u:secret@h/d", True, r"mysql://u:\*\*\*@h/d"),
    ("nonsense", True, "not a usable database address"),
])  # fmt: skip
def test_a_journal_that_cannot_be_opened_is_one_clear_line(tmp_path: Path, url: str, create: bool, says: str) -> None:
    with pytest.raises(JournalError, match=says) as caught:
        Journal(url.format(tmp=tmp_path), create)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, however long one reads it" * 30)
    with pytest.raises(JournalError, match="not a database"):
        Journal(f"sqlite:///{tmp_path / 'text.db'}")


# Settling


def test_a_cart_becomes_a_captured_payment_and_a_receipt() -> None:
    provider = StubGateway()
    till = Settlement("corner", PRICES, Payments(provider, Journal()))
    assert till.open(OPENED).approved
    settled = till.settle(fold("v1", [OPENED, taken(COLA, 3), taken(BREAD), LEFT]), LEFT, LEFT.t_ns + 5)
    transaction = settled.receipt.transaction
    assert (transaction.transaction_id, transaction.total, transaction.transaction_status) == (
        "corner-v1",
        636,
        "Finished",
    )
    assert [(t.tax_type, t.percent, t.taxable_amount, t.amount) for t in transaction.tax] == [
        ("reduced", 7.0, 233, 16), ("standard", 19.0, 325, 62)]  # fmt: skip
    assert transaction.tender[0].amount == 636
    assert (settled.event.total_minor, settled.event.payment) == (636, transaction.tender[0].authorization_code)
    assert provider.captured == {"v1": Money(636, "EUR")}
    assert (transaction.begin_date_time, transaction.end_date_time) == (
        "2001-09-09T01:46:40.000Z", "2001-09-09T01:47:45.000Z")  # fmt: skip


def test_settling_twice_charges_once() -> None:
    provider = StubGateway()
    till = Settlement("corner", PRICES, Payments(provider, Journal()))
    cart = fold("v1", [OPENED, taken(COLA), LEFT])
    assert till.settle(cart, LEFT, 5) == till.settle(cart, LEFT, 5)
    assert provider.captured == {"v1": Money(129, "EUR")}


def test_who_took_nothing_gets_an_empty_receipt_and_no_charge() -> None:
    provider = StubGateway()
    settled = Settlement("corner", PRICES, Payments(provider, Journal())).settle(fold("v1", [OPENED, LEFT]), LEFT, 5)
    transaction = settled.receipt.transaction
    assert (transaction.total, transaction.line_item, transaction.tender) == (0, [], [])
    assert (transaction.transaction_status, provider.captured) == ("Finished", {})


@pytest.mark.parametrize(("policy", "status", "total"), [("leave_off", "Finished", 129), ("hold", "Suspended", 0)])
def test_doubt_is_never_billed(policy: str, status: str, total: int) -> None:
    options = SettlementOptions(doubt=policy)  # type: ignore[arg-type]
    cart = fold("v1", [OPENED, taken(COLA), doubt("c1"), LEFT])
    settled = Settlement("corner", PRICES, Payments(StubGateway(), Journal()), options).settle(cart, LEFT, 5)
    assert (settled.receipt.transaction.transaction_status, settled.event.total_minor) == (status, total)
    assert settled.cases == ("c1",)


def test_a_declined_card_is_a_visible_unpaid_receipt() -> None:
    provider = StubGateway(lambda call, _key, _times: "decline" if call == "authorise" else None)
    till = Settlement("corner", PRICES, Payments(provider, Journal()))
    assert not till.open(OPENED).approved
    settled = till.settle(fold("v1", [OPENED, taken(COLA), LEFT]), LEFT, 5)
    assert (settled.event.status, settled.event.total_minor, settled.receipt.transaction.tender) == ("Unpaid", 129, [])
    assert provider.captured == {}


class SilentGateway:
    """A provider whose line is dead."""

    def authorise(self, token: str, limit: Money, key: str) -> Authorisation:
        raise GatewayError("no answer")

    def capture(self, authorisation: Authorisation, amount: Money, key: str) -> Capture:
        raise GatewayError("no answer")


def test_a_provider_that_does_not_answer_leaves_the_receipt_unpaid() -> None:
    till = Settlement("corner", PRICES, Payments(SilentGateway(), Journal()))
    assert till.open(OPENED).reason == "no answer"
    assert till.settle(fold("v1", [OPENED, taken(COLA), LEFT]), LEFT, 5).event.status == "Unpaid"


def test_receipts_are_kept_with_the_event_that_settled_them(journal: Journal) -> None:
    cart = fold("v1", [OPENED, taken(COLA), LEFT])
    settled = Settlement("corner", PRICES, Payments(StubGateway(), Journal())).settle(cart, LEFT, LEFT.t_ns)
    assert journal.append([OPENED, LEFT, settled.event], {"v1": settled.receipt}) == [OPENED, LEFT, settled.event]
    assert journal.append([settled.event], {"v1": settled.receipt}) == []
    assert journal.receipts() == [settled.receipt]
    assert journal.receipt("corner-v1") == journal.receipt("v1") == settled.receipt
    assert journal.receipt("v2") is None


def test_times_are_written_in_utc() -> None:
    assert iso_time(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123Z"
