"""A camera that sends pictures: scenes go in, JPEGs come out at its own frame rate, with exposure, white balance,
blur of what moves, and sensor noise.

The same generator state and the same scenes give the same bytes.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from sims.devices.blur import smear, spots
from sims.devices.look import Picture
from sims.flaws import Sensor
from sims.optics import CameraSpec
from sims.scene import Scene

TILE_PX = 1024
"""Side of the noise that is shifted about, instead of drawing a million numbers per picture."""
TILE_SIGMA = 64.0


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
        tint = rng.spawn(1)[0].normal(size=3)
        gain = (1.0 + self._sensor.gain_share * tint[0]) * (
            1.0 + self._sensor.white_share * np.array([tint[1], 0.0, tint[2]])
        )
        self._tint = np.maximum(gain, 0.1)
        self._exposure = self._sensor.exposure
        self._exposed_ns: int | None = None
        self._before: Scene | None = None
        self._bright, self._gain = _tables(self._sensor, self._exposure * self._tint)

    @property
    def exposure(self) -> float:
        """What automatic exposure has come to, as a share of what is drawn."""
        return self._exposure

    def observe(self, scene: Scene) -> list[Frame]:
        """The frame of this scene, if one is due: the first at once, then one per period of event time."""
        before, self._before = self._before, scene
        if self._due_ns is not None and scene.t_ns < self._due_ns:
            return []
        missed = 0 if self._due_ns is None else (scene.t_ns - self._due_ns) // self._period_ns
        self._due_ns = (scene.t_ns if self._due_ns is None else self._due_ns) + (missed + 1) * self._period_ns
        drawn = self._renderer.render(scene, self.spec)
        if self._sensor.shutter_s:
            drawn = smear(drawn, spots(scene, before, self.spec, self._sensor.shutter_s))
        picture = self.expose(drawn)
        if self._sensor.auto_exposure:
            self._adapt(picture, scene.t_ns)
        height, width = picture.shape[:2]
        return [Frame(self.spec.id, scene.t_ns, encode(picture, self._sensor.jpeg_quality), width, height)]

    def expose(self, picture: Picture) -> Picture:
        """The picture as the sensor reads it: brighter or darker, tinted, with shot and read noise."""
        height, width = picture.shape[:2]
        bright = cv2.LUT(picture, self._bright)
        top, left = self._rng.integers(0, TILE_PX, 2)
        noise = _noise(height, width)[top : top + height, left : left + width]
        swing = cv2.multiply(cv2.LUT(bright, self._gain), noise, scale=1 / (8 * TILE_SIGMA), dtype=cv2.CV_16S)
        return np.asarray(cv2.add(bright, swing, dtype=cv2.CV_8U), np.uint8)

    def _adapt(self, picture: Picture, t_ns: int) -> None:
        """Automatic exposure: the next picture comes nearer to the aim, the nearer the more time has passed."""
        sensor = self._sensor
        passed_s = 0.0 if self._exposed_ns is None else (t_ns - self._exposed_ns) / 1e9
        self._exposed_ns = t_ns
        # What is metered is what was sent: glare that is cut off at 255 fools it, as it does real cameras.
        off = np.log(sensor.exposure_aim / max(float(picture[::8, ::8].mean()), 1.0))
        keep = np.exp(-passed_s / sensor.exposure_lag_s)
        self._exposure = float(np.clip(self._exposure * np.exp(sensor.auto_exposure * (1 - keep) * off), 0.1, 8.0))
        self._bright, self._gain = _tables(sensor, self._exposure * self._tint)


def encode(picture: Picture, quality: int) -> bytes:
    """An RGB picture as JPEG."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} cannot be written as JPEG")
    return bytes(data)


def _tables(sensor: Sensor, gains: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Per grey level and channel, for ``gains`` (3,): the exposed level, and eight times its noise's deviation."""
    levels = np.arange(256)
    bright = np.clip(np.rint(levels[:, None] * gains), 0, 255).astype(np.uint8)
    # Amplifying a darker picture amplifies its noise; exposing it longer would not, but shutters have an end.
    sigma = np.sqrt(sensor.shot * gains * levels[:, None] + (sensor.read * gains) ** 2)
    if np.ptp(gains) == 0:
        bright, sigma = bright[:, 0], sigma[:, 0]  # one table for all channels is quicker
        return bright, np.clip(np.rint(8 * sigma), 0, 255).astype(np.uint8)
    return bright[:, None, :], np.clip(np.rint(8 * sigma), 0, 255).astype(np.uint8)[:, None, :]


@lru_cache(maxsize=4)
def _noise(height: int, width: int) -> NDArray[np.int16]:
    """Normal noise, mostly common to the three channels as after a demosaic, wide enough for any shift of a picture."""
    rng = np.random.default_rng(20)
    grey = rng.standard_normal((TILE_PX, TILE_PX, 1))
    colour = rng.standard_normal((TILE_PX, TILE_PX, 3))
    tile = np.rint(TILE_SIGMA * (0.8 * grey + 0.6 * colour)).astype(np.int16)
    rows, columns = np.arange(TILE_PX + height) % TILE_PX, np.arange(TILE_PX + width) % TILE_PX
    return np.ascontiguousarray(tile[rows][:, columns])
