"""What every bus offers, and the one that needs no network.

In: packets (topic, bytes, properties) from publishers. Out: the packets that match a subscription, in the order they
were sent. A slow reader loses only what it may lose: of topics marked "latest" in the channel table the older packets.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

from smartstore.bus.inbox import Inbox
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
