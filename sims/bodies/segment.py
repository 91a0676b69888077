"""Cuts the surface of the dense body into the regions that clothes, skin and hair are coloured by (baking only).

One reference body in rest pose and the skin weights go in; the faces worth keeping, a region for each and the recipe
of the vertices added along the seams come out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sims.bodies.cut import Recipe, cut
from sims.bodies.skeleton import BANDS, BONE, REGION, SIDES

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

_MOUTH_INSIDE_UV = (0.74, 0.94, 0.0, 0.15)
_EYEBALL_VERTICES, _TONGUE_VERTICES = 72, 226
_NOSE, _LEFT_EYE, _LEFT_EAR, _RIGHT_EAR = 0, 1, 3, 4
_ARM = ("shoulder", "upperarm", "forearm", "wristroll", "hand")
_FRONT_HALF_M = 0.05


def importance_of(weights: FloatArray) -> FloatArray:
    """How much worse than usual it is to lose a vertex: faces and hands are looked at."""
    head = weights[:, BONE["head"]]
    hand = weights[:, BONE["hand.L"]] + weights[:, BONE["hand.R"]]
    return np.asarray(1.0 + 2.0 * head + 1.5 * hand - 0.5 * _sum(weights, ("foot", "toes"), SIDES))


def without_inside(raw: dict[str, Any], weights: FloatArray) -> tuple[IntArray, Mask]:
    """Faces without tongue and inside of the mouth, and which of them are eyeballs."""
    faces = np.asarray(raw["faces"], dtype=np.int64)
    in_head = weights[faces].mean(1)[:, BONE["head"]] > 0.5
    part = _components(faces, len(weights))
    size = np.bincount(part)[part[faces[:, 0]]]
    uv = raw["uv"][raw["face_uv"]].mean(1)
    left, right, low, high = _MOUTH_INSIDE_UV
    mouth = in_head & (uv[:, 0] > left) & (uv[:, 0] < right) & (uv[:, 1] > low) & (uv[:, 1] < high)
    keep = ~mouth & (size != _TONGUE_VERTICES)
    return faces[keep], (size == _EYEBALL_VERTICES)[keep]


class Segmenter:
    """Fields over the reference body; ``run`` cuts along their levels and names the pieces."""

    def __init__(self, vertices: FloatArray, heads: FloatArray, raw: dict[str, Any], weights: FloatArray) -> None:
        labels = [str(label) for label in raw["labels"]]
        self.joint = {name: heads[number] for number, name in enumerate(labels)}
        self.vertices, self.weights = vertices, weights
        self.coco = np.asarray(raw["coco"]) @ vertices
        self.faces, self.eyeball = without_inside(raw, weights)
        self.recipe = Recipe()
        hip_z, neck_z = self.joint["upperleg01.L"][2], self.joint["neck01"][2]
        self.belt_z = float(hip_z + 0.30 * (self.joint["spine03"][2] - hip_z))
        self.hip_z, self.crotch_z = float(hip_z), float(hip_z - 0.10)
        self.band_z = np.linspace(self.belt_z, float(neck_z) - 0.02, BANDS + 1)

    def run(self) -> tuple[IntArray, IntArray, Recipe]:
        """Faces after all cuts but those of the feet, the region of each, and the recipe of the added vertices."""
        self._seam(self._weight("neck", "head") - 0.5, self._everywhere())
        for side in SIDES:
            self._seam(self._limb(_ARM, side) - 0.5, self._everywhere())
        trunk = ~self._arms() & ~self._skull()
        for z in (self.crotch_z, self.hip_z, *self.band_z[:-1]):
            self._seam(self.vertices[:, 2] - z, ~self._arms() & ~self._skull())
        for y in (-_FRONT_HALF_M, _FRONT_HALF_M):
            ahead = self._centres()[:, 0] > 0.0
            trunk = ~self._arms() & ~self._skull() & ahead & (self._centres()[:, 2] > self.belt_z)
            self._seam(self.vertices[:, 1] - y, trunk)
        for side in SIDES:
            self._limb_seams(side)
        skull = self._skull() & ~self.eyeball
        self._seam(_hairline(self.vertices, self.coco, float(self.vertices[:, 2].max())), skull)
        regions = self._name()
        above = regions != REGION["shoe"]
        return self.faces[above], regions[above], self.recipe

    def _limb_seams(self, side: str) -> None:
        upper, fore, wrist = (self.joint[f"{b}.{side}"] for b in ("upperarm01", "lowerarm01", "wrist"))
        hip, knee, ankle = (self.joint[f"{b}.{side}"] for b in ("upperleg01", "lowerleg01", "foot"))
        sign = 1.0 if side == "L" else -1.0
        for start, end, levels, arm in (
            (upper, fore, (0.55,), True), (fore, wrist, (0.12, 0.95), True),
            (hip, knee, (0.62,), False), (knee, ankle, (0.06, 0.72, 1.0), False),
        ):  # fmt: skip
            for level in levels:
                mine = self._arms() if arm else self._legs()
                self._seam(_along(self.vertices, start, end) - level, mine & (self._centres()[:, 1] * sign > 0))

    def _seam(self, values: FloatArray, where: Mask) -> None:
        before = len(self.recipe.parts)
        self.faces, origin = cut(self.faces, values, where, self.recipe)
        self.eyeball = self.eyeball[origin]
        last = Recipe(self.recipe.parts[before:])
        self.vertices, self.weights = last.apply(self.vertices), last.apply(self.weights)

    def _everywhere(self) -> Mask:
        return np.ones(len(self.faces), dtype=bool)

    def _centres(self) -> FloatArray:
        return np.asarray(self.vertices[self.faces].mean(1))

    def _weight(self, *bones: str) -> FloatArray:
        return _sum(self.weights, bones, ("",))

    def _limb(self, bones: tuple[str, ...], side: str) -> FloatArray:
        return _sum(self.weights, bones, (side,))

    def _arms(self) -> Mask:
        return np.asarray(_sum(self.weights, _ARM, SIDES)[self.faces].mean(1) > 0.5)

    def _legs(self) -> Mask:
        return np.asarray((self._centres()[:, 2] < self.crotch_z + 0.01) & ~self._arms())

    def _skull(self) -> Mask:
        return np.asarray(self._weight("neck", "head")[self.faces].mean(1) > 0.5)

    def _name(self) -> IntArray:
        centre = self._centres()
        z = centre[:, 2]
        corners = self.vertices[self.faces]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        band = np.clip(np.searchsorted(self.band_z, z) - 1, 0, BANDS - 1)
        front = (np.abs(centre[:, 1]) < _FRONT_HALF_M) & (normal[:, 0] > 0) & (centre[:, 0] > 0)
        regions = np.where(front, REGION["front_0"] + band, REGION["chest_0"] + band)
        regions[z < self.belt_z] = REGION["hem"]
        regions[z < self.hip_z] = REGION["hips"]
        regions[z < self.crotch_z] = REGION["thigh_top"]
        arms = self._arms()
        for side in SIDES:
            mine = centre[:, 1] > 0 if side == "L" else centre[:, 1] < 0
            upper, fore, wrist = (self.joint[f"{b}.{side}"] for b in ("upperarm01", "lowerarm01", "wrist"))
            hip, knee, ankle = (self.joint[f"{b}.{side}"] for b in ("upperleg01", "lowerleg01", "foot"))
            leg = mine & ~arms & (z < self.crotch_z)
            fall = _along(centre, knee, ankle)
            regions[leg & (_along(centre, hip, knee) > 0.62)] = REGION["thigh_low"]
            for level, name in ((0.06, "shin"), (0.72, "ankle"), (1.0, "shoe")):
                regions[leg & (fall > level)] = REGION[name]
            out = _along(centre, fore, wrist)
            regions[mine & arms] = REGION["sleeve_top"]
            regions[mine & arms & (_along(centre, upper, fore) > 0.55)] = REGION["sleeve_mid"]
            regions[mine & arms & (out > 0.12)] = REGION["sleeve_low"]
            regions[mine & arms & (out > 0.95)] = REGION["hand"]
        skull = self._skull()
        regions[skull] = _head(centre[skull], self.coco, float(self.vertices[:, 2].max()))
        neck = skull & (self._weight("head")[self.faces].mean(1) < 0.5) & (regions != REGION["hair"])
        regions[neck] = REGION["neck"]
        pupil = _pupil(centre[self.eyeball], self.vertices, self.faces[self.eyeball])
        regions[self.eyeball] = np.where(pupil, REGION["pupils"], REGION["eyes"])
        return np.asarray(regions, dtype=np.int64)


def _sum(weights: FloatArray, bones: tuple[str, ...], sides: tuple[str, ...]) -> FloatArray:
    return np.asarray(weights[:, [BONE[f"{b}.{s}" if s else b] for b in bones for s in sides]].sum(1))


def _components(faces: IntArray, count: int) -> IntArray:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _along(points: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """Where points lie between two joints: 0 at the first, 1 at the second."""
    axis = end - start
    return np.asarray((points - start) @ axis / (axis @ axis))


def _hairline(points: FloatArray, coco: FloatArray, top_z: float) -> FloatArray:
    """Positive where hair grows, from where the nose and the ears are."""
    ear = (coco[_LEFT_EAR] + coco[_RIGHT_EAR]) / 2
    ahead = (points[:, 0] - ear[0]) / (coco[_NOSE][0] - ear[0])
    up = (points[:, 2] - ear[2]) / (top_z - ear[2])
    line = np.interp(ahead, [-1.2, -0.6, -0.15, 0.05, 0.45, 0.62, 0.8], [-0.55, -0.5, -0.2, 0.12, 0.30, 0.62, 0.70])
    return np.asarray(up - line)


def _head(centre: FloatArray, coco: FloatArray, top_z: float) -> IntArray:
    """Hair, brows, lips and skin."""
    nose, eye, ear = coco[_NOSE], coco[_LEFT_EYE], (coco[_LEFT_EAR] + coco[_RIGHT_EAR]) / 2
    size = top_z - ear[2]
    ahead = (centre[:, 0] - ear[0]) / (nose[0] - ear[0])
    regions = np.where(_hairline(centre, coco, top_z) > 0, REGION["hair"], REGION["face"])
    near_ear = np.linalg.norm(centre[:, [0, 2]] - ear[[0, 2]], axis=1) < 0.042
    regions[near_ear & (np.abs(centre[:, 1]) > abs(coco[_LEFT_EAR][1]) - 0.006)] = REGION["face"]
    sideways, above_eye = np.abs(centre[:, 1]) / abs(eye[1]), (centre[:, 2] - eye[2]) / size
    brows = (above_eye > 0.10) & (above_eye < 0.20) & (sideways > 0.4) & (sideways < 1.7) & (ahead > 0.5)
    regions[brows] = REGION["brows"]
    below = (nose[2] - centre[:, 2]) / size
    regions[(below > 0.22) & (below < 0.40) & (sideways < 0.75) & (ahead > 0.6)] = REGION["lips"]
    return np.asarray(regions)


def _pupil(centre: FloatArray, vertices: FloatArray, faces: IntArray) -> Mask:
    """Faces of the eyeballs near their front."""
    out = np.zeros(len(centre), dtype=bool)
    for left in (True, False):
        mine = (centre[:, 1] > 0) == left
        ball = vertices[np.unique(faces[mine])]
        middle, radius = (ball.max(0) + ball.min(0)) / 2, np.ptp(ball[:, 1]) / 2
        off = np.linalg.norm((centre - middle)[:, 1:], axis=1)
        out |= mine & (off < 0.55 * radius) & (centre[:, 0] > middle[0])
    return out
