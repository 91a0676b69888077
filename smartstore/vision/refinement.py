"""A second judgement of everybody who was perhaps seen: boxes, scores and covered joints, set right by all the others.

In: the boxes that the looks at a picture gave, what became of them together, and the landmark network's probabilities
and features for each. Out: numbers for the refinement network, and boxes, scores and joints as it corrects them. Half a
body behind a shelf is boxed too large or too small and its knees are guessed one by one; shoulders, ankles, the
picture's edge and the neighbours' boxes say together where they have to be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smartstore.vision import landmarks
from smartstore.vision.labels import FLIP
from smartstore.vision.landmarks import CELLS_X, CELLS_Y, CROP_HEIGHT_PX, CROP_WIDTH_PX
from smartstore.vision.people import LOOKS, SAME_OVERLAP, overlaps

Floats = NDArray[np.float32]

CROP_PX = np.array([CROP_WIDTH_PX, CROP_HEIGHT_PX], np.float32)
JOINT_NUMBERS = 8
"""Per joint: where the peak is, and the mean place, in crop sides from the crop's middle (x, y each); how spread out it
is (x, y); whether it can be seen; its score.
"""
JOINTS_FROM = 2 + 5 * len(LOOKS) + 6 + 4 + 9
NUMBERS = JOINTS_FROM + 17 * JOINT_NUMBERS
"""Numbers per person that the network is given; the joints' come last."""
EDGES_FROM = JOINTS_FROM - 7
"""Where the four numbers on the picture's edges (left, right, top, bottom) begin."""
_TOUCHES_PX, _USUAL_PX, _USUAL_WIDTH_PX = 3.0, 100.0, 640.0


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The n people whom the networks may have seen in one picture, best first."""

    size_px: tuple[int, int]
    """Width and height of the picture."""
    looks: Sequence[tuple[Floats, Floats]]
    """Boxes (m, 4) in pixels of the picture and scores (m,) of each look."""
    boxes: Floats
    """(n, 4), in pixels of the picture."""
    scores: Floats
    heat: Floats
    """(n, 17, 36, 28): probabilities of each joint per cell of the crop."""
    seen: Floats
    """(n, 17): probabilities that a joint can be seen."""
    features: Floats
    """(n, 2, ``landmarks.FEATURES``): of the crop and of its mirror image."""


def joints_of(candidates: Candidates) -> Floats:
    """Joints (n, 17, 3) in pixels of the crops with scores, each by itself."""
    if not len(candidates.boxes):
        return np.zeros((0, 17, 3), np.float32)
    return landmarks.decode(candidates.heat, candidates.seen)


def numbers(candidates: Candidates, joints: Floats) -> Floats:
    """What the network is given beside the features (n, ``NUMBERS``)."""
    rows = [_of_box(candidates, i) for i in range(len(candidates.boxes))]
    boxes = np.array(rows, np.float32).reshape(-1, JOINTS_FROM)
    return np.concatenate([boxes, _of_joints(candidates, joints)], axis=1)


def refined(candidates: Candidates, joints: Floats, answer: Sequence[Floats]) -> tuple[Floats, Floats, Floats]:
    """Boxes (n, 4) within the picture, scores (n,) and joints (n, 17, 3) in pixels of the crops, as the network has it.

    Its answer: places (n, 17, 2) like those in ``numbers``, shifts (n, 4) of the boxes' sides in widths and heights,
    and the probability (n,) that there is a person in the box whom no better one has.

    The new score is the geometric mean of the old one and that probability; scores of joints stay.
    """
    places, shifts, right = answer
    sides = np.tile(candidates.boxes[:, 2:] - candidates.boxes[:, :2], 2)
    boxes = np.clip(candidates.boxes + shifts * sides, 0, np.tile(np.array(candidates.size_px, np.float32), 2))
    moved = np.concatenate([(places + 0.5) * CROP_PX, joints[:, :, 2:]], axis=2)
    return boxes, np.sqrt(candidates.scores * right), moved


def mirrored(given: Floats) -> Floats:
    """The numbers (n, ``NUMBERS``) of the same people in the mirror; for training."""
    given = given.copy()
    for first in (*range(2, 2 + 5 * len(LOOKS), 5), 2 + 5 * len(LOOKS)):
        given[:, [first, first + 2]] = -given[:, [first + 2, first]]
    given[:, [EDGES_FROM, EDGES_FROM + 1]] = given[:, [EDGES_FROM + 1, EDGES_FROM]]
    joints = given[:, JOINTS_FROM:].reshape(-1, 17, JOINT_NUMBERS)[:, FLIP]
    joints[:, :, [0, 2]] *= -1
    given[:, JOINTS_FROM:] = joints.reshape(-1, 17 * JOINT_NUMBERS)
    return given


def _of_box(candidates: Candidates, i: int) -> list[float]:
    """The box in its own widths and heights as each look had it; its neighbours; its place in the picture."""
    box, score = candidates.boxes[i], float(candidates.scores[i])
    size = box[2:] - box[:2]
    row = [score, float(np.log(max(score, 1e-3) / (1 - min(score, 0.999))))]
    for found, scores in candidates.looks:
        shared = overlaps(box, found)
        best = int(shared.argmax()) if len(shared) else -1
        if best >= 0 and shared[best] >= SAME_OVERLAP:
            row += [*((found[best] - box) / np.tile(size, 2)), float(scores[best])]
        else:
            row += [0.0] * 5
    row += _of_neighbours(candidates, i, size)
    width, height = candidates.size_px
    edges = [box[0] < _TOUCHES_PX, box[2] > width - _TOUCHES_PX, box[1] < _TOUCHES_PX, box[3] > height - _TOUCHES_PX]
    sizes = [np.log(size[1] / _USUAL_PX), np.log(size[0] / size[1])]
    where = [(box[1] + box[3]) / 2 / height, box[3] / height, np.log(width / _USUAL_WIDTH_PX)]
    return [float(v) for v in (*row, *sizes, *edges, *where)]


def _of_neighbours(candidates: Candidates, i: int, size: Floats) -> list[float]:
    """The box that overlaps most; how much better ones overlap, hold of this one and have in this one; how many."""
    box, boxes, scores = candidates.boxes[i], candidates.boxes, candidates.scores
    shared, inside = overlaps(box, boxes), _share_in(box[None], boxes)
    shared[i] = inside[i] = 0.0
    nearest = int(shared.argmax())
    row = [0.0] * 6
    if shared[nearest] > 0:
        row = [*np.clip((boxes[nearest] - box) / np.tile(size, 2), -2, 2), scores[nearest], shared[nearest]]
    better = scores > scores[i]
    theirs = _share_in(boxes[better], box[None])
    most = [float(np.max(v, initial=0.0)) for v in (shared[better], inside[better], theirs)]
    return [float(v) for v in (*row, *most, len(boxes) / 10)]


def _of_joints(candidates: Candidates, joints: Floats) -> Floats:
    """``JOINT_NUMBERS`` per joint (n, 17 * ``JOINT_NUMBERS``)."""
    heat = candidates.heat / np.maximum(candidates.heat.sum(axis=(2, 3), keepdims=True), 1e-9)
    across, down = heat.sum(axis=2), heat.sum(axis=3)
    x, y = (np.arange(CELLS_X) + 0.5) / CELLS_X - 0.5, (np.arange(CELLS_Y) + 0.5) / CELLS_Y - 0.5
    mean_x, mean_y = across @ x, down @ y
    spread_x = np.sqrt(np.maximum(across @ x**2 - mean_x**2, 0))
    spread_y = np.sqrt(np.maximum(down @ y**2 - mean_y**2, 0))
    peak = joints[:, :, :2] / CROP_PX - 0.5
    means = np.stack([mean_x, mean_y, spread_x, spread_y, candidates.seen], axis=2)
    return np.concatenate([peak, means, joints[:, :, 2:]], axis=2).astype(np.float32).reshape(-1, 17 * JOINT_NUMBERS)


def _share_in(boxes: Floats, others: Floats) -> Floats:
    """Share of each of the boxes (n, 4) that lies in each of the others (m, 4), where n or m is 1."""
    corner = np.maximum(boxes[:, :2], others[:, :2])
    size = np.maximum(np.minimum(boxes[:, 2:], others[:, 2:]) - corner, 0)
    own = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return np.asarray(size.prod(axis=1) / np.maximum(own, 1e-9), np.float32)
