"""One run of building and product in this process, without a broker: how everything that runs a lot runs.

In: a story (a scenario, the document of its store, a seed), and settings of the product that hears it, or of several.
Out: a :class:`Played` for each: the truth, what the product said, and what was on the wire. With pictures the run is an
ordinary one over a broker, in a folder that goes.
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from sims.building import Building, load_building
from sims.lab.product import Palms
from sims.lab.run import RunRequest, run
from sims.lab.score import Published
from sims.lab.sequential import SequentialBaseline
from sims.scenario import Scenario
from sims.simulation import Simulation
from sims.truth import Truth, read_truth
from smartstore.bus.recording import read_feed
from smartstore.embedded import EmbeddedStore
from smartstore.settings import Settings
from smartstore.site import Site, load_site
from smartstore.wire import topics
from smartstore.wire.codec import Packet, decode

STORES_KEPT = 16


@dataclass(slots=True)
class Traffic:
    """What was on the wire: by channel, how many messages and how many bytes of payload."""

    messages: dict[str, int] = field(default_factory=dict)
    payload_bytes: dict[str, int] = field(default_factory=dict)

    def count(self, packet: Packet) -> None:
        """One more packet."""
        found = topics.find(packet.topic)
        name = found[0].name if found else "other"
        self.messages[name] = self.messages.get(name, 0) + 1
        self.payload_bytes[name] = self.payload_bytes.get(name, 0) + len(packet.payload)


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a run: the truth, what the product said, the wire, and the baseline's carts where there is one."""

    truth: Truth
    said: Published
    baseline: Mapping[str, Mapping[str, int]] | None = None
    traffic: Traffic = field(default_factory=Traffic)


@lru_cache(STORES_KEPT)
def building_of(store: Path) -> Building:
    """The building of a store document; read once, so the document must not change while the program runs."""
    return load_building(store)


@lru_cache(STORES_KEPT)
def site_of(store: Path) -> Site:
    """The product's reading of a store document; read once."""
    return load_site(store)


class _Listener:
    """A product that hears a story, and the baseline beside it. What it says stays with it: nobody else hears it."""

    def __init__(self, site: Site, key: Path, settings: Settings, baseline: bool) -> None:
        self.said, self.traffic = Published(), Traffic()
        self.rival = SequentialBaseline(site) if baseline else None
        self.service = EmbeddedStore(site, key, settings)

    def hear(self, packets: Sequence[Packet]) -> None:
        """What left the building at a moment."""
        for packet in packets:
            self.traffic.count(packet)
            for answer in self.service.hear(packet):
                self.traffic.count(answer)
                self.said.observe(answer)
            if self.rival is not None and (batch := decode(packet)) and batch.channel is topics.SCALE:
                self.rival.feel(batch.device, batch.message)
        if self.rival is not None:
            self.rival.see(self.service.floor, self.service.owners)

    def heard(self, truth: Truth) -> Played:
        """What came of it, beside what really happened."""
        return Played(truth, self.said, None if self.rival is None else self.rival.carts, self.traffic)


def play_edge(scenario: Scenario, store: Path, seed: int, settings: Settings, baseline: bool = False) -> Played:
    """With smart cameras; ``baseline`` sets the sequential one beside the product.

    Raises:
        SiteError, BuildingError, ScenarioError, WalkingError: what cannot be played; each is one line.
    """
    return play_together(scenario, store, seed, [settings], baseline)[0]


def play_together(
    scenario: Scenario, store: Path, seed: int, settings: Sequence[Settings], baseline: bool = False
) -> list[Played]:
    """Like :func:`play_edge`, for a product with each of these settings. The building never hears the product, only
    palms; so it is played once, and all of them listen.
    """
    site, building = site_of(store), building_of(store)
    palms = Palms(building.store, seed)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as open_services:
        truth, key = Path(folder) / "truth.jsonl", Path(folder) / "palm.pem"
        key.write_bytes(palms.public_key_pem)
        simulation = Simulation(building, scenario, seed, scan=palms.scan, enrol=palms.enrol, truth=truth)
        listeners = [_Listener(site, key, one, baseline) for one in settings]
        for listener in listeners:
            open_services.enter_context(listener.service)
        for moment in simulation.run():
            for listener in listeners:
                listener.hear(moment.packets)
        happened = read_truth(truth)
    return [listener.heard(happened) for listener in listeners]


def play_frames(scenario: str, seed: int, settings: Mapping[str, Any]) -> Played:
    """With pictures, over a broker; ``scenario`` is the text of its document, whose paths are absolute.

    Raises:
        RunError and whatever else a run raises; each is one line.
    """
    with tempfile.TemporaryDirectory() as folder:
        script, out, options = (Path(folder) / name for name in ("scenario.yaml", "run", "settings.yaml"))
        script.write_text(scenario)
        options.write_text(yaml.safe_dump(dict(settings)))
        run(RunRequest(script, seed=seed, fidelity="frames", out=out, settings=options))
        said, traffic = Published(), Traffic()
        for packet in read_feed(out / "feed.mcap"):
            traffic.count(packet)
            said.observe(packet)
        return Played(read_truth(out / "truth.jsonl"), said, traffic=traffic)
