"""One simulated run: building, broker and product put together, recorded and scored.

In: a scenario document and options. Out: a folder with ``feed.mcap truth.jsonl receipts.json score.json floor.png``.
The product runs as a process of its own and hears nothing but the broker.
"""

import json
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sims.building import Building, load_building
from sims.devices.edge_model import load_edge_model
from sims.lab.hazards import BEHIND_NS, PATIENCE_S, Hazards, RunStage, check_plan
from sims.lab.listener import SERVICE, Listener, Live, RunError, listening
from sims.lab.picture import draw_floor
from sims.lab.product import Palms, ProductProcess
from sims.lab.score import Published, score
from sims.publish import Pacer
from sims.scenario import Scenario, load_scenario
from sims.simulation import Simulation
from sims.truth import read_truth
from smartstore.bus.broker import EmbeddedBroker
from smartstore.bus.mqtt import MqttBus
from smartstore.bus.recording import McapRecorder
from smartstore.faults import FaultPlan
from smartstore.feed.receipts import receipts_document
from smartstore.feed.recording import open_recorder
from smartstore.process import quiet_collector
from smartstore.settings import read_settings
from smartstore.site import load_site

AHEAD_S = 6.0

Fidelity = Literal["frames", "edge"]


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
    faults: FaultPlan | None = None
    """What goes wrong between the building and the product."""


def run(request: RunRequest, watch: Callable[[Live], None] = lambda _: None) -> dict[str, Any]:
    """Run a scenario to settled receipts and return its score.

    Raises:
        RunError, ScenarioError, BuildingError, FaultsError, BusError: bad input or a product that does not answer; the
            output folder is then left as it was.
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
    if request.faults is not None:
        check_plan(request.faults, building, own_broker=request.broker_url is None)
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
            broker = stack.enter_context(EmbeddedBroker()) if self.request.broker_url is None else None
            url = self.request.broker_url or (broker.url if broker is not None else "")
            with MqttBus(url, f"smartstore-{self.building.store}-{SERVICE}"):
                pass  # a broker of the user's forgets what it kept for the service of an earlier run
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
            hazards = Hazards(
                self.request.faults, self.seed, simulation.start_ns, RunStage(listener, product, bus, broker)
            )
            wall_s, event_s = self._simulate(simulation, hazards, bus, listener, product, live, watch)
        return self._report(listener.said, live, wall_s, event_s, hazards.counts)

    def _simulate(
        self, simulation: Simulation, hazards: Hazards, bus: MqttBus, listener: Listener, product: ProductProcess,
        live: Live, watch: Callable[[Live], None],
    ) -> tuple[float, float]:  # fmt: skip
        """Wall seconds and simulated seconds that the run took."""
        quiet_collector()
        started = time.monotonic()
        pacer = Pacer(lambda: listener.processed_ns, product.check, AHEAD_S, PATIENCE_S)
        first_ns = last_ns = simulation.start_ns
        live.duration_s = simulation.expected_s
        for moment in simulation.run():
            packets = hazards.observe(moment)
            if not hazards.service_away:
                pacer.wait_for(hazards.sent_ns)
            for packet in packets:
                bus.publish(packet)
            last_ns = moment.t_ns
            live.t_s, live.inside = (last_ns - first_ns) / 1e9, moment.inside
            live.wall_s = time.monotonic() - started
            listener.fill(live)
            watch(live)
        for packet in hazards.finish():
            bus.publish(packet)
        listener.wait_processed(hazards.sent_ns - BEHIND_NS, product, PATIENCE_S)
        return time.monotonic() - started, (last_ns - first_ns) / 1e9

    def _report(
        self, said: Published, live: Live, wall_s: float, event_s: float, faults: dict[str, int]
    ) -> dict[str, Any]:
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
            **({"faults": faults} if self.request.faults is not None else {}),
        }
        write_json(self.out / "receipts.json", receipts_document(said.receipts))
        write_json(self.out / "score.json", result)
        draw_floor(self.out / "floor.png", self.building, truth, said)
        return result

    def _recorder(self, palm_key: Path) -> McapRecorder:
        about = {"scenario": self.scenario.scenario, "seed": str(self.seed), "fidelity": self.request.fidelity}
        return open_recorder(self.out / "feed.mcap", self.building.store, self.store, palm_key, **about)


def write_json(path: Path, document: object) -> None:
    """A JSON file with sorted layout, so that equal runs give equal bytes."""
    path.write_text(json.dumps(document, indent=2) + "\n")


def _replace(work: Path, out: Path) -> None:
    """Put a finished run in its place; the former one goes only now."""
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out, ignore_errors=True)
    work.rename(out)
