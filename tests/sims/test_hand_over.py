"""Items that change hands or lie on the floor: both hands are there, and who leaves with an item pays for it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sims.bodies.library import BodyLibrary
from sims.building import Building
from sims.devices.renderer import Renderer
from sims.scenario import Scenario, ScenarioError
from sims.scene import Dropped, Scene
from sims.stick import StickFigures
from sims.truth import TrueChange, TrueDrop, TrueHandOver, TrueVisit
from sims.world import World
from tests.sims.playing import Palms, play, world

Make = Callable[[Mapping[str, object]], Scenario]

TEA, COFFEE = "g3-2-c", "g3-2-a"


def two(corner: Building, anna: list[dict], ben: list[dict], **keys: object) -> dict[str, object]:
    script = [
        {"arrive_s": 1, "name": "anna", "body": 1, "actions": anna},
        {"arrive_s": 4, "name": "ben", "body": 2, "actions": ben},
    ]
    return {"script": script, **keys}


def lived(place: World) -> list[object]:
    """Everything that became true until everybody had left."""
    records: list[object] = []
    while not place.empty:
        records += place.step().records
        assert place.t_s < 200
    return records


def owed(records: list[object]) -> dict[str, dict[str, int]]:
    return {r.person: r.lines for r in records if isinstance(r, TrueVisit)}


@pytest.mark.parametrize("seed", [1, 401])
def test_two_hands_meet_around_the_item_for_a_second_or_two(
    corner: Building, scenario: Make, library: BodyLibrary, seed: int
) -> None:
    tea = corner.facings[TEA].sku
    story = scenario(two(corner, [{"take": TEA}, {"hand_over": tea, "to": "ben"}], [{"touch": "g2-2-a"}]))
    palms = Palms()
    place = World(corner, story, seed, library, palms.scan, palms.enrol)
    near, handed = [], []
    while not place.empty:
        handed += [r for r in place.step().records if isinstance(r, TrueHandOver)]
        if {"anna", "ben"} <= place.bodies.keys():
            one, other = (place.bodies[name] for name in ("anna", "ben"))
            if place.shoppers[0].hands.palm and place.shoppers[1].hands.palm:
                active = [library.hands(b)[0 if b.left_active else 1] for b in (one, other)]
                if math.dist(*active) < 0.22:
                    near.append(place.t_s)
    (over,) = handed
    assert (over.person, over.to, over.visit, over.to_visit, over.sku) == ("anna", "ben", "v01", "v02", tea)
    assert 0.7 < near[-1] - near[0] < 2.6
    assert near[0] < (over.t_ns - place.scenario.start_ns) / 1e9 < near[-1]


@pytest.mark.parametrize("seed", [1, 401])
def test_who_leaves_with_an_item_pays_for_it(corner: Building, scenario: Make, seed: int) -> None:
    tea = corner.facings[TEA].sku
    story = scenario(two(corner, [{"take": TEA}, {"hand_over": tea, "to": "ben"}], [{"touch": "g2-2-a"}]))
    assert owed(lived(world(corner, story, seed))) == {"anna": {}, "ben": {tea: 1}}


@pytest.mark.parametrize("seed", [1, 2, 401])
def test_two_shoppers_exchange_items_whoever_is_ready_first(corner: Building, scenario: Make, seed: int) -> None:
    tea, coffee = corner.facings[TEA].sku, corner.facings[COFFEE].sku
    anna = [{"take": TEA}, {"hand_over": tea, "to": "ben"}]
    ben = [{"take": COFFEE}, {"hand_over": coffee, "to": "anna"}]
    assert owed(lived(world(corner, scenario(two(corner, anna, ben)), seed))) == {
        "anna": {coffee: 1}, "ben": {tea: 1},
    }  # fmt: skip


@pytest.mark.parametrize("seed", [1, 401])
def test_an_item_goes_round_three_and_back_to_its_shelf(corner: Building, scenario: Make, seed: int) -> None:
    tea = corner.facings[TEA].sku
    script = [
        {"arrive_s": 1, "name": "anna", "actions": [{"hand_over": tea, "to": "ben"}]},
        {"arrive_s": 6, "name": "ben", "actions": [{"put_back": tea}]},
        {"arrive_s": 11, "name": "carl", "actions": [{"take": TEA}, {"hand_over": tea, "to": "anna"}]},
    ]
    records = lived(world(corner, scenario({"script": script}), seed))
    assert [(r.person, r.to) for r in records if isinstance(r, TrueHandOver)] == [("carl", "anna"), ("anna", "ben")]
    assert [(r.person, r.kind) for r in records if isinstance(r, TrueChange)] == [("carl", "take"), ("ben", "put_back")]
    assert set(map(str, owed(records).values())) == {"{}"}


def test_somebody_whom_the_gate_does_not_know_gets_nothing(corner: Building, scenario: Make) -> None:
    tea, palms = corner.facings[TEA].sku, Palms()
    story = scenario(two(corner, [{"take": TEA}, {"hand_over": tea, "to": "ben"}], []))
    known = iter([True])
    place = World(
        corner, story, 1, StickFigures(), lambda palm, n, t: palms.scan(palm, n, t) if next(known, False) else None,
        palms.enrol,
    )  # fmt: skip
    assert owed(lived(place)) == {"anna": {tea: 1}}


@pytest.mark.parametrize("seed", [1, 401])
def test_what_is_left_on_the_floor_is_seen_there_and_paid_by_nobody(
    corner: Building, scenario: Make, seed: int
) -> None:
    tea, coffee = corner.facings[TEA].sku, corner.facings[COFFEE].sku
    place = world(corner, scenario(two(corner, [{"take": TEA}, {"take": COFFEE}, {"drop": tea}], [])), seed)
    records = lived(place)
    (drop,) = [r for r in records if isinstance(r, TrueDrop)]
    assert (drop.person, drop.sku, drop.home) == ("anna", tea, TEA)
    (lying,) = place.scene().dropped
    assert (lying.sku, round(lying.x_m, 3), round(lying.y_m, 3)) == (tea, drop.x_m, drop.y_m)
    assert owed(records)["anna"] == {coffee: 1}
    for fixture in corner.fixtures.values():
        u_m, v_m, _ = fixture.to_local((drop.x_m, drop.y_m, 0.0))
        assert not (0 < u_m < fixture.width_m and 0 < v_m < fixture.depth_m), f"in the middle of {fixture.id}"


def test_pictures_show_what_lies_on_the_floor_as_long_as_it_lies_there(corner: Building, renderer: Renderer) -> None:
    empty = Scene(0, (), corner.full_stock())
    lying = Dropped(corner.facings["g2-1-c"].sku, 1.6, 4.5, 0.0)
    spec = corner.cameras["c1"]
    before = renderer.render(empty, "c1").astype(int)
    with_it = renderer.render(replace(empty, dropped=(lying,)), "c1").astype(int)
    rows, columns = np.nonzero(np.abs(with_it - before).max(axis=2) > 25)
    x_px, y_px = spec.project(np.array([(lying.x_m, lying.y_m, 0.12)]))[0]
    assert len(rows) > 20
    assert abs(np.median(columns) - x_px) < 12
    assert abs(np.median(rows) - y_px) < 12
    assert (renderer.render(empty, "c1") == before).all()


@pytest.mark.parametrize(
    ("anna", "ben", "told"),
    [
        ([{"hand_over": "SKU", "to": "ben"}], [], r"script\[0\].actions\[0\].hand_over: .* is not held by then"),
        ([{"take": "SKU"}, {"hand_over": "SKU", "to": "eve"}], [], r"actions\[1\].to: 'eve' is no other shopper"),
        ([{"take": "SKU"}, {"hand_over": "SKU", "to": "ben"}, {"drop": "SKU"}], [], r"actions\[2\].drop: .* not held"),
        ([{"take": "SKU"}], [{"drop": "SKU"}], r"script\[1\].actions\[0\].drop: .* is not held by then"),
    ],
)
def test_nobody_hands_over_what_they_do_not_have(
    corner: Building, scenario: Make, tmp_path: Path, anna: list, ben: list, told: str
) -> None:
    tea = corner.facings[TEA].sku
    written = [[{k: tea if v == "SKU" else v for k, v in action.items()} for action in part] for part in (anna, ben)]
    with pytest.raises(ScenarioError, match=told):
        play(corner, scenario(two(corner, *written)), tmp_path)
