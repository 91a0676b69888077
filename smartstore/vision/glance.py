"""Two pictures of a shelf face side by side: what places looked like before, and what they look like now.

In: the kept picture and the new one. Out: the evidence that :mod:`smartstore.vision.moves` asks for. Products with a
catalogue picture are compared with that; others with how they looked when they were first seen.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from smartstore.vision.boards import Boards, for_count
from smartstore.vision.looks import Looks
from smartstore.vision.recognition import CELLS_WORTH, SPREAD, Recogniser
from smartstore.vision.shelf_face import NOWHERE, Patch

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]

LEAST_LIKE = 0.4
"""What came must be so like its picture; a stranger besides"""
LIKER = 0.1
"""so much more like it than the place was before."""
STRANGERS = 3
UNKNOWN, FARTHEST = 0.25, 0.5
"""Squared distances: of a place that cannot be compared, and beyond which nothing is less alike."""


@dataclass(slots=True, eq=False)
class Glance:
    """Evidence from a kept picture and a new one."""

    boards: Boards
    looks: Looks
    recogniser: Recogniser
    kept: Picture
    picture: Picture
    _now: dict[tuple[int, int, int, str], float] = field(default_factory=dict)
    _went: dict[tuple[int, int, int, str], float] = field(default_factory=dict)
    _strangers: dict[tuple[int, int, int], list[str]] = field(default_factory=dict)

    def bare(self, facing: int) -> Array:
        """Evidence for bare boards now against before."""
        return 1.5 * self.boards.evidence(facing, self.picture) - self.boards.evidence(facing, self.kept)

    def went(self, facing: int, column: int, row: int, sku: str, region: Patch) -> float:
        """How much more a place, or a region where there is no picture of the product, looked like it before."""
        key = (facing, column, row, sku)
        if key not in self._went:
            self._went[key] = self.recogniser.likeness(self.kept, *key) - self._likeness(*key)
        known = self._went[key]
        return known if np.isfinite(known) else self.looks.departed(self.kept, self.picture, region, sku)

    def unlike(self, facing: int, column: int, row: int, sku: str) -> float:
        """How little a place now looks like the picture of an item: 0 from ``LEAST_LIKE`` on, 1 for not at all."""
        likeness = self._likeness(facing, column, row, sku)
        return max(0.0, 1.0 - likeness / LEAST_LIKE) if np.isfinite(likeness) else 0.0

    def strangers(self, facing: int, column: int, row: int) -> list[str]:
        """Products that a place shows now and did not before, and that do not belong there."""
        key = (facing, column, row)
        if key not in self._strangers:
            own = self.recogniser.views[facing].facing.sku
            found = self.recogniser.scores(self.picture, *key, own, 0.0, most=STRANGERS + 1)
            self._strangers[key] = [sku for sku in found if sku != own and self._came(*key, sku)][:STRANGERS]
        return self._strangers[key]

    def _likeness(self, facing: int, column: int, row: int, sku: str) -> float:
        """How much a place looks like a product's picture now."""
        key = (facing, column, row, sku)
        if key not in self._now:
            self._now[key] = self.recogniser.likeness(self.picture, *key)
        return self._now[key]

    def _came(self, facing: int, column: int, row: int, sku: str) -> bool:
        now = self._likeness(facing, column, row, sku)
        return now >= LEAST_LIKE and -self.went(facing, column, row, sku, NOWHERE) >= LIKER


def first_counts(boards: Boards, recogniser: Recogniser, i: int, picture: Picture, full: float = 2.2) -> list[int]:
    """The likeliest number of items per column of a facing that is seen for the first time.

    Bare boards and the front of the first item both speak; a full column has ``full`` in its favour.
    """
    facing = recogniser.views[i].facing
    counts = []
    for column, bare in enumerate(boards.evidence(i, picture)):
        scores = []
        for n in range(facing.rows + 1):
            far = recogniser.distance(picture, i, column, facing.rows - n, facing.sku) if n else UNKNOWN
            far = min(far, FARTHEST) if np.isfinite(far) else UNKNOWN
            scores.append(
                for_count(bare, n) + (full if n == facing.rows else 0.0) - CELLS_WORTH * far / (2 * SPREAD**2)
            )
        counts.append(int(np.argmax(scores)))
    return counts
