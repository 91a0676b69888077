"""A PostgreSQL server of one's own for the time of a test, from the binaries that are installed.

In: nothing. Out: an address, on a socket in a temporary folder that nobody else knows. PostgreSQL refuses to run as
root: then an unprivileged user of the system runs it.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/bin")
_START_S = 30.0


class PostgresError(Exception):
    """The server cannot be had or does not start; one line."""


def binaries() -> Path | None:
    """The folder with ``initdb`` and ``postgres``, the newest version's; None where PostgreSQL is not installed."""
    found = [path for place in _PLACES for path in Path("/").glob(place.lstrip("/")) if (path / "initdb").exists()]
    on_path = shutil.which("initdb")
    if on_path is not None:
        found.append(Path(on_path).resolve().parent)
    return max(found, key=lambda path: [int(part) for part in path.parts if part.isdecimal()], default=None)


class PostgresServer:
    """``with PostgresServer() as server: server.url("name")`` runs a server; it is gone afterwards, data and all."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="smartstore-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Raises PostgresError: there is no PostgreSQL here, or it does not start."""
        try:
            self._make()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """The address of a database of this server."""
        return f"postgresql+psycopg://smartstore@/{database}?host={self._folder}"

    def create(self, database: str) -> str:
        """The address of a new, empty database."""
        self.command(f"CREATE DATABASE {database}")
        return self.url(database)

    def command(self, sql: str) -> None:
        """Carries out a command of the server's owner."""
        import psycopg

        with psycopg.connect(host=str(self._folder), user="smartstore", dbname="postgres", autocommit=True) as server:
            server.execute(sql.encode())

    def cut_connections(self) -> None:
        """Ends every connection but one's own, as a failing network or an administrator does."""
        self.command("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                     " AND backend_type = 'client backend'")  # fmt: skip

    def start(self) -> None:
        """Starts the server that was made; returns when it answers.

        Raises:
            PostgresError: it does not start; with the last line that it said.
        """
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._bin / "postgres"), "-D", str(self._folder / "data"), "-k", str(self._folder), "-h", "",
                 "-F"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, **self._as,
            )  # fmt: skip
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self._folder / "log").read_text(errors="replace").strip().splitlines()
                raise PostgresError(f"PostgreSQL does not start: {said[-1] if said else 'no reason given'}")
            time.sleep(0.05)

    def stop(self, at_once: bool = False) -> None:
        """Stops the server: it cuts its connections first, or ``at_once`` is gone without a word (SIGKILL)."""
        process, self._process = self._process, None
        if process is None:
            return
        if at_once:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.send_signal(signal.SIGINT)  # "fast shutdown"
        process.wait(_START_S)

    def _make(self) -> None:
        found = binaries()
        if found is None:
            raise PostgresError("there is no PostgreSQL here; install it (Debian, Ubuntu: apt-get install postgresql)")
        self._bin = found
        if os.geteuid() == 0:
            owner = next((pwd.getpwnam(name) for name in ("postgres", "nobody") if _exists(name)), None)
            if owner is None:
                raise PostgresError("PostgreSQL does not run as root, and there is no user postgres or nobody")
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
            self._as = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        done = subprocess.run(
            [str(self._bin / "initdb"), "-D", str(self._folder / "data"), "-U", "smartstore", "-A", "trust",
             "--no-sync", "--locale=C", "-E", "UTF8"],
            capture_output=True, text=True, check=False, cwd=self._folder, **self._as,
        )  # fmt: skip
        if done.returncode != 0:
            raise PostgresError(f"initdb: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")

    def _answers(self) -> bool:
        import psycopg

        try:
            with psycopg.connect(host=str(self._folder), user="smartstore", dbname="postgres", connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
