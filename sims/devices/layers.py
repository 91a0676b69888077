"""Pictures over pictures: what moves before what stays, glass before both, and the parts of a picture to touch.

In: rendered layers (BGRA, multiplied with their opacity) and their depths. They are laid over a picture in place.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from sims.devices.look import Floats, Picture

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels."""


def lay_over(under: Picture, layer: Picture, depth: Floats, still_depth: Floats) -> None:
    """Puts a layer (BGRA, multiplied with its opacity) onto what lies under it wherever the layer is nearer."""
    near = cv2.compare(depth, still_depth, cv2.CMP_LT)
    cover = cv2.bitwise_and(cv2.extractChannel(layer, 3), near)
    solid = cv2.compare(cover, 255, cv2.CMP_EQ)
    cv2.copyTo(layer, solid, under)
    rim = cv2.morphologyEx(solid, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
    soft = (cover > 0) & (cover < 255)
    if soft.any():
        rest = (255 - cover[soft].astype(np.uint16))[:, None]
        under[soft] = (layer[soft] + under[soft] * rest // 255).astype(np.uint8)
    cv2.copyTo(cv2.blur(under, (3, 3)), rim, under)  # what stays is drawn with soft edges: people must not stand out


def glaze(under: Picture, glass: Picture, where: NDArray[np.bool_]) -> None:
    """Puts glass (BGRA, multiplied with its opacity) before a picture there."""
    if where.any():
        seen, pane = under[where].astype(np.uint16), glass[where]
        rest = 255 - pane[:, 3:].astype(np.uint16)
        under[where] = np.minimum(pane + seen * rest // 255, 255).astype(np.uint8)


def joined(boxes: list[Box], new: Box) -> list[Box]:
    """Boxes (x0, y0, x1, y1) with one more, overlapping ones made one."""
    for box in boxes:
        if box[0] < new[2] and new[0] < box[2] and box[1] < new[3] and new[1] < box[3]:
            rest = [other for other in boxes if other is not box]
            return joined(rest, (min(box[0], new[0]), min(box[1], new[1]), max(box[2], new[2]), max(box[3], new[3])))
    return [*boxes, new]
