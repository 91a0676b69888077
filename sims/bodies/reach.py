"""Bending, crouching and stepping so that a hand gets where the arm alone would not.

The trunk's measures and the wanted palm places go in (body frame, metres), one ``Bend`` comes out: the least of a
family of postures that runs from standing (effort 0) to bent and crouched with a lunge (effort 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sims.bodies.rotations import FloatArray, bow, yaw
from sims.bodies.skeleton import BONE, SIDES

_EFFORTS = np.linspace(0.0, 1.0, 17)
_SHARE = np.array([0.50, 0.70, 0.86, 1.0])
"""How much of the bow pelvis, waist, ribs and chest have made."""
_TWIST = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Trunk:
    """What reaching needs to know of a body, at rest."""

    height_m: float
    middle: FloatArray
    """Between the hip joints."""
    joints: FloatArray
    """Pelvis, waist, ribs, chest, (4, 3)."""
    shoulders: FloatArray
    """(2, 3), left and right."""
    reach_m: tuple[float, float]
    hip_z_m: float
    leg_m: float

    @staticmethod
    def measure(joints: FloatArray, height_m: float, reach_m: tuple[float, float], leg_m: float) -> Trunk:
        """From the rest joints of all bones."""
        middle = (joints[BONE["thigh.L"]] + joints[BONE["thigh.R"]]) / 2
        spine = joints[[BONE[b] for b in ("pelvis", "waist", "ribs", "chest")]]
        shoulders = joints[[BONE[f"upperarm.{s}"] for s in SIDES]]
        standing = float(joints[BONE["foot.L"], 2]) + 0.99 * leg_m
        return Trunk(height_m, middle, spine, shoulders, reach_m, standing, leg_m)


@dataclass(frozen=True, slots=True)
class Bend:
    """A posture: angles in radians, lengths in metres; ``step_m``: how far each foot (left, right) steps forward."""

    effort: float = 0.0
    azimuth_rad: float = 0.0
    lean_rad: float = 0.0
    twist_rad: float = 0.0
    crouch_m: float = 0.0
    ahead_m: float = 0.0
    heel_up_rad: float = 0.0
    step_m: tuple[float, float] = (0.0, 0.0)


def bowed(
    trunk: Trunk, lean: FloatArray, azimuth: float, twist: float, drop: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Rotations (n, 4, 3, 3) and places (n, 4, 3) of pelvis, waist, ribs and chest; ``drop`` lowers the hips."""
    count = len(lean)
    bows = bow((lean[:, None] * _SHARE).reshape(-1), azimuth).reshape(count, 4, 3, 3)
    rotations = bows @ np.array([yaw(twist * share) for share in _TWIST])
    places = np.empty((count, 4, 3))
    places[:, 0] = trunk.middle + rotations[:, 0] @ (trunk.joints[0] - trunk.middle)
    places[:, 0, 2] -= drop
    for number in range(1, 4):
        link = trunk.joints[number] - trunk.joints[number - 1]
        places[:, number] = places[:, number - 1] + rotations[:, number - 1] @ link
    return rotations, places


def bend_to_reach(trunk: Trunk, targets: list[FloatArray | None]) -> Bend:
    """The least effort that brings every target within its arm's reach, or the nearest try."""
    wanted = [(side, target) for side, target in enumerate(targets) if target is not None]
    if not wanted:
        return Bend()
    middle = np.mean([target for _, target in wanted], axis=0)
    azimuth = min(max(math.atan2(float(middle[1]), max(float(middle[0]), 0.05)), -1.2), 1.2)
    out_m = math.hypot(float(middle[0]), float(middle[1]))
    family = _Family(trunk, azimuth, out_m, float(middle[2]), [side for side, _ in wanted])
    lean, drop, ahead = family.lean(_EFFORTS), family.crouch(_EFFORTS), family.ahead(_EFFORTS)
    rotations, places = bowed(trunk, lean, azimuth, family.twist, drop)
    places[:, :, 2] += trunk.hip_z_m - trunk.middle[2]
    places[:, :, 0] += ahead[:, None]
    excess = np.full(len(_EFFORTS), -np.inf)
    for side, target in wanted:
        shoulder = places[:, 3] + rotations[:, 3] @ (trunk.shoulders[side] - trunk.joints[3])
        shoulder[:, 2] += family.rise(_EFFORTS)
        excess = np.maximum(excess, np.linalg.norm(target - shoulder, axis=1) - trunk.reach_m[side])
    return family.at(_least(excess))


def _least(excess: FloatArray) -> float:
    """The smallest effort whose excess is not above zero, between the samples; else the best one."""
    below = np.flatnonzero(excess <= 0)
    if len(below) == 0:
        return float(_EFFORTS[int(excess.argmin())])
    first = int(below[0])
    if first == 0:
        return 0.0
    before, after = float(excess[first - 1]), float(excess[first])
    share = before / (before - after)
    return min(1.0, float(_EFFORTS[first - 1] + share * (_EFFORTS[first] - _EFFORTS[first - 1])) + 0.02)


class _Family:
    """Postures of growing effort towards a target at one azimuth and height."""

    def __init__(self, trunk: Trunk, azimuth: float, out_m: float, target_z_m: float, sides: list[int]) -> None:
        self.trunk, self.azimuth, self.sides = trunk, azimuth, sides
        shoulder_z = float(trunk.shoulders[0, 2])
        self.low = min(max((0.8 * shoulder_z - target_z_m) / (0.7 * shoulder_z), 0.0), 1.0)
        self.high = min(max((target_z_m - shoulder_z) / (0.4 * shoulder_z), 0.0), 1.0)
        self.far = min(max((out_m * 1.7 / trunk.height_m - 0.30) / 0.35, 0.0), 1.0)
        across = 0.0 if len(sides) == 2 else (-0.25 if sides[0] == 0 else 0.25)
        self.scale = trunk.height_m / 1.7
        self.twist = (0.6 * azimuth + across) * min(max(2.0 * out_m / self.scale - 0.5, 0.0), 1.0)

    def lean(self, effort: FloatArray) -> FloatArray:
        near_floor = self.low * (1.0 - self.far)
        return np.asarray(np.radians(38.0 + 44.0 * self.low - 24.0 * near_floor - 24.0 * self.high) * effort)

    def crouch(self, effort: FloatArray) -> FloatArray:
        return np.asarray((0.66 - 0.14 * self.far) * self.trunk.leg_m * self.low * effort)

    def ahead(self, effort: FloatArray) -> FloatArray:
        back = 0.09 * np.sin(self.lean(effort))
        lunge = self.far * (0.06 * effort + 0.24 * _late(effort))
        return np.asarray(self.scale * (lunge - back) + self.closer(effort))

    def closer(self, effort: FloatArray) -> FloatArray:
        """How far the whole body steps towards what is too high or too far for a bow."""
        return np.asarray(self.scale * 0.22 * self.far * max(self.high, 0.5 * (1 - self.low)) * _late(effort))

    def heel_up(self, effort: FloatArray) -> FloatArray:
        return np.asarray(np.radians(42.0) * self.high * effort)

    def rise(self, effort: FloatArray) -> FloatArray:
        """How much higher the shoulders get on tiptoe and by lifting the shoulder blade."""
        return np.asarray(0.105 * self.scale * np.sin(self.heel_up(effort)) + 0.05 * self.scale * self.high)

    def at(self, effort: float) -> Bend:
        one = np.array([effort])
        step = 0.36 * self.scale * self.far * float(_late(one)[0]) * (1.0 - 0.6 * self.high)
        both = float(self.closer(one)[0])
        leading = 1 - self.sides[0] if len(self.sides) == 1 else 0
        feet = [0.0, 0.0]
        feet[leading], feet[1 - leading] = step + both, both - 0.05 * step
        rise = 0.105 * self.scale * math.sin(float(self.heel_up(one)[0]))
        return Bend(
            effort, self.azimuth, float(self.lean(one)[0]), self.twist, float(self.crouch(one)[0]) - rise,
            float(self.ahead(one)[0]), float(self.heel_up(one)[0]), (feet[0], feet[1]),
        )  # fmt: skip


def _late(effort: FloatArray) -> FloatArray:
    """0 up to half the effort, then smoothly up to 1."""
    share = np.clip((effort - 0.45) / 0.55, 0.0, 1.0)
    return np.asarray(share * share * (3 - 2 * share))
