"""``foxglove.CompressedImage`` and ``foxglove.CameraCalibration``, the protobuf messages of a recording, by hand.

Layouts: https://github.com/foxglove/foxglove-sdk/tree/main/schemas/proto/foxglove (MIT) and the protobuf encoding
guide. What a picture's packet says beyond its message travels in field 1000, which other readers skip.
"""

import struct
from collections.abc import Iterator, Mapping

from smartstore.domain.geometry import CameraModel

IMAGE, CALIBRATION = "foxglove.CompressedImage", "foxglove.CameraCalibration"

_LENGTH_DELIMITED, _VARINT = 2, 0
_FIXED32_WIRE = 5
_DOUBLE, _INT32, _INT64, _FIXED32, _STRING, _MESSAGE, _BYTES = 1, 5, 3, 7, 9, 11, 12
_OPTIONAL, _REPEATED = 1, 3
_PROPERTY = 1000


def encode_image(t_ns: int, frame_id: str, jpeg: bytes, properties: Mapping[str, str]) -> bytes:
    """The message's bytes; ``t_ns`` is UTC nanoseconds, not negative."""
    extra = [_block(_PROPERTY, _text(1, key) + _text(2, value)) for key, value in properties.items()]
    return b"".join([_block(1, _stamp(t_ns)), _block(2, jpeg), _text(3, "jpeg"), _text(4, frame_id), *extra])


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


def encode_calibration(t_ns: int, model: CameraModel) -> bytes:
    """A camera's intrinsics as the message's bytes: K and distortion in OpenCV's order, no rectification."""
    k = [float(value) for value in model.k.ravel()]
    projection = [*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0]
    return b"".join([
        _block(1, _stamp(t_ns)), _fixed32(2, model.width_px), _fixed32(3, model.height_px), _text(4, "plumb_bob"),
        _doubles(5, [float(value) for value in model.distortion]), _doubles(6, k),
        _doubles(7, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]), _doubles(8, projection), _text(9, model.camera),
    ])  # fmt: skip


def image_descriptor() -> bytes:
    """The FileDescriptorSet that makes pictures readable to anybody."""
    fields = (
        _field("timestamp", 1, _MESSAGE, type_name=_TIMESTAMP), _field("frame_id", 4, _STRING),
        _field("data", 2, _BYTES), _field("format", 3, _STRING),
    )  # fmt: skip
    return _file_set("CompressedImage", fields)


def calibration_descriptor() -> bytes:
    """The FileDescriptorSet that makes calibrations readable to anybody."""
    fields = (
        _field("timestamp", 1, _MESSAGE, type_name=_TIMESTAMP), _field("frame_id", 9, _STRING),
        _field("width", 2, _FIXED32), _field("height", 3, _FIXED32), _field("distortion_model", 4, _STRING),
        *(_field(name, number, _DOUBLE, _REPEATED) for name, number in (("D", 5), ("K", 6), ("R", 7), ("P", 8))),
    )  # fmt: skip
    return _file_set("CameraCalibration", fields)


_TIMESTAMP = ".google.protobuf.Timestamp"


def _file_set(name: str, fields: tuple[bytes, ...]) -> bytes:
    stamp = _text(1, "google/protobuf/timestamp.proto") + _text(2, "google.protobuf")
    stamp += _block(4, _text(1, "Timestamp") + _field("seconds", 1, _INT64) + _field("nanos", 2, _INT32))
    message = _text(1, f"foxglove/{name}.proto") + _text(2, "foxglove") + _text(3, "google/protobuf/timestamp.proto")
    message += _block(4, _text(1, name) + b"".join(fields))
    return _block(1, stamp + _text(12, "proto3")) + _block(1, message + _text(12, "proto3"))


def _field(name: str, number: int, kind: int, label: int = _OPTIONAL, type_name: str = "") -> bytes:
    """A FieldDescriptorProto as a field of its message."""
    body = _text(1, name) + _number(3, number) + _number(4, label) + _number(5, kind)
    return _block(2, body + (_text(6, type_name) if type_name else b""))


def _stamp(t_ns: int) -> bytes:
    return _number(1, t_ns // 1_000_000_000) + _number(2, t_ns % 1_000_000_000)


def _fixed32(field: int, value: int) -> bytes:
    return _varint(field << 3 | _FIXED32_WIRE) + struct.pack("<I", value)


def _doubles(field: int, values: list[float]) -> bytes:
    return _block(field, struct.pack(f"<{len(values)}d", *values))


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
            raise ValueError(f"not a {IMAGE}")
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
    raise ValueError(f"not a {IMAGE}")
