"""What cameras see of people as places on the floor: the arithmetic of :mod:`smartstore.vision.floor`, compiled.

In: pixels, one row per person. Out: rays, and where people stand. Lengths in metres.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from smartstore.compiled import compiled

if TYPE_CHECKING:
    from smartstore.vision.floor import FloorOptions
    from smartstore.vision.hands import HandOptions

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Bools = NDArray[np.bool_]
Six = tuple[float, float, float, float, float, float]
"""A symmetric matrix: xx, xy, xz, yy, yz, zz."""


class Lenses(NamedTuple):
    """The rays of several cameras on grids of pixels; a camera is a number."""

    nodes: Array
    """(nodes, 3): directions, camera by camera and row by row."""
    first: Rows
    """Where a camera's nodes begin."""
    columns: Rows
    rows: Rows
    position_m: Array
    focal_px: Array
    height_px: Array
    step_px: float
    margin_px: float
    """So far outside of the picture the grid begins."""


@compiled
def rays(pixels: Array, wanted: Bools, camera: Rows, lenses: Lenses) -> Array:
    """Directions (n, k, 3) of pixels (n, k, 2) of cameras (n,), of almost unit length, by bilinear interpolation; those
    far outside are taken to the edge, and what is no number to the corner of the picture. Zeros for those that are not
    ``wanted`` (n, k).
    """
    out = np.zeros((len(pixels), pixels.shape[1], 3))
    for i in range(len(pixels)):
        c = camera[i]
        for k in range(pixels.shape[1]):
            if not wanted[i, k]:
                continue
            x = 0.0 if np.isnan(pixels[i, k, 0]) else pixels[i, k, 0]
            y = 0.0 if np.isnan(pixels[i, k, 1]) else pixels[i, k, 1]
            x, y = (x + lenses.margin_px) / lenses.step_px, (y + lenses.margin_px) / lenses.step_px
            column = int(min(max(x, 0.0), lenses.columns[c] - 2.0))
            row = int(min(max(y, 0.0), lenses.rows[c] - 2.0))
            x, y = min(max(x - column, 0.0), 1.0), min(max(y - row, 0.0), 1.0)
            above = lenses.first[c] + row * lenses.columns[c] + column
            below = above + lenses.columns[c]
            for axis in range(3):
                left, right = lenses.nodes[above, axis], lenses.nodes[above + 1, axis]
                low, far = lenses.nodes[below, axis], lenses.nodes[below + 1, axis]
                out[i, k, axis] = left + x * (right - left) + y * (low - left + x * (far - right - low + left))
    return out


@compiled
def _inverse(xx: float, xy: float, xz: float, yy: float, yz: float, zz: float) -> Six:
    """The inverse of a symmetric matrix, by cofactors."""
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    of = 1.0 / (xx * a + xy * b + xz * c)
    return a * of, b * of, c * of, (xx * zz - xz * xz) * of, (xy * xz - xx * yz) * of, (xx * yy - xy * xy) * of


@compiled
def _fill(m: Array, of: Six) -> None:
    """Writes a symmetric matrix into an array (3, 3)."""
    m[0, 0], m[0, 1], m[0, 2], m[1, 1], m[1, 2], m[2, 2] = of
    m[1, 0], m[2, 0], m[2, 1] = m[0, 1], m[0, 2], m[1, 2]


@compiled
def points(
    boxes_px: Array, joints_px: Array, used: Rows, height_px: Array, options: "FloorOptions"
) -> tuple[Array, Array, Array]:
    """What has a ray of people with boxes (n, 4) and joints (n, 17, 3): the ``used`` joints (k,), then the middles of
    the box's lower and upper edge. Returns their pixels (n, k + 2, 2), and scores and standard deviations in pixels (n,
    k + 2).
    """
    n, k = len(boxes_px), len(used)
    pixels, scores, sigma_px = np.empty((n, k + 2, 2)), np.zeros((n, k + 2)), np.empty((n, k + 2))
    for i in range(n):
        left, top, right, bottom = boxes_px[i, 0], boxes_px[i, 1], boxes_px[i, 2], boxes_px[i, 3]
        seen = 0
        for j in range(k):
            joint = joints_px[i, used[j]]
            pixels[i, j, 0], pixels[i, j, 1] = joint[0], joint[1]
            if joint[2] >= options.min_score:
                scores[i, j] = joint[2]
                seen += scores[i, j] > 0
        pixels[i, k, 0] = pixels[i, k + 1, 0] = (left + right) / 2
        pixels[i, k, 1], pixels[i, k + 1, 1] = bottom, top
        if seen < options.min_joints:
            scores[i, k] = 0.5 * (bottom < height_px[i] - 3)
            scores[i, k + 1] = 0.5 * (top > 3)
        base = options.pixel_sigma + options.box_sigma * (bottom - top)
        for j in range(k + 2):
            sigma_px[i, j] = base * (4.0 - 3.0 * min(scores[i, j], 1.0))
    return pixels, scores, sigma_px


@compiled
def stands(
    directions: Array, scores: Array, sigma_rad: Array, position_m: Array, body: Array, options: "FloorOptions"
) -> tuple[Array, Array, Bools]:
    """Where n people stand of whom each point (n, k) was seen in a direction (n, k, 3) from a camera at (n, 3): x, y
    and body height (n, 3) with covariances (n, 3, 3), and whether anything says so (n,).

    ``body`` (k, 3): share of the body's height, and the variances of height and offset of each point. A point says that
    the body stands at ``floor - shift * height``, with a symmetric weight xx, xy, yy in 1/m²: all six are its ``said``.
    """
    n, k = scores.shape
    mean, cov, known = np.empty((n, 3)), np.empty((n, 3, 3)), np.zeros(n, np.bool_)
    said, usable, trust = np.zeros((k, 7)), np.zeros(k, np.bool_), np.ones(k)
    for i in range(n):
        camera = position_m[i]
        for j in range(k):
            x, y, z = directions[i, j, 0], directions[i, j, 1], directions[i, j, 2]
            usable[j] = scores[i, j] > 0 and z < -0.03
            if usable[j]:
                _say(said[j], x / -z, y / -z, sigma_rad[i, j], camera, body[j], options)
        if usable[k - 2] and usable[k - 1] and _foot_hidden(said[k - 2], said[k - 1], options):
            usable[k - 2] = False
        for j in range(k):
            known[i] = known[i] or usable[j]
            trust[j] = 1.0 if usable[j] else 0.0
        place = _least_squares(said, trust, options)
        for j in range(k):
            trust[j] = usable[j] / (1.0 + _distance2(said[j], place[0]) / 4.0)
        place = _least_squares(said, trust, options)
        mean[i, 0], mean[i, 1], mean[i, 2] = place[0]
        _fill(cov[i], place[1])
        _survey(cov[i], mean[i], camera, options)
    return mean, cov, known


@compiled
def _say(
    said: Array, x: float, y: float, sigma_rad: float, camera_m: Array, part: Array, options: "FloorOptions"
) -> None:
    """Notes what a point says that is seen (x, y) to the side for each metre down: floor, shift and weight."""
    share, height_var, offset_var = part[0], part[1], part[2]
    said[0], said[1] = camera_m[0] + x * camera_m[2], camera_m[1] + y * camera_m[2]
    said[2], said[3] = x * share, y * share
    drop = max(camera_m[2] - share * options.height_m, 0.3)
    away2 = x * x + y * y
    across = (sigma_rad * drop) ** 2 * (1.0 + away2)
    along = across * (1.0 + away2) + height_var * away2 + offset_var
    across += offset_var
    radial = (1.0 / along - 1.0 / across) / max(away2, 1e-18)
    said[4], said[5], said[6] = 1.0 / across + radial * x * x, radial * x * y, 1.0 / across + radial * y * y


@compiled
def _foot_hidden(foot: Array, crown: Array, options: "FloorOptions") -> bool:
    """Whether a box ends above the feet, behind something: its lower edge lies beyond what its upper edge says."""
    x, y = crown[2], crown[3]
    beyond = (foot[0] - crown[0] + x * options.height_m) * x + (foot[1] - crown[1] + y * options.height_m) * y
    return bool(beyond / max(np.hypot(x, y), 1e-9) > options.hidden_foot_m)


@compiled
def _least_squares(said: Array, trust: Array, options: "FloorOptions") -> tuple[tuple[float, float, float], Six]:
    """x, y and height with their covariance from all points; the usual height is one more measurement."""
    usual = options.height_sigma_m**-2
    xx, xy, yy, xh, yh, hh, x, y, h = 1e-4, 0.0, 1e-4, 0.0, 0.0, usual, 0.0, 0.0, options.height_m * usual
    for j in range(len(said)):
        fx, fy, bx, by = said[j, 0], said[j, 1], said[j, 2], said[j, 3]
        wxx, wxy, wyy = said[j, 4] * trust[j], said[j, 5] * trust[j], said[j, 6] * trust[j]
        px, py, mx, my = wxx * bx + wxy * by, wxy * bx + wyy * by, wxx * fx + wxy * fy, wxy * fx + wyy * fy
        xx, xy, yy, xh, yh = xx + wxx, xy + wxy, yy + wyy, xh + px, yh + py
        hh, x, y, h = hh + bx * px + by * py, x + mx, y + my, h + bx * mx + by * my
    cov = _inverse(xx, xy, xh, yy, yh, hh)
    cxx, cxy, cxh, cyy, cyh, chh = cov
    return (cxx * x + cxy * y + cxh * h, cxy * x + cyy * y + cyh * h, cxh * x + cyh * y + chh * h), cov


@compiled
def _distance2(said: Array, place: tuple[float, float, float]) -> float:
    """Squared Mahalanobis distance of a point from where a body stands."""
    x, y = place[0] + said[2] * place[2] - said[0], place[1] + said[3] * place[2] - said[1]
    return float(said[4] * x * x + 2.0 * said[5] * x * y + said[6] * y * y)


@compiled
def _survey(cov: Array, mean: Array, camera_m: Array, options: "FloorOptions") -> None:
    """Adds the covariance that comes from the camera's own pose and moves all points of a picture together."""
    away_x, away_y = mean[0] - camera_m[0], mean[1] - camera_m[1]
    level, drop = np.hypot(away_x, away_y), camera_m[2] - 0.5 * mean[2]
    distance2 = level**2 + drop**2
    along = (options.survey_sigma_rad * distance2 / max(drop, 0.5)) ** 2
    across = options.survey_sigma_rad**2 * distance2
    x, y = away_x / max(level, 1e-6), away_y / max(level, 1e-6)
    cov[0, 0] += across + options.survey_sigma_m**2 + x * x * (along - across)
    cov[1, 1] += across + options.survey_sigma_m**2 + y * y * (along - across)
    cov[0, 1] += x * y * (along - across)
    cov[1, 0] += x * y * (along - across)
    cov[2, 2] += 0.03**2


@compiled
def palms(
    joints_px: Array, camera: Rows, lenses: Lenses, arms: Rows, options: "HandOptions"
) -> tuple[Array, Array, Array]:
    """The rays on which the palms of people with joints (n, 17, 3) lie, left and right: unit vectors (n, 2, 3), two
    unit vectors across each (n, 2, 2, 3), and how uncertain their direction is (n, 2), radians. ``arms`` (2, 2): the
    numbers of wrist and elbow of both sides.
    """
    n = len(joints_px)
    pixels, sigma_rad, across = np.empty((n, 2, 2)), np.empty((n, 2)), np.empty((n, 2, 2, 3))
    for i in range(n):
        for side in range(2):
            wrist, elbow = joints_px[i, arms[side, 0]], joints_px[i, arms[side, 1]]
            beyond = options.palm_beyond_wrist if elbow[2] >= options.min_score else 0.0
            for axis in range(2):
                pixels[i, side, axis] = wrist[axis] + (beyond * (wrist[axis] - elbow[axis]) if beyond else 0.0)
            angle = options.pixel_sigma * (2.0 - wrist[2]) / lenses.focal_px[camera[i]]
            sigma_rad[i, side] = np.hypot(angle, options.survey_sigma_rad)
    along = rays(pixels, np.ones((n, 2), np.bool_), camera, lenses)
    for i in range(n):
        for side in range(2):
            ray = along[i, side]
            length = np.sqrt(ray[0] ** 2 + ray[1] ** 2 + ray[2] ** 2)
            ray[0], ray[1], ray[2] = ray[0] / length, ray[1] / length, ray[2] / length
            _across(across[i, side], ray)
    return along, across, sigma_rad


@compiled
def _across(out: Array, ray: Array) -> None:
    """Two unit vectors across a ray (Duff et al., "Building an orthonormal basis, revisited", 2017)."""
    x, y, z = ray[0], ray[1], ray[2]
    sign = np.copysign(1.0, z)
    a = -1.0 / (sign + z)
    b = x * y * a
    out[0, 0], out[0, 1], out[0, 2] = 1.0 + sign * x * x * a, sign * b, -sign * x
    out[1, 0], out[1, 1], out[1, 2] = b, sign + y * y * a, -y


@compiled
def plausible(
    mean: Array, cov: Array, known: Bools, low_m: Array, high_m: Array, before_m: float, vague_m: Array
) -> Bools:
    """Who of n people, where that is ``known`` (n,), stands in the box between two corners (2,) or before it: so far
    and as much further as the place is uncertain, up to the first of ``vague_m``; not who is so uncertain as the other.
    """
    out = np.zeros(len(mean), np.bool_)
    for i in range(len(mean)):
        spread = np.sqrt((cov[i, 0, 0] + cov[i, 1, 1]) / 2)
        slack, around = before_m + min(spread, vague_m[0]), known[i] and spread < vague_m[1]
        for axis in range(2):
            around = around and low_m[axis] - slack < mean[i, axis] < high_m[axis] + slack
        out[i] = around
    return out
