"""A bus recorded until told to stop, or packets that are at hand.

In: an open bus, or packets; the store document, if it is to be kept. Out: a recording.
"""

import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

from smartstore.bus.base import Bus
from smartstore.bus.recording import McapRecorder
from smartstore.feed.documents import PALM_KEY, item_pictures, store_documents
from smartstore.palm.tokens import read_verifier
from smartstore.site import load_site
from smartstore.wire import topics
from smartstore.wire.codec import Packet

ALIVE_S = 0.2


def open_recorder(
    out: Path, store: str, document: Path | None = None, palm_key: Path | None = None, **about: str
) -> McapRecorder:
    """A recorder whose file carries its store, calibrations, the palm service's public key and ``about`` (texts).

    Raises:
        FeedError, SiteError, TokenError: the file cannot be written, or what it should carry is not sound.
    """
    metadata = {"smartstore": version("smartstore-sim"), **about}
    if palm_key is not None:
        read_verifier(palm_key, store)
        metadata[PALM_KEY] = palm_key.read_text(encoding="ascii")
    if document is None:
        return McapRecorder(out, store, metadata)
    site = load_site(document)
    cameras = [camera.model for camera in site.cameras.values()]
    return McapRecorder(out, store, metadata | store_documents(document), cameras, item_pictures(document, site))


def record_whole(out: Path, store: str, document: Path, heard: Iterable[tuple[int, Packet]], **about: str) -> int:
    """A recording of packets, each with the time at which it was heard, whole or not at all; returns their number.

    Raises:
        FeedError, SiteError: as :func:`open_recorder`.
    """
    partial = out.with_name(f".{out.name}.partial")
    count = 0
    try:
        with open_recorder(partial, store, document, None, **about) as recorder:
            for t_ns, packet in heard:
                recorder.write(packet, t_ns)
                count += 1
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return count


def record_bus(
    bus: Bus,
    out: Path,
    document: Path | None,
    palm_key: Path | None,
    stopped: Callable[[], bool],
    ready: Callable[[], None] = lambda: None,
) -> int:
    """Writes all packets of a store (of all stores without ``document``) until ``stopped``; returns their number.

    ``ready`` is called once nothing is missed any more. Without ``document`` the file begins with the first packet.

    Raises:
        FeedError, SiteError, TokenError: as :func:`open_recorder`.
    """
    store = load_site(document).store if document is not None else ""
    recorder = open_recorder(out, store, document, palm_key) if store else None
    filters = f"{topics.ROOT}/{store}/#" if store else f"{topics.ROOT}/#"
    count = 0
    try:
        bus.subscribe(filters)
        ready()
        while not bus.closed:
            if stopped() and filters:
                bus.unsubscribe(filters)
                filters = ""
            packet = bus.receive(ALIVE_S)
            if packet is None and not filters:
                break
            if packet is None:
                continue
            if recorder is None:
                found = topics.find(packet.topic)
                recorder = open_recorder(out, found[1] if found else "", None, palm_key)
            recorder.write(packet, time.time_ns())
            count += 1
    finally:
        if recorder is not None:
            recorder.close()
    return count
