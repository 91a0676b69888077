"""Demand: the totals of a till come out, people want things together, search and come in groups; shelves run empty."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from sims.baskets import basket_sizes, calibrated
from sims.building import Building
from sims.casting import draw_plans
from sims.demand_document import Demand, demand_schema
from sims.errands import FillUp, LookAt, Replenish, TakeItems
from sims.footfall import arrival_times, coming
from sims.replenishing import gaps
from sims.scenario import Scenario, ScenarioError, load_scenario
from sims.stock import Stock
from sims.truth import TrueChange, TrueGuest, TrueVisit
from sims.world import World
from tests.sims.playing import SCENARIOS, world

Make = Callable[[Mapping[str, object]], Scenario]
DEMANDS = Path(__file__).parents[2] / "configs/demand"
FLOUR, SUGAR = "2000110401009", "2000114102704"
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def test_the_schema_beside_the_documents_is_the_one_of_the_program() -> None:
    assert json.loads((DEMANDS / "demand.schema.json").read_text()) == demand_schema()


def demand(**keys: Any) -> Demand:
    return Demand.model_validate({"demand": "d", "visits": 100, "items_per_visit": 3, "hours": {12: 1}, **keys})


def drawn(wanted: Demand, corner: Building, count: int = 6000, seed: int = 461) -> list[list[tuple[str, bool]]]:
    random = np.random.default_rng(seed)
    return calibrated(wanted, corner).baskets(basket_sizes(wanted, count, random), random)


@pytest.mark.parametrize("path", sorted(DEMANDS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_totals_of_shipped_demands_come_out(path: Path, corner: Building) -> None:
    wanted = Demand.model_validate(yaml.safe_load(path.read_text()))
    baskets = drawn(wanted, corner)
    items = [corner.facings[facing].fixture for basket in baskets for facing, _ in basket]
    assert len(items) / len(baskets) == pytest.approx(wanted.items_per_visit, rel=0.03)
    for name, share in wanted.mix.items():
        assert items.count(name) / len(items) == pytest.approx(share, abs=0.025), name
    sudden = sum(one for basket in baskets for _, one in basket) / len(items)
    assert sudden == pytest.approx(wanted.impulse.share, abs=0.02)
    opening = datetime(2026, 1, 5, 0, 0, tzinfo=UTC)
    days = [len(arrival_times(wanted, opening, 24 * 60, np.random.default_rng(seed))) for seed in range(461, 481)]
    assert np.mean(days) == pytest.approx(wanted.visits, rel=0.05)


def test_affinities_join_goods_and_the_mix_still_comes_out(corner: Building) -> None:
    mix = {FLOUR: 0.1, SUGAR: 0.1}
    together = []
    for times in (1.0, 20.0):
        baskets = drawn(demand(mix=mix, affinities=[{"of": FLOUR, "with": SUGAR, "times": times}]), corner)
        goods = [[corner.facings[facing].sku for facing, _ in basket] for basket in baskets]
        together.append(sum(FLOUR in basket and SUGAR in basket for basket in goods))
        share = sum(basket.count(SUGAR) for basket in goods) / sum(map(len, goods))
        assert share == pytest.approx(0.1, abs=0.015)
    assert together[1] > 1.5 * together[0]


def test_people_come_at_the_hours_of_the_document() -> None:
    wanted = demand(visits=4000, hours={12: 3, 13: 1})
    times = np.array(arrival_times(wanted, NOON.replace(hour=11), 240, np.random.default_rng(461)))
    hours = Counter((times // 3600).astype(int) + 11)
    assert set(hours) == {12, 13}
    assert hours[12] / hours[13] == pytest.approx(3.0, rel=0.15)
    assert len(arrival_times(wanted, NOON, 10, np.random.default_rng(1))) == pytest.approx(500, abs=70)


def test_groups_search_and_touch_as_the_document_says(corner: Building) -> None:
    wanted = demand(visits=2000, groups={"share": 0.3, "most": 3}, search={"share": 0.25, "look_s": 5})
    visits = coming(wanted, corner, 462, NOON, 30)
    groups = [visit for visit in visits if len(visit.errands) > 1]
    assert len(groups) / len(visits) == pytest.approx(0.3, abs=0.05)
    errands = [errand for visit in visits for member in visit.errands for errand in member]
    takes, looks = ([e for e in errands if isinstance(e, kind)] for kind in (TakeItems, LookAt))
    assert len(looks) / len(takes) == pytest.approx(0.25, abs=0.04)
    assert np.mean([look.look_s for look in looks]) == pytest.approx(5, rel=0.2)


def test_groups_come_in_one_behind_the_other_on_one_palm(corner: Building, scenario: Make) -> None:
    keys = demand(visits=200, groups={"share": 1.0}).model_dump(mode="json", by_alias=True)
    plans = draw_plans(scenario({"demand": keys, "start": NOON.isoformat(), "minutes": 6}), corner, 463, [0, 1, 2])
    hosts = {plan.name: plan for plan in plans if plan.role == "shopper"}
    others = [plan for plan in plans if plan.role == "party"]
    assert hosts and len(others) == len(hosts)
    assert all(plan.host in hosts and plan.behind == plan.host and hosts[plan.host].party == 2 for plan in others)


def story(corner: Building, told: Scenario, seed: int) -> tuple[World, list[Any]]:
    """A world played to its end without devices, and what was true in it."""
    made, records = world(corner, told, seed), list[Any]()
    while not made.empty:
        records += made.step().records
        assert made.t_s < 600
    return made, records


def test_shelves_run_out_and_who_comes_too_late_goes_without(corner: Building, scenario: Make) -> None:
    """One facing with hardly anything, and everybody wants what is there."""
    keys = demand(visits=600, items_per_visit=2, spread=0.0, mix={"g1-1-a": 1.0}, put_backs=0.0, touches=0.0)
    told = scenario({"demand": keys.model_dump(mode="json", by_alias=True), "start": NOON.isoformat(), "minutes": 0.5,
                     "fill": 0.05})  # fmt: skip
    made, records = story(corner, told, 464)
    wanted = sum(e.count for s in made.shoppers for e in s.plan.errands if isinstance(e, TakeItems))
    taken = [record for record in records if isinstance(record, TrueChange)]
    there = corner.facings["g1-1-a"].columns
    assert wanted > there and sum(change.quantity for change in taken) == there
    visits = [record for record in records if isinstance(record, TrueVisit)]
    assert min(sum(visit.lines.values()) for visit in visits) < max(sum(visit.lines.values()) for visit in visits)


def test_staff_come_by_and_fill_what_is_missing(corner: Building, scenario: Make) -> None:
    keys = demand(visits=1, hours={3: 1}, restock={"every_min": 0.2, "below": 0.9, "most": 3})
    told = scenario({"demand": keys.model_dump(mode="json", by_alias=True), "start": NOON.isoformat(), "minutes": 0.3,
                     "fill": 0.5})  # fmt: skip
    _, records = story(corner, told, 465)
    fills = [record for record in records if isinstance(record, TrueChange)]
    assert [(change.kind, change.role, change.visit) for change in fills] == [("put_back", "staff", "")] * 3
    assert all(change.facing == change.home for change in fills)
    (guest,) = [record for record in records if isinstance(record, TrueGuest)]
    assert (guest.role, guest.lines) == ("staff", {})


def test_staff_begin_where_least_is_left(corner: Building) -> None:
    stock = Stock(corner, np.random.default_rng(1))
    for column in range(3):
        stock.take("g1-1-a", column, 5)
        stock.take("g1-1-b", column, 4)
    units, errands = gaps(corner, stock, Replenish(0.4, 20), np.random.default_rng(2))
    assert errands == [FillUp("g1-1-a", 15), FillUp("g1-1-b", 5)]
    assert [unit.home for unit in units] == ["g1-1-a"] * 15 + ["g1-1-b"] * 5
    assert np.mean([unit.grams for unit in units]) == pytest.approx(corner.items[FLOUR].grams, rel=0.05)
    assert gaps(corner, Stock(corner, np.random.default_rng(1)), Replenish(1.0, 9), np.random.default_rng(2))[1] == []


def test_the_same_seed_gives_the_same_people_and_another_one_others(corner: Building) -> None:
    wanted = load_scenario(SCENARIOS / "corner-weekday.yaml")
    assert wanted.demand is not None
    one, again, other = (coming(wanted.demand, corner, seed, wanted.start, 60) for seed in (461, 461, 462))
    assert one == again != other


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"mix": {"g9": 0.5}}, r"demand.mix.g9: 'g9' is not in store corner"),
        ({"mix": {"t1": 1.0}}, r"demand.mix.t1: 't1'"),  # a fixture, but nothing can be taken from it
        ({"impulse": {"share": 0.2, "fixtures": ["t1"]}}, r"demand.impulse.fixtures\[0\]: 't1'"),
        ({"mix": {"g1": 0.7, "g2": 0.6}}, r"mix: shares add up to 1.3"),
        ({"hours": {12: 0}}, r"hours: nobody comes"),
        ({"affinities": [{"of": "g1", "with": "milk", "times": 2}]}, r"affinities\[0\].with: 'milk'"),
        ({"items_per_visit": 0.5}, r"items_per_visit"),
    ],
)
def test_a_demand_that_cannot_be_is_one_line(keys: dict[str, Any], line: str, corner: Building, scenario: Make) -> None:
    base = {"demand": "d", "visits": 10, "items_per_visit": 2, "hours": {12: 1}}
    with pytest.raises(ScenarioError, match=line):
        scenario({"demand": base | keys}).check(corner)
