"""Pace and truth files: the building waits for the product, and what is true is written down exactly."""

from itertools import pairwise
from pathlib import Path

import pytest

from sims.publish import PaceError, Pacer
from sims.truth import TruthError, read_truth
from tests.sims.playing import Played

SECOND = 1_000_000_000


def test_nobody_waits_for_a_product_that_keeps_up() -> None:
    said = [0]
    pacer = Pacer(lambda: said[0], ahead_s=2.0, patience_s=0.05)
    for t_s in range(100):
        pacer.wait_for(t_s * SECOND)
        said[0] = t_s * SECOND


def test_the_building_waits_until_the_product_has_come_near() -> None:
    asked = []

    def processed() -> int:
        asked.append(None)
        return (len(asked) // 10) * SECOND

    pacer = Pacer(processed, ahead_s=2.0, patience_s=5.0)
    pacer.wait_for(0)
    pacer.wait_for(6 * SECOND)
    assert len(asked) >= 40


def test_a_product_that_is_gone_is_one_clear_line() -> None:
    pacer = Pacer(lambda: 0, ahead_s=2.0, patience_s=0.05)
    pacer.wait_for(100 * SECOND)
    with pytest.raises(PaceError, match=r"no progress for 0 s and is 10.0 s behind") as error:
        pacer.wait_for(110 * SECOND)
    assert "\n" not in str(error.value)


def test_whoever_checks_may_end_the_wait() -> None:
    def gone() -> None:
        raise ProcessLookupError

    pacer = Pacer(lambda: 0, gone, ahead_s=0.5)
    pacer.wait_for(SECOND)
    with pytest.raises(ProcessLookupError):
        pacer.wait_for(3 * SECOND)


def test_the_truth_of_a_run_can_be_read_again(quiet: Played) -> None:
    truth = quiet.truth
    assert (truth.scenario, truth.seed, truth.store) == ("corner-quiet", 1, "corner")
    times = [t_ns for t_ns, _ in truth.positions]
    assert {b - a for a, b in pairwise(times)} == {SECOND // 5}
    assert {person for _, people in truth.positions for person, _, _ in people} == {
        "shopper-1",
        "shopper-2",
        "shopper-3",
    }
    assert all(0 <= x <= 6 and 0 <= y <= 8 for _, people in truth.positions for _, x, y in people)


@pytest.mark.parametrize(
    ("text", "told"), [("", "has no header"), ("{", "not a truth file"), ('{"record":"sun"}', "not a")]
)
def test_a_file_that_is_no_truth_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text(text)
    with pytest.raises(TruthError, match=told):
        read_truth(path)
