"""What a lens does to a pinhole picture: the sampling map from distorted pixels back to the pinhole's.

In: a camera. Out: the size of the pinhole picture that has to be drawn and the fixed-point map for ``cv2.remap``.
Pixels are continuous (pixel i covers [i, i + 1)); OpenCV samples at pixel centres, hence the halves.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sims.optics import Array, CameraSpec

WIDEST = 2.2
"""Largest normalised coordinate that is drawn: beyond about 65 degrees off the axis the lens shows black."""

Window = tuple[slice, slice]
"""Rows and columns of a picture."""
WHOLE: Window = (slice(None), slice(None))
STEP_PX = 32
"""Pinhole pictures grow in these steps, so that similar cameras share a renderer's buffers."""


@dataclass(frozen=True, slots=True, eq=False)
class LensMap:
    """How to bend a pinhole picture of ``width_px`` × ``height_px`` into the camera's: same focal length, axis in the
    middle.

    Renderers hand out pictures with the LAST row on top; the map turns them over on the way.
    """

    camera: CameraSpec
    scale: float
    """Size of the bent picture as a share of the camera's."""
    width_px: int
    height_px: int
    smooth: tuple[NDArray[np.int16], NDArray[np.uint16]]
    nearest: tuple[NDArray[np.float32], NDArray[np.float32]]

    def bend(self, picture: NDArray[np.uint8], part: Window = WHOLE) -> NDArray[np.uint8]:
        """The picture, or a part of the result, as the lens shows it."""
        first, second = self.smooth[0][part], self.smooth[1][part]
        bent = cv2.remap(picture, first, second, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(bent, np.uint8)

    def part(self, window: Window) -> Window:
        """The smallest part of the bent picture outside of which nothing shows of a window of the pinhole picture."""
        rows, columns = window
        share = np.linspace(0, 1, 17)
        x, y = columns.start + share * (columns.stop - columns.start), rows.start + share * (rows.stop - rows.start)
        side = np.ones(17)
        rim = np.column_stack([np.r_[x, x, x[0] * side, x[-1] * side], np.r_[y[0] * side, y[-1] * side, y, y]])
        half = np.array([self.width_px, self.height_px]) / 2
        xy = (rim - half) * [1, -1] / (self.camera.focal_px * self.scale)
        limit = np.sqrt(self.camera.valid_r2) * 0.999
        xy *= np.minimum(1.0, limit / np.maximum(np.linalg.norm(xy, axis=1, keepdims=True), 1e-9))
        pixels = self.camera.normalised_to_px(xy) * self.scale
        high = np.array(self.nearest[0].shape[::-1])
        start, stop = np.floor(pixels.min(axis=0)) - 2, np.ceil(pixels.max(axis=0)) + 2
        (x0, y0), (x1, y1) = np.clip(start, 0, high).astype(int), np.clip(stop, 0, high).astype(int)
        return slice(int(y0), int(y1)), slice(int(x0), int(x1))

    def bend_labels(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The same for labels, which must not be mixed."""
        bent = cv2.remap(labels, *self.nearest, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        return np.asarray(bent, np.uint8)


def lens_map(camera: CameraSpec, width_px: int, height_px: int) -> LensMap:
    """The map for pictures of ``width_px`` × ``height_px`` of a camera whose own size has the same shape."""
    scale = width_px / camera.width_px
    u, v = np.meshgrid(np.arange(width_px) + 0.5, np.arange(height_px) + 0.5)
    centre = np.array(camera.centre_px) * scale
    focal = camera.focal_px * scale
    wanted = (np.column_stack([u.ravel(), v.ravel()]) - centre) / focal
    xy = np.clip(undistort(camera, wanted), -WIDEST, WIDEST)
    half = np.abs(xy).max(axis=0) * focal
    size = STEP_PX * np.ceil(2 * (half + 1) / STEP_PX).astype(int)
    at = (xy * [focal, -focal] + size / 2 - 0.5).astype(np.float32).reshape(height_px, width_px, 2)
    first, second = cv2.convertMaps(at[:, :, 0], at[:, :, 1], cv2.CV_16SC2)
    nearest = (np.ascontiguousarray(at[:, :, 0]), np.ascontiguousarray(at[:, :, 1]))
    return LensMap(camera, scale, int(size[0]), int(size[1]), (first, second), nearest)


FOUND = 1e-8
"""Normalised coordinates this near are the ones looked for: a hundred thousandth of a pixel."""


def undistort(camera: CameraSpec, wanted: Array) -> Array:
    """Normalised coordinates (n, 2) that the lens moves to ``wanted``, by iteration inside its valid range."""
    if not any(camera.distortion):
        return wanted
    centre = np.array(camera.centre_px)
    guess = wanted.copy()
    limit = np.sqrt(camera.valid_r2) * 0.999
    for _ in range(25):
        error = wanted - (camera.normalised_to_px(guess) - centre) / camera.focal_px
        guess = guess + error * 0.8
        radius = np.linalg.norm(guess, axis=1, keepdims=True)
        guess *= np.minimum(1.0, limit / np.maximum(radius, 1e-9))
        if np.abs(error).max() < FOUND:
            break
    return guess
