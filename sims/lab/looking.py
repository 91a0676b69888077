"""Pictures of a story as what the vision worker says of them, so that the rest of the run is that of smart cameras.

In: packets of the building as they leave it, at one moment. Out: the same, with messages about people and facings in
the place of pictures. What was said can be kept as a recording and heard again: looking is nearly all that such a run
costs.
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from sims.lab.fit_edge_record import detector_id, store_id
from sims.scenario import Scenario
from smartstore.bus.recording import McapRecorder, read_timed_feed
from smartstore.settings import VisionOptions
from smartstore.site import Site
from smartstore.vision.worker import Shot
from smartstore.vision_service import sight_packets, vision_worker
from smartstore.wire import topics
from smartstore.wire.codec import Packet, decode
from smartstore.wire.messages import Frame

Heard = tuple[int, Sequence[Packet]]
"""A moment of a run: its time, UTC nanoseconds, and what left the building then."""


class Looker:
    """One vision worker, which looks at all pictures of a store."""

    def __init__(self, site: Site, options: VisionOptions) -> None:
        """
        Raises:
            DetectorError: there are no usable weights.
        """
        self._site, self._worker = site, vision_worker(site, options)

    def look(self, packets: Sequence[Packet]) -> list[Packet]:
        """A moment's packets, with what pictures show in their place."""
        frames: list[tuple[str, Frame]] = []
        told: list[Packet] = []
        for packet in packets:
            found = topics.find(packet.topic)
            received = decode(packet) if found is not None and found[0] is topics.FRAME else None
            if received is not None and isinstance(received.message, Frame):
                frames.append((received.device, received.message))
            else:
                told.append(packet)
        sights = self._worker.look([Shot(c, f.t_ns, f.jpeg, f.width, f.height) for c, f in frames]) if frames else []
        for (camera, frame), sight in zip(frames, sights, strict=True):
            told += sight_packets(self._site, camera, frame.seq, sight)
        return told


def kept(path: Path) -> Iterator[Heard]:
    """The moments of a recording that :func:`keeping` made.

    Raises:
        FeedError: it cannot be read.
    """
    for t_ns, timed in groupby(read_timed_feed(path), key=lambda one: one[0]):
        yield t_ns, [packet for _, packet in timed]


def keeping(path: Path, store: str, moments: Iterator[Heard]) -> Iterator[Heard]:
    """The moments as they come, each of them recorded; the file is there when the last one was heard."""
    partial = path.with_name(f".{path.name}.partial")
    with McapRecorder(partial, store, {}) as recorder:
        for t_ns, packets in moments:
            for packet in packets:
                recorder.write(packet, t_ns)
            yield t_ns, packets
    partial.replace(path)


def looks_key(scenario: Scenario, seed: int) -> str:
    """Changes with the story, the documents of its store and the networks; not with the program."""
    story = scenario.model_dump_json(exclude={"seed", "edge", "store_file"})
    told = f"{detector_id()}|{seed}|{store_id(scenario.store)}|{story}"
    return hashlib.sha256(told.encode()).hexdigest()[:12]
