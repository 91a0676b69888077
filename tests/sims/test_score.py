"""The measures: each story has an answer that can be worked out by hand."""

import pytest

from sims.lab.floor import floor_metrics
from sims.lab.score import event_scores, exact_rate, item_scores, mean_score, money_scores, take_fates, within
from sims.truth import TrueChange
from smartstore.wire.messages import ShelfChange

PRICES = {"a": 100, "b": 250}
SECOND = 1_000_000_000


def change(t_s: float, kind: str = "take", quantity: int = 1) -> ShelfChange:
    return ShelfChange(seq=0, t_ns=0, kind=kind, visit="v", sku="a", quantity=quantity,
                       happened_ns=int(t_s * SECOND), probability=1.0)  # fmt: skip


def truth(t_s: float, facing: str = "f1", kind: str = "take", visit: str = "v") -> TrueChange:
    return TrueChange(t_ns=int(t_s * SECOND), person="p", visit=visit, kind=kind, sku="a", facing=facing, shelf="-",
                      quantity=1, grams=100.0, home=facing)  # fmt: skip


@pytest.mark.parametrize(
    ("due", "billed", "exact", "f1"),
    [
        pytest.param({"v": {"a": 1}}, {"v": {"a": 1}}, 1.0, 1.0, id="right"),
        pytest.param({"v": {"a": 2}}, {"v": {"a": 1}}, 0.0, 2 / 3, id="one of two missed"),
        pytest.param({"v": {"a": 1}, "w": {}}, {"v": {}, "w": {"a": 1}}, 0.0, 0.0, id="billed to somebody else"),
        pytest.param({"v": {}}, {"v": {}}, 1.0, 1.0, id="nothing bought, empty receipt"),
        pytest.param({"v": {}}, {}, 0.0, 1.0, id="receipt missing"),
        pytest.param({"v": {"a": 1}}, {"v": {"a": 1, "b": 1}}, 0.0, 2 / 3, id="one too many"),
    ],
)
def test_receipts_against_truth(due: dict, billed: dict, exact: float, f1: float) -> None:
    assert exact_rate(due, billed) == exact
    assert item_scores(due, billed)[2] == pytest.approx(f1)


def test_money_too_much_and_too_little_are_never_netted() -> None:
    over, under = money_scores({"v": {"a": 1}, "w": {"b": 1}}, {"v": {"b": 1}, "w": {"a": 1}}, PRICES)
    assert (over, under) == (pytest.approx(1.0), pytest.approx(1.0))


def test_a_change_counts_within_a_second_on_its_shelf_and_in_its_direction() -> None:
    shelf_of = {"f1": "s1", "f2": "s1", "f3": "s2"}
    true = [truth(10), truth(20), truth(30), truth(40)]
    found = [("f2", change(10.9)), ("f1", change(21.5)), ("f3", change(30)), ("f1", change(40, "put_back"))]
    assert event_scores(true, found, shelf_of) == (0.25, 0.25)


def test_a_double_take_counts_twice_and_a_doubt_counts_as_seen() -> None:
    assert event_scores(
        [truth(10), truth(10.5), truth(20)], [("f1", change(10.2, quantity=2)), ("f1", change(20, "doubt", 0))], {}
    ) == (1.0, 1.0)


def test_of_people_without_a_visit_nothing_need_be_said() -> None:
    """Staff who fill a shelf and whoever slipped in: no line of a receipt, no miss; a case about them is no mistake."""
    true = [truth(10), truth(10.4, visit=""), truth(30, visit=""), truth(40, kind="put_back", visit="")]
    assert event_scores(true, [("f1", change(10.4))], {}) == (1.0, 1.0)
    assert event_scores(true, [("f1", change(10)), ("f1", change(30, "doubt", 0))], {}) == (1.0, 1.0)
    assert event_scores(true[2:], [], {}) == (1.0, 1.0)
    assert take_fates(true, [("f1", change(10))], {}, {"f1": "g1"}) == {
        "g1": {"found": 1, "undone": 0, "doubted": 0, "missed": 0}
    }


def test_every_take_is_found_undone_doubted_or_missed() -> None:
    shelf_of = {"f1": "s1", "f2": "s1", "f3": "s2"}
    true = [truth(10), truth(12), truth(40), truth(80), truth(81, kind="put_back"), truth(120, "f3")]
    found = [("f2", change(14, quantity=1)), ("f1", change(45, "doubt", 0)), ("f3", change(119, "put_back"))]
    fixtures = {"f1": "g1", "f2": "g1", "f3": "g2"}
    assert take_fates(true, found, shelf_of, fixtures) == {
        "g1": {"found": 1, "undone": 1, "doubted": 1, "missed": 1},
        "g2": {"found": 0, "undone": 0, "doubted": 0, "missed": 1},
    }


def test_the_mean_of_runs_leaves_out_those_that_have_no_number() -> None:
    """In a run whose shoppers all stay there is no receipt to wait for, be it the first run or another."""
    runs = [{"scenario": "x", "renderer": name, "seed": seed, "item_f1": 1.0 / seed, "time_to_receipt_s": {"p50": wait}}
            for seed, name, wait in ((1, "GL", None), (2, "CPU", 3.0))]  # fmt: skip
    mean = {"scenario": "x", "item_f1": 0.75, "time_to_receipt_s": {"p50": 3.0}}
    assert mean_score(runs) == {**mean, "seed": [1, 2]}
    assert mean_score(runs[::-1]) == {**mean, "seed": [2, 1]}
    assert mean_score(runs[:1])["time_to_receipt_s"] == {"p50": None}


def walk(identity: object, x_m: float, start: int = 0, stop: int = 50) -> list[tuple[int, tuple]]:
    return [(i * SECOND // 5, ((identity, x_m, i * 0.1),)) for i in range(start, stop)]


def test_a_perfect_track_scores_one_and_no_track_scores_nothing() -> None:
    assert floor_metrics(walk("p", 1.0), walk(1, 1.1)) == pytest.approx(
        {"idf1": 1.0, "moda": 1.0, "hota": 0.9}, abs=0.11
    )
    assert floor_metrics(walk("p", 1.0), [])["idf1"] == 0.0


def test_a_swap_of_identity_half_way_halves_idf1_but_not_detection() -> None:
    swapped = walk(1, 1.0, 0, 25) + walk(2, 1.0, 25, 50)
    metrics = floor_metrics(walk("p", 1.0), swapped)
    assert metrics["idf1"] == pytest.approx(0.5, abs=0.02)
    assert metrics["moda"] == pytest.approx(1.0)


def test_sixty_centimetres_off_is_a_miss_and_a_false_alarm() -> None:
    assert floor_metrics(walk("p", 1.0), walk(1, 1.6))["moda"] == pytest.approx(-1.0)


def test_who_waits_outside_the_walls_is_no_false_alarm() -> None:
    room = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)]
    assert within(room, [(0, ((1, 2.0, 2.0), (2, 2.0, -0.6)))]) == [(0, ((1, 2.0, 2.0),))]
