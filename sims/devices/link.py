"""How devices keep time and how their messages travel: late, out of order, or not at all.

In: true time and packets. Out: the device's own time, and the packets as they arrive. Only devices whose link has a
flaw draw anything, each from a stream of its own.
"""

import heapq
from dataclasses import dataclass

import numpy as np

from sims.chance import stream
from sims.flaws import Link
from sims.scenario import Scenario
from smartstore.wire.codec import Packet


@dataclass(frozen=True, slots=True)
class Clock:
    """A device's clock: off by so much at ``start_ns``, and running away by ``drift`` nanoseconds per nanosecond."""

    start_ns: int
    offset_ns: int
    drift: float = 0.0

    def read(self, t_ns: int) -> int:
        """What it shows at a true time."""
        return t_ns + self.offset_ns + round(self.drift * (t_ns - self.start_ns))


def link_of(scenario: Scenario, device: str, camera: bool) -> Link:
    """The link of a device: its own, else that of all cameras, else a perfect one."""
    return scenario.links.get(device, scenario.link if camera else Link())


def clock_of(scenario: Scenario, seed: int, device: str, link: Link) -> Clock:
    """The clock of a device."""
    random = stream(seed, f"clock/{device}")
    offset_s = scenario.clock_offsets_s.get(device, 0.0) + link.offset_s * float(random.normal())
    return Clock(scenario.start_ns, round(offset_s * 1e9), link.drift_ppm * 1e-6 * float(random.normal()))


class Post:
    """Packets on their way."""

    def __init__(self, seed: int, links: dict[str, Link]) -> None:
        """``links`` by device; what other devices send arrives at once."""
        self._links = {name: link for name, link in links.items() if link.latency_s or link.jitter_s or link.drop_share}
        self._randoms: dict[str, np.random.Generator] = {name: stream(seed, f"link/{name}") for name in self._links}
        self._travelling: list[tuple[int, int, Packet]] = []
        self._posted = 0

    def send(self, device: str, t_ns: int, packets: list[Packet]) -> list[Packet]:
        """What of these packets, sent at a true time, arrives at once; the rest comes with :meth:`arrive` or never."""
        link = self._links.get(device)
        if link is None:
            return packets
        random = self._randoms[device]
        for packet in packets:
            lost, late_s = random.random() < link.drop_share, link.latency_s + random.exponential() * link.jitter_s
            if not lost:
                self._posted += 1
                heapq.heappush(self._travelling, (t_ns + round(late_s * 1e9), self._posted, packet))
        return []

    def arrive(self, t_ns: int | None = None) -> list[Packet]:
        """What arrives by a true time; None: all that is still on its way."""
        arrived = []
        while self._travelling and (t_ns is None or self._travelling[0][0] <= t_ns):
            arrived.append(heapq.heappop(self._travelling)[2])
        return arrived
