"""Cameras with inference on board: they see what a lens can see, and err as often as they are told to."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml

from sims.building import Building
from sims.devices.cameras import EdgeCameras
from sims.devices.edge import PeopleFinders
from sims.devices.edge_facings import FacingReader
from sims.devices.edge_model import FOLDER, EdgeModel, EdgeModelError, edge_schema, load_edge_model
from sims.devices.mounting import as_built
from sims.devices.sight import Crowd, CrowdReader, Lenses, Solids, hidden_by_people
from sims.flaws import Mounting
from sims.scenario import load_scenario
from sims.scene import BodyState, Scene
from sims.stick import StickFigures
from smartstore.wire.messages import Facings, People

PERFECT = load_edge_model(FOLDER / "perfect.yaml")
FITTED = load_edge_model()
SECOND = 1_000_000_000
AISLE_B = (4.3, 3.4)
WRISTS = [9, 10]


def but(changes: Mapping[str, object], model: EdgeModel = PERFECT) -> EdgeModel:
    """A model with some keys, spelled with dots, changed."""
    document = model.model_dump(by_alias=True)
    for path, value in changes.items():
        *parents, name = path.split(".")
        part = document
        for parent in parents:
            part = part[parent]
        assert name in part
        part[name] = value
    return EdgeModel.model_validate(document)


def body(x_m: float, y_m: float, name: str = "anna", heading_rad: float = 0.0, **changes: object) -> BodyState:
    return replace(BodyState(name, 0, 7 + len(name), x_m, y_m, heading_rad, 0.0, 0.0), **changes)


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


def reader(corner: Building, errors: EdgeModel = PERFECT) -> FacingReader:
    return FacingReader(corner, corner.cameras["s1"], errors.facings, np.random.default_rng(2))


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
    faces = reader(corner, but({"facings.missed": rate}))
    noticed = []
    for k in range(0, 40, 2):
        look(corner, faces, 1000.0 * k, full)
        look(corner, faces, 1000.0 * k + 500, full)
        noticed += [f.change > 0.5 for f in look(corner, faces, 1000.0 * k + 501, less).facings]
        look(corner, faces, 1000.0 * k + 900, less)
    assert np.mean(noticed) == pytest.approx(share, abs=0.06)


def test_what_was_overlooked_is_noticed_later_and_less_surely(corner: Building) -> None:
    less = one_less_everywhere(corner)
    faces = reader(corner, but({"facings.missed": 1.0}))
    look(corner, faces, 0, corner.full_stock())
    views = [look(corner, faces, 0.5 + k / 2, less) for k in range(80)]
    changes = [[f.change for f in view.facings if f.change > 0.35] for view in views]
    assert changes[0] == []
    assert 18 <= sum(map(len, changes)) <= 24, "of 24 facings"
    assert max(map(max, filter(None, changes))) < 0.76
    assert [f.fill < 0.99 for f in views[-1].facings].count(True) == sum(map(len, changes))


def test_changes_are_invented_at_their_rate(corner: Building) -> None:
    faces, full = (
        reader(corner, but({"facings.invented_per_min": 3.0, "facings.invented_lasts_s": 0.6})),
        corner.full_stock(),
    )
    views = [look(corner, faces, k / 2, full) for k in range(600)]
    told = sum(f.change > 0.35 for view in views for f in view.facings)
    assert told == pytest.approx(2 * 15, abs=20), "each is taken back soon"
    assert sum(f.fill != pytest.approx(1.0) for f in views[-1].facings) <= 2


def test_names_are_confused_at_their_rate_with_what_looks_alike(corner: Building) -> None:
    faces, full = reader(corner, but({"facings.misnamed": 0.25})), corner.full_stock()
    sku = corner.facings["g1-2-a"].sku
    less = {**full, "g1-2-a": ((sku,) * 4, (sku,) * 5, (sku,) * 5)}
    best = []
    for k in range(300):
        told = next(f for f in look(corner, faces, k / 2, full if k % 2 else less).facings if f.facing == "g1-2-a")
        best += [max(told.scores, key=lambda name: told.scores[name])] if told.scores else []
    assert len(best) == 299
    assert np.mean([name != sku for name in best]) == pytest.approx(0.25, abs=0.08)


def test_a_facing_stays_hidden_for_a_while_after_somebody_went(corner: Building) -> None:
    full = corner.full_stock()
    x, y, _ = corner.fixtures["g2"].point(0.15, -0.35, 0.0)
    anna = body(x, y, heading_rad=math.pi)
    waits = []
    faces = reader(corner, but({"facings.clears_s": 2.0}))
    for k in range(80):
        look(corner, faces, 100.0 * k, full, [anna])
        views = (look(corner, faces, 100.0 * k + 0.5 * n, full) for n in range(1, 60))
        hidden = ({f.facing: f for f in view.facings}["g2-2-a"].hidden for view in views)
        waits.append(0.5 * next(n for n, still in enumerate(hidden, 1) if not still))
    assert np.mean(waits) == pytest.approx(2.25, abs=0.6)


def test_counts_are_off_by_one_at_their_rate(corner: Building) -> None:
    full, less = corner.full_stock(), one_less_everywhere(corner)
    off = []
    for k in range(20):
        faces = FacingReader(
            corner, corner.cameras["s1"], but({"facings.miscounted": 0.3}).facings, np.random.default_rng(k)
        )
        first, second = (look(corner, faces, t_s, stock) for t_s, stock in ((0, full), (0.5, less)))
        for one, two in zip(first.facings, second.facings, strict=True):
            facing = corner.facings[one.facing]
            off.append(round((one.fill - two.fill) * facing.columns * facing.rows) != 1)
    assert np.mean(off) == pytest.approx(0.3, abs=0.06)


# Documents


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
