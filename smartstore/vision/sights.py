"""What views of cameras show, as far as it follows from the views alone.

In: views of any cameras and times, and the ground. Out: a :class:`Sight` per moment: who stands where somebody can
stand, once in each view, and where. All views are worked out at once, which is much cheaper than one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import PeopleView, SeenPeople
from smartstore.vision import sight_kernels
from smartstore.vision.doubles import alike, crowded, once_each
from smartstore.vision.floor import FloorOptions, Stands, locate
from smartstore.vision.ground import Ground
from smartstore.vision.hands import HandOptions, Wrists
from smartstore.vision.rays import Numbers, RayTable

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
OUTSIDE_M, OUTSIDE_SIGMA_M = 1.2, 0.5
"""People wait so far outside of the walls, and as much further as they are uncertain, up to the second."""
VAGUE_M = 1.5
"""Whose place is less certain than this may be anywhere."""
_VAGUE_M = np.array([OUTSIDE_SIGMA_M, VAGUE_M])


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """Whom the views of one moment show on the floor: places and body heights ``mean`` (n, 3) with ``cov`` (n, 3, 3).

    ``view`` (n,), which does not fall, says in which of the moment's views. ``mixed`` says whose looks may be partly
    somebody else's; ``rows`` (n,) is where their ``wrists`` stand.
    """

    scores: Sequence[float]
    looks: Sequence[Array]
    """Their appearances."""
    view: Numbers
    starts: Numbers
    """(v + 1,), where the people of each view begin."""
    mean: Array
    cov: Array
    mixed: list[bool]
    rows: Numbers
    wrists: Wrists


@dataclass(frozen=True, slots=True, eq=False)
class Viewer:
    """Looks at views; whoever scores less than ``min_score`` is nobody."""

    table: RayTable
    ground: Ground
    floor: FloorOptions
    hands: HandOptions
    min_score: float

    def see(self, moments: Sequence[Sequence[PeopleView]]) -> list[Sight]:
        """The sights of ``moments``, all of known cameras."""
        views = [view for moment in moments for view in moment]
        if not views:
            return []
        people = SeenPeople.all([SeenPeople.of(view.people) for view in views])
        counts = [len(view.people) for view in views]
        view = np.repeat(np.arange(len(views)), counts)
        camera = np.array([self.table.number[one.camera] for one in views], np.intp)[view]
        stands = locate(people, camera, self.table, self.floor)
        wrists = Wrists.of(people, camera, self.table, self.hands)
        starts = np.cumsum([0, *counts])
        plausible = self._plausible(stands) & (people.scores >= self.min_score)
        kept, mixed = _sorted_out(people, stands, plausible, starts)
        sights, first = [], 0
        for moment in moments:
            after = first + len(moment)
            rows = kept[(kept >= starts[first]) & (kept < starts[after])]
            sights.append(Sight(
                people.scores[rows].tolist(), [people.looks[row] for row in rows.tolist()], view[rows] - first,
                np.searchsorted(rows, starts[first : after + 1]), stands.mean[rows], stands.cov[rows],
                mixed[rows].tolist(), rows, wrists,
            ))  # fmt: skip
            first = after
        return sights

    def _plausible(self, stands: Stands) -> Bools:
        """Who (n,) stands in the store or just before it, as far as can be said."""
        low_m, high_m = self.ground.low_m, self.ground.high_m
        return sight_kernels.plausible(stands.mean, stands.cov, stands.known, low_m, high_m, OUTSIDE_M, _VAGUE_M)


def _sorted_out(people: SeenPeople, stands: Stands, plausible: Bools, starts: Numbers) -> tuple[Numbers, Bools]:
    """Who is kept of the plausible people of several views, in their order, and of whom (n,) others hide much."""
    kept = plausible.copy()
    doubled = alike(people, stands.mean, starts) & plausible & plausible[:, None]
    doubtful = np.flatnonzero(doubled.any(axis=1)).tolist()
    if doubtful:
        kept[doubtful] = False
        kept[once_each(people.scores, doubtful, doubled)] = True
    return np.flatnonzero(kept), crowded(people.boxes_px, kept, starts)
