"""What gates say of people, as facts of the store; and how far somebody is from a gate."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GateEntered:
    """Somebody was let in, with as many others as ``party_size`` says. ``token`` has been verified upstream."""

    visit: str
    token: str
    party_size: int
    t_ns: int
    caused_by: str


@dataclass(frozen=True, slots=True)
class StaffEntered:
    """A staff pass opened the gate: whoever comes in now never pays."""

    t_ns: int
    caused_by: str


@dataclass(frozen=True, slots=True)
class BeamBroken:
    """Somebody crossed the exit."""

    gate: str
    t_ns: int
    caused_by: str


Line = tuple[tuple[float, float], tuple[float, float]]


def distance_m(line: Line, point: tuple[float, float]) -> float:
    """Distance of a point from a line segment."""
    (ax, ay), (bx, by) = line
    length2 = (bx - ax) ** 2 + (by - ay) ** 2
    along = (
        min(max(((point[0] - ax) * (bx - ax) + (point[1] - ay) * (by - ay)) / length2, 0.0), 1.0) if length2 else 0.0
    )
    return math.hypot(point[0] - ax - along * (bx - ax), point[1] - ay - along * (by - ay))
