"""What the refinement network learns from: what the other networks say of labelled pictures that they were not trained
on, beside what is true.

In: labelled pictures and a detector. Out: arrays, one row per person whom the networks may have seen. They are kept
shard by shard, so that an interrupted computation goes on where it stopped.
"""

import hashlib
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from smartstore.vision import landmarks, refinement
from smartstore.vision.detector import LANDMARK_MODEL, PEOPLE_MODEL, DetectorOptions, OpenVinoDetector
from smartstore.vision.labels import FLIP, LabelledPerson, LabelledPicture
from smartstore.vision.people import overlaps
from smartstore.vision.precision import AREA_OF_BOX

Floats = NDArray[np.float32]
Log = Callable[[str], None]
MOST_PEOPLE, LEAST_SCORE = 40, 0.02
"""Most rows of a picture, and the score of the faintest box that is worth learning from."""
OVERLAP, LIKELY_OVERLAP = 0.5, 0.4
"""Intersection over union from which a box is right, and from which one tells whose it was meant to be."""


class Samples(NamedTuple):
    """n rows."""

    given: Floats
    """(n, ``refinement.NUMBERS``)."""
    places: Floats
    """(n, 17, 2): true joints, in crop sides from the crop's middle."""
    known: NDArray[np.bool_]
    """(n, 17): joints that are labelled; none where the box is nobody's."""
    area_px: Floats
    """(n,): the person's area in pixels of the crop, as OKS has it."""
    shifts: Floats
    """(n, 4): where the true box's sides are from those found, in widths and heights."""
    right: Floats
    """(n,): 1 where the box is right and no better one is somebody's."""
    features: NDArray[np.float16]
    """(n, 2, ``landmarks.FEATURES``): of the crop and of its mirror image."""

    def some(self, which: NDArray[Any]) -> "Samples":
        """The chosen rows."""
        return _of([column[which] for column in self])


def samples(pictures: Sequence[LabelledPicture], models: Path, folder: Path, log: Log = print) -> Samples:
    """The rows of all pictures with the networks under ``models``; those that lie in ``folder`` are read from it."""
    folder.mkdir(parents=True, exist_ok=True)
    people, joints = models / PEOPLE_MODEL, models / LANDMARK_MODEL
    detector = OpenVinoDetector(people, joints, DetectorOptions(min_score=LEAST_SCORE, most_people=MOST_PEOPLE))
    exact = hashlib.sha256(
        people.with_suffix(".bin").read_bytes() + joints.with_suffix(".bin").read_bytes()
    ).hexdigest()
    parts = []
    done = 0
    for _, shard in groupby(pictures, key=lambda picture: picture.path.parent):
        some = list(shard)
        done += len(some)
        file = folder / f"{_digest(exact, some)}.npz"
        if not file.exists():
            rows = [of_picture(picture, detector) for picture in some]
            partial = file.with_suffix(".part.npz")
            np.savez_compressed(partial, **_joined(rows)._asdict())
            partial.replace(file)
            log(f"{done} of {len(pictures)} pictures looked at")
        with np.load(file) as stored:
            parts.append(Samples(**{name: stored[name] for name in Samples._fields}))
    return _joined(parts)


def of_picture(picture: LabelledPicture, detector: OpenVinoDetector) -> Samples:
    """The rows of one picture: everybody whom the networks may have seen but those who lie on a crowd."""
    found = detector.candidates(picture.read())
    given = refinement.numbers(found, refinement.joints_of(found))
    count = len(given)
    rows = Samples(
        given,
        np.zeros((count, 17, 2), np.float32),
        np.zeros((count, 17), np.bool_),
        np.ones(count, np.float32),
        np.zeros((count, 4), np.float32),
        np.zeros(count, np.float32),
        found.features.astype(np.float16),
    )
    whose, right = owners(found.boxes, [p for p in picture.people if not p.crowd])
    for i, person in enumerate(whose):
        if person is not None:
            _write(rows, i, found.boxes[i], person, right[i])
    crowds = np.array([p.box_px for p in picture.people if p.crowd], np.float32).reshape(-1, 4)
    kept = [i for i in range(count) if right[i] or not len(crowds) or overlaps(found.boxes[i], crowds).max() < 0.2]
    return rows.some(np.array(kept, int))


def mirrored(rows: Samples, which: NDArray[np.bool_]) -> Samples:
    """The rows, the chosen ones of them as they are in the mirror."""
    given, places, known, shifts = rows.given.copy(), rows.places.copy(), rows.known.copy(), rows.shifts.copy()
    features = rows.features.copy()
    given[which] = refinement.mirrored(given[which])
    places[which] = places[which][:, FLIP] * np.array([-1, 1], np.float32)
    known[which] = known[which][:, FLIP]
    shifts[which] = shifts[which][:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1], np.float32)
    features[which] = features[which][:, ::-1]
    return Samples(given, places, known, rows.area_px, shifts, rows.right, features)


def owners(boxes: Floats, people: Sequence[LabelledPerson]) -> tuple[list[LabelledPerson | None], list[bool]]:
    """Whose each box (n, 4), best first, was meant to be, and whether it is right and the first of theirs."""
    theirs = np.array([p.box_px for p in people], np.float32).reshape(-1, 4)
    free = np.ones(len(people), bool)
    whose: list[LabelledPerson | None] = []
    right = []
    for box in boxes:
        shared = overlaps(box, theirs)
        open_ = np.where(free, shared, 0.0)
        best = int(open_.argmax()) if len(open_) and open_.max() >= OVERLAP else -1
        right.append(best >= 0)
        if best >= 0:
            free[best] = False
        elif len(shared) and shared.max() >= LIKELY_OVERLAP:
            best = int(shared.argmax())
        whose.append(people[best] if best >= 0 else None)
    return whose, right


def _write(rows: Samples, i: int, box: Floats, person: LabelledPerson, right: bool) -> None:
    matrix = landmarks.crop_matrix((float(box[0]), float(box[1]), float(box[2]), float(box[3])))
    crop = person.joints_px[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    true = np.array(person.box_px, np.float32)
    rows.places[i] = crop / refinement.CROP_PX - 0.5
    rows.known[i] = person.joints_px[:, 2] > 0
    rows.area_px[i] = AREA_OF_BOX * (true[2:] - true[:2]).prod() * (matrix[0, 0] ** 2 + matrix[1, 0] ** 2)
    rows.shifts[i] = (true - box) / np.tile(box[2:] - box[:2], 2)
    rows.right[i] = right


def _joined(parts: Sequence[Samples]) -> Samples:
    return _of([np.concatenate(column) for column in zip(*parts, strict=True)])


def _of(columns: Sequence[Any]) -> Samples:
    return Samples(*columns)


def _digest(networks: str, pictures: Sequence[LabelledPicture]) -> str:
    """Name of the file for these pictures and networks: by their files, and when the pictures were written."""
    digest = hashlib.sha256(networks.encode())
    for picture in pictures:
        digest.update(f"{picture.path.resolve()} {picture.path.stat().st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
