"""Protected palm templates: a keyed, salted, renewable transform of a palm's vector.

In: the vector that a palm scanner measures. Out: bits that can be compared with each other and with nothing else. Each
bit is the sign of a random projection of the vector whose directions come from the service's secret and the tenant's
salt; the angle between two vectors shows in the share of bits that differ. Sources: Charikar 2002, "Similarity
estimation techniques from rounding algorithms"; as protection of biometric templates, Jin, Ling and Goh 2004,
"BioHashing"; Teoh, Goh and Ngo 2006, "Random multispace quantization". The raw vector is neither kept nor logged.

What an attacker can do, in the words of ISO/IEC 24745:

- With the database alone: nothing. Templates are sealed (:mod:`smartstore.palm.vault`); without sealing they would tell
  who resembles whom, and whoever knew the palms of some 128 enrolled people could work out the directions.
- With database and secret: see the templates, and rebuild from each the direction of the vector so well that it matches
  (Nagar, Nandakumar and Jain 2010, "Biometric template transformation: a security analysis"; the tests do it). The
  transform is not one-way for whoever has the key. Such a vector has yet to become a hand that a scanner takes for
  alive. So keys and database belong on different disks, in different backups.
- After a renewal: templates of another salt have nothing in common with the old ones (unlinkable, renewable), but a
  vector that was rebuilt from an old template still matches the person's new one. Renewal helps where a database has
  leaked; where the secret has leaked too, the palm itself has, and only liveness is left.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Bits = NDArray[np.uint64]

BITS = 1024
KEY_BYTES = 32


class PalmError(Exception):
    """A palm that cannot be used; the text never holds what was measured."""


@dataclass(frozen=True, slots=True)
class TemplateKey:
    """The secret of the palm service and the salt of one tenant; both stay out of texts."""

    secret: bytes
    salt: bytes

    def __post_init__(self) -> None:
        if len(self.secret) < KEY_BYTES or not self.salt:
            raise PalmError(f"a template key needs a secret of at least {KEY_BYTES} bytes and a salt")

    def __repr__(self) -> str:
        return "TemplateKey(...)"


class TemplateMaker:
    """Turns palm vectors of ``dimension`` numbers into templates of :data:`BITS` bits."""

    def __init__(self, key: TemplateKey, dimension: int) -> None:
        stream = hashlib.shake_256(b"palm-template-v1" + key.secret + len(key.salt).to_bytes(4, "big") + key.salt)
        bits = np.unpackbits(np.frombuffer(stream.digest(BITS * dimension // 8), np.uint8))
        self._directions = (bits.reshape(BITS, dimension).astype(np.float32) * 2 - 1).T
        self._dimension = dimension

    def template(self, vector: ArrayLike) -> Bits:
        """The template of a palm, shape (BITS / 64,).

        Raises:
            PalmError: the vector has the wrong size, or is not made of ordinary numbers.
        """
        with np.errstate(over="ignore"):  # what float32 cannot hold is no ordinary number
            palm = np.asarray(vector, np.float32).ravel()
        if palm.shape != (self._dimension,) or not np.isfinite(palm).all() or not palm.any():
            raise PalmError(f"a palm is {self._dimension} ordinary numbers, not all zero")
        template: Bits = self.templates(palm[np.newaxis])[0]
        return template

    def templates(self, palms: NDArray[np.float32]) -> Bits:
        """Templates of palms that are in order, shapes (n, dimension) -> (n, BITS / 64)."""
        packed: Any = np.packbits(palms @ self._directions > 0, axis=1)
        templates: Bits = packed.view(np.uint64)
        return templates


def distance(one: Bits, other: Bits) -> NDArray[np.float64]:
    """The share of bits in which templates differ, in 0..1: the angle between the palms over pi. Broadcasts."""
    differing = np.bitwise_count(one ^ other).sum(axis=-1, dtype=np.int64)
    return np.asarray(differing / BITS)
