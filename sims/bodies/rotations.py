"""Small rotations in the body frame (x forward, y left, z up): angles in radians or directions in, 3x3 matrices out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

UP = np.array([0.0, 0.0, 1.0])
FORWARD = np.array([1.0, 0.0, 0.0])
LEFT = np.array([0.0, 1.0, 0.0])


def unit(vector: FloatArray) -> FloatArray:
    """The direction of a vector of three; a zero vector stays zero."""
    length = math.sqrt(float(vector @ vector))
    return vector / length if length > 1e-12 else vector


def _unit(x: float, y: float, z: float) -> tuple[float, float, float]:
    length = math.sqrt(x * x + y * y + z * z)
    return (x / length, y / length, z / length) if length > 1e-12 else (x, y, z)


def cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """Vector product of two single vectors (faster than numpy's for one pair)."""
    ax, ay, az = a.tolist()
    bx, by, bz = b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def frame(first: FloatArray, second: FloatArray) -> FloatArray:
    """Orthonormal columns: ``first``, ``second`` made square to it, and their vector product."""
    ax, ay, az = _unit(*first.tolist())
    bx, by, bz = second.tolist()
    along = bx * ax + by * ay + bz * az
    bx, by, bz = _unit(bx - along * ax, by - along * ay, bz - along * az)
    return np.array([[ax, bx, ay * bz - az * by], [ay, by, az * bx - ax * bz], [az, bz, ax * by - ay * bx]])


def yaw(angle: float) -> FloatArray:
    """Turn to the left."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def pitch(angle: float) -> FloatArray:
    """Bow forward."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def roll(angle: float) -> FloatArray:
    """Lean to the right."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def bow(angles: FloatArray, azimuth: float) -> FloatArray:
    """Bows of several angles (n,) towards one azimuth on the floor, (n, 3, 3)."""
    x, y = -math.sin(azimuth), math.cos(azimuth)
    c, s = np.cos(angles), np.sin(angles)
    out = np.empty((len(angles), 3, 3))
    out[:, 0, 0], out[:, 0, 1], out[:, 0, 2] = c + x * x * (1 - c), x * y * (1 - c), y * s
    out[:, 1, 0], out[:, 1, 1], out[:, 1, 2] = x * y * (1 - c), c + y * y * (1 - c), -x * s
    out[:, 2, 0], out[:, 2, 1], out[:, 2, 2] = -y * s, x * s, c
    return out


def halfway(a: FloatArray, b: FloatArray) -> FloatArray:
    """A rotation about half way between two that differ by less than half a turn."""
    both = a + b
    return frame(both[:, 0], both[:, 1])


def swing(start: FloatArray, end: FloatArray) -> FloatArray:
    """The shortest rotation that takes one unit direction to another."""
    ax, ay, az = start.tolist()
    bx, by, bz = end.tolist()
    cosine = ax * bx + ay * by + az * bz
    if cosine < -0.9999:
        side = unit(cross(start, UP if abs(start[2]) < 0.9 else FORWARD))
        return 2.0 * np.outer(side, side) - np.eye(3)
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx  # the axis, as long as the sine
    s = 1.0 / (1.0 + cosine)
    return np.array(
        [
            [1.0 - (y * y + z * z) * s, x * y * s - z, x * z * s + y],
            [x * y * s + z, 1.0 - (x * x + z * z) * s, y * z * s - x],
            [x * z * s - y, y * z * s + x, 1.0 - (x * x + y * y) * s],
        ]
    )
