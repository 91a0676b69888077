"""What cameras should see: places on the floor where people stand, and the fronts of all facings.

In: a :class:`Site`. Out: points in store metres with what they stand for. The same points serve lint, coverage and the
placement of cameras.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from smartstore.site.floor import Array, inside
from smartstore.site.parts import Site

BODY_M = 1.2
"""Height of the middle of a standing body, by which people are followed."""
FACE_STEP_M = 0.1
BEFORE_FACE_M = 0.02
"""Points of a face lie so far before it, in front of goods and price rails."""


@dataclass(frozen=True)
class FacePoints:
    """Points on the fronts of facings."""

    points_m: Array
    """(n, 3) in store metres."""
    places_m: Array
    """(n, 2): along the fixture from its left end, and up."""
    owners: NDArray[np.intp]
    """(n,): which of ``facings`` each point belongs to."""
    facings: tuple[str, ...]
    areas_m2: Array
    """(n,): the part of the front that a point stands for."""

    @cached_property
    def by_facing(self) -> dict[str, NDArray[np.intp]]:
        """Facing id -> its points."""
        return {facing: np.nonzero(self.owners == index)[0] for index, facing in enumerate(self.facings)}


def floor_points(site: Site, step_m: float) -> Array:
    """The middles (n, 2) of the squares of a grid over the floor that no fixture stands on."""
    walls = np.asarray(site.walls_m, float)
    low, high = walls.min(axis=0), walls.max(axis=0)
    xs, ys = (np.arange(low[axis] + step_m / 2, high[axis], step_m) for axis in (0, 1))
    points = np.stack(np.meshgrid(xs, ys, indexing="ij"), axis=-1).reshape(-1, 2)
    free = inside(points, walls)
    for fixture in site.fixtures.values():
        free &= ~inside(points, fixture.footprint_m())
    return np.asarray(points[free])


def face_points(site: Site, step_m: float = FACE_STEP_M) -> FacePoints:
    """Points over the front of every facing, from its board to the top of its items, at most ``step_m`` apart."""
    points, places, owners, areas = [], [], [], []
    for index, facing in enumerate(site.facings.values()):
        fixture, shelf = site.fixtures[facing.fixture], site.shelves[facing.shelf]
        high_m = site.items[facing.sku].size_m[2]
        across, up = (max(1, int(np.ceil(side / step_m))) for side in (facing.width_m, high_m))
        for column in range(across):
            for row in range(up):
                u = facing.offset_m + (column + 0.5) * facing.width_m / across
                z = shelf.height_m + (row + 0.5) * high_m / up
                points.append(fixture.point(u, -BEFORE_FACE_M, z))
                places.append((u, z))
                owners.append(index)
                areas.append(facing.width_m * high_m / (across * up))
    return FacePoints(
        np.array(points).reshape(-1, 3), np.array(places).reshape(-1, 2), np.array(owners, np.intp),
        tuple(site.facings), np.array(areas),
    )  # fmt: skip
