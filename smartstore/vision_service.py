"""The shell around a vision worker that runs as a process of its own: bus in, bus out.

In: pictures of cameras from the bus. Out: the people in them and the facings of shelf cameras, as messages that a smart
camera would send; what the worker is doing, as status and progress. Several workers share the cameras of a store: each
takes those that :class:`~smartstore.vision.crew.Crew` gives it, through the shared subscription ``$share/vision-…`` of
each camera, so that no picture is looked at twice while a camera changes hands. Whatever arrives, nothing of it makes
an exception leave: what cannot be used is counted, named once, and dropped.
"""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from smartstore.bus.base import SHARED, Bus
from smartstore.domain.people import SeenPerson
from smartstore.settings import VisionOptions
from smartstore.site import Site
from smartstore.vision.batching import Batcher, BatchOptions
from smartstore.vision.crew import Crew
from smartstore.vision.worker import Shot, Sight, VisionWorker, load_worker
from smartstore.wire import messages, topics
from smartstore.wire.codec import Packet, WireError, decode, encode

log = logging.getLogger(__name__)

KIND = "vision"
IDLE_S = 0.05
BEAT_S = 1.0
"""A worker says so often that it is there, and looks who else is."""
GATHER_S = 0.3
"""How long a new worker listens who is there before it takes cameras."""
DRAIN = 256
"""Packets taken off the bus before the network gets its turn."""


class Looks(Protocol):
    """What the shell needs of a worker."""

    stats: Counter[str]

    def look(self, shots: Sequence[Shot]) -> list[Sight]: ...


@dataclass(frozen=True, slots=True)
class _Arrived:
    camera: str
    seq: int
    shot: Shot


def vision_worker(site: Site, options: VisionOptions) -> VisionWorker:
    """The worker that the settings ask for, its networks loaded.

    Raises:
        DetectorError: there are no usable weights.
    """
    from smartstore.vision.detector import DetectorOptions

    network = DetectorOptions(min_score=options.min_score, threads=options.threads, int8=options.int8)
    return load_worker(site, options.detector, network, options.movement)


def device_of(name: str) -> str:
    """The worker's name among the devices of the bus."""
    return f"{KIND}-{name}"


def vision_status(store: str, name: str, state: str, t_ns: int) -> Packet:
    """The retained status of a worker; the one for "offline" is also its last will."""
    status = messages.Status(seq=0, t_ns=t_ns, state="online" if state == "online" else "offline", kind=KIND)
    return encode(topics.STATUS, store, device_of(name), status)


class VisionService:
    """One vision worker of a store on an open bus. ``counts`` are the packets by fate."""

    def __init__(
        self, bus: Bus, site: Site, worker: Looks, name: str, options: BatchOptions = BatchOptions(),  # noqa: B008
    ) -> None:  # fmt: skip
        self._bus, self._site, self._store, self._worker, self._name = bus, site, site.store, worker, name
        self._batcher: Batcher[_Arrived] = Batcher(options)
        self._crew = Crew(device_of(name))
        self._cameras: set[str] = set()
        self._named: set[str] = set()
        self._processed_ns, self._beats, self._beat_s = 0, 0, 0.0
        self._stopping = False
        self.counts: Counter[str] = Counter()

    def run(self) -> None:
        """Works until :meth:`stop` is called or the bus is closed."""
        self._bus.subscribe(topics.STATUS.filter(self._store), topics.PROGRESS.filter(self._store))
        self._bus.publish(vision_status(self._store, self._name, "online", time.time_ns()))
        claim_s = time.monotonic() + GATHER_S
        while not self._stopping and not (self._bus.closed and not self._batcher):
            self._drain()
            self._work()
            if time.monotonic() >= max(claim_s, self._beat_s + BEAT_S):
                self._beat()
        self._claim(())
        self._bus.publish(vision_status(self._store, self._name, "offline", time.time_ns()))
        log.info("stopped; %s", self.stats)

    def stop(self) -> None:
        """Ends :meth:`run` after the batch in hand; may be called from a signal handler."""
        self._stopping = True

    @property
    def stats(self) -> dict[str, int]:
        """What became of packets and pictures so far, by name."""
        return dict(sorted((self.counts + self._worker.stats + self._batcher.dropped).items()))

    def _drain(self) -> None:
        """Takes what is there off the bus; waits for more only until a batch is due."""
        due_s = self._batcher.due_s()
        patience_s = IDLE_S if due_s is None else min(IDLE_S, max(0.0, due_s - time.monotonic()))
        for _ in range(DRAIN):
            packet = self._bus.receive(patience_s)
            if packet is None:
                return
            self._handle(packet)
            patience_s = 0.0

    def _handle(self, packet: Packet) -> None:
        try:
            received = decode(packet)
        except WireError as error:
            self.counts["malformed"] += 1
            if packet.topic not in self._named and len(self._named) < 1000:
                self._named.add(packet.topic)
                log.warning("malformed, and others like it: %s", str(error)[:500])
            return
        if received is None:
            return
        now_s, message = time.monotonic(), received.message
        if isinstance(message, messages.Frame):
            self.counts["received"] += 1
            shot = Shot(received.device, message.t_ns, message.jpeg, message.width, message.height)
            self._batcher.offer(_Arrived(received.device, message.seq, shot), now_s)
        elif isinstance(message, messages.Status) and message.kind == KIND and received.device != self._crew.name:
            self._greet(received.device, message.state == "online", now_s)
        elif isinstance(message, messages.Progress) and received.device.startswith(f"{KIND}-"):
            self._crew.heard(received.device, now_s)

    def _greet(self, worker: str, online: bool, now_s: float) -> None:
        """Another worker came or went: who looks at what is settled anew, at once if this one has begun."""
        if online:
            self._crew.heard(worker, now_s)
        else:
            self._crew.left(worker)
        if self._beats:
            self._claim(self._crew.mine(self._site.cameras, now_s))

    def _work(self) -> None:
        """Looks at the batch that is due, if one is, and publishes what it shows."""
        batch = self._batcher.take(time.monotonic())
        if not batch:
            return
        for arrived, sight in zip(batch, self._worker.look([a.shot for a in batch]), strict=True):
            for packet in sight_packets(self._site, arrived.camera, arrived.seq, sight):
                self._bus.publish(packet)
        self._processed_ns = max(self._processed_ns, *(arrived.shot.t_ns for arrived in batch))
        self._tell_progress()

    def _beat(self) -> None:
        """A sign of life, and a look at who else gives one."""
        self._beat_s = time.monotonic()
        self._claim(self._crew.mine(self._site.cameras, self._beat_s))
        self._tell_progress()

    def _tell_progress(self) -> None:
        self._beats += 1
        stats = self._worker.stats
        dropped = sum(count for name, count in stats.items() if name.startswith("frame_") and name != "frame_grey")
        progress = messages.Progress(
            seq=self._beats, t_ns=self._processed_ns, processed_ns=self._processed_ns,
            messages=self.counts["received"], dropped=dropped + self._batcher.dropped.total(),
        )  # fmt: skip
        self._bus.publish(encode(topics.PROGRESS, self._store, self._crew.name, progress))

    def _claim(self, cameras: Sequence[str]) -> None:
        """Takes exactly these cameras: gives away the others first."""
        wanted = set(cameras)
        gone, new = sorted(self._cameras - wanted), sorted(wanted - self._cameras)
        if gone:
            self._bus.unsubscribe(*(self._filter(camera) for camera in gone))
            for camera in gone:
                self._batcher.forget(camera)
        if new:
            self._bus.subscribe(*(self._filter(camera) for camera in new))
        if gone or new:
            log.info("looks at %s", ", ".join(sorted(wanted)) or "no camera")
        self._cameras = wanted

    def _filter(self, camera: str) -> str:
        """A group of its own for each camera: the embedded broker knows a group's name for one filter only."""
        return f"{SHARED}{KIND}-{camera}/{topics.FRAME.topic(self._store, camera)}"


def sight_packets(site: Site, camera: str, seq: int, sight: Sight) -> list[Packet]:
    """What a smart camera would send that saw the same; ``seq`` is the picture's."""
    people, facings = sight
    packets: list[Packet] = []
    if people is not None:
        model, seen = site.cameras[camera].model, [_on_wire(person) for person in people.people]
        told = messages.People(seq=seq, t_ns=people.t_ns, width=model.width_px, height=model.height_px, people=seen)
        packets.append(encode(topics.PEOPLE, site.store, camera, told))
    if facings is not None:
        packets.append(encode(topics.FACINGS, site.store, camera, replace(facings, seq=seq)))
    return packets


def _on_wire(person: SeenPerson) -> messages.SeenPerson:
    """A person as on the wire: hundredths of a pixel, thousandths of a score."""
    left, top, right, bottom = person.box_px
    x_y_score = person.joints_px.tolist() if person.joints_px[:, 2].any() else []
    return messages.SeenPerson(
        box=(round(left, 2), round(top, 2), round(right, 2), round(bottom, 2)),
        score=round(min(max(person.score, 0.0), 1.0), 4),
        joints=[(round(x, 2), round(y, 2), round(score, 3)) for x, y, score in x_y_score],
        appearance=[round(part, 4) for part in person.appearance.tolist()],
    )
