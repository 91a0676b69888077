"""Cuts the surface of the dense body into the regions that clothes, skin and hair are coloured by (baking only).

One reference body in rest pose and the skin weights go in; the faces worth keeping and a region for each come out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sims.bodies.skeleton import BONE, BONES, REGION, SIDES

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_MOUTH_INSIDE_UV = (0.74, 0.94, 0.0, 0.15)
_COCO = {"nose": 0, "left_eye": 1, "left_ear": 3, "right_ear": 4}


def importance_of(weights: FloatArray) -> FloatArray:
    """How much worse than usual it is to lose a vertex: faces and hands are looked at."""
    head = weights[:, BONE["head"]]
    hand = weights[:, BONE["hand.L"]] + weights[:, BONE["hand.R"]]
    foot = sum(weights[:, BONE[f"{part}.{side}"]] for part in ("foot", "toes") for side in SIDES)
    return np.asarray(1.0 + 2.0 * head + 1.5 * hand - 0.6 * foot)


def regions_of(
    vertices: FloatArray, heads: FloatArray, raw: dict[str, Any], weights: FloatArray
) -> tuple[IntArray, IntArray]:
    """Faces without the inside of the mouth, and the region of each."""
    faces = np.asarray(raw["faces"], dtype=np.int64)
    weight = weights[faces].mean(1)
    in_head = weight[:, BONE["head"]] > 0.5
    part = _components(faces, len(vertices))
    sizes = np.bincount(part)
    eyeball = sizes[part[faces[:, 0]]] == 72
    tongue = sizes[part[faces[:, 0]]] == 226
    uv = raw["uv"][raw["face_uv"]].mean(1)
    left, right, low, high = _MOUTH_INSIDE_UV
    mouth = in_head & (uv[:, 0] > left) & (uv[:, 0] < right) & (uv[:, 1] > low) & (uv[:, 1] < high)
    keep = ~(tongue | mouth)
    faces, weight, eyeball = faces[keep], weight[keep], eyeball[keep]
    joints = {name: heads[[str(x) for x in raw["labels"]].index(name)] for name in map(str, raw["labels"])}
    corners = vertices[faces]
    centre = corners.mean(1)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    regions = _limbs(centre, normal, weight, joints)
    head = np.isin(weight.argmax(1), [BONE["head"]])
    coco = np.asarray(raw["coco"]) @ vertices
    regions[head] = _head(centre[head], coco, float(vertices[:, 2].max()))
    regions[eyeball] = np.where(_pupil(centre[eyeball], vertices, faces[eyeball]), REGION["pupils"], REGION["eyes"])
    return faces, regions


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


def _limbs(centre: FloatArray, normal: FloatArray, weight: FloatArray, joints: dict[str, FloatArray]) -> IntArray:
    best = weight.argmax(1)
    regions = np.full(len(centre), REGION["chest"], dtype=np.int64)
    hip_z = joints["upperleg01.L"][2]
    belt_z = hip_z + 0.30 * (joints["spine03"][2] - hip_z)
    z = centre[:, 2]
    legs = np.zeros(len(centre), dtype=bool)
    for side in SIDES:
        bones = {name: joints[f"{name}.{side}"] for name in ("upperarm01", "lowerarm01", "wrist")}
        bones |= {name: joints[f"{name}.{side}"] for name in ("upperleg01", "lowerleg01", "foot")}
        upper = np.isin(best, [BONE[f"shoulder.{side}"], BONE[f"upperarm.{side}"]])
        lower = np.isin(best, [BONE[f"forearm.{side}"], BONE[f"wristroll.{side}"]])
        down = _along(centre, bones["upperarm01"], bones["lowerarm01"])
        regions[upper] = np.where(down[upper] < 0.55, REGION["sleeve_top"], REGION["sleeve_mid"])
        out = _along(centre, bones["lowerarm01"], bones["wrist"])
        regions[lower] = np.where(out[lower] < 0.12, REGION["sleeve_mid"], REGION["sleeve_low"])
        regions[lower & (out > 0.93)] = REGION["hand"]
        regions[best == BONE[f"hand.{side}"]] = REGION["hand"]
        thigh, shin = best == BONE[f"thigh.{side}"], best == BONE[f"shin.{side}"]
        drop = _along(centre, bones["upperleg01"], bones["lowerleg01"])
        fall = _along(centre, bones["lowerleg01"], bones["foot"])
        regions[thigh] = np.where(drop[thigh] < 0.62, REGION["thigh_top"], REGION["thigh_low"])
        regions[shin] = np.where(fall[shin] < 0.72, REGION["shin"], REGION["ankle"])
        regions[shin & (fall < 0.06)] = REGION["thigh_low"]
        foot = np.isin(best, [BONE[f"foot.{side}"], BONE[f"toes.{side}"]]) | (shin & (fall > 0.9))
        regions[foot] = np.where(z[foot] < 0.022, REGION["sole"], REGION["shoe"])
        legs |= thigh | shin | foot
    trunk = np.isin(best, [BONE[b] for b in BONES if b.split(".")[0] in ("pelvis", "waist", "ribs", "chest", "clavicle")])
    regions[trunk & (z < belt_z)] = REGION["hem"]
    regions[(trunk | (legs & (z > hip_z - 0.02))) & (z < hip_z - 0.0) & (z > hip_z - 0.6)] = REGION["hips"]
    regions[legs & (z > hip_z) & (z < belt_z)] = REGION["hem"]
    neck_front = trunk & (normal[:, 0] > 0.3) & (np.abs(centre[:, 1]) < 0.055) & (z >= belt_z)
    regions[neck_front] = REGION["front"]
    regions[best == BONE["neck"]] = REGION["neck"]
    return regions


def _head(centre: FloatArray, coco: FloatArray, top_z: float) -> IntArray:
    """Hair, brows, lips and skin from where the nose, the eyes and the ears are."""
    nose, eye = coco[_COCO["nose"]], coco[_COCO["left_eye"]]
    ear = (coco[_COCO["left_ear"]] + coco[_COCO["right_ear"]]) / 2
    size = top_z - ear[2]
    ahead = (centre[:, 0] - ear[0]) / (nose[0] - ear[0])
    up = (centre[:, 2] - ear[2]) / size
    line = np.interp(ahead, [-1.2, -0.6, -0.15, 0.05, 0.45, 0.62, 0.8], [-0.55, -0.5, -0.2, 0.12, 0.30, 0.62, 0.70])
    regions = np.where(up > line, REGION["hair"], REGION["face"])
    near_ear = np.linalg.norm(centre[:, [0, 2]] - ear[[0, 2]], axis=1) < 0.045
    regions[near_ear & (np.abs(centre[:, 1]) > abs(coco[_COCO["left_ear"]][1]) - 0.012)] = REGION["face"]
    sideways = np.abs(centre[:, 1]) / abs(eye[1])
    above_eye = (centre[:, 2] - eye[2]) / size
    regions[(above_eye > 0.10) & (above_eye < 0.20) & (sideways > 0.4) & (sideways < 1.7) & (ahead > 0.5)] = REGION["brows"]
    below = (nose[2] - centre[:, 2]) / size
    regions[(below > 0.22) & (below < 0.40) & (sideways < 0.75) & (ahead > 0.6)] = REGION["lips"]
    return regions


def _pupil(centre: FloatArray, vertices: FloatArray, faces: IntArray) -> NDArray[np.bool_]:
    """Faces of the eyeballs near their front."""
    out = np.zeros(len(centre), dtype=bool)
    for left in (True, False):
        mine = (centre[:, 1] > 0) == left
        ball = vertices[np.unique(faces[mine])]
        middle, radius = (ball.max(0) + ball.min(0)) / 2, np.ptp(ball[:, 1]) / 2
        off = np.linalg.norm((centre - middle)[:, 1:], axis=1)
        out |= mine & (off < 0.5 * radius) & (centre[:, 0] > middle[0])
    return out
