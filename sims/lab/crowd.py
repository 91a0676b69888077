"""``smartstore sim crowd``: how right a store stays when more and more people come.

In: a scenario with random shoppers, rates of arrival and seeds. Out: a row per rate with confidence intervals over the
seeds, and a picture. Shoppers come at random (a Poisson process), so that some stand alone and some in a crowd.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sims.building import load_building
from sims.chance import stream
from sims.lab.batch import Progress, Result, run_all
from sims.lab.families.stage import TAIL_S
from sims.lab.gauntlet_play import figures
from sims.lab.play import play_edge
from sims.scenario import Arrivals, Scenario, load_scenario
from smartstore.settings import parse_settings
from smartstore.site import load_site

OUT = Path("data/runs/crowd")
RESAMPLES = 2_000
TIMES_AS_LONG = 6
"""A run may last so many times as long as people come."""


class CrowdError(Exception):
    """A crowd that cannot be drawn; one line."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """One run: people come for ``minutes`` at ``rate`` an hour on average."""

    scenario: Scenario
    rate: int
    seed: int
    minutes: float

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.scenario.scenario}-{self.rate}-an-hour-{self.minutes:g}-minutes-{self.seed}"

    def drawn(self) -> Scenario:
        """The scenario with the arrivals of this rate and seed."""
        assert self.scenario.shoppers is not None
        random, length_s = stream(self.seed, f"crowd/{self.rate}"), 60.0 * self.minutes
        count = max(1, int(random.poisson(self.rate * length_s / 3600)))
        times_s = tuple(round(float(t), 2) for t in np.sort(random.uniform(1.0, length_s, count)))
        people = self.scenario.shoppers.model_copy(update={"count": count, "arrivals": Arrivals(times_s=times_s)})
        return self.scenario.model_copy(
            update={"shoppers": people, "tail_s": TAIL_S, "limit_s": TIMES_AS_LONG * length_s + 600.0}
        )

    def document(self) -> str:
        """The drawn scenario as a document."""
        keys = self.drawn().model_dump(mode="json", by_alias=True, exclude_defaults=True)
        keys |= {"store": str(self.scenario.store.resolve())}
        keys |= {"edge": str(self.scenario.edge_file.resolve())} if self.scenario.edge_file else {}
        return yaml.safe_dump({"schema": 1, **keys}, sort_keys=False, allow_unicode=True)

    def digest(self) -> str:
        """Changes with what is played, not with the program."""
        told = f"{self.seed}|{self.document()}|{self.scenario.store.read_text()}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def play(self) -> Result:
        """Play it and count what was right."""
        started, store = time.monotonic(), self.scenario.store.resolve()
        played = play_edge(self.drawn(), store, self.seed, parse_settings({}))
        wall_s = round(time.monotonic() - started, 2)
        return {"rate": self.rate, "seed": self.seed, "minutes": self.minutes, **figures(played, store),
                "wall_s": wall_s}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Share:
    """A figure with the 95 % interval of a bootstrap over seeds."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})"


@dataclass(frozen=True, slots=True)
class Point:
    """One rate. Receipts as they are: what is in doubt is left off."""

    rate: int
    runs: int
    visits: int
    exact: Share
    f1: Share
    review: Share
    under: Share
    over: Share
    idf1: Share


FIGURES: dict[str, tuple[str, str | None]] = {
    "exact": ("exact_unsold", "visits"),
    "f1": ("f1_unsold", None),
    "review": ("doubts", "changes"),
    "under": ("under_minor", "due_minor"),
    "over": ("over_minor", "due_minor"),
    "idf1": ("idf1", None),
}
"""By figure what is counted, and of what it is a share; None: a mean over runs."""
COLUMNS = (
    "shoppers an hour", "visits", "exact receipts", "item F1", "review", "undercharge", "overcharge", "floor IDF1",
)  # fmt: skip


def crowd(
    scenario: Path, rates: Sequence[int], seeds: Sequence[int], minutes: float = 10.0, workers: int = 1,
    out: Path | None = None, resume: bool = False, watch: Callable[[Progress], None] = lambda _: None,
) -> list[Point]:  # fmt: skip
    """The curve; its runs, table and picture are in the folder.

    Raises:
        CrowdError, ScenarioError, BatchError, and whatever a run raises; each is one line.
    """
    told = load_scenario(scenario)
    if told.shoppers is None:
        raise CrowdError(f"{scenario}: has no shoppers drawn from the seed; give one like corner-rush.yaml")
    load_site(told.store)
    told.check(load_building(told.store))
    folder = out or OUT
    jobs = [Crowd(told, rate, seed, minutes) for seed in seeds for rate in rates]
    results = run_all(jobs, folder, workers, resume, watch)
    points = [point(rate, [result for result in results if result["rate"] == rate]) for rate in rates]
    draw(points, folder / "crowd.png", f"{told.scenario}, {minutes:g} minutes, {len(seeds)} seeds")
    return points


def point(rate: int, results: Sequence[Result]) -> Point:
    """One row of the curve."""
    shares = {name: _share(results, *of) for name, of in FIGURES.items()}
    return Point(rate, len(results), sum(result["visits"] for result in results), **shares)


def _share(results: Sequence[Result], part: str, whole: str | None) -> Share:
    parts = np.array([result[part] for result in results], float)
    wholes = np.array([1 if whole is None else result[whole] for result in results], float)
    picked = np.random.default_rng(1).integers(len(results), size=(RESAMPLES, len(results)))
    drawn = parts[picked].sum(axis=1) / np.maximum(wholes[picked].sum(axis=1), 1e-9)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Share(float(parts.sum() / max(wholes.sum(), 1e-9)), float(low), float(high))


def cells(points: Sequence[Point]) -> list[tuple[str, ...]]:
    """The curve as texts, in the order of :data:`COLUMNS`."""
    return [(str(row.rate), str(row.visits), *(str(getattr(row, name)) for name in FIGURES)) for row in points]


def document(points: Sequence[Point]) -> list[dict[str, Any]]:
    """The curve as JSON."""
    return [asdict(row) for row in points]


def draw(points: Sequence[Point], path: Path, title: str) -> None:
    """The curve as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    rates = [row.rate for row in points]
    for axes, names in ((above, ("exact", "f1", "idf1")), (below, ("review", "under", "over"))):
        for name in names:
            shares: list[Share] = [getattr(row, name) for row in points]
            (line,) = axes.plot(rates, [share.value for share in shares], marker="o", label=_LABELS[name])
            low, high = [share.low for share in shares], [share.high for share in shares]
            axes.fill_between(rates, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        axes.grid(alpha=0.3)
        axes.legend(loc="best", fontsize=9)
    above.set_title(f"{title}; bands: 95 % over seeds")
    above.set_ylim(top=1.005)
    below.set_ylim(bottom=0.0)
    below.set_xlabel("shoppers per hour")
    figure.savefig(path, dpi=110)


_LABELS = {
    "exact": "exact receipts", "f1": "item F1", "idf1": "floor IDF1", "review": "review rate",
    "under": "undercharge", "over": "overcharge",
}  # fmt: skip
