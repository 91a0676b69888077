"""Goods on shelves: items keep their weights, plates carry what stands on them."""

from dataclasses import replace

import numpy as np
import pytest

from sims.building import Building, Plate
from sims.stock import Stock


def test_what_is_taken_from_the_front_is_gone_and_nothing_else(corner: Building) -> None:
    stock = Stock(corner, np.random.default_rng(1))
    before, kept = stock.grams_on_plates("g1"), stock.view
    units = stock.take("g1-2-a", 1, 2)
    after = stock.grams_on_plates("g1")
    assert [len(column) for column in stock.view["g1-2-a"]] == [5, 3, 5]
    assert [len(column) for column in kept["g1-2-a"]] == [5, 5, 5]
    assert before["g1-2-p1"] - after["g1-2-p1"] == pytest.approx(sum(unit.grams for unit in units))
    assert {plate for plate in before if before[plate] != after[plate]} == {"g1-2-p1"}


def test_no_two_items_weigh_the_same_but_all_weigh_about_what_the_catalogue_says(corner: Building) -> None:
    stock = Stock(corner, np.random.default_rng(1))
    grams = [unit.grams for column in range(3) for unit in stock.take("g1-1-a", column, 5)]
    item = corner.items[corner.facings["g1-1-a"].sku]
    assert len(set(grams)) == 15
    assert np.mean(grams) == pytest.approx(item.grams, abs=item.grams_sigma)
    assert 0.4 * item.grams_sigma < np.std(grams) < 1.8 * item.grams_sigma


def test_an_item_over_the_gap_of_two_plates_is_shared_by_both(corner: Building) -> None:
    shelf = corner.shelves["g1-1"]
    halves = (Plate("left", "g1", "g1-1", 0.0, 0.15), Plate("right", "g1", "g1-1", 0.15, 1.05))
    g1 = corner.fixtures["g1"]
    cut = replace(g1, shelves=(replace(shelf, plates=halves), *g1.shelves[1:]))
    stock = Stock(replace(corner, fixtures={**corner.fixtures, "g1": cut}), np.random.default_rng(1))
    assert stock.plate_shares("g1-1-a", 1, 0, corner.facings["g1-1-a"].sku) == pytest.approx(
        {"left": 0.5, "right": 0.5}
    )
    assert stock.plate_shares("g1-1-a", 0, 0, corner.facings["g1-1-a"].sku) == pytest.approx({"left": 1.0})


def test_an_empty_column_gives_nothing(corner: Building) -> None:
    stock = Stock(corner, np.random.default_rng(1))
    assert len(stock.take("g1-1-a", 0, 9)) == 5
    assert stock.take("g1-1-a", 0, 1) == []
    assert stock.filled_columns("g1-1-a") == [1, 2]
    assert stock.free_columns("g1-1-a") == [0]


def test_a_store_that_opens_unfilled_lacks_items_at_the_front_only(corner: Building) -> None:
    stock = Stock(corner, np.random.default_rng(1), fill=0.8)
    shares = [sum(map(len, stock.view[f.id])) / (f.columns * f.rows) for f in corner.facings.values()]
    assert np.mean(shares) == pytest.approx(0.8, abs=0.03)
    assert min(len(column) for columns in stock.view.values() for column in columns) >= 1
