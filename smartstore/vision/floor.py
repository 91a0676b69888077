"""Where people stand: from the joints of one picture to metres on the floor.

In: surveyed cameras and the people they see. Out, per person: position of the body's axis on the floor and body height,
with a covariance that says how well the camera's geometry fixes them.

Each joint stands at a known share of the body height above the floor, so its ray gives a point of the floor that
depends linearly on that height: ``floor = a - b * height``. All joints of a person together are one small weighted
least-squares problem in (x, y, height); joints that disagree with the others (a leaning head, a lifted foot) are
reweighted once, as in iteratively reweighted least squares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import COCO_JOINTS, SeenPerson
from smartstore.vision.rays import Numbers, RayTable
from smartstore.vision.symmetric import inverse

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Body:
    """How a standing body relates to one of its points: the point's height is ``share`` of body height."""

    share: float
    height_sigma_m: float
    """Spread of the point's height around its share: gait, posture, proportions."""
    offset_sigma_m: float
    """Horizontal spread around the body's axis: width of the body, stride, lean."""


_HEAD = Body(0.925, 0.06, 0.15)
_BODY: dict[str, Body] = {
    "nose": Body(0.91, 0.06, 0.17),
    "eye": Body(0.935, 0.06, 0.15),
    "ear": _HEAD,
    "shoulder": Body(0.82, 0.05, 0.18),
    "hip": Body(0.53, 0.05, 0.10),
    "knee": Body(0.285, 0.05, 0.14),
    "ankle": Body(0.05, 0.05, 0.17),
}
_KINDS = [name.split("_")[-1] for name in COCO_JOINTS]
_USED = [i for i, kind in enumerate(_KINDS) if kind in _BODY]
"""The joints that are looked at: arms say little about where a body stands."""
_POINTS = [*(_BODY[_KINDS[i]] for i in _USED), Body(0.0, 0.05, 0.20), Body(1.0, 0.06, 0.15)]
FOOT, CROWN = len(_USED), len(_USED) + 1
"""Two points beside the joints: middle of the box's lower and upper edge."""
_SHARE = np.array([point.share for point in _POINTS])
_HEIGHT_VAR = np.array([point.height_sigma_m**2 for point in _POINTS])
_OFFSET_VAR = np.array([point.offset_sigma_m**2 for point in _POINTS])


@dataclass(frozen=True, slots=True)
class FloorOptions:
    """What is assumed of joints, bodies and the survey."""

    min_score: float = 0.42
    """Joints with a lower score are not looked at."""
    pixel_sigma: float = 2.0
    """Spread of a joint in pixels, and in addition ``box_sigma`` of the box's height."""
    box_sigma: float = 0.02
    height_m: float = 1.70
    height_sigma_m: float = 0.20
    survey_sigma_rad: float = 0.006
    """The camera hangs a little off its survey."""
    survey_sigma_m: float = 0.02
    hidden_foot_m: float = 0.5
    """A box whose lower edge lies so much further away than its upper one has no feet in it."""
    min_joints: int = 3
    """With fewer joints the box's edges are used as well."""


@dataclass(frozen=True, slots=True, eq=False)
class Stands:
    """The people of one picture on the floor: ``mean`` (n, 3) of x, y and body height in metres, ``cov`` (n, 3, 3).

    ``known`` (n,) is False where nothing of the picture says where a person stands.
    """

    mean: Array
    cov: Array
    known: NDArray[np.bool_]


_NO_JOINTS = np.zeros((len(COCO_JOINTS), 3))


@dataclass(frozen=True, slots=True, eq=False)
class Bodies:
    """People as cameras see them, as whole arrays: (n, 4) boxes, (n, 17, 3) joints, and their cameras' numbers (n,)."""

    boxes_px: Array
    joints_px: Array
    camera: Numbers

    @classmethod
    def of(cls, people: Sequence[SeenPerson], camera: Numbers | int) -> Self:
        """``people`` whom the cameras of these numbers, or one camera, see."""
        joints = [person.joints_px if len(person.joints_px) else _NO_JOINTS for person in people]
        return cls(
            np.array([person.box_px for person in people], float).reshape(-1, 4),
            np.array(joints, float).reshape(-1, len(COCO_JOINTS), 3),
            np.full(len(people), camera, np.intp),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """Everything that has a ray: (n, 15, 2) pixels, (n, 15) scores and pixel sigmas."""

    pixels: Array
    scores: Array
    sigma_px: Array

    @classmethod
    def of(cls, bodies: Bodies, height_px: Array, options: FloorOptions) -> Self:
        boxes, joints = bodies.boxes_px, bodies.joints_px[:, _USED]
        pixels = np.empty((len(boxes), CROWN + 1, 2))
        pixels[:, :FOOT] = joints[:, :, :2]
        pixels[:, FOOT:, 0] = ((boxes[:, 0] + boxes[:, 2]) / 2)[:, None]
        pixels[:, FOOT:, 1] = boxes[:, 3:0:-2]
        scores = np.zeros(pixels.shape[:2])
        scores[:, :FOOT] = np.where(joints[:, :, 2] >= options.min_score, joints[:, :, 2], 0.0)
        few = np.count_nonzero(scores, axis=1) < options.min_joints
        scores[:, FOOT] = 0.5 * (few & (boxes[:, 3] < height_px - 3))
        scores[:, CROWN] = 0.5 * (few & (boxes[:, 1] > 3))
        base = options.pixel_sigma + options.box_sigma * (boxes[:, 3] - boxes[:, 1])
        pixels[np.isnan(pixels)] = 0.0
        return cls(pixels, scores, base[:, None] * (4.0 - 3.0 * np.minimum(scores, 1.0)))


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """What each point (n, 15) says of a body: it stands at ``floor - shift * height``, in x and in y (2, n, 15), with
    a symmetric weight in 1/m²: xx, xy, yy (3, n, 15), all zero for a point that is not used.
    """

    floor: Array
    shift: Array
    weight: Array

    @property
    def sums(self) -> Array:
        """What enters the least squares of x, y and height, point by point (9, n, 15): weights of x and x, x and y,
        y and y; of x, y and height with height; and of x, y and height with what is measured.
        """
        (xx, xy, yy), (bx, by), (fx, fy) = self.weight, self.shift, self.floor
        xh, yh = xx * bx + xy * by, xy * bx + yy * by
        xm, ym = xx * fx + xy * fy, xy * fx + yy * fy
        return np.stack([xx, xy, yy, xh, yh, bx * xh + by * yh, xm, ym, bx * xm + by * ym])

    def distance(self, mean: Array) -> Array:
        """Squared Mahalanobis distance (n, 15) of each point from where bodies stand: x, y and height (n, 3)."""
        (xx, xy, yy), (x, y) = self.weight, mean.T[:2, :, None] + self.shift * mean[:, 2:] - self.floor
        return np.asarray(xx * x * x + 2.0 * xy * x * y + yy * y * y)


def locate(bodies: Bodies, table: RayTable, options: FloorOptions) -> Stands:
    """Where everybody stands, whichever cameras see them: much cheaper at once than one by one."""
    if not len(bodies.camera):
        return Stands(np.zeros((0, 3)), np.zeros((0, 3, 3)), np.zeros(0, bool))
    position_m, focal_px = table.position_m[bodies.camera], table.focal_px[bodies.camera]
    points = _Points.of(bodies, table.height_px[bodies.camera], options)
    x, y, z = np.moveaxis(table.rays(points.pixels, bodies.camera), -1, 0)
    usable = (points.scores > 0) & (z < -0.03)
    slope = np.stack([x, y]) / np.where(usable, -z, 1.0)
    floor, shift = position_m.T[:2, :, None] + slope * position_m[:, 2:], slope * _SHARE
    usable[:, FOOT] &= ~_foot_hidden(floor, shift, usable, options)
    weight = _weights(slope, points.sigma_px / focal_px[:, None], position_m, options) * usable
    said = _Said(floor, shift, weight)
    sums = said.sums
    mean, _ = _solve(sums.sum(axis=2), options)
    trust = 1.0 / (1.0 + said.distance(mean) / 4.0)
    mean, cov = _solve((sums * trust).sum(axis=2), options)
    return Stands(mean, cov + _survey(mean, position_m, options), np.logical_or.reduce(usable, axis=1))


def _foot_hidden(floor: Array, shift: Array, usable: NDArray[np.bool_], options: FloorOptions) -> NDArray[np.bool_]:
    """Whether a box (n,) ends above the feet, behind something: its lower edge lies beyond what its upper edge says."""
    towards = shift[:, :, CROWN]
    crown = floor[:, :, CROWN] - towards * options.height_m
    beyond = ((floor[:, :, FOOT] - crown) * towards).sum(axis=0) / np.maximum(np.hypot(*towards), 1e-9)
    return np.asarray(usable[:, FOOT] & usable[:, CROWN] & (beyond > options.hidden_foot_m))


def _weights(slope: Array, angle: Array, position_m: Array, options: FloorOptions) -> Array:
    """Inverse covariance (3, n, 15), xx, xy and yy, in 1/m² of each point's place on the floor, at the usual height."""
    x, y = slope
    drop = np.maximum(position_m[:, 2:] - _SHARE * options.height_m, 0.3)
    away2 = x * x + y * y
    across = (angle * drop) ** 2 * (1.0 + away2)
    along = across * (1.0 + away2) + _HEIGHT_VAR * away2 + _OFFSET_VAR
    across += _OFFSET_VAR
    radial = (1.0 / along - 1.0 / across) / np.maximum(away2, 1e-18)
    return np.stack([1.0 / across + radial * x * x, radial * x * y, 1.0 / across + radial * y * y])


def _solve(sums: Array, options: FloorOptions) -> tuple[Array, Array]:
    """Weighted least squares of (x, y, height) from the ``sums`` (9, n) of all points: means (n, 3) and covariances
    (n, 3, 3); the usual height is one more measurement.
    """
    xx, xy, yy, xh, yh, hh, x, y, h = sums
    usual = options.height_sigma_m**-2
    normal = np.array([[xx + 1e-4, xy, xh], [xy, yy + 1e-4, yh], [xh, yh, hh + usual]])
    cov = inverse(normal.transpose(2, 0, 1))
    return (cov @ np.array([x, y, h + options.height_m * usual]).T[:, :, None])[:, :, 0], cov


def _survey(mean: Array, position_m: Array, options: FloorOptions) -> Array:
    """Covariance (n, 3, 3) that comes from the camera's own pose and moves all points of a picture together."""
    away = mean[:, :2] - position_m[:, :2]
    level = np.hypot(away[:, 0], away[:, 1])
    drop = position_m[:, 2] - 0.5 * mean[:, 2]
    distance2 = level**2 + drop**2
    along = (options.survey_sigma_rad * distance2 / np.maximum(drop, 0.5)) ** 2
    across = options.survey_sigma_rad**2 * distance2
    unit = away / np.maximum(level, 1e-6)[:, None]
    cov = np.zeros((len(mean), 3, 3))
    cov[:, :2, :2] = np.eye(2) * (across + options.survey_sigma_m**2)[:, None, None]
    cov[:, :2, :2] += unit[:, :, None] * unit[:, None, :] * (along - across)[:, None, None]
    cov[:, 2, 2] = 0.03**2
    return cov
