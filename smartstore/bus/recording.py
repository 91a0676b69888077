"""Feeds on disk: packets into an MCAP file, and the very same packets out of it.

One MCAP channel per topic. JSON messages carry their JSON Schema, pictures are ``foxglove.CompressedImage``, so that a
recording opens in Foxglove and Rerun as it is. Log time is when a packet was heard, publish time is its ``t_ns``.
"""

import logging
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from mcap.exceptions import McapError
from mcap.records import Channel as McapChannel
from mcap.records import Header, Message, Metadata
from mcap.stream_reader import StreamReader
from mcap.writer import CompressionType, Writer
from zstandard import ZstdError

from smartstore.bus import foxglove
from smartstore.bus.base import BusError
from smartstore.wire import messages, topics
from smartstore.wire.codec import JSON, Packet

log = logging.getLogger(__name__)

_PROFILE = "smartstore"
_CHUNK_BYTES = 256 * 1024
"""What a crash can cost at most: the packets of one chunk."""
_MAX_TIME_NS = 2**63 - 1


class FeedError(BusError):
    """A recording that cannot be read at all; one line that names the file."""


class McapRecorder:
    """``with McapRecorder(path, store, metadata) as recorder: recorder.write(packet, log_time_ns)``.

    ``metadata`` (texts by name: scenario, seed, versions, the store document) is kept in the file's head.
    """

    def __init__(self, path: Path, store: str, metadata: Mapping[str, str]) -> None:
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise FeedError(f"{path}: cannot be written ({error.strerror})") from error
        self._writer = Writer(self._file, chunk_size=_CHUNK_BYTES, compression=CompressionType.ZSTD)
        self._writer.start(_PROFILE, "smartstore")
        self._writer.add_metadata(_PROFILE, {"store": store, **metadata})
        self._schemas: dict[str, int] = {}
        self._channels: dict[tuple[str, str, int, bool], tuple[int, bool, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.close()

    def write(self, packet: Packet, log_time_ns: int) -> None:
        """Adds a packet heard at ``log_time_ns`` (UTC). User properties are kept for pictures; others have none."""
        key = (packet.topic, packet.content_type, packet.qos, packet.retain)
        found = self._channels.get(key)
        if found is None:
            found = self._channels[key] = self._register(packet)
        channel, is_picture, frame_id = found
        if is_picture:
            t_ns = _stamp(packet.properties.get("t_ns", ""), log_time_ns)
            seq = _stamp(packet.properties.get("seq", ""), 0) & 0xFFFFFFFF
            data = foxglove.encode_image(t_ns, frame_id, packet.payload, packet.properties)
        else:
            t_ns, seq = _head(packet.payload, log_time_ns)
            data = packet.payload
        self._writer.add_message(channel, log_time_ns, data, t_ns, seq)

    def close(self) -> None:
        """Completes the file. Safe to call twice."""
        if not self._file.closed:
            self._writer.finish()  # type: ignore[no-untyped-call]
            self._file.close()

    def _register(self, packet: Packet) -> tuple[int, bool, str]:
        about = {"content_type": packet.content_type, "qos": str(packet.qos), "retain": str(int(packet.retain))}
        found = topics.find(packet.topic)
        is_picture = found is not None and found[0].message is messages.Frame
        encoding = "protobuf" if is_picture else "json" if packet.content_type == JSON else packet.content_type
        schema = self._schema(found[0].message) if found is not None and encoding in ("json", "protobuf") else 0
        channel = self._writer.register_channel(packet.topic, encoding, schema, about)
        return channel, is_picture, found[2] if found is not None else ""

    def _schema(self, message: type[messages.Message]) -> int:
        if message.__name__ not in self._schemas:
            if message is messages.Frame:
                schema = self._writer.register_schema(foxglove.NAME, "protobuf", foxglove.descriptor())
            else:
                body = msgspec.json.encode(json_schema(message))
                schema = self._writer.register_schema(f"smartstore.{message.__name__}", "jsonschema", body)
            self._schemas[message.__name__] = schema
        return self._schemas[message.__name__]


def json_schema(message: type[messages.Message]) -> dict[str, Any]:
    """The JSON Schema of a message, its own object on top as Foxglove wants it."""
    schema = msgspec.json.schema(message)
    parts = schema.pop("$defs", {})
    if "$ref" in schema:
        schema = {**parts.pop(schema["$ref"].rsplit("/", 1)[-1])}
    return {**schema, "$defs": parts} if parts else schema


def read_feed(path: Path) -> Iterator[Packet]:
    """The packets of a recording in the order they were heard; a file that breaks off ends with its last whole chunk.

    Raises:
        FeedError: there is no such file, or it is no recording.
    """
    return (packet for _, packet in read_timed_feed(path))


def read_timed_feed(path: Path) -> Iterator[tuple[int, Packet]]:
    """Like :func:`read_feed`, each packet with the nanoseconds (UTC) at which it was heard."""
    channels: dict[int, McapChannel] = {}
    for record in _records(path):
        if isinstance(record, McapChannel):
            channels[record.id] = record
        elif isinstance(record, Message):
            yield record.log_time, _packet(channels[record.channel_id], record.data, path)


def feed_metadata(path: Path) -> dict[str, str]:
    """What the recorder was told about the feed: ``store`` and the rest.

    Raises:
        FeedError: there is no such file, or it is no recording.
    """
    for record in _records(path):
        if isinstance(record, Metadata) and record.name == _PROFILE:
            return dict(record.metadata)
    return {}


def _records(path: Path) -> Iterator[Any]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise FeedError(f"{path}: cannot be read ({error.strerror})") from error
    with file:
        begun = False
        try:
            for record in StreamReader(file, record_size_limit=2**30).records:
                begun = begun or isinstance(record, Header)
                yield record
        except (McapError, ZstdError, struct.error, zlib.error, UnicodeDecodeError, EOFError) as error:
            if not begun:
                raise FeedError(f"{path}: is not an MCAP recording ({error or 'it is empty'})") from error
            log.warning("%s: breaks off (%s); read up to its last whole chunk", path, type(error).__name__)


def _packet(channel: McapChannel, data: bytes, path: Path) -> Packet:
    about = channel.metadata
    try:
        payload, properties = foxglove.decode_image(data) if channel.message_encoding == "protobuf" else (data, {})
        qos = int(about.get("qos", "0"))
    except (ValueError, KeyError) as error:
        raise FeedError(f"{path}: a message of {channel.topic} cannot be read ({error})") from error
    return Packet(channel.topic, payload, about.get("content_type", JSON), properties, qos, about.get("retain") == "1")


class _Head(msgspec.Struct):
    t_ns: int
    seq: int


_HEAD = msgspec.json.Decoder(_Head)


def _head(payload: bytes, otherwise_ns: int) -> tuple[int, int]:
    """Time and sequence number of a JSON message; a malformed one is recorded as well."""
    try:
        head = _HEAD.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return otherwise_ns, 0
    return (head.t_ns if 0 <= head.t_ns <= _MAX_TIME_NS else otherwise_ns), head.seq & 0xFFFFFFFF


def _stamp(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else otherwise
