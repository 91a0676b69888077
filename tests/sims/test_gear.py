"""What people shop with: it hangs where hands hold it, hides what is behind it, and leaves joints and bytes exact."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sims.bodies.gear import KINDS, placed
from sims.bodies.library import BodyLibrary
from sims.bodies.skeleton import COCO_JOINTS
from sims.building import Building
from sims.customs import LEFT_M, standing_place
from sims.devices.look import PRESETS, Look
from sims.devices.renderer import Renderer
from sims.hands import Hands
from sims.lab.scenes import Cast, random_scene
from sims.scene import BodyState, Gear, Scene
from sims.wheels import Wheels

JOINT = {name: number for number, name in enumerate(COCO_JOINTS)}
GROWN, CHILD = (0, 1, 9, 14), 4


def shopper(body: int = 0, gear: Gear | None = None, **changes: object) -> BodyState:
    rest = BodyState("anna", body, 3, 1.6, 4.0, -2.0, 0.0, 0.0, gear=gear)
    return replace(rest, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [*GROWN, CHILD])
def test_gear_changes_nothing_but_the_arms_that_carry_it(library: BodyLibrary, kind: str, body: int) -> None:
    free, laden = library.joints(shopper(body)), library.joints(shopper(body, Gear(kind)))
    arms = [JOINT[f"{side}_{joint}"] for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist")]
    rest = [joint for joint in range(17) if joint not in arms]
    np.testing.assert_allclose(laden[rest], free[rest], atol=1e-9)
    state = shopper(body, Gear(kind))
    vertices = library.vertices(state)
    for side in ("left", "right"):
        wrist = laden[JOINT[f"{side}_wrist"]]
        assert np.linalg.norm(vertices - wrist, axis=1).min() < 0.06, side


@pytest.mark.parametrize("body", [*GROWN, CHILD])
def test_a_basket_hangs_from_the_left_hand_and_clears_the_floor(library: BodyLibrary, body: int) -> None:
    state = shopper(body, Gear("basket"))
    palms = library.hands(state)
    where = placed(state, library.joints(state), palms, library.height_m(body))
    assert where is not None
    assert np.hypot(*(where.origin_m - palms[0])[:2]) < 0.01
    assert 0 < where.origin_m[2] < palms[0][2]


def test_both_palms_lie_on_the_handle_of_a_trolley(library: BodyLibrary) -> None:
    for body in (*GROWN, CHILD):
        state = shopper(body, Gear("trolley"), speed_m_s=0.8, gait_phase=0.3)
        palms = library.hands(state)
        where = placed(state, library.joints(state), palms, library.height_m(body))
        assert where is not None
        ahead = np.array([math.cos(state.heading_rad), math.sin(state.heading_rad)])
        for palm in palms:
            assert (where.origin_m - palm)[:2] @ ahead == pytest.approx(0.31 * where.scale, abs=0.05), body
            assert palm[2] == pytest.approx(0.92 * where.scale, abs=0.05), body


@pytest.mark.parametrize("kind", [None, "tote", "roller", "trolley"])
def test_the_left_hand_gets_to_the_shelf_whatever_stands_beside(library: BodyLibrary, kind: str | None) -> None:
    gear = None if kind is None else Gear(kind, (), (2.2, 4.5, 1.0), gripped=False)
    for body in GROWN:
        for z in (0.45, 0.9, 1.3):
            target = (1.6 + 0.45 * math.cos(-2.0), 4.0 + 0.45 * math.sin(-2.0), z)
            state = shopper(body, gear, left_hand_m=target, left_active=True, held=("x",))
            assert np.linalg.norm(library.hands(state)[0] - target) < 0.03


def test_what_is_on_the_left_is_for_the_left_hand_unless_it_carries_a_basket(corner: Building) -> None:
    def takes_left(goal: tuple[float, float, float], left_handed: bool, gear: str = "") -> bool:
        hands = Hands(corner, 1.7, 0.8, 1 / 60, gear)
        hands.choose(goal, left_handed)
        return hands.left_active

    left, ahead, right = (1.0, 0.3, 1.0), (1.0, 0.0, 1.0), (1.0, -0.3, 1.0)
    assert takes_left(left, left_handed=False)
    assert not takes_left(ahead, left_handed=False)
    assert takes_left(ahead, left_handed=True)
    assert not takes_left(right, left_handed=True)
    assert not takes_left(left, left_handed=True, gear="basket")


def test_left_handed_people_stand_a_little_to_the_right_of_what_they_take(corner: Building) -> None:
    facing, random = corner.facings["g1-1-a"], np.random.default_rng(1)
    fixture, middle = corner.fixtures[facing.fixture], facing.offset_m + facing.width_m / 2
    for left_handed, aside_m in ((False, -LEFT_M), (True, LEFT_M)):
        places = [standing_place(corner, facing, 0.45, (), random, left_handed) for _ in range(50)]
        assert np.mean([fixture.to_local((*place, 0.0))[0] - middle for place in places]) == pytest.approx(
            aside_m, abs=0.03
        )


def test_the_other_hand_helps_beside_the_active_one_and_hangs_apart_from_it(corner: Building) -> None:
    hands = Hands(corner, 1.7, 0.8, 1 / 60)
    hands.palm = (0.5, -0.1, 1.1)
    assert (hands.right, hands.left) == (hands.palm, None)
    hands.both = True
    assert hands.right == hands.palm
    assert hands.left == pytest.approx((0.5, 0.05, 1.1)), "holds on, a little to the left"
    hands.palm = (0.05, -0.2, 0.46 * 1.7)
    assert hands.left == pytest.approx((0.05, 0.2, 0.46 * 1.7)), "at rest on the other side of the body"


def test_a_basket_before_the_leg_covers_the_knee(renderer: Renderer, corner: Building, library: BodyLibrary) -> None:
    spec = corner.cameras["c1"]
    covered = 0
    for turn in np.linspace(-math.pi, math.pi, 12, endpoint=False):
        bare, laden = (shopper(0, gear, heading_rad=float(turn)) for gear in (None, Gear("basket")))
        before = renderer.render_labelled(Scene(0, (bare,), corner.full_stock()), spec)[1][0]
        after = renderer.render_labelled(Scene(0, (laden,), corner.full_stock()), spec)[1][0]
        legs = [JOINT[name] for name in ("left_hip", "right_hip", "left_knee", "right_knee")]
        covered += int(((before.visibility[legs] == 2) & (after.visibility[legs] == 1)).sum())
        assert not ((before.visibility[legs] == 1) & (after.visibility[legs] == 2)).any()
        assert after.visible <= before.visible + 0.05
        np.testing.assert_allclose(after.joints_px, spec.project(library.joints(laden)), atol=1e-6)
    assert covered > 0


@pytest.mark.parametrize("kind", ["basket", "trolley"])
def test_goods_that_lie_in_gear_are_seen_from_the_ceiling(renderer: Renderer, corner: Building, kind: str) -> None:
    skus = tuple(list(corner.items)[:6])
    empty, full = (
        renderer.render(Scene(0, (shopper(0, Gear(kind, goods)),), corner.full_stock()), "c1").astype(int)
        for goods in ((), skus)
    )
    assert (np.abs(full - empty).max(axis=2) > 12).sum() > 30


def test_gear_goods_and_shadows_are_drawn_the_same_again(corner: Building, library: BodyLibrary) -> None:
    cast = Cast(tuple(range(library.count)), (0, 100), tuple(library.height_m(i) for i in range(library.count)))
    scenes = [random_scene(corner, cast, np.random.default_rng(seed)) for seed in (21, 22, 23)]
    assert any(state.gear for scene in scenes for state in scene.people)
    films = []
    for _ in range(2):
        renderer = Renderer(corner, Look.shipped(), library)
        films.append([renderer.render(scene, camera).tobytes() for scene in scenes for camera in ("c1", "s3")])
        renderer.close()
    assert films[0] == films[1]


def test_a_store_has_lights_of_several_names_and_refuses_others_in_one_line() -> None:
    looks = {name: Look.preset(name) for name in PRESETS}
    assert looks["shipped"] == Look.shipped()
    assert len({(look.lamps, look.sky) for look in looks.values()}) == len(PRESETS)
    assert sum(looks["dim"].sky) < sum(looks["shipped"].sky)
    with pytest.raises(ValueError, match="light 'disco': not known; use one of shipped, day") as caught:
        Look.preset("disco")
    assert "\n" not in str(caught.value)


def test_the_floor_is_darker_beside_somebody_and_nowhere_far_away(renderer: Renderer, corner: Building) -> None:
    if renderer.kind == "software":
        pytest.skip("this renderer draws no shadows")
    spec, state = corner.cameras["c1"], shopper(0)
    empty = renderer.render(Scene(0, (), corner.full_stock()), spec).astype(int)
    there = renderer.render(Scene(0, (state,), corner.full_stock()), spec).astype(int)
    near = spec.project(np.array([[1.6 + dx, 4.0 + dy, 0.0] for dx in (-0.25, 0.25) for dy in (-0.25, 0.25)]))
    far = spec.project(np.array([[4.2, 1.0, 0.0]]))
    darker = [empty[int(y), int(x)].mean() - there[int(y), int(x)].mean() for x, y in near]
    assert max(darker) > 8
    assert all(np.array_equal(empty[int(y), int(x)], there[int(y), int(x)]) for x, y in far)


def test_a_roller_follows_and_a_trolley_stays_out_of_fixtures(corner: Building) -> None:
    for kind in ("roller", "trolley"):
        wheels, x, y = Wheels(corner, kind, 1.75), 1.6, 1.2
        for step in range(300):
            heading = math.pi / 2 if step < 200 else math.pi
            x, y = (x, y + 0.015) if step < 200 else (max(0.95, x - 0.015), y)
            gx, gy, _ = wheels.follow((x, y), heading, 0.9, 1 / 60)
            assert 0.3 < math.dist((gx, gy), (x, y)) < 0.75
        for fixture in corner.fixtures.values():
            u, v, _ = fixture.to_local((gx, gy, 0.0))
            assert not (0 < u < fixture.width_m and 0 < v < fixture.depth_m), kind


def test_the_scenes_of_the_labelled_set_show_crowds_gear_and_left_hands(corner: Building, library: BodyLibrary) -> None:
    cast = Cast(tuple(range(library.count)), (0, 100), tuple(library.height_m(i) for i in range(library.count)))
    rng = np.random.default_rng(200)
    scenes = [random_scene(corner, cast, rng) for _ in range(150)]
    people = [state for scene in scenes for state in scene.people]
    assert max(len(scene.people) for scene in scenes) >= 7
    assert {state.gear.kind for state in people if state.gear} == set(KINDS)
    assert sum(state.left_active for state in people) > 10
    assert sum(bool(state.left_hand_m and state.right_hand_m) for state in people) > 10
