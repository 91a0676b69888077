"""Which steps of single plates are one item's.

In: the settled steps of the plates of one shelf. Out: groups of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PlateStep:
    """A plate came to rest on another level; it was restless from ``start_ns`` to ``end_ns``, told at ``found_ns``."""

    plate: int
    start_ns: int
    end_ns: int
    grams: float
    sigma: float
    found_ns: int


def groups_of(steps: Sequence[PlateStep], together: NDArray[np.bool_], late_ns: int) -> list[list[PlateStep]]:
    """Groups, each by plate: same direction and time, neighbours, and a facing across both (``together``).

    ``late_ns``: how much later than its neighbour a plate with little of an item may notice.
    """
    groups: list[list[PlateStep]] = []
    for step in sorted(steps, key=lambda step: (step.plate, step.start_ns)):
        beside = [group for group in groups if _one_item(group[-1], step, together, late_ns)]
        if beside:
            beside[-1].append(step)
        else:
            groups.append([step])
    return groups


def overlap(step: PlateStep, group: Sequence[PlateStep], late_ns: int = 0) -> bool:
    """Whether a plate was restless while one of the group was, or within ``late_ns``."""
    return any(step.start_ns <= one.end_ns + late_ns and one.start_ns <= step.end_ns + late_ns for one in group)


def _one_item(a: PlateStep, b: PlateStep, together: NDArray[np.bool_], late_ns: int) -> bool:
    beside = b.plate - a.plate == 1 and bool(together[a.plate, b.plate])
    return beside and a.grams * b.grams > 0 and overlap(b, [a], late_ns)
