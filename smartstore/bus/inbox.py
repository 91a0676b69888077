"""What waits for a reader, and what a slow one loses.

In: packets from a network thread. Out: the same in their order, less what may be lost.
"""

import threading
from collections import deque
from functools import lru_cache

from smartstore.wire import topics
from smartstore.wire.codec import Packet


@lru_cache(maxsize=4096)
def may_lose(topic: str) -> bool:
    """Whether a slow reader of this topic needs only the latest packets."""
    found = topics.find(topic)
    return found is not None and found[0].keep == "latest"


@lru_cache(maxsize=4096)
def qos_of(topic: str) -> int:
    """The quality of service of a topic or filter: its channel's, 1 where it is none of ours or several."""
    found = topics.find(topic)
    return found[0].qos if found is not None else 1


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
                if self._closed or timeout_s == 0 or not self._changed.wait(timeout_s):
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
