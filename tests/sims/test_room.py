"""The room: windows follow the light, prints keep clear of gates, glass tints and hides nothing, tags name goods."""

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sims.bodies.library import BodyLibrary
from sims.bodies.skeleton import REGION
from sims.building import Building, Fixture, load_building
from sims.devices.fittings import Fittings
from sims.devices.furniture import END_M, furniture_meshes, glass_meshes, is_free
from sims.devices.goods import fixture_axes
from sims.devices.look import Look
from sims.devices.renderer import Renderer
from sims.devices.signs import SHEET_PX, Signs
from sims.devices.walls import Pane, panes, wall_meshes
from sims.optics import CameraSpec
from sims.scene import BodyState, Scene

ROOT = Path(__file__).parents[2]
STORES = ("corner", "kiosk", "forecourt", "market", "stand")
LOOKS = (Look.shipped(), Look.random(401))
Array = NDArray[np.float64]


@lru_cache
def store(name: str) -> Building:
    return load_building(ROOT / f"configs/stores/{name}.yaml")


@lru_cache
def signs(name: str, look: int) -> Signs:
    return Signs.of(store(name), LOOKS[look])


def through_gates(building: Building, points_m: Array) -> NDArray[np.bool_]:
    """Which points (n, 3) are in the opening of a gate."""
    inside = np.zeros(len(points_m), bool)
    for gate in building.gates:
        a, b = (np.array(end) for end in gate.line_m)
        along = (b - a) / np.linalg.norm(b - a)
        offsets = points_m[:, :2] - a
        at, away = offsets @ along, np.abs(offsets @ [-along[1], along[0]])
        inside |= (at > 0.0) & (at < np.linalg.norm(b - a)) & (away < 0.5) & (points_m[:, 2] < 2.2)
    return inside


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("look", range(len(LOOKS)))
def test_no_print_and_no_window_hangs_in_a_gate_or_behind_a_rack(name: str, look: int) -> None:
    building = store(name)
    glass = panes(building, LOOKS[look])
    posters = [m for m in wall_meshes(building, LOOKS[look], signs(name, look), glass) if m.texture == "posters"]
    for poster in posters:
        assert not through_gates(building, poster.points).any()
        low, middle = float(poster.points[:, 2].min()), poster.points[:, :2].mean(axis=0)
        for fixture in building.fixtures.values():
            u, v, _ = fixture.to_local((*middle, 0.0))
            before = 0 < u < fixture.width_m and abs(v - fixture.depth_m) < 0.3
            assert not before or low > fixture.height_m, f"{fixture.id} hides a poster"
    for pane in glass:
        foot = pane.wall.start + np.linspace(pane.left, pane.right, 9)[:, None] * pane.wall.along
        assert not through_gates(building, np.column_stack([foot, np.full(9, pane.bottom)])).any()
        for fixture in building.fixtures.values():
            u, v, _ = local(fixture, np.column_stack([foot + 0.3 * pane.wall.inward, np.zeros(9)])).T
            before = (u > 0) & (u < fixture.width_m) & (v > 0) & (v < fixture.depth_m)
            assert not before.any() or pane.bottom > fixture.height_m, f"{fixture.id} hides a window"


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("look", range(len(LOOKS)))
def test_nothing_of_a_fixture_stands_in_the_way(name: str, look: int) -> None:
    """Everything, panels and glass included, is within 4 cm of the footprint that shoppers and trackers go by."""
    building = store(name)
    meshes = furniture_meshes(building, LOOKS[look], signs(name, look)) + glass_meshes(building, LOOKS[look])
    points = np.unique(np.concatenate([mesh.points for mesh in meshes]).astype(float), axis=0)
    stands_over = np.full(len(points), np.inf)
    for fixture in building.fixtures.values():
        u, v = local(fixture, points)[:, :2].T
        outside = np.maximum.reduce([-u, u - fixture.width_m, -v, v - fixture.depth_m])
        stands_over = np.minimum(stands_over, outside)
    assert stands_over.max() < 0.0401


def local(fixture: Fixture, points_m: Array) -> Array:
    """Points (n, 3) in a fixture's frame."""
    return (points_m - fixture.point(0, 0, 0)) @ fixture_axes(fixture).astype(float)


@pytest.mark.parametrize("name", STORES)
def test_each_facing_has_one_tag_and_it_is_that_of_its_product(name: str) -> None:
    building, printed = store(name), signs(name, 0)
    tags = [mesh for mesh in furniture_meshes(building, LOOKS[0], printed) if mesh.texture == "tags"]
    assert len(tags) == len(building.facings)
    centres = np.array([tag.points.mean(axis=0) for tag in tags])
    for facing in building.facings.values():
        fixture, shelf = building.fixtures[facing.fixture], building.shelves[facing.shelf]
        wanted = fixture.point(facing.offset_m + facing.width_m / 2, -0.013, shelf.height_m - 0.024)
        nearest = int(np.argmin(np.linalg.norm(centres - wanted, axis=1)))
        assert np.linalg.norm(centres[nearest] - wanted) < 0.005
        left, top, right, bottom = printed.tags.places[facing.sku]
        u, v = tags[nearest].uv.mean(axis=0) * SHEET_PX
        assert left < u < right and top < SHEET_PX - v < bottom, facing.id


@pytest.mark.parametrize("name", STORES)
def test_a_lip_never_hangs_before_where_hands_reach_into_the_top_shelf(name: str) -> None:
    building, long = store(name), replace(LOOKS[0], fittings=replace(Fittings(), lip_m=1.0))
    glass = np.concatenate([np.empty((0, 3)), *(mesh.points for mesh in glass_meshes(building, long))])
    for cooler in (fixture for fixture in building.fixtures.values() if fixture.kind == "cooler"):
        u, v, z = local(cooler, glass).T
        lip = (u > -0.001) & (u < cooler.width_m + 0.001) & (np.abs(v - 0.015) < 0.001)
        assert z[lip].min(initial=np.inf) > max(shelf.height_m for shelf in cooler.shelves) + 0.299


def test_tags_posters_and_boards_are_told_apart() -> None:
    """No two prints of a sheet are the same, and none is blank."""
    printed = signs("market", 0)
    for sheet in (printed.tags, printed.posters, printed.headers):
        cells = []
        for left, top, right, bottom in sheet.places.values():
            cell = sheet.picture[int(top) : int(bottom), int(left) : int(right)]
            assert cell.std() > 5
            cells.append(cell.tobytes())
        assert len(set(cells)) > 0.8 * len(cells), "fixtures with the same goods may have the same board"


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("look", range(len(LOOKS)))
def test_end_panels_leave_the_front_row_to_the_camera_that_watches_it(name: str, look: int) -> None:
    building, cut_share = store(name), LOOKS[look].fittings.taper
    for camera in building.cameras.values():
        for watched in (building.fixtures[fixture] for fixture in camera.watches):
            for shelf in watched.shelves:
                for facing in shelf.facings:
                    for column in (0, facing.columns - 1):
                        u, v, z = building.slot(facing.id, column, facing.rows - 1)
                        goal = watched.point(u, v, z + building.items[facing.sku].size_m[2] / 2)
                        assert not hidden(building, cut_share, np.array(camera.position_m), np.array(goal)), facing.id


def test_end_panels_do_hide_goods_from_who_stands_beside_them() -> None:
    corner = store("corner")
    goods = np.array(corner.fixtures["g1"].point(0.1, 0.3, 0.45))
    assert hidden(corner, 0.5, np.array([1.0, 0.8, 1.6]), goods)
    assert not hidden(corner, 0.5, np.array([2.5, 2.6, 1.6]), goods)


def hidden(building: Building, cut_share: float, eye_m: Array, goal_m: Array) -> bool:
    """Whether an end panel that may be there lies between a camera and something on a shelf."""
    for fixture in building.fixtures.values():
        if fixture.kind != "gondola":
            continue
        a, b = np.array(fixture.to_local(eye_m)), np.array(fixture.to_local(goal_m))
        for u, outwards in ((-END_M, -0.12), (fixture.width_m + END_M, fixture.width_m + 0.12)):
            if (a[0] - u) * (b[0] - u) >= 0 or not is_free(building, fixture, outwards):
                continue
            _, v, z = a + (u - a[0]) / (b[0] - a[0]) * (b - a)
            if panel_from(fixture, cut_share, z) < v < fixture.depth_m and 0 < z < fixture.height_m:
                return True
    return False


def panel_from(fixture: Fixture, cut_share: float, z_m: NDArray[np.floating]) -> Array:
    """How far back the front edge of an end panel is at heights."""
    return np.asarray(cut_share * fixture.depth_m * np.clip(z_m / fixture.height_m, 0, 1) ** 2)


@pytest.mark.parametrize("name", STORES)
def test_end_panels_end_where_the_tests_above_take_them_to_end(name: str) -> None:
    building = store(name)
    points = np.concatenate([mesh.points for mesh in furniture_meshes(building, LOOKS[0], signs(name, 0))])
    for fixture in building.fixtures.values():
        if fixture.kind != "gondola" or not is_free(building, fixture, -0.12):
            continue
        u, v, z = local(fixture, points).T
        panel = (np.abs(u + END_M) < 5e-4) & (v > -0.01) & (v < fixture.depth_m + 0.01) & (z <= fixture.height_m)
        edge = v[panel] - panel_from(fixture, LOOKS[0].fittings.taper, z[panel])
        assert np.abs(edge.min()) < 1e-3, fixture.id


def test_looks_for_training_have_anything_from_no_window_to_a_glass_front() -> None:
    corner = store("corner")
    drawn = [Look.random(seed) for seed in range(400, 440)]
    counts = [len(panes(corner, look)) for look in drawn]
    assert min(counts) == 0 and max(counts) >= 5
    assert len({look.fittings for look in drawn}) == len(drawn)
    assert any(look.fittings.ends == 0 for look in drawn) and any(look.fittings.ends == 1 for look in drawn)
    assert Fittings() == Look.preset("evening").fittings, "the shipped store is one store in every light"


def test_windows_are_as_bright_as_the_light_outside(library: BodyLibrary) -> None:
    corner, seen = store("corner"), []
    for light in ("day", "shipped", "dim", "evening"):
        renderer = Renderer(corner, Look.preset(light), library)
        picture = renderer.render(Scene(0, (), corner.full_stock()), "c4")
        renderer.close()
        shop_windows = [pane for pane in panes(corner, Look.preset(light)) if pane.wall.gaps]
        assert len(shop_windows) == 2, "between the gates of the corner store"
        seen.append(np.mean([picture[pixel(corner.cameras["c4"], pane)] for pane in shop_windows]))
    assert all(brighter > darker + 10 for brighter, darker in pairwise(seen)), seen


def pixel(camera: CameraSpec, pane: Pane) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Rows and columns where a camera sees points well inside a pane."""
    shares = np.array([(s, t) for s in (0.2, 0.4, 0.6, 0.8) for t in (0.2, 0.4, 0.6, 0.8)])
    at = pane.left + shares[:, 0] * (pane.right - pane.left)
    foot = pane.wall.start + at[:, None] * pane.wall.along
    places = np.column_stack([foot, pane.bottom + shares[:, 1] * (pane.top - pane.bottom)])
    columns, rows = np.rint(camera.project(places)).astype(int).T
    return rows, columns


def test_glass_tints_what_is_behind_it_and_hides_nothing(library: BodyLibrary) -> None:
    """From the camera behind the cooler's side a reaching hand shows through the glass, duller and not lost."""
    corner, cooler = store("corner"), store("corner").fixtures["k1"]
    hand = cooler.point(0.35, 0.18, 1.32)
    reaching = BodyState("anna", 0, 3, 5.0, 4.05, heading_rad=0.0, speed_m_s=0.0, gait_phase=0.0, right_hand_m=hand)
    shots = {}
    for name, opacity, shine in (("glass", 0.15, 0.3), ("air", 0.0, 0.0)):
        look = replace(Look.shipped(), fittings=replace(Fittings(), glass=opacity, shine=shine))
        renderer = Renderer(corner, look, library)
        for who in ((), (reaching,)):
            shots[name, len(who)] = renderer.render(Scene(0, who, corner.full_stock()), "c3").astype(int)
        renderer.close()
    glazed = np.abs(shots["glass", 0] - shots["air", 0]).max(axis=2) > 3
    assert 500 < glazed.sum() < 0.2 * glazed.size
    body = np.abs(shots["air", 1] - shots["air", 0]).max(axis=2) > 25
    behind = body & glazed
    assert behind.sum() > 20, "some of the arm is seen through the side"
    change = np.abs(shots["glass", 1] - shots["air", 1]).max(axis=2)
    assert (change[behind] > 1).mean() > 0.9, "it is tinted too"
    assert np.median(change[behind]) < 45
    still_there = np.abs(shots["glass", 1] - shots["glass", 0]).max(axis=2) > 15
    assert still_there[behind].mean() > 0.9


def test_goods_of_a_cooler_read_through_its_lip_as_through_air(library: BodyLibrary) -> None:
    """What the shelf camera sees of the goods differs by a few grey levels at most where the lip hangs before them."""
    corner = store("corner")
    shots = []
    for fittings in (Fittings(), replace(Fittings(), glass=0.0, shine=0.0)):
        renderer = Renderer(corner, replace(Look.shipped(), fittings=fittings), library)
        shots.append(renderer.render(Scene(0, (), corner.full_stock()), "s3").astype(float))
        renderer.close()
    camera, cooler, shelf = corner.cameras["s3"], corner.fixtures["k1"], corner.shelves["k1-3"]
    corners = [
        cooler.point(u, v, z) for u in (0.1, 1.7) for v in (0.0, 0.4) for z in (shelf.height_m, shelf.height_m + 0.25)
    ]
    at = camera.project(np.array(corners))
    (left, top), (right, bottom) = np.floor(at.min(axis=0)).astype(int), np.ceil(at.max(axis=0)).astype(int)
    glass, air = (shot[top:bottom, left:right] for shot in shots)
    assert np.abs(glass - air).mean() < 6
    assert np.corrcoef(glass.ravel(), air.ravel())[0, 1] > 0.995


@pytest.mark.parametrize("hand_m", [None, (0.45, -0.25, 1.5), (0.4, -0.2, 0.4)])
def test_straps_lie_on_the_shoulders_of_those_with_a_backpack(
    library: BodyLibrary, hand_m: tuple[float, float, float] | None
) -> None:
    """In every pose a strap is within a few centimetres of the body, goes over both shoulders and down the chest."""
    wearers = 0
    for body in range(library.count):
        regions = library.regions(body)
        strap = np.flatnonzero(regions == REGION["strap"])
        assert (len(strap) > 0) == bool((regions == REGION["bag"]).any())
        if not len(strap):
            continue
        wearers += 1
        state = BodyState("anna", body, 5, 0.0, 0.0, 0.0, 0.0, 0.0, right_hand_m=hand_m)
        points = library.vertices(state).astype(float)
        skin = points[~np.isin(regions, [REGION["strap"], REGION["bag"]])]
        gap = np.array([np.linalg.norm(skin - point, axis=1).min() for point in points[strap]])
        assert gap.max() < 0.09 and np.median(gap) < 0.045, body
        shoulders = library.joints(state)[[5, 6]]
        for band, shoulder in zip(np.split(strap, 2), shoulders, strict=True):
            top = points[band][np.argmax(points[band][:, 2])]
            assert np.linalg.norm(top - shoulder) < 0.22, "over its own shoulder"
            assert np.ptp(points[band][:, 2]) > 0.12, "down the chest"
    assert wearers >= 5
