"""Articulated shoppers: a state goes in, and surface, joints and palms agree with it and each other."""

from __future__ import annotations

import ast
import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from sims.bodies.gait import stride_m
from sims.bodies.library import BodyLibrary
from sims.bodies.skeleton import COCO_JOINTS, REGION
from sims.scene import BodyState

JOINT = {name: number for number, name in enumerate(COCO_JOINTS)}
SIDES = ("left", "right")
TALL_MAN, WOMAN, CHILD, TEENAGER = 0, 1, 4, 7


def standing(body: int, **changes: object) -> BodyState:
    """Somebody at rest at the origin who looks along +x."""
    rest = BodyState("anna", body, 3, x_m=0.0, y_m=0.0, heading_rad=0.0, speed_m_s=0.0, gait_phase=0.0)
    return dataclasses.replace(rest, **changes)  # type: ignore[arg-type]


def reaching(body: int, hand: int, target: tuple[float, float, float]) -> BodyState:
    return standing(body, **{("left_hand_m", "right_hand_m")[hand]: target})


def test_there_are_people_of_all_sizes(library: BodyLibrary) -> None:
    heights = [library.height_m(body) for body in range(library.count)]
    assert library.count >= 24
    assert min(heights) == pytest.approx(1.1, abs=0.05)
    assert max(heights) == pytest.approx(2.0, abs=0.05)


def test_everybody_stands_on_the_floor_at_full_height_and_in_one_piece(library: BodyLibrary) -> None:
    for body in range(library.count):
        surface = library.surface(standing(body))
        faces = library.faces(body)
        assert abs(surface.vertices[:, 2].min()) < 0.012, body
        assert surface.vertices[:, 2].max() == pytest.approx(library.height_m(body), abs=0.07), body
        assert np.isfinite(surface.vertices).all()
        assert faces.min() == 0 and faces.max() == len(surface.vertices) - 1
        assert library.colours(body, 3).shape == surface.vertices.shape == surface.normals.shape
        lengths = np.linalg.norm(surface.normals, axis=1)
        assert np.median(lengths) == pytest.approx(1.0, abs=1e-3)


def test_left_is_left_and_front_is_front(library: BodyLibrary) -> None:
    for body in range(library.count):
        joints = library.joints(standing(body))
        for name in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
            assert joints[JOINT[f"left_{name}"], 1] > 0 > joints[JOINT[f"right_{name}"], 1], name
        assert joints[JOINT["nose"], 0] > joints[JOINT["left_ear"], 0]
        turned = library.joints(standing(body, heading_rad=math.pi / 2, x_m=2.0, y_m=3.0))
        np.testing.assert_allclose(turned[:, 0], 2.0 - joints[:, 1], atol=1e-9)
        np.testing.assert_allclose(turned[:, 1], 3.0 + joints[:, 0], atol=1e-9)


@pytest.mark.parametrize("body", [TALL_MAN, WOMAN, CHILD, TEENAGER, 14])
def test_joints_lie_where_the_drawn_body_is(library: BodyLibrary, body: int) -> None:
    state = dataclasses.replace(reaching(body, 1, (0.45, -0.15, 0.6)), speed_m_s=0.7, gait_phase=0.3)
    joints, vertices, regions = library.joints(state), library.vertices(state), library.regions(body)
    hands = vertices[regions == REGION["hand"]]
    for side in SIDES:
        wrist = joints[JOINT[f"{side}_wrist"]]
        assert np.linalg.norm(hands - wrist, axis=1).min() < 0.05
        ankle = joints[JOINT[f"{side}_ankle"]]
        assert np.linalg.norm(vertices[regions == REGION["shoe"]] - ankle, axis=1).min() < 0.08
    face = vertices[regions == REGION["face"]]
    assert np.linalg.norm(face - joints[JOINT["nose"]], axis=1).min() < 0.03
    eyes = vertices[np.isin(regions, [REGION["eyes"], REGION["pupils"]])]
    assert np.linalg.norm(eyes - joints[JOINT["left_eye"]], axis=1).min() < 0.03
    for joint in joints:
        assert np.linalg.norm(vertices - joint, axis=1).min() < 0.15


ADULTS = [0, 1, 2, 3, 9, 14, 19, 22]
SHELVES = [(z, out) for z in (0.2, 0.45, 0.8, 1.1, 1.4, 1.6) for out in (0.4, 0.55, 0.75)]


@pytest.mark.parametrize("body", ADULTS)
@pytest.mark.parametrize("hand", [0, 1], ids=SIDES)
def test_the_palm_gets_to_every_shelf(library: BodyLibrary, body: int, hand: int) -> None:
    for z, out in SHELVES:
        for aside in (-0.15, 0.0, 0.15):
            target = (out, aside, z)
            state = reaching(body, hand, target)
            assert np.linalg.norm(library.hands(state)[hand] - target) < 0.03, target
            assert library.vertices(state)[:, 2].min() > -0.02, target


@pytest.mark.parametrize("body", [0, 2, 9, 22])
def test_a_tall_person_takes_from_1_90_m(library: BodyLibrary, body: int) -> None:
    target = (0.6, -0.1, 1.9)
    assert np.linalg.norm(library.hands(reaching(body, 1, target))[1] - target) < 0.03


def test_a_child_reaches_the_middle_shelf_and_points_at_the_top_one(library: BodyLibrary) -> None:
    assert np.linalg.norm(library.hands(reaching(CHILD, 1, (0.4, -0.1, 0.8)))[1] - (0.4, -0.1, 0.8)) < 0.03
    top = np.array([0.4, -0.1, 1.8])
    state = reaching(CHILD, 1, (0.4, -0.1, 1.8))
    palm, elbow = library.hands(state)[1], library.joints(state)[JOINT["right_elbow"]]
    assert palm[2] > library.height_m(CHILD)
    along = (palm - elbow) / np.linalg.norm(palm - elbow)
    wanted = (top - elbow) / np.linalg.norm(top - elbow)
    assert along @ wanted > 0.9


def test_both_hands_hold_one_box(library: BodyLibrary) -> None:
    left, right = (0.5, 0.12, 0.7), (0.5, -0.12, 0.7)
    palms = library.hands(standing(WOMAN, left_hand_m=left, right_hand_m=right))
    np.testing.assert_allclose(palms, [left, right], atol=0.03)


def test_low_targets_are_met_by_bending_and_by_the_knees(library: BodyLibrary) -> None:
    upright = library.joints(standing(TALL_MAN))
    low = library.joints(reaching(TALL_MAN, 1, (0.5, -0.1, 0.25)))
    assert low[JOINT["nose"], 2] < upright[JOINT["nose"], 2] - 0.4
    assert low[JOINT["left_hip"], 2] < upright[JOINT["left_hip"], 2] - 0.2
    assert low[JOINT["left_knee"], 0] > upright[JOINT["left_knee"], 0] + 0.1


def test_a_hand_that_moves_smoothly_moves_the_body_smoothly(library: BodyLibrary) -> None:
    path = [(0.15 + 0.5 * s, -0.3 + 0.2 * s, 0.85 - 0.6 * s) for s in np.linspace(0, 1, 101)]
    joints = np.array([library.joints(reaching(TALL_MAN, 1, place)) for place in path])
    assert np.abs(np.diff(joints, axis=0)).max() < 0.05


def test_elbows_bend_down_and_not_through_the_body(library: BodyLibrary) -> None:
    for body in (TALL_MAN, WOMAN, CHILD):
        height = library.height_m(body)
        joints = library.joints(reaching(body, 1, (0.2 * height, -0.05, 0.68 * height)))
        elbow, shoulder, wrist = (joints[JOINT[f"right_{n}"]] for n in ("elbow", "shoulder", "wrist"))
        assert elbow[2] < max(shoulder[2], wrist[2])
        assert elbow[1] < joints[JOINT["right_hip"], 1] + 0.02


def test_what_is_held_is_carried_in_front_at_the_waist(library: BodyLibrary) -> None:
    empty, full = standing(TALL_MAN), standing(TALL_MAN, held=("4006381333931",))
    palm = library.hands(full)[1]
    assert palm[0] > library.hands(empty)[1][0] + 0.15
    assert 0.5 < palm[2] / library.height_m(TALL_MAN) < 0.72
    np.testing.assert_allclose(library.hands(full)[0], library.hands(empty)[0], atol=1e-9)
    both = library.hands(standing(TALL_MAN, held=("a", "b")))
    assert both[0, 2] == pytest.approx(both[1, 2], abs=0.02)


def test_the_walk_repeats_and_swings_arms_against_legs(library: BodyLibrary) -> None:
    def walk(phase: float) -> np.ndarray:
        return library.joints(standing(TALL_MAN, speed_m_s=1.1, gait_phase=phase))

    np.testing.assert_allclose(walk(0.0), walk(0.999999), atol=1e-3)
    start, half = walk(0.0), walk(0.5)
    ahead = {name: start[JOINT[name], 0] for name in ("left_ankle", "right_ankle", "left_wrist", "right_wrist")}
    assert ahead["left_ankle"] > ahead["right_ankle"] + 0.4
    assert ahead["right_wrist"] > ahead["left_wrist"] + 0.15
    assert half[JOINT["right_ankle"], 0] == pytest.approx(ahead["left_ankle"], abs=0.02)


@pytest.mark.parametrize("body", [TALL_MAN, WOMAN, CHILD])
def test_walking_feet_touch_the_floor_and_do_not_slide(library: BodyLibrary, body: int) -> None:
    speed, dt = 1.0, 0.02
    slides = []
    phase, x = 0.0, 0.0
    previous: np.ndarray | None = None
    for _ in range(100):
        state = standing(body, speed_m_s=speed, gait_phase=phase, x_m=x)
        vertices = library.vertices(state)
        assert -0.02 < vertices[:, 2].min() < 0.02
        ankles = library.joints(state)[[JOINT["left_ankle"], JOINT["right_ankle"]], 0]
        if previous is not None:
            slides.append(float(np.abs(ankles - previous).min()))
        previous = ankles
        x += speed * dt
        phase = (phase + speed * dt / stride_m(library.height_m(body), speed)) % 1.0
    assert np.median(slides) < 0.15 * speed * dt


def test_outfits_differ_by_seed_and_repeat(library: BodyLibrary) -> None:
    looks = {library.colours(TALL_MAN, seed).tobytes() for seed in range(20)}
    assert len(looks) == 20
    assert np.array_equal(BodyLibrary.load().colours(TALL_MAN, 5), library.colours(TALL_MAN, 5))


def test_only_the_baking_needs_anny_and_torch() -> None:
    folder = Path(__file__).parents[2] / "sims" / "bodies"
    for path in folder.glob("*.py"):
        names = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
        assert path.name == "bake.py" or not names & {"anny", "torch", "scipy"} or path.name == "segment.py", path
