"""The networks before they are files: a wide one that begins as a narrow one, and eight-bit copies that agree."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from smartstore.vision import networks
from smartstore.vision.detector import (
    LANDMARK_MODEL,
    MODELS,
    PEOPLE_MODEL,
    DetectorError,
    DetectorOptions,
    OpenVinoDetector,
    int8_file,
)  # fmt: skip
from smartstore.vision.labels import LabelsError
from smartstore.vision.landmarks import CELL_PX, crop_matrix

torch = pytest.importorskip("torch")


def people_network(monkeypatch: pytest.MonkeyPatch, width: float) -> object:
    monkeypatch.setattr(networks, "PEOPLE_SCALE", (0.5, width, 1024))
    return networks.people_network()


def test_a_widened_network_answers_as_the_narrow_one_did(monkeypatch: pytest.MonkeyPatch) -> None:
    from smartstore.vision.widening import widened

    with torch.random.fork_rng():
        torch.manual_seed(3)
        narrow = people_network(monkeypatch, 0.125).eval()  # type: ignore[attr-defined]
        wide = people_network(monkeypatch, 0.25).eval()  # type: ignore[attr-defined]
        picture = torch.rand(1, 3, 96, 160)
        for weight in narrow.parameters():  # a fresh network answers the same to every picture
            if weight.ndim == 4:
                weight.data.normal_(0, 1.4 * weight[0].numel() ** -0.5)
    with torch.no_grad():
        before = wide(picture)[0]
        wide.load_state_dict(widened(narrow.state_dict(), wide))
        assert not torch.allclose(before, narrow(picture)[0], atol=0.1)
        assert torch.allclose(wide(picture)[0], narrow(picture)[0], rtol=1e-3, atol=1e-2)


def test_noise_lets_the_copies_part(monkeypatch: pytest.MonkeyPatch) -> None:
    from smartstore.vision.widening import widened

    narrow = people_network(monkeypatch, 0.125)
    wide = people_network(monkeypatch, 0.25)
    first = widened(narrow.state_dict(), wide, noise=0.1)["model.0.conv.weight"]  # type: ignore[attr-defined]
    assert not torch.equal(first[0], first[1])


def test_a_width_that_is_no_multiple_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from smartstore.vision.widening import widened

    narrow = people_network(monkeypatch, 0.25)
    with pytest.raises(ValueError, match="cannot be widened"):
        widened(narrow.state_dict(), people_network(monkeypatch, 0.375))  # type: ignore[attr-defined]


def test_the_shipped_eight_bit_copy_sees_what_the_exact_network_sees() -> None:
    exact, small = (OpenVinoDetector(options=DetectorOptions(int8=int8)) for int8 in (False, True))
    tiled = np.asarray(cv2.imread(str(MODELS.parent / "pictures" / "detector.jpg")))
    picture = np.ascontiguousarray(tiled[:360, :640, ::-1], np.uint8)
    clear = 0
    for found in small.detect([picture])[0]:
        joints = exact.joints(picture, found.box_px)
        sure = joints[:, 2] > 0.7
        clear += int(sure.sum())
        cell_px = CELL_PX / np.linalg.norm(crop_matrix(found.box_px)[0, :2])
        assert np.all(np.linalg.norm((joints - found.joints_px)[sure, :2], axis=1) < cell_px)
        assert np.abs(joints - found.joints_px)[:, 2].max() < 0.25
    assert clear >= 5


def test_the_shipped_eight_bit_people_network_keeps_its_last_layers_exact() -> None:
    """The patterns that leave them out name layers of the network as it is now."""
    import openvino as ov

    from smartstore.vision.quantise import EXACT

    names = [op.get_friendly_name() for op in ov.Core().read_model(str(MODELS / PEOPLE_MODEL)).get_ops()]
    for pattern in EXACT:
        assert any(re.fullmatch(pattern, name) for name in names), pattern
    small = ov.Core().read_model(str(int8_file(MODELS / PEOPLE_MODEL)))
    rounded = {
        op.get_friendly_name(): op.input_value(0).get_node().get_type_name() == "FakeQuantize"
        for op in small.get_ops()
        if op.get_type_name() == "Convolution"
    }
    last = [name for name in rounded if re.search(r"model\.23\.(dfl|cv[23]\.\d\.2)", name)]
    assert len(last) == 7 and not any(rounded[name] for name in last)
    assert sum(rounded.values()) > 40, "and the others are in eight bits"


def test_an_exported_network_does_not_keep_the_eight_bit_copy_of_a_former_one(tmp_path: Path) -> None:
    former = int8_file(tmp_path / LANDMARK_MODEL)
    for file in (former, former.with_suffix(".bin"), int8_file(tmp_path / PEOPLE_MODEL)):
        file.write_text("of a former network")
    networks.export_landmarks(networks.LandmarkNet(), tmp_path / LANDMARK_MODEL)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["landmarks.bin", "landmarks.xml", "people-int8.xml"]


def test_without_a_labelled_set_nothing_is_quantised(tmp_path: Path) -> None:
    from smartstore.vision.quantise import quantise

    with pytest.raises(LabelsError, match=r"train\.json: no labels"):
        quantise(tmp_path, MODELS)


def test_without_the_library_nothing_is_read_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one picture of the set is not there: it would be missed."""
    from smartstore.vision.quantise import quantise

    image = {"id": 1, "file_name": "shipped-0000/gone.jpg", "width": 640, "height": 360}
    note = {"image_id": 1, "bbox": [10, 10, 40, 90], "keypoints": [20, 20, 2] * 17}
    (tmp_path / "train.json").write_text(json.dumps({"images": [image], "annotations": [note]}))
    monkeypatch.setitem(sys.modules, "nncf", ModuleType("nncf"))
    with pytest.raises(LabelsError, match=r"gone\.jpg: not a readable picture"):
        quantise(tmp_path, MODELS)
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(DetectorError, match="install it with: pip install nncf"):
        quantise(tmp_path, MODELS)
