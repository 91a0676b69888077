"""The vision worker: pictures in, what they show out.

In: JPEGs of surveyed cameras. Out: the people in view and, for a shelf camera, its facings. Pictures in which nothing
moved cost no network: the last answer is given again, with the picture's own time (see ``movement``). A picture that
cannot be used is counted, named once per camera and reason, and left. The same pictures give the same answers, one by
one or in groups. Heavy libraries are imported when a worker is made.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from smartstore.domain.people import PeopleView, SeenPerson
from smartstore.site import Site, SurveyedCamera
from smartstore.site.survey import calibration_fault
from smartstore.vision.intake import jpeg_head, size_fault
from smartstore.wire.messages import Facings, SeenFacing

if TYPE_CHECKING:
    from smartstore.vision.detector import DetectorOptions
    from smartstore.vision.movement import MovementOptions, MovementWatch

log = logging.getLogger(__name__)

Picture = NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""
Sight = tuple[PeopleView | None, Facings | None]
"""The people in a picture, and the facings where a shelf camera took it; None for what it does not show."""
NOTHING: Sight = (None, None)
SET_BACK_NS = 5_000_000_000
"""A camera whose clock jumps back further has been set right; nearer pictures from the past are late."""
_NAMED_LIMIT = 1000
_QUIET_CHANGE = 0.02


class PeopleDetector(Protocol):
    """Finds people in RGB pictures."""

    def detect(self, images: Sequence[Any]) -> Sequence[Sequence[SeenPerson]]: ...


class ShelfReader(Protocol):
    """Reads the facings in the pictures of one shelf camera; nothing until it knows how they look."""

    def observe(self, t_ns: int, image: Picture, people: Sequence[SeenPerson]) -> Sequence[SeenFacing]: ...


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture as it came: ``width`` and ``height`` are what its message says."""

    camera: str
    t_ns: int
    jpeg: bytes
    width: int
    height: int


@dataclass(slots=True)
class _Eye:
    """What the worker keeps of one camera."""

    camera: SurveyedCamera
    fault: str | None
    watch: "MovementWatch"
    reader: ShelfReader | None
    last_ns: int | None = None
    people: tuple[SeenPerson, ...] = ()
    facings: list[SeenFacing] = field(default_factory=list)
    told: int = 0
    """Messages about facings so far."""


@dataclass(frozen=True, slots=True)
class _Task:
    """A picture that can be used. ``image`` is None where the last answers hold."""

    eye: _Eye
    t_ns: int
    image: Picture | None
    look: bool


class VisionWorker:
    """Looks at the pictures of one store.

    ``stats`` counts what became of them: ``frames_looked`` went through the network, ``frames_repeated`` did not have
    to, the others could not be used.
    """

    def __init__(
        self, site: Site, detector: PeopleDetector, new_reader: Callable[[str], ShelfReader],
        movement: "MovementOptions | None" = None,
    ) -> None:  # fmt: skip
        from smartstore.vision.movement import MovementOptions, MovementWatch

        self._detector = detector
        self._eyes: dict[str, _Eye] = {}
        self._named: set[tuple[str, str]] = set()
        self.stats: Counter[str] = Counter()
        for camera in site.cameras.values():
            fault = calibration_fault(camera)
            reader = new_reader(camera.id) if camera.kind == "shelf" and fault is None else None
            self._eyes[camera.id] = _Eye(camera, fault, MovementWatch(movement or MovementOptions()), reader)

    def observe(self, camera: str, t_ns: int, jpeg: bytes, width: int, height: int) -> Sight:
        """What one picture shows."""
        return self.look([Shot(camera, t_ns, jpeg, width, height)])[0]

    def look(self, shots: Sequence[Shot]) -> list[Sight]:
        """What each picture shows, in their order; all that need the network go to it together."""
        again = _first_repeat(shots)
        if again is not None:  # what is worth a look depends on the camera's last answer
            return self.look(shots[:again]) + self.look(shots[again:])
        tasks = [self._take(shot) for shot in shots]
        images = [task.image for task in tasks if task is not None and task.look]
        answers = iter(self._detector.detect(images) if images else ())
        return [
            NOTHING if task is None else self._tell(task, tuple(next(answers)) if task.look else None) for task in tasks
        ]

    def _take(self, shot: Shot) -> _Task | None:
        """What is to be done with a picture; None when it cannot be used."""
        from smartstore.vision.movement import Verdict, glance

        eye = self._eyes.get(shot.camera)
        if eye is None:
            self._leave(shot, "frame_of_unknown_camera", "the store document does not have this camera")
            return None
        if eye.fault is not None:
            self._leave(shot, "frame_of_misplaced_camera", f"its calibration cannot be true: {eye.fault}")
            return None
        if self._is_late(eye, shot) or not self._fits(eye, shot):
            return None
        small = glance(shot.jpeg, shot.width)
        verdict = eye.watch.observe(shot.t_ns, small) if small is not None else None
        wanted = verdict is Verdict.LOOK or (verdict is Verdict.READ and eye.reader is not None)
        image = decode_jpeg(shot.jpeg) if wanted else None
        if verdict is None or (wanted and image is None):
            eye.watch.forget()
            self._leave(shot, "frame_unreadable", "it is not a whole JPEG")
            return None
        eye.last_ns = shot.t_ns
        self.stats["frames_looked" if verdict is Verdict.LOOK else "frames_repeated"] += 1
        return _Task(eye, shot.t_ns, image, verdict is Verdict.LOOK)

    def _is_late(self, eye: _Eye, shot: Shot) -> bool:
        """Whether a newer picture of the camera was looked at; the picture is then left."""
        late = eye.last_ns is not None and eye.last_ns - SET_BACK_NS < shot.t_ns <= eye.last_ns
        if late:
            self._leave(shot, "frame_late", "a newer one came before it")
        return late

    def _fits(self, eye: _Eye, shot: Shot) -> bool:
        """Whether a picture is what the survey of its camera says; it is left if not."""
        model, head = eye.camera.model, jpeg_head(shot.jpeg)
        fault = size_fault((model.width_px, model.height_px), (shot.width, shot.height), head)
        if fault is not None:
            self._leave(shot, *fault)
        elif head is not None and head.components == 1:
            self.stats["frame_grey"] += 1
            self._name(shot.camera, "frame_grey", "sends grey pictures: clothes and items are told apart less well")
        return fault is None

    def _tell(self, task: _Task, people: tuple[SeenPerson, ...] | None) -> Sight:
        """The answer for a picture: ``people`` as just seen, or None where they are where they were."""
        eye = task.eye
        if people is not None:
            eye.people = people
            width, height = eye.camera.model.width_px, eye.camera.model.height_px
            eye.watch.answered([
                (left / width, top / height, right / width, bottom / height)
                for left, top, right, bottom in (person.box_px for person in people)
            ])  # fmt: skip
        facings = None
        if eye.reader is not None:
            seen = eye.facings if task.image is None else list(eye.reader.observe(task.t_ns, task.image, eye.people))
            eye.facings = [_settled(facing) for facing in seen] if task.image is not None else seen
            if seen:
                eye.told += 1
                facings = Facings(seq=eye.told, t_ns=task.t_ns, facings=seen)
        return PeopleView(eye.camera.id, task.t_ns, eye.people), facings

    def _leave(self, shot: Shot, reason: str, why: str) -> None:
        self.stats[reason] += 1
        self._name(shot.camera, reason, f"a frame is left, and others like it: {why}")

    def _name(self, camera: str, reason: str, text: str) -> None:
        """Says something about a camera once."""
        if (camera, reason) not in self._named and len(self._named) < _NAMED_LIMIT:
            self._named.add((camera, reason))
            log.warning("camera %.100s: %s", camera, text)


class LazyVision:
    """A worker that is made when the first picture comes: a store without pictures loads no networks.

    Without usable weights it says so once and leaves the pictures.
    """

    def __init__(self, load: Callable[[], VisionWorker]) -> None:
        self._load = load
        self._worker: VisionWorker | None = None
        self._failed = False

    @property
    def stats(self) -> Mapping[str, int]:
        """As :attr:`VisionWorker.stats`."""
        return {} if self._worker is None else self._worker.stats

    def observe(self, camera: str, t_ns: int, jpeg: bytes, width: int, height: int) -> Sight:
        """As :meth:`VisionWorker.observe`."""
        if self._worker is None and not self._failed:
            self._worker = self._try()
        return NOTHING if self._worker is None else self._worker.observe(camera, t_ns, jpeg, width, height)

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
    site: Site, detector: str = "openvino", options: "DetectorOptions | None" = None,
    movement: "MovementOptions | None" = None,
) -> VisionWorker:  # fmt: skip
    """A worker with the shipped networks ("openvino"), those in the folder ``detector``, or Ultralytics pose weights.

    Raises:
        DetectorError: weights are missing or unusable.
    """
    import cv2

    from smartstore.vision.detector import DetectorOptions
    from smartstore.vision.face_reader import FaceReader

    options = options or DetectorOptions()
    cv2.setNumThreads(options.threads)
    return VisionWorker(site, load_detector(detector, options), lambda camera: FaceReader(site, camera), movement)


def load_detector(name: str, options: "DetectorOptions") -> PeopleDetector:
    """The detector that a setting names: "openvino", a folder with networks, or a ``.pt`` file.

    Raises:
        DetectorError: weights are missing or unusable.
    """
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


def _first_repeat(shots: Sequence[Shot]) -> int | None:
    """Index of the first picture whose camera has one before it."""
    cameras: set[str] = set()
    for index, shot in enumerate(shots):
        if shot.camera in cameras:
            return index
        cameras.add(shot.camera)
    return None


def _settled(facing: SeenFacing) -> SeenFacing:
    """A reading as it is given again: a change is told once."""
    if facing.change <= _QUIET_CHANGE and not facing.scores:
        return facing
    return replace(facing, change=min(facing.change, _QUIET_CHANGE), scores={})
