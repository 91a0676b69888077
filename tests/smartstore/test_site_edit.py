"""Changes to store documents: each operation does what it says, comments stay, and nothing wrong is ever written."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from smartstore.cli import run
from smartstore.site import check_document, load_site
from smartstore.site.edit import edited
from smartstore.site.writing import EditError, read_document, written

ROOT = Path(__file__).parents[2]
CORNER = ROOT / "configs/stores/corner.yaml"


@pytest.fixture
def corner() -> Any:
    return yaml.safe_load(CORNER.read_text())


def named(document: Any, name: str) -> Any:
    return next(thing for thing in [*document["fixtures"], *document["cameras"]] if thing["id"] == name)


@pytest.mark.parametrize("store", ["corner.yaml", "kiosk.yaml"])
def test_a_document_that_nothing_is_done_to_is_written_as_it_was(store: str) -> None:
    path = CORNER.with_name(store)
    assert written(edited(read_document(path), [])) == path.read_text()


def test_fixtures_and_cameras_move_and_the_given_document_stays(corner: Any) -> None:
    result = edited(corner, ["move k1 -0.1 0.25", "move c1 0.1 0 -0.2", "move g1-1-p4 -0.05"])
    assert named(result, "k1")["origin_m"] == [5.35, 4.65]
    assert named(result, "c1")["position_m"] == [0.35, 0.25, 2.6]
    assert named(result, "c1")["look_at_m"] == [2.4, 3.7, 0.8]
    assert named(result, "g1")["shelves"][0]["plates"][3]["offset_m"] == 0.85
    assert corner == yaml.safe_load(CORNER.read_text())


def test_a_fixture_turns_about_its_middle_and_a_camera_about_itself(corner: Any) -> None:
    result = edited(corner, ["rotate k1 90", "rotate c1 90"])
    k1, c1 = named(result, "k1"), named(result, "c1")
    assert k1["facing_deg"] == -90.0
    assert k1["origin_m"] == pytest.approx([5.725 - 0.9, 3.5 - 0.275])  # middle at (5.725, 3.5)
    assert c1["position_m"] == [0.25, 0.25, 2.8]
    assert c1["look_at_m"] == pytest.approx([0.25 - 3.45, 0.25 + 2.05, 1.0])
    back = edited(result, ["rotate k1 -90", "rotate c1 -90"])
    assert named(back, "k1")["origin_m"] == pytest.approx([5.45, 4.4])
    assert abs(named(back, "k1")["facing_deg"]) == 180.0


def test_things_come_and_go(corner: Any) -> None:
    table = (
        "add fixture {id: t9, kind: table, origin_m: [2, 1], facing_deg: 90, width_m: 1, depth_m: 0.5, height_m: 0.8}"
    )
    result = edited(corner, [table, "remove g3", "remove g4", "remove c2"])
    assert named(result, "t9")["origin_m"] == [2, 1]
    assert [camera["id"] for camera in result["cameras"]] == ["c1", "c3", "c4", "s1", "s3"]  # s2 watched g3 and g4
    assert "g3" not in [fixture["id"] for fixture in result["fixtures"]]
    assert [c["watches"] for c in edited(corner, ["remove g1"])["cameras"] if c["id"] == "s1"] == [["g2"]]


def test_scales_come_and_go(corner: Any) -> None:
    bare = edited(corner, ["remove scale g1"])
    assert "scale" not in named(bare, "g1")
    assert not any("plates" in shelf for shelf in named(bare, "g1")["shelves"])
    again = named(edited(bare, ["add scale g1"]), "g1")
    before = named(corner, "g1")
    assert again["scale"] == {"rate_hz": 60, "batch": 12}
    for shelf, old in zip(again["shelves"], before["shelves"], strict=True):
        assert [(p["offset_m"], p["width_m"]) for p in shelf["plates"]] == [
            (p["offset_m"], p["width_m"]) for p in old["plates"]
        ]


def test_facings_change_places_with_the_comments_that_name_them(tmp_path: Path) -> None:
    out = tmp_path / "corner.yaml"
    assert run(["site", "edit", str(CORNER), "swap g1-1-a g1-1-b", "--out", str(out)]) == 0
    lines = [line.strip() for line in out.read_text().splitlines() if "id: g1-1-a," in line or "id: g1-1-b," in line]
    assert 'sku: "2000114102704"' in lines[0] and lines[0].endswith("# Cane sugar 1 kg")
    assert 'sku: "2000110401009"' in lines[1] and lines[1].endswith("# Wheat flour 1 kg")
    changed = set(out.read_text().splitlines()) - set(CORNER.read_text().splitlines())
    assert len(changed) == 3  # these two, and the way to the catalogue
    assert load_site(out).facings["g1-1-b"].sku == "2000110401009"


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ("fly k1 1 2", "there is no operation 'fly'"),
        ("move", "say by how many metres"),
        ("rotate", "say by how many degrees"),
        ("move k9 1 2", "there is no 'k9'"),
        ("move k1 1", "two numbers of metres"),
        ("move k1 one two", "'one two' are no metres"),
        ("move entry 1 2", "'entry' is nothing that can be moved"),
        ("move sign-palm 1 2", "'sign-palm' is nothing that can be moved"),
        ("rotate g1-1-a 5", "'g1-1-a' is nothing that can be rotated"),
        ("remove scale t1", "fixture t1 has no scale"),
        ("remove", "name one fixture"),
        ("swap g1 g2", "only facings"),
        ("swap g1-1-a", "the two facings"),
        ("add fixture {id: [", "not YAML"),
        ("add camera c9", "as a mapping"),
        ("add cloud {id: x}", "add a fixture, a camera or a scale"),
        ("add scale c1", "is no fixture"),
    ],
)
def test_what_cannot_be_done_is_one_line_that_names_the_operation(corner: Any, operation: str, said: str) -> None:
    with pytest.raises(EditError, match=said) as error:
        edited(corner, [operation])
    assert str(error.value).startswith(f"'{operation}'") and "\n" not in str(error.value)


def test_a_result_that_would_not_do_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "store.yaml"
    assert run(["site", "edit", str(CORNER), "move c1 0.1 0", "--out", str(store)]) == 0
    assert check_document(store) == []
    before = store.read_text()
    capsys.readouterr()
    assert run(["site", "edit", str(store), "move c1 0.1 0", "move g4 0 -0.2"]) == 2
    said = capsys.readouterr().err
    assert "overlaps" in said and "nothing was written" in said and "Traceback" not in said
    assert store.read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["store.yaml"]


def test_a_file_that_is_no_document_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = tmp_path / "odd.yaml"
    for text in ("- 1\n", "a: [\n", "fixtures: 7\n", "name: 2026-13-01\n", "[" * 9999):
        odd.write_text(text)
        assert run(["site", "edit", str(odd), "move k1 1 1"]) == 2
        assert "Traceback" not in (said := capsys.readouterr().err) and said.count("\n") == 1
    assert run(["site", "edit", str(tmp_path / "none.yaml"), "move k1 1 1"]) == 2
