"""Whether a journal adds up: every event can be read, every receipt follows from the events of its visit.

In: a journal. Out: counts, and problems in words.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from smartstore.domain.events import ReceiptAmended, StoreEvent, VisitSettled
from smartstore.ledger.cart import fold
from smartstore.ledger.journal import Journal, JournalError
from smartstore.ledger.payments import account_of
from smartstore.wire.messages import Receipt


@dataclass(slots=True)
class Audit:
    """What a journal holds, and what of it does not add up."""

    events: int = 0
    visits: int = 0
    receipts: int = 0
    open: int = 0
    unpaid: int = 0
    problems: list[str] = field(default_factory=list)


def audit(journal: Journal) -> Audit:
    """Reads the whole journal."""
    found = Audit()
    stories: dict[str, list[StoreEvent]] = defaultdict(list)
    for number, event in journal.numbered_events():
        found.events += 1
        if isinstance(event, JournalError):
            found.problems.append(f"event {number} cannot be read ({event})")
        elif event.visit:
            stories[event.visit].append(event)
    for visit, story in stories.items():
        _check(found, visit, story, journal.receipt_versions(visit))
    found.visits = len(stories)
    return found


def _check(found: Audit, visit: str, story: list[StoreEvent], receipts: list[Receipt]) -> None:
    settled = [event for event in story if isinstance(event, VisitSettled)]
    amended = [event for event in story if isinstance(event, ReceiptAmended)]
    if not settled:
        found.open += 1
        return
    found.receipts += 1
    if len(settled) > 1:
        found.problems.append(f"visit {visit} was settled {len(settled)} times")
    if len(receipts) != 1 + len(amended):
        found.problems.append(f"visit {visit} has {len(receipts)} versions of its receipt, not {1 + len(amended)}")
        return
    newest = receipts[-1].transaction
    found.unpaid += newest.transaction_status in ("Unpaid", "Disputed")
    moved = sum(tender.amount for tender in account_of(story).tenders(newest.tender))
    if moved != sum(tender.amount for tender in newest.tender):
        found.problems.append(f"receipt {newest.transaction_id}: its tenders are not what the provider confirmed")
    if sum(line.extended_amount for line in newest.line_item) != newest.total:
        found.problems.append(f"receipt {newest.transaction_id}: its lines are not its total")
    cart = fold(visit, story)
    billed = {line.item_id: line.quantity for line in newest.line_item}
    if newest.transaction_status != "Suspended" and not billed.items() <= dict(cart.lines).items():
        found.problems.append(f"receipt {newest.transaction_id}: it bills what the cart does not hold")
