"""The vision worker hands every usable picture on, and counts the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from smartstore.domain.geometry import CameraModel
from smartstore.domain.people import PeopleView, SeenPerson
from smartstore.settings import read_settings
from smartstore.site import Site, load_site
from smartstore.site.survey import calibration_fault
from smartstore.vision.detector import DetectorError
from smartstore.vision.face_reader import FaceReader
from smartstore.vision.movement import MovementOptions
from smartstore.vision.tracker import FloorTracker
from smartstore.vision.worker import LazyVision, Shot, VisionWorker
from smartstore.vision_service import vision_worker
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


def big(width: int, height: int) -> bytes:
    return cv2.imencode(".jpg", np.full((height, width, 3), 90, np.uint8))[1].tobytes()


def with_head(width: int, height: int) -> bytes:
    """A JPEG whose frame header says so, whatever follows."""
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = height.to_bytes(2) + width.to_bytes(2)
    return bytes(data)


def test_a_grey_picture_is_looked_at_counted_and_named_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    grey = cv2.imencode(".jpg", np.full((360, 640), 90, np.uint8))[1].tobytes()
    detector = OnePerson()
    worker = VisionWorker(site, detector, OneFacing)
    for n in range(3):
        assert worker.observe("c1", n, grey, 640, 360)[0] is not None
    assert (worker.stats["frame_grey"], detector.pictures[0].shape) == (3, (360, 640, 3))
    assert [record.getMessage() for record in caplog.records] == [
        "camera c1: sends grey pictures: clothes and items are told apart less well"]  # fmt: skip


@pytest.mark.parametrize(("data", "reason"), [
    (big(5472, 3648), "frame_of_wrong_size"), (with_head(0, 0), "frame_of_wrong_size"),
    (with_head(65535, 65535), "frame_of_wrong_size"), (jpeg()[:-2000], "frame_unreadable"),
    (jpeg()[:3] + b"\x00" * 5000 + b"\xff\xd9", "frame_unreadable"),
    (b"\xff\xd8" + b"\xff" * 300 + b"\xff\xd9", "frame_unreadable"),
], ids=["20 megapixels", "0 x 0", "a bomb", "cut", "holes", "nothing but markers"])  # fmt: skip
def test_what_nobody_can_use_is_named_once_and_never_decoded(
    site: Site, data: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    worker = VisionWorker(site, OnePerson(), OneFacing)
    for n in range(3):
        assert worker.observe("c1", n, data, 640, 360) == (None, None)
    assert dict(worker.stats) == {reason: 3}
    assert len(caplog.records) == 1
    assert "c1" in caplog.text


def test_a_camera_that_was_surveyed_with_20_megapixels_is_looked_at(site: Site) -> None:
    camera = site.cameras["c1"]
    large = replace(camera, model=replace(camera.model, width_px=5472, height_px=3648))
    detector = OnePerson()
    worker = VisionWorker(replace(site, cameras={"c1": large}), detector, OneFacing)
    assert worker.observe("c1", 0, big(5472, 3648), 5472, 3648)[0] is not None
    assert detector.pictures[0].shape == (3648, 5472, 3)


@pytest.mark.parametrize("spot", range(300, 306))
def test_flipped_bytes_are_a_picture_or_counted_but_never_a_crash(site: Site, spot: int) -> None:
    rng = np.random.default_rng(spot)
    worker = VisionWorker(site, OnePerson(), OneFacing)
    noise = cv2.imencode(".jpg", rng.integers(0, 255, (360, 640, 3), np.uint8))[1].tobytes()
    for n in range(20):
        data = bytearray(noise)
        for at in rng.integers(0, len(data), 1 + n):
            data[at] = rng.integers(0, 256)
        worker.observe("c1", n, bytes(data), 640, 360)
    assert worker.stats.total() == 20


def mirrored(model: CameraModel) -> CameraModel:
    return replace(model, rotation=np.diag([-1.0, 1.0, 1.0]) @ model.rotation)


def turned_up(model: CameraModel) -> CameraModel:
    return replace(model, rotation=np.diag([1.0, -1.0, -1.0]) @ model.rotation)


def inside_out(model: CameraModel) -> CameraModel:
    return replace(model, k=np.diag([-1.0, 1.0, 1.0]) @ model.k)


def unknown(model: CameraModel) -> CameraModel:
    return replace(model, position_m=np.array([np.nan, 0.0, 3.0]))


def stretched(model: CameraModel) -> CameraModel:
    return replace(model, rotation=1.2 * model.rotation)


@pytest.mark.parametrize(("spoil", "why"), [
    (mirrored, "mirrors the room"), (turned_up, "looks up"), (inside_out, "not both positive"),
    (unknown, "not finite"), (stretched, "rotation is none"),
])  # fmt: skip
def test_a_calibration_that_cannot_be_true_takes_its_camera_out_and_no_other(
    site: Site, spoil: Callable[[CameraModel], CameraModel], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the shelf camera too: its reader is not even made."""
    spoilt = {name: replace(site.cameras[name], model=spoil(site.cameras[name].model)) for name in ("c1", "s1")}
    if spoil is turned_up:
        del spoilt["s1"]  # a shelf camera on the floor may look up
    store = replace(site, cameras={**site.cameras, **spoilt})
    worker = VisionWorker(store, OnePerson(), lambda camera: FaceReader(store, camera))
    for camera in (*spoilt, "c2"):
        model = store.cameras[camera].model
        for n in range(2):
            worker.observe(camera, n, jpeg(model.width_px, model.height_px), model.width_px, model.height_px)
    assert worker.stats["frame_of_misplaced_camera"] == 2 * len(spoilt)
    assert worker.stats["frames_looked"] == 1
    assert [why in record.getMessage() for record in caplog.records] == [True] * len(spoilt)
    tracker = FloorTracker(store)
    assert tracker.observe([PeopleView("c1", 5, (SOMEBODY,))]) is None
    assert tracker.counts.unknown_camera == 1
    assert tracker.observe([PeopleView("c2", 6, (SOMEBODY,))]) is not None


def test_the_shipped_cameras_can_all_be_true(site: Site) -> None:
    assert {camera.id: calibration_fault(camera) for camera in site.cameras.values()} == dict.fromkeys(site.cameras)


def test_a_picture_from_the_past_is_late_but_a_clock_set_right_is_believed(site: Site) -> None:
    worker = VisionWorker(site, OnePerson(), OneFacing)
    times_s = [100.0, 100.2, 100.1, 100.2, 100.4, 50.0, 50.2]
    seen = [worker.observe("c1", round(t * 1e9), jpeg(), 640, 360)[0] is not None for t in times_s]
    assert seen == [True, True, False, False, True, True, True]
    assert worker.stats["frame_late"] == 2


def test_a_picture_without_movement_gets_the_last_answer_with_its_own_time(site: Site) -> None:
    detector = OnePerson()
    worker = VisionWorker(site, detector, OneFacing)
    views = [worker.observe("c1", n * 200_000_000, jpeg(), 640, 360)[0] for n in range(10)]
    assert [view.t_ns for view in views if view] == [n * 200_000_000 for n in range(10)]
    assert all(view is not None and view.people == (SOMEBODY,) for view in views)
    assert (len(detector.pictures), worker.stats["frames_repeated"]) == (1, 9)


def test_a_change_that_a_shelf_reader_told_is_told_once(site: Site) -> None:
    class Tells:
        def observe(self, t_ns: int, image: Any, people: Any) -> list[SeenFacing]:
            return [SeenFacing(facing="g1-1-a", fill=0.5, change=0.9, scores={"1": 1.0})]

    shelf = kinds(site, "shelf")[0]
    model = site.cameras[shelf].model
    data, size = jpeg(model.width_px, model.height_px), (model.width_px, model.height_px)
    worker = VisionWorker(site, OnePerson(), lambda _: Tells(), MovementOptions(quiet_s=0.5, floor_s=60))
    told = [worker.observe(shelf, n * 400_000_000, data, *size)[1] for n in range(4)]
    assert [(m.facings[0].change, bool(m.facings[0].scores)) for m in told if m] == [
        (0.9, True), (0.9, True), (0.02, False), (0.02, False)]  # fmt: skip


def test_alone_or_in_groups_pictures_get_the_same_answers(site: Site) -> None:
    """Of movement too: what a picture is compared with does not depend on which others came with it."""
    rng = np.random.default_rng(310)
    shots = []
    for n in range(24):
        picture = np.full((360, 640, 3), 90, np.uint8)
        picture[100:200, 40 * (n // 6) : 40 * (n // 6) + 60] = 200 if rng.random() < 0.7 else 90
        data = cv2.imencode(".jpg", picture)[1].tobytes()
        shots.append(Shot(("c1", "c2", "c3")[n % 3], (n // 3) * 200_000_000, data, 640, 360))
    counts = []
    for size in (1, 3, 7, 24):
        detector = OnePerson()
        worker = VisionWorker(site, detector, OneFacing)
        sights = [sight for at in range(0, 24, size) for sight in worker.look(shots[at : at + size])]
        assert [(view.camera, view.t_ns) for view, _ in sights if view] == [(shot.camera, shot.t_ns) for shot in shots]
        counts.append(sorted(picture.tobytes() for picture in detector.pictures))
    assert 3 < len(counts[0]) < 24
    assert all(count == counts[0] for count in counts)


@pytest.mark.parametrize(("said", "loaded"), [
    ("", ["people-int8.xml", "landmarks-int8.xml"]),
    ("vision: {int8: true}", ["people-int8.xml", "landmarks-int8.xml"]),
    ("vision: {int8: false}", ["people.xml", "landmarks.xml"]),
], ids=["by default", "on", "off"])  # fmt: skip
def test_the_settings_choose_between_eight_bits_and_the_exact_networks(
    site: Site, said: str, loaded: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the file to the weights, as ``smartstore serve`` and ``smartstore vision serve`` make their worker."""
    asked: list[str] = []
    monkeypatch.setattr("smartstore.vision.detector.compile_network", lambda path, *_, **__: asked.append(path.name))
    settings = tmp_path / "settings.yaml"
    settings.write_text(said or "{}")
    vision_worker(site, read_settings(settings).vision)
    assert list(dict.fromkeys(asked)) == [*loaded, "refinement.xml"]


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
