"""Weight steps from noisy plates. The noise of the stories is Laplace with a moving average, on a slow sine."""

import numpy as np
import pytest
from msgspec import structs

from smartstore.domain.items import WeightStep
from smartstore.scales.candidates import CandidateFinder
from smartstore.scales.steps import StepDetector
from smartstore.site import Fixture, Plate, Site, load_site
from smartstore.site.parts import Facing, ScaleSpec, Shelf
from tests.builders import FakeScale, at, felt, grams, plate


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site("configs/stores/corner.yaml")


def steps_of(scale: FakeScale, until_s: float = 15.0, size: int = 12) -> list[WeightStep]:
    detector = StepDetector(scale.fixture)
    return [step for batch in scale.batches(until_s, size) for step in detector.observe(felt(batch))]


@pytest.mark.parametrize("noise_grams", [0.3, 1.0, 3.0, 6.0])
def test_a_take_is_one_step_on_its_plate_although_the_whole_shelf_rings(site: Site, noise_grams: float) -> None:
    scale = FakeScale(site.fixtures["g1"], 3, noise_grams).move(5, plate(site, "g1-1-b"), -622, ring_share=0.07)
    [step] = steps_of(scale)
    assert [name for name, _ in step.plates] == [plate(site, "g1-1-b")]
    assert step.grams == pytest.approx(-622, abs=4 * step.sigma_grams + 1)
    assert at(4.8) <= step.t_start_ns <= at(5.1) < step.t_end_ns <= at(5.8)


def test_a_step_is_told_within_a_second_of_having_settled(site: Site) -> None:
    scale = FakeScale(site.fixtures["g1"], 3).move(5, plate(site, "g1-1-b"), -622)
    detector = StepDetector(scale.fixture)
    told = [batch.t_ns for batch in scale.batches(15) if detector.observe(felt(batch))]
    assert told and told[0] <= at(5.25 + 1.0)


def test_a_touch_that_takes_nothing_is_no_step(site: Site) -> None:
    scale = FakeScale(site.fixtures["g1"], 5).touch(4, plate(site, "g1-1-b")).touch(7, plate(site, "g1-2-a"), 53, 0.1)
    assert steps_of(scale) == []


def test_opposite_changes_on_one_shelf_stay_apart_although_their_sum_cancels(site: Site) -> None:
    scale = FakeScale(site.fixtures["g1"], 7)
    scale.move(5, plate(site, "g1-1-a"), -1012).move(5.1, plate(site, "g1-1-b"), 1009)
    assert sorted(round(step.grams, -1) for step in steps_of(scale)) == [-1010, 1010]


def test_a_neighbour_that_keeps_a_few_grams_is_no_step(site: Site) -> None:
    scale = FakeScale(site.fixtures["g1"], 9, 0.5).move(5, plate(site, "g1-1-b"), -622, keeps_share=11 / 622)
    [step] = steps_of(scale)
    assert step.grams == pytest.approx(-622, abs=3)


def test_quick_picks_add_up(site: Site) -> None:
    scale = FakeScale(site.fixtures["g1"], 11)
    for i in range(3):
        scale.move(5 + 0.7 * i, plate(site, "g1-2-b"), -419)
    found = steps_of(scale)
    assert sum(step.grams for step in found) == pytest.approx(-3 * 419, abs=6)


def test_a_slow_lift_is_one_step(site: Site) -> None:
    [step] = steps_of(FakeScale(site.fixtures["g1"], 13).move(5, plate(site, "g1-2-b"), -419, lift_s=1.2))
    assert step.grams == pytest.approx(-419, abs=5)


def test_drift_and_noise_alone_say_nothing(site: Site) -> None:
    """Sixty seconds of the usual noise, ten times."""
    found = [step for seed in range(10) for step in steps_of(FakeScale(site.fixtures["g1"], seed, 1.8), 60)]
    assert len(found) <= 1


def test_dead_plates_are_silent_and_do_not_hide_the_others(site: Site) -> None:
    dead = plate(site, "g1-1-a")
    scale = FakeScale(site.fixtures["g1"], 1, dead=(dead,)).move(5, plate(site, "g1-1-b"), -622)
    detector = StepDetector(scale.fixture)
    [step] = [step for batch in scale.batches(10) for step in detector.observe(felt(batch))]
    assert step.plates[0][0] == plate(site, "g1-1-b")
    live = detector.live_plates(at(10))
    assert dead not in live and plate(site, "g1-1-b") in live
    assert not detector.live_plates(at(20))


def test_what_went_while_a_plate_was_silent_went_somewhen_in_that_time(site: Site) -> None:
    """The plate gives no number from 4.5 s to 5.9 s; at 5 s something is taken from it."""
    name = plate(site, "g1-1-b")
    scale = FakeScale(site.fixtures["g1"], 3).move(5, name, -622)
    column, detector, found = scale.plates.index(name), StepDetector(scale.fixture), []
    for batch in scale.batches(15):
        silent = at(4.5) <= batch.t_ns < at(5.9)
        rows = [[None if silent and i == column else g for i, g in enumerate(row)] for row in batch.grams]
        found += detector.observe(felt(structs.replace(batch, grams=rows)))
    [step] = found
    assert at(4.3) < step.t_start_ns <= at(4.6) and at(5.9) <= step.t_end_ns < at(6.6)
    assert step.grams == pytest.approx(-622, abs=4 * step.sigma_grams + 1)


def test_plates_that_the_store_does_not_know_are_left_aside(site: Site) -> None:
    scale = FakeScale(site.fixtures["g1"], 1).move(5, plate(site, "g1-1-b"), -622)
    detector = StepDetector(scale.fixture)
    strange = [
        structs.replace(
            batch, plates=[*batch.plates, "x"], grams=[[*row, 1e3 * i] for i, row in enumerate(batch.grams)]
        )
        for batch in scale.batches(10)
    ]
    [step] = [step for batch in strange for step in detector.observe(felt(batch))]
    assert step.plates[0][0] == plate(site, "g1-1-b")
    assert detector.unknown_plates == len(strange)


def test_the_size_of_batches_does_not_matter(site: Site) -> None:
    scale = FakeScale(site.fixtures["g1"], 1).move(5, plate(site, "g1-1-b"), -622)
    [[single], [small], [large]] = (steps_of(scale, size=size) for size in (1, 12, 60))
    assert single.plates == small.plates == large.plates
    assert max(abs(step.t_end_ns - large.t_end_ns) for step in (single, small)) < 1000


@pytest.fixture(scope="module")
def wide() -> Fixture:
    """Four plates, the two in the middle under one facing."""
    plates = tuple(Plate(f"p{i}", "f", "s", 0.1 * i, 0.1) for i in range(4))
    facing = Facing("a", "f", "s", "1", 0.1, 0.2, 1, 3, ("p1", "p2"), (0, 0, 0))
    shelf = Shelf("s", "f", 0.5, 0.3, plates, (facing,))
    return Fixture("f", "gondola", (0, 0), 0, 0.4, 0.4, 1.5, ScaleSpec(60, 12), (shelf,))


def test_an_item_across_two_plates_is_one_step(wide: Fixture) -> None:
    [step] = steps_of(FakeScale(wide, 2).move(5, "p1", -200, ring_share=0).move(5, "p2", -150, ring_share=0))
    assert step.grams == pytest.approx(-350, abs=5)
    assert [name for name, _ in step.plates] == ["p1", "p2"]


@pytest.mark.parametrize("share_grams", [-12.0, 0.0])
def test_an_item_is_weighed_whole_although_a_noisy_plate_has_little_of_it(wide: Fixture, share_grams: float) -> None:
    """Too little to be noticed by itself; where there is nothing, nothing is added."""
    errors = []
    for seed in range(12):
        scale = FakeScale(wide, seed, 3.0).move(5, "p1", -60).move(5, "p2", share_grams, push_grams=0)
        [step] = steps_of(scale)
        errors.append(step.grams + 60 - share_grams)
    assert abs(float(np.median(errors))) < 2.5


def test_somebody_who_leans_on_two_plates_and_leaves_has_taken_nothing_from_either(wide: Fixture) -> None:
    """One of them has a moment of rest meanwhile, the other one sways until the end."""
    scale = FakeScale(wide, 1, 0.3).move(5, "p1", 700.0).move(8.5, "p1", -700.0)
    for k in range(17):
        scale.touch(5 + 0.2 * k, "p2", 950.0 + 60.0 * (k % 3), 0.2)
    found: dict[str, float] = {}
    for step in steps_of(scale):
        for name, off in step.plates:
            found[name] = found.get(name, 0.0) + off
    assert found == pytest.approx(dict.fromkeys(found, 0.0), abs=3.0)


def test_sigma_is_honest(site: Site) -> None:
    """Standardised errors over plates with noise from 0.5 to 5 g spread about as one expects."""
    errors = []
    for seed in range(12):
        scale = FakeScale(site.fixtures["g1"], seed, [0.5, 1.5, 3.0, 5.0][seed % 4])
        scale.move(6, plate(site, "g1-1-b"), -622).move(9, plate(site, "g1-3-c"), 210).move(
            12, plate(site, "g1-2-a"), -84
        )
        errors += [
            (step.grams - truth) / step.sigma_grams
            for step, truth in zip(steps_of(scale), (-622, 210, -84), strict=True)
        ]
    assert 0.3 < float(np.std(errors)) < 1.6


def test_weight_names_the_item_and_keeps_its_twins(site: Site) -> None:
    flour, sugar = site.facings["g1-1-a"].sku, site.facings["g1-1-b"].sku
    scale = FakeScale(site.fixtures["g1"], 3).move(5, plate(site, "g1-1-a"), -grams(site, "g1-1-a"))
    best = CandidateFinder(site).observe(steps_of(scale)[0])
    assert {best[0].sku, best[1].sku} == {flour, sugar}
    assert all(explanation.quantity > 0 for explanation in best if explanation.sku)
    assert any(not explanation.sku for explanation in best)
