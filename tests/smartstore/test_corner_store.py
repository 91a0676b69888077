"""The corner store: what the document says, what its parts know, and that its cameras see what they should."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml

from smartstore.domain.items import Item
from smartstore.site import Site, catalogue_schema, check_document, load_site, store_schema
from smartstore.site.checks import gtin_check_digit

ROOT = Path(__file__).parents[2]
STORE = ROOT / "configs/stores/corner.yaml"
CATALOGUE = ROOT / "data/catalogues/corner.yaml"


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(STORE)


def test_the_corner_store_is_sound_and_has_the_size_it_should(site: Site) -> None:
    assert check_document(STORE) == []
    assert (len(site.facings), len(site.items), len(site.plates), len(site.cameras)) == (60, 48, 60, 7)
    assert {facing.sku for facing in site.facings.values()} == set(site.items)
    assert all(gtin_check_digit(sku) == sku[-1] for sku in site.items)
    assert {len(sku) for sku in site.items} == {8, 12, 13}


def test_a_fixture_knows_its_own_frame(site: Site) -> None:
    left, cooler = site.fixtures["g1"], site.fixtures["k1"]
    assert left.normal == pytest.approx((1, 0))
    assert left.point(0.3, 0.1, 1.0) == pytest.approx((0.35, 2.5, 1.0)), "right is +y for who looks at the left wall"
    assert cooler.point(0.3, 0.1, 1.0) == pytest.approx((5.55, 4.1, 1.0)), "right is -y for who looks at the cooler"
    assert cooler.to_local(cooler.point(0.3, 0.1, 1.0)) == pytest.approx((0.3, 0.1, 1.0))
    assert np.asarray(left.footprint_m()) == pytest.approx(np.array([(0.45, 2.2), (0.45, 3.4), (0, 3.4), (0, 2.2)]))


def test_facings_know_their_plates_and_places(site: Site) -> None:
    facing = site.facings["k1-1-b"]
    assert facing.plates == ("k1-1-p2",)
    assert facing.centre_m == pytest.approx((5.45, 4.4 - 0.675, 0.3 + 0.235 / 2))
    assert [other.id for other in site.facings_of_plate("k1-1-p2")] == ["k1-1-b"]
    assert [other.id for other in site.facings_of_shelf("k1-1")] == ["k1-1-a", "k1-1-b", "k1-1-c", "k1-1-d"]
    assert site.watchers_of("g4") == ("s2",)


def test_catalogue_entries_arrive_whole(site: Site) -> None:
    assert site.items["2000110401009"] == Item(
        "2000110401009", "Wheat flour 1 kg", 99, "reduced", 1012, 4, (0.095, 0.07, 0.17)
    )


def test_equal_weights_are_there_to_be_told_apart(site: Site) -> None:
    items = sorted(site.items.values(), key=lambda item: item.grams)
    pairs = [(a.sku, b.sku) for a in items for b in items if a.sku < b.sku and abs(a.grams - b.grams) <= 5]
    shelves = {sku: {f.shelf for f in site.facings.values() if f.sku == sku} for sku in site.items}
    same = [pair for pair in pairs if shelves[pair[0]] & shelves[pair[1]]]
    assert len(pairs) >= 5
    assert 0 < len(same) < len(pairs)


def test_two_ceiling_cameras_see_everybody(site: Site) -> None:
    """Heads and shoulders in the aisles, at the gates, and on the way between them."""
    spots = [(x, y) for x in np.arange(0.3, 5.75, 0.25) for y in np.arange(0.3, 7.55, 0.25)]
    boxes = [np.asarray(fixture.footprint_m()) for fixture in site.fixtures.values()]
    free = [s for s in spots if not any((b.min(0) < s).all() and (s < b.max(0)).all() for b in boxes)]
    for height in (1.0, 1.7):
        points = np.array([(x, y, height) for x, y in free])
        seen = np.zeros(len(points), int)
        for camera in site.cameras.values():
            if camera.kind == "ceiling":
                pixels = camera.model.project(points)
                size = [camera.model.width_px, camera.model.height_px]
                seen += np.all((pixels >= 0) & (pixels < size), axis=1)
        assert seen.min() >= 2


@pytest.mark.parametrize(
    ("document", "schema_file", "schema"),
    [(STORE, ROOT / "configs/stores/store.schema.json", store_schema),
     (CATALOGUE, ROOT / "data/catalogues/catalogue.schema.json", catalogue_schema)],
    ids=["store", "catalogue"],
)  # fmt: skip
def test_the_json_schemas_are_the_models_and_hold_for_the_documents(document, schema_file, schema) -> None:  # type: ignore[no-untyped-def]
    committed = json.loads(schema_file.read_text())
    assert committed == schema(), "run: python -m smartstore.site"
    jsonschema.Draft202012Validator.check_schema(committed)
    jsonschema.validate(yaml.safe_load(document.read_text()), committed)
    assert document.read_text().startswith(f"# yaml-language-server: $schema={schema_file.name}\n")
