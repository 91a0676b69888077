"""The detector on anyone's pictures. In: a picture, a video, or a folder of them. Out: the people in each, one by one,
and annotated copies in a folder if one is given. What cannot be read is said and passed over.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import COCO_JOINTS, SeenPerson
from smartstore.vision.detector import DetectorOptions
from smartstore.vision.drawing import draw
from smartstore.vision.worker import PeopleDetector, load_detector

Picture = NDArray[np.uint8]
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")


class DetectionError(Exception):
    """Nothing to look at, or nowhere to write: one line, which file and what to do."""


@dataclass(frozen=True, slots=True)
class DetectRequest:
    """What to look at, with which detector (see :func:`~smartstore.vision.worker.load_detector`), and where copies
    go. Videos are looked at ``looks_per_s`` times a second of their own time.
    """

    source: Path
    out: Path | None = None
    detector: str = "openvino"
    options: DetectorOptions = field(default_factory=DetectorOptions)
    looks_per_s: float = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One picture and who is in it; ``problem`` says why it could not be looked at."""

    name: str
    people: tuple[SeenPerson, ...] = ()
    size_px: tuple[int, int] = (0, 0)
    """Width and height."""
    at_s: float | None = None
    """Second of the video."""
    problem: str | None = None

    def document(self) -> dict[str, Any]:
        """As plain data; pixels of the picture."""
        time = {} if self.at_s is None else {"at_s": round(self.at_s, 3)}
        people = [{
            "box": [round(edge, 1) for edge in person.box_px], "score": round(person.score, 3),
            "joints": {name: [round(float(x), 1), round(float(y), 1), round(float(score), 3)]
                       for name, (x, y, score) in zip(COCO_JOINTS, person.joints_px, strict=True)},
        } for person in self.people]  # fmt: skip
        return {"file": self.name, **time, "width": self.size_px[0], "height": self.size_px[1], "people": people}


def detect_all(request: DetectRequest) -> Iterator[Found]:
    """Looks at everything, in the order of the names.

    Raises:
        DetectionError: there is nothing to look at, or the folder for copies cannot be used.
        DetectorError: weights are missing or unusable.
    """
    files = _files(request.source)
    if request.out is not None:
        try:
            request.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DetectionError(f"{request.out}: {error.strerror}; give another folder with --out") from error
    detector = load_detector(request.detector, request.options)
    for file in files:
        yield from (_video if file.suffix.lower() in VIDEOS else _picture)(file, detector, request)


def _files(source: Path) -> list[Path]:
    if not source.exists():
        raise DetectionError(f"{source}: no such file or folder; give pictures ({', '.join(PICTURES)}) or videos")
    if source.is_file():
        if source.suffix.lower() not in PICTURES + VIDEOS:
            raise DetectionError(f"{source}: neither a picture ({', '.join(PICTURES)}) nor a video")
        return [source]
    files = sorted(path for path in source.rglob("*") if path.suffix.lower() in PICTURES + VIDEOS and path.is_file())
    if not files:
        raise DetectionError(f"{source}: holds no pictures ({', '.join(PICTURES)}) and no videos")
    return files


def _name(file: Path, request: DetectRequest) -> str:
    """The file below the folder that was given."""
    return str(file.relative_to(request.source)) if request.source.is_dir() else file.name


def _picture(file: Path, detector: PeopleDetector, request: DetectRequest) -> Iterator[Found]:
    name = _name(file, request)
    data = np.fromfile(file, np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if bgr is None:
        yield Found(name, problem="not a readable picture")
        return
    image = _rgb(bgr)
    people = tuple(detector.detect([image])[0])
    if request.out is not None:
        copy = request.out / Path(name).with_suffix(".jpg")
        copy.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(copy), _bgr(draw(image, people)), [cv2.IMWRITE_JPEG_QUALITY, 90])
    yield Found(name, people, (image.shape[1], image.shape[0]))


def _video(file: Path, detector: PeopleDetector, request: DetectRequest) -> Iterator[Found]:
    name = _name(file, request)
    video = cv2.VideoCapture(str(file))
    fps = video.get(cv2.CAP_PROP_FPS) or request.looks_per_s
    every = max(1, round(fps / request.looks_per_s))
    number, writer = 0, None
    try:
        while video.grab():
            if number % every == 0 and (read := video.retrieve())[0]:
                image = _rgb(read[1])
                people = tuple(detector.detect([image])[0])
                size = (image.shape[1], image.shape[0])
                if request.out is not None:
                    writer = writer or _writer(request.out / Path(name).with_suffix(".mp4"), fps / every, size)
                    writer.write(_bgr(draw(image, people)))
                yield Found(name, people, size, number / fps)
            number += 1
    finally:
        video.release()
        if writer is not None:
            writer.release()
    if number == 0:
        yield Found(name, problem="not a readable video")


def _writer(file: Path, fps: float, size: tuple[int, int]) -> Any:
    file.parent.mkdir(parents=True, exist_ok=True)
    return cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)


def _rgb(bgr: Any) -> Picture:
    return np.ascontiguousarray(bgr[:, :, ::-1], np.uint8)


_bgr = _rgb
