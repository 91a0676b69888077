"""People as a camera with inference on board reports them: a crowd goes in, boxes, joints and appearances come out.

The error model is set by hand: people are missed more often the farther and the more hidden they are, and for some
frames in a row; boxes and joints jitter with a memory of a fraction of a second, wrists more than shoulders, hidden
joints much more; now and then there is a box around nothing. Pixels are those of the camera as it hangs, lens
included.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from sims.chance import stream
from sims.devices.sight import Array, Crowd, Lenses, Mask, Solids, hidden_by_people
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


NORMALS, UNIFORMS = 1 + 17 * 2 + 17 + 4 + 1 + LOOKS, 17 + 2
"""Random numbers that a camera draws per person and frame."""


@dataclass(frozen=True, slots=True)
class _View:
    """What c cameras see of n people before errors: pixels (c, n, 17, 2), what is visible of them, boxes (c, n, 4)."""

    cameras: NDArray[np.intp]
    rows: NDArray[np.intp]
    pixels: Array
    visible: Mask
    in_picture: Mask
    boxes: Array
    metres_px: Array
    """Pixels per metre at every body (c, n)."""
    distance_m: Array


class PeopleFinders:
    """The detectors of many cameras, computed together; every camera draws from its own stream."""

    def __init__(
        self, specs: Sequence[CameraSpec], solids: Solids, errors: EdgeErrors, randoms: Sequence[np.random.Generator]
    ) -> None:
        count = len(specs)
        self._lenses, self._solids, self._errors, self._randoms = Lenses(specs), solids, errors, randoms
        self._rows: dict[str, int] = {}
        self._looks = np.zeros((MOST_PEOPLE, LOOKS))
        self._tints = 0.30 * np.array([_unit(random.normal(size=LOOKS)) for random in randoms]).reshape(-1, 1, LOOKS)
        self._luck = np.array([random.normal(size=MOST_PEOPLE) for random in randoms]).reshape(count, MOST_PEOPLE)
        self._joint_error = np.zeros((count, MOST_PEOPLE, 17, 2))
        self._box_error = np.zeros((count, MOST_PEOPLE, 4))
        self._last_ns = np.full(count, -1)
        self._seq = [0] * count

    def find(self, crowd: Crowd, cameras: Sequence[int], clocks_ns: Sequence[int]) -> list[People]:
        """What the chosen cameras report of a crowd; ``clocks_ns`` are their own clocks."""
        chosen = np.array(cameras, np.intp)
        passed_s = np.where(
            self._last_ns[chosen] < 0, 1.0, np.maximum(1e-3, (crowd.t_ns - self._last_ns[chosen]) / 1e9)
        )
        self._last_ns[chosen] = crowd.t_ns
        everybody = self._people(crowd, chosen, passed_s) if crowd.people else [[] for _ in cameras]
        messages = []
        for camera, t_ns, people in zip(cameras, clocks_ns, everybody, strict=True):
            width, height = (int(size) for size in self._lenses.sizes_px[camera])
            seen = people + self._false_boxes(camera, width, height)
            messages.append(People(seq=self._seq[camera], t_ns=t_ns, width=width, height=height, people=seen))
            self._seq[camera] += 1
        return messages

    def _people(self, crowd: Crowd, cameras: NDArray[np.intp], passed_s: Array) -> list[list[SeenPerson]]:
        rows = np.array([self._row(person.person, person.outfit) for person in crowd.people], np.intp)
        view = self._look(crowd, cameras, rows)
        normal = np.stack([self._randoms[c].standard_normal((len(rows), NORMALS)) for c in cameras])
        uniform = np.stack([self._randoms[c].random((len(rows), UNIFORMS)) for c in cameras])
        luck, joint, joint_score, box, score, look = np.split(normal, np.cumsum([1, 34, 17, 4, 1]), axis=2)
        at = np.ix_(cameras, rows)
        self._luck[at] = _remember(self._luck[at], luck[..., 0], MISS_MEMORY_S, passed_s)
        self._joint_error[at] = _remember(
            self._joint_error[at], joint.reshape(*joint.shape[:2], 17, 2), JOINT_MEMORY_S, passed_s
        )
        self._box_error[at] = _remember(self._box_error[at], box, BOX_MEMORY_S, passed_s)
        chance, share = self._chances(view)
        found = ndtr(self._luck[at]) < chance
        joints = self._joints(view, self._joint_error[at], joint_score, uniform).round(2)
        boxes = self._boxes(view, self._box_error[at]).round(1)
        scores = np.clip(0.93 * np.sqrt(np.clip(share, 0.05, 1)) + 0.04 * score[..., 0], 0.2, 0.98).round(3)
        vague = 0.25 + 0.6 * (1.0 - share)
        looks = _unit(
            self._looks[rows] + self._tints[cameras] + vague[..., None] * look[..., :LOOKS] / np.sqrt(LOOKS)
        ).round(4)
        return [
            [
                SeenPerson(
                    box=boxes[c, i].tolist(), score=float(scores[c, i]), joints=joints[c, i].tolist(),
                    appearance=looks[c, i].tolist(),
                )
                for i in np.argsort(uniform[c, :, 17])
                if found[c, i]
            ]
            for c in range(len(cameras))
        ]  # fmt: skip

    def _look(self, crowd: Crowd, cameras: NDArray[np.intp], rows: NDArray[np.intp]) -> _View:
        """Project everybody and find out what hides them."""
        count, eyes_m = len(crowd.people), self._lenses.eyes_m[cameras]
        points = crowd.joints.reshape(-1, 3)
        shape = (len(cameras), count, 17)
        pixels = self._lenses.project(cameras, points).reshape(*shape, 2)
        hidden = self._solids.hide(eyes_m, points)
        hidden |= hidden_by_people(eyes_m, points, crowd, np.repeat(np.arange(count), 17), np.tile(OWN_ARMS, count))
        sizes = self._lenses.sizes_px[cameras, None, None]
        inside: Mask = np.asarray(((pixels >= 0) & (pixels < sizes)).all(axis=3))
        middle = crowd.joints[:, [5, 6, 11, 12]].mean(axis=1)
        distance_m = np.linalg.norm(middle - eyes_m[:, None], axis=2)
        metres_px = self._lenses.focal_px[cameras, None] / np.maximum(distance_m, 0.3)
        visible = inside & ~hidden.reshape(shape)
        boxes = self._hulls(crowd, cameras, pixels, visible, metres_px)
        return _View(cameras, rows, pixels, visible, inside, boxes, metres_px, distance_m)

    def _hulls(self, crowd: Crowd, cameras: NDArray[np.intp], pixels: Array, visible: Mask, metres_px: Array) -> Array:
        """Boxes around what can be seen, the flesh around the joints and the crown included; NaN where nothing can."""
        crown = np.column_stack([crowd.joints[:, 0, :2], crowd.crowns])
        points = np.concatenate([pixels, self._lenses.project(cameras, crown)[:, :, None]], axis=2)
        shown = np.concatenate([visible, visible[:, :, :5].any(axis=2, keepdims=True)], axis=2)
        shown = (shown & ~np.isnan(points[..., 0]))[..., None]
        low = np.where(shown, points, np.inf).min(axis=2) - 0.07 * metres_px[..., None]
        high = np.where(shown, points, -np.inf).max(axis=2) + 0.07 * metres_px[..., None]
        return np.where(shown.any(axis=2), np.concatenate([low, high], axis=2), np.nan)

    def _chances(self, view: _View) -> tuple[Array, Array]:
        """Chance to be found and share of the body that is visible, (c, n) each."""
        seen = view.visible.sum(axis=2)
        share = seen / 17.0
        miss = self._errors.miss * np.maximum(0.3, view.distance_m / 3.0) ** 1.6
        chance = (1.0 - np.minimum(0.9, miss)) / (1.0 + np.exp(-(share - 0.24) / 0.045))
        high_enough = view.boxes[..., 3] - view.boxes[..., 1] >= LEAST_PX
        return np.where(high_enough & (seen >= 3), chance, 0.0), share

    def _joints(self, view: _View, error: Array, score: Array, uniform: Array) -> Array:
        """Joints (c, n, 17, 3) with errors and scores."""
        height_px = 1.7 * view.metres_px[..., None]
        sigma = self._errors.joint_sigma * height_px * JOINT_FACTOR * (1 + 0.06 * view.distance_m[..., None]) + 0.35
        wild = np.where(uniform[..., :17] < 0.01, 6.0, 1.0)
        blur = sigma * np.where(view.visible, wild, 3.5)
        most = self._lenses.sizes_px[view.cameras, None, None] - 0.01
        places = np.clip(np.nan_to_num(view.pixels, nan=0.0) + error * blur[..., None], 0.0, most)
        clear = 0.93 - 0.06 * np.abs(error).max(axis=3) + 0.03 * score
        guess = 0.24 + 0.11 * score
        scores = np.where(view.in_picture, np.where(view.visible, clear / np.sqrt(wild), guess), 0.03)
        joints = np.concatenate([places, np.clip(scores, 0.01, 0.99)[..., None]], axis=3)
        swapped = uniform[..., 18] < self._errors.swap
        return np.where(swapped[..., None, None], joints[:, :, MIRROR], joints)

    def _boxes(self, view: _View, error: Array) -> Array:
        boxes = np.nan_to_num(view.boxes, nan=0.0)
        size = np.maximum(1.0, boxes[..., 2:] - boxes[..., :2])
        boxes = boxes + error * (0.02 * np.concatenate([size, size], axis=2) + 0.5)
        limit = np.tile(self._lenses.sizes_px[view.cameras], 2)[:, None]
        boxes = np.clip(boxes, 0.0, limit)
        return np.concatenate([np.clip(boxes[..., :2], 0.0, boxes[..., 2:]), boxes[..., 2:]], axis=2)

    def _false_boxes(self, camera: int, width: int, height: int) -> list[SeenPerson]:
        random = self._randoms[camera]
        if random.random() >= self._errors.false_box:
            return []
        high = height * random.uniform(0.15, 0.6)
        wide = high * random.uniform(0.3, 0.7)
        left, top = random.uniform(0, width - wide), random.uniform(0, height - high)
        places = random.uniform((left, top), (left + wide, top + high), (17, 2))
        joints = np.column_stack([places, random.uniform(0.05, 0.4, 17)])
        return [
            SeenPerson(
                box=np.round([left, top, left + wide, top + high], 1).tolist(),
                score=round(random.uniform(0.25, 0.5), 3),
                joints=joints.round(2).tolist(),
                appearance=_unit(random.normal(size=LOOKS)).round(4).tolist(),
            )
        ]

    def _row(self, person: str, outfit: int) -> int:
        row = self._rows.get(person)
        if row is None:
            row = self._rows[person] = len(self._rows)
            self._looks[row] = clothes(outfit)
        return row


def _remember(state: Array, fresh: Array, memory_s: float, passed_s: Array) -> Array:
    """One step of noise of unit variance, per camera (first axis), that forgets within ``memory_s``."""
    keep = np.exp(-passed_s / memory_s).reshape(-1, *(1,) * (state.ndim - 1))
    return np.asarray(keep * state + np.sqrt(1 - keep**2) * fresh)


def clothes(outfit: int) -> Array:
    """What an outfit looks like: a unit vector (24,); all outfits have something in common."""
    common = stream(0, "clothes").normal(size=LOOKS)
    return _unit(0.5 * _unit(common) + _unit(stream(outfit, "outfit").normal(size=LOOKS)))


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
