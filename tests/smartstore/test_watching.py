"""How a service is watched: numbers, problems in words, logs; strangers and floods that it counts and survives."""

import json
import logging
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from smartstore.bus.base import MemoryHub
from smartstore.cli import run as tell
from smartstore.intake import MOST_TRACKERS, Intake
from smartstore.ledger.journal import Journal
from smartstore.logs import JsonLines, PlainLines
from smartstore.metrics import MetricsError, Window, ask_health
from smartstore.payment.gateway import StubGateway
from smartstore.pipeline import Pipeline
from smartstore.service import EntryCheck, Service, status_packet
from smartstore.site import Site, load_site
from smartstore.vitals import Doctor, Vitals
from smartstore.wire import messages as m
from smartstore.wire import topics
from smartstore.wire.codec import Packet, encode

CORNER = Path(__file__).parents[2] / "configs/stores/corner.yaml"
S = 1_000_000_000
T0 = 1_767_603_600 * S


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(CORNER)


def vitals(at_s: float, **more: object) -> Vitals:
    well = Vitals("corner", "main", at_s, T0, at_s, {"received": 100}, {}, {"c1": at_s, "g1": at_s - 5})
    return replace(well, **more)  # type: ignore[arg-type]


# What is wrong


@pytest.mark.parametrize(("more", "now_s", "says"), [
    ({}, 101.0, None),
    ({}, 140.0, "has done nothing for 40 s"),
    ({"connected": False}, 101.0, "no connection to the broker"),
    ({"heard_s": {"c1": 100.0, "g1": 60.0}}, 101.0, "nothing was heard of g1"),
    ({"heard_s": {"c1": 100.0, "g1": None}}, 101.0, "nothing was heard of g1"),
    ({"heard_s": {"c1": None, "g1": 1.0}}, 101.0, "no device of the store was heard"),
    ({"advanced_s": 60.0}, 101.0, "event time stands still for 41 s"),
], ids=["well", "hangs", "no broker", "silent", "never heard", "all silent", "clocks"])  # fmt: skip
def test_what_is_wrong_is_said_in_words(more: dict[str, object], now_s: float, says: str | None) -> None:
    doctor = Doctor()
    doctor.see(vitals(100.0, **more))
    problems = doctor.problems(now_s)
    assert (says is None) == (problems == [])
    assert says is None or says in problems[0]


def test_a_service_that_has_not_begun_is_not_healthy() -> None:
    assert Doctor().problems(0.0) == ["the service has not started to work yet"]


def test_only_what_was_dropped_lately_matters() -> None:
    doctor = Doctor()
    doctor.see(vitals(0.0, packets={"received": 1000}))
    doctor.see(vitals(30.0, packets={"received": 2000, "malformed": 400, "too_many": 100}, lost=7))
    (problem,) = doctor.problems(31.0)
    assert problem == ("of 1100 packets of the last minute were dropped: 400 malformed, 100 too many, 7 too slow for")
    for at_s in (60.0, 90.0, 120.0):
        doctor.see(vitals(at_s, packets={"received": 4000, "malformed": 400, "too_many": 100}, lost=7))
    assert doctor.problems(121.0) == []


# The window


def test_prometheus_and_whoever_restarts_services_look_through_the_same_window() -> None:
    now = [100.0]
    with Window(0, clock=lambda: now[0]) as window:
        assert ask_health(window.url) == ["the service has not started to work yet"]
        window.show(vitals(100.0, packets={"received": 100, "malformed": 1}, pipeline={"late": 3}, refused=2))
        assert ask_health(window.url) == []
        with urlopen(f"{window.url}/metrics", timeout=5) as answer:
            families = {f.name: f for f in text_string_to_metric_families(answer.read().decode())}
        fates = {sample.labels["fate"]: sample.value for sample in families["smartstore_packets"].samples}
        assert fates == {"received": 100, "malformed": 1}
        (late,) = families["smartstore_pipeline"].samples
        assert (late.labels, late.value) == ({"store": "corner", "service": "main", "what": "late"}, 3)
        assert {s.labels["why"]: s.value for s in families["smartstore_bus_dropped"].samples} == {
            "too_slow": 0, "refused_by_broker": 2,
        }  # fmt: skip
        silence = {s.labels["device"]: s.value for s in families["smartstore_device_silence_seconds"].samples}
        assert silence == {"c1": 0.0, "g1": 5.0}
        now[0] = 200.0
        assert "has done nothing for 100 s" in ask_health(window.url)[0]


def test_health_on_the_command_line_has_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    now = [100.0]
    with Window(0, clock=lambda: now[0]) as window:
        window.show(vitals(100.0))
        assert tell(["health", "--url", window.url]) == 0
        assert capsys.readouterr().out == "healthy\n"
        now[0] = 190.0
        assert tell(["health", "--url", window.url]) == 1
        assert "has done nothing for 90 s" in capsys.readouterr().out
    assert tell(["health", "--url", window.url]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "no service answers at" in shown.err


@pytest.mark.parametrize("url", ["http://127.0.0.1:port", "http://not here", "127.0.0.1", ""])
def test_an_address_that_is_none_is_one_line(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(["health", "--url", url]) == 2
    assert "give its address with --url" in capsys.readouterr().err


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(MetricsError, match="cannot be used"):
            Window(taken.getsockname()[1])


def test_a_running_service_shows_how_it_is(site: Site) -> None:
    hub = MemoryHub()
    with (
        hub.connect(status_packet("corner", "main", "offline", 0)) as bus,
        hub.connect() as camera,
        Window(0) as window,
    ):
        service = Service(
            bus, site, Pipeline(site), Journal(), StubGateway(), EntryCheck(None), frames=False, watch=window.show
        )
        thread = threading.Thread(target=service.run)
        camera.subscribe(topics.STATUS.topic("corner", "service-main"))
        thread.start()
        assert camera.receive(10) is not None, "it is online"
        empty = m.People(seq=0, t_ns=T0, width=640, height=360, people=[])
        camera.publish(encode(topics.PEOPLE, "corner", "c1", empty))
        camera.publish(encode(topics.PEOPLE, "corner", "stranger", empty))
        camera.publish(Packet(topics.PEOPLE.topic("corner", "c2"), b"{"))
        deadline = time.monotonic() + 10
        text = ""
        while 'fate="malformed"' not in text and time.monotonic() < deadline:
            time.sleep(0.1)
            with urlopen(f"{window.url}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        service.stop()
        thread.join(10)
    assert 'smartstore_packets_total{fate="unknown_device",service="main",store="corner"} 1.0' in text
    assert 'smartstore_packets_total{fate="malformed",service="main",store="corner"} 1.0' in text
    assert 'smartstore_device_silence_seconds{device="k1",service="main",store="corner"} +Inf' in text


# Strangers and floods


def test_only_devices_of_the_store_are_listened_to(site: Site) -> None:
    intake = Intake(site, 100)
    for channel, known, strange in [
        (topics.PEOPLE, "c1", "g1"), (topics.FRAME, "s1", "c99"), (topics.SCALE, "g1", "c1"),
        (topics.GATE, "entry", "c1"), (topics.FACINGS, "s1", ""),
    ]:  # fmt: skip
        assert intake.refuses(channel, known, T0, 0.0) is None
        assert intake.refuses(channel, strange, T0, 0.0) == "unknown_device"
    assert intake.refuses(topics.FINISH, "main", T0, 0.0) is None
    heard = [intake.refuses(topics.TRACKS, f"system-{n}", T0, 0.0) for n in range(100)]
    assert heard.count(None) == MOST_TRACKERS


def test_a_flood_is_cut_for_its_sender_alone_until_time_goes_on(site: Site) -> None:
    intake = Intake(site, 10)
    fates = [intake.refuses(topics.PEOPLE, "c1", T0, 5.0) for _ in range(30)]
    assert fates == [None] * 10 + ["too_many"] * 20
    assert intake.refuses(topics.PEOPLE, "c2", T0, 5.0) is None
    assert intake.refuses(topics.PEOPLE, "c1", T0 + S, 5.0) is None, "event time goes on"
    for _ in range(20):
        intake.refuses(topics.PEOPLE, "c1", T0 + S, 5.0)
    assert intake.refuses(topics.PEOPLE, "c1", T0 + S, 6.1) is None, "event time stands still, the wall's does not"


def test_a_flood_of_one_camera_costs_the_others_nothing(site: Site) -> None:
    hub = MemoryHub()
    with hub.connect() as bus:
        service = Service(bus, site, Pipeline(site), Journal(), StubGateway(), EntryCheck(None), frames=False)
        for n in range(5000):
            flood = m.People(seq=n, t_ns=T0 + n, width=640, height=360, people=[])
            service.handle(encode(topics.PEOPLE, "corner", "c1", flood))
        batch = m.ScaleBatch(seq=0, t_ns=T0, period_ns=S // 60, plates=["g1-1-a"], grams=[[1.0]] * 12)
        service.handle(encode(topics.SCALE, "corner", "g1", batch))
    assert service.counts["too_many"] > 1500
    assert service.counts["received"] == 5001 - service.counts["too_many"]
    assert service._intake.heard_s.keys() == {"c1", "g1"}


# Logs


def record(text: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    trace = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("smartstore.service", logging.WARNING, __file__, 1, text, arguments, trace)


def test_a_json_line_is_one_line_whatever_is_in_it() -> None:
    try:
        raise ZeroDivisionError("no plates")
    except ZeroDivisionError as error:
        line = JsonLines().format(record("malformed: %s", 'a\nb"c', error=error))
    assert "\n" not in line
    entry = json.loads(line)
    assert (entry["level"], entry["logger"]) == ("warning", "smartstore.service")
    assert entry["message"] == 'malformed: a\nb"c'
    assert "ZeroDivisionError: no plates" in entry["trace"]
    assert entry["time"].endswith("+00:00")


def test_nobody_can_write_a_line_of_their_own_into_the_log() -> None:
    line = PlainLines().format(record("malformed: %s", "x\n2026-01-01 INFO smartstore: all is well\x1b[2J"))
    assert len(line.splitlines()) == 1
    assert "x\\n2026" in line
    assert "\x1b" not in line


def test_the_level_and_the_form_of_the_log_are_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["serve", "--store", str(CORNER), "--any-token", "--no-frames", "--broker", "mqtt://127.0.0.1:1"]
    command += ["--db", f"sqlite:///{tmp_path / 'journal.db'}"]
    assert tell([*command, "--log-json", "--log-level", "warning"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "no MQTT broker" in line
    assert tell([*command, "--log-level", "loud"]) == 2
    assert "loud" in capsys.readouterr().err


def test_watching_is_no_burden_on_commands_that_watch_nothing() -> None:
    """The command line starts without Prometheus."""
    code = "import sys, smartstore.cli; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
