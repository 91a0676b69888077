"""What a weight step may have been, by weight alone.

In: a :class:`WeightStep`. Out: :class:`Explanation` facts with log-likelihoods: which SKU, how many, taken or put
back, and "nothing" for a nudge. Who did it and where the item belongs is not asked here.
"""

import math
from dataclasses import dataclass

import numpy as np

from smartstore.domain.items import Explanation, WeightStep
from smartstore.site import Site


@dataclass(frozen=True, slots=True)
class CandidateOptions:
    """How far weights are trusted."""

    most_items: int = 3
    tail_degrees: float = 4.0
    """Degrees of freedom of Student's t: heavy tails, since a hand may still touch and goods may lean on each other."""
    spill_share: float = 0.004
    """Standard deviation of what a scale does not see of an item, as a share of its weight."""
    floor_grams: float = 0.7
    nudge_grams: float = 9.0
    """Scale of a lasting shift that no goods explain."""
    nudge_degrees: float = 2.0
    keep_nats: float = 14.0
    """Explanations this much worse than the best one are not followed, unless they belong to the place."""
    keep_home_nats: float = 25.0


class CandidateFinder:
    """Explains weight steps by the catalogue of one store."""

    def __init__(self, site: Site, options: CandidateOptions | None = None) -> None:
        self._site, self._options = site, options or CandidateOptions()
        self._skus = sorted(site.items)
        self._grams = np.array([site.items[sku].grams for sku in self._skus])
        self._spread = np.array([site.items[sku].grams_sigma for sku in self._skus])

    def observe(self, step: WeightStep) -> list[Explanation]:
        """Explanations of ``step``, best first; ``quantity`` > 0 for a take, 0 with an empty SKU for "nothing"."""
        options = self._options
        home = {facing.sku for plate, _ in step.plates for facing in self._site.facings_of_plate(plate)}
        sign = 1 if step.grams < 0 else -1
        nothing = Explanation("", 0, log_student(step.grams, options.nudge_grams, options.nudge_degrees))
        counts = np.arange(1, options.most_items + 1)[:, None]
        off = step.grams + sign * counts * self._grams
        variance = step.sigma_grams**2 + counts * self._spread**2 + options.floor_grams**2
        variance = variance + (options.spill_share * counts * self._grams) ** 2
        scores = _log_student(off, np.sqrt(variance), options.tail_degrees)
        best = max(nothing.log_likelihood, float(scores.max(initial=-math.inf)))
        keep = [options.keep_home_nats if sku in home else options.keep_nats for sku in self._skus]
        kept = [
            Explanation(self._skus[i], sign * (row + 1), float(scores[row, i]))
            for row, i in np.argwhere(scores > best - np.array(keep)).tolist()
        ]
        return sorted([nothing, *kept], key=lambda e: (-e.log_likelihood, e.sku, e.quantity))


def log_student(off: float, scale: float, degrees: float) -> float:
    """Log density of Student's t with location 0, in nats (wikipedia.org/wiki/Student's_t-distribution)."""
    return float(_log_student(np.array([off]), np.array([scale]), degrees)[0])


def _log_student(off: np.ndarray, scale: np.ndarray, degrees: float) -> np.ndarray:
    constant = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - 0.5 * math.log(degrees * math.pi)
    return np.asarray(constant - np.log(scale) - (degrees + 1) / 2 * np.log1p((off / scale) ** 2 / degrees))
