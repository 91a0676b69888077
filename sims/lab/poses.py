"""Candidates for ceiling cameras: where they could hang, how they could look, and what they would see.

In: a store and its own ceiling cameras, whose lens is used. Out: :class:`Poses`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.geometry import CameraModel
from smartstore.site import Site, SurveyedCamera
from smartstore.site.floor import edge_distances, inside
from smartstore.site.sight import LEAST_PX_M, Solids, in_picture
from smartstore.site.targets import BODY_M, FacePoints

Array = NDArray[np.float64]
Matrix = NDArray[np.float32]

PLACES, NEAREST_M = 220, 0.6
"""About so many places under the ceiling, never closer together than this."""
FROM_WALL_M = 0.25
HEADINGS_DEG = tuple(range(0, 360, 30))
TILTS_DEG = (30.0, 45.0, 60.0)
"""Of the axis, down from level."""
ENDS_M = (0.3, 1.7)
"""Heights of the feet and of the crown of a standing body."""


@dataclass(frozen=True)
class Poses:
    """Candidates, the store's own first, place by place: models, where each hangs, and how much each sees, (c, n)."""

    models: tuple[CameraModel, ...]
    places: NDArray[np.intp]
    sees: Matrix
    tells: Matrix
    """(p, 3, n): what a bearing from each place tells of where each target is, per square metre: xx, xy and yy of the
    square of the level direction across the line of sight, over the distance squared."""


def poses_of(site: Site, own: list[SurveyedCamera], solids: Solids, bodies: Array, faces: FacePoints) -> Poses:
    """All candidates, and what each sees of ``bodies`` (b, 3) and then of ``faces``."""
    height = float(np.median([camera.model.position_m[2] for camera in own]))
    hung = np.array([camera.model.position_m for camera in own])
    grid = _places(site, height)
    eyes, points = np.concatenate([hung, grid]), np.concatenate([bodies, faces.points_m])
    visible = ~solids.hide(eyes, points)
    visible[:, len(bodies) :] &= _faces_from(site, faces, eyes, float(own[0].model.k[0, 0]))
    models, places, rows = [], [], []
    for number, eye in enumerate(eyes):
        near = np.nonzero(visible[number])[0]
        for model in [own[number].model] if number < len(own) else _aimed(own[0].model, eye):
            row = np.zeros(len(points), np.float32)
            row[near] = in_picture(model, points[near])
            shown = near[(near < len(bodies)) & (row[near] > 0)]
            row[shown] = _whole(model, points[shown])
            models.append(model)
            places.append(number)
            rows.append(row)
    return Poses(tuple(models), np.array(places), np.array(rows), _told(eyes, points))


def _whole(model: CameraModel, middles: Array) -> Array:
    """How much of bodies is in the picture if their middles are: not all where their ends are cut off."""
    ends = [in_picture(model, np.add(middles, (0.0, 0.0, end_m - BODY_M))) for end_m in ENDS_M]
    return np.asarray((1.0 + np.sum(ends, axis=0)) / (1 + len(ENDS_M)))


def _told(eyes: Array, points: Array) -> Matrix:
    x_m, y_m, z_m = np.moveaxis(points[None] - eyes[:, None], 2, 0)
    level_m2 = np.maximum(x_m**2 + y_m**2, 1e-6)
    across = np.stack([y_m**2, -x_m * y_m, x_m**2], axis=1) / level_m2[:, None]
    return np.asarray(across / (level_m2 + z_m**2)[:, None], np.float32)


def _aimed(lens: CameraModel, eye: Array) -> Iterator[CameraModel]:
    """A camera at ``eye`` in all headings and tilts, its horizon level."""
    for heading in np.radians(HEADINGS_DEG):
        for tilt in np.radians(TILTS_DEG):
            forward = np.array(
                [math.cos(tilt) * math.cos(heading), math.cos(tilt) * math.sin(heading), -math.sin(tilt)]
            )
            right = np.array([math.sin(heading), -math.cos(heading), 0.0])
            yield replace(lens, rotation=np.stack([right, np.cross(forward, right), forward]), position_m=eye)


def _places(site: Site, height: float) -> Array:
    """A grid (p, 3) under the ceiling, and places along the walls."""
    walls = np.asarray(site.walls_m, float)
    low, high = walls.min(axis=0), walls.max(axis=0)
    step = max(NEAREST_M, math.sqrt(float(np.prod(high - low)) / PLACES))
    axes = [
        np.linspace(a + FROM_WALL_M, b - FROM_WALL_M, max(2, round((b - a) / step)))
        for a, b in zip(low, high, strict=True)
    ]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    free = inside(points, walls) & (edge_distances(points, walls).min(axis=1) >= FROM_WALL_M - 0.01)
    return np.column_stack([points[free], np.full(int(free.sum()), height)])


def _faces_from(site: Site, faces: FacePoints, eyes: Array, focal_px: float) -> NDArray[np.bool_]:
    """Which face points (n) are seen from before their face, and with enough pixels, from each of the eyes: (c, n)."""
    normals = np.array([site.fixtures[site.facings[name].fixture].normal for name in faces.facings])[faces.owners]
    ray = eyes[:, None] - faces.points_m[None]
    away = (ray[..., :2] * normals[None]).sum(axis=2)
    return np.asarray(focal_px * away / (ray**2).sum(axis=2) >= LEAST_PX_M)
