"""Databases for the ledger's tests: the same stories over SQLite in memory, in a file, and over PostgreSQL."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from sims.lab.postgres import PostgresServer, binaries
from smartstore.ledger.journal import Journal

NUMBERS = count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    if binaries() is None:
        pytest.skip("POSTGRESQL IS MISSING: apt-get install postgresql")
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["file", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "file":
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create(f"test{next(NUMBERS)}")


@pytest.fixture(params=["memory", "file", "postgresql"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    url = {"memory": "sqlite://", "file": f"sqlite:///{tmp_path / 'store.db'}"}.get(request.param)
    if url is None:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create(f"test{next(NUMBERS)}")
    with Journal(url) as found:
        yield found
