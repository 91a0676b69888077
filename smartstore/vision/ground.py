"""The floor plan as a tracker needs it: where people can stand, come in and go out.

In: a site. Out: answers about points of the floor, metres.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from smartstore.site import Site
from smartstore.site.floor import inside

Array = NDArray[np.float64]
Point = tuple[float, float]
_POST_M = 0.5
"""So far from the posts of a gate people pass it."""
_JUST_M = 0.05
"""So far beside a gate one is on its one side or the other, whatever the shape of the store."""


@dataclass(frozen=True, slots=True, eq=False)
class _Gap:
    """A gate's line with the direction out of the store."""

    middle: Point
    along: Point
    outwards: Point
    half_m: float

    def from_passage_m(self, x_m: float, y_m: float) -> float:
        """Distance to the part of the line that keeps half a body's room from both ends."""
        along, out = self._local(x_m, y_m)
        return math.hypot(max(abs(along) - max(self.half_m - _POST_M, 0.0), 0.0), out)

    def beyond(self, x_m: float, y_m: float) -> float:
        """Metres outside of the line, negative inside; -inf away from the gap."""
        along, out = self._local(x_m, y_m)
        return out if abs(along) <= self.half_m + 0.4 else -math.inf

    def _local(self, x_m: float, y_m: float) -> Point:
        dx, dy = x_m - self.middle[0], y_m - self.middle[1]
        return dx * self.along[0] + dy * self.along[1], dx * self.outwards[0] + dy * self.outwards[1]


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Walls, fixtures and gates of a store."""

    outline: tuple[Point, ...]
    """The corners of the walls, the first one once more at the end."""
    low_m: Array
    high_m: Array
    """The corners of the box (2,) around the walls."""
    blocks: tuple[tuple[Point, Point, float, float], ...]
    """Origin, normal, width and depth of each fixture."""
    entries: tuple[_Gap, ...]
    exits: tuple[_Gap, ...]

    @classmethod
    def of(cls, site: Site) -> Self:
        """The ground of ``site``."""
        walls = np.array(site.walls_m, float)
        blocks = tuple((_point(f.origin_m), _point(f.normal), f.width_m, f.depth_m) for f in site.fixtures.values())
        gaps = {kind: tuple(_gap(g.line_m, walls) for g in site.gates if g.kind == kind) for kind in ("entry", "exit")}
        outline = tuple(_point(corner) for corner in (*walls, walls[0]))
        return cls(outline, walls.min(axis=0), walls.max(axis=0), blocks, gaps["entry"], gaps["exit"])

    def is_free(self, at: Array, slack_m: float) -> bool:
        """Whether somebody can stand at a point: within the walls and not deeper than ``slack_m`` in a fixture."""
        x_m, y_m = at.tolist()
        if not self._is_inside(x_m, y_m):
            return False
        for (left_m, front_m), (nx, ny), width_m, depth_m in self.blocks:
            u = (y_m - front_m) * nx - (x_m - left_m) * ny
            v = (left_m - x_m) * nx + (front_m - y_m) * ny
            if slack_m < u < width_m - slack_m and slack_m < v < depth_m - slack_m:
                return False
        return True

    def _is_inside(self, x_m: float, y_m: float) -> bool:
        """Whether a point lies within the walls: even-odd rule, as :func:`inside`, for a single one."""
        odd = False
        for (ax, ay), (bx, by) in pairwise(self.outline):
            if (ay > y_m) != (by > y_m) and x_m < ax + (y_m - ay) * (bx - ax) / (by - ay):
                odd = not odd
        return odd

    def from_entry_m(self, x_m: float, y_m: float) -> float:
        """Distance to where people come in: the middle of the nearest entry, or of a wide one all but its ends."""
        return min((gap.from_passage_m(x_m, y_m) for gap in self.entries), default=math.inf)

    def from_exit_m(self, x_m: float, y_m: float) -> float:
        """Distance to where people go out."""
        return min((gap.from_passage_m(x_m, y_m) for gap in self.exits), default=math.inf)

    def beyond_exit_m(self, x_m: float, y_m: float) -> float:
        """How far outside of an exit, negative inside."""
        return max((gap.beyond(x_m, y_m) for gap in self.exits), default=-math.inf)

    def beyond_entry_m(self, x_m: float, y_m: float) -> float:
        """How far outside of an entry, negative inside."""
        return max((gap.beyond(x_m, y_m) for gap in self.entries), default=-math.inf)


def _gap(line_m: tuple[tuple[float, float], tuple[float, float]], walls: Array) -> _Gap:
    start, end = np.array(line_m, float)
    along = (end - start) / max(float(np.linalg.norm(end - start)), 1e-9)
    outwards = np.array([along[1], -along[0]])
    middle = (start + end) / 2
    if inside(middle + _JUST_M * outwards, walls)[0]:
        outwards = -outwards
    return _Gap(_point(middle), _point(along), _point(outwards), float(np.linalg.norm(end - start)) / 2)


def _point(of: Sequence[float] | Array) -> Point:
    return float(of[0]), float(of[1])
