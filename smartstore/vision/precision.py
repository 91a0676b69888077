"""Average precisions as pycocotools computes them, of boxes and of joints.

In: a split's labels and what a detector answered. Out: AP at 0.5 and over 0.5 to 0.95. OKS (object keypoint
similarity) needs an area of the person: 0.53 of the box, as Ultralytics takes it. Four questions can be asked of the
same answers: over all labelled joints of everybody, covered ones included; the same over people at least as large as
those whose joints COCO has annotated and judges; over the joints that can be seen; and over the people of whom at least
so much shows.
"""

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from smartstore.domain.people import SeenPerson
from smartstore.vision.labels import LabelledPicture, labels_file

Figures = dict[str, Any]
AREA_OF_BOX = 0.53
COCO_LEAST_AREA_PX = 32.0**2
"""Joints of smaller people are not annotated in COCO, and its figures leave them out (cocodataset.org, "Keypoint
Evaluation": small objects, of a segment area below 32 squared, do not contain keypoint annotations).
"""
SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
"""COCO's standard deviations of the 17 joints, in square roots of the area."""


class Judge:
    """The labels of some pictures and one detector's answers to them, ready for several questions."""

    def __init__(
        self, dataset: Path, pictures: Sequence[LabelledPicture], found: Sequence[Sequence[SeenPerson]]
    ) -> None:
        self._document = _document(dataset, pictures)
        self._found = found

    def boxes(self, least_visible: float = 0.0) -> Figures:
        """AP of boxes, over people of whom at least ``least_visible`` shows; the others are neither right nor wrong."""
        return self._average("bbox", self._truth(least_visible, seen_only=False))

    def joints(self, least_visible: float = 0.0, seen_only: bool = False, least_area_px: float = 0.0) -> Figures:
        """AP by OKS over all labelled joints or over the seen ones, of people with at least so much area."""
        return self._average("keypoints", self._truth(least_visible, seen_only, least_area_px))

    def _truth(self, least_visible: float, seen_only: bool, least_area_px: float = 0.0) -> Figures:
        notes = []
        for note in self._document["annotations"]:
            joints = np.array(note["keypoints"], float).reshape(17, 3)
            if seen_only:
                joints[joints[:, 2] == 1] = 0
            area = AREA_OF_BOX * note["bbox"][2] * note["bbox"][3]
            hardly = float(note.get("visible", 1.0)) < least_visible or area < least_area_px
            crowd = int(bool(note["iscrowd"]) or hardly)
            counted = 0 if crowd else int((joints[:, 2] > 0).sum())
            changed = {"iscrowd": crowd, "num_keypoints": counted, "keypoints": joints.ravel().tolist(), "area": area}
            notes.append(note | changed)
        return self._document | {"annotations": notes}

    def _average(self, what: str, document: Figures) -> Figures:
        answers = [
            _answer(number, person, what)
            for number, seen in enumerate(self._found, start=1)
            for person in seen
            if what == "bbox" or person.joints_px[:, 2].any()
        ]
        if not answers or not document["annotations"]:
            return {"ap50": 0.0, "ap50_95": 0.0}
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO()
            truth.dataset = document
            truth.createIndex()
            judge = COCOeval(truth, truth.loadRes(answers), what)
            judge.evaluate()
            judge.accumulate()
            judge.summarize()
        return {"ap50": round(float(judge.stats[1]), 4), "ap50_95": round(float(judge.stats[0]), 4)}


def _document(dataset: Path, pictures: Sequence[LabelledPicture]) -> Figures:
    """The labels of these pictures in COCO's format, numbered from 1 in their order: they may be of several splits."""
    number = {(picture.split, picture.number): i for i, picture in enumerate(pictures, start=1)}
    notes: list[Figures] = []
    for split in sorted({picture.split for picture in pictures}):
        document = json.loads(labels_file(dataset, split).read_text(encoding="utf-8"))
        category = document["categories"][0]
        for note in document["annotations"]:
            if (split, note["image_id"]) in number:
                notes.append(note | {"id": len(notes) + 1, "image_id": number[split, note["image_id"]]})
    images = [{"id": i, "width": p.width_px, "height": p.height_px} for i, p in enumerate(pictures, start=1)]
    return {"images": images, "annotations": notes, "categories": [category] if pictures else []}


def _answer(number: int, person: SeenPerson, what: str) -> Figures:
    left, top, right, bottom = person.box_px
    trust = 1.0 if what == "bbox" else max(0.05, float(np.mean(person.joints_px[:, 2])))
    return {
        "image_id": number,
        "category_id": 1,
        "bbox": [left, top, right - left, bottom - top],
        "keypoints": person.joints_px.ravel().tolist(),
        "score": person.score * trust,
    }
