"""A second judgement of everybody who was perhaps seen: what it is told, what it may change, what it learns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smartstore.vision import landmarks, refinement, refinement_samples
from smartstore.vision.detector import MODELS, OpenVinoDetector
from smartstore.vision.labels import FLIP, LabelledPerson
from smartstore.vision.people import mirrored
from smartstore.vision.refinement import NUMBERS, Candidates
from smartstore.vision.refinement_samples import Samples, owners

WIDTH, HEIGHT = 640, 360
BOXES = np.array([(100, 80, 160, 240), (130, 60, 190, 200), (0, 300, 60, 360), (400, 0, 440, 90)], np.float32)


def candidates(boxes: np.ndarray = BOXES, seed: int = 0) -> Candidates:
    """Some people, of whom every look says something a little different."""
    rng = np.random.default_rng(seed)
    count = len(boxes)
    scores = np.linspace(0.9, 0.2, count).astype(np.float32)
    looks = [(boxes + rng.normal(0, 2, boxes.shape).astype(np.float32), scores) for _ in range(2)]
    looks.append((boxes[:1], scores[:1]))
    heat = rng.random((count, 17, landmarks.CELLS_Y, landmarks.CELLS_X)).astype(np.float32) ** 30
    features = rng.normal(size=(count, 2, landmarks.FEATURES)).astype(np.float32)
    seen = rng.random((count, 17)).astype(np.float32)
    return Candidates((WIDTH, HEIGHT), looks, boxes, scores, heat, seen, features)


def in_the_mirror(found: Candidates) -> Candidates:
    return replace(
        found,
        looks=[(mirrored(boxes, WIDTH), scores) for boxes, scores in found.looks],
        boxes=mirrored(found.boxes, WIDTH),
        heat=found.heat[:, FLIP, :, ::-1],
        seen=found.seen[:, FLIP],
    )


def told(found: Candidates) -> np.ndarray:
    return refinement.numbers(found, refinement.joints_of(found))


def test_of_nobody_nothing_is_told() -> None:
    nobody = candidates(np.zeros((0, 4), np.float32))
    assert told(nobody).shape == (0, NUMBERS)


def test_numbers_in_the_mirror_are_those_of_the_mirror_image() -> None:
    found = candidates()
    np.testing.assert_allclose(refinement.mirrored(told(found)), told(in_the_mirror(found)), atol=1e-4)


def test_what_is_told_of_somebody_does_not_depend_on_where_in_the_picture_all_of_them_stand() -> None:
    found = candidates(BOXES[[0, 1]] + np.float32(20))
    aside = np.array([50, 0, 50, 0], np.float32)
    moved = replace(found, boxes=found.boxes + aside, looks=[(boxes + aside, s) for boxes, s in found.looks])
    np.testing.assert_allclose(told(found), told(moved), atol=1e-5)


def answer(found: Candidates, right: float, shift: float = 0.0) -> list[np.ndarray]:
    """All joints where they were, every side moved by so many widths or heights."""
    joints = refinement.joints_of(found)
    count = len(joints)
    places = joints[:, :, :2] / refinement.CROP_PX - 0.5
    return [places, np.full((count, 4), shift, np.float32), np.full(count, right, np.float32)]


def test_an_answer_that_changes_nothing_leaves_boxes_and_joints_and_weighs_the_scores() -> None:
    found = candidates()
    joints = refinement.joints_of(found)
    boxes, scores, same = refinement.refined(found, joints, answer(found, right=0.64))
    np.testing.assert_allclose(boxes, found.boxes, atol=1e-4)
    np.testing.assert_allclose(same, joints, atol=1e-3)
    np.testing.assert_allclose(scores, 0.8 * np.sqrt(found.scores), rtol=1e-5)


def test_refined_boxes_stay_in_the_picture() -> None:
    found = candidates()
    boxes, _, _ = refinement.refined(found, refinement.joints_of(found), answer(found, 1.0, shift=0.5))
    assert boxes[2].tolist() == [30, 330, 90, HEIGHT]
    assert boxes[0].tolist() == [130, 160, 190, 320]


def person(*box: float) -> LabelledPerson:
    joints = np.column_stack([np.linspace(box[0], box[2], 17), np.linspace(box[1], box[3], 17), np.full(17, 2)])
    return LabelledPerson((box[0], box[1], box[2], box[3]), joints.astype(np.float32), False)


def test_the_best_box_of_somebody_is_right_and_their_second_one_is_not() -> None:
    anna, berta = person(0, 0, 40, 100), person(200, 0, 240, 100)
    boxes = np.array([(2, 0, 42, 100), (0, 5, 40, 100), (203, 0, 240, 90), (400, 0, 440, 100)], np.float32)
    whose, right = owners(boxes, [anna, berta])
    assert right == [True, False, True, False]
    assert [None if p is None else p is anna for p in whose] == [True, True, False, None]


def test_rows_in_the_mirror_and_back_are_the_rows() -> None:
    rng = np.random.default_rng(1)
    n = 6
    rows = Samples(
        rng.normal(size=(n, NUMBERS)).astype(np.float32),
        rng.normal(size=(n, 17, 2)).astype(np.float32),
        rng.random((n, 17)) < 0.7,
        np.ones(n, np.float32),
        rng.normal(size=(n, 4)).astype(np.float32),
        np.ones(n, np.float32),
        rng.normal(size=(n, 2, landmarks.FEATURES)).astype(np.float16),
    )
    which = np.arange(n) < 3
    twice = refinement_samples.mirrored(refinement_samples.mirrored(rows, which), which)
    for before, after in zip(rows, twice, strict=True):
        np.testing.assert_array_equal(before, after)
    once = refinement_samples.mirrored(rows, which)
    assert not np.allclose(once.places[:3], rows.places[:3]) and np.array_equal(once.given[3:], rows.given[3:])
    np.testing.assert_array_equal(once.features[:3, 0], rows.features[:3, 1])


def test_it_learns_what_boxes_and_covered_joints_have_in_common(tmp_path: Path) -> None:
    """Boxes of people whose box at the second look was lower end lower; their covered ankles are lower, too."""
    torch = pytest.importorskip("torch")
    from smartstore.vision import networks
    from smartstore.vision.refinement_losses import loss_of

    rng = np.random.default_rng(5)
    n = 1500
    lower = rng.uniform(0, 0.3, n).astype(np.float32)
    given = np.zeros((n, NUMBERS), np.float32)
    given[:, 10] = lower
    places = np.zeros((n, 17, 2), np.float32)
    places[:, 15:, 1] = lower[:, None]
    shifts = np.zeros((n, 4), np.float32)
    shifts[:, 3] = lower
    features = np.zeros((n, 2, landmarks.FEATURES), np.float16)
    known, area = np.ones((n, 17), bool), np.full(n, 500, np.float32)
    rows = Samples(given, places, known, area, shifts, (lower > 0.1) * np.float32(1), features)
    shown = torch.from_numpy(features[:, 0].astype(np.float32))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = networks.RefinementNet(members=2, hidden=32, dropped=0.0)
        model.mean.copy_(torch.from_numpy(given.mean(axis=0)))
        model.spread.copy_(torch.from_numpy(given.std(axis=0) + 1e-3))
        optimiser = torch.optim.Adam(model.parameters(), 0.01)
        before = loss_of(model(torch.from_numpy(given), shown), rows).item()
        for _ in range(150):
            loss = loss_of(model(torch.from_numpy(given), shown), rows)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    assert loss.item() < 0.3 * before
    networks.export_refinement(model, tmp_path / "refinement.xml")
    from smartstore.vision.detector import compile_network

    network = compile_network(tmp_path / "refinement.xml", 1, ports=(2, 3))
    told_places, told_shifts, right = network([given[:200], shown[:200].numpy()])
    assert np.abs(told_shifts[:, 3] - lower[:200]).mean() < 0.03 and np.abs(told_shifts[:, :3]).max() < 0.1
    assert np.abs(told_places[:, 15:, 1] - lower[:200, None]).mean() < 0.05
    assert np.mean((right > 0.5) == (lower[:200] > 0.1)) > 0.95


def test_a_box_is_as_probable_as_those_believe_who_believe_less() -> None:
    torch = pytest.importorskip("torch")
    from smartstore.vision import networks

    model = networks.RefinementNet(members=2, hidden=8, neck=4)
    said = {"boxes": (2.0, 4.0), "blind": (-1.0, 3.0)}
    with torch.no_grad():
        for who, logits in said.items():
            for member, logit in zip(getattr(model, who), logits, strict=True):
                member[-1].bias[4] = logit
        _, _, right = networks.RefinementForUse(model)(torch.zeros(3, NUMBERS), torch.zeros(3, landmarks.FEATURES))
    seeing, blind = (np.mean([1 / (1 + np.exp(-logit)) for logit in logits]) for logits in said.values())
    assert blind < seeing
    np.testing.assert_allclose(right.numpy(), blind, atol=1e-6)


def test_without_its_file_the_two_networks_answers_stay_as_they_are(tmp_path: Path) -> None:
    import shutil

    import cv2

    for name in ("people-int8", "people", "landmarks-int8", "landmarks"):
        for end in (".xml", ".bin"):
            shutil.copy(MODELS / f"{name}{end}", tmp_path)
    plain, whole = OpenVinoDetector(tmp_path / "people.xml", tmp_path / "landmarks.xml"), OpenVinoDetector()
    sheet = np.asarray(cv2.imread(str(MODELS.parent / "pictures" / "detector.jpg")))
    picture = np.ascontiguousarray(sheet[:360, :640, ::-1], np.uint8)
    found, (seen,) = plain.candidates(picture), plain.detect([picture])
    assert [p.score for p in seen] == pytest.approx(found.scores.tolist())
    np.testing.assert_allclose([p.box_px for p in seen], found.boxes, atol=1e-3)
    (judged,) = whole.detect([picture])
    assert judged and [p.score for p in judged] == sorted((p.score for p in judged), reverse=True)
    assert not np.allclose(judged[0].box_px, seen[0].box_px, atol=1e-3)
