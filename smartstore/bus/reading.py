"""What a recording holds, record by record, whole or damaged.

In: an MCAP file, perhaps cut off by a crash or with flipped bits. Out: its records in the order of the file, those
inside of chunks one by one, and a :class:`Damage` wherever something cannot be trusted: chunks and the whole data
section carry checksums. After a damage reading goes on with the next whole chunk.
"""

import logging
import mmap
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Attachment, Chunk, DataEnd, Footer, Header, Message, Metadata, Schema
from mcap.records import Channel as McapChannel
from mcap.stream_reader import get_chunk_data_stream
from zstandard import ZstdError

from smartstore.bus.base import BusError

log = logging.getLogger(__name__)

MAGIC = b"\x89MCAP0\r\n"
_HEAD = struct.Struct("<BQ")
_CHUNK_HEAD = struct.Struct("<QQQII4sQ")
"""First and last time, size, checksum, and the compression "zstd" with its length; the size of the compressed data."""
_ZSTD = struct.pack("<I4s", 4, b"zstd")
_MESSAGE = struct.Struct("<HIQQ")
"""Channel, sequence, log time and publish time; what was said follows."""
_BEFORE_ZSTD = _HEAD.size + 8 + 8 + 8 + 4
_READ: dict[int, Any] = {
    Opcode.HEADER: Header, Opcode.SCHEMA: Schema, Opcode.CHANNEL: McapChannel, Opcode.METADATA: Metadata,
    Opcode.ATTACHMENT: Attachment, Opcode.DATA_END: DataEnd, Opcode.FOOTER: Footer,
}  # fmt: skip
_BROKEN = (McapError, ZstdError, struct.error, zlib.error, ValueError, EOFError, OverflowError, MemoryError)


class FeedError(BusError):
    """A recording that cannot be used as it is; one line that names the file."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Something at byte ``at`` that cannot be trusted; ``what`` says so in words."""

    at: int
    what: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A message of a recording with its channel and, unless it has none, its schema."""

    schema: Schema | None
    channel: McapChannel
    message: Message


def records(path: Path, messages: bool = True) -> Iterator[Any]:
    """Every record of the file, and a :class:`Damage` in place of each part that is not whole.

    Without ``messages`` chunks are passed over unread, which is quick: channels are in the summary as well.

    Raises:
        FeedError: there is no such file, or nothing in it says that it ever was a recording.
    """
    with _opened(path) as data:
        if data[: len(MAGIC)] != MAGIC:
            if _next_chunk(data, 0) is None:
                raise FeedError(f"{path}: is not an MCAP recording{'' if len(data) else ' (it is empty)'}")
            yield Damage(0, "the first bytes are damaged")
        elif len(data) < len(MAGIC) + _HEAD.size:
            raise FeedError(f"{path}: is not an MCAP recording (it ends after its first bytes)")
        yield from _walk(data, messages)


def recorded(path: Path) -> Iterator[Recorded | Metadata | Attachment | Damage]:
    """The messages of a recording with what describes them, its metadata and attachments, and what is damaged.

    Channels whose own definition was lost are known from the summary at the end of the file.

    Raises:
        FeedError: as :func:`records`.
    """
    schemas: dict[int, Schema] = {}
    channels: dict[int, McapChannel] = {}
    lost = False
    for record in records(path):
        if isinstance(record, Message):
            channel = channels.get(record.channel_id)
            if channel is None:
                yield Damage(0, f"a message of channel {record.channel_id}, whose definition is lost")
            else:
                yield Recorded(schemas.get(channel.schema_id), channel, record)
        elif isinstance(record, Schema):
            schemas[record.id] = record
        elif isinstance(record, McapChannel):
            channels[record.id] = record
        elif isinstance(record, Metadata | Attachment):
            yield record
        elif isinstance(record, Damage):
            if not lost:
                lost = True
                for other in records(path):
                    if isinstance(other, Schema | McapChannel):
                        (schemas if isinstance(other, Schema) else channels).setdefault(other.id, other)  # type: ignore[arg-type]
            yield record


def damages(path: Path) -> list[Damage]:
    """What of a recording is not whole.

    Raises:
        FeedError: as :func:`records`.
    """
    return [record for record in recorded(path) if isinstance(record, Damage)]


def check_whole(path: Path) -> None:
    """Raises :class:`FeedError` with one line for a recording that is damaged, cut off, or none."""
    found = damages(path)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise FeedError(
            f"{path}: byte {found[0].at}: {found[0].what}{more}; "
            f"`smartstore feed check {path} --repair OUT` keeps what is whole"
        )


@contextmanager
def _opened(path: Path) -> Iterator["mmap.mmap | bytes"]:
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                yield b""
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield data
    except OSError as error:
        raise FeedError(f"{path}: cannot be read ({error.strerror})") from error


def _walk(data: "mmap.mmap | bytes", messages: bool) -> Iterator[Any]:
    position, seen_end, checked = len(MAGIC), False, len(MAGIC)
    crc = zlib.crc32(data[: len(MAGIC)])
    while position < len(data):
        opcode, length = _HEAD.unpack_from(data, position) if position + _HEAD.size <= len(data) else (0, 0)
        end = position + _HEAD.size + length
        if not (Opcode.HEADER <= opcode <= Opcode.DATA_END) or end > len(data):
            following = _next_chunk(data, position)
            yield Damage(position, "breaks off" if following is None else "a record is damaged")
            if following is None:
                return
            position = following
            continue
        if opcode == Opcode.CHUNK and messages:
            found, end = _chunk(data, position, end)
            yield from found
        elif opcode in _READ:
            record = _record(data, position, end)
            if isinstance(record, DataEnd) and record.data_section_crc:
                crc = zlib.crc32(data[checked:position], crc)
                if crc != record.data_section_crc:
                    yield Damage(position, "what comes before does not match its checksum")
            yield record
            if isinstance(record, Footer):
                seen_end = True
                yield from _tail(data, record, position, end)
                break
        position = end
    if not seen_end:
        yield Damage(len(data), "breaks off")


def _record(data: "mmap.mmap | bytes", start: int, end: int) -> Any:
    stream = BytesIO(data[start + _HEAD.size : end])
    try:
        return _READ[data[start]].read(ReadDataStream(stream))
    except _BROKEN:
        return Damage(start, "a record is damaged")


def _chunk(data: "mmap.mmap | bytes", start: int, end: int) -> tuple[list[Any], int]:
    """The records of a chunk, or a damage; and where the next record begins."""
    try:
        chunk = Chunk.read(ReadDataStream(BytesIO(data[start + _HEAD.size : end])))
        inside = _inside(chunk)
    except _BROKEN:
        return [Damage(start, "a chunk is damaged")], end
    own_end = start + _HEAD.size + 40 + len(chunk.compression) + len(chunk.data)
    if own_end != end:  # its contents are whole, its length is not
        return [*inside, Damage(start, "the length of a chunk is damaged")], own_end
    return inside, end


def _inside(chunk: Chunk) -> list[Any]:
    """The records of a chunk, whose checksum is right; messages, which nearly all are, are read in one go."""
    stream, size = get_chunk_data_stream(chunk, validate_crc=True)
    data, end, found = stream.read(size), 0, list[Any]()
    while end < size:
        opcode, length = _HEAD.unpack_from(data, end)
        start = end + _HEAD.size
        end = start + length
        if end > size:
            raise EOFError
        if opcode == Opcode.MESSAGE:
            channel, sequence, log_ns, publish_ns = _MESSAGE.unpack_from(data, start)
            found.append(Message(channel, log_ns, data[start + _MESSAGE.size : end], publish_ns, sequence))
        elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
            found.append(_READ[opcode].read(ReadDataStream(BytesIO(data[start:end]))))
    return found


def _tail(data: "mmap.mmap | bytes", footer: Footer, start: int, end: int) -> Iterator[Damage]:
    """The summary's checksum covers all from its start to the footer's own checksum."""
    if footer.summary_crc and zlib.crc32(data[footer.summary_start : end - 4]) != footer.summary_crc:
        yield Damage(start, "the summary does not match its checksum")
    if data[end : end + len(MAGIC)] != MAGIC or end + len(MAGIC) != len(data):
        yield Damage(end, "the last bytes are damaged")


def _next_chunk(data: "mmap.mmap | bytes", position: int) -> int | None:
    """Where the next whole chunk after ``position`` begins."""
    at = data.find(_ZSTD, position)
    while at >= 0:
        start = at - _BEFORE_ZSTD
        if start > position and data[start] == Opcode.CHUNK:
            end = start + _HEAD.size + _HEAD.unpack_from(data, start)[1]
            if end <= len(data) and not isinstance(_chunk(data, start, end)[0][0], Damage):
                return start
        at = data.find(_ZSTD, at + 1)
    return None
