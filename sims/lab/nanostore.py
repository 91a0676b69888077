"""``smartstore sim nanostore``: labelled scripts of a real store, played by simulated bodies in its imported geometry.

In: the NanoStore data, scripts and seeds. Out: the figures of every case by the rule of the AutoCheckout competition
(2020): F1 over lines, right if shopper and product are, put-backs cancelling their takes; beside the winner's published
score where there is one, and beside a sequential baseline on the same feed.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from sims.chance import stream
from sims.lab.batch import Progress, Result, run_all
from sims.lab.gauntlet_play import figures
from sims.lab.nanostore_script import Story, read_scripts, slug_of, story_of
from sims.lab.play import play_edge
from sims.scenario import Scenario
from smartstore.formats.nanostore import NanoStoreError, document_files, open_nanostore
from smartstore.formats.nanostore_store import NanoStore
from smartstore.settings import parse_settings

OUT = Path("data/runs/nanostore")
SCRIPTS, WINNER = Path("ground_truth/scripts.json"), Path("winner_scores.json")
TAIL_S = 22.0
"""Longer than the product may wait for something doubtful before it writes a receipt."""


@dataclass(frozen=True, slots=True)
class NanoStoreRequest:
    """What to play: the scripts of a file, or those of the data itself, with each of the seeds."""

    data: Path
    seeds: Sequence[int]
    scripts: Path | None = None
    only: Sequence[str] = ()
    workers: int = 1
    out: Path = OUT
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """A story with its day's store as files, ready to be played with any seed."""

    story: Story
    store: Path

    @property
    def slug(self) -> str:
        """The case's name as part of file names and ids."""
        return slug_of(self.story.case)


@dataclass(frozen=True, slots=True)
class Take:
    """One run: a story and a seed."""

    stage: Stage
    seed: int

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.stage.slug}-{self.seed}"

    def document(self) -> str:
        """The scenario as a document, which ``smartstore sim run`` plays in the same way."""
        story, random = self.stage.story, stream(self.seed, f"nanostore/{self.stage.slug}")
        script = [
            {"name": name, "arrive_s": 1.0 + 5.0 * i, "speed_m_s": round(float(random.uniform(0.75, 1.1)), 2),
             "actions": actions}
            for i, (name, actions) in enumerate(story.shoppers.items())
        ]  # fmt: skip
        document = {
            "schema": 1, "scenario": f"nanostore-{self.stage.slug}", "store": str(self.stage.store.resolve()),
            "seed": self.seed, "tail_s": TAIL_S, "limit_s": story.lasts_s + 600.0, "script": script,
        }  # fmt: skip
        return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)

    def digest(self) -> str:
        """Changes with the story and its store; not with the program."""
        catalogue = self.stage.store.with_name("catalogue.yaml")
        told = self.document() + self.stage.store.read_text() + catalogue.read_text()
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def play(self) -> Result:
        """Play it and count what was right."""
        started, story = time.monotonic(), self.stage.story
        scenario = Scenario.model_validate(yaml.safe_load(self.document()))
        played = play_edge(scenario, self.stage.store, self.seed, parse_settings({}), baseline=True)
        counted = figures(played, self.stage.store)
        lines = {visit.person: Counter(visit.lines) for visit in played.truth.visits}
        as_written = lines == {name: +due for name, due in story.due.items()}
        return {
            "case": story.case, "seed": self.seed, "as_written": as_written, **counted,
            "wall_s": round(time.monotonic() - started, 2),
        }  # fmt: skip


def stages(request: NanoStoreRequest) -> tuple[list[Stage], list[str]]:
    """The stories of a request with their stores written into its folder, and a line for all that is not played.

    Raises:
        NanoStoreError: data or scripts cannot be read, or nothing at all can be played.
    """
    data = open_nanostore(request.data)
    scripts = read_scripts(request.scripts or request.data / SCRIPTS)
    if unknown := [name for name in request.only if name not in {script.case for script in scripts}]:
        raise NanoStoreError(f"there is no case {unknown[0]!r}; there are {', '.join(s.case for s in scripts)}")
    stories = [story_of(script, data.store) for script in scripts if not request.only or script.case in request.only]
    problems = [line for story in stories for line in story.problems]
    played = {slug_of(story.case): story for story in stories if any(story.shoppers.values())}
    if not played:
        raise NanoStoreError(f"no case can be played: {problems[0]}")
    folder = request.out / "stores"
    return [Stage(story, _written(story, data.store, folder / slug)) for slug, story in played.items()], problems


def nanostore(
    request: NanoStoreRequest, staged: Sequence[Stage], watch: Callable[[Progress], None] = lambda _: None
) -> list[Result]:
    """The results of all stories and seeds, seed by seed."""
    takes = [Take(stage, seed) for seed in request.seeds for stage in staged]
    return run_all(takes, request.out, request.workers, request.resume, watch)


def winner_scores(data: Path) -> list[tuple[str, float]]:
    """The winner's published F1 values, each with its case, some cases several times; empty where there is no file.

    Raises:
        NanoStoreError: the file is not what it should be.
    """
    path = data / WINNER
    if not path.is_file():
        return []
    try:
        return [(str(row["case"]), float(row["f1"])) for row in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NanoStoreError(f"{path}: is no list of cases with their f1 ({error}); fetch it again") from error


def _written(story: Story, store: NanoStore, folder: Path) -> Path:
    """The store of a story's day as files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in document_files(replace(store, goods=story.goods), story.planogram):
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "store.yaml"
