"""Two-bone limbs: where the ends of an arm or a leg should be goes in, the rotations of its bones come out.

Angles follow from the law of cosines; everything is in the body frame, metres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sims.bodies.rotations import FORWARD, LEFT, UP, FloatArray, cross, frame, halfway, swing, unit


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm at rest: joints, lengths in metres and the frames that its bones are turned from."""

    side: float
    """+1 left, -1 right."""
    upper_m: float
    fore_m: float
    palm: FloatArray
    """From the wrist to the palm centre, at rest."""
    upper_dir: FloatArray
    upper_frame: FloatArray
    fore_frame: FloatArray
    hand_frame: FloatArray
    """Columns: along the fingers, towards the thumb, and their product."""

    @property
    def palm_m(self) -> float:
        """How far the palm centre lies beyond the wrist along the fingers."""
        return float(self.palm @ self.hand_frame[:, 0])

    @property
    def reach_m(self) -> float:
        """Farthest a palm centre may be from the shoulder with a nearly straight arm."""
        return 0.975 * (self.upper_m + self.fore_m) + 0.9 * self.palm_m


@dataclass(frozen=True, slots=True)
class ArmPose:
    """Rotations of shoulder, upper arm, forearm, wrist roll and hand, and where elbow and wrist are."""

    shoulder: FloatArray
    upper: FloatArray
    fore: FloatArray
    roll: FloatArray
    hand: FloatArray
    elbow: FloatArray
    wrist: FloatArray


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg at rest."""

    side: float
    thigh_m: float
    shin_m: float
    thigh_frame: FloatArray
    shin_frame: FloatArray


def arm_at_rest(side: float, joints: list[FloatArray], palm: FloatArray, ahead: FloatArray, normal: FloatArray) -> Arm:
    """Measures an arm from its rest joints (shoulder, elbow, wrist) and its palm."""
    shoulder, elbow, wrist = joints
    upper, fore = elbow - shoulder, wrist - elbow
    hinge = cross(upper, fore)
    thumb = cross(normal, ahead) * side
    return Arm(
        side, float(np.linalg.norm(upper)), float(np.linalg.norm(fore)), palm - wrist, unit(upper),
        frame(upper, hinge), frame(fore, hinge), frame(ahead, thumb),
    )  # fmt: skip


def leg_at_rest(side: float, joints: list[FloatArray]) -> Leg:
    """Measures a leg from its rest joints (hip, knee, ankle)."""
    hip, knee, ankle = joints
    thigh, shin = knee - hip, ankle - knee
    lengths = float(np.linalg.norm(thigh)), float(np.linalg.norm(shin))
    return Leg(side, *lengths, frame(thigh, LEFT), frame(shin, LEFT))


def bend(start: FloatArray, end: FloatArray, first_m: float, second_m: float, pole: FloatArray) -> FloatArray:
    """Where the middle joint goes so that the limb spans ``start`` to ``end``; it bulges towards ``pole``."""
    span = end - start
    distance = math.sqrt(float(span @ span))
    ahead = span / max(distance, 1e-9)
    distance = min(max(distance, abs(first_m - second_m) + 1e-3), (first_m + second_m) * 0.9995)
    along = (first_m**2 - second_m**2 + distance**2) / (2 * distance)
    out = math.sqrt(max(first_m**2 - along**2, 0.0))
    return start + along * ahead + out * unit(pole - float(pole @ ahead) * ahead)


def hand_frame(ahead: FloatArray) -> FloatArray:
    """How a hand is held that points along ``ahead``: thumb up, forward when hanging, back when stretched upwards."""
    down = float(-ahead[2])
    return frame(ahead, UP + (2.0 * down if down > 0 else down) * FORWARD)


def pose_arm(arm: Arm, shoulder: FloatArray, palm: FloatArray, turn: FloatArray, carrying: bool = False) -> ArmPose:
    """The arm with its palm centre at ``palm``, or pointing at it where it is out of reach.

    ``turn`` is the rotation of the chest, which the elbow's natural side follows.
    """
    pole = turn @ np.array([-0.6, 0.35 * arm.side, -0.7])
    pointing = unit(palm - shoulder)
    ahead = pointing
    for _ in range(3):
        hand = hand_frame(ahead) @ arm.hand_frame.T
        wrist = palm - hand @ arm.palm
        elbow = bend(shoulder, wrist, arm.upper_m, arm.fore_m, pole)
        fore = unit(wrist - elbow)
        ahead = fore if carrying else unit(0.6 * fore + 0.4 * pointing)
    hand = hand_frame(ahead) @ arm.hand_frame.T
    wrist = palm - hand @ arm.palm
    elbow = bend(shoulder, wrist, arm.upper_m, arm.fore_m, pole)
    return arm_between(arm, shoulder, elbow, wrist, hand, turn)


def hang_arm(arm: Arm, shoulder: FloatArray, wrist: FloatArray, turn: FloatArray) -> ArmPose:
    """The arm hanging with its wrist at ``wrist``, fingers in line with the forearm."""
    elbow = bend(shoulder, wrist, arm.upper_m, arm.fore_m, turn @ np.array([-1.0, 0.25 * arm.side, -0.3]))
    hand = hand_frame(unit(wrist - elbow)) @ arm.hand_frame.T
    return arm_between(arm, shoulder, elbow, wrist, hand, turn)


def arm_between(
    arm: Arm, shoulder: FloatArray, elbow: FloatArray, wrist: FloatArray, hand: FloatArray, turn: FloatArray
) -> ArmPose:
    """Rotations of an arm whose joints are known; a wrist out of reach is pulled back onto the arm."""
    upper, fore = unit(elbow - shoulder), unit(wrist - elbow)
    hinge = cross(upper, fore)
    if hinge @ hinge < 1e-8:
        hinge = cross(upper, FORWARD + UP)
    turned_upper = frame(upper, hinge) @ arm.upper_frame.T
    turned_fore = frame(fore, hinge) @ arm.fore_frame.T
    rolled = swing(unit(hand @ arm.hand_frame[:, 0]), fore) @ hand
    straight = frame(fore, rolled @ arm.hand_frame[:, 1]) @ frame(arm.fore_frame[:, 0], arm.hand_frame[:, 1]).T
    return ArmPose(
        swing(turn @ arm.upper_dir, upper) @ turn, turned_upper, turned_fore, halfway(turned_fore, straight), hand,
        shoulder + upper * arm.upper_m, shoulder + upper * arm.upper_m + fore * arm.fore_m,
    )  # fmt: skip


def pose_leg(
    leg: Leg, hip: FloatArray, ankle: FloatArray, facing: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Rotations of thigh and shin, and where knee and ankle are, for a knee that points along ``facing``."""
    knee = bend(hip, ankle, leg.thigh_m, leg.shin_m, facing)
    thigh, shin = unit(knee - hip), unit(ankle - knee)
    side = cross(UP, facing)
    knee, ankle = hip + thigh * leg.thigh_m, hip + thigh * leg.thigh_m + shin * leg.shin_m
    return frame(thigh, side) @ leg.thigh_frame.T, frame(shin, side) @ leg.shin_frame.T, knee, ankle
