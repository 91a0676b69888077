"""What stands in a building and on its shelves: products, shelves with plates and facings, fixtures and their frame.

A fixture's frame: u along the face to the shopper's right, v into the fixture (0 at the face), z up; metres.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sims.optics import Point


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """A product as a device meets it: mass with unit-to-unit spread, size (width, depth, height), look and price."""

    sku: str
    name: str
    grams: float
    grams_sigma: float
    size_m: Point
    shape: str
    colour: tuple[int, int, int]
    price_minor: int = 0


@dataclass(frozen=True, slots=True)
class Plate:
    """A load plate: ``offset_m`` from the left end of its fixture."""

    id: str
    fixture: str
    shelf: str
    offset_m: float
    width_m: float


@dataclass(frozen=True, slots=True)
class Facing:
    """A place for one product: ``columns`` side by side, ``rows`` in depth."""

    id: str
    fixture: str
    shelf: str
    sku: str
    offset_m: float
    width_m: float
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Shelf:
    """A shelf board whose top lies at ``height_m``, with ``clear_m`` of air above."""

    id: str
    fixture: str
    height_m: float
    clear_m: float
    plates: tuple[Plate, ...]
    facings: tuple[Facing, ...]


@dataclass(frozen=True, slots=True)
class ScaleSpec:
    """Sampling of a fixture's load cells."""

    rate_hz: float
    batch: int


@dataclass(frozen=True, slots=True)
class Fixture:
    """A gondola, cooler or table; its origin is the left end of the front edge as the shopper sees it."""

    id: str
    kind: str
    origin_m: tuple[float, float]
    facing_deg: float
    width_m: float
    depth_m: float
    height_m: float
    scale: ScaleSpec | None
    shelves: tuple[Shelf, ...]

    @property
    def normal(self) -> tuple[float, float]:
        """Unit vector that the face looks along."""
        angle = math.radians(self.facing_deg)
        return math.cos(angle), math.sin(angle)

    @property
    def along(self) -> tuple[float, float]:
        """Unit vector along the face to the shopper's right."""
        nx, ny = self.normal
        return -ny, nx

    def point(self, u_m: float, v_m: float, z_m: float) -> Point:
        """A point of the fixture's frame in store metres."""
        (nx, ny), (ux, uy) = self.normal, self.along
        return self.origin_m[0] + u_m * ux - v_m * nx, self.origin_m[1] + u_m * uy - v_m * ny, z_m

    def to_local(self, point_m: ArrayLike) -> Point:
        """A point in store metres as (u, v, z) of the fixture's frame."""
        x, y, z = (float(c) for c in np.asarray(point_m, float))
        dx, dy = x - self.origin_m[0], y - self.origin_m[1]
        (nx, ny), (ux, uy) = self.normal, self.along
        return dx * ux + dy * uy, -(dx * nx + dy * ny), z

    def footprint_m(self) -> tuple[tuple[float, float], ...]:
        """The four corners on the floor: front left, front right, back right, back left."""
        corners = [(0.0, 0.0), (self.width_m, 0.0), (self.width_m, self.depth_m), (0.0, self.depth_m)]
        return tuple(self.point(u, v, 0.0)[:2] for u, v in corners)
