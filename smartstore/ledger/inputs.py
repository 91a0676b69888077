"""What was heard, on disk before anything follows from it, and the last state of the pipeline.

In: packets and marks, in the order in which the pipeline gets them; now and then its state. Out: after a crash, the
newest whole state and everything that was heard after it. A file per state: when a new one is safely there, the old one
and its packets go. What a crash cuts off is at most the last, half-written record.

A record is its length and CRC-32 (little endian, 4 bytes each) and a MessagePack body: a packet, or a mark.
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal, Self

import msgspec

from smartstore.ledger.journal import JournalError
from smartstore.wire.codec import Packet

Mark = Literal["hold", "release", "finish"]
"""Where the pipeline began to collect without deciding, where it went on, and where the feed ended."""
Entry = Packet | Mark

_HEAD = struct.Struct("<II")
_MOST_BYTES = 64 * 1024 * 1024
_Body = tuple[str, bytes, str, dict[str, str], int, bool] | str


class InputLog:
    """The folder of one service; used as ``with InputLog(folder, program) as log: log.recover(); log.write(...)``.

    ``program`` names whoever can read the states: another program's are left alone and its packets are read without.
    """

    def __init__(self, folder: Path, program: str) -> None:
        self._folder, self._program = folder, program.encode()
        self._number = 0
        self._file: IO[bytes] | None = None
        self._lock: IO[bytes] | None = None
        self._encoder, self._decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(_Body)

    def __enter__(self) -> Self:
        """Raises JournalError: the folder cannot be written, or another service uses it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (self._folder / "lock").open("wb")
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise JournalError(
                f"{self._folder}: another service works here; give one of them another --state"
            ) from error
        self._number = max(self._numbers("state"), default=0)
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._file, self._lock):
            if file is not None:
                file.close()
        self._file = self._lock = None

    def recover(self) -> tuple[bytes | None, list[Entry]]:
        """The last state (None: there is none, or another program's) and what came after it, oldest first.

        Afterwards the log takes new records. Raises JournalError: a file cannot be read.
        """
        try:
            state = self._read_state()
            entries = list(self._read_entries())
            self._file = self._inputs(self._number).open("ab", buffering=0)
        except OSError as error:
            raise self._unusable(error) from error
        return state, entries

    def write(self, entry: Entry) -> None:
        """Adds a packet or a mark; when this returns, the end of the process cannot undo it.

        Raises:
            JournalError: the disk is full, for example.
        """
        data = self._encoder.encode(_body(entry))
        record = _HEAD.pack(len(data), zlib.crc32(data)) + data
        file = self._opened()
        try:
            if file.write(record) != len(record):
                raise OSError(0, "no space left on device")
        except OSError as error:
            raise self._unusable(error) from error

    def keep(self, state: bytes) -> None:
        """Makes ``state`` the one to go on from; what was heard before it is not needed any more.

        Raises:
            JournalError: it cannot be written; the former state then still stands.
        """
        number = self._number + 1
        path, partial = self._state(number), self._folder / "state.partial"
        try:
            fresh = self._inputs(number).open("wb", buffering=0)
            with partial.open("wb") as file:
                file.write(_HEAD.pack(len(state), zlib.crc32(state)) + self._program + b"\n" + state)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
            self._opened().close()
            self._file, former, self._number = fresh, self._number, number
            for old in (self._state(former), self._inputs(former)):
                old.unlink(missing_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            raise JournalError(f"{self._folder}: recover first")
        return self._file

    def _read_state(self) -> bytes | None:
        try:
            data = self._state(self._number).read_bytes()
        except FileNotFoundError:
            return None
        if len(data) < _HEAD.size:
            return None
        size, check = _HEAD.unpack_from(data)
        program, _, state = data[_HEAD.size :].partition(b"\n")
        if program != self._program or len(state) != size or zlib.crc32(state) != check:
            return None
        return state

    def _read_entries(self) -> Iterator[Entry]:
        """The whole records of the log; a torn end is cut off, so that what is added later can be read."""
        path, at = self._inputs(self._number), 0
        data = path.read_bytes() if path.exists() else b""
        while at + _HEAD.size <= len(data):
            size, check = _HEAD.unpack_from(data, at)
            body = data[at + _HEAD.size : at + _HEAD.size + size]
            if len(body) != size or size > _MOST_BYTES or zlib.crc32(body) != check:
                break
            at += _HEAD.size + size
            yield self._entry(body)
        if at < len(data):
            os.truncate(path, at)

    def _entry(self, body: bytes) -> Entry:
        found = self._decoder.decode(body)
        return Packet(*found) if isinstance(found, tuple) else msgspec.convert(found, Mark)

    def _state(self, number: int) -> Path:
        return self._folder / f"state-{number}"

    def _inputs(self, number: int) -> Path:
        return self._folder / f"inputs-{number}"

    def _numbers(self, kind: str) -> list[int]:
        names = (path.name.removeprefix(f"{kind}-") for path in self._folder.glob(f"{kind}-*"))
        return [int(name) for name in names if name.isdecimal()]

    def _unusable(self, error: OSError) -> JournalError:
        where = error.filename or self._folder
        return JournalError(f"{where}: {(error.strerror or 'cannot be used').lower()}; what is heard cannot be kept")


def _body(entry: Entry) -> _Body:
    if isinstance(entry, str):
        return entry
    return (entry.topic, entry.payload, entry.content_type, dict(entry.properties), entry.qos, entry.retain)
