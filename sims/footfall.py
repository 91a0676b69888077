"""Who comes when, by a demand document: visits with the errands of everybody in them, and rounds of staff.

In: a demand document, the building, a seed, and the time that is played. Out: frozen :class:`Coming`; seconds since the
start. Arrivals are a Poisson process whose rate follows the hours of the day.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from sims.baskets import Wants, basket_sizes, calibrated
from sims.building import Building
from sims.chance import stream
from sims.demand_document import Demand
from sims.errands import Errand, LookAt, PutItemBack, Replenish, TakeItems

HOUR_S = 3600.0
FIRST_S = 1.0
"""Nobody stands at the gate before."""


@dataclass(frozen=True, slots=True)
class Coming:
    """One visit: when, and what each of its people does; or a round of staff."""

    arrive_s: float
    errands: tuple[tuple[Errand, ...], ...]
    staff: bool = False


def coming(demand: Demand, building: Building, seed: int, start: datetime, minutes: float) -> list[Coming]:
    """Everybody who comes, in order."""
    wants = calibrated(demand, building)
    times_s = arrival_times(demand, start, minutes, stream(seed, "demand/arrivals"))
    random = stream(seed, "demand/baskets")
    sizes = basket_sizes(demand, len(times_s), random)
    found = []
    for i, basket in enumerate(wants.baskets(sizes, random)):
        own = stream(seed, f"demand/visit-{i + 1}")
        people = int(own.integers(2, demand.groups.most + 1)) if own.random() < demand.groups.share else 1
        lists = [basket[member::people] for member in range(people)]
        found.append(Coming(times_s[i], tuple(_errands(one, demand, wants, building, own) for one in lists)))
    return sorted([*found, *_rounds(demand, minutes)], key=lambda one: one.arrive_s)


def arrival_times(demand: Demand, start: datetime, minutes: float, random: np.random.Generator) -> list[float]:
    """Seconds since ``start``: as many as ``visits`` says for those hours, on average."""
    weight_sum, times, at_s, end_s = sum(demand.hours.values()), list[float](), FIRST_S, 60.0 * minutes
    while at_s < end_s:
        now = start + timedelta(seconds=at_s)
        next_s = min(end_s, at_s + HOUR_S - (now.minute * 60 + now.second + now.microsecond / 1e6))
        rate = demand.visits * demand.hours.get(now.hour, 0.0) / weight_sum / HOUR_S
        times += [float(t) for t in random.uniform(at_s, next_s, random.poisson(rate * (next_s - at_s)))]
        at_s = next_s
    return [round(t, 2) for t in sorted(times)]


def _rounds(demand: Demand, minutes: float) -> list[Coming]:
    """Rounds of staff who fill gaps."""
    if demand.restock is None:
        return []
    step_s, errand = 60.0 * demand.restock.every_min, Replenish(demand.restock.below, demand.restock.most)
    return [Coming(float(t), ((errand,),), staff=True) for t in np.arange(step_s, 60.0 * minutes, step_s)]


def _errands(
    basket: list[tuple[str, bool]], demand: Demand, wants: Wants, building: Building, random: np.random.Generator
) -> tuple[Errand, ...]:
    """What somebody does: fixture by fixture, impulses where they stand, a search before what is not found at once."""
    counts = {facing: sum(one == facing for one, _ in basket) for facing, _ in basket}
    fixtures = list(dict.fromkeys(building.facings[facing].fixture for facing in counts))
    random.shuffle(fixtures)
    errands: list[Errand] = []
    for facing in sorted(counts, key=lambda one: (fixtures.index(building.facings[one].fixture),
                                                  building.facings[one].offset_m)):  # fmt: skip
        if random.random() < demand.search.share and (elsewhere := _elsewhere(facing, wants, building)):
            look_s = demand.search.look_s * float(random.lognormal(0.0, 0.4))
            errands.append(LookAt(elsewhere[int(random.integers(len(elsewhere)))], look_s))
        errands.append(TakeItems(facing, counts[facing], touch_first=bool(random.random() < demand.touches)))
        if random.random() < demand.put_backs:
            errands.append(PutItemBack(facing, facing))
    return tuple(errands)


def _elsewhere(facing: str, wants: Wants, building: Building) -> list[str]:
    """Facings of other fixtures."""
    here = building.facings[facing].fixture
    return [other for other in wants.facings if building.facings[other].fixture != here]
