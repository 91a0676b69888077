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
from smartstore.wire.heard import HeardBatch, HeardPeople


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

    def reducer_override(self, obj: object) -> Any:
        """Messages are of closed copies of their types, which have no address; channels are compared by identity."""
        name = self._names.get(id(obj))
        if name is not None:
            return _fixed, (name,)
        if isinstance(obj, HeardPeople | HeardBatch):
            kind = HeardPeople if isinstance(obj, HeardPeople) else HeardBatch
            return _heard, (kind, msgspec.json.encode(obj))
        if isinstance(obj, messages.Message):
            return _message, (type(obj).__name__, msgspec.msgpack.encode(obj))
        if isinstance(obj, topics.Channel):
            return _channel, (obj.name,)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, fixed: Mapping[str, object]) -> None:
        super().__init__(file)
        self._fixed = fixed

    def find_class(self, module: str, name: str) -> Any:
        return self._fixed.__getitem__ if (module, name) == (__name__, "_fixed") else super().find_class(module, name)


def _fixed(name: str) -> object:
    """Stands in a state for an object that is not written; whoever reads the state puts its own in."""
    raise StateError(f"{name} has to be brought along")


def _message(name: str, body: bytes) -> messages.Message:
    found: messages.Message = msgspec.msgpack.decode(body, type=getattr(messages, name))
    return found


def _heard(kind: type[messages.Message], body: bytes) -> messages.Message:
    return msgspec.json.decode(body, type=kind)


def _channel(name: str) -> topics.Channel:
    return next(channel for channel in topics.CHANNELS if channel.name == name)
