"""The window through which a service is watched: ``/metrics`` for Prometheus, ``/health`` for whoever restarts it.

In: the service's vitals, about once a second. Out: answers over HTTP from a thread of its own.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from smartstore.vitals import Doctor, Vitals

TEXT = "text/plain; version=0.0.4; charset=utf-8"
Clock = Callable[[], float]


class MetricsError(Exception):
    """The port cannot be used, or nobody answers there; one line."""


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is wsgiref's
        """Nobody wants a line per request."""


class Window(Collector):
    """``with Window(port) as window: window.show(vitals)``; port 0 takes a free one."""

    def __init__(self, port: int, host: str = "127.0.0.1", clock: Clock = time.monotonic) -> None:
        self._doctor, self._clock = Doctor(), clock
        self._lock = threading.Lock()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        try:
            self._server: WSGIServer = make_server(host, port, self._answer, handler_class=_Quiet)
        except OSError as error:
            why = (error.strerror or "unknown").lower()
            raise MetricsError(
                f"port {port} on {host} cannot be used ({why}); choose another with --metrics-port"
            ) from error
        self.url = f"http://{host}:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self._server.shutdown()
        self._server.server_close()

    def show(self, vitals: Vitals) -> None:
        """What is to be seen from now on."""
        with self._lock:
            self._doctor.see(vitals)

    def problems(self) -> list[str]:
        """What is wrong now."""
        with self._lock:
            return self._doctor.problems(self._clock())

    def collect(self) -> Iterator[Metric]:
        """For Prometheus: the latest vitals, and how many problems there are."""
        with self._lock:
            vitals, now_s = self._doctor.latest, self._clock()
            problems = len(self._doctor.problems(now_s))
        if vitals is not None:
            yield from _families(vitals, problems, now_s)

    def _answer(self, environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            start("200 OK", [("Content-Type", TEXT)])
            return [generate_latest(self._registry)]
        if path == "/health":
            problems = self.problems()
            start("503 Service Unavailable" if problems else "200 OK", [("Content-Type", "application/json")])
            return [json.dumps({"healthy": not problems, "problems": problems}).encode() + b"\n"]
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"look at /metrics or /health\n"]


def _families(vitals: Vitals, problems: int, now_s: float) -> Iterator[Metric]:
    names, who = ["store", "service"], [vitals.store, vitals.service]

    def gauge(name: str, about: str, value: float) -> Metric:
        family = GaugeMetricFamily(f"smartstore_{name}", about, labels=names)
        family.add_metric(who, value)
        return family

    def counter(name: str, about: str, label: str, values: Iterable[tuple[str, int]]) -> Metric:
        family = CounterMetricFamily(f"smartstore_{name}", about, labels=[*names, label])
        for key, value in values:
            family.add_metric([*who, key], value)
        return family

    yield counter("packets", "Packets by what became of them", "fate", vitals.packets.items())
    yield counter("pipeline", "What the pipeline ignored, dropped or repaired", "what", vitals.pipeline.items())
    bus = (("too_slow", vitals.lost), ("refused_by_broker", vitals.refused))
    yield counter("bus_dropped", "Packets lost between the broker and the service", "why", bus)
    yield gauge("connected", "Whether the connection to the broker stands", vitals.connected)
    yield gauge("processed_seconds", "Event time that is processed, UTC seconds", vitals.processed_ns / 1e9)
    yield gauge("problems", "What /health names", problems)
    silence = GaugeMetricFamily(
        "smartstore_device_silence_seconds", "Since a device was heard", labels=[*names, "device"]
    )
    for device, at_s in vitals.heard_s.items():
        silence.add_metric([*who, device], float("inf") if at_s is None else now_s - at_s)
    yield silence


def ask_health(url: str, timeout_s: float = 5.0) -> list[str]:
    """The problems of the service whose window is at ``url``.

    Raises:
        MetricsError: nobody answers there, or somebody else.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import urlopen

    try:
        try:
            with urlopen(f"{url}/health", timeout=timeout_s) as answer:
                document = json.load(answer)
        except HTTPError as answer:
            document = json.load(answer)
        return [str(problem) for problem in document["problems"]]
    except (URLError, OSError) as error:
        raise MetricsError(f"no service answers at {url} ({getattr(error, 'reason', error)}); start it with "
                           "--metrics-port, or give its address with --url") from error  # fmt: skip
    except (HTTPException, ValueError, LookupError, TypeError) as error:
        raise MetricsError(f"{url} is not the window of a service; give its address with --url") from error
