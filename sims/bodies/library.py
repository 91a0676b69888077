"""The baked people: ``data/bodies/bodies.npz`` and a ``BodyState`` go in; surface, joints and palms come out.

Renderer and truth share one posing, so the joints are exactly those of the surface that is drawn.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sims.bodies.outfits import Outfit, colour_vertices, dress
from sims.bodies.posing import Rig, Transforms, pose
from sims.bodies.skeleton import BONE, BONES, COCO_JOINTS, PARTS, SIDES
from sims.scene import BodyState

Float32Array = NDArray[np.float32]
FloatArray = NDArray[np.float64]

DEFAULT = Path(__file__).parents[2] / "data" / "bodies" / "bodies.npz"
_DRESSED_KEPT = 256
_POSES_KEPT = 64
_DRAPE_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Surface:
    """A posed body: vertices (V, 3) in store metres and unit normals (V, 3)."""

    vertices: Float32Array
    normals: Float32Array


@dataclass(frozen=True, slots=True)
class _Dressed:
    rest: Float32Array
    """(V, 3) in the body frame, clothes on."""
    normals: Float32Array
    colours: NDArray[np.uint8]


class BodyLibrary:
    """All baked bodies. Construct it with ``BodyLibrary.load()``."""

    def __init__(self, arrays: dict[str, Any]) -> None:
        self._skin = arrays["vertices"]
        coco = np.asarray(arrays["coco"], dtype=np.float64)
        self._coco = coco / coco[..., 3].sum(-1)[..., None, None]
        self._palms: FloatArray = arrays["palms"]
        self._copy: NDArray[np.int32] = arrays["copy_vertex"]
        self._region: NDArray[np.uint8] = arrays["copy_region"]
        self._heights: FloatArray = arrays["heights_m"]
        self._ages: FloatArray = arrays["ages"]
        self._hair = [str(h) for h in arrays["hair"]]
        self._wears = [set(str(w).split()) for w in arrays["wears"]]
        weights = np.zeros((self._skin.shape[1], len(BONES)), dtype=np.float32)
        np.add.at(weights, (np.arange(len(weights))[:, None], arrays["bones"]), arrays["weights"])
        self._weights: Float32Array = weights
        self._parts: dict[str, NDArray[np.int32]] = {name: arrays[f"faces_{name}"] for name in PARTS}
        self._used = [self._faces_and_copies(body) for body in range(self.count)]
        self._rigs = [self._measure(body, arrays["joints"][body]) for body in range(self.count)]
        self._dressed: OrderedDict[tuple[int, int], _Dressed] = OrderedDict()
        self._posed: OrderedDict[BodyState, Transforms] = OrderedDict()

    @classmethod
    def load(cls, path: Path = DEFAULT) -> BodyLibrary:
        """The library of a file that ``python -m sims.bodies.bake`` wrote."""
        with np.load(path, allow_pickle=False) as file:
            return cls(dict(file))

    @property
    def count(self) -> int:
        """How many bodies there are."""
        return int(self._skin.shape[0])

    def height_m(self, body: int) -> float:
        """Standing height of a body, shoes included."""
        return float(self._heights[body])

    def faces(self, body: int) -> NDArray[np.int32]:
        """Triangles (F, 3) of a body, counter-clockwise from outside; the same array object at every call."""
        return self._used[body][0]

    def colours(self, body: int, outfit: int) -> NDArray[np.uint8]:
        """sRGB colours (V, 3) of a body's vertices in the outfit of that seed."""
        return self._dress(body, outfit).colours

    def regions(self, body: int) -> NDArray[np.uint8]:
        """Region (V,) of each vertex, an index into ``skeleton.REGIONS``."""
        return self._region[self._used[body][1]]

    def vertices(self, state: BodyState) -> Float32Array:
        """Vertices (V, 3) in store metres."""
        return self.surface(state).vertices

    def surface(self, state: BodyState) -> Surface:
        """Vertices and normals in store metres."""
        dressed = self._dress(state.body, state.outfit)
        used = self._copy[self._used[state.body][1]]
        transforms: Float32Array = self._pose(state).astype(np.float32)
        blended = (self._weights @ transforms.reshape(len(BONES), 12))[used].reshape(-1, 3, 4)
        turns = blended[:, :, :3]
        vertices = np.asarray((turns @ dressed.rest[:, :, None])[:, :, 0] + blended[:, :, 3], np.float32)
        normals = np.asarray((turns @ dressed.normals[:, :, None])[:, :, 0], np.float32)
        normals /= np.sqrt(np.einsum("vi,vi->v", normals, normals))[:, None] + 1e-9
        return Surface(vertices, normals)

    def joints(self, state: BodyState) -> FloatArray:
        """The 17 COCO joints (17, 3) in store metres, in COCO's order."""
        columns = self._pose(state).transpose(0, 2, 1).reshape(-1, 3)
        return np.asarray(self._coco[state.body].reshape(len(COCO_JOINTS), -1) @ columns)

    def hands(self, state: BodyState) -> FloatArray:
        """The palm centres (2, 3), left and right, in store metres."""
        transforms = self._pose(state)
        places = []
        for number, side in enumerate(SIDES):
            transform = transforms[BONE[f"hand.{side}"]]
            places.append(transform[:, :3] @ self._palms[state.body, number, 2] + transform[:, 3])
        return np.array(places)

    def _pose(self, state: BodyState) -> Transforms:
        """The transforms of a state; asked for by surface, joints and hands in turn, so the last few are kept."""
        if state not in self._posed:
            self._posed[state] = pose(self._rigs[state.body], state)
            if len(self._posed) > _POSES_KEPT:
                self._posed.popitem(last=False)
        return self._posed[state]

    def _faces_and_copies(self, body: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Faces of the parts a body wears, renumbered to the vertices they use, and which those are."""
        worn = ["body", "shoe"] + [name for name in ("skirt", "bag") if name in self._wears[body]]
        worn += ["long_hair"] if self._hair[body] == "long" else []
        worn += ["strap"] if "bag" in self._wears[body] else []
        faces = np.concatenate([self._parts[name] for name in worn])
        used, flat = np.unique(faces, return_inverse=True)
        return flat.reshape(-1, 3).astype(np.int32), used

    def _measure(self, body: int, joints: FloatArray) -> Rig:
        skin = self._skin[body]
        hip_z = float(joints[BONE["thigh.L"], 2])
        arm = [BONE[f"{b}.{s}"] for b in ("hand", "wristroll", "forearm", "upperarm") for s in SIDES]
        hands = self._weights[:, arm].sum(1)
        used = np.isin(np.arange(len(skin)), self._copy[self._used[body][1]])
        near = used & (hands < 0.3) & (skin[:, 2] < hip_z * 1.02) & (skin[:, 2] > hip_z * 0.86)
        legs_apart = 0.0 if "skirt" in self._wears[body] else float(joints[BONE["foot.L"], 1]) * 0.12
        half = float(np.abs(skin[near, 1]).max()) - legs_apart
        return Rig.measure(float(self._heights[body]), joints, self._palms[body], half)

    def _dress(self, body: int, outfit: int) -> _Dressed:
        key = (body, outfit)
        if key not in self._dressed:
            self._dressed[key] = self._put_on(body, outfit)
            if len(self._dressed) > _DRESSED_KEPT:
                self._dressed.popitem(last=False)
        self._dressed.move_to_end(key)
        return self._dressed[key]

    def _put_on(self, body: int, outfit: int) -> _Dressed:
        faces, copies = self._used[body]
        chosen: Outfit = dress(outfit, float(self._ages[body]), self._hair[body], "skirt" in self._wears[body])
        regions, used = self._region[copies], self._copy[copies]
        scale = float(self._heights[body]) / 1.7
        skin = self._skin[body].astype(np.float64)
        normals = _normals(skin, used[faces])
        copies_of = np.maximum(np.bincount(used, minlength=len(skin)), 1)
        thickness = np.bincount(used, chosen.thickness_m[regions], len(skin)) / copies_of
        rest = _draped(skin, normals, used[faces], thickness) + normals * thickness[:, None] * scale
        colours = colour_vertices(chosen, regions, skin[used] / scale)
        dressed = _normals(rest, used[faces])
        return _Dressed(rest[used].astype(np.float32), dressed[used].astype(np.float32), colours)


def _draped(points: FloatArray, normals: FloatArray, faces: NDArray[np.int32], thickness_m: FloatArray) -> FloatArray:
    """The surface under cloth, smoothed along its normals where the cloth is thick enough to hide what is beneath."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    start, end = np.concatenate([edges[:, 0], edges[:, 1]]), np.concatenate([edges[:, 1], edges[:, 0]])
    degree = np.maximum(np.bincount(start, minlength=len(points)), 1)[:, None]
    share = 0.5 * np.clip((thickness_m - 0.006) / 0.010, 0.0, 1.0)[:, None]
    for _ in range(_DRAPE_ROUNDS):
        mean = np.stack([np.bincount(start, points[end, axis], len(points)) for axis in range(3)], axis=1) / degree
        points = points + share * normals * np.einsum("vi,vi->v", mean - points, normals)[:, None]
    return points


def _normals(points: FloatArray, faces: NDArray[np.int32]) -> FloatArray:
    """Unit normals (V, 3), areas of the faces around a vertex as weights; faces seen from both sides count once."""
    corners = points[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    _, first = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    total = np.zeros_like(points)
    for corner in range(3):
        np.add.at(total, faces[first, corner], normal[first])
    return np.asarray(total / (np.linalg.norm(total, axis=1, keepdims=True) + 1e-12))
