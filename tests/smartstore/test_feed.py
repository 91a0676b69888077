"""Recordings as files: described, cut, merged, damaged and mended; other readers understand all of them."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest
from mcap.reader import make_reader

from smartstore.bus import foxglove
from smartstore.bus.broker import EmbeddedBroker
from smartstore.bus.mqtt import MqttBus
from smartstore.bus.reading import FeedError, damages
from smartstore.bus.recording import McapRecorder, read_feed
from smartstore.cli import run
from smartstore.feed.documents import recorded_site, store_documents
from smartstore.feed.recording import open_recorder
from smartstore.site import Site, load_site
from smartstore.wire import messages, topics
from smartstore.wire.codec import Packet, encode
from tests.builders import at
from tests.feeds import CORNER, annas_visit, as_packets, record_visit


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(CORNER)


@pytest.fixture(scope="module")
def feed(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_visit(tmp_path_factory.mktemp("feed") / "anna.mcap", site)


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command says that succeeds."""
    assert run([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line of a command that cannot be carried out."""
    capsys.readouterr()
    assert run([str(argument) for argument in arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.strip().splitlines()
    return line


def a_picture(seq: int) -> Packet:
    pixels = np.full((36, 64, 3), 40 * seq % 255, np.uint8)
    jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()
    return encode(topics.FRAME, "corner", "c1", messages.Frame(seq=seq, t_ns=at(seq), width=64, height=36, jpeg=jpeg))


@pytest.mark.parametrize("words", [
    ["feed", "cut", "{feed}", "{out}/x.mcap"], ["feed", "merge", "{feed}", "{feed}", "{out}/x.mcap"],
    ["feed", "export", "{feed}", "--jsonl", "--out", "{out}/x.jsonl"],
], ids=lambda words: words[1])  # fmt: skip
def test_a_full_disk_is_one_line_and_leaves_nothing(
    words: list[str], feed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        said = refused(capsys, *(word.format(feed=feed, out=tmp_path) for word in words))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "file too large, so nothing was written" in said
    assert list(tmp_path.iterdir()) == []


def test_other_readers_find_valid_messages_pictures_and_calibrations(site: Site, tmp_path: Path) -> None:
    with open_recorder(tmp_path / "f.mcap", "corner", CORNER) as recorder:
        broken = Packet("smartstore/v1/corner/data/scale/g1", b'{"seq": "many"}')
        for packet in [*as_packets(annas_visit(site))[:150], *(a_picture(n) for n in range(5)), broken]:
            recorder.write(packet, at(0))
    seen: dict[str, int] = {}
    validators: dict[int, jsonschema.Draft202012Validator] = {}
    with (tmp_path / "f.mcap").open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        for schema, channel, message in reader.iter_messages():
            if schema is None:
                assert message.data == broken.payload, "only what cannot be read promises nothing"
                continue
            seen[schema.name] = seen.get(schema.name, 0) + 1
            if schema.encoding == "jsonschema":
                known = validators.setdefault(schema.id, jsonschema.Draft202012Validator(json.loads(schema.data)))
                known.validate(json.loads(message.data))
            elif schema.name == foxglove.IMAGE:
                jpeg, _ = foxglove.decode_image(message.data)
                assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (36, 64, 3)
            else:
                assert channel.topic.endswith("/calibration")
        metadata = {record.name: record.metadata for record in reader.iter_metadata()}["smartstore"]
        attached = [record.name for record in reader.iter_attachments()]
    assert seen[foxglove.IMAGE] == 5
    assert seen[foxglove.CALIBRATION] == len(site.cameras)
    assert seen["smartstore.People"] > 50
    assert metadata["store"] == "corner"
    assert metadata["store_document"] == CORNER.read_text()
    assert len(attached) == len(site.items), "whoever looks at pictures again needs those of the items"


def test_a_calibration_is_what_protobuf_reads(site: Site) -> None:
    pytest.importorskip("google.protobuf", reason="protobuf is not installed: calibrations are checked by eye alone")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(foxglove.calibration_descriptor()).file:
        pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(foxglove.CALIBRATION))
    model = site.cameras["c2"].model
    read = kind.FromString(foxglove.encode_calibration(at(1), model))
    assert (read.frame_id, read.width, read.height) == ("c2", model.width_px, model.height_px)
    assert list(read.K) == model.k.ravel().tolist()
    assert list(read.D) == model.distortion.tolist()
    assert (len(read.R), len(read.P), read.P[3]) == (9, 12, 0.0)


def test_a_recording_carries_the_store_it_was_made_in(feed: Path, site: Site) -> None:
    found = recorded_site(feed)
    assert list(found.facings) == list(site.facings)
    assert {sku: item.grams for sku, item in found.items.items()} == {s: i.grams for s, i in site.items.items()}


def test_info_and_export_say_what_is_in_it(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about = json.loads(told(capsys, "feed", "info", feed, "--json"))
    assert about["metadata"]["seed"] == "7"
    assert about["duration_s"] == pytest.approx(39.8)
    assert about["topics"]["smartstore/v1/corner/data/scale/g1"]["messages"] == 200
    assert about["messages"] == len(list(read_feed(feed)))
    assert "g1" in told(capsys, "feed", "info", feed)
    command = (
        "feed",
        "export",
        feed,
        "--jsonl",
        "--from",
        "1",
        "--to",
        "0:02",
        "--topics",
        "event/gate/+,data/scale/g1",
    )
    lines = [json.loads(line) for line in told(capsys, *command).splitlines()]
    assert {line["topic"].rsplit("/", 1)[-1] for line in lines} == {"g1", "entry"}
    assert all(1 <= line["age_s"] < 2 for line in lines)
    assert next(line for line in lines if line["topic"].endswith("entry"))["message"]["visit"] == "anna"


def test_parts_cut_out_and_merged_are_the_whole_again(
    feed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    early, late, all_of = tmp_path / "early.mcap", tmp_path / "late.mcap", tmp_path / "all.mcap"
    told(capsys, "feed", "cut", feed, early, "--to", "20")
    told(capsys, "feed", "cut", feed, late, "--from", "15")
    assert "25 were in more" not in told(capsys, "feed", "merge", early, late, all_of)
    before, after = list(read_feed(feed)), list(read_feed(all_of))
    assert sorted(p.payload for p in after) == sorted(p.payload for p in before)
    assert len(list(read_feed(early))) + len(list(read_feed(late))) > len(before)
    assert json.loads(told(capsys, "feed", "info", all_of, "--json"))["metadata"]["seed"] == "7"


def test_feeds_of_two_stores_are_not_one(feed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_recorder(tmp_path / "kiosk.mcap", "kiosk", Path("configs/stores/kiosk.yaml")) as recorder:
        recorder.write(Packet("smartstore/v1/kiosk/data/scale/x", b"{}"), 1)
    assert "merge one store" in refused(capsys, "feed", "merge", feed, tmp_path / "kiosk.mcap", tmp_path / "out.mcap")
    assert not (tmp_path / "out.mcap").exists()


def damaged(feed: Path, how: str, to: Path) -> Path:
    content = bytearray(feed.read_bytes())
    if how == "truncated":
        content = content[: len(content) * 2 // 3]
    elif how == "bit-flipped":
        content[len(content) // 2] ^= 16
    elif how == "without its beginning":
        content[3] ^= 1
    elif how == "without its length":  # of the second chunk
        content[content.index(b"\x04\x00\x00\x00zstd", content.index(b"\x04\x00\x00\x00zstd") + 8) - 35] ^= 255
    else:
        content = bytearray()
    to.write_bytes(content)
    return to


HOW = ["truncated", "bit-flipped", "without its beginning", "without its length"]


@pytest.mark.parametrize("how", [*HOW, "empty"])
@pytest.mark.parametrize("command", ["info", "check", "export --jsonl", "cut {out}", "replay"])
def test_a_damaged_file_is_one_line(
    feed: Path, how: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = damaged(feed, how, tmp_path / "bad.mcap")
    name, *options = command.format(out=tmp_path / "out.mcap").split()
    words = ["replay", bad] if name == "replay" else ["feed", name, bad, *options]
    line = refused(capsys, *words)
    assert str(bad) in line
    assert ("--repair" in line) or how == "empty"
    assert [path.name for path in tmp_path.iterdir()] == ["bad.mcap"]


@pytest.mark.parametrize("how", HOW)
def test_what_is_whole_of_it_is_recovered(
    feed: Path, how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = damaged(feed, how, tmp_path / "bad.mcap"), tmp_path / "good.mcap"
    assert run(["feed", "check", str(bad), "--repair", str(good)]) == 0
    assert str(bad) in capsys.readouterr().err
    assert "whole" in told(capsys, "feed", "check", good)
    before, after = list(read_feed(feed)), list(read_feed(good))
    assert [packet for packet in before if packet in set_of(after)] == after
    assert len(after) >= len(before) * (0.5 if how == "truncated" else 0.7)
    with good.open("rb") as file:
        assert sum(1 for _ in make_reader(file, validate_crcs=True).iter_messages()) >= len(after)


def set_of(packets: list[Packet]) -> "Everything":
    return Everything({(packet.topic, packet.payload) for packet in packets})


class Everything(frozenset[tuple[str, bytes]]):
    """Packets cannot be hashed; what they say can."""

    def __contains__(self, packet: object) -> bool:
        return isinstance(packet, Packet) and frozenset.__contains__(self, (packet.topic, packet.payload))


def test_any_flipped_bit_is_noticed_and_never_a_crash(feed: Path, tmp_path: Path) -> None:
    whole, rng = feed.read_bytes(), random.Random(4)
    for _ in range(40):
        content = bytearray(whole)
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        (tmp_path / "bad.mcap").write_bytes(content)
        assert damages(tmp_path / "bad.mcap")


def test_no_recording_is_written_over(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = feed.stat().st_size
    assert "exists already" in refused(capsys, "feed", "cut", feed, feed, "--from", "1")
    assert "exists already" in refused(capsys, "feed", "merge", feed, feed, feed)
    assert "exists already" in refused(capsys, "feed", "check", feed, "--repair", feed)
    assert "exists already" in refused(capsys, "record", feed, "--broker", "mqtt://127.0.0.1:1")
    assert feed.stat().st_size == size


@pytest.mark.parametrize(("options", "says"), [
    (["--from", "soon"], "soon"), (["--from", "9", "--to", "3"], "not after"), (["--from", "900"], "nothing in that"),
    (["--topics", "data/nothing/#"], "nothing in that"), (["--topics", ","], "empty topic"),
])  # fmt: skip
def test_parts_that_are_none_are_one_line(
    options: list[str], says: str, feed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refused(capsys, "feed", "cut", feed, tmp_path / "out.mcap", *options)
    assert list(tmp_path.iterdir()) == []


def test_a_recorder_that_is_killed_leaves_a_readable_file(site: Site, tmp_path: Path) -> None:
    """The real program on a real broker, ended by SIGKILL while packets come."""
    out = tmp_path / "live.mcap"
    packets = as_packets(annas_visit(site))
    with EmbeddedBroker() as broker, MqttBus(broker.url) as bus:
        command = [
            sys.executable,
            "-m",
            "smartstore",
            "record",
            str(out),
            "--broker",
            broker.url,
            "--store",
            str(CORNER),
        ]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as recorder:
            assert recorder.stderr is not None
            assert b"recording" in recorder.stderr.readline()
            deadline, sent = time.monotonic() + 60, 0
            while not any(True for _ in read_feed(out)) and time.monotonic() < deadline:
                for packet in packets[sent % len(packets) : sent % len(packets) + 20]:
                    bus.publish(packet)
                sent += 20
                time.sleep(0.02)
            recorder.send_signal(signal.SIGKILL)
    kept = list(read_feed(out))
    assert len(kept) > 20
    assert {packet.payload for packet in kept} <= {packet.payload for packet in packets}
    assert recorded_site(out).store == "corner"


def test_record_keeps_what_is_said_until_it_is_told_to_stop(site: Site, tmp_path: Path) -> None:
    out, packets = tmp_path / "live.mcap", as_packets(annas_visit(site))[:200]
    with EmbeddedBroker() as broker, MqttBus(broker.url) as bus:
        command = [
            sys.executable,
            "-m",
            "smartstore",
            "record",
            str(out),
            "--broker",
            broker.url,
            "--store",
            str(CORNER),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as recorder:
            assert recorder.stderr is not None and recorder.stdout is not None
            assert b"recording" in recorder.stderr.readline()
            for packet in packets:
                bus.publish(packet)
            bus.flush()
            time.sleep(0.2)
            os.kill(recorder.pid, signal.SIGINT)
            assert b"200 packets" in recorder.stdout.read()
            assert recorder.wait() == 0
    assert list(read_feed(out)) == packets
    assert damages(out) == []


@pytest.mark.parametrize(("metadata", "attached"), [
    ({"catalogue_path": "/tmp/somewhere-else.yaml"}, ""), ({}, "../../../../../../tmp/somewhere-else.png"),
])  # fmt: skip
def test_a_recording_writes_nowhere_but_in_its_own_folder(
    metadata: dict[str, str], attached: str, tmp_path: Path
) -> None:
    told = store_documents(CORNER) | metadata
    (tmp_path / "picture").write_bytes(b"x")
    files = {attached: tmp_path / "picture"} if attached else {}
    with McapRecorder(tmp_path / "odd.mcap", "corner", told, files=files) as recorder:
        recorder.write(a_picture(1), at(1))
    with pytest.raises(FeedError, match=r"outside of its store's folder .*--store FILE"):
        recorded_site(tmp_path / "odd.mcap")
    assert not list(Path("/tmp").glob("somewhere-else*"))


def test_a_recording_without_its_store_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with McapRecorder(tmp_path / "bare.mcap", "corner", {}) as recorder:
        recorder.write(a_picture(1), at(1))
    assert "--store FILE" in refused(capsys, "replay", tmp_path / "bare.mcap")
