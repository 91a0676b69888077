"""Cameras with inference on board: they see what a lens can see, and err as often as they are told to."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from sims.building import Building
from sims.devices.edge import PeopleFinders
from sims.devices.edge_facings import FacingReader
from sims.devices.mounting import as_built
from sims.devices.sight import Crowd, CrowdReader, Lenses, Solids, hidden_by_people
from sims.scenario import EdgeErrors, Mounting
from sims.scene import BodyState, Scene
from sims.stick import StickFigures
from smartstore.wire.messages import Facings, People

PERFECT = EdgeErrors(
    miss=0,
    false_box=0,
    joint_sigma=0,
    swap=0,
    fill_sigma_items=0,
    change_missed=0,
    changes_invented_per_min=0,
    sku_confused=0,
)
SECOND = 1_000_000_000
AISLE_B = (4.3, 3.4)
WRISTS = [9, 10]


def body(x_m: float, y_m: float, name: str = "anna", heading_rad: float = 0.0, **changes: object) -> BodyState:
    return replace(BodyState(name, 0, 7 + len(name), x_m, y_m, heading_rad, 0.0, 0.0), **changes)


def seen(
    corner: Building,
    people: Sequence[BodyState],
    errors: EdgeErrors,
    frames: int = 1,
    camera: str = "c2",
    every_s: float = 0.2,
) -> list[People]:
    """What one camera reports of people who stand still."""
    spec = corner.cameras[camera]
    finder = PeopleFinders([spec], Solids(corner), errors, [np.random.default_rng(4)])
    reader = CrowdReader(corner, StickFigures())
    stock = corner.full_stock()
    scenes = [Scene(round(k * every_s * SECOND), tuple(people), stock) for k in range(frames)]
    return [finder.find(reader.read(scene), [0], [scene.t_ns])[0] for scene in scenes]


def test_without_errors_joints_are_where_the_lens_puts_them(corner: Building) -> None:
    anna = body(*AISLE_B)
    (message,) = seen(corner, [anna], PERFECT)
    (person,) = message.people
    expected = corner.cameras["c2"].project(StickFigures().joints(anna))
    clear = np.array(person.joints)[:, 2] > 0.5
    assert clear.sum() > 10
    gap = np.linalg.norm(np.array(person.joints)[:, :2] - expected, axis=1)
    assert gap[clear].max() < 3, "a third of a pixel of noise is left"
    left, top, right, bottom = person.box
    assert left < expected[clear, 0].min() < expected[clear, 0].max() < right
    assert top < expected[clear, 1].min() < expected[clear, 1].max() < bottom


def test_many_lenses_at_once_are_the_same_as_one_by_one(corner: Building) -> None:
    points = np.random.default_rng(1).uniform((0, 0, 0), (6, 8, 2), (50, 3))
    specs = list(corner.cameras.values())
    together = Lenses(specs).project(np.arange(len(specs)), points)
    for spec, pixels in zip(specs, together, strict=True):
        np.testing.assert_allclose(pixels, spec.project(points), atol=1e-6)


@pytest.mark.parametrize("miss", [0.0, 0.05, 0.2])
def test_people_are_missed_as_often_as_configured(corner: Building, miss: float) -> None:
    camera = corner.cameras["c2"]
    x, y, _ = camera.position_m
    tx, ty, _ = camera.look_at_m
    length = math.hypot(tx - x, ty - y)
    anna = body(x + 2.4 * (tx - x) / length, y + 2.4 * (ty - y) / length)
    messages = seen(corner, [anna], PERFECT.model_copy(update={"miss": miss}), 500, every_s=3.0)
    assert 1 - sum(len(message.people) for message in messages) / 500 == pytest.approx(miss, abs=0.02 + 0.3 * miss)


def test_people_are_missed_more_often_far_away_and_for_frames_in_a_row(corner: Building) -> None:
    errors = PERFECT.model_copy(update={"miss": 0.1})
    shares, repeats = [], []
    for place in ((4.6, 2.0), (3.9, 5.6)):
        there = np.array([len(message.people) for message in seen(corner, [body(*place)], errors, 700)])
        shares.append(1 - there.mean())
        repeats.append(np.mean(there[1:][there[:-1] == 0] == 0))
    assert shares[1] > 1.3 * shares[0]
    assert repeats[0] > 2.5 * shares[0]


def test_nobody_is_seen_through_the_island(corner: Building) -> None:
    crouched = body(2.4, 2.9)
    low = StickFigures().joints(crouched)
    low[:, 2] *= 0.35
    camera = corner.cameras["s3"]
    finder = PeopleFinders([camera], Solids(corner), PERFECT, [np.random.default_rng(1)])
    crowd = Crowd(0, (crouched,), low[None], low[None, [5, 6, 11, 12], :2].mean(axis=1), np.array([0.6]))
    assert finder.find(crowd, [0], [0])[0].people == []


def test_nobody_is_seen_outside_the_walls(corner: Building) -> None:
    assert seen(corner, [body(1.1, -0.6)], PERFECT, camera="c3")[0].people == []


def test_somebody_who_stands_in_front_hides_hips_and_legs_of_who_is_behind(corner: Building) -> None:
    eye = np.array(corner.cameras["c2"].position_m)
    away = np.array(AISLE_B) - eye[:2]
    berta = body(*(np.array(AISLE_B) + 0.9 * away / np.linalg.norm(away)), name="berta")
    crowd = CrowdReader(corner, StickFigures()).read(Scene(0, (body(*AISLE_B), berta), {}))
    points, owners = crowd.joints.reshape(-1, 3), np.repeat([0, 1], 17)
    hidden = hidden_by_people(eye[None], points, crowd, owners, np.zeros(34, bool))[0].reshape(2, 17)
    assert not hidden[0].any()
    assert hidden[1, 11:].all()
    assert not hidden[1, :5].any(), "the camera hangs high enough to see the head"


def test_boxes_around_nothing_come_at_their_rate(corner: Building) -> None:
    messages = seen(corner, [], PERFECT.model_copy(update={"false_box": 0.05}), 2000)
    boxes = [person for message in messages for person in message.people]
    assert len(boxes) / 2000 == pytest.approx(0.05, abs=0.015)
    assert all(person.score <= 0.5 for person in boxes)


def test_joints_jitter_with_a_memory_and_wrists_more_than_shoulders(corner: Building) -> None:
    messages = seen(corner, [body(*AISLE_B)], PERFECT.model_copy(update={"joint_sigma": 0.011}), 400)
    joints = np.array([message.people[0].joints for message in messages])[:, :, :2]
    error = joints - np.median(joints, axis=0)
    spread = 1.48 * np.median(np.abs(error), axis=(0, 2))
    assert spread[WRISTS].mean() > 1.3 * spread[[5, 6]].mean()
    assert 0.5 < spread[5] < 6
    shoulder = error[:, 5, 0]
    assert 0.25 < np.corrcoef(shoulder[:-1], shoulder[1:])[0, 1] < 0.7


def test_clothes_look_alike_in_all_cameras_and_unlike_those_of_others(corner: Building) -> None:
    people = [body(4.3, 3.2), body(4.4, 4.6, name="berta"), body(4.3, 5.4, name="clementine")]
    looks: dict[int, list[np.ndarray]] = {}
    for camera in ("c2", "c3"):
        finder = PeopleFinders([corner.cameras[camera]], Solids(corner), PERFECT, [np.random.default_rng(len(camera))])
        crowd = CrowdReader(corner, StickFigures()).read(Scene(0, tuple(people), {}))
        pixels = corner.cameras[camera].project(crowd.joints[:, 5])
        for person in finder.find(crowd, [0], [0])[0].people:
            who = int(np.argmin(np.linalg.norm(pixels - person.joints[5][:2], axis=1)))
            looks.setdefault(who, []).append(np.array(person.appearance))
    assert all(np.linalg.norm(look) == pytest.approx(1, abs=1e-3) for pair in looks.values() for look in pair)
    same = [float(pair[0] @ pair[1]) for pair in looks.values() if len(pair) == 2]
    other = [
        float(a @ b) for i, pair in looks.items() for j, rest in looks.items() if i < j for a in pair for b in rest
    ]
    assert len(same) >= 2
    assert min(same) > 0.65
    assert max(other) < min(same)


def test_cameras_hang_a_little_beside_their_survey(corner: Building) -> None:
    hung = as_built(corner, Mounting(), seed=1)
    same = as_built(corner, Mounting(position_m=0, angle_deg=0, focal_share=0), seed=1)
    target = np.array([[2.0, 4.0, 1.0]])
    for name, spec in corner.cameras.items():
        off = np.linalg.norm(np.subtract(hung.cameras[name].position_m, spec.position_m))
        assert 0 < off < 0.05
        assert np.allclose(same.cameras[name].project(target), spec.project(target), equal_nan=True)
        forward = (b.rotation[2] for b in (spec, hung.cameras[name]))
        assert 0.01 < math.degrees(math.acos(min(1.0, float(np.dot(*forward))))) < 1.5


# Shelf faces


def reader(corner: Building, errors: EdgeErrors = PERFECT) -> FacingReader:
    return FacingReader(corner, corner.cameras["s1"], errors, np.random.default_rng(2))


def look(
    corner: Building, faces: FacingReader, t_s: float, stock: Mapping, people: Sequence[BodyState] = ()
) -> Facings:
    scene = Scene(int(t_s * SECOND), tuple(people), stock)
    return faces.read(scene, CrowdReader(corner, StickFigures()).read(scene), scene.t_ns)


def test_a_take_changes_one_facing_once_and_names_what_is_gone(corner: Building) -> None:
    faces, full = reader(corner), corner.full_stock()
    sku = corner.facings["g2-2-a"].sku
    after = {**full, "g2-2-a": ((sku,) * 5, (sku,) * 4, (sku,) * 5)}
    views = [look(corner, faces, t_s, stock) for t_s, stock in ((0, full), (0.5, full), (1, after), (1.5, after))]
    assert {facing.facing for facing in views[0].facings} == {
        f.id for f in corner.facings.values() if f.fixture in ("g1", "g2")
    }
    changed = [{f.facing: f for f in view.facings if f.change > 0.5} for view in views]
    assert [set(c) for c in changed] == [set(), set(), {"g2-2-a"}, set()]
    told = changed[2]["g2-2-a"]
    assert told.fill == pytest.approx(14 / 15, abs=0.01)
    assert max(told.scores, key=lambda name: told.scores[name]) == sku
    assert sum(told.scores.values()) == pytest.approx(1, abs=0.01)


def test_a_facing_behind_somebody_is_hidden_and_keeps_its_last_fill(corner: Building) -> None:
    faces, full = reader(corner), corner.full_stock()
    sku = corner.facings["g2-2-a"].sku
    after = {**full, "g2-2-a": ((), (sku,) * 5, (sku,) * 5)}
    x, y, _ = corner.fixtures["g2"].point(0.15, -0.35, 0.0)
    anna = body(x, y, heading_rad=math.pi)
    clear, behind, again = (
        {f.facing: f for f in view.facings}["g2-2-a"]
        for view in (look(corner, faces, 0, full), look(corner, faces, 1, after, [anna]), look(corner, faces, 2, after))
    )
    assert (clear.hidden, behind.hidden, again.hidden) == (False, True, False)
    assert behind.fill == pytest.approx(clear.fill, abs=0.01)
    assert behind.change == 0
    assert again.change > 0.5
    assert again.fill == pytest.approx(10 / 15, abs=0.01)


def test_an_arm_in_the_shelf_hides_what_is_behind_it(corner: Building) -> None:
    faces, full = reader(corner), corner.full_stock()
    fixture = corner.fixtures["g2"]
    x, y, _ = fixture.point(1.15, -0.55, 0.0)
    reaching = body(x, y, heading_rad=math.pi, right_hand_m=fixture.point(0.72, 0.03, 0.82))
    hidden = {f.facing for f in look(corner, faces, 0, full, [reaching]).facings if f.hidden}
    resting = {
        f.facing for f in look(corner, faces, 1, full, [replace(reaching, right_hand_m=None)]).facings if f.hidden
    }
    assert hidden > resting


def one_less_everywhere(corner: Building) -> Mapping[str, tuple[tuple[str, ...], ...]]:
    return {facing: (columns[0][:-1], *columns[1:]) for facing, columns in corner.full_stock().items()}


@pytest.mark.parametrize(("rate", "share"), [(0.0, 1.0), (0.3, 0.7), (1.0, 0.0)])
def test_changes_are_missed_at_their_rate(corner: Building, rate: float, share: float) -> None:
    full, less = corner.full_stock(), one_less_everywhere(corner)
    faces = reader(corner, PERFECT.model_copy(update={"change_missed": rate}))
    noticed = []
    for k in range(0, 40, 2):
        look(corner, faces, 1000.0 * k, full)
        look(corner, faces, 1000.0 * k + 500, full)
        noticed += [f.change > 0.5 for f in look(corner, faces, 1000.0 * k + 501, less).facings]
        look(corner, faces, 1000.0 * k + 900, less)
    assert np.mean(noticed) == pytest.approx(share, abs=0.06)


def test_what_was_overlooked_is_noticed_later_and_less_surely(corner: Building) -> None:
    less = one_less_everywhere(corner)
    faces = reader(corner, PERFECT.model_copy(update={"change_missed": 1.0}))
    look(corner, faces, 0, corner.full_stock())
    views = [look(corner, faces, 0.5 + k / 2, less) for k in range(80)]
    changes = [[f.change for f in view.facings if f.change > 0.35] for view in views]
    assert changes[0] == []
    assert 18 <= sum(map(len, changes)) <= 24, "of 24 facings"
    assert max(map(max, filter(None, changes))) < 0.76
    assert [f.fill < 0.99 for f in views[-1].facings].count(True) == sum(map(len, changes))


def test_changes_are_invented_at_their_rate(corner: Building) -> None:
    faces, full = reader(corner, PERFECT.model_copy(update={"changes_invented_per_min": 3.0})), corner.full_stock()
    views = [look(corner, faces, k / 2, full) for k in range(600)]
    assert sum(f.change > 0.4 for view in views for f in view.facings) == pytest.approx(15, abs=10)


def test_names_are_confused_at_their_rate_with_what_looks_alike(corner: Building) -> None:
    faces, full = reader(corner, PERFECT.model_copy(update={"sku_confused": 0.25})), corner.full_stock()
    sku = corner.facings["g1-2-a"].sku
    less = {**full, "g1-2-a": ((sku,) * 4, (sku,) * 5, (sku,) * 5)}
    best = []
    for k in range(300):
        told = next(f for f in look(corner, faces, k / 2, full if k % 2 else less).facings if f.facing == "g1-2-a")
        best += [max(told.scores, key=lambda name: told.scores[name])] if told.scores else []
    assert len(best) == 299
    assert np.mean([name != sku for name in best]) == pytest.approx(0.25, abs=0.08)
