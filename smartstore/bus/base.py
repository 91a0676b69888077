"""What every bus offers, and the one that needs no network.

In: packets (topic, bytes, properties) from publishers. Out: the packets that match a subscription, in the order they
were sent. A slow reader loses only what it may lose: of topics marked "latest" in the channel table the older packets.
"""

import threading
from collections import Counter, deque
from collections.abc import Iterator
from functools import lru_cache
from types import TracebackType
from typing import Protocol, Self

from smartstore.wire import topics
from smartstore.wire.codec import Packet
from smartstore.wire.topics import matches


class BusError(Exception):
    """The bus cannot be used; the text is one line that says why and what to do."""


class Bus(Protocol):
    """A connection to a message bus, used as ``with bus: for packet in bus: ...``."""

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None: ...  # fmt: skip

    def publish(self, packet: Packet) -> None:
        """Sends a packet; with QoS 1 it is delivered at the latest when the bus closes.

        Raises:
            BusError: the bus is not open.
        """

    def subscribe(self, *filters: str) -> None:
        """From the return of this call on, packets of these topics arrive (``+`` one level, ``#`` all below).

        Raises:
            BusError: the broker refuses a filter.
        """

    def unsubscribe(self, *filters: str) -> None:
        """Packets of these filters stop coming; those that wait can still be read.

        Raises:
            BusError: the bus is not open.
        """

    def receive(self, timeout_s: float | None = None) -> Packet | None:
        """The next packet; None when the bus is closed, or after ``timeout_s`` seconds without one."""

    def __iter__(self) -> Iterator[Packet]:
        """Packets until the bus is closed."""

    @property
    def closed(self) -> bool:
        """Whether the end has been read: nothing more will come."""

    @property
    def connections(self) -> int:
        """How often the connection was made: a new one means that something may have been missed in between."""

    @property
    def connected(self) -> bool:
        """Whether the connection stands just now."""

    @property
    def lost(self) -> int:
        """Packets that this reader was too slow for."""

    @property
    def refused(self) -> int:
        """Packets that the broker did not take; it says so of QoS 1 only, others it drops in silence."""

    def close(self) -> None:
        """Ends the connection cleanly; readers see the end. Safe to call twice and from another thread."""


SHARED = "$share/"
"""How the filter of a shared subscription begins (MQTT 5, section 4.8.2): a group's name and the filter follow."""


@lru_cache(maxsize=4096)
def may_lose(topic: str) -> bool:
    """Whether a slow reader of this topic needs only the latest packets."""
    found = topics.find(topic)
    return found is not None and found[0].keep == "latest"


ROOM = 20_000
"""Packets that wait for a reader who is too slow: minutes of a store, and some ten megabytes."""


class Inbox:
    """The queue between a network thread and one reader.

    Keeps the newest ``keep_latest`` packets of each topic that may lose some, and all others up to ``limit``; beyond it
    the oldest packet of QoS 0 goes. ``lost`` counts what went.
    """

    def __init__(self, keep_latest: int = 8, limit: int = ROOM) -> None:
        self.lost = 0
        self._keep_latest, self._limit = keep_latest, limit
        self._queue: deque[list[Packet | None]] = deque()
        self._latest: dict[str, deque[list[Packet | None]]] = {}
        self._count = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, packet: Packet) -> None:
        """Adds a packet; never blocks."""
        slot: list[Packet | None] = [packet]
        with self._changed:
            if self._closed:
                return
            self._queue.append(slot)
            self._count += 1
            if may_lose(packet.topic):
                waiting = self._latest.setdefault(packet.topic, deque())
                waiting.append(slot)
                if len(waiting) > self._keep_latest:
                    self._drop(waiting.popleft())
            if self._count > self._limit:
                oldest = next((s for s in self._queue if s[0] is not None and s[0].qos == 0), None)
                if oldest is not None:
                    self._drop(oldest)
            if len(self._queue) > 2 * self._count + 1000:
                self._queue = deque(s for s in self._queue if s[0] is not None)
            self._changed.notify()

    def get(self, timeout_s: float | None) -> Packet | None:
        """The oldest packet; None at the end or after ``timeout_s`` seconds."""
        with self._changed:
            while True:
                while self._queue:
                    packet = self._queue.popleft()[0]
                    if packet is not None:
                        return self._taken(packet)
                if self._closed or not self._changed.wait(timeout_s):
                    return None

    def close(self) -> None:
        """What is queued can still be read; after it comes the end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed and self._count == 0

    @property
    def waiting(self) -> int:
        """Packets that nobody has read yet."""
        return self._count

    def _taken(self, packet: Packet) -> Packet:
        self._count -= 1
        if waiting := self._latest.get(packet.topic):
            waiting.popleft()
        return packet

    def _drop(self, slot: list[Packet | None]) -> None:
        packet, slot[0] = slot[0], None
        if packet is None:
            return
        self._count -= 1
        self.lost += 1
        waiting = self._latest.get(packet.topic)
        if waiting and waiting[0] is slot:
            waiting.popleft()


class MemoryHub:
    """A broker without a network: hands every packet to all matching clients, keeps retained ones."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._clients: list[MemoryBus] = []
        self._retained: dict[str, Packet] = {}
        self._turns: Counter[str] = Counter()
        """How often each shared subscription was served: its members take turns."""

    def connect(self, will: Packet | None = None, keep_latest: int = 8) -> "MemoryBus":
        """A new client; ``will`` is sent when it leaves by an exception."""
        return MemoryBus(self, will, keep_latest)

    def attach(self, client: "MemoryBus") -> None:
        with self._lock:
            self._clients.append(client)

    def detach(self, client: "MemoryBus") -> None:
        with self._lock:
            if client in self._clients:
                self._clients.remove(client)

    def deliver(self, packet: Packet) -> None:
        with self._lock:
            if packet.retain:
                self._retained[packet.topic] = packet
                if not packet.payload:
                    del self._retained[packet.topic]
            for client in self._clients:
                client.offer(packet)
            for shared in {name for client in self._clients for name in client.shared_filters(packet.topic)}:
                group = [client for client in self._clients if shared in client.shared_filters(packet.topic)]
                self._turns[shared] += 1
                group[self._turns[shared] % len(group)].accept(packet)

    def retained(self, topic_filter: str) -> list[Packet]:
        with self._lock:
            return [packet for topic, packet in self._retained.items() if matches(topic_filter, topic)]


class MemoryBus:
    """One client of a :class:`MemoryHub`; several threads may use several clients of one hub."""

    def __init__(self, hub: MemoryHub, will: Packet | None = None, keep_latest: int = 8) -> None:
        self._hub, self._will = hub, will
        self._filters: tuple[str, ...] = ()
        self._inbox = Inbox(keep_latest)
        self._open = False

    def __enter__(self) -> Self:
        self._open = True
        self._hub.attach(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        if self._open and kind is not None and self._will is not None:
            self._hub.deliver(self._will)
        self.close()

    def close(self) -> None:
        self._open = False
        self._hub.detach(self)
        self._inbox.close()

    @property
    def closed(self) -> bool:
        return self._inbox.closed

    @property
    def connections(self) -> int:
        return 1

    @property
    def lost(self) -> int:
        return self._inbox.lost

    @property
    def connected(self) -> bool:
        return self._open

    @property
    def refused(self) -> int:
        return 0

    def publish(self, packet: Packet) -> None:
        if not self._open:
            raise BusError("the bus is not open")
        self._hub.deliver(packet)

    def subscribe(self, *filters: str) -> None:
        self._filters += filters
        for topic_filter in filters:
            for packet in self._hub.retained(topic_filter):
                self._inbox.put(packet)

    def unsubscribe(self, *filters: str) -> None:
        if not self._open:
            raise BusError("the bus is not open")
        self._filters = tuple(name for name in self._filters if name not in filters)

    def offer(self, packet: Packet) -> None:
        if any(matches(topic_filter, packet.topic) for topic_filter in self._filters):
            self._inbox.put(packet)

    def shared_filters(self, topic: str) -> list[str]:
        """The shared subscriptions of this client that cover a topic."""
        return [name for name in self._filters if name.startswith(SHARED) and matches(name.split("/", 2)[2], topic)]

    def accept(self, packet: Packet) -> None:
        """Takes a packet whose turn it is to get."""
        self._inbox.put(packet)

    def receive(self, timeout_s: float | None = None) -> Packet | None:
        return self._inbox.get(timeout_s)

    def __iter__(self) -> Iterator[Packet]:
        while (packet := self.receive()) is not None:
            yield packet
