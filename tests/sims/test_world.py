"""The world: people walk around things, wait for their turn, leave, and take with them what the shelves lost."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from shapely.geometry import Point, Polygon

from sims.bodies.library import BodyLibrary
from sims.building import Building, Fixture
from sims.scenario import Scenario, load_scenario
from sims.stick import StickFigures
from sims.truth import TrueVisit
from sims.walking import WalkingError, Walkways
from sims.world import World
from tests.sims.playing import SCENARIOS, Palms, Played, world

Make = Callable[[Mapping[str, object]], Scenario]


def live(place: World, watch: Callable[[World], None] = lambda place: None, limit_s: float = 400.0) -> list[object]:
    """Step until everybody has left; all that became true."""
    records: list[object] = []
    while not place.empty:
        records += place.step().records
        watch(place)
        assert place.t_s < limit_s
    return records


@pytest.mark.parametrize("seed", range(1, 21))
def test_in_the_quiet_store_two_hands_are_never_at_one_fixture(corner: Building, seed: int) -> None:
    place = world(corner, load_scenario(SCENARIOS / "corner-quiet.yaml"), seed)

    def watch(place: World) -> None:
        shelves = [s.hands.at_shelf for s in place.shoppers if s.hands.at_shelf]
        fixtures = Counter(corner.shelves[shelf].fixture for shelf in shelves)
        assert all(count == 1 for count in fixtures.values()), (place.t_s, shelves)

    live(place, watch)
    assert 90 < place.t_s < 200


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_in_a_rush_everybody_walks_around_fixtures_and_each_other_and_leaves(corner: Building, seed: int) -> None:
    place = world(corner, load_scenario(SCENARIOS / "corner-rush.yaml"), seed)
    room = Polygon(corner.walls_m)
    solid = [Polygon(fixture.footprint_m()) for fixture in corner.fixtures.values()]
    most = 0

    def watch(place: World) -> None:
        nonlocal most
        bodies = list(place.bodies.values())
        most = max(most, len(bodies))
        for i, body in enumerate(bodies):
            at = Point(body.x_m, body.y_m)
            assert min(shape.distance(at) for shape in solid) > 0.09
            assert room.contains(at) or body.y_m < 0.05
            assert body.speed_m_s < 1.5
            assert all(math.hypot(body.x_m - b.x_m, body.y_m - b.y_m) > 0.15 for b in bodies[:i])

    live(place, watch)
    assert most >= 4, "nobody ever met anybody"


def test_a_hand_is_at_the_item_when_it_is_taken(corner: Building, scenario: Make) -> None:
    story = scenario({"script": [{"arrive_s": 1, "body": 1, "actions": [{"take": "g2-3-b"}]}]})
    place = world(corner, story)
    before = place.stock.view
    while place.stock.view is before:
        place.step()
    body, fixture = place.bodies["shopper-1"], corner.fixtures["g2"]
    hand = body.left_hand_m if body.left_active else body.right_hand_m
    assert hand is not None
    u, v, z = fixture.to_local(hand)
    assert 0.3 < u < 0.6
    assert v < 0.15
    assert 1.15 < z < 1.5
    assert body.held == (corner.facings["g2-3-b"].sku,)
    toward_shelf = math.cos(body.heading_rad - math.atan2(-fixture.normal[1], -fixture.normal[0]))
    assert toward_shelf > 0.7


def test_every_hand_that_touches_goods_is_really_reached_by_its_arm(corner: Building, library: BodyLibrary) -> None:
    palms = Palms()
    rush = load_scenario(SCENARIOS / "corner-rush.yaml")
    place = World(corner, rush, 3, library, palms.scan, palms.enrol)
    gaps, with_left = [], set()
    while not place.empty:
        for _ in place.step().contacts:
            for body in place.bodies.values():
                hand = body.left_hand_m if body.left_active else body.right_hand_m
                if hand and any(s.hands.at_shelf for s in place.shoppers if s.name == body.person):
                    gaps.append(math.dist(library.hands(body)[0 if body.left_active else 1], hand))
                    with_left.add(body.left_active)
    assert len(gaps) > 30
    assert with_left == {False, True}
    assert max(gaps) < 0.03


def test_what_the_shelves_lost_is_what_was_carried_out(corner: Building) -> None:
    place = world(corner, load_scenario(SCENARIOS / "corner-rush.yaml"), 1)
    fixtures = [f.id for f in corner.fixtures.values() if f.shelves]
    before = sum(sum(place.stock.grams_on_plates(f).values()) for f in fixtures)
    live(place)
    after = sum(sum(place.stock.grams_on_plates(f).values()) for f in fixtures)
    carried = sum(unit.grams for shopper in place.shoppers for unit in shopper.held)
    assert before - after == pytest.approx(carried)
    assert carried > 3000


def test_true_receipts_are_the_sum_of_true_changes(quiet: Played, rush: Played) -> None:
    for run in (quiet, rush):
        sums: dict[str, Counter[str]] = {visit.visit: Counter() for visit in run.truth.visits}
        for change in run.truth.changes:
            sums[change.visit][change.sku] += change.quantity if change.kind == "take" else -change.quantity
        assert {visit: dict(+lines) for visit, lines in sums.items()} == run.truth.receipts
        assert all(visit.entered_ns < visit.left_ns for visit in run.truth.visits)
    assert len(quiet.truth.visits) == 3
    assert len(rush.truth.visits) == 8


def test_a_script_is_played_as_written(corner: Building, scenario: Make) -> None:
    water, crisps = corner.facings["g4-1-a"].sku, corner.facings["g2-3-a"].sku
    actions = [{"take": "g4-1-a", "count": 2, "double_grab": True}, {"pause_s": 2}, {"take": crisps},
               {"touch": "k1-2-a"}, {"put_back": water, "to": "g2-2-c"}]  # fmt: skip
    place = world(corner, scenario({"script": [{"arrive_s": 0.5, "name": "anna", "actions": actions}]}))
    records = live(place)
    told = [(r.kind, r.sku, r.facing, r.home) for r in records[:-1]]
    assert told == [
        ("take", water, "g4-1-a", "g4-1-a"),
        ("take", water, "g4-1-a", "g4-1-a"),
        ("take", crisps, "g2-3-a", "g2-3-a"),
        ("put_back", water, "g2-2-c", "g4-1-a"),
    ]
    assert records[-1].lines == {water: 1, crisps: 1}
    assert place.stock.view["g2-2-c"][0][-1] == water or any(water in column for column in place.stock.view["g2-2-c"])


def turned(building: Building) -> Building:
    """The same store turned by a quarter."""
    fixtures = {
        f.id: replace(f, origin_m=(-f.origin_m[1], f.origin_m[0]), facing_deg=f.facing_deg + 90)
        for f in building.fixtures.values()
    }
    gates = tuple(replace(g, line_m=tuple((-y, x) for x, y in g.line_m)) for g in building.gates)
    walls = tuple((-y, x) for x, y in building.walls_m)
    station = building.palm_station_m or (0.0, 0.0)
    return replace(building, fixtures=fixtures, gates=gates, walls_m=walls, palm_station_m=(-station[1], station[0]))


def test_a_store_that_is_turned_sells_the_same(corner: Building) -> None:
    quiet = load_scenario(SCENARIOS / "corner-quiet.yaml")
    sold = [
        [(r.person, r.lines) for r in live(world(store, quiet, 7)) if isinstance(r, TrueVisit)]
        for store in (corner, turned(corner))
    ]
    assert sold[0] == sold[1]
    assert len(sold[0]) == 3


def test_an_unknown_palm_stays_outside(corner: Building, scenario: Make) -> None:
    story = scenario({"script": [{"arrive_s": 0.5, "actions": [{"take": "g1-1-a"}]}]})
    scans: list[int] = []
    place = World(corner, story, 1, StickFigures(), lambda palm, party, now: scans.append(now), lambda palm: None)
    records = live(place)
    assert records == []
    assert len(scans) == 3
    assert scans[0] == story.start_ns // 1_000_000_000 + 1


def walk_for_a_minute(ways: Walkways) -> None:
    for _ in range(60 * 60):
        ways.step()


def test_a_walled_in_goal_is_an_error_and_not_a_hang(corner: Building) -> None:
    walls = [Fixture(f"w{i}", "table", origin, 0.0, 0.3, 3.0, 1.0, None, ()) for i, origin in enumerate([(3.0, 5.9)])]
    ways = Walkways(replace(corner, fixtures={f.id: f for f in walls}), 1 / 60)
    ways.appear("anna", (1.0, 1.0), 1.0)
    ways.appear("block", (1.6, 1.0), 1.0)
    ways.go("anna", (5.0, 7.0))
    agent = ways._crowd.agent(ways._walkers["anna"].agent)
    ways._set_pace = lambda walker, speed_m_s, radius_m: None  # type: ignore[method-assign]  feet of lead
    agent.model.desired_speed = 0.0
    with pytest.raises(WalkingError, match=r"anna is stuck at \(1\.00, 1\.00\) m on the way to \(5\.00, 7\.00\)"):
        walk_for_a_minute(ways)
