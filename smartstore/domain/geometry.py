"""Calibrated cameras and boxes in store coordinates.

The store's frame: metres, x to the right and y to the back as seen from the entry wall, z up from the floor.
A camera's frame: x right, y down, z forward (OpenCV). Distortion is Brown-Conrady (k1, k2, p1, p2, k3),
formulas as in the OpenCV documentation of ``projectPoints``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CameraModel:
    """A surveyed camera: intrinsics ``k`` (3, 3) in pixels, distortion (5,), pose world-to-camera."""

    camera: str
    width_px: int
    height_px: int
    k: Array
    distortion: Array
    rotation: Array
    """(3, 3), world to camera."""
    position_m: Array
    """(3,), the optical centre in the store's frame."""

    def to_camera(self, points_m: ArrayLike) -> Array:
        """Points (n, 3) in store metres to the camera's frame (n, 3)."""
        return np.asarray((np.asarray(points_m, float).reshape(-1, 3) - self.position_m) @ self.rotation.T)

    def project(self, points_m: ArrayLike) -> Array:
        """Points (n, 3) in store metres to distorted pixels (n, 2); NaN behind the camera or beyond the lens."""
        local = self.to_camera(points_m)
        z = np.where(local[:, 2] > 1e-6, local[:, 2], np.nan)
        xy = local[:, :2] / z[:, None]
        r2 = np.sum(xy**2, axis=1)
        xy = np.where((r2 < valid_r2(self.distortion))[:, None], xy, np.nan)
        out: Array = distort(xy, self.distortion) * [self.k[0, 0], self.k[1, 1]] + [self.k[0, 2], self.k[1, 2]]
        return out

    def rays(self, pixels: ArrayLike) -> Array:
        """Unit directions (n, 3) in the store's frame of distorted pixels (n, 2)."""
        px = np.asarray(pixels, float).reshape(-1, 2)
        xy = undistort((px - [self.k[0, 2], self.k[1, 2]]) / [self.k[0, 0], self.k[1, 1]], self.distortion)
        local = np.column_stack([xy, np.ones(len(xy))])
        world = local @ self.rotation
        return np.asarray(world / np.linalg.norm(world, axis=1, keepdims=True))


def camera_model(
    camera: str, width_px: int, height_px: int, focal_px: float, distortion: Sequence[float],
    position_m: Sequence[float], look_at_m: Sequence[float], roll_deg: float = 0.0,
    principal_px: Sequence[float] | None = None,
) -> CameraModel:  # fmt: skip
    """A camera at ``position_m`` that looks at ``look_at_m``.

    The right side of its picture hangs ``roll_deg`` below level; its axis meets the picture at ``principal_px``, in the
    middle if not said.
    """
    position = np.asarray(position_m, float)
    forward = np.asarray(look_at_m, float) - position
    forward /= np.linalg.norm(forward)
    up = np.array([0.0, 0.0, 1.0]) if abs(forward[2]) < 0.999 else np.array([0.0, 1.0, 0.0])
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    if roll_deg:
        cos, sin = np.cos(np.radians(roll_deg)), np.sin(np.radians(roll_deg))
        right, down = cos * right + sin * down, cos * down - sin * right
    rotation = np.stack([right, down, forward])
    cx, cy = principal_px if principal_px is not None else (width_px / 2, height_px / 2)
    k = np.array([[focal_px, 0, cx], [0, focal_px, cy], [0, 0, 1]], float)
    return CameraModel(camera, width_px, height_px, k, np.asarray(distortion, float), rotation, position)


def distort(xy: Array, d: Array) -> Array:
    """Normalised undistorted coordinates (n, 2) to distorted ones; ``d`` (5,), or (5, n) with one lens for each."""
    x, y = xy[:, 0], xy[:, 1]
    r2 = x * x + y * y
    radial = _radial(r2, d)
    return np.column_stack([
        x * radial + 2 * d[2] * x * y + d[3] * (r2 + 2 * x * x),
        y * radial + d[2] * (r2 + 2 * y * y) + 2 * d[3] * x * y,
    ])  # fmt: skip


def undistort(xy: Array, d: Array) -> Array:
    """The inverse of :func:`distort` by fixed-point iteration; what the lens cannot show comes from its last ray.

    Ten rounds do for abs(k1) < 0.5; lenses that bend more take up to sixty.
    """
    guess, furthest = xy.copy(), 0.999 * valid_r2(d) ** 0.5
    beyond = np.zeros(len(xy), bool)
    for turn in range(60):
        error = xy - distort(guess, d)
        if turn >= 10 and np.abs(error[~beyond]).max(initial=0.0) < 1e-7:
            break
        guess = guess + error
        radius = np.linalg.norm(guess, axis=1)
        beyond = radius > furthest
        guess[beyond] *= (furthest / radius[beyond])[:, None]
    return guess


def valid_r2(d: Array) -> float:
    """Squared radius up to which the radial polynomial grows: beyond it the model folds over."""
    return _fold_r2(d.tobytes())


@lru_cache(1024)
def _fold_r2(coefficients: bytes) -> float:
    d = np.frombuffer(coefficients)
    r = np.linspace(0.0, 4.0, 401)
    falling = np.nonzero(np.diff(r * _radial(r**2, d)) <= 0)[0]
    return float(r[falling[0]] ** 2) if len(falling) else float(r[-1] ** 2)


def _radial(r2: Array, d: Array) -> Array:
    return np.asarray(1 + r2 * (d[0] + r2 * (d[1] + r2 * d[4])))
