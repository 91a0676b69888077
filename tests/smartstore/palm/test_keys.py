"""Keys are made once, read from files that only their owner reads or from the environment, and never shown."""

import base64
import os
from pathlib import Path

import pytest

from smartstore.palm.keys import PalmKeysError, create_keys, read_keys
from smartstore.palm.tokens import Claims, read_verifier
from tests.smartstore.palm.people import KEYS, SECOND

ENVIRONMENT = {
    "SMARTSTORE_PALM_TEMPLATE_KEY": base64.b64encode(KEYS.secret).decode(),
    "SMARTSTORE_PALM_TOKEN_KEY": KEYS.signer.private_pem().decode(),
}


def test_new_keys_are_for_their_owner_alone_and_can_be_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made = create_keys(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {
        "template.key": "0o600", "token.pem": "0o600", "token.pub": "0o644",
    }  # fmt: skip
    read = read_keys(folder, {})
    assert read.secret == made.secret
    token = read.signer.sign(Claims("visit", "corner", 1, 0, 60))
    assert read_verifier(folder / "token.pub", "corner").verify(token, 5 * SECOND).visit == "visit"


def test_keys_come_from_the_environment_too() -> None:
    assert read_keys(None, ENVIRONMENT).secret == KEYS.secret


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    create_keys(tmp_path / "keys")
    before = (tmp_path / "keys" / "template.key").read_bytes()
    with pytest.raises(PalmKeysError, match="never overwritten"):
        create_keys(tmp_path / "keys")
    assert (tmp_path / "keys" / "template.key").read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
@pytest.mark.parametrize("name", ["template.key", "token.pem"])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    create_keys(tmp_path / "keys")
    (tmp_path / "keys" / name).chmod(mode)
    with pytest.raises(PalmKeysError, match=rf"{name}: others may read .* chmod 600"):
        read_keys(tmp_path / "keys", {})


@pytest.mark.parametrize(("name", "content", "why"), [
    ("template.key", None, "cannot be read"), ("template.key", b"", "32 bytes"),
    ("template.key", b"hunter2", "32 bytes"), ("template.key", b"\xff\xfe", "32 bytes"),
    ("template.key", base64.b64encode(b"x" * 31), "32 bytes"),
    ("token.pem", None, "cannot be read"), ("token.pem", b"", "no private key"),
    ("token.pem", b"hunter2", "no private key"),
    ("token.pem", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key"),
])  # fmt: skip
def test_a_file_that_is_no_key_is_one_line_that_does_not_show_it(
    tmp_path: Path, name: str, content: bytes | None, why: str
) -> None:
    create_keys(tmp_path / "keys")
    path = tmp_path / "keys" / name
    path.unlink()
    if content is not None:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
    with pytest.raises(PalmKeysError, match=why) as caught:
        read_keys(tmp_path / "keys", {})
    assert str(path) in str(caught.value) and "\n" not in str(caught.value) and "hunter2" not in str(caught.value)


def test_keys_that_are_nowhere_are_asked_for() -> None:
    with pytest.raises(PalmKeysError, match="SMARTSTORE_PALM_TOKEN_KEY; `smartstore palm keys`"):
        read_keys(None, {"SMARTSTORE_PALM_TEMPLATE_KEY": ENVIRONMENT["SMARTSTORE_PALM_TEMPLATE_KEY"]})
    with pytest.raises(PalmKeysError, match="SMARTSTORE_PALM_TEMPLATE_KEY: holds no template key"):
        read_keys(None, ENVIRONMENT | {"SMARTSTORE_PALM_TEMPLATE_KEY": "short"})
