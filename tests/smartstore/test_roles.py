"""Who gets in at a real Mosquitto with the shipped configuration, who may say what, and who hears it."""

import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from os import geteuid
from pathlib import Path

import pytest

from smartstore.bus.access import MqttAddress, broker_access
from smartstore.bus.base import BusError
from smartstore.bus.credentials import password_hash, write_credentials
from smartstore.bus.mqtt import MqttBus
from smartstore.bus.roles import Members, accounts, acl_text
from smartstore.cli import run as tell
from smartstore.wire import topics
from smartstore.wire.codec import Packet, encode
from smartstore.wire.messages import ScaleBatch

REPOSITORY = Path(__file__).parents[2]
SHIPPED = REPOSITORY / "configs/mosquitto/mosquitto.conf"
CORNER = REPOSITORY / "configs/stores/corner.yaml"
ROOT = "smartstore/v1/corner"
MOSQUITTO = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None, reason="MOSQUITTO IS MISSING: roles are not tested (apt-get install mosquitto)"
)
LARGEST = 2_097_152


@dataclass
class Field:
    """A broker in the field, and what was heard there of many attempts."""

    address: MqttAddress
    clients: Path
    log: Path
    heard: dict[str, set[str]] = field(default_factory=dict)
    """By account, the topics below the store of which it was told something."""

    def access(self, account: str) -> MqttAddress:
        return broker_access(f"mqtts://localhost:{self.address.port}", self.clients / f"{account}.yaml")

    def bus(self, account: str) -> MqttBus:
        return MqttBus(self.access(account), f"test-{account}")


# account, topic below the store, whether it may say that
SAYS = [
    ("camera-c1", "data/camera/c1/frame", True),
    ("camera-c1", "data/camera/c1/people", True),
    ("camera-c1", "data/camera/c1/facings", True),
    ("camera-c1", "sys/c1/status", True),
    ("camera-c1", "event/replayed/c1", True),
    ("camera-c1", "event/replayed/c2", False),
    ("camera-c1", "cmd/replay/main", False),
    ("camera-c1", "data/camera/c2/frame", False),
    ("camera-c1", "data/camera/c2/people", False),
    ("camera-c1", "sys/c2/status", False),
    ("camera-c1", "event/gate/entry", False),
    ("camera-c1", "event/gate/exit", False),
    ("camera-c1", "event/cart/v1", False),
    ("camera-c1", "data/scale/g1", False),
    ("camera-c1", "cmd/service/main/finish", False),
    ("scale-g1", "data/scale/g1", True),
    ("scale-g1", "sys/g1/status", True),
    ("scale-g1", "data/scale/g2", False),
    ("scale-g1", "data/camera/c1/people", False),
    ("scale-g1", "event/gate/entry", False),
    ("gate-entry", "event/gate/entry", True),
    ("gate-entry", "sys/entry/status", True),
    ("gate-entry", "event/gate/exit", False),
    ("gate-entry", "event/receipt/v1", False),
    ("vision-w1", "data/camera/c1/people", True),
    ("vision-w1", "data/camera/s2/facings", True),
    ("vision-w1", "sys/vision-w1/status", True),
    ("vision-w1", "data/camera/c1/frame", False),
    ("vision-w1", "data/scale/g1", False),
    ("vision-w1", "event/gate/entry", False),
    ("vision-w1", "event/receipt/v1", False),
    ("vision-w1", "sys/service/main/progress", False),
    ("service-main", "event/cart/v1", True),
    ("service-main", "event/receipt/v1", True),
    ("service-main", "event/review/k1", True),
    ("service-main", "event/change/g1-1-a", True),
    ("service-main", "data/floor/main", True),
    ("service-main", "sys/service/main/progress", True),
    ("service-main", "sys/service-main/status", True),
    ("service-main", "cmd/replay/main", True),
    ("service-main", "event/gate/entry", False),
    ("service-main", "data/scale/g1", False),
    ("service-main", "data/camera/c1/people", False),
    ("app", "event/cart/v1", False),
    ("app", "event/receipt/v1", False),
    ("app", "event/gate/entry", False),
    ("app", "cmd/service/main/finish", False),
    ("operator", "cmd/service/main/finish", True),
    ("operator", "event/gate/entry", False),
    ("operator", "event/receipt/v1", False),
]

# account, topic below the store that somebody says something about, whether it hears that
HEARS = [
    ("camera-c1", "cmd/replay/main", True),
    ("service-main", "event/replayed/c1", True),
    ("app", "cmd/replay/main", False),
    ("camera-c1", "event/cart/v1", False),
    ("camera-c1", "event/receipt/v1", False),
    ("camera-c1", "data/camera/c1/frame", False),
    ("camera-c1", "event/gate/entry", False),
    ("scale-g1", "event/cart/v1", False),
    ("gate-entry", "event/receipt/v1", False),
    ("gate-entry", "event/gate/entry", False),
    ("vision-w1", "data/camera/c1/frame", True),
    ("vision-w1", "event/gate/entry", False),
    ("vision-w1", "event/receipt/v1", False),
    ("service-main", "data/camera/c1/frame", True),
    ("service-main", "data/camera/c1/people", True),
    ("service-main", "data/scale/g1", True),
    ("service-main", "event/gate/entry", True),
    ("service-main", "cmd/service/main/finish", True),
    ("app", "event/cart/v1", True),
    ("app", "event/receipt/v1", True),
    ("app", "data/floor/main", True),
    ("app", "sys/c1/status", True),
    ("app", "event/gate/entry", False),
    ("app", "data/camera/c1/frame", False),
    ("app", "data/scale/g1", False),
    ("operator", "event/gate/entry", True),
    ("operator", "event/receipt/v1", True),
]
ACCOUNTS = list(dict.fromkeys(account for account, _, _ in SAYS + HEARS))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """Mosquitto as shipped but for its port, with everything that the table attempts done once."""
    folder = tmp_path_factory.mktemp("mosquitto")
    secrets = folder / "secrets"
    assert tell(["broker", "credentials", "--store", str(CORNER), str(secrets), "--worker", "w1"]) == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shipped = SHIPPED.read_text()
    assert shipped.count("listener 8883\n") == 1
    owner = "user root\n" if geteuid() == 0 else ""
    (folder / "mosquitto.conf").write_text(owner + shipped.replace("listener 8883\n", f"listener {port} 127.0.0.1\n"))
    (folder / "data").mkdir()
    assert MOSQUITTO is not None
    with (folder / "log").open("wb") as log:
        command = [MOSQUITTO, "-c", "mosquitto.conf"]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for_port(port, process, folder / "log")
        found = Field(MqttAddress("localhost", port, tls=True), secrets / "clients", folder / "log")
        attempt_everything(found)
        yield found
    finally:
        process.terminate()
        process.wait()


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("mosquitto did not start")


def attempt_everything(shop: Field) -> None:
    """Everybody listens to everything and then says everything in the tables, each under a name of its own."""
    buses = {account: shop.bus(account) for account in ACCOUNTS}
    for bus in buses.values():
        bus.__enter__()
        bus.subscribe("#")
    for account, topic, _ in SAYS:
        buses[account].publish(Packet(f"{ROOT}/{topic}", f"{account} says".encode(), qos=1))
    for bus in buses.values():
        assert bus.flush()
    for account, bus in buses.items():
        while (packet := bus.receive(0.3)) is not None:
            below = packet.topic.removeprefix(f"{ROOT}/")
            shop.heard.setdefault(account, set()).add(f"{packet.payload.decode()} {below}")
    for bus in buses.values():
        bus.close()


@needs_mosquitto
@pytest.mark.parametrize(("account", "topic", "may"), SAYS, ids=str)
def test_everybody_says_what_they_must_and_nothing_else(shop: Field, account: str, topic: str, may: bool) -> None:
    assert (f"{account} says {topic}" in shop.heard["operator"]) == may


@needs_mosquitto
@pytest.mark.parametrize(("account", "topic", "may"), HEARS, ids=str)
def test_everybody_hears_what_they_must_and_nothing_else(shop: Field, account: str, topic: str, may: bool) -> None:
    assert any(line.endswith(f" {topic}") for line in shop.heard["operator"]), "somebody said it"
    assert any(line.endswith(f" {topic}") for line in shop.heard.get(account, ())) == may


@needs_mosquitto
@pytest.mark.parametrize(("change", "says"), [
    ({"username": None, "password": None}, "does not let us in"),
    ({"username": "app", "password": None}, "does not let us in"),
    ({"password": "guess"}, "does not let us in"),
    ({"username": "camera-c1"}, "does not let us in"),
    ({"username": "nobody"}, "does not let us in"),
    ({"ca_file": None}, "certificate of mqtts://localhost:"),
    ({"host": "127.0.0.2"}, "no MQTT broker"),
    ({"tls": False}, "no answer"),
], ids=["anonymous", "no password", "wrong password", "another's password", "stranger", "no authority", "elsewhere",
        "no TLS"])  # fmt: skip
def test_who_does_not_get_in_is_told_in_one_line(shop: Field, change: dict[str, object], says: str) -> None:
    known = shop.access("app")
    bus = MqttBus(replace(known, **change), connect_timeout_s=1.0)  # type: ignore[arg-type]
    with pytest.raises(BusError) as caught:
        bus.__enter__()
    assert says in str(caught.value)
    assert str(known.password) not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@needs_mosquitto
def test_a_broker_of_another_name_is_not_believed(shop: Field) -> None:
    """Its certificate is signed by the right authority, and for somebody else."""
    with pytest.raises(BusError, match=r"is not to be trusted .*as its certificate does"):
        MqttBus(replace(shop.access("app"), host="0.0.0.0"), connect_timeout_s=1.0).__enter__()


@needs_mosquitto
@pytest.mark.parametrize(("size", "passes"), [(LARGEST - 1000, True), (LARGEST + 1, False)])
def test_pictures_pass_and_what_is_larger_does_not(shop: Field, size: int, passes: bool) -> None:
    topic = f"{ROOT}/data/camera/c2/frame"
    with shop.bus("service-main") as service, shop.bus("camera-c2") as camera:
        service.subscribe(topic)
        camera.publish(Packet(topic, bytes(size)))
        found = service.receive(3 if passes else 0.5)
    assert (found is not None) == passes


@needs_mosquitto
def test_a_refusal_is_counted_where_it_is_told(shop: Field) -> None:
    with shop.bus("camera-c1") as camera:
        for _ in range(3):
            camera.publish(Packet(f"{ROOT}/event/gate/entry", b"{}", qos=1))
        camera.publish(Packet(f"{ROOT}/sys/c1/status", b"{}", qos=1))
        assert camera.flush()
        assert camera.refused == 3


@needs_mosquitto
def test_a_store_is_served_with_tls_and_credentials(shop: Field, tmp_path: Path) -> None:
    """The service as a process: it hears a scale, an app hears it, and the password is in no line of its log."""
    command = [
        sys.executable, "-m", "smartstore", "serve", "--store", str(CORNER), "--any-token", "--no-frames",
        "--broker", str(shop.address), "--credentials", str(shop.clients / "service-main.yaml"), "--log-level", "debug",
        "--db", f"sqlite:///{tmp_path / 'journal.db'}", "--state", str(tmp_path / "state"),
    ]  # fmt: skip
    log = tmp_path / "log"
    with shop.bus("app") as app, shop.bus("scale-g1") as scale, log.open("wb") as written:
        app.subscribe(f"{ROOT}/sys/service-main/status", f"{ROOT}/sys/service/main/progress")
        while app.receive(0.2) is not None:
            pass  # what was retained before
        with subprocess.Popen(command, stdout=written, stderr=written, cwd=REPOSITORY) as process:
            try:
                status = app.receive(60)
                assert status is not None, log.read_text()
                assert b'"online"' in status.payload
                for seq in range(40):
                    batch = ScaleBatch(seq=seq, t_ns=(seq + 1) * 200_000_000, period_ns=16_666_667, plates=["x"],
                                       grams=[[1.0]] * 12)  # fmt: skip
                    scale.publish(encode(topics.SCALE, "corner", "g1", batch))
                deadline = time.monotonic() + 30
                processed = b""
                while b'"messages":40' not in processed and time.monotonic() < deadline:
                    packet = app.receive(1)
                    processed = packet.payload if packet is not None else processed
                assert b'"messages":40' in processed
            finally:
                process.terminate()
    assert str(shop.access("service-main").password) not in log.read_text()
    assert process.returncode == 0


@needs_mosquitto
def test_no_password_is_in_the_log_of_the_broker(shop: Field) -> None:
    log = shop.log.read_text()
    assert "camera-c1" in log
    for account in ACCOUNTS:
        assert str(shop.access(account).password) not in log


# The files


def members(**more: tuple[str, ...]) -> Members:
    return replace(Members("corner", ("c1",), ("g1",), ("entry",)), **more)  # type: ignore[arg-type]


def test_secrets_are_for_their_owner_only_and_stay_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    first = write_credentials(folder, accounts(members()), ["localhost"])
    assert first.kept == ()
    secret = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".crt"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    before = {account: broker_access("b", folder / f"clients/{account}.yaml") for account in first.accounts}
    second = write_credentials(folder, accounts(members(cameras=("c1", "c2"))), ["localhost", "10.0.0.7"])
    assert set(second.accounts) - set(second.kept) == {"camera-c2"}
    assert {account: broker_access("b", folder / f"clients/{account}.yaml") for account in first.accounts} == before
    assert len({address.password for address in before.values()}) == len(before)
    assert "camera-c2:" in (folder / "passwords").read_text()
    for address in before.values():
        assert str(address.password) not in (folder / "passwords").read_text()


@pytest.mark.skipif(shutil.which("mosquitto_passwd") is None, reason="mosquitto_passwd is not installed")
def test_passwords_are_hashed_in_the_form_of_mosquitto_passwd(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(theirs), "user", "secret"], check=True)
    kind, rounds, salt, digest = theirs.read_text().strip().removeprefix("user:$").split("$")
    ours = password_hash("secret", b"0123456789ab").lstrip("$").split("$")
    assert (ours[0], len(ours[3])) == (kind, len(digest))
    assert rounds.isdecimal()
    assert len(salt) == len(ours[2])


def test_the_example_of_access_rules_is_that_of_the_corner_store(tmp_path: Path) -> None:
    """Written anew with `smartstore broker credentials`; it shows what every role may."""
    assert tell(["broker", "credentials", "--store", str(CORNER), str(tmp_path / "s"), "--worker", "w1"]) == 0
    example = REPOSITORY / "configs/mosquitto/example.acl"
    assert example.read_text() == (tmp_path / "s/acl").read_text()


@pytest.mark.parametrize(("text", "mode", "says"), [
    ("username: a\npassword: s3cret\n", 0o644, "chmod 600"),
    ("username: a\n", 0o600, "is not a file of credentials"),
    ("s3cret", 0o600, "is not a file of credentials"),
    ("username: a\npassword: s3cret\ntoken: s3cret", 0o600, "is not a file of credentials"),
    (None, 0o600, "cannot be read"),
], ids=["readable by others", "no password", "no document", "unknown key", "missing"])  # fmt: skip
def test_bad_credentials_are_one_line_without_what_they_say(
    text: str | None, mode: int, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "me.yaml"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(BusError) as caught:
        broker_access("mqtts://localhost", path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_credentials_come_from_the_address_else_the_file_else_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "me.yaml"
    path.write_text("username: file\npassword: a\nca_file: ca.crt\n")
    path.chmod(0o600)
    environ = {"SMARTSTORE_MQTT_USERNAME": "env", "SMARTSTORE_MQTT_PASSWORD": "b"}
    assert broker_access("mqtts://url:c@h", path, environ=environ).username == "url"
    assert broker_access("mqtts://h", path, environ=environ) == MqttAddress(
        "h", 8883, True, "file", "a", tmp_path / "ca.crt"
    )
    assert broker_access("mqtts://h", environ=environ).username == "env"
    assert broker_access("mqtts://h", environ={}).username is None


def test_a_name_that_would_widen_the_rules_is_refused() -> None:
    with pytest.raises(BusError, match="cannot be the name"):
        accounts(members(workers=("+",)))
    assert "#" not in acl_text(accounts(members())).split("user operator")[0].split("\n", 1)[1]
