"""The main job, from the command line's own function to settled receipts, over real brokers and in both fidelities."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sims.lab.run import RunRequest, run
from smartstore.bus.recording import read_feed
from smartstore.cli import run as tell
from smartstore.wire import topics
from tests.mosquitto import mosquitto_broker

ROOT = Path(__file__).parents[1]
ONE_VISIT = ROOT / "configs/scenarios/one-visit.yaml"
QUIET = ROOT / "configs/scenarios/corner-quiet.yaml"
FIELDS = {
    "scenario", "seed", "fidelity", "shoppers", "sales", "items", "exact_receipt_rate", "item_precision", "item_recall",
    "item_f1", "overcharge", "undercharge", "review_rate", "time_to_receipt_s", "event_precision", "event_recall",
    "takes", "floor", "real_time_factor", "wall_s", "renderer",
}  # fmt: skip


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[str]:
    """The address of a Mosquitto of the user's."""
    with mosquitto_broker(tmp_path) as url:
        yield url


def test_a_run_over_the_embedded_broker_and_over_mosquitto_gives_the_same_bytes(
    mosquitto: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embedded, other = tmp_path / "embedded", tmp_path / "mosquitto"
    command = ["sim", "run", str(ONE_VISIT), "--seed", "7", "--json", "--out"]
    assert tell([*command, str(embedded)]) == 0
    score = json.loads(capsys.readouterr().out)
    assert tell([*command, str(other), "--broker", mosquitto]) == 0
    for name in ("receipts.json", "truth.jsonl"):
        assert (embedded / name).read_bytes() == (other / name).read_bytes(), name
    assert set(score) == FIELDS
    assert score == json.loads((embedded / "score.json").read_text())
    assert {path.name for path in embedded.iterdir()} >= {"feed.mcap", "truth.jsonl", "receipts.json", "floor.png"}
    assert_settled(embedded, score)


def assert_settled(out: Path, score: dict[str, Any]) -> None:
    """Two items on one paid receipt; the one that was put back is not on it."""
    (receipt,) = json.loads((out / "receipts.json").read_text())
    assert receipt["lines"] == {"2000128906503": 1, "2000476946503": 1}
    assert receipt["receipt"]["TransactionStatus"] == "Finished"
    assert (score["items"], score["sales"], score["exact_receipt_rate"], score["item_f1"]) == (4, 2, 1.0, 1.0)
    assert score["floor"]["idf1"] > 0.85
    assert score["time_to_receipt_s"]["p95"] < 30


def test_three_shoppers_in_edge_fidelity_get_their_receipts(tmp_path: Path) -> None:
    score = run(RunRequest(QUIET, seed=33, fidelity="edge", out=tmp_path / "run"))
    assert score["shoppers"] == 3
    assert score["item_f1"] >= 0.95
    assert score["overcharge"] <= 0.1
    carts = [p for p in read_feed(tmp_path / "run" / "feed.mcap") if topics.find(p.topic)[0] is topics.CART]  # type: ignore[index]
    assert len(carts) >= score["items"]


BEHIND_A_BACK = """
schema: 1
scenario: behind-a-back
store: {store}
seed: 3
script:
  - arrive_s: 3
    actions:
      - take: g2-2-b
      - take: g2-3-c
      - put_back: "2000284421001"
      - take: g2-1-d
      - take: g3-2-c
scales_off: [g2]
tail_s: 8
"""


def test_what_went_and_came_back_behind_a_back_is_doubted_and_the_rest_found(tmp_path: Path) -> None:
    """Only its shelf camera watches g2; an item of it goes back while its taker hides the shelf from that camera."""
    scenario = tmp_path / "behind-a-back.yaml"
    scenario.write_text(BEHIND_A_BACK.format(store=ROOT / "configs/stores/corner.yaml"))
    score = run(RunRequest(scenario, fidelity="edge", out=tmp_path / "run"))
    assert score["takes"]["g2"] == {"found": 2, "undone": 1, "doubted": 0, "missed": 0}
    assert score["takes"]["g3"] == {"found": 1, "undone": 0, "doubted": 0, "missed": 0}
    assert score["review_rate"] == pytest.approx(1 / 5)
    assert (score["exact_receipt_rate"], score["overcharge"]) == (1.0, 0.0)


@pytest.mark.timeout(420)
def test_pictures_become_a_settled_receipt(tmp_path: Path) -> None:
    from sims.devices.panda import RendererError, open_door

    try:
        open_door()
    except RendererError as error:
        pytest.skip(f"nothing draws pictures here: {error}")
    score = run(RunRequest(ONE_VISIT, seed=7, fidelity="frames", out=tmp_path / "run"))
    assert score["renderer"] in ("gpu", "egl", "software")
    assert_settled(tmp_path / "run", score)


BAD_SCENARIO = "schema: 1\nscenario: bad\nstore: {store}\n{line}\nshoppers: {{count: 1}}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["nowhere.yaml"], "nowhere.yaml: cannot be read", id="no such file"),
        pytest.param([str(ONE_VISIT), "--store", "nowhere.yaml"], "nowhere.yaml", id="no such store"),
        pytest.param([str(ONE_VISIT), "--broker", "mqtt://127.0.0.1:1"], "127.0.0.1:1", id="unreachable broker"),
        pytest.param([str(ONE_VISIT), "--broker", "what"], "what", id="not an address"),
        pytest.param([str(ONE_VISIT), "--fidelity", "blurry"], "blurry", id="impossible fidelity"),
        pytest.param([str(ONE_VISIT), "--seed", "-1"], "--seed", id="negative seed"),
        pytest.param([str(ONE_VISIT), "--seeds", "5-1"], "5-1", id="seeds backwards"),
        pytest.param([str(ONE_VISIT), "--seeds", "²"], "is not a range of seeds", id="no decimal digit"),
        pytest.param([str(ONE_VISIT), "--cameras-fps", "0"], "--cameras-fps", id="no frames"),
        pytest.param(["{bad:colour: red}"], "colour", id="unknown key"),
        pytest.param(["{bad:tail_s: -3}"], "tail_s", id="impossible value"),
        pytest.param(["{bad:scales_off: [g9]}"], "g9", id="a scale that is not there"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if arguments[0].startswith("{bad:"):
        bad = tmp_path / "bad.yaml"
        line = arguments[0][5:-1]
        bad.write_text(BAD_SCENARIO.format(store=ROOT / "configs/stores/corner.yaml", line=line))
        arguments = [str(bad), *arguments[1:]]
    code = tell(["sim", "run", *arguments, "--json", "--out", str(tmp_path / "out")])
    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    assert says in shown.err
    assert len(shown.err.strip().splitlines()) == 1
    assert not [path for path in tmp_path.iterdir() if path.name != "bad.yaml"]


def test_missing_weights_are_named_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"vision: {{detector: {tmp_path / 'nowhere'}}}\n")
    out = tmp_path / "out"
    command = ["sim", "run", str(ONE_VISIT), "--fidelity", "frames", "--out", str(out), "--settings", str(settings)]
    assert tell(command) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "nowhere" in line
    assert "weights are missing" in line
    assert [path.name for path in tmp_path.iterdir()] == ["settings.yaml"]
