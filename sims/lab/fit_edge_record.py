"""What the real detector and the real facing reader make of rendered frames, kept beside the truth of every frame.

In: stores, a scenario for who comes, seeds. Out: one :class:`Recording` per store and seed, cached on disk under a key
of all that it depends on, so that an interrupted fit goes on where it stopped and a repeated one starts at once. A
recording has all shelf cameras of a run and some of its ceiling cameras, frame after frame, so that what is correlated
in time can be measured.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from sims.bodies.library import BodyLibrary
from sims.building import Building, BuildingError, load_building
from sims.devices.cameras import FrameCameras
from sims.devices.mounting import as_built
from sims.documents import read_document
from sims.lab.product import Palms
from sims.scenario import Scenario
from sims.scene import BodyState
from sims.world import World
from smartstore.domain.people import SeenPerson
from smartstore.site import Site, load_site
from smartstore.vision.detector import MODELS, OpenVinoDetector
from smartstore.vision.facings import FacingReader
from smartstore.vision.worker import decode_jpeg
from smartstore.wire.messages import Frame

LAYOUT = 2
"""Raised when recordings change their layout."""
FROM_S = 15.0
"""Before that there is hardly anybody."""
Stock = Mapping[str, tuple[tuple[str, ...], ...]]
Progress = Callable[[float], None]
"""Called with the share of a recording that is done."""


@dataclass(frozen=True, slots=True)
class Found:
    """A person as the detector reports one, in pixels."""

    box: tuple[float, float, float, float]
    score: float
    joints: list[tuple[float, float, float]]
    look: list[float]


@dataclass(frozen=True, slots=True)
class Read:
    """A facing as the reader reports one."""

    facing: str
    fill: float
    change: float
    best: str
    """The SKU that scores best; empty where none is named."""
    hidden: bool


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame of one camera: what was found in it, who really was there, and which facings had changed."""

    camera: str
    t_ns: int
    found: list[Found]
    people: list[BodyState]
    facings: list[Read]
    stock: dict[str, tuple[tuple[str, ...], ...]]
    """Facings that are not as in the camera's shot before; all of them in its first."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A run of one store, seen through the detector."""

    store: str
    seed: int
    shots: list[Shot] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Take:
    """Which run to record."""

    store: Path
    scenario: Scenario
    seed: int
    cameras: tuple[str, ...]
    seconds: float
    """How much of the run is recorded, in event time."""
    light: str = "shipped"

    def key(self) -> str:
        """Digest of all that the recording depends on, except the program."""
        digest = hashlib.sha256(f"{LAYOUT}|{self.seed}|{self.cameras}|{self.seconds:g}|{self.light}".encode())
        digest.update(self.scenario.model_dump_json(exclude={"seed"}).encode())
        digest.update(store_id(self.store).encode())
        digest.update(detector_id().encode())
        return digest.hexdigest()[:16]


def detector_id() -> str:
    """Digest of the networks' weights."""
    return _digest(sorted([*MODELS.glob("*.xml"), *MODELS.glob("*.bin")]))


def store_id(store: Path) -> str:
    """Digest of all that a store is described by: its document, the catalogue and the catalogue's pictures."""
    pictures = {Path(item.picture) for item in load_site(store).items.values() if item.picture}
    catalogue = read_document(store, BuildingError, "configs/stores/corner.yaml")["catalogue"]
    return _digest([store, store.parent / catalogue, *sorted(pictures)])


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def takes(
    stores: Sequence[Path], lights: Sequence[str], scenario: Scenario, seeds: Sequence[int], ceiling: int, shelf: int,
    seconds: float,
) -> list[Take]:  # fmt: skip
    """One take per seed, stores and lights in turn; so many ceiling and shelf cameras of each store, also in turn."""
    turns: dict[tuple[Path, str], itertools.cycle[str]] = {}
    found = []
    for store, light, seed in zip(itertools.cycle(stores), itertools.cycle(lights), seeds, strict=False):
        cameras = load_building(store).cameras.values()
        chosen: set[str] = set()
        for kind, count in (("ceiling", ceiling), ("shelf", shelf)):
            names = [camera.id for camera in cameras if camera.kind == kind]
            turn = turns.setdefault((store, kind), itertools.cycle(names))
            chosen |= {next(turn) for _ in range(min(count, len(names)))}
        found.append(Take(store, scenario, seed, tuple(sorted(chosen)), seconds, light))
    return found


def recorded(take: Take, folder: Path, progress: Progress) -> Recording:
    """The recording of a take, from ``folder`` where it is there already."""
    path = folder / f"{take.store.stem}-{take.seed}-{take.key()}.msgpack"
    if path.exists():
        try:
            return msgspec.msgpack.decode(path.read_bytes(), type=Recording)
        except msgspec.DecodeError:
            path.unlink()
    recording = record(take, progress)
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_bytes(msgspec.msgpack.encode(recording))
    partial.replace(path)
    return recording


def record(take: Take, progress: Progress) -> Recording:
    """Plays a take and looks at its frames."""
    building, site = load_building(take.store), load_site(take.store)
    detector, reader = OpenVinoDetector(), FacingReader(site)
    return Recording(building.store, take.seed, list(_shots(take, building, site, detector, reader, progress)))


def hung(building: Building, scenario: Scenario, seed: int) -> Building:
    """The building with its cameras as they hang in a take."""
    return as_built(building, scenario.mounting, seed)


def _shots(
    take: Take, building: Building, site: Site, detector: OpenVinoDetector, reader: FacingReader, progress: Progress
) -> Iterator[Shot]:
    figures = BodyLibrary.load()
    palms = Palms(building.store, take.seed)
    off = [name for name in building.cameras if name not in take.cameras]
    scenario = take.scenario.model_copy(update={"cameras_off": tuple(off), "clock_offsets_s": {}, "light": take.light})
    world = World(building, scenario, take.seed, figures, palms.scan, palms.enrol)
    cameras = FrameCameras(hung(building, scenario, take.seed), scenario, take.seed, figures, None)
    before: dict[str, Stock] = {}
    try:
        while not world.empty and world.t_s < FROM_S:
            world.step()
        while not world.empty and world.t_s < FROM_S + take.seconds:
            scene = world.scene()
            for _, camera, message in cameras.observe(scene):
                if not isinstance(message, Frame):
                    continue
                picture = decode_jpeg(message.jpeg)
                if picture is None:
                    continue
                people = detector.detect([picture])[0]
                faces = reader.observe(camera, scene.t_ns, picture, people)
                watched = site.cameras[camera].watches
                stock = {f.id: scene.stock[f.id] for f in building.facings.values() if f.fixture in watched}
                last = before.get(camera, {})
                yield Shot(
                    camera, scene.t_ns, [_found(p) for p in people], list(scene.people),
                    [
                        Read(f.facing, f.fill, f.change, max(f.scores, key=lambda s: f.scores[s], default=""), f.hidden)
                        for f in (faces.facings if faces else ())
                    ],
                    {facing: columns for facing, columns in stock.items() if last.get(facing) != columns},
                )  # fmt: skip
                before[camera] = stock
            world.step()
            progress(min(1.0, (world.t_s - FROM_S) / take.seconds))
    finally:
        cameras.close()


def _found(person: SeenPerson) -> Found:
    box = tuple(round(float(v), 1) for v in person.box_px)
    joints = [tuple(row) for row in np.round(np.asarray(person.joints_px, float), 2).tolist()]
    return Found(box, round(float(person.score), 3), joints, np.round(person.appearance, 4).tolist())  # type: ignore[arg-type]
