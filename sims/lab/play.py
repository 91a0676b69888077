"""One run of building and product in this process, without a broker: how everything that runs a lot runs.

In: a story (a scenario, the document of its store, a seed), and settings of the product that hears it, or of several.
Out: a :class:`Played` for each: the truth, what the product said, and what was on the wire. With pictures a vision
worker in this process looks at them, and what it says is on the wire in their place.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from sims.building import Building, load_building
from sims.lab.looking import Heard, Looker, keeping, kept
from sims.lab.product import Palms
from sims.lab.score import Published
from sims.lab.sequential import SequentialBaseline
from sims.scenario import Scenario
from sims.simulation import Fidelity, Simulation
from sims.truth import Truth, read_truth
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


Watch = Callable[[int], None]
"""Is told the event time, UTC nanoseconds, of every moment that was heard."""


def play_edge(
    scenario: Scenario, store: Path, seed: int, settings: Settings, baseline: bool = False,
    watch: Watch = lambda _: None,
) -> Played:  # fmt: skip
    """With smart cameras; ``baseline`` sets the sequential one beside the product.

    Raises:
        SiteError, BuildingError, ScenarioError, WalkingError: what cannot be played; each is one line.
    """
    return play_together(scenario, store, seed, [settings], baseline, watch)[0]


def play_together(
    scenario: Scenario, store: Path, seed: int, settings: Sequence[Settings], baseline: bool = False,
    watch: Watch = lambda _: None,
) -> list[Played]:  # fmt: skip
    """Like :func:`play_edge`, for a product with each of these settings. The building never hears the product, only
    palms; so it is played once, and all of them listen.
    """
    palms = Palms(building_of(store).store, seed)
    with tempfile.TemporaryDirectory() as folder:
        truth = Path(folder) / "truth.jsonl"
        told = _told(scenario, store, seed, "edge", palms, truth)
        return _heard(told, truth, site_of(store), palms, settings, baseline, watch)


def play_frames(
    scenario: Scenario, store: Path, seed: int, settings: Settings, baseline: bool = False,
    kept_in: Path | None = None, watch: Watch = lambda _: None,
) -> Played:  # fmt: skip
    """With pictures, at which a vision worker looks in this process. What it said is kept in the folder ``kept_in``,
    and where that has it nobody looks again.

    Raises:
        DetectorError: there are no usable weights; and as :func:`play_edge`.
    """
    site, palms = site_of(store), Palms(building_of(store).store, seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = kept_in or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        truth, feed = folder / "truth.jsonl", folder / "seen.mcap"
        if feed.is_file():
            moments = kept(feed)
        else:
            looker = Looker(site, settings.vision)
            told = _told(scenario, store, seed, "frames", palms, truth)
            moments = keeping(feed, site.store, ((t_ns, looker.look(packets)) for t_ns, packets in told))
        return _heard(moments, truth, site, palms, [settings], baseline, watch)[0]


def _told(scenario: Scenario, store: Path, seed: int, fidelity: Fidelity, palms: Palms, truth: Path) -> Iterator[Heard]:
    """What leaves the building, moment by moment; the truth is written on the way."""
    building = building_of(store)
    simulation = Simulation(building, scenario, seed, fidelity, scan=palms.scan, enrol=palms.enrol, truth=truth)
    return ((moment.t_ns, moment.packets) for moment in simulation.run())


def _heard(
    moments: Iterable[Heard], truth: Path, site: Site, palms: Palms, settings: Sequence[Settings], baseline: bool,
    watch: Watch,
) -> list[Played]:  # fmt: skip
    """What products with these settings make of it."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as open_services:
        key = Path(folder) / "palm.pem"
        key.write_bytes(palms.public_key_pem)
        listeners = [_Listener(site, key, one, baseline) for one in settings]
        for listener in listeners:
            open_services.enter_context(listener.service)
        for t_ns, packets in moments:
            for listener in listeners:
                listener.hear(packets)
            watch(t_ns)
        happened = read_truth(truth)
    return [listener.heard(happened) for listener in listeners]
