"""A store's service on a broker, for the time of a test: in a thread of its own, its journal in memory.

In: what devices publish on the broker. Out: what a service publishes.
"""

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from smartstore.bus.mqtt import MqttBus
from smartstore.ledger.journal import Journal
from smartstore.listening import EntryCheck
from smartstore.palm.tokens import read_verifier
from smartstore.payment.gateway import StubGateway
from smartstore.pipeline import Pipeline
from smartstore.service import Service, pipeline_options, status_packet
from smartstore.settings import Settings
from smartstore.site import Site
from smartstore.vision.worker import LazyVision
from smartstore.vision_service import vision_worker
from smartstore.wire import topics
from smartstore.wire.codec import Packet, decode

NAME = "main"
START_S = 1.0
"""So long the thread is waited for before it is looked whether it still runs."""


class ServedStore:
    """``with ServedStore(site, url):`` serves ``site`` on the broker at ``url`` under the name "main".

    Without ``palm_key`` everybody may come in.
    """

    def __init__(self, site: Site, url: str, palm_key: Path | None = None, settings: Settings | None = None) -> None:
        self.site, self.url = site, url
        self._palm_key, self._settings = palm_key, settings or Settings()
        self._ended = threading.Event()
        self._service: Service | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="served store", daemon=True)

    def __enter__(self) -> Self:
        """Returns once the service hears what is published.

        Raises:
            BusError, TokenError: the broker or the key cannot be used.
        """
        with MqttBus(self.url) as ear:
            ear.subscribe(topics.STATUS.topic(self.site.store, f"service-{NAME}"))
            self._thread.start()
            while not self._ended.is_set() and not _is_online(ear.receive(START_S)):
                pass
        if self._error is not None:
            raise self._error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        if self._service is not None:
            self._service.stop()
        self._thread.join()
        if self._error is not None and kind is None:
            raise self._error

    def _serve(self) -> None:
        site, options = self.site, self._settings
        try:
            check = EntryCheck(read_verifier(self._palm_key, site.store) if self._palm_key is not None else None)
            will = status_packet(site.store, NAME, "offline", 0)
            vision = LazyVision(lambda: vision_worker(site, options.vision))
            pipeline = Pipeline(site, pipeline_options(options), vision)
            with MqttBus(self.url, will=will, keep_latest=options.service.keep_latest) as bus, Journal() as journal:
                self._service = Service(bus, site, pipeline, journal, StubGateway(), check, settings=options)
                self._service.run()
        except BaseException as error:  # noqa: BLE001 - it is raised in the test's own thread
            self._error = error
        finally:
            self._ended.set()


def _is_online(packet: Packet | None) -> bool:
    received = decode(packet) if packet is not None else None
    return received is not None and received.message.state == "online"
