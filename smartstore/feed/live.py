"""A recording played to a service on a broker, and the pace of a replay.

In: packets with their event times; the address of a broker where somebody's service runs. Out: what that service said.
"""

import time
from collections.abc import Callable

from smartstore.bus.base import Bus, BusError
from smartstore.feed.replay import Pace, Packets, Replayed
from smartstore.wire import messages, topics
from smartstore.wire.codec import Packet, WireError, decode, encode

AHEAD_S = 6.0
"""How far what is sent may be ahead of what the service has processed, in event time."""
PATIENCE_S = 60.0
HELLO_S = 10.0
_STUCK = "the service makes no progress any more; is it running?"


class ReplayError(Exception):
    """A replay that cannot go on; one line."""


def paced(
    speed: float | None, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> Pace:
    """Lets event time pass ``speed`` times as fast as the clock; None: as fast as it goes."""
    began: list[tuple[int, float]] = []

    def wait(t_ns: int) -> None:
        if speed is None:
            return
        if not began:
            began.append((t_ns, now()))
        first_ns, started = began[0]
        left_s = started + (t_ns - first_ns) / 1e9 / speed - now()
        if left_s > 0:
            sleep(left_s)

    return wait


def replay_live(
    bus: Bus,
    store: str,
    packets: Packets,
    pace: Pace = lambda _: None,
    service: str = "main",
    ahead_s: float = AHEAD_S,
) -> Replayed:
    """Plays packets on an open bus to a service of ``store`` that runs there, and hears what it says to the end.

    Raises:
        ReplayError: that service is not there, is past this feed's time, or stopped.
        BusError: the connection is gone.
    """
    # One filter for all, as everywhere: some brokers keep the order of messages only within a subscription.
    bus.subscribe(f"{topics.ROOT}/{store}/#")
    listener = _Listener(bus, service, ahead_s)
    listener.wait_online(store)
    finished_before = listener.finished
    first_ns = last_ns = -1
    for t_ns, packet in packets:
        if first_ns < 0:
            first_ns = t_ns
            listener.begin(t_ns, store)
        last_ns = t_ns
        pace(t_ns)
        listener.wait_for(t_ns)
        bus.publish(packet)
        listener.out.sent += 1
    bus.publish(encode(topics.FINISH, store, service, messages.Finish(seq=listener.out.sent, t_ns=max(last_ns, 0))))
    listener.wait_finished(finished_before)
    listener.out.event_s = (last_ns - first_ns) / 1e9
    return listener.out


class _Listener:
    """Hears what the service says, between the packets that are sent."""

    def __init__(self, bus: Bus, service: str, ahead_s: float) -> None:
        self.out = Replayed()
        self.processed_ns, self.finished = -1, 0
        self._bus, self._service, self._ahead_ns = bus, service, round(ahead_s * 1e9)
        self._first_ns = 0

    def wait_online(self, store: str) -> None:
        """Until the service says how far it is, as it does every moment."""
        self._wait(lambda: self.processed_ns >= 0, HELLO_S,
                   f"no service {self._service!r} of store {store!r} speaks on this broker; start one there "
                   "with smartstore serve --broker URL")  # fmt: skip

    def begin(self, first_ns: int, store: str) -> None:
        """The feed begins at ``first_ns``."""
        self._first_ns = first_ns
        if self.processed_ns >= first_ns:
            raise ReplayError(
                f"the service of {store!r} has already seen later times than this feed; start a fresh one"
            )

    def wait_for(self, t_ns: int) -> None:
        """Until packets of this event time may be sent."""
        self._wait(lambda: t_ns - max(self._first_ns, self.processed_ns) <= self._ahead_ns, PATIENCE_S, _STUCK)

    def wait_finished(self, before: int) -> None:
        """Until the service has finished once more, and everything it said about that has come."""
        self._wait(lambda: self.finished > before, PATIENCE_S, _STUCK)
        while self._step(0.3):
            pass

    def _wait(self, done: Callable[[], bool], patience_s: float, otherwise: str) -> None:
        """Listens until ``done``; :class:`ReplayError` after ``patience_s`` seconds without any progress."""
        while self._step(0.0):
            pass
        since, last = time.monotonic(), self.processed_ns
        while not done():
            self._step(0.005)
            if self.processed_ns > last:
                since, last = time.monotonic(), self.processed_ns
            if time.monotonic() - since > patience_s:
                raise ReplayError(otherwise)

    def _step(self, timeout_s: float) -> bool:
        """Takes in one packet; False when none came."""
        packet = self._bus.receive(timeout_s)
        if packet is None:
            if self._bus.closed:
                raise BusError("the connection to the broker has ended")
            return False
        found = topics.find(packet.topic)
        if found is None or found[0].sender != "service":
            return True
        if found[0] is topics.PROGRESS:
            self._progress(packet, found[2])
        else:
            self.out.hear(packet)
        return True

    def _progress(self, packet: Packet, service: str) -> None:
        try:
            received = decode(packet)
        except WireError:
            return
        if received is not None and service == self._service:
            self.processed_ns = max(self.processed_ns, received.message.processed_ns)
            self.finished = max(self.finished, received.message.finished)
