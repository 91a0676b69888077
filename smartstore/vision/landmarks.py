"""Joints of one person: a box to the crops that the landmark network sees, and its heatmaps back to pixels of the
picture.

In: an RGB picture and a box. Out: 17 COCO joints as (x, y, score) in pixels of the picture, continuous (pixel i
covers [i, i + 1)). The network gives, per joint, a probability for each of 36 × 28 cells of the crop and the
probability that the joint can be seen; and its features, numbers without names that say what the crop shows where.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from smartstore.vision.labels import FLIP

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

CROP_WIDTH_PX, CROP_HEIGHT_PX = 112, 144
CELL_PX = 4
"""Crop pixels per heatmap cell along a side."""
CELLS_X, CELLS_Y = CROP_WIDTH_PX // CELL_PX, CROP_HEIGHT_PX // CELL_PX
MARGIN = 1.45
"""Size of the crop's content relative to the box: boxes end where somebody is covered, their joints do not."""
CLOSER = 1.15
"""How much larger the second of the two looks at somebody shows them."""
FEATURE_CHANNELS, FEATURE_ROWS, FEATURE_COLUMNS = 136, 4, 3
FEATURES = FEATURE_CHANNELS * FEATURE_ROWS * FEATURE_COLUMNS
"""How many: so many kinds on a coarse grid over the crop."""
SIGMA_CELLS = 1.2
"""Standard deviation of the Gaussian that the network was taught to draw around a joint."""
_NEAR = 2
_WHOLE = math.erf((_NEAR + 0.5) / (SIGMA_CELLS * math.sqrt(2))) ** 2
"""Share of a well-drawn Gaussian within ``_NEAR`` cells of its peak."""


def crop_matrix(box_px: tuple[float, float, float, float], zoom: float = 1.0, turn_rad: float = 0.0) -> Matrix:
    """The similarity (2, 3) that takes pixels of the picture to pixels of the crop: the box in its middle, with a
    margin.

    ``zoom`` and ``turn_rad`` vary the view for training.
    """
    left, top, right, bottom = box_px
    tall = max(bottom - top, (right - left) * CROP_HEIGHT_PX / CROP_WIDTH_PX, 2.0) * MARGIN
    scale = CROP_HEIGHT_PX / tall * zoom
    cos, sin = math.cos(turn_rad) * scale, math.sin(turn_rad) * scale
    linear = np.array([[cos, -sin], [sin, cos]])
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    return np.column_stack([linear, np.array([CROP_WIDTH_PX / 2, CROP_HEIGHT_PX / 2]) - linear @ centre])


def cut(picture: Picture, matrix: Matrix) -> Picture:
    """The crop (144, 112, 3) of the picture under ``matrix``; pictures much larger than the crop are averaged down
    first.
    """
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    if scale >= 0.6:
        return _warp(picture, matrix)
    by = max(2, int(1 / scale))
    corners = np.array([[0, 0], [CROP_WIDTH_PX, 0], [0, CROP_HEIGHT_PX], [CROP_WIDTH_PX, CROP_HEIGHT_PX]], float)
    there = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    height, width = picture.shape[:2]
    left, top = (int(np.clip(v, 0, size - 1)) for v, size in zip(there.min(axis=0) - by, (width, height), strict=True))
    right, bottom = (int(np.clip(v, 1, size)) for v, size in zip(there.max(axis=0) + by, (width, height), strict=True))
    piece = picture[top : max(bottom, top + 1), left : max(right, left + 1)]
    size = (max(1, piece.shape[1] // by), max(1, piece.shape[0] // by))
    small = cv2.resize(piece, size, interpolation=cv2.INTER_AREA)
    back = np.array([piece.shape[1] / size[0], piece.shape[0] / size[1]])
    moved = np.column_stack([matrix[:, :2] * back, matrix[:, 2] + matrix[:, :2] @ np.array([left, top])])
    return _warp(np.asarray(small, np.uint8), moved)


def views(picture: Picture, box_px: tuple[float, float, float, float]) -> list[Picture]:
    """The crops (144, 112, 3) that the network looks at, in the order that :func:`merged` expects its answers: the one
    of :func:`crop_matrix`, a closer one, and both in the mirror.
    """
    crops = [cut(picture, crop_matrix(box_px, zoom)) for zoom in (1.0, CLOSER)]
    return crops + [np.ascontiguousarray(crop[:, ::-1]) for crop in crops]


def merged(answers: Sequence[Sequence[Floats]]) -> tuple[Floats, Floats, Floats]:
    """The mean of the network's answers to :func:`views`, on the cells of the first of them: probabilities
    (1, 17, 36, 28) and visibilities (1, 17). And the features (1, 2, ``FEATURES``) of the first and its mirror image.
    """
    heat, seen, features = (np.concatenate([answer[i] for answer in answers]) for i in range(3))
    heat[2:], seen[2:] = heat[2:, FLIP, :, ::-1], seen[2:, FLIP]
    heat[1::2] = _BACK_Y @ heat[1::2] @ _BACK_X.T
    return heat.mean(axis=0, keepdims=True), seen.mean(axis=0, keepdims=True), features[None, ::2]


def decode(heat: Floats, seen: Floats) -> Floats:
    """Joints (n, 17, 3) in crop pixels with scores, from probabilities (n, 17, 36, 28) and visibilities (n, 17).

    The peak is refined by the parabola through the logarithms of its neighbours, which is exact for a Gaussian
    (Zhang et al., "Distribution-aware coordinate representation for human pose estimation", 2020, for one axis at a
    time). The score is the visibility times the share of the probability that lies near the peak.
    """
    n, joints, rows, columns = heat.shape
    flat = heat.reshape(n, joints, rows * columns)
    peak = flat.argmax(axis=2)
    row, column = np.divmod(peak, columns)
    padded = np.pad(np.maximum(heat, 1e-12), ((0, 0), (0, 0), (_NEAR, _NEAR), (_NEAR, _NEAR)), constant_values=1e-12)
    at = np.arange(-_NEAR, _NEAR + 1) + _NEAR
    who, which = np.ogrid[:n, :joints]
    window = padded[
        who[:, :, None, None],
        which[:, :, None, None],
        row[:, :, None, None] + at[:, None],
        column[:, :, None, None] + at,
    ]
    log = np.log(window)
    x = column + 0.5 + _vertex(log[:, :, _NEAR, _NEAR - 1 : _NEAR + 2])
    y = row + 0.5 + _vertex(log[:, :, _NEAR - 1 : _NEAR + 2, _NEAR])
    score = np.clip(window.sum(axis=(2, 3)) / _WHOLE, 0, 1) * seen
    return np.stack([x * CELL_PX, y * CELL_PX, score], axis=2).astype(np.float32)


def to_picture(joints: Floats, matrix: Matrix) -> Matrix:
    """Joints (17, 3) of the crop in pixels of the picture."""
    xy = (joints[:, :2] - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    return np.column_stack([xy, joints[:, 2].astype(float)])


def _vertex(three: Floats) -> Floats:
    """Place of the vertex of the parabola through three equidistant values (..., 3), from the middle one, at most
    half a cell.
    """
    low, middle, high = three[..., 0], three[..., 1], three[..., 2]
    bend = 2 * middle - low - high
    return np.asarray(np.clip((high - low) / (2 * np.maximum(bend, 1e-6)), -0.5, 0.5), np.float32)


def _back(cells: int) -> Floats:
    """The matrix that brings probabilities on a line of cells seen ``CLOSER`` to the cells of the plain look, by linear
    interpolation.
    """
    from_middle = np.arange(cells) - (cells - 1) / 2
    apart = np.abs(CLOSER * from_middle[:, None] - from_middle)
    return np.asarray(CLOSER * np.maximum(0, 1 - apart), np.float32)


_BACK_X, _BACK_Y = _back(CELLS_X), _back(CELLS_Y)


def _warp(picture: Picture, matrix: Matrix) -> Picture:
    """``cv2.warpAffine`` for continuous pixels: OpenCV counts from the middle of the first pixel."""
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
    crop = cv2.warpAffine(
        picture,
        shifted,
        (CROP_WIDTH_PX, CROP_HEIGHT_PX),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(114, 114, 114),
    )
    return np.asarray(crop, np.uint8)
