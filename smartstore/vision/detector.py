"""From pictures to people: the detector that the vision worker runs on every frame.

In: RGB pictures (height, width, 3) of uint8. Out: per picture the people in it, best first, as
:class:`~smartstore.domain.people.SeenPerson` in pixels of that picture. Two engines stand behind one protocol: the
project's own networks through OpenVINO, and public Ultralytics pose weights. Heavy libraries are imported when an
engine is built, not before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import SeenPerson
from smartstore.vision import appearance, landmarks, people, refinement

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]

MODELS = Path(__file__).resolve().parents[2] / "data" / "models"
PEOPLE_MODEL, LANDMARK_MODEL, REFINEMENT_MODEL = "people.xml", "landmarks.xml", "refinement.xml"
WORTH = 0.4
"""Boxes that score so large a share of the least score are looked at closely: the second judgement may raise them."""
LEAST_WORTH = 0.002
"""... and never those that score less than this."""
FAINT_SHARE = 0.6
"""Boxes of a single look may be fainter than what is looked at closely by this."""


class DetectorError(Exception):
    """A detector that cannot be built: one line, which file and what to do."""


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """How boldly the detector reports people, and how many threads its engine may use."""

    min_score: float = 0.35
    max_overlap: float = 0.6
    """Intersection over union above which the weaker of two boxes goes."""
    most_people: int = 24
    threads: int = 1
    int8: bool = True
    """Whether to use a network's eight-bit copy where there is one."""


class Detector(Protocol):
    """What the vision worker asks for."""

    def detect(self, images: Sequence[Picture]) -> list[tuple[SeenPerson, ...]]:
        """The people in each RGB picture, best first; an empty or unreadable picture holds nobody."""
        ...


class OpenVinoDetector:
    """The project's own networks on CPUs: boxes, then joints on crops, each from several looks, then a second judgement
    of both (left out where the people network's folder has none). The answer does not depend on the grouping.
    """

    def __init__(
        self,
        people_model: Path = MODELS / PEOPLE_MODEL,
        landmark_model: Path = MODELS / LANDMARK_MODEL,
        options: DetectorOptions = DetectorOptions(),  # noqa: B008 - frozen
    ) -> None:
        self._options = options
        path = _chosen(Path(people_model), options)
        canvases = {(1, look.height_px, look.width_px, 3) for look in people.LOOKS}
        self._boxes = {canvas: compile_network(path, options.threads, canvas) for canvas in canvases}
        self._joints = compile_network(_chosen(Path(landmark_model), options), options.threads, ports=(1, 3))
        second = Path(people_model).with_name(REFINEMENT_MODEL)
        self._refine = compile_network(second, options.threads, ports=(2, 3)) if second.is_file() else None

    def detect(self, images: Sequence[Picture]) -> list[tuple[SeenPerson, ...]]:
        """The people in each RGB picture, best first."""
        return [self._look(image) for image in images]

    def candidates(self, image: Picture) -> refinement.Candidates:
        """Everybody in one picture whom the second judgement may let pass, best first."""
        options = self._options
        least = max(LEAST_WORTH, options.min_score * (1.0 if self._refine is None else WORTH))
        faint = min(people.FAINT, FAINT_SHARE * least)
        looks = [self._boxes_of(image, look, faint) for look in people.LOOKS]
        boxes, scores = people.fused(looks, options.most_people)
        size_px = (image.shape[1], image.shape[0])
        boxes = np.clip(boxes, 0, np.tile(np.array(size_px, np.float32), 2))
        solid = (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1) & (scores >= least)
        boxes, scores = boxes[solid], scores[solid]
        answers = [self._heat(image, _box(box)) for box in boxes]
        heat, seen, features = (
            np.concatenate([answer[i] for answer in answers]) if answers else np.zeros((0, *shape), np.float32)
            for i, shape in enumerate(((17, landmarks.CELLS_Y, landmarks.CELLS_X), (17,), (2, landmarks.FEATURES)))
        )
        return refinement.Candidates(size_px, looks, boxes, scores, heat, seen, features)

    def joints(self, image: Picture, box: Box) -> NDArray[np.float64]:
        """The 17 joints (17, 3) of the person in a box, each by itself."""
        return landmarks.to_picture(landmarks.decode(*self._heat(image, box)[:2])[0], landmarks.crop_matrix(box))

    def _heat(self, image: Picture, box: Box) -> tuple[Floats, Floats, Floats]:
        return landmarks.merged([self._joints([view[None]]) for view in landmarks.views(image, box)])

    def _boxes_of(self, image: Picture, look: people.Look, faint: float) -> tuple[Floats, Floats]:
        """Boxes in pixels of the picture and scores as one look gives them, down to faint ones."""
        canvas, placement = people.view(image, look)
        raw = self._boxes[1, *canvas.shape]([canvas[None]])[0]
        options = self._options
        boxes, scores = people.decode(raw[0], faint, options.max_overlap, options.most_people)
        return placement.to_picture(people.mirrored(boxes, look.width_px) if look.mirrored else boxes), scores

    def _look(self, image: Picture) -> tuple[SeenPerson, ...]:
        if not is_picture(image):
            return ()
        found = self.candidates(image)
        boxes, scores, joints = found.boxes, found.scores, refinement.joints_of(found)
        if self._refine is not None and len(boxes):
            given = [refinement.numbers(found, joints), found.features[:, 0]]
            boxes, scores, joints = refinement.refined(found, joints, self._refine(given))
        seen = []
        for i in np.argsort(-scores, kind="stable"):
            box = _box(boxes[i])
            if scores[i] >= self._options.min_score and box[2] - box[0] >= 1 and box[3] - box[1] >= 1:
                in_picture = landmarks.to_picture(joints[i], landmarks.crop_matrix(_box(found.boxes[i])))
                look = appearance.describe(image, box, in_picture)
                seen.append(SeenPerson(box, float(scores[i]), in_picture, look))
        return tuple(seen)


class UltralyticsPoseDetector:
    """Any Ultralytics pose weights with 17 COCO joints (``yolo11n-pose.pt`` and its kin), for real footage."""

    def __init__(self, path: Path, options: DetectorOptions = DetectorOptions(), size_px: int = 640) -> None:  # noqa: B008
        _need_file(Path(path), "download Ultralytics pose weights (such as yolo11n-pose.pt) to it, or set another path")
        try:
            from ultralytics import YOLO

            self._model: Any = YOLO(str(path))
        except Exception as error:
            raise DetectorError(
                f"{path}: not Ultralytics weights ({_first_line(error)}); choose another file"
            ) from error
        if self._model.task != "pose":
            raise DetectorError(f"{path}: weights for {self._model.task!r}, not for pose; choose a *-pose.pt file")
        self._options, self._size_px = options, size_px

    def detect(self, images: Sequence[Picture]) -> list[tuple[SeenPerson, ...]]:
        """The people in each RGB picture, best first."""
        return [self._look(image) for image in images]

    def _look(self, image: Picture) -> tuple[SeenPerson, ...]:
        if not is_picture(image):
            return ()
        options = self._options
        result = self._model.predict(
            np.ascontiguousarray(image[:, :, ::-1]),  # Ultralytics takes arrays as BGR
            imgsz=self._size_px,
            conf=options.min_score,
            iou=options.max_overlap,
            max_det=options.most_people,
            classes=[0],
            verbose=False,
            device="cpu",
        )[0]
        found = []
        for corners, score, points in zip(
            result.boxes.xyxy.numpy(), result.boxes.conf.numpy(), result.keypoints.data.numpy(), strict=True
        ):
            box = _box(corners)
            joints = np.asarray(points, float)
            found.append(SeenPerson(box, float(score), joints, appearance.describe(image, box, joints)))
        return tuple(found)


def compile_network(
    path: Path, threads: int, shape: tuple[int, ...] | None = None, ports: tuple[int, int] = (1, 1)
) -> Callable[[list[NDArray[Any]]], list[Floats]]:
    """An OpenVINO network as a function from inputs to outputs, in full precision on ``threads`` threads; ``shape`` is
    that of its input, where the file leaves it open, ``ports`` are the numbers of its inputs and outputs.
    """
    way_out = "restore data/models from the repository, or write it with `smartstore vision export` (or `train`)"
    _need_file(path, way_out)
    _need_file(path.with_suffix(".bin"), way_out)
    import openvino as ov

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # else some CPUs round to bfloat16 and answers differ by machine
    }
    try:
        core = ov.Core()
        network = core.read_model(str(path))
        if shape is not None:
            network.reshape(list(shape))
        compiled: Any = core.compile_model(network, "CPU", settings)
    except RuntimeError as error:
        raise DetectorError(f"{path}: not a network OpenVINO can read ({_first_line(error)}); {way_out}") from error
    if (len(compiled.inputs), len(compiled.outputs)) != ports:
        found = (
            f"{len(compiled.inputs)} inputs and {len(compiled.outputs)} outputs instead of {ports[0]} and {ports[1]}"
        )
        raise DetectorError(f"{path}: {found}: of another version; {way_out}")
    request = compiled.create_infer_request()
    count = len(compiled.outputs)

    def call(inputs: list[NDArray[Any]]) -> list[Floats]:
        answer = request.infer(inputs)
        return [np.array(answer[i]) for i in range(count)]

    return call


def int8_file(path: Path) -> Path:
    """Where the eight-bit copy of a network lies."""
    return path.with_name(f"{path.stem}-int8.xml")


def is_picture(image: Picture) -> bool:
    """Whether an array holds at least one RGB pixel of uint8."""
    return image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 and image.size > 0


def _chosen(path: Path, options: DetectorOptions) -> Path:
    small = int8_file(path)
    return small if options.int8 and small.is_file() else path


def _box(corners: NDArray[Any]) -> Box:
    left, top, right, bottom = (float(v) for v in corners)
    return left, top, right, bottom


def _need_file(path: Path, way_out: str) -> None:
    if not path.is_file():
        raise DetectorError(f"{path}: weights are missing; {way_out}")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
