"""What people hide in a picture: their bodies and arms as a mask.

In: the people of a picture. Out: a mask of the picture, generous at the hands, which hold things.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import COCO_JOINTS, SeenPerson

Bools = NDArray[np.bool_]
Array = NDArray[np.float64]

_AT = {name: i for i, name in enumerate(COCO_JOINTS)}
_LIMBS = [
    ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"), ("shoulder", "hip"),
]  # fmt: skip
_TORSO = [_AT[name] for name in ("left_shoulder", "right_shoulder", "right_hip", "left_hip")]
_HEAD = [_AT[name] for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]
MIN_SCORE = 0.3
HAND_BEYOND = 1.1
"""A hand with what it holds reaches so many forearms beyond the wrist."""


def hidden_by(people: Sequence[SeenPerson], width_px: int, height_px: int) -> Bools:
    """Pixels (height, width) that people may hide: trunk, head and limbs, or all of the box where joints are few."""
    canvas = np.zeros((height_px, width_px), np.uint8)
    for person in people:
        joints = person.joints_px
        if len(joints) and np.count_nonzero(joints[:, 2] >= MIN_SCORE) >= 9:
            _draw(canvas, joints, person.box_px)
        else:
            left, top, right, bottom = (round(value) for value in person.box_px)
            cv2.rectangle(canvas, (left - 6, top - 6), (right + 6, bottom + 6), 1, -1)
    return canvas > 0


def _draw(canvas: NDArray[np.uint8], joints: Array, box_px: tuple[float, float, float, float]) -> None:
    good = joints[:, 2] >= MIN_SCORE
    size = _size_px(joints, good, box_px)
    thick = max(6, round(0.75 * size))
    for side in ("left", "right"):
        for start, end in _LIMBS:
            a, b = _AT[f"{side}_{start}"], _AT[f"{side}_{end}"]
            if good[a] and good[b]:
                cv2.line(canvas, _pixel(joints[a]), _pixel(joints[b]), 1, thick)
        elbow, wrist = _AT[f"{side}_elbow"], _AT[f"{side}_wrist"]
        if good[wrist]:
            beyond = joints[wrist] + (HAND_BEYOND * (joints[wrist] - joints[elbow]) if good[elbow] else 0.0)
            cv2.line(canvas, _pixel(joints[wrist]), _pixel(beyond), 1, round(1.2 * thick))
            cv2.circle(canvas, _pixel(joints[wrist]), thick, 1, -1)
    trunk = [i for i in _TORSO if good[i]]
    if len(trunk) >= 3:
        hull = cv2.convexHull(joints[trunk, :2].astype(np.int32))
        cv2.fillConvexPoly(canvas, hull, 1)
        cv2.polylines(canvas, [hull], True, 1, thick)
    heads = [i for i in _HEAD if good[i]]
    if heads:
        cv2.circle(canvas, _pixel(joints[heads].mean(axis=0)), round(0.9 * size), 1, -1)


def _size_px(joints: Array, good: Bools, box_px: tuple[float, float, float, float]) -> float:
    """About a third of the shoulders' width at most, from the box where shoulders do not show."""
    left, right = _AT["left_shoulder"], _AT["right_shoulder"]
    height = max(box_px[3] - box_px[1], box_px[2] - box_px[0])
    across = float(np.linalg.norm(joints[left, :2] - joints[right, :2])) if good[left] and good[right] else 0.0
    return float(np.clip(max(across / 2, 0.09 * height), 10.0, 80.0))


def _pixel(point: Array) -> tuple[int, int]:
    return int(np.clip(point[0], -9999, 9999)), int(np.clip(point[1], -9999, 9999))
