"""Hands that meet: what may have gone from one shopper to another is a case of both."""

from dataclasses import replace

import pytest
from msgspec import structs

from smartstore.domain.events import CaseRaised, ItemReturned, ItemTaken
from smartstore.fusion.meetings import Meetings
from smartstore.site import Site, load_site
from tests.builders import FakeScale, ItemEvent, Walker, at, before, floor_states, grams, plate, told

MIDDLE = (4.6, 0.9)
"""A place of the corner store that no shelf is near."""


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site("configs/stores/corner.yaml")


def pair(site: Site, since_s: float, until_s: float, gap_m: float = 0.14) -> list[Walker]:
    """Anna takes flour at 5 s, comes up to Ben at 8 s, and leaves 0.5 s after their right hands were together."""
    x, y = MIDDLE
    shelf, ben = before(site, "g1-1-a"), (x + 0.35, y)
    goes = ((until_s + 0.5, x - 0.35, y), (until_s + 2.5, x - 2.35, y), (30.0, x - 2.35, y))
    anna = ((0.0, *shelf), (6.0, *shelf), (8.0, x - 0.35, y), *goes)
    hands = [((since_s, until_s, (x + side * gap_m / 2, y, 1.1)),) for side in (-1, 1)]
    return [
        Walker(1, anna, ((4.5, 5.6, "g1-1-a"),), hands[0]),
        Walker(2, ((0.0, *ben), (30.0, *ben)), (), hands[1]),
    ]


def who_came_too(walker: Walker) -> Walker:
    """The same, who came there at 8 s as well."""
    (_, x, y), *later = walker.path
    return replace(walker, path=((0.0, x + 2.0, y), (6.0, x + 2.0, y), (8.0, x, y), *later))


def story(site: Site, people: list[Walker], *more: tuple[float, str, float], bens: str = "") -> list[ItemEvent]:
    """What is said when Anna takes one packet of flour, and ``more`` is moved: time, facing, share of one item.

    Ben may hold something that lives in the facing ``bens``.
    """
    scale = FakeScale(site.fixtures["g1"])
    for t_s, facing, share in ((5.0, "g1-1-a", -1.0), *more):
        scale.move(t_s, plate(site, facing), share * grams(site, facing))
    held = {"ben": {site.facings[bens].sku: 1}} if bens else {}
    return told(site, [scale], people, {1: "anna", 2: "ben"}, held, until_s=30.0)


def test_what_one_holds_out_to_another_one_whom_they_came_up_to_is_the_other_ones(site: Site) -> None:
    take, back, taken = story(site, pair(site, 11, 12.4))
    assert isinstance(take, ItemTaken) and isinstance(back, ItemReturned) and isinstance(taken, ItemTaken)
    assert (back.visit, taken.visit) == ("anna", "ben") and back.sku == taken.sku == take.sku
    assert back.t_ns == taken.t_ns and abs(back.t_ns - at(11.7)) < 5e8 and back.place == "g1-1-a"
    assert back.probability == taken.probability > 0.8


@pytest.mark.parametrize(("since_s", "given"), [(9.2, "g1-1-c"), (11.4, "g1-1-a")], ids=["in the hand", "in the bag"])
def test_what_is_held_out_at_once_was_in_the_hand_and_what_takes_time_was_in_the_bag(
    site: Site, since_s: float, given: str
) -> None:
    anna, ben = pair(site, since_s, since_s + 1.4)
    there = before(site, "g1-1-c")
    path = ((0.0, *anna.path[0][1:]), (3.0, *anna.path[0][1:]), (4.0, *there), (6.0, *there), *anna.path[2:])
    anna = replace(anna, path=path, reaches=((1.5, 2.6, "g1-1-a"), (4.5, 5.6, "g1-1-c")))
    scale = FakeScale(site.fixtures["g1"])
    for t_s, facing in ((2.0, "g1-1-a"), (5.0, "g1-1-c")):
        scale.move(t_s, plate(site, facing), -grams(site, facing))
    *_, taken = told(site, [scale], [anna, ben], {1: "anna", 2: "ben"}, until_s=30.0)
    assert isinstance(taken, ItemTaken) and (taken.visit, taken.sku) == ("ben", site.facings[given].sku)


def test_when_nobody_can_tell_who_gave_it_is_a_case_and_neither_is_billed_for_what_may_be_gone(site: Site) -> None:
    anna, ben = pair(site, 11, 12.4)
    take, case, again = story(site, [anna, who_came_too(ben)], bens="g1-2-d")
    assert isinstance(take, ItemTaken) and isinstance(case, CaseRaised) and isinstance(again, CaseRaised)
    assert {case.visit, again.visit} == {"anna", "ben"} and again.again and again.case == case.case
    assert abs(case.t_ns - at(11.7)) < 5e8
    one, other, nothing = case.candidates
    bens = site.facings["g1-2-d"].sku
    assert {(c.giver, c.visit, c.sku) for c in (one, other)} == {("anna", "ben", take.sku), ("ben", "anna", bens)}
    assert one.probability == other.probability > 0.4
    assert nothing.visit is None and sum(c.probability for c in case.candidates) == pytest.approx(1.0)
    assert {c.visit: c.withheld for c in (case, again)} == {"anna": ((take.sku, 1),), "ben": ((bens, 1),)}


def test_whoever_holds_a_hand_out_first_gives(site: Site) -> None:
    anna, ben = pair(site, 11, 12.4)
    anna = replace(anna, offers=((10.2, 12.4, anna.offers[0][2]),))
    *_, taken = story(site, [anna, who_came_too(ben)], bens="g1-2-d")
    assert isinstance(taken, ItemTaken) and (taken.visit, taken.place) == ("ben", "g1-1-a")


def test_of_two_who_stay_together_nobody_gave_anything(site: Site) -> None:
    anna, ben = pair(site, 11, 12.4)
    stays = replace(anna, path=(*anna.path[:3], (30.0, *anna.path[2][1:])))
    assert [type(event) for event in story(site, [stays, ben])] == [ItemTaken]


@pytest.mark.parametrize(
    ("since_s", "until_s", "gap_m"), [(11, 11.3, 0.14), (11, 12.4, 0.6)], ids=["in passing", "apart"]
)
def test_hands_that_pass_each_other_or_stay_apart_are_no_case(
    site: Site, since_s: float, until_s: float, gap_m: float
) -> None:
    assert [type(event) for event in story(site, pair(site, since_s, until_s, gap_m))] == [ItemTaken]


def test_of_empty_hands_nothing_can_come(site: Site) -> None:
    people = [replace(walker, reaches=()) for walker in pair(site, 11, 12.4)]
    assert told(site, [], people, {1: "anna", 2: "ben"}, until_s=30.0) == []


def test_hands_of_one_party_may_meet(site: Site) -> None:
    scale = FakeScale(site.fixtures["g1"]).move(5, plate(site, "g1-1-a"), -grams(site, "g1-1-a"))
    events = told(site, [scale], pair(site, 11, 12.4), {1: "anna", 2: "anna"}, until_s=30.0)
    assert [type(event) for event in events] == [ItemTaken]


def met(site: Site, *windows: tuple[float, float], at_g1: bool = False, walks: bool = False, busy: bool = False,
        apart_m: float = 0.7, where_m: float = 0.0) -> int:  # fmt: skip
    """How often two people met whose hands were together in ``windows`` (s), in the aisle or in gondola 1.

    ``where_m`` is how far from their middle the hands were.
    """
    x, y = MIDDLE
    bodies = [((0.0, x + apart_m / 2 * side, y), (30.0, x + apart_m / 2 * side, y)) for side in (-1, 1)]
    hands = [(x + where_m + 0.07 * side, y, 1.1) for side in (-1, 1)]
    if at_g1:
        gondola = site.fixtures["g1"]
        ways = [gondola.point(0.5 + 0.35 * side, -0.4, 0.0)[:2] for side in (-1, 1)]
        bodies = [((0.0, *way), (30.0, *way)) for way in ways]
        hands = [gondola.point(0.5 + 0.07 * side, 0.02, 1.1) for side in (-1, 1)]
    meetings = Meetings(site)
    people = [Walker(i + 1, bodies[i], (), tuple((*window, hands[i]) for window in windows)) for i in (0, 1)]
    for state in floor_states(site, people, 30.0):
        tracks = tuple(structs.replace(track, vy_m_s=0.7) if walks else track for track in state.tracks)
        meetings.observe(replace(state, tracks=tracks))
    if busy:
        meetings.moved("ben", at(13.5), at(14))
    return len(meetings.due(at(30), {1: "anna", 2: "ben"}, final=True))


@pytest.mark.parametrize(
    ("windows", "times"),
    [([(11, 12.4)], 1), ([(11, 16)], 0), ([(11, 12.4), (13.6, 14.6)], 1), ([(11, 12.4), (19, 20.4)], 2)],
    ids=["once", "they stand together", "twice in one go", "twice"],
)
def test_meetings_end_and_are_counted(site: Site, windows: list[tuple[float, float]], times: int) -> None:
    assert met(site, *windows) == times


def test_hands_in_a_shelf_hands_of_somebody_who_walks_and_hands_that_move_goods_do_not_meet(site: Site) -> None:
    together = (11, 12.4)
    assert met(site, together, at_g1=True) == 0
    assert met(site, together, walks=True) == 0
    assert met(site, together, busy=True) == 0


def test_one_may_reach_farther_than_the_other_but_hands_beside_shoulders_that_touch_do_not_meet(site: Site) -> None:
    assert met(site, (11, 12.4), where_m=-0.12) == 1
    assert met(site, (11, 12.4), apart_m=0.5) == 0


def test_whoever_got_it_can_put_it_back_though_they_never_took_it(site: Site) -> None:
    anna, ben = pair(site, 11, 12.4)
    shelf = before(site, "g1-1-a")
    ben = who_came_too(ben)
    back_at_g1 = ((14.0, *ben.path[2][1:]), (17.0, *shelf), (30.0, *shelf))
    ben = replace(ben, path=(*ben.path[:3], *back_at_g1), reaches=((18.5, 19.6, "g1-1-a"),))
    events = story(site, [anna, ben], (19.0, "g1-1-a", 1.0), bens="g1-2-d")
    back = events[-1]
    assert isinstance(back, ItemReturned) and (back.visit, back.quantity, back.doubtful) == ("ben", 0, 1)
