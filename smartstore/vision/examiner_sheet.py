"""The examiner's contact sheet: the crops as it saw them, with the labels' limbs and its own.

In: examined people. Out: one JPEG: the best, the middle and the worst by the measured share of right joints.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from smartstore.vision.blazepose import CROP_PX, circle_of, cut
from smartstore.vision.drawing import LIMBS
from smartstore.vision.evaluation import RIGHT

if TYPE_CHECKING:
    from smartstore.vision.examiner import Examined

Picture = NDArray[np.uint8]
TRUE, FOUND = (90, 230, 90), (255, 90, 60)
COLUMNS = 8


def write(examined: "Sequence[Examined]", path: Path) -> None:
    """Three rows of crops: the worst eight, eight around the middle and the best eight; labels green, examiner red."""
    ranked = sorted(examined, key=_right_share)
    if not ranked:
        return
    middle = max(0, len(ranked) // 2 - COLUMNS // 2)
    rows = (ranked[:COLUMNS], ranked[middle : middle + COLUMNS], ranked[-COLUMNS:])
    blank = np.zeros((CROP_PX, CROP_PX, 3), np.uint8)
    lines = [np.hstack([_tile(e) for e in row] + [blank] * (COLUMNS - len(row))) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = cv2.resize(np.vstack(lines), None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), np.ascontiguousarray(sheet[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 82])


def _right_share(one: "Examined") -> float:
    return float((one.errors <= RIGHT)[one.seen].mean()) if one.seen.any() else 0.0


def _tile(one: "Examined") -> Picture:
    person = one.person
    matrix = circle_of(person.joints_px, person.full_box_px or person.box_px).crop_matrix()
    tile = cut(one.picture.read(), matrix).copy()
    for joints, colour in ((person.joints_px, TRUE), (one.verdict.joints_px, FOUND)):
        places = (joints[:, :2] @ matrix[:, :2].T + matrix[:, 2]).astype(int)
        for start, end in LIMBS:
            cv2.line(tile, tuple(map(int, places[start])), tuple(map(int, places[end])), colour, 1, cv2.LINE_AA)
        for wrist in (9, 10):
            cv2.circle(tile, tuple(map(int, places[wrist])), 3, colour, 1 if wrist == 9 else -1, cv2.LINE_AA)
    text = f"{_right_share(one):.2f}  body {person.body}  {person.height_px:.0f} px"
    cv2.putText(tile, text, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 120), 1, cv2.LINE_AA)
    return np.asarray(tile, np.uint8)
