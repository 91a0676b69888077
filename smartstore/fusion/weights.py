"""What single items weigh: the one in a cart, and the one that somebody left in a strange place.

In: takes and put-backs of one item each, with the weight that a scale felt. Out: how well a weight is that of the item
which would go or come again. Items of one kind differ by more than a scale does from itself.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field

from smartstore.domain.items import WeightStep
from smartstore.fusion.evidence import same_weight_log

AGAIN_GRAMS = 0.7
"""What a scale says of the same item again differs by so much, beyond what it knows of its own uncertainty."""


@dataclass
class KnownWeights:
    """Weights of items by where they are, which is a cart or a facing, and by SKU."""

    _items: dict[tuple[str, str], list[WeightStep | None]] = field(default_factory=lambda: defaultdict(list))
    """The steps by which they were weighed last, by visit or facing, and SKU; None where nobody knows."""

    def came(self, where: str, sku: str, count: int, step: WeightStep | None) -> None:
        """``count`` of ``sku`` are there now, one more if a step weighed it."""
        self._items[where, sku] += [step] if count == 1 else [None] * count

    def went(self, where: str, sku: str, count: int, step: WeightStep | None) -> None:
        """``count`` of ``sku`` are no longer there: of several the one that weighs most like ``step``."""
        here = self._items[where, sku]
        for _ in range(min(count, len(here))):
            here.remove(min(here, key=lambda known: _off(known, step)))

    def log_likelihood(self, where: str, sku: str, count: int, step: WeightStep) -> float | None:
        """That ``step`` is one of all ``count`` of ``sku`` there; None unless all of their weights are known."""
        here = self._items.get((where, sku), [])
        known = [item for item in here if item is not None]
        if not known or len(known) < len(here) or len(here) != count:
            return None
        fits = [same_weight_log(_off(item, step), _sigma(item, step)) for item in known]
        return math.log(sum(math.exp(fit) for fit in fits) / len(fits))

    def forget(self, where: str) -> None:
        """Nobody asks for what is there any more."""
        for key in [key for key in self._items if key[0] == where]:
            del self._items[key]


def _off(known: WeightStep | None, step: WeightStep | None) -> float:
    return abs(abs(known.grams) - abs(step.grams)) if known and step else math.inf


def _sigma(known: WeightStep, step: WeightStep) -> float:
    return math.hypot(known.sigma_grams, step.sigma_grams, AGAIN_GRAMS)
