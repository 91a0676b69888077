"""Which goods really stand where: neighbours on a shelf that fillers put into each other's place.

In: decided takes with all that they may have been, and views of facings that came too late for a decision. Out: the
planogram learns, pair by pair of neighbours, how strongly they speak for an exchange.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from smartstore.domain.items import FacingChange
from smartstore.fusion.changes import Change
from smartstore.fusion.evidence import EvidenceOptions
from smartstore.fusion.joint import Choice, Hypothesis
from smartstore.fusion.planogram import Planogram

NS_PER_S = 1_000_000_000
MEMORY_NS = 30 * NS_PER_S
UNTHOUGHT_NATS = -5.0
"""For goods that a change was not even thought to be of."""


@dataclass
class Placing:
    """Hands to the planogram what takes and cameras say about exchanged neighbours."""

    planogram: Planogram
    evidence: EvidenceOptions
    _unseen: list[Change] = field(default_factory=list)
    """Takes of goods at one facing that were decided before a camera saw it."""

    def decided(self, change: Change, hypotheses: Sequence[Hypothesis], choice: Choice) -> None:
        """One take was decided."""
        claim = choice.hypothesis
        if change.step is None or not claim.sku or claim.quantity < 1 or claim.facing not in change.facings:
            return
        self._unseen = [other for other in self._unseen if other.t_end_ns > change.t_end_ns - MEMORY_NS]
        if change.seen is None:
            self._unseen.append(change)
        home = self.planogram.site.facings[claim.facing].sku
        own = self._best(hypotheses, claim.facing, home)
        for beside in self.planogram.beside(claim.facing):
            sku = self.planogram.site.facings[beside].sku
            other = self._best(hypotheses, claim.facing, sku)
            if beside not in change.facings and claim.sku in (home, sku):
                self.planogram.weigh(claim.facing, beside, choice.probability * self._difference(other, own))

    def seen(self, view: FacingChange) -> None:
        """A camera saw a facing again: late evidence for a take there that was decided without it."""
        late = [c for c in self._unseen if c.facings[:1] == (view.facing,) and view.t_start_ns <= c.t_end_ns]
        if not late or not view.items or not view.scores:
            return
        self._unseen = [change for change in self._unseen if change not in late]
        scores, floor = dict(view.scores), self.evidence.score_floor
        own = floor + (1 - floor) * scores.get(self.planogram.site.facings[view.facing].sku, 0.0)
        for beside in self.planogram.beside(view.facing):
            other = floor + (1 - floor) * scores.get(self.planogram.site.facings[beside].sku, 0.0)
            self.planogram.weigh(view.facing, beside, math.log(other / own))

    def _best(self, hypotheses: Sequence[Hypothesis], facing: str, sku: str) -> float | None:
        """The score of the best hypothesis that it was a take of these goods, without what the planogram says of it."""
        scores = [h.score for h in hypotheses if h.sku == sku and h.quantity > 0 and h.facing == facing]
        return max(scores) - self.planogram.take_log(facing, sku) if scores else None

    @staticmethod
    def _difference(other: float | None, own: float | None) -> float:
        if other is None:
            return UNTHOUGHT_NATS if own is not None else 0.0
        return other - own if own is not None else -UNTHOUGHT_NATS
