"""What does not add up in a journal is found, one by one."""

from typing import Any

import pytest
from msgspec.structs import replace

from smartstore.domain.events import (
    ItemTaken,
    PaymentAnswered,
    PaymentRequested,
    StoreEvent,
    VisitOpened,
    VisitSettled,
)
from smartstore.ledger.audit import audit
from smartstore.ledger.journal import Journal
from smartstore.wire.messages import LineItem, Receipt, RetailTransaction, Tax, Tender

BREAD = "96385074"
SETTLED = VisitSettled("v1", 9, "beam:1", "corner-v1", 249, "EUR", "C1", "Finished")
STORY: list[StoreEvent] = [
    VisitOpened("v1", 5, "gate:1", "token", 1),
    ItemTaken("v1", 6, "step:1", BREAD, 1, "g1-1-a", 0.98),
    PaymentRequested("v1", 9, "capture:v1", "capture", "v1", 249, "EUR", "A1"),
    PaymentAnswered("v1", 9, "capture:v1", "capture", 249, "C1", True, ""),
    SETTLED,
]
TAX = Tax(tax_type="reduced", percent=7.0, taxable_amount=233, amount=16)
LINE = LineItem(sequence_number=1, item_id=BREAD, description="Bread", quantity=1, regular_sales_unit_price=249,
                extended_amount=249, tax=TAX)  # fmt: skip
SALE = RetailTransaction(
    transaction_id="corner-v1", business_unit_id="corner", begin_date_time="", end_date_time="", currency_code="EUR",
    line_item=[LINE], tax=[TAX], tender=[Tender(tender_type="CreditDebit", amount=249, authorization_code="C1")],
    total=249, transaction_status="Finished",
)  # fmt: skip


def problems(more: list[StoreEvent], sale: RetailTransaction | None) -> list[str]:
    with Journal() as journal:
        receipts = {} if sale is None else {"v1": Receipt(seq=0, t_ns=9, phase="new", left_ns=8, transaction=sale)}
        journal.append([*STORY, *more], receipts)
        return audit(journal).problems


def test_a_journal_that_adds_up_has_no_problems() -> None:
    assert problems([], SALE) == []


@pytest.mark.parametrize(("change", "says"), [
    ({"tender": []}, "its tenders are not what the provider confirmed"),
    ({"line_item": [replace(LINE, extended_amount=250)]}, "its lines are not its total"),
    ({"line_item": [replace(LINE, quantity=2)]}, "it bills what the cart does not hold"),
], ids=["money", "sum", "goods"])  # fmt: skip
def test_a_receipt_that_does_not_follow_from_its_visit_is_named(change: dict[str, Any], says: str) -> None:
    assert problems([], replace(SALE, **change)) == [f"receipt corner-v1: {says}"]


def test_a_visit_is_settled_once_and_has_its_receipt() -> None:
    twice = VisitSettled("v1", 9, "beam:2", "corner-v1", 249, "EUR", "C1", "Finished")
    assert problems([twice], SALE) == ["visit v1 was settled 2 times"]
    assert problems([], None) == ["visit v1 has 0 versions of its receipt, not 1"]
