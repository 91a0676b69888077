"""Products are told apart by one catalogue picture each: under another light, half hidden, a little shifted."""

import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from smartstore.site import load_site
from smartstore.vision.embedding import Gallery, Picture, cut
from smartstore.vision.recognition import catalogue_pictures

STORE = Path("configs/stores/corner.yaml")
NOTHING = np.zeros((200, 200), np.uint8)


@pytest.fixture(scope="module")
def pictures() -> dict[str, Picture]:
    return catalogue_pictures(load_site(STORE))


def shelf_view(picture: Picture, light: tuple[float, float, float], dx: int = 0) -> tuple[Picture, np.ndarray]:  # type: ignore[type-arg]
    """The product 30 px high in a picture of a grey room, leaning as seen from a side, and its four corners."""
    corners = np.array([[81.0, 132.0], [103.0, 128.0], [104.0, 100.0], [80.0, 103.0]])
    height, width = picture.shape[:2]
    flat = np.array([[0, height], [width, height], [width, 0], [0, 0]], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, (corners + np.array([dx, 0])).astype(np.float32))
    room = np.full((200, 200, 3), 90.0)
    drawn = cv2.warpPerspective(picture.astype(float), matrix, (200, 200), flags=cv2.INTER_AREA)
    where = cv2.warpPerspective(np.ones(picture.shape[:2], np.uint8), matrix, (200, 200))[..., None]
    room = np.where(where > 0, drawn, room) * np.array(light)
    return np.clip(room, 0, 255).astype(np.uint8), corners


def nearest(gallery: Gallery, pictures: dict[str, Picture], seen: Picture, corners: np.ndarray, light, hidden=NOTHING):  # type: ignore[no-untyped-def, type-arg]
    front = cut(seen, hidden, corners, np.array(light))
    return min(pictures, key=lambda sku: gallery.distance(front, sku))


@pytest.mark.parametrize(
    ("light", "known_light", "dx"),
    [
        pytest.param((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), 0, id="as in the catalogue"),
        pytest.param((0.9, 0.7, 0.5), (0.9, 0.7, 0.5), 0, id="under a warm lamp"),
        pytest.param((0.3, 0.3, 0.3), (0.5, 0.5, 0.5), 0, id="deep in a shelf, where it is darker than known"),
        pytest.param((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), 1, id="a little beside its place"),
    ],
)
def test_every_product_is_nearest_to_its_own_picture(pictures, light, known_light, dx) -> None:  # type: ignore[no-untyped-def]
    gallery = Gallery(pictures)
    right = [nearest(gallery, pictures, *shelf_view(pictures[sku], light, dx), known_light) == sku for sku in pictures]
    assert np.mean(right) >= 0.97


def test_half_a_front_is_enough(pictures: dict[str, Picture]) -> None:
    hidden = NOTHING.copy()
    hidden[116:] = 1
    gallery, light = Gallery(pictures), (1.0, 1.0, 1.0)
    found = [nearest(gallery, pictures, *shelf_view(pictures[sku], light), light, hidden) == sku for sku in pictures]
    assert np.mean(found) >= 0.9


def test_what_hardly_shows_is_not_compared(pictures: dict[str, Picture]) -> None:
    hidden = NOTHING.copy()
    hidden[107:] = 1
    sku = next(iter(pictures))
    seen, corners = shelf_view(pictures[sku], (1.0, 1.0, 1.0))
    assert np.isnan(Gallery(pictures).distance(cut(seen, hidden, corners, np.ones(3)), sku))


def test_white_around_a_product_is_not_part_of_it() -> None:
    bottle = np.full((80, 60, 3), 255, np.uint8)
    bottle[:, 15:45] = (200, 30, 30)
    bottle[30:40, 25:35] = 255  # a white label is
    print_ = Gallery({"1": bottle}).colours("1")
    assert (print_.weight[:, 0] == 0).all()
    assert print_.weight[3, 2] > 0.9


def test_a_picture_that_cannot_be_read_is_named_and_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    site = load_site(STORE)
    sku = next(iter(site.items))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    site.items[sku] = replace(site.items[sku], picture=str(tmp_path / "broken.png"))  # type: ignore[index]
    with caplog.at_level(logging.WARNING):
        assert sku not in catalogue_pictures(site)
    assert "broken.png" in caplog.text
