"""``smartstore sim fit-edge``: the error model of edge cameras, fitted to the real detector on rendered frames.

In: stores, a scenario, seeds to fit and seeds to judge by. Out: an error model with its goodness of fit
(``configs/edge/*.yaml``) and a picture beside it. Recordings are kept under ``data/runs/edge``, so that an interrupted
fit goes on where it stopped.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sims.building import load_building
from sims.devices.edge_model import FOLDER, EdgeModel, load_edge_model
from sims.lab.fit_edge_facings import FaceStory, facing_shift, fit_facings, story
from sims.lab.fit_edge_goodness import goodness, see
from sims.lab.fit_edge_joints import error_shift
from sims.lab.fit_edge_people import fit_people, found_shift
from sims.lab.fit_edge_picture import draw_fit
from sims.lab.fit_edge_record import detector_id, recorded, takes
from sims.lab.fit_edge_samples import Samples, Staged, samples, stage
from sims.scenario import Scenario, load_scenario
from smartstore.vision.detector import DetectorOptions

STORES = tuple(Path("configs/stores") / f"{name}.yaml" for name in ("corner", "kiosk", "corner", "market", "corner"))
LIGHTS = ("shipped", "shipped", "dim", "shipped", "evening")
"""The stores and lights that take turns by default; what is held out has the first light only."""
CACHE = Path("data/runs/edge")
BY_HAND = FOLDER / "by-hand.yaml"
LEAST_ROWS = 500


class FitError(Exception):
    """A fit that cannot be made; the text is one line for the user."""


@dataclass(frozen=True, slots=True)
class FitRequest:
    """What to fit to. ``seeds`` are fitted, ``held_out`` only judged by; the stores take turns."""

    stores: tuple[Path, ...]
    scenario: Path
    seeds: tuple[int, ...]
    held_out: tuple[int, ...]
    out: Path
    lights: tuple[str, ...] = LIGHTS
    seconds: float = 65.0
    """How much of each run is recorded, in event time."""
    ceiling: int = 1
    shelf: int = 3
    """So many ceiling and shelf cameras are recorded per run, in turn."""
    cache: Path = CACHE


@dataclass(frozen=True, slots=True)
class Step:
    """How far a fit has come, for displays."""

    what: str
    share: float


Watch = Callable[[Step], None]


def fit_edge(request: FitRequest, watch: Watch = lambda _: None) -> dict[str, Any]:
    """Fits, judges and writes a model; returns its goodness of fit.

    Raises:
        FitError, BuildingError, ScenarioError, SiteError, DetectorError: bad input, one line.
    """
    if set(request.seeds) & set(request.held_out):
        raise FitError(f"seed {min(set(request.seeds) & set(request.held_out))} is fitted and held out; choose others")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*\.yaml", request.out.name):
        raise FitError(f"{request.out}: a model's file is named like edge-2.yaml; give another one with --out")
    started = time.monotonic()
    scenario = load_scenario(request.scenario)
    fitted_to = _staged(request, scenario, request.seeds, request.lights, "recording", watch)
    held_out = _staged(request, scenario, request.held_out, request.lights[:1], "recording what is held out", watch)
    watch(Step("fitting", 0.0))
    plain = [staged for staged in fitted_to if staged.take.light == request.lights[0]]
    rows, told = samples(plain), story(plain)
    if rows.found.sum() < LEAST_ROWS:
        raise FitError(f"only {rows.found.sum()} people were found in {rows.frames} frames; give more seeds")
    document: dict[str, Any] = {
        "schema": 1,
        "name": request.out.stem,
        "people": fit_people(rows, DetectorOptions().min_score),
        "facings": fit_facings(told),
    }
    document["lights"] = _lights(request, fitted_to, document, rows, told)
    model, by_hand = EdgeModel.model_validate(document), load_edge_model(BY_HAND)
    watch(Step("judging", 0.0))
    seen = [see(held_out, which) for which in (None, model, by_hand)]
    document["fitted"] = about(request, fitted_to, rows) | {
        "goodness": goodness(seen[0], seen[1], seen[2], (model, by_hand))
    }
    write_model(request.out, document)
    draw_fit(request.out.with_suffix(".png"), *seen)
    return {**document["fitted"], "wall_s": time.monotonic() - started}


def about(request: FitRequest, fitted_to: Sequence[Staged], rows: Samples) -> dict[str, Any]:
    """What a model was fitted to; with fewer seeds than stores the last stores had no turn."""
    return {
        "stores": sorted({staged.take.store.stem for staged in fitted_to}),
        "scenario": fitted_to[0].take.scenario.scenario,
        "seeds": list(request.seeds),
        "held_out": list(request.held_out),
        "frames": rows.frames,
        "people": int(rows.found.sum()),
        "detector": detector_id(),
    }


def _staged(
    request: FitRequest, scenario: Scenario, seeds: Sequence[int], lights: Sequence[str], what: str, watch: Watch
) -> list[Staged]:
    """Recordings, made or found, with everybody posed."""
    wanted = takes(request.stores, lights, scenario, seeds, request.ceiling, request.shelf, request.seconds)
    for take in wanted:
        scenario.check(load_building(take.store))
    staged = []
    for nth, take in enumerate(wanted):
        name = f"{what}: {take.store.stem}, seed {take.seed}, {take.light} light ({nth + 1} of {len(wanted)})"
        recording = recorded(take, request.cache, lambda share, name=name: watch(Step(name, share)))  # type: ignore[misc]
        if not recording.shots:
            raise FitError(f"{take.store}: no camera took a picture with seed {take.seed}; choose another store")
        staged.append(stage(take, recording))
    return staged


def _lights(
    request: FitRequest, staged: Sequence[Staged], document: Mapping[str, Any], rows: Samples, told: FaceStory
) -> dict[str, dict[str, float]]:
    """What each other light changes."""
    found = {}
    for light in sorted({s.take.light for s in staged} - {request.lights[0]}):
        here = [s for s in staged if s.take.light == light]
        seen = samples(here)
        found[light] = {
            "found": found_shift(seen, document["people"]["finding"]),
            "joints": error_shift(rows, seen, document["people"]["joints"]),
            "facings": facing_shift(told, story(here)),
        }
    return found


def write_model(path: Path, document: Mapping[str, Any]) -> None:
    """Writes a model with numbers that people can read."""
    order = ("schema", "name", "people", "facings", "lights", "fitted")
    text = yaml.dump(
        _rounded({key: document[key] for key in order if key in document}),
        sort_keys=False,
        width=118,
        default_flow_style=None,
    )
    head = (
        "# yaml-language-server: $schema=edge.schema.json\n"
        "# How edge cameras err: written by `smartstore sim fit-edge`, see sims/devices/edge_model.py for every key.\n"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + text)
    except OSError as error:
        raise FitError(f"{path}: cannot be written ({error.strerror}); give another file with --out") from error


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return value
