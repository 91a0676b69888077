"""Lines of sight: people of a scene as solid bodies, and which points a camera cannot see for fixtures and people.

In: scenes, bodies and the building. Out: joints in store metres and masks of what is hidden. Metres throughout.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sims.building import Building
from sims.optics import CameraSpec
from sims.scene import BodyState, Scene

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

TORSO_M, OWN_TORSO_M = 0.17, 0.11
"""Radius of somebody's body for lines of sight to others and to their own arms."""
THIN_M = 0.03
"""Corners of fixtures thinner than this hide nothing."""
OPEN_M = 0.40
"""How deep one can look into an open shelf from the front."""
ARM_M = 0.07
AT_WALL_M = 0.15
"""What is so near to a wall is before it."""
NOSE, EYES, SHOULDERS, ELBOWS, WRISTS, HIPS, ANKLES = 0, (1, 2), (5, 6), (7, 8), (9, 10), (11, 12), (15, 16)


class Figures(Protocol):
    """The bodies that people have."""

    @property
    def count(self) -> int:
        """How many kinds there are."""

    def height_m(self, body: int) -> float:
        """Height of one kind."""

    def joints(self, state: BodyState) -> Array:
        """COCO joints (17, 3) in store metres."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Everybody inside the walls at one time: joints (n, 17, 3), body axes (n, 2), heights of the crowns (n,)."""

    t_ns: int
    people: tuple[BodyState, ...]
    joints: Array
    axes: Array
    crowns: Array

    @property
    def arms(self) -> Array:
        """Points along both arms and beyond the wrists of those who work with their hands: (m, 3)."""
        busy = [i for i, p in enumerate(self.people) if p.right_hand_m or p.left_hand_m]
        if not busy:
            return np.empty((0, 3))
        shoulders, elbows, wrists = (self.joints[busy][:, list(pair)] for pair in (SHOULDERS, ELBOWS, WRISTS))
        hands = wrists + 0.35 * (wrists - elbows)
        points = [(shoulders + elbows) / 2, elbows, (elbows + wrists) / 2, wrists, (wrists + hands) / 2, hands]
        return np.concatenate([p.reshape(-1, 3) for p in points])


class CrowdReader:
    """Poses the people of a scene once for all cameras that look at it."""

    def __init__(self, building: Building, figures: Figures) -> None:
        walls = np.array(building.walls_m)
        self._walls, self._next = walls.T, np.roll(walls, -1, axis=0).T
        self._figures = figures
        self._last: Crowd | None = None

    def read(self, scene: Scene) -> Crowd:
        """The crowd of a scene."""
        if self._last is None or self._last.t_ns != scene.t_ns:
            self._last = self._pose(scene)
        return self._last

    def _pose(self, scene: Scene) -> Crowd:
        people = tuple(p for p in scene.people if self._inside(p.x_m, p.y_m))
        if not people:
            return Crowd(scene.t_ns, (), np.empty((0, 17, 3)), np.empty((0, 2)), np.empty(0))
        joints = np.stack([self._figures.joints(p) for p in people])
        axes = joints[:, [5, 6, 11, 12], :2].mean(axis=1)
        crowns = joints[:, list(EYES), 2].mean(axis=1) + 0.12
        return Crowd(scene.t_ns, people, joints, axes, crowns)

    def _inside(self, x: float, y: float) -> bool:
        """Even-odd rule on the polygon of the walls."""
        (x0, y0), (x1, y1) = self._walls, self._next
        crossing = (y0 > y) != (y1 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = x0 + (y - y0) / (y1 - y0) * (x1 - x0)
        return bool(np.count_nonzero(crossing & (at > x)) % 2)


class Solids:
    """The fixtures of a building as boxes, open at the front if they have shelves, and the walls around it."""

    def __init__(self, building: Building) -> None:
        fixtures = list(building.fixtures.values())
        origin = np.array([f.origin_m for f in fixtures]).reshape(-1, 2)
        along, normal = (np.array([getattr(f, name) for f in fixtures]).reshape(-1, 2) for name in ("along", "normal"))
        zero, one = np.zeros((len(fixtures), 1)), np.ones((len(fixtures), 1))
        self._origin = np.column_stack([origin, zero])
        up = np.column_stack([zero, zero, one])
        self._axes = np.stack([np.column_stack([along, zero]), np.column_stack([-normal, zero]), up], axis=1)
        self._size = np.array([(f.width_m, f.depth_m, f.height_m) for f in fixtures]).reshape(-1, 3)
        self._open = np.array([bool(f.shelves) for f in fixtures])
        self._walls = _inner_walls(building)

    def hide(self, eyes_m: Array, points_m: Array) -> Mask:
        """Which of the points (m, 3) are behind or inside fixtures, or behind a wall, as seen from each of ``eyes_m``
        (c, 3): (c, m)."""
        walled = self._behind_walls(eyes_m, points_m)
        if not len(points_m) or not len(self._size):
            return walled
        start = np.einsum("fij,cfj->cfi", self._axes, eyes_m[:, None] - self._origin)[:, None]
        end = np.einsum("fij,mfj->mfi", self._axes, points_m[:, None] - self._origin)
        ray = end - start
        ray[ray == 0] = 1e-12
        one, two = -start / ray, (self._size - start) / ray
        near, far = np.minimum(one, two), np.maximum(one, two)
        by_face = near[..., 1] >= np.maximum(near[..., 0], near[..., 2])
        enters, leaves = near.max(axis=-1), far.min(axis=-1)
        length_m = np.sqrt(np.einsum("cmfi,cmfi->cmf", ray, ray))
        chord_m = (np.minimum(leaves, 1.0) - np.maximum(enters, 0.0)) * length_m
        by_front = by_face & (ray[..., 1] > 0) & self._open & (leaves >= 1.0)
        return np.asarray((chord_m > np.where(by_front, OPEN_M, THIN_M)).any(axis=2)) | walled

    def depth(self, points_m: Array) -> Array:
        """How deep each of the points (m, 3) is in a shelf, in metres; before its front that is negative, and minus
        infinity where there is none."""
        if not self._open.any():
            return np.full(len(points_m), -np.inf)
        own = np.einsum("fij,mfj->mfi", self._axes[self._open], points_m[:, None] - self._origin[self._open])
        size = self._size[self._open]
        before = ((own >= 0) & (own <= size))[..., [0, 2]].all(axis=2) & (own[..., 1] <= size[:, 1])
        return np.asarray(np.where(before, own[..., 1], -np.inf).max(axis=1))

    def _behind_walls(self, eyes_m: Array, points_m: Array) -> Mask:
        """Which lines of sight cross a wall, clearly before they end (an elbow may be in the plaster)."""
        hidden = np.zeros((len(eyes_m), len(points_m)), bool)
        if not len(self._walls):
            return hidden
        eyes = eyes_m[:, None, :2]
        rays = points_m[None, :, :2] - eyes
        ends = 1.0 - AT_WALL_M / np.maximum(np.linalg.norm(rays, axis=2), AT_WALL_M)
        for start, side in self._walls:
            across = rays[..., 0] * side[1] - rays[..., 1] * side[0]
            across = np.where(across == 0, 1e-12, across)
            away = start - eyes
            share = (away[..., 0] * side[1] - away[..., 1] * side[0]) / across
            along = (away[..., 0] * rays[..., 1] - away[..., 1] * rays[..., 0]) / across
            hidden |= (share > 0) & (share < ends) & (along > 0) & (along < 1)
        return hidden


def _inner_walls(building: Building) -> Array:
    """The sides of the outline as (start, vector), (w, 2, 2); none for a convex one, where no wall hides anything."""
    corners = np.array(building.walls_m, float)
    sides = np.roll(corners, -1, axis=0) - corners
    turns = sides[:, 0] * np.roll(sides[:, 1], -1) - sides[:, 1] * np.roll(sides[:, 0], -1)
    if (turns >= -1e-9).all() or (turns <= 1e-9).all():
        return np.empty((0, 2, 2))
    return np.stack([corners, sides], axis=1)


def hidden_by_people(eyes_m: Array, points_m: Array, crowd: Crowd, owners: NDArray[np.intp], own_arms: Mask) -> Mask:
    """Which of the points (m, 3) are behind a body as seen from each of ``eyes_m`` (c, 3): (c, m). ``owners``: whose
    point it is (-1: nobody's); one's own body hides only points that ``own_arms`` marks."""
    if not len(crowd.people) or not len(points_m):
        return np.zeros((len(eyes_m), len(points_m)), bool)
    eyes = eyes_m[:, None, None, :2]
    ray = points_m[None, :, None, :2] - eyes
    length2 = np.einsum("cmpi,cmpi->cmp", ray, ray) + 1e-9
    share = np.clip(np.einsum("cmpi,cmpi->cmp", crowd.axes[None, None] - eyes, ray) / length2, 0.0, 1.0)
    aside = eyes + share[..., None] * ray - crowd.axes
    gap2 = np.einsum("cmpi,cmpi->cmp", aside, aside)
    height = eyes_m[:, None, None, 2] + share * (points_m[None, :, None, 2] - eyes_m[:, None, None, 2])
    own = owners[:, None] == np.arange(len(crowd.people))
    radius = np.where(own, np.where(own_arms[:, None], OWN_TORSO_M, 0.0), TORSO_M)
    before = (1.0 - share) * np.sqrt(length2) > np.where(own, 0.12, 0.10)
    return np.asarray(((gap2 < radius**2) & (height < crowd.crowns) & before).any(axis=2))


def hidden_by_arms(eye_m: Array, points_m: Array, arms_m: Array) -> Mask:
    """Which of the points (m, 3) are behind an arm or a hand, given as points (k, 3) of their middle lines."""
    if not len(arms_m) or not len(points_m):
        return np.zeros(len(points_m), bool)
    ray = points_m[:, None] - eye_m
    share = np.clip(((arms_m - eye_m) * ray).sum(axis=2) / ((ray**2).sum(axis=2) + 1e-9), 0.0, 1.0)
    gap = np.linalg.norm(eye_m + share[:, :, None] * ray - arms_m, axis=2)
    return np.asarray((gap < ARM_M).any(axis=1))


class Lenses:
    """Many cameras at once; formulas as in :class:`sims.optics.CameraSpec`."""

    def __init__(self, specs: Sequence[CameraSpec]) -> None:
        self.eyes_m = np.array([s.position_m for s in specs], float).reshape(-1, 3)
        self.sizes_px = np.array([(s.width_px, s.height_px) for s in specs], float).reshape(-1, 2)
        self.focal_px = np.array([s.focal_px for s in specs], float)
        self._centres_px = np.array([s.centre_px for s in specs], float).reshape(-1, 2)
        self._rotation = np.array([s.rotation for s in specs]).reshape(-1, 3, 3)
        self._distortion = np.array([s.distortion for s in specs], float).reshape(-1, 5)
        self._valid_r2 = np.array([s.valid_r2 for s in specs])

    def project(self, cameras: NDArray[np.intp], points_m: Array) -> Array:
        """Points (m, 3) to distorted pixels (c, m, 2) of the chosen cameras; NaN where there is no picture of them."""
        local = np.einsum("cij,cmj->cmi", self._rotation[cameras], points_m - self.eyes_m[cameras, None])
        depth = np.where(local[..., 2] > 1e-6, local[..., 2], np.nan)
        x, y = local[..., 0] / depth, local[..., 1] / depth
        r2 = x * x + y * y
        r2 = np.where(r2 < self._valid_r2[cameras, None], r2, np.nan)
        k1, k2, p1, p2, k3 = self._distortion[cameras].T[:, :, None]
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        bent = np.stack(
            [x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y],
            axis=-1,
        )
        return np.asarray(bent * self.focal_px[cameras, None, None] + self._centres_px[cameras, None])
