"""Protected palm templates: a keyed, salted, renewable transform of a palm's vector.

In: the vector that a palm scanner measures. Out: bits that are useless without the key. Each bit is the sign of a
random projection of the vector whose directions come from the key and the tenant's salt; the angle between two vectors
shows in the share of bits that differ (Charikar 2002, "Similarity estimation techniques from rounding algorithms"), so
templates can be compared without the vector. A new salt makes new templates that tell nothing about the old ones. The
raw vector is neither kept nor logged.
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
