"""Products as meshes: a template per shape, and whole shelves filled the way the stock says.

In: a building, the prints and the stock of a shelf's facings. Out: one mesh per shelf in store metres, and single
items for hands. Item frame: u to the right and v away from the viewer of the front, z up, origin in the middle of the
base.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sims.building import Building, CatalogueItem, Fixture, Shelf
from sims.devices.look import Floats
from sims.devices.mesh import Mesh, merged, moved, sheet
from sims.devices.prints import Atlas
from sims.scene import Dropped

WHITE = (1.0, 1.0, 1.0)
ATLAS = "atlas"
ROUND = 10
"""Sides of a bottle or can."""
BOTTLE = ((0.0, 1.0), (0.62, 1.0), (0.78, 0.42), (0.94, 0.36), (1.0, 0.36))
"""Outline: share of the height, share of the radius."""
CAN = ((0.0, 0.92), (0.05, 1.0), (0.95, 1.0), (1.0, 0.9))


def standing(mesh: Mesh, dropped: Dropped) -> Mesh:
    """An item where it was left on the floor, its front to whoever left it."""
    c, s = np.cos(dropped.heading_rad), np.sin(dropped.heading_rad)
    turn = np.array([[s, c, 0], [-c, s, 0], [0, 0, 1]], np.float32)
    return moved(mesh, turn, np.array([dropped.x_m, dropped.y_m, 0.0], np.float32))


def item_mesh(item: CatalogueItem, prints: Atlas, all_round: bool) -> Mesh:
    """One product; without ``all_round`` the sides are left out that nobody sees on a shelf."""
    if item.shape == "bottle":
        return _lathe(item, prints, BOTTLE, all_round)
    if item.shape == "can":
        return _lathe(item, prints, CAN, all_round)
    if item.shape == "bag":
        return _bag(item, prints, all_round)
    return _box(item, prints, all_round)


def _box(item: CatalogueItem, prints: Atlas, all_round: bool) -> Mesh:
    w, d, h = item.size_m
    left, right, near, far = -w / 2, w / 2, -d / 2, d / 2
    sides = [
        _printed(sheet((left, near, 0), (w, 0, 0), (0, 0, h), WHITE), prints, item.sku, "front"),
        _printed(sheet((right, near, 0), (0, d, 0), (0, 0, h), WHITE), prints, item.sku, "side"),
        _printed(sheet((left, far, 0), (0, -d, 0), (0, 0, h), WHITE), prints, item.sku, "side"),
        _printed(sheet((left, near, h), (w, 0, 0), (0, d, 0), WHITE), prints, item.sku, "top"),
    ]
    if all_round:
        sides.append(_printed(sheet((right, far, 0), (-w, 0, 0), (0, 0, h), WHITE), prints, item.sku, "front"))
        sides.append(_printed(sheet((left, far, 0), (w, 0, 0), (0, -d, 0), WHITE), prints, item.sku, "top"))
    return merged(sides)


def _printed(mesh: Mesh, prints: Atlas, sku: str, where: str) -> Mesh:
    if where == "front":
        uv = prints.front(sku, mesh.uv)
    else:
        scale, start = ((1.0, 1.0), (0.0, 0.0)) if where == "side" else ((1.0, 0.18), (0.0, 0.8))
        uv = prints.side(sku, (mesh.uv * np.array(scale) + np.array(start)).astype(np.float32))
    return Mesh(mesh.points, mesh.normals, mesh.colours, uv, mesh.faces, ATLAS)


def _lathe(item: CatalogueItem, prints: Atlas, outline: tuple[tuple[float, float], ...], all_round: bool) -> Mesh:
    """A turned body whose front print covers the half that faces the viewer and is repeated behind."""
    w, d, h = item.size_m
    sides = np.arange(ROUND + 1)
    angle = 2 * np.pi * sides / ROUND - np.pi  # -90° looks at the viewer; starts and ends at the left
    heights, radii = (np.array(column, np.float32) for column in zip(*outline, strict=True))
    ring = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    points = np.empty((len(heights), ROUND + 1, 3), np.float32)
    points[:, :, :2] = ring[None] * np.array([w / 2, d / 2]) * radii[:, None, None]
    points[:, :, 2] = heights[:, None] * h
    lean = -np.gradient(radii * w / 2, heights * h)
    normals = np.concatenate([np.broadcast_to(ring, points[:, :, :2].shape), np.zeros_like(points[:, :, :1])], axis=2)
    normals[:, :, 2] = np.clip(lean, -1, 3)[:, None]
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    around = np.abs(2 * sides / ROUND % 2)
    around = np.where(around > 1, 2 - around, around)
    uv = np.stack(np.broadcast_arrays(around[None, :], heights[:, None]), axis=2).reshape(-1, 2).astype(np.float32)
    index = np.arange(points.shape[0] * points.shape[1]).reshape(points.shape[:2])
    seen = sides[:-1] if all_round else sides[:-1][: ROUND // 2 + 1]
    p, q, r, o = index[:-1, seen], index[:-1, seen + 1], index[1:, seen + 1], index[1:, seen]
    faces = np.stack([np.stack([p, q, r], -1), np.stack([p, r, o], -1)], -2).reshape(-1, 3).astype(np.int32)
    flat = points.reshape(-1, 3)
    wall = Mesh(flat, normals.reshape(-1, 3), np.ones_like(flat), prints.front(item.sku, uv), faces, ATLAS)
    return merged([wall, _lid(item, prints, points[-1, :-1])])


def _lid(item: CatalogueItem, prints: Atlas, rim: Floats) -> Mesh:
    fan = np.array([(0, i, i + 1) for i in range(1, len(rim) - 1)], np.int32)
    up = np.zeros_like(rim)
    up[:, 2] = 1
    uv = np.full((len(rim), 2), 0.5, np.float32) * np.array([1, 1.8], np.float32)
    uv = (
        prints.front(item.sku, np.full((len(rim), 2), 0.96, np.float32))
        if item.shape == "bottle"
        else prints.side(item.sku, uv)
    )
    tint = np.full_like(rim, 0.9)
    return Mesh(rim.copy(), up, tint, uv, fan, ATLAS)


def _bag(item: CatalogueItem, prints: Atlas, all_round: bool) -> Mesh:
    """A pillow: thick in the middle, pinched at the upper seam."""
    w, d, h = item.size_m
    outline = [(0.0, 0.6, 0.94), (0.35, 1.0, 1.0), (0.75, 0.7, 0.98), (1.0, 0.08, 1.0)]
    parts = []
    for (z0, thick0, wide0), (z1, thick1, wide1) in pairwise(outline):
        lower = [(-w / 2 * wide0, -d / 2 * thick0, z0 * h), (w / 2 * wide0, -d / 2 * thick0, z0 * h)]
        upper = [(w / 2 * wide1, -d / 2 * thick1, z1 * h), (-w / 2 * wide1, -d / 2 * thick1, z1 * h)]
        parts.append(
            _quad([*lower, *upper], prints.front(item.sku, np.array([(0, z0), (1, z0), (1, z1), (0, z1)], np.float32)))
        )
        back = [(-x, -y, z) for x, y, z in (*lower, *upper)]
        uv = prints.side(item.sku, np.array([(0, z0), (1, z0), (1, z1), (0, z1)], np.float32))
        right = [lower[1], (back[0][0], back[0][1], z0 * h), (back[3][0], back[3][1], z1 * h), upper[0]]
        parts.append(_quad(right, uv))
        parts.append(_quad([(-x, -y, z) for x, y, z in right], uv))
        if all_round or z1 == 1.0:
            parts.append(_quad(back, uv))
    return merged(parts)


def _quad(corners: list[tuple[float, float, float]], uv: Floats) -> Mesh:
    points = np.array(corners, np.float32)
    normal = np.cross(points[1] - points[0], points[3] - points[0])
    normals = np.broadcast_to(normal / np.linalg.norm(normal), points.shape).astype(np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    return Mesh(points, normals, np.ones_like(points), uv, faces, ATLAS)


def fixture_axes(fixture: Fixture) -> Floats:
    """Columns are the fixture's u, v and z axes in store coordinates."""
    (nx, ny), (ux, uy) = fixture.normal, fixture.along
    return np.array([[ux, -nx, 0], [uy, -ny, 0], [0, 0, 1]], np.float32)


def shelf_corners_m(building: Building, shelf: Shelf) -> NDArray[np.float64]:
    """Corners (8, 3) of the space above a shelf board."""
    fixture = building.fixtures[shelf.fixture]
    ends = ((0.0, fixture.width_m), (-0.05, fixture.depth_m), (shelf.height_m, shelf.height_m + shelf.clear_m))
    return np.array([fixture.point(u, v, z) for u in ends[0] for v in ends[1] for z in ends[2]])


@dataclass(frozen=True, slots=True)
class Goods:
    """Fills shelves with products."""

    building: Building
    prints: Atlas
    templates: Mapping[str, Mesh]

    @classmethod
    def of(cls, building: Building, prints: Atlas) -> "Goods":
        """The goods of a building under these prints."""
        return cls(building, prints, {sku: item_mesh(item, prints, False) for sku, item in building.items.items()})

    def fill(self, shelf: Shelf, stock: Mapping[str, tuple[tuple[str, ...], ...]]) -> Mesh | None:
        """Everything that stands on a shelf; None when it is empty. Colours darken towards the back."""
        fixture = self.building.fixtures[shelf.fixture]
        axes = fixture_axes(fixture)
        parts = []
        for facing in shelf.facings:
            for column, skus in enumerate(stock.get(facing.id, ())):
                for index, sku in enumerate(skus):
                    u, v, z = self.building.slot(facing.id, column, index, sku)
                    du, dv, yaw = _askew(facing.id, column, index)
                    parts.append(self._standing(fixture, axes, sku, (u + du, v + dv, z), yaw))
        return merged(parts) if parts else None

    def _standing(
        self, fixture: Fixture, axes: Floats, sku: str, place: tuple[float, float, float], yaw_rad: float
    ) -> Mesh:
        template = self.templates[sku]
        c, s = np.cos(yaw_rad), np.sin(yaw_rad)
        turn = axes @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)
        depth = place[1] + template.points[:, 1]
        dusk = np.clip(1.0 - 0.65 * depth / fixture.depth_m, 0.3, 1.0)[:, None].astype(np.float32)
        mesh = moved(template, turn, fixture.point(*place))
        return Mesh(mesh.points, mesh.normals, mesh.colours * dusk, mesh.uv, mesh.faces, ATLAS)


def _askew(facing: str, column: int, index: int) -> tuple[float, float, float]:
    """Nobody stacks perfectly: a place's own small shift (m, m) and turn (rad), always the same."""
    bits = zlib.crc32(f"{facing}/{column}/{index}".encode())
    shares = [((bits >> shift) & 255) / 255 - 0.5 for shift in (0, 8, 16)]
    return shares[0] * 0.006, abs(shares[1]) * 0.008, shares[2] * 0.12
