"""What is at rest is sealed: templates are encrypted and bound to their owner, the audit trail is chained.

In: the service's secret. Out: sealed bytes and digests. Keys for each use come from the secret by HKDF (RFC 5869).
Sealing is AES-SIV (RFC 5297): it needs no randomness, and a sealed template that is moved to another person, or changed
in one bit, does not open.
"""

import hashlib
import hmac

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from smartstore.palm.templates import BITS, Bits


class TamperedError(Exception):
    """The database is not as this service left it; one line that says where and what to do."""


class Vault:
    """Seals and opens templates, and signs the audit trail, with keys derived from ``secret``."""

    def __init__(self, secret: bytes) -> None:
        self._seal = AESSIV(_derived(secret, b"seal", 64))
        self._chain = _derived(secret, b"audit", 32)
        self.fingerprint = _derived(secret, b"fingerprint", 16)
        """Tells databases of other keys from this one's; says nothing about the secret."""

    def seal(self, person: str, epoch: int, template: Bits) -> bytes:
        """The template as it is stored for this person, in this epoch of the salt."""
        return self._seal.encrypt(template.tobytes(), [person.encode(), str(epoch).encode()])

    def open(self, person: str, epoch: int, sealed: bytes) -> Bits:
        """The template, shape (BITS / 64,).

        Raises:
            TamperedError: these bytes are not what was sealed for this person and epoch.
        """
        try:
            plain = self._seal.decrypt(sealed, [person.encode(), str(epoch).encode()])
        except (InvalidTag, ValueError) as error:
            raise TamperedError(
                f"the template of {person} was changed or is another's: delete and enrol again"
            ) from error
        return np.frombuffer(plain, np.uint64, BITS // 64)

    def digest(self, before: bytes, entry: bytes) -> bytes:
        """The link of an audit entry to the one before it (HMAC-SHA256): nobody without the secret can make one."""
        return hmac.digest(self._chain, hashlib.sha256(before).digest() + entry, "sha256")


def _derived(secret: bytes, use: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=b"smartstore-palm-v1 " + use).derive(secret)
