"""``smartstore sim facings``: how well shelf cameras are read, on stories with exact truth.

In: a store document and seeds. A seed draws everything anew: camera, its true pose, light, prints of all products,
stock, people and what they do. Out: figures by kind of event, light, pose error and camera, and a sheet of failures.

The reader under test is the product's own, fed with JPEGs as the worker feeds it; it is told nothing but the store
document and a catalogue picture per item.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from rich.console import Console
from rich.table import Table

from sims.bodies.library import BodyLibrary
from sims.building import Building, BuildingError, load_building
from sims.devices.camera import FrameCamera, encode
from sims.devices.look import Look, Picture
from sims.devices.mounting import as_built
from sims.devices.packshot import packshots
from sims.devices.renderer import PersonLabel, Renderer
from sims.flaws import Mounting
from sims.lab.facing_people import Episode
from sims.lab.facing_score import Case, Report, by, cases_of, figures
from sims.lab.facing_sheet import Failure, save_sheet
from sims.lab.facing_stories import Story
from sims.optics import CameraSpec
from smartstore.domain.people import SeenPerson
from smartstore.site import Site, SiteError, load_site
from smartstore.vision.face_reader import FaceReader
from smartstore.vision.facings import FacingWatcher
from smartstore.vision.worker import decode_jpeg
from smartstore.wire.messages import Facings, SeenFacing

STORE = Path("configs/stores/corner.yaml")
LABELS = ("kind", "light", "pose", "camera")
JPEG_QUALITY = 88
MOUNTINGS = {"small": 0.5, "usual": 1.0, "large": 1.6}
"""How far off the survey cameras hang, in times of what scenarios do."""


class TrialError(Exception):
    """A trial that cannot be run: one line."""


Stock = Mapping[str, tuple[tuple[str, ...], ...]]


class Finder(Protocol):
    """Finds people in pictures."""

    def detect(self, images: Sequence[Picture]) -> Sequence[Sequence[SeenPerson]]: ...


@dataclass(frozen=True, slots=True)
class Trial:
    """What to try."""

    store: Path = STORE
    seeds: tuple[int, ...] = (1,)
    visits: int = 8
    people: Literal["detector", "true"] = "detector"
    """``detector``: as the worker finds them; ``true``: exact boxes and joints."""
    pictures: bool = True
    """Whether the catalogue has pictures."""
    out: Path | None = None


@dataclass(slots=True)
class Outcome:
    """What a trial gave."""

    cases: list[Case] = field(default_factory=list)
    fill_errors: list[float] = field(default_factory=list)
    """Reported minus true items of every facing in view at the end of every episode."""
    failures: list[Failure] = field(default_factory=list)


def light_of(seed: int) -> tuple[str, Look]:
    """A light and prints never used by anything else: one seed in four has the shipped lamps."""
    drawn = Look.random(900_000 + seed)
    if seed % 4 == 0:
        return "shipped", replace(Look.shipped(), prints=drawn.prints, hue_shift=drawn.hue_shift)
    strength = float(np.mean([sum(lamp.colour) / 3 for lamp in drawn.lamps]) * len(drawn.lamps) + np.mean(drawn.sky))
    return "dim" if strength * drawn.exposure < 1.8 else "bright", drawn


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One frame of a film: the JPEG as it would be on the wire, who was found in it, and what was true."""

    t_ns: int
    jpeg: bytes
    people: Sequence[SeenPerson]
    anybody: bool
    stock: Stock
    episode: int
    """How many episodes had begun."""


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """All that one camera saw in one story, with its truth."""

    camera: CameraSpec
    """As it hangs."""
    shots: Sequence[Shot]
    episodes: Sequence[Episode]
    pictures: Mapping[str, Picture]
    """Catalogue pictures of the products that this story was played with."""
    labels: tuple[tuple[str, str], ...]


def run(trial: Trial) -> Outcome:
    """Every seed's story, filmed, read and scored."""
    try:
        building, site = load_building(trial.store), load_site(trial.store)
    except (BuildingError, SiteError) as error:
        raise TrialError(str(error)) from error
    if not any(camera.kind == "shelf" for camera in building.cameras.values()):
        raise TrialError(f"{trial.store}: no camera of kind 'shelf'; name a store that has one")
    library = BodyLibrary.load()
    finder: Finder | None = None
    if trial.people == "detector":
        from smartstore.vision.detector import OpenVinoDetector

        finder = OpenVinoDetector()
    outcome = Outcome()
    for seed in trial.seeds:
        read(site, film(trial, building, library, finder, seed), outcome, trial.pictures)
    return outcome


def film(trial: Trial, building: Building, library: BodyLibrary, finder: Finder | None, seed: int) -> Film:
    """Plays and renders the story of one seed."""
    shelf = [camera.id for camera in building.cameras.values() if camera.kind == "shelf"]
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0xFACE]))
    light, look = light_of(seed)
    pose = list(MOUNTINGS)[seed // 3 % len(MOUNTINGS)]
    built = as_built(building, _mounting(MOUNTINGS[pose]), 7000 + seed)
    camera = built.cameras[shelf[seed % len(shelf)]]
    renderer = Renderer(built, look, library)
    story = Story(built, camera, [library.height_m(body) for body in range(library.count)], trial.visits, rng)
    sensor = FrameCamera(camera, renderer, rng)
    shots = []
    for scene in story.frames(camera.fps):
        jpeg = encode(sensor.expose(renderer.render(scene, camera)), JPEG_QUALITY)
        people: Sequence[SeenPerson] = ()
        if trial.people == "true":
            people = [_as_seen(label) for label in renderer.render_labelled(scene, camera)[1]]
        elif finder is not None and (image := decode_jpeg(jpeg)) is not None:
            people = finder.detect([image])[0]
        shots.append(Shot(scene.t_ns, jpeg, people, bool(scene.people), scene.stock, len(story.episodes)))
    renderer.close()
    labels = (("light", light), ("pose", pose), ("camera", camera.id), ("seed", str(seed)))
    return Film(camera, shots, story.episodes, packshots(built, look), labels)


def _mounting(factor: float) -> Mounting:
    usual = Mounting()
    return Mounting(
        position_m=usual.position_m * factor, angle_deg=usual.angle_deg * factor, focal_share=usual.focal_share * factor
    )


def read(site: Site, film: Film, outcome: Outcome, with_pictures: bool = True) -> None:
    """Lets the product's reader look at a film, and adds what it made of it."""
    camera = film.camera.id
    reader = FaceReader(site, camera, pictures=film.pictures if with_pictures else {})
    watcher = FacingWatcher(site)
    reports: list[Report] = []
    clear: dict[int, tuple[Picture, Sequence[SeenFacing], Stock]] = {}
    for number, shot in enumerate(film.shots):
        image = decode_jpeg(shot.jpeg)
        assert image is not None
        seen = reader.observe(shot.t_ns, image, shot.people)
        if seen:
            message = Facings(seq=number, t_ns=shot.t_ns, facings=list(seen))
            reports += [Report(shot.t_ns, change) for change in watcher.observe(camera, message)]
        if not shot.anybody:
            clear[shot.episode] = (image, seen, shot.stock)
    for _, last, stock in clear.values():
        outcome.fill_errors += [
            seen.fill * site.facings[seen.facing].capacity - sum(map(len, stock[seen.facing]))
            for seen in last if not seen.hidden
        ]  # fmt: skip
    grams = {facing.sku: site.items[facing.sku].grams for facing in site.facings.values()}
    for case in cases_of(film.episodes, reports, grams, film.labels):
        outcome.cases.append(case)
        if case.wrong and {case.episode, case.episode + 1} <= clear.keys():
            views = (clear[case.episode][0], clear[case.episode + 1][0])
            outcome.failures.append(Failure(case, *views, _part(site, film.camera, case.facing)))


def _part(site: Site, camera: CameraSpec, facing: str) -> tuple[int, int, int, int]:
    """The part of the picture around a facing: left, top, right, bottom."""
    place = site.facings[facing]
    fixture, shelf = site.fixtures[place.fixture], site.shelves[place.shelf]
    ends = [
        fixture.point(place.offset_m + u, v, shelf.height_m + z)
        for u in (-0.05, place.width_m + 0.05) for v in (0.0, fixture.depth_m) for z in (-0.05, shelf.clear_m)
    ]  # fmt: skip
    pixels = camera.project(np.array(ends))
    size = np.array([camera.width_px, camera.height_px])
    low = np.clip(pixels.min(axis=0), 0, size - 8)
    high = np.clip(pixels.max(axis=0), low + 8, size)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _as_seen(label: PersonLabel) -> SeenPerson:
    score = np.where(label.visibility > 0, 0.9, 0.0)[:, None]
    return SeenPerson(label.box_px, 0.9, np.concatenate([np.nan_to_num(label.joints_px), score], axis=1), np.zeros(0))


def report(trial: Trial, outcome: Outcome) -> dict[str, Any]:
    """All figures of a trial, ready for JSON."""
    errors = np.array(outcome.fill_errors or [0.0])
    return {
        "store": str(trial.store),
        "seeds": list(trial.seeds),
        "people": trial.people,
        "pictures": trial.pictures,
        "all": figures(outcome.cases),
        "fill_exact": float(np.mean(np.abs(errors) < 0.5)),
        "fill_error_items": float(np.mean(np.abs(errors))),
        **{f"by_{label}": by(outcome.cases, label) for label in LABELS},
    }


def show(result: dict[str, Any]) -> None:
    """The figures as tables on stdout."""
    columns = ("items_moved", "precision", "recall", "sku_right", "alike", "sku_right_among_equal_weights",
               "latency_s_p50", "latency_s_p95")  # fmt: skip
    table = Table(
        "", *(name.replace("_", " ") for name in columns), title=f"{result['store']}: {result['people']} people"
    )
    table.add_row("all", *(_cell(result["all"][name]) for name in columns))
    for label in LABELS:
        table.add_section()
        for value, row in result[f"by_{label}"].items():
            table.add_row(f"{label}: {value}", *(_cell(row[name]) for name in columns))
    console = Console(markup=False)
    console.print(table)
    console.print(f"fill exact {result['fill_exact']:.3f}, mean error {result['fill_error_items']:.2f} items")


def _cell(value: float | None) -> str:
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


def trial(request: Trial) -> dict[str, Any]:
    """Runs a trial, keeps figures and the sheet of failures in its folder, and returns the figures.

    Raises:
        TrialError: the store cannot be read, or has no shelf camera.
    """
    outcome = run(request)
    result = report(request, outcome)
    if request.out is not None:
        request.out.mkdir(parents=True, exist_ok=True)
        (request.out / "facings.json").write_text(json.dumps(result, indent=2))
        save_sheet(outcome.failures, request.out / "failures.jpg")
    return result
