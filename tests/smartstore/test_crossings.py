"""Two people who met may have been taken for each other: their looks tell, once they are apart again."""

import numpy as np
import pytest

from smartstore.vision.crossings import Crossings
from smartstore.vision.tracks import Track

RED, BLUE = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0, 0.0])


def track(number: int, x_m: float, look: np.ndarray) -> Track:
    """Somebody known who stands at ``x_m``."""
    return Track(np.array([x_m, 0.0, 1.7, 0.0, 0.0]), np.eye(5), 0, 0, number, number, appearance=look)


def walk(crossings: Crossings, apart_m: list[float], *looks: np.ndarray) -> list[tuple[int, int]]:
    """Two tracks, red and blue at first, so far apart moment by moment, who look so then; who changed places."""
    one, other = track(1, 0.0, RED), track(2, 0.0, BLUE)
    changed = []
    for metres in apart_m:
        other.mean[0] = metres
        shown = {i: track(9, 0.0, RED).remember([look], 0.1, 8.0) for i, look in enumerate(looks)}
        changed += [(a.number, b.number) for a, b in crossings.observe([one, other], shown)]
    return changed


MET = [3.0] * 3 + [0.4] * 3
"""Both were apart, then side by side."""


def test_who_looks_like_the_other_one_afterwards_was_taken_for_them() -> None:
    assert walk(Crossings(), MET + [2.0] * 10, BLUE, RED) == [(1, 2)]


def test_who_looks_as_before_was_not() -> None:
    assert walk(Crossings(), MET + [2.0] * 30, RED, BLUE) == []


def test_it_is_said_once_and_not_before_both_were_seen_apart_for_long_enough() -> None:
    crossings = Crossings()
    assert walk(crossings, MET + [2.0] * 9, BLUE, RED) == []
    assert walk(crossings, [2.0] * 30, BLUE, RED) == [(1, 2)]


def test_what_is_not_clear_is_looked_at_for_longer() -> None:
    """What is seen of both at first is much of a third colour; their own, or each other's, comes out by and by."""
    green = np.array([0.0, 0.0, 1.0, 0.0])
    for mine, others, expected in ((RED, BLUE, []), (BLUE, RED, [(1, 2)])):
        crossings, at_first = Crossings(), 0.1 * (others - mine) + 0.5 * green
        assert walk(crossings, MET + [2.0] * 12, at_first, -at_first) == []
        assert walk(crossings, [2.0] * 60, mine, others) == expected


def test_what_they_look_like_side_by_side_counts_for_nothing() -> None:
    crossings = Crossings()
    walk(crossings, [3.0, 0.4, 0.4, *[0.9] * 30], BLUE, RED)
    assert walk(crossings, [2.0] * 30, RED, BLUE) == []


def test_two_who_wear_the_same_are_left_as_they_are() -> None:
    alike = RED + 0.05 * BLUE
    assert walk(Crossings(), MET, RED, BLUE) == []
    one, other = track(1, 0.0, RED), track(2, 0.4, alike)
    crossings = Crossings()
    crossings.observe([one, other], {})
    other.mean[0] = 2.0
    assert not any(crossings.observe([one, other], {0: (alike, 1), 1: (RED, 1)}) for _ in range(30))


def test_a_light_that_colours_both_changes_nothing() -> None:
    lamp = np.array([0.0, 0.0, 0.7, 0.0])
    assert walk(Crossings(), MET + [2.0] * 30, RED + lamp, BLUE + lamp) == []
    assert walk(Crossings(), MET + [2.0] * 30, BLUE + lamp, RED + lamp) == [(1, 2)]


@pytest.mark.parametrize("strange", [np.zeros(0), np.zeros(7), np.full(4, np.nan)])
def test_looks_that_cannot_be_compared_are_left_out(strange: np.ndarray) -> None:
    assert walk(Crossings(), MET + [2.0] * 30, strange, strange) == []
