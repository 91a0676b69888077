"""Wrists in several pictures become palms in metres."""

from pathlib import Path

import numpy as np
import pytest

from smartstore.domain.people import Hand
from smartstore.site import Site, load_site
from smartstore.vision.tracker import FloorTracker
from tests.smartstore.crowd import SECOND, Cinema, Walker


@pytest.fixture(scope="module")
def corner() -> Site:
    return load_site(Path("configs/stores/corner.yaml"))


def right_hands(site: Site, walker: Walker, seconds: float, fps: float = 5.0, **how: float) -> list[tuple[float, Hand]]:
    """(seconds, hand) of every known right hand of the only track."""
    perfect = {"seed": 1, "noise_px": 3.0, "pose_error_deg": 0.0, "pose_error_m": 0.0}
    cinema = Cinema(site, **{**perfect, **how})  # type: ignore[arg-type]
    tracker = FloorTracker(site)
    states = [state for view in cinema.views([walker], seconds, fps) if (state := tracker.observe([view]))]
    return [
        (state.t_ns / SECOND - 1000, hand)
        for state in states for person in state.tracks for hand in person.hands if hand.side == "right"
    ]  # fmt: skip


def away_m(hand: Hand, target: tuple[float, float, float]) -> float:
    return float(np.linalg.norm(np.array([hand.x_m, hand.y_m, hand.z_m]) - target))


def reaching(target: tuple[float, float, float], place: tuple[float, float]) -> Walker:
    """Somebody at ``place`` who looks along the aisle and holds the right palm at ``target``."""
    return Walker(lambda t: place, hands={"right": lambda t: target})


@pytest.mark.parametrize(
    ("place", "target", "limit_m"),
    [
        pytest.param((3.75, 3.0), (4.2, 3.3, 1.1), 0.05, id="all around"),
        pytest.param((1.3, 4.6), (1.75, 4.9, 1.25), 0.065, id="from the far end"),
    ],
)
def test_a_palm_that_several_cameras_see_is_found_within_centimetres(
    corner: Site, place: tuple[float, float], target: tuple[float, float, float], limit_m: float
) -> None:
    hands = [hand for t_s, hand in right_hands(corner, reaching(target, place), 5.0) if t_s > 2.5]
    assert len(hands) > 20
    assert np.median([away_m(hand, target) for hand in hands]) < limit_m
    assert np.median([hand.sigma_m for hand in hands]) < 0.12


def test_cameras_off_their_survey_cost_some_centimetres(corner: Site) -> None:
    target = (4.2, 3.3, 1.1)
    errors = []
    for seed in range(4):
        off = {"pose_error_deg": 0.4, "pose_error_m": 0.015}
        found = right_hands(corner, reaching(target, (3.75, 3.0)), 4.0, seed=seed, **off)
        errors += [away_m(hand, target) for t_s, hand in found if t_s > 2.0]
    assert np.median(errors) < 0.09


def test_a_moving_hand_is_followed(corner: Site) -> None:
    def target(t_s: float) -> tuple[float, float, float]:
        return 4.1 + 0.15 * np.sin(2 * t_s), 3.3, 1.1 + 0.15 * np.cos(2 * t_s)

    walker = Walker(lambda t: (3.75, 3.0), hands={"right": target})
    errors = [away_m(hand, target(t_s)) for t_s, hand in right_hands(corner, walker, 6.0) if t_s > 2.0]
    assert np.median(errors) < 0.10


def test_the_spread_is_honest(corner: Site) -> None:
    target = (4.2, 3.3, 1.1)
    found = right_hands(corner, reaching(target, (3.75, 3.0)), 6.0, pose_error_deg=0.4)
    ratio = [away_m(hand, target) / (np.sqrt(3) * hand.sigma_m) for t_s, hand in found if t_s > 2.0]
    assert 0.2 < np.median(ratio) < 1.6


def test_one_camera_and_a_shelf_face_are_enough_to_know_the_facing(corner: Site) -> None:
    target = (0.43, 2.65, 1.2)
    cinema = Cinema(corner, seed=3, miss=0.0, false_boxes=0.0, pose_error_deg=0.0)
    tracker = FloorTracker(corner)
    walker = reaching(target, (0.85, 2.75))
    views = [view for view in cinema.views([walker], 5.0) if view.camera == "c2"]
    states = [state for view in views if (state := tracker.observe([view]))]
    hands = [h for s in states[10:] for t in s.tracks for h in t.hands if h.side == "right"]
    assert len(hands) > 5
    assert np.median([abs(hand.y_m - target[1]) for hand in hands]) < 0.15
    assert np.median([away_m(hand, target) for hand in hands]) < 0.25


def test_wrists_that_the_network_is_unsure_of_are_no_hands(corner: Site) -> None:
    tracker = FloorTracker(corner)
    cinema = Cinema(corner, seed=1)
    for view in cinema.views([Walker(lambda t: (4.2, 3.3))], 4.0):
        for person in view.people:
            person.joints_px[9:11, 2] = np.minimum(person.joints_px[9:11, 2], 0.2)
        state = tracker.observe([view])
    assert state
    assert state.tracks
    assert state.tracks[0].hands == ()
