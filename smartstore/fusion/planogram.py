"""What lies where: the planogram as surveyed, and what shoppers have made of it since.

In: decided takes and put-backs. Out: the prior probability that a change at a facing concerns an SKU.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from scipy.special import expit

from smartstore.site import Site


@dataclass(frozen=True, slots=True)
class PlanogramOptions:
    """Prior probabilities of what a hand finds, or leaves, at a facing; shares of all changes there."""

    known: bool = True
    """Without it every product may lie anywhere."""
    living: bool = True
    """Without it nothing is learned from what shoppers leave in other places."""

    stray_take: float = 0.001
    """A take of something that should not lie there, without anybody known to have left it."""
    exchanged: float = 0.01
    """Share of pairs of neighbours on a shelf that stand in each other's place: whoever fills shelves confuses them."""
    exchanged_nats: float = 5.0
    """One change says no more than this about it."""
    exchanged_most_nats: float = 10.0
    """All changes together say no more than this: the shelf may be filled anew after them."""
    neighbour_put: float = 0.06
    """A put-back beside its own place, on the same shelf."""
    stray_put: float = 0.04
    """A put-back anywhere else in the store."""
    thing_grams: float = 3.0
    """How well a thing that is no goods weighs the same when it comes and when it goes."""
    thing_sigmas: float = 4.0
    """What is off by more than so many standard deviations is not that thing."""
    thing_nats: float = 2.0
    """How much likelier such a thing leaves than hands cause a step for no reason."""


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that is no goods, at a facing, beside a weight that may be its own."""

    facing: str
    grams: float
    off_grams: float
    sigma_grams: float


@dataclass
class Planogram:
    """Counts strays: items known to lie at a facing that is not theirs."""

    site: Site
    options: PlanogramOptions = field(default_factory=PlanogramOptions)
    strays: dict[str, Counter[str]] = field(default_factory=dict)
    found: dict[str, Counter[str]] = field(default_factory=dict)
    """What was taken from a facing although nobody had left it there and it belongs elsewhere."""
    confirmed: Counter[str] = field(default_factory=Counter)
    """How often what belongs to a facing was taken from it."""
    exchanges: dict[frozenset[str], float] = field(default_factory=dict)
    """What changes said, in nats, for two neighbours that stand in each other's place."""
    things: dict[str, list[float]] = field(default_factory=dict)
    """Weights in grams of what lies at a facing and is no goods: a phone, a bag."""

    def take_log(self, facing: str, sku: str) -> float:
        """Log prior that a take at ``facing`` is of ``sku``."""
        return self.takes(facing)(sku)

    def takes(self, facing: str) -> Callable[[str], float]:
        """The log prior that a take at ``facing`` is of an SKU, by SKU."""
        if not self.options.known:
            return lambda _: -math.log(len(self.site.items))
        home, wrong = self.site.facings[facing].sku, self._wrong(facing)
        here = self.strays.get(facing, Counter())
        known = self._in_front(facing, here.total())
        own = (1 - self.options.stray_take) * (1 - known) * (1 - sum(wrong.values()))
        least = self.options.stray_take / max(len(self.site.items) - 1, 1)

        def log(sku: str) -> float:
            share = known * here[sku] / here.total() if here[sku] > 0 else 0.0
            share += (1 - known) * wrong.get(sku, 0.0)
            share += own if sku == home else 0.0
            return math.log(max(share, least))

        return log

    def _wrong(self, facing: str) -> dict[str, float]:
        """Chances that other goods stand here than the planogram says: those that were found here, and, half as
        surely, those in whose place this facing's own were found: fillers exchange them.
        """
        home = self.site.facings[facing].sku
        others = {sku: float(count) for sku, count in self.found.get(facing, Counter()).items()}
        for other, counts in self.found.items():
            if counts[home] > 0:
                sku = self.site.facings[other].sku
                others[sku] = others.get(sku, 0.0) + 0.5 * counts[home]
        total = sum(others.values())
        wrong = {sku: weight / (total + 1 + self.confirmed[facing]) for sku, weight in others.items()}
        if self.options.living:
            for beside in self.beside(facing):
                sku = self.site.facings[beside].sku
                wrong[sku] = max(wrong.get(sku, 0.0), self.exchanged(facing, beside))
        total = sum(wrong.values())
        return {sku: share / max(total / 0.98, 1.0) for sku, share in wrong.items()}

    def beside(self, facing: str) -> list[str]:
        """The facings of other goods to the left and right of one."""
        place = self.site.facings[facing]
        row = self.site.facings_of_shelf(place.shelf)
        at = next(i for i, other in enumerate(row) if other.id == facing)
        return [other.id for other in (*row[max(at - 1, 0) : at], *row[at + 1 : at + 2]) if other.sku != place.sku]

    def exchanged(self, facing: str, beside: str) -> float:
        """Chance that two neighbours stand in each other's place."""
        return float(expit(self.exchanged_nats(facing, beside)))

    def exchanged_nats(self, facing: str, beside: str) -> float:
        """The same as log odds."""
        share = self.options.exchanged
        return math.log(share / (1 - share)) + self.exchanges.get(frozenset((facing, beside)), 0.0)

    def weigh(self, facing: str, beside: str, nats: float) -> float:
        """A change at ``facing`` speaks so strongly for goods of ``beside`` against its own: what of it counts."""
        most, pair = self.options.exchanged_nats, frozenset((facing, beside))
        before, whole = self.exchanges.get(pair, 0.0), self.options.exchanged_most_nats
        told = before + min(max(nats, -most), most)
        self.exchanges[pair] = min(max(told, -whole), whole)
        return self.exchanges[pair] - before

    def _in_front(self, facing: str, strays: int) -> float:
        """Chance that a hand comes upon one of ``strays``: each stands at the front of one column or another."""
        return 1 - (1 - 1 / max(self.site.facings[facing].columns, 2)) ** strays

    def put_log(self, facing: str, sku: str) -> float:
        """Log prior that somebody who puts back ``sku`` chooses ``facing``."""
        if not self.options.known:
            return -math.log(len(self.site.facings))
        place = self.site.facings[facing]
        if sku == place.sku:
            return math.log(1 - self.options.neighbour_put - self.options.stray_put)
        beside = any(other.sku == sku for other in self.site.facings_of_shelf(place.shelf))
        return math.log(self.options.neighbour_put if beside else self.options.stray_put)

    def took(self, facing: str, sku: str, count: int) -> None:
        """``count`` of ``sku`` went from ``facing``."""
        left = self.strays.get(facing, Counter())[sku]
        if left > 0:
            self.strays[facing][sku] = max(left - count, 0)
        elif sku == self.site.facings[facing].sku:
            self.confirmed[facing] += 1
        elif self.options.living:
            self.found.setdefault(facing, Counter())[sku] += 1

    def corrected(self, facing: str, sku: str, count: int) -> None:
        """It was not ``count`` of ``sku`` that went from ``facing``."""
        if sku == self.site.facings[facing].sku:
            self.confirmed[facing] -= 1
        elif (found := self.found.get(facing, Counter()))[sku] > 0:
            found[sku] -= count

    def returned(self, facing: str, sku: str, count: int) -> None:
        """``count`` of ``sku`` came to ``facing``."""
        if self.options.living and sku != self.site.facings[facing].sku:
            self.strays.setdefault(facing, Counter())[sku] += count

    @contextmanager
    def supposing(self, puts: Iterable[tuple[str, str, int]]) -> Iterator[None]:
        """As if these (facing, SKU, count) had been put back."""
        kept = self.strays
        self.strays = {facing: strays.copy() for facing, strays in kept.items()}
        for facing, sku, count in puts:
            self.returned(facing, sku, count)
        try:
            yield
        finally:
            self.strays = kept

    def laid(self, facing: str, grams: float) -> None:
        """Something that no cart misses came to ``facing``."""
        self.things.setdefault(facing, []).append(grams)

    def thing_like(self, facings: Iterable[str], grams: float, sigma_grams: float) -> Thing | None:
        """The thing at one of ``facings`` that weighs most like ``grams``; None where none does."""
        sigma = math.hypot(sigma_grams, self.options.thing_grams)
        here = [
            Thing(facing, thing, thing - grams, sigma)
            for facing in facings
            for thing in self.things.get(facing, [])
            if abs(thing - grams) < self.options.thing_sigmas * sigma
        ]
        return min(here, key=lambda thing: abs(thing.off_grams), default=None)

    def cleared(self, thing: Thing) -> None:
        """That thing is gone again."""
        self.things[thing.facing].remove(thing.grams)
