"""The gate of the simulated building asks the palm service over HTTP; and nothing of a palm goes any further."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from sims.building import load_building
from sims.scenario import load_scenario
from sims.simulation import Simulation
from sims.stick import StickFigures
from sims.truth import read_truth
from smartstore.palm.api import create_app
from smartstore.palm.client import PalmClient
from smartstore.palm.tokens import Verifier
from smartstore.service import EntryCheck
from smartstore.wire.codec import decode
from smartstore.wire.messages import GateEvent
from tests.smartstore.palm.people import SECOND, SIGNER, a_service
from tests.smartstore.palm.traces import forms, found

CORNER = Path(__file__).parents[3] / "configs/stores/corner.yaml"
TWO = {
    "schema": 1, "scenario": "two", "store": str(CORNER), "tail_s": 2,
    "shoppers": {"count": 2, "arrivals": {"first_s": 1, "gap_s": {"min": 2, "max": 3}}, "items": {"min": 1, "max": 1}},
}  # fmt: skip


class HttpPalms:
    """A gate and a desk of the building; the service's clock is that of the story."""

    def __init__(self) -> None:
        self.service, self.now_s = a_service(), 0
        self.seen: list[NDArray[np.float64]] = []
        app = TestClient(create_app(self.service, lambda: self.now_s * SECOND))
        self.gate, self.desk = (
            PalmClient(
                "http://palm", self.service.clients.add(role, role, "corner", 0, "operator"), None, app._transport
            )  # type: ignore[arg-type]
            for role in ("gate", "desk")
        )

    def enrol(self, palm: NDArray[np.float64]) -> None:
        self.seen.append(palm)
        self.desk.enrol(palm, 0.95, "2026-1")

    def scan(self, palm: NDArray[np.float64], party_size: int, now_s: int) -> tuple[str, str] | None:
        self.seen.append(palm)
        self.now_s = now_s
        token = self.gate.identify(palm, 0.95, party_size)
        return None if token is None else (token.visit, token.text)


def test_a_story_is_told_with_the_service_behind_http_and_no_palm_is_on_the_wire_or_in_the_truth(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(TWO))
    palms, scenario = HttpPalms(), load_scenario(tmp_path / "two.yaml")
    simulation = Simulation(
        load_building(CORNER), scenario, 1, scan=palms.scan, enrol=palms.enrol, truth=tmp_path / "truth.jsonl",
        figures=StickFigures(),
    )  # fmt: skip
    packets = [packet for moment in simulation.run() for packet in moment.packets]
    check, heard = EntryCheck(Verifier(SIGNER.key.public_key(), "corner")), [decode(packet) for packet in packets]
    entries = [r.message for r in heard if r and isinstance(r.message, GateEvent) and r.message.kind == "entry"]
    for entry in entries:
        check(entry)
    assert [entry.visit for entry in entries] == [visit.visit for visit in read_truth(tmp_path / "truth.jsonl").visits]
    assert len(palms.seen) == 4
    wire = b"".join(packet.topic.encode() + packet.payload + repr(packet.properties).encode() for packet in packets)
    everywhere = wire + (tmp_path / "truth.jsonl").read_bytes() + caplog.text.encode()
    assert not [palm for palm in palms.seen if found(forms(palm), everywhere)]
