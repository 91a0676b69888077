"""Judges the exported networks on labelled pictures that they were not trained on.

In: labelled sets and a model folder. Out: a dictionary of figures per set. Average precisions of boxes and of joints
(OKS) are pycocotools', over all people but those labelled as a crowd. PCK@0.2 torso is the share of seen joints that
lie within a fifth of the torso's length (the longer of the two diagonals between shoulders and hips, as it appears
in the picture) of where they are. Tables say the same by how tall people are in the picture, which is how far away
they are, and by how much of them shows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import SeenPerson
from smartstore.vision import people as boxes
from smartstore.vision.detector import LANDMARK_MODEL, PEOPLE_MODEL, Detector, DetectorOptions, OpenVinoDetector
from smartstore.vision.labels import LabelledPerson, LabelledPicture, LabelsError, read_labels
from smartstore.vision.precision import COCO_LEAST_AREA_PX, Judge

Figures = dict[str, Any]
Array = NDArray[np.float64]
Progress = Callable[[int, int], None]
"""Called with the number of pictures done and of all."""
RIGHT = 0.2
"""Torso lengths within which a joint is right."""
TALL_PX = 80.0
SURE = 0.5
"""Score above which a joint counts as claimed."""
LEAST_SCORE = 0.001
"""Boxes that score less are not asked for."""
HEIGHTS_PX = (0, 40, 60, 80, 120, 160, 240, 10_000)
SHARES = (0.0, 0.3, 0.5, 0.7, 0.9, 1.01)
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
        return self.truth.height_px


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """What to judge on: a folder, which of its splits (``val``, or both where nothing of it was trained on), and the
    shards whose names begin with ``looks`` (``shipped`` or ``wide``; "" for all).
    """

    dataset: Path
    splits: tuple[str, ...] = ("val",)
    looks: str = ""

    def pictures(self) -> list[LabelledPicture]:
        """Its pictures, in the files' order; raises :class:`~smartstore.vision.labels.LabelsError`."""
        listed = [picture for split in self.splits for picture in read_labels(self.dataset, split)]
        chosen = [picture for picture in listed if picture.look.startswith(self.looks)]
        if not chosen:
            which = f"shards {self.looks}…" if self.looks else "pictures"
            raise LabelsError(f"{self.dataset}: no {which} among {'+'.join(self.splits)}; choose others")
        return chosen


def evaluate(
    dataset: Path,
    model_dir: Path,
    split: str = "val",
    most: int | None = None,
    looks: str = "",
    progress: Progress | None = None,
    int8: bool = True,
) -> Figures:
    """Figures of the networks in ``model_dir`` on a split of ``dataset``: of the shards whose names begin with
    ``looks``, ``most`` pictures spread evenly over them. ``int8``: with the eight-bit copies where there are some.
    """
    return evaluate_set(LabelledSet(dataset, (split,), looks), model_dir, most, progress, int8)


def evaluate_set(
    chosen: LabelledSet, model_dir: Path, most: int | None = None, progress: Progress | None = None, int8: bool = True
) -> Figures:
    """Figures of the networks in ``model_dir`` on a labelled set."""
    pictures = chosen.pictures()
    if most is not None and most < len(pictures):
        pictures = [pictures[i * len(pictures) // most] for i in range(most)]
    options = DetectorOptions(min_score=LEAST_SCORE, most_people=40, int8=int8)
    detector = OpenVinoDetector(model_dir / PEOPLE_MODEL, model_dir / LANDMARK_MODEL, options)
    found = []
    for number, picture in enumerate(pictures, start=1):
        found.append(look(detector, picture))
        if progress is not None and (number % 10 == 0 or number == len(pictures)):
            progress(number, len(pictures))
    return {"split": "+".join(chosen.splits)} | figures_of(chosen.dataset, pictures, found)


def figures_of(dataset: Path, pictures: Sequence[LabelledPicture], found: Sequence[tuple[SeenPerson, ...]]) -> Figures:
    """Figures of a detector's answers to labelled pictures."""
    bold = DetectorOptions().min_score
    kept = [tuple(p for p in seen if p.score >= bold) for seen in found]
    pairs = [pair for picture, seen in zip(pictures, kept, strict=True) for pair in match(picture, seen)]
    crowds = sum(_on_crowd(picture, person) for picture, seen in zip(pictures, kept, strict=True) for person in seen)
    hits, claims = sum(p.seen is not None for p in pairs), sum(map(len, kept)) - crowds
    judge = Judge(dataset, pictures, found)
    return {
        "pictures": len(pictures),
        "people": len(pairs),
        "boxes": judge.boxes(),
        "boxes_half_shows": judge.boxes(least_visible=0.5),
        "keypoints_oks": judge.joints(),
        "keypoints_oks_coco_sizes": judge.joints(least_area_px=COCO_LEAST_AREA_PX),
        "keypoints_oks_half_shows": judge.joints(least_visible=0.5),
        "keypoints_oks_seen_joints": judge.joints(seen_only=True),
        "at_default_score": {"recall": share(hits, len(pairs)), "precision": share(min(hits, claims), claims)},
        "recall_by_kind": {
            kind: _recall([p for p in pairs if p.kind == kind]) for kind in sorted({p.kind for p in pairs})
        },
        "by_height_px": table(pairs, HEIGHTS_PX, lambda pair: pair.height_px),
        "by_share_visible": table(pairs, SHARES, lambda pair: pair.truth.visible),
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
    right = error <= RIGHT
    wrists = list(PARTS["wrists"])
    claimed = sure[:, wrists]
    return {
        "people": len(rows),
        "all": share(right[there].sum(), there.sum()),
        **{name: share(right[:, list(w)][there[:, list(w)]].sum(), there[:, list(w)].sum())
           for name, w in PARTS.items()},
        "wrists_claimed_share_of_seen": share((claimed & there[:, wrists]).sum(), there[:, wrists].sum()),
        "wrists_claimed_right": share(
            (right[:, wrists] & claimed & there[:, wrists]).sum(), (claimed & there[:, wrists]).sum()
        ),
        "wrists_claimed_but_covered": share((claimed & ~there[:, wrists]).sum(), claimed.sum()),
    }  # fmt: skip


def table(pairs: Sequence[Pair], steps: Sequence[float], of: Callable[[Pair], float]) -> Figures:
    """People, recall at the default score and PCK (all joints, wrists) on every step of a quantity."""
    figures = {}
    for low, high in pairwise(steps):
        chosen = [pair for pair in pairs if low <= of(pair) < high]
        if chosen:
            joints = joint_figures(chosen)
            figures[f"{low:g}-{high:g}" if high < max(steps) else f"{low:g}+"] = {
                "people": len(chosen),
                "recall": _recall(chosen),
                "joints": joints.get("all"),
                "wrists": joints.get("wrists"),
            }
    return figures


def errors(pair: Pair) -> Array | None:
    """Distances (17,) of the joints from the truth in torso lengths; None where the torso is not wholly in the
    picture.
    """
    if pair.seen is None or np.any(pair.truth.joints_px[[5, 6, 11, 12], 2] == 0):
        return None
    return joint_errors(pair.truth.joints_px, pair.seen.joints_px)


def joint_errors(true: NDArray[Any], found: NDArray[Any]) -> Array:
    """Distances (17,) between two answers (17, 2 or more) in torso lengths of the first."""
    torso = max(float(np.linalg.norm(true[5, :2] - true[12, :2])), float(np.linalg.norm(true[6, :2] - true[11, :2])))
    return np.asarray(np.linalg.norm(found[:, :2] - true[:, :2], axis=1) / max(torso, 1.0))


def _recall(pairs: Sequence[Pair]) -> float:
    return share(sum(p.seen is not None for p in pairs), len(pairs))


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


def share(part: float, whole: float) -> float:
    """A part of a whole to four digits; 0 of nothing."""
    return round(float(part) / float(whole), 4) if whole else 0.0
