"""The journal's tables: made, brought up to date and back, refusing edits; the same over SQLite and PostgreSQL."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from sims.lab.postgres import PostgresServer
from smartstore.cli import run
from smartstore.domain.events import ItemTaken, VisitOpened
from smartstore.ledger.database import FIRST, NEWEST, JournalError, upgrade, version_of
from smartstore.ledger.journal import Journal
from smartstore.ledger.tables import metadata

OPENED = VisitOpened("v1", 5, "gate:e1", "token-1", 1)
TAKEN = ItemTaken("v1", 7, "step:1", "4006381333931", 1, "g1-1-a", 0.98)


def test_a_new_journal_has_the_tables_that_the_program_knows(database_url: str) -> None:
    Journal(database_url).close()
    assert version_of(database_url) == NEWEST
    with create_engine(database_url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_up_and_down_and_up_again_loses_nothing(database_url: str) -> None:
    with Journal(database_url) as journal:
        journal.append([OPENED, TAKEN])
    upgrade(database_url, FIRST)
    assert version_of(database_url) == FIRST
    with pytest.raises(JournalError, match=rf"version {FIRST}, older than {NEWEST}; `smartstore db upgrade"):
        Journal(database_url)
    upgrade(database_url)
    with Journal(database_url, create=False) as journal:
        assert journal.events("v1") == [OPENED, TAKEN]
    upgrade(database_url, "base")
    assert inspect(create_engine(database_url)).get_table_names() == ["alembic_version"]


def test_tables_of_before_migrations_are_taken_over_as_they_are(database_url: str) -> None:
    engine = create_engine(database_url)
    metadata.create_all(engine)
    row = (
        "v1",
        "VisitOpened",
        "gate:e1",
        5,
        '{"visit":"v1","t_ns":5,"caused_by":"gate:e1","token":"t","party_size":1}',
    )
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO event (visit, kind, caused_by, t_ns, body) VALUES ('{}', '{}', '{}', {}, '{}')".format(*row)
        )
    upgrade(database_url)
    with Journal(database_url, create=False) as journal:
        assert journal.visits() == ["v1"]


@pytest.mark.parametrize("statement", [
    "UPDATE event SET visit = 'v2'", "DELETE FROM event", "UPDATE receipt SET body = '{}'", "DELETE FROM receipt",
    "TRUNCATE event",
])  # fmt: skip
def test_the_database_refuses_to_edit_or_delete(database_url: str, statement: str) -> None:
    with Journal(database_url) as journal:
        journal.append([OPENED])
    engine = create_engine(database_url)
    if engine.dialect.name == "sqlite" and statement.startswith("TRUNCATE"):
        return  # SQLite has no such command
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO receipt VALUES ('corner-v1', 0, 'v1', 5, '{}')"))
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))


def test_db_upgrade_and_check_say_what_they_find(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    assert run(["db", "check", "--database", url]) == 2
    assert "there is no journal" in capsys.readouterr().err
    assert run(["db", "upgrade", "--database", url]) == 0
    assert f"version {NEWEST}" in capsys.readouterr().out
    with Journal(url) as journal:
        journal.append([OPENED, TAKEN])
    assert run(["db", "check", "--database", str(tmp_path / "store.db")]) == 0
    assert "2 events of 1 visit" in capsys.readouterr().out
    assert run(["db", "upgrade", FIRST, "--database", url]) == 0
    assert run(["db", "check", "--database", url]) == 2
    assert "db upgrade" in capsys.readouterr().err
    assert run(["db", "upgrade", "0815", "--database", url]) == 2
    assert "there is no version 0815" in capsys.readouterr().err


def test_tables_of_a_later_program_are_left_alone(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    Journal(database_url).close()
    with create_engine(database_url).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for command in (["upgrade"], ["check"]):
        assert run(["db", *command, "--database", database_url]) == 2
        assert f"has tables of version 9999; this smartstore knows {NEWEST}" in capsys.readouterr().err


def test_check_finds_what_does_not_add_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Journal(f"sqlite:///{tmp_path / 'store.db'}") as journal:
        journal.append([OPENED])
    with sqlite3.connect(tmp_path / "store.db") as database:
        database.execute(
            "INSERT INTO event (visit, kind, caused_by, t_ns, body) VALUES ('v1', 'ItemTaken', 'x', 1, '{')"
        )
    assert run(["db", "check", "--database", str(tmp_path / "store.db")]) == 2
    assert "event 2 cannot be read" in capsys.readouterr().err


def test_a_lost_connection_is_made_anew_and_nothing_is_stored_twice(postgres: PostgresServer) -> None:
    waits: list[int] = []
    with Journal(postgres.create("lost"), again=lambda attempt: not waits.append(attempt)) as journal:
        journal.append([OPENED])
        postgres.cut_connections()
        assert journal.append([OPENED, TAKEN]) == [TAKEN]
        postgres.stop(at_once=True)
        postgres.start()
        assert journal.events("v1") == [OPENED, TAKEN]
    assert waits, "it was asked whether to try again"


def test_an_event_that_was_stored_while_the_answer_was_lost_is_still_new_to_its_owner(database_url: str) -> None:
    with Journal(database_url) as journal:
        journal.append([OPENED])
        with Journal(database_url) as gone:  # the same service, before its connection broke
            gone.append([TAKEN])
        assert journal.append([TAKEN]) == [TAKEN]
        assert journal.append([TAKEN]) == []


def test_a_database_that_does_not_come_back_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    once = Journal(f"sqlite:///{file}", again=lambda attempt: attempt < 2)
    with once as journal, a_lock(file), pytest.raises(JournalError, match=r"the journal cannot be written: .*locked"):
        journal.append([OPENED])


@contextmanager
def a_lock(file: Path) -> Iterator[None]:
    """Another program holds the whole file."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")
