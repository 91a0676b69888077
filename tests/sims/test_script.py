"""Scripted actions are real on the wire: load cells feel them, hands are where they are, the truth says so."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from sims.bodies.library import BodyLibrary
from sims.building import Building
from sims.scenario import Scenario, ScenarioError
from sims.truth import TrueChange
from sims.world import World
from tests.sims.playing import Palms, Played, play, world

Make = Callable[[Mapping[str, object]], Scenario]
Weights = tuple[np.ndarray, np.ndarray]


def weights_only(corner: Building, actions: list[dict], **keys: object) -> dict[str, object]:
    """A scenario of one shopper with scales and without cameras."""
    script = [{"arrive_s": 0.5, "name": "anna", "body": 1, "actions": actions}]
    return {
        "script": script,
        "cameras_off": list(corner.cameras),
        "tail_s": 3,
        "load_cells": {"footfalls": 0.0},
        **keys,
    }


def shelf_weights(run: Played, corner: Building, shelf: str) -> Weights:
    """Seconds (n,) since the start, and grams (n, plates) against the beginning, of the plates of a shelf."""
    batches = [r.message for r in run.of("scale", corner.shelves[shelf].fixture)]
    columns = [batches[0].plates.index(plate.id) for plate in corner.shelves[shelf].plates]
    t_s = [(b.t_ns - run.truth.start_ns + i * b.period_ns) / 1e9 for b in batches for i in range(len(b.grams))]
    grams = np.array([row for b in batches for row in b.grams], float)[:, columns]
    return np.array(t_s), grams - np.median(grams[:120], axis=0)


def when(change: TrueChange, run: Played) -> float:
    return (change.t_ns - run.truth.start_ns) / 1e9


@pytest.mark.parametrize("seed", [1, 401])
def test_a_slow_lift_takes_as_long_on_the_plates_as_written(
    corner: Building, scenario: Make, tmp_path: Path, seed: int
) -> None:
    run = play(corner, scenario(weights_only(corner, [{"take": "g4-1-b", "lift_s": 3.0}])), tmp_path, seed)
    (take,) = run.truth.changes
    t_s, grams = shelf_weights(run, corner, take.shelf)
    total = grams.sum(axis=1)
    here = t_s > when(take, run) - 0.5
    gone = total < -0.1 * take.grams
    done = total < -0.9 * take.grams
    assert 1.5 < t_s[here & done][0] - t_s[here & gone][0] < 3.5
    assert np.median(total[t_s > when(take, run) + 5]) == pytest.approx(-take.grams, abs=40)


@pytest.mark.parametrize("seed", [1, 401])
def test_a_hand_that_holds_on_weighs_on_the_shelf_before_it_lifts(
    corner: Building, scenario: Make, tmp_path: Path, seed: int
) -> None:
    run = play(corner, scenario(weights_only(corner, [{"take": "g1-2-b", "hold_s": 4.0}])), tmp_path, seed)
    (take,) = run.truth.changes
    t_s, grams = shelf_weights(run, corner, take.shelf)
    total, lifted_s = grams.sum(axis=1), when(take, run)
    held = total[(t_s > lifted_s - 3.5) & (t_s < lifted_s - 0.5)]
    assert 40 < np.median(held) < 400
    assert np.median(total[t_s > lifted_s + 3]) == pytest.approx(-take.grams, abs=40)


@pytest.mark.parametrize("seed", [1, 401])
def test_who_leans_on_a_shelf_loads_several_plates_and_takes_nothing(
    corner: Building, scenario: Make, tmp_path: Path, seed: int
) -> None:
    run = play(corner, scenario(weights_only(corner, [{"lean": "g1-2-b", "pause_s": 3}])), tmp_path, seed)
    t_s, grams = shelf_weights(run, corner, "g1-2")
    total = grams.sum(axis=1)
    leaning = total > 250
    assert 2.0 < t_s[leaning][-1] - t_s[leaning][0] < 4.0
    assert 450 < total.max() < 3800
    assert (grams[leaning].max(axis=0) > 60).sum() >= 2
    at_rest, steady = total[t_s < 2.0], total[leaning][60:-60]
    assert steady.std() > 4 * at_rest.std(), "nobody leans without swaying"
    assert np.abs(np.median(grams[t_s > t_s[leaning][-1] + 2], axis=0)).max() < 30
    assert run.truth.changes == ()
    assert [visit.lines for visit in run.truth.visits] == [{}]


@pytest.mark.parametrize("seed", [1, 2, 401])
def test_two_hands_take_from_two_facings_at_once(
    corner: Building, scenario: Make, library: BodyLibrary, seed: int
) -> None:
    palms, script = Palms(), [{"arrive_s": 0.5, "body": 1, "actions": [{"both_hands": ["g1-2-c", "g1-2-a"]}]}]
    place = World(corner, scenario({"script": script}), seed, library, palms.scan, palms.enrol)
    takes: list[TrueChange] = []
    apart_m: dict[str, float] = {}
    while not place.empty:
        stock = place.stock.view
        new = [r for r in place.step().records if isinstance(r, TrueChange)]
        takes += new
        for take in new:
            column = next(
                c
                for c, (a, b) in enumerate(zip(stock[take.facing], place.stock.view[take.facing], strict=True))
                if a != b
            )
            u_m, v_m, _ = corner.slot(take.facing, column, len(stock[take.facing][column]) - 1, take.sku)
            spot = corner.fixtures["g1"].point(u_m, v_m, 0.0)
            hands = library.hands(place.bodies["shopper-1"])
            apart_m[take.facing] = min(float(np.hypot(*(hand[:2] - spot[:2]))) for hand in hands)
    assert {take.facing for take in takes} == {"g1-2-a", "g1-2-c"}
    assert abs(takes[0].t_ns - takes[1].t_ns) < 0.45e9
    assert max(apart_m.values()) < 0.15, "each hand is at its item"


@pytest.mark.parametrize("seed", [1, 2, 3, 401])
def test_two_shoppers_act_at_the_second_that_is_written(corner: Building, scenario: Make, seed: int) -> None:
    bring = [{"take": "g1-2-b"}, {"pause_until_s": 35}, {"put_back": corner.facings["g1-2-b"].sku}]
    fetch = [{"pause_until_s": 35}, {"take": "g1-2-d"}]
    script = [{"arrive_s": 0.5, "name": "anna", "actions": bring}, {"arrive_s": 5, "name": "ben", "actions": fetch}]
    place = world(corner, scenario({"script": script}), seed)
    acts: dict[str, float] = {}
    while not place.empty:
        acts |= {r.person: place.t_s for r in place.step().records if isinstance(r, TrueChange)}
    assert 35 < acts["anna"] < 37.5
    assert 35 < acts["ben"] < 36.5


def test_a_body_that_nobody_has_is_one_line(corner: Building, scenario: Make, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"script\[1\].body: 8 is none of the bodies 0 to 7"):
        play(corner, scenario({"script": [{"arrive_s": 1}, {"arrive_s": 2, "body": 8}]}), tmp_path)


@pytest.mark.parametrize(
    ("actions", "told"),
    [
        ([{"both_hands": ["g1-2-a", "g1-3-b"]}], "not two facings of one shelf"),
        ([{"both_hands": ["g1-2-a", "g1-2-a"]}], "not two facings of one shelf"),
        ([{"both_hands": ["g1-2-a", "k9"]}], r"actions\[0\].both_hands\[1\]: 'k9' is not in store"),
        ([{"lean": "shelf"}], r"actions\[0\].lean: 'shelf' is not in store"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    corner: Building, scenario: Make, tmp_path: Path, actions: list, told: str
) -> None:
    with pytest.raises(ScenarioError, match=told):
        play(corner, scenario({"script": [{"arrive_s": 1, "actions": actions}]}), tmp_path)
