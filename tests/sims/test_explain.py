"""A run that went wrong is opened: what happened, what was believed, and why, in words and as a picture."""

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sims.building import Building
from sims.lab.explain import Explained, explain, listed, subjects
from sims.lab.explain_picture import draw_moment
from sims.lab.explain_run import Replay, read_run
from sims.scenario import load_scenario
from smartstore.bus.base import MemoryHub
from smartstore.bus.recording import McapRecorder
from smartstore.cli import run as tell
from smartstore.feed.documents import store_documents
from smartstore.ledger.journal import Journal
from smartstore.payment.gateway import StubGateway
from smartstore.pipeline import Pipeline
from smartstore.service import EntryCheck, Service, pipeline_options
from smartstore.settings import parse_settings
from smartstore.site import load_site
from smartstore.wire import topics
from smartstore.wire.codec import encode
from smartstore.wire.messages import Frame
from tests.sims.playing import ROOT, SCENARIOS, Played, play

STORE = ROOT / "configs/stores/corner.yaml"
S = 1_000_000_000


def keep(played: Played, folder: Path, sure: float) -> Path:
    """The folder of a run whose product books what it is ``sure`` of."""
    site, settings = load_site(STORE), parse_settings({"attribution": {"sure": sure}})
    hub = MemoryHub()
    about = store_documents(STORE)
    with (
        Journal(f"sqlite:///{folder / 'journal.db'}") as journal, hub.connect() as bus, hub.connect() as ear,
        McapRecorder(folder / "feed.mcap", site.store, about) as recorder,
    ):  # fmt: skip
        ear.subscribe(f"smartstore/v1/{site.store}/#")
        pipeline = Pipeline(site, pipeline_options(settings))
        service = Service(bus, site, pipeline, journal, StubGateway(), EntryCheck(None), settings=settings)
        for packet in played.packets:
            recorder.write(packet, 0)
            service.handle(packet)
        service.finish()
        while (answer := ear.receive(0)) is not None:
            recorder.write(answer, 0)
    return folder


@pytest.fixture(scope="module")
def played(corner: Building, tmp_path_factory: pytest.TempPathFactory) -> tuple[Played, Path]:
    folder = tmp_path_factory.mktemp("played")
    return play(corner, load_scenario(SCENARIOS / "one-visit.yaml"), folder, seed=1), folder / "truth.jsonl"


@pytest.fixture(scope="module")
def doubtful(played: tuple[Played, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One visit to a product that is never sure: two items taken, one put back; everything a case, nothing billed."""
    folder = tmp_path_factory.mktemp("doubtful")
    shutil.copy(played[1], folder)
    return keep(played[0], folder, sure=1.0)


@pytest.fixture(scope="module")
def told(doubtful: Path) -> tuple[Explained, bytes]:
    """The first wrong line explained, with the bytes of its picture."""
    found = explain(doubtful, "1")
    return found, found.pictures[0].read_bytes()


def test_what_was_wrong_or_in_doubt_is_listed(doubtful: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(doubtful)
    assert [subject.kind for subject in found].count("missing") == 2
    assert [subject.kind for subject in found].count("case") >= 3
    milk = next(subject for subject in found if subject.name.endswith("/2000476946503"))
    assert "first pays for 0 instead of 1 ×" in milk.what
    assert len(milk.moments) == 1
    assert tell(["sim", "explain", str(doubtful)]) == 0
    assert "2 missing" in capsys.readouterr().out


def test_a_missing_item_is_explained_by_truth_belief_and_evidence(
    told: tuple[Explained, bytes], doubtful: Path
) -> None:
    text = "\n".join(told[0].paragraphs)
    happened, believed, why = (text.index(head) for head in ("what happened", "what was believed", "why"))
    assert happened < believed < why
    assert "first took 1 ×" in text[happened:believed]
    assert "first stood" in text[happened:believed]
    assert "a case at" in text[believed:why]
    assert "weight -" in text[why:]
    assert "reach to" in text[why:]
    assert "first hand 0." in text[why:]
    (picture,) = told[0].pictures
    drawn = cv2.imread(str(picture))
    assert picture.parent == doubtful
    assert drawn is not None
    assert drawn.shape[1] == 1200
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 50, "something is drawn"


def test_an_explanation_is_the_same_every_time(told: tuple[Explained, bytes], doubtful: Path) -> None:
    again = explain(doubtful, "1")
    assert (again, again.pictures[0].read_bytes()) == told


def test_reasons_of_another_pipeline_are_said_to_be_such(
    told: tuple[Explained, bytes], doubtful: Path, tmp_path: Path
) -> None:
    (tmp_path / "settings.yaml").write_text("attribution: {sure: 1.0}\n")
    assert "decides otherwise" in told[0].paragraphs[-1]
    assert "decides otherwise" not in "".join(explain(doubtful, "1", settings=tmp_path / "settings.yaml").paragraphs)


def test_a_decided_case_names_who_decided(doubtful: Path) -> None:
    case = next(subject.name for subject in listed(doubtful) if subject.kind == "case")
    assert tell(["review", "decide", case, "--nothing", "--by", "Mia", "--db", str(doubtful / "journal.db")]) == 0
    assert "decided by Mia" in next(subject.what for subject in listed(doubtful) if subject.name == case)


def test_without_a_journal_the_replay_stands_in(doubtful: Path, tmp_path: Path) -> None:
    for name in ("feed.mcap", "truth.jsonl"):
        shutil.copy(doubtful / name, tmp_path)
    run = read_run(tmp_path)
    assert run.events == ()
    wrong = [subject for subject in listed(tmp_path) if subject.kind == "missing"]
    assert len(wrong) == 2, "receipts are those of the run"


def test_a_run_without_fault_has_nothing_to_explain(played: tuple[Played, Path], tmp_path: Path) -> None:
    shutil.copy(played[1], tmp_path)
    run = read_run(keep(played[0], tmp_path, sure=0.6))
    assert subjects(run, run.events) == []


def test_a_run_in_a_store_of_ones_own_is_read_with_the_store_that_it_carries(
    played: tuple[Played, Path], tmp_path: Path
) -> None:
    own, run = tmp_path / "own.yaml", tmp_path / "run"
    text = STORE.read_text().replace("../../data", os.path.relpath(ROOT / "data", tmp_path))
    own.write_text(text.replace("id: c4", "id: c9"))
    run.mkdir()
    shutil.copy(played[1], run)
    with McapRecorder(run / "feed.mcap", "corner", store_documents(own)):
        pass
    own.unlink()
    assert "c9" in read_run(run).site.cameras
    assert all("no receipt came before the run ended" in subject.what for subject in listed(run))


def test_where_there_are_pictures_the_shelf_is_shown_before_and_after(doubtful: Path, tmp_path: Path) -> None:
    run = read_run(doubtful)
    moment = subjects(run, run.events)[0].moments[0]
    with McapRecorder(tmp_path / "feed.mcap", "corner", {}) as recorder:
        for camera in run.site.watchers_of(run.site.facings[moment.place].fixture):
            for around_s, colour in ((-2, 0), (2, 255)):
                jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), (colour, 0, 200), np.uint8))[1].tobytes()
                frame = Frame(seq=0, t_ns=moment.t_ns + around_s * S, width=64, height=48, jpeg=jpeg)
                recorder.write(encode(topics.FRAME, "corner", camera, frame), 0)
    filmed = replace(run, folder=tmp_path)
    nothing = Replay((), (), (), {})
    draw_moment(tmp_path / "moment.png", filmed, nothing, run.events, moment.t_ns, moment.place, "a title")
    drawn = cv2.imread(str(tmp_path / "moment.png"))
    assert drawn is not None
    assert drawn.shape[0] > 900, "a second row"
    for blue in (0, 255):
        near = np.abs(drawn.astype(int) - (blue, 0, 200)).max(axis=2) < 12
        assert near.sum() > 1000


@pytest.mark.parametrize(("words", "says"), [
    (["nowhere"], "nowhere: is not the folder of a run"),
    (["{run}", "no-such-case"], "nothing called 'no-such-case' was wrong or in doubt; `sim explain"),
    (["{run}", "99"], "nothing called '99'"),
    (["{run}", "--store", "configs/stores/kiosk.yaml"], "kiosk.yaml: is store 'kiosk', and the run was in 'corner'"),
    (["{strange}"], "does not carry its store document; name it with --store FILE"),
])  # fmt: skip
def test_what_cannot_be_explained_is_one_line(
    words: list[str], says: str, doubtful: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(doubtful / "truth.jsonl", tmp_path)
    with McapRecorder(tmp_path / "feed.mcap", "corner", {}):
        pass
    arguments = [word.format(run=doubtful, strange=tmp_path) for word in words]
    assert tell(["sim", "explain", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.strip().splitlines()
    assert re.search(says, line)
