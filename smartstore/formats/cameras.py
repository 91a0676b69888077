"""Calibrations as matrices, the way most tools have them, and as the cameras of a store document.

In and out: intrinsics ``k`` (3, 3) in pixels, distortion (5,) as OpenCV has it, a Rodrigues vector and a translation
from the world to the camera (x right, y down, z forward), metres. A store document has one focal length per camera.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.geometry import CameraModel

Array = NDArray[np.float64]
SQUARE = 0.002
"""Focal lengths may differ by this share before somebody is told."""
AIM_M = 3.0
"""A store document says by a point where a camera looks to; it is put so far away."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """One camera of somebody else's: see the module for units and frames."""

    camera: str
    width_px: int
    height_px: int
    k: Array
    distortion: Array
    rvec: Array
    tvec_m: Array

    def __post_init__(self) -> None:
        whole = (self.k, self.distortion, self.rvec, self.tvec_m)
        if [part.shape for part in whole] != [(3, 3), (5,), (3,), (3,)]:
            raise ValueError("needs a 3 x 3 matrix, 5 distortion coefficients, and 3 numbers for turn and place each")
        if not all(np.isfinite(part).all() for part in whole) or self.k[0, 0] <= 0 or self.k[1, 1] <= 0:
            raise ValueError("has numbers that no camera has")


def five(coefficients: list[float]) -> Array:
    """Distortion as k1, k2, p1, p2, k3; raises ValueError for a lens that needs more of them."""
    if len(coefficients) not in (0, 4, 5) and any(coefficients[5:]):
        raise ValueError("has a rational or fisheye lens; give k1, k2, p1, p2, k3")
    return np.array((coefficients + [0.0] * 5)[:5], float)


def calibration_of(model: CameraModel) -> Calibration:
    """The calibration of a surveyed camera."""
    return Calibration(
        model.camera, model.width_px, model.height_px, model.k, model.distortion,
        rodrigues_vector(model.rotation), -model.rotation @ model.position_m,
    )  # fmt: skip


def camera_id(name: str) -> str:
    """Somebody else's name of a camera as an id of a store document: small letters, digits and hyphens."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
    return plain.strip("-")[:40] or "camera"


def camera_node(found: Calibration, fps: float) -> dict[str, Any]:
    """The camera as a store document has it; its focal length is the mean of the two."""
    turn = rodrigues_matrix(found.rvec)
    place = -turn.T @ found.tvec_m
    forward = turn[2]
    return {
        "id": camera_id(found.camera), "kind": "ceiling", "position_m": _rounded(place),
        "look_at_m": _rounded(place + AIM_M * forward), "roll_deg": round(roll_deg(forward, turn[0]), 6),
        "width_px": found.width_px, "height_px": found.height_px,
        "focal_px": round(float(found.k[0, 0] + found.k[1, 1]) / 2, 4),
        "principal_px": [round(float(found.k[0, 2]), 4), round(float(found.k[1, 2]), 4)],
        "distortion": [float(value) for value in found.distortion], "fps": fps,
    }  # fmt: skip


def roll_deg(forward: Array, right: Array) -> float:
    """How far a camera is turned about its optical axis: ``right`` is the side of its picture in the world."""
    level = np.cross(forward, [0.0, 0.0, 1.0] if abs(forward[2]) < 0.999 else [0.0, 1.0, 0.0])
    level /= np.linalg.norm(level)
    return math.degrees(math.atan2(right @ np.cross(forward, level), right @ level))


def oblong(found: Calibration) -> bool:
    """Whether the pixels are so far from square that somebody should know."""
    return bool(abs(found.k[0, 0] - found.k[1, 1]) > SQUARE * found.k[0, 0])


def rodrigues_matrix(rvec: Array) -> Array:
    """The rotation matrix (3, 3) of a Rodrigues vector: its axis, as long as its angle in radians."""
    angle = float(np.linalg.norm(rvec))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = rvec / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + math.sin(angle) * cross + (1.0 - math.cos(angle)) * cross @ cross)


def rodrigues_vector(rotation: Array) -> Array:
    """The Rodrigues vector (3,) of a rotation matrix, its angle up to half a turn."""
    angle = math.acos(float(np.clip((np.trace(rotation) - 1.0) / 2.0, -1.0, 1.0)))
    odd = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    if angle < 1e-9:
        return np.zeros(3)
    if math.pi - angle > 1e-6:
        return np.asarray(odd * angle / (2.0 * math.sin(angle)))
    axis = np.sqrt(np.maximum((np.diag(rotation) + 1.0) / 2.0, 0.0))  # half a turn: signs follow from the products
    first = int(np.argmax(axis))
    signs = np.where(np.arange(3) == first, 1.0, np.sign(rotation[first]) + (rotation[first] == 0))
    return np.asarray(axis * signs * angle)


def _rounded(point: Array) -> list[float]:
    return [round(float(value), 6) for value in point]
