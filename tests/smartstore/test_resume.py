"""A service that is killed goes on where it was: the same receipts, each once, whatever moment it was."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sims.building import load_building
from sims.lab.product import Palms
from sims.publish import Outbox
from sims.scenario import load_scenario
from sims.simulation import Simulation
from smartstore.bus.base import MemoryBus, MemoryHub
from smartstore.domain.events import StoreEvent
from smartstore.ledger.inputs import InputLog
from smartstore.ledger.journal import Journal
from smartstore.payment.gateway import StubGateway
from smartstore.pipeline import Pipeline
from smartstore.service import EntryCheck, Service, pipeline_options
from smartstore.settings import parse_settings
from smartstore.site import Site, load_site
from smartstore.wire import messages, topics
from smartstore.wire.codec import Packet, Received, decode, encode

ROOT = Path(__file__).parents[2]
QUIET = ROOT / "configs/scenarios/corner-quiet.yaml"
SETTINGS = parse_settings({"service": {"listen_s": 0.0, "keep_state_s": 5.0}})


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(ROOT / "configs/stores/corner.yaml")


@pytest.fixture(scope="module")
def feed(site: Site, tmp_path_factory: pytest.TempPathFactory) -> list[Packet]:
    """What the visits of two shoppers look like on the wire; seed 470."""
    palms = Palms(site.store, 470)
    building, quiet = load_building(ROOT / "configs/stores/corner.yaml"), load_scenario(QUIET)
    scenario = quiet.model_copy(update={"shoppers": quiet.shoppers.model_copy(update={"count": 2})})
    simulation = Simulation(building, scenario, 470, scan=palms.scan, enrol=palms.enrol)
    return [packet for moment in simulation.run() for packet in moment.packets]


@dataclass
class Life:
    """One life of a service after the other, over the same disk."""

    site: Site
    folder: Path
    heard: list[Packet] = field(default_factory=list)

    def run(self, packets: Sequence[Packet], keeper: str | None = None) -> Journal:
        """One life: takes up what is there, hears packets, and is gone without a word."""
        hub = MemoryHub()
        with hub.connect() as bus, hub.connect() as ear, InputLog(self.folder / "state", "p") as inputs:
            ear.subscribe(f"smartstore/v1/{self.site.store}/event/#")
            journal = Journal(f"sqlite:///{self.folder / 'journal.db'}")
            gateway = StubGateway(books=self.folder / "provider.db")
            pipeline = Pipeline(self.site, pipeline_options(SETTINGS))
            service = Service(bus, self.site, pipeline, journal, gateway, EntryCheck(None), settings=SETTINGS,
                              frames=False, inputs=inputs)  # fmt: skip
            before = service._resume()
            service._recall.keepers |= {keeper} if keeper else set()
            if before:
                service._catch_up()
            for packet in packets:
                service.handle(packet)
                if service._recall.over():
                    service._go_on()
            self.processed_ns = pipeline.processed_ns
            self.stats, self.counts = pipeline.stats, service.counts
            self.heard += said(ear)
        return journal


def said(ear: MemoryBus) -> list[Packet]:
    return list(iter(lambda: ear.receive(0), None))


@pytest.fixture(scope="module")
def undisturbed(site: Site, feed: list[Packet], tmp_path_factory: pytest.TempPathFactory) -> Life:
    life = Life(site, tmp_path_factory.mktemp("undisturbed"))
    life.run(feed)
    return life


def test_receipts_are_the_same_however_often_the_service_dies(
    site: Site, feed: list[Packet], undisturbed: Life, tmp_path: Path
) -> None:
    cuts = [0, *sorted(np.random.default_rng(7).integers(1, len(feed), 7).tolist()), len(feed)]
    life = Life(site, tmp_path)
    for start, end in pairwise(cuts):
        journal = life.run(feed[max(0, start - 50) : end])  # the last ones before the crash come again
    with Journal(f"sqlite:///{undisturbed.folder / 'journal.db'}") as calm:
        assert len(calm.receipts()) == 2
        assert journal.receipts() == calm.receipts()
        assert list(journal.all_events()) == list(calm.all_events())
    provider = StubGateway(books=tmp_path / "provider.db")
    totals = {r.transaction.transaction_id: r.transaction.total for r in journal.receipts()}
    assert {f"{site.store}-{key}": money.minor for key, money in provider.captured.items()} == totals
    assert decoded(life.heard) == decoded(undisturbed.heard), "every message goes out, some of them twice"


def test_a_message_is_on_disk_before_anything_follows_from_it(site: Site, feed: list[Packet], tmp_path: Path) -> None:
    class PowerCut(BaseException):
        """The process is gone."""

    class Fatal(Pipeline):
        def feed(self, received: Received) -> list[StoreEvent]:
            raise PowerCut

    said = next(packet for packet in feed if "/data/scale/" in packet.topic)
    with MemoryHub().connect() as bus, InputLog(tmp_path, "p") as inputs:
        service = Service(bus, site, Fatal(site), Journal(), StubGateway(), EntryCheck(None), inputs=inputs)
        service._resume()
        with pytest.raises(PowerCut):
            service.handle(said)
    with InputLog(tmp_path, "p") as inputs:
        assert inputs.recover()[1] == [said]


def decoded(packets: Sequence[Packet]) -> dict[tuple[str, int], Any]:
    """What apps heard, by topic and sequence number: of what comes twice both must be the same."""
    found: dict[tuple[str, int], Any] = {}
    for packet in packets:
        received = decode(packet)
        assert received is not None
        if received.channel in (topics.CART, topics.RECEIPT, topics.REVIEW, topics.CHANGE):
            key = (packet.topic, received.message.seq)
            assert found.setdefault(key, received.message) == received.message, key
    return found


def test_duplicates_reordering_and_old_messages_change_nothing(
    site: Site, feed: list[Packet], undisturbed: Life, tmp_path: Path
) -> None:
    rng = np.random.default_rng(11)
    stamps = np.array([decode(packet).t_ns for packet in feed], float)  # type: ignore[union-attr]
    shuffled = [feed[i] for i in np.argsort(stamps + rng.uniform(0, 0.45e9, len(feed)), kind="stable")]
    story: list[Packet] = []
    for number, packet in enumerate(shuffled):
        story += [packet] * int(rng.integers(1, 3))
        if number % 40 == 0:
            story.append(shuffled[int(rng.integers(0, number + 1))])  # an old one, up to the very first
    life = Life(site, tmp_path)
    journal = life.run(story)
    with Journal(f"sqlite:///{undisturbed.folder / 'journal.db'}") as calm:
        assert list(journal.all_events()) == list(calm.all_events())
    assert life.stats["duplicates"] > len(feed) / 3
    assert life.stats["late"] == 0


def test_without_its_state_the_open_visits_go_to_a_person(site: Site, feed: list[Packet], tmp_path: Path) -> None:
    life = Life(site, tmp_path)
    life.run(feed[: len(feed) // 5])
    (inside,) = Journal(f"sqlite:///{tmp_path / 'journal.db'}").open_visits()
    for path in (tmp_path / "state").iterdir():
        path.unlink()
    journal = life.run([])
    cases = [event.case for event in journal.events(inside) if type(event).__name__ == "CaseRaised"]
    assert f"lost-{inside}" in cases


def test_a_gateway_sends_again_what_was_asked_for(site: Site, feed: list[Packet]) -> None:
    hub = MemoryHub()
    with hub.connect() as line, hub.connect() as ear, hub.connect() as service:
        ear.subscribe(f"smartstore/v1/{site.store}/#")
        outbox = Outbox(line, site.store)
        for packet in feed[:300]:
            outbox.publish(packet)
        first = said(ear)
        since_ns = decode(feed[200]).t_ns  # type: ignore[union-attr]
        service.publish(encode(topics.REPLAY, site.store, "main",
                               messages.Replay(seq=0, t_ns=0, since_ns=since_ns, session=9)))  # fmt: skip
        said(ear)
        outbox.attend()
        outbox.attend()
        again = said(ear)
    assert first[1:] == feed[:300]
    later = [packet for packet in feed[:300] if decode(packet).t_ns > since_ns]  # type: ignore[union-attr]
    assert again[:-1] == later
    answer = decode(again[-1])
    assert answer is not None
    assert (answer.channel, answer.message.session, answer.message.messages) == (topics.REPLAYED, 9, len(later))


def test_what_was_asked_for_is_no_flood(site: Site, tmp_path: Path) -> None:
    """A gateway sends again in a moment what two minutes of an outage held back."""
    life = Life(site, tmp_path)
    life.run([])
    life.run(outage := [people(site, n) for n in range(1800)], keeper="building")
    assert life.counts["too_many"] == 0
    assert life.counts["received"] == len(outage)


def people(site: Site, number: int) -> Packet:
    message = messages.People(seq=number, t_ns=10**18 + number * 66_000_000, width=640, height=360, people=[])
    return encode(topics.PEOPLE, site.store, "c1", message)
