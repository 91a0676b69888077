"""Labelled scripts of a real store: what can be played is played, and one line says what cannot."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sims.cli import app
from sims.lab.nanostore import NanoStoreRequest, Take, stages, winner_scores
from sims.lab.nanostore_script import Script, Story, read_scripts, slug_of, story_of
from sims.lab.nanostore_table import document, rows
from smartstore.cli import run
from smartstore.formats.nanostore import NanoStoreError, open_nanostore
from smartstore.formats.nanostore_goods import Placement
from smartstore.formats.nanostore_store import NanoStore
from tests.nanostore import BREAD, COLA, TEA, real_nanostore, small_nanostore


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> NanoStore:
    """Two gondolas: cola on plates 1 and 2 of shelf 1, tea on plate 3, water on plates 1 and 3 of shelf 2."""
    return open_nanostore(small_nanostore(tmp_path_factory.mktemp("small") / "data")).store


def event(t_s: Any, where: str, code: str, *, back: bool = False, who: str = "anna", **keys: Any) -> dict[str, Any]:
    """``where`` is gondola.shelf.plates, such as 1.2.12."""
    gondola, shelf, plates = where.split(".")
    products = [{"id": code, "name": "Thing", "weight_g": keys.pop("grams", 381.0)}] * keys.pop("count", 1)
    return {"t_s": t_s, "shopper": who, "gondola": int(gondola), "shelf": int(shelf), "putback": back,
            "plates": [int(plate) for plate in plates], "products": products, **keys}  # fmt: skip


def story(store: NanoStore, *events: dict[str, Any]) -> Story:
    return story_of(Script("case", events), store)


def acts(told: Story, who: str = "anna") -> list[dict[str, Any]]:
    return [action for action in told.shoppers[who] if "pause_until_s" not in action]


def test_takes_and_put_backs_become_actions_at_their_times(store: NanoStore) -> None:
    told = story(store, event(4, "1.1.3", TEA, grams=592.0), event(2, "1.1.1", "120130", count=2),
                 event(9, "1.1.12", "120130", back=True))  # fmt: skip
    assert acts(told) == [
        {"take": "g1-s1-f1-2"}, {"take": "g1-s1-f1-2"}, {"take": "g1-s1-f3"}, {"put_back": COLA},
    ]  # fmt: skip
    times = [action["pause_until_s"] for action in told.shoppers["anna"] if "pause_until_s" in action]
    assert [time - times[0] for time in times] == [0.0, 2.0, 7.0]
    assert told.due["anna"] == Counter({COLA: 1, TEA: 1})
    assert not told.problems


def test_the_place_of_the_first_take_wins_over_the_planogram(store: NanoStore) -> None:
    told = story(store, event(0, "1.2.12", COLA), event(5, "1.2.2", COLA))
    assert told.planogram == (
        Placement(1, 1, (3,), TEA), Placement(1, 2, (1, 2), COLA), Placement(1, 2, (3,), BREAD),
    )  # fmt: skip
    assert acts(told) == [{"take": "g1-s2-f1-2"}] * 2


def test_what_one_leaves_in_the_wrong_place_another_takes_from_there(store: NanoStore) -> None:
    told = story(store, event(0, "1.1.1", COLA), event(3, "1.1.3", COLA, back=True),
                 event(6, "1.1.3", COLA, who="ben"), event(9, "1.1.1", COLA, who="ben", back=True))  # fmt: skip
    assert acts(told) == [{"take": "g1-s1-f1-2"}, {"put_back": COLA, "to": "g1-s1-f3"}]
    assert acts(told, "ben") == [{"take": "g1-s1-f3", "of": "g1-s1-f1-2"}, {"put_back": COLA}]
    assert told.planogram == store.planogram


def test_two_products_on_the_same_plates_stand_side_by_side_and_it_is_said(store: NanoStore) -> None:
    told = story(store, event(0, "2.1.12", COLA), event(5, "2.1.12", TEA, grams=592.0))
    assert {(p.plates, p.gtin) for p in told.planogram if p.gondola == 2} == {((1,), COLA), ((2,), TEA)}
    assert "side by side" in told.notes[0]


def test_labels_are_read_with_a_grain_of_salt(store: NanoStore) -> None:
    new = "099999999990"
    told = story(store, event(0, "1.1.1", COLA, grams=1.0), event(3, "1.1.3", TEA, grams=300.0),
                 event(6, "2.2.1", new, grams=88.0))  # fmt: skip
    assert told.goods[COLA].grams == 381.0
    assert told.goods[TEA].grams == 300.0
    assert told.goods[new].grams == 88.0
    assert [note.split(": ")[1] for note in told.notes] == ["event 1", "event 2", "event 3"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (event(1, "1.1.1", "UNKOWN"), "'UNKOWN' is no GTIN"),
        (event(1, "1.1.1", COLA) | {"products": []}, "names no product"),
        (event(1, "9.1.1", COLA), "no gondola 9"),
        (event(1, "1.7.1", COLA), "no shelf 7"),
        (event(1, "1.1.89", COLA), "none of the plates"),
        (event(1, "1.1.1", COLA, who=""), "which shopper"),
        (event("soon", "1.1.1", COLA), "'soon' is no number"),
        (event(1, "1.1.1", "099999999990", grams=0), "its label has no weight"),
        (event(1, "1.1.1", COLA, back=True), "has no 012000000133 to put back"),
    ],
)
def test_what_cannot_be_played_is_one_line_and_left_out(store: NanoStore, wrong: dict[str, Any], said: str) -> None:
    told = story(store, event(0, "1.1.3", TEA, grams=592.7), wrong | {"event_id": 7})
    assert acts(told) == [{"take": "g1-s1-f3"}]
    (line,) = told.problems
    assert line.startswith("case: event 7: ") and said in line and line.endswith("; left out")


@pytest.mark.parametrize(
    "text", ["[", "{}", "[]", '[{"dataset": "a"}]', '[{"events": []}, {"dataset": "case-1", "events": []}]']
)
def test_a_broken_file_of_scripts_is_one_line_and_exit_code_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    data, file = small_nanostore(tmp_path / "data"), tmp_path / "scripts.json"
    file.write_text(text)
    with pytest.raises(NanoStoreError, match=r"scripts\.json"):
        read_scripts(file)
    assert run(["sim", "nanostore", "--data", str(data), "--scripts", str(file), "--out", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_case_of_the_small_store_is_played_and_scored(tmp_path: Path) -> None:
    data, file = small_nanostore(tmp_path / "data"), tmp_path / "scripts.json"
    events = [event(0, "1.1.3", TEA, grams=592.7), event(5, "1.1.1", "UNKOWN")]
    nothing = {"dataset": "Case B", "events": [event(0, "1.1.1", "UNKOWN")]}
    file.write_text(json.dumps([{"dataset": "Case A", "events": events}, nothing]))
    (data / "winner_scores.json").write_text(json.dumps([{"case": "Case A", "f1": 0.5}]))
    told = CliRunner().invoke(
        app,
        [
            "nanostore",
            "--data",
            str(data),
            "--scripts",
            str(file),
            "--seed",
            "601",
            "--out",
            str(tmp_path / "out"),
            "--json",
        ],
    )
    assert told.exit_code == 0, told.output
    result = json.loads(told.stdout)
    assert result["cases"][0]["winner_f1"] == 0.5
    assert (result["mean_f1"], result["runs"][0]["as_written"]) == (1.0, True)
    assert [line.split(";")[0] for line in result["not_played"]] == [
        "Case A: event 2: product 'UNKOWN' is no GTIN", "Case B: event 1: product 'UNKOWN' is no GTIN",
        "Case B: nothing of it can be played",
    ]  # fmt: skip
    assert (tmp_path / "out/case-a-601.yaml").is_file()


def test_means_are_over_cases_and_review_over_changes() -> None:
    def figure(case: str, f1: float, doubts: int, changes: int) -> dict[str, Any]:
        return {"case": case, "seed": 1, "f1": 1.0, "f1_unsold": f1, "doubts": doubts, "changes": changes, "visits": 1,
                "exact_unsold": int(f1 == 1.0), "baseline_f1": 0.5, "as_written": True}  # fmt: skip

    results = [figure("a", 1.0, 0, 2), figure("a", 0.0, 1, 2), figure("b", 1.0, 0, 6)]
    *_, total = rows(results, [("a", 0.7), ("a", 0.9), ("z", 0.1)])
    assert (total["f1"], total["review_rate"], total["winner_f1"]) == (0.75, 0.1, 0.8)
    assert document(results, [], ["x"], [])["not_played"] == ["x"]


def test_all_labelled_cases_can_be_played_and_say_what_is_left_out(tmp_path: Path) -> None:
    data = real_nanostore()
    staged, problems = stages(NanoStoreRequest(data, [1], out=tmp_path))
    assert len(staged) == 21
    assert [line.partition(";")[0] for line in problems] == [
        "TEAM-PEI-JD-1: event 4: product 'UNKOWN' is no GTIN",
        "cps-test-21: event 2: it names no product",
        "cps-test-23: event 5: shopper-1 has no 041419420058 to put back",
        "cps-test-23: event 15: shopper-1 has no 020709012081 to put back",
    ]
    assert dict(winner_scores(data))["BASELINE-12"] == pytest.approx(0.2857)
    assert slug_of("TEAM-PEI-JD-1") == "team-pei-jd-1"


def test_a_labelled_case_of_the_real_store_ends_in_the_right_receipts(tmp_path: Path) -> None:
    (stage,), _ = stages(NanoStoreRequest(real_nanostore(), [602], only=("cps-test-01",), out=tmp_path))
    result = Take(stage, 602).play()
    assert result["as_written"]
    assert (result["f1_unsold"], result["doubts"]) == (1.0, 0)
