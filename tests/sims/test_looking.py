"""Pictures as what is seen in them: what is replaced, what is kept, and who does not look again."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sims.building import load_building
from sims.lab import looking, play
from sims.lab.gauntlet_play import Case
from sims.lab.looking import Looker, keeping, kept, looks_key
from sims.scenario import load_scenario
from smartstore.domain.people import PeopleView, SeenPerson
from smartstore.settings import Settings, VisionOptions
from smartstore.site import load_site
from smartstore.vision.worker import NOTHING, Shot, Sight
from smartstore.wire import messages, topics
from smartstore.wire.codec import Packet, decode, encode
from smartstore.wire.heard import HeardPeople

ROOT = Path(__file__).parents[2]
JPEG, BROKEN = b"\xff\xd8\xff\xd9", b"\xff\xd8\xff"
STORE, VISIT = ROOT / "configs/stores/corner.yaml", ROOT / "configs/scenarios/one-visit.yaml"


class Guesser:
    """Sees one person in every picture of a ceiling camera, shelves in those of s1, and nothing in broken ones."""

    def __init__(self) -> None:
        self.shots: list[Shot] = []

    def look(self, shots: Sequence[Shot]) -> list[Sight]:
        self.shots += shots
        return [self._sight(shot) for shot in shots]

    def _sight(self, shot: Shot) -> Sight:
        if shot.jpeg == BROKEN:
            return NOTHING
        person = SeenPerson((1.0, 2.0, 30.0, 90.0), 0.9, np.zeros((17, 3)), np.zeros(0))
        facing = messages.SeenFacing(facing="g1-1-a", fill=0.5)
        facings = messages.Facings(seq=0, t_ns=shot.t_ns, facings=[facing]) if shot.camera == "s1" else None
        return PeopleView(shot.camera, shot.t_ns, (person,)), facings


@pytest.fixture
def guesser(monkeypatch: pytest.MonkeyPatch) -> Guesser:
    worker = Guesser()
    monkeypatch.setattr(looking, "vision_worker", lambda site, options: worker)
    return worker


def frame(camera: str, seq: int, jpeg: bytes = JPEG) -> Packet:
    told = messages.Frame(seq=seq, t_ns=10 * seq, width=640, height=360, jpeg=jpeg)
    return encode(topics.FRAME, "corner", camera, told)


def test_pictures_become_what_is_seen_in_them_and_all_else_stays(guesser: Guesser) -> None:
    beam = encode(topics.GATE, "corner", "gate", messages.GateEvent(seq=1, t_ns=5, kind="exit_beam", event_id="1"))
    told = Looker(load_site(STORE), VisionOptions()).look(
        [frame("c1", 7), beam, frame("s1", 8), frame("c2", 9, BROKEN)]
    )
    heard = [received for packet in told if (received := decode(packet)) is not None]
    assert [(one.channel.name, one.device, one.message.seq) for one in heard] == [
        ("gate", "gate", 1), ("people", "c1", 7), ("people", "s1", 8), ("facings", "s1", 8),
    ]  # fmt: skip
    assert [shot.t_ns for shot in guesser.shots] == [70, 80, 90]
    seen = heard[1].message
    assert isinstance(seen, HeardPeople) and seen.people[0].box == (1.0, 2.0, 30.0, 90.0)
    assert (seen.width, seen.height, seen.t_ns) == (640, 360, 70)


def test_what_was_seen_is_kept_once_all_of_it_was_heard(tmp_path: Path) -> None:
    feed, moments = tmp_path / "seen.mcap", [(5, [frame("c1", 1)]), (6, []), (9, [frame("c1", 2), frame("c2", 2)])]
    interrupted = keeping(feed, "corner", iter(moments))
    next(interrupted)
    interrupted.close()
    assert not feed.exists()
    assert list(keeping(feed, "corner", iter(moments))) == moments
    assert [(t_ns, [(p.topic, p.payload) for p in packets]) for t_ns, packets in kept(feed)] == [
        (t_ns, [(p.topic, p.payload) for p in packets]) for t_ns, packets in moments if packets
    ]


def test_a_story_that_was_looked_at_is_heard_again_without_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = load_scenario(VISIT)
    store = scenario.store.resolve()
    edge = list(play._told(scenario, store, 7, "edge", play.Palms("corner", 7), tmp_path / "truth.jsonl"))
    told: list[str] = []

    def tell(*_: object) -> object:
        told.append("played")
        return iter(edge)

    monkeypatch.setattr(play, "_told", tell)
    monkeypatch.setattr(looking, "vision_worker", lambda site, options: Guesser())
    first, again = (play.play_frames(scenario, store, 7, Settings(), kept_in=tmp_path) for _ in range(2))
    assert told == ["played"]
    assert first.said.receipts and list(first.said.receipts) == list(again.said.receipts)
    assert first.truth.visits == again.truth.visits


def test_what_was_seen_belongs_to_story_store_and_seed() -> None:
    case, building = Case("plain", 1), load_building(STORE)
    scenario = case.scenario()
    other = scenario.model_copy(update={"cameras_off": (next(iter(building.cameras)),)})
    keys = {looks_key(scenario, 1), looks_key(scenario, 2), looks_key(other, 1)}
    assert len(keys) == 3
    assert looks_key(case.scenario(), 1) in keys
