"""Hands in three dimensions, from the wrists that any camera sees.

In: matched tracks and detections, view by view. Out: for each track the hands that are known just now, as ``Hand`` in store metres. A
hand is the **centre of the palm**: a wrist is moved along its forearm by :attr:`HandOptions.palm_beyond_wrist` where the elbow is seen.

A ray fixes a hand across its direction only. Each hand is a small Kalman filter in space: rays of several cameras, at their own times,
meet in it as a weighted least-squares triangulation; what one ray leaves open is settled by the shelf face that it meets and by
how far an arm reaches from the shoulder.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import COCO_JOINTS, LEFT_WRIST, RIGHT_WRIST, Hand, SeenPerson
from smartstore.site import Fixture, Site
from smartstore.vision.floor import RayTable
from smartstore.vision.tracks import Track

Array = NDArray[np.float64]
SIDES = {"left": LEFT_WRIST, "right": RIGHT_WRIST}
_ELBOW = {side: COCO_JOINTS.index(f"{side}_elbow") for side in SIDES}
_HIPS = [COCO_JOINTS.index("left_hip"), COCO_JOINTS.index("right_hip")]


@dataclass(frozen=True, slots=True)
class HandOptions:
    """What is assumed of wrists, arms and their motion."""

    min_score: float = 0.35
    palm_beyond_wrist: float = 0.36
    """Palm centre beyond the wrist as a share of the forearm (9 cm of 25 cm)."""
    pixel_sigma: float = 3.0
    survey_sigma_rad: float = 0.006
    reach_m: float = 0.75
    reach_sigma_m: float = 0.35
    speed_m_s: float = 0.7
    """How fast a hand moves against the body."""
    gate: float = 16.0
    """Largest squared Mahalanobis distance (2 degrees of freedom) of a ray."""
    stale_s: float = 0.4
    max_sigma_m: float = 0.30
    face_sigma_m: float = 0.10
    """A hand at a shelf is so near to its face."""


@dataclass(slots=True, eq=False)
class _Palm:
    mean: Array
    cov: Array
    t_ns: int
    refused: int = 0


@dataclass(slots=True)
class _Hands:
    palms: dict[str, _Palm] = field(default_factory=dict)


class HandTracker:
    """Keeps the hands of all tracks."""

    def __init__(self, site: Site, options: HandOptions = HandOptions()) -> None:
        self.options = options
        self._faces = [f for f in site.fixtures.values() if f.shelves]
        self._hands: dict[Track, dict[str, _Palm]] = {}

    def observe(self, table: RayTable, t_ns: int, matched: Iterable[tuple[Track, SeenPerson]]) -> None:
        """Takes in the wrists of one view."""
        for track, person in matched:
            if not len(person.joints_px):
                continue
            for side, wrist in SIDES.items():
                if person.joints_px[wrist, 2] >= self.options.min_score:
                    pixel = self._palm_px(person.joints_px, wrist, _ELBOW[side])
                    self._sight(track, side, t_ns, table, pixel, float(person.joints_px[wrist, 2]))

    def of(self, track: Track, t_ns: int) -> tuple[Hand, ...]:
        """The hands of a track that are known well enough at ``t_ns``."""
        hands = []
        for side, palm in sorted(self._hands.get(track, {}).items()):
            sigma_m = float(np.sqrt(np.trace(palm.cov) / 3))
            if (t_ns - palm.t_ns) / 1e9 <= self.options.stale_s and sigma_m <= self.options.max_sigma_m:
                x, y, z = (float(value) for value in palm.mean)
                hands.append(Hand(side, x, y, z, sigma_m))
        return tuple(hands)

    def rename(self, old: Track, new: Track) -> None:
        """The track ``old`` goes on as ``new``."""
        self._hands.pop(old, None)

    def keep(self, tracks: Sequence[Track]) -> None:
        """Forgets the hands of all other tracks."""
        alive = set(tracks)
        for track in [track for track in self._hands if track not in alive]:
            del self._hands[track]

    def _palm_px(self, joints: Array, wrist: int, elbow: int) -> Array:
        if joints[elbow, 2] < self.options.min_score:
            return np.asarray(joints[wrist, :2])
        return np.asarray(joints[wrist, :2] + self.options.palm_beyond_wrist * (joints[wrist, :2] - joints[elbow, :2]))

    def _sight(self, track: Track, side: str, t_ns: int, table: RayTable, pixel: Array, score: float) -> None:
        ray = table.rays(pixel)
        ray = ray / np.linalg.norm(ray)
        palms = self._hands.setdefault(track, {})
        palm = palms.get(side)
        if palm is None or (t_ns - palm.t_ns) / 1e9 > self.options.stale_s:
            palm = palms[side] = self._by_the_shoulder(track, t_ns)
        else:
            self._move(palm, track, t_ns)
        if not self._cut(palm, table, ray, score):
            palm.refused += 1
            if palm.refused >= 3:
                palm = palms[side] = self._by_the_shoulder(track, t_ns)
                self._cut(palm, table, ray, score)
            return
        palm.refused = 0
        palm.t_ns = t_ns
        self._at_the_shelf(palm, table, ray)

    def _by_the_shoulder(self, track: Track, t_ns: int) -> _Palm:
        """Somewhere within an arm's length."""
        mean = np.array([track.mean[0], track.mean[1], 0.65 * track.mean[4]])
        spread = self.options.reach_sigma_m**2 + np.array([track.cov[0, 0], track.cov[1, 1], 0.05**2])
        return _Palm(mean, np.diag(spread), t_ns)

    def _move(self, palm: _Palm, track: Track, t_ns: int) -> None:
        """The hand goes along with the body and moves by itself."""
        dt_s = (t_ns - palm.t_ns) / 1e9
        palm.mean = palm.mean + np.array([track.mean[2], track.mean[3], 0.0]) * dt_s
        palm.cov = palm.cov + np.eye(3) * (self.options.speed_m_s * dt_s) ** 2
        palm.t_ns = t_ns

    def _cut(self, palm: _Palm, table: RayTable, ray: Array, score: float) -> bool:
        """Updates with a ray; False, and nothing changed, when the hand cannot be there."""
        origin = table.model.position_m
        distance = max(float((palm.mean - origin) @ ray), 0.3)
        angle = np.hypot(self.options.pixel_sigma * (2.0 - score) / table.model.k[0, 0], self.options.survey_sigma_rad)
        across = _across(ray)
        offset = across @ (origin - palm.mean)
        spread = across @ palm.cov @ across.T + np.eye(2) * (angle * distance) ** 2
        solved = np.linalg.solve(spread, np.column_stack([offset, across @ palm.cov]))
        if float(offset @ solved[:, 0]) > self.options.gate:
            return False
        gain = palm.cov @ across.T
        palm.mean = palm.mean + gain @ solved[:, 0]
        palm.cov = palm.cov - gain @ solved[:, 1:]
        return True

    def _at_the_shelf(self, palm: _Palm, table: RayTable, ray: Array) -> None:
        """While the depth along the ray is open, a shelf face that the ray meets nearby settles it."""
        depth_var = float(ray @ palm.cov @ ray)
        if depth_var < 0.15**2:
            return
        origin = table.model.position_m
        best: tuple[float, float] | None = None
        for fixture in self._faces:
            distance = _meets(fixture, origin, ray)
            if distance is None:
                continue
            away = abs(distance - float((palm.mean - origin) @ ray))
            if away < 0.4 and (best is None or away < best[0]):
                best = away, distance
        if best is None:
            return
        error = best[1] - float((palm.mean - origin) @ ray)
        var = self.options.face_sigma_m**2 + 0.15**2
        gain = palm.cov @ ray / (depth_var + var)
        palm.mean = palm.mean + gain * error
        palm.cov = palm.cov - np.outer(gain, ray @ palm.cov)


def _across(ray: Array) -> Array:
    """Two unit vectors (2, 3) across a direction."""
    helper = np.array([1.0, 0.0, 0.0]) if abs(ray[0]) < 0.8 else np.array([0.0, 1.0, 0.0])
    first = np.cross(ray, helper)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(ray, first)])


def _meets(fixture: Fixture, origin: Array, ray: Array) -> float | None:
    """Distance along a ray to a fixture's face, from the front; None where it passes by."""
    nx, ny = fixture.normal
    towards = -(ray[0] * nx + ray[1] * ny)
    _, v, _ = fixture.to_local((float(origin[0]), float(origin[1]), float(origin[2])))
    if towards < 1e-3 or v > 0:
        return None
    distance = -v / towards
    x, y, z = (float(value) for value in origin + ray * distance)
    u, _, _ = fixture.to_local((x, y, z))
    inside = -0.05 < u < fixture.width_m + 0.05 and 0.1 < z < fixture.height_m + 0.15
    return distance if inside else None
