"""What somebody leaves in a wrong place and somebody else takes from there, a moment later."""

import pytest

from smartstore.domain.events import ItemReturned, ItemTaken
from smartstore.fusion.planogram import Planogram
from smartstore.site import Site, load_site
from tests.builders import FakeScale, grams, plate, shopper, told


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site("configs/stores/corner.yaml")


@pytest.mark.parametrize("later_s", [2.6, 3.2])
def test_what_was_just_left_in_a_wrong_place_goes_to_whoever_takes_it(site: Site, later_s: float) -> None:
    stray, place = site.facings["g1-1-a"].sku, "g3-2-c"
    heavy, there = grams(site, "g1-1-a"), plate(site, place)
    scale = FakeScale(site.fixtures["g3"], 2).move(8, there, heavy).move(8 + later_s, there, -heavy)
    people = [shopper(site, 1, (8, place)), shopper(site, 2, (8 + later_s, place))]
    events = told(site, [scale], people, {1: "anna", 2: "ben"}, held={"anna": {stray: 1}})
    assert [(type(e), e.visit, e.sku) for e in events if isinstance(e, ItemTaken | ItemReturned)] == [
        (ItemReturned, "anna", stray), (ItemTaken, "ben", stray),
    ]  # fmt: skip


def test_what_is_supposed_is_forgotten_again(site: Site) -> None:
    planogram, stray = Planogram(site), site.facings["g1-1-a"].sku
    before = planogram.take_log("g3-2-c", stray)
    with planogram.supposing([("g3-2-c", stray, 1)]):
        assert planogram.take_log("g3-2-c", stray) > before + 3
    assert planogram.take_log("g3-2-c", stray) == before
