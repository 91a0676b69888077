"""What the cameras of a store see of its floor and of its shelf faces, before anything is built.

In: a store as the product reads it, and how many people are in it. Out: a :class:`Coverage`: for every place how likely
at least 1, 2 and 3 cameras see it, pixels per metre on every shelf face, and the blind spots.

Fixtures, goods and walls hide as in :mod:`smartstore.site.sight`. People hide as upright bodies that stand anywhere on
the free floor, independently of each other (a Boolean model: a line of sight is free with probability
exp(-density * width * length below the crown), Chiu, Stoyan, Kendall, Mecke: Stochastic Geometry, section 3.1), and
independently for each camera.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from smartstore.site import Site
from smartstore.site.sight import CLASSES_PX_M, Solids, density_class, face_density, seen
from smartstore.site.targets import BODY_M, FacePoints, face_points, floor_points

Array = NDArray[np.float64]

FLOOR_STEP_M = 0.2
AT_LEAST = (1, 2, 3)
CROWN_M, BODY_WIDTH_M = 1.72, 0.44
"""Height and breadth of the bodies that hide things: the mean over both sexes of the 50th percentile (ISO 7250-2)."""
OWN_M = 0.3
"""Nobody stands so close to the place that is looked at."""
BLIND = 0.5
"""A place that at least one camera sees less likely than this is blind."""


class CoverageError(Exception):
    """A coverage that cannot be computed: one line."""


@dataclass(frozen=True)
class FacingView:
    """How one facing is seen. ``at_least``: share of its front that 1, 2, 3 cameras see. ``px_m``: the median over its
    front of the pixels per metre of the best camera."""

    facing: str
    fixture: str
    sku: str
    at_least: tuple[float, float, float]
    px_m: float

    @property
    def density_class(self) -> str | None:
        """By IEC 62676-4:2025; None below "overview"."""
        return density_class(self.px_m)


@dataclass(frozen=True)
class BlindSpot:
    """A connected piece of floor that cameras do not see, at the height of a body's middle."""

    x_m: float
    y_m: float
    area_m2: float


@dataclass(frozen=True)
class Coverage:
    """What cameras see of a store. Chances are (3, n): at least 1, 2, 3 cameras."""

    store: str
    cameras: tuple[str, ...]
    density_per_m2: float
    step_m: float
    floor_m: Array
    """(n, 2): middles of the squares of the free floor; looked at in the height :data:`BODY_M`."""
    floor_chance: Array
    faces: FacePoints
    face_chance: Array
    face_px_m: Array
    """(n,): pixels per metre of the camera that has most; 0 where there is none."""
    facings: tuple[FacingView, ...]
    blind_floor: tuple[BlindSpot, ...]
    """Largest first."""

    @property
    def floor(self) -> tuple[float, float, float]:
        """Shares of the free floor that at least 1, 2, 3 cameras see."""
        return _three(self.floor_chance.mean(axis=1))

    @property
    def shelf(self) -> tuple[float, float, float]:
        """Shares of the area of all shelf faces that at least 1, 2, 3 cameras see."""
        return _three(np.average(self.face_chance, axis=1, weights=self.faces.areas_m2))

    @property
    def blind_facings(self) -> tuple[str, ...]:
        """Facings of whose front less than half is seen by any camera."""
        return tuple(view.facing for view in self.facings if view.at_least[0] < BLIND)

    @property
    def classes(self) -> dict[str, float]:
        """Share of the area of all shelf faces that reaches each class of IEC 62676-4:2025."""
        areas = self.faces.areas_m2
        return {name: float(areas[self.face_px_m >= px].sum() / areas.sum()) for name, px in CLASSES_PX_M.items()}

    def document(self) -> dict[str, Any]:
        """Everything but the single points, for JSON."""
        return {
            "store": self.store,
            "cameras": list(self.cameras),
            "people_per_m2": self.density_per_m2,
            "floor": dict(zip(map(str, AT_LEAST), _rounded(self.floor), strict=True)),
            "shelf_faces": dict(zip(map(str, AT_LEAST), _rounded(self.shelf), strict=True)),
            "shelf_faces_by_class": {name: round(share, 4) for name, share in self.classes.items()},
            "facings": [
                {
                    "facing": view.facing, "fixture": view.fixture, "sku": view.sku, "px_per_m": round(view.px_m, 1),
                    "class": view.density_class,
                    "seen": dict(zip(map(str, AT_LEAST), _rounded(view.at_least), strict=True)),
                }
                for view in self.facings
            ],
            "blind_floor": [
                {"x_m": round(spot.x_m, 2), "y_m": round(spot.y_m, 2), "area_m2": round(spot.area_m2, 2)}
                for spot in self.blind_floor
            ],
            "blind_facings": list(self.blind_facings),
        }  # fmt: skip


def coverage(site: Site, density_per_m2: float = 0.0, step_m: float = FLOOR_STEP_M) -> Coverage:
    """What all cameras of a store see, with ``density_per_m2`` people on each square metre of the free floor.

    Raises:
        CoverageError: the store has no cameras or nothing on its shelves, or the numbers cannot be.
    """
    cameras = list(site.cameras.values())
    if not cameras:
        raise CoverageError(f"store {site.store} has no cameras; add some, or let `sim place-cameras` propose them")
    if not site.facings:
        raise CoverageError(f"store {site.store} has no facings, so there are no shelf faces to see; add some")
    if not 0 <= density_per_m2 <= 5:
        raise CoverageError(f"{density_per_m2:g} people per square metre cannot be; give 0 to 5")
    solids, free = Solids(site), FreeSight(site, density_per_m2)
    floor, faces = floor_points(site, step_m), face_points(site)
    bodies = np.column_stack([floor, np.full(len(floor), BODY_M)])
    eyes = np.array([camera.model.position_m for camera in cameras])
    floor_chance = at_least(seen([camera.model for camera in cameras], solids, bodies) * free.chance(eyes, bodies))
    density = face_density(cameras, site, solids, faces)
    face_chance = at_least((density > 0) * free.chance(eyes, faces.points_m))
    px_m = density.max(axis=0)
    return Coverage(
        site.store, tuple(site.cameras), density_per_m2, step_m, floor, floor_chance, faces, face_chance, px_m,
        tuple(_facing_views(site, faces, face_chance, px_m)), _blind_spots(floor, floor_chance[0], step_m),
    )  # fmt: skip


def at_least(chances: Array) -> Array:
    """From chances (c, n) that each camera sees a place to those (3, n) that at least 1, 2, 3 of them do."""
    exactly = np.zeros((4, chances.shape[1]))
    exactly[0] = 1.0
    for chance in chances:
        exactly[3] += exactly[2] * chance
        for count in (2, 1):
            exactly[count] = exactly[count] * (1 - chance) + exactly[count - 1] * chance
        exactly[0] *= 1 - chance
    return np.stack([exactly[1:].sum(axis=0), exactly[2:].sum(axis=0), exactly[3]])


class FreeSight:
    """How likely nobody stands in a line of sight."""

    def __init__(self, site: Site, density_per_m2: float) -> None:
        self._fixtures, self._density = list(site.fixtures.values()), density_per_m2

    def chance(self, eyes_m: Array, points_m: Array) -> Array:
        """For each of the eyes (c, 3) and points (n, 3): (c, n)."""
        if self._density == 0:
            return np.ones((len(eyes_m), len(points_m)))
        eyes = eyes_m[:, None]
        ray = points_m[None] - eyes
        length = np.linalg.norm(ray[..., :2], axis=2)
        drop = np.minimum(ray[..., 2], -1e-9)
        first = np.clip((CROWN_M - eyes[..., 2]) / drop, 0.0, 1.0)
        last = np.clip(1.0 - OWN_M / np.maximum(length, 1e-9), 0.0, 1.0)
        below = np.maximum(last - first, 0.0)
        for fixture in self._fixtures:
            nx, ny = fixture.normal
            start, way = eyes[..., :2] - np.asarray(fixture.origin_m), ray[..., :2]
            near, far = first, last
            for axis, side in ((np.array([-ny, nx]), fixture.width_m), (np.array([-nx, -ny]), fixture.depth_m)):
                at, step = start @ axis, way @ axis
                step = np.where(np.abs(step) < 1e-12, 1e-12, step)
                one, two = -at / step, (side - at) / step
                near, far = np.maximum(near, np.minimum(one, two)), np.minimum(far, np.maximum(one, two))
            below = below - np.maximum(far - near, 0.0)
        return np.asarray(np.exp(-self._density * BODY_WIDTH_M * length * np.maximum(below, 0.0)))


def _facing_views(site: Site, faces: FacePoints, chance: Array, px_m: Array) -> list[FacingView]:
    return [
        FacingView(
            name, site.facings[name].fixture, site.facings[name].sku, _three(chance[:, mine].mean(axis=1)),
            float(np.median(px_m[mine])),
        )
        for name, mine in faces.by_facing.items()
    ]  # fmt: skip


def _blind_spots(floor_m: Array, chance: Array, step_m: float) -> tuple[BlindSpot, ...]:
    """Connected squares that are blind."""
    low = floor_m.min(axis=0)
    cells = np.round((floor_m - low) / step_m).astype(int)
    grid = np.zeros(cells.max(axis=0) + 1, bool)
    blind = chance < BLIND
    grid[tuple(cells[blind].T)] = True
    labels, count = ndimage.label(grid)
    mine = labels[tuple(cells.T)]
    spots = [floor_m[blind & (mine == number)] for number in range(1, count + 1)]
    found = [BlindSpot(float(s[:, 0].mean()), float(s[:, 1].mean()), len(s) * step_m**2) for s in spots]
    return tuple(sorted(found, key=lambda spot: -spot.area_m2))


def _three(values: Array) -> tuple[float, float, float]:
    one, two, three = (float(value) for value in values)
    return one, two, three


def _rounded(values: tuple[float, ...]) -> list[float]:
    return [round(value, 4) for value in values]
