"""Baskets: how many items somebody takes and which, so that the totals that a store knows come out.

In: a demand document, the building, a generator. Out: lists of facings. Weights of goods are fitted to the wanted mix
by proportional fitting (W. E. Deming, F. F. Stephan, 1940), because affinities and impulse shift it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sims.building import Building, Facing
from sims.chance import stream
from sims.demand_document import Demand

ROUNDS, TRIES = 10, 1200
AGAIN = 0.3
"""How much less one wants what one has already."""
MOST = 40
MOST_SUDDEN = 0.95
LEAST = 1e-9

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Wants:
    """What people want. ``weights`` by facing; ``lifts``: row has been taken, column is wanted so many times more."""

    facings: tuple[str, ...]
    fixtures: Ints
    weights: Floats
    lifts: Floats
    impulse: float
    """Of the items after the first one."""
    impulse_weights: Floats | None
    """Where things are taken on impulse; None: at the fixture of something on the list."""

    def baskets(self, sizes: Ints, random: np.random.Generator) -> list[list[tuple[str, bool]]]:
        """For every size a list of facings, and whether it was on impulse; the first one never is."""
        picks, sudden = self.picks(sizes, random)
        return [[(self.facings[picks[i, k]], bool(sudden[i, k])) for k in range(size)] for i, size in enumerate(sizes)]

    def picks(self, sizes: Ints, random: np.random.Generator) -> tuple[Ints, NDArray[np.bool_]]:
        """Indices of facings (n, most), and which of them are impulses; places beyond a size mean nothing."""
        most = int(sizes.max(initial=0))
        chance = np.tile(self.weights, (len(sizes), 1))
        picks = np.zeros((len(sizes), most), np.int64)
        sudden = random.random((len(sizes), most)) < self.impulse
        sudden[:, :1] = False
        for k in range(most):
            planned = _draw(chance, random)
            picks[:, k] = np.where(sudden[:, k], self._impulse(picks[:, :k], random), planned)
            chance = np.maximum(chance * self.lifts[picks[:, k]], 0.0)
        return picks, sudden

    def _impulse(self, before: Ints, random: np.random.Generator) -> Ints:
        """Something of the fixture where one has taken something, or of where things are put for it."""
        count = len(before)
        if self.impulse_weights is not None:
            return _draw(np.tile(self.impulse_weights, (count, 1)), random)
        if before.shape[1] == 0:
            return np.zeros(count, np.int64)
        at = before[np.arange(count), random.integers(before.shape[1], size=count)]
        return _draw((self.fixtures[None, :] == self.fixtures[at][:, None]).astype(float), random)


def _draw(chance: Floats, random: np.random.Generator) -> Ints:
    """One index per row, by weight."""
    ladder = np.cumsum(chance, axis=1)
    rolled = random.random((len(chance), 1)) * np.maximum(ladder[:, -1:], LEAST)
    return np.asarray(np.minimum((ladder <= rolled).sum(axis=1), chance.shape[1] - 1), np.int64)


def basket_sizes(demand: Demand, count: int, random: np.random.Generator) -> Ints:
    """Items per visit: one, and the rest negative binomial, or Poisson where that spreads enough."""
    mean = demand.items_per_visit - 1.0
    variance = (demand.spread * demand.items_per_visit) ** 2
    if mean <= 0:
        return np.ones(count, np.int64)
    if variance <= mean:
        more = random.poisson(mean, count)
    else:
        share = mean / variance
        more = random.negative_binomial(mean * share / (1.0 - share), share, count)
    return np.asarray(1 + np.minimum(more, MOST - 1), np.int64)


def calibrated(demand: Demand, building: Building) -> Wants:
    """What people must want so that the mix comes out; the same for every seed."""
    facings = list(building.facings.values())
    groups = np.array([_group(facing, demand) for facing in facings])
    names = [*demand.mix, ""]
    targets = np.array([*demand.mix.values(), max(0.0, 1.0 - sum(demand.mix.values()))])
    members = np.array([(groups == name).sum() for name in names])
    targets = np.where(members > 0, targets, 0.0)
    targets = targets / targets.sum()
    mine = np.array([names.index(group) for group in groups])
    order = {fixture: i for i, fixture in enumerate(building.fixtures)}
    fixtures = np.array([order[facing.fixture] for facing in facings])
    factors = np.ones(len(names))
    sudden = min(MOST_SUDDEN, demand.impulse.share * demand.items_per_visit / max(0.1, demand.items_per_visit - 1.0))
    names_of = tuple(facing.id for facing in facings)
    wants = Wants(names_of, fixtures, np.zeros(0), _lifts(demand, facings), sudden, _places(demand, facings))
    for _ in range(ROUNDS):
        wants = replace(wants, weights=(targets * factors / np.maximum(members, 1))[mine])
        random = stream(0, f"calibration/{demand.demand}")
        sizes = basket_sizes(demand, TRIES, random)
        picks, _ = wants.picks(sizes, random)
        taken = picks[np.arange(picks.shape[1])[None, :] < sizes[:, None]]
        shares = np.bincount(mine[taken], minlength=len(names)) / len(taken)
        factors *= np.clip((targets + 1e-3) / (shares + 1e-3), 0.5, 2.0)
    return wants


def matches(facing: Facing, name: str) -> bool:
    """Whether a name of a demand document is of this facing."""
    return name in (facing.sku, facing.id, facing.fixture)


def _group(facing: Facing, demand: Demand) -> str:
    """The share of the mix that a facing counts for: its SKU's before its own before its fixture's."""
    return next((name for name in (facing.sku, facing.id, facing.fixture) if name in demand.mix), "")


def _lifts(demand: Demand, facings: list[Facing]) -> Floats:
    lifts = np.ones((len(facings), len(facings)))
    for affinity in demand.affinities:
        of = np.array([matches(facing, affinity.of) for facing in facings])
        wanted = np.array([matches(facing, affinity.with_) for facing in facings])
        lifts[np.ix_(of, wanted)] *= affinity.times
    lifts[np.eye(len(facings), dtype=bool)] *= AGAIN
    return lifts


def _places(demand: Demand, facings: list[Facing]) -> Floats | None:
    if not demand.impulse.fixtures:
        return None
    return np.array([float(any(matches(f, name) for name in demand.impulse.fixtures)) for f in facings])
