"""After enrolment the raw palm is nowhere; after deletion the template is nowhere either. The bytes are looked for."""

import base64
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from smartstore.cli import run
from smartstore.palm.client import PalmClient, PalmRefusedError
from smartstore.palm.facts import Person
from smartstore.palm.keys import create_keys
from smartstore.palm.service import PalmService
from smartstore.palm.store import PalmStore, PalmStoreError
from smartstore.palm.templates import TemplateKey, TemplateMaker
from tests.smartstore.palm.people import KEYS, a_service, come, enrol, known, scan
from tests.smartstore.palm.traces import files, forms, found, written

MANY = range(30)
"""Enough people for several pages of the database."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PalmStore]:
    with PalmStore(f"sqlite:///{tmp_path / 'palm.db'}") as opened:
        yield opened


def plain_template(store: PalmStore, person: int) -> bytes:
    """What a template would look like if it were not sealed."""
    with store.transaction() as books:
        salt = books.epochs()[-1].salt
    return TemplateMaker(TemplateKey(KEYS.secret, salt), 128).template(scan(person)).tobytes()


def sealed(service: PalmService, person: str) -> bytes:
    held = service.export(person, by="desk-1", now_ns=0)
    assert held is not None
    return held.template_sealed


def test_what_is_looked_for_would_be_found(tmp_path: Path) -> None:
    palm = scan(3)
    np.save(tmp_path / "palm.npy", palm)
    (tmp_path / "log").write_text(f"DEBUG palm={palm.tolist()}")
    assert found(forms(palm), (tmp_path / "palm.npy").read_bytes())
    assert found(forms(palm), (tmp_path / "log").read_bytes())
    assert found(forms(palm), palm.astype(np.float32).tobytes().hex().upper().encode())
    assert not found(forms(palm), files(Path(__file__).parent))


def test_after_enrolment_and_visits_neither_palm_nor_open_template_is_in_a_file_or_log(
    store: PalmStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service = a_service(store=store)
    for person in range(5):
        enrol(service, person)
        come(service, scan(person, seed=1))
        come(service, scan(person + 100, seed=1))
        seen = files(tmp_path) + caplog.text.encode()
        for palm in (scan(person), scan(person, seed=1), scan(person + 100, seed=1)):
            assert not found(forms(palm), seen)
        assert not found(written(plain_template(store, person)), seen)
    assert files(tmp_path).count(b"2026-1") >= 5, "the people are in these files"


def test_after_deletion_the_template_is_nowhere_in_the_files_and_everybody_else_is(
    store: PalmStore, tmp_path: Path
) -> None:
    service = a_service(store=store)
    people = [enrol(service, person) for person in MANY]
    bytes_of = {person: sealed(service, person) for person in people}
    assert all(found(written(bytes_of[person]), files(tmp_path)) for person in people)
    for person in people[1::7]:
        service.delete(person, by="desk-1", now_ns=0)
        assert not found(written(bytes_of.pop(person)), files(tmp_path))
    assert all(found(written(template), files(tmp_path)) for template in bytes_of.values())
    assert [known(service, person) for person in MANY] == [person % 7 != 1 for person in MANY]


def test_among_many_whose_rows_move_from_page_to_page_nothing_is_left_behind(store: PalmStore, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    people = {base64.b32encode(rng.bytes(10)).decode(): rng.bytes(144) for _ in range(400)}
    for batch in batched(people, 100):
        with store.transaction() as books:
            for person in batch:
                books.put(Person(person, 1, "desk-1", "2026-1", 1, 1, people[person]))
    gone = list(people)[::3] + list(people)[1::3]
    for batch in batched(gone, 25):
        with store.transaction() as books:
            assert all(books.forget_person(person) for person in batch)
        store.erase()
    seen = files(tmp_path)
    left = [
        person for person, template in people.items() if any(template[at : at + 12] in seen for at in range(0, 132, 6))
    ]
    assert left == list(people)[2::3]


def batched(people: Iterable[str], count: int) -> Iterator[list[str]]:
    found = list(people)
    return (found[at : at + count] for at in range(0, len(found), count))


def test_a_renewed_template_replaces_the_old_one_and_finishing_erases_it(store: PalmStore, tmp_path: Path) -> None:
    service = a_service(store=store)
    came, stayed = enrol(service, 3), enrol(service, 4)
    before = [sealed(service, came), sealed(service, stayed)]
    service.begin_renewal(by="operator", now_ns=0)
    assert known(service, 3)
    service.finish_renewal(by="operator", now_ns=0)
    assert not [old for old in before if found(written(old), files(tmp_path))]
    assert known(service, 3, seed=2) and not known(service, 4)


def test_a_deletion_that_cannot_overwrite_yet_says_so_and_can_be_repeated(tmp_path: Path) -> None:
    service = a_service(store=PalmStore(f"sqlite:///{tmp_path / 'palm.db'}", patience_s=0.05))
    person = enrol(service, 3)
    template = sealed(service, person)
    with closing(sqlite3.connect(tmp_path / "palm.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM palm_person").fetchone()
        with pytest.raises(PalmStoreError, match=r"not yet overwritten: .*delete again"):
            service.delete(person, by="desk-1", now_ns=0)
    assert not known(service, 3)
    assert service.delete(person, by="desk-1", now_ns=0) is False
    assert not found(written(template), files(tmp_path))


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_database_and_log_are_for_their_owner_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with PalmStore(f"sqlite:///{tmp_path / 'palm.db'}") as store:
            a_service(3, store=store)
            modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert set(modes) >= {"palm.db", "palm.db-wal"} and set(modes.values()) == {0o600}
    (tmp_path / "palm.db").chmod(0o644)
    with pytest.raises(PalmStoreError, match="others may read this database; chmod 600"):
        PalmStore(f"sqlite:///{tmp_path / 'palm.db'}")


# The program


Command = Callable[..., str]


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """``smartstore palm …`` on the keys and the database of the test; returns what it prints."""

    def carry_out(*arguments: str) -> str:
        places = ["--keys", str(tmp_path / "keys"), "--db", str(tmp_path / "palm.db")]
        capsys.readouterr()
        code = run(["palm", *arguments, *places])
        printed, said = capsys.readouterr()
        assert code == 0, said
        return printed

    return carry_out


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The palm service as a process, all of whose files are in ``folder``; gives its address."""
    create_keys(folder / "keys")
    told = [sys.executable, "-m", "smartstore", "palm", "serve", "--port", "0", "--keys", str(folder / "keys")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*told, "--db", str(folder / "palm.db")], stdout=log, stderr=log)
    try:
        yield address(process, folder / "log")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it says that it listens."""
    for _ in range(1200):
        for line in log.read_text().splitlines():
            if "palms to http" in line:
                return next(word for word in line.split() if word.startswith("http")).rstrip(";")
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def test_the_program_enrols_admits_and_forgets_and_leaves_no_trace(tmp_path: Path, command: Command) -> None:
    with serving(tmp_path) as url:
        gate_key = command("client", "add", "gate-1", "--role", "gate", "--store", "corner").strip()
        desk_key = command("client", "add", "desk-1", "--role", "desk", "--store", "corner").strip()
        with PalmClient(url, gate_key) as gate, PalmClient(url, desk_key) as desk:
            person = desk.enrol(scan(3), 0.9, "2026-1")
            with pytest.raises(PalmRefusedError):
                desk.enrol(scan(3)[:100], 0.9, "2026-1")
            token = gate.identify(scan(3, seed=1), 0.9)
            assert token is not None and gate.admit(token.text) == token.visit
            held = command("export", person)
            assert json.loads(held)["consent_wording"] == "2026-1"
            command("delete", person)
            assert gate.identify(scan(3, seed=2), 0.9) is None, "the service hears of what a command did"
        assert "the trail is whole" in command("audit")
    seen = files(tmp_path)
    assert b"palms to http" in seen and person.encode() in seen
    for palm in (scan(3), scan(3)[:100], scan(3, seed=1), scan(3, seed=2)):
        assert not found(forms(palm), seen)
    assert not found(written(base64.b64decode(json.loads(held)["template_sealed"])), seen)
    assert not found(iter([gate_key.split(".")[1].encode(), desk_key.split(".")[1].encode()]), seen)
