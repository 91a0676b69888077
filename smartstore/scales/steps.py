"""Changes of weight on the shelves of one fixture.

In: the batches of its scale. Out: settled :class:`WeightStep` facts, each within a second of having settled.

A plate is quiet while the medians of its cells (0.1 s) stay near its level. When one leaves, the plate is restless
until its last cells agree with each other again; the difference of the two levels is the step. A touch ends where it
began and gives nothing. The plates of a shelf are watched one by one, so opposite changes on one shelf stay apart;
neighbours that ring along or keep a few grams are told from goods by what happened beside them at that time.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.items import WeightStep
from smartstore.scales.cells import Array, NoiseOptions, PlateNoise, cell_medians
from smartstore.scales.grouping import PlateStep, groups_of, overlap
from smartstore.site import Fixture, Shelf
from smartstore.wire.messages import ScaleBatch

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
        self._fixture, self._options = fixture, options or StepOptions()
        self._plates = [plate.id for shelf in fixture.shelves for plate in shelf.plates]
        self._shelf_of = np.array([i for i, shelf in enumerate(fixture.shelves) for _ in shelf.plates], int)
        self._together = _together(fixture, self._plates)
        self._columns: dict[tuple[str, ...], tuple[list[int], list[int]]] = {}
        self._noise = PlateNoise(len(self._plates), self._options.noise)
        longest_s = self._options.before_s + self._options.hold_s + self._options.settle_most_s
        self._late_ns = round(self._options.late_s * NS_PER_S)
        self._keep = round(max(longest_s, self._options.begin_s) / self._options.cell_s)
        self._recent: Array = np.full((self._keep, len(self._plates)), np.nan)
        self._times: list[int] = [0] * self._keep
        self._rest: Array = np.empty((0, len(self._plates)))
        self._next_ns = -1
        self._since: NDArray[np.int64] = np.full(len(self._plates), -1, np.int64)
        """When each plate became restless; -1 while it is quiet."""
        self._moved: NDArray[np.int64] = np.full(len(self._plates), 0, np.int64)
        """When each plate last settled on another level."""
        self._heard: NDArray[np.int64] = np.full(len(self._plates), -1, np.int64)
        self._number: Array = np.full(len(self._plates), np.nan)
        self._varied: NDArray[np.int64] = np.full(len(self._plates), -1, np.int64)
        """When each plate last gave another number than before."""
        self._held: list[PlateStep] = []
        self._live: tuple[NDArray[np.bool_], frozenset[str]] | None = None
        self.unknown_plates = 0

    def live_plates(self, t_ns: int) -> frozenset[str]:
        """The plates that gave numbers within the last second before ``t_ns``, and not always the same one."""
        heard = self._heard >= t_ns - round(self._options.dead_s * NS_PER_S)
        heard &= self._varied >= t_ns - round(self._options.stuck_s * NS_PER_S)
        if self._live is None or not np.array_equal(self._live[0], heard):
            self._live = (heard, frozenset(name for name, one in zip(self._plates, heard, strict=True) if one))
        return self._live[1]

    def restless(self) -> tuple[tuple[str, int], ...]:
        """The plates of which more is to be said, with the time in nanoseconds at which each was disturbed."""
        moving = [(self._plates[i], int(self._since[i])) for i in np.nonzero(self._since >= 0)[0]]
        return (*moving, *((self._plates[step.plate], step.start_ns) for step in self._held))

    def observe(self, batch: ScaleBatch) -> list[WeightStep]:
        """The steps that settled with this batch, oldest first."""
        samples = self._arrange(batch)
        self._watch_numbers(batch.t_ns, samples)
        if abs(batch.t_ns - self._next_ns) > batch.period_ns:
            self._rest = self._rest[:0]
        start_ns = batch.t_ns - len(self._rest) * batch.period_ns
        self._next_ns = batch.t_ns + len(samples) * batch.period_ns
        samples = np.concatenate([self._rest, samples])
        size = max(1, round(self._options.cell_s * NS_PER_S / batch.period_ns))
        count = len(samples) // size
        self._rest = samples[count * size :]
        cells = cell_medians(samples[: count * size].reshape(count, size, -1))
        steps: list[WeightStep] = []
        with np.errstate(invalid="ignore"):  # NaN, where a plate gives no number, is neither near nor far
            for i, cell in enumerate(cells):
                steps += self._cell(start_ns + i * size * batch.period_ns, cell)
        return steps

    def _watch_numbers(self, t_ns: int, samples: Array) -> None:
        """Which plates gave another number than before: NaN, where there is none, differs from nothing."""
        last = samples[-1]
        varied = (samples[1:] != samples[:-1]).any(axis=0)
        varied |= last != self._number
        if not np.isnan(last).any():
            self._varied[varied] = t_ns
        else:
            self._varied[varied & ~np.isnan(samples).all(axis=0)] = t_ns
        self._number = last

    def _arrange(self, batch: ScaleBatch) -> Array:
        """Samples (n, plates of the document): columns by name, NaN where the batch has none."""
        names = tuple(batch.plates)
        if names not in self._columns:
            known = [(i, self._plates.index(name)) for i, name in enumerate(names) if name in self._plates]
            self._columns[names] = ([i for i, _ in known], [j for _, j in known])
        source, target = self._columns[names]
        self.unknown_plates += len(names) - len(source)
        grams = np.array(batch.grams, dtype=float)
        if source == target and len(source) == len(self._plates):
            return grams
        out = np.full((len(grams), len(self._plates)), np.nan)
        out[:, target] = grams[:, source]
        return out

    def _cell(self, t_ns: int, cell: Array) -> list[WeightStep]:
        options, noise = self._options, self._noise
        self._recent[:-1] = self._recent[1:]
        self._recent[-1] = cell
        self._times = [*self._times[1:], t_ns]
        there = ~np.isnan(cell)
        self._heard[there] = t_ns
        begun = ~np.isnan(noise.level)
        if not begun.all():
            self._begin(np.nonzero(there & ~begun)[0])
        far = np.abs(cell - noise.level) > np.maximum(options.trip_sigmas * noise.sigma, options.trip_grams)
        quiet = self._since < 0
        self._since[quiet & far] = t_ns
        noise.follow(cell, quiet & there & begun & ~far)
        if not quiet.all():
            for plate in np.nonzero(~quiet & there)[0]:
                self._settle(int(plate), t_ns)
        return self._release(t_ns) if self._held else []

    def _begin(self, plates: NDArray[np.intp]) -> None:
        need = round(self._options.begin_s / self._options.cell_s)
        for plate in plates:
            cells = self._recent[-need:, plate]
            if not np.isnan(cells).any():
                self._noise.begin(int(plate), cells)

    def _settle(self, plate: int, t_ns: int) -> None:
        """Ends the restlessness of a plate when its last cells agree with each other."""
        options, noise = self._options, self._noise
        sigma, inflation = float(noise.sigma[plate]), float(noise.inflation[plate])
        shortest, longest = round(options.settle_s / options.cell_s), round(options.settle_most_s / options.cell_s)
        count = min(max(int(np.ceil(inflation * (sigma / options.settle_aim_grams) ** 2)), shortest), longest)
        window = self._recent[-count:, plate]
        restless_s = (t_ns - int(self._since[plate])) / NS_PER_S
        if self._times[-count] <= self._since[plate] or np.isnan(window).any():
            return
        after, spread = float(np.median(window)), float(window.max() - window.min())
        half = count // 2
        slope = abs(float(window[:half].mean() - window[-half:].mean()))
        limit = max(options.settle_grams, options.settle_sigmas * sigma)
        if spread > limit or slope > 0.6 * limit:
            if restless_s < options.restless_s:
                return
            sigma = max(sigma, spread / 2)
        before = max(float(noise.weight[plate]), 1.0)
        variance = sigma**2 * inflation * (1 / before + 1.2 / count) + options.noise.quantum_grams**2
        grams = after - float(noise.level[plate])
        if abs(grams) > max(options.least_grams, options.least_sigmas * variance**0.5):
            self._held.append(
                PlateStep(plate, int(self._since[plate]), self._times[-count], grams, variance**0.5, t_ns)
            )
            noise.settled(plate, after, window)
            self._moved[plate] = self._times[-count]
        else:
            noise.settled(plate, float(noise.level[plate]), window)
        if restless_s >= options.restless_s:
            noise.begin(plate, self._recent[-round(options.begin_s / options.cell_s) :, plate])
        self._since[plate] = -1

    def _release(self, t_ns: int) -> list[WeightStep]:
        """The held steps of every shelf that has come to rest, or that kept somebody waiting long enough."""
        steps: list[WeightStep] = []
        for index, shelf in enumerate(self._fixture.shelves):
            held = [step for step in self._held if self._shelf_of[step.plate] == index]
            if not held:
                continue
            latest_ns = max(step.end_ns for step in held) + self._late_ns * self._together[[s.plate for s in held]].any(
                0
            )
            restless = bool(np.any((self._since >= 0) & (self._since <= latest_ns) & (self._shelf_of == index)))
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
        quiet = [b for a, b in ends if 0 <= b < len(self._plates) and self._since[b] < 0 and b not in moved
                 and self._together[a, b]]  # fmt: skip
        return [share for plate in quiet if (share := self._share(plate, group)) is not None]

    def _share(self, plate: int, group: list[PlateStep]) -> PlateStep | None:
        options, noise, times = self._options, self._noise, np.array(self._times)
        start_ns, end_ns = min(step.start_ns for step in group), max(step.end_ns for step in group)
        before = self._recent[(times >= self._moved[plate]) & (times > 0) & (times < start_ns), plate]
        after = self._recent[times >= end_ns, plate]
        if not before.size or not after.size or np.isnan(before).any() or np.isnan(after).any():
            return None
        grams = float(after.mean() - before.mean())
        cells = float(noise.inflation[plate]) * (1 / before.size + 1 / after.size)
        variance = float(noise.sigma[plate]) ** 2 * cells + options.noise.quantum_grams**2
        spill = options.spill_share * max(abs(step.grams) for step in group)
        if grams * group[0].grams <= 0 or abs(grams) < options.share_sigmas * (variance + spill**2) ** 0.5:
            return None
        noise.settled(plate, float(after.mean()), after)
        self._moved[plate] = end_ns
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
