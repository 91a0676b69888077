"""Pictures in which nothing moved are left, and nothing that moved is."""

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from smartstore.vision.movement import Box, MovementOptions, MovementWatch, Verdict, glance, moved_cells

OPTIONS = MovementOptions()
S = 1_000_000_000
AWAY: Box = (0.9, 0.8, 0.95, 1.0)
"""Somebody in the corner, away from what moves in these stories."""
Picture = NDArray[np.uint8]


def room(seed: int = 0) -> NDArray[np.float64]:
    """A shelf wall of coloured boxes, 640 x 360, without noise."""
    rng = np.random.default_rng(seed)
    return np.kron(rng.uniform(30, 220, (18, 32)), np.ones((20, 20)))


def seen(scene: NDArray[np.float64], rng: np.random.Generator, exposure: float = 1.0, read: float = 1.5) -> Picture:
    """The glance at a JPEG of a scene as a noisy sensor takes it."""
    light = scene * exposure
    noisy = (
        light[:, :, None]
        + rng.normal(0, np.sqrt(0.05 * light + read**2))[:, :, None]
        + rng.normal(0, 0.7, (360, 640, 3))
    )
    small = glance(cv2.imencode(".jpg", np.clip(noisy, 0, 255).astype(np.uint8))[1].tobytes(), 640)
    assert small is not None
    return small


def moved_share(one: Picture, other: Picture) -> float:
    return float(moved_cells(one, other, OPTIONS).mean())


def with_patch(scene: NDArray[np.float64], x: int, width: int, height: int, levels: float) -> NDArray[np.float64]:
    out = scene.copy()
    out[100 : 100 + height, x : x + width] += np.where(out[100 : 100 + height, x : x + width] > 128, -levels, levels)
    return out


@pytest.mark.parametrize("read", [1.0, 3.0, 6.0], ids=["day", "dusk", "night"])
@pytest.mark.parametrize("seed", range(200, 204))
def test_noise_is_no_movement(seed: int, read: float) -> None:
    rng = np.random.default_rng(seed)
    first, second = (seen(room(seed), rng, read=read) for _ in range(2))
    assert moved_share(second, first) < OPTIONS.stirred_share


@pytest.mark.parametrize("exposure", [0.7, 0.95, 1.05, 1.15])
def test_a_camera_that_exposes_anew_has_not_moved_anything(exposure: float) -> None:
    rng = np.random.default_rng(210)
    scene = np.minimum(room(210), 200)
    assert moved_share(seen(scene, rng, exposure), seen(scene, rng)) < OPTIONS.stirred_share


@pytest.mark.parametrize(("width", "height", "levels", "least"), [
    (60, 150, 60, OPTIONS.moved_share), (40, 24, 40, OPTIONS.moved_share), (16, 20, 40, OPTIONS.stirred_share),
], ids=["a person", "a forearm", "a small item"])  # fmt: skip
def test_what_moves_is_seen(width: int, height: int, levels: float, least: float) -> None:
    rng = np.random.default_rng(220)
    before, after = seen(room(220), rng), seen(with_patch(room(220), 301, width, height, levels), rng)
    assert moved_share(after, before) >= least


def step(box: Box, dx_px: int, seed: int) -> Verdict:
    """Somebody fills the middle of ``box`` and moves to the right by so many pixels."""
    rng = np.random.default_rng(seed)
    left, top, right, bottom = (round(v * side) for v, side in zip(box, (640, 360, 640, 360), strict=True))
    before, after = room(seed), room(seed)
    inset = (right - left) // 5
    for scene, shift in ((before, 0), (after, dx_px)):
        scene[top:bottom, left + inset + shift : right - inset + shift] = 40
    watch = MovementWatch(OPTIONS)
    watch.observe(0, seen(before, rng))
    watch.answered([box])
    return watch.observe(S // 5, seen(after, rng))


@pytest.mark.parametrize("seed", range(260, 264))
def test_a_step_of_somebody_small_and_of_somebody_large_is_looked_at(seed: int) -> None:
    far, near = (0.4, 0.3, 0.43, 0.45), (0.3, 0.1, 0.5, 0.9)
    assert step(far, 6, seed) is Verdict.LOOK
    assert step(near, 40, seed) is Verdict.LOOK
    assert step(near, 0, seed) is not Verdict.LOOK


def test_another_view_is_movement() -> None:
    rng = np.random.default_rng(230)
    assert moved_share(seen(room(230), rng), seen(room(231), rng)) > 0.5


@pytest.mark.parametrize("left", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("off", [True, False], ids=["off", "on"])
def test_lights_that_go_off_or_on_are_looked_at(left: float, off: bool) -> None:
    rng = np.random.default_rng(240)
    lit, dark = seen(room(240), rng), seen(room(240) * left, rng)
    before, after = (lit, dark) if off else (dark, lit)
    watch = MovementWatch(OPTIONS)
    watch.observe(0, before)
    watch.answered([AWAY])
    assert watch.observe(S // 5, after) is Verdict.LOOK


def verdicts(watch: MovementWatch, pictures: Iterator[Picture], times_s: list[float], people: int) -> list[Verdict]:
    out = []
    for at_s, picture in zip(times_s, pictures, strict=False):
        out.append(watch.observe(round(at_s * S), picture))
        if out[-1] is Verdict.LOOK:
            watch.answered([AWAY] * people)
    return out


def still(seed: int) -> Iterator[Picture]:
    rng = np.random.default_rng(seed)
    while True:
        yield seen(room(seed), rng)


@pytest.mark.parametrize(("people", "floor_s"), [(0, OPTIONS.empty_floor_s), (2, OPTIONS.floor_s)])
def test_a_still_room_is_looked_at_now_and_then_and_rarer_when_empty(people: int, floor_s: float) -> None:
    times = [n / 5 for n in range(51)]
    found = verdicts(MovementWatch(OPTIONS), still(250), times, people)
    looks = [at for at, verdict in zip(times, found, strict=True) if verdict is Verdict.LOOK]
    assert looks == pytest.approx([n * floor_s for n in range(int(10 / floor_s) + 1)])


def test_a_shelf_reader_reads_on_for_a_while_and_then_rests() -> None:
    found = verdicts(MovementWatch(replace(OPTIONS, floor_s=60)), still(251), [n / 2 for n in range(12)], 1)
    assert found == [Verdict.LOOK] + [Verdict.READ] * 5 + [Verdict.REPEAT] * 6


def test_what_creeps_adds_up_until_it_is_looked_at() -> None:
    rng = np.random.default_rng(252)
    pictures = (seen(with_patch(room(252), 100 + n // 2, 30, 60, 60), rng) for n in range(25))
    found = verdicts(MovementWatch(replace(OPTIONS, floor_s=60)), pictures, [n / 5 for n in range(25)], 1)
    looks = [n for n, verdict in enumerate(found) if verdict is Verdict.LOOK]
    assert 2 < len(looks) < 25
    assert max(np.diff(looks)) < 10


def test_somebody_who_vanishes_from_a_still_picture_is_looked_for_once_more() -> None:
    watch, pictures = MovementWatch(OPTIONS), still(253)
    assert watch.observe(0, next(pictures)) is Verdict.LOOK
    watch.answered([AWAY, AWAY])
    assert watch.observe(2 * S, next(pictures)) is Verdict.LOOK
    watch.answered([AWAY])
    assert watch.observe(2 * S + S // 5, next(pictures)) is Verdict.LOOK
    watch.answered([AWAY])
    assert watch.observe(2 * S + 2 * S // 5, next(pictures)) is not Verdict.LOOK


def test_everything_is_looked_at_when_skipping_is_off_and_when_a_clock_is_set_back() -> None:
    off = verdicts(MovementWatch(replace(OPTIONS, skip=False)), still(254), [0, 0.2, 0.4], 0)
    back = verdicts(MovementWatch(OPTIONS), still(254), [100, 100.2, 3], 0)
    assert (off, back[2]) == ([Verdict.LOOK] * 3, Verdict.LOOK)


@pytest.mark.parametrize("size", [(640, 360), (1920, 1080), (320, 240), (200, 100), (5472, 3648)], ids=str)
def test_a_glance_is_small_whatever_the_picture(size: tuple[int, int]) -> None:
    jpeg = cv2.imencode(".jpg", np.full((size[1], size[0], 3), 90, np.uint8))[1].tobytes()
    small = glance(jpeg, size[0])
    assert small is not None
    assert 100 <= small.shape[1] <= 320 and small.shape[1] / small.shape[0] == pytest.approx(
        size[0] / size[1], rel=0.02
    )
    assert abs(int(small.mean()) - 90) <= 1


@pytest.mark.parametrize("jpeg", [b"", b"\xff\xd8\xff", b"text"])
def test_a_glance_at_rubbish_is_nothing(jpeg: bytes) -> None:
    assert glance(jpeg, 640) is None
