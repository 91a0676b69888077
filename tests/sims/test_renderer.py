"""Pictures of the building: things appear where the lens puts them, hide each other, and bear true labels."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sims.bodies.library import BodyLibrary
from sims.building import Building, BuildingError, load_building
from sims.devices.camera import FrameCamera
from sims.devices.goods import shelf_corners_m
from sims.devices.lens import undistort
from sims.devices.look import Look
from sims.devices.mesh import block, merged
from sims.devices.prints import paint_item
from sims.devices.renderer import Renderer, RendererError
from sims.scene import BodyState, Scene

ROOT = Path(__file__).parents[2]
STORE = ROOT / "configs/stores/corner.yaml"
PERIOD_NS = 50_000_000


def shopper(person: str = "anna", x_m: float = 1.6, y_m: float = 2.0, **changes: object) -> BodyState:
    """Somebody who stands in aisle A and looks at the left wall."""
    rest = BodyState(person, 0, 3, x_m, y_m, heading_rad=np.pi, speed_m_s=0.0, gait_phase=0.0)
    return replace(rest, **changes)  # type: ignore[arg-type]


def scene(building: Building, *people: BodyState, t_ns: int = 0) -> Scene:
    return Scene(t_ns, people, building.full_stock())


def changed(before: NDArray[np.uint8], after: NDArray[np.uint8], by: int = 12) -> NDArray[np.bool_]:
    """Pixels (h, w) in which two pictures differ by more than ``by`` grey levels."""
    return np.abs(before.astype(int) - after).max(axis=2) > by


def test_every_camera_sees_a_store_and_not_a_blank_wall(renderer: Renderer, corner: Building) -> None:
    for name, camera in corner.cameras.items():
        picture = renderer.render(scene(corner), name)
        assert picture.shape == (camera.height_px, camera.width_px, 3) and picture.dtype == np.uint8
        assert picture.std() > 20, name
        assert len(np.unique(picture.astype(np.uint32) @ [65536, 256, 1])) > 2000, name


@pytest.mark.parametrize("camera", ["c1", "c2", "c3", "c4", "s1", "s2", "s3"])
def test_small_lamps_show_where_the_lens_formula_puts_them(renderer: Renderer, corner: Building, camera: str) -> None:
    spec = corner.cameras[camera]
    dark = renderer.render(scene(corner), camera)
    shares = np.array([(u, v) for u in (0.15, 0.5, 0.85) for v in (0.15, 0.5, 0.85)])
    rays = undistort(spec, (shares - 0.5) * [spec.width_px, spec.height_px] / spec.focal_px)
    distance_m = 0.2
    places = np.asarray(spec.position_m) + distance_m * np.column_stack([rays, np.ones(9)]) @ spec.rotation
    lamps = [renderer._add(merged(block(place - 0.002, place + 0.002, (1.0, 0.0, 1.0)))) for place in places]
    renderer._stills.clear()
    lit = changed(dark, renderer.render(scene(corner), camera), by=3)
    for lamp in lamps:
        lamp.remove()
    renderer._stills.clear()
    for x, y in spec.project(places):
        left, top = int(x) - 20, max(0, int(y) - 20)
        rows, columns = np.nonzero(lit[top : top + 40, left : left + 40])
        assert len(rows), f"nothing at {x}, {y}"
        assert np.hypot(columns.mean() + left + 0.5 - x, rows.mean() + top + 0.5 - y) < 1.0


def test_the_sampling_map_is_the_inverse_of_the_lens(corner: Building) -> None:
    for spec in corner.cameras.values():
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [0.3, 0.8]], float)
        bent = corners * [spec.width_px, spec.height_px] / 2 / spec.focal_px
        straight = np.column_stack([undistort(spec, bent), np.ones(5)])
        pixels = spec.project(np.asarray(spec.position_m) + straight @ spec.rotation)
        wanted = bent * spec.focal_px + [spec.width_px / 2, spec.height_px / 2]
        assert pixels == pytest.approx(wanted, abs=0.05)


@pytest.mark.parametrize(("camera", "facing_id"), [("s1", "g1-2-b"), ("s2", "g4-3-c"), ("s3", "k1-1-b")])
def test_taking_the_front_item_changes_its_facing_and_nothing_else(
    renderer: Renderer, corner: Building, camera: str, facing_id: str
) -> None:
    spec, facing = corner.cameras[camera], corner.facings[facing_id]
    full = scene(corner)
    columns = list(full.stock[facing_id])
    columns[1] = columns[1][:-1]
    taken = replace(full, stock={**full.stock, facing_id: tuple(columns)})
    different = changed(renderer.render(full, camera), renderer.render(taken, camera))
    corners = shelf_corners_m(corner, replace(corner.shelves[facing.shelf], clear_m=0.3))
    fixture = corner.fixtures[facing.fixture]
    u = [fixture.to_local(corner)[0] for corner in corners]
    left, right = facing.offset_m - 0.02, facing.offset_m + facing.width_m + 0.02
    around = [
        fixture.point(left if place < fixture.width_m / 2 else right, *fixture.to_local(corner)[1:])
        for place, corner in zip(u, corners, strict=True)
    ]
    hull = cv2.convexHull(spec.project(around).astype(np.float32)).astype(np.int32)
    allowed = cv2.fillConvexPoly(np.zeros(different.shape, np.uint8), hull, 1)
    assert different.sum() > 100
    assert not different[allowed == 0].any()


def test_the_item_behind_the_one_taken_looks_the_same_but_stands_deeper(renderer: Renderer, corner: Building) -> None:
    ids = [f.id for f in corner.facings.values() if f.fixture == "g1"]
    full = scene(corner)
    empty = replace(full, stock={**full.stock, **{i: ((),) * corner.facings[i].columns for i in ids}})
    only_last = replace(full, stock={**full.stock, **{i: tuple(c[:1] for c in full.stock[i]) for i in ids}})
    pictures = [renderer.render(s, "s1") for s in (full, only_last, empty)]
    shown = [changed(picture, pictures[2]).sum() for picture in pictures]
    assert shown[0] > 2 * shown[1] > 0


def test_people_hide_behind_fixtures_and_each_other(renderer: Renderer, corner: Building) -> None:
    near, far = shopper("near", 4.3, 1.0), shopper("far", 4.3, 6.6, body=1)
    behind_island = shopper("behind", 2.45, 2.8, body=1)
    _, labels = renderer.render_labelled(scene(corner, near, far), "c2")
    assert {label.person for label in labels} == {"near", "far"}
    open_view = renderer.render_labelled(scene(corner, behind_island), "c4")[1][0]
    covered = renderer.render_labelled(scene(corner, behind_island), "c2")[1][0]
    ankles = [15, 16]
    assert open_view.visible > 0.95 > covered.visible
    assert (covered.visibility[ankles] == 1).all()
    assert (open_view.visibility[ankles] == 2).any()


def test_labels_agree_with_the_picture_and_with_themselves(renderer: Renderer, corner: Building) -> None:
    rng = np.random.default_rng(11)
    people = [
        shopper(
            f"p{i}",
            float(rng.uniform(0.8, 2.4)),
            float(rng.uniform(1, 7)),
            body=i,
            heading_rad=float(rng.uniform(-3, 3)),
        )
        for i in range(5)
    ]
    crowded = scene(corner, *people)
    for name, camera in corner.cameras.items():
        picture, labels = renderer.render_labelled(crowded, name)
        empty = renderer.render(scene(corner), name)
        again = renderer.render(crowded, name)
        assert np.array_equal(picture, again), (name, np.argwhere(picture != again))
        differing = changed(empty, picture, by=25)
        inside = np.zeros_like(differing)
        for label in labels:
            x0, y0, x1, y1 = label.box_px
            assert 0 <= x0 < x1 <= camera.width_px and 0 <= y0 < y1 <= camera.height_px
            inside[max(0, int(y0) - 2) : int(y1) + 2, max(0, int(x0) - 2) : int(x1) + 2] = True
            assert 0 < label.visible <= 1
            full = label.full_box_px
            assert full[0] - 2 <= x0 and full[1] - 2 <= y0 and x1 <= full[2] + 2 and y1 <= full[3] + 2
            seen = label.joints_px[label.visibility == 2]
            assert (seen >= [x0 - 3, y0 - 3]).all() and (seen <= [x1 + 3, y1 + 3]).all()
            outside = label.joints_px[label.visibility == 0]
            within = (outside >= 0).all(axis=1) & (outside < [camera.width_px, camera.height_px]).all(axis=1)
            assert not within.any()
        assert differing[~inside].sum() < 0.2 * max(differing.sum(), 1)  # what remains is their shadows


def test_the_far_eye_and_the_hand_behind_the_back_are_covered(renderer: Renderer, corner: Building) -> None:
    from_behind = shopper(x_m=2.6, y_m=5.6, heading_rad=float(np.arctan2(-5.6, -2.6)) + np.pi)
    label = renderer.render_labelled(scene(corner, from_behind), "c1")[1][0]
    assert (label.visibility[:3] == 1).all(), "a face that looks away is not seen"
    towards = replace(from_behind, heading_rad=from_behind.heading_rad - np.pi)
    label = renderer.render_labelled(scene(corner, towards), "c1")[1][0]
    assert (label.visibility[:3] == 2).all()


def test_what_is_held_shows_in_the_hand(renderer: Renderer, corner: Building, library: BodyLibrary) -> None:
    sku = next(iter(corner.items))
    idle = shopper(x_m=1.6, y_m=4.4, heading_rad=-np.pi / 2, right_hand_m=(1.4, 4.0, 1.2))
    holding = replace(idle, held=(sku,))
    spec = corner.cameras["c1"]
    rows, columns = np.nonzero(
        changed(renderer.render(scene(corner, idle), "c1"), renderer.render(scene(corner, holding), "c1"))
    )
    palm = spec.project(library.hands(holding)[1])[0]
    assert len(rows) > 20
    assert np.hypot(columns.mean() - palm[0], rows.mean() - palm[1]) < 15


def test_the_same_seed_sends_the_same_bytes_and_another_does_not(renderer: Renderer, corner: Building) -> None:
    def film(seed: int) -> list[bytes]:
        camera = FrameCamera(corner.cameras["c1"], renderer, np.random.default_rng(seed))
        scenes = [scene(corner, shopper(gait_phase=i / 10), t_ns=i * 200_000_000) for i in range(3)]
        return [frame.jpeg for one in scenes for frame in camera.observe(one)]

    assert film(1) == film(1)
    assert film(1) != film(2)


def test_a_camera_keeps_its_own_rate(renderer: Renderer, corner: Building) -> None:
    camera = FrameCamera(corner.cameras["c1"], renderer, np.random.default_rng(0), fps=5)
    ticks = [scene(corner, t_ns=i * PERIOD_NS) for i in range(20)]
    frames = [frame for tick in ticks for frame in camera.observe(tick)]
    assert [frame.t_ns // 1_000_000 for frame in frames] == [0, 200, 400, 600, 800]
    late = camera.observe(scene(corner, t_ns=3_050_000_000)) + camera.observe(scene(corner, t_ns=3_100_000_000))
    assert [frame.t_ns // 1_000_000 for frame in late] == [3050], "a pause is not made up for by a burst"
    decoded = cv2.imdecode(np.frombuffer(late[0].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == (late[0].height_px, late[0].width_px, 3)


def test_sensor_noise_has_no_bias_and_grows_with_light(renderer: Renderer, corner: Building) -> None:
    camera = FrameCamera(corner.cameras["c1"], renderer, np.random.default_rng(0))
    spread = []
    for level in (20, 200):
        flat = np.full((360, 640, 3), level, np.uint8)
        noisy = camera.expose(flat).astype(float)
        assert noisy.mean() == pytest.approx(level, abs=0.3)
        spread.append(noisy.std())
    assert 1.0 < spread[0] < spread[1] < 6.0


def test_a_look_is_its_seed(corner: Building) -> None:
    assert Look.random(4) == Look.random(4)
    assert Look.random(4) != Look.random(5)
    item = next(iter(corner.items.values()))
    assert not np.array_equal(paint_item(item, Look.random(4)), paint_item(item, Look.shipped()))


def test_no_two_products_look_alike(corner: Building) -> None:
    cells = {sku: paint_item(item, Look.shipped()).astype(int) for sku, item in corner.items.items()}
    for (one, a), (other, b) in combinations(cells.items(), 2):
        assert np.abs(a - b).mean() > 12, f"{one} and {other} can hardly be told apart"


def test_without_gl_the_software_renderer_draws_the_same_store_and_says_so(
    renderer: Renderer, corner: Building, tmp_path: Path
) -> None:
    script = """
import sys
import numpy as np
from sims.building import load_building
from sims.devices.look import Look
from sims.devices.renderer import Renderer
from sims.scene import BodyState, Scene
corner = load_building(sys.argv[1])
renderer = Renderer(corner, Look.shipped())
anna = BodyState("anna", 0, 3, 1.6, 2.0, np.pi, 0.0, 0.0)
picture, labels = renderer.render_labelled(Scene(0, (anna,), corner.full_stock()), "c1")
np.save(sys.argv[2], picture)
print(renderer.kind, len(labels))
"""
    out = tmp_path / "picture.npy"
    surroundings = {**os.environ, "SMARTSTORE_RENDERER": "software", "DISPLAY": "", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script, str(STORE), str(out)]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["software", "1"]
    difference = np.abs(np.load(out).astype(int) - renderer.render(scene(corner, shopper()), "c1"))
    assert difference.mean() < 10


def test_a_renderer_that_does_not_exist_is_named_in_one_line() -> None:
    script = """
from sims.devices.panda import RendererError, open_door
try:
    open_door()
except RendererError as error:
    print(error)
"""
    surroundings = {**os.environ, "SMARTSTORE_RENDERER": "crayons", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.count("\n") == 1 and "crayons" in done.stdout and "software" in done.stdout


def test_an_unknown_camera_is_named_with_those_there_are(renderer: Renderer, corner: Building) -> None:
    with pytest.raises(RendererError, match=r"c9: not in this store, which has c1, c2"):
        renderer.render(scene(corner), "c9")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1, 2]", "not a document with keys"),
        ("schema: 1", "'catalogue' is missing"),
        ("a: {", "not YAML"),
    ],
)
def test_a_document_without_a_building_is_refused_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "store.yaml"
    path.write_text(text)
    with pytest.raises(BuildingError) as caught:
        load_building(path)
    assert told in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)
