"""What may have happened behind somebody's back, on shelves without scales: hands and views in, cases out."""

from dataclasses import dataclass

import pytest

from smartstore.domain.events import CaseRaised, ItemTaken
from smartstore.domain.items import FacingChange
from smartstore.domain.people import FloorState, FloorTrack, Hand
from smartstore.fusion.dips import Dip, DipFinder
from smartstore.fusion.touches import FacingsSeen
from smartstore.site import Site, load_site
from tests.builders import ItemEvent, Walker, at, before, shopper, told, view

SUGAR, LOW = "g1-2-b", "g1-1-b"
"""A facing at the height of a hand, and one for which people bend down."""


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site("configs/stores/corner.yaml")


@dataclass(frozen=True)
class Back:
    """Somebody's back before the shelf camera, from one time to another (seconds)."""

    from_s: float
    to_s: float


def views(site: Site, backs: list[Back], until_s: float) -> list[FacingsSeen]:
    """Two pictures a second of gondola g1, all of it hidden behind each back."""
    g1 = tuple(facing.id for facing in site.facings.values() if facing.fixture == "g1")
    out = []
    for i in range(round(until_s * 2)):
        hidden = any(back.from_s <= i / 2 <= back.to_s for back in backs)
        out.append(FacingsSeen("s1", at(i / 2), () if hidden else g1, g1 if hidden else ()))
    return out


def story(
    site: Site, walker: Walker, backs: list[Back], changes: list[FacingChange] | None = None, until_s: float = 25.0
) -> list[ItemEvent]:
    clear = views(site, backs, until_s)
    return told(site, [], [walker], {1: "anna"}, views=changes or [], clear=clear, until_s=until_s)


def test_two_hands_behind_a_back_are_a_case_at_that_facing(site: Site) -> None:
    [case] = story(site, shopper(site, 1, (6, SUGAR), (9, SUGAR), until_s=24), [Back(4, 12)])
    assert isinstance(case, CaseRaised)
    assert (case.visit, case.place) == ("anna", SUGAR)
    assert abs(case.t_ns - at(9)) < 1e9
    assert {candidate.quantity for candidate in case.candidates if candidate.facing == SUGAR} == {1, -1}
    assert sum(candidate.probability for candidate in case.candidates) <= 0.5


def test_one_hand_in_a_facing_that_looks_as_before_took_nothing(site: Site) -> None:
    assert story(site, shopper(site, 1, (6, SUGAR), until_s=24), [Back(4, 12)]) == []


def test_two_hands_with_a_clear_view_between_them_took_nothing(site: Site) -> None:
    walker = shopper(site, 1, (6, SUGAR), (12, SUGAR), until_s=24)
    assert story(site, walker, [Back(4, 8), Back(10, 14)]) == []


def test_a_touch_before_a_take_is_no_case(site: Site) -> None:
    taken = FacingChange("s1", SUGAR, at(3.5), at(12.5), -1, 0.9, ((site.facings[SUGAR].sku, 0.9),))
    [event] = story(site, shopper(site, 1, (6, SUGAR), (9, SUGAR), until_s=24), [Back(4, 12)], [taken])
    assert isinstance(event, ItemTaken)


def test_of_three_hands_and_one_item_gone_two_are_a_case(site: Site) -> None:
    taken = FacingChange("s1", SUGAR, at(3.5), at(14.5), -1, 0.9, ((site.facings[SUGAR].sku, 0.9),))
    walker = shopper(site, 1, (6, SUGAR), (9, SUGAR), (12, SUGAR), until_s=24)
    events = story(site, walker, [Back(4, 14)], [taken])
    assert sorted(type(event).__name__ for event in events) == ["CaseRaised", "ItemTaken"]


def test_hands_that_became_cases_while_the_back_stayed_are_no_further_case_when_it_goes(site: Site) -> None:
    events = story(site, shopper(site, 1, (6, SUGAR), (9, SUGAR), until_s=60), [Back(4, 48)], until_s=62)
    assert [event.caused_by.partition(":")[0] for event in events] == ["touch", "touch"]


def test_two_takes_from_two_facings_are_no_case(site: Site) -> None:
    walker = shopper(site, 1, (6, SUGAR), (9, "g1-2-c"), until_s=24)
    gone = [view(site, name, t_s, -1) for name, t_s in ((SUGAR, 6), ("g1-2-c", 9))]
    events = story(site, walker, [Back(4, 12)], gone)
    assert [type(event) for event in events] == [ItemTaken, ItemTaken]


def test_hands_of_two_shoppers_are_not_one_pair(site: Site) -> None:
    anna, ben = shopper(site, 1, (6, SUGAR), until_s=7.5), shopper(site, 2, (9, SUGAR), until_s=24)
    events = told(site, [], [anna, ben], {1: "anna", 2: "ben"}, clear=views(site, [Back(4, 12)], 25), until_s=25)
    assert events == []


def bending(site: Site, *bends_s: float) -> list[FloorState]:
    """Somebody before the low facing whose hands nobody sees for 0.8 s each time."""
    x, y = before(site, LOW)
    states = []
    for i in range(100):
        t_s = i * 0.1
        last_s = next((bend for bend in bends_s if bend <= t_s <= bend + 0.8), t_s)
        hands = tuple(Hand(side, x, y, 0.9, 0.06, at(last_s)) for side in ("left", "right"))
        states.append(FloorState(at(t_s), (FloorTrack(1, at(t_s), x, y, 0.0, 0.0, 0.1, hands),)))
    return states


def dips(site: Site, states: list[FloorState]) -> list[Dip]:
    finder = DipFinder(site)
    return [dip for state in states for dip in finder.observe(state)]


def test_who_bends_down_hides_their_hands_and_that_is_a_dip_into_the_lowest_shelf(site: Site) -> None:
    found = dips(site, bending(site, 3.0, 6.0))
    assert [round((dip.t_start_ns - at(0)) / 1e9) for dip in found if dip.fixture == "g1"] == [3, 6]
    assert all(dip.facings[0][0] == LOW and dip.fit(SUGAR) == 0 for dip in found if dip.fixture == "g1")


@pytest.mark.parametrize(("into_m", "count"), [(-0.1, 0), (0.05, 1)], ids=["hangs before the face", "behind it"])
def test_the_hand_of_an_arm_that_hangs_is_in_the_shelf_only_behind_its_face(
    site: Site, into_m: float, count: int
) -> None:
    """Somebody stands 0.2 m before the face, sideways, with a hand at the height of the goods for a while."""
    x, y = before(site, SUGAR, 0.2)
    goods = site.fixtures["g1"].point(0.45, into_m, 0.75)
    states = []
    for i in range(40):
        hand = Hand("right", *(goods if 10 < i < 20 else (x, y, 0.75)), 0.05)
        states.append(FloorState(at(i / 10), (FloorTrack(1, at(i / 10), x, y, 0.0, 0.0, 0.05, (hand,)),)))
    assert len([dip for dip in dips(site, states) if dip.fixture == "g1"]) == count


@pytest.mark.parametrize(("height_m", "count"), [pytest.param(1.1, 0, id="chest"), pytest.param(0.9, 1, id="shelf")])
def test_hands_before_the_chest_are_not_in_the_shelf(site: Site, height_m: float, count: int) -> None:
    x, y = before(site, SUGAR)
    at_face = site.fixtures["g1"].point(0.45, -0.1, height_m)
    states = []
    for i in range(40):
        place = at_face if 10 < i < 20 else (x, y, 0.8)
        track = FloorTrack(1, at(i / 10), x, y, 0.0, 0.0, 0.1, (Hand("right", *place, 0.05),))
        states.append(FloorState(at(i / 10), (track,)))
    assert len([dip for dip in dips(site, states) if dip.fixture == "g1"]) == count
