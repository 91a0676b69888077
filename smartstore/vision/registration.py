"""Where a shelf camera really looks: its calibration corrected by the edges of the shelves that it sees.

In: the surveyed camera, lines in store metres that must show as edges, and a picture. Out: camera models with corrected
poses, the likeliest first. A camera hangs up to half a degree and some centimetres off its survey, ten pixels or more,
and facings are thirty pixels wide: without this, the neighbour would be compared.

Edges are matched by chamfer distance (Barrow et al., 1977), separately for near-horizontal and near-vertical ones:
first a grid over pan and tilt, then a robust least-squares refinement of rotation, height and focal length, held to the
survey, with edges that attract from afar first and then only from near. Shelves repeat, so a wrong pose may lie on
edges as well as the right one: whoever knows what the shelves hold chooses among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from smartstore.domain.geometry import CameraModel

Array = NDArray[np.float64]
Line = tuple[Array, Array]
Kinds = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class RegistrationOptions:
    """How far off a camera may hang, and how edges are weighed."""

    max_deg: float = 1.6
    step_deg: float = 0.1
    prior_deg: float = 0.5
    prior_m: float = 0.03
    prior_focal: float = 0.005
    far_px: float = 12.0
    cut_px: float = 6.0
    """Edges further away than this are other edges: at first, and in the end."""
    quiet_px: float = 4.0
    quiet_weight: float = 0.7
    goods_weight: float = 0.3
    """Of goods against rails: they may be gone, and the next row then looks like the first one elsewhere."""
    spacing_px: float = 6.0
    starts: int = 4
    """So many places of the grid are refined, at least ``apart_deg`` apart."""
    apart_deg: float = 0.35
    same_deg: float = 0.15
    """Poses that are turned by less against each other are one."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What of a shelf face must show, as lines (pairs of points in store metres)."""

    rails: Sequence[Line]
    """Edges that are always there."""
    goods: Sequence[Line]
    """Edges of goods, as long as the shelf is full."""
    quiet: Sequence[Line]
    """Lines without any edge, such as the middle of a price rail: they tell its edges apart."""


@dataclass(frozen=True, slots=True, eq=False)
class _Target:
    """Points (n, 3) of all marks, which field each is looked up in, its weight (sum 1), the fields (3, h, w), and how
    far edges attract in them."""

    points: Array
    kind: Kinds
    weight: Array
    fields: Array
    cut_px: float


def poses(
    model: CameraModel, marks: Marks, picture: NDArray[np.uint8], options: RegistrationOptions | None = None
) -> list[CameraModel]:
    """``model`` with the poses under which ``marks`` lie well on the RGB ``picture`` (h, w, 3), the best first; as
    surveyed where there are too few marks to say."""
    options = options or RegistrationOptions()
    away = _from_edges(picture)
    far = _target(model, marks, away, options)
    if len(far.points) < 50:
        return [model]
    near = replace(far, fields=_fields(away, options.cut_px, options.quiet_px), cut_px=options.cut_px)
    found = []
    for tilt, pan in _search(model, far, options):
        x, cost = np.array([tilt, pan, 0.0, 0.0, 0.0, 0.0, 0.0]), np.inf
        for target in (far, near):
            fit = least_squares(
                _residuals, x, args=(model, target, options), loss="soft_l1", x_scale=_SCALE, max_nfev=30
            )
            x, cost = fit.x, float(fit.cost)
        found.append((cost, x))
    chosen: list[Array] = []
    for _, x in sorted(found, key=lambda pose: pose[0]):
        if all(np.abs(x[:3] - other[:3]).max() > np.radians(options.same_deg) for other in chosen):
            chosen.append(x)
    return [_turned(model, x) for x in chosen]


def _target(model: CameraModel, marks: Marks, away: NDArray[np.float32], options: RegistrationOptions) -> _Target:
    points, kind, weight = [], [], []
    for lines, share in ((marks.rails, 1.0), (marks.quiet, options.quiet_weight), (marks.goods, options.goods_weight)):
        at, level = _samples(model, lines, options)
        points.append(at)
        kind.append(np.full(len(at), 2) if lines is marks.quiet else np.where(level, 0, 1))
        weight.append(np.full(len(at), share / max(len(at), 1)))
    total = np.concatenate(weight)
    total /= max(float(total.sum()), 1e-9)
    fields = _fields(away, options.far_px, options.quiet_px)
    return _Target(np.concatenate(points), np.concatenate(kind), total, fields, options.far_px)


_SCALE = np.array([0.005, 0.005, 0.005, 0.02, 0.02, 0.02, 0.005])
"""Typical size of rotation (rad), shift (m) and relative change of the focal length."""


def _turned(model: CameraModel, x: Array) -> CameraModel:
    turn = Rotation.from_rotvec(x[:3]).as_matrix()
    k = model.k.copy()
    k[0, 0] *= 1 + x[6]
    k[1, 1] *= 1 + x[6]
    return replace(model, rotation=turn @ model.rotation, position_m=model.position_m + model.rotation.T @ x[3:6], k=k)


def _samples(
    model: CameraModel, lines: Sequence[Line], options: RegistrationOptions
) -> tuple[Array, NDArray[np.bool_]]:
    """Points (n, 3) along all lines, about ``spacing_px`` apart, and whether each line runs level in the picture."""
    points, level = [], []
    for start, end in lines:
        ends = model.project(np.stack([start, end]))
        if not np.isfinite(ends).all():
            continue
        across = np.abs(ends[1] - ends[0])
        count = max(2, int(across.max() / options.spacing_px))
        share = (np.arange(count) + 0.5)[:, None] / count
        points.append(start + share * (end - start))
        level.append(np.full(count, across[0] > across[1]))
    return np.concatenate(points or [np.zeros((0, 3))]), np.concatenate(level or [np.zeros(0, bool)])


def _from_edges(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How many pixels (3, h, w) it is to the nearest level edge, to the nearest upright one, and to any."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 1.2)
    dx, dy = cv2.Sobel(grey, cv2.CV_16S, 1, 0), cv2.Sobel(grey, cv2.CV_16S, 0, 1)
    edges = cv2.Canny(dx, dy, 40, 100) > 0
    flat = np.abs(dy) > np.abs(dx)
    return np.stack(
        [
            cv2.distanceTransform(np.where(chosen, 0, 255).astype(np.uint8), cv2.DIST_L2, 5)
            for chosen in (edges & flat, edges & ~flat, edges)
        ]
    )


def _fields(away: NDArray[np.float32], cut_px: float, quiet_px: float) -> Array:
    """Costs (3, h, w) in pixels: distance to the nearest level edge, to the nearest upright one, closeness to any."""
    fields = np.minimum(away, cut_px).astype(np.float64)
    fields[2] = cut_px * np.clip(1.0 - fields[2] / quiet_px, 0.0, 1.0)
    return fields


def _distances(model: CameraModel, points: Array, kind: Kinds, fields: Array, cut: float) -> Array:
    """The cost of each point in the field of its kind, bilinear between pixels; ``cut`` outside of the picture."""
    pixels = np.nan_to_num(model.project(points), nan=-1e3) - 0.5
    _, height, width = fields.shape
    inside = (pixels[:, 0] >= 0) & (pixels[:, 0] < width - 1) & (pixels[:, 1] >= 0) & (pixels[:, 1] < height - 1)
    x, y = np.clip(pixels[:, 0], 0, width - 1.001), np.clip(pixels[:, 1], 0, height - 1.001)
    a, b = x.astype(int), y.astype(int)
    u, v = x - a, y - b
    top = fields[kind, b, a] * (1 - u) + fields[kind, b, a + 1] * u
    bottom = fields[kind, b + 1, a] * (1 - u) + fields[kind, b + 1, a + 1] * u
    return np.where(inside, top * (1 - v) + bottom * v, cut)


def _search(model: CameraModel, target: _Target, options: RegistrationOptions) -> list[tuple[float, float]]:
    """The best few tilts and pans, radians, on a grid: shelves repeat, so there are several good ones."""
    part = slice(None, None, max(1, len(target.points) // 1500))
    steps = np.radians(np.arange(-options.max_deg, options.max_deg + 1e-9, options.step_deg))
    pixels = model.project(target.points[part]) - 0.5
    focal = model.k[0, 0]
    found = []
    for tilt in steps:
        for pan in steps:
            # A small turn about the camera's x axis moves the picture down, one about its y axis to the left.
            moved = pixels + np.array([pan, -tilt]) * focal
            away = _grid_costs(moved, target.kind[part], target.fields, target.cut_px)
            cost = float(np.average(away, weights=target.weight[part]))
            cost += 0.05 * (np.degrees(np.hypot(tilt, pan)) / options.prior_deg) ** 2
            found.append((cost, float(tilt), float(pan)))
    chosen: list[tuple[float, float]] = []
    for _, tilt, pan in sorted(found):
        if all(np.hypot(tilt - a, pan - b) > np.radians(options.apart_deg) for a, b in chosen):
            chosen.append((tilt, pan))
        if len(chosen) == options.starts:
            break
    return chosen


def _grid_costs(pixels: Array, kind: Kinds, fields: Array, cut: float) -> Array:
    _, height, width = fields.shape
    at = np.nan_to_num(np.rint(pixels), nan=-1).astype(int)
    inside = (at[:, 0] >= 0) & (at[:, 0] < width) & (at[:, 1] >= 0) & (at[:, 1] < height)
    x, y = np.clip(at[:, 0], 0, width - 1), np.clip(at[:, 1], 0, height - 1)
    return np.where(inside, fields[kind, y, x], cut)


def _residuals(x: Array, model: CameraModel, target: _Target, options: RegistrationOptions) -> Array:
    away = _distances(_turned(model, x), target.points, target.kind, target.fields, target.cut_px)
    spread = np.array([np.radians(options.prior_deg)] * 3 + [options.prior_m] * 3 + [options.prior_focal])
    # Neighbouring samples share their edge: all together weigh as much as some hundred independent ones.
    return np.concatenate([away * np.sqrt(200 * target.weight), x / spread])
