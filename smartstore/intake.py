"""Decides whether a packet gets as far as being read: from a device that the store has, and not in a flood.

In: where a packet comes from, how far event time is processed, and the wall clock. Out: why it is refused, or nothing.
Whatever arrives, what is remembered here is bounded by the devices of the store.
"""

from collections import Counter

from smartstore.site import Site
from smartstore.wire import topics
from smartstore.wire.topics import Channel

MOST_TRACKERS = 16
"""Systems that follow people in 3D have names of their own; so many are listened to."""


class Intake:
    """Keeps strangers and floods out. A device may say ``most_per_s`` things on a channel in a second of event time,
    or of the wall clock where event time stands still. ``heard_s`` has when each device was last let in."""

    def __init__(self, site: Site, most_per_s: int) -> None:
        cameras, most = set(site.cameras), most_per_s
        self._known: dict[Channel, set[str]] = {
            topics.FRAME: cameras, topics.PEOPLE: cameras, topics.FACINGS: cameras,
            topics.SCALE: {fixture.id for fixture in site.fixtures.values() if fixture.shelves},
            topics.GATE: {gate.id for gate in site.gates},
        }  # fmt: skip
        self._trackers: set[str] = set()
        self._most, self._said = most, Counter[tuple[str, str]]()
        self._second, self._since_s = -1, 0.0
        self.heard_s: dict[str, float] = {}

    def refuses(self, channel: Channel, device: str, processed_ns: int, now_s: float) -> str | None:
        """Why what ``device`` says is not to be read: "unknown_device" or "too_many"; None: it is.

        ``now_s`` is the wall clock, from anywhere.
        """
        if channel.sender != "device":
            return None
        if not self.knows(channel, device):
            return "unknown_device"
        second = processed_ns // 1_000_000_000
        if second != self._second or now_s - self._since_s >= 1.0:
            self._second, self._since_s = second, now_s
            self._said.clear()
        self._said[channel.name, device] += 1
        if self._said[channel.name, device] > self._most:
            return "too_many"
        self.heard_s[device] = now_s
        return None

    def knows(self, channel: Channel, device: str) -> bool:
        """Whether the store has such a device."""
        if channel is topics.TRACKS and len(self._trackers) < MOST_TRACKERS:
            self._trackers.add(device)
        return device in (self._trackers if channel is topics.TRACKS else self._known.get(channel, ()))
