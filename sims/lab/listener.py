"""The ear of a run: hears everything on the wire, records it, and keeps what the product said.

In: packets of the broker. Out: ``feed.mcap``, what was published for the score, and what a spectator sees.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sims.lab.product import ProductProcess
from sims.lab.score import Published
from smartstore.bus.base import Bus
from smartstore.bus.mqtt import MqttBus
from smartstore.bus.recording import McapRecorder
from smartstore.wire import topics
from smartstore.wire.codec import Packet, decode

SERVICE = "main"
KEEP_ALL = 1_000_000
"""A recording has everything; the pace of the run bounds what waits."""


class RunError(Exception):
    """A run that cannot go on; the text is one line for the user."""


@dataclass(slots=True)
class Live:
    """What a spectator of a run sees; updated while it runs."""

    scenario: str
    seed: int
    t_s: float = 0.0
    duration_s: float = 0.0
    inside: int = 0
    carts: dict[str, str] = field(default_factory=dict)
    receipts: dict[str, int] = field(default_factory=dict)
    cases: int = 0
    wall_s: float = 0.0
    renderer: str = "none"


class Listener:
    """Hears everything on the wire in a thread of its own: records it and keeps what the product said."""

    def __init__(self, bus: Bus, recorder: McapRecorder) -> None:
        self.said = Published()
        self.processed_ns = 0
        self._online = threading.Event()
        self._carts: dict[str, str] = {}
        self._bus, self._recorder = bus, recorder
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def fill(self, live: Live) -> None:
        """Copy what a spectator wants to see."""
        live.carts = dict(self._carts)
        live.receipts = {visit: r.transaction.total for visit, r in list(self.said.receipts.items())}
        live.cases = sum(change.kind == "doubt" for _, change in list(self.said.changes))

    def wait_online(self, product: ProductProcess, patience_s: float) -> None:
        """Until the product says that it is there."""
        self._wait(self._online.is_set, product, patience_s, "did not come online")

    def expect_online(self) -> None:
        """From now on only a new word of the product says that it is there."""
        self._online.clear()

    def wait_processed(self, t_ns: int, product: ProductProcess, patience_s: float) -> None:
        """Until the product has decided everything up to ``t_ns``."""
        self._wait(lambda: self.processed_ns >= t_ns, product, patience_s, "stopped making progress")

    @staticmethod
    def _wait(done: Callable[[], bool], product: ProductProcess, patience_s: float, problem: str) -> None:
        deadline = time.monotonic() + patience_s
        while not done():
            product.check()
            if time.monotonic() > deadline:
                raise RunError(f"the service {problem} within {patience_s:.0f} s; its log is {product.keep_log()}")
            time.sleep(0.005)

    def _listen(self) -> None:
        while True:
            packet = self._bus.receive(timeout_s=0.05)
            if packet is None:
                if self._stop.is_set():
                    return
                continue
            self._recorder.write(packet, time.time_ns())
            self._note(packet)

    def _note(self, packet: Packet) -> None:
        found = topics.find(packet.topic)
        if found is None or (found[0].sender == "device" and found[0] is not topics.STATUS):
            return
        self.said.observe(packet)
        received = decode(packet)
        if received is None:
            return
        if received.channel is topics.PROGRESS and received.device == SERVICE:
            self.processed_ns = max(self.processed_ns, received.message.processed_ns)
        elif received.channel is topics.STATUS and received.device == f"service-{SERVICE}":
            if received.message.state == "online":
                self._online.set()
        elif received.channel is topics.CART:
            lines = received.message.lines
            self._carts[received.device] = ", ".join(f"{line.quantity} x {line.name}" for line in lines)


@contextmanager
def listening(url: str, store: str, recorder: McapRecorder) -> Iterator[Listener]:
    """A listener on all topics of a store that writes ``recorder``."""
    with recorder, MqttBus(url, "recorder", keep_latest=KEEP_ALL) as bus:
        bus.subscribe(f"{topics.ROOT}/{store}/#")
        listener = Listener(bus, recorder)
        listener.start()
        try:
            yield listener
        finally:
            listener.close()
