"""Proposed cameras see at least what the hand-placed ones see; new layouts can be shopped in."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from sims.building import load_building
from sims.lab.coverage import coverage
from sims.lab.place import PlacementError, place
from sims.scenario import Scenario
from smartstore.cli import run
from smartstore.site import load_site
from tests.sims.playing import ROOT, play

STORES = ROOT / "configs/stores"
sites = cache(load_site)


def test_as_many_cameras_see_at_least_as_much_twice() -> None:
    site = sites(STORES / "kiosk.yaml")
    own = [camera.id for camera in site.cameras.values() if camera.kind == "ceiling"]
    found = place(site, len(own))
    assert [camera.id for camera in found.cameras] == own
    assert found.after.floor[1] >= found.before.floor[1]
    assert found.after.shelf[1] >= found.before.shelf[1]
    assert found.after.shelf[2] > found.before.shelf[2]


def test_as_few_cameras_as_see_what_is_wanted() -> None:
    site = sites(STORES / "kiosk.yaml")
    found = place(site, wanted=0.9)
    assert min(found.after.floor[1], found.after.shelf[1]) >= 0.9
    fewer = place(site, len(found.cameras) - 1)
    assert min(fewer.after.floor[1], fewer.after.shelf[1]) < 0.9


def test_the_proposal_is_written_as_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "placed.yaml"
    assert run(["sim", "place-cameras", str(STORES / "kiosk.yaml"), "--count", "3", "--out", str(out)]) == 0
    assert "3 ceiling cameras" in capsys.readouterr().out
    before, after = sites(STORES / "kiosk.yaml"), load_site(out)
    assert [camera.kind for camera in after.cameras.values()].count("ceiling") == 3
    for name, camera in before.cameras.items():
        if camera.kind == "shelf":
            assert (after.cameras[name].model.position_m == camera.model.position_m).all()
    assert "# open chiller along the back wall" in out.read_text()  # comments stay
    assert coverage(after).shelf[1] >= 0.99


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "either --count or --coverage"),
        (["--count", "3", "--coverage", "0.9"], "either --count or --coverage"),
        (["--count", "0"], "--count"),
        (["--coverage", "2"], "--coverage"),
    ],
)
def test_wishes_that_cannot_be_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    out = tmp_path / "placed.yaml"
    assert run(["sim", "place-cameras", str(STORES / "kiosk.yaml"), *options, "--out", str(out)]) == 2
    assert said in (error := capsys.readouterr().err) and error.count("\n") == 1
    assert not out.exists()


def test_a_store_without_ceiling_cameras_has_no_lens_to_place() -> None:
    site = sites(STORES / "kiosk.yaml")
    bare = replace(site, cameras={n: c for n, c in site.cameras.items() if c.kind == "shelf"})
    with pytest.raises(PlacementError, match="no ceiling camera"):
        place(bare, 4)


def test_a_store_without_cameras_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = tmp_path / "bare.yaml"
    removed = [f"remove {name}" for name in sites(STORES / "kiosk.yaml").cameras]
    assert run(["site", "edit", str(STORES / "kiosk.yaml"), *removed, "--out", str(bare)]) == 0
    for command in (
        ["coverage", str(bare)],
        ["place-cameras", str(bare), "--count", "2", "--out", str(tmp_path / "x")],
    ):
        capsys.readouterr()
        assert run(["sim", *command]) == 2
        assert "camera" in (error := capsys.readouterr().err) and error.count("\n") == 1


def test_pictures_and_figures_of_a_coverage(tmp_path: Path) -> None:
    assert run(["sim", "coverage", str(STORES / "kiosk.yaml"), "--density", "0.3", "--out", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["coverage.json", "faces.png", "plan.png"]
    assert all(path.stat().st_size > 2000 for path in tmp_path.iterdir())


def test_results_that_cannot_be_written_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken, kiosk = tmp_path / "taken", str(STORES / "kiosk.yaml")
    taken.write_text("mine")
    for command in (
        ["sim", "coverage", kiosk, "--out", str(taken)],
        ["site", "draw", kiosk, "--out", str(tmp_path / "none/plan.svg")],
    ):
        assert run(command) == 2
        assert "cannot be" in (error := capsys.readouterr().err) and error.count("\n") == 1
    assert taken.read_text() == "mine" and [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_somebody_shops_in_a_new_store(tmp_path: Path, scenario: Callable[..., Scenario]) -> None:
    out = tmp_path / "new.yaml"
    answers = ["--name", "New", "--width", "5", "--depth", "6", "--ceiling", "3", "--coolers", "1", "--currency", "EUR"]
    assert run(["site", "new", str(out), *answers, "--catalogue", str(ROOT / "data/catalogues/corner.yaml")]) == 0
    keys = {"start": "2026-01-05T09:00:00Z", "seed": 470, "shoppers": {"count": 1, "arrivals": {"first_s": 1}}}
    played = play(load_building(out), scenario(keys), tmp_path)
    assert len(played.truth.visits) == 1
    assert played.truth.changes and played.of("scale")
