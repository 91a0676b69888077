"""The vision worker hands every usable picture on, and counts the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from smartstore.domain.people import SeenPerson
from smartstore.site import Site, load_site
from smartstore.vision.detector import DetectorError
from smartstore.vision.worker import LazyVision, VisionWorker, decode_jpeg
from smartstore.wire.messages import SeenFacing

SOMEBODY = SeenPerson((1.0, 2.0, 30.0, 60.0), 0.9, np.zeros((17, 3)), np.zeros(0))


@dataclass
class OnePerson:
    """Sees the same person everywhere."""

    pictures: list[NDArray[np.uint8]] = field(default_factory=list)

    def detect(self, images: Sequence[Any]) -> list[tuple[SeenPerson, ...]]:
        self.pictures += images
        return [(SOMEBODY,) for _ in images]


class OneFacing:
    """Reads one facing from the second picture on."""

    def __init__(self, camera: str) -> None:
        self.camera, self.count = camera, 0

    def observe(self, t_ns: int, image: Any, people: Sequence[SeenPerson]) -> list[SeenFacing]:
        self.count += 1
        return [SeenFacing(facing=f"{self.camera}-{len(people)}", fill=1.0)] if self.count > 1 else []


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(Path(__file__).parents[2] / "configs/stores/corner.yaml")


def jpeg(width: int = 640, height: int = 360) -> bytes:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, :, 2] = 200  # red in OpenCV's order
    return cv2.imencode(".jpg", picture)[1].tobytes()


def kinds(site: Site, kind: str) -> list[str]:
    return [camera.id for camera in site.cameras.values() if camera.kind == kind]


def test_a_ceiling_camera_shows_people_and_a_shelf_camera_facings_too(site: Site) -> None:
    detector = OnePerson()
    worker = VisionWorker(site, detector, OneFacing)
    view, facings = worker.observe(kinds(site, "ceiling")[0], 5, jpeg(), 640, 360)
    assert view is not None
    assert (view.t_ns, view.people, facings) == (5, (SOMEBODY,), None)
    assert detector.pictures[0][0, 0, 0] > 150, "pictures are RGB"
    shelf = kinds(site, "shelf")[0]
    model = site.cameras[shelf].model
    told = [worker.observe(shelf, n, jpeg(model.width_px, model.height_px), model.width_px, model.height_px)[1]
            for n in range(3)]  # fmt: skip
    assert told[0] is None
    assert [(message.seq, message.facings[0].facing) for message in told[1:] if message] == [
        (1, f"{shelf}-1"), (2, f"{shelf}-1")]  # fmt: skip


@pytest.mark.parametrize(("camera", "data", "width", "reason"), [
    ("nobody's", jpeg(), 640, "frame_of_unknown_camera"),
    ("c1", jpeg(), 320, "frame_of_wrong_size"),
    ("c1", jpeg(320, 180), 640, "frame_of_wrong_size"),
    ("c1", jpeg()[:300], 640, "frame_unreadable"),
    ("c1", b"\xff\xd8 no picture", 640, "frame_unreadable"),
    ("c1", b"", 640, "frame_unreadable"),
], ids=["not surveyed", "other size", "lies about its size", "cut", "not a picture", "empty"])  # fmt: skip
def test_a_picture_that_does_not_fit_is_counted_and_left(
    site: Site, camera: str, data: bytes, width: int, reason: str
) -> None:
    detector = OnePerson()
    worker = VisionWorker(site, detector, OneFacing)
    assert worker.observe(camera, 0, data, width, 360) == (None, None)
    assert (dict(worker.stats), detector.pictures) == ({reason: 1}, [])


def test_a_grey_picture_is_a_picture() -> None:
    grey = cv2.imencode(".jpg", np.full((36, 64), 90, np.uint8))[1].tobytes()
    picture = decode_jpeg(grey)
    assert picture is not None
    assert picture.shape == (36, 64, 3)


def test_networks_are_loaded_with_the_first_picture_and_once(site: Site) -> None:
    loaded = []

    def load() -> VisionWorker:
        loaded.append(1)
        return VisionWorker(site, OnePerson(), OneFacing)

    vision = LazyVision(load)
    assert loaded == []
    for n in range(3):
        assert vision.observe("c1", n, jpeg(), 640, 360)[0] is not None
    assert loaded == [1]


def test_without_weights_pictures_are_left_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    def load() -> VisionWorker:
        raise DetectorError("people.xml: no such file")

    vision = LazyVision(load)
    assert [vision.observe("c1", n, jpeg(), 640, 360) for n in range(3)] == [(None, None)] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "pictures are not looked at: people.xml: no such file"
    ]
