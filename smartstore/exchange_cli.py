"""``smartstore import …`` and ``smartstore export …`` for formats that other tools read and write.

In: files of others, or store documents, recordings and receipts of ours. Out: the other of the two, each file written
whole or not at all.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from smartstore.formats.cameras import Calibration
    from smartstore.formats.mot import Timing
    from smartstore.site import Site
    from smartstore.wire.codec import Received
    from smartstore.wire.messages import Message
    from smartstore.wire.topics import Channel

imports = typer.Typer()
exports = typer.Typer(help="What we have, in formats of others.", no_args_is_help=True)

OutFile = Annotated[Path, typer.Option(help="The new file")]
OutFolder = Annotated[Path, typer.Option(help="Folder of the new files")]
StoreDocument = Annotated[Path, typer.Option("--store", help="Store document")]
StoreArgument = Annotated[Path, typer.Argument(metavar="STORE", help="Store document")]
FeedArgument = Annotated[Path, typer.Argument(metavar="FEED", help="Recording (MCAP)")]
Camera = Annotated[str, typer.Option(help="Camera of the store")]
Fps = Annotated[float, typer.Option(min=0.1, max=120, help="Frames per second")]
Start = Annotated[str, typer.Option(help="When frame 1 was taken, UTC")]
FIRST = "2026-01-05T09:00:00"
EPOCH, LAST_YEAR = datetime(1970, 1, 1, tzinfo=UTC), 2114
"""Times on the wire go from the one to a little after the other."""


class ExchangeError(Exception):
    """An import or export that cannot be carried out as it was given; one line."""


@imports.command("wildtrack")
def import_wildtrack(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The set's folder 'calibrations'")],
    out: OutFile,
    fps: Fps = 2.0,
    undistorted: Annotated[bool, typer.Option("--undistorted", help="For pictures without distortion")] = False,
) -> None:
    """Import WILDTRACK's calibrations (centimetres) as cameras of a store document."""
    from smartstore.formats.wildtrack import read_wildtrack

    _write_cameras(read_wildtrack(folder, undistorted), out, fps)


@imports.command("opencv")
def import_opencv(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="One per camera, named like it")],
    out: OutFile,
    fps: Fps = 5.0,
) -> None:
    """Import calibrations of OpenCV (YAML or XML, metres) as cameras of a store document."""
    from smartstore.formats.opencv import read_opencv

    _write_cameras([read_opencv(file) for file in files], out, fps)


@imports.command("planogram")
def import_planogram(
    file: Annotated[Path, typer.Argument(metavar="CSV", help="Table with shelf, position, facings, gtin")],
    store: StoreDocument,
    out: Annotated[
        Path | None, typer.Option(help="The changed store document; the store's own file if not said")
    ] = None,
) -> None:
    """Import what lies where: the facings of a store document become those of a table."""
    from smartstore.formats.planogram_csv import put_on_shelves, read_planogram
    from smartstore.site import load_site
    from smartstore.site.writing import moved_document, read_document, save

    places, site, document = read_planogram(file), load_site(store), read_document(store)
    changed = put_on_shelves(document, places, site.items)
    target = out or store
    save(moved_document(document, store, target), target)
    typer.echo(f"{target}: {len(places)} places on {changed} shelves")


@imports.command("mot")
def import_mot(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="frame,id,left,top,width,height,score[,x,y,z]")],
    store: StoreDocument,
    out: OutFile,
    camera: Annotated[str | None, typer.Option(help="Boxes are what this camera saw")] = None,
    source: Annotated[str | None, typer.Option(help="Places (x, y in metres) are what this system followed")] = None,
    fps: Fps = 5.0,
    start: Start = FIRST,
) -> None:
    """Import people in MOT Challenge's format as a recording of a camera, or of a system that follows people."""
    from smartstore.formats.mot import people_messages, read_mot, tracks_messages
    from smartstore.site import load_site
    from smartstore.wire import topics

    if (camera is None) == (source is None):
        raise ExchangeError("say what the file is: either --camera NAME (boxes) or --source NAME (places on the floor)")
    rows, site = read_mot(file), load_site(store)
    if camera is not None:
        size_px = _size_px(site, camera)
        _record(out, store, site, topics.PEOPLE, camera, people_messages(rows, _timing(start, fps), size_px))
    else:
        _record(out, store, site, topics.TRACKS, source or "", tracks_messages(rows, _timing(start, fps)))


@imports.command("coco")
def import_coco(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="COCO keypoints, JSON")],
    store: StoreDocument,
    camera: Camera,
    out: OutFile,
    fps: Fps = 5.0,
    start: Start = FIRST,
) -> None:
    """Import people in COCO's keypoint format as a recording of a camera."""
    from smartstore.formats.coco import read_coco
    from smartstore.site import load_site
    from smartstore.wire import topics

    site = load_site(store)
    _size_px(site, camera)
    _record(out, store, site, topics.PEOPLE, camera, read_coco(file, _timing(start, fps)))


@exports.command("wildtrack")
def export_wildtrack(store: StoreArgument, out: OutFolder) -> None:
    """Export the cameras of a store as WILDTRACK has calibrations (centimetres)."""
    from smartstore.formats.wildtrack import wildtrack_files

    _write_all(out, wildtrack_files(_calibrations(store)))


@exports.command("opencv")
def export_opencv(store: StoreArgument, out: OutFolder) -> None:
    """Export the cameras of a store as OpenCV has calibrations (YAML, metres)."""
    from smartstore.formats.opencv import opencv_yaml

    _write_all(out, ((f"{found.camera}.yml", opencv_yaml(found)) for found in _calibrations(store)))


@exports.command("planogram")
def export_planogram(store: StoreArgument, out: OutFile) -> None:
    """Export what lies where as a table: shelf, position, facings, gtin."""
    from smartstore.formats.planogram_csv import planogram_csv
    from smartstore.site import load_site

    _write(out, planogram_csv(load_site(store)))


@exports.command("mot")
def export_mot(
    feed: FeedArgument,
    out: OutFile,
    camera: Annotated[str | None, typer.Option(help="The boxes of this camera; else the places on the floor")] = None,
) -> None:
    """Export people in MOT Challenge's format: what a camera saw, or where the pipeline had everybody."""
    from smartstore.formats.mot import mot_of_floor, mot_of_people
    from smartstore.wire import topics

    if camera is not None:
        _write(out, mot_of_people(received.message for received in _said(feed, topics.PEOPLE, camera)))
    else:
        _write(out, mot_of_floor(received.message for received in _said(feed, topics.FLOOR, None)))


@exports.command("coco")
def export_coco(feed: FeedArgument, camera: Camera, out: OutFile) -> None:
    """Export people in COCO's keypoint format: what a camera saw."""
    import json

    from smartstore.formats.coco import coco_document
    from smartstore.wire import topics

    document = coco_document(camera, (received.message for received in _said(feed, topics.PEOPLE, camera)))
    _write(out, json.dumps(document) + "\n")


@exports.command("epcis")
def export_epcis(
    receipts: Annotated[Path, typer.Argument(metavar="RECEIPTS", help="receipts.json of a run or a replay")],
    out: OutFile,
    gln: Annotated[str | None, typer.Option(help="The store's GLN, 13 digits")] = None,
) -> None:
    """Export receipts as EPCIS 2.0 events (JSON-LD)."""
    import json

    import msgspec

    from smartstore.feed.receipts import read_receipts
    from smartstore.formats.epcis import epcis_document
    from smartstore.wire.messages import RetailTransaction

    try:
        found = [msgspec.convert(entry.get("receipt"), RetailTransaction) for entry in read_receipts(receipts)]
    except msgspec.ValidationError as error:
        raise ExchangeError(f"{receipts}: holds something that is no receipt ({error})") from error
    _write(out, json.dumps(epcis_document(found, gln), indent=2) + "\n")


def _calibrations(store: Path) -> "list[Calibration]":
    from smartstore.formats.cameras import calibration_of
    from smartstore.site import load_site

    return [calibration_of(camera.model) for camera in load_site(store).cameras.values()]


def _write_cameras(found: "list[Calibration]", out: Path, fps: float) -> None:
    """The part ``cameras`` of a store document."""
    import yaml

    from smartstore.formats.cameras import camera_node, oblong

    for camera in found:
        if oblong(camera):
            typer.echo(f"camera {camera.camera}: its pixels are not square; the mean focal length is kept", err=True)
    nodes: list[dict[str, Any]] = [camera_node(camera, fps) for camera in found]
    _write(out, yaml.safe_dump({"cameras": nodes}, sort_keys=False, default_flow_style=None, width=120))


def _timing(start: str, fps: float) -> "Timing":
    from smartstore.formats.mot import Timing

    try:
        moment = datetime.fromisoformat(start)
    except ValueError as error:
        raise ExchangeError(f"--start {start!r} is no time; write it like {FIRST}") from error
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if moment < EPOCH or moment.year > LAST_YEAR:
        raise ExchangeError(f"--start {start!r} is not a time from {EPOCH.year} to {LAST_YEAR}")
    return Timing((moment - EPOCH) // timedelta(microseconds=1) * 1000, fps)


def _size_px(site: "Site", camera: str) -> tuple[int, int]:
    if camera not in site.cameras:
        raise ExchangeError(f"camera {camera!r} is not in the store; it has {', '.join(site.cameras)}")
    model = site.cameras[camera].model
    return model.width_px, model.height_px


def _said(feed: Path, channel: "Channel", device: str | None) -> "Iterator[Received]":
    """What was said on a channel of a whole recording, at least once."""
    from smartstore.bus.reading import check_whole
    from smartstore.bus.recording import read_feed
    from smartstore.wire.codec import WireError, decode

    check_whole(feed)
    found = False
    for packet in read_feed(feed):
        try:
            received = decode(packet, as_sent=True)
        except WireError:
            continue
        if received is not None and received.channel is channel and device in (None, received.device):
            found = True
            yield received
    if not found:
        who = f"camera {device!r}" if device else "the pipeline"
        raise ExchangeError(f"{feed}: {who} says nothing there; `smartstore feed info {feed}` shows what it has")


def _record(
    out: Path, store: Path, site: "Site", channel: "Channel", device: str, messages: "Iterable[Message]"
) -> None:
    """A recording of one device, heard when it was said."""
    from smartstore.feed.recording import record_whole
    from smartstore.wire.codec import encode

    heard = ((message.t_ns, encode(channel, site.store, device, message)) for message in messages)
    count = record_whole(out, site.store, store, heard, imported=channel.name)
    typer.echo(f"{out}: {count} messages")


def _write_all(folder: Path, files: Iterable[tuple[str, str]]) -> None:
    for name, text in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _write(folder / name, text)


def _write(path: Path, text: str) -> None:
    """The file, whole or not at all."""
    from smartstore.site.writing import write_whole

    write_whole(path, text.encode("utf-8"))
    typer.echo(f"{path}: written")
