"""What a product looks like, from one catalogue picture: no training, so a new product needs a picture and no more.

In: catalogue pictures (RGB, cropped to the product's front), and fronts cut out of a camera's picture and put upright.
Out: how far a seen front is from each product's picture.

A front is described by cells, each with its brightness and two colour differences relative to the mean brightness of
the cells that can be seen. So a front that is half hidden, or that stands in the dark of a shelf, is compared by what
shows of it. The same description is taken of the picture and of what was seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]

CELLS = (8, 6)
"""Rows and columns of a description."""
CELL_PX = 4
FRONT_PX = (CELLS[0] * CELL_PX, CELLS[1] * CELL_PX)
"""Height and width to which a front is brought."""
MARGIN_PX = 4
"""Kept around a seen front, so that it can be shifted a little."""
SHIFT_PX = 2
SHIFTS = tuple((dy, dx) for dy in (-SHIFT_PX, 0, SHIFT_PX) for dx in (-SHIFT_PX, 0, SHIFT_PX))
SHIFT_COST = 0.01
"""Squared distance that a shift to one side costs."""
STILL = SHIFTS.index((0, 0))
LIGHT_WEIGHT = 0.5
"""Of a cell's brightness against its colour."""
MEAN_WEIGHT = 0.15
"""Of the front's overall brightness: shelves are darker inside than in front."""
LEAST_VISIBLE = 0.3
"""A front of which less shows is not compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Print:
    """A product's front: mean colours (rows, columns, 3) of its cells in 0..1, and how much of each cell it fills."""

    colours: Array
    weight: Array


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """A front as a camera saw it, at every shift: colours (shifts, rows, columns, 3), weights likewise."""

    colours: Array
    weight: Array


class Gallery:
    """The prints of all products that have a picture."""

    def __init__(self, pictures: Mapping[str, Picture]) -> None:
        self._prints = {sku: describe(picture) for sku, picture in pictures.items()}

    def __contains__(self, sku: str) -> bool:
        return sku in self._prints

    def forget(self, sku: str) -> None:
        """Goes on without a product's picture."""
        self._prints.pop(sku, None)

    def colours(self, sku: str) -> Print:
        """The print of a product."""
        return self._prints[sku]

    def distance(self, front: Front, sku: str, still: bool = False) -> float:
        """Squared distance, about 0 to 2, between a seen front and a product's picture; NaN where too little shows.

        The front may be shifted a little for it, unless it is to be ``still``.
        """
        return far(Front(front.colours[STILL][None], front.weight[STILL][None]) if still else front, self._prints[sku])


def describe(picture: Picture) -> Print:
    """The print of a catalogue picture; white that touches its border is not part of the product."""
    height, width = FRONT_PX
    canvas = cv2.resize(picture, (4 * width, 4 * height), interpolation=cv2.INTER_AREA)
    solid = ~_border_white(canvas)
    share = solid.astype(np.float64)
    colours = _means(canvas.astype(np.float64) / 255 * share[:, :, None], 4 * CELL_PX)
    weight = _means(share[:, :, None], 4 * CELL_PX)[..., 0]
    return Print(colours / np.maximum(weight, 1e-3)[..., None], np.where(weight > 0.5, weight, 0.0))


def cut(picture: Picture, hidden: NDArray[np.uint8], corners_px: Array, gain: Array) -> Front:
    """The front with these corners (4, 2) (lower left, lower right, upper right, upper left) of a picture.

    ``hidden`` (h, w) is above 0 where something else shows; ``gain`` (3,) is the light there against the catalogue's.
    """
    height, width = FRONT_PX
    low, right, bottom = MARGIN_PX, MARGIN_PX + width, MARGIN_PX + height
    upright = np.array([[low, bottom], [right, bottom], [right, low], [low, low]], np.float32)
    size = (width + 2 * MARGIN_PX, height + 2 * MARGIN_PX)
    matrix = cv2.getPerspectiveTransform(np.asarray(corners_px - 0.5, np.float32), upright - 0.5)
    seen = cv2.warpPerspective(picture, matrix, size, flags=cv2.INTER_LINEAR).astype(np.float64)
    open_ = cv2.warpPerspective(hidden, matrix, size, flags=cv2.INTER_NEAREST, borderValue=1) == 0
    seen *= open_[:, :, None] / (255 * np.maximum(gain, 0.02))
    colours, weight = _shifted_means(seen), _shifted_means(open_[:, :, None])[..., 0]
    return Front(colours / np.maximum(weight, 1e-3)[..., None], np.where(weight > 0.5, weight, 0.0))


def far(front: Front, print_: Print) -> float:
    """Squared distance between what was seen and a print at the best of all shifts; NaN where too little shows."""
    weight = front.weight * print_.weight
    visible = weight.sum(axis=(1, 2)) / max(float(print_.weight.sum()), 1e-6)
    if float(visible.max()) < LEAST_VISIBLE:
        return float("nan")
    total = np.maximum(weight.sum(axis=(1, 2)), 1e-6)
    seen, seen_mean = _opponent(front.colours, weight, total)
    known, known_mean = _opponent(np.broadcast_to(print_.colours, front.colours.shape), weight, total)
    squares = (weight[..., None] * (seen - known) ** 2).sum(axis=(1, 2)) / total[:, None]
    light = np.log(np.maximum(seen_mean, 0.01) / np.maximum(known_mean, 0.01))
    cost = LIGHT_WEIGHT * squares[:, 0] + squares[:, 1] + squares[:, 2] + MEAN_WEIGHT * light**2
    if len(cost) == len(SHIFTS):
        cost += SHIFT_COST * np.array([abs(dy) + abs(dx) for dy, dx in SHIFTS]) / SHIFT_PX
    return float(cost[visible >= LEAST_VISIBLE].min())


def _opponent(colours: Array, weight: Array, total: Array) -> tuple[Array, Array]:
    """Brightness and two colour differences of cells against the mean brightness (shifts,), and that mean."""
    light = colours.mean(axis=-1)
    mean = (weight * light).sum(axis=(1, 2)) / total
    red, green, blue = colours[..., 0], colours[..., 1], colours[..., 2]
    parts = np.stack([light, red - green, blue - (red + green) / 2], axis=-1)
    return np.asarray(parts / np.maximum(mean, 0.03)[:, None, None, None]), mean


def _means(values: NDArray[np.generic], cell_px: int) -> Array:
    """Means of square cells."""
    height, width, depth = values.shape
    cells = values.reshape(height // cell_px, cell_px, width // cell_px, cell_px, depth)
    return np.asarray(cells.mean(axis=(1, 3)), np.float64)


def _shifted_means(values: NDArray[np.generic]) -> Array:
    """Means of the cells of a front with margins, at every shift: (shifts, rows, columns, depth)."""
    halves = _means(values, SHIFT_PX)  # a cell is two of these long, and so is a margin: shifts share them
    rows = halves[:-1] + halves[1:]
    cells = (rows[:, :-1] + rows[:, 1:]) / 4
    low, (height, width) = MARGIN_PX // SHIFT_PX, (2 * CELLS[0], 2 * CELLS[1])
    at = [(low + dy // SHIFT_PX, low + dx // SHIFT_PX) for dy, dx in SHIFTS]
    return np.stack([cells[y : y + height : 2, x : x + width : 2] for y, x in at])


def _border_white(picture: Picture) -> NDArray[np.bool_]:
    white = (picture.min(axis=2) >= 250).astype(np.uint8)
    count, labels = cv2.connectedComponents(white, connectivity=4)
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    outside = np.zeros(count, bool)
    outside[np.unique(rim)] = True
    outside[0] = False
    return np.asarray(outside[labels])
