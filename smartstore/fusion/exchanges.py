"""Two hands in one facing, and nothing changed: one may have put back what the other one took.

In: what scales say of disturbed plates, weight steps, and who reached where. Out: :class:`Exchange` facts: a facing
whose plates were disturbed and settled where they were while two visits had a hand in there, of which one holds what
lies there. Only a plate that was lighter for a moment tells that from two hands that touched, or one that was
heavier than under a hand; the receipts of both depend on it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from smartstore.domain.items import Unrest, WeightStep
from smartstore.fusion.alive import ScaleAlive
from smartstore.site import Facing, Site

NS_PER_S = 1_000_000_000
MEMORY_NS = 20 * NS_PER_S
"""Steps are kept for longer than any disturbance that waits."""
Reached = Callable[[Facing, int, int], Mapping[str, float]]
"""For every visit inside the log-likelihood ratio that it reached into a facing between two times."""


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """Times in seconds, log-likelihood ratios in nats."""

    reach_nats: float = 3.0
    """Both hands are in there at least so surely ..."""
    near_nats: float = -2.2
    """... or nothing speaks against it more than this, where goods were lifted and stood there again, or the
    other way round."""
    press_grams: float = 55.0
    """A plate that was heavier by more than hands usually press, and than that share of an item, got goods."""
    lifted_share: float = 0.5
    """A plate that was lighter by more than this share of an item for a moment was not only touched ..."""
    other_grams: float = 3.0
    """... nor one that weighs so much more or less than before, where nothing else on the shelf moved."""
    margin_s: float = 0.5
    """A step so near to a disturbance belongs to it."""
    same_grams: float = 10.0
    same_sigmas: float = 4.0
    """One item weighs as much as another one of its kind, give or take so much, or so many standard deviations."""
    wait_s: float = 3.5
    """For scales to settle and carts to be known ..."""
    most_s: float = 4.0
    """... or for a plate that does not come to rest for longer than this."""
    hands_s: float = 1.5
    """Hands that caused a disturbance were there when it began, or so shortly after."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """``giver``, who holds ``sku``, and ``taker`` had a hand in ``facing`` while it was disturbed."""

    giver: str
    taker: str
    sku: str
    facing: str
    t_ns: int
    alone: bool = True
    """Nothing else on the shelf moved, along with which its plates may only have rung."""


@dataclass(frozen=True, slots=True)
class _Unrest:
    """A plate was disturbed, and came to rest, or did not for long, at ``end_ns``."""

    plate: str
    start_ns: int
    end_ns: int
    lowest_grams: float
    highest_grams: float


@dataclass
class Exchanges:
    """Keeps disturbances until it is known what became of them."""

    site: Site
    options: ExchangeOptions = field(default_factory=ExchangeOptions)
    _moving: dict[str, dict[str, Unrest]] = field(default_factory=dict)
    """Disturbed plates of each fixture."""
    _over: dict[tuple[str, int], _Unrest] = field(default_factory=dict)
    """Disturbances that are over, and whose time has not come."""
    _told_ns: dict[str, int] = field(default_factory=dict)
    """Begin of the last disturbance of each plate that was looked at."""
    _last_ns: dict[str, int] = field(default_factory=dict)
    """When goods of each facing were exchanged last."""
    _steps: list[WeightStep] = field(default_factory=list)

    def observe(self, alive: ScaleAlive) -> None:
        """A scale spoke."""
        before, most_ns = self._moving.get(alive.fixture, {}), round(self.options.most_s * NS_PER_S)
        moving = {now.plate: _longer(before.get(now.plate), now) for now in alive.restless}
        for plate, last in before.items():
            since = last.since_ns
            over = plate not in moving or alive.t_ns - since > most_ns
            if over and since > self._told_ns.get(plate, -1):
                unrest = _Unrest(plate, since, alive.t_ns, last.lowest_grams, last.highest_grams)
                self._over.setdefault((plate, since), unrest)
        self._moving[alive.fixture] = moving

    def felt(self, step: WeightStep) -> None:
        """A weight changed."""
        self._steps.append(step)

    def due(
        self, now_ns: int, holdings: Mapping[str, Mapping[str, int]], reached: Reached, final: bool
    ) -> list[Exchange]:
        """The exchanges that can be told at ``now_ns``, with ``final`` all; carts are those of that time."""
        late_ns, most_ns = now_ns - round(self.options.wait_s * NS_PER_S), round(self.options.most_s * NS_PER_S)
        ready = [unrest for unrest in self._over.values() if final or unrest.end_ns <= late_ns]
        found = []
        for unrest in ready:
            del self._over[unrest.plate, unrest.start_ns]
            before_ns = self._told_ns.get(unrest.plate)
            self._told_ns[unrest.plate] = unrest.start_ns
            again = before_ns is not None and unrest.start_ns - before_ns < most_ns
            for facing in () if again else self.site.facings_of_plate(unrest.plate):
                last_ns = self._last_ns.get(facing.id)
                if last_ns is None or unrest.start_ns - last_ns > most_ns:  # else its other plate has told that
                    found += self._of(facing, unrest, holdings, reached)
        self._steps = [step for step in self._steps if step.t_end_ns > late_ns - MEMORY_NS]
        return found

    def _during(self, unrest: _Unrest) -> list[WeightStep]:
        """The steps of its fixture at that time."""
        margin = round(self.options.margin_s * NS_PER_S)
        fixture = self.site.plates[unrest.plate].fixture
        return [
            step
            for step in self._steps
            if step.fixture == fixture
            and step.t_start_ns - margin <= unrest.end_ns
            and unrest.start_ns <= step.t_end_ns + margin
        ]

    def _left_grams(self, facing: Facing, unrest: _Unrest) -> float:
        """How much more the plates of a facing weigh than before, as far as goods may have done that."""
        steps = self._during(unrest)
        return sum(grams for step in steps for plate, grams in step.plates if plate in facing.plates)

    def _alone(self, facing: Facing, unrest: _Unrest) -> bool:
        """Whether nothing moved on its shelf beside a facing, along with which its plates may only have rung."""
        steps = [step for step in self._during(unrest) if step.shelf == facing.shelf]
        return all(set(facing.plates) & set(dict(step.plates)) for step in steps)

    def _of(
        self, facing: Facing, unrest: _Unrest, holdings: Mapping[str, Mapping[str, int]], reached: Reached
    ) -> list[Exchange]:
        holders = sorted(visit for visit, cart in holdings.items() if cart.get(facing.sku, 0) > 0)
        goods, left_grams = self.site.items[facing.sku], abs(self._left_grams(facing, unrest))
        same_grams = self.options.same_sigmas * math.sqrt(2) * goods.grams_sigma
        if not holders or left_grams > max(self.options.same_grams, same_grams):
            return []
        hands_ns = min(unrest.end_ns, unrest.start_ns + round(self.options.hands_s * NS_PER_S))
        near = reached(facing, unrest.start_ns, hands_ns)
        alone = self._alone(facing, unrest)
        share_grams = self.options.lifted_share * goods.grams
        lifted = -unrest.lowest_grams > share_grams or (alone and left_grams > self.options.other_grams)
        laid = unrest.highest_grams > max(share_grams, self.options.press_grams)
        least = self.options.near_nats if lifted or laid else self.options.reach_nats
        inside = {visit: ratio for visit, ratio in near.items() if ratio >= least}
        givers = [visit for visit in holders if visit in inside]
        middle_ns = (unrest.start_ns + hands_ns) // 2
        found = [
            Exchange(giver, taker, facing.sku, facing.id, middle_ns, alone)
            for giver in givers[:1]
            for taker in sorted(inside, key=lambda visit: (-inside[visit], visit))
            if taker != giver
        ][:1]
        if found:
            self._last_ns[facing.id] = unrest.start_ns
        return found


def _longer(before: Unrest | None, now: Unrest) -> Unrest:
    """What is known of one disturbance by now."""
    if before is None:
        return now
    lowest_grams = min(before.lowest_grams, now.lowest_grams)
    return replace(before, lowest_grams=lowest_grams, highest_grams=max(before.highest_grams, now.highest_grams))
