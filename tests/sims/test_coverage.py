"""Coverage: "seen" is what a rendered picture shows, people hide what bodies hide, and pixels per metre are pixels."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sims.building import load_building
from sims.devices.look import Look
from sims.devices.renderer import Renderer, RendererError
from sims.lab.coverage import BODY_WIDTH_M, CROWN_M, OWN_M, CoverageError, FreeSight, at_least, coverage
from sims.optics import CameraSpec
from sims.scene import Scene
from smartstore.domain.geometry import camera_model
from smartstore.site import Site, SurveyedCamera, load_site
from smartstore.site.floor import edge_distances
from smartstore.site.sight import CLASSES_PX_M, Solids, density_class, face_density, seen
from smartstore.site.targets import FacePoints, face_points, floor_points

STORES = Path(__file__).parents[2] / "configs/stores"
sites = cache(load_site)
Points = NDArray[np.float64]
SCALE = 0.5
"""Of the cameras' own resolution, for depths."""


def site_of(name: str) -> Site:
    return sites(STORES / f"{name}.yaml")


@pytest.mark.parametrize(("store", "seed"), [("corner", 460), ("kiosk", 461)])
def test_seen_is_what_a_depth_render_says(store: str, seed: int) -> None:
    site, building, rng = site_of(store), load_building(STORES / f"{store}.yaml"), np.random.default_rng(seed)
    floor, faces, solids = floor_points(site, 0.05), face_points(site, 0.05), Solids(site)
    floor = floor[edge_distances(floor, site.walls_m).min(axis=1) > 0.1]  # frames of doors stand out from the walls
    stands, fronts = rng.integers(len(floor), size=100), rng.integers(len(faces.points_m), size=100)
    bodies = np.column_stack([floor[stands], rng.uniform(0.05, 1.9, 100)])
    cameras = rng.integers(len(site.cameras), size=200)
    try:
        renderer = Renderer(building, Look.shipped(), scale=SCALE)
    except RendererError as error:
        pytest.skip(f"NO RENDERER ON THIS MACHINE, COVERAGE IS NOT COMPARED WITH PICTURES: {error}")
    agree, shown = 0, 0
    for index, (name, camera) in enumerate(site.cameras.items()):
        people, shelves = bodies[cameras[:100] == index], fronts[cameras[100:] == index]
        mine = np.concatenate([people, faces.points_m[shelves]])
        before = np.array([True] * len(people) + [facing_side(site, faces, point, camera) for point in shelves], bool)
        said = seen([camera.model], solids, mine)[0] & before
        picture = renderer.depth(Scene(0, (), building.full_stock()), name)
        drawn = in_depth(building.cameras[name], picture, mine) & before
        agree, shown = agree + int(np.sum(said == drawn)), shown + int(drawn.sum())
    renderer.close()
    assert 60 <= shown <= 180
    assert agree / 200 >= 0.99


def in_depth(spec: CameraSpec, depth_m: NDArray[np.float32], points: Points) -> NDArray[np.bool_]:
    """Which points (n, 3) are in the picture and not behind what it shows."""
    pixels = np.floor(np.nan_to_num(spec.project(points) * SCALE, nan=-1.0)).astype(int)
    inside = np.asarray(((pixels >= 0) & (pixels < depth_m.shape[::-1])).all(axis=1), bool)
    at = np.where(inside[:, None], pixels, 0)
    return np.asarray(inside & (spec.to_camera(points)[:, 2] < depth_m[at[:, 1], at[:, 0]] + 0.03))


def facing_side(site: Site, faces: FacePoints, point: int, camera: SurveyedCamera) -> bool:
    """Whether a camera hangs in front of the face that a point lies on: from behind there is no face to see."""
    fixture = site.fixtures[site.facings[faces.facings[faces.owners[point]]].fixture]
    x, y, z = (float(c) for c in camera.model.position_m)
    return fixture.to_local((x, y, z))[1] < 0


def test_a_gondola_between_camera_and_floor_hides_it() -> None:
    site = site_of("corner")
    behind, beside = (2.9, 2.8, 0.3), (2.9, 5.6, 0.6)  # to the left of the island, seen from the right front corner
    assert seen([site.cameras["c2"].model], Solids(site), [behind, beside]).tolist() == [[False, True]]
    low = replace(site.fixtures["g3"], height_m=0.4, shelves=())
    lower = replace(site, fixtures={**site.fixtures, "g3": low})
    assert seen([lower.cameras["c2"].model], Solids(lower), [behind]).all()


def test_a_wall_between_two_rooms_hides_one_from_the_other() -> None:
    site = site_of("market")
    c13 = replace(site.cameras["c13"].model, position_m=np.array([12.0, 2.0, 3.0]))
    assert not seen([c13], Solids(site), [(10.5, 2.0, 1.2)]).any()
    assert Solids(site).hide([(12.0, 2.0, 3.0)], [(10.5, 2.0, 1.2), (12.5, 4.7, 1.2)]).tolist() == [[True, False]]


def test_lines_of_sight_are_free_as_often_as_in_a_drawn_crowd() -> None:
    site = replace(site_of("corner"), fixtures={})
    eyes, points = np.array([(0.3, 0.3, 2.8)]), np.array([(4.5, 6.0, 1.0), (2.0, 1.0, 1.4), (5.5, 1.0, 0.3)])
    density, rng = 0.25, np.random.default_rng(470)
    free = np.zeros((400, 3), bool)
    for trial in range(400):
        people = rng.uniform((-3, -3), (9, 11), (rng.poisson(density * 12 * 14), 2))
        for number, point in enumerate(points):
            ray = point - eyes[0]
            length = float(np.linalg.norm(ray[:2]))
            ahead = (people - eyes[0, :2]) @ ray[:2] / length
            aside = np.abs((people - eyes[0, :2]) @ np.array([-ray[1], ray[0]]) / length)
            height = eyes[0, 2] + ahead / length * ray[2]
            between = (ahead > 0) & (ahead < length - OWN_M) & (aside < BODY_WIDTH_M / 2)
            free[trial, number] = not (between & (height < CROWN_M)).any()
    assert FreeSight(site, density).chance(eyes, points)[0] == pytest.approx(free.mean(axis=0), abs=0.07)


def test_chances_of_several_cameras() -> None:
    chances = np.array([[1.0, 0.5, 0.0], [1.0, 0.5, 1.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.0]])
    assert np.allclose(at_least(chances).T, np.array([[1, 1, 0], [7 / 8, 1 / 2, 1 / 8], [1, 0, 0]]))


def test_more_people_hide_more_and_one_camera_less_sees_less() -> None:
    site = site_of("corner")
    empty, full = coverage(site), coverage(site, 0.4)
    fewer = coverage(replace(site, cameras={n: c for n, c in site.cameras.items() if n not in {"c1", "s1"}}))
    for part in ("floor", "shelf"):
        assert all(a >= b for a, b in zip(getattr(empty, part), getattr(full, part), strict=True))
        assert all(a >= b for a, b in zip(getattr(empty, part), getattr(fewer, part), strict=True))
        assert getattr(empty, part)[1] > getattr(full, part)[1]
        assert getattr(empty, part)[2] > getattr(fewer, part)[2]


def test_a_facing_that_no_camera_sees_is_blind_and_named() -> None:
    site = site_of("corner")
    alone = replace(site, cameras={"s3": site.cameras["s3"]})
    found = coverage(alone)
    assert set(found.blind_facings) == {f.id for f in site.facings.values() if f.fixture != "k1"}
    assert found.blind_floor[0].area_m2 > 20
    assert sum(spot.area_m2 for spot in found.blind_floor) + found.floor[0] * len(found.floor_m) * 0.04 == (
        pytest.approx(len(found.floor_m) * 0.04)
    )


def test_pixels_per_metre_shrink_with_distance_and_slant() -> None:
    site = site_of("corner")
    camera, fixture, faces = site.cameras["s1"], site.fixtures["g1"], face_points(site)
    point = faces.by_facing["g1-2-b"][0]
    u, z = faces.places_m[point]
    for slant_deg in (0.0, 40.0, 60.0):
        away = (-2.0 * np.cos(np.radians(slant_deg)), 2.0 * np.sin(np.radians(slant_deg)))
        eye = fixture.point(u + away[1], -0.02 + away[0], z)
        model = camera_model("x", 960, 540, 900, (0, 0, 0, 0, 0), eye, faces.points_m[point])
        density = face_density([replace(camera, model=model)], site, Solids(site), faces)[0]
        assert density[point] == pytest.approx(900 / 2.0 * np.cos(np.radians(slant_deg)), rel=0.01)
        assert not density[faces.by_facing["k1-1-a"]].any()  # on the other side


def test_classes_of_the_standard() -> None:
    assert [density_class(px) for px in (19.9, 20, 79, 125, 499, 500, 2000)] == [
        None, "overview", "outline", "perceive", "characterise", "validate", "scrutinise",
    ]  # fmt: skip
    assert list(CLASSES_PX_M.values()) == [20, 40, 80, 125, 250, 500, 1500]


@pytest.mark.parametrize(
    ("cameras", "density", "said"), [({}, 0.0, "no cameras"), (None, -1.0, "cannot be"), (None, 9.0, "cannot be")]
)
def test_what_cannot_be_computed_is_one_line(
    cameras: dict[str, SurveyedCamera] | None, density: float, said: str
) -> None:
    site = site_of("kiosk") if cameras is None else replace(site_of("kiosk"), cameras=cameras)
    with pytest.raises(CoverageError, match=said):
        coverage(site, density)
