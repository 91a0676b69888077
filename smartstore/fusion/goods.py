"""What visits carry: since when, from where, and what of it may be in a hand yet.

In: takes. Out: what a visit held at a time, and how likely it parted with which of it.
"""

from collections import Counter
from collections.abc import Collection

from smartstore.fusion.weights import KnownWeights

Carts = dict[str, Counter[str]]
"""What each visit holds, by SKU."""


class Goods:
    """Remembers takes of visits that are inside."""

    def __init__(self, weights: KnownWeights) -> None:
        self._weights = weights
        self._taken_at: dict[tuple[str, str], str] = {}
        self._held_since: dict[tuple[str, str], int] = {}
        self._last: dict[str, str] = {}
        """What each visit took last."""

    def forget(self, inside: Collection[str]) -> None:
        """Only the visits ``inside`` matter any more."""
        gone = self._last.keys() - set(inside)
        if not gone:
            return
        for visit in gone:
            self._weights.forget(visit)
        self._taken_at = {key: facing for key, facing in self._taken_at.items() if key[0] in inside}
        self._held_since = {key: t_ns for key, t_ns in self._held_since.items() if key[0] in inside}
        self._last = {visit: sku for visit, sku in self._last.items() if visit in inside}

    def home(self, visit: str, sku: str) -> str | None:
        """The facing from which a visit took it last."""
        return self._taken_at.get((visit, sku))

    def takes(self, visit: str, sku: str, count: int, facing: str, t_ns: int, holdings: Carts) -> None:
        """A visit took something from a facing."""
        held = holdings.setdefault(visit, Counter())
        if held[sku] <= 0:
            self._held_since[visit, sku] = t_ns
        held[sku] += count
        self._taken_at[visit, sku], self._last[visit] = facing, sku

    def parted(self, visit: str, t_ns: int, holdings: Carts, fetched: float) -> dict[str, float]:
        """Of what a visit held at a time already, how likely it let go of each if it did of one.

        ``fetched`` is how likely that was in its bag, and not what it took last and may have in the hand.
        """
        held = sorted(sku for sku, count in holdings.get(visit, {}).items() if count > 0)
        held = [sku for sku in held if self._held_since.get((visit, sku), t_ns) <= t_ns]
        bag = [sku for sku in held if sku != self._last.get(visit)]
        if len(bag) in (0, len(held)):
            return {sku: 1 / len(held) for sku in held}
        return {sku: fetched / len(bag) if sku in bag else 1 - fetched for sku in held}
