"""The whole product inside another program: for benches with so many short runs that a broker and a process for each
would cost more than the runs.

In: the packets of the devices, in the order of their arrival. Out: what the service publishes about them. Journal and
payments live in memory and end with the object; the words on the bus are the same as over a broker.
"""

from pathlib import Path

from smartstore.bus.base import MemoryHub
from smartstore.domain.people import FloorState
from smartstore.ledger.journal import Journal
from smartstore.listening import EntryCheck
from smartstore.palm.tokens import read_verifier
from smartstore.payment.gateway import StubGateway
from smartstore.pipeline import Pipeline, Vision
from smartstore.service import Service, pipeline_options
from smartstore.settings import Settings, parse_settings
from smartstore.site import Site
from smartstore.wire import topics
from smartstore.wire.codec import Packet


class EmbeddedStore:
    """One store's service, fed by hand. Without ``vision`` it looks at no pictures: for smart cameras only."""

    def __init__(
        self, site: Site, palm_key: Path | None = None, settings: Settings | None = None, vision: Vision | None = None
    ) -> None:
        """``palm_key`` is the palm service's public key; without it everybody may come in.

        Raises:
            TokenError: the key cannot be read.
        """
        options, hub = settings or parse_settings({}), MemoryHub()
        check = EntryCheck(read_verifier(palm_key, site.store) if palm_key is not None else None)
        self._ear, self._bus, self._journal = hub.connect(), hub.connect(), Journal()
        self._ear.subscribe(f"{topics.ROOT}/{site.store}/#")
        self._pipeline = Pipeline(site, pipeline_options(options), vision)
        self._service = Service(
            self._bus,
            site,
            self._pipeline,
            self._journal,
            StubGateway(),
            check,
            settings=options,
            frames=vision is not None,
        )

    def __enter__(self) -> "EmbeddedStore":
        self._ear.__enter__()
        self._bus.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.close()
        self._ear.close()
        self._journal.close()

    def hear(self, packet: Packet) -> list[Packet]:
        """What the service says on hearing one more packet."""
        self._service.handle(packet)
        return self._said()

    def finish(self) -> list[Packet]:
        """The feed has ended: what the service says when it decides all that still waits."""
        self._service.finish()
        return self._said()

    @property
    def stats(self) -> dict[str, int]:
        """What was dropped, ignored or repaired so far, by name."""
        return {**self._pipeline.stats, **{name: count for name, count in self._service.counts.items() if count}}

    @property
    def floor(self) -> FloorState:
        """Where everybody was last seen."""
        return self._pipeline.floor

    @property
    def owners(self) -> dict[int, str]:
        """The visit of every track that ever belonged to one."""
        return dict(self._pipeline.owners)

    def _said(self) -> list[Packet]:
        said = []
        while (packet := self._ear.receive(timeout_s=0)) is not None:
            said.append(packet)
        return said
