"""Shelves as they really are: things that are no goods, goods in each other's place, staff who fill up."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sims.arrangement import arranged, foreign
from sims.building import Building, Fixture
from sims.scenario import Scenario, ScenarioError
from sims.truth import TrueForeign, TrueVisit
from tests.sims.playing import play, world
from tests.sims.test_script import shelf_weights, weights_only, when

Make = Callable[[Mapping[str, object]], Scenario]


@pytest.mark.parametrize("seed", [1, 401])
def test_a_phone_on_a_shelf_weighs_until_it_is_picked_up_and_is_nobodys_sale(
    corner: Building, scenario: Make, tmp_path: Path, seed: int
) -> None:
    actions = [{"leave": 188.0, "at": "g1-2-c"}, {"pause_s": 4}, {"pick_up": "g1-2-c"}]
    run = play(corner, scenario(weights_only(corner, actions)), tmp_path, seed)
    left, picked = run.truth.foreign
    assert [(r.kind, r.person, r.facing, r.grams) for r in (left, picked)] == [
        ("left", "anna", "g1-2-c", 188.0), ("picked_up", "anna", "g1-2-c", 188.0),
    ]  # fmt: skip
    t_s, grams = shelf_weights(run, corner, "g1-2")
    total, at_s, until_s = grams.sum(axis=1), *((r.t_ns - run.truth.start_ns) / 1e9 for r in (left, picked))
    assert np.median(total[(t_s > at_s + 1) & (t_s < until_s - 1.0)]) == pytest.approx(188, abs=25)
    assert np.median(total[t_s > until_s + 2]) == pytest.approx(0, abs=25)
    assert run.truth.changes == ()
    assert run.truth.visits[0].lines == {}


@pytest.mark.parametrize("seed", [1, 401])
def test_who_forgets_a_phone_does_not_pay_for_it_and_the_next_one_may_take_it(
    corner: Building, scenario: Make, seed: int
) -> None:
    script = [
        {"arrive_s": 1, "name": "anna", "actions": [{"leave": 188.0, "at": "g1-2-c"}]},
        {"arrive_s": 25, "name": "ben", "actions": [{"take": "g1-2-b"}, {"pick_up": "g1-2-c"}]},
    ]
    place = world(corner, scenario({"script": script}), seed)
    records = []
    while not place.empty:
        records += place.step().records
    assert [(r.kind, r.person) for r in records if isinstance(r, TrueForeign)] == [
        ("left", "anna"), ("picked_up", "ben"),
    ]  # fmt: skip
    assert {r.person: r.lines for r in records if isinstance(r, TrueVisit)} == {
        "anna": {}, "ben": {corner.facings["g1-2-b"].sku: 1},
    }  # fmt: skip
    assert not any(foreign(column[-1]) for columns in place.stock.view.values() for column in columns if column)


def test_shelf_cameras_see_the_phone_and_cannot_name_it(corner: Building, scenario: Make, tmp_path: Path) -> None:
    watched = {fixture for camera in corner.cameras.values() for fixture in camera.watches}
    facing = next(f.id for f in corner.facings.values() if f.fixture in watched and f.shelf.endswith("-2"))
    script = [{"arrive_s": 0.5, "name": "anna", "actions": [{"leave": 188.0, "at": facing}]}]
    run = play(corner, scenario({"script": script, "tail_s": 12, "scales_off": ["g1", "g2"]}), tmp_path, seed=401)
    assert all(b"foreign" not in packet.payload for packet in run.packets), "the truth is not on the wire"
    changed = [
        seen
        for message in run.of("facings")
        for seen in message.message.facings
        if seen.facing == facing and seen.change > 0.4
    ]
    assert changed, "something is there that was not"
    assert max(max(seen.scores.values(), default=0.0) for seen in changed) < 0.95


@pytest.mark.parametrize("seed", [1, 401])
def test_staff_fill_up_a_shelf_and_nobody_pays(corner: Building, scenario: Make, tmp_path: Path, seed: int) -> None:
    story = weights_only(corner, [{"restock": "g1-2-b", "count": 3}], fill=0.5)
    story["script"] = [{**story["script"][0], "staff": True}]  # type: ignore[index]
    run = play(corner, scenario(story), tmp_path, seed)
    assert [(c.kind, c.person, c.visit, c.role, c.facing) for c in run.truth.changes] == [
        ("put_back", "anna", "", "staff", "g1-2-b")
    ] * 3
    t_s, grams = shelf_weights(run, corner, "g1-2")
    brought = sum(change.grams for change in run.truth.changes)
    total = grams.sum(axis=1)
    assert np.median(total[t_s > when(run.truth.changes[-1], run) + 2]) == pytest.approx(brought, abs=40)
    assert run.truth.visits == ()
    assert [(guest.role, guest.lines) for guest in run.truth.guests] == [("staff", {})]


@pytest.mark.parametrize("seed", [1, 401])
def test_swapped_goods_weigh_and_look_like_what_really_stands_there(
    corner: Building, scenario: Make, tmp_path: Path, seed: int
) -> None:
    tomatoes, beans = corner.facings["g1-2-b"].sku, corner.facings["g2-2-a"].sku
    story = weights_only(corner, [{"take": "g1-2-b"}], planogram_swaps=[["g1-2-b", "g2-2-a"]])
    run = play(corner, scenario(story), tmp_path, seed)
    (take,) = run.truth.changes
    assert (take.facing, take.sku) == ("g1-2-b", beans)
    assert take.grams == pytest.approx(corner.items[beans].grams, abs=4 * corner.items[beans].grams_sigma + 0.1)
    assert run.truth.visits[0].lines == {beans: 1}
    place = world(corner, scenario(story), seed)
    assert place.scene().stock["g2-2-a"][0][0] == tomatoes
    assert corner.facings["g1-2-b"].sku == tomatoes, "the document knows nothing of it"


def test_a_store_without_surprises_is_left_as_it_is(corner: Building, scenario: Make) -> None:
    assert arranged(corner, scenario({"shoppers": {"count": 1}})) is corner


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"planogram_swaps": [["g1-1-a", "g9"]]}, r"planogram_swaps\[0\]\[1\]: 'g9' is not in store"),
        ({"planogram_swaps": [["g1-1-a", "g3-3-a"]]}, r"planogram_swaps\[0\]: .* is too large for facing g3-3-a"),
        ({"script": [{"arrive_s": 1, "actions": [{"restock": "g1-1-a"}]}]}, "restock is for staff"),
        ({"script": [{"arrive_s": 1, "actions": [{"leave": 100.0, "at": "desk"}]}]}, r"actions\[0\].at: 'desk'"),
        ({"script": [{"arrive_s": 1, "actions": [{"leave": 1.0, "at": "g1-1-a"}]}]}, r"leave: input should be greater"),
    ],
)
def test_what_does_not_fit_is_one_line(corner: Building, scenario: Make, tmp_path: Path, keys: dict, told: str) -> None:
    low = replace(corner, fixtures={**corner.fixtures, "g3": lowered(corner)})
    with pytest.raises(ScenarioError, match=told):
        play(low, scenario({"script": [], **keys}), tmp_path)


def lowered(corner: Building) -> Fixture:
    """Gondola g3 with hardly any air over its topmost shelf."""
    *rest, top = corner.fixtures["g3"].shelves
    return replace(corner.fixtures["g3"], shelves=(*rest, replace(top, clear_m=0.05)))
