"""Load cells: a push, a lift, neighbours that ring, and never a zero."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from sims.building import Building
from sims.deeds import Contact
from sims.devices.scale import NARROW_M, STEP_GRAMS, STUCK_GRAMS, Scale
from sims.flaws import LoadCells
from smartstore.wire.messages import ScaleBatch

PLATE, NEIGHBOUR, OTHER_SHELF = "g1-2-p2", "g1-2-p3", "g1-3-p1"


def scale(corner: Building, seed: int, dead: frozenset[str] = frozenset(), fixture: str = "g1") -> Scale:
    standing = {plate.id: 5000.0 for plate in corner.plates.values() if plate.fixture == fixture}
    return Scale(corner, fixture, standing, np.random.default_rng(seed), dead)


def readings(scale: Scale, seconds: float, contacts: Sequence[Contact] = ()) -> tuple[np.ndarray, list[ScaleBatch]]:
    """Samples (n, plates) of a story; contacts are felt when their time comes."""
    batches, waiting = [], sorted(contacts, key=lambda c: c.t_s)
    for k in range(round(seconds * 5)):
        while waiting and waiting[0].t_s < (k + 1) / 5:
            scale.feel(waiting.pop(0))
        batches.append(scale.read(k * 200_000_000, k / 5))
    return np.array([row for batch in batches for row in batch.grams], float), batches


def take(t_s: float, grams: float, plate: str = PLATE) -> Contact:
    return Contact(t_s, "g1", "g1-2", {plate: 1.0}, -grams, press_grams=40.0, press_s=0.1, move_s=0.1)


def put(t_s: float, grams: float) -> Contact:
    return Contact(t_s, "g1", "g1-2", {PLATE: 1.0}, grams, press_grams=15.0, press_s=0.12, move_s=0.2)


def around(samples: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    return samples[round(start_s * 60) : round(end_s * 60)]


@pytest.mark.parametrize("seed", range(6))
def test_a_bottle_taken_is_a_push_then_a_lift_while_neighbours_ring(corner: Building, seed: int) -> None:
    cells = scale(corner, seed)
    plate, near, far = (cells.plates.index(p) for p in (PLATE, NEIGHBOUR, OTHER_SHELF))
    samples, _ = readings(cells, 6, [take(3.0, 622.0)])
    level = np.median(around(samples, 1, 2.9), axis=0)
    noise = np.std(around(samples, 1, 2.9), axis=0)
    moved = samples - level
    assert 15 < around(moved[:, plate], 3.03, 3.1).max() < 70 + 4 * noise[plate], "the push"
    assert np.median(around(moved[:, plate], 4.5, 6)) == pytest.approx(-622, abs=25 + 2 * noise[plate])
    drop = np.nonzero(moved[:, plate] < -500)[0][0] / 60
    assert 3.1 < drop < 3.4, "the lift is over within a third of a second"
    assert np.abs(around(moved[:, near], 3, 3.6)).max() < 0.16 * 622 + 5 * noise[near]
    assert np.abs(around(moved[:, far], 3, 3.6)).max() < 0.02 * 622 + 6 * noise[far]
    assert abs(np.median(around(moved[:, near], 4.5, 6))) < 0.035 * 622


def test_of_two_hands_in_the_same_moment_the_quicker_one_is_over_first(corner: Building) -> None:
    cells = scale(corner, 1)
    slow = replace(take(1.0, 300.0, NEIGHBOUR), press_s=2.5)
    samples, _ = readings(cells, 8, [slow, take(1.0, 500.0)])
    level = np.median(around(samples, 0, 0.9), axis=0) - np.median(around(samples, 6, 8), axis=0)
    gone = [level[cells.plates.index(plate)] for plate in (PLATE, NEIGHBOUR)]
    assert gone == pytest.approx([500, 300], abs=25)


def test_rings_fade_and_leave_a_little_behind(corner: Building) -> None:
    ring, left = [], []
    for seed in range(12):
        cells = scale(corner, seed)
        near = cells.plates.index(NEIGHBOUR)
        samples, _ = readings(cells, 6, [take(3.0, 1000.0)])
        quiet = np.std(around(samples, 1, 2.9)[:, near])
        level = np.median(around(samples, 1, 2.9)[:, near])
        ring.append(np.abs(around(samples, 3.1, 3.4)[:, near] - level).max() / quiet)
        left.append(abs(np.median(around(samples, 5, 6)[:, near]) - level))
    assert np.median(ring) > 4, "neighbours feel a kilogram go"
    assert max(left) > 3
    assert max(left) < 40


@pytest.mark.parametrize("seed", range(4))
def test_weight_is_conserved_plate_by_plate_and_nothing_is_ever_zeroed(corner: Building, seed: int) -> None:
    cells = scale(corner, seed)
    plate = cells.plates.index(PLATE)
    samples, _ = readings(cells, 12, [take(2.0, 400.0), take(4.0, 250.0), put(7.0, 400.0)])
    noise = np.std(around(samples, 0.5, 1.9)[:, plate])
    start, end = np.median(around(samples, 0.5, 1.9), axis=0), np.median(around(samples, 10, 12), axis=0)
    assert end[plate] - start[plate] == pytest.approx(-250, abs=6 + 2 * noise)
    others = [i for i in range(len(cells.plates)) if i != plate]
    assert np.abs(end - start)[others].max() < 25
    assert np.abs(start).max() > 500, "absolute values mean nothing"
    assert np.abs(end).min() > 1


def test_a_put_down_overshoots_and_settles(corner: Building) -> None:
    overshoots = []
    for seed in range(8):
        cells = scale(corner, seed)
        plate = cells.plates.index(PLATE)
        samples, _ = readings(cells, 5, [put(2.0, 800.0)])
        level = np.median(around(samples, 0.5, 1.9)[:, plate])
        moved = samples[:, plate] - level
        overshoots.append(around(moved, 2, 3).max() - np.median(around(moved, 4, 5)))
        assert np.median(around(moved, 4, 5)) == pytest.approx(800, abs=20)
    assert np.median(overshoots) > 10


def test_the_hand_lets_go_of_what_it_puts_down_a_moment_later(corner: Building) -> None:
    presses = []
    for seed in range(8):
        cells = scale(corner, seed)
        plate = cells.plates.index(PLATE)
        down = Contact(2.0, "g1", "g1-2", {PLATE: 1.0}, 300.0, press_grams=150.0, press_s=0.5, move_s=0.2)
        samples, _ = readings(cells, 6, [down])
        presses.append(around(samples, 2.5, 2.65)[:, plate].mean() - around(samples, 4, 6)[:, plate].mean())
    assert np.median(presses) == pytest.approx(150, abs=15)


def test_a_touch_leaves_nothing_behind(corner: Building) -> None:
    cells = scale(corner, 3)
    plate = cells.plates.index(PLATE)
    samples, _ = readings(cells, 6, [Contact(2.0, "g1", "g1-2", {PLATE: 1.0}, 0.0, 60.0, 0.4, 0.0)])
    level = np.median(around(samples, 0.5, 1.9)[:, plate])
    assert around(samples, 2.1, 2.4)[:, plate].mean() - level == pytest.approx(60, abs=10)
    assert np.median(around(samples, 4, 6)[:, plate]) == pytest.approx(level, abs=4)


def test_readings_come_in_steps_and_batches_follow_each_other(corner: Building) -> None:
    samples, batches = readings(scale(corner, 1), 4)
    steps = samples / STEP_GRAMS
    assert np.abs(steps - np.round(steps)).max() < 0.01
    assert [batch.seq for batch in batches] == list(range(20))
    assert all(len(batch.grams) == 12 and batch.period_ns == 16_666_667 for batch in batches)


def test_noise_drift_and_memory_are_those_of_a_real_store(corner: Building) -> None:
    noise, memory, drift = [], [], []
    for seed in range(40):
        samples, _ = readings(scale(corner, seed), 17)
        steps = samples - samples.mean(axis=0)
        slow = np.array([np.convolve(column, np.ones(60) / 60, mode="same") for column in steps.T]).T
        quick = (steps - slow)[60:-60]
        noise += list(quick.std(axis=0))
        memory += [float(np.corrcoef(q[:-1], q[1:])[0, 1]) for q in quick.T]
        drift += list(np.median(samples[-60:], axis=0) - np.median(samples[:60], axis=0))
    assert 0.4 < np.median(noise) < 1.5
    assert 1.2 < np.percentile(noise, 90) < 4.7
    assert max(noise) < 9
    assert np.percentile(memory, 5) < -0.1
    assert np.percentile(memory, 95) > 0.6
    assert 0.3 < np.percentile(np.abs(drift), 90) < 3.5


def test_a_dead_plate_says_nothing(corner: Building) -> None:
    _, batches = readings(scale(corner, 1, frozenset({PLATE})), 1)
    for batch in batches:
        for row in batch.grams:
            assert [plate for plate, grams in zip(batch.plates, row, strict=True) if grams is None] == [PLATE]


def test_a_stuck_plate_always_says_the_same_and_the_others_do_not(corner: Building) -> None:
    standing = {plate.id: 5000.0 for plate in corner.plates.values() if plate.fixture == "g1"}
    cells = Scale(corner, "g1", standing, np.random.default_rng(1), stuck=frozenset({PLATE}))
    samples, _ = readings(cells, 4, [take(1.0, 622.0)])
    stuck = [plate for plate, column in zip(cells.plates, samples.T, strict=True) if np.all(column == STUCK_GRAMS)]
    assert stuck == [PLATE]


def test_flickering_plates_fall_silent_for_a_moment_now_and_then(corner: Building) -> None:
    standing = {plate.id: 5000.0 for plate in corner.plates.values() if plate.fixture == "g1"}
    silent = []
    for share in (0.0, 1.0):
        options = LoadCells(flicker_share=share, flicker_s=0.5)
        samples, _ = readings(Scale(corner, "g1", standing, np.random.default_rng(1), options=options), 90)
        silent.append(np.isnan(samples))
    assert not silent[0].any()
    assert 0.005 < silent[1].mean() < 0.05, "half a second in thirty"
    assert (~silent[1]).all(axis=1).any()
    assert silent[1].any(axis=0).mean() > 0.7


def test_slow_lifts_take_at_least_three_times_as_long(corner: Building) -> None:
    standing = {plate.id: 5000.0 for plate in corner.plates.values() if plate.fixture == "g1"}
    lasts_s = []
    for share in (0.0, 1.0):
        options = LoadCells(slow_lifts=share)
        cells = Scale(corner, "g1", standing, np.random.default_rng(1), options=options)
        slowly = replace(take(1.0, 1_000.0), move_s=0.3)
        column = readings(cells, 6, [slowly])[0][:, cells.plates.index(PLATE)]
        left = column - np.median(around(column, 5, 6))
        lasts_s.append((np.nonzero(left > 100)[0][-1] - np.nonzero(left > 900)[0][-1]) / 60)
    assert lasts_s[1] > 2.5 * lasts_s[0]


def test_a_plate_that_carries_more_than_it_can_hides_what_is_taken(corner: Building) -> None:
    room_grams = 20_000.0 * corner.plates[PLATE].width_m / NARROW_M
    standing = {p.id: 100.0 for p in corner.plates.values() if p.fixture == "g1"} | {PLATE: room_grams + 5_000}
    seen = []
    for cells in (LoadCells(), LoadCells(capacity_grams=40_000.0)):
        full = Scale(corner, "g1", standing, np.random.default_rng(3), options=cells)
        samples, _ = readings(full, 4.0, [take(1.5, 1_000.0)])
        column = samples[:, full.plates.index(PLATE)]
        seen.append(float(around(column, 3, 4).mean() - around(column, 0, 1).mean()))
    assert seen[0] == pytest.approx(0, abs=30)
    assert seen[1] == pytest.approx(-1_000, abs=30)
