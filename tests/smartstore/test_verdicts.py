"""Verdicts count once and none is lost, whatever stops, comes late, or says no."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smartstore.domain.events import CaseRaised, StoreEvent, VerdictApplied
from smartstore.domain.items import Candidate
from smartstore.domain.money import Money
from smartstore.domain.payments import Capture, GatewayError, Refund
from smartstore.ledger.cart import fold
from smartstore.ledger.journal import Journal, JournalError
from smartstore.ledger.verdicts import NOTHING, Verdict, VerdictError, candidate, decide, read_cases
from smartstore.payment.gateway import StubGateway
from smartstore.settings import parse_settings
from smartstore.site import Site, load_site
from smartstore.wire import topics
from tests.smartstore.judged import (
    CASE,
    LATER,
    OTHER_PLACE,
    ROOT,
    S,
    a_store,
    doubt,
    judge,
    left,
    opened,
    price,
    sku,
    taken,
)


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(ROOT / "configs/stores/corner.yaml")


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
            assert journal.pending_verdicts() == []
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
        store.service.books.book([left()])  # the service has not asked the journal since
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
        database.execute("DROP TABLE alembic_version")
    with pytest.raises(JournalError, match=r"old\.db was written by an older smartstore"):
        Journal(f"sqlite:///{tmp_path / 'old.db'}", create=False)


def handed_over(site: Site) -> tuple[CaseRaised, CaseRaised]:
    """v1 took something and then met v2: whoever leaves with it pays. One case, told to both visits."""
    goods = sku(site, OTHER_PLACE)
    candidates = (Candidate("v2", goods, 1, OTHER_PLACE, 0.5, giver="v1"), Candidate(None, "", 0, OTHER_PLACE, 0.5))
    case = CaseRaised("v1", 9 * S, "meeting:1", CASE, OTHER_PLACE, candidates)
    return case, replace(case, visit="v2", caused_by="meeting:1:also", again=True)


def test_a_verdict_that_something_was_handed_over_moves_the_line_from_one_receipt_to_the_other(site: Site) -> None:
    with a_store(site) as store:
        store.tells(opened("v1"), opened("v2"), taken(site), *handed_over(site))
        store.tells(left("v1"), left("v2"))
        cost = price(site, OTHER_PLACE)
        assert store.receipts() == [("v1", 0, "new", cost), ("v2", 0, "new", 0)]
        judge(store.journal, 1)
        store.service.hear_verdicts()
        assert store.receipts() == [("v1", 1, "update", 0), ("v2", 1, "update", cost)]
        assert store.paid == cost
        judge(store.journal, NOTHING, again=True, t_ns=LATER + S)
        store.service.hear_verdicts()
        assert store.receipts() == [("v1", 2, "update", cost), ("v2", 2, "update", 0)]
        assert store.paid == cost


def test_a_case_of_two_visits_holds_both_receipts_and_is_told_once(site: Site) -> None:
    with a_store(site, settings=parse_settings({"settlement": {"doubt": "hold"}})) as store:
        store.tells(opened("v1"), opened("v2"), taken(site), *handed_over(site))
        assert [r.device for r in store.heard() if r.channel is topics.REVIEW] == [CASE]
        store.tells(left("v1"), left("v2"))
        store.heard()
        receipts = [store.journal.receipt(visit) for visit in ("v1", "v2")]
        assert [r and r.transaction.transaction_status for r in receipts] == ["Suspended", "Suspended"]
        judge(store.journal, NOTHING)
        store.service.hear_verdicts()
        assert store.receipts() == [("v1", 1, "update", price(site, OTHER_PLACE)), ("v2", 1, "update", 0)]
