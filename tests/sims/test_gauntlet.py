"""The gauntlet: its stories, what is counted of them, and the curve and scoreboard made of the counts."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sims.arrangement import arranged
from sims.building import Building, load_building
from sims.casting import draw_plans
from sims.lab.batch import run_all
from sims.lab.crowd import Crowd, draw, point
from sims.lab.families import FAMILIES
from sims.lab.families.stage import STORES
from sims.lab.gauntlet_play import SWITCHES, Case, figures
from sims.lab.gauntlet_table import rows
from sims.lab.play import play_edge
from sims.lab.reviewed import after_review, bookings, runner_up
from sims.lab.run import RunRequest, run
from sims.lab.score import receipt_lines
from sims.lab.scoreboard import FILE, board, falls, read_board
from sims.lab.sequential import SequentialBaseline
from sims.scenario import load_scenario
from sims.truth import TrueChange, TrueDrop, TrueHandOver
from smartstore.cli import run as tell
from smartstore.domain.people import FloorState, FloorTrack, Hand
from smartstore.settings import Settings, parse_settings
from smartstore.site import load_site
from smartstore.wire.messages import ScaleBatch, ShelfChange

SECOND = 1_000_000_000
ROOT = Path(__file__).parents[2]
SHORT = (Case("plain", 1), Case("quick-picks", 1), Case("crossing", 1))


@pytest.fixture(scope="module")
def buildings() -> dict[str, Building]:
    names = {store for family in FAMILIES.values() for store in family.stores}
    return {name: load_building(STORES / f"{name}.yaml") for name in names}


def test_there_are_many_families_and_each_plays_in_different_stores() -> None:
    assert len(FAMILIES) >= 18
    for family in FAMILIES.values():
        assert len(set(family.stores)) >= 2
        assert {family.store(seed) for seed in (1, 2)} == set(family.stores)
        assert family.what.endswith(".")


@pytest.mark.parametrize("name", FAMILIES)
def test_every_seed_of_a_family_tells_a_story_that_can_be_played(buildings: dict[str, Building], name: str) -> None:
    family, told = FAMILIES[name], set()
    for seed in range(500, 512):
        building = buildings[family.store(seed)]
        scenario = family.scenario(building, seed)
        scenario.check(building)
        plans = draw_plans(scenario, arranged(building, scenario), seed, range(8))
        assert 2 <= len(plans) <= 4
        assert scenario == family.scenario(building, seed)
        told.add(scenario.model_dump_json(exclude={"seed"}) if scenario.script else str([p.errands for p in plans]))
    assert len(told) == 12


def test_a_case_without_a_sense_has_its_devices_off() -> None:
    deaf, blind = Case("plain", 1, mode="cameras").scenario(), Case("lost-cameras", 1, mode="weights").scenario()
    assert set(deaf.scales_off) == {"g1", "g2", "g3", "g4", "k1"} and not deaf.cameras_off
    assert {"s1", "s2", "s3"} < set(blind.cameras_off) and not blind.scales_off
    assert Case("plain", 1, without="weight").scenario() == deaf
    assert Case("plain", 1).digest() != Case("plain", 1, without="reach").digest()


def test_the_product_knows_every_switch_of_the_bench() -> None:
    for switch in SWITCHES.values():
        assert parse_settings(switch) != Settings()


def test_in_one_process_the_receipts_are_those_over_a_broker(tmp_path: Path) -> None:
    case = Case("quick-picks", 1)
    script = tmp_path / "case.yaml"
    script.write_text(case.document())
    assert load_scenario(script).model_dump_json() == case.scenario().model_dump_json()
    score = run(RunRequest(script, seed=1, out=tmp_path / "run"))
    played = play_edge(case.scenario(), case.store, 1, Settings())
    over_a_broker = {r["visit"]: r["lines"] for r in json.loads((tmp_path / "run/receipts.json").read_text())}
    assert {visit: receipt_lines(receipt) for visit, receipt in played.said.receipts.items()} == over_a_broker
    found = figures(played, case.store)
    assert (found["f1_unsold"], found["idf1"]) == (score["item_f1"], pytest.approx(score["floor"]["idf1"], abs=0.02))


def change(t_s: float, kind: str, visit: str | None, sku: str | None, quantity: int = 1) -> ShelfChange:
    return ShelfChange(seq=0, t_ns=0, kind=kind, visit=visit, sku=sku, quantity=quantity,
                       happened_ns=int(t_s * SECOND), probability=0.9)  # fmt: skip


def true(t_s: float, sku: str, kind: str = "take", visit: str = "v") -> TrueChange:
    return TrueChange(t_ns=int(t_s * SECOND), person=visit, visit=visit, kind=kind, sku=sku, facing="f1", shelf="s1",
                      quantity=1, grams=100.0, home="f1")  # fmt: skip


@pytest.mark.parametrize(
    ("happened", "said", "settled"),
    [
        pytest.param([true(10, "a")], [change(10.5, "doubt", None, None, 0)], {"a": 2}, id="a doubted take is billed"),
        pytest.param([true(10, "a")], [change(18, "doubt", None, None, 0)], {"a": 1}, id="a case elsewhere in time"),
        pytest.param([true(10, "a"), true(10, "a")], [change(10, "doubt", None, None, 0)], {"a": 3}, id="two at once"),
        pytest.param(
            [true(10, "a"), true(12.5, "b")], [change(10, "doubt", None, None, 0)], {"a": 2}, id="one case, one change"
        ),
        pytest.param([true(10, "a", "put_back")], [change(10, "doubt", None, None, 0)], {}, id="a doubted put-back"),
        pytest.param(
            [true(10, "a")],
            [change(10, "take", "v", "a"), change(10.2, "doubt", None, None, 0)],
            {"a": 1},
            id="a case about nothing adds nothing to what was booked",
        ),
        pytest.param([true(10, "a")], [change(10, "take", "w", "a")], {"a": 1}, id="wrong without a case stays wrong"),
    ],
)
def test_a_human_settles_cases_by_the_truth(happened: list, said: list, settled: dict[str, int]) -> None:
    lines = after_review({"v": {"a": 1}}, happened, [("f1", entry) for entry in said], {"f1": "s1"})
    assert lines["v"] == settled


@pytest.mark.parametrize(
    ("t_s", "who", "moved"), [(11.0, ("v", "w"), True), (18.0, ("v", "w"), False), (11.0, ("v", "x"), False)]
)
def test_the_case_of_a_meeting_settles_what_those_two_handed_over(
    t_s: float, who: tuple[str, str], moved: bool
) -> None:
    given = TrueHandOver(t_ns=10 * SECOND, person="v", to="w", visit="v", to_visit="w", sku="a", grams=100.0, home="f1")
    meeting = ("f1", int(t_s * SECOND), frozenset(who))
    lines = after_review({"v": {"a": 1, "b": 1}, "w": {}}, [], [], {}, [given], [meeting])
    assert lines == ({"v": {"b": 1}, "w": {"a": 1}} if moved else {"v": {"a": 1, "b": 1}, "w": {}})


@pytest.mark.parametrize(("t_s", "who", "off"), [(11.0, "v", True), (18.0, "v", False), (11.0, "w", False)])
def test_the_case_of_a_stoop_takes_off_what_was_left_on_the_floor(t_s: float, who: str, off: bool) -> None:
    drop = TrueDrop(t_ns=10 * SECOND, person="v", visit="v", sku="a", grams=100.0, home="f1", x_m=0.0, y_m=0.0)
    lines = after_review({"v": {"a": 1}}, [], [("f1", change(t_s, "doubt", who, None, 0))], {}, drops=[drop])
    assert lines["v"] == ({} if off else {"a": 1})


def test_what_is_left_to_the_second_best_is_of_bookings_that_were_wrong_and_stayed_so() -> None:
    right, wrong, undone = (change(t_s, kind, "v", sku) for t_s, kind, sku in
                            ((10.2, "take", "a"), (20.0, "take", "b"), (20.0, "put_back", "b")))  # fmt: skip
    given = TrueHandOver(t_ns=20 * SECOND, person="w", to="v", visit="w", to_visit="v", sku="b", grams=1.0, home="f1")

    def left(*said: ShelfChange, hand_overs: tuple[TrueHandOver, ...] = ()) -> float:
        return runner_up(bookings([true(10.0, "a")], [("f1", one) for one in said], hand_overs))

    assert left(right) == 0.0
    assert left(right, wrong) == pytest.approx(0.1)
    assert left(right, wrong, undone) == 0.0
    assert left(right, wrong, hand_overs=[given]) == 0.0
    judged = bookings([true(10.0, "a")], [("f1", right), ("f1", wrong), ("f1", change(10, "doubt", None, None, 0))])
    assert judged == [(0.9, True), (0.9, False)]


def result(family: str, seed: int, f1: float, doubts: int = 0, baseline: float | None = 0.5) -> dict[str, Any]:
    booked = [(0.9, True)] if f1 == 0.5 else [(0.9, True), (0.9, False)]
    return {"family": family, "seed": seed, "store": "corner", "f1": f1, "f1_unsold": f1, "visits": 2, "exact": 1,
            "exact_unsold": 1, "changes": 10, "doubts": doubts, "due_minor": 100, "over_minor": 0, "under_minor": 10,
            "runner_up": doubts / 10, "idf1": 1.0, "booked": booked, "baseline_f1": baseline}  # fmt: skip


def test_the_table_has_means_of_cases_and_shares_of_all() -> None:
    one, other, total = rows([result("a", 1, 1.0), result("b", 1, 0.5, 2), result("a", 2, 0.8)])
    assert (one.family, one.cases, one.f1, one.worst) == ("a", 2, pytest.approx(0.9), "corner 2: 0.80")
    assert (other.review, total.review) == (0.2, pytest.approx(2 / 30))
    assert (one.runner_up, other.runner_up, total.runner_up) == (0.0, 0.2, 0.2)
    assert (one.calibration, total.calibration) == (pytest.approx(0.4), pytest.approx(0.3))
    assert (total.cases, total.exact, total.under, total.worst) == (3, 0.5, 0.1, "b 1: 0.50")
    assert rows([result("a", 1, 1.0, baseline=None)])[0].baseline_f1 is None


@dataclass
class Job:
    name: str
    played: list[str]

    def document(self) -> str:
        return "schema: 1\n"

    def digest(self) -> str:
        return self.name

    def play(self) -> dict[str, Any]:
        self.played.append(self.name)
        return {"figure": len(self.name)}


def test_a_batch_goes_on_where_it_stopped(tmp_path: Path) -> None:
    played: list[str] = []
    run_all([Job("a", played), Job("bb", played)], tmp_path, 1, resume=True)
    (tmp_path / "bb.json").write_text('{"digest": "of another story"}')
    steps: list[str] = []
    found = run_all(
        [Job(name, played) for name in ("a", "bb", "ccc")], tmp_path, 1, True, lambda step: steps.append(str(step))
    )
    assert played == ["a", "bb", "bb", "ccc"]
    assert [entry["figure"] for entry in found] == [1, 2, 3]
    assert steps[-1].startswith("3 of 3 runs, last ccc")
    run_all([Job("a", played)], tmp_path, 1, resume=False)
    assert played[-1] == "a"


def test_the_baseline_bills_what_lies_there_to_the_nearest_hand() -> None:
    """Wheat flour and cane sugar weigh the same: place decides. A can that is put back comes off the cart."""
    site = load_site(STORES / "corner.yaml")
    baseline, plates = SequentialBaseline(site), [p.id for s in site.fixtures["g1"].shelves for p in s.plates]

    def weigh(first_s: float, grams: dict[str, float]) -> None:
        for batch in range(10):
            rows_ = [[grams.get(plate, 0.0) for plate in plates]] * 12
            t_ns = int((first_s + batch * 0.2) * SECOND)
            baseline.feel("g1", ScaleBatch(seq=0, t_ns=t_ns, period_ns=SECOND // 60, plates=plates, grams=rows_))

    def see(t_s: float) -> None:
        place = site.facings["g1-1-b"].centre_m
        near = FloorTrack(2, 0, place[0] + 0.5, place[1] - 0.4, 0, 0, 0.1, (Hand("right", *place, 0.05),))
        far = FloorTrack(1, 0, place[0] + 0.5, place[1], 0, 0, 0.1, (Hand("right", 1.4, place[1], 1.0, 0.05),))
        baseline.see(FloorState(int(t_s * SECOND), (far, near)), {1: "far", 2: "near"})

    see(1.9)
    weigh(0, {})
    weigh(2, {"g1-1-p2": -1009.0})
    assert baseline.carts == {"near": Counter({site.facings["g1-1-b"].sku: 1})}
    see(3.9)
    weigh(4, {})
    assert baseline.carts["near"].total() == 0


def test_more_people_come_at_higher_rates_and_others_with_every_seed() -> None:
    rush = load_scenario(ROOT / "configs/scenarios/corner-rush.yaml")
    counts = {rate: [Crowd(rush, rate, seed, 10).drawn().shoppers.count for seed in range(500, 520)]
              for rate in (20, 240)}  # fmt: skip
    assert 2 < sum(counts[20]) / 20 < 5 and 35 < sum(counts[240]) / 20 < 45
    assert len(set(counts[240])) > 5
    times = Crowd(rush, 240, 500, 10).drawn().shoppers.arrivals.times_s
    assert list(times) == sorted(times) and times[-1] <= 600


def test_a_point_of_the_curve_lies_in_its_interval_and_seeds_that_agree_leave_no_doubt(tmp_path: Path) -> None:
    wide, sure = (point(60, [result("a", seed, f1) for seed, f1 in enumerate(values)]) for values in
                  ((1.0, 0.5, 0.9, 1.0), (0.9, 0.9, 0.9)))  # fmt: skip
    assert wide.f1.low < wide.f1.value < wide.f1.high and wide.f1.value == pytest.approx(0.85)
    assert sure.f1.high - sure.f1.low < 1e-9
    assert (wide.visits, wide.exact.value, wide.under.value) == (8, 0.5, 0.1)
    draw([wide, sure], tmp_path / "crowd.png", "a crowd")
    assert (tmp_path / "crowd.png").stat().st_size > 10_000


def test_a_fall_within_the_noise_is_no_fall() -> None:
    kept = board([result("a", seed, f1) for seed, f1 in enumerate((1.0, 0.8, 1.0, 0.8))])
    steady = board([result("a", seed, 1.0) for seed in range(4)])
    assert kept["families"]["a"]["spread"]["f1"] == pytest.approx(0.1155, abs=1e-3)
    assert falls(kept, [result("a", 0, 0.9)]) == []
    assert len(falls(kept, [result("a", 0, 0.8)])) == 2
    assert falls(steady, [result("a", 0, 0.99), result("new", 0, 0.0), result("a", 9, 0.0)]) == []
    (line, _) = falls(steady, [result("a", 0, 0.95)])
    assert line == "a: f1 fell from 1.000 to 0.950 on seeds 0, noise 0.020"


@pytest.mark.timeout(900)
def test_nothing_on_the_scoreboard_got_worse() -> None:
    """A part of it; `make scoreboard` plays all and writes new numbers."""
    kept = read_board(ROOT / FILE)
    assert set(kept["families"]) == set(FAMILIES)
    assert all(str(case.seed) in kept["families"][case.family]["seeds"] for case in SHORT)
    assert falls(kept, [case.play() for case in SHORT]) == []


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (["gauntlet", "--only", "chaos"], "error: there is no family 'chaos'; there are plain,"),
        (["gauntlet", "--seeds", "3-1"], "'3-1' is not a range of seeds"),
        (["gauntlet", "--seeds", "1-99999999999"], "more than 10000 seeds"),
        (["gauntlet", "--seeds", f"1-{'9' * 5000}"], "is not a range of seeds"),
        (["crowd", "--rates", "20,many"], "'20,many' are no rates"),
        (["crowd", "configs/scenarios/one-visit.yaml"], "has no shoppers drawn from the seed"),
        (["crowd", "configs/scenarios/none.yaml"], "configs/scenarios/none.yaml"),
    ],
)
def test_bad_input_is_one_line(command: list[str], line: str, capsys: pytest.CaptureFixture[str],
                               tmp_path: Path) -> None:  # fmt: skip
    assert tell(["sim", *command, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1
