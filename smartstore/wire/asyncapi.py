"""Documents derived from the channel table: the AsyncAPI 3 description of the wire and the table for people.

In: :data:`smartstore.wire.topics.CHANNELS` and the message types. Out: plain data, ready for JSON; Markdown text.
"""

import re
from typing import Any

import msgspec

from smartstore.wire.codec import JPEG, JSON
from smartstore.wire.messages import Frame
from smartstore.wire.topics import CHANNELS, ROOT, Channel

Document = dict[str, Any]
_SCHEMA_REF = "#/components/schemas/{name}"


def asyncapi_document(version: str = "1") -> Document:
    """The wire as an AsyncAPI 3.0 document, seen from the pipeline: it receives from devices and sends the rest."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "smartstore wire",
            "version": version,
            "description": "What cameras, scales and gates of a store say, and what its software makes of it. "
            "Messages carry schema (version), seq (per device and channel) and t_ns (device clock, UTC nanoseconds). "
            "Unknown fields and topics are tolerated.",
            "license": {"name": "AGPL-3.0-or-later", "url": "https://www.gnu.org/licenses/agpl-3.0.html"},
        },
        "defaultContentType": JSON,
        "servers": {"broker": {"host": "127.0.0.1:1883", "protocol": "mqtt", "protocolVersion": "5"}},
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": {_operation_name(channel): _operation(channel) for channel in CHANNELS},
        "components": {
            "messages": {channel.name: _message(channel) for channel in CHANNELS},
            "schemas": _schemas(),
        },
    }


def channel_rows() -> list[tuple[str, ...]]:
    """The table of channels, a heading first: topic below the store, message, QoS, kept, rate, what it is."""
    head = ("topic", "message", "QoS", "retained", "slow readers get", "rate", "what")
    rows = [
        (
            channel.pattern,
            channel.message.__name__,
            str(channel.qos),
            "yes" if channel.retained else "no",
            channel.keep,
            channel.rate,
            channel.about,
        )
        for channel in CHANNELS
    ]
    return [head, *rows]


def channels_markdown() -> str:
    """The table of channels in Markdown, as in the README; topics are below ``smartstore/v1/{store}/``."""
    head, *rows = channel_rows()
    lines = [head, tuple("---" for _ in head), *((f"`{row[0]}`", *row[1:]) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _channel(channel: Channel) -> Document:
    parameters = re.findall(r"\{(\w+)\}", channel.pattern)
    return {
        "address": f"{ROOT}/{{store}}/{channel.pattern}",
        "description": channel.about,
        "messages": {channel.name: {"$ref": f"#/components/messages/{channel.name}"}},
        "parameters": {
            "store": {"description": "The store's id"},
            **{name: {"description": f"The {name}'s id"} for name in parameters},
        },
        "x-keep": channel.keep,
        "x-rate": channel.rate,
    }


def _operation_name(channel: Channel) -> str:
    return f"{'send' if channel.sender == 'service' else 'receive'}-{channel.name}"


def _operation(channel: Channel) -> Document:
    return {
        "action": "send" if channel.sender == "service" else "receive",
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": channel.about,
        "messages": [{"$ref": f"#/channels/{channel.name}/messages/{channel.name}"}],
        "bindings": {"mqtt": {"qos": channel.qos, "retain": channel.retained, "bindingVersion": "0.2.0"}},
    }


def _message(channel: Channel) -> Document:
    name = channel.message.__name__
    if channel.message is Frame:
        return {
            "name": name,
            "contentType": JPEG,
            "headers": {"$ref": _SCHEMA_REF.format(name="FrameProperties")},
            "payload": {"type": "string", "format": "binary", "description": "The JPEG itself"},
        }
    return {"name": name, "contentType": JSON, "payload": {"$ref": _SCHEMA_REF.format(name=name)}}


def _schemas() -> dict[str, Document]:
    """The JSON Schemas of all messages; a frame's fields but the picture are user properties."""
    messages = [channel.message for channel in CHANNELS if channel.message is not Frame]
    _, schemas = msgspec.json.schema_components(messages, ref_template=_SCHEMA_REF)
    _, frame = msgspec.json.schema_components([Frame])
    properties = {name: field for name, field in frame["Frame"]["properties"].items() if name != "jpeg"}
    schemas["FrameProperties"] = {
        "title": "FrameProperties",
        "description": "MQTT 5 user properties of a frame; numbers are written as decimal text.",
        "type": "object",
        "properties": properties,
        "required": ["seq", "t_ns", "width", "height"],
    }
    return dict(sorted(schemas.items()))
