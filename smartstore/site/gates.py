"""Gates on the plan. In: a :class:`Site` and one of its gates. Out: where it is and which way leads in."""

import math

from smartstore.site.floor import inside
from smartstore.site.parts import Gate, Point2, Site


def inward(site: Site, gate: Gate) -> tuple[Point2, Point2]:
    """The middle of a gate, and the unit vector through it into the store."""
    (x0, y0), (x1, y1) = gate.line_m
    length = math.hypot(x1 - x0, y1 - y0)
    middle, (nx, ny) = ((x0 + x1) / 2, (y0 + y1) / 2), (-(y1 - y0) / length, (x1 - x0) / length)
    within = inside([(middle[0] + 0.05 * nx, middle[1] + 0.05 * ny)], site.walls_m)[0]
    return middle, (nx, ny) if within else (-nx, -ny)
