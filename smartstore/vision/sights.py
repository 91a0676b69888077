"""What views of cameras show, as far as it follows from the views alone.

In: views of any cameras and times, and the ground. Out: a :class:`Sight` per moment: who stands where somebody can
stand, once in each view, and where. All views are worked out at once, which is much cheaper than one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import PeopleView, SeenPerson
from smartstore.vision.doubles import Overlaps, once_each
from smartstore.vision.floor import Bodies, FloorOptions, Stands, locate
from smartstore.vision.ground import Ground
from smartstore.vision.hands import HandOptions, Wrists
from smartstore.vision.rays import Numbers, RayTable

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
OUTSIDE_M, OUTSIDE_SIGMA_M = 1.2, 0.5
"""People wait so far outside of the walls, and as much further as they are uncertain, up to the second."""
VAGUE_M = 1.5
"""Whose place is less certain than this may be anywhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """Whom the views of one moment show on the floor: places and body heights ``mean`` (n, 3) with ``cov`` (n, 3, 3).

    ``view`` (n,), which does not fall, says in which of the moment's views. ``mixed`` says whose looks may be partly
    somebody else's; ``rows`` (n,) is where their ``wrists`` stand.
    """

    people: tuple[SeenPerson, ...]
    view: Numbers
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
        credible = [[person for person in view.people if person.score >= self.min_score] for view in views]
        counts = [len(people) for people in credible]
        everybody = [person for people in credible for person in people]
        view = np.repeat(np.arange(len(views)), counts)
        bodies = Bodies.of(everybody, np.array([self.table.number[one.camera] for one in views], np.intp)[view])
        stands, wrists = locate(bodies, self.table, self.floor), Wrists.of(bodies, self.table, self.hands)
        starts = np.cumsum([0, *counts])
        kept, mixed = _sorted_out(everybody, bodies, stands, self._plausible(stands), view, starts)
        sights, first = [], 0
        for moment in moments:
            after = first + len(moment)
            rows = kept[(kept >= starts[first]) & (kept < starts[after])]
            people = tuple(everybody[i] for i in rows.tolist())
            sights.append(
                Sight(
                    people, view[rows] - first, stands.mean[rows], stands.cov[rows], mixed[rows].tolist(), rows, wrists
                )
            )
            first = after
        return sights

    def _plausible(self, stands: Stands) -> Bools:
        """Who (n,) stands in the store or just before it, as far as can be said."""
        at, spread = stands.mean[:, :2], np.sqrt((stands.cov[:, 0, 0] + stands.cov[:, 1, 1]) / 2)
        slack = (OUTSIDE_M + np.minimum(spread, OUTSIDE_SIGMA_M))[:, None]
        low, high = self.ground.walls.min(axis=0), self.ground.walls.max(axis=0)
        around = ((at > low - slack) & (at < high + slack)).all(axis=1)
        return np.asarray(stands.known & around & (spread < VAGUE_M))


def _sorted_out(
    people: Sequence[SeenPerson], bodies: Bodies, stands: Stands, plausible: Bools, view: Numbers, starts: Numbers
) -> tuple[Numbers, Bools]:
    """Who is kept of the plausible people of several views, in their order, and of whom (n,) others hide much."""
    place = np.arange(len(people)) - starts[view]
    boxes = np.zeros((len(starts) - 1, int(place.max(initial=-1)) + 1, 4))
    places_m = np.zeros((*boxes.shape[:2], 2))
    boxes[view, place], places_m[view, place] = bodies.boxes_px, stands.mean[:, :2]
    overlaps = Overlaps(boxes, places_m)
    kept = np.zeros(boxes.shape[:2], bool)
    kept[view, place] = plausible
    alike = overlaps.alike() & kept[:, :, None] & kept[:, None]
    for v in np.flatnonzero(alike.any(axis=(1, 2))).tolist():
        part = slice(starts[v], starts[v + 1])
        once = once_each(people[part], np.flatnonzero(kept[v]).tolist(), alike[v])
        kept[v] = False
        kept[v, once] = True
    return np.flatnonzero(kept[view, place]), overlaps.crowded(kept)[view, place]
