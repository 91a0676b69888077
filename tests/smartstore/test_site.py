"""A store document is either sound or every one of its errors is named with its place."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from smartstore.site import Problem, SiteError, check_document, load_site

ROOT = Path(__file__).parents[2]
STORE = ROOT / "configs/stores/corner.yaml"
CATALOGUE = ROOT / "data/catalogues/corner.yaml"

Edits = tuple[tuple[str, str], ...]


def edited(text: str, edits: Edits) -> str:
    for old, new in edits:
        assert text.count(old) >= 1, f"{old!r} is not in the document any more"
        text = text.replace(old, new, 1)
    return text


def write_store(folder: Path, store: Edits = (), catalogue: Edits = ()) -> Path:
    """The corner store with changes, in a folder of its own."""
    text = edited(STORE.read_text(), (("../../data/catalogues/corner.yaml", "catalogue.yaml"), *store))
    (folder / "store.yaml").write_text(text)
    pictures = ("pictures: pictures/corner", f"pictures: {CATALOGUE.parent / 'pictures' / 'corner'}")
    (folder / "catalogue.yaml").write_text(edited(CATALOGUE.read_text(), (pictures, *catalogue)))
    return folder / "store.yaml"


@dataclass(frozen=True)
class Broken:
    """One error: what is edited, and what must be said. ``at`` is on the line that the problem must point to."""

    name: str
    where: str
    says: str
    at: str
    store: Edits = ()
    catalogue: Edits = field(default=())


FLOUR, SUGAR = '"2000110401009"', '"2000114102704"'
SPARE = """items:
  - {sku: "SKU", name: Spare, price_minor: 1, tax_class: reduced, grams: 9, grams_sigma: 0.1, size_m: [0.1, 0.1, 0.1],
     shape: box, colour: "#000000"}
"""
C1_PLACE = "position_m: [0.25, 0.25, 2.8]"

BROKEN = [
    Broken("unknown key", "fixtures[0].hight_m", "unknown key 'hight_m'", "hight_m",
           (("height_m: 1.5\n", "height_m: 1.5\n    hight_m: 2\n"),)),
    Broken("missing key", "fixtures[0].width_m", "'width_m' is missing", "- id: g1 #", (("    width_m: 1.2\n", ""),)),
    Broken("unknown top-level key", "cellar_m", "unknown key 'cellar_m'", "cellar_m",
           (("ceiling_m: 3.0\n", "ceiling_m: 3.0\ncellar_m: 2\n"),)),
    Broken("key twice", "ceiling_m", "is there twice", "ceiling_m: 2.9",
           (("ceiling_m: 3.0\n", "ceiling_m: 3.0\nceiling_m: 2.9\n"),)),
    Broken("other version", "schema", "must be 1", "schema: 2", (("schema: 1", "schema: 2"),)),
    Broken("id of a wrong form", "fixtures[5].id", "'Table 1' is no id", "Table 1", (("id: t1 #", "id: Table 1 #"),)),
    Broken("number as text", "cameras[0].focal_px", "must be a valid number", "focal_px: wide",
           (("focal_px: 300", "focal_px: wide"),)),
    Broken("infinite number", "cameras[0].look_at_m[0]", "finite number", "look_at_m: [.inf",
           (("look_at_m: [2.3, 3.7, 1.0]", "look_at_m: [.inf, 3.7, 1.0]"),)),
    Broken("not a number", "cameras[0].focal_px", "'.nan' must be", "focal_px: .nan",
           (("focal_px: 300", "focal_px: .nan"),)),
    Broken("negative length", "fixtures[5].depth_m", "'-0.6' must be greater than 0", "depth_m: -0.6",
           (("depth_m: 0.6", "depth_m: -0.6"),)),
    Broken("nothing in a column", "fixtures[0].shelves[0].facings[0].columns", "greater than or equal to 1",
           "columns: 0", (("columns: 3", "columns: 0"),)),
    Broken("unknown kind", "fixtures[5].kind", "'gondola', 'cooler' or 'table'", "kind: desk",
           (("kind: table", "kind: desk"),)),
    Broken("too few numbers", "cameras[0].position_m[2]", "a number is missing", "position_m: [0.25, 0.25]",
           ((C1_PLACE, "position_m: [0.25, 0.25]"),)),
    Broken("unknown SKU", "fixtures[0].shelves[0].facings[0].sku", "unknown SKU 2009990000005", "g1-1-a",
           ((FLOUR, '"2009990000005"'),)),
    Broken("check digit in the planogram", "fixtures[0].shelves[0].facings[0].sku", "wrong check digit: 8 instead of 9",
           "g1-1-a", ((FLOUR, '"2000110401008"'),)),
    Broken("GTIN of a wrong length", "fixtures[0].shelves[0].facings[0].sku", "'20001104010' is no GTIN", "g1-1-a",
           ((FLOUR, '"20001104010"'),)),
    Broken("GTIN without quotes", "fixtures[0].shelves[0].facings[0].sku", "2000110401009 is a number", "g1-1-a",
           ((FLOUR, "2000110401009"),)),
    Broken("check digit in the catalogue", "items[0].sku", "wrong check digit: 0 instead of 4", "2009990000100",
           catalogue=(("items:\n", SPARE.replace("SKU", "2009990000100")),)),
    Broken("SKU twice, once with zeros", "items[41].sku", "is there twice (first in line 7)", 'sku: "00000413"',
           catalogue=(("items:\n", SPARE.replace("SKU", "000000000413")),)),
    Broken("unknown tax class", "items[0].tax_class", "unknown tax class 'luxury'", "luxury",
           catalogue=(("tax_class: reduced", "tax_class: luxury"),)),
    Broken("free item", "items[0].price_minor", "greater than or equal to 1", "price_minor: 0",
           catalogue=(("price_minor: 99", "price_minor: 0"),)),
    Broken("impossible spread", "items[0].grams_sigma", "a spread of 400 g is impossible", "grams_sigma: 400",
           catalogue=(("grams_sigma: 4\n", "grams_sigma: 400\n"),)),
    Broken("price with a comma", "items[0].price_minor", "must be a valid integer", "price_minor: 0.99",
           catalogue=(("price_minor: 99", "price_minor: 0.99"),)),
    Broken("no catalogue", "catalogue", "there is no file", "catalogue: nowhere.yaml",
           (("catalogue: catalogue.yaml", "catalogue: nowhere.yaml"),)),
    Broken("fixtures overlap", "fixtures[1].origin_m", "g2 overlaps fixture g1 by 0.2 m", "origin_m: [0.45, 3.2]",
           (("origin_m: [0.45, 3.5]", "origin_m: [0.45, 3.2]"),)),
    Broken("fixture in the wall", "fixtures[5].origin_m", "t1 is not inside the walls", "origin_m: [2.4, 7.6]",
           (("origin_m: [2.4, 6.3]", "origin_m: [2.4, 7.6]"),)),
    Broken("fixture through the ceiling", "fixtures[5].height_m", "3.9 m high, the ceiling 3 m", "height_m: 3.9",
           (("height_m: 0.9", "height_m: 3.9"),)),
    Broken("shelves of a table", "fixtures[5].kind", "table t1 has shelves or a scale", "kind: table",
           (("kind: table", "kind: table\n    shelves: [{id: x, height_m: 0.1, clear_m: 0.3}]"),)),
    Broken("facing wider than the shelf", "fixtures[0].shelves[0].facings[3].width_m", "is 1.3 m wide", "g1-1-d",
           (("offset_m: 0.9, width_m: 0.3, columns", "offset_m: 0.9, width_m: 1.3, columns"),)),
    Broken("facing over the edge", "fixtures[0].shelves[0].facings[3].offset_m", "ends at 1.4 m, beyond", "g1-1-d",
           (("offset_m: 0.9, width_m: 0.3, columns", "offset_m: 1.1, width_m: 0.3, columns"),)),
    Broken("facings overlap", "fixtures[0].shelves[0].facings[1].offset_m", "g1-1-b overlaps facing g1-1-a by 0.1 m",
           "g1-1-b", (("offset_m: 0.3, width_m: 0.3, columns", "offset_m: 0.2, width_m: 0.3, columns"),)),
    Broken("plates overlap", "fixtures[0].shelves[0].plates[1].offset_m", "g1-1-p2 overlaps plate g1-1-p1", "g1-1-p2",
           (("{id: g1-1-p2, offset_m: 0.3", "{id: g1-1-p2, offset_m: 0.25"),)),
    Broken("too many columns", "fixtures[0].shelves[0].facings[0].columns", "9 columns of 'Wheat flour 1 kg' are",
           "g1-1-a",
           (("columns: 3, rows: 5", "columns: 9, rows: 5"),)),
    Broken("too many rows", "fixtures[0].shelves[0].facings[0].rows", "0.49 m deep", "g1-1-a",
           (("columns: 3, rows: 5", "columns: 3, rows: 7"),)),
    Broken("item too high", "fixtures[0].shelves[0].facings[3].sku", "'Spaghetti 500 g' is 0.41 m high", "g1-1-d",
           (), (("size_m: [0.085, 0.045, 0.27]", "size_m: [0.085, 0.045, 0.41]"),)),
    Broken("shelf under a shelf", "fixtures[0].shelves[0].clear_m", "above shelf g1-2", "clear_m: 0.6",
           (("clear_m: 0.4\n", "clear_m: 0.6\n"),)),
    Broken("shelf above the top", "fixtures[5].shelves[0].height_m", "not below the top of t1", "height_m: 0.95",
           (("kind: table", "kind: gondola\n    shelves:\n    - id: t1-1\n      height_m: 0.95\n      clear_m: 0.2"),)),
    Broken("scale without plates", "fixtures[5].scale", "has a scale but no plates", "scale: {rate_hz: 50",
           (("kind: table", "kind: cooler\n    scale: {rate_hz: 50, batch: 10}"),)),
    Broken("id twice", "cameras[0].id", "id 'g1' is there twice (first at fixtures[0].id",
           "- id: g1\n    kind: ceiling",
           (("- id: c1", "- id: g1"),)),
    Broken("camera outside", "cameras[0].position_m", "c1 is outside the walls", "position_m: [-0.25",
           ((C1_PLACE, "position_m: [-0.25, 0.25, 2.8]"),)),
    Broken("camera above the ceiling", "cameras[0].position_m", "3.2 m is not between floor and ceiling (3 m)",
           "position_m: [0.25, 0.25, 3.2]", ((C1_PLACE, "position_m: [0.25, 0.25, 3.2]"),)),
    Broken("camera looks at itself", "cameras[0].look_at_m", "looks at itself", "look_at_m: [0.25, 0.25, 2.8]",
           (("look_at_m: [2.3, 3.7, 1.0]", "look_at_m: [0.25, 0.25, 2.8]"),)),
    Broken("camera watches nothing there is", "cameras[4].watches[1]", "unknown fixture 'g9'", "watches: [g1, g9]",
           (("watches: [g1, g2]", "watches: [g1, g9]"),)),
    Broken("shelf camera without a shelf", "cameras[4]", "s1 of kind shelf watches nothing", "- id: s1",
           (("    watches: [g1, g2]\n", ""),)),
    Broken("camera misses a facing", "cameras[4].watches[0]", "not have in its picture: g1-2-a, g1-3-a",
           "watches: [g1, g2]",
           (("look_at_m: [0.45, 3.45, 0.92]", "look_at_m: [0.45, 3.75, 0.92]"),)),
    Broken("camera behind the face", "cameras[6].watches[1]", "g1-1-a", "watches: [k1, g1]",
           (("watches: [k1]", "watches: [k1, g1]"),)),
    Broken("gate off the wall", "gates[0].line_m", "entry does not lie on a wall", "[0.6, 0.3]",
           (("[[0.6, 0.0], [1.6, 0.0]]", "[[0.6, 0.3], [1.6, 0.0]]"),)),
    Broken("gate too narrow", "gates[0].line_m", "entry is 0.4 m wide", "[1.0, 0.0]",
           (("[[0.6, 0.0], [1.6, 0.0]]", "[[0.6, 0.0], [1.0, 0.0]]"),)),
    Broken("gates overlap", "gates[1].line_m", "exit overlaps gate entry", "[1.4, 0.0]",
           (("[[4.4, 0.0], [5.4, 0.0]]", "[[1.4, 0.0], [2.4, 0.0]]"),)),
    Broken("no exit", "gates", "there is no exit gate", "gates:", (("kind: exit", "kind: entry"),)),
    Broken("no entry", "gates", "there is no entry gate", "gates:", (("kind: entry", "kind: exit"),)),
    Broken("walls cross", "walls_m", "the walls cross each other", "walls_m:",
           (("[[0, 0], [6, 0], [6, 8], [0, 8]]", "[[0, 0], [6, 0], [0, 8], [6, 8]]"),)),
    Broken("walls with a spike", "walls_m", "go back the way they came", "walls_m:",
           (("[[0, 0], [6, 0], [6, 8], [0, 8]]", "[[0, 0], [6, 0], [6, 8], [6, 10], [6, 8], [0, 8]]"),)),
    Broken("walls in kilometres", "walls_m", "enclose only 0.48 square metres", "walls_m:",
           (("[[0, 0], [6, 0], [6, 8], [0, 8]]", "[[0, 0], [0.6, 0], [0.6, 0.8], [0, 0.8]]"),)),
    Broken("walls in millimetres", "walls_m", "the room is 8000 m long", "walls_m:",
           (("[[0, 0], [6, 0], [6, 8], [0, 8]]", "[[0, 0], [6000, 0], [6000, 8000], [0, 8000]]"),)),
    Broken("entry blocked", "gates[0]", "nobody can come in", "id: entry",
           (("origin_m: [2.4, 6.3]", "origin_m: [0.5, 0.1]"),)),
]  # fmt: skip


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_every_kind_of_error_is_named_with_its_place(case: Broken, tmp_path: Path) -> None:
    path = write_store(tmp_path, case.store, case.catalogue)
    problems = check_document(path)
    assert [problem.where for problem in problems] == [case.where], "\n".join(map(str, problems))
    assert case.says in problems[0].what
    text = Path(problems[0].file).read_text()
    assert problems[0].line == text[: text.index(case.at)].count("\n") + 1
    assert problems[0].remedy


def test_all_errors_are_named_at_once_even_beside_broken_structure(tmp_path: Path) -> None:
    path = write_store(
        tmp_path,
        (
            ("store: corner", "store: Corner Store"),
            ("columns: 3, rows: 5", "columns: none, rows: 5"),
            (SUGAR, '"2009990000005"'),
            ("origin_m: [0.45, 3.5]", "origin_m: [0.45, 3.2]"),
            (C1_PLACE, "position_m: [0.25, 9, 2.8]\n    zoom: 2"),
            ("watches: [g1, g2]", "watches: [g1, g9]"),
        ),
        (("price_minor: 149", "price_minor: -1"), ("tax_class: standard", "tax_class: luxury")),
    )
    places = {(Path(problem.file).name, problem.where) for problem in check_document(path)}
    assert places == {
        ("store.yaml", "store"),
        ("store.yaml", "fixtures[0].shelves[0].facings[0].columns"),
        ("store.yaml", "fixtures[0].shelves[0].facings[1].sku"),
        ("store.yaml", "fixtures[1].origin_m"),
        ("store.yaml", "cameras[0].position_m"),
        ("store.yaml", "cameras[0].zoom"),
        ("store.yaml", "cameras[4].watches[1]"),
        ("catalogue.yaml", "items[1].price_minor"),
        ("catalogue.yaml", "items[22].tax_class"),
    }


def test_a_facing_above_the_longest_arm_is_unreachable(tmp_path: Path) -> None:
    path = write_store(
        tmp_path,
        (
            ("height_m: 1.75", "height_m: 2.4"),
            ("- id: k1-3\n        height_m: 1.15", "- id: k1-3\n        height_m: 2.02"),
        ),
    )
    says = [problem.what for problem in check_document(path) if "gripped at" in problem.what]
    assert [what.split()[1] for what in says] == ["k1-3-a", "k1-3-b", "k1-3-c", "k1-3-d"]
    assert "unreachable: its items are gripped at 2.09 m" in says[0]


def test_a_facing_behind_another_fixture_is_unreachable(tmp_path: Path) -> None:
    path = write_store(
        tmp_path,
        (("origin_m: [2.4, 6.3]", "origin_m: [0.85, 2.0]"), ("facing_deg: -90", "facing_deg: 0"),
         ("width_m: 1.2\n    depth_m: 0.6\n", "width_m: 1.6\n    depth_m: 0.35\n")),
    )  # fmt: skip
    problems = check_document(path)
    assert all("nobody can stand in front" in problem.what for problem in problems)
    assert {problem.what.split()[1] for problem in problems} == {f"g1-{s}-{slot}" for s in (1, 2, 3) for slot in "abcd"}


def test_an_aisle_without_a_way_into_it_is_unreachable(tmp_path: Path) -> None:
    bar = "  - {{id: b{n}, kind: table, origin_m: [3, {y}], facing_deg: -90, width_m: 3, depth_m: .04, height_m: 1}}\n"
    path = write_store(tmp_path, (("cameras:\n", bar.format(n=1, y=2.15) + bar.format(n=2, y=4.9) + "cameras:\n"),))
    blocked = {problem.what.split()[1] for problem in check_document(path) if "nobody can stand" in problem.what}
    assert len(blocked) == 36, "aisle B has g3, g4 and the cooler"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"walls_m: [[0, 0]\nname: x", "is not YAML"),
        (b"name: '\xff'", "is not UTF-8"),
        (b"- just\n- a list", "is not a mapping"),
        (b"", "is not a mapping"),
        (b"name: !secret x", "cannot be understood"),
        (b"name: &a [*a, *a]", "contains itself"),
        (b"a: " + b"[" * 40 + b"]" * 40, "nested too deeply"),
        (b"a: &a [1, 1]\nb: &b [*a, *a, *a]\n" + b"".join(
            b"%c: &%c [%s]\n" % (i, i, b"*%c" % (i - 1) + b", *%c" % (i - 1) * 7) for i in range(99, 105)
        ), "too much"),
        (b"a: 1\n---\nb: 2", "is not YAML"),
        (b"name: \x00", "is not YAML"),
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused_in_words(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "store.yaml"
    path.write_bytes(content)
    assert any(says in str(problem) for problem in check_document(path))


def test_no_file_or_a_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"nowhere\.yaml:1: cannot be read: No such file"):
        load_site(tmp_path / "nowhere.yaml")
    with pytest.raises(SiteError, match="cannot be read: Is a directory"):
        load_site(tmp_path)


def test_load_site_refuses_and_lists_everything(tmp_path: Path) -> None:
    path = write_store(tmp_path, (("kind: exit", "kind: entry"), ("width_px: 640", "width_px: 6")))
    with pytest.raises(SiteError, match=r"there is no exit gate.*\(and 1 more\)") as refused:
        load_site(path)
    assert [problem.where for problem in refused.value.problems] == ["gates", "cameras[0].width_px"]


def test_a_problem_reads_like_a_compiler_message() -> None:
    problem = Problem("gates[0].id", 12, "id 'a' is there twice", "rename it", "s.yaml")
    assert str(problem) == "s.yaml:12: gates[0].id: id 'a' is there twice; rename it"
