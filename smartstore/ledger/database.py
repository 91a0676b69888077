"""The database of a journal: its address, its tables from the first version on, and its moods.

In: a URL. Out: an engine on tables of this program's version, made anew where there are none. Older tables are named as
such, and :func:`upgrade` brings them up to date; what was written in them stays as it is.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import StaticPool

FIRST, NEWEST = "0001", "0002"
"""The revisions of the tables; ``migrations/versions`` has the steps between them."""
_MIGRATIONS = Path(__file__).parent / "migrations"

_BUSY_MS = 1000
"""So long SQLite itself waits for a lock before it says that the file is locked."""

Again = Callable[[int], bool]
"""Asked after each failed attempt (counted from 1) whether to try once more; waits before it says yes."""
T = TypeVar("T")


class JournalError(Exception):
    """The journal cannot be used, or was handed what is no event; one line that says what and what to do."""


class Database:
    """The database at ``url`` (``sqlite:///path``, ``sqlite://`` in memory, or ``postgresql+psycopg://...``).

    ``create`` makes tables where there are none; without it a journal that is not there is an error. ``again`` is
    asked when the database cannot be reached for the moment; without it that is an error at once.
    """

    def __init__(self, url: str, create: bool, again: Again | None = None) -> None:
        self.url, self._again = url, again
        self.engine = _engine(url, create)
        self._check(create)

    def attempt(self, work: Callable[[], T], what: str) -> T:
        """What ``work`` returns; it is done again while the database is away. It must do no harm when done twice.

        Raises:
            JournalError: ``what`` went wrong.
        """
        attempts = 0
        while True:
            try:
                return work()
            except (SQLAlchemyError, sqlite3.Error) as error:
                attempts += 1
                if not (_away(error) and self._again is not None and self._again(attempts)):
                    raise JournalError(f"{what}: {first_line(error)}") from error

    def _check(self, create: bool) -> None:
        at = shown(self.url)
        version = _known(self.url, self.attempt(lambda: _version(self.engine), f"cannot open the journal {at}"))
        if version is None and not create:
            raise JournalError(f"{at} holds no journal; name the database of a service with --db")
        if version is None:
            self.attempt(lambda: _migrate(self.engine, NEWEST), f"cannot make the journal {at}")
        elif version < NEWEST:
            raise JournalError(f"{at} has tables of version {version}, older than {NEWEST}; "
                               f"`smartstore db upgrade --database {at}` brings them up to date")  # fmt: skip


def version_of(url: str) -> str | None:
    """The version of the tables at ``url``; None where there are none.

    Raises:
        JournalError: the database cannot be opened, or its tables are none of ours.
    """
    engine = _engine(url, create=False)
    try:
        return _known(url, _version(engine))
    except SQLAlchemyError as error:
        raise JournalError(f"cannot open the journal {shown(url)}: {first_line(error)}") from error
    finally:
        engine.dispose()


def upgrade(url: str, revision: str = NEWEST) -> None:
    """Brings the tables at ``url`` to a revision, up or down; "base" takes them away.

    Raises:
        JournalError: there is no such revision, the tables are none of ours, or the database cannot be changed.
    """
    if revision not in ("base", FIRST, NEWEST):
        raise JournalError(f"there is no version {revision}; there are {FIRST} to {NEWEST}, and base")
    engine = _engine(url, create=True)
    try:
        _known(url, _version(engine))
        _migrate(engine, revision)
    except SQLAlchemyError as error:
        raise JournalError(f"cannot change the journal {shown(url)}: {first_line(error)}") from error
    finally:
        engine.dispose()


def _version(engine: Engine) -> str | None:
    """The revision of the tables; None without tables, "" where they are of before the first revision."""
    with engine.connect() as connection:
        marked = _current(connection)
    if marked is not None:
        return marked
    tables = inspect(engine)
    if not tables.has_table("event"):
        return None
    columns = {column["name"] for column in tables.get_columns("receipt")} if tables.has_table("receipt") else set()
    return FIRST if "version" in columns else ""


def _known(url: str, version: str | None) -> str | None:
    """The version, if there are no tables or this program can walk from them; JournalError of others."""
    if version == "":
        raise JournalError(f"{shown(url)} was written by an older smartstore; keep it, and name a new one")
    if version is not None and version > NEWEST:
        raise JournalError(f"{shown(url)} has tables of version {version}; this smartstore knows {NEWEST}: update it")
    return version


def _migrate(engine: Engine, revision: str) -> None:
    """Walks the steps from the tables that are there to a revision, in one transaction."""
    from alembic import command
    from alembic.config import Config

    unmarked = _version(engine) == FIRST and not inspect(engine).has_table("alembic_version")
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        if unmarked:  # made before there were migrations, and just like the first of them
            command.stamp(config, FIRST)
        found = _current(connection)
        if revision == "base" or (found is not None and found > revision):
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _engine(url: str, create: bool) -> Engine:
    try:
        address = make_url(url)
        if address.get_backend_name() not in ("sqlite", "postgresql"):
            raise JournalError(f"{shown(url)}: the journal knows sqlite:///PATH and postgresql+psycopg://... only")
        file = address.database if address.get_backend_name() == "sqlite" else None
        if file and file != ":memory:" and not create and not Path(file).is_file():
            raise JournalError(f"there is no journal {file}; name the database of a service with --db")
        in_memory = address.get_backend_name() == "sqlite" and file in (None, "", ":memory:")
        # One connection for all threads: a database in memory is its connection.
        one = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}} if in_memory else {}
        engine = create_engine(address, **one)
    except ImportError as error:
        raise JournalError(f"{shown(url)} needs a driver ({error}); pip install 'smartstore-sim[postgres]'") from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise JournalError(f"{shown(url)} is not a usable database address: {first_line(error)}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _durable_sqlite)
    return engine


def _durable_sqlite(connection: Any, _record: Any) -> None:
    """Write-ahead log: readers never wait for the writer, and a commit survives a power cut."""
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _away(error: SQLAlchemyError | sqlite3.Error) -> bool:
    """Whether the database may be back in a moment: a lost connection, a server that starts, a file that is locked."""
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or isinstance(error, OperationalError | InterfaceError | sqlite3.OperationalError)


def shown(url: str) -> str:
    """The address without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return repr(url.rsplit("@", 1)[-1])


def first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
