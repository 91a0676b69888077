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
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import COCO_JOINTS, LEFT_WRIST, RIGHT_WRIST, Hand, SeenPeople
from smartstore.site import Fixture, Site
from smartstore.vision import flock_kernels, sight_kernels
from smartstore.vision.flock import Flock
from smartstore.vision.rays import Numbers, RayTable

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


class HandOptions(NamedTuple):
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
    def of(cls, people: SeenPeople, camera: Numbers, table: RayTable, options: HandOptions) -> Self:
        """The wrists of ``people`` whom the cameras of these numbers (n,) see."""
        rays, across, angle = sight_kernels.palms(people.joints_px, camera, table.lenses, _ARM_JOINTS, options)
        seen = people.joints_px[:, _ARM_JOINTS[:, 0], 2] >= options.min_score
        return cls(seen, table.position_m[camera], rays, across, angle)


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
        origin_m, along, sigma_rad = wrists.origin_m[row], wrists.rays[row, side], wrists.sigma_rad[row, side]
        rays = origin_m, along, wrists.across[row, side], sigma_rad
        stale = flock_kernels.move(
            self._mean, self._cov, self._seen_ns, hand, t_ns, flock.mean, flock.cov, self.options
        )
        self._refused[stale] = 0
        accepted = self._cut(hand, *rays)
        lost = ~accepted & (self._refused[hand] >= self.options.refusals)
        if lost.any():
            self._by_the_shoulder(hand[lost], flock)
            accepted[lost] = self._cut(hand[lost], *(part[lost] for part in rays))
        depths = flock_kernels.depths(self._cov, hand, along)
        for i in np.flatnonzero(accepted & (depths >= self.options.open_depth_m**2)).tolist():
            self._at_the_shelf(int(hand[i]), origin_m[i], along[i])

    def told(self, t_ns: int) -> list[tuple[Hand, ...]]:
        """The hands that are known well enough at ``t_ns``, for each row of the flock."""
        since_ns = t_ns - round(self.options.stale_s * 1e9)
        which, sigma_m = flock_kernels.known(self._cov, self._seen_ns, since_ns, self.options.max_sigma_m)
        hands: list[list[Hand]] = [[] for _ in range(len(self._cov) // 2)]
        columns = which, self._mean[which], sigma_m, self._seen_ns[which], self._cov[which].reshape(-1, 9)
        for hand, (x, y, z), sigma, seen_ns, cov in zip(*(column.tolist() for column in columns), strict=True):
            hands[hand // 2].append(Hand(_SIDES[hand % 2], x, y, z, sigma, seen_ns, tuple(cov)))
        return [tuple(both) for both in hands]

    def _by_the_shoulder(self, hands: Rows, flock: Flock) -> None:
        """These may be anywhere within an arm's length."""
        for hand in hands.tolist():
            body = flock.mean[hand // 2], flock.cov[hand // 2]
            flock_kernels.put_down(self._mean[hand], self._cov[hand], *body, self.options)
        self._refused[hands] = 0

    def _cut(self, hand: Rows, origin_m: Array, along: Array, across: Array, sigma_rad: Array) -> Bools:
        """Updates hands with their rays (k,); False where a hand cannot be on a ray."""
        return flock_kernels.cut(
            self._mean, self._cov, self._refused, hand, origin_m, along, across, sigma_rad, self.options.gate
        )

    def _at_the_shelf(self, hand: int, origin: Array, ray: Array) -> None:
        """While the depth along the ray is open, a shelf face that the ray meets nearby settles it."""
        mean, cov = self._mean[hand], self._cov[hand]
        depth_var = float(ray @ cov @ ray)
        if depth_var < self.options.open_depth_m**2:
            return
        now_m = float((mean - origin) @ ray)
        at, along = origin.tolist(), ray.tolist()
        met = (_meets(fixture, at, along) for fixture in self._faces)
        errors = [distance - now_m for distance in met if distance is not None and abs(distance - now_m) < 0.4]
        if errors:
            gain = cov @ ray / (depth_var + self.options.face_sigma_m**2)
            mean += gain * min(errors, key=abs)
            cov -= np.outer(gain, ray @ cov)


def _meets(fixture: Fixture, origin: Sequence[float], ray: Sequence[float]) -> float | None:
    """Distance along a ray to a fixture's face, from the front; None where it passes by."""
    (nx, ny), (from_x, from_y, from_z), (along_x, along_y, along_z) = fixture.normal, origin, ray
    towards = -(along_x * nx + along_y * ny)
    _, v, _ = fixture.to_local((from_x, from_y, from_z))
    if towards < 1e-3 or v > 0:
        return None
    distance = -v / towards
    z = from_z + along_z * distance
    u, _, _ = fixture.to_local((from_x + along_x * distance, from_y + along_y * distance, z))
    inside = -0.05 < u < fixture.width_m + 0.05 and 0.1 < z < fixture.height_m + 0.15
    return distance if inside else None
