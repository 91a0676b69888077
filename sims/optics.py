"""Geometry of a mounted camera: store metres in, distorted pixels out.

Formulas as in the OpenCV documentation of ``projectPoints``. Pixels are continuous: pixel i covers [i, i + 1), so
that the middle of a picture 640 wide is 320.0.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Point = tuple[float, float, float]


@dataclass(frozen=True)
class CameraSpec:
    """A mounted camera with Brown-Conrady distortion (k1, k2, p1, p2, k3)."""

    id: str
    kind: str
    position_m: Point
    look_at_m: Point
    width_px: int
    height_px: int
    focal_px: float
    distortion: tuple[float, float, float, float, float]
    fps: float
    watches: tuple[str, ...] = ()
    roll_deg: float = 0.0
    """How far the right side of the picture hangs below level."""
    principal_px: tuple[float, float] | None = None
    """Where the optical axis meets the picture; None: in the middle."""

    @property
    def centre_px(self) -> tuple[float, float]:
        """Where the optical axis meets the picture."""
        return self.principal_px or (self.width_px / 2, self.height_px / 2)

    @cached_property
    def k(self) -> Array:
        """Intrinsics (3, 3) in pixels."""
        cx, cy = self.centre_px
        return np.array([[self.focal_px, 0, cx], [0, self.focal_px, cy], [0, 0, 1]], dtype=float)

    @cached_property
    def rotation(self) -> Array:
        """World to camera (3, 3); camera frame: x right, y down, z forward."""
        forward = np.subtract(self.look_at_m, self.position_m)
        forward = forward / np.linalg.norm(forward)
        up = np.array([0.0, 0.0, 1.0]) if abs(forward[2]) < 0.999 else np.array([0.0, 1.0, 0.0])
        right = np.cross(forward, up)
        right /= np.linalg.norm(right)
        down = np.cross(forward, right)
        if self.roll_deg:
            cos, sin = np.cos(np.radians(self.roll_deg)), np.sin(np.radians(self.roll_deg))
            right, down = cos * right + sin * down, cos * down - sin * right
        return np.stack([right, down, forward])

    def to_camera(self, points_m: ArrayLike) -> Array:
        """Points (n, 3) in store metres in the camera's frame (n, 3); the third column is the depth in metres."""
        points = np.asarray(points_m, float).reshape(-1, 3)
        return np.asarray((points - np.asarray(self.position_m)) @ self.rotation.T)

    def project(self, points_m: ArrayLike) -> Array:
        """Points (n, 3) in store metres to distorted pixels (n, 2); NaN behind the camera or beyond the lens."""
        local = self.to_camera(points_m)
        depth = np.where(local[:, 2] > 1e-6, local[:, 2], np.nan)
        xy = local[:, :2] / depth[:, None]
        xy[np.sum(xy**2, axis=1) >= self.valid_r2] = np.nan
        return self.normalised_to_px(xy)

    def normalised_to_px(self, xy: Array) -> Array:
        """Undistorted normalised coordinates (n, 2) to distorted pixels (n, 2)."""
        k1, k2, p1, p2, k3 = self.distortion
        x, y = xy[:, 0], xy[:, 1]
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        u = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
        v = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
        cx, cy = self.centre_px
        return np.column_stack([u * self.focal_px + cx, v * self.focal_px + cy])

    @cached_property
    def valid_r2(self) -> float:
        """Squared radius up to which the radial polynomial grows."""
        k1, k2, _, _, k3 = self.distortion
        r = np.linspace(0.0, 4.0, 401)
        falling = np.nonzero(np.diff(r * (1 + r**2 * (k1 + r**2 * (k2 + r**2 * k3)))) <= 0)[0]
        return float(r[falling[0]] ** 2) if len(falling) else float(r[-1] ** 2)
