"""Hands that meet: what may have gone from one shopper to another is a case of both."""

from dataclasses import replace

import pytest

from smartstore.domain.events import CaseRaised, ItemReturned, ItemTaken
from smartstore.site import Site, load_site
from tests.builders import FakeScale, ItemEvent, Walker, at, before, grams, plate, told

MIDDLE = (4.6, 0.9)
"""A place of the corner store that no shelf is near."""


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site("configs/stores/corner.yaml")


def pair(site: Site, since_s: float, until_s: float, gap_m: float = 0.14) -> list[Walker]:
    """Anna takes flour at 5 s and stands before Ben from 8 s on; their right hands are together for some time."""
    x, y = MIDDLE
    shelf = before(site, "g1-1-a")
    anna = ((0.0, *shelf), (6.0, *shelf), (8.0, x - 0.35, y), (30.0, x - 0.35, y))
    hands = [((since_s, until_s, (x + side * gap_m / 2, y, 1.1)),) for side in (-1, 1)]
    return [
        Walker(1, anna, ((4.5, 5.6, "g1-1-a"),), hands[0]),
        Walker(2, ((0.0, x + 0.35, y), (30.0, x + 0.35, y)), (), hands[1]),
    ]


def story(site: Site, people: list[Walker], *more: tuple[float, str, float]) -> list[ItemEvent]:
    """What is said when Anna takes one packet of flour, and ``more`` is moved: time, facing, share of one item."""
    scale = FakeScale(site.fixtures["g1"])
    for t_s, facing, share in ((5.0, "g1-1-a", -1.0), *more):
        scale.move(t_s, plate(site, facing), share * grams(site, facing))
    return told(site, [scale], people, {1: "anna", 2: "ben"}, until_s=30.0)


def test_what_may_have_changed_hands_is_one_case_of_both(site: Site) -> None:
    take, case, again = story(site, pair(site, 11, 12.4))
    assert isinstance(take, ItemTaken) and isinstance(case, CaseRaised) and isinstance(again, CaseRaised)
    assert (case.visit, again.visit) == ("anna", "ben") and again.again and again.case == case.case
    assert abs(case.t_ns - at(11.7)) < 5e8 and case.place == "g1-1-a"
    gift, nothing = case.candidates
    assert (gift.giver, gift.visit, gift.sku, gift.quantity) == ("anna", "ben", take.sku, 1)
    assert nothing.visit is None and gift.probability + nothing.probability == pytest.approx(1.0)


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


def test_whoever_moves_goods_just_then_has_their_hands_there_for_that(site: Site) -> None:
    events = story(site, pair(site, 5.5, 7.5))
    assert [type(event) for event in events] == [ItemTaken]


def test_whoever_got_it_can_put_it_back_though_they_never_took_it(site: Site) -> None:
    anna, ben = pair(site, 11, 12.4)
    shelf = before(site, "g1-1-a")
    ben = replace(
        ben, path=(*ben.path[:1], (14.0, *ben.path[0][1:]), (17.0, *shelf), (30.0, *shelf)),
        reaches=((18.5, 19.6, "g1-1-a"),),
    )  # fmt: skip
    events = story(site, [anna, ben], (19.0, "g1-1-a", 1.0))
    back = events[-1]
    assert isinstance(back, ItemReturned) and (back.visit, back.quantity, back.doubtful) == ("ben", 0, 1)
