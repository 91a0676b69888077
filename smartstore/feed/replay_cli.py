"""``smartstore record | replay``: feeds kept while they happen, and played again.

In: a broker, or a recording. Out: a recording, or receipts. Mounted by :mod:`smartstore.cli`.
"""

import signal
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from smartstore.console import CaFile, Credentials, print_table
from smartstore.feed.cli import Feed, FeedUsageError, From, To, Topics, part_of

if TYPE_CHECKING:
    from smartstore.bus.access import MqttAddress
    from smartstore.feed.copying import Cut
    from smartstore.feed.replay import Pace, Packets, Replayed
    from smartstore.settings import VisionOptions
    from smartstore.site import Site
    from smartstore.vision.worker import VisionWorker

app = typer.Typer()

StoreFile = Annotated[Path | None, typer.Option("--store", help="Store document; a recording usually carries its own")]


@app.command()
def record(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The new recording (MCAP)")],
    broker: Annotated[str, typer.Option(help="Address of the broker: mqtt://host:port")],
    store: Annotated[Path | None, typer.Option("--store", help="Store document: kept in the recording")] = None,
    palm_key: Annotated[Path | None, typer.Option(help="The palm service's public key: kept in the recording")] = None,
    credentials: Credentials = None,
    ca_file: CaFile = None,
) -> None:
    """Keep everything that is said on a broker until told to stop; a crash leaves a readable file."""
    from smartstore.bus.access import broker_access
    from smartstore.bus.mqtt import MqttBus
    from smartstore.feed.recording import record_bus

    if out.exists():
        raise FeedUsageError(f"{out}: exists already; give the recording a new name")
    stopping: list[int] = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda number, _: stopping.append(number))
    with MqttBus(broker_access(broker, credentials, ca_file), keep_latest=1_000_000) as bus:
        ready = f"recording {bus.address} to {out}; stop with Ctrl-C"
        count = record_bus(bus, out, store, palm_key, lambda: bool(stopping), lambda: typer.echo(ready, err=True))
    typer.echo(f"{out}: {count} packets" if out.exists() else f"nothing was said, so there is no {out}")


@app.command()
def replay(
    feed: Feed,
    speed: Annotated[str, typer.Option(help="Times as fast as it happened, or max")] = "max",
    start: From = None,
    end: To = None,
    topics: Topics = None,
    faults: Annotated[Path | None, typer.Option(help="Faults on the way, like those in configs/faults")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the faults")] = 0,
    broker: Annotated[
        str | None, typer.Option(help="Address of a broker whose service listens; else in process")
    ] = None,
    service: Annotated[str, typer.Option(help="With --broker: name of that service")] = "main",
    store: StoreFile = None,
    settings: Annotated[Path | None, typer.Option(help="Settings, for example configs/pipeline.yaml")] = None,
    palm_key: Annotated[Path | None, typer.Option(help="Public key of the palm service, if not recorded")] = None,
    any_token: Annotated[bool, typer.Option("--any-token", help="Let in everybody, whatever their token says")] = False,
    credentials: Credentials = None,
    ca_file: CaFile = None,
    out: Annotated[Path | None, typer.Option(help="Write the receipts to this file, as JSON")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the receipts as JSON and nothing else")] = False,
) -> None:
    """Play a recording as if it were live, and show the receipts that follow from it."""
    from smartstore.bus.access import broker_access
    from smartstore.bus.reading import check_whole
    from smartstore.faults import Faults, Restart, load_faults
    from smartstore.feed.live import paced
    from smartstore.feed.receipts import receipts_document, receipts_text
    from smartstore.feed.replay import device_packets
    from smartstore.site.writing import write_whole

    part, pace = part_of(start, end, topics), paced(_speed(speed))
    if broker is not None and (settings or palm_key or any_token):
        raise FeedUsageError("with --broker the service there has its own settings and keys; leave those options out")
    plan = load_faults(faults) if faults is not None else None
    if plan is not None and any(isinstance(fault, Restart) for fault in plan.faults):
        raise FeedUsageError(f"{faults}: a replay restarts neither broker nor service; use smartstore sim run --faults")
    check_whole(feed)
    packets = device_packets(feed, part, Faults(plan, seed) if plan is not None else None)
    packets = _watched(packets)
    if broker is not None:
        played = _over(broker_access(broker, credentials, ca_file), feed, store, packets, pace, service)
    else:
        played = _here(feed, part, store, settings, palm_key, any_token, packets, pace)
    if not played.sent:
        raise FeedUsageError(
            f"{feed}: devices say nothing in that part; `smartstore feed info {feed}` shows what it has"
        )
    text = receipts_text(receipts_document(played.receipts))
    if as_json:
        typer.echo(text, nl=False)
    else:
        _show(played)
    if out is not None:  # last: what was played for minutes is shown even where it cannot be kept
        write_whole(out, text.encode("utf-8"))


def _over(
    access: "MqttAddress", feed: Path, store: Path | None, packets: "Packets", pace: "Pace", service: str
) -> "Replayed":
    from smartstore.bus.mqtt import MqttBus
    from smartstore.bus.recording import feed_metadata
    from smartstore.feed.live import replay_live
    from smartstore.site import load_site

    name = load_site(store).store if store is not None else feed_metadata(feed).get("store", "")
    if not name:
        raise FeedUsageError(f"{feed}: does not say which store it is of; name it with --store FILE")
    with MqttBus(access, keep_latest=1_000_000) as bus:
        return replay_live(bus, name, packets, pace, service)


def _here(
    feed: Path, part: "Cut", store: Path | None, settings: Path | None, palm_key: Path | None, any_token: bool,
    packets: "Packets", pace: "Pace",
) -> "Replayed":  # fmt: skip
    from smartstore.feed.documents import recorded_palm_key, recorded_site
    from smartstore.feed.replay import has_pictures
    from smartstore.feed.replay import replay as play
    from smartstore.process import quiet_collector
    from smartstore.settings import read_settings
    from smartstore.site import load_site

    if palm_key is not None and any_token:
        raise FeedUsageError("say who may come in: either --palm-key FILE or --any-token")
    options = read_settings(settings)
    site = load_site(store) if store is not None else recorded_site(feed)
    vision = _worker(site, options.vision) if has_pictures(feed, part) else None
    quiet_collector()
    with ExitStack() as stack:
        key = palm_key if palm_key is not None or any_token else stack.enter_context(recorded_palm_key(feed))
        return play(packets, site, key, options, vision, pace)


def _worker(site: "Site", options: "VisionOptions") -> "VisionWorker":
    from smartstore.vision_service import vision_worker

    return vision_worker(site, options)


def _watched(packets: "Packets") -> "Packets":
    """Says on a terminal how much has been played."""
    console = Console(stderr=True, markup=False)
    if not console.is_terminal:
        yield from packets
        return
    first_ns = -1
    with console.status("0 s") as status:
        for count, (t_ns, packet) in enumerate(packets):
            first_ns = t_ns if first_ns < 0 else first_ns
            if count % 100 == 0:
                status.update(f"{(t_ns - first_ns) / 1e9:.0f} s played, {count} packets")
            yield t_ns, packet


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        value = float(text.removesuffix("x"))
    except ValueError:
        value = 0.0
    if not 0.001 <= value <= 1e6:
        raise FeedUsageError(f"--speed {text!r} is neither a factor, like 1 or 10, nor max")
    return value


def _show(played: "Replayed") -> None:
    rows = []
    for visit, receipt in sorted(played.receipts.items(), key=lambda item: (item[1].left_ns, item[0])):
        sale = receipt.transaction
        lines = ", ".join(f"{line.quantity} × {line.description} ({line.item_id})" for line in sale.line_item)
        rows.append(
            (visit, lines or "nothing", f"{sale.total / 100:.2f} {sale.currency_code}", sale.transaction_status)
        )
    print_table(("visit", "lines", "total", "status"), rows)
    open_cases = sum(case.phase == "new" for case in played.cases.values())
    typer.echo(
        f"{played.sent} packets, {played.event_s:.1f} s; {len(rows)} receipts, {open_cases} open cases", err=True
    )
