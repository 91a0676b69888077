"""The vision worker: pictures in, what they show out.

In: JPEGs of surveyed cameras. Out: the people in view and, for a shelf camera, its facings. A picture that cannot be
read or does not have the surveyed size is counted and left. Heavy libraries are imported when a worker is made.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import PeopleView, SeenPerson
from smartstore.site import Site
from smartstore.wire.messages import Facings, SeenFacing

if TYPE_CHECKING:
    from smartstore.vision.detector import DetectorOptions

log = logging.getLogger(__name__)

Picture = NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""


class PeopleDetector(Protocol):
    """Finds people in RGB pictures."""

    def detect(self, images: Sequence[Any]) -> Sequence[Sequence[SeenPerson]]: ...


class ShelfReader(Protocol):
    """Reads the facings in the pictures of one shelf camera; nothing until it knows how they look."""

    def observe(self, t_ns: int, image: Picture, people: Sequence[SeenPerson]) -> Sequence[SeenFacing]: ...


class VisionWorker:
    """Looks at the pictures of one store. ``stats`` counts what could not be used, by reason."""

    def __init__(self, site: Site, detector: PeopleDetector, new_reader: Callable[[str], ShelfReader]) -> None:
        self._cameras, self._detector = site.cameras, detector
        self._readers = {camera.id: new_reader(camera.id) for camera in site.cameras.values() if camera.kind == "shelf"}
        self._seen: Counter[str] = Counter()
        self.stats: Counter[str] = Counter()

    def observe(
        self, camera: str, t_ns: int, jpeg: bytes, width: int, height: int
    ) -> tuple[PeopleView | None, Facings | None]:
        """The people in a picture, and the facings where a shelf camera took it; None for what it does not show."""
        image = self._picture(camera, jpeg, width, height)
        if image is None:
            return None, None
        people = tuple(self._detector.detect([image])[0])
        reader = self._readers.get(camera)
        facings = self._facings(camera, reader, t_ns, image, people) if reader is not None else None
        return PeopleView(camera, t_ns, people), facings

    def _picture(self, camera: str, jpeg: bytes, width: int, height: int) -> Picture | None:
        """The picture, if it is one that the survey of its camera fits."""
        surveyed = self._cameras.get(camera)
        if surveyed is None:
            self.stats["frame_of_unknown_camera"] += 1
            return None
        size = (surveyed.model.height_px, surveyed.model.width_px)
        if (height, width) != size:
            self.stats["frame_of_wrong_size"] += 1
            return None
        image = decode_jpeg(jpeg)
        if image is None or image.shape[:2] != size:
            self.stats["frame_unreadable"] += 1
            return None
        return image

    def _facings(
        self, camera: str, reader: ShelfReader, t_ns: int, image: Picture, people: Sequence[SeenPerson]
    ) -> Facings | None:
        seen = list(reader.observe(t_ns, image, people))
        if not seen:
            return None
        self._seen[camera] += 1
        return Facings(seq=self._seen[camera], t_ns=t_ns, facings=seen)


class LazyVision:
    """A worker that is made when the first picture comes: a store without pictures loads no networks.

    Without usable weights it says so once and leaves the pictures.
    """

    def __init__(self, load: Callable[[], VisionWorker]) -> None:
        self._load = load
        self._worker: VisionWorker | None = None
        self._failed = False

    def observe(
        self, camera: str, t_ns: int, jpeg: bytes, width: int, height: int
    ) -> tuple[PeopleView | None, Facings | None]:
        """As :meth:`VisionWorker.observe`."""
        if self._worker is None and not self._failed:
            self._worker = self._try()
        return (None, None) if self._worker is None else self._worker.observe(camera, t_ns, jpeg, width, height)

    def _try(self) -> VisionWorker | None:
        from smartstore.vision.detector import DetectorError

        try:
            return self._load()
        except DetectorError as error:
            log.warning("pictures are not looked at: %s", error)
            self._failed = True
            return None


def decode_jpeg(jpeg: bytes) -> Picture | None:
    """The RGB picture in a JPEG; None when it cannot be read."""
    import cv2

    try:
        bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if bgr is None else np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def load_worker(site: Site, detector: str = "openvino", min_score: float = 0.35, threads: int = 1) -> VisionWorker:
    """A worker with the shipped networks ("openvino"), those in the folder ``detector``, or Ultralytics pose weights.

    Raises:
        DetectorError: weights are missing or unusable.
    """
    import cv2

    from smartstore.vision.detector import DetectorOptions
    from smartstore.vision.face_reader import FaceReader

    cv2.setNumThreads(threads)
    options = DetectorOptions(min_score=min_score, threads=threads)
    return VisionWorker(site, _detector(detector, options), lambda camera: FaceReader(site, camera))


def _detector(name: str, options: "DetectorOptions") -> PeopleDetector:
    from smartstore.vision.detector import (
        LANDMARK_MODEL,
        MODELS,
        PEOPLE_MODEL,
        OpenVinoDetector,
        UltralyticsPoseDetector,
    )

    if name.endswith(".pt"):
        return UltralyticsPoseDetector(Path(name), options)
    folder = MODELS if name == "openvino" else Path(name)
    return OpenVinoDetector(folder / PEOPLE_MODEL, folder / LANDMARK_MODEL, options)
