"""Stories to learn from: played once, and kept as long as neither the program nor their documents change.

In: seeds. Out: what the attribution heard in each story, with the truth.
"""

import hashlib
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sims.building import load_building
from sims.devices.edge_model import load_edge_model
from sims.lab.families import Family, families_named
from sims.lab.families.stage import STORES
from sims.lab.fit_edge_record import store_id
from sims.lab.learn_record import Story, record
from sims.scenario import Scenario, load_scenario
from smartstore.site import Site, load_site

RUSH = STORES.parent / "scenarios/corner-rush.yaml"
CACHE = Path("data/runs/learn")
ROOT = Path(__file__).resolve().parents[2]
AGAIN = 10
"""What there is too little of in one story is played so often with seeds of its own: ten times a seed, and those after
it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far learning has come, for displays."""

    what: str
    share: float


Watch = Callable[[Progress], None]
Told = tuple[Story, Site]
Wanted = tuple[Family | None, int]
"""A family, or none for a rush, and a seed."""


def of_all(seeds: Sequence[int], only: Sequence[str], rushes: int = 3) -> list[Wanted]:
    """A story of each family and several rushes per seed."""
    families = families_named(only)
    return [one for seed in seeds for one in (*((f, seed) for f in families), *again(None, seed, rushes))]


def again(family: Family | None, seed: int, times: int = AGAIN) -> list[Wanted]:
    """A family again and again, with seeds that belong to ``seed``."""
    return [(family, AGAIN * seed + nth) for nth in range(times)]


def stories(wanted: Sequence[Wanted], what: str, watch: Watch) -> list[Told]:
    """The stories, played or as they were kept, so that an interrupted learning goes on.

    Raises:
        ScenarioError, BuildingError: bad input, one line.
    """
    sites: dict[Path, Site] = {}
    told = []
    for nth, (family, seed) in enumerate(wanted):
        watch(Progress(f"{what}: {family.name if family else RUSH.stem}, seed {seed}", nth / len(wanted)))
        store = STORES / f"{family.store(seed) if family else 'corner'}.yaml"
        site = sites.get(store) or sites.setdefault(store, load_site(store))
        scenario = family.scenario(load_building(store), seed) if family else load_scenario(RUSH)
        name = family.name if family else RUSH.stem
        told.append((_kept(f"{name}-{store.stem}", scenario, store, site, seed), site))
    return told


def _kept(name: str, scenario: Scenario, store: Path, site: Site, seed: int) -> Story:
    path = CACHE / f"{name}-{seed}-{story_key(scenario, store, seed)}.pickle"
    if path.exists():
        kept: Story = pickle.loads(path.read_bytes())  # noqa: S301 - written by this function
        return kept
    story = record(scenario, store, site, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_bytes(pickle.dumps(story))
    partial.replace(path)
    return story


def story_key(scenario: Scenario, store: Path, seed: int) -> str:
    """Digest of all that a story depends on: documents and the program, of which any part may matter."""
    errors = load_edge_model(scenario.edge_file).model_dump_json(exclude={"fitted"})
    told = f"{scenario.model_dump_json(exclude={'seed'})}|{seed}|{store_id(store)}|{errors}|{_program_id()}"
    return hashlib.sha256(told.encode()).hexdigest()[:12]


@cache
def _program_id() -> str:
    digest = hashlib.sha256()
    for path in sorted([*ROOT.glob("smartstore/**/*.py"), *ROOT.glob("sims/**/*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()
