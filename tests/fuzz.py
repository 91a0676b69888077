"""``make fuzz``: mutated payloads through the codec, mutated feeds through a whole service.

Nothing may leave either but what is promised: a message, nothing, or a WireError; and memory must not grow with what
was sent. Out: a line per channel, and one per process for the service. ``tests/smartstore/test_fuzz.py`` runs a short
form.
"""

import argparse
import gc
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import psutil

from smartstore.bus.base import MemoryHub
from smartstore.ledger.inputs import InputLog
from smartstore.ledger.journal import Journal
from smartstore.listening import EntryCheck
from smartstore.payment.gateway import StubGateway
from smartstore.pipeline import Pipeline
from smartstore.service import Service
from smartstore.site import load_site
from smartstore.wire import topics
from smartstore.wire.codec import JPEG, Packet, WireError, decode, encode
from smartstore.wire.topics import CHANNELS
from tests.feeds import CORNER, annas_visit

GOLDEN = Path(__file__).parent / "golden/wire"
FEED_MESSAGES = 30
"""Of one feed: a stretch of a visit, with the entry before and the exit behind it."""
STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63 - 1, 2**63, 10**30, -(10**30), 0.1, -1e308, 1e308, 5e-324, "", "x" * 5000, "\x00",
    "\ud800", "+/#", "../..", [], {}, [[]], [None] * 100, {"a": {"b": {}}}, "NaN", [[[[[[]]]]]], "1e9", "online",
)  # fmt: skip
"""Values that some reader somewhere was not written for."""


MOST_GROWN = 32 * 2**20
"""Bytes by which memory may grow, however much is sent: buffers, caches that fill, an allocator that keeps some."""


@dataclass
class Outcome:
    """What became of mutated packets, and by how much memory grew after the first tenth, in bytes."""

    fates: Counter[str] = field(default_factory=Counter)
    grown: int = 0


def samples(name: str) -> list[Packet]:
    """The golden samples of a channel, good and bad."""
    file = json.loads((GOLDEN / f"{name}.json").read_text())
    found = []
    for sample in (*file["good"], *file["malformed"]):
        if "hex" in sample:
            found.append(Packet(file["topic"], bytes.fromhex(sample["hex"]), JPEG, sample.get("properties", {})))
        else:
            text = sample["text"] if "text" in sample else json.dumps(sample["payload"])
            found.append(Packet(file["topic"], text.encode()))
    return found


def mutated(packet: Packet, others: list[Packet], random: np.random.Generator) -> Packet:
    """A packet with one to three things wrong with it."""
    for _ in range(int(random.integers(1, 4))):
        way = MUTATIONS[int(random.integers(len(MUTATIONS)))]
        packet = way(packet, others, random)
    return packet


def _bytes(packet: Packet, _others: list[Packet], random: np.random.Generator) -> Packet:
    """Some bytes are others."""
    payload = bytearray(packet.payload)
    for _ in range(int(random.integers(1, 9))):
        if payload:
            payload[int(random.integers(len(payload)))] = int(random.integers(256))
    return replace(packet, payload=bytes(payload))


def _cut(packet: Packet, _others: list[Packet], random: np.random.Generator) -> Packet:
    """The end is missing, or the beginning."""
    at = int(random.integers(len(packet.payload) + 1))
    return replace(packet, payload=packet.payload[:at] if random.random() < 0.7 else packet.payload[at:])


def _doubled(packet: Packet, others: list[Packet], random: np.random.Generator) -> Packet:
    """A piece of another packet is in the middle of it."""
    other = others[int(random.integers(len(others)))].payload
    at, a, b = int(random.integers(len(packet.payload) + 1)), *sorted(random.integers(len(other) + 1, size=2))
    return replace(packet, payload=packet.payload[:at] + other[int(a) : int(b)] + packet.payload[at:])


def _value(packet: Packet, _others: list[Packet], random: np.random.Generator) -> Packet:
    """A value somewhere inside is of another kind, or is missing, or a list is longer."""
    if packet.content_type == JPEG:
        names = [*packet.properties, "t_ns", "seq"]
        strange = str(STRANGE[int(random.integers(len(STRANGE)))])[:200]
        return replace(packet, properties={**packet.properties, names[int(random.integers(len(names)))]: strange})
    try:
        document = json.loads(packet.payload)
    except (ValueError, RecursionError):
        return packet
    places = list(_places(document))
    if not places:
        return packet
    holder, key = places[int(random.integers(len(places)))]
    choice = random.random()
    if choice < 0.15 and isinstance(holder, dict):
        del holder[key]
    elif choice < 0.25 and isinstance(holder, list):
        holder.extend([holder[key]] * int(random.integers(1, 200)))
    elif choice < 0.45 and isinstance(holder[key], int | float):
        holder[key] = holder[key] * [-1, 1.5, 1e6, 1e-9][int(random.integers(4))]
    else:
        holder[key] = STRANGE[int(random.integers(len(STRANGE)))]
    return replace(packet, payload=json.dumps(document).encode("utf-8", "surrogatepass"))


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a document that holds a value: what it is in, and under which key or number."""
    if isinstance(document, dict | list):
        for key, value in list(document.items() if isinstance(document, dict) else enumerate(document)):
            yield document, key
            yield from _places(value)


MUTATIONS: tuple[Callable[[Packet, list[Packet], np.random.Generator], Packet], ...] = (
    _bytes, _cut, _doubled, _value, _value, _value,
)  # fmt: skip


def fuzz_codec(channel: topics.Channel, count: int, seed: int = 1) -> Outcome:
    """Mutated payloads of a channel through the codec."""
    random, originals, out = np.random.default_rng([seed, len(channel.name)]), samples(channel.name), Outcome()
    with _memory(out, count) as tick:
        for _ in range(count):
            packet = mutated(originals[int(random.integers(len(originals)))], originals, random)
            try:
                out.fates["read" if decode(packet) is not None else "not ours"] += 1
            except WireError:
                out.fates["refused"] += 1
            tick()
    return out


def fuzz_service(count: int, seed: int = 1) -> Outcome:
    """Mutated feeds, one after the other, through one service with journal and input log on disk."""
    site, random, out = load_site(CORNER), np.random.default_rng(seed), Outcome()
    visit = annas_visit(site)
    with TemporaryDirectory() as folder, MemoryHub().connect() as bus:
        journal = Journal(f"sqlite:///{folder}/journal.db")
        with InputLog(Path(folder) / "state", "fuzz") as inputs:
            inputs.recover()
            service = Service(bus, site, Pipeline(site), journal, StubGateway(), EntryCheck(None), frames=False,
                              inputs=inputs)  # fmt: skip
            with _memory(out, count) as tick:
                for number in range(count):
                    for packet in _feed(visit, number, random):
                        service.handle(packet)
                    tick()
            service.finish()
            out.fates.update(service.counts)
        journal.close()
    return out


def _feed(visit: list[Any], number: int, random: np.random.Generator) -> list[Packet]:
    """A stretch of a visit a minute after the one before, with messages lost, doubled, swapped, and mutated."""
    begin = int(random.integers(2, len(visit) - FEED_MESSAGES))
    gates = [received for received in visit if received.channel is topics.GATE]
    stretch = [gates[0], *visit[begin : begin + FEED_MESSAGES - 2], gates[-1]]
    first_ns = stretch[1].t_ns
    packets = []
    for index, received in enumerate(stretch):
        t_ns = received.t_ns if received.channel is not topics.GATE else first_ns + index * 200_000_000
        changes: dict[str, Any] = {"t_ns": t_ns - first_ns + visit[0].t_ns + number * 60_000_000_000}
        changes["seq"] = received.message.seq + number * 1000
        if received.channel is topics.GATE:
            changes["event_id"] = f"{received.message.event_id}-{number}"
            changes["visit"] = received.message.visit and f"anna-{number}"
        packets.append(
            encode(
                received.channel, received.store, received.device, msgspec.structs.replace(received.message, **changes)
            )
        )
    return [bad for packet in packets for bad in _mishap(packet, packets, number, random)]


def _mishap(packet: Packet, packets: list[Packet], number: int, random: np.random.Generator) -> list[Packet]:
    chance = random.random()
    if chance < 0.70:
        return [packet]
    if chance < 0.75:
        return []
    if chance < 0.80:
        return [packet, packet]
    if chance < 0.84:
        return [packets[int(random.integers(len(packets)))]]
    if chance < 0.88:  # somebody whom nobody knows
        levels = packet.topic.split("/")
        levels[int(random.integers(3, len(levels)))] = f"stranger-{number}-{int(random.integers(100))}"
        return [replace(packet, topic="/".join(levels))]
    if chance < 0.90:
        channel = CHANNELS[int(random.integers(len(CHANNELS)))]
        other = samples_of(channel.name)
        found = mutated(other[int(random.integers(len(other)))], other, random)
        levels = found.topic.split("/")
        return [found] if chance < 0.89 else [replace(found, topic="/".join([*levels[:-1], f"{levels[-1]}-{number}"]))]
    return [mutated(packet, packets, random)]


_SAMPLES: dict[str, list[Packet]] = {}


def samples_of(name: str) -> list[Packet]:
    """As :func:`samples`, read once."""
    if name not in _SAMPLES:
        _SAMPLES[name] = samples(name)
    return _SAMPLES[name]


@contextmanager
def _memory(out: Outcome, count: int) -> Iterator[Callable[[], None]]:
    """Calls of what it gives are counted; by how much memory grew after the first tenth of them is kept."""
    done, began = 0, 0
    process = psutil.Process()

    def tick() -> None:
        nonlocal done, began
        done += 1
        if done == max(1, count // 10):
            gc.collect()
            began = process.memory_info().rss

    yield tick
    gc.collect()
    out.grown = process.memory_info().rss - began


@dataclass(frozen=True)
class Share:
    """What one process does: so many payloads of a channel, or without one so many feeds."""

    channel: str
    count: int
    seed: int

    def run(self) -> Outcome:
        logging.disable(logging.WARNING)  # a line for every device and minute is right for a store, not here
        if not self.channel:
            return fuzz_service(self.count, self.seed)
        return fuzz_codec(next(c for c in CHANNELS if c.name == self.channel), self.count, self.seed)


def shares(payloads: int, feeds: int, seed: int, processes: int) -> list[Share]:
    """All that is to be done; the feeds, which take longest, come first and in equal parts."""
    parts = [feeds // processes + (number < feeds % processes) for number in range(processes)]
    service = [Share("", part, seed + 1000 * number) for number, part in enumerate(parts) if part]
    return service + [Share(channel.name, payloads, seed) for channel in CHANNELS if payloads]


def main() -> None:
    """The whole of it, a process per core; exit code 1 when memory grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payloads", type=int, default=200_000, help="per channel")
    parser.add_argument("--feeds", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    processes, grown = os.cpu_count() or 1, 0
    work = shares(wanted.payloads, wanted.feeds, wanted.seed, processes)
    with ProcessPoolExecutor(processes, get_context("spawn"), max_tasks_per_child=1) as pool:
        running = {pool.submit(share.run): share for share in work}
        for done, future in enumerate(as_completed(running), start=1):
            share, out = running[future], future.result()
            what = f"{share.channel}, {share.count} payloads" if share.channel else f"service, {share.count} feeds"
            print(f"{done} of {len(work)}: {what}: {dict(out.fates)}, memory {out.grown / 2**20:+.1f} MiB", flush=True)
            grown = max(grown, out.grown)
    sys.exit(int(grown > MOST_GROWN))


if __name__ == "__main__":
    main()
