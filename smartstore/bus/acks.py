"""Acknowledges packets of quality of service 1 once their reader is done with them, in the order in which they came.

In: packets as they come from the broker and as the reader takes them. Out: message ids to acknowledge. The order is
asked for by MQTT 5 (section 4.6), and brokers end connections that break it.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from smartstore.wire.codec import Packet


@dataclass(slots=True)
class _Owed:
    mid: int
    done: bool


class Acknowledgements:
    """What a client owes its broker; called by the network's thread and by the reader's."""

    def __init__(self, acknowledge: Callable[[int], object]) -> None:
        self._acknowledge = acknowledge
        self._owed: deque[_Owed] = deque()
        self._unread: dict[int, _Owed] = {}
        """By the identity of packets that nobody has taken yet."""
        self._in_hand: _Owed | None = None
        self._lock = threading.Lock()

    def came(self, mid: int, packet: Packet | None) -> None:
        """A packet has come; None: one that may be lost, with which nothing needs to be done."""
        with self._lock:
            owed = _Owed(mid, done=packet is None)
            self._owed.append(owed)
            if packet is not None:
                self._unread[id(packet)] = owed
            self._settle()

    def done(self) -> None:
        """The reader is done with the packet that it took last."""
        with self._lock:
            if self._in_hand is not None:
                self._in_hand.done = True
                self._in_hand = None
                self._settle()

    def taken(self, packet: Packet | None) -> None:
        """The reader takes a packet in hand."""
        with self._lock:
            self._in_hand = self._unread.pop(id(packet), None)

    def forget(self) -> None:
        """The connection is lost: the broker sends again what it was not told of."""
        with self._lock:
            self._owed.clear()
            self._unread.clear()
            self._in_hand = None

    def _settle(self) -> None:
        while self._owed and self._owed[0].done:
            self._acknowledge(self._owed.popleft().mid)
