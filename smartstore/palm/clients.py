"""Who may ask the palm service: gates that identify, desks that enrol, each with a key of its own.

In: names and keys. Out: clients. A key is ``name.secret``, 256 random bits, shown once; only its hash is kept.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable

from smartstore.palm.facts import Client, Role
from smartstore.palm.store import PalmStore
from smartstore.palm.templates import PalmError
from smartstore.palm.trail import Trail

_NOBODY = hashlib.sha256(b"nobody").digest()
NAME = "abcdefghijklmnopqrstuvwxyz0123456789-"


class Clients:
    """The clients in a database."""

    def __init__(self, store: PalmStore, trail: Trail, entropy: Callable[[int], bytes]) -> None:
        self._store, self._trail, self._entropy = store, trail, entropy

    def add(self, name: str, role: Role, audience: str, now_ns: int, by: str) -> str:
        """A new client's key, which cannot be shown again; an old client of this name loses its key.

        Raises:
            PalmError: the name cannot be one, or not that of a store.
        """
        if not 0 < len(audience) <= 40 or set(audience) - set(NAME):
            raise PalmError(f"{audience!r} cannot be a store's name: small letters, digits and -, at most 40")
        if not 0 < len(name) <= 64 or set(name) - set(NAME):
            raise PalmError(f"{name!r} cannot be a client's name: small letters, digits and -, at most 64")
        secret = base64.urlsafe_b64encode(self._entropy(32)).rstrip(b"=").decode()
        with self._store.transaction() as books:
            books.put(Client(name, role, audience, _hash(secret)))
            self._trail.note(books, now_ns, by, "add client", name)
        return f"{name}.{secret}"

    def remove(self, name: str, now_ns: int, by: str) -> bool:
        """Takes a client's key away; False when there is no such client."""
        with self._store.transaction() as books:
            found = books.forget_client(name)
            if found:
                self._trail.note(books, now_ns, by, "remove client", name)
        return found

    def all(self) -> list[Client]:
        with self._store.transaction() as books:
            return books.clients()

    def find(self, key: str) -> Client | None:
        """Whose key this is; takes as long for a wrong secret as for a right one."""
        name, _, secret = key.partition(".")
        with self._store.transaction() as books:
            client = books.client(name)
        right = hmac.compare_digest(_hash(secret), client.key_hash if client else _NOBODY)
        return client if right else None


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
