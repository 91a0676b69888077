"""What went through one facing without a trace, and goods that stand in each other's place."""

from collections import Counter
from dataclasses import replace

import pytest

from smartstore.domain.events import CaseRaised, ItemReturned, ItemTaken
from smartstore.domain.items import Unrest, WeightStep
from smartstore.fusion.alive import ScaleAlive
from smartstore.fusion.exchanges import Exchanges
from smartstore.fusion.options import AttributionOptions, FusionOptions
from smartstore.fusion.planogram import Planogram
from smartstore.fusion.touches import FacingsSeen
from smartstore.site import Site, load_site
from tests.builders import FakeScale, ItemEvent, Walker, at, before, grams, inside, plate, shopper, told, view

PLACE, BESIDE = "g1-1-a", "g1-1-b"
"""Flour and sugar: they weigh the same within 3 g."""


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site("configs/stores/corner.yaml")


def hands(site: Site, others: int, held: bool, sure: float, leans: bool = False) -> list[ItemEvent]:
    """Anna, who may hold a packet of flour, and ``others`` have a hand in its place, which weighs as before; somebody
    ``leans`` on the plate beside it.
    """
    scale = FakeScale(site.fixtures["g1"]).touch(5, plate(site, PLACE), 45.0, 0.4)
    if leans:
        scale.move(4.9, plate(site, "g1-1-d"), 45.0).move(9, plate(site, "g1-1-d"), -45.0)
    people = [shopper(site, n, (5.2, PLACE)) for n in range(1, 2 + others)]
    cart, options = {site.facings[PLACE].sku: 1}, FusionOptions(attribution=AttributionOptions(sure=sure))
    return told(site, [scale], people, {1: "anna", 2: "ben"}, {"anna": cart} if held else {}, options=options)


def test_what_one_of_two_hands_put_back_the_other_one_took(site: Site) -> None:
    put, take = hands(site, 1, held=True, sure=0.6)
    assert isinstance(put, ItemReturned) and isinstance(take, ItemTaken)
    assert (put.visit, take.visit) == ("anna", "ben") and put.sku == take.sku == site.facings[PLACE].sku
    assert put.place == PLACE and abs(put.t_ns - at(5.2)) < 5e8


@pytest.mark.parametrize(("sure", "leans"), [(0.9, False), (0.6, True)], ids=["a stricter shop", "somebody leans"])
def test_where_more_has_to_be_known_two_hands_and_no_change_are_a_case_of_both(
    site: Site, sure: float, leans: bool
) -> None:
    case, again = hands(site, 1, held=True, sure=sure, leans=leans)
    assert isinstance(case, CaseRaised) and isinstance(again, CaseRaised) and again.again
    assert (case.visit, again.visit, case.place) == ("anna", "ben", PLACE)
    best = case.candidates[0]
    assert (best.giver, best.visit, best.sku, best.quantity) == ("anna", "ben", site.facings[PLACE].sku, 1)


@pytest.mark.parametrize(
    ("more", "passed"), [((-1.0, 1.0), True), ((0.008,), True), ((), False)],
    ids=["lighter for a moment", "another packet, 8 g heavier", "touched"],
)  # fmt: skip
def test_of_two_whose_hands_are_hardly_seen_one_took_what_the_other_put_back_if_it_was_lifted(
    site: Site, more: tuple[float, ...], passed: bool
) -> None:
    """Ben takes a packet of flour, and Anna stands hers there in the same moment; or they only touch what there is.

    Their hands are seen short of it.
    """
    place = plate(site, PLACE)
    scale = FakeScale(site.fixtures["g1"]).touch(4.9, place, 45.0, 0.6)
    for k, share in enumerate(more):
        scale.move(5 + 0.2 * k, place, share * grams(site, PLACE), ring_share=0.0)
    x, y = before(site, PLACE)
    short = inside(site, PLACE, -0.15)
    people = [Walker(n, ((0, x, y), (20, x, y)), offers=((5.0, 5.45, short),)) for n in (1, 2)]
    events = told(site, [scale], people, {1: "anna", 2: "ben"}, {"anna": {site.facings[PLACE].sku: 1}})
    moved = [(type(event), event.visit, event.place) for event in events]
    assert moved == ([(ItemReturned, "anna", PLACE), (ItemTaken, "ben", PLACE)] if passed else [])


@pytest.mark.parametrize(("others", "held"), [(0, True), (1, False)], ids=["one hand", "nobody holds it"])
def test_hands_that_cannot_have_exchanged_anything_only_touched(site: Site, others: int, held: bool) -> None:
    assert hands(site, others, held, sure=0.6) == []


@pytest.mark.parametrize(
    ("grams_off", "final", "told_of"), [(0.0, False, 1), (0.0, True, 1), (-400.0, False, 0)],
    ids=["as before", "the feed ends at once", "lighter than before"],
)  # fmt: skip
def test_a_plate_that_weighs_as_before_is_told_of_even_where_the_feed_ends(
    site: Site, grams_off: float, final: bool, told_of: int
) -> None:
    place, sku = plate(site, PLACE), site.facings[PLACE].sku
    exchanges = Exchanges(site)
    for t_s, restless in ((4.9, ()), (5.0, (Unrest(place, at(5.0)),)), (5.8, ())):
        exchanges.observe(ScaleAlive("g1", at(t_s), frozenset((place,)), restless))
    if grams_off:
        exchanges.felt(WeightStep("g1", "g1-1", at(5.0), at(5.8), grams_off, 1.0, ((place, grams_off),)))
    now_ns = at(6.0 if final else 12.0)
    found = exchanges.due(now_ns, {"anna": {sku: 1}}, lambda *_: {"anna": 3.0, "ben": 3.0}, final)
    assert [(exchange.giver, exchange.taker, exchange.facing) for exchange in found] == [("anna", "ben", PLACE)][
        :told_of
    ]


@pytest.mark.parametrize(
    ("highest_grams", "surely", "told_of"), [(700.0, 0.5, 1), (45.0, 0.5, 0), (700.0, -3.0, 0)],
    ids=["laid down, and lifted", "a hand presses", "a hand that was hardly there"],
)  # fmt: skip
def test_what_was_laid_down_before_it_was_lifted_is_told_of_once_for_both_of_its_plates(
    highest_grams: float, surely: float, told_of: int
) -> None:
    site = load_site("configs/stores/kiosk.yaml")
    wide, exchanges = site.facings["k1-1-a"], Exchanges(site)
    moving = tuple(Unrest(place, at(5.0), -1.0, highest_grams) for place in wide.plates)
    for t_s, restless in ((4.9, ()), (5.0, moving), (5.4, moving[1:]), (5.8, ())):
        exchanges.observe(ScaleAlive(wide.fixture, at(t_s), frozenset(wide.plates), restless))
    carts, reached = {"anna": {wide.sku: 1}}, {"anna": surely, "ben": 3.0}
    found = [one for now_s in (9.0, 9.6, 12.0) for one in exchanges.due(at(now_s), carts, lambda *_: reached, False)]
    assert [(one.giver, one.taker, one.facing) for one in found] == [("anna", "ben", wide.id)][:told_of]


def test_what_was_lifted_from_one_plate_of_a_facing_and_stood_on_the_other_one_was_exchanged() -> None:
    site = load_site("configs/stores/kiosk.yaml")
    wide, exchanges = site.facings["k1-1-a"], Exchanges(site)
    one, other = wide.plates[:2]
    item = site.items[wide.sku].grams
    moving = (Unrest(one, at(5.0), -item), Unrest(other, at(5.0), 0.0, item))
    for t_s, restless in ((4.9, ()), (5.0, moving), (5.8, ())):
        exchanges.observe(ScaleAlive(wide.fixture, at(t_s), frozenset(wide.plates), restless))
    for place, off in ((one, -item), (other, item + 1.0)):
        exchanges.felt(WeightStep(wide.fixture, wide.shelf, at(5.0), at(5.6), off, 1.0, ((place, off),)))
    hands_there = {"anna": 0.0, "ben": 3.0}
    found = exchanges.due(at(12.0), {"anna": {wide.sku: 1}}, lambda *_: hands_there, False)
    assert [(exchange.giver, exchange.taker, exchange.alone) for exchange in found] == [("anna", "ben", True)]


def test_goods_of_another_weight_that_were_put_into_their_neighbours_place_are_known_by_it(site: Site) -> None:
    """Salt and paprika stand side by side; somebody filled them in the wrong way round."""
    salt, paprika = "g1-3-a", "g1-3-b"
    scale = FakeScale(site.fixtures["g1"])
    scale.move(5, plate(site, salt), -grams(site, paprika)).move(11, plate(site, paprika), -grams(site, salt))
    events = told(site, [scale], [shopper(site, 1, (5, salt), (11, paprika))], {1: "anna"})
    assert [(type(e), e.place, e.sku) for e in events if not isinstance(e, CaseRaised)] == [
        (ItemTaken, salt, site.facings[paprika].sku),
        (ItemTaken, paprika, site.facings[salt].sku),
    ]


def test_twins_wait_for_the_camera_and_what_it_names_again_and_again_stands_there(site: Site) -> None:
    flour, sugar = site.facings[PLACE].sku, site.facings[BESIDE].sku
    scale = FakeScale(site.fixtures["g1"])
    for t_s in (5, 17, 29):
        scale.move(t_s, plate(site, PLACE), -grams(site, BESIDE))
    people = [shopper(site, 1, (5, PLACE), (17, PLACE), (29, PLACE), until_s=45.0)]
    looks = [FacingsSeen("s1", at(t), (), (PLACE,)) for t in range(45)]
    views = [replace(view(site, PLACE, t_s + 3.5, -1, sku=sugar), t_start_ns=at(t_s - 1)) for t_s in (5, 17, 29)]
    events = told(site, [scale], people, {1: "anna"}, views=views, clear=looks, until_s=45.0)
    taken = [event.sku if isinstance(event, ItemTaken) else "case" for event in events]
    assert taken[-1] == sugar and flour not in taken[1:]


@pytest.mark.parametrize("corrected", [True, False], ids=["exchanged", "in place"])
def test_what_a_take_was_becomes_clear_when_the_next_one_shows_what_stands_beside_it(
    site: Site, corrected: bool
) -> None:
    """One pack of biscuits weighs as much as two bars of chocolate, whose place is beside it."""
    bars, biscuits = "g2-2-c", "g2-2-d"
    bar, pack = site.facings[bars].sku, site.facings[biscuits].sku
    scale = FakeScale(site.fixtures["g2"]).move(5, plate(site, bars), -212.5)
    scale.move(11, plate(site, biscuits), -grams(site, bars if corrected else biscuits))
    events = told(site, [scale], [shopper(site, 1, (5, bars), (11, biscuits))], {1: "anna"})
    cart: Counter[str] = Counter()
    for event in events:
        assert not isinstance(event, CaseRaised)
        cart[event.sku] += event.quantity if isinstance(event, ItemTaken) else -event.quantity
    assert len({event.caused_by for event in events}) == len(events)
    assert +cart == ({pack: 1, bar: 1} if corrected else {bar: 2, pack: 1})


def test_every_take_of_the_right_goods_makes_an_exchange_less_likely(site: Site) -> None:
    planogram = Planogram(site)
    before = planogram.exchanged(PLACE, BESIDE)
    planogram.weigh(PLACE, BESIDE, -2.0)
    assert planogram.exchanged(BESIDE, PLACE) < before
    for _ in range(3):
        planogram.weigh(BESIDE, PLACE, 4.0)
    assert planogram.exchanged(PLACE, BESIDE) > 0.9
    sugar = site.facings[BESIDE].sku
    assert planogram.take_log(PLACE, sugar) > planogram.take_log(PLACE, site.facings[PLACE].sku)
