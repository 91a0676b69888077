"""``foxglove.CompressedImage``, the one protobuf message of a recording, written and read by hand.

Layout: https://github.com/foxglove/foxglove-sdk/blob/main/schemas/proto/foxglove/CompressedImage.proto (MIT) and the
protobuf encoding guide. What a picture's packet says beyond it travels in field 1000, which other readers skip.
"""

from collections.abc import Iterator, Mapping

NAME = "foxglove.CompressedImage"

_LENGTH_DELIMITED, _VARINT = 2, 0
_INT32, _INT64, _STRING, _MESSAGE, _BYTES = 5, 3, 9, 11, 12
_PROPERTY = 1000


def encode_image(t_ns: int, frame_id: str, jpeg: bytes, properties: Mapping[str, str]) -> bytes:
    """The message's bytes; ``t_ns`` is UTC nanoseconds, not negative."""
    stamp = _number(1, t_ns // 1_000_000_000) + _number(2, t_ns % 1_000_000_000)
    extra = [_block(_PROPERTY, _text(1, key) + _text(2, value)) for key, value in properties.items()]
    return b"".join([_block(1, stamp), _block(2, jpeg), _text(3, "jpeg"), _text(4, frame_id), *extra])


def decode_image(data: bytes) -> tuple[bytes, dict[str, str]]:
    """The picture and its packet's properties.

    Raises:
        ValueError: the bytes are not such a message.
    """
    jpeg, properties = b"", {}
    for number, value in _fields(data):
        if number == 2:
            jpeg = value
        elif number == _PROPERTY:
            pair = dict(_fields(value))
            properties[pair[1].decode()] = pair[2].decode()
    return jpeg, properties


def descriptor() -> bytes:
    """The FileDescriptorSet that makes the message readable to anybody."""
    stamp = _text(1, "google/protobuf/timestamp.proto") + _text(2, "google.protobuf")
    stamp += _block(4, _text(1, "Timestamp") + _field("seconds", 1, _INT64) + _field("nanos", 2, _INT32))
    image = _text(1, "foxglove/CompressedImage.proto") + _text(2, "foxglove")
    image += _text(3, "google/protobuf/timestamp.proto")
    image += _block(4, _text(1, "CompressedImage")
                    + _field("timestamp", 1, _MESSAGE, ".google.protobuf.Timestamp")
                    + _field("frame_id", 4, _STRING)
                    + _field("data", 2, _BYTES)
                    + _field("format", 3, _STRING))  # fmt: skip
    return _block(1, stamp + _text(12, "proto3")) + _block(1, image + _text(12, "proto3"))


def _field(name: str, number: int, kind: int, type_name: str = "") -> bytes:
    """A FieldDescriptorProto as a field of its message; label 1 is "optional"."""
    body = _text(1, name) + _number(3, number) + _number(4, 1) + _number(5, kind)
    return _block(2, body + (_text(6, type_name) if type_name else b""))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(value)


def _block(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | _LENGTH_DELIMITED) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _block(field, value.encode())


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a message; numbers are skipped."""
    position = 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        size, position = _read_varint(data, position)
        if tag & 7 == _VARINT:
            continue
        if tag & 7 != _LENGTH_DELIMITED or position + size > len(data):
            raise ValueError(f"not a {NAME}")
        yield tag >> 3, data[position : position + size]
        position += size


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError(f"not a {NAME}")
