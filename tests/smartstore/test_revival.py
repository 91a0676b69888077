"""Shipped networks as a start for more training: the same answers, and layers that can learn."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from smartstore.vision.detector import LANDMARK_MODEL, MODELS, PEOPLE_MODEL, compile_network
from smartstore.vision.people import LOOKS, view

torch = pytest.importorskip("torch")

from smartstore.vision import networks  # noqa: E402
from smartstore.vision.revival import RevivalError, revive  # noqa: E402


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    sheet = np.asarray(cv2.imread(str(MODELS.parent / "pictures" / "detector.jpg")))
    return np.ascontiguousarray(sheet[:360, :640, ::-1])


def crops(picture: np.ndarray) -> np.ndarray:
    """Pieces of the picture, as the landmark network takes them."""
    return np.stack([picture[y : y + 144, x : x + 112] for y in (0, 100, 200) for x in range(0, 520, 40)])


def batch(pictures: np.ndarray) -> Any:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def test_the_landmark_network_answers_as_its_file_does_and_can_learn_on(picture: np.ndarray) -> None:
    some = crops(picture)
    network = networks.LandmarkNet()
    revive(MODELS / LANDMARK_MODEL, network, batch(some))
    exact = compile_network(MODELS / LANDMARK_MODEL, 1, ports=(1, 3))([some[:1]])
    with torch.no_grad():
        answer = networks.LandmarksFromBytes(network)(torch.from_numpy(some[:1]))
    for ours, theirs in zip(answer, exact, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-4)
    network.train()
    learning = torch.softmax(network(batch(some))[0].flatten(2), dim=2)[0, 5].argmax()
    assert int(learning) == int(exact[0][0, 5].argmax()), "with the batch's own statistics, too"


def test_the_people_network_answers_as_its_file_does(picture: np.ndarray) -> None:
    canvas, _ = view(picture, LOOKS[0])
    network = networks.people_network()
    revive(MODELS / PEOPLE_MODEL, network, batch(canvas[None]))
    exact = compile_network(MODELS / PEOPLE_MODEL, 1, (1, *canvas.shape))([canvas[None]])[0]
    with torch.no_grad():
        answer = networks.PeopleFromBytes(network)(torch.from_numpy(canvas[None])).numpy()
    assert exact[0, 4].max() > 0.5
    np.testing.assert_allclose(answer, exact, atol=0.02)


def test_another_networks_file_is_refused_in_one_line(picture: np.ndarray, tmp_path: Path) -> None:
    for file in (MODELS / PEOPLE_MODEL, MODELS / "refinement.xml", tmp_path / "none.xml"):
        with pytest.raises(RevivalError, match=file.name) as caught:
            revive(file, networks.LandmarkNet(), batch(crops(picture)))
        assert "\n" not in str(caught.value)
