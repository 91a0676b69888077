"""The public recordings of a real store become a store document and feeds, and every repair is told."""

import json
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from smartstore.bus.recording import feed_metadata, read_feed
from smartstore.cli import run
from smartstore.embedded import EmbeddedStore
from smartstore.formats.cameras import rodrigues_matrix
from smartstore.formats.nanostore import Import, open_nanostore, store_files
from smartstore.formats.nanostore_goods import gtin_of
from smartstore.site import Site, check_document, load_site
from smartstore.wire import topics
from smartstore.wire.codec import Packet, decode, encode
from smartstore.wire.heard import HeardBatch
from smartstore.wire.messages import GateEvent, Receipt, Tracks
from tests.nanostore import BREAD, COLA, TEA, people, real_nanostore, small_nanostore, weights


@pytest.fixture
def small(tmp_path: Path) -> Import:
    return open_nanostore(small_nanostore(tmp_path / "data"))


def found(data: Import, what: str) -> str:
    """Where a finding is, and what was made of it."""
    return next(f"{one.places}; {one.done}" for one in data.findings if one.what.startswith(what))


def site_of(data: Import, folder: Path) -> Site:
    for name, text in store_files(data.store):
        (folder / name).write_text(text)
    return load_site(folder / "store.yaml")


def test_short_codes_are_upc_e_and_leading_zeros_stay() -> None:
    assert gtin_of("120130") == "012000000133"
    assert gtin_of("496340") == "049000006346"
    assert gtin_of("071142008582") == "071142008582"
    assert gtin_of("071142008583") is None
    assert gtin_of("UNKOWN") is None


def test_rodrigues_vectors_turn_by_their_length() -> None:
    assert rodrigues_matrix(np.array([0.0, 0.0, -math.pi / 2])) @ [0.0, -1.0, 0.0] == pytest.approx([-1.0, 0.0, 0.0])
    assert rodrigues_matrix(np.zeros(3)) == pytest.approx(np.eye(3))


def test_fixtures_stand_where_the_survey_has_them(small: Import, tmp_path: Path) -> None:
    site = site_of(small, tmp_path)
    first, second = site.fixtures["gondola-1"], site.fixtures["gondola-2"]
    assert first.origin_m == pytest.approx((2.0, 0.1))
    assert (first.facing_deg, second.facing_deg) == (270.0, 180.0)
    assert second.origin_m == pytest.approx((3.6, 0.5))
    assert site.plates["g2-s1-p3"].offset_m == pytest.approx(0.2032)
    camera = site.cameras["camera-1"].model
    assert camera.position_m == pytest.approx([2.54, -0.762, 2.4384])
    assert camera.project([(2.54, -0.762, 0.0)])[0] == pytest.approx((640.0, 324.0))
    assert list(site.cameras) == ["camera-1"]


def test_wrong_labels_are_told_and_never_guessed_in_silence(small: Import, tmp_path: Path) -> None:
    site = site_of(small, tmp_path)
    assert set(site.items) == {COLA, TEA, BREAD}
    assert {name: facing.sku for name, facing in site.facings.items()} == {
        "g1-s1-f1-2": COLA, "g1-s1-f3": TEA, "g1-s2-f1": BREAD, "g1-s2-f3": BREAD,
    }  # fmt: skip
    assert "UNKOWN" in found(small, "a product's code is no GTIN")
    assert f"120130 = {COLA}" in found(small, "a product's code is a UPC-E")
    assert BREAD in found(small, "a label's weight cannot be true (1.6 g)")
    assert "the first one counts" in found(small, "two products on one plate")
    assert "several facings" in found(small, "a facing with a gap")
    assert "099999999990" in found(small, "the planogram has a product that products.json has not")


def test_a_case_becomes_scale_track_and_gate_messages_in_event_time(small: Import) -> None:
    packets = small.feed(small.cases[0])
    times = [t_ns for t_ns, _ in packets]
    assert times == sorted(times)
    said = [decode(packet) for _, packet in packets]
    batches = [one.message for one in said if one and isinstance(one.message, HeardBatch)]
    assert batches[0].plates == ["g1-s1-p1", "g1-s1-p2", "g1-s1-p3", "g1-s2-p1", "g1-s2-p2", "g1-s2-p3"]
    assert batches[0].grams[1] == [500.241, 500.241, None, 500.241, 500.241, None]
    gaps_s = np.diff([batch.t_ns for batch in batches]) / 1e9
    assert gaps_s == pytest.approx(np.full(9, 0.2), abs=0.003)
    tracks = [one.message for one in said if one and isinstance(one.message, Tracks)]
    assert tracks[0].people[0].x_m == pytest.approx(1.27)
    assert tracks[0].people[0].joints["left_wrist"] == pytest.approx([1.778, -0.762, 1.016, 0.8])
    assert "right_wrist" not in tracks[0].people[0].joints
    gates = [one.message for one in said if one and isinstance(one.message, GateEvent)]
    assert [(gate.kind, gate.visit) for gate in gates] == [("entry", "case-a-1"), ("exit_beam", None)]


def test_what_was_repaired_in_a_case_is_told(small: Import) -> None:
    small.feed(small.cases[0])
    assert "plate_data.json:11" in found(small, "a line is no JSON object")
    assert "g1-s1-p3" in found(small, "a plate gives no numbers at all")
    assert "counted" in found(small, "shelves and plates") or "row and column 0" in found(small, "shelves and plates")
    assert "gondola 2" in found(small, "a gondola gives no weights")
    assert "even clock" in found(small, "batches begin unevenly")
    assert "by 2.00 to 2.00 s" in found(small, "people are stored later than they were seen")


def test_a_new_id_inside_is_the_same_shopper_and_a_gap_is_a_gap(tmp_path: Path) -> None:
    folder = small_nanostore(tmp_path / "data")
    views = [people(0.1 * k, ("7", 50.0, -30.0)) for k in range(10)]
    views += [people(2.0 + 0.1 * k, ("8", 60.0, -30.0)) for k in range(10)]
    views += [people(20.0 + 0.1 * k, ("9", 60.0, -30.0)) for k in range(10)]
    (folder / "feeds/Case-A/full_targets.json").write_text("".join(json.dumps(view) + "\n" for view in views))
    late = [weights(1, k, 1000.0 if k < 5 else 1007.0) for k in range(10)]
    (folder / "feeds/Case-A/plate_data.json").write_text(json.dumps(late))
    data = open_nanostore(folder)
    said = [decode(packet) for _, packet in data.feed(data.cases[0])]
    entries = [one.message for one in said if one and isinstance(one.message, GateEvent) and one.message.visit]
    assert [entry.visit for entry in entries] == ["case-a-1", "case-a-2"]
    assert "case-a: 8" in found(data, "somebody gets a new id inside")
    assert "gondola 1: 7" in found(data, "weights have a gap") or "gondola 1: 6.9" in found(data, "weights have a gap")


@pytest.mark.parametrize(
    ("file", "text"),
    [("store_meta/Gondolas.json", "[1"), ("store_meta/Plates.json", "{}"), ("products.json", "no\nobjects\n"),
     ("store_meta/calibration.json", '{"world_ltrb": [0, 0, 9, 9], "cameras": {"1": {"K": 5}}}'),
     ("store_meta/calibration.json", '{"cameras": {}}'), ("store_meta/calibration.json", '{"$binary": {}}'),
     ("products.json", '{"product_id": 7}'), ("planogram.json", '{"plate_ids": ["g1"]}'),
     ("planogram.json", '[{"$numberInt": "many"}]'), ("products.json", "[" * 99_999),
     ("store_meta/Plates.json", "[" * 99_999), ("store_meta/Plates.json", "9" * 5_000)],
)  # fmt: skip
def test_broken_data_is_one_line_and_exit_code_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, text: str
) -> None:
    folder = small_nanostore(tmp_path / "data")
    (folder / file).write_text(text)
    assert run(["import", "nanostore", str(folder), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and Path(file).name in said[0]
    assert not (tmp_path / "out").exists()


def test_the_command_leaves_documents_feeds_and_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = small_nanostore(tmp_path / "data"), tmp_path / "out"
    assert run(["import", "nanostore", str(folder), "--out", str(out)]) == 0
    assert "two products on one plate" in " ".join(capsys.readouterr().out.split())
    assert check_document(out / "store.yaml") == []
    assert feed_metadata(out / "case-a/feed.mcap")["case"] == "case-a"
    assert len(list(read_feed(out / "case-a/feed.mcap"))) == 32
    assert any(row["what"] == "two products on one plate" for row in json.loads((out / "findings.json").read_text()))
    assert not list(out.rglob("*.part"))


@pytest.mark.parametrize(
    "text", ["no\nJSON\n", '{"document": 7}\n', '{"document": {"plate_data": {"plate_id": [1]}}}\n']
)
def test_a_broken_case_is_one_line_and_stops_no_other(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = small_nanostore(tmp_path / "data"), tmp_path / "out"
    (folder / "feeds/Case-0").mkdir()
    (folder / "feeds/Case-0/plate_data.json").write_text(text)
    assert run(["import", "nanostore", str(folder), "--out", str(out)]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "Case-0/plate_data.json" in errors[0]
    assert not (out / "case-0").exists() and (out / "case-a/feed.mcap").is_file()


def receipts(site: Site, packets: list[Packet]) -> list[dict[str, int]]:
    """SKU to quantity of every receipt that the service writes."""
    with EmbeddedStore(site) as store:
        said = [answer for packet in packets for answer in store.hear(packet)] + store.finish()
    heard = [decode(packet) for packet in said]
    written = [one.message for one in heard if one and isinstance(one.message, Receipt)]
    return [{line.item_id: line.quantity for line in receipt.transaction.line_item} for receipt in written]


def test_the_real_recording_gives_one_receipt_with_the_one_bottle(tmp_path: Path) -> None:
    data = open_nanostore(real_nanostore())
    site = site_of(data, tmp_path)
    assert (len(site.fixtures), len(site.plates), len(site.cameras)) == (5, 306, 12)
    case = next(case for case in data.cases if case.name == "benchmark-1")
    packets = [packet for _, packet in data.feed(case)]
    assert receipts(site, packets) == [{"071142008582": 1}]


@pytest.mark.parametrize("seed", [1, 2])
def test_its_weights_replaced_by_noise_give_an_empty_receipt(tmp_path: Path, seed: int) -> None:
    data = open_nanostore(real_nanostore())
    site, random = site_of(data, tmp_path), np.random.default_rng(seed)
    case = next(case for case in data.cases if case.name == "benchmark-1")
    noise = {plate: (random.uniform(-3000, 5800), random.uniform(0.5, 4.7)) for plate in site.plates}
    packets = []
    for _, recorded in data.feed(case):
        packet, heard = recorded, decode(recorded)
        if heard is not None and isinstance(heard.message, HeardBatch):
            level, spread = np.array([noise[plate] for plate in heard.message.plates]).T
            grams = (level + spread * random.normal(size=heard.message.weights.shape)).tolist()
            quiet = msgspec.structs.replace(heard.message, text=msgspec.Raw(msgspec.json.encode(grams)))
            packet = encode(topics.SCALE, heard.store, heard.device, quiet)
        packets.append(packet)
    assert receipts(site, packets) == [{}]
