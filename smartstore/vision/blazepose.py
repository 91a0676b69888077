"""BlazePose, a landmark network that has seen only photographs of real people: crops in, COCO joints out.

In: an RGB picture and where somebody is, as BlazePose wants it: the middle of the hips, the radius of the circle
around it that holds the whole body, and which way is up for this body. Out: 17 COCO joints in pixels of the picture
with the probability that each can be seen, the probability that somebody is there, and the network's own idea of the
circle. The network file is not part of this project; see :mod:`smartstore.vision.wheels`.

The network, its input and its alignment are described in Bazarevsky et al., "BlazePose: On-device Real-time Body
Pose tracking" (2020), and in the model card of MediaPipe Pose: a square crop of 256 pixels, 1.25 times the circle's
diameter, turned so that the body's axis points up.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from smartstore.vision.wheels import File, Wheel

Picture = NDArray[np.uint8]
Matrix = NDArray[np.float64]

NETWORK = File(
    # The wheel of one platform serves all: the file inside is the same everywhere.
    Wheel("mediapipe", "0.10.21", ("manylinux_2_28_x86_64", "cp311")),
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
    "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
)
CROP_PX = 256
MARGIN = 1.25
"""Side of the crop as a share of the circle's diameter."""
COCO = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""Which of the 33 landmarks stands for each of COCO's joints."""
_MIDDLE, _RIM = 33, 34
"""Two auxiliary landmarks: the middle of the hips and a point of the circle, straight above it for the body."""


@dataclass(frozen=True, slots=True)
class Circle:
    """Where somebody is: middle of the hips, radius around the whole body, and its axis: 0 is upright, positive
    leans to the right of the picture.
    """

    x_px: float
    y_px: float
    radius_px: float
    lean_rad: float = 0.0

    def crop_matrix(self) -> Matrix:
        """The similarity (2, 3) from pixels of the picture to pixels of the crop, both continuous."""
        scale = CROP_PX / (2 * MARGIN * self.radius_px)
        cos, sin = math.cos(self.lean_rad) * scale, math.sin(self.lean_rad) * scale
        linear = np.array([[cos, sin], [-sin, cos]])
        return np.column_stack([linear, CROP_PX / 2 - linear @ np.array([self.x_px, self.y_px])])


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What the examiner sees in one crop. ``joints_px`` is (17, 3): x, y and probability of being seen."""

    joints_px: NDArray[np.float64]
    presence: float
    circle: Circle


class BlazePose:
    """The network, ready to look."""

    def __init__(self, network: Path, threads: int = 1) -> None:
        self._run = _compiled(network, threads)

    def look(self, picture: Picture, circle: Circle) -> Verdict:
        """The joints of whoever is in the circle."""
        matrix = circle.crop_matrix()
        landmarks, presence = self._run(np.asarray(cut(picture, matrix)[None] / 255, np.float32))
        points = landmarks.reshape(39, 5)
        places = (points[:, :2] - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
        joints = np.column_stack([places, 1 / (1 + np.exp(-np.clip(points[:, 3], -30, 30)))])[list(COCO)]
        return Verdict(joints, float(presence.ravel()[0]), _circle(places[_MIDDLE], places[_RIM]))


def cut(picture: Picture, matrix: Matrix) -> Picture:
    """The crop (256, 256, 3) under a similarity of continuous pixels; black where the picture does not reach."""
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    source = cv2.GaussianBlur(picture, (0, 0), 0.4 / scale) if scale < 0.7 else picture  # else it would alias
    crop = cv2.warpAffine(source, shifted, (CROP_PX, CROP_PX), flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0))
    return np.asarray(crop, np.uint8)


def circle_of(joints_px: NDArray[Any], box_px: tuple[float, float, float, float]) -> Circle:
    """Where somebody is whose joints (17, 2 or more) and whole box are known: what BlazePose's own alignment would
    say if it were perfect.
    """
    shoulders, hips = joints_px[[5, 6], :2].mean(axis=0), joints_px[[11, 12], :2].mean(axis=0)
    left, top, right, bottom = box_px
    across, down = max(hips[0] - left, right - hips[0]), max(hips[1] - top, bottom - hips[1])
    radius = max(float(across), float(down), float(np.linalg.norm(joints_px[:, :2] - hips, axis=1).max()), 2.0)
    up = shoulders - hips
    return Circle(float(hips[0]), float(hips[1]), radius, math.atan2(float(up[0]), -float(up[1])))


def _circle(middle: NDArray[Any], rim: NDArray[Any]) -> Circle:
    away = rim - middle
    radius = max(float(np.hypot(*away)), 2.0)
    return Circle(float(middle[0]), float(middle[1]), radius, math.atan2(float(away[0]), -float(away[1])))


def _compiled(network: Path, threads: int) -> Callable[[NDArray[np.float32]], tuple[Any, Any]]:
    """The network as a function from a crop (1, 256, 256, 3) in 0..1 to landmarks (1, 195) and presence (1, 1)."""
    import openvino as ov

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled: Any = ov.Core().compile_model(str(network), "CPU", settings)
    request = compiled.create_infer_request()

    def call(crop: NDArray[np.float32]) -> tuple[Any, Any]:
        answer = request.infer([crop])
        return np.array(answer[0]), np.array(answer[1])

    return call
