"""What the product was told and what really happened, kept so that evidence can be judged again and again.

In: a scenario with smart cameras. Out: a :class:`Story`: the facts that reached the attribution, in their order, and
the true changes; and from a story and options, how likely the truth was held to be at every decision.
"""

import math
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sims.building import load_building
from sims.lab.product import Palms
from sims.scenario import Scenario
from sims.simulation import Simulation
from sims.truth import TrueChange, TrueDrop, TrueHandOver, read_truth
from smartstore.domain.events import ItemReturned, ItemTaken
from smartstore.fusion.attribution import Attributor, Known
from smartstore.fusion.changes import Change
from smartstore.fusion.joint import Choice, Key
from smartstore.pipeline import Pipeline, PipelineOptions, attributor
from smartstore.site import Site
from smartstore.wire.codec import decode

NS_PER_S = 1_000_000_000
NEAR_NS = NS_PER_S
"""A true change so far from what the product saw may still be it."""
STEP_NS = NS_PER_S // 10
"""Decisions are asked for this often, in event time; in a store every message asks."""
LEAST = 1e-4
"""Of an explanation that was not thought of at all."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A decision was due: who was inside, whose track was whose, and which were known to be nobody's."""

    now_ns: int
    owners: Mapping[int, str]
    inside: tuple[str, ...]
    strangers: frozenset[int]
    final: bool


@dataclass(frozen=True, slots=True)
class Story:
    """One run: facts and decisions in the order in which they came, and what really changed on the shelves, went from
    hand to hand and was left on the floor."""

    name: str
    told: tuple[Any, ...]
    changes: tuple[TrueChange, ...]
    hand_overs: tuple[TrueHandOver, ...]
    drops: tuple[TrueDrop, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """One decision: what the truth was, how likely it was held to be, and what was chosen with which probability."""

    truth: Key
    probability: float
    chosen: Key
    sure: float


class _Listener(Attributor):
    """Writes down what it is told."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.told: list[Any] = []
        self._last_ns = 0

    def observe(self, fact: Any) -> None:
        self.told.append(fact)
        super().observe(fact)

    def decide(self, now_ns: int, known: Known, final: bool = False) -> Any:
        if final or now_ns - self._last_ns >= STEP_NS:
            self._last_ns = now_ns
            strangers = frozenset(known.strangers)
            self.told.append(Ask(now_ns, dict(known.owners), tuple(known.inside), strangers, final))
        return super().decide(now_ns, known, final)


def record(scenario: Scenario, store: Path, site: Site, seed: int) -> Story:
    """Plays a scenario with smart cameras and keeps what the attribution heard.

    Raises:
        ScenarioError, BuildingError: bad input, one line.
    """
    building, options = load_building(store), PipelineOptions()
    palms = Palms(building.store, seed)
    listener = attributor(site, options, kind=_Listener)
    pipeline = Pipeline(site, options, attribution=listener)
    with tempfile.TemporaryDirectory() as folder:
        truth = Path(folder) / "truth.jsonl"
        simulation = Simulation(building, scenario, seed, scan=palms.scan, enrol=palms.enrol, truth=truth)
        for moment in simulation.run():
            for packet in moment.packets:
                received = decode(packet)
                if received is not None:
                    pipeline.feed(received)
        pipeline.flush()
        true = read_truth(truth)
    return Story(f"{scenario.scenario}-{seed}", tuple(listener.told), true.changes, true.hand_overs, true.drops)


def judge(story: Story, site: Site, options: PipelineOptions) -> list[Judged]:
    """Every decision that these options lead to, beside the truth. Decisions about several true changes at once, by
    different people or of different goods, are left out: no single explanation of theirs is right."""
    decided: list[tuple[Change, Choice]] = []
    replay(story, attributor(site, options, lambda change, choice: decided.append((change, choice))))
    truths = _truths([change for change, _ in decided], story.changes)
    return [_judged(choice, truth) for (_, choice), truth in zip(decided, truths, strict=True) if truth is not None]


def replay(story: Story, stage: Attributor) -> None:
    """Tells a stage what was heard and asks it for decisions, as the pipeline did; carts follow what it says."""
    holdings: dict[str, Counter[str]] = {}
    for entry in story.told:
        if not isinstance(entry, Ask):
            stage.observe(entry)
            continue
        known = Known(holdings, entry.owners, list(entry.inside), entry.strangers)
        for event in stage.decide(entry.now_ns, known, entry.final):
            if isinstance(event, ItemTaken | ItemReturned):
                held = holdings.setdefault(event.visit, Counter())
                held[event.sku] += event.quantity if isinstance(event, ItemTaken) else -event.quantity


def _truths(changes: list[Change], true: tuple[TrueChange, ...]) -> list[Key | None]:
    """What each change really was; None where it was more than one thing. A true change belongs to one change only."""
    near = sorted(
        (_away_ns(change, deed), j, i)
        for i, change in enumerate(changes)
        for j, deed in enumerate(true)
        if deed.facing in change.facings and _away_ns(change, deed) <= NEAR_NS
    )
    owner: dict[int, int] = {}
    for _, j, i in near:
        if j not in owner and not (changes[i].step is not None and _against(changes[i], true[j])):
            owner[j] = i
    out: list[Key | None] = []
    for i in range(len(changes)):
        deeds = [true[j] for j in owner if owner[j] == i]
        keys = {(deed.visit, deed.sku, deed.kind) for deed in deeds}
        if len(keys) > 1:
            out.append(None)
        elif not keys:
            out.append(("", "", 0))
        else:
            ((visit, sku, kind),) = keys
            count = sum(deed.quantity for deed in deeds)
            out.append((visit, sku, count if kind == "take" else -count))
    return out


def _against(change: Change, deed: TrueChange) -> bool:
    """Whether a weight went the other way than goods did."""
    assert change.step is not None
    return (change.step.grams > 0) == (deed.kind == "take")


def _away_ns(change: Change, deed: TrueChange) -> int:
    return max(change.t_start_ns - deed.t_ns, deed.t_ns - change.t_end_ns, 0)


def _judged(choice: Choice, truth: Key) -> Judged:
    said = {claim.key: p for claim, p in choice.ranking}
    return Judged(truth, max(said.get(truth, 0.0), LEAST), choice.hypothesis.key, choice.probability)


def log_likelihood(judged: list[Judged]) -> float:
    """Mean over decisions of the log probability of the truth, in nats."""
    return sum(math.log(one.probability) for one in judged) / max(1, len(judged))
