"""Who comes: a scenario and a seed become the plans of its shoppers.

In: a scenario, the building, a seed. Out: one frozen :class:`~sims.errands.Plan` per shopper, in the order of their
arrival.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sims.building import Building
from sims.chance import stream
from sims.demand import arrivals, wishes
from sims.errands import Errand, Plan, PutItemBack, StandStill, TakeItems, TouchGoods
from sims.scenario import Scenario, ScenarioError
from sims.script import Pause, PutBack, Take, Touch

PALM_NUMBERS = 128
"""Length of a palm vector."""
GEAR = {"": 0.36, "basket": 0.26, "arm_basket": 0.12, "tote": 0.12, "roller": 0.10, "trolley": 0.04}
"""What people shop with, as shares; they bring it along."""
LEFT_HANDED = 0.12


def draw_plans(scenario: Scenario, building: Building, seed: int, bodies: Sequence[int]) -> tuple[Plan, ...]:
    """The shoppers of a run; ``bodies`` are the kinds of bodies that shop alone."""
    if scenario.script is not None:
        return _scripted(scenario, building, seed, bodies)
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


def _equipped(plan: Plan, seed: int) -> Plan:
    """The plan of somebody with gear and a better hand of their own."""
    own = stream(seed, f"{plan.name}/gear")
    kind = str(own.choice(list(GEAR), p=list(GEAR.values())))
    left_handed = bool(own.random() < LEFT_HANDED) and kind not in ("basket", "arm_basket")
    return replace(plan, gear=kind, left_handed=left_handed)


def _scripted(scenario: Scenario, building: Building, seed: int, bodies: Sequence[int]) -> tuple[Plan, ...]:
    plans = []
    for i, shopper in enumerate(scenario.script or ()):
        name = shopper.name or f"shopper-{i + 1}"
        who = stream(seed, f"{name}/body")
        kind = bodies[int(who.integers(len(bodies)))] if shopper.body is None else shopper.body
        where = f"{scenario.path}: script[{i}]"
        errands = tuple(_written(shopper.actions, building, where))
        outfit = int(who.integers(1, 2**31))
        plans.append(
            Plan(name, shopper.arrive_s, kind, outfit, shopper.speed_m_s, _palm(seed, name), errands, in_order=True)
        )
    names = [plan.name for plan in plans]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ScenarioError(f"{scenario.path}: script: two shoppers are named {twice!r}; give each a name of their own")
    return tuple(_equipped(plan, seed) for plan in sorted(plans, key=lambda plan: plan.arrive_s))


def _written(actions: Sequence[object], building: Building, where: str) -> list[Errand]:
    taken: list[str] = []
    errands: list[Errand] = []
    for j, action in enumerate(actions):
        if isinstance(action, Take):
            facing = _place(building, action.take)
            errands.append(TakeItems(facing, action.count, action.double_grab))
            taken += [facing] * action.count
        elif isinstance(action, PutBack):
            source = next((f for f in reversed(taken) if building.facings[f].sku == action.put_back), None)
            if source is None:
                problem = f"{action.put_back!r} is not held by then; take it first"
                raise ScenarioError(f"{where}.actions[{j}].put_back: {problem}")
            taken.remove(source)
            errands.append(PutItemBack(action.to or source, source))
        elif isinstance(action, Touch):
            errands.append(TouchGoods(_place(building, action.touch)))
        elif isinstance(action, Pause):
            errands.append(StandStill(action.pause_s))
    return errands


def _place(building: Building, name: str) -> str:
    return name if name in building.facings else next(f.id for f in building.facings.values() if f.sku == name)


def _different(random: np.random.Generator, kinds: Sequence[int], count: int) -> list[int]:
    """``count`` kinds, no two alike before all have been used."""
    order: list[int] = []
    while len(order) < count:
        order += [kinds[int(k)] for k in random.permutation(len(kinds))]
    return order[:count]


def _palm(seed: int, name: str) -> NDArray[np.float64]:
    vector = stream(seed, f"{name}/palm").normal(size=PALM_NUMBERS)
    return np.asarray(vector / np.linalg.norm(vector))
