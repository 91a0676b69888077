"""Recordings out of recordings: parts cut out, several merged, and what is whole of a damaged one.

In: MCAP files. Out: a new one, complete or not there at all; the messages in it are the very bytes of the old ones.
"""

import heapq
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

from mcap.records import Attachment, Metadata

from smartstore.bus.reading import Damage, FeedError, Recorded, check_whole, recorded
from smartstore.bus.recording import feed_metadata, is_off_wire, new_writer, packet_of
from smartstore.wire import topics
from smartstore.wire.codec import WireError, decode
from smartstore.wire.messages import Message

FIRST_MESSAGES, APART_NS = 50, 10_000_000_000
Part = Recorded | Metadata | Attachment


class FeedCopy:
    """``with FeedCopy(out) as copy: copy.add(record)``. The file is there once the block has ended well."""

    def __init__(self, out: Path) -> None:
        self._out, self._partial = out, out.with_name(f".{out.name}.partial")
        try:
            self._file = self._partial.open("wb")
        except OSError as error:
            raise FeedError(f"{out}: cannot be written ({error.strerror})") from error
        self._writer = new_writer(self._file)
        self._schemas: dict[tuple[str, str, bytes], int] = {}
        self._channels: dict[tuple[str, str, int, tuple[tuple[str, str], ...]], int] = {}
        self.messages = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        try:
            with self._file:
                if kind is None:
                    self._writer.finish()  # type: ignore[no-untyped-call]
            if kind is None:
                self._partial.replace(self._out)
        finally:
            self._partial.unlink(missing_ok=True)

    def add(self, part: Part) -> None:
        """Adds a message, metadata or an attachment as it was."""
        if isinstance(part, Metadata):
            self._writer.add_metadata(part.name, dict(part.metadata))
        elif isinstance(part, Attachment):
            self._writer.add_attachment(part.create_time, part.log_time, part.name, part.media_type, part.data)
        else:
            message = part.message
            self._writer.add_message(
                self._channel(part), message.log_time, message.data, message.publish_time, message.sequence
            )
            self.messages += not is_off_wire(part.channel)

    def _channel(self, part: Recorded) -> int:
        schema = 0
        if part.schema is not None:
            named = (part.schema.name, part.schema.encoding, part.schema.data)
            schema = self._schemas.get(named) or self._writer.register_schema(*named)
            self._schemas[named] = schema
        channel = part.channel
        key = (channel.topic, channel.message_encoding, schema, tuple(sorted(channel.metadata.items())))
        if key not in self._channels:
            self._channels[key] = self._writer.register_channel(*key[:3], dict(channel.metadata))
        return self._channels[key]


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of a feed: seconds of event time from its beginning, and topics below the store's root."""

    from_s: float | None = None
    to_s: float | None = None
    topics: tuple[str, ...] = ()

    def covers(self, topic: str) -> bool:
        """Whether messages of a topic belong to the part."""
        if not self.topics:
            return True
        below = topic.split("/", 3)[-1]
        return any(topics.matches(pattern, below) for pattern in self.topics)

    def includes(self, age_s: float) -> bool:
        """Whether a moment so long after the beginning does."""
        return (self.from_s is None or age_s >= self.from_s) and (self.to_s is None or age_s < self.to_s)


def event_ages(path: Path) -> Iterator[tuple[float, Part]]:
    """The parts of a feed, each with its age: event seconds since the feed began.

    What has no event time of its own (a status, metadata) has the age of what came before it.
    """
    parts = (part for part in recorded(path) if not isinstance(part, Damage))
    waiting: list[Part] = []
    first: list[int] = []
    for part in parts:
        waiting.append(part)
        if isinstance(part, Recorded) and is_device_data(part.channel.topic):
            first.append(part.message.publish_time)
        if len(first) == FIRST_MESSAGES:
            break
    began_ns = _began_ns(first)
    age_s = 0.0
    for part in chain(waiting, parts):
        if isinstance(part, Recorded) and has_event_time(part.channel.topic):
            age_s = max(0.0, (part.message.publish_time - began_ns) / 1e9)
        yield age_s, part


def _began_ns(first: list[int]) -> int:
    """The earliest of the first messages of devices, but for those whose clock is far from that of most."""
    if not first:
        return 0
    middle = sorted(first)[len(first) // 2]
    return min(t_ns for t_ns in first if abs(t_ns - middle) <= APART_NS)


def is_device_data(topic: str) -> bool:
    """Whether a topic is one that devices feed the pipeline by."""
    found = topics.find(topic)
    return found is not None and found[0].sender == "device" and found[0] is not topics.STATUS


def has_event_time(topic: str) -> bool:
    """Whether what is said there has the time of the story it tells, and not that of a clock on a wall."""
    found = topics.find(topic)
    return found is not None and found[0] is not topics.STATUS and found[0].sender != "operator"


def cut(feed: Path, out: Path, part: Cut) -> int:
    """Writes a part of a recording; returns its number of messages. Metadata and calibrations come along.

    Raises:
        FeedError: the recording is damaged, or ``out`` cannot be written, or nothing would be in it.
    """
    check_whole(feed)
    _refuse_same(out, [feed])
    with FeedCopy(out) as copy:
        on_wire = 0
        for age_s, record in event_ages(feed):
            if isinstance(record, Recorded) and not is_off_wire(record.channel):
                if not part.covers(record.channel.topic) or not part.includes(age_s):
                    continue
                on_wire += 1
            copy.add(record)
        if not on_wire:
            raise FeedError(f"{feed}: has nothing in that part; `smartstore feed info {feed}` shows what it has")
    return on_wire


def merge(feeds: list[Path], out: Path) -> tuple[int, int]:
    """Writes one recording of several of the same store, in the order in which packets were heard.

    Returns the number of messages and how many were in more than one. Metadata is the first one's.

    Raises:
        FeedError: a recording is damaged or of another store, or ``out`` cannot be written.
    """
    stores = {}
    for feed in feeds:
        check_whole(feed)
        stores[feed] = feed_metadata(feed).get("store", "")
        if stores[feed] != stores[feeds[0]]:
            raise FeedError(
                f"{feed}: is of store {stores[feed]!r}, {feeds[0]} of {stores[feeds[0]]!r}; merge one store"
            )
    _refuse_same(out, feeds)
    seen: set[tuple[str, int, int, bytes]] = set()
    doubles = 0
    with FeedCopy(out) as copy:
        for described in (part for part in recorded(feeds[0]) if isinstance(part, Metadata | Attachment)):
            copy.add(described)
        for part in heapq.merge(*(_heard(feed) for feed in feeds), key=lambda part: part.message.log_time):
            key = (
                part.channel.topic,
                part.message.publish_time,
                part.message.sequence,
                blake2b(part.message.data).digest(),
            )
            if key in seen:
                doubles += 1
                continue
            seen.add(key)
            copy.add(part)
        return copy.messages, doubles


def repair(feed: Path, out: Path, damaged: Callable[[Damage], None] = lambda _: None) -> int:
    """Writes what is whole of a recording; returns the number of its messages, and tells of all that is not.

    Raises:
        FeedError: nothing of it is whole, or ``out`` cannot be written.
    """
    _refuse_same(out, [feed])
    with FeedCopy(out) as copy:
        for part in recorded(feed):
            if isinstance(part, Damage):
                damaged(part)
            else:
                copy.add(part)
        if not copy.messages:
            raise FeedError(f"{feed}: nothing in it is whole")
    return copy.messages


def faults_of(parts: Iterable[Recorded], path: Path) -> Mapping[str, int]:
    """What is wrong with whole messages, counted: unreadable ones, doubles, pictures without an end."""
    counts = {"malformed": 0, "unknown topics": 0, "doubles": 0, "pictures cut off": 0}
    seen: set[tuple[str, int, int]] = set()
    for part in parts:
        packet = packet_of(part.channel, part.message.data, path)
        try:
            received = decode(packet, as_sent=True)
        except WireError:
            counts["malformed"] += 1
            continue
        if received is None:
            counts["unknown topics"] += 1
            continue
        message: Message = received.message
        key = (packet.topic, message.t_ns, message.seq)
        counts["doubles"] += key in seen and not packet.retain
        seen.add(key)
        if received.channel is topics.FRAME:
            counts["pictures cut off"] += not packet.payload.rstrip(b"\0").endswith(b"\xff\xd9")
    return counts


def _heard(feed: Path) -> Iterator[Recorded]:
    return (part for part in recorded(feed) if isinstance(part, Recorded))


def _refuse_same(out: Path, feeds: list[Path]) -> None:
    for feed in feeds:
        if out.exists() and feed.exists() and os.path.samefile(out, feed):
            raise FeedError(f"{out}: is the recording itself; give the new one another name")
