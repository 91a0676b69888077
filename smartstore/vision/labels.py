"""A labelled set of pictures with people, in COCO's keypoint format.

In: a folder with ``train.json`` and ``val.json``. Out: frozen pictures with their people; the image files are read
on demand.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
FLIP = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
"""Which joint each joint becomes when the picture is mirrored."""


class LabelsError(Exception):
    """A labelled set that cannot be used: one line, which file and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPerson:
    """One person of a picture. ``joints_px`` is (17, 3): x, y and 0 not in the picture, 1 covered, 2 seen."""

    box_px: tuple[float, float, float, float]
    joints_px: NDArray[np.float32]
    crowd: bool
    """Too little shows: left out of training and judging."""
    visible: float = 1.0
    """Share of the body's side towards the camera that shows in the picture."""
    body: int = -1
    """Which body was rendered; -1 where the file does not say."""
    elevation_deg: float | None = None
    """How steeply the camera looks down at this person, where the file says it."""
    full_box_px: tuple[float, float, float, float] | None = None
    """Around the whole body, covered parts and those outside the picture included, where the file says it."""
    doing: str = ""
    """What this person does, in a word, where the file says it."""
    gear: str | None = None
    """Kind of what this person shops with, empty for nothing, where the file says it."""

    @property
    def height_px(self) -> float:
        """Height of the box."""
        return self.box_px[3] - self.box_px[1]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPicture:
    """One picture of the set; ``number`` is its id in the file."""

    number: int
    path: Path
    width_px: int
    height_px: int
    kind: str
    """Kind of the camera: ``ceiling`` or ``shelf``."""
    people: tuple[LabelledPerson, ...]
    camera: str = ""
    split: str = "val"
    store: str = ""
    """Which store it shows, where the file says it."""

    @property
    def look(self) -> str:
        """Name of the shard: pictures of one ``wide`` shard share one random look and one set of camera poses."""
        return self.path.parent.name

    def read(self) -> Picture:
        """The RGB picture; raises :class:`LabelsError`."""
        return read_rgb(self.path)


def read_rgb(path: Path) -> Picture:
    """An image file as RGB; raises :class:`LabelsError`."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise LabelsError(f"{path}: not a readable picture; render the set again")
    return np.ascontiguousarray(picture[:, :, ::-1], np.uint8)


def labels_file(dataset: Path, split: str) -> Path:
    """The COCO file of a split; raises :class:`LabelsError` where there is none."""
    path = dataset / f"{split}.json"
    if not path.is_file():
        raise LabelsError(f"{path}: no labels; render a set with smartstore sim dataset --out {dataset}")
    return path


def read_labels(dataset: Path, split: str) -> list[LabelledPicture]:
    """The pictures of a split, in the file's order; raises :class:`LabelsError`."""
    path = labels_file(dataset, split)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        people: dict[int, list[LabelledPerson]] = {}
        for note in document["annotations"]:
            people.setdefault(int(note["image_id"]), []).append(_person(note))
        return [
            LabelledPicture(
                int(image["id"]),
                dataset / image["file_name"],
                int(image["width"]),
                int(image["height"]),
                str(image.get("kind", "")),
                tuple(people.get(int(image["id"]), ())),
                str(image.get("camera", "")),
                split,
                str(image.get("store", "")),
            )
            for image in document["images"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise LabelsError(f"{path}: not COCO keypoint labels ({error}); render the set again") from error


def _person(note: dict[str, Any]) -> LabelledPerson:
    steepness, whole = note.get("elevation_deg"), note.get("full_bbox")
    return LabelledPerson(
        _corners(note["bbox"]),
        np.asarray(note["keypoints"], np.float32).reshape(17, 3),
        bool(note.get("iscrowd", 0)),
        float(note.get("visible", 1.0)),
        int(note.get("body", -1)),
        None if steepness is None else float(steepness),
        None if whole is None else _corners(whole),
        str(note.get("doing", "")),
        None if note.get("gear") is None else str(note["gear"]),
    )


def _corners(box: list[float]) -> tuple[float, float, float, float]:
    left, top, width, height = (float(v) for v in box)
    return left, top, left + width, top + height
