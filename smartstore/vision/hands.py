"""Hands in three dimensions, from the wrists that any camera sees.

In: matched tracks and detections, moment by moment. Out: for each track the hands that are known just now, as ``Hand``
in store metres. A hand is the **centre of the palm**: a wrist is moved along its forearm by
:attr:`HandOptions.palm_beyond_wrist` where the elbow is seen.

A ray fixes a hand across its direction only. Each hand is a small Kalman filter in space: the rays of several cameras,
of one moment or at their own times, meet in it as a weighted least-squares triangulation; what they leave open is
settled by the shelf face that one meets and by how far an arm reaches from the shoulder. All hands are moved, and all
rays of a moment taken in, at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import COCO_JOINTS, LEFT_WRIST, RIGHT_WRIST, Hand
from smartstore.site import Fixture, Site
from smartstore.vision.flock import Flock
from smartstore.vision.floor import Bodies
from smartstore.vision.rays import RayTable
from smartstore.vision.symmetric import inverse

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Bools = NDArray[np.bool_]
NEVER_NS = -(1 << 62)
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


@dataclass(frozen=True, slots=True, eq=False)
class Wrists:
    """The rays on which the palms of n people lie, left and right: where cameras stand and what they see of them."""

    seen: NDArray[np.bool_]
    """(n, 2), whether the wrist was seen well enough."""
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
        return cls(wrist[..., 2] >= options.min_score, table.position_m[bodies.camera], rays, _across(rays), angle)


class HandTracker:
    """Keeps the hands of all tracks of a flock: of its row r the left one is hand 2 r, the right one 2 r + 1."""

    def __init__(self, site: Site, options: HandOptions) -> None:
        self.options = options
        self._faces = [fixture for fixture in site.fixtures.values() if fixture.shelves]
        self._mean, self._cov = np.zeros((0, 3)), np.zeros((0, 3, 3))
        self._seen_ns = np.zeros(0, np.int64)
        """When a hand was last looked for; before all times: never."""
        self._refused = np.zeros(0, np.intp)
        """Rays in a row that missed it."""

    def join(self, tracks: int) -> None:
        """So many more tracks have no hands yet."""
        more = 2 * tracks
        self._mean = np.concatenate([self._mean, np.zeros((more, 3))])
        self._cov = np.concatenate([self._cov, np.zeros((more, 3, 3))])
        self._seen_ns = np.concatenate([self._seen_ns, np.full(more, NEVER_NS)])
        self._refused = np.concatenate([self._refused, np.zeros(more, np.intp)])

    def keep(self, rows: Sequence[int]) -> None:
        """Only the tracks of these rows go on."""
        hands = (2 * np.asarray(rows, np.intp)[:, None] + (0, 1)).ravel()
        self._mean, self._cov = self._mean[hands], self._cov[hands]
        self._seen_ns, self._refused = self._seen_ns[hands], self._refused[hands]

    def observe(self, t_ns: int, flock: Flock, met: Rows, wrists: Wrists, rows: Rows) -> None:
        """Takes in the wrists of one moment: whose they are (rows of ``flock``), and which ``rows`` of ``wrists``."""
        which, side = np.nonzero(wrists.seen[rows])
        if not len(which):
            return
        row, hand = rows[which], 2 * met[which] + side
        rays = _Rays.of(wrists, row, side, hand)
        self._move(_each(hand), t_ns, flock)
        accepted = self._cut(rays)
        lost = ~accepted & (self._refused[hand] >= self.options.refusals)
        if lost.any():
            self._by_the_shoulder(_each(hand[lost]), flock)
            accepted[lost] = self._cut(_Rays.of(wrists, row[lost], side[lost], hand[lost]))
        depths = np.einsum("ni,nij,nj->n", rays.along, self._cov[hand], rays.along)
        for i in np.flatnonzero(accepted & (depths >= self.options.open_depth_m**2)).tolist():
            self._at_the_shelf(int(hand[i]), rays.origin_m[i], rays.along[i])

    def told(self, t_ns: int) -> list[tuple[Hand, ...]]:
        """The hands that are known well enough at ``t_ns``, for each row of the flock."""
        sigma_m = np.sqrt((self._cov[:, 0, 0] + self._cov[:, 1, 1] + self._cov[:, 2, 2]) / 3)
        known = (self._seen_ns >= t_ns - round(self.options.stale_s * 1e9)) & (sigma_m <= self.options.max_sigma_m)
        hands: list[list[Hand]] = [[] for _ in range(len(known) // 2)]
        which = np.flatnonzero(known)
        covs = self._cov[which].reshape(-1, 9).tolist()
        for hand, place, cov in zip(which.tolist(), self._mean[which].tolist(), covs, strict=True):
            told = Hand(
                _SIDES[hand % 2],
                place[0],
                place[1],
                place[2],
                float(sigma_m[hand]),
                int(self._seen_ns[hand]),
                tuple(cov),
            )
            hands[hand // 2].append(told)
        return [tuple(both) for both in hands]

    def _move(self, hands: Rows, t_ns: int, flock: Flock) -> None:
        """The hands as they may be at ``t_ns``: they go along with the body and move by themselves."""
        dt_s = (t_ns - self._seen_ns[hands]) / 1e9
        self._mean[hands, :2] += flock.mean[hands // 2, 3:] * dt_s[:, None]
        self._cov[hands] += ((self.options.speed_m_s * dt_s) ** 2)[:, None, None] * np.eye(3)
        self._seen_ns[hands] = t_ns
        stale = dt_s > self.options.stale_s
        if stale.any():
            self._by_the_shoulder(hands[stale], flock)

    def _by_the_shoulder(self, hands: Rows, flock: Flock) -> None:
        """These may be anywhere within an arm's length."""
        mean, cov = flock.mean[hands // 2], flock.cov[hands // 2]
        self._mean[hands] = mean[:, :3] * (1.0, 1.0, self.options.height_share)
        self._cov[hands] = np.eye(3) * self.options.reach_sigma_m**2
        self._cov[hands, (0,), (0,)] += cov[:, 0, 0]
        self._cov[hands, (1,), (1,)] += cov[:, 1, 1]
        self._refused[hands] = 0

    def _cut(self, rays: "_Rays") -> Bools:
        """Updates the hands with their rays; False, and nothing changed, where a hand cannot be on a ray.

        In information form what independent rays say of a hand adds up: each fixes it across its direction.
        """
        away = rays.origin_m - self._mean[rays.hand]
        along = (away * rays.along).sum(axis=1)
        noise = (rays.sigma_rad * np.maximum(-along, 0.3)) ** 2
        accepted = self._distance(rays, away, noise) <= self.options.gate
        on, hands = rays.hand[accepted], _each(rays.hand[accepted])
        weight = ((np.eye(3) - rays.along[:, :, None] * rays.along[:, None, :]) / noise[:, None, None])[accepted]
        said, news = np.zeros_like(self._cov), np.zeros((*self._mean.shape, 1))
        np.add.at(said, on, weight)
        np.add.at(news, on, weight @ away[accepted, :, None])
        cov = inverse(inverse(self._cov[hands]) + said[hands])
        self._cov[hands] = cov
        self._mean[hands] += (cov @ news[hands])[:, :, 0]
        np.add.at(self._refused, rays.hand[~accepted], 1)
        self._refused[hands] = 0
        return np.asarray(accepted)

    def _distance(self, rays: "_Rays", away: Array, noise: Array) -> Array:
        """Squared Mahalanobis distance (2 degrees of freedom) of each hand from its ray."""
        offset = (rays.across @ away[:, :, None])[:, :, 0]
        spread = rays.across @ self._cov[rays.hand] @ rays.across.transpose(0, 2, 1)
        first, second, both = spread[:, 0, 0] + noise, spread[:, 1, 1] + noise, spread[:, 0, 1]
        x, y = offset.T
        return np.asarray((second * x * x - 2.0 * both * x * y + first * y * y) / (first * second - both * both))

    def _at_the_shelf(self, hand: int, origin: Array, ray: Array) -> None:
        """While the depth along the ray is open, a shelf face that the ray meets nearby settles it."""
        mean, cov = self._mean[hand], self._cov[hand]
        depth_var = float(ray @ cov @ ray)
        if depth_var < self.options.open_depth_m**2:
            return
        now_m = float((mean - origin) @ ray)
        met = (_meets(fixture, origin, ray) for fixture in self._faces)
        errors = [distance - now_m for distance in met if distance is not None and abs(distance - now_m) < 0.4]
        if errors:
            gain = cov @ ray / (depth_var + self.options.face_sigma_m**2)
            mean += gain * min(errors, key=abs)
            cov -= np.outer(gain, ray @ cov)


@dataclass(frozen=True, slots=True, eq=False)
class _Rays:
    """The rays (n,) of one moment that were seen, and on which ``hand`` each of them lies."""

    hand: Rows
    origin_m: Array
    along: Array
    across: Array
    sigma_rad: Array

    @classmethod
    def of(cls, wrists: Wrists, rows: Rows, side: Rows, hand: Rows) -> Self:
        """These wrists."""
        return cls(
            hand,
            wrists.origin_m[rows],
            wrists.rays[rows, side],
            wrists.across[rows, side],
            wrists.sigma_rad[rows, side],
        )


def _each(hands: Rows) -> Rows:
    """The numbers that occur, each once."""
    return np.flatnonzero(np.bincount(hands))


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
