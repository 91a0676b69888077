"""Pictures as bytes of JPEG files, and the noise of a sensor on them."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def spoilt(picture: Picture, gain: float, sigma: float, rng: np.random.Generator) -> Picture:
    """The picture after a sensor that amplifies by ``gain`` and adds Gaussian noise of ``sigma`` grey levels."""
    noise = rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(sigma)
    return np.clip(picture * np.float32(gain) + noise, 0, 255).astype(np.uint8)


def encoded(picture: Picture, quality: int) -> bytes:
    """An RGB picture as a JPEG file of a quality of 1 to 100."""
    _, payload = cv2.imencode(".jpg", np.ascontiguousarray(picture[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(payload)
