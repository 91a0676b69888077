"""Hands in three dimensions, from the wrists that any camera sees.

In: matched tracks and detections, view by view. Out: for each track the hands that are known just now, as ``Hand`` in
store metres. A hand is the **centre of the palm**: a wrist is moved along its forearm by
:attr:`HandOptions.palm_beyond_wrist` where the elbow is seen.

A ray fixes a hand across its direction only. Each hand is a small Kalman filter in space: rays of several cameras, at
their own times, meet in it as a weighted least-squares triangulation; what one ray leaves open is settled by the shelf
face that it meets and by how far an arm reaches from the shoulder.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import COCO_JOINTS, LEFT_WRIST, RIGHT_WRIST, Hand
from smartstore.site import Fixture, Site
from smartstore.vision.floor import Bodies
from smartstore.vision.rays import RayTable
from smartstore.vision.tracks import Track

Array = NDArray[np.float64]
_SIDES = ("left", "right")
_ARM_JOINTS = np.array(
    [
        [LEFT_WRIST, COCO_JOINTS.index("left_elbow")],
        [RIGHT_WRIST, COCO_JOINTS.index("right_elbow")],
    ]
)


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
    told: Hand | None = None
    """The same as a fact, while nothing has changed."""


def _hand(side: int, palm: _Palm) -> Hand:
    if palm.told is None:
        sigma_m = math.sqrt((palm.cov[0, 0] + palm.cov[1, 1] + palm.cov[2, 2]) / 3)
        x, y, z = palm.mean.tolist()
        palm.told = Hand(_SIDES[side], x, y, z, sigma_m, palm.t_ns)
    return palm.told


@dataclass(frozen=True, slots=True, eq=False)
class Wrists:
    """The rays on which the palms of n people lie, left and right: where cameras stand and what they see of them."""

    seen: list[list[bool]]
    """Whether the wrist was seen well enough."""
    origin_m: Array
    """(n, 3), where the person's camera hangs."""
    rays: Array
    """(n, 2, 3), unit vectors."""
    across: Array
    """(n, 2, 2, 3), two unit vectors across each ray."""
    sigma_rad: Array
    """(n, 2), how uncertain the ray's direction is."""

    @classmethod
    def of(cls, bodies: Bodies, table: RayTable, options: HandOptions) -> Self:
        """The wrists of ``bodies``."""
        arms = bodies.joints_px[:, _ARM_JOINTS]
        wrist, elbow = arms[:, :, 0], arms[:, :, 1]
        bent = (elbow[..., 2] >= options.min_score)[..., None]
        palms = wrist[..., :2] + np.where(bent, options.palm_beyond_wrist * (wrist[..., :2] - elbow[..., :2]), 0.0)
        rays = table.rays(np.nan_to_num(palms), bodies.camera)
        rays /= np.linalg.norm(rays, axis=2, keepdims=True)
        pixels = options.pixel_sigma * (2.0 - wrist[..., 2])
        angle = np.hypot(pixels / table.focal_px[bodies.camera][:, None], options.survey_sigma_rad)
        seen = (wrist[..., 2] >= options.min_score).tolist()
        return cls(seen, table.position_m[bodies.camera], rays, _across(rays), angle)


class HandTracker:
    """Keeps the hands of all tracks."""

    def __init__(self, site: Site, options: HandOptions) -> None:
        self.options = options
        self._faces = [fixture for fixture in site.fixtures.values() if fixture.shelves]
        self._hands: dict[Track, dict[int, _Palm]] = {}

    def observe(self, t_ns: int, wrists: Wrists, met: Sequence[tuple[Track, int]]) -> None:
        """Takes in the wrists of one view: whose they are, and which row of ``wrists``."""
        sights = [(track, row, side) for track, row in met for side in (0, 1) if wrists.seen[row][side]]
        if not sights:
            return
        at = np.array([(row, side) for _, row, side in sights])
        palms = self._palms([(track, side) for track, _, side in sights], t_ns)
        accepted = self._cut(palms, wrists, at)
        lost = [i for i, palm in enumerate(palms) if not accepted[i] and palm.refused >= self.options.refusals]
        for i in lost:
            track, _, side = sights[i]
            palms[i] = self._hands[track][side] = self._by_the_shoulder(track, t_ns)
        if lost:
            accepted[lost] = self._cut([palms[i] for i in lost], wrists, at[lost])
        taken = np.flatnonzero(accepted)
        if len(taken):
            who, sides = at[taken].T
            rays, cov = wrists.rays[who, sides], np.array([palms[i].cov for i in taken])
            depths = np.einsum("ni,nij,nj->n", rays, cov, rays)
            for k in np.flatnonzero(depths >= self.options.open_depth_m**2).tolist():
                self._at_the_shelf(palms[taken[k]], wrists.origin_m[who[k]], rays[k], float(depths[k]))

    def of(self, track: Track, t_ns: int) -> tuple[Hand, ...]:
        """The hands of a track that are known well enough at ``t_ns``."""
        palms = self._hands.get(track)
        if not palms:
            return ()
        since_ns = t_ns - round(self.options.stale_s * 1e9)
        hands = [_hand(side, palms[side]) for side in (0, 1) if side in palms and palms[side].t_ns >= since_ns]
        return tuple(hand for hand in hands if hand.sigma_m <= self.options.max_sigma_m)

    def drop(self, track: Track) -> None:
        """Forgets the hands of a track."""
        self._hands.pop(track, None)

    def keep(self, tracks: Sequence[Track]) -> None:
        """Forgets the hands of all other tracks."""
        if len(self._hands) > len(tracks):
            self._hands = {track: self._hands[track] for track in tracks if track in self._hands}

    def _palms(self, hands: Sequence[tuple[Track, int]], t_ns: int) -> list[_Palm]:
        """The hands as they may be at ``t_ns``: they go along with the body and move by themselves."""
        palms: list[_Palm] = []
        moved: list[tuple[_Palm, Track, float]] = []
        for track, side in hands:
            known = self._hands.setdefault(track, {})
            palm = known.get(side)
            if palm is None or (t_ns - palm.t_ns) / 1e9 > self.options.stale_s:
                palm = known[side] = self._by_the_shoulder(track, t_ns)
            elif t_ns > palm.t_ns:
                moved.append((palm, track, (t_ns - palm.t_ns) / 1e9))
            palms.append(palm)
        if moved:
            dt_s = np.array([dt for *_, dt in moved])
            mean = np.array([palm.mean for palm, *_ in moved])
            mean[:, :2] += np.array([track.mean[3:] for _, track, _ in moved]) * dt_s[:, None]
            spread = ((self.options.speed_m_s * dt_s) ** 2)[:, None, None] * np.eye(3)
            cov = np.array([palm.cov for palm, *_ in moved]) + spread
            for i, (palm, *_) in enumerate(moved):
                palm.mean, palm.cov, palm.t_ns, palm.told = mean[i], cov[i], t_ns, None
        return palms

    def _by_the_shoulder(self, track: Track, t_ns: int) -> _Palm:
        """Somewhere within an arm's length."""
        mean = np.array([track.mean[0], track.mean[1], self.options.height_share * track.mean[2]])
        spread = self.options.reach_sigma_m**2 + np.array([track.cov[0, 0], track.cov[1, 1], 0.0])
        return _Palm(mean, np.diag(spread), t_ns)

    def _cut(self, palms: Sequence[_Palm], wrists: Wrists, at: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Updates each palm with its ray; False, and nothing changed, where the hand cannot be on it."""
        who, side = at.T
        rays, across, sigma_rad = wrists.rays[who, side], wrists.across[who, side], wrists.sigma_rad[who, side]
        mean, cov = np.array([palm.mean for palm in palms]), np.array([palm.cov for palm in palms])
        away = wrists.origin_m[who] - mean
        distance = np.maximum(-(away * rays).sum(axis=1), 0.3)
        offset = across @ away[:, :, None]
        cross = across @ cov
        spread = cross @ across.transpose(0, 2, 1) + np.eye(2) * ((sigma_rad * distance) ** 2)[:, None, None]
        inverse = np.linalg.inv(spread)
        gain = cross.transpose(0, 2, 1) @ inverse
        accepted = (offset * (inverse @ offset)).sum(axis=(1, 2)) <= self.options.gate
        mean += (gain @ offset)[:, :, 0]
        cov -= gain @ cross
        cov = (cov + cov.transpose(0, 2, 1)) / 2
        for i, palm in enumerate(palms):
            if accepted[i]:
                palm.mean, palm.cov, palm.refused, palm.told = mean[i], cov[i], 0, None
            else:
                palm.refused += 1
        return np.asarray(accepted)

    def _at_the_shelf(self, palm: _Palm, origin: Array, ray: Array, depth_var: float) -> None:
        """While the depth along the ray is open, a shelf face that the ray meets nearby settles it."""
        now_m = float((palm.mean - origin) @ ray)
        met = (_meets(fixture, origin, ray) for fixture in self._faces)
        errors = [distance - now_m for distance in met if distance is not None and abs(distance - now_m) < 0.4]
        if not errors:
            return
        gain = palm.cov @ ray / (depth_var + self.options.face_sigma_m**2)
        palm.mean = palm.mean + gain * min(errors, key=abs)
        palm.cov = palm.cov - np.outer(gain, ray @ palm.cov)


def _across(rays: Array) -> Array:
    """Two unit vectors (..., 2, 3) across each ray (Duff et al., "Building an orthonormal basis, revisited", 2017)."""
    x, y, z = np.moveaxis(rays, -1, 0)
    sign = np.copysign(1.0, z)
    a = -1.0 / (sign + z)
    b = x * y * a
    out = np.empty((*x.shape, 2, 3))
    out[..., 0, 0], out[..., 0, 1], out[..., 0, 2] = 1.0 + sign * x * x * a, sign * b, -sign * x
    out[..., 1, 0], out[..., 1, 1], out[..., 1, 2] = b, sign + y * y * a, -y
    return out


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
