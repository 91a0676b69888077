"""``smartstore``: the command line. Other packages' commands come in by the entry point group ``smartstore.commands``.

Bad input is one line on standard error that says what is wrong and what to do, and exit code 2; never a traceback.
"""

import errno
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smartstore.broker_cli import app as broker_app
from smartstore.console import CaFile, Credentials, Level, LogJson, LogLevel, print_json, print_table
from smartstore.exchange_cli import exports as export_app
from smartstore.exchange_cli import imports as exchange_imports
from smartstore.feed.cli import app as feed_app
from smartstore.feed.replay_cli import app as replay_app
from smartstore.health_cli import app as health_app
from smartstore.import_cli import app as import_app
from smartstore.ledger.cli import DEFAULT_DB, Db, open_journal, state_folder
from smartstore.ledger.cli import app as journal_app
from smartstore.ledger.db_cli import app as db_app
from smartstore.ledger.review_cli import app as review_app
from smartstore.ledger.review_cli import picture_folder
from smartstore.logs import log_to_stderr
from smartstore.palm.cli import app as palm_app
from smartstore.site_cli import app as site_app
from smartstore.vision.cli import app as vision_app

if TYPE_CHECKING:
    from smartstore.bus.access import MqttAddress
    from smartstore.bus.mqtt import MqttBus
    from smartstore.pipeline import Vision
    from smartstore.settings import Settings, VisionOptions
    from smartstore.site import Site
    from smartstore.vision.worker import VisionWorker

MQTT_PORT = 1883
BROKER = r"mqtt\[s]://\[user:password@]host[:port]"
"""The form of a broker's address in help texts, where brackets are markup unless a backslash says otherwise."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a disk that takes no more."""
AWAY_S = 24 * 3600
"""So long the broker keeps for a service that is away what must not be lost."""

app = typer.Typer(
    help="The software of a checkout-free store.", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False,
)  # fmt: skip
app.add_typer(journal_app)  # without a name: its commands stand beside those here
app.add_typer(replay_app)
app.add_typer(health_app)
app.add_typer(site_app, name="site")
app.add_typer(vision_app, name="vision")
app.add_typer(review_app, name="review")
import_app.add_typer(exchange_imports)  # beside the larger imports
app.add_typer(import_app, name="import")
app.add_typer(export_app, name="export")
app.add_typer(feed_app, name="feed")
app.add_typer(palm_app, name="palm")
app.add_typer(broker_app, name="broker")
app.add_typer(db_app, name="db")


class UsageError(Exception):
    """A command that cannot be carried out as it was given; one line."""


@app.command()
def serve(
    store: Annotated[Path, typer.Option("--store", help="Store document, for example configs/stores/corner.yaml")],
    broker: Annotated[str | None, typer.Option(help=f"{BROKER}; without it a broker is started here")] = None,
    db: Db = DEFAULT_DB,
    settings: Annotated[Path | None, typer.Option(help="Settings, for example configs/pipeline.yaml")] = None,
    name: Annotated[str, typer.Option("--id", help="Name of this service on the bus")] = "main",
    palm_key: Annotated[
        Path | None, typer.Option(help="Public key (PEM) of the palm service that lets people in")
    ] = None,
    any_token: Annotated[bool, typer.Option("--any-token", help="Let in everybody, whatever their token says")] = False,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the broker started here")] = None,
    frames: Annotated[
        bool | None,
        typer.Option("--frames/--no-frames", help="Whether pictures are looked at; if not said, once one comes"),
    ] = None,
    credentials: Credentials = None,
    ca_file: CaFile = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="Folder for pictures of review cases; beside the file of the journal if not said"),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Folder for what is needed after a crash; beside the file of the journal if not said"),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port for /metrics (Prometheus) and /health; 0: a free one"),
    ] = None,
    metrics_host: Annotated[str, typer.Option(help="Address that this port is open on")] = "127.0.0.1",
    log_level: LogLevel = Level.info,
    log_json: LogJson = False,
) -> None:
    """Run a store: from what its devices say to settled receipts, until it is told to stop."""
    from smartstore.bus.access import broker_access
    from smartstore.ledger.inputs import InputLog
    from smartstore.listening import EntryCheck
    from smartstore.metrics import Window
    from smartstore.palm.tokens import read_verifier
    from smartstore.payment.gateway import StubGateway, faults_of
    from smartstore.pipeline import Pipeline
    from smartstore.process import Patience
    from smartstore.service import Service, pipeline_options
    from smartstore.settings import read_settings
    from smartstore.site import load_site
    from smartstore.state import fingerprint

    if (palm_key is None) != any_token:
        raise UsageError("say who may come in: either --palm-key FILE (the palm service's public key) or --any-token")
    if broker is not None and port is not None:
        raise UsageError("--port is for the broker started here; with --broker put the port into the address")
    _check_name(name)
    options, site = read_settings(settings), load_site(store)
    check = EntryCheck(read_verifier(palm_key, site.store) if palm_key is not None else None)
    vision = _vision(site, options.vision, frames) if frames is not False else None
    log_to_stderr(log_level.value, log_json)
    with ExitStack() as stack:
        window = stack.enter_context(Window(metrics_port, metrics_host)) if metrics_port is not None else None
        url = broker if broker is not None else _broker(stack, port or MQTT_PORT)
        access = broker_access(url, credentials, ca_file)
        journal = stack.enter_context(open_journal(db, True, Patience(options.service.database_s)))
        folder = state or state_folder(db, site.store, name)
        inputs = stack.enter_context(InputLog(folder, fingerprint(store.read_text(encoding="utf-8"), repr(options))))
        bus = stack.enter_context(_bus(access, site.store, name, options))
        gateway = StubGateway(faults_of(options.payment), folder / "provider.db")
        pipeline = Pipeline(site, pipeline_options(options), vision)
        watch = window.show if window is not None else None
        service = Service(bus, site, pipeline, journal, gateway, check, name, options, vision is not None,
                          pictures or picture_folder(db), inputs, watch)  # fmt: skip
        signal.signal(signal.SIGTERM, lambda *_: service.stop())
        signal.signal(signal.SIGINT, lambda *_: service.stop())
        seen = f", watched at {window.url}/metrics" if window is not None else ""
        typer.echo(f"{site.name} is served on {bus.address}{seen}; stop with Ctrl-C", err=True)
        service.run()


@vision_app.command("serve")
def vision_serve(
    store: Annotated[Path, typer.Option("--store", help="Store document, for example configs/stores/corner.yaml")],
    broker: Annotated[str, typer.Option(help=f"{BROKER} of the store")],
    name: Annotated[str | None, typer.Option("--id", help="Name of this worker on the bus; each needs its own")] = None,
    settings: Annotated[Path | None, typer.Option(help="Settings, for example configs/pipeline.yaml")] = None,
    credentials: Credentials = None,
    ca_file: CaFile = None,
    log_level: LogLevel = Level.info,
    log_json: LogJson = False,
) -> None:
    """Look at the pictures of a store for a service that runs with --no-frames; several workers share the cameras."""
    from smartstore.bus.access import broker_access
    from smartstore.bus.mqtt import MqttBus
    from smartstore.settings import read_settings
    from smartstore.site import load_site
    from smartstore.vision_service import VisionService, vision_status, vision_worker

    name = name or f"{socket.gethostname()}-{os.getpid()}"
    _check_name(name)
    options, site = read_settings(settings).vision, load_site(store)
    worker = vision_worker(site, options)
    log_to_stderr(log_level.value, log_json)
    will = vision_status(site.store, name, "offline", 0)
    client = f"smartstore-{site.store}-vision-{name}"
    access = broker_access(broker, credentials, ca_file)
    with MqttBus(access, client, will, keep_latest=max(1, options.batch.keep)) as bus:
        service = VisionService(bus, site, worker, name, options.batch)
        signal.signal(signal.SIGTERM, lambda *_: service.stop())
        signal.signal(signal.SIGINT, lambda *_: service.stop())
        typer.echo(f"pictures of {site.name} are looked at for {bus.address}; stop with Ctrl-C", err=True)
        service.run()


@app.command()
def channels(
    asyncapi: Annotated[bool, typer.Option("--asyncapi", help="As an AsyncAPI 3 document, in JSON")] = False,
) -> None:
    """Show all MQTT channels: topics, messages, quality of service."""
    from smartstore.wire.asyncapi import asyncapi_document, channel_rows, channels_markdown

    if asyncapi:
        print_json(asyncapi_document())
    elif sys.stdout.isatty():
        head, *rows = channel_rows()
        print_table(head, rows)
    else:
        typer.echo(channels_markdown(), nl=False)


def main() -> None:
    """The entry point of the program."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Carries out a command line; returns the exit code."""
    packages = {"smartstore", *_mount()}
    try:
        code = app(arguments, standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        line = _one_line(error, packages)
        if line is None:
            raise
        typer.echo(line, err=True)
        return 2
    return code if isinstance(code, int) else 0


def _one_line(error: Exception, packages: set[str]) -> str | None:
    """What a user is told of an error; None for a fault of the program."""
    message: Callable[[], str] | None = getattr(error, "format_message", None)
    if message is not None:  # from the command line's parser
        if type(error).__name__ == "NoArgsIsHelpError":
            return message()
        return " ".join(message().split()).rstrip(".") + "; --help shows what is possible"
    if type(error).__module__.split(".")[0] in packages and type(error).__name__.endswith("Error"):
        return f"error: {error}"
    if isinstance(error, OSError) and error.filename is not None:
        return f"error: {error.filename}: {(error.strerror or 'cannot be used').lower()}"
    if isinstance(error, OSError) and error.errno in FULL:  # of an open file, which has no name any more
        return f"error: {os.strerror(error.errno).lower()}, so nothing was written; make room or name another place"
    return None


def _mount() -> list[str]:
    """Adds the commands of other packages; returns the names of these packages."""
    packages = []
    known = {group.name for group in app.registered_groups}
    for entry in entry_points(group="smartstore.commands"):
        if entry.name not in known:
            try:
                app.add_typer(entry.load(), name=entry.name)
            except ImportError as error:
                typer.echo(f"note: `smartstore {entry.name}` is not available ({error})", err=True)
        packages.append(entry.module.split(".")[0])
    return packages


def _vision(site: "Site", options: "VisionOptions", now: bool | None) -> "Vision":
    """The vision worker: made ``now``, when missing weights are an error, or when the first picture comes."""
    from smartstore.vision.worker import LazyVision
    from smartstore.vision_service import vision_worker

    def load() -> "VisionWorker":
        return vision_worker(site, options)

    return load() if now else LazyVision(load)


def _check_name(name: str) -> None:
    """Raises :class:`UsageError` where a service cannot have this name on the bus."""
    if not name or set(name) & set("/+#"):
        raise UsageError(f"--id {name!r} cannot be part of a topic; leave out /, + and #, and leave something")


def _broker(stack: ExitStack, port: int) -> str:
    from smartstore.bus.broker import EmbeddedBroker

    return stack.enter_context(EmbeddedBroker(port)).url


def _bus(access: "MqttAddress", store: str, name: str, options: "Settings") -> "MqttBus":
    from smartstore.bus.mqtt import MqttBus
    from smartstore.service import status_packet

    will, keep = status_packet(store, name, "offline", 0), options.service.keep_latest
    return MqttBus(access, f"smartstore-{store}-{name}", will, keep_latest=keep, durable_s=AWAY_S)


if __name__ == "__main__":
    main()
