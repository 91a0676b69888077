"""Baskets, rollers, trolleys and shoulder bags: what they do to the arms, and where they are.

A ``BodyState`` and the posed body's joints and palms go in; which arm is loaded how, and the place, turn and size of
the gear come out. Gear frame: x forward, y left, z up, origin on the ground under its middle; store metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sims.bodies.rotations import FloatArray, yaw
from sims.scene import BASKETS, BodyState

KINDS = ("basket", "arm_basket", "roller", "trolley", "tote")
BASKET_M = (0.42, 0.28, 0.22)
"""Length, width and depth of a basket without its handle."""
HANDLE_M = 0.15
"""How high the closed handle of a basket stands above its rim."""
TROLLEY_M = (0.62, 0.42, 0.92)
"""Length, width and height of the handle of a trolley."""
ROLLER_M = (0.40, 0.34, 0.48)
TOTE_M = (0.34, 0.11, 0.30)
SWING = {"basket": 0.25, "roller": 0.1, "tote": 0.5}
"""How much of its swing an arm keeps that is loaded so."""
BACK = {"basket": 0.0, "roller": -0.42, "tote": 0.05}
"""How far forward (rad) it hangs."""
_ELBOW, _WRIST, _SHOULDER, _HIP = 7, 9, 5, 11


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Gear in the store: a point of its frame, times ``scale``, is turned by ``turn`` and shifted to ``origin_m``."""

    turn: FloatArray
    origin_m: FloatArray
    scale: float
    ends_m: tuple[tuple[FloatArray, FloatArray], ...] = ()
    """Straps and rods that join it to the body, as pairs of points in store metres."""


def load(state: BodyState, number: int) -> str:
    """How gear loads an arm (0 left, 1 right): ``handle``, ``forearm``, a key of ``SWING``, or nothing."""
    worn = state.gear
    if worn is None or (worn.place is not None and worn.kind in BASKETS):
        return ""
    if worn.kind == "trolley":
        return "handle" if worn.gripped else ""
    if number == 1 or (worn.kind == "roller" and not worn.gripped):
        return ""
    return "forearm" if worn.kind == "arm_basket" else worn.kind


def grip(height_m: float, side: float) -> FloatArray:
    """Where a palm lies on a trolley's handle, in the body frame; ``side`` is +1 on the left."""
    return np.array([0.21 * height_m, 0.09 * height_m * side, trolley_scale(height_m) * TROLLEY_M[2]])


def trolley_scale(height_m: float) -> float:
    """Small people push small trolleys, very tall ones large ones."""
    return min(max(1.0, 0.53 * height_m / TROLLEY_M[2]), 0.60 * height_m / TROLLEY_M[2])


def placed(state: BodyState, joints: FloatArray, palms: FloatArray, height_m: float) -> Placed | None:
    """Where the gear of a posed body is; None for a body without."""
    worn = state.gear
    if worn is None:
        return None
    turn, feet = yaw(state.heading_rad), np.array([state.x_m, state.y_m, 0.0])
    if worn.kind == "tote":
        return _tote(turn, joints)
    if worn.kind in BASKETS and worn.place is None:
        return _basket(turn, joints, palms[0], worn.kind)
    scale = trolley_scale(height_m) if worn.kind == "trolley" else 1.0
    if worn.place is not None:
        origin, turn = np.array([worn.place[0], worn.place[1], 0.0]), yaw(worn.place[2])
    elif worn.kind == "trolley":
        origin = feet + turn @ np.array([0.21 * height_m + scale * TROLLEY_M[0] / 2, 0.0, 0.0])
    else:
        origin = feet + turn @ np.array([-0.30 * height_m, 0.15 * height_m, 0.0])
    if worn.kind != "roller":
        return Placed(turn, origin, scale)
    foot = origin + turn @ np.array([ROLLER_M[0] / 2, 0.0, 0.75 * ROLLER_M[2]])
    held = worn.gripped and state.left_hand_m is None
    top = palms[0] if held else origin + turn @ np.array([ROLLER_M[0] / 2, 0.0, 0.95])
    return Placed(turn, origin, scale, ((foot, top),))


def _basket(turn: FloatArray, joints: FloatArray, palm: FloatArray, kind: str) -> Placed:
    """A basket that hangs from the left palm or forearm."""
    total = BASKET_M[2] + HANDLE_M
    if kind == "basket":
        scale = min(1.0, max(0.5, (float(palm[2]) - 0.04) / total))
        return Placed(turn, palm - np.array([0.0, 0.0, scale * total]), scale)
    middle = 0.45 * joints[_ELBOW] + 0.55 * joints[_WRIST] + turn @ np.array([0.0, 0.03, 0.0])
    scale = min(1.0, max(0.5, (float(middle[2]) - 0.02) / total))
    return Placed(turn, middle + np.array([0.0, 0.0, 0.03 - scale * total]), scale)


def _tote(turn: FloatArray, joints: FloatArray) -> Placed:
    """A bag under the left arm, on a strap over the shoulder."""
    shoulder = joints[_SHOULDER]
    long = float(np.clip(shoulder[2] - joints[_HIP][2], 0.15, 0.50))
    base = shoulder + turn @ np.array([-0.07, 0.075, 0.0]) - np.array([0.0, 0.0, long + 0.14])
    base[2] = max(float(base[2]), 0.01)
    scale = min(1.0, max(0.6, long / 0.46))
    top = shoulder + turn @ np.array([-0.01, 0.0, 0.0]) + np.array([0.0, 0.0, 0.055 * scale])
    rims = [base + scale * (turn @ np.array([end * 0.4 * TOTE_M[0], 0.0, TOTE_M[2]])) for end in (1.0, -1.0)]
    return Placed(turn, base, scale, ((rims[0], top), (rims[1], top)))
