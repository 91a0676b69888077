"""Judges the exported networks on labelled pictures that they were not trained on.

In: a labelled set and a model folder. Out: a dictionary of figures. Average precisions of boxes and of keypoints
(OKS) are pycocotools', over all people but those labelled as a crowd. PCK@0.2 torso is the share of seen joints that
lie within a fifth of the torso's length (the longer of the two diagonals between shoulders and hips, as it appears
in the picture) of where they are.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import SeenPerson
from smartstore.vision import people as boxes
from smartstore.vision.detector import LANDMARK_MODEL, PEOPLE_MODEL, Detector, DetectorOptions, OpenVinoDetector
from smartstore.vision.labels import LabelledPerson, LabelledPicture, labels_file, read_labels

Figures = dict[str, Any]
Array = NDArray[np.float64]
TALL_PX = 80.0
SURE = 0.5
"""Score above which a joint counts as claimed."""
PARTS = {
    "shoulders": (5, 6),
    "elbows": (7, 8),
    "wrists": (9, 10),
    "hips": (11, 12),
    "knees": (13, 14),
    "ankles": (15, 16),
}


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Somebody who is there and, where the detector found them, how they were seen."""

    kind: str
    truth: LabelledPerson
    seen: SeenPerson | None

    @property
    def height_px(self) -> float:
        """Height of the true box."""
        return self.truth.box_px[3] - self.truth.box_px[1]


def evaluate(dataset: Path, model_dir: Path, split: str = "val", most: int | None = None, looks: str = "") -> Figures:
    """Figures of the networks in ``model_dir`` on a split of ``dataset``: of the shards whose names begin with
    ``looks``
    (``shipped`` or ``wide``; "" for all), the first ``most`` pictures.
    """
    all_boxes = OpenVinoDetector(model_dir / PEOPLE_MODEL, model_dir / LANDMARK_MODEL, DetectorOptions(min_score=0.01))
    pictures = [p for p in read_labels(dataset, split) if p.path.parent.name.startswith(looks)][:most]
    found = [look(all_boxes, picture) for picture in pictures]
    bold = DetectorOptions().min_score
    kept = [tuple(p for p in seen if p.score >= bold) for seen in found]
    pairs = [pair for picture, seen in zip(pictures, kept, strict=True) for pair in match(picture, seen)]
    crowds = sum(_on_crowd(picture, person) for picture, seen in zip(pictures, kept, strict=True) for person in seen)
    hits, claims = sum(p.seen is not None for p in pairs), sum(map(len, kept)) - crowds
    return {
        "split": split,
        "pictures": len(pictures),
        "people": len(pairs),
        "boxes": _coco(dataset, split, pictures, found, "bbox"),
        "keypoints_oks": _coco(dataset, split, pictures, found, "keypoints"),
        "at_default_score": {"recall": _share(hits, len(pairs)), "precision": _share(min(hits, claims), claims)},
        "recall_by_kind": {
            kind: _share(sum(p.seen is not None for p in pairs if p.kind == kind), sum(p.kind == kind for p in pairs))
            for kind in ("ceiling", "shelf")
        },
        "pck_torso": joint_figures(pairs),
        "pck_torso_ceiling": joint_figures([p for p in pairs if p.kind == "ceiling"]),
        "pck_torso_shelf": joint_figures([p for p in pairs if p.kind == "shelf"]),
        f"pck_torso_{TALL_PX:.0f}px_tall": joint_figures([p for p in pairs if p.height_px >= TALL_PX]),
    }


def look(detector: Detector, picture: LabelledPicture) -> tuple[SeenPerson, ...]:
    """What the detector sees in one picture of the set."""
    return detector.detect([picture.read()])[0]


def match(picture: LabelledPicture, seen: Sequence[SeenPerson], least_overlap: float = 0.5) -> list[Pair]:
    """Everybody in the picture who is not a crowd, paired with the best free box that overlaps enough; best scores
    first.
    """
    truths = [person for person in picture.people if not person.crowd]
    theirs = np.array([p.box_px for p in truths], np.float32).reshape(-1, 4)
    partner: dict[int, SeenPerson] = {}
    for person in sorted(seen, key=lambda p: -p.score):
        if not truths:
            break
        shared = boxes.overlaps(np.array(person.box_px, np.float32), theirs)
        shared[list(partner)] = 0
        best = int(shared.argmax())
        if shared[best] >= least_overlap:
            partner[best] = person
    return [Pair(picture.kind, truth, partner.get(i)) for i, truth in enumerate(truths)]


def joint_figures(pairs: Sequence[Pair]) -> Figures:
    """PCK@0.2 torso over the seen joints of people who were found and whose torso is in the picture, all together
    and by part.
    """
    rows = [(row, pair.truth.joints_px[:, 2] == 2, pair.seen.joints_px[:, 2]) for pair in pairs if pair.seen is not None
            for row in [errors(pair)] if row is not None]  # fmt: skip
    if not rows:
        return {"people": 0}
    error = np.stack([row for row, _, _ in rows])
    there = np.stack([seen for _, seen, _ in rows])
    sure = np.stack([score for _, _, score in rows]) >= SURE
    right = error <= 0.2
    wrists = list(PARTS["wrists"])
    claimed = sure[:, wrists]
    return {
        "people": len(rows),
        "all": _share(right[there].sum(), there.sum()),
        **{name: _share(right[:, w][there[:, w]].sum(), there[:, w].sum()) for name, w in _columns()},
        "wrists_claimed_share_of_seen": _share((claimed & there[:, wrists]).sum(), there[:, wrists].sum()),
        "wrists_claimed_right": _share(
            (right[:, wrists] & claimed & there[:, wrists]).sum(), (claimed & there[:, wrists]).sum()
        ),
        "wrists_claimed_but_covered": _share((claimed & ~there[:, wrists]).sum(), claimed.sum()),
    }


def errors(pair: Pair) -> Array | None:
    """Distances (17,) of the joints from the truth in torso lengths; None where the torso is not wholly in the
    picture.
    """
    true = pair.truth.joints_px
    if pair.seen is None or np.any(true[[5, 6, 11, 12], 2] == 0):
        return None
    torso = max(float(np.linalg.norm(true[5, :2] - true[12, :2])), float(np.linalg.norm(true[6, :2] - true[11, :2])))
    return np.asarray(np.linalg.norm(pair.seen.joints_px[:, :2] - true[:, :2], axis=1) / max(torso, 1.0))


def _columns() -> list[tuple[str, list[int]]]:
    return [(name, list(which)) for name, which in PARTS.items()]


def _on_crowd(picture: LabelledPicture, person: SeenPerson) -> bool:
    """Whether a box lies mostly on somebody labelled as a crowd, which is neither right nor wrong."""
    left, top, right, bottom = person.box_px
    area = max((right - left) * (bottom - top), 1e-9)
    best = 0.0
    for other in picture.people:
        if other.crowd:
            x0, y0, x1, y1 = other.box_px
            best = max(best, max(0.0, min(right, x1) - max(left, x0)) * max(0.0, min(bottom, y1) - max(top, y0)) / area)
    return best >= 0.5 and all(p.seen is not person for p in match(picture, [person]))


def _coco(
    dataset: Path, split: str, pictures: Sequence[LabelledPicture], found: Sequence[Sequence[SeenPerson]], what: str
) -> Figures:
    """pycocotools' average precision over the pictures; areas for OKS are 0.53 of the box, as Ultralytics takes
    them.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    answers = [
        {
            "image_id": picture.number,
            "category_id": 1,
            "bbox": [p.box_px[0], p.box_px[1], p.box_px[2] - p.box_px[0], p.box_px[3] - p.box_px[1]],
            "keypoints": p.joints_px.ravel().tolist(),
            "score": p.score if what == "bbox" else p.score * max(0.05, float(np.mean(p.joints_px[:, 2]))),
        }
        for picture, seen in zip(pictures, found, strict=True)
        for p in seen
    ]
    if not answers:
        return {"ap50": 0.0, "ap50_95": 0.0}
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(labels_file(dataset, split)))
        for note in truth.dataset["annotations"]:
            note["area"] = 0.53 * note["bbox"][2] * note["bbox"][3]
        judge = COCOeval(truth, truth.loadRes(answers), what)
        judge.params.imgIds = [picture.number for picture in pictures]
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return {"ap50": round(float(judge.stats[1]), 4), "ap50_95": round(float(judge.stats[0]), 4)}


def _share(part: float, whole: float) -> float:
    return round(float(part) / float(whole), 4) if whole else 0.0
