"""`smartstore review`: cases listed, shown and decided on the command line."""

import json
import re
import threading
from pathlib import Path

import pytest

from smartstore.cli import run
from smartstore.ledger.cli import state_folder
from smartstore.ledger.journal import Journal
from smartstore.ledger.review_cli import picture_folder
from smartstore.ledger.verdicts import read_cases
from smartstore.site import Site, load_site
from smartstore.wire import topics
from smartstore.wire.codec import decode
from tests.smartstore.judged import CASE, OTHER_PLACE, ROOT, a_store, doubt, left, opened, price, sku, taken


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(ROOT / "configs/stores/corner.yaml")


@pytest.fixture
def db(site: Site, tmp_path: Path) -> str:
    """A journal with a settled visit and its open case."""
    with Journal(f"sqlite:///{tmp_path / 'store.db'}") as journal, a_store(site, journal) as store:
        store.tells(opened(), opened("v2"), taken(site), doubt(site), left())
    return str(tmp_path / "store.db")


def tell(*arguments: object) -> int:
    return run([str(argument) for argument in arguments])


def test_a_case_is_listed_shown_and_decided(db: str, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell("review", "list", "--db", db) == 0
    assert CASE in capsys.readouterr().out
    assert tell("review", "show", CASE, "--db", db, "--store", ROOT / "configs/stores/corner.yaml") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"took 1 × {site.items[sku(site)].name}" in shown
    assert tell("review", "decide", CASE, "--candidate", 1, "--by", "Mia", "--db", db) == 0
    assert tell("review", "decide", CASE, "--candidate", 1, "--by", "Mia", "--db", db) == 0
    assert "decided before" in capsys.readouterr().out
    assert tell("review", "list", "--db", db) == 0
    assert CASE not in capsys.readouterr().out
    assert tell("review", "list", "--all", "--json", "--db", db) == 0
    (document,) = json.loads(capsys.readouterr().out)
    assert (document["open"], document["decisions"][0]["by"]) == (False, "Mia")


def test_a_verdict_in_own_words_knows_the_catalogue(db: str, site: Site) -> None:
    other = sku(site, "g3-2-c")
    words = ["review", "decide", CASE, "--sku", other, "--visit", "v2", "--quantity", "-1", "--by", "Mia", "--db", db]
    assert tell(*words) == 2
    assert tell(*words, "--store", ROOT / "configs/stores/corner.yaml") == 0
    with Journal(f"sqlite:///{db}", create=False) as journal:
        last = read_cases(journal)[CASE].last
    assert last is not None
    assert (last.mover, last.sku, last.quantity) == ("v2", other, -1)


def test_a_running_service_notices_by_itself(db: str, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    with Journal(f"sqlite:///{db}") as journal, a_store(site, journal) as store:
        thread = threading.Thread(target=store.service.run)
        thread.start()
        assert tell("review", "decide", CASE, "--candidate", 1, "--by", "Mia", "--db", db) == 0
        for _ in range(100):
            packet = store.ear.receive(0.1)
            received = decode(packet) if packet else None
            if received is not None and received.channel is topics.RECEIPT:
                break
        store.service.stop()
        thread.join(5)
    assert received is not None
    assert received.message.transaction.total == price(site) + price(site, OTHER_PLACE)
    assert tell("receipt", "v1", "--db", db) == 0
    shown = capsys.readouterr().out
    assert "before a person decided" in shown
    assert "to be reviewed" not in shown


BAD = {
    "no such case": (["show", "x"], "there is no case x .*review list --all"),
    "no way": (["decide", CASE, "--by", "Mia"], "in one way: --candidate N, or --nothing, or"),
    "two ways": (["decide", CASE, "--by", "Mia", "--nothing", "--candidate", "1"], "in one way"),
    "nobody decides": (["decide", CASE, "--nothing"], "Missing option '--by'"),
    "a blank decides": (["decide", CASE, "--nothing", "--by", " "], "say who decides"),
    "no such candidate": (["decide", CASE, "--by", "Mia", "--candidate", "9"], "candidates 1 to 4, not 9"),
    "half a sentence": (["decide", CASE, "--by", "Mia", "--sku", "1"], "go together"),
    "none taken": (["decide", CASE, "--by", "Mia", "--sku", "1", "--visit", "v1", "--quantity", "0"], "not 0"),
    "no such visit": (["decide", CASE, "--by", "M", "--sku", "1", "--visit", "v9", "--quantity", "1"], "no visit v9"),
    "no such item": (["decide", CASE, "--by", "M", "--sku", "1", "--visit", "v1", "--quantity", "1"], "--store FILE"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_one_line(name: str, db: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, says = BAD[name]
    assert tell("review", *words, "--db", db) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.strip().splitlines()
    assert re.search(says, line), line


def test_pictures_lie_beside_the_file_of_the_journal() -> None:
    assert picture_folder("data/runs/store.db") == Path("data/runs/store.pictures")
    assert picture_folder("sqlite:////var/store.db") == Path("/var/store.pictures")
    assert picture_folder("postgresql+psycopg://h/d") is None
    assert picture_folder("sqlite://") is None


@pytest.mark.parametrize("db", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "postgresql+psycopg://h/d"])
def test_without_a_file_the_state_lies_among_the_runs(db: str) -> None:
    assert state_folder(db, "corner", "main") == Path("data/runs/corner-main.state")
