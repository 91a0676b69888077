"""Weights change where the planogram has nothing: something was put or taken beside the facings."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from smartstore.domain.items import WeightStep
from smartstore.formats.nanostore import open_nanostore, store_files
from smartstore.fusion.attribution import Known
from smartstore.fusion.changes import of_step
from smartstore.pipeline import PipelineOptions, attributor
from smartstore.site import Site, load_site
from tests.nanostore import small_nanostore


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Gondola 1, shelf 2: facings on plates 1 and 3, plate 2 is bare; gondola 2 is bare altogether."""
    for name, text in store_files(open_nanostore(small_nanostore(tmp_path / "data")).store):
        (tmp_path / name).write_text(text)
    return load_site(tmp_path / "store.yaml")


def step(shelf: str, plates: Mapping[str, float]) -> WeightStep:
    fixture = f"gondola-{shelf[1]}"
    return WeightStep(fixture, shelf, 10**9, 2 * 10**9, sum(plates.values()), 2.0, tuple(plates.items()))


def test_a_bare_plate_may_belong_to_the_facings_beside_it(site: Site) -> None:
    assert of_step(step("g1-s2", {"g1-s2-p2": -120.0}), site).facings == ("g1-s2-f1", "g1-s2-f3")
    assert of_step(step("g1-s2", {"g1-s2-p2": -60.0, "g1-s2-p3": -60.0}), site).facings == ("g1-s2-f3",)


def test_a_step_on_a_bare_plate_is_decided_and_one_on_a_bare_shelf_is_counted(site: Site) -> None:
    stage = attributor(site, PipelineOptions())
    stage.observe(step("g1-s2", {"g1-s2-p2": -137.7}))
    stage.observe(step("g2-s1", {"g2-s1-p1": -300.0}))
    stage.decide(20 * 10**9, Known({}, {}, ["anna"]), final=True)
    assert stage.undecided_since() is None
    assert stage.ignored["step_on_bare_shelf"] == 1
