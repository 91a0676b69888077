"""Error models of edge cameras as documents: valid by their schema, or one line."""

import json
import math
from pathlib import Path

import jsonschema
import pytest
import yaml

from sims.building import Building
from sims.devices.cameras import EdgeCameras
from sims.devices.edge_model import FOLDER, EdgeModelError, edge_schema, load_edge_model
from sims.scenario import load_scenario
from sims.stick import StickFigures


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_model_is_valid_by_the_schema(path: Path) -> None:
    assert load_edge_model(path).name == path.stem
    jsonschema.validate(json.loads(json.dumps(yaml.safe_load(path.read_text()))), edge_schema())


def test_the_schema_for_editors_is_the_one_in_force() -> None:
    path = FOLDER / "edge.schema.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(edge_schema())), (
        f"write json.dumps(edge_schema(), indent=2) to {path}"
    )


SHIPPED_TEXT = (FOLDER / "perfect.yaml").read_text()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a document with keys"),
        ("a: [", "not YAML"),
        (SHIPPED_TEXT.replace("memory_s: 0.7", "memory_s: -1"), "finding.memory_s: input should be greater than 0"),
        (SHIPPED_TEXT.replace("most: 1.0", "mostly: 1.0"), "people.finding.mostly: extra inputs"),
        (SHIPPED_TEXT.replace("score_least: 0.2", "score_least: 0.99"), "score_least must be less than score_most"),
        (SHIPPED_TEXT.replace("[0.7, 0.99]", "[0.99, 0.7]"), "sure_first: 0.99 is more than 0.7"),
    ],
    ids=["empty", "not yaml", "negative memory", "unknown key", "scores swapped", "range swapped"],
)  # fmt: skip
def test_a_model_that_is_wrong_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(text)
    with pytest.raises(EdgeModelError) as error:
        load_edge_model(path)
    assert str(path) in str(error.value)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_scenario_can_name_its_model(tmp_path: Path, corner: Building) -> None:
    (tmp_path / "a.yaml").write_text(
        "schema: 1\nscenario: a\nstore: x.yaml\nedge: models/none.yaml\nscript: [{arrive_s: 1}]\n"
    )
    scenario = load_scenario(tmp_path / "a.yaml")
    assert scenario.edge_file == tmp_path / "models/none.yaml"
    with pytest.raises(EdgeModelError, match="cannot be read"):
        EdgeCameras(corner, scenario, 1, StickFigures(), None)


def test_errors_can_be_larger_and_mistakes_more_frequent_than_was_measured() -> None:
    model = load_edge_model()
    worse = model.times(1.5)
    assert worse.facings.missed / (1 - worse.facings.missed) == pytest.approx(
        1.5 * model.facings.missed / (1 - model.facings.missed)
    )
    for state in ("seen", "covered"):
        before, after = (getattr(m.people.joints, state).grows.base for m in (model, worse))
        assert after - before == pytest.approx(math.log(1.5))
    assert worse.people.finding.chance.base < model.people.finding.chance.base
    assert model.times(1.0) is model


def test_errors_may_be_as_much_larger_as_a_scenario_may_say(tmp_path: Path, corner: Building) -> None:
    (tmp_path / "a.yaml").write_text(
        "schema: 1\nscenario: a\nstore: x.yaml\nedge_errors: 10\nscript: [{arrive_s: 1}]\n"
    )
    EdgeCameras(corner, load_scenario(tmp_path / "a.yaml"), 1, StickFigures(), None)
    model = load_edge_model()
    assert model.times(10.0).facings.fill_sigma_items == pytest.approx(10 * model.facings.fill_sigma_items)
