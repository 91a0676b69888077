"""Who comes: a scenario and a seed become the plans of its shoppers.

In: a scenario, the building, a seed. Out: one frozen :class:`~sims.errands.Plan` per shopper, in the order of their
arrival.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sims.arrangement import foreign
from sims.building import Building
from sims.chance import stream
from sims.demand import arrivals, wishes
from sims.directing import Part, directed
from sims.errands import Plan, Role, TakeWithBothHands
from sims.footfall import coming
from sims.scenario import Scenario, ScenarioError
from sims.scene import BASKETS
from sims.script import ScriptedShopper
from sims.stock import LEAST_GRAMS, Unit

PALM_NUMBERS = 128
"""Length of a palm vector."""
GEAR = {"": 0.36, "basket": 0.26, "arm_basket": 0.12, "tote": 0.12, "roller": 0.10, "trolley": 0.04}
"""What people shop with, as shares; they bring it along."""
LEFT_HANDED = 0.12
PACE_M_S = (0.65, 1.15)


def draw_plans(scenario: Scenario, building: Building, seed: int, bodies: Sequence[int]) -> tuple[Plan, ...]:
    """The shoppers of a run; ``bodies`` are the kinds of bodies that shop alone."""
    if scenario.script is not None:
        return _scripted(scenario, building, seed, bodies)
    if scenario.demand is not None:
        return _demanded(scenario, building, seed, bodies)
    assert scenario.shoppers is not None
    errands_of = wishes(scenario.shoppers, building, stream(seed, "demand"))
    times_s = arrivals(scenario.shoppers, stream(seed, "arrivals"))
    who = stream(seed, "bodies")
    kinds = _different(who, bodies, len(errands_of))
    plans = []
    for i, errands in enumerate(errands_of):
        name = f"shopper-{i + 1}"
        pace = scenario.shoppers.speed_m_s
        speed_m_s = float(stream(seed, f"{name}/speed").uniform(pace.min, pace.max))
        plans.append(
            Plan(name, times_s[i], kinds[i], int(who.integers(1, 2**31)), speed_m_s, _palm(seed, name), errands)
        )
    return tuple(_equipped(plan, seed) for plan in plans)


def _demanded(scenario: Scenario, building: Building, seed: int, bodies: Sequence[int]) -> tuple[Plan, ...]:
    """Everybody who comes by a demand document, groups one behind the other, and rounds of staff."""
    assert scenario.demand is not None
    plans: list[Plan] = []
    visits = coming(scenario.demand, building, seed, scenario.start, scenario.minutes)
    for number, visit in enumerate(visits, start=1):
        line: list[Plan] = []
        for member, errands in enumerate(visit.errands):
            first = "staff" if visit.staff else "shopper"
            name = f"{first}-{number}" + (f"-{member + 1}" if member else "")
            own = stream(seed, f"{name}/body")
            plan = Plan(
                name, visit.arrive_s, bodies[int(own.integers(len(bodies)))], int(own.integers(1, 2**31)),
                float(own.uniform(*PACE_M_S)), _palm(seed, name), errands,
            )  # fmt: skip
            if not line:
                role: Role = "staff" if visit.staff else "shopper"
                line = [replace(plan, role=role, in_order=visit.staff, party=len(visit.errands))]
            else:
                _line_up(line, replace(plan, role="party", host=line[0].name))
        plans += line
    return tuple(_equipped(plan, seed) for plan in plans)


def check_bodies(scenario: Scenario, count: int) -> None:
    """Raises :class:`ScenarioError` where a script wants another body than the ``count`` that there are."""
    for i, shopper in enumerate(scenario.script or ()):
        if shopper.body is not None and shopper.body >= count:
            raise ScenarioError(
                f"{scenario.path}: script[{i}].body: {shopper.body} is none of the bodies 0 to {count - 1}; name one"
            )


def _equipped(plan: Plan, seed: int) -> Plan:
    """The plan of somebody with gear and a better hand of their own."""
    own = stream(seed, f"{plan.name}/gear")
    kind = str(own.choice(list(GEAR), p=list(GEAR.values())))
    if any(not foreign(unit.sku) for unit in plan.brings):
        kind = "trolley"
    if kind in BASKETS and any(isinstance(errand, TakeWithBothHands) for errand in plan.errands):
        kind = "roller"
    left_handed = bool(own.random() < LEFT_HANDED) and kind not in BASKETS
    return replace(plan, gear=kind, left_handed=left_handed)


def _scripted(scenario: Scenario, building: Building, seed: int, bodies: Sequence[int]) -> tuple[Plan, ...]:
    script = scenario.script or ()
    names = [shopper.name or f"shopper-{i + 1}" for i, shopper in enumerate(script)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ScenarioError(f"{scenario.path}: script: two shoppers are named {twice!r}; give each a name of their own")
    plans = []
    parts = directed(scenario, building, names)
    for name, shopper, part in zip(names, script, parts, strict=True):
        who = stream(seed, f"{name}/body")
        kind = bodies[int(who.integers(len(bodies)))] if shopper.body is None else shopper.body
        outfit = int(who.integers(1, 2**31))
        plan = Plan(name, 0.0, kind, outfit, shopper.speed_m_s, _palm(seed, name), part.errands, in_order=True)
        brings = _brought(part, building, seed, name)
        plans.append(replace(plan, role="staff" if shopper.staff else "shopper", awaits=part.awaits, brings=brings))
    plans = _in_line(plans, script, scenario)
    return tuple(_equipped(plan, seed) for plan in sorted(plans, key=lambda plan: plan.arrive_s))


def _brought(part: Part, building: Building, seed: int, name: str) -> tuple[Unit, ...]:
    """The items that somebody comes with, each of a weight of its own."""
    own = stream(seed, f"{name}/goods")
    units = []
    for sku, home in part.brings:
        item = building.items[sku]
        grams = item.grams + float(np.clip(own.normal(), -3, 3)) * item.grams_sigma
        units.append(Unit(sku, max(LEAST_GRAMS, grams), home))
    return tuple(units)


def _in_line(plans: list[Plan], script: Sequence[ScriptedShopper], scenario: Scenario) -> list[Plan]:
    """The plans of those who come by themselves, and of those who walk in right behind them."""
    lines: dict[str, list[Plan]] = {}
    first: dict[str, str] = {}
    for plan, shopper in zip(plans, script, strict=True):
        if not shopper.behind_somebody:
            lines[plan.name] = [replace(plan, arrive_s=shopper.arrive_s or 0.0)]
            first[plan.name] = plan.name
    for i, (plan, shopper) in enumerate(zip(plans, script, strict=True)):
        if shopper.party_of is not None:
            host = lines.get(shopper.party_of)
            if host is None or host[0].role == "staff":
                raise ScenarioError(
                    f"{scenario.path}: script[{i}].party_of: {shopper.party_of!r} is nobody who scans a palm; "
                    "name a shopper who does"
                )
            host[0] = replace(host[0], party=host[0].party + 1)
            _line_up(host, replace(plan, role="party", host=shopper.party_of))
            first[plan.name] = shopper.party_of
        elif shopper.tailgates:
            if i == 0:
                raise ScenarioError(
                    f"{scenario.path}: script[0].tailgates: nobody is written before; write somebody to walk in behind"
                )
            first[plan.name] = first[plans[i - 1].name]
            _line_up(lines[first[plan.name]], replace(plan, role="tailgater"))
    return [plan for line in lines.values() for plan in line]


def _line_up(line: list[Plan], plan: Plan) -> None:
    """One more at the end of a line."""
    line[-1] = replace(line[-1], followed_by=plan.name)
    line.append(replace(plan, behind=line[-1].name, arrive_s=line[0].arrive_s))


def _different(random: np.random.Generator, kinds: Sequence[int], count: int) -> list[int]:
    """``count`` kinds, no two alike before all have been used."""
    order: list[int] = []
    while len(order) < count:
        order += [kinds[int(k)] for k in random.permutation(len(kinds))]
    return order[:count]


def _palm(seed: int, name: str) -> NDArray[np.float64]:
    vector = stream(seed, f"{name}/palm").normal(size=PALM_NUMBERS)
    return np.asarray(vector / np.linalg.norm(vector))
