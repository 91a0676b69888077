"""A recording played again, as if it were live: the packets of its devices to the same service, in the order heard.

In: a recording, a part of it, faults, a pace. Out: what the service said about it. Time is the time on the messages, so
the receipts are the same at every pace.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mcap.records import Channel

from smartstore.bus.reading import Recorded, records
from smartstore.bus.recording import packet_of
from smartstore.embedded import EmbeddedStore
from smartstore.faults import Faults
from smartstore.feed.copying import Cut, event_ages, is_device_data
from smartstore.pipeline import Vision
from smartstore.settings import Settings
from smartstore.site import Site
from smartstore.wire import topics
from smartstore.wire.codec import Packet, WireError, decode
from smartstore.wire.messages import Receipt, Review, ShelfChange

Pace = Callable[[int], None]
"""Returns when packets of an event time (UTC nanoseconds) may be sent."""

Packets = Iterator[tuple[int, Packet]]
"""Packets, each with the event time (UTC nanoseconds) that it is played at."""

WHOLE = Cut()


@dataclass(slots=True)
class Replayed:
    """What the service said: the last version of every receipt by visit, changes in order, open review cases."""

    receipts: dict[str, Receipt] = field(default_factory=dict)
    changes: list[tuple[str, ShelfChange]] = field(default_factory=list)
    cases: dict[str, Review] = field(default_factory=dict)
    sent: int = 0
    """Packets that were played."""
    event_s: float = 0.0
    """Event time from the first to the last of them."""

    def hear(self, packet: Packet) -> None:
        """Takes note of a packet of the service."""
        try:
            received = decode(packet)
        except WireError:
            return
        if received is None:
            return
        if received.channel is topics.RECEIPT:
            self.receipts[received.device] = received.message
        elif received.channel is topics.CHANGE:
            self.changes.append((received.device, received.message))
        elif received.channel is topics.REVIEW:
            self.cases[received.device] = received.message


def device_packets(feed: Path, part: Cut = WHOLE, faults: Faults | None = None) -> Packets:
    """What the devices of a recording said, in the order heard, each packet with the event time it is played at.

    Event times never go back here, whatever the clocks of the devices do. What was recorded of the service is left out.

    Raises:
        FeedError: it is no recording.
    """
    now_ns = 0
    for age_s, record in event_ages(feed):
        if not isinstance(record, Recorded) or not is_device_data(record.channel.topic):
            continue
        if not part.covers(record.channel.topic) or not part.includes(age_s):
            continue
        now_ns = max(now_ns, record.message.publish_time)
        packet = packet_of(record.channel, record.message.data, feed)
        for arrived in [packet] if faults is None else faults.observe(packet, now_ns):
            yield now_ns, arrived
    for arrived in [] if faults is None else faults.flush():
        yield now_ns, arrived


def has_pictures(feed: Path, part: Cut = WHOLE) -> bool:
    """Whether a part of a recording has pictures, which somebody has to look at."""
    names = (record.topic for record in records(feed, messages=False) if isinstance(record, Channel))
    return any(part.covers(name) and (found := topics.find(name)) and found[0] is topics.FRAME for name in names)


def replay(
    packets: Packets,
    site: Site,
    palm_key: Path | None = None,
    settings: Settings | None = None,
    vision: Vision | None = None,
    pace: Pace = lambda _: None,
) -> Replayed:
    """Plays packets to a service in this process, to the end of everything that follows from them.

    Without ``palm_key`` (the palm service's public key) everybody may come in; without ``vision`` pictures are left.
    """
    out = Replayed()
    first_ns = last_ns = -1
    with EmbeddedStore(site, palm_key, settings, vision) as store:
        for t_ns, packet in packets:
            pace(t_ns)
            first_ns, last_ns = (t_ns if first_ns < 0 else first_ns), t_ns
            out.sent += 1
            for said in store.hear(packet):
                out.hear(said)
        for said in store.finish():
            out.hear(said)
    out.event_s = (last_ns - first_ns) / 1e9
    return out
