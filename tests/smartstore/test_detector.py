"""The detector's arithmetic on numbers made by hand."""

import inspect

import numpy as np
import pytest

from smartstore.domain.people import COCO_JOINTS
from smartstore.settings import VisionOptions
from smartstore.vision import appearance, augment, cli, landmarks, people
from smartstore.vision.detector import DetectorOptions
from smartstore.vision.labels import FLIP


def picture(width: int, height: int, seed: int = 0) -> people.Picture:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


# Boxes


@pytest.mark.parametrize(("width", "height"), [(640, 360), (960, 540), (333, 777), (20, 11), (1, 1)])
def test_a_box_survives_the_way_to_the_canvas_and_back(width: int, height: int) -> None:
    canvas, placement = people.letterbox(picture(width, height))
    box = np.array([[0.1 * width, 0.2 * height, 0.7 * width, 0.9 * height]], np.float32)
    on_canvas = placement.to_canvas(box)
    assert canvas.shape == (people.CANVAS_HEIGHT_PX, people.CANVAS_WIDTH_PX, 3)
    assert (
        np.all(on_canvas >= 0)
        and on_canvas[0, 2] <= people.CANVAS_WIDTH_PX
        and on_canvas[0, 3] <= people.CANVAS_HEIGHT_PX
    )
    np.testing.assert_allclose(placement.to_picture(on_canvas), box, atol=1e-3)


def test_a_16_by_9_picture_fills_the_canvas_and_a_4_by_3_one_leaves_sides() -> None:
    wide, _ = people.letterbox(np.full((360, 640, 3), 7, np.uint8))
    narrow, _ = people.letterbox(np.full((480, 640, 3), 7, np.uint8))
    assert np.all(wide == 7)
    assert np.all(narrow[:, 64:-64] == 7) and np.all(narrow[:, :64] == people.GREY)


def test_a_zoomed_canvas_shows_the_part_that_the_placement_says() -> None:
    scene = np.zeros((360, 640, 3), np.uint8)
    scene[100:140, 300:340] = 255
    canvas, placement = people.letterbox(scene, zoom=1.4, shift=(0.3, 0.8))
    left, top, right, bottom = placement.to_canvas(np.array([[300, 100, 340, 140]], np.float32))[0]
    rows, columns = np.nonzero(canvas[:, :, 0] > 200)
    assert (columns.min(), columns.max() + 1) == (pytest.approx(left, abs=1), pytest.approx(right, abs=1))
    assert (rows.min(), rows.max() + 1) == (pytest.approx(top, abs=1), pytest.approx(bottom, abs=1))


def raw(*boxes: tuple[float, float, float, float, float]) -> people.Floats:
    """A network's answer: centre x, centre y, width, height, score per box."""
    return np.array(boxes, np.float32).reshape(-1, 5).T


@pytest.mark.parametrize(
    ("answer", "scores"),
    [
        pytest.param(raw(), [], id="nothing"),
        pytest.param(raw((50, 50, 20, 40, 0.2)), [], id="too unsure"),
        pytest.param(raw((50, 50, 20, 40, 0.6), (51, 50, 20, 40, 0.9)), [0.9], id="the same person twice"),
        pytest.param(raw((50, 50, 20, 40, 0.6), (62, 50, 20, 40, 0.9)), [0.9, 0.6], id="two people side by side"),
        pytest.param(
            raw((50, 50, 20, 40, 0.9), (55, 50, 20, 40, 0.8), (60, 50, 20, 40, 0.7)),
            [0.9, 0.7],
            id="a chain keeps its ends",
        ),
    ],
)
def test_raw_answers_become_separate_boxes_best_first(answer: people.Floats, scores: list[float]) -> None:
    boxes, found = people.decode(answer, min_score=0.35, max_overlap=0.55, most=10)
    assert found.tolist() == pytest.approx(scores)
    assert boxes.shape == (len(scores), 4)


def test_boxes_are_decoded_from_centre_and_size_and_cut_to_the_most_wanted() -> None:
    boxes, scores = people.decode(raw((50, 60, 20, 40, 0.9), (150, 60, 10, 20, 0.95)), 0.3, 0.5, most=1)
    assert scores.tolist() == pytest.approx([0.95])
    np.testing.assert_allclose(boxes, [[145, 50, 155, 70]])


Boxes = list[tuple[float, float, float, float, float]]


def one_look(*found: tuple[float, float, float, float, float]) -> tuple[people.Floats, people.Floats]:
    """What a look gives: left, top, right, bottom and score of each box."""
    rows = np.array(found, np.float32).reshape(-1, 5)
    return rows[:, :4], rows[:, 4]


@pytest.mark.parametrize(
    ("looks", "people_found"),
    [
        pytest.param([one_look(), one_look()], [], id="nobody"),
        pytest.param(
            [one_look((10, 10, 30, 50, 0.9)), one_look((10, 10, 30, 50, 0.3))], [(10, 10, 30, 50, 0.6)],
            id="one person, seen twice",
        ),
        pytest.param(
            [one_look((10, 10, 30, 50, 0.6)), one_look((14, 10, 34, 50, 0.2))], [(11, 10, 31, 50, 0.4)],
            id="the surer look says more about where",
        ),
        pytest.param([one_look((10, 10, 30, 50, 0.8)), one_look()], [(10, 10, 30, 50, 0.4)], id="seen by one of two"),
        pytest.param(
            [one_look((10, 10, 30, 50, 0.9), (20, 10, 40, 50, 0.5)), one_look((11, 10, 31, 50, 0.9))],
            [(10.5, 10, 30.5, 50, 0.9), (20, 10, 40, 50, 0.25)],
            id="two people who one look tells apart stay two",
        ),
    ],
)  # fmt: skip
def test_several_looks_become_one_answer(looks: list[tuple[people.Floats, people.Floats]], people_found: Boxes) -> None:
    boxes, scores = people.fused(looks, most=10)
    found = np.column_stack([boxes, scores])
    np.testing.assert_allclose(found, np.reshape(people_found, (-1, 5)), atol=1e-5)


def test_a_look_in_the_mirror_shows_the_mirrored_picture_and_its_boxes_come_back() -> None:
    scene = picture(640, 360)
    (plain, placement), (other, same) = (people.view(scene, people.Look(mirrored=m)) for m in (False, True))
    assert np.array_equal(plain[:, ::-1], other) and placement == same
    box = np.array([[30, 40, 90, 200]], np.float32)
    there = people.mirrored(box, people.CANVAS_WIDTH_PX)
    np.testing.assert_array_equal(there, [[422, 40, 482, 200]])
    np.testing.assert_array_equal(people.mirrored(there, people.CANVAS_WIDTH_PX), box)


# Joints


def test_a_gaussian_between_cells_is_found_to_a_twentieth_of_a_cell() -> None:
    rng = np.random.default_rng(1)
    x, y = (rng.uniform(6, side - 6, 17) for side in (landmarks.CROP_WIDTH_PX, landmarks.CROP_HEIGHT_PX))
    true = np.column_stack([x, y, np.full(17, 2.0)]).astype(np.float32)
    heat, _, seen = augment.joint_targets(true[None])
    found = landmarks.decode(heat, seen)[0]
    np.testing.assert_allclose(found[:, :2], true[:, :2], atol=landmarks.CELL_PX / 20)
    assert np.all(found[:, 2] > 0.9)


def test_a_joint_that_could_be_anywhere_scores_next_to_nothing() -> None:
    flat = np.full(
        (1, 17, landmarks.CELLS_Y, landmarks.CELLS_X), 1 / (landmarks.CELLS_Y * landmarks.CELLS_X), np.float32
    )
    assert np.all(landmarks.decode(flat, np.ones((1, 17), np.float32))[0, :, 2] < 0.06)


def test_a_joint_in_the_corner_is_decoded_without_leaving_the_crop() -> None:
    true = np.zeros((1, 17, 3), np.float32)
    true[..., :2], true[..., 2] = 0.5, 2
    heat, _, seen = augment.joint_targets(true)
    found = landmarks.decode(heat, seen)[0, :, :2]
    assert np.all((found >= 0) & (found <= 4))


@pytest.mark.parametrize("box", [(300.0, 90.0, 340.0, 200.0), (100.0, 50.0, 400.0, 120.0), (10.0, 10.0, 620.0, 350.0)])
def test_the_crop_shows_what_its_matrix_says(box: tuple[float, float, float, float]) -> None:
    scene = np.zeros((360, 640, 3), np.uint8)
    x, y = (box[0] + box[2]) / 2 + 8, (box[1] + box[3]) / 2 - 6
    scene[int(y) - 8 : int(y) + 8, int(x) - 8 : int(x) + 8] = 255
    matrix = landmarks.crop_matrix(box)
    crop = np.maximum(landmarks.cut(scene, matrix)[:, :, 0].astype(float) - 120, 0)  # less the grey around the picture
    rows, columns = np.indices(crop.shape) + 0.5
    centre = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
    expected = matrix[:, :2] @ [int(x), int(y)] + matrix[:, 2]
    np.testing.assert_allclose(centre, expected, atol=0.35)
    joints = np.array([[*expected, 1.0]] * 17, np.float32)
    np.testing.assert_allclose(landmarks.to_picture(joints, matrix)[0, :2], [int(x), int(y)], atol=1e-2)


def test_looks_that_show_the_same_joints_agree_when_they_are_merged() -> None:
    rng, box = np.random.default_rng(4), (300.0, 90.0, 340.0, 200.0)
    there = np.column_stack([rng.uniform(300, 340, 17), rng.uniform(95, 195, 17), np.full(17, 2)]).astype(np.float32)
    crops = [augment.move(there, landmarks.crop_matrix(box, zoom)) for zoom in (1.0, landmarks.CLOSER)]
    mirrored = [np.column_stack([landmarks.CROP_WIDTH_PX - c[:, 0], c[:, 1:]])[list(FLIP)] for c in crops]
    looks = [augment.joint_targets(look[None])[::2] for look in (*crops, *mirrored)]
    answers = [(*look, np.full((1, landmarks.FEATURES), i, np.float32)) for i, look in enumerate(looks)]
    heat, seen, features = landmarks.merged(answers)
    assert features.shape == (1, 2, landmarks.FEATURES) and features[0, :, 0].tolist() == [0, 2]
    found = landmarks.to_picture(landmarks.decode(heat, seen)[0], landmarks.crop_matrix(box))
    np.testing.assert_allclose(found[:, :2], there[:, :2], atol=0.3)
    assert np.all(found[:, 2] > 0.9)


def test_the_network_looks_at_somebody_plainly_and_closer_and_at_both_in_the_mirror() -> None:
    plain, closer, *mirrored = landmarks.views(picture(640, 360), (300, 90, 340, 200))
    assert not np.array_equal(plain, closer)
    assert all(np.array_equal(a, b[:, ::-1]) for a, b in zip(mirrored, (plain, closer), strict=True))


def test_mirroring_swaps_left_and_right_joints() -> None:
    for name, other in zip(COCO_JOINTS, (COCO_JOINTS[i] for i in FLIP), strict=True):
        assert other == name.replace("left", "#").replace("right", "left").replace("#", "right")


def test_a_joint_is_only_taught_where_it_is_and_covered_ones_count_less() -> None:
    joints = np.zeros((1, 17, 3), np.float32)
    joints[0, 9], joints[0, 10] = (40, 40, 2), (50, 50, 1)
    _, weights, seen = augment.joint_targets(joints)
    assert weights[0, 9] > weights[0, 10] > 0 and np.count_nonzero(weights) == 2
    assert seen[0].tolist() == [float(i == 9) for i in range(17)]


# Appearance


def dressed(shirt: tuple[int, int, int], trousers: tuple[int, int, int]) -> people.Picture:
    scene = picture(60, 120, 3) // 4 + 90
    scene[20:62, 15:45], scene[62:110, 15:45] = shirt, trousers
    return scene.astype(np.uint8)


def test_the_same_clothes_in_dimmer_light_look_more_alike_than_other_clothes() -> None:
    nobody = np.zeros((17, 3))
    box = (5.0, 2.0, 55.0, 118.0)
    red_blue = appearance.describe(dressed((200, 30, 40), (30, 40, 150)), box, nobody)
    dimmer = appearance.describe((dressed((200, 30, 40), (30, 40, 150)) * 0.8).astype(np.uint8), box, nobody)
    green_grey = appearance.describe(dressed((40, 160, 60), (120, 120, 120)), box, nobody)
    assert red_blue.shape == (appearance.LENGTH,) and np.linalg.norm(red_blue) == pytest.approx(1)
    assert appearance.likeness(red_blue, dimmer) > appearance.likeness(red_blue, green_grey) + 0.2


def test_no_picture_no_appearance() -> None:
    nothing = appearance.describe(picture(40, 40), (50.0, 50.0, 60.0, 70.0), np.zeros((17, 3)))
    assert nothing.size == 0 and appearance.likeness(nothing, nothing) == 0.5


# Options


def test_settings_and_command_line_begin_with_the_detectors_own_defaults() -> None:
    options, settings = DetectorOptions(), VisionOptions()
    assert (settings.min_score, settings.threads, settings.int8) == (options.min_score, options.threads, options.int8)
    said = inspect.signature(cli.detect).parameters
    assert (said["min_score"].default, said["threads"].default) == (options.min_score, options.threads)
