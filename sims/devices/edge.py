"""People as a camera with inference on board reports them: a crowd goes in, boxes, joints and appearances come out.

The error model is set by hand: people are missed more often the farther and the more hidden they are, and for some frames in a row;
boxes and joints jitter with a memory of a fraction of a second, wrists more than shoulders, hidden joints much more; now and then
there is a box around nothing. Pixels are those of the camera as it hangs, lens included.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from sims.chance import stream
from sims.devices.sight import Array, Crowd, Mask, Solids, hidden_by_people
from sims.optics import CameraSpec
from sims.scenario import EdgeErrors
from smartstore.wire.messages import People, SeenPerson

LOOKS = 24
"""Numbers of an appearance vector."""
MOST_PEOPLE = 256
JOINT_FACTOR = np.array([0.8, 0.8, 0.8, 0.9, 0.9, 1.0, 1.0, 1.4, 1.4, 1.8, 1.8, 1.5, 1.5, 1.4, 1.4, 1.7, 1.7])
"""How much harder every COCO joint is than a shoulder."""
OWN_ARMS = np.isin(np.arange(17), (7, 8, 9, 10))
MIRROR = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])
JOINT_MEMORY_S, BOX_MEMORY_S, MISS_MEMORY_S = 0.25, 0.4, 0.7
LEAST_PX = 14.0
"""Boxes less high than this are not found."""


@dataclass(frozen=True, slots=True)
class _View:
    """What a camera sees of a crowd before errors: pixels (n, 17, 2), what of it is visible (n, 17), boxes (n, 4)."""

    pixels: Array
    visible: Mask
    in_picture: Mask
    boxes: Array
    metres_px: Array
    """Pixels per metre at every body (n,)."""
    distance_m: Array


class PeopleFinder:
    """One camera's detector."""

    def __init__(self, spec: CameraSpec, solids: Solids, errors: EdgeErrors, random: np.random.Generator) -> None:
        self.spec = spec
        self._solids, self._errors, self._random = solids, errors, random
        self._eye = np.asarray(spec.position_m)
        self._rows: dict[str, int] = {}
        self._joint_error = np.zeros((MOST_PEOPLE, 17, 2))
        self._box_error = np.zeros((MOST_PEOPLE, 4))
        self._luck = random.normal(size=MOST_PEOPLE)
        self._tint = 0.30 * _unit(random.normal(size=LOOKS))
        self._looks = np.zeros((MOST_PEOPLE, LOOKS))
        self._last_ns: int | None = None
        self._seq = 0

    def find(self, crowd: Crowd, t_ns: int) -> People:
        """What the camera reports of a crowd; ``t_ns`` is its own clock."""
        passed_s = 1.0 if self._last_ns is None else max(1e-3, (crowd.t_ns - self._last_ns) / 1e9)
        self._last_ns = crowd.t_ns
        seen = self._people(crowd, passed_s) + self._false_boxes()
        message = People(seq=self._seq, t_ns=t_ns, width=self.spec.width_px, height=self.spec.height_px, people=seen)
        self._seq += 1
        return message

    def _people(self, crowd: Crowd, passed_s: float) -> list[SeenPerson]:
        if not crowd.people:
            return []
        rows = np.array([self._row(person.person, person.outfit) for person in crowd.people])
        view = self._look(crowd)
        chance, share = self._chances(view)
        self._luck[rows] = self._remember(self._luck[rows], MISS_MEMORY_S, passed_s)
        self._joint_error[rows] = self._remember(self._joint_error[rows], JOINT_MEMORY_S, passed_s)
        self._box_error[rows] = self._remember(self._box_error[rows], BOX_MEMORY_S, passed_s)
        found = np.nonzero(ndtr(self._luck[rows]) < chance)[0]
        joints = self._joints(view, rows)
        boxes = self._boxes(view, rows)
        looks = self._appearances(rows, share)
        scores = np.clip(0.93 * np.sqrt(np.clip(share, 0.05, 1)) + self._random.normal(0, 0.04, len(rows)), 0.2, 0.98)
        order = self._random.permutation(found)
        return [
            SeenPerson(
                box=boxes[i].round(1).tolist(), score=round(float(scores[i]), 3), joints=joints[i].round(2).tolist(),
                appearance=looks[i].round(4).tolist(),
            )
            for i in order
        ]  # fmt: skip

    def _look(self, crowd: Crowd) -> _View:
        """Project everybody and find out what hides them."""
        count = len(crowd.people)
        points = crowd.joints.reshape(-1, 3)
        owners = np.repeat(np.arange(count), 17)
        pixels = self.spec.project(points).reshape(count, 17, 2)
        hidden = self._solids.hide(self._eye, points)
        hidden |= hidden_by_people(self._eye, points, crowd, owners, np.tile(OWN_ARMS, count))
        with np.errstate(invalid="ignore"):
            inside = ((pixels >= 0) & (pixels < (self.spec.width_px, self.spec.height_px))).all(axis=2)
        distance_m = np.linalg.norm(crowd.joints[:, [5, 6, 11, 12]].mean(axis=1) - self._eye, axis=1)
        metres_px = self.spec.focal_px / np.maximum(distance_m, 0.3)
        visible = inside & ~hidden.reshape(count, 17)
        return _View(pixels, visible, inside, self._hulls(crowd, pixels, visible, metres_px), metres_px, distance_m)

    def _hulls(self, crowd: Crowd, pixels: Array, visible: Mask, metres_px: Array) -> Array:
        """Boxes around what can be seen, the flesh around the joints and the crown included; NaN where nothing can."""
        crown = crowd.joints[:, 0] * (1, 1, 0) + np.column_stack([np.zeros((len(crowd.people), 2)), crowd.crowns])
        top = self.spec.project(crown)[:, None]
        head = visible[:, :5].any(axis=1)[:, None]
        points = np.concatenate([pixels, top], axis=1)
        shown = np.concatenate([visible, head], axis=1) & ~np.isnan(points).any(axis=2)
        low = np.where(shown[:, :, None], points, np.inf).min(axis=1) - 0.07 * metres_px[:, None]
        high = np.where(shown[:, :, None], points, -np.inf).max(axis=1) + 0.07 * metres_px[:, None]
        boxes = np.concatenate([low, high], axis=1)
        boxes[~shown.any(axis=1)] = np.nan
        return boxes

    def _chances(self, view: _View) -> tuple[Array, Array]:
        """Chance to be found and share of the body that is visible, per person."""
        share = view.visible.mean(axis=1)
        miss = self._errors.miss * np.maximum(0.3, view.distance_m / 3.0) ** 1.6
        chance = (1.0 - np.minimum(0.9, miss)) / (1.0 + np.exp(-(share - 0.24) / 0.045))
        with np.errstate(invalid="ignore"):
            high_enough = view.boxes[:, 3] - view.boxes[:, 1] >= LEAST_PX
        return np.where(high_enough & (view.visible.sum(axis=1) >= 3), chance, 0.0), share

    def _joints(self, view: _View, rows: NDArray[np.intp]) -> Array:
        """Joints (n, 17, 3) with errors and scores."""
        random, count = self._random, len(rows)
        height_px = 1.7 * view.metres_px[:, None]
        sigma = self._errors.joint_sigma * height_px * JOINT_FACTOR * (1 + 0.06 * view.distance_m[:, None]) + 0.35
        wild = np.where(random.random((count, 17)) < 0.01, 6.0, 1.0)
        blur = np.where(view.visible, wild, 3.5)
        error = self._joint_error[rows] * (sigma * blur)[:, :, None]
        size = (self.spec.width_px, self.spec.height_px)
        places = np.clip(np.nan_to_num(view.pixels, nan=0.0) + error, 0.0, np.subtract(size, 0.01))
        clear = 0.93 - 0.12 * np.abs(self._joint_error[rows]).max(axis=2) / 2 + random.normal(0, 0.03, (count, 17))
        scores = np.where(view.visible, clear / np.sqrt(wild), random.beta(2.0, 6.0, (count, 17)))
        scores = np.where(view.in_picture, scores, 0.03)
        joints = np.concatenate([places, np.clip(scores, 0.01, 0.99)[:, :, None]], axis=2)
        swapped = random.random(count) < self._errors.swap
        joints[swapped] = joints[swapped][:, MIRROR]
        return joints

    def _boxes(self, view: _View, rows: NDArray[np.intp]) -> Array:
        boxes = np.nan_to_num(view.boxes, nan=0.0, posinf=0.0, neginf=0.0)
        size = np.maximum(1.0, boxes[:, 2:] - boxes[:, :2])
        boxes = boxes + self._box_error[rows] * 0.02 * np.tile(size, 2) + self._box_error[rows] * 0.5
        limit = np.array([self.spec.width_px, self.spec.height_px] * 2, float)
        boxes = np.clip(boxes, 0.0, limit)
        return np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:] - 1), boxes[:, 2:]], axis=1).clip(0.0)

    def _appearances(self, rows: NDArray[np.intp], share: Array) -> Array:
        """Unit vectors (n, 24): alike for the same clothes, tinted by the camera, vaguer the less is seen."""
        noise = self._random.normal(size=(len(rows), LOOKS)) / np.sqrt(LOOKS)
        vague = 0.25 + 0.6 * (1.0 - share)
        return _unit(self._looks[rows] + self._tint + vague[:, None] * noise)

    def _false_boxes(self) -> list[SeenPerson]:
        random, width, height = self._random, self.spec.width_px, self.spec.height_px
        if random.random() >= self._errors.false_box:
            return []
        high = height * random.uniform(0.15, 0.6)
        wide = high * random.uniform(0.3, 0.7)
        left, top = random.uniform(0, width - wide), random.uniform(0, height - high)
        places = random.uniform((left, top), (left + wide, top + high), (17, 2))
        joints = np.column_stack([places, random.uniform(0.05, 0.4, 17)])
        return [
            SeenPerson(
                box=np.round([left, top, left + wide, top + high], 1).tolist(), score=round(random.uniform(0.25, 0.5), 3),
                joints=joints.round(2).tolist(), appearance=_unit(random.normal(size=LOOKS)).round(4).tolist(),
            )
        ]  # fmt: skip

    def _remember(self, state: Array, memory_s: float, passed_s: float) -> Array:
        """One step of noise of unit variance that forgets within ``memory_s``."""
        keep = np.exp(-passed_s / memory_s)
        return np.asarray(keep * state + np.sqrt(1 - keep**2) * self._random.normal(size=state.shape))

    def _row(self, person: str, outfit: int) -> int:
        row = self._rows.get(person)
        if row is None:
            row = self._rows[person] = len(self._rows)
            self._looks[row] = clothes(outfit)
        return row


def clothes(outfit: int) -> Array:
    """What an outfit looks like: a unit vector (24,); all outfits have something in common."""
    common = stream(0, "clothes").normal(size=LOOKS)
    return _unit(0.5 * _unit(common) + _unit(stream(outfit, "outfit").normal(size=LOOKS)))


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
