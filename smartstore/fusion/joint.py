"""The most likely explanation of several changes at once, under the carts as hard constraints.

In: for every change a list of hypotheses with log scores, what each visit holds, and which changes happened at the same
moment by different hands. Out: the chosen hypothesis of every change with its probability. Nobody can put back what
they do not hold, so changes that share a visit and an SKU depend on each other; and somebody who does two things at
once needs both hands for it, which is rare. All other changes are independent and solved by themselves. Items that
went in one step are changes at once with the same hypotheses: no order is among them, so only one is looked at.
"""

import itertools
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_array

Floats = NDArray[np.float64]
Holdings = Mapping[str, Mapping[str, int]]
Key = tuple[str, str, int]
"""What a hypothesis claims: visit ("" for nobody), SKU ("" for nothing), quantity."""
Banned = tuple[int, Key] | None
"""A claim about a change, by its number."""
TIE_NATS = 1e-9


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


@dataclass(frozen=True, slots=True)
class JointOptions:
    """How changes hang together and how scores become probabilities."""

    temperature: float = 1.0
    """Scores are divided by this before they become probabilities: more than 1 where evidence says the same twice."""
    both_hands_nats: float = -2.0
    """For one visit that does two things at the same moment."""
    most_exact: int = 4000
    """So many explanations are enumerated; more go to a solver."""


def solve(
    changes: Sequence[Sequence[Hypothesis]],
    holdings: Holdings,
    at_once: Collection[tuple[int, int]] = (),
    options: JointOptions | None = None,
) -> list[Choice]:
    """One choice per change, ``changes`` in the order of time; ``at_once`` are pairs of them, the earlier first.

    Scores are divided by the temperature before they become probabilities (Guo et al., 2017, "On Calibration of Modern
    Neural Networks"): which explanation wins does not depend on it. Small problems are enumerated, which gives exact
    marginal probabilities; larger ones go to ``scipy.optimize.milp``, and the probability of a choice then comes from
    the best explanation without it.
    """
    options = options or JointOptions()
    out: dict[int, Choice] = {}
    for part in _parts(changes, at_once):
        place = {change: k for k, change in enumerate(part)}
        pairs = [(place[i], place[j]) for i, j in at_once if i in place and j in place]
        problem = _Problem([changes[i] for i in part], holdings, pairs, options)
        exact = math.prod(len(h) for h in problem.changes) <= options.most_exact
        out.update(zip(part, _enumerate(problem) if exact else _optimise(problem), strict=True))
    return [out[i] for i in range(len(changes))]


@dataclass(frozen=True)
class _Problem:
    """Changes that depend on each other."""

    changes: Sequence[Sequence[Hypothesis]]
    holdings: Holdings
    at_once: Sequence[tuple[int, int]]
    options: JointOptions

    @cached_property
    def alike(self) -> list[tuple[int, int]]:
        """The pairs at once of which the same is known."""
        return [(i, j) for i, j in self.at_once if self.changes[i] == self.changes[j]]

    def possible(self, combination: Sequence[Hypothesis]) -> bool:
        """Of the first changes: whether carts permit it, and what is alike is in order."""
        ordered = (combination[i].key <= combination[j].key for i, j in self.alike if j < len(combination))
        return all(ordered) and _possible(combination, self.holdings)

    def score(self, combination: Sequence[Hypothesis]) -> float:
        """Of the first changes."""
        both = sum(1 for i, j in self.at_once if j < len(combination) and _same_person(combination[i], combination[j]))
        return sum(h.score for h in combination) + both * self.options.both_hands_nats


def _same_person(a: Hypothesis, b: Hypothesis) -> bool:
    return a.visit == b.visit and bool(a.visit and a.quantity and b.quantity)


def _parts(changes: Sequence[Sequence[Hypothesis]], at_once: Collection[tuple[int, int]]) -> list[list[int]]:
    """Groups of changes that depend on each other: one may be a put-back of what another one moved, or both the work
    of one person's hands at the same moment.
    """
    moved = [{(h.visit, h.sku) for h in change if h.visit and h.quantity} for change in changes]
    put = [{(h.visit, h.sku) for h in change if h.visit and h.quantity < 0} for change in changes]
    who = [{visit for visit, _ in one} for one in moved]
    parts: list[list[int]] = []
    for i in range(len(changes)):
        tied = [
            part
            for part in parts
            if any(put[i] & moved[j] or put[j] & moved[i] or ((j, i) in at_once and who[i] & who[j]) for j in part)
        ]
        parts = [part for part in parts if part not in tied] + [sorted([i, *itertools.chain(*tied)])]
    return sorted(parts)


def _enumerate(problem: _Problem) -> list[Choice]:
    scored = [
        (problem.score(combination), combination)
        for combination in itertools.product(*problem.changes)
        if problem.possible(combination)
    ]
    best = max(score for score, _ in scored)
    weights = [math.exp((score - best) / problem.options.temperature) for score, _ in scored]
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


def _optimise(problem: _Problem) -> list[Choice]:
    search = _Search(problem)
    best, chosen = search.best(None)
    choices = []
    for i, index in enumerate(chosen):
        claim = problem.changes[i][index]
        second, instead = search.best((i, claim.key))
        probability = 1 / (1 + math.exp(min((second - best) / problem.options.temperature, 50.0)))
        ranking = [(claim, probability)]
        if instead:
            ranking.append((problem.changes[i][instead[i]], 1 - probability))
        choices.append(Choice(claim, probability, tuple(ranking)))
    return choices


@dataclass(frozen=True)
class _Search:
    """Finds best explanations: change by change, and by a solver only where something stands against that."""

    problem: _Problem

    def best(self, banned: Banned) -> tuple[float, list[int]]:
        """Score and indices of the best explanation that does without one claim; -inf when there is none."""
        allowed = [
            [j for j in order if (i, self.problem.changes[i][j].key) != banned] for i, order in enumerate(self._orders)
        ]
        if not all(allowed):
            return -math.inf, []
        tops = [self.problem.changes[i][order[0]].score for i, order in enumerate(allowed)]
        found = self._one_by_one(allowed)
        claims = [change[j] for change, j in zip(self.problem.changes, found, strict=True)]
        score = self.problem.score(claims) if self.problem.possible(claims) else -math.inf
        lost = sum(tops) - score
        if lost < TIE_NATS:
            return score, found
        # Whatever costs more by itself than all that was lost so far is not of the best.
        least = [top - lost - TIE_NATS for top in tops]
        return self._program.best([h.score < least[i] or (i, h.key) == banned for i, _, h in self._program.flat])

    @cached_property
    def _orders(self) -> list[list[int]]:
        return [sorted(range(len(change)), key=lambda j: -change[j].score) for change in self.problem.changes]

    @cached_property
    def _program(self) -> "_Program":
        return _Program.of(self.problem)

    def _one_by_one(self, allowed: Sequence[Sequence[int]]) -> list[int]:
        """An explanation that carts permit: of each change what is best after those before it."""
        found: list[int] = []
        chosen: list[Hypothesis] = []
        for change, order in zip(self.problem.changes, allowed, strict=True):
            best, index = -math.inf, order[-1]
            for j in order:
                if change[j].score <= best:
                    break
                if self.problem.possible([*chosen, change[j]]):
                    score = self.problem.score([*chosen, change[j]])
                    score -= self.problem.score(chosen)
                    best, index = (score, j) if score > best else (best, index)
            found.append(index)
            chosen.append(change[index])
        return found


@dataclass(frozen=True, slots=True)
class _Program:
    """A problem as an integer program: one variable per hypothesis, ``flat`` with its change and its place there, and
    one per pair of changes at once and visit, which must be 1 where both are that visit's.
    """

    flat: Sequence[tuple[int, int, Hypothesis]]
    scores: Floats
    constraint: LinearConstraint

    @classmethod
    def of(cls, problem: _Problem) -> Self:
        """Each change is one of its hypotheses, no cart gives what it does not hold, what is alike is in order, and two
        hands are two."""
        flat = [(i, j, h) for i, change in enumerate(problem.changes) for j, h in enumerate(change)]
        whose = [[(k, h.visit) for k, (i, _, h) in enumerate(flat) if i == n and h.visit and h.quantity]
                 for n in range(len(problem.changes))]  # fmt: skip
        both = [
            (i, j, visit)
            for i, j in problem.at_once
            for visit in sorted({v for _, v in whose[i]} & {v for _, v in whose[j]})
        ]
        rows: list[tuple[Mapping[int, float], float, float]] = [
            ({k: 1.0 for k, (i, _, _) in enumerate(flat) if i == n}, 1.0, 1.0) for n in range(len(problem.changes))
        ]
        for change, what in sorted({(i, (h.visit, h.sku)) for i, _, h in flat if h.visit and h.quantity < 0}):
            moves = {
                k: float(h.quantity) for k, (i, _, h) in enumerate(flat) if i <= change and (h.visit, h.sku) == what
            }
            rows.append((moves, -float(problem.holdings.get(what[0], {}).get(what[1], 0)), math.inf))
        for i, j in problem.alike:
            rank = {key: n for n, key in enumerate(sorted({h.key for h in problem.changes[i]}))}
            order = {k: float(rank[h.key]) * (1 if n == j else -1) for k, (n, _, h) in enumerate(flat) if n in (i, j)}
            rows.append((order, 0.0, math.inf))
        for n, (i, j, visit) in enumerate(both):
            hands = {k: 1.0 for k, v in whose[i] + whose[j] if v == visit}
            rows.append((hands | {len(flat) + n: -1.0}, -math.inf, 1.0))
        matrix = np.zeros((len(rows), len(flat) + len(both)))
        for line, (weights, _, _) in zip(matrix, rows, strict=True):
            line[list(weights)] = list(weights.values())
        scores = np.array([h.score for _, _, h in flat] + [problem.options.both_hands_nats] * len(both))
        return cls(
            flat, scores, LinearConstraint(csc_array(matrix), *zip(*(bounds for _, *bounds in rows), strict=True))
        )

    def best(self, out: Sequence[bool]) -> tuple[float, list[int]]:
        """Score and indices of the best explanation without the hypotheses that are ``out``; -inf if there is none."""
        upper = np.ones(len(self.scores))
        upper[: len(out)][np.array(out)] = 0.0
        found = milp(
            -self.scores, constraints=self.constraint, integrality=np.ones(len(upper)), bounds=Bounds(0, upper)
        )
        if found.x is None:
            return -math.inf, []
        return float(-found.fun), [j for value, (_, j, _) in zip(found.x, self.flat, strict=False) if value > 0.5]
