"""What nobody could tell, and the people who settle it, before the exit and after it: carts, receipts and money."""

from collections import Counter
from dataclasses import replace

import pytest

from smartstore.domain.events import CaseDecided, CaseRaised, ItemReturned, ReceiptAmended
from smartstore.domain.items import Candidate, WeightStep
from smartstore.domain.money import Money
from smartstore.fusion.bookings import Bookings
from smartstore.fusion.changes import Change
from smartstore.fusion.joint import Choice, Hypothesis
from smartstore.fusion.planogram import Planogram
from smartstore.fusion.weights import KnownWeights
from smartstore.ledger.journal import Journal
from smartstore.ledger.verdicts import NOTHING, Verdict, cart_of, decide, read_cases
from smartstore.settings import parse_settings
from smartstore.site import Site, load_site
from smartstore.wire import topics
from tests.smartstore.judged import (
    CASE,
    LATER,
    OTHER_PLACE,
    PLACE,
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
        live = store.service.books.cart("v1")
        assert cart_of(store.journal, "v1") == live, "a replay of the journal is the live state"


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


def test_what_was_given_back_once_is_not_asked_back_of_the_same_payment_again(site: Site) -> None:
    with a_store(site) as store:
        other = replace(doubt(site), case="step-g1-20", caused_by="step:g1:20")
        store.tells(opened(), taken(site), doubt(site), other, left())
        for verdict in (1, NOTHING):
            judge(store.journal, verdict, again=True)
            store.service.hear_verdicts()
        back = Verdict("v1", sku(site, OTHER_PLACE), -1)
        store.journal.append(decide(read_cases(store.journal)[other.case], back, "Mia", LATER))
        store.service.hear_verdicts()
        assert store.paid == 0
        newest = store.journal.receipt("v1")
        assert newest is not None
        assert newest.transaction.transaction_status == "Finished"


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
    bookings, holdings = Bookings(site, Planogram(site), KnownWeights(), 0.75, 5), {"v1": Counter[str]()}
    take, back = (Hypothesis("v1", sku(site), quantity, PLACE, 0.0) for quantity in (1, -1))
    change = Change("step:9", "g1", "g1-2", 9 * S, 9 * S, (PLACE,), of_nothing(site))
    (case,) = bookings.book(change, Choice(take, 0.6, ((take, 0.6),)), 9 * S, holdings)
    later = replace(change, caused_by="step:12")
    (event,) = bookings.book(later, Choice(back, 0.9, ((back, 0.9),)), 12 * S, holdings)
    assert isinstance(case, CaseRaised)
    assert isinstance(event, ItemReturned)
    assert (event.quantity, event.doubtful) == (0, 1)


@pytest.mark.parametrize(("nothing", "cases"), [(0.51, 1), (0.8, 0)], ids=["hardly", "probably"])
def test_that_nothing_went_has_to_be_sure_enough_too(site: Site, nothing: float, cases: int) -> None:
    """The likeliest single explanation is that nothing went; that something did, by one or another, is as likely."""
    bookings = Bookings(site, Planogram(site), KnownWeights(), 0.6, 5)
    change = Change("view:1", "g2", "g2-2", 8 * S, 9 * S, (PLACE,))
    sku = site.facings[PLACE].sku
    taken = [Hypothesis(visit, sku, 1, PLACE, 0.0) for visit in ("v1", "v2")]
    ranking = ((Hypothesis("", "", 0, PLACE, 0.0), nothing), *((claim, (1 - nothing) / 2) for claim in taken))
    events = bookings.book(change, Choice(ranking[0][0], nothing, ranking), 9 * S, {})
    assert [type(event) for event in events] == [CaseRaised] * cases


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


def gone(site: Site) -> tuple[CaseRaised, CaseRaised]:
    """Hands of v1 and v2 met: what v1 took may be with v2 now, so likely that v1 is not billed for it."""
    gift = Candidate("v2", sku(site, OTHER_PLACE), 1, OTHER_PLACE, 0.55, "v1")
    case = CaseRaised("v1", 9 * S, "meeting:v1:v2:9", CASE, OTHER_PLACE, (gift, Candidate(None, "", 0, None, 0.45)),
                      withheld=((sku(site, OTHER_PLACE), 1),))  # fmt: skip
    return case, replace(case, visit="v2", caused_by="meeting:v1:v2:9:also", again=True, withheld=())


@pytest.mark.parametrize(
    ("verdict", "bills"),
    [(1, {"v2": 1}), (NOTHING, {"v1": 1})],
    ids=["it changed hands", "it did not"],
)
def test_what_was_booked_and_came_into_doubt_later_is_billed_to_nobody_until_it_is_decided(
    site: Site, verdict: Verdict | int, bills: dict[str, int]
) -> None:
    with a_store(site) as store:
        store.tells(opened(), opened("v2"), taken(site), *gone(site), left(), left("v2"))
        heard = store.heard()
        carts = [(r.message.total_minor, [(d.sku, d.quantity) for d in r.message.in_doubt])
                 for r in heard if r.channel is topics.CART and r.device == "v1"]  # fmt: skip
        off = [(sku(site, OTHER_PLACE), 1)]
        assert carts == [(0, []), (price(site, OTHER_PLACE), []), (0, off), (0, off)]
        first = {r.device: r.message for r in heard if r.channel is topics.RECEIPT}
        assert {visit: r.transaction.total for visit, r in first.items()} == {"v1": 0, "v2": 0}
        assert [(d.sku, d.quantity) for d in first["v1"].in_doubt] == off and first["v2"].in_doubt == []
        judge(store.journal, verdict)
        store.service.hear_verdicts()
        totals = {visit: price(site, OTHER_PLACE) for visit in bills}
        last = {visit: store.journal.receipt(visit) for visit in ("v1", "v2")}
        assert {visit: r.transaction.total for visit, r in last.items() if r and r.transaction.total} == totals
        assert all(r is not None and r.in_doubt == [] for r in last.values())
        assert store.paid == price(site, OTHER_PLACE)
        for visit in ("v1", "v2"):
            assert cart_of(store.journal, visit) == store.service.books.cart(visit), "a replay is the live state"


def test_what_is_in_doubt_and_put_back_is_not_billed_whatever_is_decided(site: Site) -> None:
    back = ItemReturned("v1", 20 * S, "step:20", sku(site, OTHER_PLACE), 1, OTHER_PLACE, 0.99)
    with a_store(site) as store:
        store.tells(opened(), opened("v2"), taken(site), *gone(site), back, left())
        receipt = store.journal.receipt("v1")
        assert receipt is not None and receipt.in_doubt == []
        judge(store.journal, NOTHING)
        store.service.hear_verdicts()
        assert store.paid == 0


def test_what_has_been_billed_stays_on_the_receipt_when_it_comes_into_doubt(site: Site) -> None:
    with a_store(site) as store:
        store.tells(opened(), opened("v2"), taken(site), left())
        store.tells(*gone(site))
        receipt = store.journal.receipt("v1")
        assert receipt is not None and receipt.transaction.total == price(site, OTHER_PLACE) == store.paid
        judge(store.journal, 1)
        store.service.hear_verdicts()
        assert store.paid == 0, "v2 is still in the store"
        store.tells(left("v2"))
        assert store.paid == price(site, OTHER_PLACE)
