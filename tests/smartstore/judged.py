"""A store with a scripted pipeline and a doubtful case: the stage on which verdicts are told as stories."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smartstore.bus.base import MemoryHub
from smartstore.domain.events import CaseRaised, ItemTaken, StoreEvent, VisitLeft, VisitOpened
from smartstore.domain.items import Candidate
from smartstore.domain.people import FloorState
from smartstore.ledger.journal import Journal
from smartstore.ledger.verdicts import Verdict, candidate, decide, read_cases
from smartstore.payment.gateway import StubGateway
from smartstore.service import EntryCheck, Service, status_packet
from smartstore.settings import Settings
from smartstore.site import Site
from smartstore.wire import topics
from smartstore.wire.codec import Received, decode, encode
from smartstore.wire.messages import GateEvent

ROOT = Path(__file__).parents[2]
S = 1_000_000_000
PLACE, OTHER_PLACE = "g1-2-b", "g1-2-d"
CASE = "step-g1-9"
LATER = 100 * S


@dataclass
class Script:
    """A pipeline that says the next chapter with every message."""

    chapters: list[Sequence[StoreEvent]] = field(default_factory=list)
    processed_ns: int = -1
    stats: dict[str, int] = field(default_factory=dict)
    floor: FloorState = field(default_factory=lambda: FloorState(-1, ()))
    owners: dict[int, str] = field(default_factory=dict)

    def feed(self, received: Received) -> Sequence[StoreEvent]:
        return self.chapters.pop(0) if self.chapters else ()

    def flush(self) -> Sequence[StoreEvent]:
        return ()


@dataclass
class Store:
    """A service with its journal and provider, and what was heard of it."""

    site: Site
    journal: Journal
    gateway: StubGateway
    service: Service
    script: Script
    ear: Any

    def tells(self, *events: StoreEvent) -> None:
        """The pipeline decides something; then the service asks for verdicts, as it does twice a second."""
        self.script.chapters.append(events)
        message = GateEvent(seq=0, t_ns=S, event_id="e", kind="door")
        self.service.handle(encode(topics.GATE, self.site.store, "exit", message))
        self.service.hear_verdicts()

    def heard(self) -> list[Received]:
        found = []
        while (packet := self.ear.receive(0)) is not None:
            received = decode(packet)
            assert received is not None
            found.append(received)
        return found

    def receipts(self) -> list[tuple[str, int, str, int]]:
        """(visit, version, phase, total) of the receipts heard since."""
        return [(r.device, r.message.seq, r.message.phase, r.message.transaction.total)
                for r in self.heard() if r.channel is topics.RECEIPT]  # fmt: skip

    @property
    def paid(self) -> int:
        """Minor units that really moved."""
        taken, back = self.gateway.captured.values(), self.gateway.refunded.values()
        return sum(money.minor for money in taken) - sum(money.minor for money in back)


@contextmanager
def a_store(
    site: Site, journal: Journal | None = None, gateway: StubGateway | None = None, settings: Settings | None = None,
    pictures: Path | None = None,
) -> Iterator[Store]:  # fmt: skip
    hub, book, provider = MemoryHub(), journal or Journal(), gateway or StubGateway()
    with hub.connect(status_packet(site.store, "main", "offline", 0)) as bus, hub.connect() as ear:
        ear.subscribe(f"smartstore/v1/{site.store}/event/#")
        script = Script()
        service = Service(bus, site, script, book, provider, EntryCheck(None), settings=settings or Settings(),
                          frames=False, pictures=pictures)  # fmt: skip
        yield Store(site, book, provider, service, script, ear)


def sku(site: Site, place: str = PLACE) -> str:
    return site.facings[place].sku


def price(site: Site, place: str = PLACE) -> int:
    return site.items[sku(site, place)].price_minor


def opened(visit: str = "v1") -> VisitOpened:
    return VisitOpened(visit, S, f"gate:{visit}", f"token-{visit}", 1)


def left(visit: str = "v1") -> VisitLeft:
    return VisitLeft(visit, 50 * S, f"exit:{visit}", 55 * S)


def doubt(site: Site) -> CaseRaised:
    """Somebody took one from one of two facings: v1 more likely than v2."""
    candidates = (
        Candidate("v1", sku(site), 1, PLACE, 0.5),
        Candidate("v2", sku(site), 1, PLACE, 0.3),
        Candidate("v1", sku(site, OTHER_PLACE), 1, OTHER_PLACE, 0.15),
        Candidate(None, "", 0, PLACE, 0.05),
    )
    return CaseRaised("v1", 9 * S, "step:g1:9", CASE, PLACE, candidates)


def taken(site: Site, visit: str = "v1", cause: str = "step:1") -> ItemTaken:
    return ItemTaken(visit, 5 * S, cause, sku(site, OTHER_PLACE), 1, OTHER_PLACE, 0.99)


def judge(journal: Journal, verdict: Verdict | int, again: bool = False, by: str = "Mia", t_ns: int = LATER) -> None:
    """A person decides, as the command line does: into the journal, whatever else runs."""
    case = read_cases(journal)[CASE]
    chosen = candidate(case.raised, verdict) if isinstance(verdict, int) else verdict
    journal.append(decide(case, chosen, by, t_ns, again))
