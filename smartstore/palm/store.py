"""The palm service's database: people with sealed templates, salts, visit tokens, clients, the audit trail.

In: frozen facts, sealed bytes. Out: the same. One writer at a time, also across processes: whatever changes, changes in
one transaction together with its audit entry. What is erased is overwritten, in the file and in its write-ahead log.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
from sqlalchemy import Engine, create_engine, delete, event, func, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool
from sqlmodel import Session

from smartstore.palm.facts import AuditEntry, Client, Epoch, Person, Visit
from smartstore.palm.tables import AuditRow, ClientRow, EpochRow, PersonRow, VisitRow, metadata


class PalmStoreError(Exception):
    """The database cannot be used; one line that says what and what to do."""


@dataclass(frozen=True, slots=True)
class Books:
    """The tables within one transaction."""

    session: Session

    def epochs(self) -> list[Epoch]:
        """All salts in use, the oldest first."""
        return self._all(EpochRow, Epoch, EpochRow.epoch)

    def person(self, person: str) -> Person | None:
        row = self.session.get(PersonRow, person)
        return None if row is None else _fact(row, Person)

    def visit(self, visit: str) -> Visit | None:
        row = self.session.get(VisitRow, visit)
        return None if row is None else _fact(row, Visit)

    def visits_of(self, person: str) -> list[Visit]:
        return self._all(VisitRow, Visit, VisitRow.visit, VisitRow.person == person)

    def client(self, name: str) -> Client | None:
        row = self.session.get(ClientRow, name)
        return None if row is None else _fact(row, Client)

    def clients(self) -> list[Client]:
        return self._all(ClientRow, Client, ClientRow.name)

    def templates(self, epoch: int) -> Iterator[tuple[str, bytes]]:
        """Ids and sealed templates of an epoch, in the order of the ids."""
        query = select(PersonRow.person, PersonRow.template).where(_is(PersonRow.epoch == epoch))  # type: ignore[call-overload]
        rows = self.session.execute(query.order_by(PersonRow.person).execution_options(yield_per=4096))
        yield from (tuple(row) for row in rows)

    def put(self, fact: Epoch | Person | Visit | Client) -> None:
        """Stores a fact, in place of one with the same key."""
        self.session.merge(_ROWS[type(fact)](**msgspec.structs.asdict(fact)))
        self.session.flush()

    def append(self, entry: AuditEntry) -> None:
        """Adds to the audit trail, where nothing is ever replaced."""
        self.session.add(AuditRow(**msgspec.structs.asdict(entry)))
        self.session.flush()

    def forget_person(self, person: str) -> bool:
        """Deletes a person with their visits; False when there is no such person."""
        self.session.execute(delete(VisitRow).where(_is(VisitRow.person == person)))
        return _hit(self.session.execute(delete(PersonRow).where(_is(PersonRow.person == person))))

    def forget_visits(self, before_s: int) -> None:
        """Deletes the visits whose tokens expired before."""
        self.session.execute(delete(VisitRow).where(_is(VisitRow.expires_s < before_s)))

    def forget_client(self, name: str) -> bool:
        return _hit(self.session.execute(delete(ClientRow).where(_is(ClientRow.name == name))))

    def forget_epochs(self, before: int) -> None:
        """Deletes the salts that are older."""
        self.session.execute(delete(EpochRow).where(_is(EpochRow.epoch < before)))

    def head(self) -> AuditEntry | None:
        """The newest audit entry."""
        newest = self.session.execute(select(func.max(AuditRow.seq))).scalar_one()
        return None if newest is None else _fact(self.session.get(AuditRow, newest), AuditEntry)

    def audit(self, after: int = 0, limit: int | None = None, subject: str | None = None) -> list[AuditEntry]:
        """Entries with a higher number, the oldest first; with ``subject`` those about it."""
        found = [AuditRow.seq > after] + ([] if subject is None else [AuditRow.subject == subject])
        return self._all(AuditRow, AuditEntry, AuditRow.seq, *found, limit=limit)

    def _all(self, row: Any, fact: Any, order: Any, *conditions: Any, limit: int | None = None) -> list[Any]:
        query = select(row).where(*conditions).order_by(order).limit(limit)
        return [_fact(found, fact) for found in self.session.scalars(query)]


_ROWS: dict[type, Any] = {Epoch: EpochRow, Person: PersonRow, Visit: VisitRow, Client: ClientRow}


class PalmStore:
    """The database at ``url``: ``sqlite:///path``, ``sqlite://`` in memory, or ``postgresql+psycopg://...``.

    ``create`` makes it where there is none; without it a database that is not there is an error.
    """

    def __init__(self, url: str = "sqlite://", create: bool = True, patience_s: float = 10.0) -> None:
        """``patience_s`` is how long to wait for others who use the same file."""
        self._engine, self._lock = _engine(url, create, patience_s), threading.RLock()
        try:
            if create:
                metadata.create_all(self._engine)
            elif not inspect(self._engine).has_table(AuditRow.__tablename__):
                raise PalmStoreError(f"{_shown(url)} is no database of a palm service; name one with --db")
        except SQLAlchemyError as error:
            raise PalmStoreError(f"cannot open {_shown(url)}: {_first_line(error)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Books]:
        """All or nothing; nobody else writes meanwhile.

        Raises:
            PalmStoreError: the database fails; nothing has changed then.
        """
        try:
            with self._lock, Session(self._engine) as session, session.begin():
                if self._engine.dialect.name == "postgresql":
                    session.execute(text("LOCK TABLE palm_audit IN EXCLUSIVE MODE"))
                yield Books(session)
        except SQLAlchemyError as error:
            raise PalmStoreError(f"the palm database cannot be used: {_first_line(error)}") from error

    def erase(self) -> None:
        """Makes sure that what was deleted is nowhere in the database files: SQLite has overwritten it in its pages
        (secure_delete), and here the pages replace those of the file and the log is emptied.

        PostgreSQL rewrites the tables; its own log keeps old pages until it recycles them.

        Raises:
            PalmStoreError: somebody else is reading and holds on to the old pages.
        """
        try:
            with self._lock:
                busy = self._overwrite()
        except Exception as error:  # noqa: BLE001 - of whatever driver
            raise PalmStoreError(f"deleted, but not yet overwritten: {_first_line(error)}; delete again") from error
        if busy:
            raise PalmStoreError("deleted, but not yet overwritten: the database is being read; delete again")

    def _overwrite(self) -> bool:
        """Whether somebody was in the way."""
        connection = self._engine.raw_connection()
        driver: Any = connection.driver_connection
        try:
            if self._engine.dialect.name == "postgresql":
                driver.autocommit = True
                driver.execute("VACUUM FULL palm_person")
                driver.execute("VACUUM FULL palm_visit")
                driver.autocommit = False
                return False
            return bool(driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
        finally:
            connection.close()


def _fact(row: Any, fact: Any) -> Any:
    return fact(**{name: getattr(row, name) for name in fact.__struct_fields__})


def _is(condition: Any) -> Any:
    return condition


def _hit(result: Any) -> bool:
    return bool(result.rowcount)


def _engine(url: str, create: bool, patience_s: float) -> Engine:
    try:
        address = make_url(url)
        if address.get_backend_name() not in ("sqlite", "postgresql"):
            raise PalmStoreError(f"{_shown(url)}: only sqlite:///PATH and postgresql+psycopg://... are known")
        if address.get_backend_name() == "postgresql":
            return create_engine(address, hide_parameters=True)
        if address.database in (None, "", ":memory:"):
            one = {"check_same_thread": False}
            engine = create_engine(address, hide_parameters=True, poolclass=StaticPool, connect_args=one)
        else:
            _own_file(Path(str(address.database)), create)
            engine = create_engine(address, hide_parameters=True)
    except ImportError as error:
        raise PalmStoreError(
            f"{_shown(url)} needs a driver ({error}); pip install 'smartstore-sim[postgres]'"
        ) from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise PalmStoreError(f"{_shown(url)} is not a usable database address: {_first_line(error)}") from error
    event.listen(engine, "connect", lambda connection, _: _careful_sqlite(connection, patience_s))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _own_file(path: Path, create: bool) -> None:
    """A database file that only its owner may read; SQLite gives its log the same rights."""
    if not path.exists():
        if not create:
            raise PalmStoreError(f"there is no palm database {path}; name one with --db")
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    elif path.is_file() and path.stat().st_mode & 0o077:
        raise PalmStoreError(f"{path}: others may read this database; chmod 600 {path}")


def _careful_sqlite(connection: Any, patience_s: float) -> None:
    """Commits survive the machine, deleted bytes are overwritten, nothing goes to temporary files."""
    connection.isolation_level = None  # transactions begin as SQLAlchemy says, not when Python guesses
    cursor = connection.cursor()
    pragmas = {
        "journal_mode": "WAL", "synchronous": "FULL", "secure_delete": "ON", "temp_store": "MEMORY",
        "busy_timeout": int(patience_s * 1000),
    }  # fmt: skip
    for name, value in pragmas.items():
        cursor.execute(f"PRAGMA {name}={value}")
    cursor.close()


def _shown(url: str) -> str:
    """A database address without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "the database address"


def _first_line(error: Exception) -> str:
    return (str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__])[0]
