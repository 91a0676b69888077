"""Training samples from labelled pictures: moved, mirrored, recoloured, never twice the same.

In: labelled pictures and a generator. Out: canvases with boxes for the people network, crops with targets for the
landmark network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from smartstore.vision import landmarks, people
from smartstore.vision.labels import FLIP, LabelledPicture

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]

STORED_WIDTH_PX = 640
"""Pictures are kept in memory at most this wide."""
JOINT_WEIGHTS = np.array([1, 0.6, 0.6, 0.6, 0.6, 1, 1, 1.5, 1.5, 2.5, 2.5, 1, 1, 1, 1, 1, 1], np.float32)
"""Wrists decide who took what."""
COVERED_WEIGHT = 0.8
SMALL_PX, MOST_HARD = 55.0, 3
"""Height below which somebody is small, and how many people at most make a picture worth learning more often."""


@dataclass(frozen=True, slots=True, eq=False)
class BoxSample:
    """A picture in memory with the boxes (n, 4) of its people."""

    picture: Picture
    boxes: Floats


@dataclass(frozen=True, slots=True, eq=False)
class JointSample:
    """A person cut out with room around; box and joints (17, 3) in pixels of that piece."""

    piece: Picture
    box: Box
    joints: Floats


def box_sample(labelled: LabelledPicture) -> BoxSample:
    """Reads one picture for the people network."""
    picture = labelled.read()
    scale = min(1.0, STORED_WIDTH_PX / picture.shape[1])
    if scale < 1:
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    boxes = np.array([p.box_px for p in labelled.people if not p.crowd], np.float32).reshape(-1, 4)
    return BoxSample(picture, boxes * np.float32(scale))


def picture_weights(pictures: Sequence[LabelledPicture]) -> NDArray[np.float64]:
    """How often each picture should be learned from, relative to one where everybody stands in plain view: what is
    missed are the half-covered and the small.
    """
    hard = [
        sum(not p.crowd and (0.25 <= p.visible < 0.85 or p.height_px < SMALL_PX) for p in picture.people)
        for picture in pictures
    ]
    return np.asarray(1.0 + np.minimum(hard, MOST_HARD), float)


def joint_samples(labelled: LabelledPicture) -> list[JointSample]:
    """Reads one picture and cuts out its people for the landmark network."""
    chosen = [p for p in labelled.people if not p.crowd and np.sum(p.joints_px[:, 2] == 2) >= 3]
    return _pieces(labelled.read(), [(p.box_px, p.joints_px) for p in chosen]) if chosen else []


def _pieces(picture: Picture, chosen: list[tuple[Box, Floats]]) -> list[JointSample]:
    height, width = picture.shape[:2]
    samples = []
    for (left, top, right, bottom), joints in chosen:
        room_x, room_y = 0.5 * (right - left) + 0.4 * (bottom - top), 0.5 * (bottom - top)
        x0, y0 = int(max(0, left - room_x)), int(max(0, top - room_y))
        piece = picture[y0 : int(min(height, bottom + room_y)) + 1, x0 : int(min(width, right + room_x)) + 1]
        scale = min(1.0, 260 / (bottom - top), 200 / (right - left))
        if scale < 1:
            size = (max(1, round(piece.shape[1] * scale)), max(1, round(piece.shape[0] * scale)))
            piece = np.asarray(cv2.resize(piece, size, interpolation=cv2.INTER_AREA), np.uint8)
        moved = joints.copy()
        moved[:, :2] = (joints[:, :2] - [x0, y0]) * scale
        box = ((left - x0) * scale, (top - y0) * scale, (right - x0) * scale, (bottom - y0) * scale)
        samples.append(JointSample(np.ascontiguousarray(piece), box, moved))
    return samples


def box_example(sample: BoxSample, rng: np.random.Generator) -> tuple[Picture, Floats]:
    """A canvas (288, 512, 3) and its boxes (n, 4) as centre and size in shares of the canvas."""
    plain = rng.random() < 0.3
    zoom = 1.0 if plain else float(np.exp(rng.uniform(-0.35, 0.4)))
    shift = (0.5, 0.5) if plain else (float(rng.random()), float(rng.random()))
    canvas, placement = people.letterbox(sample.picture, zoom, shift)
    boxes = placement.to_canvas(sample.boxes)
    if rng.random() < 0.5:
        canvas = np.ascontiguousarray(canvas[:, ::-1])
        boxes = people.mirrored(boxes, people.CANVAS_WIDTH_PX)
    limit = np.array([people.CANVAS_WIDTH_PX, people.CANVAS_HEIGHT_PX] * 2, np.float32)
    inside = np.clip(boxes, 0, limit)
    size, whole = inside[:, 2:] - inside[:, :2], boxes[:, 2:] - boxes[:, :2]
    kept = (size.min(axis=1) >= 3) & (size.prod(axis=1) > 0.2 * whole.prod(axis=1))
    shares = np.concatenate([(inside[:, :2] + inside[:, 2:]) / 2, size], axis=1)[kept] / limit
    return recolour(canvas, rng), shares.astype(np.float32)


def joint_example(sample: JointSample, rng: np.random.Generator) -> tuple[Picture, Floats]:
    """A crop (144, 112, 3) and its joints (17, 3) in crop pixels; 0 in the third column where a joint is not in the
    crop.
    """
    box = _jittered(sample.box, rng)
    matrix = landmarks.crop_matrix(box, float(np.exp(rng.uniform(-0.25, 0.2))), float(rng.normal(0, 0.17)))
    crop = landmarks.cut(sample.piece, matrix)
    joints = move(sample.joints, matrix)
    if rng.random() < 0.5:
        crop = np.ascontiguousarray(crop[:, ::-1])
        joints[:, 0] = landmarks.CROP_WIDTH_PX - joints[:, 0]
        joints = joints[list(FLIP)]
    return recolour(crop, rng), forget_outside(joints)


def plain_joint_example(sample: JointSample) -> tuple[Picture, Floats]:
    """The crop as the detector would cut it, for judging."""
    matrix = landmarks.crop_matrix(sample.box)
    return landmarks.cut(sample.piece, matrix), forget_outside(move(sample.joints, matrix))


def move(joints: Floats, matrix: NDArray[np.float64]) -> Floats:
    """Joints (17, 3) under a similarity; the third column stays."""
    return np.column_stack([joints[:, :2] @ matrix[:, :2].T + matrix[:, 2], joints[:, 2]]).astype(np.float32)


def forget_outside(joints: Floats) -> Floats:
    """The same joints with those outside the crop marked as not there."""
    x, y = joints[:, 0], joints[:, 1]
    inside = (x >= 0) & (x < landmarks.CROP_WIDTH_PX) & (y >= 0) & (y < landmarks.CROP_HEIGHT_PX)
    out = joints.copy()
    out[:, 2] = np.where(inside, joints[:, 2], 0)
    return out


def joint_targets(joints: Floats) -> tuple[Floats, Floats, Floats]:
    """Targets of a batch of joints (n, 17, 3): Gaussians (n, 17, 36, 28) of sum 1, their weights (n, 17), seen or
    not (n, 17).
    """
    x, y = joints[..., 0] / landmarks.CELL_PX - 0.5, joints[..., 1] / landmarks.CELL_PX - 0.5
    spread = -0.5 / landmarks.SIGMA_CELLS**2
    across = np.exp(spread * (np.arange(landmarks.CELLS_X, dtype=np.float32) - x[..., None]) ** 2)
    down = np.exp(spread * (np.arange(landmarks.CELLS_Y, dtype=np.float32) - y[..., None]) ** 2)
    heat = down[..., :, None] * across[..., None, :]
    heat /= np.maximum(heat.sum(axis=(2, 3), keepdims=True), 1e-9)
    sight = joints[..., 2]
    weights = JOINT_WEIGHTS * np.where(sight == 2, 1.0, np.where(sight == 1, COVERED_WEIGHT, 0.0))
    return heat.astype(np.float32), weights.astype(np.float32), (sight == 2).astype(np.float32)


def recolour(picture: Picture, rng: np.random.Generator) -> Picture:
    """Another exposure, another white balance, sometimes other colours altogether, blur or noise."""
    ramp = np.arange(256, dtype=np.float32) / 255
    gains = rng.uniform(0.75, 1.3) * rng.uniform(0.9, 1.1, 3)
    table = ramp[:, None] ** rng.uniform(0.75, 1.3) * gains + rng.uniform(-0.06, 0.06)
    look_up = (np.clip(table, 0, 1) * 255).astype(np.uint8)[None]
    out = cv2.LUT(picture, look_up)
    if rng.random() < 0.15:
        out = out[:, :, rng.permutation(3)]
    if rng.random() < 0.15:
        out = cv2.GaussianBlur(np.ascontiguousarray(out), (3, 3), 0)
    if rng.random() < 0.3:
        noise = rng.standard_normal(out.shape, dtype=np.float32) * np.float32(rng.uniform(2, 8))
        out = np.clip(out + noise, 0, 255)
    return np.ascontiguousarray(out, np.uint8)


def _jittered(box: Box, rng: np.random.Generator) -> Box:
    """The box with each side off by some per cent, as a detector would give it; often with its lower part missing,
    as behind a shelf, sometimes another one.
    """
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    off = rng.normal(0, 0.05, 4)
    if rng.random() < 0.22:
        off[3] -= rng.uniform(0.1, 0.6)
    if rng.random() < 0.1:
        side = int(rng.integers(3))
        off[side] += rng.uniform(0.1, 0.35) * (-1 if side == 2 else 1)
    return left + off[0] * width, top + off[1] * height, right + off[2] * width, bottom + off[3] * height
