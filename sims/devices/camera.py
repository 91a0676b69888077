"""A camera that sends pictures: scenes go in, JPEGs come out at its own frame rate, with exposure and sensor noise.

The same generator state and the same scenes give the same bytes.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from sims.devices.look import Picture
from sims.optics import CameraSpec
from sims.scene import Scene

TILE_PX = 1024
"""Side of the noise that is shifted about, instead of drawing a million numbers per picture."""
TILE_SIGMA = 64.0


@dataclass(frozen=True, slots=True)
class Sensor:
    """How a sensor turns light into numbers of 0 to 255."""

    exposure: float = 1.0
    shot: float = 0.035
    """Variance per grey level: photons arrive one by one."""
    read: float = 1.2
    """Standard deviation in the dark, in grey levels."""
    jpeg_quality: int = 88
    """1 to 100."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one camera."""

    camera: str
    t_ns: int
    jpeg: bytes
    width_px: int
    height_px: int


class Draws(Protocol):
    """What a camera needs of a renderer."""

    def render(self, scene: Scene, camera: CameraSpec) -> Picture:
        """RGB (h, w, 3)."""


class FrameCamera:
    """Watches scenes and sends a frame whenever one is due."""

    def __init__(
        self, spec: CameraSpec, renderer: Draws, rng: np.random.Generator, fps: float | None = None,
        sensor: Sensor | None = None,
    ) -> None:  # fmt: skip
        """``fps`` and ``sensor`` default to the document's rate and an ordinary sensor."""
        self.spec = spec
        self._renderer, self._rng = renderer, rng
        self._sensor = sensor or Sensor()
        self._period_ns = round(1e9 / (fps or spec.fps))
        self._due_ns: int | None = None
        self._bright, self._gain = _tables(self._sensor)

    def observe(self, scene: Scene) -> list[Frame]:
        """The frame of this scene, if one is due: the first at once, then one per period of event time."""
        if self._due_ns is not None and scene.t_ns < self._due_ns:
            return []
        missed = 0 if self._due_ns is None else (scene.t_ns - self._due_ns) // self._period_ns
        self._due_ns = (scene.t_ns if self._due_ns is None else self._due_ns) + (missed + 1) * self._period_ns
        picture = self.expose(self._renderer.render(scene, self.spec))
        height, width = picture.shape[:2]
        return [Frame(self.spec.id, scene.t_ns, encode(picture, self._sensor.jpeg_quality), width, height)]

    def expose(self, picture: Picture) -> Picture:
        """The picture as the sensor reads it: brighter or darker, with shot and read noise."""
        height, width = picture.shape[:2]
        bright = cv2.LUT(picture, self._bright)
        top, left = self._rng.integers(0, TILE_PX, 2)
        noise = _noise(height, width)[top : top + height, left : left + width]
        swing = cv2.multiply(cv2.LUT(bright, self._gain), noise, scale=1 / (8 * TILE_SIGMA), dtype=cv2.CV_16S)
        return np.asarray(cv2.add(bright, swing, dtype=cv2.CV_8U), np.uint8)


def encode(picture: Picture, quality: int) -> bytes:
    """An RGB picture as JPEG."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} cannot be written as JPEG")
    return bytes(data)


def _tables(sensor: Sensor) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Per grey level: the exposed level, and eight times its noise's deviation."""
    levels = np.arange(256)
    bright = np.clip(np.rint(levels * sensor.exposure), 0, 255).astype(np.uint8)
    sigma = np.sqrt(sensor.shot * levels + sensor.read**2)
    return bright, np.clip(np.rint(8 * sigma), 0, 255).astype(np.uint8)


@lru_cache(maxsize=4)
def _noise(height: int, width: int) -> NDArray[np.int16]:
    """Normal noise, mostly common to the three channels as after a demosaic, wide enough for any shift of a picture."""
    rng = np.random.default_rng(20)
    grey = rng.standard_normal((TILE_PX, TILE_PX, 1))
    colour = rng.standard_normal((TILE_PX, TILE_PX, 3))
    tile = np.rint(TILE_SIGMA * (0.8 * grey + 0.6 * colour)).astype(np.int16)
    rows, columns = np.arange(TILE_PX + height) % TILE_PX, np.arange(TILE_PX + width) % TILE_PX
    return np.ascontiguousarray(tile[rows][:, columns])
