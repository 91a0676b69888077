"""What is in a recording, for people and for tests.

In: an MCAP file. Out: a summary, or one JSON line per message.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from mcap.records import Metadata

from smartstore.bus.reading import Recorded, recorded
from smartstore.bus.recording import PROFILE, is_off_wire, packet_of
from smartstore.feed.copying import Cut, event_ages, has_event_time, is_device_data
from smartstore.feed.documents import CATALOGUE, CATALOGUE_PATH, DOCUMENT, PALM_KEY
from smartstore.wire import topics

LONG = (DOCUMENT, CATALOGUE, CATALOGUE_PATH, PALM_KEY)
"""Metadata that is a whole document: a summary only says that it is there."""


@dataclass(slots=True)
class TopicSummary:
    """What was said on one topic."""

    channel: str
    messages: int = 0
    bytes: int = 0
    first_ns: int = 0
    last_ns: int = 0


@dataclass(slots=True)
class FeedSummary:
    """What a recording holds. Times are event times of devices, UTC nanoseconds; -1 where there are none."""

    metadata: dict[str, str] = field(default_factory=dict)
    documents: list[str] = field(default_factory=list)
    topics: dict[str, TopicSummary] = field(default_factory=dict)
    start_ns: int = -1
    end_ns: int = -1

    @property
    def messages(self) -> int:
        """All that was on the wire."""
        return sum(topic.messages for topic in self.topics.values())

    @property
    def duration_s(self) -> float:
        """Event time from the first to the last message of a device."""
        return (self.end_ns - self.start_ns) / 1e9


def summary(path: Path) -> FeedSummary:
    """Counts a recording through.

    Raises:
        FeedError: it is no recording.
    """
    out = FeedSummary()
    for part in recorded(path):
        if isinstance(part, Metadata) and part.name == PROFILE:
            out.metadata = {name: text for name, text in part.metadata.items() if name not in LONG}
            out.documents = [name for name in LONG if name in part.metadata]
        elif isinstance(part, Recorded) and not is_off_wire(part.channel):
            _count(out, part)
    return out


def _count(out: FeedSummary, part: Recorded) -> None:
    topic, t_ns = part.channel.topic, part.message.publish_time
    if topic not in out.topics:
        found = topics.find(topic)
        out.topics[topic] = TopicSummary(found[0].name if found else "", first_ns=t_ns, last_ns=t_ns)
    kept = out.topics[topic]
    kept.messages += 1
    kept.bytes += len(part.message.data)
    kept.first_ns, kept.last_ns = min(kept.first_ns, t_ns), max(kept.last_ns, t_ns)
    if is_device_data(topic):
        out.start_ns = t_ns if out.start_ns < 0 else min(out.start_ns, t_ns)
        out.end_ns = max(out.end_ns, t_ns)


def json_lines(path: Path, part: Cut) -> Iterator[bytes]:
    """Every message of a part of a whole recording as one JSON object; of a picture, what its properties say."""
    for age_s, record in event_ages(path):
        if not isinstance(record, Recorded) or is_off_wire(record.channel):
            continue
        topic = record.channel.topic
        if part.covers(topic) and part.includes(age_s):
            head = {"topic": topic, "heard_ns": record.message.log_time, "t_ns": record.message.publish_time}
            if has_event_time(topic):
                head["age_s"] = age_s
            yield msgspec.json.encode({**head, **_content(record, path)})


def _content(record: Recorded, path: Path) -> dict[str, Any]:
    packet = packet_of(record.channel, record.message.data, path)
    if record.channel.message_encoding == "json":
        return {"message": msgspec.Raw(packet.payload)}
    if packet.properties or packet.content_type.startswith("image/"):
        return {"picture": dict(packet.properties), "bytes": len(packet.payload)}
    return {"unreadable": packet.payload.decode("utf-8", "replace")[:1000], "bytes": len(packet.payload)}
