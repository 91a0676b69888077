"""Changes of weight on the shelves of one fixture.

In: the batches of its scale. Out: settled :class:`WeightStep` facts, each within a second of having settled.

A plate is quiet while the medians of its cells (0.1 s) stay near its level. When one leaves, the plate is restless
until its last cells agree with each other again; the difference of the two levels is the step. A touch ends where it
began and gives nothing. The plates of a shelf are watched one by one, so opposite changes on one shelf stay apart;
neighbours that ring along or keep a few grams are told from goods by what happened beside them at that time.
"""

import itertools
import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.items import Unrest, WeightStep
from smartstore.scales import kernels
from smartstore.scales.cells import Array, NoiseOptions, PlateNoise
from smartstore.scales.grouping import PlateStep, groups_of, overlap
from smartstore.scales.reading import PlateReader
from smartstore.site import Fixture, Shelf
from smartstore.wire.heard import HeardBatch

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class StepOptions:
    """When a plate is restless, when it has settled, and what counts as a step."""

    cell_s: float = 0.1
    trip_sigmas: float = 4.0
    trip_grams: float = 3.0
    settle_s: float = 0.35
    settle_most_s: float = 0.8
    """The settled window of the noisiest plates."""
    settle_aim_grams: float = 1.5
    """Windows grow until their mean is expected to be this good."""
    settle_grams: float = 2.5
    settle_sigmas: float = 5.0
    """A window is settled when its cells spread less than the larger of these two."""
    least_grams: float = 6.0
    least_sigmas: float = 4.5
    """A difference beyond both is a step."""
    share_sigmas: float = 2.5
    """A quiet plate beside a step, under the same facing, has a share of the item when it changed by more than this:
    where and when are known, so it takes less to believe it than to find it."""
    before_s: float = 1.0
    """How far back such a plate is looked at."""
    spill_share: float = 0.02
    """Standard deviation of what a neighbour keeps of a step beside it, as a share of that step."""
    late_s: float = 0.2
    """How much later than its neighbours a plate with little of an item may notice."""
    hold_s: float = 0.6
    """Longest wait for a neighbour that is still restless."""
    restless_s: float = 8.0
    """A plate that does not settle for so long is measured as it is, and its noise is learned anew."""
    begin_s: float = 1.0
    dead_s: float = 1.0
    """A plate without numbers for so long is dead."""
    stuck_s: float = 6.0
    """A plate that gives the very same number for so long is stuck, or beyond what it can carry."""
    noise: NoiseOptions = field(default_factory=NoiseOptions)


class StepDetector:
    """Turns the noisy readings of one fixture's scale into settled weight steps."""

    def __init__(self, fixture: Fixture, options: StepOptions | None = None) -> None:
        options = options or StepOptions()
        self._fixture, self._options = fixture, options
        self._plates = [plate.id for shelf in fixture.shelves for plate in shelf.plates]
        self._shelf_of = [i for i, shelf in enumerate(fixture.shelves) for _ in shelf.plates]
        self._together = _together(fixture, self._plates)
        self._reader = PlateReader(self._plates, options.cell_s, options.dead_s, options.stuck_s)
        self._noise = PlateNoise(len(self._plates), options.noise)
        longest_s = options.before_s + options.hold_s + options.settle_most_s
        self._late_ns = round(options.late_s * NS_PER_S)
        self._begin_cells = round(options.begin_s / options.cell_s)
        self._recent: deque[tuple[int, Array]] = deque(maxlen=round(max(longest_s, options.begin_s) / options.cell_s))
        """The last cells, each with the time of its first sample."""
        self._since: dict[int, int] = {}
        """When each restless plate was disturbed."""
        self._reach: dict[int, tuple[float, float]] = {}
        """How far below and above its level each restless plate has been, in grams."""
        self._quiet_ns: NDArray[np.int64] = np.full(len(self._plates), 0, np.int64)
        """Since when each plate has been at rest, but for what it shares with others."""
        self._held: list[PlateStep] = []

    @property
    def unknown_plates(self) -> int:
        """How many plates batches named that the fixture does not have."""
        return self._reader.unknown_plates

    def live_plates(self, t_ns: int) -> frozenset[str]:
        """The plates that gave numbers within the last second before ``t_ns``, and not always the same one."""
        return self._reader.live(t_ns)

    def restless(self) -> tuple[Unrest, ...]:
        """The plates of which more is to be said."""
        moving = (
            Unrest(self._plates[plate], since_ns, *self._reach[plate])
            for plate, since_ns in sorted(self._since.items())
        )
        return (*moving, *(Unrest(self._plates[step.plate], step.start_ns) for step in self._held))

    def observe(self, batch: HeardBatch) -> list[WeightStep]:
        """The steps that settled with this batch, oldest first."""
        steps: list[WeightStep] = []
        for t_ns, cell in self._reader.cells(batch):
            steps += self._cell(t_ns, cell)
        return steps

    def _cell(self, t_ns: int, cell: Array) -> list[WeightStep]:
        self._recent.append((t_ns, cell))
        near = self._near(cell)
        if self._since or np.count_nonzero(near) < len(near):
            self._disturbed(t_ns, cell, near)
        else:  # all plates are there and quiet
            self._noise.follow(cell, near)
        return self._release(t_ns) if self._held else []

    def _near(self, cell: Array) -> NDArray[np.bool_]:
        """Which plates are where they were; not those without a number, or without a level yet."""
        options, noise = self._options, self._noise
        return kernels.near(cell, noise.level, noise.sigma, options.trip_sigmas, options.trip_grams)

    def _disturbed(self, t_ns: int, cell: Array, near: NDArray[np.bool_]) -> None:
        """A cell while something happens on one of the plates at least, or one is silent or new."""
        there, restless, quiet = ~np.isnan(cell), sorted(self._since), near.copy()
        quiet[restless] = False
        if new := np.flatnonzero(there & np.isnan(self._noise.level)).tolist():
            self._begin(new)
            near = self._near(cell)
        for moved in np.flatnonzero(there & ~near & ~np.isnan(self._noise.level)).tolist():
            if moved not in self._since:
                self._since[moved] = self._silent_since(moved, t_ns)
                self._reach[moved] = 0.0, 0.0
        self._noise.follow(cell, quiet)
        for plate in restless:
            if there[plate]:
                off, (lowest, highest) = float(cell[plate] - self._noise.level[plate]), self._reach[plate]
                self._reach[plate] = min(lowest, off), max(highest, off)
                self._settle(plate, t_ns)

    def _silent_since(self, plate: int, t_ns: int) -> int:
        """When a plate that speaks at ``t_ns`` fell silent just before; that time itself where it did not."""
        for then_ns, cell in itertools.islice(reversed(self._recent), 1, None):
            if not math.isnan(cell[plate]):
                break
            t_ns = then_ns
        return t_ns

    def _begin(self, plates: Iterable[int]) -> None:
        if len(self._recent) < self._begin_cells:
            return
        for plate in plates:
            cells = self._last(plate, self._begin_cells)
            if not np.isnan(cells).any():
                self._noise.begin(plate, cells)

    def _last(self, plate: int, count: int) -> Array:
        """The last ``count`` cells of a plate."""
        return np.array([self._recent[i][1][plate] for i in range(-min(count, len(self._recent)), 0)])

    def _settle(self, plate: int, t_ns: int) -> None:
        """Ends the restlessness of a plate when its last cells agree with each other."""
        options, noise = self._options, self._noise
        sigma, inflation = float(noise.sigma[plate]), noise.inflation(plate)
        shortest, longest = round(options.settle_s / options.cell_s), round(options.settle_most_s / options.cell_s)
        count = min(max(math.ceil(inflation * (sigma / options.settle_aim_grams) ** 2), shortest), longest)
        since_ns = self._since[plate]
        if count > len(self._recent) or (begin_ns := self._recent[-count][0]) <= since_ns:
            return
        window = self._last(plate, count)
        values = window.tolist()
        if any(map(math.isnan, values)):
            return
        restless_s = (t_ns - since_ns) / NS_PER_S
        half, spread = count // 2, max(values) - min(values)
        slope = abs(sum(values[:half]) - sum(values[-half:])) / half
        limit = max(options.settle_grams, options.settle_sigmas * sigma)
        if spread > limit or slope > 0.6 * limit:
            if restless_s < options.restless_s:
                return
            sigma = max(sigma, spread / 2)
        after = median(values)
        before = max(float(noise.weight[plate]), 1.0)
        variance = sigma**2 * inflation * (1 / before + 1.2 / count) + options.noise.quantum_grams**2
        grams = after - float(noise.level[plate])
        if abs(grams) > max(options.least_grams, options.least_sigmas * variance**0.5):
            self._held.append(PlateStep(plate, since_ns, begin_ns, grams, variance**0.5, t_ns))
            noise.settled(plate, after, window)
        else:
            noise.settled(plate, float(noise.level[plate]), window)
        self._quiet_ns[plate] = begin_ns
        if restless_s >= options.restless_s:
            noise.begin(plate, self._last(plate, self._begin_cells))
        del self._since[plate], self._reach[plate]

    def _release(self, t_ns: int) -> list[WeightStep]:
        """The held steps of every shelf that has come to rest, or that kept somebody waiting long enough."""
        steps: list[WeightStep] = []
        for index, shelf in enumerate(self._fixture.shelves):
            held = [step for step in self._held if self._shelf_of[step.plate] == index]
            if not held:
                continue
            latest_ns = max(step.end_ns for step in held)
            late_ns = self._late_ns * np.asarray(self._together[[step.plate for step in held]].any(axis=0))
            restless = any(self._shelf_of[plate] == index and since_ns <= latest_ns + late_ns[plate]
                           for plate, since_ns in self._since.items())  # fmt: skip
            waited_s = (t_ns - min(step.found_ns for step in held)) / NS_PER_S
            if restless and waited_s < self._options.hold_s:
                continue
            self._held = [step for step in self._held if self._shelf_of[step.plate] != index]
            steps += self._goods(shelf, held)
        return sorted(steps, key=lambda step: (step.t_end_ns, step.shelf, step.plates))

    def _goods(self, shelf: Shelf, held: list[PlateStep]) -> list[WeightStep]:
        """Steps of one shelf as goods: what one item does to several plates is one step, what rings along is none."""
        out = []
        for tripped in groups_of(held, self._together, self._late_ns):
            group = sorted([*tripped, *self._shares(tripped, held)], key=lambda step: step.plate)
            others = [abs(step.grams) for step in held if step not in group and overlap(step, group)]
            spill = self._options.spill_share * max(others, default=0.0)
            found = self._weight_step(shelf, group, spill)
            if abs(found.grams) > self._options.least_sigmas * found.sigma_grams:
                out.append(found)
        return out

    def _shares(self, group: list[PlateStep], held: list[PlateStep]) -> list[PlateStep]:
        """What the quiet plates at both ends of a group changed by, where an item may lie across them, too."""
        ends = ((group[0].plate, group[0].plate - 1), (group[-1].plate, group[-1].plate + 1))
        moved = {step.plate for step in held}
        quiet = [b for a, b in ends if 0 <= b < len(self._plates) and b not in self._since and b not in moved
                 and self._together[a, b]]  # fmt: skip
        return [share for plate in quiet if (share := self._share(plate, group)) is not None]

    def _share(self, plate: int, group: list[PlateStep]) -> PlateStep | None:
        options, noise = self._options, self._noise
        times, cells = np.array([t_ns for t_ns, _ in self._recent]), self._last(plate, len(self._recent))
        start_ns, end_ns = min(step.start_ns for step in group), max(step.end_ns for step in group)
        before = cells[(times >= self._quiet_ns[plate]) & (times < start_ns)]
        after = cells[times >= end_ns]
        if not before.size or not after.size or np.isnan(before).any() or np.isnan(after).any():
            return None
        grams = float(after.mean() - before.mean())
        share = noise.inflation(plate) * (1 / before.size + 1 / after.size)
        variance = float(noise.sigma[plate]) ** 2 * share + options.noise.quantum_grams**2
        spill = options.spill_share * max(abs(step.grams) for step in group)
        if grams * group[0].grams <= 0 or abs(grams) < options.share_sigmas * (variance + spill**2) ** 0.5:
            return None
        noise.settled(plate, float(after.mean()), after)
        self._quiet_ns[plate] = end_ns
        return PlateStep(plate, start_ns, end_ns, grams, variance**0.5, group[0].found_ns)

    def _weight_step(self, shelf: Shelf, group: list[PlateStep], spill_grams: float) -> WeightStep:
        variance = sum(step.sigma**2 for step in group) + spill_grams**2
        return WeightStep(
            self._fixture.id,
            shelf.id,
            min(step.start_ns for step in group),
            max(step.end_ns for step in group),
            sum(step.grams for step in group),
            variance**0.5,
            tuple((self._plates[step.plate], step.grams) for step in group),
        )


def _together(fixture: Fixture, plates: list[str]) -> NDArray[np.bool_]:
    """Whether one facing is across two plates, (plates, plates); of a plate and itself it is not said."""
    out = np.zeros((len(plates), len(plates)), bool)
    for facing in (facing for shelf in fixture.shelves for facing in shelf.facings):
        at = [plates.index(name) for name in facing.plates if name in plates]
        out[np.ix_(at, at)] = True
    np.fill_diagonal(out, val=False)
    return out
