"""Playing scenarios in the corner store without pictures."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sims.building import Building
from sims.scenario import Scenario
from sims.simulation import Simulation
from sims.stick import StickFigures
from sims.truth import Truth, read_truth
from sims.world import World
from smartstore.wire.codec import Packet, Received, decode

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "configs/scenarios"


class Palms:
    """Knows everybody; visits are numbered."""

    def __init__(self) -> None:
        self.enrolled: list[NDArray[np.float64]] = []
        self.visits = 0

    def enrol(self, palm: NDArray[np.float64]) -> None:
        self.enrolled.append(palm)

    def scan(self, palm: NDArray[np.float64], party_size: int, now_s: int) -> tuple[str, str] | None:
        self.visits += 1
        return f"v{self.visits:02d}", f"token-{self.visits:02d}"


@dataclass
class Played:
    """One run: what was on the wire, in order, and the truth."""

    packets: list[Packet]
    truth: Truth
    truth_bytes: bytes
    received: list[Received] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.received = [message for packet in self.packets if (message := decode(packet))]

    def of(self, channel: str, device: str | None = None) -> list[Received]:
        """Messages of a channel, of one device or all."""
        return [r for r in self.received if r.channel.name == channel and device in (None, r.device)]


def play(building: Building, scenario: Scenario, folder: Path, seed: int | None = None) -> Played:
    """Play a scenario with stick figures and edge cameras to its end."""
    palms, truth = Palms(), folder / "truth.jsonl"
    figures = StickFigures()
    simulation = Simulation(building, scenario, seed, scan=palms.scan, enrol=palms.enrol, truth=truth, figures=figures)
    packets = [packet for moment in simulation.run() for packet in moment.packets]
    return Played(packets, read_truth(truth), truth.read_bytes())


def world(building: Building, scenario: Scenario, seed: int = 1) -> World:
    """A world without devices."""
    palms = Palms()
    return World(building, scenario, seed, StickFigures(), palms.scan, palms.enrol)
