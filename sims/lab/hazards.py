"""What goes wrong in a run between the building and the broker: faults on packets, restarts of broker and service.

In: moments of the building. Out: the packets that are to be published now. Outages last so long in event time: what
they cost does not depend on how fast a run is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import msgspec

from sims.building import Building
from sims.lab.listener import Listener, RunError
from sims.lab.product import ProductProcess
from sims.simulation import Moment
from smartstore.bus.broker import EmbeddedBroker
from smartstore.bus.mqtt import MqttBus
from smartstore.faults import FaultPlan, Faults, FaultsError, Restart, RestartBroker
from smartstore.wire.codec import JSON, Packet

PATIENCE_S = 60.0
BEHIND_NS = 1_500_000_000
"""So far behind what was sent may the product be that has decided everything it can."""


class Stage(Protocol):
    """Who carries restarts out; ``sent_ns`` is the event time that the product may know of."""

    def stop_broker(self, sent_ns: int) -> None: ...
    def start_broker(self, sent_ns: int) -> None: ...
    def stop_service(self) -> None: ...
    def start_service(self, sent_ns: int) -> None: ...


@dataclass(frozen=True, slots=True)
class RunStage:
    """The stage of a real run. ``broker`` is None where it is the user's own."""

    listener: Listener
    product: ProductProcess
    bus: MqttBus
    broker: EmbeddedBroker | None

    def stop_broker(self, sent_ns: int) -> None:
        """Once the product has followed so far, the broker ends, and with it all that it kept."""
        assert self.broker is not None
        self.listener.wait_processed(sent_ns - BEHIND_NS, self.product, PATIENCE_S)
        self.broker.close()
        self.listener.expect_online()

    def start_broker(self, sent_ns: int) -> None:
        """The broker is back, and everybody on it."""
        assert self.broker is not None
        self.broker.reopen()
        self._wait_for_all(sent_ns)

    def stop_service(self) -> None:
        """The service is killed, whatever it does just now."""
        self.product.kill()
        self.listener.expect_online()

    def start_service(self, sent_ns: int) -> None:
        """The service starts with the journal that it left."""
        self.product.start()
        self._wait_for_all(sent_ns)

    def _wait_for_all(self, sent_ns: int) -> None:
        """Until the product is there; what was sent meanwhile may be lost, so it is not waited for."""
        self.listener.wait_online(self.product, PATIENCE_S)
        if not self.bus.wait_connected(PATIENCE_S):
            raise RunError(f"the building did not find the broker again within {PATIENCE_S:.0f} s")
        self.listener.processed_ns = max(self.listener.processed_ns, sent_ns)


class Hazards:
    """Lets happen what a plan says; without one nothing. ``sent_ns`` is the event time that the product may know of."""

    def __init__(self, plan: FaultPlan | None, seed: int, start_ns: int, stage: Stage) -> None:
        self._faults = Faults(plan, seed) if plan is not None else None
        self._stage, self.sent_ns = stage, start_ns
        self._broker_away = self.service_away = False
        self._kept: list[Packet] = []
        self._lost = 0
        self._restarts = dict.fromkeys(
            (name for name, fault in plan.named.items() if isinstance(fault, Restart)), 0
        ) if plan is not None else {}  # fmt: skip
        self._due: list[tuple[int, Callable[[], None]]] = []
        for name, fault in plan.named.items() if plan is not None else ():
            if isinstance(fault, Restart):
                self._plan(name, fault, start_ns)
        self._due.sort(key=lambda due: due[0])

    @property
    def counts(self) -> dict[str, int]:
        """How many packets each fault hit, restarts carried out, and packets lost while the broker was away."""
        counts = {**(self._faults.counts if self._faults is not None else {}), **self._restarts}
        return counts | ({"lost_without_broker": self._lost} if self._lost else {})

    def observe(self, moment: Moment) -> list[Packet]:
        """What reaches the broker of what a moment sent, and what was held back until now."""
        if self._faults is None:
            self.sent_ns = moment.t_ns
            return list(moment.packets)
        while self._due and self._due[0][0] <= moment.t_ns:
            self._due.pop(0)[1]()
        packets = [left for packet in moment.packets for left in self._faults.observe(packet, moment.t_ns)]
        return self._reaching(packets, moment.t_ns)

    def finish(self) -> list[Packet]:
        """The feed has ended: what is away comes back, what was held back arrives."""
        for back in (self._broker_back, self._service_back):
            back()
        self._due.clear()
        return self._reaching(self._faults.flush() if self._faults is not None else [], self.sent_ns)

    def _plan(self, name: str, fault: Restart, start_ns: int) -> None:
        def away() -> None:
            self._restarts[name] += 1
            if isinstance(fault, RestartBroker):
                self._stage.stop_broker(self.sent_ns)
                self._broker_away = True
            else:
                self._stage.stop_service()
                self.service_away = True

        at_ns = start_ns + round(fault.at_s * 1e9)
        back = self._broker_back if isinstance(fault, RestartBroker) else self._service_back
        self._due += [(at_ns, away), (at_ns + round(fault.down_s * 1e9), back)]

    def _broker_back(self) -> None:
        if self._broker_away:
            self._stage.start_broker(self.sent_ns)
            self._broker_away = False

    def _service_back(self) -> None:
        if self.service_away:
            self._stage.start_service(self.sent_ns)
            self.service_away = False

    def _reaching(self, packets: list[Packet], t_ns: int) -> list[Packet]:
        """Packets for the broker: devices keep what is of quality of service 1 while there is none."""
        if self._broker_away:
            self._kept += [packet for packet in packets if packet.qos]
            self._lost += sum(not packet.qos for packet in packets)
            return []
        packets, self._kept = self._kept + packets, []
        self.sent_ns = max([self.sent_ns, *(min(t_ns, stamp) for p in packets if (stamp := _stamp(p)) is not None)])
        return packets


def check_plan(plan: FaultPlan, building: Building, own_broker: bool) -> None:
    """Whether a plan can be played in a store; ``own_broker``: the broker is started beside the run.

    Raises:
        FaultsError: it names a device that is not there, or a broker that is not ours to restart, or restarts overlap.
    """
    fixtures = {fixture.id for fixture in building.fixtures.values() if fixture.scale and fixture.shelves}
    devices = {*building.cameras, *fixtures, *(gate.id for gate in building.gates)}
    if strange := sorted(plan.killed - devices):
        known = ", ".join(sorted(devices))
        raise FaultsError(f"kill: {strange[0]} is not a device of the store {building.store}; devices are {known}")
    if not own_broker and any(isinstance(fault, RestartBroker) for fault in plan.faults):
        raise FaultsError("restart_broker: only the broker that is started beside a run can be restarted; "
                          "leave out --broker")  # fmt: skip
    restarts = sorted((fault for fault in plan.faults if isinstance(fault, Restart)), key=lambda fault: fault.at_s)
    for first, second in pairwise(restarts):
        if second.at_s <= first.at_s + first.down_s:  # each waits until the product is there again
            raise FaultsError(f"restarts at {first.at_s:g} s and {second.at_s:g} s: the first is back only at "
                              f"{first.at_s + first.down_s:g} s; let the second begin after it")  # fmt: skip


class _Head(msgspec.Struct):
    t_ns: int


def _stamp(packet: Packet) -> int | None:
    """The device's time on a packet; None where it cannot be read any more."""
    try:
        if packet.content_type != JSON:
            return int(packet.properties["t_ns"])
        return msgspec.json.decode(packet.payload, type=_Head).t_ns
    except (KeyError, ValueError, RecursionError):
        return None
