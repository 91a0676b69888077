"""``smartstore palm …``: what goes wrong is one line and exit code 2, and nothing is left half done."""

import json
import os
import socket
from pathlib import Path

import pytest

from smartstore.cli import run
from smartstore.palm.keys import create_keys
from smartstore.palm.service import PalmService
from smartstore.palm.store import PalmStore
from tests.smartstore.palm.people import enrol


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with keys and a database of one person; both are named by the environment."""
    keys = create_keys(tmp_path / "keys")
    with PalmStore(f"sqlite:///{tmp_path / 'palm.db'}") as store:
        (tmp_path / "person").write_text(enrol(PalmService(keys, store, os.urandom), 3))
    monkeypatch.setenv("SMARTSTORE_PALM_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("SMARTSTORE_PALM_DB", str(tmp_path / "palm.db"))
    return tmp_path


def test_a_person_is_exported_and_deleted(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    person = (place / "person").read_text()
    assert run(["palm", "export", person]) == 0
    assert json.loads(capsys.readouterr().out)["person"] == person
    assert run(["palm", "delete", person]) == 0
    assert run(["palm", "export", person]) == 2
    assert capsys.readouterr().err == f"error: there is no person {person}\n"


def test_clients_come_and_go(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["palm", "client", "add", "gate-1", "--role", "gate", "--store", "corner"]) == 0
    key = capsys.readouterr().out.strip()
    assert key.startswith("gate-1.") and len(key) == 50
    assert run(["palm", "client", "list"]) == 0
    assert "corner" in capsys.readouterr().out
    assert run(["palm", "client", "remove", "gate-1"]) == 0
    assert run(["palm", "client", "remove", "gate-1"]) == 2
    assert key.encode() not in b"".join(path.read_bytes() for path in place.iterdir() if path.is_file())


def test_templates_are_renewed_and_the_trail_tells(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["palm", "renew"]) == 0
    assert run(["palm", "renew", "--finish"]) == 0
    assert "1 people have to enrol again" in capsys.readouterr().out
    assert run(["palm", "audit", "--json"]) == 0
    told = [(line["action"], line["actor"]) for line in json.loads(capsys.readouterr().out)]
    assert told[1:] == [("begin renewal", "operator"), ("delete", "operator"), ("finish renewal", "operator")]


def test_the_document_of_the_interface_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["palm", "openapi"]) == 0
    assert json.loads(capsys.readouterr().out)["openapi"].startswith("3.")


@pytest.mark.parametrize(("arguments", "why"), [
    (["keys", "{place}/keys"], "keys: is there already, and keys are never overwritten"),
    (["keys", "{place}/person/keys"], "not a directory"),
    (["serve", "--keys", "{place}/none"], "template.key: cannot be read"),
    (["serve", "--keys", "{place}/open"], "template.key: others may read this private key; chmod 600"),
    (["serve", "--keys", "{place}/other"], "was made with other keys; name those with --keys"),
    (["serve", "--host", "0.0.0.0"], "palms do not cross a network in the clear"),
    (["serve", "--host", "shop.example"], "palms do not cross a network in the clear"),
    (["serve", "--tls-cert", "{place}/person"], "--tls-cert and --tls-key go together"),
    (["serve", "--tls-cert", "{place}/person", "--tls-key", "{place}/none"], "no such file"),
    (["serve", "--port", "{port}"], "cannot listen on 127.0.0.1"),
    (["serve", "--tls-cert", "{place}/person", "--tls-key", "{place}/person"], "no certificate and key"),
    (["export", "x", "--db", "{place}/none.db"], "there is no palm database"),
    (["export", "x", "--db", "{place}/empty.db"], "is no database of a palm service"),
    (["export", "x", "--db", "{place}/junk.db"], "cannot open"),
    (["export", "x", "--db", "mysql://shop"], "only sqlite:///PATH and postgresql"),
    (["export", "x", "--db", "postgresql+nothing://shop"], "is not a usable database address"),
    (["client", "add", "Gate 1", "--role", "gate", "--store", "corner"], "cannot be a client's name"),
    (["client", "add", "gate-1", "--role", "king", "--store", "corner"], "--role king is none"),
    (["client", "add", "gate-1", "--role", "gate", "--store", ""], "cannot be a store's name"),
    (["delete", "nobody"], "there is no person nobody"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)  # fmt: skip
def test_what_goes_wrong_is_one_line(
    place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    create_keys(place / "open")
    (place / "open" / "template.key").chmod(0o644)
    create_keys(place / "other")
    for name, content in (("empty.db", b""), ("junk.db", b"junk" * 1000)):
        (place / name).write_bytes(content)
        (place / name).chmod(0o600)
    before = sorted(place.rglob("*"))
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert run(["palm", *(argument.format(place=place, port=port) for argument in arguments)]) == 2
    said = capsys.readouterr()
    assert why.lower() in said.err.lower() and said.err.count("\n") == 1 and said.out == ""
    assert sorted(path for path in place.rglob("*") if not path.name.endswith(("-wal", "-shm"))) == before


def test_keys_of_the_environment_are_enough(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMARTSTORE_PALM_KEYS")
    monkeypatch.setenv("SMARTSTORE_PALM_TEMPLATE_KEY", (place / "keys" / "template.key").read_text())
    monkeypatch.setenv("SMARTSTORE_PALM_TOKEN_KEY", (place / "keys" / "token.pem").read_text())
    assert run(["palm", "delete", (place / "person").read_text()]) == 0


def test_without_keys_nothing_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SMARTSTORE_PALM_KEYS", "SMARTSTORE_PALM_TEMPLATE_KEY", "SMARTSTORE_PALM_TOKEN_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert run(["palm", "serve", "--db", str(tmp_path / "palm.db")]) == 2
    assert "`smartstore palm keys` makes some" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
