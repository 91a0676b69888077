"""Parties, tailgaters and staff: what gates say of them, how they walk in, and who pays."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sims.building import Building
from sims.scenario import Scenario, ScenarioError
from sims.stick import StickFigures
from sims.world import World
from tests.sims.playing import Played, play

Make = Callable[[Mapping[str, object]], Scenario]

FLOUR, SUGAR, PASSATA = "g1-1-a", "g1-1-b", "g1-2-a"


def mixed(corner: Building) -> dict[str, object]:
    """Anna with Ben on her palm, Carl who slips in behind them, and Dora of the staff."""
    script = [
        {"arrive_s": 1, "name": "anna", "actions": [{"take": FLOUR}]},
        {"name": "ben", "party_of": "anna", "actions": [{"take": "g3-2-a"}, {"take": "g4-2-a"}]},
        {"name": "carl", "tailgates": True, "actions": [{"take": "g2-2-a"}]},
        {"arrive_s": 20, "name": "dora", "staff": True, "actions": [{"touch": PASSATA}, {"take": PASSATA}]},
    ]
    return {"script": script, "cameras_off": list(corner.cameras), "tail_s": 3}


@pytest.fixture(scope="module")
def played(corner: Building, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Scenario], Played]:
    kept: list[Played] = []

    def run(scenario: Scenario) -> Played:
        if not kept:
            kept.append(play(corner, scenario, tmp_path_factory.mktemp("guests"), seed=401))
        return kept[0]

    return run


def test_gates_say_what_a_scanner_a_pass_and_a_beam_can_know(
    corner: Building, scenario: Make, played: Callable[[Scenario], Played]
) -> None:
    run = played(scenario(mixed(corner)))
    said = [r.message for r in run.of("gate", "entry")]
    assert [(m.kind, m.visit, m.token, m.party_size, m.staff) for m in said] == [
        ("entry", "v01", "token-01", 2, False), ("door", None, None, None, False),
        ("entry", None, None, 1, True), ("door", None, None, None, False),
    ]  # fmt: skip
    assert [r.message.kind for r in run.of("gate", "exit")] == ["exit_beam"] * 4


def test_the_bill_of_a_palm_is_what_its_party_carries_out_and_the_others_pay_nothing(
    corner: Building, scenario: Make, played: Callable[[Scenario], Played]
) -> None:
    run = played(scenario(mixed(corner)))
    sku = {facing: corner.facings[facing].sku for facing in (FLOUR, "g3-2-a", "g4-2-a", "g2-2-a", PASSATA)}
    (visit,) = run.truth.visits
    assert (visit.visit, visit.person) == ("v01", "anna")
    assert visit.lines == {sku[FLOUR]: 1, sku["g3-2-a"]: 1, sku["g4-2-a"]: 1}
    guests = {guest.person: (guest.role, guest.behind, guest.lines) for guest in run.truth.guests}
    assert guests == {
        "carl": ("tailgater", "ben", {sku["g2-2-a"]: 1}),
        "dora": ("staff", None, {sku[PASSATA]: 1}),
    }
    told = {change.facing: (change.person, change.visit, change.role) for change in run.truth.changes}
    assert told[FLOUR] == ("anna", "v01", "")
    assert told["g4-2-a"] == ("ben", "v01", "party")
    assert told["g2-2-a"] == ("carl", "", "tailgater")
    assert told[PASSATA] == ("dora", "", "staff")
    beams = [r.message.t_ns for r in run.of("gate", "exit")]
    assert visit.left_ns in beams
    assert visit.left_ns > min(beams), "the bill waits for the last of the party"


def test_they_walk_in_right_behind_one_another(
    corner: Building, scenario: Make, played: Callable[[Scenario], Played]
) -> None:
    run = played(scenario(mixed(corner)))
    first_ns: dict[str, int] = {}
    for t_ns, people in run.truth.positions:
        for person, _, _ in people:
            first_ns.setdefault(person, t_ns)
    assert 0.4e9 < first_ns["ben"] - first_ns["anna"] < 2.0e9
    assert 0.4e9 < first_ns["carl"] - first_ns["ben"] < 2.0e9
    assert b'"person":"carl","visit":null' in run.truth_bytes
    assert b'"person":"ben","visit":"v01"' in run.truth_bytes


def test_nobody_follows_somebody_whom_the_gate_does_not_know(corner: Building, scenario: Make) -> None:
    story = scenario(mixed(corner))
    place = World(corner, story, 1, StickFigures(), lambda palm, party, now: None, lambda palm: None)
    seen = set()
    while not place.empty:
        place.step()
        seen |= {person.person for person in place.positions().people}
    assert seen == {"dora"}


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ([{"tailgates": True}], r"script\[0\].tailgates: nobody is written before"),
        ([{"arrive_s": 1}, {"party_of": "eve"}], r"script\[1\].party_of: 'eve' is nobody who scans a palm"),
        ([{"arrive_s": 1, "staff": True, "name": "s"}, {"party_of": "s"}], r"script\[1\].party_of: 's' is nobody who"),
        ([{"arrive_s": 1, "staff": True, "tailgates": True}], r"script\[0\]: tailgates and staff exclude each other"),
        ([{"name": "late"}], r"script\[0\]: arrive_s is missing; add it"),
        ([{"arrive_s": 1}, {"arrive_s": 2, "tailgates": True}], r"script\[1\]: .* remove arrive_s"),
    ],
)
def test_a_line_that_cannot_form_is_one_line(
    corner: Building, scenario: Make, tmp_path: Path, script: list, told: str
) -> None:
    with pytest.raises(ScenarioError, match=told):
        play(corner, scenario({"script": script}), tmp_path)
