"""Messages to packets and back. A packet is what a bus carries: topic, bytes, properties."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from smartstore.wire import topics
from smartstore.wire.heard import HeardBatch, HeardPeople
from smartstore.wire.messages import Frame, Message, People, ScaleBatch
from smartstore.wire.topics import Channel

JSON, JPEG = "application/json", "image/jpeg"
_HEARD: Mapping[type[Message], type[Message]] = {People: HeardPeople, ScaleBatch: HeardBatch}
"""What arrives as another type than it was sent as: the same fields, easier to work with."""


class WireError(ValueError):
    """A packet that cannot be read. ``device`` is its topic; the text says what is wrong with it."""

    def __init__(self, device: str, problem: str) -> None:
        super().__init__(f"{device}: {problem}")
        self.device = device


@dataclass(frozen=True, slots=True)
class Packet:
    """What a bus carries. ``properties`` are MQTT 5 user properties."""

    topic: str
    payload: bytes
    content_type: str = JSON
    properties: Mapping[str, str] = field(default_factory=dict)
    qos: int = 0
    retain: bool = False


class Received(Struct, frozen=True):
    """A message with what its topic said. ``unknown_fields`` counts top-level fields nobody here knows."""

    channel: Channel
    store: str
    device: str
    message: Any
    unknown_fields: int = 0

    @property
    def t_ns(self) -> int:
        return int(self.message.t_ns)

    @property
    def key(self) -> tuple[int, str, str, int]:
        """The order of messages in event time, the same for everybody."""
        return (self.message.t_ns, self.channel.name, self.device, self.message.seq)


def encode(channel: Channel, store: str, device: str, message: Message) -> Packet:
    """A message as a packet of its channel."""
    topic = channel.topic(store, device)
    if isinstance(message, Frame):
        head = {name: str(getattr(message, name)) for name in ("schema", "seq", "t_ns", "width", "height")}
        return Packet(topic, message.jpeg, JPEG, head, channel.qos, channel.retained)
    return Packet(topic, msgspec.json.encode(message), JSON, {}, channel.qos, channel.retained)


def decode(packet: Packet, as_sent: bool = False) -> Received | None:
    """The message in a packet; None for a topic that is not ours. ``as_sent``: of the type that was sent also where the
    one that arrives is easier to work with, which takes compiled loops.

    Raises:
        WireError: the payload is not what the topic promises.
    """
    found = topics.find(packet.topic)
    if found is None:
        return None
    channel, store, device = found
    try:
        if channel.message is Frame:
            return Received(channel, store, device, _frame(packet))
        return Received(channel, store, device, *_json(channel.message, packet.payload, as_sent))
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise WireError(packet.topic, str(error)) from error


def _frame(packet: Packet) -> Frame:
    if not packet.payload.startswith(b"\xff\xd8"):
        raise ValueError("payload is not a JPEG")
    head = msgspec.convert({**packet.properties, "jpeg": b""}, Frame, strict=False)
    return msgspec.structs.replace(head, jpeg=packet.payload)


def _json(message: type[Message], payload: bytes, as_sent: bool) -> tuple[Message, int]:
    heard = message if as_sent else _HEARD.get(message, message)
    try:
        return _strict(heard).decode(payload), 0
    except msgspec.ValidationError:
        known = _tolerant(message).decode(payload)
        if heard is not message:
            known = _tolerant(heard).decode(payload)
        fields = {f.encode_name for f in msgspec.structs.fields(message)}
        return known, len(set(msgspec.json.decode(payload)) - fields)


@cache
def _tolerant(message: type[Message]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(message)


@cache
def _strict(message: type[Message]) -> msgspec.json.Decoder[Any]:
    """Refuses unknown top-level fields: the quick way to learn that there are none."""
    closed = msgspec.defstruct(message.__name__, [], bases=(message,), frozen=True, kw_only=True,
                               forbid_unknown_fields=True)  # fmt: skip
    return msgspec.json.Decoder(closed)
