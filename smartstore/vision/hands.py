"""Hands in three dimensions, from the wrists that any camera sees.

In: matched tracks and detections, view by view. Out: for each track the hands that are known just now, as ``Hand`` in
store metres. A hand is the **centre of the palm**: a wrist is moved along its forearm by
:attr:`HandOptions.palm_beyond_wrist` where the elbow is seen.

A ray fixes a hand across its direction only. Each hand is a small Kalman filter in space: rays of several cameras, at
their own times, meet in it as a weighted least-squares triangulation; what one ray leaves open is settled by the shelf
face that it meets and by how far an arm reaches from the shoulder.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import COCO_JOINTS, LEFT_WRIST, RIGHT_WRIST, Hand, SeenPerson
from smartstore.site import Fixture, Site
from smartstore.vision.floor import RayTable
from smartstore.vision.tracks import Track

Array = NDArray[np.float64]
_ARM = {
    "left": (COCO_JOINTS.index("left_elbow"), LEFT_WRIST),
    "right": (COCO_JOINTS.index("right_elbow"), RIGHT_WRIST),
}


@dataclass(frozen=True, slots=True)
class HandOptions:
    """What is assumed of wrists, arms and their motion."""

    min_score: float = 0.4
    palm_beyond_wrist: float = 0.36
    """Palm centre beyond the wrist as a share of the forearm (9 cm of 25 cm)."""
    pixel_sigma: float = 4.0
    survey_sigma_rad: float = 0.008
    reach_sigma_m: float = 0.35
    """Spread of a hand around the chest, at ``height_share`` of body height."""
    height_share: float = 0.65
    speed_m_s: float = 0.45
    """How fast a hand moves against the body."""
    gate: float = 16.0
    """Largest squared Mahalanobis distance (2 degrees of freedom) of a ray."""
    refusals: int = 3
    """So many rays in a row that miss a hand: it is somewhere else."""
    stale_s: float = 0.4
    max_sigma_m: float = 0.30
    open_depth_m: float = 0.15
    face_sigma_m: float = 0.18
    """A hand at a shelf is so near to its face."""


@dataclass(slots=True, eq=False)
class _Palm:
    mean: Array
    cov: Array
    t_ns: int
    refused: int = 0


Sight = tuple[Track, str, Array, float]
"""Whose hand, which side, the palm's pixel and the wrist's score."""


class HandTracker:
    """Keeps the hands of all tracks."""

    def __init__(self, site: Site, options: HandOptions) -> None:
        self.options = options
        self._faces = [fixture for fixture in site.fixtures.values() if fixture.shelves]
        self._hands: dict[Track, dict[str, _Palm]] = {}

    def observe(self, table: RayTable, t_ns: int, matched: Iterable[tuple[Track, SeenPerson]]) -> None:
        """Takes in the wrists of one view."""
        sights = [sight for track, person in matched for sight in self._wrists(track, person)]
        if not sights:
            return
        rays = table.rays(np.stack([pixel for _, _, pixel, _ in sights]))
        rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
        scores = np.array([score for *_, score in sights])
        palms = [self._palm(track, side, t_ns) for track, side, *_ in sights]
        accepted = self._cut(palms, table, rays, scores)
        lost = [i for i, palm in enumerate(palms) if not accepted[i] and palm.refused >= self.options.refusals]
        for i in lost:
            track, side, *_ = sights[i]
            palms[i] = self._hands[track][side] = self._by_the_shoulder(track, t_ns)
        if lost:
            again = self._cut([palms[i] for i in lost], table, rays[lost], scores[lost])
            accepted[lost] = again
        for palm, ray, taken in zip(palms, rays, accepted, strict=True):
            if taken:
                palm.t_ns = t_ns
                self._at_the_shelf(palm, table, ray)

    def of(self, track: Track, t_ns: int) -> tuple[Hand, ...]:
        """The hands of a track that are known well enough at ``t_ns``."""
        hands = []
        for side, palm in sorted(self._hands.get(track, {}).items()):
            sigma_m = math.sqrt((palm.cov[0, 0] + palm.cov[1, 1] + palm.cov[2, 2]) / 3)
            if (t_ns - palm.t_ns) / 1e9 <= self.options.stale_s and sigma_m <= self.options.max_sigma_m:
                x, y, z = (float(value) for value in palm.mean)
                hands.append(Hand(side, x, y, z, sigma_m, palm.t_ns))
        return tuple(hands)

    def drop(self, track: Track) -> None:
        """Forgets the hands of a track."""
        self._hands.pop(track, None)

    def keep(self, tracks: Sequence[Track]) -> None:
        """Forgets the hands of all other tracks."""
        if len(self._hands) > len(tracks):
            self._hands = {track: self._hands[track] for track in tracks if track in self._hands}

    def _wrists(self, track: Track, person: SeenPerson) -> Iterable[Sight]:
        joints = person.joints_px
        for side, (elbow, wrist) in _ARM.items() if len(joints) else ():
            score = float(joints[wrist, 2])
            if score < self.options.min_score:
                continue
            pixel = joints[wrist, :2]
            if joints[elbow, 2] >= self.options.min_score:
                pixel = pixel + self.options.palm_beyond_wrist * (pixel - joints[elbow, :2])
            yield track, side, pixel, score

    def _palm(self, track: Track, side: str, t_ns: int) -> _Palm:
        """The hand as it may be at ``t_ns``: it goes along with the body and moves by itself."""
        palms = self._hands.setdefault(track, {})
        palm = palms.get(side)
        if palm is None or (t_ns - palm.t_ns) / 1e9 > self.options.stale_s:
            palm = palms[side] = self._by_the_shoulder(track, t_ns)
            return palm
        dt_s = (t_ns - palm.t_ns) / 1e9
        palm.mean = palm.mean + np.array([track.mean[2], track.mean[3], 0.0]) * dt_s
        palm.cov = palm.cov + np.eye(3) * (self.options.speed_m_s * dt_s) ** 2
        palm.t_ns = t_ns
        return palm

    def _by_the_shoulder(self, track: Track, t_ns: int) -> _Palm:
        """Somewhere within an arm's length."""
        mean = np.array([track.mean[0], track.mean[1], self.options.height_share * track.mean[4]])
        spread = self.options.reach_sigma_m**2 + np.array([track.cov[0, 0], track.cov[1, 1], 0.0])
        return _Palm(mean, np.diag(spread), t_ns)

    def _cut(self, palms: Sequence[_Palm], table: RayTable, rays: Array, scores: Array) -> NDArray[np.bool_]:
        """Updates each palm with its ray; False, and nothing changed, where the hand cannot be on it."""
        origin = table.model.position_m
        mean, cov = np.stack([palm.mean for palm in palms]), np.stack([palm.cov for palm in palms])
        away = origin - mean
        distance = np.maximum(-np.einsum("ni,ni->n", away, rays), 0.3)
        angle = np.hypot(self.options.pixel_sigma * (2.0 - scores) / table.model.k[0, 0], self.options.survey_sigma_rad)
        across = _across(rays)
        offset = np.einsum("nij,nj->ni", across, away)
        cross = across @ cov
        spread = cross @ across.transpose(0, 2, 1) + np.eye(2) * ((angle * distance) ** 2)[:, None, None]
        gain = cross.transpose(0, 2, 1) @ np.linalg.inv(spread)
        solved = np.linalg.solve(spread, offset[:, :, None])[:, :, 0]
        accepted = np.einsum("ni,ni->n", offset, solved) <= self.options.gate
        mean = mean + np.einsum("nij,nj->ni", gain, offset)
        cov = cov - gain @ cross
        for i, palm in enumerate(palms):
            if accepted[i]:
                palm.mean, palm.cov, palm.refused = mean[i], (cov[i] + cov[i].T) / 2, 0
            else:
                palm.refused += 1
        return np.asarray(accepted)

    def _at_the_shelf(self, palm: _Palm, table: RayTable, ray: Array) -> None:
        """While the depth along the ray is open, a shelf face that the ray meets nearby settles it."""
        depth_var = float(ray @ palm.cov @ ray)
        if depth_var < self.options.open_depth_m**2:
            return
        origin = table.model.position_m
        now_m = float((palm.mean - origin) @ ray)
        met = (_meets(fixture, origin, ray) for fixture in self._faces)
        errors = [distance - now_m for distance in met if distance is not None and abs(distance - now_m) < 0.4]
        if not errors:
            return
        gain = palm.cov @ ray / (depth_var + self.options.face_sigma_m**2)
        palm.mean = palm.mean + gain * min(errors, key=abs)
        palm.cov = palm.cov - np.outer(gain, ray @ palm.cov)


def _across(rays: Array) -> Array:
    """Two unit vectors (n, 2, 3) across each ray (Duff et al., "Building an orthonormal basis, revisited", 2017)."""
    x, y, z = rays.T
    sign = np.copysign(1.0, z)
    a = -1.0 / (sign + z)
    b = x * y * a
    first = np.stack([1.0 + sign * x * x * a, sign * b, -sign * x], axis=1)
    return np.stack([first, np.stack([b, sign + y * y * a, -y], axis=1)], axis=1)


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
