"""The vision worker: pictures in, what they show out.

In: JPEGs of surveyed cameras. Out: the people in view and, for a shelf camera, its facings. A picture that cannot be
read or does not have the surveyed size is counted and left. Heavy libraries are imported when a worker is made.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import PeopleView, SeenPerson
from smartstore.site import Site
from smartstore.wire.messages import Facings

log = logging.getLogger(__name__)

Picture = NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""


class PeopleDetector(Protocol):
    """Finds people in RGB pictures."""

    def detect(self, images: Sequence[Any]) -> Sequence[Sequence[SeenPerson]]: ...


class ShelfReader(Protocol):
    """Reads the facings in a shelf camera's picture."""

    def observe(self, camera: str, t_ns: int, image: Any, people: Sequence[SeenPerson]) -> Facings | None: ...


class VisionWorker:
    """Looks at the pictures of one store. ``stats`` counts what could not be used, by reason."""

    def __init__(
        self, site: Site, detector: PeopleDetector, reader: ShelfReader | None, shelf_people: bool = True
    ) -> None:
        self._cameras, self._detector, self._reader = site.cameras, detector, reader
        self._shelf_people = shelf_people
        self.stats: Counter[str] = Counter()

    def observe(
        self, camera: str, t_ns: int, jpeg: bytes, width: int, height: int
    ) -> tuple[PeopleView | None, Facings | None]:
        """The people and the facings in a picture; None for what the camera does not look for."""
        surveyed = self._cameras.get(camera)
        if surveyed is None:
            self.stats["frame_of_unknown_camera"] += 1
            return None, None
        size = (surveyed.model.height_px, surveyed.model.width_px)
        image = decode_jpeg(jpeg) if (height, width) == size else None
        if image is None or image.shape[:2] != size:
            self.stats["frame_unreadable" if image is None and (height, width) == size else "frame_of_wrong_size"] += 1
            return None, None
        is_shelf = surveyed.kind == "shelf"
        people: tuple[SeenPerson, ...] = ()
        if self._shelf_people or not is_shelf:
            people = tuple(self._detector.detect([image])[0])
        facings = self._reader.observe(camera, t_ns, image, people) if is_shelf and self._reader is not None else None
        view = PeopleView(camera, t_ns, people) if self._shelf_people or not is_shelf else None
        return view, facings


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


def load_worker(
    site: Site, detector: str = "openvino", min_score: float = 0.35, threads: int = 1, shelf_people: bool = True
) -> VisionWorker:
    """A worker with the project's own networks, or with the Ultralytics pose weights at the path ``detector``.

    Raises:
        DetectorError: weights are missing or unusable.
    """
    import cv2

    from smartstore.vision.detector import DetectorOptions, OpenVinoDetector, UltralyticsPoseDetector
    from smartstore.vision.facings import FacingReader

    cv2.setNumThreads(threads)
    options = DetectorOptions(min_score=min_score, threads=threads)
    found = OpenVinoDetector(options=options) if detector == "openvino" else UltralyticsPoseDetector(
        Path(detector), options
    )  # fmt: skip
    return VisionWorker(site, found, FacingReader(site), shelf_people)
