"""Portraits: whom they show, how large, from where, and that they are rendered once."""

import json
from pathlib import Path

import numpy as np
import pytest

from sims.bodies.gear import KINDS
from sims.bodies.library import BodyLibrary
from sims.building import Building, load_building
from sims.devices.look import PRESETS
from sims.lab import portraits
from sims.scene import BodyState
from smartstore.vision.labels import read_labels

CORNER = Path("configs/stores/corner.yaml")


@pytest.fixture(scope="module")
def corner() -> Building:
    return load_building(CORNER)


@pytest.fixture(scope="module")
def library() -> BodyLibrary:
    return BodyLibrary.load()


def test_whoever_sits_fills_the_picture_from_where_a_camera_hangs(corner: Building, library: BodyLibrary) -> None:
    taken = [s for s, _ in zip(portraits.sittings(corner, library, np.random.default_rng(5)), range(25), strict=False)]
    for sitting in taken:
        joints = library.joints(sitting.person)
        hips = sitting.camera.project(joints[[11, 12]].mean(axis=0))[0]
        np.testing.assert_allclose(hips, portraits.SIDE_PX / 2, atol=0.01)
        away = np.linalg.norm(sitting.camera.project(joints) - portraits.SIDE_PX / 2, axis=1)
        assert away.max() == pytest.approx(portraits.RADIUS_PX)
        native = corner.cameras[sitting.camera.id]
        assert native.position_m == sitting.camera.position_m
        pixels = native.project(joints)
        assert np.all((pixels >= 0) & (pixels < [native.width_px, native.height_px])), "this camera has them whole"
        for other in sitting.scene.people:
            if other is not sitting.person:
                middle = sitting.camera.project(library.joints(other)[[11, 12]].mean(axis=0))[0]
                assert not np.hypot(*(middle - portraits.SIDE_PX / 2)) < portraits.RADIUS_PX, "company"
    assert len({sitting.person.body for sitting in taken}) > 10, "all bodies take turns"
    assert len({sitting.camera.id for sitting in taken}) > 2


@pytest.mark.parametrize(
    ("word", "change"),
    [
        ("standing", {}),
        ("walking", {"speed_m_s": 1.1}),
        ("carrying", {"held": ("x",), "right_hand_m": (0.25, -0.1, 1.1)}),
        ("carrying", {"held": ("x",), "speed_m_s": 1.0}),
        ("reaching", {"right_hand_m": (0.75, -0.1, 1.2)}),
        ("crouching", {"right_hand_m": (0.5, -0.1, 0.15)}),
    ],
)
def test_what_somebody_does_in_a_word(library: BodyLibrary, word: str, change: dict[str, object]) -> None:
    state = BodyState("p", 0, 1, 0.0, 0.0, 0.0, **{"speed_m_s": 0.0, "gait_phase": 0.2} | change)  # type: ignore[arg-type]
    assert portraits.doing(state, library.joints(state), library.height_m(0)) == word


def test_the_lights_of_the_store_take_turns_with_random_looks() -> None:
    names = [portraits.light_name(number) for number in range(12)]
    assert names[1::2] == ["wide"] * 6
    assert set(names[::2]) == set(PRESETS)


def test_a_set_is_labelled_for_the_examiner_and_rendering_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portraits, "SHARD_PICTURES", 3)
    assert portraits.render_portraits(CORNER, tmp_path, 3, 4) == 3
    pictures = read_labels(tmp_path, "val")
    assert {picture.kind for picture in pictures} == {portraits.KIND}
    assert all(picture.read().shape == (portraits.SIDE_PX, portraits.SIDE_PX, 3) for picture in pictures)
    people = [person for picture in pictures for person in picture.people]
    middles = np.array([person.joints_px[[11, 12], :2].mean(axis=0) for person in people]) - portraits.SIDE_PX / 2
    sitters = [person for person, middle in zip(people, middles, strict=True) if np.hypot(*middle) < 1.0]
    assert sitters
    for sitter in sitters:
        assert sitter.doing in ("standing", "walking", "carrying", "reaching", "crouching")
        assert sitter.gear in ("", *KINDS)
    shard = tmp_path / "shipped-0000" / "labels.json"
    before = shard.stat().st_mtime_ns
    assert portraits.render_portraits(CORNER, tmp_path, 3, 4) == 3
    assert shard.stat().st_mtime_ns == before
    assert json.loads(shard.read_text())["info"]["look"] == "shipped"
