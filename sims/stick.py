"""Stick figures: people without meshes, for runs and tests that draw nothing.

In: a body state. Out: the 17 COCO joints in store metres.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sims.scene import BodyState, Point

HEIGHTS_M = (1.78, 1.66, 1.86, 1.71, 1.52, 1.63, 1.93, 1.58)


class StickFigures:
    """Bodies of straight lines. The same calls as the baked ones."""

    @property
    def count(self) -> int:
        """How many kinds there are."""
        return len(HEIGHTS_M)

    def height_m(self, body: int) -> float:
        """Height of one kind."""
        return HEIGHTS_M[body % len(HEIGHTS_M)]

    def joints(self, state: BodyState) -> NDArray[np.float64]:
        """COCO joints (17, 3) in store metres."""
        height_m = self.height_m(state.body)
        swing = 0.18 * math.sin(math.tau * state.gait_phase) * min(1.0, state.speed_m_s)
        # forward, left, up as shares of the height
        local = np.array(
            [[0.06, 0, 0.93], [0.05, 0.02, 0.95], [0.05, -0.02, 0.95], [0, 0.045, 0.94], [0, -0.045, 0.94],
             [0, 0.11, 0.82], [0, -0.11, 0.82], [-swing / 2, 0.13, 0.63], [swing / 2, -0.13, 0.63],
             [-swing + 0.03, 0.13, 0.47], [swing + 0.03, -0.13, 0.47], [0, 0.055, 0.53], [0, -0.055, 0.53],
             [swing, 0.055, 0.28], [-swing, -0.055, 0.28], [swing * 1.2, 0.055, 0.04], [-swing * 1.2, -0.055, 0.04]]
        ) * height_m  # fmt: skip
        c, s = math.cos(state.heading_rad), math.sin(state.heading_rad)
        joints = np.column_stack([c * local[:, 0] - s * local[:, 1], s * local[:, 0] + c * local[:, 1], local[:, 2]])
        joints += (state.x_m, state.y_m, 0.0)
        for shoulder, elbow, wrist, hand in ((5, 7, 9, state.left_hand_m), (6, 8, 10, state.right_hand_m)):
            if hand is not None:
                _reach(joints, shoulder, elbow, wrist, hand, 0.36 * height_m)
        return joints


def _reach(joints: NDArray[np.float64], shoulder: int, elbow: int, wrist: int, hand: Point, arm_m: float) -> None:
    """Put the wrist just before the hand; lean with the shoulder when the arm is too short."""
    towards = np.subtract(hand, joints[shoulder])
    length = float(np.linalg.norm(towards)) or 1e-6
    joints[wrist] = hand - 0.08 * towards / length
    lean = max(0.0, length - 0.08 - arm_m) * towards / length
    upper = [0, 1, 2, 3, 4, 5, 6]
    joints[upper] += 0.6 * lean
    joints[shoulder] += 0.4 * lean
    middle = (joints[shoulder] + joints[wrist]) / 2
    slack = math.sqrt(max(0.0, (arm_m / 2) ** 2 - float(np.sum((joints[wrist] - joints[shoulder]) ** 2)) / 4))
    joints[elbow] = middle - np.array([0.0, 0.0, slack])
