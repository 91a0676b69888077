"""The very item that somebody took weighs the same when it comes back, and when it goes again."""

import pytest

from smartstore.domain.events import ItemReturned, ItemTaken
from smartstore.domain.items import WeightStep
from smartstore.fusion.weights import KnownWeights
from smartstore.site import Site, load_site
from tests.builders import FakeScale, plate, shopper, told


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site("configs/stores/corner.yaml")


@pytest.mark.parametrize(("taken_grams", "found"), [(1014.0, "g1-1-a"), (1004.0, "g1-1-b")])
def test_a_stray_is_known_by_its_weight(site: Site, taken_grams: float, found: str) -> None:
    """Anna leaves her flour, a heavy bag of 1014 g, among the sugar; Ben takes a bag from there."""
    flour, sugar = plate(site, "g1-1-a"), plate(site, "g1-1-b")
    scale = FakeScale(site.fixtures["g1"], 1).move(5, flour, -1014.0).move(10, sugar, 1014.0)
    scale.move(16, sugar, -taken_grams)
    anna, ben = shopper(site, 1, (5, "g1-1-a"), (10, "g1-1-b"), until_s=13), shopper(site, 2, (16, "g1-1-b"))
    events = told(site, [scale], [anna, ben], {1: "anna", 2: "ben"}, until_s=30)
    assert [(type(e), e.visit) for e in events] == [(ItemTaken, "anna"), (ItemReturned, "anna"), (ItemTaken, "ben")]
    assert [e.sku for e in events if isinstance(e, ItemTaken)][1:] == [site.facings[found].sku]


@pytest.mark.parametrize(("came_grams", "whose"), [(1015.0, "anna"), (1004.0, "ben")])
def test_what_comes_back_comes_from_whoever_took_that_very_item(site: Site, came_grams: float, whose: str) -> None:
    """Both hold a bag of flour and reach where it comes back; Anna's bag is heavier than Ben's."""
    flour = plate(site, "g1-1-a")
    scale = FakeScale(site.fixtures["g1"], 1).move(5, flour, -1015.0).move(11, flour, -1004.0)
    scale.move(20, flour, came_grams)
    anna, ben = shopper(site, 1, (5, "g1-1-a"), (20, "g1-1-a")), shopper(site, 2, (11, "g1-1-a"), (20, "g1-1-a"))
    events = told(site, [scale], [anna, ben], {1: "anna", 2: "ben"}, until_s=35)
    assert [e.visit for e in events if isinstance(e, ItemReturned)] == [whose]


def test_of_several_items_only_those_that_were_all_weighed_are_known() -> None:
    def step(of_grams: float) -> WeightStep:
        return WeightStep("g1", "g1-1", 0, 1, of_grams, 0.5, (("g1-1-p1", of_grams),))

    weights = KnownWeights()
    weights.came("anna", "rice", 1, step(-515.0))
    alone = weights.log_likelihood("anna", "rice", 1, step(515.5))
    assert alone is not None and weights.log_likelihood("anna", "rice", 2, step(515.5)) is None
    weights.came("anna", "rice", 1, step(-520.0))
    one_of_two = weights.log_likelihood("anna", "rice", 2, step(515.5))
    assert one_of_two is not None and alone - 1 < one_of_two < alone
    weights.went("anna", "rice", 1, step(515.5))
    left, gone = (weights.log_likelihood("anna", "rice", 1, step(of)) for of in (520.5, 515.5))
    assert left == alone and gone is not None and gone < alone - 3
    weights.came("anna", "rice", 2, step(-1030.0))
    assert weights.log_likelihood("anna", "rice", 3, step(515.0)) is None
    weights.forget("anna")
    assert weights.log_likelihood("anna", "rice", 0, step(515.0)) is None
