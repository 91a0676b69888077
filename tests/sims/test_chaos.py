"""Chaos in short: real processes, real kills; and the comparison sees what it is there to see."""

from dataclasses import replace
from pathlib import Path

import pytest

from sims.chance import stream
from sims.lab.chaos import Feed, Plan, blows, chaos, main
from sims.lab.chaos_check import EVENTS, Ledger, differences
from sims.lab.product import Palms
from smartstore.wire.messages import LineItem, Receipt, RetailTransaction, Tax, Tender

ONE = Path(__file__).parents[2] / "configs/scenarios/corner-quiet.yaml"


def test_a_visit_survives_kills_of_everything(tmp_path: Path) -> None:
    calm, stormy = chaos(Plan(visits=1, service=2, broker=1, database=1, seed=473), ["sqlite"], tmp_path, ONE)
    assert (stormy["service"], stormy["broker"], stormy["database"]) == (2, 1, 1)
    assert stormy["restarts"] >= 2
    assert stormy["differences"] == []
    assert calm["receipts"] == stormy["receipts"] == 1
    events = [(tmp_path / run / EVENTS).read_text().splitlines() for run in ("undisturbed", "sqlite")]
    assert sorted(events[0]) == sorted(events[1]) and len(events[0]) == calm["events"]


def test_blows_come_at_the_moments_of_their_seed() -> None:
    feed = Feed(ONE, "corner", [(0, ()), (10**12, ())], Palms("corner", 1))
    plan = Plan()
    found = blows(plan, feed, stream(1, "chaos/sqlite"))
    assert found == blows(plan, feed, stream(1, "chaos/sqlite")) != blows(plan, feed, stream(2, "chaos/sqlite"))
    assert {kind: sum(k == kind for _, k in found) for _, kind in found} == {
        "service": plan.service, "broker": plan.broker, "database": plan.database}  # fmt: skip


TAX = Tax(tax_type="reduced", percent=7.0, taxable_amount=233, amount=16)
LINE = LineItem(sequence_number=1, item_id="96385074", description="Bread", quantity=1, regular_sales_unit_price=249,
                extended_amount=249, tax=TAX)  # fmt: skip
SALE = RetailTransaction(
    transaction_id="corner-v1", business_unit_id="corner", begin_date_time="", end_date_time="", currency_code="EUR",
    line_item=[LINE], tax=[TAX], tender=[Tender(tender_type="CreditDebit", amount=249, authorization_code="C1")],
    total=249, transaction_status="Finished",
)  # fmt: skip
RECEIPT = Receipt(seq=0, t_ns=9, phase="new", left_ns=5, transaction=SALE)
CALM = Ledger({"corner-v1": RECEIPT}, {("VisitOpened", "gate:1"): b"{}"}, {"v1": {"96385074": 1}},
              {"corner-v1": 249}, {"corner-v1": 1}, ())  # fmt: skip


def test_what_is_equal_differs_in_nothing() -> None:
    assert differences(CALM, CALM) == []


@pytest.mark.parametrize(("change", "says"), [
    ({"receipts": {}}, "corner-v1: none"),
    ({"receipts": {"corner-v1": Receipt(seq=1, t_ns=9, phase="new", left_ns=5, transaction=SALE)}}, "version 1"),
    ({"events": {}}, "missing: VisitOpened gate:1"),
    ({"events": {**CALM.events, ("ItemTaken", "step:1"): b"{}"}}, "only here: ItemTaken step:1"),
    ({"events": {("VisitOpened", "gate:1"): b"[]"}}, "VisitOpened gate:1 differs"),
    ({"captured": {"corner-v1": 498}, "captures": {"corner-v1": 2}}, "498 captured in 2 payments, due 249"),
    ({"captured": {}, "captures": {}}, "0 captured in 0 payments"),
    ({"captured": {**CALM.captured, "corner-v9": 5}}, "captured for nobody: corner-v9"),
    ({"carts": {"v1": {"96385074": 2}}}, "gives another cart"),
    ({"problems": ("event 3 cannot be read",)}, "does not add up: event 3"),
], ids=["lost", "another version", "event lost", "event twice", "event changed", "twice", "never", "nobody", "cart",
        "unreadable"])  # fmt: skip
def test_every_difference_is_seen(change: dict[str, object], says: str) -> None:
    assert any(says in text for text in differences(replace(CALM, **change), CALM))  # type: ignore[arg-type]


@pytest.mark.parametrize(("arguments", "says"), [
    (["--visits", "0", "--on", "sqlite"], "at least one visit"),
    (["--service", "-1", "--on", "sqlite"], "less than never"),
    (["--on", "postgresql"], "there is no PostgreSQL here"),
])  # fmt: skip
def test_what_cannot_be_played_is_said_before_anything_is(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["chaos", *arguments])
    monkeypatch.setattr("sims.lab.chaos.binaries", lambda: None)
    with pytest.raises(SystemExit, match="2"):
        main()
    assert says in capsys.readouterr().err
