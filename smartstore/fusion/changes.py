"""Changes on shelves, before anybody asks whose they are.

In: weight steps and facing changes. Out: :class:`Change` facts, grouped in time.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from smartstore.domain.items import FacingChange, WeightStep
from smartstore.site import Site


@dataclass(frozen=True, slots=True)
class Change:
    """Something that changed on a shelf, by weight or by sight."""

    caused_by: str
    fixture: str
    shelf: str
    t_start_ns: int
    t_end_ns: int
    facings: tuple[str, ...]
    """Where it may have been, most likely first."""
    step: WeightStep | None = None
    seen: FacingChange | None = None
    """The change itself for a fixture without scale, else what the camera adds to the step."""
    unfelt: bool = False
    """A camera saw it, and a living scale felt nothing."""
    main_ns: tuple[int, int] | None = None
    """From when to when the larger part of it happened, where it is two that were made one."""

    @property
    def t_ns(self) -> int:
        return sum(self.hands_ns) // 2

    @property
    def hands_ns(self) -> tuple[int, int]:
        """From when to when hands moved goods there."""
        return self.main_ns or (self.t_start_ns, self.t_end_ns)

    @property
    def may_come(self) -> bool:
        """Whether something may have been put there: by its weight, or as far as a camera can say."""
        if self.step is not None:
            return self.step.grams > 0
        return self.seen is not None and self.seen.items >= 0


def of_step(step: WeightStep, site: Site) -> Change:
    """A weight step with the facings on its plates, those of the heaviest plate first.

    On plates that carry no facing it is one of the nearest facings beside them.
    """
    plates = [plate for plate, _ in sorted(step.plates, key=lambda pair: (-abs(pair[1]), pair[0]))]
    facings = tuple(dict.fromkeys(f.id for plate in plates for f in site.facings_of_plate(plate)))
    facings = facings or _beside(site, plates[0])
    caused_by = f"step:{'+'.join(name for name, _ in step.plates)}:{step.t_start_ns}"
    return Change(caused_by, step.fixture, step.shelf, step.t_start_ns, step.t_end_ns, facings, step=step)


def _beside(site: Site, plate: str) -> tuple[str, ...]:
    """The nearest facings to the left and to the right of a plate."""
    place = site.plates[plate]
    here = site.facings_of_shelf(place.shelf)
    left = [facing.id for facing in here if facing.offset_m < place.offset_m][-1:]
    return (*left, *[facing.id for facing in here if facing.offset_m > place.offset_m][:1])


def of_view(seen: FacingChange, site: Site) -> Change:
    """A facing change that stands for itself."""
    place = site.facings[seen.facing]
    caused_by = f"view:{seen.camera}:{seen.facing}:{seen.t_start_ns}:{seen.t_end_ns}"
    return Change(caused_by, place.fixture, place.shelf, seen.t_start_ns, seen.t_end_ns, (seen.facing,), seen=seen)


def grouped(changes: Sequence[Change], margin_ns: int, same_ns: int) -> list[list[Change]]:
    """Changes (oldest first) in groups less than ``margin_ns`` apart, ``same_ns`` at the same place; what scales say
    apart from what cameras say.
    """
    groups: list[list[Change]] = []
    for change in changes:
        near = bool(groups) and any(
            change.t_start_ns <= other.t_end_ns + (same_ns if other.facings == change.facings else margin_ns)
            for other in groups[-1]
        )
        if near and (change.step is None) == (groups[-1][0].step is None):
            groups[-1].append(change)
        else:
            groups.append([change])
    return groups


def joined(a: WeightStep, b: WeightStep) -> WeightStep:
    """Two steps of one shelf as one: grams add up, time runs from the first to the last."""
    grams: dict[str, float] = defaultdict(float)
    for plate, value in (*a.plates, *b.plates):
        grams[plate] += value
    return replace(
        a,
        t_end_ns=b.t_end_ns,
        grams=a.grams + b.grams,
        sigma_grams=(a.sigma_grams**2 + b.sigma_grams**2) ** 0.5,
        plates=tuple(sorted(grams.items())),
    )


def at_once(group: Sequence[Change], near_ns: int) -> list[tuple[int, int]]:
    """The pairs of weight changes at different places within ``near_ns``, or of items that went in one step; cameras do
    not know the moment.
    """
    return [
        (i, j)
        for i, a in enumerate(group)
        for j, b in enumerate(group[i + 1 :], start=i + 1)
        if a.step and b.step and abs(a.t_ns - b.t_ns) < near_ns
        if a.step == b.step or not set(a.facings) & set(b.facings)
    ]


def with_grams(step: WeightStep, grams: float) -> WeightStep:
    """The step with another weight, on its first plate."""
    return replace(step, grams=grams, plates=((step.plates[0][0], grams),))
