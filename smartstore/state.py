"""The state of a running store as bytes, and back, so that a service that was killed goes on where it was.

In: an object with everything that it holds. Out: bytes, and from these an equal object in the same or another process.
What follows from the store document alone (cameras' ray tables, the document itself, networks) is named as ``fixed``
and not written; whoever takes the state up again brings its own.

The bytes are Python pickles: they belong into a folder that only the service can write, and are read by the very
program that wrote them (see :func:`fingerprint`), never from the network.
"""

import hashlib
import io
import pickle
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from smartstore.wire import messages, topics


class StateError(Exception):
    """A state that cannot be taken up: it is damaged, or of another program."""


def freeze(thing: object, fixed: Mapping[str, object]) -> bytes:
    """The bytes of ``thing``; objects of ``fixed`` are only named in them."""
    buffer = io.BytesIO()
    _Pickler(buffer, fixed).dump(thing)
    return buffer.getvalue()


def thaw(data: bytes, fixed: Mapping[str, object]) -> Any:
    """The object that was frozen, with ``fixed`` in the place of those that were only named.

    Raises:
        StateError: the bytes are damaged or were not written by this program.
    """
    try:
        return _Unpickler(io.BytesIO(data), fixed).load()
    except Exception as error:  # noqa: BLE001 - damaged pickles raise nearly anything
        raise StateError(f"the kept state cannot be read ({type(error).__name__}: {error})") from error


def fingerprint(*parts: str) -> str:
    """A digest of the program (its sources, Python, NumPy) and of ``parts``: states are read by their equals only."""
    digest = hashlib.sha256(f"{platform.python_version()} {np.__version__}".encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    for part in parts:
        digest.update(b"\0" + part.encode())
    return digest.hexdigest()


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, fixed: Mapping[str, object]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._names = {id(thing): name for name, thing in fixed.items()}

    def persistent_id(self, obj: object) -> str | None:
        return self._names.get(id(obj))

    def reducer_override(self, obj: object) -> Any:
        """Messages are of closed copies of their types, which have no address; channels are compared by identity."""
        if isinstance(obj, messages.Message):
            name = type(obj).__name__
            return _message, (name, msgspec.msgpack.encode(obj))
        if isinstance(obj, topics.Channel):
            return _channel, (obj.name,)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, fixed: Mapping[str, object]) -> None:
        super().__init__(file)
        self._fixed = fixed

    def persistent_load(self, pid: Any) -> object:
        return self._fixed[pid]


def _message(name: str, body: bytes) -> messages.Message:
    found: messages.Message = msgspec.msgpack.decode(body, type=getattr(messages, name))
    return found


def _channel(name: str) -> topics.Channel:
    return next(channel for channel in topics.CHANNELS if channel.name == name)
