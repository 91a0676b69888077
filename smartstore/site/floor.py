"""Plane geometry for the checks of a store: polygons, footprints, and where people can stand. All lengths in metres."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smartstore.site.parts import Fixture, Point2

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

BODY_RADIUS_M = 0.25
ARM_REACH_M = 0.75
"""From the middle of a standing body to the front of a facing, on the floor plan."""
GRID_M = 0.1


def inside(points_m: ArrayLike, polygon_m: ArrayLike) -> Mask:
    """Which of the points (n, 2) lie in the polygon (m, 2): even-odd rule."""
    x, y = np.asarray(points_m, float).reshape(-1, 2).T[:, :, None]
    a = np.asarray(polygon_m, float)
    b = np.roll(a, -1, axis=0)
    straddles = (a[:, 1] > y) != (b[:, 1] > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = a[:, 0] + (y - a[:, 1]) * (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1])
    return np.asarray((straddles & (x < crossing)).sum(axis=1) % 2 == 1)


def edge_distances(points_m: ArrayLike, polygon_m: ArrayLike) -> Array:
    """Distance of each point (n, 2) to each edge of the polygon (m, 2): (n, m)."""
    p = np.asarray(points_m, float).reshape(-1, 2)[:, None]
    a = np.asarray(polygon_m, float)
    along = np.roll(a, -1, axis=0) - a
    length2 = np.maximum(np.sum(along**2, axis=1), 1e-12)
    t = np.clip(np.sum((p - a) * along, axis=2) / length2, 0, 1)
    return np.asarray(np.linalg.norm(p - (a + t[..., None] * along), axis=2))


def outlines_cross(a_m: ArrayLike, b_m: ArrayLike) -> bool:
    """Whether an edge of one polygon properly crosses an edge of the other."""
    a, b = np.asarray(a_m, float), np.asarray(b_m, float)
    p, r = a[:, None], (np.roll(a, -1, axis=0) - a)[:, None]
    q, s = b[None], (np.roll(b, -1, axis=0) - b)[None]
    one = _cross(r, q - p) * _cross(r, q + s - p)
    two = _cross(s, p - q) * _cross(s, p + r - q)
    return bool(np.any((one < -1e-12) & (two < -1e-12)))


def area(polygon_m: ArrayLike) -> float:
    """Area of a polygon in square metres (shoelace)."""
    a = np.asarray(polygon_m, float)
    return float(abs(np.sum(_cross(a, np.roll(a, -1, axis=0)))) / 2)


def overlap_m(a: Fixture, b: Fixture) -> float:
    """How far two footprints are pushed into each other (separating axes); zero or less when they are apart."""
    corners = np.asarray(a.footprint_m()), np.asarray(b.footprint_m())
    depths = []
    for fixture in (a, b):
        nx, ny = fixture.normal
        for axis in (np.array([nx, ny]), np.array([-ny, nx])):
            first, second = corners[0] @ axis, corners[1] @ axis
            depths.append(min(first.max() - second.min(), second.max() - first.min()))
    return float(min(depths))


def within_walls(fixture: Fixture, walls_m: Sequence[Point2], slack_m: float) -> bool:
    """Whether a footprint, made smaller by ``slack_m``, lies inside the walls."""
    u, v = (slack_m, fixture.width_m - slack_m), (slack_m, fixture.depth_m - slack_m)
    corners = [fixture.point(x, y, 0.0)[:2] for x, y in ((u[0], v[0]), (u[1], v[0]), (u[1], v[1]), (u[0], v[1]))]
    return bool(inside(corners, walls_m).all()) and not outlines_cross(corners, walls_m)


def standing_places(walls_m: Sequence[Point2], fixtures: Sequence[Fixture], start_m: Point2) -> Array:
    """Points (n, 2) on a grid where somebody who came in near ``start_m`` can stand, walking round the fixtures."""
    walls = np.asarray(walls_m, float)
    low, high = walls.min(axis=0), walls.max(axis=0)
    xs, ys = (np.arange(low[i] + GRID_M / 2, high[i], GRID_M) for i in (0, 1))
    grid = np.stack(np.meshgrid(xs, ys, indexing="ij"), axis=-1)
    points = grid.reshape(-1, 2)
    free = inside(points, walls) & (edge_distances(points, walls).min(axis=1) >= BODY_RADIUS_M)
    for fixture in fixtures:
        free &= _distances(points, fixture) >= BODY_RADIUS_M
    near = np.linalg.norm(points - np.asarray(start_m), axis=1) <= BODY_RADIUS_M + 3 * GRID_M
    reached = _flood((free & near).reshape(grid.shape[:2]), free.reshape(grid.shape[:2]))
    return np.asarray(grid[reached])


def can_reach(places_m: Array, fixture: Fixture, u_m: float, others: Iterable[Fixture]) -> bool:
    """Whether from one of the places (n, 2) an arm gets to the fixture's face at ``u_m``, not through ``others``."""
    nx, ny = fixture.normal
    target = np.asarray(fixture.point(u_m, 0.0, 0.0)[:2])
    offset = places_m - target
    near = (offset @ np.array([nx, ny]) >= BODY_RADIUS_M) & (np.linalg.norm(offset, axis=1) <= ARM_REACH_M)
    arms = target + offset[near][:, None] * np.linspace(0.02, 1, 25)[:, None]
    free = np.ones(len(arms), bool)
    for other in others:
        middle = np.asarray(other.point(other.width_m / 2, other.depth_m / 2, 0.0)[:2])
        if float(np.linalg.norm(middle - target)) > ARM_REACH_M + np.hypot(other.width_m, other.depth_m) / 2:
            continue
        free &= (_distances(arms.reshape(-1, 2), other).reshape(arms.shape[:2]) > 0).all(axis=1)
    return bool(free.any())


def _cross(a: Array, b: Array) -> Array:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def _distances(points_m: Array, fixture: Fixture) -> Array:
    nx, ny = fixture.normal
    offset = points_m - np.asarray(fixture.origin_m)
    u, v = offset @ np.array([-ny, nx]), offset @ np.array([-nx, -ny])
    du = np.maximum(np.maximum(-u, u - fixture.width_m), 0)
    dv = np.maximum(np.maximum(-v, v - fixture.depth_m), 0)
    return np.asarray(np.hypot(du, dv))


def _flood(start: Mask, free: Mask) -> Mask:
    reached = start
    while True:
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= free
        if np.array_equal(grown, reached):
            return reached
        reached = grown
