"""Lines of sight in a store: what fixtures, goods and walls hide from a camera, and what a camera has in its picture.

In: a :class:`Site` and points in store metres. Out: masks of what is hidden and of what is seen. Shelves count as full.

A fixture hides as it is built: plinth, back panel, boards, goods and ends, not as a solid box, so that a camera looks
over the goods of a top shelf and through the glass sides of a cooler.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smartstore.domain.geometry import CameraModel
from smartstore.site.floor import inside
from smartstore.site.parts import Fixture, Site, SurveyedCamera
from smartstore.site.targets import FacePoints

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

BOARD_M, BACK_M, PLINTH_M = 0.025, 0.03, 0.16
RAIL_M = 0.012
"""How far price rails stand out before the face."""
FRONT_GAP_M, ROW_GAP_M = 0.012, 0.008
"""From the edge of a board to its first row, and between rows."""
TOP_BAR_M = (0.12, 0.02)
"""Depth and height of the bar along the top of a gondola's back."""
HEADER_M = 0.16
"""Height of the board on top of a gondola along a wall, at its back."""
CANOPY_M, SIDE_M = 0.16, 0.04
"""Height of the canopy on a cooler; thickness of its closed lower sides."""
END_M, BESIDE_M = 0.014, 0.12
"""Thickness of an end panel; an end is free, and has one, where nothing stands so close beside it."""
END_STEPS = 6
"""Pieces that stand for the front edge of an end panel, which swings back to half the depth at the top."""
TABLE_M = (0.04, 0.13)
"""Thickness of a table's top, and height of the crates on it; it stands on four legs."""
BEFORE_M = 1e-4
"""Lines of sight end so much before their point."""

CLASSES_PX_M = {
    "overview": 20.0, "outline": 40.0, "discern": 80.0, "perceive": 125.0, "characterise": 250.0, "validate": 500.0,
    "scrutinise": 1500.0,
}  # fmt: skip
"""Pixel density classes: least pixels per metre at the target (IEC 62676-4:2025, section 6.7; they replace those of the
2014 edition known as DORI)."""
LEAST_PX_M = CLASSES_PX_M["overview"]
"""With fewer pixels per metre nobody can say that a shelf face is seen."""

Box = tuple[float, float, float, float, float, float]
"""Low and high corner in a fixture's frame: u, v, z, u, v, z."""


@dataclass(frozen=True, slots=True, eq=False)
class _Body:
    """A fixture as boxes in its own frame: one around everything, (2, 3), and the parts (k, 2, 3)."""

    origin_m: Array
    axes: Array
    hull: Array
    parts: Array

    def to_local(self, points_m: Array) -> Array:
        """Points (n, 3) in store metres in the fixture's frame."""
        return np.asarray((points_m - self.origin_m) @ self.axes.T)


class Solids:
    """Everything in a store that stops light."""

    def __init__(self, site: Site) -> None:
        self._bodies = [_body(site, fixture) for fixture in site.fixtures.values()]
        self._walls = _inner_walls(site.walls_m)

    def hide(self, eyes_m: ArrayLike, points_m: ArrayLike) -> Mask:
        """Which of the points (n, 3) cannot be seen from each of the eyes (c, 3): (c, n)."""
        eyes, points = (np.asarray(values, float).reshape(-1, 3) for values in (eyes_m, points_m))
        hidden = self._behind_walls(eyes, points)
        for body in self._bodies:
            start, end = body.to_local(eyes), body.to_local(points)
            at = np.nonzero(~hidden & _crossed(start[:, None], end[None], body.hull))
            if len(at[0]):
                hidden[at] = _any_crossed(start[at[0]], end[at[1]], body.parts)
        return hidden

    def _behind_walls(self, eyes: Array, points: Array) -> Mask:
        hidden = np.zeros((len(eyes), len(points)), bool)
        for start, side in self._walls:
            rays = points[None, :, :2] - eyes[:, None, :2]
            across = rays[..., 0] * side[1] - rays[..., 1] * side[0]
            away = start - eyes[:, None, :2]
            with np.errstate(divide="ignore", invalid="ignore"):
                share = (away[..., 0] * side[1] - away[..., 1] * side[0]) / across
                along = (away[..., 0] * rays[..., 1] - away[..., 1] * rays[..., 0]) / across
            hidden |= (share > 1e-9) & (share < 1 - 1e-9) & (along >= 0) & (along <= 1)
        return hidden


def in_picture(camera: CameraModel, points_m: ArrayLike) -> Mask:
    """Which of the points (n, 3) lie inside the camera's picture, whatever stands between."""
    pixels = camera.project(points_m)
    with np.errstate(invalid="ignore"):
        return np.asarray(((pixels >= 0) & (pixels < [camera.width_px, camera.height_px])).all(axis=1))


def seen(cameras: Sequence[CameraModel], solids: Solids, points_m: ArrayLike) -> Mask:
    """Which of the points (n, 3) each of the cameras (c) sees: (c, n)."""
    points = np.asarray(points_m, float).reshape(-1, 3)
    result = np.zeros((len(cameras), len(points)), bool)
    for row, camera in zip(result, cameras, strict=True):
        row[:] = in_picture(camera, points)
        shown = np.nonzero(row)[0]
        row[shown] = ~solids.hide(camera.position_m, points[shown])[0]
    return result


def face_density(cameras: Sequence[SurveyedCamera], site: Site, solids: Solids, faces: FacePoints) -> Array:
    """Pixels per metre (c, n) at which each camera sees the points of shelf faces; 0 where it does not see them.

    A camera sees a face from in front of it, with at least :data:`LEAST_PX_M`.
    """
    density = np.zeros((len(cameras), len(faces.points_m)))
    fixtures = np.array([site.facings[facing].fixture for facing in faces.facings])[faces.owners]
    for row, camera in zip(density, cameras, strict=True):
        for name, fixture in site.fixtures.items():
            mine = np.nonzero(fixtures == name)[0]
            if len(mine) and fixture.to_local(tuple(camera.model.position_m))[1] < 0:
                found = pixel_density(camera.model, fixture, faces.points_m[mine])
                row[mine] = np.where(found >= LEAST_PX_M, found, 0.0)
        some = np.nonzero(row)[0]
        row[some] *= seen([camera.model], solids, faces.points_m[some])[0]
    return density


def density_class(px_m: float) -> str | None:
    """The highest class that a pixel density reaches; None below the lowest."""
    return next((name for name, least in reversed(CLASSES_PX_M.items()) if px_m >= least), None)


def pixel_density(camera: CameraModel, fixture: Fixture, points_m: ArrayLike) -> Array:
    """Pixels per metre (n,) on the face of a fixture at points (n, 3) of it, in the direction in which they are fewest.

    The smaller singular value of the change of pixels with metres along the face and up; NaN where there is no picture.
    """
    points, step = np.asarray(points_m, float).reshape(-1, 3), 0.005
    nx, ny = fixture.normal
    sides = []
    for axis in (np.array([-ny, nx, 0.0]), np.array([0.0, 0.0, 1.0])):
        sides.append((camera.project(points + step * axis) - camera.project(points - step * axis)) / (2 * step))
    a, b = sides
    whole, cross = (a**2).sum(axis=1) + (b**2).sum(axis=1), a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return np.asarray(np.sqrt(np.maximum(whole - np.sqrt(np.maximum(whole**2 - 4 * cross**2, 0)), 0) / 2))


def _crossed(start: Array, end: Array, box: Array) -> Mask:
    """Which lines from ``start`` to ``end``, (..., 3) broadcast, meet a box (2, 3): the slab test."""
    ray = end - start
    with np.errstate(divide="ignore", invalid="ignore"):
        one, two = (box[0] - start) / ray, (box[1] - start) / ray
    outside = (ray == 0) & ((start < box[0]) | (start > box[1]))
    near = np.where(ray == 0, -np.inf, np.minimum(one, two)).max(axis=-1)
    far = np.where(ray == 0, np.inf, np.maximum(one, two)).min(axis=-1)
    length = np.sqrt((ray**2).sum(axis=-1))
    last = 1 - BEFORE_M / np.maximum(length, BEFORE_M)
    return np.asarray((np.maximum(near, 0) < np.minimum(far, last)) & ~outside.any(axis=-1))


def _any_crossed(start: Array, end: Array, parts: Array) -> Mask:
    """Which lines (m, 3) meet any of the boxes (k, 2, 3)."""
    met = np.zeros(len(start), bool)
    for box in parts:
        left = np.nonzero(~met)[0]
        met[left] = _crossed(start[left], end[left], box)
    return met


def _inner_walls(walls_m: Sequence[tuple[float, float]]) -> list[tuple[Array, Array]]:
    """The sides of the outline as start and vector; none for a convex one, where no wall hides anything."""
    corners = np.asarray(walls_m, float)
    sides = np.roll(corners, -1, axis=0) - corners
    turns = sides[:, 0] * np.roll(sides[:, 1], -1) - sides[:, 1] * np.roll(sides[:, 0], -1)
    if (turns >= -1e-9).all() or (turns <= 1e-9).all():
        return []
    return list(zip(corners, sides, strict=True))


def _body(site: Site, fixture: Fixture) -> _Body:
    nx, ny = fixture.normal
    axes = np.array([(-ny, nx, 0.0), (-nx, -ny, 0.0), (0.0, 0.0, 1.0)])
    boxes = list(_table(fixture) if fixture.kind == "table" else _rack(site, fixture))
    parts = np.array(boxes).reshape(-1, 2, 3)
    hull = np.stack([parts[:, 0].min(axis=0), parts[:, 1].max(axis=0)])
    return _Body(np.array(fixture.point(0, 0, 0)), axes, hull, parts)


def _table(fixture: Fixture) -> Iterator[Box]:
    """The top of a table and the crates on it; one looks through below."""
    w, d, h = fixture.width_m, fixture.depth_m, fixture.height_m
    yield 0, 0, h - TABLE_M[0], w, d, h
    for u in (0.03, w - 0.09):
        for v in (0.03, d - 0.09):
            yield u, v, 0, u + 0.06, v + 0.06, h
    for index in range(max(1, int(w / 0.45))):
        left = 0.06 + index * 0.42
        yield left, 0.1, h, left + 0.34, d - 0.1, h + TABLE_M[1]


def _rack(site: Site, fixture: Fixture) -> Iterator[Box]:
    w, d, h = fixture.width_m, fixture.depth_m, fixture.height_m
    low = min((shelf.height_m for shelf in fixture.shelves), default=0.2) - BOARD_M
    yield 0, d - BACK_M, 0.05, w, d, h
    yield 0, 0.02, 0, w, d, max(0.05, min(low, PLINTH_M))
    if fixture.kind == "cooler":
        yield -SIDE_M, 0, h, w + SIDE_M, d, h + CANOPY_M
        for left, right in ((-SIDE_M, 0.0), (w, w + SIDE_M)):
            yield left, 0, 0, right, d, low
            yield left, 0, low, right, 0.035, h
            yield left, d - BACK_M, low, right, d, h
    else:
        yield 0, d - TOP_BAR_M[0], h, w, d, h + TOP_BAR_M[1]
        for left in (0.0, w - 0.03):
            yield left, d - 0.09, 0, left + 0.03, d - 0.02, h
        yield from _ends(site, fixture)
        if not inside([fixture.point(w / 2, d + 0.5, 0.0)[:2]], site.walls_m)[0]:
            yield 0, d - 0.05, h, w, d - 0.03, h + 0.02 + HEADER_M
    for shelf in fixture.shelves:
        yield 0, -RAIL_M, shelf.height_m - 0.045, w, 0, shelf.height_m
        yield 0, 0, shelf.height_m - BOARD_M, w, d - BACK_M, shelf.height_m
        for facing in shelf.facings:
            wide, deep, high = site.items[facing.sku].size_m
            pitch = min(deep + ROW_GAP_M, (d - 0.03) / facing.rows)
            gap = max((facing.width_m / facing.columns - wide) / 2, 0.0)
            left, right = facing.offset_m + gap, facing.offset_m + facing.width_m - gap
            back = FRONT_GAP_M + (facing.rows - 1) * pitch + deep
            yield left, FRONT_GAP_M, shelf.height_m, right, min(back, d), shelf.height_m + high


def _ends(site: Site, fixture: Fixture) -> Iterator[Box]:
    """Panels on the free ends of a gondola, in steps."""
    w, d, h = fixture.width_m, fixture.depth_m, fixture.height_m
    for left, beside in ((-END_M, -BESIDE_M), (w, w + BESIDE_M)):
        if _is_free(site, fixture, beside):
            for step in range(END_STEPS):
                low, high = (h + 0.02) * step / END_STEPS, (h + 0.02) * (step + 1) / END_STEPS
                front = 0.5 * d * min((low + high) / 2 / h, 1.0) ** 2
                yield left, front, low, left + END_M, d, high


def _is_free(site: Site, fixture: Fixture, u_m: float) -> bool:
    """Whether there is floor and no other fixture beside the middle of an end."""
    place = fixture.point(u_m, fixture.depth_m / 2, 0.0)
    if not inside([place[:2]], site.walls_m)[0]:
        return False
    for other in site.fixtures.values():
        u, v, _ = other.to_local(place)
        if other is not fixture and 0 <= u <= other.width_m and 0 <= v <= other.depth_m:
            return False
    return True
