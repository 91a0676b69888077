"""One simulated run: building, broker and product put together, recorded and scored.

In: a scenario document and options. Out: a folder with ``feed.mcap truth.jsonl receipts.json score.json floor.png``.
The product runs as a process of its own and hears nothing but the broker.
"""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sims.building import Building, load_building
from sims.devices.edge_model import load_edge_model
from sims.lab.picture import draw_floor
from sims.lab.product import Palms, ProductProcess
from sims.lab.score import Published, score
from sims.publish import Pacer
from sims.scenario import Scenario, load_scenario
from sims.simulation import Simulation
from sims.truth import read_truth
from smartstore.bus.base import Bus
from smartstore.bus.broker import EmbeddedBroker
from smartstore.bus.mqtt import MqttBus
from smartstore.bus.recording import McapRecorder
from smartstore.feed.receipts import receipts_document
from smartstore.feed.recording import open_recorder
from smartstore.service import quiet_collector
from smartstore.settings import read_settings
from smartstore.site import load_site
from smartstore.wire import topics
from smartstore.wire.codec import Packet, decode

SERVICE = "main"
AHEAD_S = 6.0
PATIENCE_S = 60.0
KEEP_ALL = 1_000_000
"""A recording has everything; the pace of the run bounds what waits."""

Fidelity = Literal["frames", "edge"]


class RunError(Exception):
    """A run that cannot go on; the text is one line for the user."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to run. ``out`` None: ``data/runs/{scenario}-{fidelity}-{seed}``."""

    scenario: Path
    store: Path | None = None
    seed: int | None = None
    fidelity: Fidelity = "edge"
    cameras_fps: float | None = None
    broker_url: str | None = None
    out: Path | None = None
    settings: Path | None = None
    edge: Path | None = None
    """Error model of edge cameras instead of the scenario's own."""


@dataclass(slots=True)
class Live:
    """What a spectator of a run sees; updated while it runs."""

    scenario: str
    seed: int
    t_s: float = 0.0
    duration_s: float = 0.0
    inside: int = 0
    carts: dict[str, str] = field(default_factory=dict)
    receipts: dict[str, int] = field(default_factory=dict)
    cases: int = 0
    wall_s: float = 0.0
    renderer: str = "none"


def run(request: RunRequest, watch: Callable[[Live], None] = lambda _: None) -> dict[str, Any]:
    """Run a scenario to settled receipts and return its score.

    Raises:
        RunError, ScenarioError, BuildingError, BusError: bad input or a product that does not answer; the output
            folder is then left as it was.
    """
    scenario = load_scenario(request.scenario)
    if request.edge is not None:
        scenario = scenario.model_copy(update={"edge": str(request.edge.resolve())})
    load_edge_model(scenario.edge_file)
    store = (request.store or scenario.store).resolve()
    load_site(store)
    read_settings(request.settings)
    building = load_building(store)
    scenario.check(building)
    seed = scenario.seed if request.seed is None else request.seed
    out = request.out or Path("data/runs") / f"{scenario.scenario}-{request.fidelity}-{seed}"
    if out.exists() and not out.is_dir():
        raise RunError(f"{out}: is not a folder; give another one with --out")
    work = out.with_name(f".{out.name}.partial")
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True)
        result = _Run(request, scenario, building, store, seed, work).play(watch)
        _replace(work, out)
    except OSError as error:
        raise RunError(f"{error.filename or out}: {error.strerror}; give another folder with --out") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return result


@dataclass(slots=True)
class _Run:
    request: RunRequest
    scenario: Scenario
    building: Building
    store: Path
    seed: int
    out: Path

    def play(self, watch: Callable[[Live], None]) -> dict[str, Any]:
        palms = Palms(self.building.store, self.seed)
        live = Live(self.scenario.scenario, self.seed)
        with ExitStack() as stack:
            url = self.request.broker_url or stack.enter_context(EmbeddedBroker()).url
            bus = stack.enter_context(MqttBus(url, "building"))
            product = ProductProcess(
                self.store, url, self.out, palms, SERVICE, self.request.fidelity == "frames", self.request.settings
            )
            listener = stack.enter_context(listening(url, self.building.store, self._recorder(product.palm_key)))
            stack.enter_context(product)
            listener.wait_online(product, PATIENCE_S)
            simulation = Simulation(
                self.building, self.scenario, self.seed, self.request.fidelity, self.request.cameras_fps,
                scan=palms.scan, enrol=palms.enrol, truth=self.out / "truth.jsonl",
            )  # fmt: skip
            live.renderer = simulation.renderer_kind
            wall_s, event_s = self._simulate(simulation, bus, listener, product, live, watch)
        return self._report(listener.said, live, wall_s, event_s)

    def _simulate(
        self, simulation: Simulation, bus: Bus, listener: "Listener", product: ProductProcess, live: Live,
        watch: Callable[[Live], None],
    ) -> tuple[float, float]:  # fmt: skip
        """Wall seconds and simulated seconds that the run took."""
        quiet_collector()
        started = time.monotonic()
        pacer = Pacer(lambda: listener.processed_ns, product.check, AHEAD_S, PATIENCE_S)
        first_ns = last_ns = simulation.start_ns
        live.duration_s = simulation.expected_s
        for moment in simulation.run():
            pacer.wait_for(moment.t_ns)
            for packet in moment.packets:
                bus.publish(packet)
            last_ns = moment.t_ns
            live.t_s, live.inside = (last_ns - first_ns) / 1e9, moment.inside
            live.wall_s = time.monotonic() - started
            listener.fill(live)
            watch(live)
        listener.wait_processed(last_ns - int(1.5e9), product, PATIENCE_S)
        return time.monotonic() - started, (last_ns - first_ns) / 1e9

    def _report(self, said: Published, live: Live, wall_s: float, event_s: float) -> dict[str, Any]:
        truth = read_truth(self.out / "truth.jsonl")
        site = load_site(self.store)
        prices = {sku: item.price_minor for sku, item in site.items.items()}
        shelf_of = {facing.id: facing.shelf for facing in site.facings.values()}
        fixture_of = {facing.id: facing.fixture for facing in site.facings.values()}
        result = {
            "scenario": self.scenario.scenario,
            "seed": self.seed,
            "fidelity": self.request.fidelity,
            **score(truth, said, shelf_of, prices, self.building.walls_m, fixture_of),
            "real_time_factor": event_s / wall_s,
            "wall_s": wall_s,
            "renderer": live.renderer,
        }
        write_json(self.out / "receipts.json", receipts_document(said.receipts))
        write_json(self.out / "score.json", result)
        draw_floor(self.out / "floor.png", self.building, truth, said)
        return result

    def _recorder(self, palm_key: Path) -> McapRecorder:
        about = {"scenario": self.scenario.scenario, "seed": str(self.seed), "fidelity": self.request.fidelity}
        return open_recorder(self.out / "feed.mcap", self.building.store, self.store, palm_key, **about)


class Listener:
    """Hears everything on the wire in a thread of its own: records it and keeps what the product said."""

    def __init__(self, bus: Bus, recorder: McapRecorder) -> None:
        self.said = Published()
        self.processed_ns = 0
        self._online = threading.Event()
        self._carts: dict[str, str] = {}
        self._bus, self._recorder = bus, recorder
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def fill(self, live: Live) -> None:
        """Copy what a spectator wants to see."""
        live.carts = dict(self._carts)
        live.receipts = {visit: r.transaction.total for visit, r in list(self.said.receipts.items())}
        live.cases = sum(change.kind == "doubt" for _, change in list(self.said.changes))

    def wait_online(self, product: ProductProcess, patience_s: float) -> None:
        """Until the product says that it is there."""
        self._wait(self._online.is_set, product, patience_s, "did not come online")

    def wait_processed(self, t_ns: int, product: ProductProcess, patience_s: float) -> None:
        """Until the product has decided everything up to ``t_ns``."""
        self._wait(lambda: self.processed_ns >= t_ns, product, patience_s, "stopped making progress")

    @staticmethod
    def _wait(done: Callable[[], bool], product: ProductProcess, patience_s: float, problem: str) -> None:
        deadline = time.monotonic() + patience_s
        while not done():
            product.check()
            if time.monotonic() > deadline:
                raise RunError(f"the service {problem} within {patience_s:.0f} s; its log is {product.keep_log()}")
            time.sleep(0.005)

    def _listen(self) -> None:
        while True:
            packet = self._bus.receive(timeout_s=0.05)
            if packet is None:
                if self._stop.is_set():
                    return
                continue
            self._recorder.write(packet, time.time_ns())
            self._note(packet)

    def _note(self, packet: Packet) -> None:
        found = topics.find(packet.topic)
        if found is None or (found[0].sender == "device" and found[0] is not topics.STATUS):
            return
        self.said.observe(packet)
        received = decode(packet)
        if received is None:
            return
        if received.channel is topics.PROGRESS and received.device == SERVICE:
            self.processed_ns = max(self.processed_ns, received.message.processed_ns)
        elif received.channel is topics.STATUS and received.device == f"service-{SERVICE}":
            if received.message.state == "online":
                self._online.set()
        elif received.channel is topics.CART:
            lines = received.message.lines
            self._carts[received.device] = ", ".join(f"{line.quantity} x {line.name}" for line in lines)


@contextmanager
def listening(url: str, store: str, recorder: McapRecorder) -> Iterator[Listener]:
    """A listener on all topics of a store that writes ``recorder``."""
    with recorder, MqttBus(url, "recorder", keep_latest=KEEP_ALL) as bus:
        bus.subscribe(f"{topics.ROOT}/{store}/#")
        listener = Listener(bus, recorder)
        listener.start()
        try:
            yield listener
        finally:
            listener.close()


def write_json(path: Path, document: object) -> None:
    """A JSON file with sorted layout, so that equal runs give equal bytes."""
    path.write_text(json.dumps(document, indent=2) + "\n")


def _replace(work: Path, out: Path) -> None:
    """Put a finished run in its place; the former one goes only now."""
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out, ignore_errors=True)
    work.rename(out)
