"""What is wrong with devices: links, clocks, exposure and blur, each by a story of its own."""

from dataclasses import replace

import numpy as np
import pytest

from sims.building import Building
from sims.devices.blur import Spot, smear, spots
from sims.devices.camera import FrameCamera
from sims.devices.ground import Ground
from sims.devices.link import Clock, Post
from sims.devices.mounting import as_built
from sims.flaws import Link, Mounting, Sensor
from sims.optics import CameraSpec
from sims.scene import BodyState, Scene
from smartstore.wire.codec import Packet

SECOND = 1_000_000_000


class Grey:
    """Draws the same grey everywhere."""

    def __init__(self, level: int) -> None:
        self.level = level

    def render(self, scene: Scene, camera: CameraSpec) -> np.ndarray:
        return np.full((camera.height_px, camera.width_px, 3), self.level, np.uint8)


def person(x_m: float, phase: float = 0.0) -> BodyState:
    return BodyState("p", 0, 0, x_m, 3.0, 0.0, 1.0, phase)


def packets(count: int) -> list[Packet]:
    return [Packet(f"t/{i}", b"") for i in range(count)]


def test_a_clock_is_off_and_runs_away() -> None:
    clock = Clock(10 * SECOND, SECOND // 4, 20e-6)
    assert clock.read(10 * SECOND) == 10 * SECOND + SECOND // 4
    assert clock.read(110 * SECOND) == 110 * SECOND + SECOND // 4 + SECOND // 500


def test_packets_are_late_overtake_each_other_and_get_lost_the_same_way_every_time() -> None:
    def journey(seed: int) -> list[str]:
        post = Post(seed, {"c1": Link(latency_s=0.1, jitter_s=0.1, drop_share=0.2), "c2": Link()})
        for i, packet in enumerate(packets(200)):
            assert post.send("c1", i * SECOND // 20, [packet]) == []
        assert post.send("c2", 0, packets(1)) == packets(1)
        assert all(int(p.topic[2:]) <= 198 for p in post.arrive(10 * SECOND)), "nothing is faster than its latency"
        post = Post(seed, {"c1": Link(latency_s=0.1, jitter_s=0.1, drop_share=0.2)})
        for i, packet in enumerate(packets(200)):
            post.send("c1", i * SECOND // 20, [packet])
        return [packet.topic for packet in post.arrive()]

    first = journey(1)
    assert first == journey(1) != journey(2)
    assert 130 < len(first) < 185
    assert first != sorted(first, key=lambda topic: int(topic[2:]))


def test_nothing_arrives_before_the_latency_of_its_link() -> None:
    post = Post(1, {"c1": Link(latency_s=0.1, jitter_s=0.05)})
    post.send("c1", 0, packets(50))
    assert post.arrive(SECOND // 10 - 1) == []
    assert 20 < len(post.arrive(SECOND // 10 + SECOND // 20)) < 45, "one mean of the jitter later"


def test_cameras_differ_in_brightness_and_white_as_their_sensors_say(corner: Building) -> None:
    def shown(sensor: Sensor) -> np.ndarray:
        """Mean red, green and blue of six cameras: (6, 3)."""
        spec, grey = corner.cameras["c1"], np.full((90, 160, 3), 100, np.uint8)
        cameras = [FrameCamera(spec, Grey(0), np.random.default_rng(seed), None, sensor) for seed in range(6)]
        return np.array([camera.expose(grey).mean(axis=(0, 1)) for camera in cameras])

    assert shown(Sensor()) == pytest.approx(np.full((6, 3), 100.0), abs=1.0)
    gains = shown(Sensor(gain_share=0.2))
    assert gains.mean(axis=1).std() > 8
    assert np.ptp(gains, axis=1).max() < 1.0, "all three channels alike"
    white = shown(Sensor(white_share=0.2))
    assert white[:, [0, 2]].std(axis=0).min() > 8
    assert white[:, 1] == pytest.approx(np.full(6, 100.0), abs=1.0)


def test_lenses_differ_from_the_survey_only_if_told_to(corner: Building) -> None:
    exact, off = (as_built(corner, Mounting(distortion_share=share), 1).cameras for share in (0.0, 0.2))
    for name, spec in corner.cameras.items():
        assert exact[name].distortion == spec.distortion
        assert off[name].distortion != spec.distortion
        assert off[name].distortion == pytest.approx(spec.distortion, rel=1.0)
        assert off[name].position_m == exact[name].position_m


def test_automatic_exposure_comes_with_a_lag(corner: Building) -> None:
    sensor = Sensor(auto_exposure=1.0, exposure_lag_s=1.0, read=0.0, shot=0.0)
    grey = Grey(40)
    camera = FrameCamera(corner.cameras["c1"], grey, np.random.default_rng(1), 5, sensor)
    seen = []
    for i in range(50):
        camera.observe(Scene(i * SECOND // 5, (), {}))
        seen.append(camera.exposure)
    assert seen[0] == 1.0
    assert 1.2 < seen[3] < 2.2, "after half a second it is on its way"
    assert 2.6 < seen[-1] < 2.95, "112 / 40"


def test_only_what_moves_is_smeared(corner: Building) -> None:
    camera = corner.cameras["c1"]
    before, now = Scene(0, (person(2.0),), {}), Scene(SECOND // 60, (person(2.0 + 1.5 / 60),), {})
    assert spots(now, now, camera, 0.03) == []
    assert spots(replace(now, people=before.people), before, camera, 0.03) == []
    moving = spots(now, before, camera, 0.03)
    assert len(moving) == 1
    assert 1.0 <= np.hypot(*moving[0].moves) < 12.0
    stripes = np.zeros((120, 160, 3), np.uint8)
    stripes[:, ::4] = 200
    blurred = smear(stripes, [Spot((80, 60), (20, 20), (8.0, 0.0))])
    assert (blurred[:, :55] == stripes[:, :55]).all()
    assert blurred[50:70, 70:90].std() < 0.4 * stripes[50:70, 70:90].std()


@pytest.mark.parametrize("hand", ["left_hand_m", "right_hand_m"])
def test_either_hand_is_smeared_by_itself(corner: Building, hand: str) -> None:
    still, goes = ((2.0, 3.0, 1.0), (2.0, 3.0, 1.0)), ((2.4, 3.0, 1.0), (2.4 + 1.2 / 60, 3.0, 1.0))
    other = "left_hand_m" if hand == "right_hand_m" else "right_hand_m"
    before, now = (
        Scene(i * SECOND // 60, (replace(person(2.0), **{hand: goes[i], other: still[i]}),), {}) for i in (0, 1)
    )
    camera = corner.cameras["c1"]
    (spot,) = spots(now, before, camera, 0.03)
    assert spot.middle == pytest.approx(camera.project(np.array([goes[1]]))[0], abs=0.5)


def test_steps_shake_what_is_near_and_standing_still_does_not(corner: Building) -> None:
    ground, rock = (Ground(corner, np.random.default_rng(1), footfalls) for footfalls in (1.0, 0.0))
    for i in range(120):
        for floor in (ground, rock):
            floor.feel(Scene(i * SECOND // 60, (person(1.0, i / 60 % 1.0),), {}), i / 60)
    times_s = 2.0 + np.arange(12) / 60
    shaken = ground.shaking("g1", times_s)
    assert shaken is not None and shaken.max() > 0.2
    assert rock.shaking("g1", times_s) is None
    assert ground.shaking("g1", times_s + 10) is None
