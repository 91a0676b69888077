"""Draws a detector's answers. In: an RGB picture and the people seen in it. Out: an annotated copy."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import SeenPerson

Picture = NDArray[np.uint8]
LIMBS = (
    (0, 5), (0, 6), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14),
    (14, 16),
)  # fmt: skip
LEFT, RIGHT, MIDDLE = (255, 150, 40), (60, 190, 255), (230, 230, 230)
DRAWN_SCORE = 0.3


def draw(image: Picture, seen: Sequence[SeenPerson]) -> Picture:
    """A copy of the RGB picture with boxes, scores and limbs; left limbs orange, right ones blue."""
    out = image.copy()
    thick = max(1, image.shape[1] // 480)
    for person in seen:
        left, top, right, bottom = (round(v) for v in person.box_px)
        cv2.rectangle(out, (left, top), (right, bottom), (90, 230, 90), thick)
        cv2.putText(
            out,
            f"{person.score:.2f}",
            (left + 2, max(10, top - 3)),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.4 * thick,
            (90, 230, 90),
            1,
        )
        for one, other in LIMBS:
            if min(person.joints_px[one, 2], person.joints_px[other, 2]) >= DRAWN_SCORE:
                ends = [tuple(int(v) for v in person.joints_px[i, :2]) for i in (one, other)]
                colour = MIDDLE if (one + other) % 2 else LEFT if one % 2 else RIGHT
                cv2.line(out, ends[0], ends[1], colour, thick, cv2.LINE_AA)
        for wrist in (9, 10):
            if person.joints_px[wrist, 2] >= DRAWN_SCORE:
                at = tuple(int(v) for v in person.joints_px[wrist, :2])
                cv2.circle(out, at, 3 * thick, LEFT if wrist == 9 else RIGHT, thick, cv2.LINE_AA)
    return out
