"""The loop that ties the building together: the world steps, its devices listen, packets come out in event-time order.

In: a building, a scenario, a seed, and the answers of the palm service. Out: :class:`Moment` after moment, and the
truth in a file.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sims.bodies.library import BodyLibrary
from sims.building import Building
from sims.chance import stream
from sims.devices.cameras import Cameras, EdgeCameras, FrameCameras
from sims.devices.gate import GateReader
from sims.devices.ground import Ground
from sims.devices.link import Post, clock_of, link_of
from sims.devices.mounting import as_built
from sims.devices.scale import Scale
from sims.devices.sight import Figures
from sims.happened import Happened
from sims.reception import Enrol, Scan
from sims.scenario import Scenario, ScenarioError
from sims.truth import SCHEMA, Header, TruthWriter
from sims.world import STEPS_PER_S, World
from smartstore.wire import topics
from smartstore.wire.codec import Packet, encode
from smartstore.wire.messages import Message, Status
from smartstore.wire.topics import Channel

Fidelity = Literal["frames", "edge"]

POSITIONS_EVERY = STEPS_PER_S // 5
"""Steps between two lines of true positions."""
VISIT_S, ERRAND_S = 16.0, 8.5
"""Rough lengths of a visit without errands and of an errand, for the progress display."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What left the building at ``t_ns``. ``inside`` is the truth, for displays."""

    t_ns: int
    packets: tuple[Packet, ...]
    inside: int


class Simulation:
    """One run. Make a new one for every run; the same arguments give the same packets and the same truth."""

    def __init__(
        self,
        building: Building,
        scenario: Scenario,
        seed: int | None = None,
        fidelity: Fidelity = "edge",
        cameras_fps: float | None = None,
        *,
        scan: Scan,
        enrol: Enrol,
        truth: Path | None = None,
        figures: Figures | None = None,
    ) -> None:
        """``cameras_fps`` is for ceiling cameras only; ``figures`` default to the baked bodies.

        Raises:
            ScenarioError: the scenario names something that the building does not have.
        """
        scenario.check(building)
        self.seed = scenario.seed if seed is None else seed
        people = figures or BodyLibrary.load()
        self.world = World(building, scenario, self.seed, people, scan, enrol)
        building = self.world.building
        self.scenario, self.building = scenario, building
        self._truth = truth
        hung = as_built(building, scenario.mounting, self.seed)
        make = FrameCameras if fidelity == "frames" else EdgeCameras
        self._cameras: Cameras = make(hung, scenario, self.seed, people, cameras_fps)
        self._ground = Ground(building, stream(self.seed, "ground"), scenario.load_cells.footfalls)
        self._scales = [
            Scale(
                building, f.id, self.world.stock.grams_on_plates(f.id), stream(self.seed, f"scale/{f.id}"),
                frozenset(scenario.dead_plates), self._ground, scenario.load_cells, frozenset(scenario.stuck_plates),
            )
            for f in building.fixtures.values()
            if f.scale and f.shelves and f.id not in scenario.scales_off
        ]  # fmt: skip
        links = {name: link_of(scenario, name, camera=True) for name in building.cameras}
        links |= {scale.fixture: link_of(scenario, scale.fixture, camera=False) for scale in self._scales}
        self._post = Post(self.seed, links)
        self._clocks = {s.fixture: clock_of(scenario, self.seed, s.fixture, links[s.fixture]) for s in self._scales}
        self._first_s = {
            s.fixture: int(stream(self.seed, f"phase/{s.fixture}").integers(12)) / 60 for s in self._scales
        }
        self._batches = dict.fromkeys(self._first_s, 0)
        self._full_s = {scale.fixture: self._full_at_s(scale) for scale in self._scales}
        self._gates = {gate.id: GateReader(gate.id) for gate in building.gates}
        self.start_ns = scenario.start_ns
        """UTC nanoseconds of the first moment."""

    @property
    def expected_s(self) -> float:
        """About how many seconds of event time the run will take."""
        ends = [s.plan.arrive_s + VISIT_S + ERRAND_S * len(s.plan.errands) for s in self.world.shoppers]
        return max(ends, default=0.0) + self.scenario.tail_s

    @property
    def renderer_kind(self) -> str:
        """What draws the pictures: gpu, egl, software, or none."""
        return self._cameras.kind

    def run(self) -> Iterator[Moment]:
        """Play the scenario to the end.

        Raises:
            ScenarioError: the store does not empty within the scenario's ``limit_s``.
            WalkingError: somebody cannot get where they want to go.
        """
        with closing(self._cameras), TruthWriter(self._truth) as truth:
            truth.write(self._header())
            yield self._moment(self._statuses(online=True))
            empty_since = 0
            while not self.world.empty or self.world.steps - empty_since < self.scenario.tail_s * STEPS_PER_S:
                if not self.world.empty:
                    empty_since = self.world.steps
                packets = self._step(truth)
                if packets:
                    yield self._moment(packets)
                if self.world.t_s > self.scenario.limit_s:
                    raise ScenarioError(
                        f"{self.scenario.path}: limit_s: after {self.scenario.limit_s:g} s there are still shoppers "
                        "in the store; raise it or shorten their lists"
                    )
            yield self._moment(self._post.arrive() + self._statuses(online=False))

    def _step(self, truth: TruthWriter) -> list[Packet]:
        if self.world.steps % POSITIONS_EVERY == 0:
            truth.write(self.world.positions())
        scene, t_ns = self.world.scene(), self.world.t_ns
        self._ground.feel(scene, self.world.t_s)
        packets = self._post.arrive(t_ns)
        for channel, camera, message in self._cameras.observe(scene):
            packets += self._post.send(camera, t_ns, [self._packet(channel, camera, message)])
        happened = self.world.step()
        for record in happened.records:
            truth.write(record)
        return packets + self._gate_packets(happened) + self._scale_packets(happened)

    def _gate_packets(self, happened: Happened) -> list[Packet]:
        return [
            self._packet(topics.GATE, n.gate, self._gates[n.gate].observe(n, self._offset_ns(n.gate)))
            for n in happened.notices
        ]

    def _scale_packets(self, happened: Happened) -> list[Packet]:
        packets, now_s = [], self.world.t_s
        for scale in self._scales:
            for contact in happened.contacts:
                if contact.fixture == scale.fixture:
                    scale.feel(contact)
            if now_s >= self._full_s[scale.fixture]:
                first_s = self._batch_s(scale)
                self._batches[scale.fixture] += 1
                self._full_s[scale.fixture] = self._full_at_s(scale)
                t_ns = self._clocks[scale.fixture].read(self.start_ns + round(first_s * 1e9))
                packet = self._packet(topics.SCALE, scale.fixture, scale.read(t_ns, first_s))
                packets += self._post.send(scale.fixture, self.world.t_ns, [packet])
        return packets

    def _batch_s(self, scale: Scale) -> float:
        """When the first sample of a scale's next batch is taken."""
        return self._first_s[scale.fixture] + self._batches[scale.fixture] * scale.batch / scale.rate_hz

    def _full_at_s(self, scale: Scale) -> float:
        """When its next batch is full and can be sent."""
        return self._batch_s(scale) + scale.batch / scale.rate_hz - 1e-6

    def _packet(self, channel: Channel, device: str, message: Message) -> Packet:
        return encode(channel, self.building.store, device, message)

    def _offset_ns(self, device: str) -> int:
        return round(self.scenario.clock_offsets_s.get(device, 0.0) * 1e9)

    def _statuses(self, online: bool) -> list[Packet]:
        scenario, t_ns = self.scenario, self.world.t_ns
        kinds = dict.fromkeys(self.building.cameras, "camera")
        kinds |= {f.id: "scale" for f in self.building.fixtures.values() if f.scale and f.shelves}
        kinds |= dict.fromkeys(self._gates, "gate")
        off = {*scenario.scales_off, *scenario.cameras_off}
        seq = 0 if online else 1
        return [
            self._packet(
                topics.STATUS,
                device,
                Status(seq=seq, t_ns=t_ns, kind=kind, state="online" if online and device not in off else "offline"),
            )
            for device, kind in kinds.items()
        ]

    def _moment(self, packets: list[Packet]) -> Moment:
        return Moment(self.world.t_ns, tuple(packets), self.world.inside)

    def _header(self) -> Header:
        return Header(
            schema=SCHEMA, scenario=self.scenario.scenario, seed=self.seed, store=self.building.store,
            start_ns=self.start_ns, shoppers=tuple(shopper.name for shopper in self.world.shoppers),
            came_s=tuple(round(shopper.plan.arrive_s, 2) for shopper in self.world.shoppers),
        )  # fmt: skip
