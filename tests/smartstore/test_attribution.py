"""Who took what: histories of weights, hands and views in, facts out."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from smartstore.domain.events import CaseRaised, ItemReturned, ItemTaken
from smartstore.domain.items import WeightStep
from smartstore.domain.people import FloorState, FloorTrack, Hand
from smartstore.fusion.changes import Change, of_step
from smartstore.fusion.evidence import EvidenceOptions
from smartstore.fusion.joint import Hypothesis, JointOptions, solve
from smartstore.fusion.merging import merged, undoes
from smartstore.fusion.options import AttributionOptions
from smartstore.fusion.planogram import Planogram
from smartstore.fusion.reach import ReachMemory
from smartstore.fusion.touches import FacingsSeen
from smartstore.site import Site, load_site
from tests.builders import FakeScale, ItemEvent, Walker, at, before, grams, plate, shopper, told, view


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site("configs/stores/corner.yaml")


def short(events: list[ItemEvent]) -> list[tuple[str, str, str, int]]:
    """(what, who, where, how many) of events."""
    names = {ItemTaken: "take", ItemReturned: "return", CaseRaised: "case"}
    return [(names[type(e)], e.visit, e.place, getattr(e, "quantity", 0)) for e in events]


@pytest.mark.parametrize("back_s", [7.5, 10])
def test_a_take_and_a_put_back(site: Site, back_s: float) -> None:
    g = grams(site, "g1-2-b")
    scale = FakeScale(site.fixtures["g1"]).move(5, plate(site, "g1-2-b"), -g).move(back_s, plate(site, "g1-2-b"), g)
    events = told(site, [scale], [shopper(site, 1, (5, "g1-2-b"), (back_s, "g1-2-b"))], {1: "anna"})
    assert short(events) == [("take", "anna", "g1-2-b", 1), ("return", "anna", "g1-2-b", 1)]
    assert abs(events[0].t_ns - at(5.2)) < 5e8
    assert len({event.caused_by for event in events}) == 2


def test_equal_weights_are_told_apart_by_their_place(site: Site) -> None:
    """Flour and sugar weigh the same within 3 g; each lies on its own plate."""
    flour, sugar = plate(site, "g1-1-a"), plate(site, "g1-1-b")
    scale = FakeScale(site.fixtures["g1"]).move(5, flour, -1010.5).move(10, sugar, -1010.5)
    events = told(site, [scale], [shopper(site, 1, (5, "g1-1-a"), (10, "g1-1-b"))], {1: "anna"})
    assert [e.sku for e in events if isinstance(e, ItemTaken)] == [
        site.facings["g1-1-a"].sku,
        site.facings["g1-1-b"].sku,
    ]


def test_two_shoppers_at_two_shelves_at_the_same_moment(site: Site) -> None:
    one = FakeScale(site.fixtures["g1"], 1).move(5, plate(site, "g1-1-a"), -grams(site, "g1-1-a"))
    two = FakeScale(site.fixtures["g3"], 2).move(5.1, plate(site, "g3-2-c"), -grams(site, "g3-2-c"))
    people = [shopper(site, 1, (5, "g1-1-a")), shopper(site, 2, (5.1, "g3-2-c"))]
    events = told(site, [one, two], people, {1: "anna", 2: "ben"})
    assert sorted(short(events)) == [("take", "anna", "g1-1-a", 1), ("take", "ben", "g3-2-c", 1)]


def test_two_shoppers_at_one_shelf_are_told_apart_by_their_hands(site: Site) -> None:
    scale = FakeScale(site.fixtures["g1"], 1)
    scale.move(5, plate(site, "g1-2-a"), -grams(site, "g1-2-a")).move(
        5.2, plate(site, "g1-2-d"), -grams(site, "g1-2-d")
    )
    people = [shopper(site, 1, (5, "g1-2-a")), shopper(site, 2, (5.2, "g1-2-d"))]
    assert sorted(short(told(site, [scale], people, {1: "anna", 2: "ben"}))) == [
        ("take", "anna", "g1-2-a", 1),
        ("take", "ben", "g1-2-d", 1),
    ]


def test_a_take_and_a_put_back_that_cancel_in_the_sum(site: Site) -> None:
    scale = FakeScale(site.fixtures["g1"], 1)
    scale.move(5, plate(site, "g1-1-a"), -grams(site, "g1-1-a")).move(5.1, plate(site, "g1-1-b"), grams(site, "g1-1-b"))
    people = [shopper(site, 1, (5, "g1-1-a")), shopper(site, 2, (5.1, "g1-1-b"))]
    sugar = site.facings["g1-1-b"].sku
    events = told(site, [scale], people, {1: "anna", 2: "ben"}, held={"ben": {sugar: 1}})
    assert sorted(short(events)) == [("return", "ben", "g1-1-b", 1), ("take", "anna", "g1-1-a", 1)]


def test_nobody_puts_back_what_they_do_not_hold(site: Site) -> None:
    """Ben stands there with his hand in the shelf, but the only one who holds sugar is Anna, beside him."""
    sugar = site.facings["g1-1-b"].sku
    scale = FakeScale(site.fixtures["g1"], 1).move(5, plate(site, "g1-1-b"), grams(site, "g1-1-b"))
    x, y = before(site, "g1-1-c")
    people = [Walker(1, ((0, x, y), (20, x, y))), shopper(site, 2, (5, "g1-1-b"))]
    events = told(site, [scale], people, {1: "anna", 2: "ben"}, held={"anna": {sugar: 1}})
    assert not [event for event in events if event.visit == "ben" and isinstance(event, ItemReturned)]


def test_goods_that_come_from_nobody_are_nobodys(site: Site) -> None:
    scale = FakeScale(site.fixtures["g1"], 1).move(5, plate(site, "g1-1-b"), grams(site, "g1-1-b"))
    assert told(site, [scale], [shopper(site, 1, (5, "g1-1-b"))], {1: "anna"}) == []


@pytest.mark.parametrize(("strangers", "expected"), [((1,), []), ((), ["case"])], ids=["staff", "a lost track"])
def test_a_take_is_asked_for_only_if_somebody_may_have_to_pay(
    site: Site, strangers: tuple[int, ...], expected: list[str]
) -> None:
    """Sugar goes; Ben, far away, is the only visit, and the track before the shelf is of none."""
    scale = FakeScale(site.fixtures["g1"], 1).move(5, plate(site, "g1-1-b"), -grams(site, "g1-1-b"))
    x, y = before(site, "g3-1-b")
    people = [shopper(site, 1, (5, "g1-1-b")), Walker(2, ((0, x, y), (20, x, y)))]
    events = told(site, [scale], people, {2: "ben"}, strangers=strangers)
    assert [what for what, _, _, _ in short(events)] == expected


def test_goods_that_stand_in_each_others_place_are_believed_after_the_first_of_them(site: Site) -> None:
    """Who filled the shelf exchanged tomatoes and chickpeas; the first one by weight tells about both places."""
    here, there = "g1-2-b", "g1-2-c"
    planogram = Planogram(site)
    mine, other = site.facings[here].sku, site.facings[there].sku
    before = planogram.take_log(here, other), planogram.take_log(there, mine)
    planogram.took(here, other, 1)
    assert planogram.take_log(here, other) > before[0] + 3
    assert planogram.take_log(there, mine) > before[1] + 3
    planogram.took(here, other, 1)
    assert planogram.take_log(here, other) > planogram.take_log(here, mine)
    for sku in (mine, other):
        assert math.exp(planogram.take_log(here, sku)) < 1


def test_years_of_right_sales_do_not_hide_that_a_shelf_was_filled_the_wrong_way_round_today(site: Site) -> None:
    goods = Planogram(site)
    for _ in range(1000):
        goods.weigh("g1-3-a", "g1-3-b", -5.0)
    assert goods.exchanged("g1-3-a", "g1-3-b") < 1e-5
    for _ in range(4):
        goods.weigh("g1-3-a", "g1-3-b", 5.0)
    assert goods.exchanged("g1-3-a", "g1-3-b") > 0.9


def test_steps_of_one_hand_are_added_up_in_the_likeliest_way(site: Site) -> None:
    """The last two of three would be two packs of batteries; all together they are the chewing gum that is gone."""
    likely = {180: -8.0, -16: -3.0, 164: -20.0, -195: -9.0, -211: -4.0, -31: -0.5}
    place = plate(site, "g4-3-b")
    steps = [
        of_step(WeightStep("g4", "g4-3", at(t_s), at(t_s + 0.3), off, 0.6, ((place, off),)), site)
        for t_s, off in ((11.0, 180.0), (13.0, -16.0), (15.0, -195.0))
    ]

    def following(_: Sequence[Change], change: Change) -> list[Hypothesis]:
        assert change.step is not None
        return [Hypothesis("anna", "1", 1, "g4-3-b", likely[round(change.step.grams)])]

    [one] = merged(steps, following, AttributionOptions(), EvidenceOptions())
    assert one.step is not None and one.step.grams == pytest.approx(-31.0)


def test_somebody_who_leans_on_a_shelf_and_eases_off_took_nothing(site: Site) -> None:
    """What is eased off first weighs like an item of that place; all of it together comes to nothing."""
    p, g = plate(site, "g1-2-b"), grams(site, "g1-2-b")
    scale = FakeScale(site.fixtures["g1"], 1).move(5, p, g + 531.0).move(6.2, p, -g).move(7.6, p, -531.0)
    person = Walker(1, shopper(site, 1, (6, "g1-2-b")).path, ((4.5, 8.2, "g1-2-b"),))
    assert short(told(site, [scale], [person], {1: "anna"})) == []


def test_a_thing_that_is_no_goods_comes_and_goes_without_a_case(site: Site) -> None:
    """A phone is laid down, stays and is taken away; in between somebody buys what really lies there."""
    p, g = plate(site, "g1-2-b"), grams(site, "g1-2-b")
    scale = FakeScale(site.fixtures["g1"], 1).move(5, p, 187.0).move(10, p, -g).move(15, p, -187.0)
    people = [shopper(site, 1, (5, "g1-2-b"), (10, "g1-2-b"), (15, "g1-2-b"))]
    assert short(told(site, [scale], people, {1: "anna"}, until_s=22)) == [("take", "anna", "g1-2-b", 1)]


def test_a_thing_leaves_once_and_what_weighs_the_same_afterwards_is_somebodys(site: Site) -> None:
    p = plate(site, "g1-2-b")
    scale = FakeScale(site.fixtures["g1"], 1).move(5, p, 187.0).move(10, p, -187.0).move(16, p, -187.0)
    people = [shopper(site, 1, (5, "g1-2-b"), (10, "g1-2-b"), (16, "g1-2-b"), until_s=26)]
    events = told(site, [scale], people, {1: "anna"}, until_s=26)
    assert [who for _, who, _, _ in short(events)] == ["anna"]


def test_what_comes_back_waits_until_it_is_decided_who_took_it(site: Site) -> None:
    """A camera is asked which of two equal chocolates Anna took; she puts it back while Ben takes his beside her."""
    scale = FakeScale(site.fixtures["g2"], 1)
    scale.move(5, plate(site, "g2-2-a"), -grams(site, "g2-2-a")).move(7.6, plate(site, "g2-2-a"), grams(site, "g2-2-a"))
    other = FakeScale(site.fixtures["g1"], 2).move(6.6, plate(site, "g1-2-a"), -grams(site, "g1-2-a"))
    people = [shopper(site, 1, (5, "g2-2-a"), (7.6, "g2-2-a")), shopper(site, 2, (6.6, "g1-2-a"))]
    watching = [FacingsSeen("s1", at(t_s), ("g2-2-a",)) for t_s in range(20)]
    events = told(site, [scale, other], people, {1: "anna", 2: "ben"}, clear=watching, held={"anna": {}, "ben": {}})
    assert sorted(short(events)) == [
        ("return", "anna", "g2-2-a", 1), ("take", "anna", "g2-2-a", 1), ("take", "ben", "g1-2-a", 1),
    ]  # fmt: skip


def test_an_equal_weight_in_the_wrong_place_comes_out_of_the_right_cart(site: Site) -> None:
    flour = site.facings["g1-1-a"].sku
    scale = FakeScale(site.fixtures["g1"], 1).move(5, plate(site, "g1-1-b"), grams(site, "g1-1-a"))
    [event] = told(site, [scale], [shopper(site, 1, (5, "g1-1-b"))], {1: "anna"}, held={"anna": {flour: 1}})
    assert isinstance(event, ItemReturned) and event.sku == flour and event.place == "g1-1-b"


def test_a_take_and_a_put_back_on_one_plate_in_one_moment(site: Site) -> None:
    """Anna swaps the rice that she holds for flour: the plate sees only the difference."""
    rice = site.facings["g1-1-c"].sku
    difference = grams(site, "g1-1-c") - grams(site, "g1-1-a")
    scale = FakeScale(site.fixtures["g1"], 1).move(5, plate(site, "g1-1-a"), difference)
    events = told(site, [scale], [shopper(site, 1, (5, "g1-1-a"))], {1: "anna"}, held={"anna": {rice: 1}})
    assert sorted((type(e).__name__, e.sku) for e in events if not isinstance(e, CaseRaised)) == [
        ("ItemReturned", rice),
        ("ItemTaken", site.facings["g1-1-a"].sku),
    ]


def test_a_stray_is_what_the_next_shopper_takes(site: Site) -> None:
    """Anna leaves spaghetti among the flour; Ben takes something from there that weighs like spaghetti."""
    spaghetti = site.facings["g1-1-d"].sku
    g, flour = grams(site, "g1-1-d"), plate(site, "g1-1-a")
    scale = FakeScale(site.fixtures["g1"], 1).move(5, flour, g).move(15, flour, -g)
    people = [shopper(site, 1, (5, "g1-1-a"), until_s=9), shopper(site, 2, (15, "g1-1-a"))]
    events = told(site, [scale], people, {1: "anna", 2: "ben"}, held={"anna": {spaghetti: 1}})
    assert [(type(e), e.visit, e.sku) for e in events if not isinstance(e, CaseRaised)] == [
        (ItemReturned, "anna", spaghetti),
        (ItemTaken, "ben", spaghetti),
    ]


def test_a_hand_that_rests_before_it_lifts_is_one_take(site: Site) -> None:
    p = plate(site, "g1-1-a")
    scale = FakeScale(site.fixtures["g1"], 1).touch(4, p, 40, 1.5).move(5.5, p, -grams(site, "g1-1-a"))
    events = told(site, [scale], [shopper(site, 1, (5.3, "g1-1-a"))], {1: "anna"})
    assert short(events) == [("take", "anna", "g1-1-a", 1)]


def test_a_hand_that_rests_long_before_it_lifts_is_one_take(site: Site) -> None:
    """It rests for a second and a half, which looks settled, and lifts and goes within three more."""
    p, g = plate(site, "g1-2-b"), grams(site, "g1-2-b")
    scale = FakeScale(site.fixtures["g1"], 1).move(5, p, 86).move(6.6, p, -86 - g, lift_s=3.0)
    events = told(site, [scale], [shopper(site, 1, (5, "g1-2-b"), (8, "g1-2-b"))], {1: "anna"})
    assert short(events) == [("take", "anna", "g1-2-b", 1)]


def test_whoever_reached_in_while_another_hand_rested_took_nothing(site: Site) -> None:
    """Anna's hand rests before it lifts; Ben's is in there for a moment, too, before anything goes."""
    p, g = plate(site, "g1-2-b"), grams(site, "g1-2-b")
    scale = FakeScale(site.fixtures["g1"], 1).move(5, p, 86).move(6.8, p, -86 - g, lift_s=2.5)
    people = [shopper(site, 1, (8, "g1-2-b")), shopper(site, 2, (5.1, "g1-2-b"))]
    assert short(told(site, [scale], people, {1: "anna", 2: "ben"})) == [("take", "anna", "g1-2-b", 1)]


def test_a_press_that_weighs_like_goods_is_no_take(site: Site) -> None:
    """A hand rests on the shelf for half a second with the weight of two packs of chewing gum."""
    g = 2 * grams(site, "g4-3-b")
    scale = FakeScale(site.fixtures["g4"], 1).touch(5, plate(site, "g4-3-b"), g, 0.6)
    assert told(site, [scale], [shopper(site, 1, (5.2, "g4-3-b"))], {1: "anna"}) == []


def test_two_who_may_both_have_done_it_are_a_case_not_a_guess(site: Site) -> None:
    scale = FakeScale(site.fixtures["g1"], 1).move(5, plate(site, "g1-1-b"), -grams(site, "g1-1-b"))
    people = [Walker(1, ((0, 0.9, 2.55), (20, 0.9, 2.55))), Walker(2, ((0, 0.9, 2.75), (20, 0.9, 2.75)))]
    [case] = told(site, [scale], people, {1: "anna", 2: "ben"})
    assert isinstance(case, CaseRaised)
    assert {candidate.visit for candidate in case.candidates[:2]} == {"anna", "ben"}
    assert case.candidates[0].probability < 0.6


def test_a_take_by_somebody_without_a_visit_is_a_case(site: Site) -> None:
    scale = FakeScale(site.fixtures["g1"], 1).move(5, plate(site, "g1-1-b"), -grams(site, "g1-1-b"))
    far = Walker(1, ((0, 5, 6), (20, 5, 6)))
    [case] = told(site, [scale], [far, shopper(site, 9, (5, "g1-1-b"))], {1: "anna"})
    assert isinstance(case, CaseRaised)


def test_without_scale_the_shelf_camera_says_what_went(site: Site) -> None:
    events = told(site, [], [shopper(site, 1, (5, "g1-1-b"))], {1: "anna"}, views=[view(site, "g1-1-b", 5, -2)])
    assert short(events) == [("take", "anna", "g1-1-b", 2)]


def test_without_scale_an_unclear_view_is_doubt(site: Site) -> None:
    seen = [view(site, "g1-1-b", 5, 0, 0.6, unclear=True)]
    assert short(told(site, [], [shopper(site, 1, (5, "g1-1-b"))], {1: "anna"}, views=seen)) == [
        ("case", "anna", "g1-1-b", 0)
    ]


def test_without_scale_a_sure_change_that_was_not_counted_is_one_item_of_that_name(site: Site) -> None:
    seen = [view(site, "g1-1-b", 5, 0, 0.95)]
    assert short(told(site, [], [shopper(site, 1, (5, "g1-1-b"))], {1: "anna"}, views=seen)) == [
        ("take", "anna", "g1-1-b", 1)
    ]


def test_dead_plates_hand_over_to_the_camera(site: Site) -> None:
    dead = plate(site, "g1-1-b")
    scale = FakeScale(site.fixtures["g1"], 1, dead=(dead,)).move(9, plate(site, "g1-2-b"), -grams(site, "g1-2-b"))
    views = [view(site, "g1-1-b", 5, -1), view(site, "g1-2-b", 9, -1)]
    events = told(site, [scale], [shopper(site, 1, (5, "g1-1-b"), (9, "g1-2-b"))], {1: "anna"}, views=views)
    assert short(events) == [("take", "anna", "g1-1-b", 1), ("take", "anna", "g1-2-b", 1)]


def test_the_living_plate_beside_a_dead_one_does_not_deny_what_the_camera_saw() -> None:
    """A bottle is stood on the dead one of two plates; the other one feels a little of the hand."""
    kiosk = load_site("configs/stores/kiosk.yaml")
    dead, living = kiosk.facings["k1-1-b"].plates
    scale = FakeScale(kiosk.fixtures["k1"], 1, dead=(dead,)).move(9, living, 8.0)
    bottle = {kiosk.facings["k1-1-b"].sku: 1}
    seen = [view(kiosk, "k1-1-b", 9, 1, 0.95)]
    [back] = told(kiosk, [scale], [shopper(kiosk, 1, (9, "k1-1-b"))], {1: "anna"}, {"anna": bottle}, seen)
    assert isinstance(back, ItemReturned) and (back.visit, back.quantity) == ("anna", 1)


def test_a_stuck_plate_leaves_the_word_to_the_camera(site: Site) -> None:
    """It gives the very same number all the time, which no load cell does."""
    scale = FakeScale(site.fixtures["g1"], 1, stuck=(plate(site, "g1-1-b"),))
    people = [shopper(site, 1, (9, "g1-1-b"))]
    events = told(site, [scale], people, {1: "anna"}, views=[view(site, "g1-1-b", 9, -1)])
    assert short(events) == [("take", "anna", "g1-1-b", 1)]


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        pytest.param(0.98, [("take", "anna", "g1-1-b", 1)], id="the camera is all but sure: the scale is at its limit"),
        pytest.param(0.81, [("case", "anna", "g1-1-b", 0)], id="one of the two is wrong"),
        pytest.param(0.6, [], id="the camera may well be wrong"),
    ],
)
def test_what_a_living_scale_did_not_feel(
    site: Site, probability: float, expected: list[tuple[str, str, str, int]]
) -> None:
    people = [shopper(site, 1, (9, "g1-1-b"))]
    views = [view(site, "g1-1-b", 9, -1, probability)]
    assert short(told(site, [FakeScale(site.fixtures["g1"], 1)], people, {1: "anna"}, views=views)) == expected


def test_what_a_scale_felt_long_ago_is_not_asked_for_again(site: Site) -> None:
    """A step is forgotten before the picture that came later: that picture is no take of its own."""
    scale = FakeScale(site.fixtures["g1"], 1).move(9, plate(site, "g1-1-b"), -grams(site, "g1-1-b"))
    people = [shopper(site, 1, (9, "g1-1-b"), until_s=90)]
    late = [replace(view(site, "g1-1-b", 9, -1, 0.86), t_end_ns=at(20))]
    events = told(site, [scale], people, {1: "anna"}, views=late, until_s=90)
    assert short(events) == [("take", "anna", "g1-1-b", 1)]


def test_a_touch_nobody_can_explain_is_doubt_and_a_clear_view_of_an_unchanged_facing_is_none(site: Site) -> None:
    people = [shopper(site, 1, (5, "g1-1-b"), until_s=25)]
    assert short(told(site, [], people, {1: "anna"}, until_s=25)) == [("case", "anna", "g1-1-b", 0)]
    clear = [FacingsSeen("s1", at(8), ("g1-1-b",))]
    assert told(site, [], people, {1: "anna"}, clear=clear, until_s=25) == []


def test_the_camera_settles_what_the_scale_cannot(site: Site) -> None:
    """Something of 1010 g leaves the flour's plate while the camera sees sugar, which somebody left there, go."""
    sugar = site.facings["g1-1-b"].sku
    p = plate(site, "g1-1-a")
    g = grams(site, "g1-1-b")
    scale = FakeScale(site.fixtures["g1"], 1).move(5, p, g).move(11, p, -g)
    people = [shopper(site, 1, (5, "g1-1-a"), (11, "g1-1-a"))]
    views = [view(site, "g1-1-a", 11, -1, 0.95, sku=sugar)]
    events = told(site, [scale], people, {1: "anna"}, held={"anna": {sugar: 1}}, views=views)
    assert [e.sku for e in events if isinstance(e, ItemTaken)] == [sugar]


@pytest.mark.parametrize("named", ["g2-2-a", "g2-2-b"])
def test_a_camera_that_sees_half_of_a_facing_names_what_lies_there(site: Site, named: str) -> None:
    """Anna holds two kinds of chocolate that weigh the same, and leaves one of them among other goods."""
    chocolates = [site.facings[name].sku for name in ("g2-2-a", "g2-2-b")]
    weight = (grams(site, "g2-2-a") + grams(site, "g2-2-b")) / 2
    scale = FakeScale(site.fixtures["g1"], 1).move(5, plate(site, "g1-2-a"), weight)
    half = replace(view(site, "g1-2-a", 5, 1, 0.8, sku=site.facings[named].sku), items=0, unclear=True)
    cart = dict.fromkeys(chocolates, 1)
    [event] = told(site, [scale], [shopper(site, 1, (5, "g1-2-a"))], {1: "anna"}, held={"anna": cart}, views=[half])
    assert isinstance(event, ItemReturned) and event.sku == site.facings[named].sku


def test_the_solver_of_large_problems_agrees_with_enumeration() -> None:
    def claims(scores: dict[tuple[str, str, int], float]) -> list[Hypothesis]:
        return [Hypothesis(visit, sku, count, "f", score) for (visit, sku, count), score in scores.items()]

    changes = [
        claims({("anna", "tea", 1): -1.0, ("ben", "tea", 1): -1.2, ("", "", 0): -9.0}),
        claims({("ben", "tea", -1): -1.0, ("anna", "tea", -1): -1.4, ("", "", 0): -9.0}),
        claims({("ben", "tea", -1): -1.0, ("", "", 0): -3.0}),
    ]
    exact = solve(changes, {})
    milp = solve(changes, {}, options=JointOptions(most_exact=0))
    assert [choice.hypothesis for choice in exact] == [choice.hypothesis for choice in milp]
    assert [choice.hypothesis.key for choice in exact][2] == ("", "", 0)


@pytest.mark.parametrize("seed", range(12))
def test_large_problems_have_the_same_best_explanation_when_all_of_them_are_gone_through(seed: int) -> None:
    random = np.random.default_rng(seed)

    def change() -> list[Hypothesis]:
        found = {("", "", 0)} | {
            (
                str(random.choice(["anna", "ben", ""])),
                str(random.choice(["tea", "milk"])),
                int(random.choice([-2, -1, 1])),
            )
            for _ in range(5)
        }
        return [Hypothesis(*key, "f", -5.0 * float(random.random())) for key in sorted(found)]

    changes = [change() for _ in range(4)]
    where = {"anna": {"tea": 1}, "ben": {"milk": 1}}, [(0, 1), (1, 3)]
    exact, searched = (solve(changes, *where, JointOptions(most_exact=most)) for most in (4000, 0))
    assert [choice.hypothesis for choice in searched] == [choice.hypothesis for choice in exact]


def test_a_hand_that_hangs_beside_its_owner_says_less_than_one_that_is_held_out(site: Site) -> None:
    """Two people's hands are where goods went: Anna stands so near that hers is there anyway, Ben reaches for it."""
    facing = site.facings["g1-2-b"]
    nx, ny = site.fixtures["g1"].normal
    hand = Hand("right", *facing.centre_m, 0.05)
    ratios = []
    for away_m in (0.27, 0.6):
        memory = ReachMemory(site, EvidenceOptions())
        x, y = facing.centre_m[0] + away_m * nx, facing.centre_m[1] + away_m * ny
        memory.observe(FloorState(at(5), (FloorTrack(1, at(5), x, y, 0.0, 0.0, 0.1, (hand,)),)))
        ratios.append(memory.log_ratio([1], facing, at(5), at(5)))
    anna, ben = ratios
    assert 0 < anna < ben - 1.0


@pytest.mark.parametrize("most_exact", [4000, 0], ids=["enumerated", "solved"])
def test_one_person_rarely_does_two_things_at_once(most_exact: int) -> None:
    """Anna's hands were nearest to both shelves, Ben's nearly as near to the second; each has done one of them."""
    options = JointOptions(both_hands_nats=-2.0, most_exact=most_exact)
    put = [Hypothesis("anna", "tea", -1, "a", -0.1), Hypothesis("", "", 0, "a", -9.0)]
    take = [Hypothesis(visit, "milk", 1, "b", score) for visit, score in (("anna", -0.2), ("ben", -0.8))]
    held = {"anna": {"tea": 1}}
    alone = solve([put, take], held, (), options)
    together = solve([put, take], held, [(0, 1)], options)
    assert [choice.hypothesis.visit for choice in alone] == ["anna", "anna"]
    assert [choice.hypothesis.visit for choice in together] == ["anna", "ben"]
    assert together[1].probability == pytest.approx(1 / (1 + math.exp(0.6 - 2.0)), abs=0.01)


def test_what_the_same_hand_surely_takes_back_at_once_is_no_matter_for_receipts() -> None:
    put, again = Hypothesis("anna", "tea", -1, "a", -1.0), Hypothesis("anna", "tea", 1, "a", -0.5)
    near, far = (Hypothesis("ben", "tea", 1, "a", score) for score in (-0.6, -4.0))
    assert undoes(put, [again, far], sure=0.6)
    assert not undoes(put, [again, near], sure=0.6)
    assert not undoes(put, [Hypothesis("anna", "milk", 1, "a", -0.5), again], sure=0.6)


def test_both_hands_of_one_person_are_still_believed_when_nobody_else_is_near(site: Site) -> None:
    scale = FakeScale(site.fixtures["g1"], 1)
    for facing in ("g1-2-a", "g1-2-b"):
        scale.move(5, plate(site, facing), -grams(site, facing))
    people = [shopper(site, 1, (5, "g1-2-a"), (5, "g1-2-b"))]
    assert sorted(short(told(site, [scale], people, {1: "anna"}))) == [
        ("take", "anna", "g1-2-a", 1),
        ("take", "anna", "g1-2-b", 1),
    ]


@pytest.mark.parametrize(("off_m", "counts"), [((0.0, 0.0, 0.25), True), ((0.3, 0.3, 0.0), False)],
                         ids=["along its ray", "beside its ray"])  # fmt: skip
def test_a_hand_that_one_camera_sees_may_be_anywhere_on_its_ray(
    site: Site, off_m: tuple[float, float, float], counts: bool
) -> None:
    """A camera above sees Anna's hand: where it is to a few centimetres, but not how high."""
    facing = site.facings["g1-2-b"]
    place = [a + b for a, b in zip(facing.centre_m, off_m, strict=True)]
    spread = tuple(np.diag([0.04**2, 0.04**2, 0.3**2]).ravel().tolist())
    ray = Hand("right", place[0], place[1], place[2], 0.176, cov_m2=spread)
    ball = structs.replace(ray, cov_m2=None)
    ratios = []
    for hand in (ray, ball):
        memory, (x, y) = ReachMemory(site, EvidenceOptions()), before(site, facing.id)
        memory.observe(FloorState(at(5), (FloorTrack(1, at(5), x, y, 0.0, 0.0, 0.1, (hand,)),)))
        ratios.append(memory.log_ratio([1], facing, at(5), at(5)))
    assert (ratios[0] > ratios[1] + 1.0) is counts and (ratios[0] > 0) is counts


@pytest.mark.parametrize("most_exact", [4000, 0], ids=["enumerated", "solved"])
def test_of_two_items_that_went_in_one_step_two_people_at_the_shelf_took_one_each(most_exact: int) -> None:
    """Anna's hand was nearer, but she needs both for two; nobody asks which of the two items was hers."""
    item = [Hypothesis(visit, "tea", 1, "a", score) for visit, score in (("anna", -0.1), ("ben", -0.9))]
    options = JointOptions(both_hands_nats=-2.0, most_exact=most_exact)
    one, other = solve([item, list(item)], {}, [(0, 1)], options)
    assert [one.hypothesis.visit, other.hypothesis.visit] == ["anna", "ben"]
    assert min(one.probability, other.probability) > 0.6


@pytest.mark.parametrize(("ben", "took"), [((5, "g1-2-b"), {"anna": 1, "ben": 1}), ((12, "g1-2-b"), {"anna": 2})],
                         ids=["two hands", "one hand"])  # fmt: skip
def test_two_items_that_go_in_one_step_are_of_all_whose_hands_were_there(
    site: Site, ben: tuple[float, str], took: dict[str, int]
) -> None:
    scale = FakeScale(site.fixtures["g1"]).move(5, plate(site, "g1-2-b"), -2 * grams(site, "g1-2-b"))
    people = [shopper(site, 1, (5, "g1-2-b")), shopper(site, 2, ben)]
    events = told(site, [scale], people, {1: "anna", 2: "ben"})
    assert all(isinstance(event, ItemTaken) and event.place == "g1-2-b" for event in events)
    assert Counter(event.visit for event in events for _ in range(getattr(event, "quantity", 0))) == took
