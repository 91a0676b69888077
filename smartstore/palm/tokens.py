"""Visit tokens: random, signed, for one store, soon expired. They say nothing about the person.

In: a visit, a store, times. Out: a compact text; with the public key alone, its claims or the reason to refuse it.
Layout: ``v1.<claims>.<signature>``, both parts base64url, the signature Ed25519 over the first two parts as sent.
"""

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

_VERSION = "v1"
_MAX_CHARS = 2048
_MANY = 1024
"""Visits that are remembered before the expired ones are looked for."""


class TokenError(Exception):
    """A token that must be refused, or a key that cannot be used; the text says why."""


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a token says. Times are UTC seconds."""

    visit: str
    audience: str
    """The store that may accept it."""
    party_size: int
    issued_s: int
    expires_s: int


@dataclass(frozen=True, slots=True)
class Signer:
    """Issues tokens with the palm service's private key."""

    key: Ed25519PrivateKey

    def sign(self, claims: Claims) -> str:
        """The token of these claims."""
        head = f"{_VERSION}.{_text(msgspec.json.encode(claims))}"
        return f"{head}.{_text(self.key.sign(head.encode()))}"

    def public_pem(self) -> bytes:
        """The public key that verifies, as PEM."""
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def private_pem(self) -> bytes:
        """The private key as unencrypted PEM; for a file that only the palm service may read."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, slots=True)
class Verifier:
    """Accepts tokens of one palm service for one store. ``leeway_s`` forgives the clocks of gates."""

    key: Ed25519PublicKey
    store: str
    leeway_s: float = 5.0

    def verify(self, token: str, now_ns: int) -> Claims:
        """The claims of a token presented at ``now_ns`` (event time).

        Raises:
            TokenError: it is forged, for somebody else, expired or not yet valid.
        """
        claims = self._claims(token)
        now_s = now_ns / 1e9
        if claims.audience != self.store:
            raise TokenError("token is for another store")
        if now_s > claims.expires_s + self.leeway_s:
            raise TokenError("token has expired")
        if now_s < claims.issued_s - self.leeway_s:
            raise TokenError("token is not valid yet")
        return claims

    def _claims(self, token: str) -> Claims:
        head, _, signature = token.rpartition(".")
        version, _, body = head.partition(".")
        if len(token) > _MAX_CHARS or version != _VERSION or not body or not token.isascii():
            raise TokenError("this is no visit token")
        try:
            self.key.verify(_bytes(signature), head.encode())
            return msgspec.json.decode(_bytes(body), type=Claims)
        except InvalidSignature as error:
            raise TokenError("token has a wrong signature") from error
        except (binascii.Error, msgspec.DecodeError, ValueError) as error:
            raise TokenError("this is no visit token") from error


class SingleAdmission:
    """Lets every visit in once, for a store that is on its own. Remembers visits for as long as their tokens last."""

    def __init__(self, leeway_s: float) -> None:
        self._leeway_s = leeway_s
        self._admitted: dict[str, tuple[str, int]] = {}

    def use(self, claims: Claims, entry: str, now_ns: int) -> None:
        """Uses up a token that is in order; ``entry`` names the event, whose repetition is no second use.

        Raises:
            TokenError: another entry was made with it.
        """
        before, _ = self._admitted.get(claims.visit, (entry, 0))
        if before != entry:
            raise TokenError("token was used already")
        if len(self._admitted) >= _MANY:
            over_s = now_ns / 1e9 - 2 * self._leeway_s
            self._admitted = {visit: seen for visit, seen in self._admitted.items() if seen[1] > over_s}
        self._admitted[claims.visit] = (entry, claims.expires_s)


def new_signer(seed: bytes) -> Signer:
    """A signer whose key is made of 32 secret random bytes."""
    return Signer(Ed25519PrivateKey.from_private_bytes(seed))


def read_verifier(path: Path, store: str) -> Verifier:
    """The verifier of a public key file (PEM).

    Raises:
        TokenError: the file cannot be read or holds no Ed25519 public key.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise TokenError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError) as error:
        raise TokenError(f"{path}: holds no public key in PEM form") from error
    if not isinstance(key, Ed25519PublicKey):
        raise TokenError(f"{path}: is not an Ed25519 key")
    return Verifier(key, store)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """What ``text`` says; ValueError where :func:`_text` would write that in another way."""
    data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    if _text(data) != text:
        raise ValueError("not as it is written here")
    return data
