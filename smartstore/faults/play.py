"""Faults at work: packets go in with the event time at which they were sent, what arrives comes out.

Nothing here knows a bus or a clock. Every fault draws from a stream of its own for every topic: the same document,
seed and packets give the same packets, and one more fault or device changes nothing for the others.
"""

import heapq
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np

from smartstore.faults.document import (
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    Fault,
    FaultPlan,
    Freeze,
    Kill,
    NanPlates,
    OnPackets,
    Reorder,
    Restart,
    Skew,
    Truncate,
)
from smartstore.wire import topics
from smartstore.wire.codec import JSON, Packet, encode
from smartstore.wire.messages import Status

NS_PER_S = 1_000_000_000

Due = tuple[int, Packet]
"""When a packet arrives, in nanoseconds of event time, and the packet."""


class Faults:
    """Lets happen to packets what a document says. ``counts`` has, by the name of every fault, the packets it hit."""

    def __init__(self, plan: FaultPlan, seed: int) -> None:
        on_packets = {n: f for n, f in plan.named.items() if not isinstance(f, Restart)}
        self._stages = [_Stage(fault, name, seed) for name, fault in on_packets.items()]
        self._start_ns: int | None = None
        self._travelling: list[tuple[int, int, Packet]] = []
        self._sent = 0

    @property
    def counts(self) -> dict[str, int]:
        """How many packets each fault hit."""
        return {stage.name: stage.hits for stage in self._stages}

    def observe(self, packet: Packet, t_ns: int) -> list[Packet]:
        """What arrives by ``t_ns``, when this packet was sent: itself as faults leave it, and what was held back."""
        if self._start_ns is None:
            self._start_ns = t_ns
        due: list[Due] = [(t_ns, packet)]
        for stage in self._stages:
            due = [left for item in due for left in stage.observe(item, self._start_ns)]
        for arrives_ns, left in due:
            self._sent += 1
            heapq.heappush(self._travelling, (arrives_ns, self._sent, left))
        return self._arrived(t_ns)

    def flush(self) -> list[Packet]:
        """The feed has ended: all that is still on its way."""
        return self._arrived(None)

    def _arrived(self, t_ns: int | None) -> list[Packet]:
        arrived = []
        while self._travelling and (t_ns is None or self._travelling[0][0] <= t_ns):
            arrived.append(heapq.heappop(self._travelling)[2])
        return arrived


@dataclass(slots=True)
class _Stage:
    """One fault and what it remembers."""

    fault: OnPackets
    name: str
    seed: int
    hits: int = 0
    _randoms: dict[str, np.random.Generator] = field(default_factory=dict)
    _last: dict[str, Packet] = field(default_factory=dict)
    """The last packet of every topic before a freeze."""
    _arrived_ns: dict[str, int] = field(default_factory=dict)
    """When the last packet of every topic arrives that a delay lets through."""
    _dead: set[str] = field(default_factory=set)

    def observe(self, sent: Due, start_ns: int) -> list[Due]:
        t_ns, packet = sent
        below = packet.topic.split("/", 3)[-1]
        age_s = (t_ns - start_ns) / NS_PER_S
        active = self.fault.from_s <= age_s and (self.fault.to_s is None or age_s < self.fault.to_s)
        if isinstance(self.fault, Kill):
            return self._kill(sent, active)
        if not any(topics.matches(pattern, below) for pattern in self.fault.topics):
            return [sent]
        if isinstance(self.fault, Delay):
            return [self._late(self.fault, sent, active)]
        if not active:
            if isinstance(self.fault, Freeze):
                self._last[packet.topic] = packet
            return [sent]
        left = self._hit(self.fault, sent, start_ns)
        self.hits += left != [sent]
        return left

    def _random(self, topic: str) -> np.random.Generator:
        if topic not in self._randoms:
            first = self.name.removesuffix("-1")  # whose name alone has no number, and stream is the same
            words = (zlib.crc32(first.encode()), zlib.crc32(topic.encode()))
            self._randoms[topic] = np.random.default_rng(np.random.SeedSequence(entropy=self.seed, spawn_key=words))
        return self._randoms[topic]

    def _hit(self, fault: Fault, sent: Due, start_ns: int) -> list[Due]:
        t_ns, packet = sent
        random = self._random(packet.topic)
        if random.random() >= getattr(fault, "share", 1.0):
            return [sent]
        match fault:
            case Drop():
                return []
            case Reorder():
                return [(t_ns + _ns(random.random() * fault.within_s), packet)]
            case Duplicate():
                return [sent, (t_ns + _ns(random.random() * fault.within_s), packet)]
            case _:
                return [(t_ns, self._altered(fault, packet, t_ns - start_ns, random))]

    def _altered(self, fault: Fault, packet: Packet, age_ns: int, random: np.random.Generator) -> Packet:
        match fault:
            case Freeze():
                return _stuck(self._last.setdefault(packet.topic, packet), packet)
            case Truncate():
                return replace(packet, payload=packet.payload[: int(random.integers(len(packet.payload) or 1))])
            case Corrupt():
                return replace(packet, payload=_corrupted(packet.payload, fault.count, random))
            case Skew():
                off_ns = _ns(fault.offset_s) + round(age_ns * fault.drift_ppm * 1e-6)
                return _changed(packet, lambda head: {"t_ns": max(0, int(head["t_ns"]) + off_ns)})
            case NanPlates():
                return _changed(packet, lambda head: _without(head, fault.plates))
        raise AssertionError(fault)

    def _late(self, fault: Delay, sent: Due, active: bool) -> Due:
        """A packet on a slow line: nothing overtakes there, not even what is sent once the line is quick again."""
        t_ns, packet = sent
        random = self._random(packet.topic)
        late_s = 0.0
        if active and random.random() < fault.share:
            late_s = fault.seconds + random.random() * fault.spread_s
            self.hits += 1
        arrives_ns = max(t_ns + _ns(late_s), self._arrived_ns.get(packet.topic, t_ns))
        self._arrived_ns[packet.topic] = arrives_ns
        return arrives_ns, packet

    def _kill(self, sent: Due, active: bool) -> list[Due]:
        """Nothing of a dead device; its last will with the first thing it would have said, its birth with the next."""
        assert isinstance(self.fault, Kill)
        t_ns, packet = sent
        found = topics.find(packet.topic)
        if found is None or found[2] not in self.fault.devices:
            return [sent]
        device = found[2]
        if not active:
            born = [(t_ns, _status(packet, found[1], device, "online", t_ns))] if device in self._dead else []
            self._dead.discard(device)
            return [*born, sent]
        self.hits += 1
        if device in self._dead:
            return []
        self._dead.add(device)
        return [(t_ns, _status(packet, found[1], device, "offline", t_ns))]


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def _status(packet: Packet, store: str, device: str, state: Any, t_ns: int) -> Packet:
    kind, _, where = packet.topic.removeprefix(f"{topics.ROOT}/{store}/").partition("/")
    kind = where.partition("/")[0] if kind in ("data", "event") else ""
    return encode(topics.STATUS, store, device, Status(seq=0, t_ns=t_ns, kind=kind, state=state))


def _corrupted(payload: bytes, count: int, random: np.random.Generator) -> bytes:
    changed = bytearray(payload)
    for _ in range(count if payload else 0):
        changed[int(random.integers(len(changed)))] = int(random.integers(256))
    return bytes(changed)


def _head(packet: Packet) -> dict[str, Any] | None:
    """What a packet says beside a picture, by name; None where that cannot be read."""
    if packet.content_type != JSON:
        return dict(packet.properties)
    try:
        found = msgspec.json.decode(packet.payload)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _changed(packet: Packet, change: Any) -> Packet:
    """A packet with some of what it says replaced; as it is where it cannot be read any more."""
    head = _head(packet)
    try:
        said = {} if head is None else change(head)
    except (KeyError, TypeError, ValueError):
        said = {}
    if head is None or not said:
        return packet
    if packet.content_type != JSON:
        return replace(packet, properties={**packet.properties, **{name: str(value) for name, value in said.items()}})
    return replace(packet, payload=msgspec.json.encode(head | said))


def _stuck(last: Packet, packet: Packet) -> Packet:
    """What ``last`` says with the number and the time of ``packet``."""
    head = _head(packet) or {}
    fresh = {name: head[name] for name in ("seq", "t_ns") if name in head}
    return _changed(last, lambda _: fresh)


def _without(head: Mapping[str, Any], plates: tuple[str, ...]) -> dict[str, Any]:
    """Weights with nothing where the plates were; without ``plates`` all of them."""
    gone = [not plates or plate in plates for plate in head["plates"]]
    return {"grams": [[None if lost else x for lost, x in zip(gone, row, strict=False)] for row in head["grams"]]}
