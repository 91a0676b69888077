"""What a full store costs, from wire messages to receipts: rows for ``make bench``.

In: the corner store with so many people inside at once, scales at 60 Hz and cameras at 10 frames per second. Out: rows
of what, figure and unit. Measured as CPU time of this process, so that others on the machine count for nothing.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from sims.building import load_building
from sims.lab.product import Palms
from sims.scenario import Arrivals, Range, load_scenario
from sims.simulation import Simulation
from smartstore.fusion.attribution import Attributor, Known
from smartstore.fusion.bookings import ItemEvent
from smartstore.pipeline import Pipeline, attributor
from smartstore.process import quiet_collector
from smartstore.service import pipeline_options
from smartstore.settings import read_settings
from smartstore.site import load_site
from smartstore.wire.codec import Packet, decode

Row = tuple[str, float, str]
STORE, RUSH = Path("configs/stores/corner.yaml"), Path("configs/scenarios/corner-rush.yaml")
STRETCH_NS = 20 * 10**9
"""For so long everybody is inside."""
SEED = 1
TIMES = 5
"""Each crowd is heard so often; the median counts."""


@dataclass(frozen=True, slots=True)
class Played:
    """CPU and event time of the stretch in which everybody is inside, and what each decision of the run took."""

    cpu_s: float
    event_s: float
    decisions_ms: Sequence[float]

    @property
    def times_real(self) -> float:
        """How many times faster than real time."""
        return self.event_s / self.cpu_s


def crowd_rows() -> list[Row]:
    """Speed with 8 people inside, how cost grows with people, and how long the slowest decisions take."""
    runs = [[played(*told) for _ in range(TIMES)] for told in map(crowd, (4, 8, 16))]
    four, eight, sixteen = (median(run.times_real for run in same) for same in runs)
    decisions = [ms for same in runs for run in same for ms in run.decisions_ms]
    return [
        ("wire to receipts, 8 people inside, cameras at 10 fps", eight, "x real time"),
        ("the same with 16 people inside", sixteen, "x real time"),
        ("cost of 16 people inside against 4", four / sixteen, "times"),
        (f"one decision of who took what, p99 of {len(decisions)}", float(np.percentile(decisions, 99)), "ms"),
    ]


def crowd(people: int) -> tuple[list[Packet], int]:
    """What devices say until ``people`` have been inside together for a while, and how many messages came before."""
    building, told = load_building(STORE), load_scenario(RUSH)
    assert told.shoppers is not None
    basket = told.shoppers.items.model_copy(update={"min": 9, "max": 12})
    arrivals = Arrivals(first_s=2.0, gap_s=Range(min=1.2, max=2.0))
    shoppers = told.shoppers.model_copy(update={"count": people, "arrivals": arrivals, "items": basket})
    scenario = told.model_copy(update={"shoppers": shoppers, "fps": dict.fromkeys(load_site(STORE).cameras, 10.0)})
    palms = Palms(building.store, SEED)
    packets: list[Packet] = []
    before, since_ns = 0, -1
    for moment in Simulation(building, scenario, SEED, scan=palms.scan, enrol=palms.enrol).run():
        if moment.inside == people and since_ns < 0:
            before, since_ns = len(packets), moment.t_ns
        if since_ns >= 0 and (moment.t_ns - since_ns > STRETCH_NS or moment.inside < people):
            break
        packets += moment.packets
    return packets, before


def played(packets: Sequence[Packet], before: int) -> Played:
    """The pipeline with these messages; what came ``before`` the stretch does not count."""
    site, options = load_site(STORE), pipeline_options(read_settings(None))
    stopwatch = attributor(site, options, kind=Stopwatch)
    pipeline = Pipeline(site, options, attribution=stopwatch)
    quiet_collector()
    for packet in packets[:before]:
        _feed(pipeline, packet)
    began_ns, began_s = pipeline.processed_ns, time.process_time()
    for packet in packets[before:]:
        _feed(pipeline, packet)
    cpu_s, event_s = time.process_time() - began_s, (pipeline.processed_ns - began_ns) / 1e9
    pipeline.flush()
    return Played(cpu_s, event_s, stopwatch.decisions_ms)


def _feed(pipeline: Pipeline, packet: Packet) -> None:
    received = decode(packet)
    if received is not None:
        pipeline.feed(received)


class Stopwatch(Attributor):
    """Notes how long every decision took that said something."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.decisions_ms: list[float] = []

    def decide(self, now_ns: int, known: Known, final: bool = False) -> list[ItemEvent]:
        """What the stage decides."""
        began_s = time.process_time()
        said = super().decide(now_ns, known, final)
        if said:
            self.decisions_ms.append(1000 * (time.process_time() - began_s))
        return said
