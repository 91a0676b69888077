"""Everything one change may have been: visit x SKU x quantity x take or put-back, and "nobody's sale".

In: a weight step with its explanations, or a facing change, with the evidence about people and pictures. Out:
hypotheses with log scores for the joint solver.
"""

import math
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field

from smartstore.domain.items import Explanation, FacingChange
from smartstore.fusion.changes import Change
from smartstore.fusion.evidence import EvidenceOptions, camera_log, quantity_log
from smartstore.fusion.joint import Holdings, Hypothesis, Key
from smartstore.fusion.planogram import Planogram
from smartstore.fusion.weights import KnownWeights
from smartstore.site import Facing, Site

Reach = Callable[[str, Facing], float]
"""Log-likelihood ratio that a visit reached into a facing."""


@dataclass(frozen=True, slots=True)
class HypothesisOptions:
    """Prior probabilities, as shares of all changes."""

    nothing: float = 0.08
    """A step that no goods caused: a nudge, a creak."""
    stranger: float = 0.004
    """Goods moved by somebody without a visit: staff, or a track that could not be bound."""
    doubtful_put_nats: float = -1.0
    """For putting back what was taken in doubt."""
    more: float = 0.08
    """Of steps of one item and more, the share with yet another item."""
    more_seen: float = 0.33
    """The same for changes that a camera saw, which may sum up several."""
    unfelt_nats: float = -3.0
    """For goods that a camera saw come or go while a living scale felt nothing: it may be at its limit."""
    keep_nats: float = 14.0
    most: int = 24
    """Hypotheses per change that the solver sees."""


@dataclass(frozen=True)
class Hypothesiser:
    """Scores what a change may have been."""

    site: Site
    planogram: Planogram
    weights: KnownWeights
    evidence: EvidenceOptions
    options: HypothesisOptions = field(default_factory=HypothesisOptions)

    def all(
        self,
        change: Change,
        explanations: Sequence[Explanation],
        visits: Sequence[str],
        reach: Reach,
        holdings: Holdings,
        doubtful: Holdings,
        movable: Container[str] = (),
    ) -> list[Hypothesis]:
        """Hypotheses of ``change``, best first, the one that nothing was moved always among them.

        ``movable`` are SKUs that somebody may have taken a moment ago, although no cart shows it yet.
        """
        reached = {
            (visit, facing): reach(visit, self.site.facings[facing])
            for visit in (*visits, "")
            for facing in change.facings
        }
        # A hand that takes nothing nudges, too: whoever reached there speaks for "nothing" as much as for a take.
        touched = max([0.0, *reached.values()])
        nearest = {
            facing: max(math.log(self.options.stranger), *(reached[visit, facing] for visit in (*visits, "")))
            for facing in change.facings
        }
        best: dict[Key, tuple[float, str]] = {}
        high = -math.inf
        carried = _carried(visits, holdings, doubtful)
        takes = {facing: self.planogram.takes(facing) for facing in change.facings}
        for explanation in explanations:
            sku, quantity = explanation.sku, explanation.quantity
            able = _able(explanation, visits, carried, movable)
            likely = self._likely(change, explanation)
            for facing in change.facings:
                base = likely + self._place(takes[facing], facing, explanation)
                # Nobody, however near, can make it likely enough to be kept.
                if quantity > 0 and base + nearest[facing] + self._same(change, explanation, "", facing, holdings) < (
                    high - self.options.keep_nats
                ):
                    continue
                for visit in able:
                    near = reached[visit, facing] if sku else touched
                    score = base + self._actor(explanation, visit, near, holdings, doubtful)
                    score += self._same(change, explanation, visit, facing, holdings)
                    high, key = max(high, score), (visit, sku, quantity)
                    if key not in best or best[key][0] < score:
                        best[key] = score, facing
        return self._pruned(best)

    def _place(self, taken: Callable[[str], float], facing: str, explanation: Explanation) -> float:
        """Whether such goods are moved at a facing; ``taken`` is the log prior of what is taken there."""
        if not explanation.sku:
            return math.log(self.options.nothing)
        return taken(explanation.sku) if explanation.quantity > 0 else self.planogram.put_log(facing, explanation.sku)

    def _same(self, change: Change, explanation: Explanation, visit: str, facing: str, holdings: Holdings) -> float:
        """How much more it weighs like the very item that would come out of a cart, or was left here, than like its
        kind.
        """
        sku = explanation.sku
        if change.step is None or abs(explanation.quantity) != 1:
            return 0.0
        put = explanation.quantity < 0
        there = holdings.get(visit, {}) if put else self.planogram.strays.get(facing, {})
        count = there.get(sku, 0)
        fit = self.weights.log_likelihood(visit if put else facing, sku, count, change.step) if count else None
        return 0.0 if fit is None else fit - explanation.log_likelihood

    def _likely(self, change: Change, explanation: Explanation) -> float:
        """All that depends neither on the person nor on the place."""
        score = explanation.log_likelihood
        if not explanation.sku:
            return score
        score += quantity_log(explanation.quantity, self._more(change))
        score += self.options.unfelt_nats if change.unfelt else 0.0
        if change.seen is not None and change.step is not None:
            scores, seen = dict(change.seen.scores), change.seen
            score += camera_log(
                seen.items, seen.probability, scores, explanation.sku, explanation.quantity, self.evidence
            )
        return score

    def _more(self, change: Change) -> float:
        """Share of changes with yet another item: more where a camera counted what several hands may have done."""
        counted = change.step is None and change.seen is not None and change.seen.items
        return self.options.more_seen if counted else self.options.more

    def _actor(
        self, explanation: Explanation, visit: str, reach: float, holdings: Holdings, doubtful: Holdings
    ) -> float:
        if not explanation.sku:
            return reach
        if not visit:
            return max(math.log(self.options.stranger), reach)
        if explanation.quantity < 0:
            held = holdings.get(visit, {}).get(explanation.sku, 0)
            unsure = doubtful.get(visit, {}).get(explanation.sku, 0)
            if held < -explanation.quantity <= held + unsure:
                return reach + self.options.doubtful_put_nats
        return reach

    def _pruned(self, found: Mapping[Key, tuple[float, str]]) -> list[Hypothesis]:
        """The likely ones of all claims with their scores and facings, best first."""
        least = max(score for score, _ in found.values()) - self.options.keep_nats
        # Nobody's explanation must stay: it is what remains when carts forbid all others.
        followed = ((key, *of) for key, of in found.items() if of[0] >= least or not key[1])
        ordered = sorted((Hypothesis(*key, facing, score) for key, score, facing in followed), key=_best_first)
        likely = [h for h in ordered if h.score >= least][: self.options.most]
        return likely + [h for h in ordered[len(likely) :] if not h.sku]


def _best_first(hypothesis: Hypothesis) -> tuple[float, Key, str]:
    return -hypothesis.score, hypothesis.key, hypothesis.facing


def _carried(visits: Sequence[str], holdings: Holdings, doubtful: Holdings) -> dict[str, Counter[str]]:
    """By SKU, how many of it each visit has, or may have."""
    carried: dict[str, Counter[str]] = {}
    for visit in visits:
        for carts in (holdings, doubtful):
            for sku, count in carts.get(visit, {}).items():
                carried.setdefault(sku, Counter())[visit] += count
    return carried


def _able(
    explanation: Explanation, visits: Sequence[str], carried: Mapping[str, Mapping[str, int]], movable: Container[str]
) -> Sequence[str]:
    """Who can have done it: nobody's visit always, the others only where they may have what they would put back."""
    if not explanation.sku:
        return ("",)
    if explanation.quantity >= 0 or explanation.sku in movable:
        return (*visits, "")
    holders = carried.get(explanation.sku, {}).items()
    return (*(visit for visit, count in holders if count >= -explanation.quantity), "")


def seen_explanations(change: FacingChange, site: Site, evidence: EvidenceOptions) -> list[Explanation]:
    """What a facing change says by itself, in the form that weight steps are explained in."""
    signs = (1, -1) if not change.items else (-1,) if change.items > 0 else (1,)
    home = site.facings[change.facing].sku
    scores = dict(change.scores)
    skus = sorted({home, *(sku for sku, score in scores.items() if score > 0.02 and sku in site.items)})
    found = [Explanation("", 0, math.log(max(1 - change.probability, 1e-3)))]
    for sku in skus:
        for quantity in (sign * count for sign in signs for count in (1, 2, 3)):
            fit = camera_log(change.items, change.probability, scores, sku, quantity, evidence)
            found.append(Explanation(sku, quantity, fit))
    return found
