"""Who is where in a picture, exactly: the ground truth that detectors are trained on and judged by.

In: a picture of numbers (which person each pixel shows), its depths, and the people's meshes and joints. Out: a
:class:`PersonLabel` for everybody of whom something shows, in pixels of the distorted picture.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sims.devices.lens import LensMap
from sims.devices.look import Floats
from sims.optics import Array, CameraSpec

SINK_M = np.array(
    [0.07] + [0.05] * 2 + [0.10] * 2 + [0.16] * 2 + [0.11] * 2 + [0.10] * 2 + [0.20] * 2 + [0.14] * 2 + [0.12] * 2
)
"""How far below the skin a COCO joint may lie and still count as seen."""
CLEAR_M = 0.03
"""Something else counts as covering a joint when it is at least this much nearer."""
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class PersonLabel:
    """One person in one picture; boxes are x0, y0, x1, y1 in pixels."""

    person: str
    box_px: Box
    """Around the pixels that show."""
    full_box_px: Box
    """Around the whole body as if nothing stood before it, reaching beyond the picture where the body does."""
    joints_px: Array
    """(17, 2), COCO order; NaN behind the camera."""
    visibility: NDArray[np.int8]
    """(17,): 0 outside the picture, 1 covered, 2 seen."""
    visible: float
    """Share of the body's area facing the camera that shows, 0 to 1."""
    joints_m: Array
    """(17, 3) in store metres."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A person's body at the moment: what the labels are computed from."""

    person: str
    vertices_m: Floats
    normals: Floats
    joints_m: Array


def label_people(
    camera: CameraSpec,
    lens: LensMap,
    people: list[Shape],
    numbers: NDArray[np.uint8],
    depth_m: Floats | None,
    scale: float,
) -> list[PersonLabel]:
    """Labels of the people numbered from 1 in the pinhole picture ``numbers``; ``scale`` as the picture was drawn.

    ``numbers`` and ``depth_m`` come with the last row on top.
    """
    bent = lens.bend_labels(numbers)
    labels = []
    for number, shape in enumerate(people, start=1):
        rows, columns = np.nonzero(bent == number)
        if not len(rows):
            continue
        box = (float(columns.min()), float(rows.min()), float(columns.max()) + 1, float(rows.max()) + 1)
        outline = camera.project(shape.vertices_m) * scale
        outline = outline[np.isfinite(outline[:, 0])]
        full = _box(outline) if len(outline) else box
        joints_px = camera.project(shape.joints_m) * scale
        sight = _visibility(camera, lens, shape, number, numbers, depth_m, joints_px, bent.shape, scale)
        labels.append(
            PersonLabel(
                shape.person, box, full, joints_px, sight,
                _shown(camera, shape, bent == number, scale), shape.joints_m,
            )
        )  # fmt: skip
    return labels


def _box(points_px: Array) -> Box:
    (x0, y0), (x1, y1) = points_px.min(axis=0), points_px.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def _visibility(
    camera: CameraSpec, lens: LensMap, shape: Shape, number: int, numbers: NDArray[np.uint8], depth_m: Floats | None,
    joints_px: Array, size: tuple[int, ...], scale: float,
) -> NDArray[np.int8]:  # fmt: skip
    """Seen: the joint's pixel shows its own person's skin near it or, at the outline, nothing nearer than itself."""
    height, width = size
    x, y = joints_px[:, 0], joints_px[:, 1]
    inside = np.isfinite(x) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    local = camera.to_camera(shape.joints_m)
    flat = local[:, :2] / np.maximum(local[:, 2:], 1e-6) * camera.focal_px * scale
    at = np.nan_to_num(flat + np.array([lens.width_px, lens.height_px]) / 2)
    column = np.clip(at[:, 0], 0, lens.width_px - 1).astype(int)
    row = lens.height_px - 1 - np.clip(at[:, 1], 0, lens.height_px - 1).astype(int)
    own = numbers[row, column] == number
    other = (numbers[row, column] != number) & (numbers[row, column] > 0)
    if depth_m is None:
        seen = own
    else:
        behind = local[:, 2] - depth_m[row, column]
        seen = (own & (behind < SINK_M)) | (~own & (behind < CLEAR_M) & ~(other & (behind > -CLEAR_M)))
    return np.where(inside, np.where(seen, 2, 1), 0).astype(np.int8)


def _shown(camera: CameraSpec, shape: Shape, mask: NDArray[np.bool_], scale: float) -> float:
    """Share of the vertices facing the camera that land on the person's own pixels, weighted by apparent size."""
    towards = np.asarray(camera.position_m) - shape.vertices_m
    distance2 = np.einsum("ij,ij->i", towards, towards)
    facing = np.einsum("ij,ij->i", towards, shape.normals) / distance2**1.5
    weight = np.maximum(facing, 0)
    pixels = np.nan_to_num(camera.project(shape.vertices_m) * scale, nan=-1)
    height, width = mask.shape
    inside = (pixels[:, 0] >= 0) & (pixels[:, 0] < width) & (pixels[:, 1] >= 0) & (pixels[:, 1] < height)
    column = np.clip(pixels[:, 0], 0, width - 1).astype(int)
    row = np.clip(pixels[:, 1], 0, height - 1).astype(int)
    near = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    shown = inside & (near[row, column] > 0)
    return float(np.clip(weight[shown].sum() / max(weight.sum(), 1e-9), 0, 1))
