"""Blur of what moves while a shutter is open: people as wholes, and their hands by themselves.

In: a scene, the scene a moment before, a camera. Out: spots of its picture that are smeared along their motion. Only
spots that move by a pixel or more cost anything; what stands behind a body is smeared a little with it, at its rim.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sims.optics import Array, CameraSpec, Point
from sims.scene import BodyState, Scene

Picture = NDArray[np.uint8]

BODY_M = (0.28, 1.75)
"""Radius and height of the part that is smeared with a body."""
HAND_M = 0.16
LEAST_PX = 1.0
MOST_PX = 40.0


@dataclass(frozen=True, slots=True)
class Spot:
    """An ellipse of a picture and how far it moves while the shutter is open, pixels."""

    middle: tuple[float, float]
    radii: tuple[float, float]
    moves: tuple[float, float]


def spots(now: Scene, before: Scene | None, camera: CameraSpec, shutter_s: float) -> list[Spot]:
    """What moves in the picture of a camera; bodies first, then hands."""
    if before is None or not shutter_s or now.t_ns <= before.t_ns:
        return []
    share = shutter_s * 1e9 / (now.t_ns - before.t_ns)
    were = {person.person: person for person in before.people}
    pairs = [(person, were[person.person]) for person in now.people if person.person in were]
    found = [_body(person, was, camera, share) for person, was in pairs]
    for person, was in pairs:
        found.append(_hand(person.right_hand_m, was.right_hand_m, camera, share))
        found.append(_hand(person.left_hand_m, was.left_hand_m, camera, share))
    return [spot for spot in found if spot is not None]


def smear(picture: Picture, moving: list[Spot]) -> Picture:
    """The picture with its spots smeared along their motion."""
    for spot in moving:
        picture = _smeared(picture, spot)
    return picture


def _body(person: BodyState, was: BodyState, camera: CameraSpec, share: float) -> Spot | None:
    radius_m, height_m = BODY_M
    step = np.array([person.x_m - was.x_m, person.y_m - was.y_m, 0.0]) * share
    foot = np.array([person.x_m, person.y_m, 0.0])
    points = foot + np.array([[0, 0, 0.0], [0, 0, height_m / 2], [0, 0, height_m]])
    return _spot(camera, points, step, radius_m)


def _hand(hand_m: Point | None, was_m: Point | None, camera: CameraSpec, share: float) -> Spot | None:
    if hand_m is None or was_m is None:
        return None
    at = np.array(hand_m)
    return _spot(camera, at[None], (at - np.array(was_m)) * share, HAND_M)


def _spot(camera: CameraSpec, points: Array, step: Array, radius_m: float) -> Spot | None:
    """The ellipse around the projections of points that all move by ``step`` metres."""
    middle = points[len(points) // 2]
    both = camera.project(np.concatenate([points, (middle + step)[None]]))
    ends, after = both[:-1], both[-1]
    if np.isnan(both[[len(points) // 2, -1]]).any():
        return None
    moves = after - ends[len(points) // 2]
    if not LEAST_PX <= float(np.hypot(*moves)) <= MOST_PX:
        return None
    depth_m = float(camera.to_camera(middle)[0, 2])
    around = camera.focal_px * radius_m / max(depth_m, 0.3)
    low, high = np.nanmin(ends, axis=0), np.nanmax(ends, axis=0)
    x, y = (low + high) / 2
    rx, ry = (high - low) / 2 + around
    return Spot((float(x), float(y)), (float(rx), float(ry)), (float(moves[0]), float(moves[1])))


def _smeared(picture: Picture, spot: Spot) -> Picture:
    high, wide = picture.shape[:2]
    (x, y), (rx, ry) = spot.middle, spot.radii
    x0, x1 = int(np.clip(x - rx, 0, wide)), int(np.clip(x + rx + 1, 0, wide))
    y0, y1 = int(np.clip(y - ry, 0, high)), int(np.clip(y + ry + 1, 0, high))
    if x1 - x0 < 2 or y1 - y0 < 2:
        return picture
    part = picture[y0:y1, x0:x1]
    blurred = cv2.filter2D(part, -1, _line(spot.moves), borderType=cv2.BORDER_REPLICATE)
    mask = np.zeros(part.shape[:2], np.uint8)
    centre, axes = (round(x - x0), round(y - y0)), (max(1, round(rx)), max(1, round(ry)))
    cv2.ellipse(mask, centre, axes, 0.0, 0.0, 360.0, 255, -1)
    result = picture.copy()
    cv2.copyTo(blurred, mask, result[y0:y1, x0:x1])
    return result


def _line(moves: tuple[float, float]) -> NDArray[np.float32]:
    """A kernel that averages along a displacement in pixels."""
    half = int(np.ceil(max(abs(moves[0]), abs(moves[1])) / 2)) + 1
    size, steps = 2 * half + 1, 4 * half + 1
    kernel = np.zeros((size, size), np.float32)
    along = np.linspace(-0.5, 0.5, steps)
    xs, ys = along * moves[0] + half, along * moves[1] + half
    for x, y in zip(xs, ys, strict=True):
        left, top = int(x), int(y)
        fx, fy = x - left, y - top
        for dx, dy, weight in (
            (0, 0, (1 - fx) * (1 - fy)),
            (1, 0, fx * (1 - fy)),
            (0, 1, (1 - fx) * fy),
            (1, 1, fx * fy),
        ):
            kernel[min(top + dy, size - 1), min(left + dx, size - 1)] += weight
    return np.asarray(kernel / kernel.sum(), np.float32)
