"""Walking: speed and phase go in, where feet, hips and arms are within the cycle comes out.

Phase 0 is the left heel's strike, 0.5 the right one's. Stance lasts 62 % of a cycle; while it lasts the foot moves
back at the speed of the walk, so it stands still on the floor when the phase advances by ``speed * dt / stride_m``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_STANCE = 0.62
_PITCH_PHASE = np.array([0.0, 0.12, 0.38, 0.62, 0.76, 0.92, 1.0])
_PITCH_RAD = np.radians([-17.0, 0.0, 0.0, 42.0, 34.0, -12.0, -17.0])


@dataclass(frozen=True, slots=True)
class Step:
    """One instant of the walk; pairs are (left, right), lengths in metres, angles in radians."""

    ahead_m: tuple[float, float]
    lift_m: tuple[float, float]
    foot_pitch: tuple[float, float]
    """Positive with the heel up."""
    hip_yaw: float
    hip_roll: float
    arm_swing: tuple[float, float]
    lean: float


def stride_m(height_m: float, speed_m_s: float) -> float:
    """Distance covered by one cycle (two steps) of somebody of that height at that speed."""
    return height_m * (0.30 + 0.40 * min(max(speed_m_s, 0.0), 1.8))


def _foot(phase: float, travel_m: float) -> tuple[float, float]:
    """How far a foot is ahead of the hips and how high it is lifted."""
    back = -0.12 * travel_m
    if phase < _STANCE:
        return back + travel_m * (0.5 - phase / _STANCE), 0.0
    share = (phase - _STANCE) / (1 - _STANCE)
    return back + travel_m * (share * share * (3 - 2 * share) - 0.5), 0.10 * travel_m * math.sin(math.pi * share)


def step(height_m: float, speed_m_s: float, phase: float) -> Step:
    """The walk of a body of that height; at speed 0 everything is at rest."""
    amount = min(max(speed_m_s, 0.0) / 0.25, 1.0)
    travel = _STANCE * stride_m(height_m, speed_m_s) * amount
    strength = amount * min(0.35 + 0.5 * speed_m_s, 1.2)
    feet = [_foot((phase + shift) % 1.0, travel) for shift in (0.0, 0.5)]
    pitches = [strength * float(np.interp((phase + shift) % 1.0, _PITCH_PHASE, _PITCH_RAD)) for shift in (0.0, 0.5)]
    beat = math.cos(2 * math.pi * phase)
    swing = 0.38 * strength * beat
    return Step(
        (feet[0][0], feet[1][0]), (feet[0][1], feet[1][1]), (pitches[0], pitches[1]),
        -0.10 * strength * beat, 0.04 * strength * math.sin(2 * math.pi * phase), (-swing, swing), 0.05 * strength,
    )  # fmt: skip
