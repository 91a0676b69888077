"""What a scale says, plate by plate: medians of its samples over cells, and which plates live.

In: the batches of one fixture, with samples of any number and rate. Out: cells in the order of the fixture's plates,
NaN where a plate gave no number, and the names of the plates that give numbers.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from smartstore.scales import kernels
from smartstore.scales.cells import Array
from smartstore.wire.heard import HeardBatch

NS_PER_S = 1_000_000_000


class PlateReader:
    """Reads the batches of the scale with these ``plates`` in cells of ``cell_s``.

    A plate without numbers for ``dead_s`` is dead; one that gives the very same number for ``stuck_s`` is stuck, or
    beyond what it can carry.
    """

    def __init__(self, plates: Sequence[str], cell_s: float, dead_s: float, stuck_s: float) -> None:
        self._plates, self._cell_ns = list(plates), cell_s * NS_PER_S
        self._dead_ns, self._stuck_ns = round(dead_s * NS_PER_S), round(stuck_s * NS_PER_S)
        self._columns: dict[tuple[str, ...], tuple[list[int], list[int]]] = {}
        self._rest: Array = np.empty((0, len(self._plates)))
        self._next_ns = -1
        self._heard: NDArray[np.int64] = np.full(len(self._plates), -1, np.int64)
        """The last cell in which each plate gave numbers."""
        self._number: Array = np.full(len(self._plates), np.nan)
        self._varied: NDArray[np.int64] = np.full(len(self._plates), -1, np.int64)
        """When each plate last gave another number than before."""
        self._live: tuple[bytes, frozenset[str]] = b"", frozenset()
        self.unknown_plates = 0

    def cells(self, batch: HeardBatch) -> Iterator[tuple[int, Array]]:
        """The cells that this batch completes, each (plates,) with the time of its first sample."""
        samples = self._arranged(batch)
        kernels.vary(self._varied, self._number, samples, batch.t_ns)
        if abs(batch.t_ns - self._next_ns) > batch.period_ns:
            self._rest = self._rest[:0]
        start_ns = batch.t_ns - len(self._rest) * batch.period_ns
        self._next_ns = batch.t_ns + len(samples) * batch.period_ns
        if len(self._rest):
            samples = np.concatenate([self._rest, samples])
        size = max(1, round(self._cell_ns / batch.period_ns))
        count = len(samples) // size
        self._rest = samples[count * size :]
        step_ns = size * batch.period_ns
        cells = kernels.medians(samples[: count * size], size)
        kernels.hear(self._heard, cells, start_ns, step_ns)
        return zip(range(start_ns, start_ns + count * step_ns, step_ns), cells, strict=True)

    def live(self, t_ns: int) -> frozenset[str]:
        """The plates that gave numbers shortly before ``t_ns``, and not always the same one."""
        live = (self._heard >= t_ns - self._dead_ns) & (self._varied >= t_ns - self._stuck_ns)
        if self._live[0] != (same := live.tobytes()):
            self._live = same, frozenset(name for name, one in zip(self._plates, live, strict=True) if one)
        return self._live[1]

    def _arranged(self, batch: HeardBatch) -> Array:
        """Samples (n, plates of the document): columns by name, NaN where the batch has none."""
        grams = batch.weights
        if batch.plates == self._plates:
            return grams
        names = tuple(batch.plates)
        if names not in self._columns:
            known = [(i, self._plates.index(name)) for i, name in enumerate(names) if name in self._plates]
            self._columns[names] = ([i for i, _ in known], [j for _, j in known])
        source, target = self._columns[names]
        self.unknown_plates += len(names) - len(source)
        out = np.full((len(grams), len(self._plates)), np.nan)
        out[:, target] = grams[:, source]
        return out
