"""Boxes of people: a picture onto the network's canvas, and the network's raw answer back to boxes of the picture.

In: RGB pictures of any size. Out: boxes (left, top, right, bottom) in pixels of the picture with scores. Pixels are
continuous (pixel i covers [i, i + 1)). The network is a YOLO11 with one class; its raw answer is (5, n): centre x,
centre y, width, height in canvas pixels and the score, not yet thinned out.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]

CANVAS_WIDTH_PX, CANVAS_HEIGHT_PX = 512, 288
"""What the network looks at: 16:9 pictures fill it."""
GREY = 114
"""Colour of the canvas where the picture does not reach."""


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
    picture: Picture, zoom: float = 1.0, shift: tuple[float, float] = (0.5, 0.5)
) -> tuple[Picture, Placement]:
    """The picture shrunk (or blown up) onto a grey canvas (288, 512, 3), and where it lies there.

    ``zoom`` other than 1 enlarges it beyond the best fit and ``shift`` (shares of the free or surplus room
    left and above) moves it: both are for training.
    """
    height, width = picture.shape[:2]
    scale = min(CANVAS_WIDTH_PX / width, CANVAS_HEIGHT_PX / height) * zoom
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(picture, (new_width, new_height), interpolation=way)
    left, top = round((CANVAS_WIDTH_PX - new_width) * shift[0]), round((CANVAS_HEIGHT_PX - new_height) * shift[1])
    canvas = np.full((CANVAS_HEIGHT_PX, CANVAS_WIDTH_PX, 3), GREY, np.uint8)
    to_x, to_y = slice(max(left, 0), left + new_width), slice(max(top, 0), top + new_height)
    room = canvas[to_y, to_x]
    room[:] = small[max(-top, 0) :, max(-left, 0) :][: room.shape[0], : room.shape[1]]
    return canvas, Placement(new_width / width, new_height / height, left, top)


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
