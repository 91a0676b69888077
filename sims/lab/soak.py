"""``make soak``: a store for hours, one service without a break, at the rush of a shop that never closes.

In: a scenario with shoppers drawn from the seed. Out: how the memory of the service goes, whether every shopper got
their receipt, and what a reader that is ten times too slow costs; ``soak.json`` in the folder. Shoppers of one shift
are simulated once and kept, so that a soak that was stopped begins at once; shift after shift comes again as later
hours with new visits. Ctrl-C ends it with what is measured so far.
"""

import argparse
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil

from sims.building import load_building
from sims.chance import stream
from sims.lab.listener import SERVICE
from sims.lab.product import Palms, ProductError, ProductProcess
from sims.lab.run import write_json
from sims.publish import PaceError, Pacer
from sims.scenario import Arrivals, load_scenario
from sims.simulation import Simulation
from smartstore.bus.broker import EmbeddedBroker
from smartstore.bus.mqtt import MqttBus
from smartstore.bus.reading import FeedError
from smartstore.bus.recording import McapRecorder, read_feed
from smartstore.wire import topics
from smartstore.wire.codec import Packet, decode

SCENARIO = Path("configs/scenarios/corner-rush.yaml")
OUT = Path("data/runs/soak")
SEQ_STEP = 10_000_000
"""Numbers of a later shift are larger by this, as those of devices that go on counting."""
WARM_S, WINDOW_S = 1800.0, 300.0
"""Memory counts from the first half hour on, as the median over five minutes of event time."""
MOST_GROWN = 0.05
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Soak:
    """What to run: ``hours`` of event time at ``rate`` shoppers an hour, in shifts of so many minutes."""

    hours: float = 4.0
    rate: int = 120
    shift_minutes: float = 30.0
    seed: int = 1
    out: Path = OUT

    @property
    def feed(self) -> Path:
        """Where the shift is kept."""
        return self.out / f"shift-{self.rate}-{self.shift_minutes:g}-{self.seed}.mcap"


@dataclass
class Course:
    """How it went: memory of the service in MiB by event second, shoppers who came in, receipts that came."""

    memory: list[tuple[float, float]] = field(default_factory=list)
    came: int = 0
    receipts: set[str] = field(default_factory=set)
    event_s: float = 0.0
    wall_s: float = 0.0
    processor_s: float = 0.0
    """CPU time of the service."""

    @property
    def grown(self) -> float | None:
        """Share by which memory grew after the first half hour (of a short soak: the first eighth); None: too short."""
        warm_s = min(WARM_S, self.event_s / 8)
        window_s = min(WINDOW_S, self.event_s / 8)
        first = [mib for t_s, mib in self.memory if warm_s <= t_s < warm_s + window_s]
        last = [mib for t_s, mib in self.memory if t_s > self.event_s - window_s]
        return statistics.median(last) / statistics.median(first) - 1 if first and last else None


def shift(wanted: Soak) -> Path:
    """The devices' words of one shift, simulated unless they are there."""
    if wanted.feed.exists():
        return wanted.feed
    wanted.out.mkdir(parents=True, exist_ok=True)
    scenario = load_scenario(SCENARIO)
    assert scenario.shoppers is not None
    length_s, count = 60 * wanted.shift_minutes, max(1, round(wanted.rate * wanted.shift_minutes / 60))
    times_s = np.sort(stream(wanted.seed, "soak").uniform(1.0, length_s, count))
    people = scenario.shoppers.model_copy(
        update={"count": count, "arrivals": Arrivals(times_s=tuple(round(float(t), 2) for t in times_s))}
    )
    told = scenario.model_copy(update={"shoppers": people, "tail_s": 30.0, "limit_s": 4 * length_s + 600})
    building, new = load_building(scenario.store), wanted.feed.with_suffix(".partial")
    palms = Palms(building.store, wanted.seed)
    simulation = Simulation(building, told, wanted.seed, "edge", scan=palms.scan, enrol=palms.enrol)
    with McapRecorder(new, building.store, {"scenario": told.scenario, "seed": str(wanted.seed)}) as recorder:
        for moment in simulation.run():
            for packet in moment.packets:
                recorder.write(packet, moment.t_ns)
            _say(f"simulating a shift: {(moment.t_ns - simulation.start_ns) / 1e9:.0f} of {length_s:.0f} s")
    new.rename(wanted.feed)
    return wanted.feed


def hours(feed: Path) -> Iterator[tuple[int, Packet]]:
    """Shift after shift without end: event times and packets, with new visits, numbers and times in every one."""
    packets = [packet for packet in read_feed(feed) if "/sys/" not in packet.topic]
    times = [_time(packet) for packet in packets]
    length_ns = (max(times) - min(times) + 1_000_000_000) // 1_000_000_000 * 1_000_000_000 + 1_000_000_000
    number = 0
    while True:
        for t_ns, packet in zip(times, packets, strict=True):
            yield t_ns + number * length_ns, _later(packet, number, number * length_ns)
        number += 1


def _time(packet: Packet) -> int:
    received = decode(packet)
    assert received is not None
    return received.t_ns


def _later(packet: Packet, number: int, later_ns: int) -> Packet:
    if number == 0:
        return packet
    said = msgspec.json.decode(packet.payload)
    said |= {"t_ns": said["t_ns"] + later_ns, "seq": said["seq"] + number * SEQ_STEP}
    for name in ("visit", "event_id"):
        if said.get(name):
            said[name] = f"{said[name]}-{number}"
    return replace(packet, payload=msgspec.json.encode(said))


def soak(wanted: Soak) -> Course:
    """Runs it until the hours are over or Ctrl-C; what is measured so far is returned in both cases.

    Raises:
        ProductError, PaceError: the service ended, or does not follow.
    """
    feed, course = shift(wanted), Course()
    building, work = load_building(load_scenario(SCENARIO).store), wanted.out / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    store = load_scenario(SCENARIO).store.resolve()
    with ExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker())
        bus = stack.enter_context(MqttBus(broker.url, "building", keep_latest=1_000_000))
        bus.subscribe(topics.STATUS.topic(building.store, f"service-{SERVICE}"))
        product = stack.enter_context(ProductProcess(store, broker.url, work, None, SERVICE, frames=False))
        if bus.receive(PATIENCE_S) is None:
            raise ProductError(f"the service did not come online; its log is {product.keep_log()}")
        bus.subscribe(topics.PROGRESS.filter(building.store), topics.RECEIPT.filter(building.store))
        course.wall_s = time.monotonic()
        try:
            _play(wanted, feed, bus, product, course)
        except KeyboardInterrupt:
            _say("stopped; this is what there is so far")
        course.wall_s = time.monotonic() - course.wall_s
    return course


def _play(wanted: Soak, feed: Path, bus: MqttBus, product: ProductProcess, course: Course) -> None:
    processed, process = [0], psutil.Process(product.pid)
    pacer = Pacer(lambda: _heard(bus, processed, course), product.check, ahead_s=6.0, patience_s=PATIENCE_S)
    first_ns, last_ns, due_s = -1, 0, 0.0
    for t_ns, packet in hours(feed):
        if first_ns < 0:
            first_ns = t_ns
        course.event_s = (t_ns - first_ns) / 1e9
        if course.event_s > wanted.hours * 3600:
            break
        pacer.wait_for(t_ns)
        course.came += packet.topic.endswith("/gate/entry") and b'"kind":"entry"' in packet.payload
        bus.publish(packet)
        last_ns = max(last_ns, t_ns)
        if course.event_s >= due_s:
            due_s += 20.0
            course.memory.append((course.event_s, process.memory_info().rss / 2**20))
            course.processor_s = sum(process.cpu_times()[:2])
            _say(_state(wanted, course))
    deadline = time.monotonic() + PATIENCE_S
    while _heard(bus, processed, course) < last_ns - int(1.5e9) and time.monotonic() < deadline:
        product.check()
        time.sleep(0.01)


def _heard(bus: MqttBus, processed: list[int], course: Course) -> int:
    """How far the service has come, after everything that it said meanwhile."""
    while (packet := bus.receive(0)) is not None:
        received = decode(packet)
        if received is not None and received.channel is topics.PROGRESS:
            processed[0] = max(processed[0], received.message.processed_ns)
        elif received is not None and received.channel is topics.RECEIPT:
            course.receipts.add(received.device)
    return processed[0]


@dataclass(frozen=True, slots=True)
class Slow:
    """A reader ten times too slow: packets sent, most that waited, dropped, and QoS 1 packets sent and read."""

    sent: int
    waited: int
    dropped: int
    promised: int
    kept: int


def slow_reader(feed: Path, count: int = 20_000, room: int = 2_000, times: int = 10) -> Slow:
    """Packets of a feed to a durable reader that takes one while ``times`` come, and then the rest."""
    waited = kept = promised = sent = 0
    with EmbeddedBroker() as broker, MqttBus(broker.url, "fast") as fast, \
            MqttBus(broker.url, "slow", durable_s=60, room=room) as slow:  # fmt: skip
        slow.subscribe(f"{topics.ROOT}/#")
        for _, packet in hours(feed):
            if sent >= count:
                break
            sent, promised = sent + 1, promised + (packet.qos == 1)
            fast.publish(packet)
            if sent % times == 0:
                taken = slow.receive(1.0)
                kept += taken is not None and taken.qos == 1
            waited = max(waited, slow.waiting)
        while kept < promised and (taken := slow.receive(5.0)) is not None:
            kept += taken.qos == 1
        return Slow(sent, waited, slow.lost, promised, kept)


def verdicts(wanted: Soak, course: Course, slow: Slow, room: int) -> list[str]:
    """What is not as it should be, in words; nothing when all is well."""
    found = []
    if course.event_s < wanted.hours * 3600:
        found.append(f"ended after {course.event_s / 3600:.2f} of {wanted.hours:g} hours")
    if course.grown is None or course.grown > MOST_GROWN:
        grown = "was measured too shortly" if course.grown is None else f"grew by {100 * course.grown:.1f} %"
        found.append(f"memory {grown}; at most {100 * MOST_GROWN:g} % after the first half hour is asked for")
    inside = round(wanted.rate / 60 * 5)  # of those who came in the last minutes, nobody need have left
    if len(course.receipts) < course.came - inside:
        found.append(f"{course.came} shoppers came in, and only {len(course.receipts)} receipts came out")
    if slow.kept < slow.promised:
        found.append(f"a slow reader got {slow.kept} of {slow.promised} packets of QoS 1")
    if slow.waited > room + slow.promised:
        found.append(f"{slow.waited} packets waited for a slow reader that has room for {room}")
    return found


def main() -> None:
    """The soak from the command line; exit code 1 when something is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=4.0, help="event time")
    parser.add_argument("--rate", type=int, default=120, help="shoppers an hour")
    parser.add_argument("--shift-minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT)
    wanted = Soak(**vars(parser.parse_args()))
    try:
        course, slow = soak(wanted), slow_reader(shift(wanted))
    except (FeedError, PaceError, ProductError) as error:
        sys.exit(f"error: {error}")
    problems = verdicts(wanted, course, slow, room=2_000)
    write_json(wanted.out / "soak.json", _document(wanted, course, slow, problems))
    print(_state(wanted, course))
    print(f"slow reader: {asdict(slow)}")
    for problem in problems:
        print(problem)
    sys.exit(int(bool(problems)))


def _document(wanted: Soak, course: Course, slow: Slow, problems: list[str]) -> dict[str, Any]:
    return {
        "hours": course.event_s / 3600, "rate": wanted.rate, "seed": wanted.seed, "wall_s": course.wall_s,
        "processor_s": course.processor_s, "came": course.came, "receipts": len(course.receipts),
        "memory_grown": course.grown, "memory_mib": course.memory, "slow_reader": asdict(slow), "problems": problems,
    }  # fmt: skip


def _state(wanted: Soak, course: Course) -> str:
    mib = course.memory[-1][1] if course.memory else 0.0
    grown = f"{100 * course.grown:+.1f} %" if course.grown is not None else "-"
    people = f"{course.came} came in, {len(course.receipts)} receipts"
    return (f"{course.event_s / 3600:.2f} of {wanted.hours:g} h, {people}, {mib:.0f} MiB, {grown} since it was warm, "
            f"{course.processor_s:.0f} s of CPU")  # fmt: skip


def _say(text: str) -> None:
    print(f"\r{text}\x1b[K", end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
