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
from typing import Any, Self, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, inspect, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from smartstore.palm.facts import AuditEntry, Client, Epoch, Person, Visit
from smartstore.palm.tables import AuditRow, ClientRow, EpochRow, PersonRow, VisitRow, metadata

_Fact = TypeVar("_Fact", bound=msgspec.Struct)
_ROWS: dict[type, Any] = {Epoch: EpochRow, Person: PersonRow, Visit: VisitRow, Client: ClientRow, AuditEntry: AuditRow}
_TABLES: dict[type, Any] = {fact: row.__table__ for fact, row in _ROWS.items()}
_EPOCHS, _PEOPLE, _VISITS, _CLIENTS, _AUDIT = (table.c for table in _TABLES.values())


class PalmStoreError(Exception):
    """The database cannot be used; one line that says what and what to do."""


@dataclass(frozen=True, slots=True)
class Books:
    """The tables within one transaction."""

    connection: Connection

    def epochs(self) -> list[Epoch]:
        """All salts in use, the oldest first."""
        return self._all(Epoch, order=_EPOCHS.epoch)

    def person(self, person: str) -> Person | None:
        return self._one(Person, _PEOPLE.person == person)

    def visit(self, visit: str) -> Visit | None:
        return self._one(Visit, _VISITS.visit == visit)

    def visits_of(self, person: str) -> list[Visit]:
        return self._all(Visit, _VISITS.person == person, order=_VISITS.visit)

    def client(self, name: str) -> Client | None:
        return self._one(Client, _CLIENTS.name == name)

    def clients(self) -> list[Client]:
        return self._all(Client, order=_CLIENTS.name)

    def templates(self, epoch: int) -> Iterator[tuple[str, bytes]]:
        """Ids and sealed templates of an epoch, in the order of the ids."""
        query = select(_PEOPLE.person, _PEOPLE.template).where(_PEOPLE.epoch == epoch).order_by(_PEOPLE.person)
        yield from (tuple(row) for row in self.connection.execute(query.execution_options(yield_per=4096)))

    def put(self, fact: Epoch | Person | Visit | Client) -> None:
        """Stores a fact, in place of one with the same key."""
        table, values = _TABLES[type(fact)], msgspec.structs.asdict(fact)
        insert: Any = postgresql.insert if self.connection.dialect.name == "postgresql" else sqlite.insert
        again = insert(table).values(values).on_conflict_do_update(index_elements=list(table.primary_key), set_=values)
        self.connection.execute(again)

    def append(self, entry: AuditEntry) -> None:
        """Adds to the audit trail, where nothing is ever replaced."""
        self.connection.execute(_TABLES[AuditEntry].insert().values(msgspec.structs.asdict(entry)))

    def forget_person(self, person: str) -> bool:
        """Deletes a person with their visits; False when there is no such person."""
        self._forget(Visit, _VISITS.person == person)
        return self._forget(Person, _PEOPLE.person == person)

    def forget_visits(self, before_s: int) -> None:
        """Deletes the visits whose tokens expired before."""
        self._forget(Visit, _VISITS.expires_s < before_s)

    def forget_client(self, name: str) -> bool:
        return self._forget(Client, _CLIENTS.name == name)

    def forget_epochs(self, before: int) -> None:
        """Deletes the salts that are older."""
        self._forget(Epoch, _EPOCHS.epoch < before)

    def head(self) -> AuditEntry | None:
        """The newest audit entry."""
        return next(iter(self._all(AuditEntry, order=_AUDIT.seq.desc(), limit=1)), None)

    def audit(self, after: int = 0, limit: int | None = None, subject: str | None = None) -> list[AuditEntry]:
        """Entries with a higher number, the oldest first; with ``subject`` those about it."""
        about = [] if subject is None else [_AUDIT.subject == subject]
        return self._all(AuditEntry, _AUDIT.seq > after, *about, order=_AUDIT.seq, limit=limit)

    def _all(self, fact: type[_Fact], *conditions: Any, order: Any = None, limit: int | None = None) -> list[_Fact]:
        columns = _TABLES[fact].c
        query = select(*(columns[name] for name in fact.__struct_fields__)).where(*conditions)
        return [fact(*row) for row in self.connection.execute(query.order_by(order).limit(limit))]

    def _one(self, fact: type[_Fact], condition: Any) -> _Fact | None:
        return next(iter(self._all(fact, condition)), None)

    def _forget(self, fact: Any, condition: Any) -> bool:
        return bool(self.connection.execute(_TABLES[fact].delete().where(condition)).rowcount)


class PalmStore:
    """The database at ``url``: ``sqlite:///path``, ``sqlite://`` in memory, or ``postgresql+psycopg://...``.

    ``create`` makes it where there is none; without it a database that is not there is an error.
    """

    def __init__(self, url: str = "sqlite://", create: bool = True, patience_s: float = 10.0) -> None:
        """``patience_s`` is how long to wait for others who use the same file."""
        self._engine, self._lock = _engine(url, create, patience_s), threading.RLock()
        try:
            known = _tables_there(self._engine, _shown(url))
            if create:
                metadata.create_all(self._engine)
            elif not known:
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
            with self._lock, self._engine.begin() as connection:
                if self._engine.dialect.name == "postgresql":
                    connection.exec_driver_sql("LOCK TABLE palm_audit IN EXCLUSIVE MODE")
                yield Books(connection)
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


def _tables_there(engine: Engine, shown: str) -> bool:
    """Whether the database has tables of a palm service. Raises PalmStoreError: those of another version of it."""
    there = inspect(engine)
    found = [table for table in metadata.sorted_tables if there.has_table(table.name)]
    for table in found:
        if {column["name"] for column in there.get_columns(table.name)} != set(table.columns.keys()):
            raise PalmStoreError(f"{shown}: {table.name} was made by another version of smartstore, which can go on "
                                 "with it; this one needs a database of its own: name one with --db")  # fmt: skip
    return bool(found)


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
