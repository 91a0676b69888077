"""All cameras of a building at one fidelity: scenes go in, what each camera sends comes out."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from sims.bodies.library import BodyLibrary
from sims.building import Building
from sims.chance import stream
from sims.devices.edge import PeopleFinders
from sims.devices.edge_facings import FacingReader
from sims.devices.edge_model import load_edge_model
from sims.devices.link import Clock, clock_of, link_of
from sims.devices.look import Look
from sims.devices.sight import CrowdReader, Figures, Solids
from sims.scenario import Scenario
from sims.scene import Scene
from smartstore.wire import topics
from smartstore.wire.messages import Frame, Message
from smartstore.wire.topics import Channel

Sent = tuple[Channel, str, Message]
"""Channel, camera and message."""
EARLY_NS = 5_000_000
"""A scene this little before its time will do."""


class Cameras(Protocol):
    """What the simulation needs of its cameras. ``kind``: what draws the pictures."""

    kind: str

    def observe(self, scene: Scene) -> list[Sent]: ...

    def close(self) -> None: ...


def frame_rates(building: Building, scenario: Scenario, ceiling_fps: float | None) -> Iterator[tuple[str, float]]:
    """The cameras that are on, and their frame rates."""
    for camera in building.cameras.values():
        if camera.id not in scenario.cameras_off:
            given = scenario.fps.get(camera.id, camera.fps)
            yield camera.id, ceiling_fps if ceiling_fps and camera.kind == "ceiling" else given


def clocks(scenario: Scenario, seed: int, names: Iterable[str]) -> dict[str, Clock]:
    """The clocks of cameras."""
    return {name: clock_of(scenario, seed, name, link_of(scenario, name, camera=True)) for name in names}


class FrameCameras:
    """Cameras that send pictures."""

    def __init__(
        self, building: Building, scenario: Scenario, seed: int, figures: Figures, ceiling_fps: float | None
    ) -> None:
        from sims.devices.camera import FrameCamera  # noqa: PLC0415  draws only when asked to
        from sims.devices.renderer import Renderer  # noqa: PLC0415

        bodies = figures if isinstance(figures, BodyLibrary) else None
        renderer = Renderer(building, Look.preset(scenario.light), bodies)
        self.kind: str = renderer.kind
        self._close = renderer.close
        rates = dict(frame_rates(building, scenario, ceiling_fps))
        self._clocks = clocks(scenario, seed, rates)
        self._cameras = {
            name: FrameCamera(
                building.cameras[name], renderer, stream(seed, f"camera/{name}"), fps,
                scenario.sensors.get(name, scenario.sensor),
            )
            for name, fps in rates.items()
        }  # fmt: skip
        self._seq = dict.fromkeys(self._cameras, 0)

    def observe(self, scene: Scene) -> list[Sent]:
        """The frames that are due."""
        sent: list[Sent] = []
        for name, camera in self._cameras.items():
            for frame in camera.observe(scene):
                message = Frame(
                    seq=self._seq[name], t_ns=self._clocks[name].read(frame.t_ns), width=frame.width_px,
                    height=frame.height_px, jpeg=frame.jpeg,
                )  # fmt: skip
                self._seq[name] += 1
                sent.append((topics.FRAME, name, message))
        return sent

    def close(self) -> None:
        """Let the renderer go."""
        self._close()


class EdgeCameras:
    """Cameras with inference on board: all see people, shelf cameras read shelf faces too."""

    kind = "none"

    def __init__(
        self, building: Building, scenario: Scenario, seed: int, figures: Figures, ceiling_fps: float | None
    ) -> None:
        rates = dict(frame_rates(building, scenario, ceiling_fps))
        specs = [building.cameras[name] for name in rates]
        model = load_edge_model(scenario.edge_file).under(scenario.light).times(scenario.edge_errors)
        self._names = list(rates)
        self._crowds = CrowdReader(building, figures)
        self._people = PeopleFinders(specs, Solids(building), model, [stream(seed, f"camera/{name}") for name in rates])
        self._faces = {
            spec.id: FacingReader(building, spec, model.facings, stream(seed, f"facings/{spec.id}"))
            for spec in specs
            if spec.watches
        }
        self._clocks = list(clocks(scenario, seed, rates).values())
        self._periods_ns = [round(1e9 / fps) for fps in rates.values()]
        self._due_ns = [0] * len(rates)

    def observe(self, scene: Scene) -> list[Sent]:
        """The messages that are due: the first at once, then one per period of event time."""
        due = [i for i, due_ns in enumerate(self._due_ns) if scene.t_ns >= due_ns - EARLY_NS]
        if not due:
            return []
        crowd = self._crowds.read(scene)
        clocks_ns = [self._clocks[i].read(scene.t_ns) for i in due]
        sent: list[Sent] = []
        for i, t_ns, people in zip(due, clocks_ns, self._people.find(crowd, due, clocks_ns), strict=True):
            name = self._names[i]
            self._due_ns[i] = (self._due_ns[i] or scene.t_ns) + self._periods_ns[i]
            sent.append((topics.PEOPLE, name, people))
            if name in self._faces:
                sent.append((topics.FACINGS, name, self._faces[name].read(scene, crowd, t_ns)))
        return sent

    def close(self) -> None:
        """Nothing to let go."""
