"""Good and bad cases of the detector, side by side, chosen by their measured score.

In: labelled pictures and a detector. Out: a sheet: on top the best pictures, then those around the middle, at the
bottom the worst. A picture's score is the mean over its people and over boxes where nobody is: 0 for somebody who was
missed and for such a box, else the overlap with the true box times the share of the seen joints that are right.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import SeenPerson
from smartstore.vision import people as boxes
from smartstore.vision.evaluation import RIGHT, Pair, errors, match
from smartstore.vision.labels import LabelledPicture

Picture = NDArray[np.uint8]
Look = Callable[[LabelledPicture], tuple[SeenPerson, ...]]
Draw = Callable[[Picture, Sequence[SeenPerson]], Picture]
COLUMNS = 3
MISSED = (255, 60, 60)


def write(pictures: Sequence[LabelledPicture], look: Look, draw: Draw, path: Path) -> list[float]:
    """Writes the sheet of those ``pictures`` that show at least two people; returns the scores of its nine tiles, from
    the best to the worst.
    """
    judged = []
    for picture in pictures:
        if sum(not person.crowd for person in picture.people) >= 2:
            seen = look(picture)
            judged.append((score(picture, seen), len(picture.people), picture, seen))
    judged.sort(key=lambda row: (-row[0], -row[1]))
    middle = max(0, len(judged) // 2 - 1)
    rows = (judged[:COLUMNS], judged[middle : middle + COLUMNS], judged[-COLUMNS:])
    lines = [
        np.hstack([_tile(p, seen, value, draw) for value, _, p, seen in row]) for row in rows if len(row) == COLUMNS
    ]
    if lines:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet = np.ascontiguousarray(np.vstack(lines)[:, :, ::-1])
        cv2.imwrite(str(path), sheet, [cv2.IMWRITE_JPEG_QUALITY, 78])
    return [value for row in rows for value, *_ in row]


def score(picture: LabelledPicture, seen: Sequence[SeenPerson]) -> float:
    """How well one picture was seen, 0 to 1."""
    pairs = match(picture, seen)
    crowds = sum(person.crowd for person in picture.people)
    false = max(0, len(seen) - sum(pair.seen is not None for pair in pairs) - crowds)
    return sum(map(_of_person, pairs)) / max(1, len(pairs) + false)


def _of_person(pair: Pair) -> float:
    if pair.seen is None:
        return 0.0
    fit = float(boxes.overlaps(np.array(pair.seen.box_px, np.float32), np.array([pair.truth.box_px], np.float32))[0])
    off, there = errors(pair), pair.truth.joints_px[:, 2] == 2
    return fit * float((off[there] <= RIGHT).mean()) if off is not None and there.any() else fit


def _tile(picture: LabelledPicture, seen: Sequence[SeenPerson], value: float, draw: Draw) -> Picture:
    """The picture with the detector's answers; who was missed has a red box."""
    image = picture.read()
    drawn = draw(image, seen)
    for pair in match(picture, seen):
        if pair.seen is None:
            left, top, right, bottom = (round(v) for v in pair.truth.box_px)
            cv2.rectangle(drawn, (left, top), (right, bottom), MISSED, max(1, image.shape[1] // 480))
    tile = cv2.resize(drawn, (512, 288), interpolation=cv2.INTER_AREA)
    cv2.putText(tile, f"{value:.2f}", (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 120), 1, cv2.LINE_AA)
    return np.asarray(tile, np.uint8)
