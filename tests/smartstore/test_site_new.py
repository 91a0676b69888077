"""New stores: whatever size is asked for, the result is sound, no planner objects to it, and it says what was asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from smartstore.cli import run
from smartstore.site import check_document, load_site
from smartstore.site.lint import lint
from smartstore.site.writing import EditError, write_whole

ROOT = Path(__file__).parents[2]
CATALOGUES = ROOT / "data/catalogues"


def ask(out: Path, **answers: object) -> int:
    """The exit code of ``site new`` with these answers, and the usual ones to all other questions."""
    usual = {"name": "Shop", "width": 6, "depth": 8, "ceiling": 3, "coolers": 1, "currency": "EUR"}
    given = {**usual, "catalogue": CATALOGUES / "corner.yaml", **answers}
    return run(["site", "new", str(out), *(word for key, value in given.items() for word in (f"--{key}", str(value)))])


@pytest.mark.parametrize(("width", "depth", "coolers", "catalogue"), [(4, 4.5, 0, "kiosk"), (7.3, 6.1, 3, "forecourt")])
def test_a_new_store_is_sound_and_nobody_objects(
    tmp_path: Path, width: float, depth: float, coolers: int, catalogue: str
) -> None:
    out = tmp_path / "new.yaml"
    answers = {"width": width, "depth": depth, "coolers": coolers, "catalogue": CATALOGUES / f"{catalogue}.yaml"}
    assert ask(out, name="Café am Eck", **answers) == 0
    assert check_document(out) == []
    site = load_site(out)
    assert [str(finding) for finding in lint(site) if finding.level == "error"] == []
    assert (site.name, site.store) == ("Café am Eck", "caf--am-eck")
    assert site.walls_m[2] == (width, depth)
    assert sum(fixture.kind == "cooler" for fixture in site.fixtures.values()) == min(coolers, int((depth - 2.3) / 1.8))
    assert all(facing.plates for facing in site.facings.values())


def test_questions_that_no_option_answers_are_asked(tmp_path: Path) -> None:
    out = tmp_path / "new.yaml"
    answers = "Kiosk 7\n5\n6\n2.8\n0\nCHF\n\n"  # the last one: the usual catalogue
    program = [sys.executable, "-m", "smartstore", "site", "new", str(out)]
    asked = subprocess.run(
        program, input=answers, text=True, capture_output=True, check=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert all(question in asked.stdout for question in ("Name of the store", "Width", "Depth", "Coolers", "Catalogue"))
    site = load_site(out)
    assert (site.name, site.currency, site.ceiling_m, site.walls_m[2]) == ("Kiosk 7", "CHF", 2.8, (5.0, 6.0))


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"width": 3}, "cannot be laid out"),
        ({"depth": 100}, "cannot be laid out"),
        ({"catalogue": "none.yaml"}, "the catalogue cannot be used"),
        ({"currency": "Euro"}, "ISO 4217"),
        ({"ceiling": "high"}, "valid number"),
    ],
)
def test_wishes_that_cannot_be_fulfilled_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answers: dict[str, object], said: str
) -> None:
    assert ask(tmp_path / "new.yaml", **answers) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_nothing_can_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for out, said in ((tmp_path / "none/new.yaml", f"there is no folder {tmp_path / 'none'}"), (Path(), "is there")):
        assert ask(out) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    with pytest.raises(EditError, match="cannot be written"):
        write_whole(Path(), b"x")


def test_a_store_that_is_there_stays_unless_told_otherwise(tmp_path: Path) -> None:
    out = tmp_path / "new.yaml"
    out.write_text("mine")
    assert ask(out) == 2
    assert out.read_text() == "mine"
    assert run(["site", "new", str(out), "--force", "--name", "x", "--width", "5", "--depth", "6", "--ceiling", "3",
                "--coolers", "0", "--currency", "EUR", "--catalogue", str(CATALOGUES / "kiosk.yaml")]) == 0  # fmt: skip
    assert check_document(out) == []
