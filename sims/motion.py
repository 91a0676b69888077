"""How hands and heads move: smooth paths through space, in metres, radians and seconds."""

import math

from sims.scene import Point


def minimum_jerk(share: float) -> float:
    """Share of the way covered at ``share`` of the time (Flash and Hogan 1985), both in [0, 1]."""
    s = min(1.0, max(0.0, share))
    return s * s * s * (10.0 - 15.0 * s + 6.0 * s * s)


def bend(start: Point, over: Point, end: Point, share: float) -> Point:
    """A point of the quadratic Bezier curve from ``start`` to ``end`` that is drawn towards ``over``."""
    a, b, c = (1 - share) ** 2, 2 * share * (1 - share), share * share
    return (
        a * start[0] + b * over[0] + c * end[0],
        a * start[1] + b * over[1] + c * end[1],
        a * start[2] + b * over[2] + c * end[2],
    )


def distance(a: Point, b: Point) -> float:
    """Metres between two points."""
    return math.dist(a, b)


def turn_towards(heading_rad: float, wanted_rad: float, most_rad: float) -> float:
    """The heading after turning by at most ``most_rad`` the short way round."""
    gap = (wanted_rad - heading_rad + math.pi) % math.tau - math.pi
    return (heading_rad + max(-most_rad, min(most_rad, gap)) + math.pi) % math.tau - math.pi


def beside(x_m: float, y_m: float, heading_rad: float, forward_m: float, right_m: float, z_m: float) -> Point:
    """A point given from a body: forward and to the right of it, at height ``z_m``."""
    fx, fy = math.cos(heading_rad), math.sin(heading_rad)
    return x_m + forward_m * fx + right_m * fy, y_m + forward_m * fy - right_m * fx, z_m
