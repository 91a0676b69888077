"""The parts of a surveyed store, as everything downstream of the store document knows them.

In: nothing. Out: frozen nouns with their geometry. Lengths are metres in the store's frame (x right, y to the back as
seen from the entry wall, z up). A fixture has its own frame: u along the face to the right of somebody who faces it, v
into the fixture from the face, z up from the floor.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from smartstore.domain.geometry import CameraModel
from smartstore.domain.items import Item

Point2 = tuple[float, float]
Point3 = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ScaleSpec:
    """How the load cells of a fixture report: samples per second and samples per message."""

    rate_hz: float
    batch: int


@dataclass(frozen=True, slots=True)
class Plate:
    """One load cell's plate: ``offset_m`` from the left end of the fixture."""

    id: str
    fixture: str
    shelf: str
    offset_m: float
    width_m: float


@dataclass(frozen=True, slots=True)
class Facing:
    """The place of one SKU on a shelf: ``columns`` side by side, ``rows`` in depth."""

    id: str
    fixture: str
    shelf: str
    sku: str
    offset_m: float
    width_m: float
    columns: int
    rows: int
    plates: tuple[str, ...]
    """The plates it stands on, left to right."""
    centre_m: Point3
    """The middle of its front, at half the item's height."""

    @property
    def capacity(self) -> int:
        """Items when fully stocked."""
        return self.columns * self.rows


@dataclass(frozen=True, slots=True)
class Shelf:
    """A board: ``height_m`` is its top surface, ``clear_m`` the free height above."""

    id: str
    fixture: str
    height_m: float
    clear_m: float
    plates: tuple[Plate, ...]
    facings: tuple[Facing, ...]


@dataclass(frozen=True, slots=True)
class Fixture:
    """A gondola, a cooler or a table. ``origin_m`` is the left end of its front edge on the floor."""

    id: str
    kind: str
    origin_m: Point2
    facing_deg: float
    width_m: float
    depth_m: float
    height_m: float
    scale: ScaleSpec | None
    shelves: tuple[Shelf, ...]
    """Bottom to top."""
    normal: Point2 = field(init=False, compare=False)
    """The unit vector out of the face, towards the shopper."""

    def __post_init__(self) -> None:
        angle = math.radians(self.facing_deg)
        object.__setattr__(self, "normal", (math.cos(angle), math.sin(angle)))

    def point(self, u_m: float, v_m: float, z_m: float) -> Point3:
        """From the fixture's frame to the store's."""
        nx, ny = self.normal
        return self.origin_m[0] - u_m * ny - v_m * nx, self.origin_m[1] + u_m * nx - v_m * ny, z_m

    def to_local(self, point_m: Point3) -> Point3:
        """From the store's frame to the fixture's: (u, v, z); v is negative in front of the face."""
        nx, ny = self.normal
        dx, dy = point_m[0] - self.origin_m[0], point_m[1] - self.origin_m[1]
        return -dx * ny + dy * nx, -dx * nx - dy * ny, point_m[2]

    def footprint_m(self) -> tuple[Point2, Point2, Point2, Point2]:
        """The four corners on the floor: front left, front right, back right, back left."""
        corners = ((0.0, 0.0), (self.width_m, 0.0), (self.width_m, self.depth_m), (0.0, self.depth_m))
        a, b, c, d = (self.point(u, v, 0.0)[:2] for u, v in corners)
        return a, b, c, d


@dataclass(frozen=True, slots=True)
class Gate:
    """A gap in the wall that people pass: kind "entry" or "exit"."""

    id: str
    kind: str
    line_m: tuple[Point2, Point2]


@dataclass(frozen=True, slots=True)
class Sign:
    """A notice to shoppers: kind "biometrics"."""

    id: str
    kind: str
    position_m: Point2


@dataclass(frozen=True, slots=True)
class SurveyedCamera:
    """A camera with its calibration; ``watches`` names the fixtures whose face a shelf camera looks at."""

    id: str
    kind: str
    watches: tuple[str, ...]
    fps: float
    model: CameraModel


@dataclass(frozen=True)
class Site:
    """One store: what stands where, what is for sale, and how it is seen."""

    store: str
    name: str
    currency: str
    tax_classes: Mapping[str, int]
    """Basis points, included in the prices."""
    walls_m: tuple[Point2, ...]
    ceiling_m: float
    gates: tuple[Gate, ...]
    fixtures: Mapping[str, Fixture]
    cameras: Mapping[str, SurveyedCamera]
    items: Mapping[str, Item]
    palm_station_m: Point2 | None = None
    signs: tuple[Sign, ...] = ()

    @cached_property
    def shelves(self) -> dict[str, Shelf]:
        """All shelves by id."""
        return {shelf.id: shelf for fixture in self.fixtures.values() for shelf in fixture.shelves}

    @cached_property
    def facings(self) -> dict[str, Facing]:
        """All facings by id."""
        return {facing.id: facing for shelf in self.shelves.values() for facing in shelf.facings}

    @cached_property
    def plates(self) -> dict[str, Plate]:
        """All plates by id."""
        return {plate.id: plate for shelf in self.shelves.values() for plate in shelf.plates}

    @cached_property
    def _shelved(self) -> tuple[tuple[float, float, float, float, Fixture], ...]:
        """The fixtures with shelves, each after its least and largest x and y."""
        out = []
        for fixture in self.fixtures.values():
            if fixture.shelves:
                x, y = zip(*fixture.footprint_m(), strict=True)
                out.append((min(x), max(x), min(y), max(y), fixture))
        return tuple(out)

    def shelved_near(self, x_m: float, y_m: float, metres: float) -> list[Fixture]:
        """The fixtures with shelves that may be so near to a point; the others surely are not."""
        return [
            fixture
            for left, right, front, back, fixture in self._shelved
            if left - metres <= x_m <= right + metres and front - metres <= y_m <= back + metres
        ]

    def facings_of_shelf(self, shelf: str) -> tuple[Facing, ...]:
        """The facings of a shelf, left to right."""
        return self.shelves[shelf].facings

    def facings_of_plate(self, plate: str) -> tuple[Facing, ...]:
        """The facings that stand on a plate, left to right."""
        shelf = self.shelves[self.plates[plate].shelf]
        return tuple(facing for facing in shelf.facings if plate in facing.plates)

    def watchers_of(self, fixture: str) -> tuple[str, ...]:
        """The shelf cameras that look at a fixture's face."""
        return tuple(camera.id for camera in self.cameras.values() if fixture in camera.watches)
