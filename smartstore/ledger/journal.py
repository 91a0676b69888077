"""The append-only journal: everything that was decided, in a database, before anybody hears of it.

In: events in the frozen domain types. Out: those that were new, once they are safely stored; any visit's story.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import msgspec
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from smartstore.domain import events as domain
from smartstore.domain.events import StoreEvent
from smartstore.ledger.database import Again, Database, JournalError
from smartstore.ledger.tables import EventRow, ReceiptRow
from smartstore.wire.messages import Receipt

__all__ = ["Journal", "JournalError"]

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in domain.StoreEvent.__args__}
_EVENTS: Any = EventRow.__table__  # type: ignore[attr-defined]
_RECEIPTS: Any = ReceiptRow.__table__  # type: ignore[attr-defined]


class Journal:
    """A journal in the database at ``url``; see :class:`smartstore.ledger.database.Database` for the arguments.

    ``told`` is the number of the last event that its owner knows to be in the journal. An event beyond it counts as
    new, even if the journal has it: it was stored, and then the process or the connection was gone.
    """

    def __init__(self, url: str = "sqlite://", create: bool = True, again: Again | None = None) -> None:
        self._database = Database(url, create, again)
        self._engine = self._database.engine
        self._insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        self.told = 0
        self.tell_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    def append(self, events: Sequence[StoreEvent], receipts: Mapping[str, Receipt] | None = None) -> list[StoreEvent]:
        """Stores events, and receipts by visit, in one transaction and returns the events that were new.

        The same kind of fact from the same cause is stored once: a repetition is left out of the answer.

        Raises:
            JournalError: what was handed over is not a valid event, or the database fails. Nothing is stored then.
        """
        rows: dict[tuple[str, str], tuple[StoreEvent, dict[str, Any]]] = {}
        for event in events:
            row = _row(event)
            rows.setdefault((row["kind"], row["caused_by"]), (event, row))
        if not rows and not receipts:
            return []

        def store() -> list[tuple[int, StoreEvent]]:
            with self._engine.begin() as connection:
                ids = [(self._store(connection, row), event) for event, row in rows.values()]
                for visit, receipt in (receipts or {}).items():
                    body = _receipt_row(visit, receipt)
                    connection.execute(self._insert(_RECEIPTS).values(body).on_conflict_do_nothing())
            return ids

        stored = self._database.attempt(store, "the journal cannot be written")
        new = [event for number, event in stored if number > self.told]
        self.told = max([self.told, *(number for number, _ in stored)])
        return new

    def _store(self, connection: Connection, row: dict[str, Any]) -> int:
        """The number of an event in the journal, which has it now, or had it before."""
        insert = self._insert(_EVENTS).values(row).on_conflict_do_nothing().returning(_EVENTS.c.id)
        number: int | None = connection.execute(insert).scalar()
        if number is None:
            same = (_EVENTS.c.kind == row["kind"]) & (_EVENTS.c.caused_by == row["caused_by"])
            number = connection.execute(select(_EVENTS.c.id).where(same)).scalar_one()
        return number

    def events(self, visit: str) -> list[StoreEvent]:
        """What happened to a visit, in the order in which it was stored."""
        return [_event(kind, body) for kind, body in self._select(_EVENTS.c.visit == visit)]

    def told_events(self, visit: str) -> list[StoreEvent]:
        """What happened to a visit, as far as its owner knows it (see ``told``)."""
        known = (_EVENTS.c.visit == visit) & (_EVENTS.c.id <= self.told)
        return [_event(kind, body) for kind, body in self._select(known)]

    def tell(self, kind: type[Any], cause: str) -> None:
        """The owner now knows of this fact, if the journal has it, and of everything before it."""
        same = (_EVENTS.c.kind == kind.__name__) & (_EVENTS.c.caused_by == cause)
        self.told = max([self.told, *(number for (number,) in self._rows(select(_EVENTS.c.id).where(same)))])

    def tell_all(self) -> None:
        """The owner now knows of everything."""
        self.told = self._rows(select(func.coalesce(func.max(_EVENTS.c.id), 0)))[0][0]

    def of_kind(self, *kinds: type[Any]) -> list[StoreEvent]:
        """All events of these kinds, in the order in which they were stored."""
        return [_event(kind, body) for kind, body in self._select(_EVENTS.c.kind.in_([k.__name__ for k in kinds]))]

    def pending_verdicts(self) -> list[domain.CaseDecided]:
        """Decisions that no service has applied yet, in the order in which they were made."""
        applied = select(_EVENTS.c.caused_by).where(_EVENTS.c.kind == domain.VerdictApplied.__name__)
        decided = (_EVENTS.c.kind == domain.CaseDecided.__name__) & _EVENTS.c.caused_by.not_in(applied)
        return [_event(kind, body) for kind, body in self._select(decided)]  # type: ignore[misc]

    def all_events(self) -> Iterator[StoreEvent]:
        """Everything, in the order in which it was stored."""
        return (_event(kind, body) for kind, body in self._select(None))

    def numbered_events(self) -> Iterator[tuple[int, StoreEvent | JournalError]]:
        """Everything with its number; in the place of an event that cannot be read, the reason."""
        for number, kind, body in self._rows(
            select(_EVENTS.c.id, _EVENTS.c.kind, _EVENTS.c.body).order_by(_EVENTS.c.id)
        ):
            try:
                yield number, _event(kind, body)
            except (KeyError, msgspec.DecodeError) as error:
                yield number, JournalError(f"{kind}: {error}")

    def visits(self) -> list[str]:
        """All visits, the oldest first."""
        seen = dict.fromkeys(event.visit for event in self.all_events() if isinstance(event, domain.VisitOpened))
        return list(seen)

    def open_visits(self) -> list[str]:
        """Visits that were never settled, the oldest first."""
        settled = select(_EVENTS.c.visit).where(_EVENTS.c.kind == domain.VisitSettled.__name__)
        query = select(_EVENTS.c.visit).where(_EVENTS.c.kind == domain.VisitOpened.__name__)
        rows = self._rows(query.where(_EVENTS.c.visit.not_in(settled)).order_by(_EVENTS.c.id))
        return [visit for (visit,) in rows]

    def unanswered(self) -> list[str]:
        """Visits with a question to the payment provider that has no answer, the oldest question first."""
        answered = select(_EVENTS.c.caused_by).where(_EVENTS.c.kind == domain.PaymentAnswered.__name__)
        query = select(_EVENTS.c.visit).where(_EVENTS.c.kind == domain.PaymentRequested.__name__)
        rows = self._rows(query.where(_EVENTS.c.caused_by.not_in(answered)).order_by(_EVENTS.c.id))
        return list(dict.fromkeys(visit for (visit,) in rows))

    def visit_of_payment(self, code: str) -> str | None:
        """The visit that a capture was for."""
        written = _EVENTS.c.body.contains(msgspec.json.encode(code).decode(), autoescape=True)
        named = (_EVENTS.c.kind == domain.PaymentAnswered.__name__) & written
        answers = [_event(kind, body) for kind, body in self._select(named)]
        return next((a.visit for a in answers if isinstance(a, domain.PaymentAnswered) and a.code == code), None)

    def knows(self, kind: type[Any], cause: str) -> bool:
        """Whether a fact of this kind follows from this cause."""
        same = (_EVENTS.c.kind == kind.__name__) & (_EVENTS.c.caused_by == cause)
        return bool(self._rows(select(_EVENTS.c.id).where(same)))

    def receipts(self) -> list[Receipt]:
        """All settled receipts, in the order of settling; of those that were amended the newest version."""
        query = select(_RECEIPTS.c.receipt, _RECEIPTS.c.body)
        rows = self._rows(query.order_by(_RECEIPTS.c.settled_ns, _RECEIPTS.c.receipt, _RECEIPTS.c.version))
        return [msgspec.json.decode(body, type=Receipt) for body in dict(tuple(row) for row in rows).values()]

    def receipt_versions(self, name: str) -> list[Receipt]:
        """All versions of the receipt of this id, or of the visit of this id, the oldest first."""
        query = select(_RECEIPTS.c.body).where((_RECEIPTS.c.receipt == name) | (_RECEIPTS.c.visit == name))
        return [msgspec.json.decode(body, type=Receipt) for (body,) in self._rows(query.order_by(_RECEIPTS.c.version))]

    def receipt(self, name: str) -> Receipt | None:
        """The newest version of the receipt of this id, or of the visit of this id."""
        return next(reversed(self.receipt_versions(name)), None)

    def _select(self, condition: Any) -> list[Any]:
        query = select(_EVENTS.c.kind, _EVENTS.c.body).order_by(_EVENTS.c.id)
        return self._rows(query if condition is None else query.where(condition))

    def _rows(self, query: Any) -> list[Any]:
        def read() -> list[Any]:
            with self._engine.connect() as connection:
                return list(connection.execute(query).all())

        return self._database.attempt(read, "the journal cannot be read")


def _row(store_event: StoreEvent) -> dict[str, Any]:
    """A row of an event, after a trip through JSON and back that proves it valid and readable."""
    kind = type(store_event).__name__
    try:
        body = msgspec.json.encode(store_event)
        if kind not in _KINDS or msgspec.json.decode(body, type=_KINDS[kind]) != store_event:
            raise JournalError(f"{kind} is not an event of the journal")
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise JournalError(f"{kind} cannot be stored: {error}") from error
    if not store_event.caused_by or store_event.t_ns < 0:
        raise JournalError(f"{kind} of visit {store_event.visit!r} needs a cause and a time that is not negative")
    return {"visit": store_event.visit, "kind": kind, "caused_by": store_event.caused_by, "t_ns": store_event.t_ns,
            "body": body.decode()}  # fmt: skip


def _receipt_row(visit: str, receipt: Receipt) -> dict[str, Any]:
    return {"receipt": receipt.transaction.transaction_id, "version": receipt.seq, "visit": visit,
            "settled_ns": receipt.t_ns, "body": msgspec.json.encode(receipt).decode()}  # fmt: skip


def _event(kind: str, body: str) -> StoreEvent:
    found: StoreEvent = msgspec.json.decode(body, type=_KINDS[kind])
    return found
