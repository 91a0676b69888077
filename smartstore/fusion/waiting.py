"""Changes that wait for their decision: until slower sensors have had their say, and together with their like.

In: changes as they come, and what scales and cameras are about to say. Out: groups of changes that are due together.
"""

import math
from dataclasses import dataclass, field

from smartstore.fusion.alive import LivingScales
from smartstore.fusion.changes import Change, grouped
from smartstore.fusion.options import AttributionOptions
from smartstore.fusion.planogram import Planogram
from smartstore.fusion.sightings import Sightings
from smartstore.fusion.touches import OpenTouches
from smartstore.site import Site

NS_PER_S = 1_000_000_000


@dataclass
class Waiting:
    """Keeps ``changes`` until they are due."""

    site: Site
    planogram: Planogram
    options: AttributionOptions
    scales: LivingScales
    sightings: Sightings
    touches: OpenTouches
    changes: list[Change] = field(default_factory=list)

    def due(self, now_ns: int, final: bool) -> list[Change]:
        """The oldest group of changes that hang together in time, once all are due or the first has waited enough.

        Where something came back, also what was taken before must be decided: nobody is known to hold it sooner.
        """
        if not self.changes:
            return []
        self.changes.sort(key=lambda change: (change.t_start_ns, change.caused_by))
        join_ns, merge_ns = (round(s * NS_PER_S) for s in (self.options.join_s, self.options.merge_s))
        together = grouped(self.changes, join_ns, max(join_ns, merge_ns))
        groups = together if self.options.joint else [[change] for change in self.changes]
        patience = round(self.options.patience_s * NS_PER_S)
        for i, group in enumerate(groups):
            due = [change for change in group if final or self._is_due(change, now_ns)]
            ready = len(due) == len(group) or (due and now_ns - due[0].t_end_ns > patience)
            if ready and (i == 0 or not any(change.may_come for change in due)):
                self.changes = [change for change in self.changes if change not in due]
                return due
        return []

    def decided_until(self, now_ns: int) -> int:
        """The time up to which nothing waits, at most ``now_ns``."""
        return min([now_ns, *(change.t_start_ns for change in self.changes)])

    def _is_due(self, change: Change, now_ns: int) -> bool:
        """Whether others have had their say, and the same plates no longer move."""
        waited_s = (now_ns - change.t_end_ns) / NS_PER_S
        if change.step is None or waited_s > self.options.restless_s:
            return waited_s >= self.options.view_wait_s
        if waited_s < self.options.step_wait_s:
            return False
        if waited_s < self.options.look_wait_s and self._awaits_look(change, now_ns):
            return False
        plates = [plate for plate, _ in change.step.plates]
        soon_ns = change.t_end_ns + round(self.options.merge_s * NS_PER_S)
        return not self.scales.restless(change.fixture, plates, soon_ns)

    def _awaits_look(self, change: Change, now_ns: int) -> bool:
        """Whether only a camera can tell goods from those beside them, and one may still do so."""
        assert change.step is not None
        if change.step.grams >= 0 or not change.facings or not self.touches.watched(change.facings[0], now_ns):
            return False
        items, facing = self.site.items, self.site.facings[change.facings[0]]
        beside = [items[self.site.facings[name].sku] for name in self.planogram.beside(facing.id)]
        sigma = math.hypot(change.step.sigma_grams, items[facing.sku].grams_sigma)
        twins = [item for item in beside if abs(item.grams - items[facing.sku].grams) < 3 * sigma]
        return bool(twins) and self.sightings.beside(change, ()).seen is None
