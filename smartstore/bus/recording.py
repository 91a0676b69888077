"""Feeds on disk: packets into an MCAP file, and the very same packets out of it.

One MCAP channel per topic. JSON messages carry their JSON Schema, pictures are ``foxglove.CompressedImage``, so that a
recording opens in Foxglove and Rerun as it is; calibrations of cameras are ``foxglove.CameraCalibration``. Log time is
when a packet was heard, publish time is its ``t_ns``.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec
from mcap.records import Channel as McapChannel
from mcap.records import Metadata
from mcap.writer import CompressionType, Writer

from smartstore.bus import foxglove
from smartstore.bus.reading import Damage, FeedError, Recorded, log, recorded, records
from smartstore.domain.geometry import CameraModel
from smartstore.wire import messages, topics
from smartstore.wire.codec import JSON, Packet, WireError, decode

__all__ = ["FeedError", "McapRecorder", "feed_metadata", "json_schema", "new_writer", "read_feed", "read_timed_feed"]

PROFILE = "smartstore"
_CHUNK_BYTES = 256 * 1024
_FLUSH_NS = 2_000_000_000
_MAX_TIME_NS = 2**63 - 1
"""What a crash can cost at most: the packets of one chunk, or of two seconds if these are fewer."""
_OFF_WIRE, _PICTURE = "off_wire", "picture"
"""Marks of channels that describe the feed and never were on the wire, and of those whose messages are pictures."""


class McapRecorder:
    """``with McapRecorder(path, store, metadata) as recorder: recorder.write(packet, log_time_ns)``.

    ``metadata`` (texts by name: scenario, seed, versions, the store document) is kept in the file's head; the
    calibrations of ``cameras`` are at its beginning, and ``files`` (by name) are attached once a picture was heard.
    """

    def __init__(
        self,
        path: Path,
        store: str,
        metadata: Mapping[str, str],
        cameras: Iterable[CameraModel] = (),
        files: Mapping[str, Path] | None = None,
    ) -> None:
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise FeedError(f"{path}: cannot be written ({error.strerror})") from error
        self._writer = new_writer(self._file)
        self._writer.add_metadata(PROFILE, {"store": store, **metadata})
        self._store, self._cameras, self._files = store, list(cameras), dict(files or {})
        self._schemas: dict[str, int] = {}
        self._channels: dict[tuple[str, str, int, bool, bool], int] = {}
        self._flushed_ns: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.close()

    def write(self, packet: Packet, log_time_ns: int) -> None:
        """Adds a packet heard at ``log_time_ns`` (UTC). User properties are kept for pictures; others have none."""
        if self._flushed_ns is None:
            self._flushed_ns = log_time_ns
            self._calibrate(log_time_ns)
        try:
            received, sound = decode(packet, as_sent=True), True
        except WireError:
            received, sound = None, False  # it was on the wire, so it is kept, but it promises nothing
        key = (packet.topic, packet.content_type, packet.qos, packet.retain, sound)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = self._register(packet, sound)
        t_ns, seq, data = log_time_ns, 0, packet.payload
        if received is not None:
            t_ns, seq = min(received.t_ns, _MAX_TIME_NS), received.message.seq & 0xFFFFFFFF
        if _is_picture(packet.topic):
            data = foxglove.encode_image(t_ns, received.device if received else "", data, packet.properties)
            self._attach(log_time_ns)
        self._writer.add_message(channel, log_time_ns, data, t_ns, seq)
        if not 0 <= log_time_ns - self._flushed_ns < _FLUSH_NS:
            self._writer.flush()  # type: ignore[no-untyped-call]
            self._flushed_ns = log_time_ns

    def close(self) -> None:
        """Completes the file. Safe to call twice."""
        if not self._file.closed:
            self._writer.finish()  # type: ignore[no-untyped-call]
            self._file.close()

    def _register(self, packet: Packet, sound: bool) -> int:
        """The channel of a topic; what cannot be read has no schema, so that all that has one is valid."""
        about = {"content_type": packet.content_type, "qos": str(packet.qos), "retain": str(int(packet.retain))}
        found = topics.find(packet.topic)
        encoding = "json" if packet.content_type == JSON else packet.content_type
        if _is_picture(packet.topic):
            encoding = "protobuf"
            about[_PICTURE] = "1"
        schema = self._schema(found[0].message) if sound and found is not None else 0
        return self._writer.register_channel(packet.topic, encoding if sound else "", schema, about)

    def _schema(self, message: type[messages.Message]) -> int:
        if message.__name__ not in self._schemas:
            if message is messages.Frame:
                schema = self._writer.register_schema(foxglove.IMAGE, "protobuf", foxglove.image_descriptor())
            else:
                body = msgspec.json.encode(json_schema(message))
                schema = self._writer.register_schema(f"smartstore.{message.__name__}", "jsonschema", body)
            self._schemas[message.__name__] = schema
        return self._schemas[message.__name__]

    def _calibrate(self, t_ns: int) -> None:
        """What is known of the cameras, beside their pictures, for viewers."""
        if not self._cameras:
            return
        descriptor = foxglove.calibration_descriptor()
        schema = self._writer.register_schema(foxglove.CALIBRATION, "protobuf", descriptor)
        for model in self._cameras:
            topic = topics.FRAME.topic(self._store, model.camera).replace("/frame", "/calibration")
            channel = self._writer.register_channel(topic, "protobuf", schema, {_OFF_WIRE: "1"})
            self._writer.add_message(channel, t_ns, foxglove.encode_calibration(t_ns, model), t_ns)

    def _attach(self, t_ns: int) -> None:
        """The files that only those need who look at pictures again."""
        for name, file in self._files.items():
            self._writer.add_attachment(0, t_ns, name, "application/octet-stream", file.read_bytes())
        self._files = {}


def new_writer(file: IO[bytes]) -> Writer:
    """A writer of recordings, begun: zstd chunks, checksums over everything."""
    writer = Writer(file, chunk_size=_CHUNK_BYTES, compression=CompressionType.ZSTD, enable_data_crcs=True)
    writer.start(PROFILE, "smartstore")
    return writer


def _is_picture(topic: str) -> bool:
    found = topics.find(topic)
    return found is not None and found[0] is topics.FRAME


def json_schema(message: type[messages.Message]) -> dict[str, Any]:
    """The JSON Schema of a message, its own object on top as Foxglove wants it."""
    schema = msgspec.json.schema(message)
    parts = schema.pop("$defs", {})
    if "$ref" in schema:
        schema = {**parts.pop(schema["$ref"].rsplit("/", 1)[-1])}
    return {**schema, "$defs": parts} if parts else schema


def read_feed(path: Path) -> Iterator[Packet]:
    """The packets of a recording in the order they were heard; what is damaged or cut off is left out with a warning.

    Raises:
        FeedError: there is no such file, or it is no recording.
    """
    return (packet for _, packet in read_timed_feed(path))


def read_timed_feed(path: Path) -> Iterator[tuple[int, Packet]]:
    """Like :func:`read_feed`, each packet with the nanoseconds (UTC) at which it was heard."""
    for record in recorded(path):
        if isinstance(record, Damage):
            log.warning("%s: byte %d: %s; left out", path, record.at, record.what)
        elif isinstance(record, Recorded) and not is_off_wire(record.channel):
            yield record.message.log_time, packet_of(record.channel, record.message.data, path)


def feed_metadata(path: Path) -> dict[str, str]:
    """What the recorder was told about the feed: ``store`` (its id) and the rest.

    Raises:
        FeedError: there is no such file, or it is no recording.
    """
    for record in records(path, messages=False):
        if isinstance(record, Metadata) and record.name == PROFILE:
            return dict(record.metadata)
    return {}


def is_off_wire(channel: McapChannel) -> bool:
    """Whether a channel describes the feed and never was on the wire."""
    return _OFF_WIRE in channel.metadata


def packet_of(channel: McapChannel, data: bytes, path: Path) -> Packet:
    """The packet that a recorded message was.

    Raises:
        FeedError: a picture or its channel cannot be read.
    """
    about = channel.metadata
    try:
        payload, properties = (
            foxglove.decode_image(data) if _PICTURE in about or channel.message_encoding == "protobuf" else (data, {})
        )
        qos = int(about.get("qos", "0"))
    except (ValueError, KeyError) as error:
        raise FeedError(f"{path}: a message of {channel.topic} cannot be read ({error})") from error
    return Packet(channel.topic, payload, about.get("content_type", JSON), properties, qos, about.get("retain") == "1")
