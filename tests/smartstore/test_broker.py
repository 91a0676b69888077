"""The embedded broker: starts on any port, says when it cannot, and never outlives its owner."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from smartstore.bus.base import BusError
from smartstore.bus.broker import EmbeddedBroker
from smartstore.bus.mqtt import MqttBus
from smartstore.wire.codec import Packet


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def gone_within(port: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not listening(port):
            return True
        time.sleep(0.02)
    return False


def test_two_brokers_live_side_by_side_and_free_their_ports() -> None:
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert one.port != other.port
        assert listening(one.port) and listening(other.port)
    assert gone_within(one.port, 2) and gone_within(other.port, 2)


def test_a_port_in_use_is_one_clear_line() -> None:
    with EmbeddedBroker() as broker, pytest.raises(BusError, match=rf"^port {broker.port} .*in use.*--port"):
        EmbeddedBroker(port=broker.port).__enter__()


def test_it_is_reachable_from_this_machine_only() -> None:
    with EmbeddedBroker() as broker:
        other = socket.gethostbyname(socket.gethostname())
        if other.startswith("127."):
            pytest.skip("this machine has no address but the loopback")
        with socket.socket() as probe:
            assert probe.connect_ex((other, broker.port)) != 0


def test_a_large_picture_passes() -> None:
    picture = Packet("smartstore/v1/corner/data/camera/c1/frame", b"\xff\xd8" + bytes(7_000_000), "image/jpeg")
    with EmbeddedBroker() as broker, MqttBus(broker.url, "r") as reader, MqttBus(broker.url, "c") as camera:
        reader.subscribe("smartstore/v1/corner/#")
        camera.publish(picture)
        assert reader.receive(10) == picture


OWNER = """
import signal, sys, time
from smartstore.bus.broker import EmbeddedBroker
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
with EmbeddedBroker() as broker:
    try:
        print(broker.port, flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        import socket
        print(socket.socket().connect_ex(("127.0.0.1", broker.port)), flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_dies_with_its_owner(how: signal.Signals) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    port = int(owner.stdout.readline())
    owner.send_signal(how)
    owner.wait()
    owner.stdout.close()
    assert gone_within(port, 3)


def test_ctrl_c_reaches_its_owner_first() -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, start_new_session=True)
    assert owner.stdout is not None
    owner.stdout.readline()
    os.killpg(owner.pid, signal.SIGINT)
    assert owner.stdout.readline().strip() == b"0", "the broker was gone before its owner could say goodbye"
    owner.stdout.close()
    owner.wait()
