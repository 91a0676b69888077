"""Poses a body: its rig and a ``BodyState`` go in, one rigid transform per bone comes out.

Everything happens in the body frame (x forward, y left, z up, origin on the floor under the hips); the last step
places it in the store. A transform (3, 4) takes a point of the rest shape to where it is now, in metres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sims.bodies import gait, gear
from sims.bodies.limbs import Arm, Leg, arm_at_rest, hang_arm, leg_at_rest, pose_arm, pose_leg
from sims.bodies.reach import Bend, Trunk, bend_to_reach, bowed
from sims.bodies.rotations import UP, FloatArray, frame, halfway, pitch, roll, swing, unit, yaw
from sims.bodies.skeleton import BONE, BONES, SIDES
from sims.scene import BodyState

Transforms = NDArray[np.float64]

_LOOK_DOWN_RAD = 0.12
_LOOK_LIMIT_RAD = 0.9


@dataclass(frozen=True, slots=True)
class Rig:
    """One body as the poser sees it: rest joints (B, 3) in metres and what is measured from them."""

    height_m: float
    joints: FloatArray
    trunk: Trunk
    arms: tuple[Arm, Arm]
    legs: tuple[Leg, Leg]
    hang_out_rad: float
    """How far the arms hang away from the body, so that hands stay clear of the hips."""

    @staticmethod
    def measure(height_m: float, joints: FloatArray, palms: FloatArray, hip_half_m: float) -> Rig:
        """A rig from rest joints and ``palms`` (2, 3, 3): finger direction, palm normal and palm centre per side."""
        arms, legs = [], []
        for number, side in enumerate(SIDES):
            sign = 1.0 - 2.0 * number
            ahead, normal, centre = palms[number]
            chain = [joints[BONE[f"{b}.{side}"]] for b in ("upperarm", "forearm", "hand")]
            arms.append(arm_at_rest(sign, chain, centre, ahead, normal))
            legs.append(leg_at_rest(sign, [joints[BONE[f"{b}.{side}"]] for b in ("thigh", "shin", "foot")]))
        trunk = Trunk.measure(joints, height_m, (arms[0].reach_m, arms[1].reach_m), legs[0].thigh_m + legs[0].shin_m)
        gap = hip_half_m + 0.03 * height_m - abs(float(joints[BONE["upperarm.L"], 1]))
        hang = math.asin(min(max(gap / (arms[0].upper_m + arms[0].fore_m), 0.03), 0.6))
        return Rig(height_m, joints, trunk, (arms[0], arms[1]), (legs[0], legs[1]), hang)


@dataclass(slots=True)
class _Pose:
    """Rotations and new pivot places of all bones while they are worked out."""

    rotations: FloatArray
    places: FloatArray

    def put(self, bone: str, rotation: FloatArray, place: FloatArray) -> None:
        self.rotations[BONE[bone]] = rotation
        self.places[BONE[bone]] = place


def pose(rig: Rig, state: BodyState) -> Transforms:
    """Transforms (B, 3, 4) from the rest shape to the store, in the order of ``skeleton.BONES``."""
    turn = yaw(state.heading_rad)
    origin = np.array([state.x_m, state.y_m, 0.0])
    targets = [None if t is None else turn.T @ (np.array(t) - origin) for t in (state.left_hand_m, state.right_hand_m)]
    step = gait.step(rig.height_m, state.speed_m_s, state.gait_phase)
    bend = bend_to_reach(rig.trunk, targets)
    out = _Pose(np.empty((len(BONES), 3, 3)), np.empty((len(BONES), 3)))
    ankles = _feet(rig, step, bend, out)
    _trunk(rig, step, bend, ankles, out)
    _head(rig, targets, out)
    for number in (0, 1):
        _leg(rig, number, ankles[number], out)
        _arm(rig, number, targets[number], state, step, out)
    rotations = turn @ out.rotations
    shift = out.places @ turn.T + origin - np.einsum("bij,bj->bi", rotations, rig.joints)
    return np.concatenate([rotations, shift[:, :, None]], axis=2)


def active_hand(state: BodyState) -> int:
    """Which hand holds the first item: 0 left, 1 right. The right one, unless told so or only the left has a target."""
    return 0 if state.left_active or (state.left_hand_m is not None and state.right_hand_m is None) else 1


def _carries(state: BodyState, number: int) -> bool:
    return len(state.held) > (0 if number == active_hand(state) else 1)


def _feet(rig: Rig, step: gait.Step, bend: Bend, out: _Pose) -> list[FloatArray]:
    """Places both feet and returns where the ankles are."""
    ankles = []
    for number, side in enumerate(SIDES):
        ankle, ball = rig.joints[BONE[f"foot.{side}"]], rig.joints[BONE[f"toes.{side}"]]
        angle = step.foot_pitch[number] + bend.heel_up_rad
        pivot = ball if angle > 0 else np.array([ankle[0] - 0.03 * rig.height_m, ankle[1], 0.0])
        tilt = pitch(angle)
        stance = 0.9 * abs(float(rig.joints[BONE[f"thigh.{side}"], 1])) + 0.02 * rig.height_m * bend.effort
        sideways = stance * rig.legs[number].side - ankle[1]
        place = np.array([step.ahead_m[number] + bend.step_m[number] - ankle[0], sideways, step.lift_m[number]])
        moved = tilt @ (ankle - pivot) + pivot + place
        ankles.append(moved)
        out.put(f"foot.{side}", tilt, moved)
        toes = tilt @ (ball - ankle) + moved
        out.put(f"toes.{side}", pitch(min(angle, 0.0) + 0.25 * max(angle, 0.0) * (step.lift_m[number] > 0)), toes)
    return ankles


def _trunk(rig: Rig, step: gait.Step, bend: Bend, ankles: list[FloatArray], out: _Pose) -> None:
    lean = bend.lean_rad + step.lean
    shift = np.array([bend.ahead_m, 0.0, 0.0])
    rotations, _ = bowed(rig.trunk, np.array([lean]), bend.azimuth_rad, bend.twist_rad, np.zeros(1))
    hips = yaw(step.hip_yaw) @ roll(step.hip_roll)
    pelvis = rotations[0, 0] @ hips
    middle = rig.trunk.middle + shift
    height = rig.trunk.hip_z_m - bend.crouch_m - 0.012 * abs(step.hip_yaw) / 0.1
    for number, side in enumerate(SIDES):
        offset = pelvis @ (rig.joints[BONE[f"thigh.{side}"]] - rig.trunk.middle)
        away = ankles[number][:2] - middle[:2] - offset[:2]
        length = 0.995 * (rig.legs[number].thigh_m + rig.legs[number].shin_m)
        height = min(
            height, float(ankles[number][2] - offset[2]) + math.sqrt(max(length**2 - float(away @ away), 0.04))
        )
    middle = np.array([middle[0], middle[1], height])
    out.put("pelvis", pelvis, middle + pelvis @ (rig.joints[BONE["pelvis"]] - rig.trunk.middle))
    for side in SIDES:
        thigh = f"thigh.{side}"
        out.places[BONE[thigh]] = middle + pelvis @ (rig.joints[BONE[thigh]] - rig.trunk.middle)
    counter = yaw(-0.9 * step.hip_yaw)
    parent, turned = "pelvis", pelvis
    for number, bone in enumerate(("waist", "ribs", "chest"), start=1):
        place = out.places[BONE[parent]] + turned @ (rig.joints[BONE[bone]] - rig.joints[BONE[parent]])
        turned = rotations[0, number] @ (counter if number == 3 else np.eye(3))
        out.put(bone, turned, place)
        parent = bone


def _head(rig: Rig, targets: list[FloatArray | None], out: _Pose) -> None:
    chest = out.rotations[BONE["chest"]]
    neck = out.places[BONE["chest"]] + chest @ (rig.joints[BONE["neck"]] - rig.joints[BONE["chest"]])
    wanted = [t for t in targets if t is not None]
    straight = unit(np.array([chest[0, 0], chest[1, 0], 0.35 * chest[2, 0] - _LOOK_DOWN_RAD]))
    gaze = straight
    if wanted:
        gaze = unit(np.mean(wanted, axis=0) - neck - np.array([0.0, 0.0, 0.12 * rig.height_m]))
    angle = math.acos(min(max(float(gaze @ straight), -1.0), 1.0))
    if angle > _LOOK_LIMIT_RAD:
        gaze = unit(straight + (gaze - straight) * _LOOK_LIMIT_RAD / angle)
    side = np.array([-gaze[1], gaze[0], 0.0])
    look = frame(gaze, side)
    half = halfway(chest, look)
    out.put("neck", half, neck)
    out.put("head", look, neck + half @ (rig.joints[BONE["head"]] - rig.joints[BONE["neck"]]))


def _leg(rig: Rig, number: int, ankle: FloatArray, out: _Pose) -> None:
    side = SIDES[number]
    sign = rig.legs[number].side
    pelvis = out.rotations[BONE["pelvis"]]
    facing = unit(np.array([pelvis[0, 0] + 1.0, pelvis[1, 0] + 0.18 * sign, 0.0]))
    hip = out.places[BONE[f"thigh.{side}"]]
    thigh, shin, knee, _ = pose_leg(rig.legs[number], hip, ankle, facing)
    out.put(f"thigh.{side}", thigh, hip)
    out.put(f"shin.{side}", shin, knee)


def _arm(rig: Rig, number: int, target: FloatArray | None, state: BodyState, step: gait.Step, out: _Pose) -> None:
    side, arm = SIDES[number], rig.arms[number]
    chest = out.rotations[BONE["chest"]]
    clavicle, joint = rig.joints[BONE[f"clavicle.{side}"]], rig.joints[BONE[f"upperarm.{side}"]]
    root = out.places[BONE["chest"]] + chest @ (clavicle - rig.joints[BONE["chest"]])
    level = chest @ (joint - clavicle)
    if target is None:
        lowered = unit(level - 0.10 * float(np.linalg.norm(level)) * UP)
    else:
        wish = unit(target - root - level)
        lowered = unit(unit(level) + (0.22 + 0.35 * max(float(wish[2]), 0.0)) * wish)
    girdle = swing(unit(level), lowered) @ chest
    shoulder = root + girdle @ (joint - clavicle)
    out.put(f"clavicle.{side}", girdle, root)
    heading = yaw(math.atan2(chest[1, 0], chest[0, 0]))
    load = gear.load(state, number)
    if target is not None:
        posed = pose_arm(arm, shoulder, target, girdle)
    elif load == "handle":
        grip = gear.grip(rig.height_m, arm.side)
        posed = pose_arm(arm, shoulder, grip, heading)
    elif load == "forearm":
        ahead = np.array([0.74 * (arm.fore_m + arm.palm_m), 0.09 * rig.height_m * arm.side, -0.86 * arm.upper_m])
        posed = pose_arm(arm, shoulder, shoulder + heading @ ahead, heading, carrying=True)
    elif load:
        hanging = _hanging(rig, arm, gear.SWING[load] * step.arm_swing[number] + gear.BACK[load], shoulder, 0.20)
        posed = hang_arm(arm, shoulder, shoulder + heading @ hanging, heading)
    elif _carries(state, number):
        sway = 0.15 * step.arm_swing[number]
        ahead = np.array([0.86 * (arm.fore_m + arm.palm_m), -0.02 * arm.side, -0.93 * arm.upper_m + sway * arm.fore_m])
        posed = pose_arm(arm, shoulder, shoulder + heading @ ahead, heading, carrying=True)
    else:
        hanging = _hanging(rig, arm, step.arm_swing[number], shoulder)
        posed = hang_arm(arm, shoulder, shoulder + heading @ hanging, heading)
    for bone, rotation, place in (
        ("shoulder", posed.shoulder, shoulder), ("upperarm", posed.upper, shoulder),
        ("forearm", posed.fore, posed.elbow), ("wristroll", posed.roll, posed.elbow),
        ("hand", posed.hand, posed.wrist),
    ):  # fmt: skip
        out.put(f"{bone}.{side}", rotation, place)


def _hanging(rig: Rig, arm: Arm, angle: float, shoulder: FloatArray, aside_rad: float = 0.0) -> FloatArray:
    """From the shoulder to the wrist of an arm that swings by ``angle``, clear of the floor."""
    length = (0.975 - 0.10 * max(angle, 0.0) - 0.02) * (arm.upper_m + arm.fore_m)
    out = math.sin(rig.hang_out_rad + aside_rad)
    wrist = length * unit(np.array([math.sin(angle + 0.04), out * arm.side, -math.cos(angle)]))
    wrist[2] = max(wrist[2], 0.14 * rig.height_m - shoulder[2])
    return wrist
