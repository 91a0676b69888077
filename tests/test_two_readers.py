"""Product and building read the same store document with their own code, and come to the same store."""

from pathlib import Path

import numpy as np
import pytest

from sims.building import Building, load_building
from smartstore.site import Site, load_site

STORE = Path(__file__).parents[1] / "configs/stores/corner.yaml"


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(STORE)


@pytest.fixture(scope="module")
def building() -> Building:
    return load_building(STORE)


def test_the_same_things_stand_in_the_same_places(site: Site, building: Building) -> None:
    assert list(site.fixtures) == list(building.fixtures)
    for name, fixture in site.fixtures.items():
        other = building.fixtures[name]
        assert np.asarray(fixture.footprint_m()) == pytest.approx(np.asarray(other.footprint_m()))
        assert fixture.point(0.4, 0.1, 1.2) == pytest.approx(other.point(0.4, 0.1, 1.2))
        assert fixture.to_local((1.0, 2.0, 3.0)) == pytest.approx(other.to_local((1.0, 2.0, 3.0)))


def test_the_same_planogram_and_plates(site: Site, building: Building) -> None:
    product = {(f.id, f.shelf, f.sku, f.offset_m, f.width_m, f.columns, f.rows) for f in site.facings.values()}
    devices = {(f.id, f.shelf, f.sku, f.offset_m, f.width_m, f.columns, f.rows) for f in building.facings.values()}
    assert product == devices
    assert [(p.id, p.offset_m, p.width_m) for p in site.plates.values()] == [
        (p.id, p.offset_m, p.width_m) for p in building.plates.values()
    ]
    assert {i.sku: (i.grams, i.size_m) for i in site.items.values()} == {
        i.sku: (i.grams, i.size_m) for i in building.items.values()
    }


def test_the_same_cameras_see_the_same_pixels(site: Site, building: Building) -> None:
    rng = np.random.default_rng(5)
    points = rng.uniform((0, 0, 0), (6, 8, 2), size=(200, 3))
    assert list(site.cameras) == list(building.cameras)
    for name, camera in site.cameras.items():
        mine, theirs = camera.model.project(points), building.cameras[name].project(points)
        assert np.allclose(mine, theirs, atol=1e-6, equal_nan=True)
        assert np.isfinite(mine).all(axis=1).sum() > 50
