"""The shipped networks on freshly rendered people, public weights in their place, and weights that are missing."""

import math
from pathlib import Path

import numpy as np
import pytest

from smartstore.vision import people
from smartstore.vision.detector import (
    LANDMARK_MODEL,
    MODELS,
    PEOPLE_MODEL,
    DetectorError,
    DetectorOptions,
    OpenVinoDetector,
    UltralyticsPoseDetector,
)
from smartstore.vision.evaluation import match
from smartstore.vision.labels import LabelledPerson, LabelledPicture

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def detector() -> OpenVinoDetector:
    return OpenVinoDetector()


def picture(width: int, height: int, seed: int = 0) -> people.Picture:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.zeros((0, 0, 3), np.uint8), id="0x0"),
        pytest.param(np.zeros((360, 640), np.uint8), id="grey, one channel"),
        pytest.param(np.zeros((360, 640, 4), np.uint8), id="four channels"),
        pytest.param(np.full((360, 640, 3), 127, np.uint8), id="all grey"),
        pytest.param(picture(1, 1), id="one pixel"),
        pytest.param(picture(3, 900), id="a strip"),
    ],
)
def test_a_picture_that_shows_nothing_holds_nobody(detector: OpenVinoDetector, image: people.Picture) -> None:
    assert detector.detect([image]) == [()]


def test_pictures_are_answered_one_by_one_whatever_stands_beside_them(detector: OpenVinoDetector) -> None:
    images = [picture(640, 360, seed) for seed in range(3)]
    together = detector.detect(images)
    alone = [detector.detect([image])[0] for image in images]
    assert [[p.box_px for p in seen] for seen in together] == [[p.box_px for p in seen] for seen in alone]


@pytest.mark.parametrize("missing", [PEOPLE_MODEL, LANDMARK_MODEL])
def test_missing_weights_are_one_line_with_the_file_and_the_way_out(tmp_path: Path, missing: str) -> None:
    paths = {name: (tmp_path if name == missing else MODELS) / name for name in (PEOPLE_MODEL, LANDMARK_MODEL)}
    with pytest.raises(DetectorError) as caught:
        OpenVinoDetector(paths[PEOPLE_MODEL], paths[LANDMARK_MODEL])
    assert str(paths[missing]) in str(caught.value) and "restore" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_that_are_no_network_are_named(tmp_path: Path) -> None:
    broken = tmp_path / "people.xml"
    broken.write_text("<net>")
    broken.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(DetectorError, match=r"people\.xml: not a network"):
        OpenVinoDetector(broken)


def test_public_pose_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"yolo11n-pose\.pt: weights are missing"):
        UltralyticsPoseDetector(tmp_path / "yolo11n-pose.pt")


@pytest.fixture(scope="module")
def ultralytics_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights of the public layouts, for pose and for boxes alone."""
    from ultralytics import YOLO

    folder = tmp_path_factory.mktemp("weights")
    for name in ("yolo11n-pose", "yolo11n"):
        YOLO(f"{name}.yaml").save(folder / f"{name}.pt")
    return folder


def test_public_pose_weights_drop_in(ultralytics_weights: Path) -> None:
    options = DetectorOptions(min_score=1e-9, most_people=3)
    drop_in = UltralyticsPoseDetector(ultralytics_weights / "yolo11n-pose.pt", options, size_px=160)
    nobody, seen = drop_in.detect([np.zeros((0, 0, 3), np.uint8), picture(320, 180)])
    assert nobody == () and len(seen) <= 3
    assert all(person.joints_px.shape == (17, 3) and person.box_px[2] <= 320 for person in seen)


def test_weights_without_joints_are_refused(ultralytics_weights: Path) -> None:
    with pytest.raises(DetectorError, match="not for pose"):
        UltralyticsPoseDetector(ultralytics_weights / "yolo11n.pt")


@pytest.fixture(scope="module")
def rendered() -> list[tuple[LabelledPicture, people.Picture]]:
    """Pictures of people and outfits that the networks were not trained on, as the cameras send them."""
    dataset = pytest.importorskip("sims.lab.dataset", reason="no renderer here: the networks were not tried on people")
    return _rendered(dataset, pictures=8)


def test_rendered_shoppers_are_found_with_their_joints(
    detector: OpenVinoDetector, rendered: list[tuple[LabelledPicture, people.Picture]]
) -> None:
    pairs = []
    for labelled, image in rendered:
        pairs += match(labelled, detector.detect([image])[0])
    big = [pair for pair in pairs if pair.height_px > 40]
    assert len(big) >= 6
    assert np.mean([pair.seen is not None for pair in big]) >= 0.7
    shoulders = [
        math.dist(pair.seen.joints_px[joint, :2], pair.truth.joints_px[joint, :2]) / pair.height_px
        for pair in big
        for joint in (5, 6)
        if pair.seen is not None and pair.truth.joints_px[joint, 2] == 2
    ]
    assert np.median(shoulders) < 0.06


def test_goods_of_a_store_never_shown_are_nobody(detector: OpenVinoDetector) -> None:
    """Every camera of the kiosk, twice, its shelves sold down differently, and nobody inside."""
    from dataclasses import replace

    from sims.bodies.library import BodyLibrary
    from sims.building import load_building
    from sims.devices.look import Look
    from sims.devices.renderer import Renderer
    from sims.lab.scenes import random_scene

    dataset = pytest.importorskip("sims.lab.dataset", reason="no renderer here: the networks were not tried on goods")
    building, library = load_building(ROOT / "configs/stores/kiosk.yaml"), BodyLibrary.load()
    painter, rng = Renderer(building, Look.shipped(), library), np.random.default_rng(77)
    for _ in range(2):
        empty = replace(random_scene(building, dataset.cast(library, "val"), rng), people=())
        for camera in building.cameras:
            assert detector.detect([painter.render_labelled(empty, camera)[0]]) == [()], camera
    painter.close()


def _rendered(dataset: object, pictures: int) -> list[tuple[LabelledPicture, people.Picture]]:
    import itertools

    import cv2

    from sims.bodies.library import BodyLibrary
    from sims.building import load_building
    from sims.devices.look import Look
    from sims.devices.renderer import Renderer

    building, library, rng = (
        load_building(ROOT / "configs/stores/corner.yaml"),
        BodyLibrary.load(),
        np.random.default_rng(99),
    )
    painter = Renderer(building, Look.shipped(), library)
    out = []
    views = dataset.views(painter, dataset.cast(library, "val"), rng)  # type: ignore[attr-defined]
    for camera, image, labels, _ in itertools.islice(views, pictures):
        payload = np.frombuffer(dataset.as_sent(image, rng), np.uint8)  # type: ignore[attr-defined]
        persons = []
        for label in labels:
            note = dataset.annotation(label)  # type: ignore[attr-defined]
            joints = np.array(note["keypoints"], np.float32).reshape(17, 3)
            persons.append(LabelledPerson(label.box_px, joints, bool(note["iscrowd"])))
        height, width = image.shape[:2]
        sent = cv2.imdecode(payload, cv2.IMREAD_COLOR)[:, :, ::-1]
        out.append(
            (LabelledPicture(len(out), Path(), width, height, camera.kind, tuple(persons)), np.ascontiguousarray(sent))
        )
    painter.close()
    return out
