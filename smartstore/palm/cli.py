"""``smartstore palm …``: keys, the service, its clients, and what is asked of it about people.

In: a command line. Out: a running service, or answers on standard output. The only place of the palm service that looks
at the clock of the wall. The commands are mounted by :mod:`smartstore.cli`.
"""

import ipaddress
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from smartstore.console import print_json, print_table
from smartstore.palm.bench_cli import bench

if TYPE_CHECKING:
    from smartstore.palm.service import PalmService

DEFAULT_DB = "sqlite:///data/runs/palm.db"
OPERATOR = "operator"
"""Who the audit trail says it was when a command did it."""

Db = Annotated[str, typer.Option("--db", envvar="SMARTSTORE_PALM_DB", help="A file or a database URL")]
Keys = Annotated[
    Path | None,
    typer.Option(
        "--keys", envvar="SMARTSTORE_PALM_KEYS",
        help="Folder of `smartstore palm keys`; else SMARTSTORE_PALM_TEMPLATE_KEY and SMARTSTORE_PALM_TOKEN_KEY",
    ),
]  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else")]
Person = Annotated[str, typer.Argument(help="Random id that enrolling returned")]

app = typer.Typer(help="The biometric token service: palms in, visit tokens out.", no_args_is_help=True)
client_app = typer.Typer(help="Gates and desks that may ask the palm service.", no_args_is_help=True)
app.add_typer(client_app, name="client")
app.command()(bench)


class PalmUsageError(Exception):
    """A command that cannot be carried out as it was given; one line."""


@app.command()
def keys(
    folder: Annotated[Path, typer.Argument(help="New folder, on a disk that the palm service alone reads")],
) -> None:
    """Make the secrets of a palm service. Without them nobody's template can be read again: keep a copy, offline."""
    from smartstore.palm.keys import PUBLIC_KEY, create_keys

    create_keys(folder)
    typer.echo(f"{folder}: keep it secret, but for {PUBLIC_KEY}: `smartstore serve --palm-key {folder / PUBLIC_KEY}`")


@app.command()
def serve(
    keys: Keys = None,
    db: Db = DEFAULT_DB,
    host: Annotated[str, typer.Option(help="Address to listen on; beyond this machine only with TLS")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free")] = 8443,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate (PEM)")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key (PEM)")] = None,
) -> None:
    """Run the palm service until it is told to stop."""
    import logging

    import uvicorn

    from smartstore.palm.api import create_app

    if (tls_cert is None) != (tls_key is None):
        raise PalmUsageError("--tls-cert and --tls-key go together")
    if tls_cert is None and not _loopback(host):
        raise PalmUsageError(f"palms do not cross a network in the clear: --host {host} needs --tls-cert and --tls-key")
    if tls_cert is not None and tls_key is not None:
        _check_tls(tls_cert, tls_key)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with _service(keys, db, create=True) as service, _listening(host, port) as listener:
        config = uvicorn.Config(
            create_app(service, time.time_ns), access_log=False, server_header=False, log_config=None,
            ssl_certfile=tls_cert, ssl_keyfile=tls_key,
        )  # fmt: skip
        scheme, bound = "https" if tls_cert else "http", listener.getsockname()[1]
        typer.echo(
            f"{service.enrolled} people are enrolled; palms to {scheme}://{host}:{bound}; stop with Ctrl-C", err=True
        )
        for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again once it has stopped in order
            signal.signal(number, lambda *_: None)
        uvicorn.Server(config).run([listener])


@app.command()
def openapi() -> None:
    """Show the OpenAPI document of the service's HTTP interface."""
    from smartstore.palm.api import create_app
    from smartstore.palm.keys import new_keys
    from smartstore.palm.service import PalmService
    from smartstore.palm.store import PalmStore

    service = PalmService(new_keys(os.urandom), PalmStore(), os.urandom)
    print_json(create_app(service, time.time_ns).openapi())


@client_app.command("add")
def client_add(
    name: Annotated[str, typer.Argument(help="Small letters, digits and -")],
    role: Annotated[str, typer.Option(help="gate: identify and admit; desk: enrol, export, delete, revoke, audit")],
    store: Annotated[str, typer.Option(help="Store that its visit tokens are for")],
    keys: Keys = None,
    db: Db = DEFAULT_DB,
) -> None:
    """Let a gate or a desk ask; prints its key, once. An older key of the same name is void then."""
    roles: dict[str, Literal["gate", "desk"]] = {"gate": "gate", "desk": "desk"}
    if role not in roles:
        raise PalmUsageError(f"--role {role} is none; say gate or desk")
    with _service(keys, db, create=True) as service:
        typer.echo(service.clients.add(name, roles[role], store, time.time_ns(), OPERATOR))


@client_app.command("list")
def client_list(keys: Keys = None, db: Db = DEFAULT_DB) -> None:
    """Show who may ask."""
    with _service(keys, db) as service:
        print_table(("client", "role", "store"), [(c.name, c.role, c.audience) for c in service.clients.all()])


@client_app.command("remove")
def client_remove(name: str, keys: Keys = None, db: Db = DEFAULT_DB) -> None:
    """Take a client's key away."""
    with _service(keys, db) as service:
        if not service.clients.remove(name, time.time_ns(), OPERATOR):
            raise PalmUsageError(f"there is no client {name}; `smartstore palm client list` shows all")


@app.command()
def delete(person: Person, keys: Keys = None, db: Db = DEFAULT_DB) -> None:
    """Forget a person; their bytes are overwritten in the database files."""
    with _service(keys, db) as service:
        if not service.delete(person, by=OPERATOR, now_ns=time.time_ns()):
            raise PalmUsageError(f"there is no person {person}")
    typer.echo(f"{person} is forgotten")


@app.command()
def export(person: Person, keys: Keys = None, db: Db = DEFAULT_DB) -> None:
    """Show everything that is held about a person, as JSON."""
    from smartstore.palm.api import person_held

    with _service(keys, db) as service:
        held = service.export(person, by=OPERATOR, now_ns=time.time_ns())
    if held is None:
        raise PalmUsageError(f"there is no person {person}")
    print_json(person_held(held).model_dump())


@app.command()
def renew(
    finish: Annotated[
        bool, typer.Option("--finish", help="Delete who was not recognised since; at once if templates have leaked")
    ] = False,
    keys: Keys = None,
    db: Db = DEFAULT_DB,
) -> None:
    """Take a new salt: everybody gets a new template when they are next recognised."""
    with _service(keys, db) as service:
        if finish:
            gone = service.finish_renewal(by=OPERATOR, now_ns=time.time_ns())
            typer.echo(f"renewal is finished; {gone} people have to enrol again")
        else:
            epoch = service.begin_renewal(by=OPERATOR, now_ns=time.time_ns())
            typer.echo(f"salt {epoch} is in use; `smartstore palm renew --finish` ends the older ones")


@app.command()
def audit(
    after: Annotated[int, typer.Option(min=0, help="Only entries with a higher number")] = 0,
    as_json: AsJson = False,
    keys: Keys = None,
    db: Db = DEFAULT_DB,
) -> None:
    """Check the whole audit trail and show it."""
    from smartstore.palm.api import audit_line

    with _service(keys, db) as service:
        newest = service.check_audit()
        entries = service.audit(after)
    if as_json:
        print_json([audit_line(entry).model_dump() for entry in entries])
        return
    rows = [(str(e.seq), _utc(e.at_ns), e.actor, e.action, e.subject, e.outcome) for e in entries]
    print_table(("number", "UTC", "who", "what", "whom", "outcome"), rows)
    if newest is not None:
        typer.echo(f"the trail is whole; note elsewhere: {newest.seq} {newest.digest.hex()}")


@contextmanager
def _service(keys: Path | None, db: str, create: bool = False) -> "Iterator[PalmService]":
    """The service on a database; keys come first, so that a mistake leaves no empty database."""
    from smartstore.palm.keys import read_keys
    from smartstore.palm.service import PalmService
    from smartstore.palm.store import PalmStore

    found = read_keys(keys, os.environ)
    with PalmStore(db if "://" in db else f"sqlite:///{db}", create) as store:
        yield PalmService(found, store, os.urandom)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise PalmUsageError(f"cannot listen on {host}, port {port} ({error.strerror}); say another --port") from error
    with listener:
        yield listener


def _check_tls(cert: Path, key: Path) -> None:
    for path in (cert, key):
        path.open("rb").close()  # names the file that is missing, which the next line does not
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except ssl.SSLError as error:
        raise PalmUsageError(f"{cert} and {key} are no certificate and key that belong together") from error


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _utc(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat(timespec="seconds")
