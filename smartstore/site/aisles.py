"""Aisles as planners measure them: too narrow to pass, or without a way on. In: a :class:`Site`. Out: findings.

The free floor is opened with a square of the wanted width (erosion, then dilation; Serra, Image Analysis and
Mathematical Morphology, 1982): what does not come back is narrower than that.
"""

from collections.abc import Iterator
from itertools import combinations

import shapely
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from smartstore.site.findings import Finding
from smartstore.site.parts import Site

AISLE_M = 0.9
"""Least clear width of a way (DIN 18040-1)."""
TURNING_M = 1.5
"""Room to turn with a trolley or a wheelchair, and for two to pass (DIN 18040-1)."""
BODY_M = 0.5
"""Nobody takes a gap that is narrower for an aisle."""
DEAD_END_M = 1.5
"""One has to go so far back out of a dead end for it to matter."""
NEAR_M = 0.03
FRONT_M = 0.2
"""Somebody who takes something from a facing stands at least so far before it."""


def aisle_findings(site: Site) -> Iterator[Finding]:
    """Ways that are too narrow, and dead ends."""
    floor = _floor(site)
    yield from _narrow(site, floor)
    yield from _dead_ends(site, floor)


def _narrow(site: Site, floor: BaseGeometry) -> Iterator[Finding]:
    wide, passable = _opened(floor, AISLE_M), _opened(floor, BODY_M)
    things = _things(site)
    for part in _parts(passable.difference(wide.buffer(1e-3))):
        fronts = [facing for facing, place in _fronts(site) if part.buffer(NEAR_M).covers(place)]
        if not fronts and len(_contacts(part, wide)) < 2:
            continue  # a niche that nobody has to go through
        beside = {name: shape for name, shape in things.items() if shape.distance(part) < NEAR_M}
        gaps = [(a.distance(b), x, y) for (x, a), (y, b) in combinations(beside.items(), 2)]
        gaps = [gap for gap in gaps if BODY_M - NEAR_M <= gap[0] < AISLE_M]
        if gaps:
            width, one, other = min(gaps)
            middle = shapely.shortest_line(things[one], things[other]).centroid
            what = f"the aisle is {width:.2f} m wide, less than {AISLE_M:g} m"
            remedy = f"move one of them by {AISLE_M - width:.2f} m"
            yield Finding("warning", "narrow-aisle", f"{one} and {other}", (middle.x, middle.y), what, remedy)


def _dead_ends(site: Site, floor: BaseGeometry) -> Iterator[Finding]:
    turning = _opened(floor, TURNING_M)
    gates = [LineString(gate.line_m) for gate in site.gates]
    if turning.is_empty:
        return
    for part in _parts(_opened(floor, BODY_M).difference(turning.buffer(1e-3))):
        ways: list[BaseGeometry] = [
            *_contacts(part, turning),
            *(gate for gate in gates if gate.distance(part) < NEAR_M),
        ]
        if len(ways) != 1:
            continue  # one can go on, or nobody gets there at all
        deep = max(ways[0].distance(shapely.Point(corner)) for corner in part.exterior.coords)
        if deep >= DEAD_END_M:
            place = part.representative_point()
            beside = [f.id for f in site.fixtures.values() if Polygon(f.footprint_m()).distance(part) < NEAR_M]
            what = f"the aisle ends after {deep:.1f} m, and it is too narrow to turn in ({TURNING_M:g} m)"
            remedy = f"open its end, or make it {TURNING_M:g} m wide"
            yield Finding("warning", "dead-end", " and ".join(beside) or "floor", (place.x, place.y), what, remedy)


def _floor(site: Site) -> BaseGeometry:
    fixtures = [Polygon(fixture.footprint_m()) for fixture in site.fixtures.values()]
    return Polygon(site.walls_m).difference(shapely.union_all(fixtures))


def _things(site: Site) -> dict[str, BaseGeometry]:
    """Fixtures and walls by name."""
    corners = [*site.walls_m, site.walls_m[0]]
    walls = {f"wall {n}": LineString(corners[n - 1 : n + 1]) for n in range(1, len(corners))}
    return {**{name: Polygon(f.footprint_m()) for name, f in site.fixtures.items()}, **walls}


def _fronts(site: Site) -> Iterator[tuple[str, shapely.Point]]:
    for facing in site.facings.values():
        fixture = site.fixtures[facing.fixture]
        x, y, _ = fixture.point(facing.offset_m + facing.width_m / 2, -FRONT_M, 0.0)
        yield facing.id, shapely.Point(x, y)


def _opened(floor: BaseGeometry, width_m: float) -> BaseGeometry:
    """The part of the floor in which a square of that width fits, corners included."""
    half = width_m / 2 - 1e-4
    return floor.buffer(-half, join_style="mitre").buffer(half, join_style="mitre").intersection(floor)


def _contacts(part: Polygon, other: BaseGeometry) -> list[Polygon]:
    """The separate stretches along which a part touches another."""
    return _parts(part.buffer(NEAR_M).intersection(other).buffer(0.1), least_m2=0.0)


def _parts(shape: BaseGeometry, least_m2: float = 0.05) -> list[Polygon]:
    geoms = getattr(shape, "geoms", [shape])
    return [geom for geom in geoms if isinstance(geom, Polygon) and geom.area > least_m2]
