"""The command line: what it shows, and one clear line for whatever is wrong."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smartstore.bus.broker import EmbeddedBroker
from smartstore.bus.mqtt import MqttBus
from smartstore.cli import run
from smartstore.console import print_table
from smartstore.domain.events import CaseRaised, ItemTaken, StoreEvent, VisitLeft, VisitOpened
from smartstore.domain.items import Candidate, Item
from smartstore.ledger.cart import PriceList, fold
from smartstore.ledger.journal import Journal
from smartstore.ledger.payments import Payments
from smartstore.ledger.settlement import Settlement
from smartstore.payment.gateway import StubGateway
from smartstore.settings import SettingsError, parse_settings, read_settings, settings_schema
from smartstore.wire import topics
from smartstore.wire.codec import Packet, decode, encode
from smartstore.wire.messages import GateEvent

ROOT = Path(__file__).parents[2]
CORNER = ROOT / "configs/stores/corner.yaml"
COLA = "4006381333931"
S = 1_000_000_000


def tell(*arguments: object) -> int:
    return run([str(argument) for argument in arguments])


@pytest.fixture
def db(tmp_path: Path) -> str:
    """A journal with one settled visit that has an open case, and one that is still inside."""
    prices = PriceList("EUR", {COLA: Item(COLA, "Cola", 129, "standard", 350, 1, (0.1, 0.1, 0.1))}, {"standard": 1900})
    left = VisitLeft("v1", 60 * S, "gate:2")
    story: list[StoreEvent] = [
        VisitOpened("v1", 10 * S, "gate:1", "t", 1),
        ItemTaken("v1", 20 * S, "step:1", COLA, 2, "a", 0.99),
        CaseRaised("v1", 30 * S, "step:2", "g1-1-30", "g1-1", (Candidate("v1", COLA, 1, "a", 0.5),)),
        left,
    ]
    inside: list[StoreEvent] = [
        VisitOpened("v2", 12 * S, "gate:9", "t", 1), ItemTaken("v2", 20 * S, "step:3", COLA, 1, "a", 0.9)
    ]  # fmt: skip
    settled = Settlement("corner", prices, Payments(StubGateway(), Journal())).settle(fold("v1", story), left, 65 * S)
    with Journal(f"sqlite:///{tmp_path / 'store.db'}") as journal:
        journal.append([*story, settled.event, *inside], {"v1": settled.receipt})
    return str(tmp_path / "store.db")


def test_receipts_are_listed_and_shown(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell("receipts", "--db", db) == 0
    assert "2.58 EUR" in capsys.readouterr().out
    assert tell("receipt", "corner-v1", "--db", db) == 0
    shown = capsys.readouterr().out
    assert "2 × Cola" in " ".join(shown.split())
    assert "to be reviewed: g1-1-30" in shown


def test_json_is_all_that_json_prints(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell("receipt", "v1", "--db", db, "--json") == 0
    transaction = json.loads(capsys.readouterr().out)
    assert transaction["TransactionID"] == "corner-v1"
    assert transaction["LineItem"][0] | {"Tax": None} == {
        "SequenceNumber": 1, "ItemID": COLA, "Description": "Cola", "Quantity": 2,
        "RegularSalesUnitPrice": 129, "ExtendedAmount": 258, "Tax": None}  # fmt: skip
    assert tell("receipts", "--db", db, "--json") == 0
    assert json.loads(capsys.readouterr().out) == [transaction]
    assert tell("carts", "--db", db, "--json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"visit": "v2", "state": "shopping", "lines": {COLA: 1}, "in_doubt": {}, "cases": []}]  # fmt: skip


def test_carts_show_who_is_inside(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell("carts", "--db", db) == 0
    shown = capsys.readouterr().out
    assert "v2" in shown
    assert "v1" not in shown


def test_channels_are_printed_as_a_table_and_as_asyncapi(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell("channels") == 0
    assert "data/scale/{fixture}" in capsys.readouterr().out
    assert tell("channels", "--asyncapi") == 0
    assert json.loads(capsys.readouterr().out)["asyncapi"].startswith("3.")


def test_a_sound_store_document_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell("site", "check", CORNER) == 0
    assert "no errors" in capsys.readouterr().out


def test_a_broken_store_document_is_named_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = CORNER.read_text().replace("kind: entry", "kind: hole").replace("../../data", str(ROOT / "data"))
    (tmp_path / "store.yaml").write_text(text)
    assert tell("site", "check", tmp_path / "store.yaml") == 2
    assert "store.yaml:" in capsys.readouterr().err


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


BAD = {
    "no such command": (["sell"], "No such command 'sell'"),
    "no such option": (["receipts", "--dbb", "x"], "No such option: --dbb"),
    "missing argument": (["receipt"], "Missing argument 'ID'"),
    "missing journal": (["receipts", "--db", "{tmp}/none.db"], "there is no journal .*none.db; .*--db"),
    "no such receipt": (["receipt", "v9", "--db", "{db}"], "there is no receipt v9 .*smartstore receipts"),
    "another program's file": (["carts", "--db", "{store}"], "not a database"),
    "missing store": (["serve", "--store", "{tmp}/x.yaml", "--any-token"], "x.yaml"),
    "nobody may come in": (["serve", "--store", "{store}"], "--palm-key FILE .* or --any-token"),
    "both": (["serve", "--store", "{store}", "--any-token", "--palm-key", "k"], "either --palm-key"),
    "missing key": (["serve", "--store", "{store}", "--palm-key", "{tmp}/k.pem"], "k.pem: cannot be read"),
    "unknown setting": (["serve", "--store", "{store}", "--any-token", "--settings", "{tmp}/s.yaml"],
                        "s.yaml: unknown key steps.cel_s; known here: cell_s"),
    "missing settings": (["serve", "--store", "{store}", "--any-token", "--settings", "{tmp}/t.yaml"], "t.yaml: c"),
    "no broker": (["serve", "--store", "{store}", "--any-token", "--db", "{tmp}/n.db", "--no-frames",
                   "--broker", "mqtt://127.0.0.1:{free}"], "no MQTT broker at mqtt://127.0.0.1:.* leave out --broker"),
    "no address": (["serve", "--store", "{store}", "--any-token", "--db", "{tmp}/n.db", "--broker", "http://x"],
                   "not of the form mqtt://"),
    "empty address": (["serve", "--store", "{store}", "--any-token", "--db", "{tmp}/n.db", "--no-frames",
                       "--broker", ""], "not of the form mqtt://"),
    "name of two levels": (["serve", "--store", "{store}", "--any-token", "--db", "{tmp}/n.db", "--no-frames",
                            "--port", "{free}", "--id", "a/b"], "--id 'a/b' cannot be part of a topic"),
    "port in use": (["serve", "--store", "{store}", "--any-token", "--db", "{tmp}/n.db", "--no-frames",
                     "--port", "{used}"], "port .* in use.* --port"),
    "port of whose broker": (["serve", "--store", "{store}", "--any-token", "--broker", "x", "--port", "5"], "--port"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_one_line(case: str, db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.yaml").write_text("steps: {cel_s: 1}\n")
    arguments, says = BAD[case]
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        places = {"tmp": tmp_path, "db": db, "store": CORNER, "free": free_port(), "used": used.getsockname()[1]}
        code = tell(*(argument.format(**places) for argument in arguments))
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert re.search(says, lines[0]), lines[0]


@pytest.mark.parametrize("broker", ["http://x", "mqtts://x"])
def test_a_service_that_cannot_begin_leaves_no_journal_behind(broker: str, tmp_path: Path) -> None:
    begin = ("serve", "--store", CORNER, "--any-token", "--db", tmp_path / "n.db", "--no-frames", "--broker", broker)
    assert tell(*begin, "--credentials", tmp_path / "none.yaml") == 2
    assert list(tmp_path.iterdir()) == []


def test_names_of_goods_may_have_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("what", "many"), [("Beans [bio]", "1"), ("Milk [/b] $x$", "2")])
    said = capsys.readouterr().out
    assert "Beans [bio]" in said and "Milk [/b] $x$" in said


def test_missing_weights_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    (tmp_path / "s.yaml").write_text(f"vision: {{detector: {tmp_path}/none.pt}}\n")
    code = tell("serve", "--store", CORNER, "--any-token", "--frames", "--settings", tmp_path / "s.yaml")
    error = capsys.readouterr().err.strip()
    assert code == 2
    assert "none.pt" in error
    assert "\n" not in error


# The whole program as a process


def at_gate(gate: str, event: GateEvent) -> Packet:
    return encode(topics.GATE, "corner", gate, event)


def test_a_served_store_hears_a_gate_and_stops_when_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = tmp_path / "store.db"
    with EmbeddedBroker() as broker, MqttBus(broker.url, "listener") as bus:
        bus.subscribe("smartstore/v1/corner/sys/+/status", "smartstore/v1/corner/event/cart/+")
        command = [sys.executable, "-m", "smartstore", "serve", "--store", str(CORNER), "--any-token",
                   "--broker", broker.url, "--db", str(journal), "--no-frames"]  # fmt: skip
        served = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=ROOT)
        packet = bus.receive(60)
        assert packet is not None
        assert b"online" in packet.payload
        bus.publish(at_gate("entry", GateEvent(seq=0, t_ns=100 * S, event_id="e0", kind="entry", visit="v0")))
        for seq in range(1, 4):  # both gates' clocks agree that this is in the past
            for gate in ("entry", "exit"):
                event = GateEvent(seq=seq, t_ns=(102 + seq) * S, event_id=f"e{seq}", kind="door")
                bus.publish(at_gate(gate, event))
        packet = bus.receive(10)
        assert packet is not None
        found = decode(packet)
        assert found is not None
        assert (found.channel.name, found.device, found.message.phase) == ("cart", "v0", "new")
        served.send_signal(signal.SIGTERM)
        packet = bus.receive(10)
        assert packet is not None
        assert b"offline" in packet.payload
        _, said = served.communicate(timeout=10)
    assert served.returncode == 0, said.decode()
    assert tell("carts", "--db", journal) == 0
    assert "v0" in capsys.readouterr().out


def test_without_pictures_no_vision_library_is_loaded() -> None:
    code = ("import sys, smartstore.service, smartstore.cli, smartstore.vision.worker; "
            "print([name for name in ('cv2', 'openvino', 'torch', 'ultralytics') if name in sys.modules])")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


# Settings


def test_the_shipped_settings_are_valid_and_are_the_defaults() -> None:
    assert read_settings(ROOT / "configs/pipeline.yaml") == read_settings()


def test_the_schema_that_editors_use_is_up_to_date() -> None:
    """To write it anew: ``python -m smartstore.settings``. Defaults may be tuned without that."""
    written = json.loads((ROOT / "configs/pipeline.schema.json").read_text())
    assert keys(written) == keys(settings_schema())


def keys(schema: dict[str, Any]) -> dict[str, list[str]]:
    return {name: sorted(part["properties"]) for name, part in {**schema["$defs"], "": schema}.items()}


@pytest.mark.parametrize(("data", "says"), [
    ({"stepz": {}}, "unknown key stepz; known here: timing"),
    ({"steps": {"noise": {"loud": 1}}}, "unknown key steps.noise.loud; known here: prior_grams"),
    ({"timing": {"lateness_s": "soon"}}, "timing.lateness_s: .* not 'soon'"),
    ({"timing": {"lateness_s": -1}}, "timing.lateness_s: .* greater than or equal to 0, not -1"),
    ({"timing": {"lateness_s": float("nan")}}, "timing.lateness_s"),
    ({"settlement": {"doubt": "guess"}}, "settlement.doubt: .*'hold'.* not 'guess'"),
    ({"steps": 3}, "steps: needs keys"), ([], "the whole file: needs keys"), ("text", "the whole file: needs keys"),
])  # fmt: skip
def test_an_impossible_setting_is_named_with_file_and_key(data: object, says: str) -> None:
    with pytest.raises(SettingsError, match=f"^my.yaml: .*{says}|^my.yaml: {says}"):
        parse_settings(data, "my.yaml")


def test_what_is_no_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("steps:\n  cell_s: [1\n")
    with pytest.raises(SettingsError, match=r"s\.yaml, line \d: is not YAML"):
        read_settings(tmp_path / "s.yaml")
    for odd in ("steps: 2026-13-01\n", "[" * 9999):
        (tmp_path / "s.yaml").write_text(odd)
        with pytest.raises(SettingsError, match=r"s\.yaml: is not YAML"):
            read_settings(tmp_path / "s.yaml")
