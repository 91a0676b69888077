"""Comparisons: what differs is found with the right sign, what does not is not, and no run is played in vain."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from sims.lab.compare import Comparison, Finding, compare, findings, in_words, is_clear, judge, look_points, spent
from sims.lab.cost import cost_of, load_prices
from sims.lab.design import load_design
from sims.lab.measures import BY_NAME, MEASURES
from smartstore.cli import run as tell
from smartstore.site import load_site

ROOT = Path(__file__).parents[2]
DECIDE = [measure for measure in MEASURES if measure.decides]


def rows(random: np.random.Generator, count: int, **shift: float) -> list[dict[str, Any]]:
    """Runs as they are: most receipts right, here and there one wrong or in doubt; every run has its own bad luck."""
    out = []
    for _ in range(count):
        wrong = random.binomial(8, 0.12) / 8
        row: dict[str, Any] = dict.fromkeys(BY_NAME, 0.0)
        row |= {
            "exact_receipts": 1 - wrong, "item_f1": 1 - wrong / 4, "leak": wrong / 3 * random.random(),
            "overcharge": wrong / 5 * random.random(), "review_rate": random.binomial(30, 0.04) / 30,
            "floor_idf1": 1 - random.exponential(0.01), "hardware_minor": 100_000.0,
        }  # fmt: skip
        out.append({name: value + shift.get(name, 0.0) for name, value in row.items()})
    return out


def until_clear(a: list[dict[str, Any]], b: list[dict[str, Any]], most: int = 40) -> tuple[int, list[Any]]:
    """What the comparison of these runs ends with, and after how many pairs."""
    for look, until in enumerate(look_points(most), start=1):
        found = findings(a[:until], b[:until], look, most)
        if is_clear(found):
            break
    return until, found


def test_a_store_and_itself_differ_in_no_more_than_one_of_twenty_comparisons() -> None:
    """With different seeds on both sides, so that chance is there; 200 comparisons, so that the share is known."""
    random = np.random.default_rng(461)
    wrong = 0
    for _ in range(200):
        _, found = until_clear(rows(random, 40), rows(random, 40))
        wrong += any(one.differs for one in found if BY_NAME[one.measure].decides)
    assert wrong <= 10, f"{wrong} of 200"


def test_a_store_and_itself_on_the_same_seeds_are_the_same_at_once() -> None:
    runs = rows(np.random.default_rng(1), 40)
    pairs, found = until_clear(runs, runs)
    assert pairs == 16
    assert {one.verdict for one in found if BY_NAME[one.measure].decides} == {"no difference that matters"}


@pytest.mark.parametrize(("shift", "most"), [(0.3, 16), (0.12, 40)])
def test_a_difference_is_found_with_its_sign_and_sooner_when_it_is_large(shift: float, most: int) -> None:
    random = np.random.default_rng(462)
    worse = [until_clear(rows(random, 40), rows(random, 40, floor_idf1=-shift, review_rate=shift)) for _ in range(20)]
    named = [{one.measure: one.verdict for one in found} for _, found in worse]
    assert sum(one["floor_idf1"] == "lower" and one["review_rate"] == "higher" for one in named) >= 19
    assert all(one["floor_idf1"] != "higher" and one["review_rate"] != "lower" for one in named)
    early = findings(rows(random, most), rows(random, most, floor_idf1=-shift), look_points(40).index(most) + 1, 40)
    assert {one.measure: one.verdict for one in early}["floor_idf1"] == "lower"


def test_one_that_is_better_and_nowhere_worse_needs_no_more_runs() -> None:
    def found(**bounds: tuple[float, float]) -> list[Finding]:
        ends = {measure.name: bounds.get(measure.name, (0.0, 0.0)) for measure in DECIDE}
        return [
            Finding(name, 0.5, 0.5, (low + high) / 2, low, high,
                    "higher" if low > 0 else "lower" if high < 0 else "open")
            for name, (low, high) in ends.items()
        ]  # fmt: skip

    assert is_clear(found(leak=(-0.09, -0.01), item_f1=(-0.01, 0.2)))
    assert not is_clear(found(leak=(-0.09, -0.01), item_f1=(-0.1, 0.2)))
    assert is_clear(found(leak=(0.01, 0.2), item_f1=(-0.2, 0.01)))
    assert not is_clear(found(leak=(-0.01, 0.2)))


def test_the_looks_together_spend_the_error_once() -> None:
    points = look_points(40)
    assert points == [8, 16, 24, 32, 40]
    steps = [spent(after / 40) - spent(before / 40) for before, after in zip([0, *points], points, strict=False)]
    assert sum(steps) == pytest.approx(0.05)
    assert min(steps) > 0 and look_points(2) == [2]
    early = judge([0.1, 0.2, 0.15, 0.1, 0.12, 0.2, 0.11, 0.1], DECIDE[0], 1, 40)
    late = judge([0.1, 0.2, 0.15, 0.1, 0.12, 0.2, 0.11, 0.1], DECIDE[0], 5, 40)
    assert early[0] < late[0] < late[1] < early[1]


def test_what_is_always_a_little_worse_and_at_times_much_is_worse() -> None:
    """Cameras that are gone cost most runs next to nothing and some a lost track: a mean alone would be unsure."""
    random = np.random.default_rng(464)
    differences = -random.uniform(0.001, 0.01, 16) - 0.2 * (np.arange(16) % 8 == 0)
    low, high, verdict = judge(differences, BY_NAME["floor_idf1"], 2, 40)
    assert verdict == "lower" and low < differences.mean() < high
    assert judge(differences[:8], BY_NAME["floor_idf1"], 1, 40)[2] == "open", "eight of one sign come about by chance"
    mixed = differences * np.where(np.arange(16) % 3, 1, -1)
    assert judge(mixed, BY_NAME["floor_idf1"], 2, 40)[2] == "open"


def test_a_few_pairs_that_differ_by_the_same_prove_nothing() -> None:
    """One receipt of nine wrong on one side, twice: that comes about by chance, and is no interval without width."""
    ones, others = [8 / 9, 7 / 9], [1.0, 8 / 9]
    differences = [b - a for a, b in zip(ones, others, strict=True)]
    low, high, verdict = judge(differences, DECIDE[0], 1, 4)
    assert verdict == "open" and low < 0 < high
    assert judge(differences * 10, DECIDE[0], 5, 20)[2] == "higher", "twenty of them are no chance"
    assert judge([-9000.0, -9000.0], BY_NAME["hardware_minor"], 1, 4) == (-9000.0, -9000.0, "lower")


def test_the_verdict_says_what_a_planner_wants_to_know() -> None:
    random = np.random.default_rng(463)
    a = rows(random, 40)
    b = [{**row, "hardware_minor": 82_000.0, "floor_idf1": row["floor_idf1"] - 0.2, "leak": row["leak"] + 0.002}
         for row in a]  # fmt: skip
    comparison = Comparison("here", "there", 16, 40, 0, "EUR", tuple(findings(a, b, 2, 40)))
    told = " ".join(in_words(comparison))
    assert told.startswith("B (there) is worse in leak (+0.002") and "floor IDF1 (-0.200" in told
    assert "B costs 18.0% less hardware (180.00 EUR) and leaks 0.2% of sales more" in told
    assert "16 pairs of runs, of 40 allowed" in told
    fewer = [{**row, "floor_idf1": row["floor_idf1"] - 0.2} for row in a]
    tracks_only = in_words(replace(comparison, findings=tuple(findings(a, fewer, 2, 40))))
    assert tracks_only[0] == "B (there) is worse in floor IDF1 (-0.200, -0.200 to -0.200)."
    assert tracks_only[1] == "No difference was found in receipts, money or reviews."
    same = replace(comparison, findings=tuple(findings(a, a, 2, 40)))
    assert in_words(same)[0] == "No difference was found in anything that decides."


def test_every_edit_that_is_shipped_is_of_something() -> None:
    edits = [p for p in (ROOT / "configs/sweeps").glob("*.yaml") if "edit" in yaml.safe_load(p.read_text())]
    assert len(edits) >= 3
    for path in edits:
        load_design(path).check()


def test_hardware_is_counted_from_the_store_document() -> None:
    site, prices = load_site(ROOT / "configs/stores/corner.yaml"), load_prices()
    cost = cost_of(site, prices)
    counted = {line.what: line.count for line in cost.lines}
    assert (counted["ceiling camera"], counted["shelf camera"], counted["load cell plate"]) == (4, 3, 60)
    assert cost.hardware_minor == sum(line.count * line.each_minor for line in cost.lines)
    assert cost.month_minor > cost.hardware_minor / 60
    free = prices.model_copy(update={"plate": prices.plate.model_copy(update={"minor": 0})})
    assert cost.hardware_minor - cost_of(site, free).hardware_minor == 60 * prices.plate.minor


def test_two_short_runs_are_compared(tmp_path: Path) -> None:
    script = [{"arrive_s": 1, "actions": [{"take": "g1-1-a"}]}]
    short = tmp_path / "short.yaml"
    short.write_text(yaml.safe_dump({
        "schema": 1, "scenario": "short", "store": str(ROOT / "configs/stores/corner.yaml"), "script": script,
        "tail_s": 6,
    }))  # fmt: skip
    fewer = tmp_path / "fewer.yaml"
    remove = [f"remove {name}" for name in ("c3", "c4", "s1", "s2", "s3")]
    fewer.write_text(yaml.safe_dump({"schema": 1, "edit": "fewer", "of": "short.yaml", "store": remove}))
    found = compare(short, fewer, 461, 2, 1, out=tmp_path / "out")
    assert (found.pairs, found.failed) == (2, 0)
    assert found.by_name["hardware_minor"].difference == -(2 * 45000 + 3 * 28000)
    assert found.by_name["bytes_per_s"].verdict == "lower" or found.by_name["bytes_per_s"].difference < 0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ({"schema": 1, "edit": "e", "of": "no.yaml"}, "no.yaml: cannot be read"),
        ({"schema": 1, "edit": "e"}, "of: field required"),
        ({"schema": 1, "edit": "e", "of": str(ROOT / "configs/scenarios/corner-rush.yaml"),
          "store": ["remove c8"]}, "c8"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_one_line(
    text: dict[str, Any], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "edit.yaml"
    path.write_text(yaml.safe_dump(text))
    command = ["sim", "compare", str(ROOT / "configs/scenarios/corner-rush.yaml"), str(path)]
    assert tell([*command, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1, said


def test_a_price_list_that_is_wrong_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text((ROOT / "configs/prices.yaml").read_text().replace("years: 5", "years: none"))
    rush = str(ROOT / "configs/scenarios/corner-rush.yaml")
    assert tell(["sim", "compare", rush, rush, "--prices", str(path), "--out", str(tmp_path / "out")]) == 2
    assert f"{path}: years: " in capsys.readouterr().err
