"""Bodies that lean towards goods: how far, what it says, and that it tells who it was, not whether it was anybody."""

from pathlib import Path

import pytest

from smartstore.domain.people import FloorState, FloorTrack
from smartstore.fusion.changes import Change, of_step
from smartstore.fusion.evidence import EvidenceOptions, lean_log
from smartstore.fusion.lean import LeanOptions, leans_m
from smartstore.fusion.nearby import Nearby
from smartstore.fusion.reach import ReachMemory
from smartstore.scales.steps import WeightStep
from smartstore.site import Site, load_site
from tests.builders import at, before, plate

STORE = Path(__file__).parents[2] / "configs/stores/corner.yaml"
OUT = (1.0, 0.0)
STEP = at(10.0), at(10.3)
MOMENTS = [7.8 + 0.2 * i for i in range(25)]


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(STORE)


def somebody(number: int, x_m: float, lean_m: float, y_m: float = 0.0, until_s: float = 99.0) -> list[FloorTrack]:
    """Stands before a shelf that looks along x, and is so much nearer to it while goods move."""
    return [
        FloorTrack(number, at(t_s), x_m - (lean_m if 9.6 < t_s < 10.8 else 0.0), y_m, 0.0, 0.0, 0.1, ())
        for t_s in MOMENTS
        if t_s < until_s
    ]


def test_leaning_is_measured_against_before_and_after() -> None:
    assert leans_m(somebody(1, 0.8, 0.15), OUT, *STEP, LeanOptions()) == pytest.approx([0.15, 0.15])
    assert leans_m(somebody(1, 0.8, 0.15, until_s=10.5), OUT, *STEP, LeanOptions()) == pytest.approx([0.15])
    assert leans_m(somebody(1, 0.8, 0.15, until_s=9.0), OUT, *STEP, LeanOptions()) == []


def test_who_comes_and_stays_leans_on_one_side_only() -> None:
    came = [FloorTrack(1, at(t_s), 1.4 if t_s < 9.5 else 0.8, 0.0, 0.0, 0.0, 0.1, ()) for t_s in MOMENTS]
    assert leans_m(came, OUT, *STEP, LeanOptions()) == pytest.approx([0.6, 0.0])


@pytest.mark.parametrize(("height_m", "tells"), [(0.5, True), (0.9, True), (1.5, False)])
def test_low_goods_are_leaned_for_and_high_ones_are_not(height_m: float, tells: bool) -> None:
    options = EvidenceOptions()
    upright, leaning = (lean_log(lean_m, height_m, options) for lean_m in (0.0, 0.12))
    assert (leaning > upright + 1.0) is tells
    assert min(upright, leaning) > -2.0, "nobody is ruled out by how they stand"


def change(site: Site, facing: str) -> Change:
    place = plate(site, facing)
    step = WeightStep(site.facings[facing].fixture, site.facings[facing].shelf, *STEP, -450.0, 1.0, ((place, -450.0),))
    return of_step(step, site)


def surest(site: Site, *leans: float) -> dict[str, float]:
    """How surely each of as many people, as near to a facing as the others, reached there."""
    memory, (x, y) = ReachMemory(site, EvidenceOptions()), before(site, "g1-2-b")
    people = [somebody(n, x, lean_m, y) for n, lean_m in enumerate(leans, 1)]
    for tracks in zip(*people, strict=True):
        memory.observe(FloorState(tracks[0].t_ns, tracks))
    names = ["anna", "ben"][: len(leans)]
    reach = Nearby(memory).reacher(change(site, "g1-2-b"), dict(enumerate(names, 1)), names, ())
    return {name: reach(name, site.facings["g1-2-b"]) for name in names}


def test_of_two_as_near_it_was_who_leaned(site: Site) -> None:
    assert site.fixtures["g1"].normal == pytest.approx(OUT)
    found = surest(site, 0.12, 0.0)
    assert found["anna"] > found["ben"] + 2.0


def test_how_anybody_leans_says_nothing_about_whether_it_was_anybody(site: Site) -> None:
    stiff, bent = (surest(site, lean_m)["anna"] for lean_m in (0.0, 0.12))
    assert stiff == pytest.approx(bent, abs=0.2)
    assert max(surest(site, 0.12, 0.0).values()) == pytest.approx(bent, abs=0.2)
