"""Every store that is shipped: it is sound, both readers agree on it, and a visit runs in it from palm to receipt."""

from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, Polygon

from sims.building import Building, load_building
from sims.customs import customs_of
from sims.devices.sight import Solids
from sims.scenario import Scenario, load_scenario
from sims.walking import Walkways
from smartstore.domain.events import ItemReturned, ItemTaken, VisitLeft, VisitOpened
from smartstore.domain.geometry import CameraModel
from smartstore.pipeline import Pipeline
from smartstore.site import check_document, load_site
from smartstore.vision.ground import Ground
from tests.sims.playing import ROOT, play

STORES = sorted(path.stem for path in (ROOT / "configs/stores").glob("*.yaml"))
SCENARIOS = sorted((ROOT / "configs/scenarios").glob("*.yaml"))

sites, buildings = cache(load_site), cache(load_building)


def document(store: str) -> Path:
    return ROOT / f"configs/stores/{store}.yaml"


def test_there_are_stores_of_five_kinds() -> None:
    assert {"corner", "kiosk", "forecourt", "market", "stand"} <= set(STORES)


@pytest.mark.parametrize("store", STORES)
def test_every_store_is_sound(store: str) -> None:
    assert [str(problem) for problem in check_document(document(store))] == []


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_scenario_can_be_played_in_its_store(path: Path) -> None:
    scenario = load_scenario(path)
    scenario.check(buildings(scenario.store.resolve()))


@pytest.mark.parametrize("store", STORES)
def test_product_and_building_read_the_same_store(store: str) -> None:
    site, building = sites(document(store)), buildings(document(store))
    assert Polygon(site.walls_m).equals(Polygon(building.walls_m))
    assert {g.id: g.line_m for g in site.gates} == {g.id: g.line_m for g in building.gates}
    for name, fixture in site.fixtures.items():
        other = building.fixtures[name]
        assert np.asarray(fixture.footprint_m()) == pytest.approx(np.asarray(other.footprint_m()))
        assert fixture.to_local((1.0, 2.0, 0.5)) == pytest.approx(other.to_local((1.0, 2.0, 0.5)))
        assert (fixture.scale is None) == (other.scale is None)
    assert {(f.id, f.sku, f.offset_m, f.columns, f.rows) for f in site.facings.values()} == {
        (f.id, f.sku, f.offset_m, f.columns, f.rows) for f in building.facings.values()
    }
    assert {i.sku: (i.grams, i.size_m) for i in site.items.values()} == {
        i.sku: (i.grams, i.size_m) for i in building.items.values()
    }
    low, high = np.min(site.walls_m, axis=0), np.max(site.walls_m, axis=0)
    points = np.random.default_rng(8).uniform((*low, 0.0), (*high, 2.0), (200, 3))
    for name, camera in site.cameras.items():
        assert np.allclose(
            camera.model.project(points), building.cameras[name].project(points), atol=1e-6, equal_nan=True
        )


@pytest.mark.parametrize("store", STORES)
def test_every_plate_lies_under_a_facing_and_every_weighed_facing_on_plates(store: str) -> None:
    site = sites(document(store))
    assert all(site.facings_of_plate(plate) for plate in site.plates)
    for facing in site.facings.values():
        assert bool(facing.plates) == (site.fixtures[facing.fixture].scale is not None)


@pytest.mark.parametrize("store", STORES)
def test_most_of_the_floor_is_seen_by_two_ceiling_cameras(store: str) -> None:
    """Heads at 1.6 m, of people who stand where people walk; fixtures and inner walls in the way count."""
    building, site = buildings(document(store)), sites(document(store))
    floor = Walkways(building, 1 / 60).routes
    low, high = np.min(building.walls_m, axis=0), np.max(building.walls_m, axis=0)
    grid = np.stack(np.meshgrid(np.arange(low[0], high[0], 0.25), np.arange(low[1], high[1], 0.25)), -1).reshape(-1, 2)
    heads = [(x, y, 1.6) for x, y in grid if shapely.contains_xy(floor, x, y)]
    cameras = [camera for camera in site.cameras.values() if camera.kind == "ceiling"]
    hidden = Solids(building).hide(np.array([camera.model.position_m for camera in cameras]), np.array(heads))
    seen = sum((_in_picture(camera.model, heads) & ~hidden[i]).astype(int) for i, camera in enumerate(cameras))
    assert np.mean(np.asarray(seen) >= 1) > 0.99
    assert np.mean(np.asarray(seen) >= 2) > 0.90


def _in_picture(model: CameraModel, points: list[tuple[float, float, float]]) -> np.ndarray:
    pixels = model.project(points)
    return np.asarray(np.all((pixels > 0) & (pixels < [model.width_px, model.height_px]), axis=1))


@pytest.mark.parametrize("store", STORES)
def test_a_visit_ends_in_the_right_lines(store: str, tmp_path: Path) -> None:
    """Two takes from one fixture, one of them put back: what is left is what the visit has. Other shelves' cameras and
    scales are left out, for speed."""
    whole, site = buildings(document(store)), sites(document(store))
    fixture = next(f for f in whole.fixtures.values() if f.scale)
    kept, undone = fixture.shelves[0].facings[0], fixture.shelves[-1].facings[-1]
    cameras = {n: c for n, c in whole.cameras.items() if c.kind == "ceiling" or fixture.id in c.watches}
    fixtures = {n: f if n == fixture.id else replace(f, scale=None) for n, f in whole.fixtures.items()}
    script = [{"arrive_s": 0.5, "actions": [{"take": kept.id}, {"take": undone.id}, {"put_back": undone.sku}]}]
    scenario = Scenario.model_validate(
        {"schema": 1, "scenario": "one", "store": str(document(store)), "start": "2026-01-05T09:00:00Z",
         "script": script, "tail_s": 6}
    )  # fmt: skip
    played = play(replace(whole, cameras=cameras, fixtures=fixtures), scenario, tmp_path, 5)
    pipeline = Pipeline(site)
    events = [event for received in played.received for event in pipeline.feed(received)] + pipeline.flush()
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for event in events:
        if isinstance(event, ItemTaken | ItemReturned):
            held[event.visit][event.sku] += event.quantity if isinstance(event, ItemTaken) else -event.quantity
    assert {visit: +lines for visit, lines in held.items()} == {"v01": Counter({kept.sku: 1})}
    assert [type(event) for event in events if isinstance(event, VisitOpened | VisitLeft)] == [VisitOpened, VisitLeft]


@pytest.mark.parametrize("store", STORES)
def test_there_is_room_to_wait_in_every_store(store: str) -> None:
    building = buildings(document(store))
    walkways = Walkways(building, 1 / 60)
    entry, way_out = (next(g for g in building.gates if g.kind == kind) for kind in ("entry", "exit"))
    waiting = customs_of(building, walkways, entry, way_out, True).waiting
    assert len(waiting) >= 5
    assert all(walkways.nearest_free(place) == place for place in waiting)


def test_inner_walls_hide_what_is_behind_them() -> None:
    market = buildings(document("market"))
    room, random = Polygon(market.walls_m), np.random.default_rng(3)
    eyes = np.array([camera.position_m for camera in market.cameras.values()])
    points = random.uniform((0, 0, 0), (19, 11, 2), (300, 3))
    points = points[shapely.contains_xy(room, points[:, 0], points[:, 1])]
    hidden = Solids(replace(market, fixtures={})).hide(eyes, points)
    for eye, row in zip(eyes, hidden, strict=True):
        for point, behind in zip(points, row, strict=True):
            leaves_the_room = LineString([eye[:2], point[:2]]).difference(room).length > 1e-6
            assert bool(behind) is leaves_the_room
    assert 0.2 < hidden.mean() < 0.5


def test_the_way_out_leads_out_in_an_outline_with_corners_that_point_inwards() -> None:
    site = sites(document("market"))
    exit_gate = next(gate for gate in site.gates if gate.kind == "exit")
    yard = ((0.0, 0.0), (10.0, 0.0), (10.0, 20.0), (9.0, 20.0), (9.0, 1.0), (0.0, 1.0))
    gate = replace(exit_gate, line_m=((2.0, 1.0), (3.0, 1.0)))  # the middle of the corners lies beyond this gate
    ground = Ground.of(replace(site, walls_m=yard, gates=(gate,)))
    assert ground.beyond_exit_m(2.5, 1.4) == pytest.approx(0.4)
    assert ground.beyond_exit_m(2.5, 0.6) == pytest.approx(-0.4)


def test_people_come_in_over_the_whole_width_of_a_wide_entry() -> None:
    site = sites(document("stand"))
    entry = next(gate for gate in site.gates if gate.kind == "entry")
    wide = replace(entry, line_m=((0.0, 0.5), (0.0, 5.0)))
    ground = Ground.of(replace(site, gates=(wide,)))
    assert ground.from_entry_m(0.6, 1.0) == pytest.approx(0.6)
    assert ground.from_entry_m(0.6, 4.5) == pytest.approx(0.6)
    assert ground.from_entry_m(0.0, 0.0) == pytest.approx(1.0)


def test_an_outline_may_go_either_way_round(tmp_path: Path) -> None:
    text = document("kiosk").read_text()
    there, back = "[[0, 0], [5, 0], [5, 4], [0, 4]]", "[[0, 4], [5, 4], [5, 0], [0, 0]]"
    assert there in text
    turned = tmp_path / "turned.yaml"
    catalogue = (ROOT / "data/catalogues/kiosk.yaml").resolve()
    turned.write_text(text.replace(there, back).replace("../../data/catalogues/kiosk.yaml", str(catalogue)))
    one, other = buildings(document("kiosk")), load_building(turned)
    assert _area(one) == pytest.approx(20.0)
    assert _area(other) == pytest.approx(20.0)


def _area(building: Building) -> float:
    """Positive when the walls go round counter-clockwise."""
    corners = np.array(building.walls_m)
    x, y = corners.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
