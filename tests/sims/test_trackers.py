"""Our floor tracker against ByteTrack and BoT-SORT, merged on the floor, on the same messages."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from sims.lab.floor import Moment
from sims.lab.floor_merge import FloorMerge
from sims.lab.trackers import OURS, RIVALS, TrackersError, byte_track, compare, compare_on
from sims.truth import Truth
from smartstore.bus.recording import McapRecorder
from smartstore.cli import run as tell
from smartstore.domain.people import PeopleView
from smartstore.feed.documents import store_documents
from smartstore.site import Site, load_site
from tests.smartstore.crowd import SECOND, Cinema, Walker, line

CORNER, KIOSK = Path("configs/stores/corner.yaml"), Path("configs/stores/kiosk.yaml")


@pytest.fixture(scope="module")
def corner() -> Site:
    return load_site(CORNER)


def rush(corner: Site, seconds: float = 16.0) -> tuple[list[PeopleView], Truth]:
    """Three people come in, cross and stand together; one of them is hidden for two seconds."""
    walkers = [
        Walker(line((1.1, 0.3), (1.1, 6.0), 7.0), look=1, unseen=((4.0, 6.0),)),
        Walker(line((1.3, 0.3), (1.6, 5.4), 6.0, 2.0), look=2, stay_s=(2.0, 99.0)),
        Walker(line((1.1, 0.3), (1.3, 4.9), 6.0, 4.0), look=3, stay_s=(4.0, 99.0)),
    ]
    positions: list[Moment] = []
    for k in range(int(seconds * 5)):
        here = [(f"w{i}", w.at(k / 5)) for i, w in enumerate(walkers) if not w.is_away(k / 5)]
        positions.append((round((1000 + k / 5) * SECOND), tuple((who, float(at[0]), float(at[1])) for who, at in here)))
    views = Cinema(corner, seed=401).views(walkers, seconds)
    return views, Truth("rush", 401, corner.store, positions[0][0], tuple(positions), (), ())  # type: ignore[arg-type]


def test_ours_keeps_identities_better_than_all_of_them(corner: Site) -> None:
    scores = compare_on(*rush(corner), corner)
    assert set(scores) == {OURS, *RIVALS}
    assert scores[OURS]["idf1"] > 0.93
    for rival in RIVALS:
        assert 0.3 < scores[rival]["idf1"] < scores[OURS]["idf1"] - 0.02


def test_one_person_seen_by_four_cameras_is_one_person_after_the_merge(corner: Site) -> None:
    """The rivals get a fair chance: what is easy they do as well as ours."""
    walker = Walker(line((1.1, 1.0), (1.5, 5.5), 8.0), look=1)
    merge = FloorMerge(corner, byte_track)
    found: list[tuple[tuple[int, float, float], ...]] = []
    for view in Cinema(corner, seed=402, miss=0.0, false_boxes=0.0).views([walker], 8.0):
        merge.observe(view)
        t_s = view.t_ns / SECOND - 1000
        found += [merge.at(view.t_ns)] if t_s > 2 else []
        for _, x, y in found[-1] if found else ():
            assert np.hypot(*(walker.at(t_s) - (x, y))) < 0.5
    assert {people[0][0] for people in found} == {1} and {len(people) for people in found} == {1}


def test_a_scenario_is_played_and_tracked_by_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = [{"arrive_s": 1, "actions": [{"take": "k1-2-a"}]}]
    visit = tmp_path / "visit.yaml"
    document = {"schema": 1, "scenario": "visit", "store": str(KIOSK.resolve()), "seed": 403, "script": script}
    visit.write_text(yaml.safe_dump(document | {"tail_s": 1}))
    assert tell(["sim", "trackers", str(visit), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told[str(visit)] == told["mean"] and set(told["mean"]) == {OURS, *RIVALS}
    assert told["mean"][OURS]["idf1"] > 0.93


def test_a_run_without_people_messages_is_one_line(corner: Site, tmp_path: Path) -> None:
    (tmp_path / "truth.jsonl").write_text(
        '{"record":"header","schema":1,"scenario":"s","seed":1,"store":"corner","start_ns":0,"shoppers":[]}\n'
    )
    with McapRecorder(tmp_path / "feed.mcap", corner.store, store_documents(CORNER)):
        pass
    with pytest.raises(TrackersError, match=r"has no people messages; run the scenario with --fidelity edge"):
        compare(tmp_path, CORNER)
