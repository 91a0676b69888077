"""What is left of a campaign when all is over, and what of it differs from the undisturbed run.

In: a journal and the payment provider's books, at rest. Out: their contents, and differences in words.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from smartstore.ledger.audit import audit
from smartstore.ledger.cart import fold
from smartstore.ledger.journal import Journal
from smartstore.ledger.settlement import visit_of
from smartstore.payment.gateway import StubGateway
from smartstore.wire.messages import Receipt

EVENTS = "events.jsonl"
"""In the folder of a run: kind, cause and event of everything in its journal, to look at where something differs."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """A store's books at rest. Money in minor units."""

    receipts: Mapping[str, Receipt]
    events: Mapping[tuple[str, str], bytes]
    """Every event of the journal as JSON, by kind and cause."""
    carts: Mapping[str, Mapping[str, int]]
    """What the events of each visit add up to: quantity by SKU."""
    captured: Mapping[str, int]
    """What the provider really took, by receipt."""
    captures: Mapping[str, int]
    """How often it took something, by receipt."""
    problems: tuple[str, ...]
    """What ``smartstore db check`` finds."""


def read_ledger(db: str, provider: Path, store: str) -> Ledger:
    """The books behind these addresses."""
    with Journal(db, create=False) as journal:
        receipts = {receipt.transaction.transaction_id: receipt for receipt in journal.receipts()}
        events = {(type(e).__name__, e.caused_by): msgspec.json.encode(e) for e in journal.all_events()}
        carts = {visit: dict(fold(visit, journal.events(visit)).lines) for visit in journal.visits()}
        problems = tuple(audit(journal).problems)
    captured, captures = Counter[str](), Counter[str]()
    for key, money in StubGateway(books=provider).captured.items():
        name = f"{store}-{key.partition(':')[0]}"
        captured[name] += money.minor
        captures[name] += 1
    return Ledger(receipts, events, carts, captured, captures, problems)


def write_events(ledger: Ledger, folder: Path) -> None:
    """Keeps the events of a journal that will be gone."""
    lines = [msgspec.json.encode((*cause, msgspec.Raw(event))) for cause, event in ledger.events.items()]
    (folder / EVENTS).write_bytes(b"\n".join([*lines, b""]))


def differences(found: Ledger, expected: Ledger) -> list[str]:
    """What differs, in words: receipts, events, payments, and carts that are not what was billed."""
    wrong = [f"the journal does not add up: {problem}" for problem in found.problems]
    for name in sorted(set(found.receipts) | set(expected.receipts)):
        ours, theirs = found.receipts.get(name), expected.receipts.get(name)
        if ours != theirs:
            wrong.append(f"receipt {name}: {_told(ours)}, undisturbed {_told(theirs)}")
    for key in sorted(set(found.events) ^ set(expected.events)):
        wrong.append(f"{'only here' if key in found.events else 'missing'}: {' '.join(key)}")
    shared = set(found.events) & set(expected.events)
    wrong += [f"{' '.join(key)} differs" for key in sorted(shared) if found.events[key] != expected.events[key]]
    for name, receipt in sorted(found.receipts.items()):
        total, taken = receipt.transaction.total, found.captured.get(name, 0)
        if taken != total or found.captures.get(name, 0) != (total > 0):
            wrong.append(f"receipt {name}: {taken} captured in {found.captures.get(name, 0)} payments, due {total}")
        billed = {line.item_id: line.quantity for line in receipt.transaction.line_item}
        if found.carts.get(visit_of(receipt.transaction)) != billed:
            wrong.append(f"receipt {name}: the replay of the journal gives another cart")
    return wrong + [f"captured for nobody: {name}" for name in sorted(set(found.captured) - set(found.receipts))]


def _told(receipt: Receipt | None) -> str:
    if receipt is None:
        return "none"
    return f"{receipt.transaction.total} {receipt.transaction.transaction_status} version {receipt.seq}"
