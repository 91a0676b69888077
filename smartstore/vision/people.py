"""Boxes of people: a picture onto the network's canvases, and its raw answers back to boxes of the picture.

In: RGB pictures of any size. Out: boxes (left, top, right, bottom) in pixels of the picture with scores. Pixels are
continuous (pixel i covers [i, i + 1)). The network is a YOLO11 with one class; its raw answer is (5, n): centre x,
centre y, width, height in canvas pixels and the score, not yet thinned out. It looks at every picture several times,
and what it says each time becomes one answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]

CANVAS_WIDTH_PX, CANVAS_HEIGHT_PX = 512, 288
"""What the network was taught on: 16:9 pictures fill it."""
GREY = 114
"""Colour of the canvas where the picture does not reach."""
FAINT = 0.01
"""Boxes of a single look that score less are left out, unless everybody down to the faintest is asked for."""
SAME_OVERLAP = 0.5
"""Intersection over union from which boxes of two looks are of one person."""


@dataclass(frozen=True, slots=True)
class Look:
    """One of the looks at a picture: the canvas, whose sides are multiples of 32, and whether it is in the mirror."""

    width_px: int = CANVAS_WIDTH_PX
    height_px: int = CANVAS_HEIGHT_PX
    mirrored: bool = False


LOOKS = (Look(), Look(mirrored=True), Look(640, 384))
"""A larger canvas shows small people; the mirror shows everybody once more in another way."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies on the canvas: canvas = picture * scale + offset, per axis."""

    scale_x: float
    scale_y: float
    offset_x_px: float
    offset_y_px: float

    def to_picture(self, boxes: Floats) -> Floats:
        """Boxes (n, 4) of the canvas in pixels of the picture."""
        offset = np.array([self.offset_x_px, self.offset_y_px] * 2, np.float32)
        return np.asarray((boxes - offset) / np.array([self.scale_x, self.scale_y] * 2, np.float32), np.float32)

    def to_canvas(self, boxes: Floats) -> Floats:
        """Boxes (n, 4) of the picture in pixels of the canvas."""
        offset = np.array([self.offset_x_px, self.offset_y_px] * 2, np.float32)
        return np.asarray(boxes * np.array([self.scale_x, self.scale_y] * 2, np.float32) + offset, np.float32)


def letterbox(
    picture: Picture,
    zoom: float = 1.0,
    shift: tuple[float, float] = (0.5, 0.5),
    canvas_px: tuple[int, int] = (CANVAS_WIDTH_PX, CANVAS_HEIGHT_PX),
) -> tuple[Picture, Placement]:
    """The picture shrunk (or blown up) onto a grey canvas of ``canvas_px`` (width, height), and where it lies there.

    ``zoom`` other than 1 enlarges it beyond the best fit and ``shift`` (shares of the free or surplus room
    left and above) moves it: both are for training.
    """
    height, width = picture.shape[:2]
    canvas_width, canvas_height = canvas_px
    scale = min(canvas_width / width, canvas_height / height) * zoom
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(picture, (new_width, new_height), interpolation=way)
    left, top = round((canvas_width - new_width) * shift[0]), round((canvas_height - new_height) * shift[1])
    canvas = np.full((canvas_height, canvas_width, 3), GREY, np.uint8)
    to_x, to_y = slice(max(left, 0), left + new_width), slice(max(top, 0), top + new_height)
    room = canvas[to_y, to_x]
    room[:] = small[max(-top, 0) :, max(-left, 0) :][: room.shape[0], : room.shape[1]]
    return canvas, Placement(new_width / width, new_height / height, left, top)


def view(picture: Picture, look: Look) -> tuple[Picture, Placement]:
    """What the network sees of the picture at one look, and where the picture lies on the canvas before mirroring."""
    canvas, placement = letterbox(picture, canvas_px=(look.width_px, look.height_px))
    return (np.ascontiguousarray(canvas[:, ::-1]) if look.mirrored else canvas), placement


def mirrored(boxes: Floats, width_px: float) -> Floats:
    """Boxes (n, 4) as they lie in the mirror image of a picture so wide."""
    left, top, right, bottom = boxes.T
    return np.stack([width_px - right, top, width_px - left, bottom], axis=1)


def fused(looks: Sequence[tuple[Floats, Floats]], most: int) -> tuple[Floats, Floats]:
    """Boxes (n, 4) and scores (n,), best first, from those of several looks at one picture; at most ``most``.

    Weighted boxes fusion (Solovyev, Wang & Gabruseva 2021): from every look the best box that overlaps the group's
    best enough; their mean by score. A look that has none there counts as a score of 0.
    """
    boxes, scores = (np.concatenate([look[i] for look in looks]) for i in range(2))
    order = np.argsort(-scores, kind="stable")
    whose = np.repeat(np.arange(len(looks)), [len(found) for _, found in looks])[order]
    boxes, scores = boxes[order], scores[order]
    free = np.ones(len(boxes), bool)
    people = []
    for best in range(len(boxes)):
        if free[best]:
            near = np.nonzero(free & (overlaps(boxes[best], boxes) >= SAME_OVERLAP))[0]
            group = near[np.unique(whose[near], return_index=True)[1]]
            free[group] = False
            total = scores[group].sum()
            people.append([*(scores[group] @ boxes[group] / total), total / len(looks)])
    rows = np.array(sorted(people, key=lambda row: -row[4])[:most], np.float32).reshape(-1, 5)
    return rows[:, :4], rows[:, 4]


def decode(raw: Floats, min_score: float, max_overlap: float, most: int) -> tuple[Floats, Floats]:
    """Boxes (n, 4) in canvas pixels and scores (n,), best first, from the network's raw answer (5, anchors).

    Boxes scoring below ``min_score`` are dropped, and those that overlap a better one by more than ``max_overlap``
    (intersection over union); at most ``most`` are kept.
    """
    scores = raw[4]
    chosen = np.nonzero(scores >= min_score)[0]
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")][:300]
    centre, half = raw[:2, chosen].T, raw[2:4, chosen].T / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)
    kept = suppress(boxes, max_overlap)[:most]
    return boxes[kept], scores[chosen][kept].astype(np.float32)


def suppress(boxes: Floats, max_overlap: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: indices of the boxes (n, 4), given best first, that overlap no better kept
    one.
    """
    kept: list[int] = []
    waiting = np.arange(len(boxes))
    while len(waiting):
        best = int(waiting[0])
        kept.append(best)
        rest = waiting[1:]
        waiting = rest[overlaps(boxes[best], boxes[rest]) <= max_overlap]
    return np.array(kept, np.intp)


def overlaps(box: Floats, others: Floats) -> Floats:
    """Intersection over union of one box (4,) with others (n, 4)."""
    corner = np.maximum(box[:2], others[:, :2])
    size = np.maximum(np.minimum(box[2:], others[:, 2:]) - corner, 0)
    shared = size[:, 0] * size[:, 1]
    area = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    own = (box[2] - box[0]) * (box[3] - box[1])
    return np.asarray(shared / np.maximum(own + area - shared, 1e-9), np.float32)
