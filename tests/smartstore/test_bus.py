"""One table of stories, told over every bus: in memory, embedded broker, Mosquitto."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from smartstore.bus.access import parse_url
from smartstore.bus.acks import Acknowledgements
from smartstore.bus.base import Bus, BusError, MemoryHub
from smartstore.bus.broker import EmbeddedBroker
from smartstore.bus.inbox import Inbox
from smartstore.bus.mqtt import MqttBus
from smartstore.wire.codec import Packet
from smartstore.wire.topics import matches

ROOT = "smartstore/v1/corner"
Connect = Callable[..., AbstractContextManager[Bus]]
MOSQUITTO = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_mosquitto(folder: Path, port: int) -> subprocess.Popen[bytes]:
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
                      "max_queued_messages 10000\npersistence false\n")  # fmt: skip
    assert MOSQUITTO is not None
    process = subprocess.Popen([MOSQUITTO, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.05)
    raise AssertionError("mosquitto did not start")


@pytest.fixture(scope="module", params=["memory", "embedded", "mosquitto"])
def connect(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connect]:
    if request.param == "memory":
        hub = MemoryHub()
        yield lambda _name, will=None: hub.connect(will)
    elif request.param == "embedded":
        with EmbeddedBroker() as broker:
            yield lambda name, will=None: MqttBus(broker.url, name, will)
    else:
        if MOSQUITTO is None:
            pytest.skip("MOSQUITTO IS MISSING: the bus is not tested against it (apt-get install mosquitto)")
        port = free_port()
        process = start_mosquitto(tmp_path_factory.mktemp("mosquitto"), port)
        yield lambda name, will=None: MqttBus(f"mqtt://127.0.0.1:{port}", name, will)
        process.terminate()
        process.wait()


def test_a_packet_arrives_as_it_was_sent(connect: Connect) -> None:
    picture = Packet(f"{ROOT}/data/camera/c1/frame", b"\xff\xd8" + bytes(60_000), "image/jpeg",
                     {"t_ns": "5", "seq": "1", "width": "640"})  # fmt: skip
    with connect("reader") as reader, connect("camera") as camera:
        reader.subscribe(f"{ROOT}/data/camera/+/frame")
        camera.publish(picture)
        assert reader.receive(5) == picture


def test_packets_of_qos_1_arrive_in_order_and_without_gaps(connect: Connect) -> None:
    sent = [Packet(f"{ROOT}/event/gate/entry", b"%d" % n, qos=1) for n in range(500)]
    with connect("reader") as reader:
        reader.subscribe(f"{ROOT}/event/gate/+")
        with connect("gate") as gate:
            for packet in sent:
                gate.publish(packet)
        assert [reader.receive(5) for _ in sent] == sent


def test_a_reader_gets_only_what_it_subscribed_to(connect: Connect) -> None:
    with connect("reader") as reader, connect("devices") as devices:
        reader.subscribe(f"{ROOT}/data/scale/+", f"{ROOT}/event/gate/#")
        for topic in ("data/scale/g1", "data/camera/c1/people", "event/gate/entry", "event/cart/v1", "data/scale/g2"):
            devices.publish(Packet(f"{ROOT}/{topic}", b"{}"))
        # one filter each: an MQTT broker keeps the order per filter only
        heard = {reader.receive(5).topic.removeprefix(f"{ROOT}/") for _ in range(3)}  # type: ignore[union-attr]
        assert heard == {"data/scale/g1", "event/gate/entry", "data/scale/g2"}
        assert reader.receive(0.05) is None


def test_retained_state_waits_for_those_who_come_later(connect: Connect) -> None:
    with connect("reader") as reader:
        with connect("scale") as scale:
            scale.publish(Packet(f"{ROOT}/sys/r1/status", b"online", qos=1, retain=True))
        reader.subscribe(f"{ROOT}/sys/r1/status")
        found = reader.receive(5)
        assert found is not None and found.payload == b"online"


def test_the_last_will_speaks_for_who_dies_and_not_for_who_leaves(connect: Connect) -> None:
    will = Packet(f"{ROOT}/sys/w1/status", b"offline", qos=1, retain=True)
    with connect("reader") as reader:
        reader.subscribe(f"{ROOT}/sys/w1/status")
        with connect("leaves", will):
            pass
        assert reader.receive(0.3) is None
        with pytest.raises(ZeroDivisionError), connect("dies", will):
            raise ZeroDivisionError
        found = reader.receive(5)
        assert found is not None and found.payload == b"offline"


def test_closing_ends_the_loop_of_the_reader(connect: Connect) -> None:
    with connect("reader") as reader, connect("gate") as gate:
        reader.subscribe(f"{ROOT}/event/gate/+")
        gate.publish(Packet(f"{ROOT}/event/gate/exit", b"last", qos=1))
        heard = []
        for packet in reader:
            heard.append(packet.payload)
            reader.close()
        assert heard == [b"last"]


@pytest.mark.parametrize(("topic_filter", "topic", "expected"), [
    ("a/b", "a/b", True), ("a/b", "a/b/c", False), ("a/+", "a/b", True), ("a/+", "a/b/c", False),
    ("a/+/c", "a/b/c", True), ("a/#", "a/b/c", True), ("a/#", "a", True), ("#", "a/b", True),
    ("#", "$SYS/x", False), ("+/x", "$SYS/x", False), ("a/+", "a", False), ("a", "b", False), ("a/b/+", "a/b/", True),
])  # fmt: skip
def test_wildcards_follow_mqtt(topic_filter: str, topic: str, expected: bool) -> None:
    assert matches(topic_filter, topic) is expected


def test_a_slow_reader_keeps_the_latest_pictures_and_every_weight() -> None:
    inbox = Inbox(keep_latest=2)
    for n in range(10):
        inbox.put(Packet(f"{ROOT}/data/camera/c1/frame", b"%d" % n))
        inbox.put(Packet(f"{ROOT}/data/scale/g1", b"%d" % n))
    inbox.close()
    rest = []
    while (packet := inbox.get(None)) is not None:
        rest.append(packet)
    assert [p.payload for p in rest if "frame" in p.topic] == [b"8", b"9"]
    assert [p.payload for p in rest if "scale" in p.topic] == [b"%d" % n for n in range(10)]
    assert inbox.lost == 8


def test_a_reader_that_is_far_too_slow_still_gets_every_gate_event() -> None:
    inbox = Inbox(limit=10)
    for n in range(100):
        inbox.put(Packet(f"{ROOT}/data/scale/g1", b"%d" % n))
        if n % 20 == 0:
            inbox.put(Packet(f"{ROOT}/event/gate/entry", b"%d" % n, qos=1))
    inbox.close()
    rest = []
    while (packet := inbox.get(None)) is not None:
        rest.append(packet)
    assert [p.payload for p in rest if p.qos] == [b"0", b"20", b"40", b"60", b"80"]
    assert len(rest) == 10


@pytest.fixture(params=["embedded", "mosquitto"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a broker of its own."""
    if request.param == "embedded":
        with EmbeddedBroker() as broker:
            yield broker.url
        return
    if MOSQUITTO is None:
        pytest.skip("MOSQUITTO IS MISSING: sessions are not tested against it (apt-get install mosquitto)")
    port = free_port()
    process = start_mosquitto(tmp_path, port)
    yield f"mqtt://127.0.0.1:{port}"
    process.terminate()
    process.wait()


def events(bus: Bus, count: int) -> list[bytes]:
    """The next payloads; an empty one where nothing comes."""
    return [packet.payload if (packet := bus.receive(5)) is not None else b"" for _ in range(count)]


def read_and_die(url: str) -> None:
    """A reader that dies over the third of five packets."""
    with MqttBus(url, "reader", durable_s=60) as reader:
        reader.subscribe(f"{ROOT}/event/gate/+")
        with MqttBus(url, "gate") as devices:
            for n in range(5):
                devices.publish(Packet(f"{ROOT}/event/gate/entry", b"%d" % n, qos=1))
        assert events(reader, 3) == [b"0", b"1", b"2"]
        time.sleep(0.2)  # the broker hears of what was read
        raise ZeroDivisionError("over 2, before it was done with")


def test_what_a_reader_died_over_comes_again_and_what_it_was_done_with_does_not(url: str) -> None:
    with pytest.raises(ZeroDivisionError):
        read_and_die(url)
    with MqttBus(url, "gate") as devices:
        devices.publish(Packet(f"{ROOT}/event/gate/entry", b"5", qos=1))
    with MqttBus(url, "reader", durable_s=60) as reader:
        assert events(reader, 4) == [b"2", b"3", b"4", b"5"]
        assert reader.receive(0.2) is None
    with MqttBus(url, "reader", durable_s=60) as reader:
        assert reader.receive(0.3) is None, "who leaves in order is done with what it read"


def test_acknowledgements_keep_their_order_whatever_is_read_when() -> None:
    told: list[int] = []
    owed = Acknowledgements(told.append)
    one, two, four = (Packet(f"{ROOT}/event/gate/entry", b"%d" % n, qos=1) for n in (1, 2, 4))
    for mid, packet in ((1, one), (2, two), (3, None), (4, four)):
        owed.came(mid, packet)
    assert told == []
    owed.taken(one)
    owed.done()
    assert told == [1]
    owed.taken(two)
    assert told == [1], "in hand is not done"
    owed.done()
    assert told == [1, 2, 3]
    owed.taken(four)
    owed.forget()
    owed.done()
    assert told == [1, 2, 3], "the connection is another one"


def test_a_durable_reader_gets_more_than_the_broker_has_in_flight_at_once(url: str) -> None:
    with MqttBus(url, "reader", durable_s=60) as reader, MqttBus(url, "devices") as devices:
        reader.subscribe(f"{ROOT}/event/#", f"{ROOT}/sys/+/status")
        for n in range(300):
            devices.publish(Packet(f"{ROOT}/event/gate/entry", b"%d" % n, qos=1))
            devices.publish(Packet(f"{ROOT}/sys/c1/status", b"online", qos=1))
        gates: list[int] = []
        while len(gates) < 300 and (packet := reader.receive(5)) is not None:
            gates += [int(packet.payload)] if "gate" in packet.topic else []
        assert gates == list(range(300))


@pytest.mark.skipif(MOSQUITTO is None, reason="MOSQUITTO IS MISSING: reconnection is not tested")
def test_after_a_restart_of_the_broker_everything_goes_on(tmp_path: Path) -> None:
    port = free_port()
    process = start_mosquitto(tmp_path, port)
    url, status = f"mqtt://127.0.0.1:{port}", f"{ROOT}/sys/reader/status"
    with MqttBus(url, "reader", Packet(status, b"offline", qos=1, retain=True)) as reader:
        reader.subscribe(f"{ROOT}/event/gate/+")
        reader.publish(Packet(status, b"online", qos=1, retain=True))
        process.terminate()
        process.wait()
        while reader.connected:
            time.sleep(0.01)
        reader.publish(Packet(f"{ROOT}/event/gate/exit", b"sent while away", qos=1))
        process = start_mosquitto(tmp_path, port)
        found = reader.receive(10)
        assert found is not None, "the subscription was lost"
        assert found.payload == b"sent while away"
        with MqttBus(url, "other") as other:
            other.subscribe(status)
            found = other.receive(10)
            assert found is not None, "who is back does not say so"
            assert found.payload == b"online"
    process.terminate()
    process.wait()


def test_who_subscribes_while_the_broker_is_gone_hears_once_it_is_back() -> None:
    status = f"{ROOT}/sys/reader/status"
    with EmbeddedBroker() as broker, MqttBus(broker.url, "reader") as reader:
        broker.kill()
        while reader.connected:
            time.sleep(0.01)
        reader.subscribe(status)
        broker.reopen()
        with MqttBus(broker.url, "writer") as writer:
            writer.publish(Packet(status, b"online", qos=1, retain=True))
            assert reader.receive(10) is not None


def test_nobody_there_is_one_clear_line() -> None:
    port = free_port()
    with pytest.raises(BusError, match=rf"^no MQTT broker at mqtt://127.0.0.1:{port} \(.*refused.*\).*--broker$"):
        MqttBus(f"mqtt://user:secret@127.0.0.1:{port}").__enter__()


def test_an_address_is_read_with_its_credentials_and_shown_without() -> None:
    address = parse_url("mqtts://till:p%40ss@broker.example")
    assert (address.host, address.port, address.tls, address.username) == ("broker.example", 8883, True, "till")
    assert address.password == "p@ss"
    assert str(address) == "mqtts://broker.example:8883"
    assert "p@ss" not in repr(address)


@pytest.mark.parametrize("url", ["http://x", "mqtt://", "mqtt://host:port", "mqtt://u:secret@host:99999999"])
def test_what_is_no_address_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(BusError, match="is not of the form") as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)
