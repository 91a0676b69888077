"""Hands at the floor: what may have been left there is a case, and nobody's guess."""

from dataclasses import replace

import pytest

from smartstore.domain.events import CaseRaised, ItemTaken
from smartstore.fusion.options import FusionOptions
from smartstore.fusion.shares import ShareOptions
from smartstore.site import Site, load_site
from tests.builders import FakeScale, ItemEvent, Walker, at, before, grams, plate, told

AISLE = (4.6, 0.9)
"""A place of the corner store that no shelf is near."""


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site("configs/stores/corner.yaml")


def stooping(site: Site, height_m: float, since_s: float, until_s: float) -> Walker:
    """Somebody takes flour at 5 s, walks into the aisle and has a hand at some height there for some time."""
    x, y = AISLE
    shelf = before(site, "g1-1-a")
    path = ((0.0, *shelf), (6.0, *shelf), (8.0, x, y), (25.0, x, y))
    return Walker(1, path, ((4.5, 5.6, "g1-1-a"),), ((since_s, until_s, (x + 0.4, y, height_m)),))


def story(site: Site, walker: Walker, options: FusionOptions | None = None) -> list[ItemEvent]:
    scale = FakeScale(site.fixtures["g1"]).move(5, plate(site, "g1-1-a"), -grams(site, "g1-1-a"))
    return told(site, [scale], [walker], {1: "anna"}, until_s=25.0, options=options)


@pytest.mark.parametrize("height_m", [0.15, 0.34], ids=["a bar", "a bottle, held by its neck"])
def test_what_may_lie_on_the_floor_is_a_case_that_takes_it_off_the_cart(site: Site, height_m: float) -> None:
    take, case = story(site, stooping(site, height_m, 12, 13))
    assert isinstance(take, ItemTaken) and isinstance(case, CaseRaised)
    assert case.visit == "anna" and case.place == "g1-1-a" and abs(case.t_ns - at(12.5)) < 3e8
    left, nothing = case.candidates
    assert (left.visit, left.sku, left.quantity) == ("anna", take.sku, -1)
    assert nothing.visit is None and left.probability + nothing.probability == pytest.approx(1.0)


def test_how_likely_something_lies_there_is_a_share_of_the_settings(site: Site) -> None:
    rarely = replace(FusionOptions(), shares=ShareOptions(left=0.2))
    _, case = story(site, stooping(site, 0.15, 12, 13), rarely)
    assert isinstance(case, CaseRaised)
    assert [candidate.probability for candidate in case.candidates] == [0.2, 0.8] and not case.withheld


@pytest.mark.parametrize(("height_m", "until_s"), [(0.15, 12.1), (0.6, 13.0)], ids=["in passing", "at the knee"])
def test_hands_that_do_not_stay_at_the_floor_are_no_case(site: Site, height_m: float, until_s: float) -> None:
    assert [type(event) for event in story(site, stooping(site, height_m, 12, until_s))] == [ItemTaken]


def test_hands_in_the_lowest_shelf_are_not_at_the_floor(site: Site) -> None:
    walker = stooping(site, 0.15, 12, 13)
    gondola = site.fixtures["g1"]
    x, y, _ = gondola.point(0.5, -0.4, 0.0)
    walker = replace(walker, path=(*walker.path[:2], (8.0, x, y), (25.0, x, y)))
    for into_m, cases in ((0.1, 0), (-0.2, 1)):
        reach = ((12.0, 13.0, gondola.point(0.5, into_m, 0.15)),)
        assert len(story(site, replace(walker, offers=reach))) == 1 + cases


@pytest.mark.parametrize(
    ("press_g", "dead", "cases"), [(45, False, 0), (0, False, 1), (0, True, 0)],
    ids=["a plate feels it", "no plate feels it", "no plate can feel it"],
)  # fmt: skip
def test_a_hand_that_a_plate_felt_was_in_the_shelf(site: Site, press_g: float, dead: bool, cases: int) -> None:
    gondola, facing = site.fixtures["g1"], "g1-1-c"
    shelf = before(site, facing)
    hand = gondola.point(gondola.to_local((*shelf, 0.0))[0], -0.09, 0.3)
    walker = replace(stooping(site, 0.3, 12, 14), offers=((12.0, 14.0, hand),))
    walker = replace(walker, path=(*walker.path[:2], (8.0, *shelf), (25.0, *shelf)))
    scale = FakeScale(gondola, dead=(plate(site, facing),) * dead).move(
        5, plate(site, "g1-1-a"), -grams(site, "g1-1-a")
    )
    scale = scale.move(12.3, plate(site, facing), press_g).move(13.4, plate(site, facing), -press_g)
    events = told(site, [scale], [walker], {1: "anna"}, until_s=25.0)
    assert [type(event) for event in events] == [ItemTaken] + [CaseRaised] * cases


def test_what_was_taken_afterwards_cannot_lie_on_the_floor(site: Site) -> None:
    shelf = before(site, "g1-1-a")
    path = ((0.0, *AISLE), (2.0, *AISLE), (4.4, *shelf), (25.0, *shelf))
    walker = replace(stooping(site, 0.15, 0.5, 1.6), path=path)
    assert [type(event) for event in story(site, walker)] == [ItemTaken]


def test_empty_hands_leave_nothing_on_the_floor(site: Site) -> None:
    walker = replace(stooping(site, 0.15, 12, 13), reaches=())
    assert told(site, [], [walker], {1: "anna"}, until_s=25.0) == []
