"""People as edge cameras report them: they see what a lens can see, and err as often as they are told to."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from sims.building import Building
from sims.devices.edge import PeopleFinders
from sims.devices.edge_model import EdgeModel, load_edge_model
from sims.devices.mounting import as_built
from sims.devices.sight import Crowd, CrowdReader, Lenses, Solids, hidden_by_people
from sims.flaws import Mounting
from sims.scene import BodyState, Scene
from sims.stick import StickFigures
from smartstore.wire.messages import People
from tests.sims.edge import PERFECT, SECOND, body, but

FITTED = load_edge_model()
AISLE_B = (4.3, 3.4)
WRISTS = [9, 10]


def seen(
    corner: Building,
    people: Sequence[BodyState],
    errors: EdgeModel,
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
    assert gap[clear].max() < 0.01
    left, top, right, bottom = person.box
    assert left < expected[clear, 0].min() < expected[clear, 0].max() < right
    assert top < expected[clear, 1].min() < expected[clear, 1].max() < bottom


def test_the_box_of_somebody_whose_legs_alone_are_in_the_picture_reaches_its_upper_edge(corner: Building) -> None:
    spec, figures = corner.cameras["s2"], StickFigures()
    cut = []
    for x_m in np.arange(0.3, 1.5, 0.15):
        for y_m in np.arange(1.5, 5.5, 0.5):
            anna = body(float(x_m), float(y_m))
            hips, knees = spec.project(figures.joints(anna))[[[11, 12], [13, 14]]]
            if (hips[:, 1] < -30).all() and (knees[:, 1] > 30).all():
                cut += [
                    person.box for message in seen(corner, [anna], PERFECT, camera="s2") for person in message.people
                ]
    assert len(cut) > 3
    assert max(top for _, top, _, _ in cut) < 12


def test_many_lenses_at_once_are_the_same_as_one_by_one(corner: Building) -> None:
    points = np.random.default_rng(1).uniform((0, 0, 0), (6, 8, 2), (50, 3))
    specs = list(corner.cameras.values())
    together = Lenses(specs).project(np.arange(len(specs)), points)
    for spec, pixels in zip(specs, together, strict=True):
        np.testing.assert_allclose(pixels, spec.project(points), atol=1e-6)


@pytest.mark.parametrize("miss", [0.0, 0.05, 0.2])
def test_people_are_missed_as_often_as_the_model_says(corner: Building, miss: float) -> None:
    messages = seen(corner, [body(*AISLE_B)], but({"people.finding.most": 1 - miss}), 600, every_s=3.0)
    assert 1 - sum(len(message.people) for message in messages) / 600 == pytest.approx(miss, abs=0.005 + 0.25 * miss)


def test_who_is_missed_is_missed_for_frames_in_a_row(corner: Building) -> None:
    def repeats(memory_s: float) -> float:
        model = but({"people.finding.most": 0.85, "people.finding.memory_s": memory_s})
        there = np.array([len(message.people) for message in seen(corner, [body(*AISLE_B)], model, 900)])
        return float(np.mean(there[1:][there[:-1] == 0] == 0))

    assert repeats(0.01) == pytest.approx(0.15, abs=0.07)
    assert repeats(1.0) > 0.45


def test_people_are_missed_more_often_when_less_of_them_shows(corner: Building) -> None:
    eye = np.array(corner.cameras["c2"].position_m)
    away = np.array(AISLE_B) - eye[:2]
    berta = body(*(np.array(AISLE_B) + 0.7 * away / np.linalg.norm(away)), name="berta")
    chance = {"base": -2.0, "size": 0.0, "shown": 6.0, "cut": 0.0, "crowd": -2.0}
    model = but({"people.finding.chance": chance, "people.finding.memory_s": 0.05})
    alone, behind = (seen(corner, people, model, 500) for people in ([berta], [body(*AISLE_B), berta]))
    assert sum(len(message.people) for message in behind) / 500 - 1 < 0.9 * sum(len(m.people) for m in alone) / 500


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
    law = {"per_min": 6.0, "lasts_s": 0.8, "tall": 0.3, "tall_spread": 0.3, "score": 0.45, "score_spread": 0.03}
    messages = seen(corner, [], but({"people.false_boxes": law}), 4000)
    counts = np.array([len(message.people) for message in messages])
    begins = len({tuple(person.box) for message in messages for person in message.people})
    assert begins / (4000 * 0.2 / 60) == pytest.approx(6.0, abs=2.5)
    assert counts.sum() / begins == pytest.approx(0.8 / 0.2, rel=0.4), "they stay for a while"
    assert all(0.3 < box.score < 0.6 for message in messages for box in message.people)


def test_some_people_are_reported_twice_in_nearly_the_same_place(corner: Building) -> None:
    chance = {"base": 0.0, "size": 0.0, "shown": 0.0, "cut": 0.0, "crowd": 0.0}
    model = but({"people.doubles.chance": chance, "people.doubles.memory_s": 0.05})
    messages = seen(corner, [body(*AISLE_B)], model, 400)
    twice = [message.people for message in messages if len(message.people) == 2]
    assert len(twice) / 400 == pytest.approx(0.5, abs=0.1)
    for first, second in twice:
        assert second.score <= first.score
        assert first.box[0] <= second.box[0] < second.box[2] <= first.box[2]


def test_joints_of_somebody_behind_another_are_put_on_the_other(corner: Building) -> None:
    eye = np.array(corner.cameras["c2"].position_m)
    away = np.array(AISLE_B) - eye[:2]
    berta = body(*(np.array(AISLE_B) + 0.7 * away / np.linalg.norm(away)), name="berta")
    for share in (0.0, 1.0):
        (message,) = seen(corner, [body(*AISLE_B), berta], but({"people.joints.borrowed": share}))
        one, two = (np.array(person.joints)[:, :2] for person in message.people)
        same = np.linalg.norm(one - two, axis=1) < 0.5
        assert (same.sum() >= 4) == (share == 1.0)


def test_joints_jitter_with_a_memory_and_wrists_more_than_shoulders(corner: Building) -> None:
    joints = FITTED.people.joints.model_dump() | {"swapped": 0.0}
    messages = seen(corner, [body(*AISLE_B)], but({"people.joints": joints}), 1500)
    places = np.array([message.people[0].joints for message in messages])[:, :, :2]
    error = places - np.median(places, axis=0)
    spread = 1.48 * np.median(np.abs(error), axis=(0, 2))
    assert spread[WRISTS].mean() > 1.15 * spread[[5, 6]].mean()
    assert 0.3 < spread[5] < 6
    shoulder = np.clip(error[:, 5, 0], -3 * spread[5], 3 * spread[5])
    memory = math.exp(-0.2 / FITTED.people.joints.memory_s) * (1 - FITTED.people.joints.fresh)
    assert np.corrcoef(shoulder[:-1], shoulder[1:])[0, 1] == pytest.approx(memory, abs=0.15)
    far = np.abs(error[:, 5]) > 4 * spread[5]
    assert far.mean() > 0.0005, "tails are heavier than normal ones, of which 0.00006 are so far out"


def test_how_deep_a_hand_is_in_a_shelf(corner: Building) -> None:
    shelf = corner.fixtures["g1"]
    front = np.array([*shelf.origin_m, 0.8]) + 0.5 * np.array([*shelf.along, 0.0])
    out = np.array([*shelf.normal, 0.0])
    depths = Solids(corner).depth(np.array([front + away_m * out for away_m in (0.3, -0.1)] + [[2.0, 6.9, 0.8]]))
    assert depths[:2] == pytest.approx([-0.3, 0.1])
    assert depths[2] == -np.inf, "there is no shelf"


def test_a_hand_among_goods_is_seen_less_surely_than_one_that_hangs(corner: Building) -> None:
    shelf = corner.fixtures["g1"]
    grip = (
        np.array([*shelf.origin_m, 1.2]) + 0.5 * np.array([*shelf.along, 0.0]) - 0.05 * np.array([*shelf.normal, 0.0])
    )
    x_m, y_m = grip[:2] + 0.55 * np.array(shelf.normal)
    anna = body(x_m, y_m, heading_rad=math.pi, right_hand_m=tuple(grip))
    joints = FITTED.people.joints.model_dump()
    scores = []
    for law in ({"grows": 0.0, "score": 0.0}, {"grows": 1.0, "score": -1.5}):
        model = but({"people.joints": joints | {"at_shelf": law}})
        found = [message.people[0].joints for message in seen(corner, [anna], model, 300)]
        scores.append(np.array(found)[:, WRISTS, 2].mean(axis=0))
    (hanging, held_out), (still_hanging, among) = scores
    assert among < held_out - 0.15
    assert still_hanging == pytest.approx(hanging, abs=1e-9)


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
