"""The planner's eye: each fault that is planted in a good store is found at its place, and goes when it is mended."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import pytest
import yaml

from smartstore.cli import run
from smartstore.site import load_site
from smartstore.site.edit import edited
from smartstore.site.lint import Finding, lint

ROOT = Path(__file__).parents[2]
STORES = ROOT / "configs/stores"
NO_SHELF_CAMERAS = ["remove s1", "remove s2", "remove s3"]
"""They would have to be turned to what is moved."""
Change = Callable[[Any], None]


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., Path]:
    """The corner store with something done to it."""

    def make(operations: Sequence[str] = (), change: Change = lambda _: None) -> Path:
        document = edited(yaml.safe_load((STORES / "corner.yaml").read_text()), list(operations))
        change(document)
        document["catalogue"] = str(ROOT / "data/catalogues/corner.yaml")
        path = tmp_path / "store.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    return make


def found(path: Path, rule: str) -> list[Finding]:
    return [finding for finding in lint(load_site(path)) if finding.rule == rule]


@pytest.mark.parametrize("name", ["corner", "kiosk"])
def test_shipped_stores_have_no_errors(name: str) -> None:
    assert [str(finding) for finding in lint(load_site(STORES / f"{name}.yaml")) if finding.level == "error"] == []


def test_the_corner_store_has_only_neighbours_of_equal_weight(store: Callable[..., Path]) -> None:
    assert {finding.rule for finding in lint(load_site(store()))} == {"equal-weights"}


def test_an_aisle_that_is_too_narrow(store: Callable[..., Path]) -> None:
    findings = found(store([*NO_SHELF_CAMERAS, "move g3 -1.6 0", "move g4 -1.6 0"]), "narrow-aisle")
    assert {finding.where for finding in findings} <= {"g1 and g3", "g1 and g4", "g2 and g4", "g2 and g3"}
    assert findings[0].what.startswith("the aisle is 0.75 m wide")
    assert findings[0].at_m[0] == pytest.approx(0.825, abs=0.05)
    assert found(store([*NO_SHELF_CAMERAS, "move g3 -1.4 0", "move g4 -1.4 0"]), "narrow-aisle") == []  # 0.95 m


def test_an_aisle_that_leads_nowhere(store: Callable[..., Path]) -> None:
    closed = (
        "add fixture {id: t9, kind: table, origin_m: [1.55, 5.1], facing_deg: 90, width_m: 1.55, depth_m: 0.3, "
        "height_m: 1}"
    )
    aisle = [*NO_SHELF_CAMERAS, "move g3 -1.3 0", "move g4 -1.3 0"]
    findings = found(store([*aisle, closed]), "dead-end")
    assert len(findings) == 1
    assert {"g1", "g4"} <= set(findings[0].where.split(" and "))
    assert found(store(aisle), "dead-end") == []


def test_what_nobody_gets_to(store: Callable[..., Path]) -> None:
    def raise_and_fill(document: Any) -> None:
        g1, g2 = document["fixtures"][:2]
        g1["height_m"], g1["shelves"][2]["height_m"] = 2.2, 1.75
        g2["shelves"][0]["height_m"] = 0.02
        k1 = next(fixture for fixture in document["fixtures"] if fixture["id"] == "k1")
        k1["origin_m"], k1["depth_m"] = [5.2, 4.4], 0.8
        k1["shelves"][0]["facings"][0]["rows"] = 9

    high = found(store(NO_SHELF_CAMERAS, raise_and_fill), "out-of-reach")
    findings = {finding.where: finding.what for finding in high}
    assert {"g1-3-a", "g2-1-d", "k1-1-a"} <= set(findings)
    assert {name[:4] for name in findings} <= {"g1-3", "g2-1", "k1-1"}
    assert "above 1.8 m" in findings["g1-3-a"] and "below 0.15 m" in findings["g2-1-d"]
    assert "the last row stands" in findings["k1-1-a"]


def test_neighbours_of_equal_weight_until_one_of_them_moves(store: Callable[..., Path]) -> None:
    assert "g1-1-a and g1-1-b" in {finding.where for finding in found(store(), "equal-weights")}
    swapped = {finding.where for finding in found(store(["swap g1-1-b g1-1-d"]), "equal-weights")}
    assert not any(where.startswith("g1-1") for where in swapped)
    assert not any(
        where.startswith("g1") for where in {f.where for f in found(store(["remove scale g1"]), "equal-weights")}
    )


def test_the_swap_that_is_advised_helps(store: Callable[..., Path]) -> None:
    before = found(store(), "equal-weights")
    advised = [finding.remedy.split('"')[1] for finding in before if finding.remedy.startswith("site edit")]
    assert len(advised) > len(before) / 2
    for swap in advised[:3]:
        assert len(found(store([swap]), "equal-weights")) < len(before)


def test_faces_that_no_camera_sees_or_only_one(store: Callable[..., Path]) -> None:
    alone = store([f"remove {camera}" for camera in ("c1", "c2", "c3", "c4", "s1")] + ["remove scale g1"])
    assert {(f.level, f.where) for f in found(alone, "unseen-face")} == {("error", "g1"), ("warning", "g2")}
    assert {"g3", "g4", "k1"} <= {finding.where for finding in found(alone, "one-camera")}


def test_nobody_is_told_of_biometrics(store: Callable[..., Path]) -> None:
    def hang(place: list[float]) -> Change:
        return lambda document: document.update(signs=[{"id": "sign", "kind": "biometrics", "position_m": place}])

    assert [f.where for f in found(store(change=lambda document: document.pop("signs")), "no-sign")] == ["entry"]
    assert found(store(change=hang([1.1, 0.5])), "no-sign")  # inside is too late
    assert found(store(change=hang([5.5, -0.2])), "no-sign")  # at the exit nobody reads it
    assert not found(store(change=hang([1.9, -0.3])), "no-sign")


def test_an_exit_that_tracks_do_not_cover(store: Callable[..., Path]) -> None:
    assert [f.level for f in found(store(["remove c1", "remove c3", "remove c4"]), "uncovered-exit")] == ["error"]
    blind = store(["remove c1", "remove c2", "remove c3", "remove c4"])
    assert [(f.level, f.where) for f in found(blind, "uncovered-exit")] == [("error", "exit")]
    assert found(store(["remove c2"]), "uncovered-exit") == []


def test_exit_codes_and_json(store: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["site", "lint", str(store())]) == 0
    capsys.readouterr()
    assert run(["site", "lint", "--json", str(store(change=lambda document: document.pop("signs")))]) == 1
    findings = json.loads(capsys.readouterr().out)
    assert findings[0]["rule"] == "no-sign" and all(f["where"] and f["what"] and f["remedy"] for f in findings)
    assert run(["site", "lint", str(store(change=lambda document: document.pop("gates")))]) == 2


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_plan_names_everything_on_it(tmp_path: Path, ending: str) -> None:
    plan = tmp_path / f"plan.{ending}"
    assert run(["site", "draw", str(STORES / "corner.yaml"), "--out", str(plan)]) == 0
    if ending == "png":
        picture = cv2.imread(str(plan))
        assert picture is not None and picture.shape[0] > 800 and picture.std() > 20
        return
    words = " ".join("".join(node.itertext()) for node in ElementTree.parse(plan).iter() if node.tag.endswith("text"))
    for name in ("g1", "g4", "k1", "t1", "c1 2.8 m", "s3", "entry", "exit", "6.00 m", "8.00 m", "1 m", "biometrics"):
        assert name in words, name


def test_the_plan_of_a_store_with_dollars_in_its_name(store: Callable[..., Path], tmp_path: Path) -> None:
    file = store(change=lambda document: document.update(name="$\\frac$"))
    assert run(["site", "draw", str(file), "--out", str(tmp_path / "plan.svg")]) == 0
    assert "$\\frac$" in (tmp_path / "plan.svg").read_text()


def test_a_plan_in_no_known_form_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["site", "draw", str(STORES / "corner.yaml"), "--out", str(tmp_path / "plan.doc")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
