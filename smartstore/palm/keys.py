"""The palm service's own secrets: made once, read from files that nobody else may read or from the environment.

In: a folder, or variables of the environment. Out: :class:`PalmKeys`, whose members stay out of every text.
``template.key`` holds the secret of the templates (base64), ``token.pem`` the private key that signs visit tokens
(Ed25519), ``token.pub`` the public one, which stores need.
"""

import base64
import binascii
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from smartstore.palm.templates import KEY_BYTES
from smartstore.palm.tokens import Signer, new_signer

TEMPLATE_KEY, TOKEN_KEY, PUBLIC_KEY = "template.key", "token.pem", "token.pub"
TEMPLATE_VARIABLE, TOKEN_VARIABLE = "SMARTSTORE_PALM_TEMPLATE_KEY", "SMARTSTORE_PALM_TOKEN_KEY"


class PalmKeysError(Exception):
    """Keys that cannot be used; one line that says where and what to do, and never what they are."""


@dataclass(frozen=True, slots=True)
class PalmKeys:
    """What the palm service alone knows."""

    secret: bytes = field(repr=False)
    """Of everything at rest; KEY_BYTES long."""
    signer: Signer = field(repr=False)
    """Of visit tokens."""

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise PalmKeysError(f"a template key is {KEY_BYTES} bytes long, not {len(self.secret)}")


def new_keys(entropy: Callable[[int], bytes]) -> PalmKeys:
    """Keys made of secret random bytes."""
    signer = new_signer(entropy(32))
    return PalmKeys(entropy(KEY_BYTES), signer)


def create_keys(folder: Path, entropy: Callable[[int], bytes] = os.urandom) -> PalmKeys:
    """New keys in a new folder that only its owner may enter; all files, or none.

    Raises:
        PalmKeysError: the folder is there already: without its keys no template could be read again.
    """
    if folder.exists():
        raise PalmKeysError(f"{folder}: is there already, and keys are never overwritten; name a new folder")
    keys = new_keys(entropy)
    work = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700, parents=True)
    _write(work / TEMPLATE_KEY, base64.b64encode(keys.secret) + b"\n", 0o600)
    _write(work / TOKEN_KEY, keys.signer.private_pem(), 0o600)
    _write(work / PUBLIC_KEY, keys.signer.public_pem(), 0o644)
    work.rename(folder)
    return keys


def read_keys(folder: Path | None, environment: Mapping[str, str]) -> PalmKeys:
    """The keys in ``folder``, or without one those of the environment: SMARTSTORE_PALM_TEMPLATE_KEY (base64) and
    SMARTSTORE_PALM_TOKEN_KEY (PEM).

    Raises:
        PalmKeysError: a key is missing, is none, or others may read its file.
    """
    if folder is not None:
        secret, pem = folder / TEMPLATE_KEY, folder / TOKEN_KEY
        return PalmKeys(_secret(_private(secret), str(secret)), _signer(_private(pem), str(pem)))
    missing = [name for name in (TEMPLATE_VARIABLE, TOKEN_VARIABLE) if not environment.get(name)]
    if missing:
        raise PalmKeysError(
            f"no keys: name their folder with --keys, or set {' and '.join(missing)}; `smartstore palm keys` makes some"
        )
    secret_text, pem_text = environment[TEMPLATE_VARIABLE].encode(), environment[TOKEN_VARIABLE].encode()
    return PalmKeys(_secret(secret_text, TEMPLATE_VARIABLE), _signer(pem_text, TOKEN_VARIABLE))


def _private(path: Path) -> bytes:
    """The content of a file that only its owner may read; looks at the open file, not at its name."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise PalmKeysError(f"{path}: others may read this private key; chmod 600 {path}")
            return file.read(65_536)
    except OSError as error:
        raise PalmKeysError(f"{path}: cannot be read ({error.strerror}); `smartstore palm keys` makes keys") from error


def _secret(text: bytes, where: str) -> bytes:
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise PalmKeysError(f"{where}: holds no template key, which is {KEY_BYTES} bytes in base64")
    return secret


def _signer(pem: bytes, where: str) -> Signer:
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise PalmKeysError(f"{where}: holds no private key in PEM form") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise PalmKeysError(f"{where}: is not an Ed25519 key")
    return Signer(key)


def _write(path: Path, content: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
