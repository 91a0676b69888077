"""How packets leave the building: at a pace that the product can follow, and again when they were lost on the way.

In: how far the product says it has come, and its requests to send again. Out: time to wait, and packets.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from smartstore.wire import messages, topics
from smartstore.wire.codec import JPEG, Packet, WireError, decode, encode


class PaceError(Exception):
    """The product does not follow any more: one line."""


class Pacer:
    """Keeps event time at most ``ahead_s`` ahead of ``processed_ns()``, and at ``speed`` times real time if given.

    ``check`` may raise when the product is gone; after ``patience_s`` without progress :class:`PaceError` is raised.
    """

    def __init__(
        self,
        processed_ns: Callable[[], int],
        check: Callable[[], object] = lambda: None,
        ahead_s: float = 2.0,
        patience_s: float = 60.0,
        speed: float | None = None,
    ) -> None:
        self._processed_ns, self._check = processed_ns, check
        self._ahead_ns, self._patience_s, self._speed = round(ahead_s * 1e9), patience_s, speed
        self._first: tuple[int, float] | None = None

    def wait_for(self, t_ns: int) -> None:
        """Return once messages of ``t_ns`` may be sent."""
        first_ns, began = self._first = self._first or (t_ns, time.monotonic())
        if self._speed is not None:
            time.sleep(max(0.0, began + (t_ns - first_ns) / 1e9 / self._speed - time.monotonic()))
        last, since = -1, time.monotonic()
        while t_ns - (processed := max(first_ns, self._processed_ns())) > self._ahead_ns:
            self._check()
            if processed > last:
                last, since = processed, time.monotonic()
            elif time.monotonic() - since > self._patience_s:
                behind_s = (t_ns - processed) / 1e9
                raise PaceError(
                    f"the service has made no progress for {self._patience_s:.0f} s and is {behind_s:.1f} s behind; "
                    "is it running on this broker and store?"
                )
            time.sleep(0.001)


class Line(Protocol):
    """A connection to the broker, as far as the outbox needs it."""

    @property
    def connections(self) -> int: ...
    def publish(self, packet: Packet) -> None: ...
    def subscribe(self, *filters: str) -> None: ...
    def receive(self, timeout_s: float | None = None) -> Packet | None: ...


KEEP_S = 60.0
"""Seconds of event time that an outbox keeps of what it sent, as a gateway beside the devices would."""


class Outbox:
    """Sends packets and keeps those of the last ``keep_s`` seconds. Whoever missed some of them gets them again.

    After a lost connection it starts again from what the product had processed, before anything new. Works in the
    thread of whoever calls :meth:`publish` and :meth:`attend`.
    """

    def __init__(self, line: Line, store: str, name: str = "building", keep_s: float = KEEP_S) -> None:
        self._line, self._store, self._name, self._keep_ns = line, store, name, round(keep_s * 1e9)
        self._kept: deque[tuple[int, Packet]] = deque()
        self._last_ns, self._processed_ns = -1, -1
        self._sessions: set[int] = set()
        self._answers = 0
        self.sent_again = 0
        """Packets that were sent more than once."""
        line.subscribe(topics.REPLAY.filter(store), topics.PROGRESS.filter(store))
        self._connections = line.connections
        self.announce()

    @property
    def processed_ns(self) -> int:
        """The event time that the product has processed, as far as it said so; -1 before that."""
        return self._processed_ns

    def announce(self) -> None:
        """Says that this device keeps what it sends."""
        online = messages.Status(seq=0, t_ns=0, state="online", kind="gateway", keeps_s=self._keep_ns / 1e9)
        self._line.publish(encode(topics.STATUS, self._store, self._name, online))

    def publish(self, packet: Packet) -> None:
        """Sends one more packet, after what has to be sent again."""
        self.attend()
        t_ns = _time_of(packet)
        self._kept.append((t_ns, packet))
        self._last_ns = max(self._last_ns, t_ns)
        while self._kept and self._kept[0][0] < self._last_ns - self._keep_ns:
            self._kept.popleft()
        self._line.publish(packet)

    def attend(self) -> None:
        """Sends again what somebody asked for, or what a lost connection may have swallowed."""
        if self._line.connections != self._connections:
            self._connections = self._line.connections
            self.announce()  # a broker that was killed forgot it, and whoever asked meanwhile was not heard
            self._again(self._processed_ns)
        while (packet := self._line.receive(0)) is not None:
            self._hear(packet)

    def _hear(self, packet: Packet) -> None:
        try:
            received = decode(packet)
        except WireError:
            return
        match received.message if received is not None else None:
            case messages.Progress() as progress:
                self._processed_ns = max(self._processed_ns, progress.processed_ns)
            case messages.Replay() as request if request.session not in self._sessions:
                self._sessions.add(request.session)
                count = self._again(request.since_ns)
                answer = messages.Replayed(seq=self._answers, t_ns=max(self._last_ns, 0), session=request.session,
                                           messages=count)  # fmt: skip
                self._answers += 1
                self._line.publish(encode(topics.REPLAYED, self._store, self._name, answer))

    def _again(self, since_ns: int) -> int:
        """Sends everything of after ``since_ns`` once more, in its order; how many packets that were."""
        again = [packet for t_ns, packet in self._kept if t_ns > since_ns]
        for packet in again:
            self._line.publish(packet)
        self.sent_again += len(again)
        return len(again)


class _Head(msgspec.Struct):
    t_ns: int


_HEAD = msgspec.json.Decoder(_Head)


def _time_of(packet: Packet) -> int:
    if packet.content_type == JPEG:
        return int(packet.properties["t_ns"])
    return _HEAD.decode(packet.payload).t_ns
