"""Scenario documents: what is right is read, what is wrong is named with file and key."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import jsonschema
import pytest
import yaml

from sims.building import Building, load_building
from sims.casting import draw_plans
from sims.errands import PutItemBack, TakeItems
from sims.scenario import Scenario, ScenarioError, load_scenario, scenario_schema
from tests.sims.playing import SCENARIOS

Make = Callable[[Mapping[str, object]], Scenario]


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_scenario_fits_its_store(path: Path) -> None:
    scenario = load_scenario(path)
    assert scenario.scenario == path.stem
    scenario.check(load_building(scenario.store))


def test_the_schema_for_editors_is_the_one_in_force() -> None:
    path = SCENARIOS / "scenario.schema.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(scenario_schema())), (
        f"write json.dumps(scenario_schema(), indent=2) to {path}"
    )


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_scenario_is_valid_by_the_schema(path: Path) -> None:
    document = json.loads(json.dumps(yaml.safe_load(path.read_text()), default=lambda time: time.isoformat()))
    jsonschema.validate(document, scenario_schema())


HEAD = "schema: 1\nscenario: a\nstore: x.yaml\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(HEAD + "shoppers: {count: 1, itmes: 3}", "unknown key 'shoppers.itmes'", id="unknown key"),
        pytest.param(
            HEAD + "script: [{arrive_s: 1, actions: [{take: a, cnt: 1}]}]", "'script[0].actions[0].cnt'", id="in a list"
        ),
        pytest.param(HEAD + "shoppers: {count: 0}", "shoppers.count: input should be greater", id="impossible value"),
        pytest.param(HEAD + "shoppers: {count: 1, items: {min: 4, max: 3}}", "max 3 is less than min 4", id="crossed"),
        pytest.param(
            HEAD + "light: disco\nshoppers: {count: 1}", "light: input should be 'shipped', ", id="no such light"
        ),
        pytest.param(
            HEAD + "shoppers: {count: 1, arrivals: {times_s: []}}", "arrivals.times_s: tuple should have", id="no times"
        ),
        pytest.param(HEAD, "either shoppers", id="nobody comes"),
        pytest.param(HEAD + "shoppers: {count: 1}\nscript: []", "either shoppers", id="two casts"),
        pytest.param("scenario: a\nstore: x\nshoppers: {count: 1}", "'schema' is missing", id="missing key"),
        pytest.param(HEAD + "start: tomorrow\nshoppers: {count: 1}", "start: ", id="not a time"),
        pytest.param("a: [", "not YAML", id="not yaml"),
        pytest.param("- 1", "not a document", id="a list"),
    ],
)
def test_one_line_names_file_and_key(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as error:
        load_scenario(path)
    assert str(error.value).startswith(f"{path}: ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_one_line() -> None:
    with pytest.raises(
        ScenarioError, match=r"^nowhere.yaml: cannot be read \(No such file or directory\); check the path$"
    ):
        load_scenario("nowhere.yaml")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"shoppers": {"count": 1}, "scales_off": ["g9"]}, r"scales_off\[0\]: 'g9' is not in store corner"),
        ({"shoppers": {"count": 1}, "cameras_off": ["g1"]}, r"cameras_off\[0\]: 'g1'"),
        ({"shoppers": {"count": 1}, "clock_offsets_s": {"c9": 0.1}}, "clock_offsets_s.c9"),
        ({"shoppers": {"count": 1, "items": {"fixture": "t1", "share": 0.5}}}, "shoppers.items.fixture: 't1'"),
        ({"script": [{"arrive_s": 1, "actions": [{"take": "bread"}]}]}, r"script\[0\].actions\[0\].take: 'bread'"),
    ],
)
def test_things_the_store_does_not_have_are_named(corner: Building, scenario: Make, keys: dict, told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        scenario(keys).check(corner)


def test_a_script_cannot_put_back_what_nobody_holds(corner: Building, scenario: Make) -> None:
    sku = corner.facings["g1-1-a"].sku
    script = [{"arrive_s": 1, "actions": [{"take": sku}, {"put_back": sku}, {"put_back": sku}]}]
    with pytest.raises(ScenarioError, match=r"actions\[2\].put_back: .* is not held by then"):
        draw_plans(scenario({"script": script}), corner, 1, [0])


def test_quiet_shoppers_want_about_ten_items_and_undo_two(corner: Building) -> None:
    quiet = load_scenario(SCENARIOS / "corner-quiet.yaml")
    for seed in range(1, 21):
        errands = [errand for plan in draw_plans(quiet, corner, seed, range(8)) for errand in plan.errands]
        takes = [errand for errand in errands if isinstance(errand, TakeItems)]
        later = [errand for errand in errands if isinstance(errand, PutItemBack)]
        assert 9 <= sum(take.count for take in takes) <= 12
        assert len(later) + sum(take.put_back_at_once is not None for take in takes) == 2
        assert all(undo.facing == undo.source for undo in later)


def test_the_unweighed_gondola_gets_its_share_of_takes(corner: Building) -> None:
    unweighed = load_scenario(SCENARIOS / "corner-quiet-unweighed.yaml")
    for seed in range(1, 21):
        errands = [errand for plan in draw_plans(unweighed, corner, seed, range(8)) for errand in plan.errands]
        takes = [take for take in errands if isinstance(take, TakeItems) and take.facing.startswith("g2-")]
        assert sum(take.count for take in takes) >= 4


def test_one_more_shopper_leaves_the_palms_and_paces_of_the_others_alone(corner: Building, scenario: Make) -> None:
    three, four = (draw_plans(scenario({"shoppers": {"count": n}}), corner, 5, range(8)) for n in (3, 4))
    for before, after in zip(three, four, strict=False):
        assert before.speed_m_s == after.speed_m_s
        assert (before.palm == after.palm).all()
