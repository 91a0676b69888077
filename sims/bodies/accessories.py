"""Shoes, skirts, long hair and backpacks with their straps as extra pieces of the shared mesh (baking only).

One dense body in rest pose, its joints and skin weights go in; vertices, weights, regions and faces of the extra pieces
come out, with the same topology for every body.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sims.bodies.skeleton import BONE, BONES, REGION, SIDES

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_SKIRT_AROUND, _SKIRT_DOWN = 20, 6
_HAIR_AROUND, _HAIR_DOWN = 13, 7
_SHOE_ALONG, _SHOE_AROUND = 12, 12
_STRAP_OVER, _STRAP_UNDER = 13, 6
_STRAP_OFF_M, _STRAP_HALF_M = 0.011, 0.021


@dataclass(frozen=True, slots=True)
class Accessories:
    """Extra vertices (V, 3), their skin weights (V, bones) and regions (V,); faces by part in terms of them."""

    vertices: FloatArray
    weights: FloatArray
    regions: IntArray
    faces: dict[str, IntArray]


def build_accessories(vertices: FloatArray, joints: FloatArray, weights: FloatArray) -> Accessories:
    """The extra pieces of one body, in the body frame."""
    pieces = [
        ("shoe", *_shoes(vertices, joints, weights)),
        ("skirt", *_skirt(vertices, joints, weights)),
        ("long_hair", *_long_hair(vertices, joints, weights)),
        ("bag", *_bag(vertices, joints)),
        ("strap", *_straps(vertices, joints, weights)),
    ]
    faces, first = {}, 0
    for name, points, _, triangles in pieces:
        faces[name] = triangles + first
        first += len(points)
    return Accessories(
        np.concatenate([p[1] for p in pieces]),
        np.concatenate([p[2] for p in pieces]),
        np.concatenate([np.full(len(p[1]), REGION[p[0]]) for p in pieces]),
        faces,
    )


def _grid(rows: int, columns: int, closed: bool) -> IntArray:
    """Triangles of a sheet of ``rows`` x ``columns`` vertices, seen from both sides."""
    out = []
    for r in range(rows - 1):
        for c in range(columns if closed else columns - 1):
            a, b = r * columns + c, r * columns + (c + 1) % columns
            d, e = a + columns, b + columns
            out += [(a, d, b), (b, d, e)]
    sheet = np.array(out, dtype=np.int64)
    return np.concatenate([sheet, sheet[:, ::-1]])


def _shoes(vertices: FloatArray, joints: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
    left = [_shoe(side, vertices, joints, weights) for side in SIDES]
    faces = _grid(_SHOE_ALONG, _SHOE_AROUND, closed=True)
    outside = faces[len(faces) // 2 :]
    count = _SHOE_ALONG * _SHOE_AROUND
    return (
        np.concatenate([points for points, _ in left]),
        np.concatenate([skin for _, skin in left]),
        np.concatenate([outside, outside + count]),
    )


def _shoe(side: str, vertices: FloatArray, joints: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rings from heel to toe around one foot, as wide and as high as the foot is there, with a flat sole."""
    ankle, ball = joints[BONE[f"foot.{side}"]], joints[BONE[f"toes.{side}"]]
    ahead = (ball - ankle)[:2] / np.linalg.norm((ball - ankle)[:2])
    aside = np.array([-ahead[1], ahead[0]])
    mine = weights[:, BONE[f"foot.{side}"]] + weights[:, BONE[f"toes.{side}"]] > 0.4
    foot = vertices[mine & (vertices[:, 2] < ankle[2] * 1.2)]
    u, v = (foot[:, :2] - ankle[:2]) @ ahead, (foot[:, :2] - ankle[:2]) @ aside
    heel, toe, rim = float(u.min()) - 0.008, float(u.max()) + 0.010, float(ankle[2]) * 1.28
    stations = heel + (toe - heel) * (0.5 - 0.5 * np.cos(np.linspace(0.06, 1.0, _SHOE_ALONG) * np.pi))
    stations[0] = heel
    near = [np.abs(u - station) < 0.03 for station in stations]
    low = np.array([v[n].min() if n.any() else -0.03 for n in near]) - 0.006
    high = np.array([v[n].max() if n.any() else 0.03 for n in near]) + 0.006
    top = np.array([foot[n, 2].max() if n.any() else 0.04 for n in near]) + 0.008
    top = np.where(np.abs(stations) < 0.30 * (toe - heel), np.minimum(np.maximum(top, 0.0), rim), np.minimum(top, rim))
    low, high, top = (np.convolve(np.pad(x, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid") for x in (low, high, top))
    size = np.sqrt(np.clip(1.0 - (2 * (stations - heel) / (toe - heel) - 1) ** 6, 0.12, 1.0))
    angles = np.arange(_SHOE_AROUND) * 2 * np.pi / _SHOE_AROUND + np.pi / _SHOE_AROUND
    points, skin = [], []
    for number, station in enumerate(stations):
        shrink = size[number] if 0 < number < _SHOE_ALONG - 1 else 0.05
        toes = float(np.clip((station - (ball - ankle)[:2] @ ahead) / 0.04 + 0.5, 0.0, 1.0))
        for angle in angles:
            c, s = np.cos(angle), np.sin(angle)
            across = (low[number] + high[number]) / 2 + shrink * (high[number] - low[number]) / 2 * np.sign(c) * abs(
                c
            ) ** 0.6
            up = top[number] * 0.5 * (1 + np.sign(s) * abs(s) ** 0.7 * (shrink if s > 0 or shrink < 0.1 else 1.0))
            place = ankle[:2] + station * ahead + across * aside
            points.append((place[0], place[1], max(up, 0.0)))
            row = np.zeros(len(BONES))
            row[BONE[f"foot.{side}"]], row[BONE[f"toes.{side}"]] = 1 - toes, toes
            skin.append(row)
    out = np.array(points)
    floor = out[:, 2] < 0.012
    out[floor, 2] = 0.0
    return out, np.array(skin)


def _skirt(vertices: FloatArray, joints: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
    hip_z, knee_z = joints[BONE["thigh.L"], 2], joints[BONE["shin.L"], 2]
    top_z, low_z = hip_z + 0.16 * (hip_z - knee_z), knee_z + 0.02
    arms = sum(
        weights[:, i] for i, n in enumerate(BONES) if n.split(".")[0] in ("hand", "forearm", "wristroll", "upperarm")
    )
    trunk = vertices[arms < 0.3]
    angles = np.arange(_SKIRT_AROUND) * 2 * np.pi / _SKIRT_AROUND
    points, skin = [], []
    for share in np.linspace(0.0, 1.0, _SKIRT_DOWN):
        z = top_z + share * (low_z - top_z)
        band = trunk[np.abs(trunk[:, 2] - z) < 0.04]
        centre = (band[:, 0].max() + band[:, 0].min()) / 2
        depth, width = np.ptp(band[:, 0]) / 2 + 0.015, np.abs(band[:, 1]).max() + 0.012 + 0.015 * share
        depth += 0.05 * share
        for angle in angles:
            points.append((centre + depth * np.cos(angle), width * np.sin(angle), z))
            row = np.zeros(len(BONES))
            hold = 0.8 * min(1.0, share * 1.6)
            left = float(np.clip(0.5 + 0.9 * np.sin(angle), 0.0, 1.0))
            row[BONE["pelvis"]], row[BONE["thigh.L"]], row[BONE["thigh.R"]] = 1 - hold, hold * left, hold * (1 - left)
            skin.append(row)
    return np.array(points), np.array(skin), _grid(_SKIRT_DOWN, _SKIRT_AROUND, closed=True)


def _long_hair(
    vertices: FloatArray, joints: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, IntArray]:
    head = vertices[weights[:, BONE["head"]] > 0.5]
    upper = vertices[sum(weights[:, BONE[n]] for n in ("head", "neck", "chest", "ribs")) > 0.5]
    top_z, neck_z = head[:, 2].max(), joints[BONE["neck"], 2]
    skull = head[head[:, 2] > top_z - 0.45 * (top_z - neck_z)]
    middle = (skull.max(0) + skull.min(0)) / 2
    half = np.ptp(skull[:, 1]) / 2
    angles = np.radians(np.linspace(-112.0, 112.0, _HAIR_AROUND))
    points, skin = [], []
    for share in np.linspace(0.0, 1.0, _HAIR_DOWN):
        z = top_z - 0.22 * (top_z - neck_z) - share * 0.95 * (top_z - neck_z)
        band = upper[np.abs(upper[:, 2] - z) < 0.025] - middle
        for angle in angles:
            away = np.array([-np.cos(angle), np.sin(angle)])
            reach = band[:, :2] @ away
            side = np.abs(band[:, :2] @ np.array([away[1], -away[0]])) < 0.06
            surface = float(reach[side].max()) if side.any() else 0.6 * half
            off = -0.010 if share == 0.0 else 0.014
            radius = float(np.clip(surface + off, 0.9 * half, 1.45 * half))
            points.append((middle[0] + radius * away[0], middle[1] + radius * away[1], z))
            row = np.zeros(len(BONES))
            row[BONE["head"]], row[BONE["chest"]] = 1 - 0.45 * share**2, 0.45 * share**2
            skin.append(row)
    return np.array(points), np.array(skin), _grid(_HAIR_DOWN, _HAIR_AROUND, closed=False)


def _bag(vertices: FloatArray, joints: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """A backpack: a box with rounded back, its corners doubled so that its sides shade apart."""
    low_z, high_z = joints[BONE["waist"], 2], joints[BONE["neck"], 2]
    size = high_z - low_z
    near = vertices[(np.abs(vertices[:, 1]) < 0.1) & (vertices[:, 2] > low_z) & (vertices[:, 2] < high_z)]
    back = near[:, 0].min() - 0.005
    depth, half, bottom, top = 0.28 * size, 0.30 * size, low_z + 0.08 * size, high_z - 0.10 * size
    sides = []
    for face in range(6):
        axis, sign = face // 2, 1 if face % 2 else -1
        u, v = [a for a in range(3) if a != axis]
        for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
            corner = np.zeros(3)
            corner[axis], corner[u], corner[v] = sign, a, b
            sides.append(corner)
    box = np.array(sides)
    shrink = np.where(box[:, 0] < 0, 0.82, 1.0)
    points = np.stack(
        [
            back - depth * (1 - box[:, 0]) / 2,
            box[:, 1] * half * shrink,
            (bottom + top) / 2 + box[:, 2] * (top - bottom) / 2 * shrink,
        ],
        axis=1,
    )
    faces = []
    for face in range(6):
        a = face * 4
        normal = np.cross(points[a + 1] - points[a], points[a + 2] - points[a])
        outward = points[a : a + 4].mean(0) - points.mean(0)
        quad = (a, a + 1, a + 2, a + 3) if normal @ outward > 0 else (a, a + 3, a + 2, a + 1)
        faces += [(quad[0], quad[1], quad[2]), (quad[0], quad[2], quad[3])]
    skin = np.zeros((len(points), len(BONES)))
    skin[:, BONE["chest"]], skin[:, BONE["ribs"]] = 0.7, 0.3
    return points, skin, np.array(faces, dtype=np.int64)


def _straps(vertices: FloatArray, joints: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Two bands from the backpack's top over the shoulders, down the chest and under the arms back to the pack."""
    arms = sum(weights[:, BONE[f"{name}.{s}"]] for s in SIDES for name in ("hand", "forearm", "wristroll", "upperarm"))
    trunk = np.flatnonzero((arms < 0.35) & (weights[:, BONE["head"]] < 0.2))
    bands = [_strap(sign, vertices[trunk], joints) for sign in (1.0, -1.0)]
    points = np.concatenate(bands)
    nearest = np.array([int(np.argmin(((vertices[trunk] - point) ** 2).sum(1))) for point in points])
    faces = _grid(_STRAP_OVER + _STRAP_UNDER, 2, closed=False)
    outside_first = np.concatenate([faces, faces[:, ::-1] + len(bands[0])])  # the right band is the left one mirrored
    return points, weights[trunk[nearest]], outside_first


def _strap(sign: float, trunk: FloatArray, joints: FloatArray) -> FloatArray:
    """Both edges of one band, station by station (2 n, 3); ``sign`` is +1 on the left."""
    low_z, high_z = joints[BONE["waist"], 2], joints[BONE["neck"], 2]
    size = high_z - low_z
    y = 0.5 * abs(float(joints[BONE["upperarm.L"], 1])) * sign
    slab = trunk[np.abs(trunk[:, 1] - y) < 0.03]
    pivot = np.array([float(joints[BONE["chest"], 0]), low_z + 0.62 * size])
    stations = []
    for angle in np.radians(np.linspace(140.0, -38.0, _STRAP_OVER)):
        ahead = np.array([np.cos(angle), np.sin(angle)])
        away = (slab[:, [0, 2]] - pivot) @ ahead
        beside = np.abs((slab[:, [0, 2]] - pivot) @ np.array([-ahead[1], ahead[0]])) < 0.03
        x, z = pivot + (float(away[beside].max()) + _STRAP_OFF_M) * ahead
        stations.append((np.array([x, y, z]), np.array([0.0, _STRAP_HALF_M, 0.0])))
    z = float(stations[-1][0][2])
    ring = trunk[np.abs(trunk[:, 2] - z) < 0.03]
    centre = np.array([(ring[:, 0].max() + ring[:, 0].min()) / 2, 0.0])
    start = np.arctan2(abs(y), stations[-1][0][0] - centre[0])
    for angle in np.linspace(start, np.radians(150.0), _STRAP_UNDER + 1)[1:]:
        ahead = np.array([np.cos(angle), sign * np.sin(angle)])
        away = (ring[:, :2] - centre) @ ahead
        beside = np.abs((ring[:, :2] - centre) @ np.array([-ahead[1], ahead[0]])) < 0.03
        place = centre + (float(away[beside].max()) + _STRAP_OFF_M) * ahead
        stations.append((np.array([*place, z]), np.array([0.0, 0.0, sign * _STRAP_HALF_M])))
    return np.concatenate([(place - sign * half, place + sign * half) for place, half in stations])
