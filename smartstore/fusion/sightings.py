"""What shelf cameras saw change, beside what scales felt.

In: facing changes, weight steps, and which scales are alive. Out: for a weight step, the facing change that only it
explains; and the facing changes that stand for themselves, because no scale carries the facing, its plate was stuck, or
a living scale felt nothing of what a camera is sure to have seen.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from smartstore.domain.items import FacingChange, WeightStep
from smartstore.fusion.alive import LivingScales
from smartstore.fusion.changes import Change, of_view
from smartstore.site import Site

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SightingOptions:
    """Times in seconds, probabilities as shares."""

    match_s: float = 2.0
    """A facing change this far from a step may belong to it."""
    surely_seen: float = 0.8
    """A camera so sure of a change is asked for more even where a scale felt nothing ..."""
    settle_s: float = 2.5
    """... so long after what it saw."""
    memory_s: float = 60.0


@dataclass
class Sightings:
    """Remembers facing changes and weight steps for a while."""

    site: Site
    scales: LivingScales
    options: SightingOptions = field(default_factory=SightingOptions)
    ignored: Counter[str] = field(default_factory=Counter)
    _steps: list[WeightStep] = field(default_factory=list)
    _views: list[FacingChange] = field(default_factory=list)
    """Of facings on a scale."""
    _unasked: list[FacingChange] = field(default_factory=list)
    """Those of them of which it is not yet known whether the scale felt them."""
    _standing: list[FacingChange] = field(default_factory=list)
    """Of facings on none."""

    def felt(self, step: WeightStep) -> None:
        """A scale felt something."""
        self._steps.append(step)

    def see(self, seen: FacingChange) -> list[Change]:
        """A camera saw something: a change of its own where no scale can have had its say."""
        if seen.facing not in self.site.facings:
            self.ignored["facing_unknown"] += 1
        elif self._is_weighed(seen):
            self._views.append(seen)
            self._unasked.append(seen)
        elif self._told_by_another(seen):
            self.ignored["facing_change_seen_twice"] += 1
        else:
            self._standing.append(seen)
            return [of_view(seen, self.site)]
        return []

    def unfelt(self, now_ns: int, final: bool) -> list[Change]:
        """What a camera is sure to have seen and no scale felt; told once, when scales had their time to settle."""
        patient_ns = now_ns - round(self.options.settle_s * NS_PER_S)
        late = [view for view in self._unasked if final or view.t_end_ns < patient_ns]
        self._unasked = [view for view in self._unasked if view not in late]
        sure = self.options.surely_seen
        found = [view for view in late if view.items and view.probability >= sure and not self._matched(view)]
        self._views = [view for view in self._views if view not in found]
        return [replace(of_view(view, self.site), unfelt=True) for view in found]

    def beside(self, change: Change, group: Sequence[Change]) -> Change:
        """A step together with the facing change that only it explains."""
        if change.step is None:
            return change
        margin = round(self.options.match_s * NS_PER_S)
        views = [
            view
            for view in self._views
            if view.facing in change.facings
            and view.t_start_ns - margin <= change.t_end_ns
            and change.t_start_ns <= view.t_end_ns + margin
        ]
        rivals = [other for other in group if other is not change and set(other.facings) & set(change.facings)]
        return replace(change, seen=max(views, key=lambda view: view.probability)) if views and not rivals else change

    def forget(self, now_ns: int) -> None:
        """Nothing before the memory's end matters any more."""
        oldest = now_ns - round(self.options.memory_s * NS_PER_S)
        self._steps = [step for step in self._steps if step.t_end_ns > oldest]
        self._views = [view for view in self._views if view.t_end_ns > oldest]
        self._standing = [view for view in self._standing if view.t_end_ns > oldest]

    def _is_weighed(self, seen: FacingChange) -> bool:
        """Whether a scale had its say about what a camera saw: where a plate was dead or stuck, only by a step
        that goods of the facing may have caused.
        """
        if not self.scales.weighed(seen.facing, seen.t_end_ns):
            return False
        goods = self.site.items[self.site.facings[seen.facing].sku]
        return self.scales.steady(seen.facing, seen.t_start_ns) or self._matched(seen, goods.grams / 2)

    def _matched(self, seen: FacingChange, least_grams: float = 0.0) -> bool:
        """Whether there was a step on the plates of a facing while a camera saw it change."""
        margin, plates = round(self.options.match_s * NS_PER_S), self.site.facings[seen.facing].plates
        return any(
            step.t_start_ns - margin <= seen.t_end_ns
            and seen.t_start_ns <= step.t_end_ns + margin
            and any(plate in plates for plate, _ in step.plates)
            and abs(step.grams) >= least_grams
            for step in self._steps
        )

    def _told_by_another(self, seen: FacingChange) -> bool:
        """Whether another camera said the same of an unweighed facing a moment ago."""
        return any(
            other.camera != seen.camera
            and other.facing == seen.facing
            and other.items * seen.items >= 0
            and other.t_start_ns <= seen.t_end_ns
            and seen.t_start_ns <= other.t_end_ns
            for other in self._standing
        )
