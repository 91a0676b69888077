"""The append-only journal: everything that was decided, in a database, before anybody hears of it.

In: events in the frozen domain types. Out: those that were new, once they are safely stored; any visit's story.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
from sqlalchemy import Engine, create_engine, event, inspect, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from smartstore.domain import events as domain
from smartstore.domain.events import StoreEvent
from smartstore.ledger.tables import EventRow, ReceiptRow, metadata
from smartstore.wire.messages import Receipt

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in domain.StoreEvent.__args__}
_EVENTS: Any = EventRow.__table__  # type: ignore[attr-defined]
_RECEIPTS: Any = ReceiptRow.__table__  # type: ignore[attr-defined]


class JournalError(Exception):
    """The journal cannot be used, or was handed what is no event; one line that says what and what to do."""


class Journal:
    """A journal in the database at ``url`` (``sqlite:///path``, ``sqlite://`` in memory, or ``postgresql+psycopg://...``).

    ``create`` makes the tables where they are missing; without it a journal that is not there is an error.
    """

    def __init__(self, url: str = "sqlite://", create: bool = True) -> None:
        self._engine = _engine(url, create)
        self._insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        try:
            if create:
                metadata.create_all(self._engine)
            elif not inspect(self._engine).has_table(_EVENTS.name):
                raise JournalError(f"{_shown(url)} holds no journal; name the database of a service with --db")
            if _RECEIPTS.c.version.name not in {c["name"] for c in inspect(self._engine).get_columns(_RECEIPTS.name)}:
                raise JournalError(f"{_shown(url)} was written by an older smartstore; keep it, and name a new one")
        except SQLAlchemyError as error:
            raise JournalError(f"cannot open the journal {_shown(url)}: {_first_line(error)}") from error

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
        rows = [_row(event) for event in events]
        if not rows and not receipts:
            return []
        new: list[StoreEvent] = []
        try:
            with self._engine.begin() as connection:
                for store_event, row in zip(events, rows, strict=True):
                    insert = self._insert(_EVENTS).values(row).on_conflict_do_nothing().returning(_EVENTS.c.id)
                    if connection.execute(insert).first() is not None:
                        new.append(store_event)
                for visit, receipt in (receipts or {}).items():
                    body = _receipt_row(visit, receipt)
                    connection.execute(self._insert(_RECEIPTS).values(body).on_conflict_do_nothing())
        except SQLAlchemyError as error:
            raise JournalError(f"the journal cannot be written: {_first_line(error)}") from error
        return new

    def events(self, visit: str) -> list[StoreEvent]:
        """What happened to a visit, in the order in which it was stored."""
        return [_event(kind, body) for kind, body in self._select(_EVENTS.c.visit == visit)]

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
        try:
            with self._engine.connect() as connection:
                return list(connection.execute(query).all())
        except SQLAlchemyError as error:
            raise JournalError(f"the journal cannot be read: {_first_line(error)}") from error


def _engine(url: str, create: bool) -> Engine:
    try:
        address = make_url(url)
        if address.get_backend_name() not in ("sqlite", "postgresql"):
            raise JournalError(f"{_shown(url)}: the journal knows sqlite:///PATH and postgresql+psycopg://... only")
        file = address.database if address.get_backend_name() == "sqlite" else None
        if file and file != ":memory:" and not create and not Path(file).is_file():
            raise JournalError(f"there is no journal {file}; name the database of a service with --db")
        in_memory = address.get_backend_name() == "sqlite" and file in (None, "", ":memory:")
        # One connection for all threads: a database in memory is its connection.
        one = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}} if in_memory else {}
        engine = create_engine(address, **one)
    except ImportError as error:
        raise JournalError(f"{_shown(url)} needs a driver ({error}); pip install 'smartstore-sim[postgres]'") from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise JournalError(f"{_shown(url)} is not a usable database address: {_first_line(error)}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _durable_sqlite)
    return engine


def _durable_sqlite(connection: Any, _record: Any) -> None:
    """Write-ahead log: readers never wait for the writer, and a commit survives the process."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.close()


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


def _shown(url: str) -> str:
    """The address without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return repr(url.rsplit("@", 1)[-1])


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
