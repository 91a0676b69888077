"""What cameras would see of a crowd if they made no errors, and the circumstances under which they see it.

In: a crowd and lenses. Out: a :class:`View` of joints, what hides them, boxes, and per person the features that errors
depend on. The error model is fitted on these same features: where lines of sight are cruder than pictures, the
difference is an error like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sims.devices.sight import Array, Crowd, Lenses, Mask, Solids, hidden_by_people
from sims.optics import CameraSpec

OWN_ARMS = np.isin(np.arange(17), (7, 8, 9, 10))
TALL_M = 1.7
USUAL_PX = 150.0
LEAST_PX = 8.0
"""Boxes less high than this are not found."""
FLESH_M = 0.07
"""How far boxes reach beyond joints."""
BEFORE_M, AMONG_M, MOST_AMONG = 0.4, 0.5, 1.4
"""From so far before a shelf on, within so many metres, joints come to be among its goods."""
BONES = np.array(
    [(5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 13), (13, 15), (12, 14), (14, 16), (0, 5), (0, 6)]
)
ALONG = np.array([0.25, 0.5, 0.75])
"""Limbs and trunk, and where on the way from one end to the other a limb that leaves the picture is looked at."""


@dataclass(frozen=True, slots=True)
class View:
    """What c cameras see of n people before errors."""

    cameras: NDArray[np.intp]
    pixels: Array
    """(c, n, 17, 2); NaN where the lens shows nothing."""
    visible: Mask
    in_picture: Mask
    at_shelf: Array
    """(c, n, 17): how far joints are among goods and boards; 0 well before a shelf, 1 in it."""
    boxes: Array
    """(c, n, 4) around what shows, or around what would show where everything is covered."""
    tall_px: Array
    """(c, n): a standing person of 1.7 m would be so tall there."""
    features: Array
    """(c, n, 5): one; logarithm of the size; shares of joints that show and that are cut off; share covered."""
    over: NDArray[np.intp]
    """(c, n): who covers most of them."""
    possible: Mask
    """(c, n): whether there is anything in the picture that could be found."""


class Viewer:
    """Looks at crowds through many lenses at once."""

    def __init__(self, specs: Sequence[CameraSpec], solids: Solids) -> None:
        self.lenses, self._solids = Lenses(specs), solids

    def look(self, crowd: Crowd, cameras: NDArray[np.intp]) -> View:
        """What the chosen cameras see of a crowd of at least one."""
        count, eyes_m = len(crowd.people), self.lenses.eyes_m[cameras]
        points = crowd.joints.reshape(-1, 3)
        shape = (len(cameras), count, 17)
        pixels = self.lenses.project(cameras, points).reshape(*shape, 2)
        hidden = self._solids.hide(eyes_m, points)
        hidden |= hidden_by_people(eyes_m, points, crowd, np.repeat(np.arange(count), 17), np.tile(OWN_ARMS, count))
        sizes = self.lenses.sizes_px[cameras, None, None]
        inside: Mask = np.asarray(((pixels >= 0) & (pixels < sizes)).all(axis=3))
        visible = inside & ~hidden.reshape(shape)
        middle = crowd.joints[:, [5, 6, 11, 12]].mean(axis=1)
        distance_m = np.linalg.norm(middle - eyes_m[:, None], axis=2)
        metres_px = self.lenses.focal_px[cameras, None] / np.maximum(distance_m, 0.3)
        boxes = self._hulls(crowd, cameras, pixels, visible, inside, metres_px)
        crowded, over = _covered(boxes, distance_m)
        tall_px = TALL_M * metres_px
        features = np.stack(
            [
                np.ones_like(tall_px),
                np.log(tall_px / USUAL_PX),
                visible.mean(axis=2),
                1.0 - inside.mean(axis=2),
                crowded,
            ],
            axis=2,
        )
        possible = inside.any(axis=2) & (boxes[..., 3] - boxes[..., 1] >= LEAST_PX)
        at_shelf = np.clip((self._solids.depth(points) + BEFORE_M) / AMONG_M, 0.0, MOST_AMONG).reshape(shape[1:])
        at_shelf = np.broadcast_to(at_shelf, shape)
        return View(cameras, pixels, visible, inside, at_shelf, boxes, tall_px, features, over, possible)

    def _hulls(
        self, crowd: Crowd, cameras: NDArray[np.intp], pixels: Array, visible: Mask, inside: Mask, metres_px: Array
    ) -> Array:
        """Boxes around what shows, the flesh around the joints and the crown included, within the picture."""
        crown = np.column_stack([crowd.joints[:, 0, :2], crowd.crowns])
        points = np.concatenate([pixels, self.lenses.project(cameras, crown)[:, :, None]], axis=2)
        some = np.where(visible.any(axis=2, keepdims=True), visible, inside)
        shown = np.concatenate([some, some[:, :, :5].any(axis=2, keepdims=True)], axis=2)
        limbs, leaving = self._cut_limbs(cameras, pixels, some, inside)
        points, shown = np.concatenate([points, limbs], axis=2), np.concatenate([shown, leaving], axis=2)
        shown = (shown & ~np.isnan(points[..., 0]))[..., None]
        flesh_px = FLESH_M * metres_px[..., None]
        low = np.where(shown, points, np.inf).min(axis=2) - flesh_px
        high = np.where(shown, points, -np.inf).max(axis=2) + flesh_px
        corners = np.where(shown.any(axis=2), np.concatenate([low, high], axis=2), 0.0)
        return np.asarray(np.clip(corners, 0.0, np.tile(self.lenses.sizes_px[cameras], 2)[:, None]))

    def _cut_limbs(self, cameras: NDArray[np.intp], pixels: Array, some: Mask, inside: Mask) -> tuple[Array, Mask]:
        """Points (c, n, m, 2) on the limbs, and which of them lie in the picture on a limb that leaves it: boxes of
        people who are cut off reach to the picture's edge.
        """
        one, other = pixels[:, :, BONES[:, 0], None], pixels[:, :, BONES[:, 1], None]
        points = one + ALONG[:, None] * (other - one)
        leaving = np.any(some[..., BONES] & ~inside[..., BONES[:, ::-1]], axis=3, keepdims=True)
        there = ((points >= 0) & (points < self.lenses.sizes_px[cameras, None, None, None])).all(axis=4)
        flat = (*pixels.shape[:2], BONES.shape[0] * len(ALONG))
        return points.reshape(*flat, 2), np.asarray((leaving & there).reshape(flat))


def _covered(boxes: Array, distance_m: Array) -> tuple[Array, NDArray[np.intp]]:
    """Share (c, n) of each box that the box of somebody nearer covers, and whose that is."""
    low = np.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    high = np.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:])
    width, height = (np.clip(high[..., i] - low[..., i], 0.0, None) for i in (0, 1))
    area = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    share = width * height / np.maximum(area, 1.0)[:, :, None]
    share = np.where(distance_m[:, None, :] < distance_m[:, :, None], share, 0.0)
    return share.max(axis=2), share.argmax(axis=2)
