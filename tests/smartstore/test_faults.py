"""Faults told as stories: packets are sent, others arrive, and the same every time."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from smartstore.faults import FaultPlan, Faults, FaultsError, load_faults
from smartstore.faults.document import faults_schema
from smartstore.wire import messages as m
from smartstore.wire import topics
from smartstore.wire.codec import Packet, WireError, decode, encode
from smartstore.wire.heard import HeardBatch

ROOT = Path(__file__).parents[2]
S = 1_000_000_000
T0 = 1_767_603_600 * S


def scale(seq: int, grams: float = 100.0, fixture: str = "g1") -> Packet:
    batch = m.ScaleBatch(
        seq=seq, t_ns=T0 + seq * S // 5, period_ns=S // 60, plates=["a", "b"], grams=[[grams, grams]] * 12
    )
    return encode(topics.SCALE, "corner", fixture, batch)


def frame(seq: int, jpeg: bytes = b"\xff\xd8picture") -> Packet:
    head = m.Frame(seq=seq, t_ns=T0 + seq * S // 5, width=640, height=480, jpeg=jpeg)
    return encode(topics.FRAME, "corner", "c1", head)


def plan(*faults: object) -> FaultPlan:
    return FaultPlan.model_validate({"schema": 1, "faults": faults})


def played(document: FaultPlan, packets: Sequence[Packet], seed: int = 1) -> list[Packet]:
    """What arrives of packets that are sent five times a second."""
    faults = Faults(document, seed)
    arrived = [left for n, packet in enumerate(packets) for left in faults.observe(packet, T0 + n * S // 5)]
    return arrived + faults.flush()


def said(packet: Packet) -> HeardBatch:
    received = decode(packet)
    assert received is not None
    assert isinstance(received.message, HeardBatch)
    return received.message


WEIGHTS = [scale(n) for n in range(500)]
ON_SCALES = {"topics": ["data/scale/+"]}


def test_dropped_packets_never_arrive_and_are_counted() -> None:
    faults = Faults(plan({"fault": "drop", "share": 0.2, **ON_SCALES}), 1)
    arrived = [left for n, packet in enumerate(WEIGHTS) for left in faults.observe(packet, T0 + n)]
    assert 60 < faults.counts["drop"] < 140
    assert len(arrived) == 500 - faults.counts["drop"]
    assert {p.payload for p in arrived} < {p.payload for p in WEIGHTS}


def test_a_fault_touches_only_its_topics_and_its_time() -> None:
    document = plan({"fault": "drop", "share": 1.0, "topics": ["data/scale/g1"], "from_s": 2, "to_s": 4})
    assert [said(p).seq for p in played(document, WEIGHTS[:30])] == [*range(10), *range(20, 30)]
    others = [scale(n, fixture="g2") for n in range(30)]
    assert played(document, others) == others


def test_what_is_delayed_comes_late_and_in_order() -> None:
    document = plan({"fault": "delay", "seconds": 1.0, "spread_s": 2.0, "share": 0.3, **ON_SCALES})
    faults = Faults(document, 1)
    late_s = {}
    for n, packet in enumerate(WEIGHTS):
        for left in faults.observe(packet, T0 + n * S // 5):
            late_s[said(left).seq] = (n - said(left).seq) / 5
    assert [said(p).seq for p in played(document, WEIGHTS)] == list(range(500))
    assert 2.5 < max(late_s.values()) <= 3.2
    assert list(late_s) == sorted(late_s)


def test_what_is_reordered_is_overtaken_but_never_by_more_than_said() -> None:
    arrived = [said(p).seq for p in played(plan({"fault": "reorder", "within_s": 1.0, **ON_SCALES}), WEIGHTS)]
    assert sorted(arrived) == list(range(500))
    assert arrived != sorted(arrived)
    assert max(before - seq for n, seq in enumerate(arrived) for before in arrived[:n]) <= 5


def test_duplicates_are_the_very_same_packet() -> None:
    arrived = played(plan({"fault": "duplicate", "share": 0.5, "within_s": 1.0, **ON_SCALES}), WEIGHTS)
    assert 650 < len(arrived) < 850
    assert {p.payload for p in arrived} == {p.payload for p in WEIGHTS}


def test_a_frozen_scale_goes_on_with_its_last_weights() -> None:
    weights = [scale(n, grams=float(n)) for n in range(20)]
    arrived = [said(p) for p in played(plan({"fault": "freeze", "from_s": 2, "to_s": 3, **ON_SCALES}), weights)]
    assert [batch.seq for batch in arrived] == list(range(20))
    assert [batch.t_ns for batch in arrived] == [said(p).t_ns for p in weights]
    assert [batch.grams[0][0] for batch in arrived] == [*range(10), *[9.0] * 5, *range(15, 20)]


def test_a_frozen_camera_sends_the_same_picture_with_new_times() -> None:
    pictures = [frame(n, b"\xff\xd8" + bytes([n])) for n in range(10)]
    arrived = played(plan({"fault": "freeze", "topics": ["data/camera/c1/frame"], "from_s": 1}), pictures)
    heads = [decode(p).message for p in arrived]  # type: ignore[union-attr]
    assert [head.jpeg[-1] for head in heads] == [0, 1, 2, 3, 4, 4, 4, 4, 4, 4]
    assert [(head.seq, head.t_ns) for head in heads] == [(n, T0 + n * S // 5) for n in range(10)]


def test_truncated_and_corrupt_payloads_are_refused_or_read_never_more() -> None:
    document = plan({"fault": "truncate", "share": 0.5, **ON_SCALES}, {"fault": "corrupt", "share": 0.5, **ON_SCALES})
    arrived = played(document, WEIGHTS)
    assert len(arrived) == 500
    refused = 0
    for packet in arrived:
        try:
            decode(packet)
        except WireError:
            refused += 1
    assert 200 < refused < 450


def test_a_skewed_clock_is_off_and_runs_away() -> None:
    arrived = played(plan({"fault": "skew", "offset_s": -0.5, "drift_ppm": 1000, **ON_SCALES}), WEIGHTS)
    off_s = [(said(p).t_ns - said(q).t_ns) / S for p, q in zip(arrived, WEIGHTS, strict=True)]
    assert (off_s[0], off_s[-1]) == (pytest.approx(-0.5), pytest.approx(-0.5 + 0.0998))
    (picture,) = played(plan({"fault": "skew", "offset_s": 2.0, "topics": ["data/#"]}), [frame(3)])
    assert picture.properties["t_ns"] == str(T0 + 2 * S + 3 * S // 5)


def test_a_killed_device_leaves_its_last_will_and_comes_back() -> None:
    document = plan({"fault": "kill", "devices": ["c1"], "from_s": 1, "to_s": 2})
    arrived = [decode(p) for p in played(document, [frame(n) for n in range(15)])]
    told = [(r.channel.name, getattr(r.message, "state", r.message.seq)) for r in arrived if r is not None]
    assert told[5:7] == [("status", "offline"), ("status", "online")]
    assert [seq for name, seq in told if name == "frame"] == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]


@pytest.mark.parametrize(("plates", "row"), [(["b"], [100.0, None]), ([], [None, None])], ids=["one", "all"])
def test_dead_plates_give_no_numbers(plates: list[str], row: list[float | None]) -> None:
    (arrived,) = played(plan({"fault": "nan_plates", "plates": plates}), [scale(0)])
    assert said(arrived).grams == [row] * 12


def test_the_same_seed_gives_the_same_packets_and_another_seed_others() -> None:
    document = load_faults(ROOT / "configs/faults/rough-network.yaml")
    assert played(document, WEIGHTS, 7) == played(document, WEIGHTS, 7)
    assert played(document, WEIGHTS, 7) != played(document, WEIGHTS, 8)


def test_one_more_device_changes_nothing_for_the_others() -> None:
    document = load_faults(ROOT / "configs/faults/rough-network.yaml")
    both = [packet for n in range(200) for packet in (scale(n), scale(n, fixture="g2"))]
    faults, alone = Faults(document, 7), Faults(document, 7)
    heard = [p for n, packet in enumerate(both) for p in faults.observe(packet, T0 + (n // 2) * S // 5)]
    heard += faults.flush()
    expected = [p for n in range(200) for p in alone.observe(scale(n), T0 + n * S // 5)] + alone.flush()
    assert [p for p in heard if p.topic.endswith("g1")] == expected


def test_one_more_fault_of_a_kind_changes_nothing_for_the_first() -> None:
    drop, elsewhere = ({"fault": "drop", "share": 0.2, "topics": [f"data/scale/{name}"]} for name in ("g1", "g2"))
    assert played(plan(drop, elsewhere), WEIGHTS) == played(plan(drop), WEIGHTS)


@pytest.mark.parametrize("path", sorted((ROOT / "configs/faults").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_documents_are_in_order(path: Path) -> None:
    document = load_faults(path)
    for name, fault in document.named.items():
        assert document.only(name).faults == (fault,)


def test_the_schema_for_editors_is_the_one_of_the_documents() -> None:
    assert json.loads((ROOT / "configs/faults/faults.schema.json").read_text()) == faults_schema()


@pytest.mark.parametrize(("text", "says"), [
    ("schema: 1\nfaults: []", "faults: tuple should have at least 1"),
    ("schema: 1\nfaults: [{fault: melt}]", "faults.0: input tag 'melt'"),
    ("schema: 1\nfaults: [{fault: drop, share: 2, topics: ['#']}]", "faults.0.drop.share"),
    ("schema: 1\nfaults: [{fault: drop, share: 0.1, topics: [data/cam/+]}]", "'data/cam/+' covers no topic"),
    ("schema: 1\nfaults: [{fault: freeze, topics: ['#'], from_s: 9, to_s: 3}]", "to_s 3 is not after from_s 9"),
    ("schema: 1\nfaults: [{fault: drop, share: 0.1, topics: ['#'], colour: red}]", "colour: extra inputs"),
    ("- a", "the whole file"),
    ("schema: [", "is not YAML"),
    ("schema: 2026-13-01", "is not YAML"),
    ("[" * 9999, "is not YAML"),
])  # fmt: skip
def test_a_bad_document_is_one_line_that_names_the_key(text: str, says: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(text)
    with pytest.raises(FaultsError) as caught:
        load_faults(bad)
    assert says in str(caught.value)
    assert str(bad) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_messages_stay_messages_of_their_channel() -> None:
    """What is changed on purpose and not broken can still be read in full."""
    document = plan({"fault": "skew", "offset_s": 1.0, "topics": ["#"]}, {"fault": "nan_plates", "plates": ["a"]})
    for packet in played(document, [scale(0), frame(1)]):
        received = decode(packet)
        assert received is not None
        assert received.unknown_fields == 0
    assert (
        msgspec.json.decode(played(document, [scale(0)])[0].payload).keys()
        == msgspec.json.decode(scale(0).payload).keys()
    )
