"""A bus recorded until told to stop.

In: an open bus; the store document, if it is to be kept. Out: a recording.
"""

import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from smartstore.bus.base import Bus
from smartstore.bus.recording import McapRecorder
from smartstore.feed.documents import PALM_KEY, item_pictures, store_documents
from smartstore.palm.tokens import read_verifier
from smartstore.site import load_site
from smartstore.wire import topics

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


def record_bus(bus: Bus, out: Path, document: Path | None, palm_key: Path | None, stopped: Callable[[], bool]) -> int:
    """Writes all packets of a store (of all stores without ``document``) until ``stopped``; returns their number.

    Raises:
        FeedError, SiteError, TokenError: as :func:`open_recorder`.
    """
    store = load_site(document).store if document is not None else ""
    bus.subscribe(f"{topics.ROOT}/{store}/#" if store else f"{topics.ROOT}/#")
    count = 0
    recorder: McapRecorder | None = None
    try:
        while not stopped() and not bus.closed:
            packet = bus.receive(ALIVE_S)
            if packet is None:
                continue
            if recorder is None:
                found = topics.find(packet.topic)
                recorder = open_recorder(out, store or (found[1] if found else ""), document, palm_key)
            recorder.write(packet, time.time_ns())
            count += 1
    finally:
        if recorder is not None:
            recorder.close()
    return count
