"""Judging detectors: precision over the right people and joints, tables by size and share, good and bad cases."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from smartstore.domain.people import SeenPerson
from smartstore.vision import card, cases, evaluation
from smartstore.vision.detector import MODELS
from smartstore.vision.evaluation import LabelledSet, figures_of, table
from smartstore.vision.labels import LabelledPicture, LabelsError, read_labels
from smartstore.vision.precision import AREA_OF_BOX, COCO_LEAST_AREA_PX, Judge

BODY = np.array([(0, 4), (1, 3), (-1, 3), (2, 4), (-2, 4), (8, 12), (-8, 12), (10, 24), (-10, 24), (11, 34), (-11, 34),
                 (6, 38), (-6, 38), (6, 58), (-6, 58), (6, 78), (-6, 78)], float)  # fmt: skip


def note(image: int, x: float, visible: float = 1.0, covered: tuple[int, ...] = (), tall: float = 80.0) -> dict:
    """Somebody whose head is at (x, 100) and who is so tall."""
    joints = np.column_stack([BODY * tall / 80 + [x, 100], np.full(17, 2)])
    joints[list(covered), 2] = 1
    return {
        "image_id": image, "category_id": 1, "bbox": [x - 15, 100, 30, tall], "iscrowd": 0, "visible": visible,
        "keypoints": joints.ravel().tolist(), "num_keypoints": 17, "area": 30 * tall,
    }  # fmt: skip


def write_set(folder: Path, notes: list[dict], pictures: int = 2, split: str = "val") -> Path:
    """A labelled set of grey pictures."""
    images = []
    for number in range(1, pictures + 1):
        name = f"{'shipped' if number == 1 else 'wide'}-0000/{split}{number}-c1.jpg"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.full((360, 640, 3), 90, np.uint8))
        image = {"id": number, "file_name": name, "width": 640, "height": 360, "kind": "ceiling", "camera": "c1"}
        images.append(image)
    labelled = [n | {"id": i} for i, n in enumerate(notes, start=1)]
    document = {"images": images, "annotations": labelled, "categories": [{"id": 1, "name": "person"}]}
    (folder / f"{split}.json").write_text(json.dumps(document))
    return folder


def perfect(picture: LabelledPicture, score: float = 0.9) -> tuple[SeenPerson, ...]:
    """What an all-knowing detector would say."""
    return tuple(
        SeenPerson(p.box_px, score, np.column_stack([p.joints_px[:, :2], np.ones(17)]), np.zeros(0))
        for p in picture.people
    )


def with_legs_wrong(person: SeenPerson) -> SeenPerson:
    joints = person.joints_px.copy()
    joints[11:, :2] += 60
    return SeenPerson(person.box_px, person.score, joints, person.appearance)


def test_a_perfect_detector_scores_one_on_everything(tmp_path: Path) -> None:
    write_set(tmp_path, [note(1, 100), note(1, 300), note(2, 200, covered=(9, 10))])
    pictures = read_labels(tmp_path, "val")
    figures = figures_of(tmp_path, pictures, [perfect(p) for p in pictures])
    joints = [f"keypoints_oks{which}" for which in ("", "_coco_sizes", "_half_shows", "_seen_joints")]
    for key in ("boxes", "boxes_half_shows", *joints):
        assert figures[key] == {"ap50": 1.0, "ap50_95": 1.0}, key
    assert figures["at_default_score"] == {"recall": 1.0, "precision": 1.0}
    assert figures["pck_torso"]["all"] == 1.0


def test_joints_wrong_behind_a_shelf_cost_the_headline_but_not_the_seen_joints(tmp_path: Path) -> None:
    write_set(tmp_path, [note(1, 100, covered=tuple(range(7, 17)))], pictures=1)
    pictures = read_labels(tmp_path, "val")
    judge = Judge(tmp_path, pictures, [(with_legs_wrong(perfect(pictures[0])[0]),)])
    assert judge.joints()["ap50_95"] < 0.7
    assert judge.joints(seen_only=True)["ap50_95"] == 1.0


def test_people_of_whom_little_shows_are_neither_right_nor_wrong_when_they_are_left_out(tmp_path: Path) -> None:
    write_set(tmp_path, [note(1, 100), note(1, 300, visible=0.2)], pictures=1)
    pictures = read_labels(tmp_path, "val")
    whole, hidden = perfect(pictures[0])
    only_whole = Judge(tmp_path, pictures, [(whole,)])
    assert only_whole.boxes()["ap50"] == pytest.approx(0.5, abs=0.01)
    assert only_whole.boxes(least_visible=0.5)["ap50"] == 1.0
    both = Judge(tmp_path, pictures, [(whole, hidden)])
    assert both.boxes(least_visible=0.5)["ap50"] == 1.0, "finding them is no false box"


def test_people_smaller_than_any_that_coco_annotates_are_neither_right_nor_wrong_by_its_rule(tmp_path: Path) -> None:
    write_set(tmp_path, [note(1, 100, tall=100), note(1, 300, tall=50)], pictures=1)
    pictures = read_labels(tmp_path, "val")
    tall, small = perfect(pictures[0])
    areas = [AREA_OF_BOX * (b[2] - b[0]) * (b[3] - b[1]) for b in (tall.box_px, small.box_px)]
    assert areas[0] >= COCO_LEAST_AREA_PX > areas[1]
    missed, wrong = Judge(tmp_path, pictures, [(tall,)]), Judge(tmp_path, pictures, [(tall, with_legs_wrong(small))])
    for judge in (missed, wrong):
        assert judge.joints()["ap50_95"] < 0.9
        assert judge.joints(least_area_px=COCO_LEAST_AREA_PX) == {"ap50": 1.0, "ap50_95": 1.0}


def test_nobody_found_is_zero_and_no_error(tmp_path: Path) -> None:
    write_set(tmp_path, [note(1, 100)], pictures=1)
    pictures = read_labels(tmp_path, "val")
    figures = figures_of(tmp_path, pictures, [()])
    assert figures["boxes"]["ap50"] == figures["keypoints_oks"]["ap50"] == figures["at_default_score"]["recall"] == 0.0


def test_the_table_says_who_is_missed_and_how_well_the_others_are_seen(tmp_path: Path) -> None:
    write_set(tmp_path, [note(1, 100, tall=50), note(1, 300, tall=100), note(1, 500, tall=110)], pictures=1)
    picture = read_labels(tmp_path, "val")[0]
    small, tall, other = perfect(picture)
    wrong = other.joints_px.copy()
    wrong[9, :2] += 50
    pairs = evaluation.match(picture, [tall, SeenPerson(other.box_px, 0.9, wrong, other.appearance)])
    assert small not in [pair.seen for pair in pairs]
    rows = table(pairs, (0, 60, 120, 10_000), lambda pair: pair.height_px)
    assert rows["0-60"] == {"people": 1, "recall": 0.0, "joints": None, "wrists": None}
    assert rows["60-120"] == {"people": 2, "recall": 1.0, "joints": pytest.approx(33 / 34, abs=1e-4), "wrists": 0.75}
    assert "120+" not in rows


def test_a_set_of_both_splits_is_judged_as_one(tmp_path: Path) -> None:
    write_set(tmp_path, [note(1, 100)], pictures=2, split="val")
    write_set(tmp_path, [note(1, 300), note(2, 200)], pictures=2, split="train")
    pictures = LabelledSet(tmp_path, ("val", "train")).pictures()
    figures = figures_of(tmp_path, pictures, [perfect(p) for p in pictures])
    assert (figures["pictures"], figures["people"], figures["boxes"]["ap50"]) == (4, 3, 1.0)
    assert len(LabelledSet(tmp_path, ("val", "train"), looks="wide").pictures()) == 2


def test_a_set_that_is_not_there_is_named_with_the_way_to_it(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"nowhere/val\.json: no labels; render a set with"):
        LabelledSet(tmp_path / "nowhere").pictures()


@pytest.mark.parametrize(("looks", "pictures", "says"), [("wild", 2, "no shards wild…"), ("", 0, "no pictures")])
def test_nothing_to_judge_on_is_no_score_of_zero(tmp_path: Path, looks: str, pictures: int, says: str) -> None:
    write_set(tmp_path, [], pictures=pictures)
    with pytest.raises(LabelsError, match=f"{says} among val"):
        LabelledSet(tmp_path, looks=looks).pictures()


def test_cases_are_ranked_by_what_was_missed_invented_and_misplaced(tmp_path: Path) -> None:
    write_set(tmp_path, [note(1, 100), note(1, 300)], pictures=1)
    picture = read_labels(tmp_path, "val")[0]
    one, other = perfect(picture)
    ghost = SeenPerson((500, 100, 530, 180), 0.9, np.zeros((17, 3)), np.zeros(0))
    assert cases.score(picture, (one, other)) == pytest.approx(1.0)
    assert cases.score(picture, (one, other, ghost)) == pytest.approx(2 / 3)
    assert cases.score(picture, (one,)) == pytest.approx(0.5)
    assert 0.6 < cases.score(picture, (one, with_legs_wrong(other))) < 1.0


def test_the_sheet_of_cases_goes_from_the_best_to_the_worst(tmp_path: Path) -> None:
    write_set(tmp_path, [note(i, x) for i in range(1, 10) for x in (100, 300)], pictures=9)
    pictures = read_labels(tmp_path, "val")
    out = tmp_path / "cases.jpg"
    scores = cases.write(pictures, lambda p: perfect(p)[: 2 - p.number % 3], lambda image, seen: image.copy(), out)
    assert scores == sorted(scores, reverse=True) and (scores[0], scores[-1]) == (1.0, 0.0)
    assert out.stat().st_size < 300_000


def test_the_card_puts_looks_and_another_store_side_by_side(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "kiosk"
    write_set(ours, [note(1, 100), note(2, 200, tall=50)])
    write_set(theirs, [note(1, 300, visible=0.4)], pictures=1)
    sets = card.judged_sets(ours, {"another store: kiosk": theirs})
    assert list(sets) == ["shipped look", "random looks and camera poses", "another store: kiosk"]
    figures = {}
    for name, chosen in sets.items():
        pictures = chosen.pictures()
        figures[name] = figures_of(chosen.dataset, pictures, [perfect(p) for p in pictures])
    lines = card._steps(figures, "by_share_visible", "share that shows")
    assert lines[-2:] == [
        "| 0.3-0.5 | – / – / – / – | – / – / – / – | 1 / 1.000 / 1.000 / 1.000 |",
        "| 0.9+ | 1 / 1.000 / 1.000 / 1.000 | 1 / 1.000 / 1.000 / 1.000 | – / – / – / – |",
    ]
    assert "| pictures / people | 1 / 1 | 1 / 1 | 1 / 1 |" in card._table(figures)


def test_the_shipped_card_is_made_of_the_shipped_figures_and_nothing_else() -> None:
    pytest.importorskip("torch")
    assert (MODELS / card.CARD).read_text(encoding="utf-8") == card.text(MODELS)


def test_the_card_follows_its_figures(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    for name in ("people.bin", "landmarks.bin", "refinement.bin", card.FIGURES):
        shutil.copy(MODELS / name, tmp_path)
    card.refresh(tmp_path)
    before = (tmp_path / card.CARD).read_text(encoding="utf-8")
    figures = json.loads((tmp_path / card.FIGURES).read_text(encoding="utf-8"))
    figures["training"]["note"] = "On a train."
    figures["sets"] = {"a barn": figures["sets"]["shipped look"] | {"pictures": 12321}}
    (tmp_path / card.FIGURES).write_text(json.dumps(figures), encoding="utf-8")
    card.refresh(tmp_path)
    after = (tmp_path / card.CARD).read_text(encoding="utf-8")
    assert "| measure | a barn |" in after and "| pictures / people | 12321 / " in after and "\nOn a train.\n" in after
    assert "a barn" not in before and "independent examiner" not in before + after
