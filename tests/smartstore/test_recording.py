"""Recordings: what was on the wire comes back byte for byte, and opens elsewhere."""

import json
from pathlib import Path

import jsonschema
import pytest
from mcap.reader import make_reader

from smartstore.bus import foxglove
from smartstore.bus.recording import FeedError, McapRecorder, feed_metadata, read_feed, read_timed_feed
from smartstore.wire import messages as m
from smartstore.wire import topics
from smartstore.wire.codec import Packet, encode

SECOND = 1_000_000_000
JPEG = b"\xff\xd8\xff" + bytes(range(256)) * 40 + b"\xff\xd9"


def a_feed(seconds: int) -> list[Packet]:
    feed = [encode(topics.STATUS, "corner", "c1", m.Status(seq=0, t_ns=0, state="online", kind="camera"))]
    for n in range(seconds):
        t_ns = n * SECOND
        feed += [
            encode(topics.FRAME, "corner", "c1", m.Frame(seq=n, t_ns=t_ns, width=64, height=36, jpeg=JPEG)),
            encode(topics.SCALE, "corner", "g1", m.ScaleBatch(seq=n, t_ns=t_ns, period_ns=SECOND // 60,
                                                              plates=["p1", "p2"], grams=[[1.5, None], [n / 3, -2.0]])),
            encode(topics.GATE, "corner", "entry", m.GateEvent(seq=n, t_ns=t_ns, event_id=f"e{n}", kind="door")),
        ]  # fmt: skip
    return feed


def record(path: Path, feed: list[Packet]) -> None:
    with McapRecorder(path, "corner", {"seed": "7"}) as recorder:
        for n, packet in enumerate(feed):
            recorder.write(packet, n * 1000)


def test_the_very_packets_come_back_in_order(tmp_path: Path) -> None:
    feed = [
        *a_feed(20),
        Packet("smartstore/v1/corner/data/scale/g1", b"{broken", qos=0),
        Packet("somebody/else", b"\x00\x01", "application/octet-stream", qos=1),
        Packet("smartstore/v1/corner/data/camera/c1/frame", b"no picture", "image/jpeg", {"t_ns": "soon"}),
    ]
    record(tmp_path / "feed.mcap", feed)
    assert list(read_feed(tmp_path / "feed.mcap")) == feed
    assert [t for t, _ in read_timed_feed(tmp_path / "feed.mcap")] == [n * 1000 for n in range(len(feed))]
    assert feed_metadata(tmp_path / "feed.mcap") == {"store": "corner", "seed": "7"}


def test_an_independent_reader_finds_valid_messages_with_their_times(tmp_path: Path) -> None:
    record(tmp_path / "feed.mcap", a_feed(5))
    kinds = set()
    with (tmp_path / "feed.mcap").open("rb") as file:
        for schema, channel, message in make_reader(file, validate_crcs=True).iter_messages():
            assert schema is not None
            kinds.add((schema.name, schema.encoding, channel.message_encoding))
            if schema.encoding == "jsonschema":
                body = json.loads(message.data)
                jsonschema.validate(body, json.loads(schema.data))
                assert json.loads(schema.data)["type"] == "object"
                assert message.publish_time == body["t_ns"]
            else:
                assert foxglove.decode_image(message.data)[0] == JPEG
                assert message.publish_time == message.sequence * SECOND
    assert kinds == {
        ("smartstore.Status", "jsonschema", "json"), ("smartstore.ScaleBatch", "jsonschema", "json"),
        ("smartstore.GateEvent", "jsonschema", "json"), ("foxglove.CompressedImage", "protobuf", "protobuf"),
    }  # fmt: skip


def test_the_descriptor_of_pictures_is_what_protobuf_reads(tmp_path: Path) -> None:
    pytest.importorskip("google.protobuf", reason="protobuf is not installed: checked by bytes alone")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(foxglove.image_descriptor()).file:
        pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(foxglove.IMAGE))
    image = kind.FromString(foxglove.encode_image(3 * SECOND + 5, "c1", JPEG, {"seq": "1"}))
    assert (image.timestamp.seconds, image.timestamp.nanos, image.frame_id, image.format) == (3, 5, "c1", "jpeg")
    assert image.data == JPEG


def test_a_file_cut_off_by_a_crash_is_readable_up_to_its_last_chunk(tmp_path: Path) -> None:
    feed = a_feed(200)
    record(tmp_path / "feed.mcap", feed)
    whole = (tmp_path / "feed.mcap").read_bytes()
    (tmp_path / "cut.mcap").write_bytes(whole[: len(whole) * 2 // 3])
    rest = list(read_feed(tmp_path / "cut.mcap"))
    assert 100 < len(rest) < len(feed)
    assert rest == feed[: len(rest)]


def test_a_recorder_that_never_closed_leaves_a_readable_file(tmp_path: Path) -> None:
    recorder = McapRecorder(tmp_path / "feed.mcap", "corner", {})
    feed = a_feed(200)
    for packet in feed:
        recorder.write(packet, 0)
    rest = list(read_feed(tmp_path / "feed.mcap"))
    assert 100 < len(rest) < len(feed)
    recorder.close()


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89MCAP0\r\n", bytes(1000)])
def test_what_is_no_recording_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.mcap").write_bytes(content)
    with pytest.raises(FeedError, match=r"x\.mcap: is not an MCAP recording"):
        list(read_feed(tmp_path / "x.mcap"))


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match=r"nowhere\.mcap: cannot be read \(No such file"):
        list(read_feed(tmp_path / "nowhere.mcap"))
    with pytest.raises(FeedError, match="cannot be written"):
        McapRecorder(tmp_path / "no" / "folder.mcap", "corner", {})
