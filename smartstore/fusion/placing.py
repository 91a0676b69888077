"""Which goods really stand where: neighbours on a shelf that fillers put into each other's place.

In: decided takes with all that they may have been, and views of facings that came too late for a decision. Out: the
planogram learns, pair by pair of neighbours, how strongly they speak for an exchange; and what was booked before that
was known is corrected while its visit is inside.
"""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

from smartstore.domain.items import FacingChange
from smartstore.fusion.changes import Change
from smartstore.fusion.evidence import EvidenceOptions
from smartstore.fusion.joint import Choice, Hypothesis
from smartstore.fusion.planogram import Planogram

NS_PER_S = 1_000_000_000
MEMORY_NS = 30 * NS_PER_S
UNTHOUGHT_NATS = -5.0
"""For goods that a change was not even thought to be of."""


@dataclass(frozen=True, slots=True)
class Rival:
    """What a take was if the goods of ``beside`` stand there: likelier than its own by ``nats``, planogram apart, which
    has been ``told`` so much of it.
    """

    beside: str
    claim: Hypothesis
    nats: float
    told: float = 0.0


@dataclass(frozen=True, slots=True)
class Taken:
    """A take of what belongs to a facing (``own``) or to a neighbour of it, and which of them is booked."""

    change: Change
    t_ns: int
    booked: Hypothesis
    own: Hypothesis
    rivals: tuple[Rival, ...]


@dataclass(frozen=True, slots=True)
class Correction:
    """A take was of other goods than was booked: ``instead``, with that probability."""

    taken: Taken
    instead: Hypothesis
    probability: float


@dataclass
class Placing:
    """Hands to the planogram what takes and cameras say about exchanged neighbours, and looks back."""

    planogram: Planogram
    evidence: EvidenceOptions
    _unseen: list[Change] = field(default_factory=list)
    """Takes of goods at one facing that were decided before a camera saw it."""
    _booked: list[Taken] = field(default_factory=list)
    """Takes of visits that are inside."""

    def decided(self, change: Change, hypotheses: Sequence[Hypothesis], choice: Choice, t_ns: int) -> Taken | None:
        """One take was decided: what it would be if neighbours stood in each other's place."""
        claim = choice.hypothesis
        if change.step is None or not claim.sku or claim.quantity < 1 or claim.facing not in change.facings:
            return None
        self._unseen = [other for other in self._unseen if other.t_end_ns > change.t_end_ns - MEMORY_NS]
        if change.seen is None:
            self._unseen.append(change)
        home = self.planogram.site.facings[claim.facing].sku
        own = self._best(hypotheses, claim, home)
        strays, rivals = self.planogram.strays.get(claim.facing, Counter()), []
        for beside in self.planogram.beside(claim.facing):
            sku = self.planogram.site.facings[beside].sku
            other = self._best(hypotheses, claim, sku)
            if beside not in change.facings and claim.sku in (home, sku):
                of_two = sum(p for h, p in choice.ranking if h.sku in (home, sku) and h.quantity > 0)
                nats = self._difference(other and other[0], own and own[0])
                told = self.planogram.weigh(claim.facing, beside, of_two * nats)
                rivals += [Rival(beside, other[1], nats, told)] if other and own and not strays[sku] else []
        return Taken(change, t_ns, claim, own[1], tuple(rivals)) if own and rivals else None

    def keep(self, taken: Taken) -> None:
        """That take was booked."""
        self._booked.append(taken)

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
            nats = math.log(other / own)
            told = self.planogram.weigh(view.facing, beside, nats)
            self._booked = [_with(taken, beside, nats, told) if taken.change in late else taken
                            for taken in self._booked]  # fmt: skip

    def corrections(self, inside: Collection[str], sure: float) -> list[Correction]:
        """Bookings of visits ``inside`` that are known better now, with at least probability ``sure``: each once."""
        self._booked = [taken for taken in self._booked if taken.booked.visit in inside]
        found = []
        for taken in self._booked:
            likely = [(taken.own, 0.0), *((rival.claim, self._nats(taken, rival)) for rival in taken.rivals)]
            best, nats = max(likely, key=itemgetter(1))
            probability = 1 / sum(math.exp(other - nats) for _, other in likely)
            if best.sku != taken.booked.sku and probability >= sure:
                found.append(Correction(taken, best, probability))
        self._booked = [taken for taken in self._booked if all(taken is not other.taken for other in found)]
        return found

    def _nats(self, taken: Taken, rival: Rival) -> float:
        """How much likelier a take was of the goods of a neighbour than of a facing's own, by all that is known."""
        return rival.nats + self.planogram.exchanged_nats(taken.own.facing, rival.beside) - rival.told

    def _best(self, hypotheses: Sequence[Hypothesis], claim: Hypothesis, sku: str) -> tuple[float, Hypothesis] | None:
        """The best hypothesis that its visit took these goods there, and its score without what the planogram says."""
        there = [h for h in hypotheses if (h.visit, h.sku, h.facing) == (claim.visit, sku, claim.facing)]
        best = max((h for h in there if h.quantity > 0), key=lambda h: h.score, default=None)
        return (best.score - self.planogram.take_log(best.facing, sku), best) if best else None

    @staticmethod
    def _difference(other: float | None, own: float | None) -> float:
        if other is None:
            return UNTHOUGHT_NATS if own is not None else 0.0
        return other - own if own is not None else -UNTHOUGHT_NATS


def _with(taken: Taken, beside: str, nats: float, told: float) -> Taken:
    """The take with what a camera said of it later."""
    rivals = (
        replace(rival, nats=rival.nats + nats, told=rival.told + told) if rival.beside == beside else rival
        for rival in taken.rivals
    )
    return replace(taken, rivals=tuple(rivals))
