"""Faults in a run, told as stories: outages last in event time, what must not be lost is kept, the rest is gone."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sims.lab.fault_table import ALL, MEASURES, NONE, compared, table
from sims.lab.hazards import Hazards
from sims.lab.run import RunRequest, run
from sims.simulation import Moment
from smartstore.bus.recording import read_feed
from smartstore.cli import run as tell
from smartstore.faults import FaultPlan
from smartstore.wire import messages as m
from smartstore.wire import topics
from smartstore.wire.codec import Packet, encode

ROOT = Path(__file__).parents[2]
ONE_VISIT = ROOT / "configs/scenarios/one-visit.yaml"
S = 1_000_000_000


class Called:
    """A stage that remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def stop_broker(self, sent_ns: int) -> None:
        self.calls.append(("broker stops", sent_ns // S))

    def start_broker(self, sent_ns: int) -> None:
        self.calls.append(("broker starts", sent_ns // S))

    def stop_service(self) -> None:
        self.calls.append(("service stops", -1))

    def start_service(self, sent_ns: int) -> None:
        self.calls.append(("service starts", sent_ns // S))


def plan(*faults: object) -> FaultPlan:
    return FaultPlan.model_validate({"schema": 1, "faults": faults})


def second(t_s: int) -> Moment:
    """A second of a building: weights, which may be lost, and a beam, which may not."""
    batch = m.ScaleBatch(seq=t_s, t_ns=t_s * S, period_ns=S, plates=["a"], grams=[[1.0]])
    beam = m.GateEvent(seq=t_s, t_ns=t_s * S, event_id=f"e{t_s}", kind="exit_beam")
    packets = (encode(topics.SCALE, "corner", "g1", batch), encode(topics.GATE, "corner", "exit", beam))
    return Moment(t_s * S, packets, 0)


def names(packets: list[Packet]) -> Counter[str]:
    return Counter(packet.topic.split("/")[3] for packet in packets)


def test_without_a_broker_devices_keep_what_must_not_be_lost() -> None:
    stage = Called()
    hazards = Hazards(plan({"fault": "restart_broker", "at_s": 3, "down_s": 4}), 1, 0, stage)
    sent = [hazards.observe(second(t)) for t in range(10)]
    assert [len(packets) for packets in sent] == [2, 2, 2, 0, 0, 0, 0, 6, 2, 2]
    assert names(sent[7]) == {"event": 5, "data": 1}
    assert stage.calls == [("broker stops", 2), ("broker starts", 2)]
    assert hazards.counts == {"restart_broker": 1, "lost_without_broker": 4}, "seconds 3 to 6"


def test_a_service_that_is_away_is_not_waited_for_and_comes_back_at_the_latest_at_the_end() -> None:
    stage = Called()
    hazards = Hazards(plan({"fault": "restart_service", "at_s": 3, "down_s": 100}), 1, 0, stage)
    away = []
    for t in range(6):
        assert len(hazards.observe(second(t))) == 2
        away.append(hazards.service_away)
    assert away == [False, False, False, True, True, True]
    hazards.finish()
    assert stage.calls == [("service stops", -1), ("service starts", 5)]


def test_the_product_is_waited_for_only_as_far_as_it_can_know() -> None:
    """Devices whose messages come late, and clocks that run ahead, must not make the run wait for ever."""
    late = Hazards(plan({"fault": "delay", "seconds": 5, "topics": ["#"]}), 1, 0, Called())
    for t in range(10):
        late.observe(second(t))
    assert late.sent_ns == 4 * S
    ahead = Hazards(plan({"fault": "skew", "offset_s": 60, "topics": ["#"]}), 1, 0, Called())
    ahead.observe(second(3))
    assert ahead.sent_ns == 3 * S
    nothing = Hazards(plan({"fault": "drop", "share": 1.0, "topics": ["#"]}), 1, 0, Called())
    nothing.observe(second(3))
    assert nothing.sent_ns == 0


def test_a_run_with_restarts_and_dead_devices_ends_and_says_what_it_cost(tmp_path: Path) -> None:
    """The broker and the service are away while the shopper comes in: what devices said of it is not lost."""
    faults = plan(
        {"fault": "restart_broker", "at_s": 1, "down_s": 0.5},
        {"fault": "kill", "devices": ["c2"], "from_s": 5, "to_s": 15},
        {"fault": "restart_service", "at_s": 2, "down_s": 0.5},
    )
    score = run(RunRequest(ONE_VISIT, seed=7, out=tmp_path / "run", faults=faults))
    assert score["faults"]["restart_broker"] == score["faults"]["restart_service"] == 1
    assert score["faults"]["kill"] > 20
    assert score["faults"]["lost_without_broker"] > 0
    assert json.loads((tmp_path / "run/score.json").read_text()) == score
    (receipt,) = json.loads((tmp_path / "run/receipts.json").read_text())
    assert receipt["lines"] == {"2000128906503": 1, "2000476946503": 1}
    told = [packet for packet in read_feed(tmp_path / "run/feed.mcap") if packet.topic.endswith("sys/c2/status")]
    assert [b"online" in packet.payload for packet in told][-3:] == [False, True, False]


def scored(fault: str, seed: int, f1: float, hits: dict[str, int] | None = None) -> dict[str, Any]:
    """A result as a run leaves it."""
    measures = {keys[0]: f1 for keys in MEASURES.values()} | {"time_to_receipt_s": {"p95": 6.0}}
    return {"fault": fault, "seed": seed, "scenario": "s", **measures, **({"faults": hits} if hits else {})}


def test_the_table_sets_each_fault_against_none(capsys: pytest.CaptureFixture[str]) -> None:
    rows = compared([
        scored(NONE, 1, 1.0), scored("drop", 1, 0.8, {"drop": 10}), scored(ALL, 1, 0.5, {"drop": 10, "skew": 4}),
        scored(NONE, 2, 0.9), scored("drop", 2, 0.9, {"drop": 20}), scored(ALL, 2, 0.5, {"drop": 20, "skew": 6}),
    ])  # fmt: skip
    assert [(row.fault, row.hits) for row in rows] == [(NONE, 0), ("drop", 15), (ALL, 20)]
    assert [round(row.figures["item F1"], 3) for row in rows] == [0.95, 0.85, 0.5]
    assert [round(row.differences["item F1"], 3) for row in rows] == [0.0, -0.1, -0.45]
    assert rows[1].differences["receipt p95, s"] == 0.0
    Console(width=200).print(table(rows, "what faults cost"))
    shown = capsys.readouterr().out
    assert "0.950" in shown
    assert "-0.100" in shown


@pytest.mark.parametrize(("text", "more", "says"), [
    ("{fault: kill, devices: [c99]}", [], "c99 is not a device of the store"),
    ("{fault: restart_broker, at_s: 3}", ["--broker", "mqtt://127.0.0.1:1"], "leave out --broker"),
    ("{fault: melt}", [], "melt"),
    ("{fault: restart_broker, at_s: 3, down_s: 2}, {fault: restart_service, at_s: 4}", [], "back only at 5 s"),
])  # fmt: skip
def test_faults_that_cannot_be_played_are_one_line(
    text: str, more: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(f"schema: 1\nfaults: [{text}]\n")
    command = ["sim", "run", str(ONE_VISIT), "--faults", str(bad), "--out", str(tmp_path / "out"), *more]
    assert tell(command) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert says in line
    assert not (tmp_path / "out").exists()
