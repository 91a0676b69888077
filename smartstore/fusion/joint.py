"""The most likely explanation of several changes at once, under the carts as hard constraints.

In: for every change a list of hypotheses with log scores, and what each visit holds. Out: the chosen hypothesis of
every change with its probability. Nobody can put back what they do not hold at that moment, so changes that share a
visit and an SKU depend on each other; all others are independent and solved by themselves.
"""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

Holdings = Mapping[str, Mapping[str, int]]
Key = tuple[str, str, int]
"""What a hypothesis claims: visit ("" for nobody), SKU ("" for nothing), quantity."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One explanation of one change; ``quantity`` > 0 is a take. ``score`` is a log-likelihood in nats."""

    visit: str
    sku: str
    quantity: int
    facing: str
    score: float

    @property
    def key(self) -> Key:
        return self.visit, self.sku, self.quantity


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen hypothesis of a change, and the probabilities of all claims, best first."""

    hypothesis: Hypothesis
    probability: float
    ranking: tuple[tuple[Hypothesis, float], ...]


def solve(
    changes: Sequence[Sequence[Hypothesis]], holdings: Holdings, temperature: float = 1.0, most_exact: int = 4000
) -> list[Choice]:
    """One choice per change, ``changes`` in the order of time.

    Scores are divided by ``temperature`` before they become probabilities (Guo et al., 2017, "On Calibration of Modern
    Neural Networks"): which explanation wins does not depend on it. Small problems are enumerated, which gives exact
    marginal probabilities; larger ones go to ``scipy.optimize.milp``, and the probability of a choice then comes from
    the best explanation without it.
    """
    out: dict[int, Choice] = {}
    for part in _parts(changes):
        hypotheses = [changes[i] for i in part]
        exact = math.prod(len(h) for h in hypotheses) <= most_exact
        solve_part = _enumerate if exact else _optimise
        solved = solve_part(hypotheses, holdings, temperature)
        out.update(zip(part, solved, strict=True))
    return [out[i] for i in range(len(changes))]


def _parts(changes: Sequence[Sequence[Hypothesis]]) -> list[list[int]]:
    """Groups of changes that depend on each other: one may be a put-back of what another one moved."""
    moved = [{(h.visit, h.sku) for h in change if h.visit and h.quantity} for change in changes]
    put = [{(h.visit, h.sku) for h in change if h.visit and h.quantity < 0} for change in changes]
    parts: list[list[int]] = []
    for i in range(len(changes)):
        tied = [part for part in parts if any(put[i] & moved[j] or put[j] & moved[i] for j in part)]
        parts = [part for part in parts if part not in tied] + [sorted([i, *itertools.chain(*tied)])]
    return sorted(parts)


def _enumerate(changes: Sequence[Sequence[Hypothesis]], holdings: Holdings, temperature: float) -> list[Choice]:
    scored = [
        (sum(h.score for h in combination), combination)
        for combination in itertools.product(*changes)
        if _possible(combination, holdings)
    ]
    best = max(score for score, _ in scored)
    weights = [math.exp((score - best) / temperature) for score, _ in scored]
    total = sum(weights)
    top = max(zip(weights, scored, strict=True), key=lambda pair: pair[0])[1][1]
    choices = []
    for i, chosen in enumerate(top):
        mass: dict[Key, float] = {}
        example: dict[Key, Hypothesis] = {}
        for weight, (_, combination) in zip(weights, scored, strict=True):
            claim = combination[i]
            mass[claim.key] = mass.get(claim.key, 0.0) + weight / total
            if claim.key not in example or claim.score > example[claim.key].score:
                example[claim.key] = claim
        ranking = sorted(((example[key], p) for key, p in mass.items()), key=lambda pair: (-pair[1], pair[0].key))
        choices.append(Choice(chosen, mass[chosen.key], tuple(ranking)))
    return choices


def _possible(combination: Sequence[Hypothesis], holdings: Holdings) -> bool:
    moved: Counter[tuple[str, str]] = Counter()
    for claim in combination:
        if claim.visit and claim.quantity:
            moved[claim.visit, claim.sku] += claim.quantity
            if (
                claim.quantity < 0
                and holdings.get(claim.visit, {}).get(claim.sku, 0) + moved[claim.visit, claim.sku] < 0
            ):
                return False
    return True


def _optimise(changes: Sequence[Sequence[Hypothesis]], holdings: Holdings, temperature: float) -> list[Choice]:
    best, chosen = _milp(changes, holdings, None)
    choices = []
    for i, index in enumerate(chosen):
        claim = changes[i][index]
        second, instead = _milp(changes, holdings, (i, claim.key))
        probability = 1 / (1 + math.exp(min((second - best) / temperature, 50.0)))
        ranking = [(claim, probability)]
        if instead:
            ranking.append((changes[i][instead[i]], 1 - probability))
        choices.append(Choice(claim, probability, tuple(ranking)))
    return choices


def _milp(
    changes: Sequence[Sequence[Hypothesis]], holdings: Holdings, banned: tuple[int, Key] | None
) -> tuple[float, list[int]]:
    """Score and indices of the best explanation that does without one claim; -inf when there is none."""
    flat = [(i, j, h) for i, change in enumerate(changes) for j, h in enumerate(change)]
    rows = np.array([[float(i == change) for i, _, _ in flat] for change in range(len(changes))])
    constraints = [LinearConstraint(rows, 1, 1)]
    for change, (visit, sku) in sorted({(i, (h.visit, h.sku)) for i, _, h in flat if h.visit and h.quantity < 0}):
        row = np.array(
            [float(h.quantity) if i <= change and (h.visit, h.sku) == (visit, sku) else 0.0 for i, _, h in flat]
        )
        constraints.append(LinearConstraint(row[None], -holdings.get(visit, {}).get(sku, 0), np.inf))
    upper = np.array([0.0 if banned and (i, h.key) == banned else 1.0 for i, _, h in flat])
    scores = np.array([h.score for _, _, h in flat])
    found = milp(-scores, constraints=constraints, integrality=np.ones(len(flat)), bounds=Bounds(0, upper))
    if found.x is None:
        return -math.inf, []
    return float(-found.fun), [j for value, (_, j, _) in zip(found.x, flat, strict=True) if value > 0.5]
