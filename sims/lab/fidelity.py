"""``smartstore sim fidelity``: the same runs from rendered frames and from edge cameras, side by side.

In: scenarios and seeds. Out: a table of both with their differences and what is asked of them. The score of every run
is kept under ``out`` and the run not played again while nothing that it depends on has changed, so that an interrupted
comparison goes on.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sims.devices.edge_model import load_edge_model
from sims.lab.fit_edge_record import detector_id, store_id
from sims.lab.listener import Live
from sims.lab.looking import looks_key
from sims.lab.play import building_of, play_edge, play_frames, site_of
from sims.lab.run import write_json
from sims.lab.score import score as score_of
from sims.scenario import load_scenario
from smartstore.settings import read_settings

OUT = Path("data/runs/fidelity")


@dataclass(frozen=True, slots=True)
class Measure:
    """One number that is compared; ``asked``: the largest difference allowed, None where nothing is asked."""

    name: str
    keys: tuple[str, ...]
    asked: float | None = None

    def of(self, score: dict[str, Any]) -> float:
        """Its value in a score."""
        value: Any = score
        for key in self.keys:
            value = value[key]
        return float(value)


MEASURES = (
    Measure("item F1", ("item_f1",), 0.02),
    Measure("floor IDF1", ("floor", "idf1"), 0.03),
    Measure("event precision", ("event_precision",), 0.01),
    Measure("event recall", ("event_recall",), 0.01),
    Measure("exact receipts", ("exact_receipt_rate",)),
    Measure("overcharge", ("overcharge",)),
    Measure("review rate", ("review_rate",)),
    Measure("floor MODA", ("floor", "moda")),
)
FIDELITIES = ("frames", "edge")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure of one scenario, as the mean over its seeds."""

    scenario: str
    seeds: tuple[int, ...]
    measure: str
    frames: float
    edge: float
    asked: float | None

    @property
    def difference(self) -> float:
        """Edge minus frames."""
        return self.edge - self.frames

    @property
    def verdict(self) -> str:
        """Whether the difference is as small as asked."""
        if self.asked is None:
            return ""
        return "yes" if abs(self.difference) <= self.asked + 1e-9 else "no"


class FidelityError(Exception):
    """A comparison that cannot begin; one line."""


def compare(
    scenarios: Sequence[Path], seeds: Sequence[int], out: Path | None = None, edge: Path | None = None,
    looks: Path | None = None, watch: Callable[[Live], None] = lambda _: None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Comparison]:  # fmt: skip
    """Plays what has not been played and compares. ``looks`` is a folder that keeps what networks saw of pictures.

    Raises:
        FidelityError, ScenarioError, EdgeModelError and whatever else a run raises for bad input; each is one line.
    """
    folder = out or OUT
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FidelityError(f"{folder}: {error.strerror}; give another folder with --out") from error
    for path in scenarios:
        load_edge_model(edge or load_scenario(path).edge_file)
    rows: list[Comparison] = []
    for path in scenarios:
        scores: dict[str, list[dict[str, Any]]] = {}
        for fidelity in FIDELITIES:
            for seed in seeds:
                progress(f"{path.stem}, {fidelity}, seed {seed}")
                scores.setdefault(fidelity, []).append(_score(path, seed, fidelity, folder, edge, looks, watch))
        rows += _compared(path.stem, tuple(seeds), scores)
    return rows


def _compared(scenario: str, seeds: tuple[int, ...], scores: dict[str, list[dict[str, Any]]]) -> list[Comparison]:
    rows = []
    for measure in MEASURES:
        frames, edge = (mean([measure.of(score) for score in scores[fidelity]]) for fidelity in FIDELITIES)
        rows.append(Comparison(scenario, seeds, measure.name, frames, edge, measure.asked))
    return rows


def mean(values: Sequence[float]) -> float:
    """The mean; 0 of nothing."""
    return sum(values) / max(1, len(values))


def _score(
    path: Path, seed: int, fidelity: str, folder: Path, edge: Path | None, looks: Path | None,
    watch: Callable[[Live], None],
) -> dict[str, Any]:  # fmt: skip
    """The score of one run, kept or new."""
    kept = folder / f"{path.stem}-{fidelity}-{seed}.json"
    key = run_key(path, seed, fidelity, edge)
    if kept.is_file():
        try:
            document = json.loads(kept.read_text())
        except json.JSONDecodeError:
            document = {}
        if document.get("key") == key:
            return dict(document["score"])
    score = play(path, seed, fidelity, edge, looks, watch)
    write_json(kept, {"key": key, "score": score})
    return score


def play(
    path: Path, seed: int, fidelity: str, edge: Path | None, looks: Path | None, watch: Callable[[Live], None]
) -> dict[str, Any]:
    """The score of a new run."""
    scenario, settings = load_scenario(path), read_settings(None)
    live, began_s = Live(scenario.scenario, seed), time.monotonic()

    def see(t_ns: int) -> None:
        live.t_s, live.wall_s = (t_ns - scenario.start_ns) / 1e9, time.monotonic() - began_s
        watch(live)

    store = scenario.store.resolve()
    if fidelity == "frames":
        kept_in = None if looks is None else looks / f"{path.stem}-{seed}-{looks_key(scenario, seed)}"
        played = play_frames(scenario, store, seed, settings, kept_in=kept_in, watch=see)
    else:
        smart = scenario if edge is None else scenario.model_copy(update={"edge": str(edge.resolve())})
        played = play_edge(smart, store, seed, settings, watch=see)
    site = site_of(store)
    prices = {sku: item.price_minor for sku, item in site.items.items()}
    shelf_of = {facing.id: facing.shelf for facing in site.facings.values()}
    fixture_of = {facing.id: facing.fixture for facing in site.facings.values()}
    return score_of(played.truth, played.said, shelf_of, prices, building_of(store).walls_m, fixture_of)


def run_key(path: Path, seed: int, fidelity: str, edge: Path | None) -> str:
    """Digest of all that a run depends on: documents, weights and the program."""
    scenario = load_scenario(path)
    digest = hashlib.sha256(f"{seed}|{fidelity}|{scenario.model_dump_json(exclude={'seed'})}".encode())
    digest.update(store_id(scenario.store).encode())
    if fidelity == "frames":
        digest.update(detector_id().encode())
    else:
        digest.update(load_edge_model(edge or scenario.edge_file).model_dump_json(exclude={"fitted", "name"}).encode())
    root = Path(__file__).resolve().parents[2]
    for package in ("smartstore", "sims"):
        for source in sorted((root / package).rglob("*.py")):
            if "lab" not in source.parts:
                digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def markdown(rows: Sequence[Comparison]) -> str:
    """The table as it stands in documents."""
    lines = [
        "| scenario | seeds | measure | frames | edge | edge - frames | asked | as asked |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        asked = "" if row.asked is None else f"within {row.asked:.2f}"
        lines.append(
            f"| `{row.scenario}` | {_seeds(row.seeds)} | {row.measure} | {row.frames:.3f} | {row.edge:.3f} | "
            f"{row.difference:+.3f} | {asked} | {row.verdict} |"
        )
    return "\n".join(lines)


def document(rows: Sequence[Comparison]) -> list[dict[str, Any]]:
    """The table as JSON."""
    return [
        {
            "scenario": row.scenario, "seeds": list(row.seeds), "measure": row.measure, "frames": row.frames,
            "edge": row.edge, "difference": row.difference, "asked": row.asked,
            "as_asked": None if row.asked is None else row.verdict == "yes",
        }
        for row in rows
    ]  # fmt: skip


def _seeds(seeds: Sequence[int]) -> str:
    whole = list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]}–{seeds[-1]}" if whole and len(seeds) > 1 else ", ".join(map(str, seeds))
