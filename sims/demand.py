"""Who comes, and what they want: a scenario and a seed become the plans of its shoppers.

In: a scenario, the building, a seed. Out: one frozen :class:`Plan` per shopper, in the order of their arrival.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sims.building import Building
from sims.chance import stream
from sims.scenario import Pause, PutBack, Scenario, ScenarioError, Shoppers, Take, Touch

PALM_NUMBERS = 128
"""Length of a palm vector."""
GEAR = {"": 0.36, "basket": 0.26, "arm_basket": 0.12, "tote": 0.12, "roller": 0.10, "trolley": 0.04}
"""What people shop with, as shares; they bring it along."""
LEFT_HANDED = 0.12


@dataclass(frozen=True, slots=True)
class TakeItems:
    """Take ``count`` items from a facing; with ``double_grab`` as many as go in one grip."""

    facing: str
    count: int = 1
    double_grab: bool = False
    touch_first: bool = False
    put_back_at_once: str | None = None
    """Facing into which the last one goes back before the shopper walks on."""


@dataclass(frozen=True, slots=True)
class PutItemBack:
    """Put one held item that was taken from ``source`` into ``facing``."""

    facing: str
    source: str


@dataclass(frozen=True, slots=True)
class TouchGoods:
    """Reach, press and leave."""

    facing: str


@dataclass(frozen=True, slots=True)
class StandStill:
    """Wait for some seconds."""

    pause_s: float


Errand = TakeItems | PutItemBack | TouchGoods | StandStill


@dataclass(frozen=True, slots=True)
class Plan:
    """One shopper. ``palm`` is their unit vector; what a scanner reads of it is noisy."""

    name: str
    arrive_s: float
    body: int
    outfit: int
    speed_m_s: float
    palm: NDArray[np.float64]
    errands: tuple[Errand, ...]
    in_order: bool = False
    """Errands are done as written, also when somebody stands in the way."""
    gear: str = ""
    """What the shopper shops with: a kind of :class:`sims.scene.Gear`, or nothing."""
    left_handed: bool = False


def draw_plans(scenario: Scenario, building: Building, seed: int, bodies: Sequence[int]) -> tuple[Plan, ...]:
    """The shoppers of a run; ``bodies`` are the kinds of bodies that shop alone."""
    if scenario.script is not None:
        return _scripted(scenario, building, seed, bodies)
    assert scenario.shoppers is not None
    wishes = _wishes(scenario.shoppers, building, stream(seed, "demand"))
    arrivals = _arrivals(scenario.shoppers, stream(seed, "arrivals"))
    who = stream(seed, "bodies")
    kinds = _different(who, bodies, len(wishes))
    plans = []
    for i, errands in enumerate(wishes):
        name = f"shopper-{i + 1}"
        pace = scenario.shoppers.speed_m_s
        speed_m_s = float(stream(seed, f"{name}/speed").uniform(pace.min, pace.max))
        plans.append(
            Plan(name, arrivals[i], kinds[i], int(who.integers(1, 2**31)), speed_m_s, _palm(seed, name), errands)
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


def _arrivals(shoppers: Shoppers, random: np.random.Generator) -> list[float]:
    told = shoppers.arrivals.times_s
    if told is not None:
        return sorted(float(told[i % len(told)]) for i in range(shoppers.count))
    gaps = random.uniform(shoppers.arrivals.gap_s.min, shoppers.arrivals.gap_s.max, shoppers.count)
    return [float(t) for t in shoppers.arrivals.first_s + np.concatenate([[0.0], np.cumsum(gaps[:-1])])]


def _wishes(shoppers: Shoppers, building: Building, random: np.random.Generator) -> list[tuple[Errand, ...]]:
    """The errands of every shopper, each list in the order of a way through the store."""
    counts = [int(random.integers(shoppers.items.min, shoppers.items.max + 1)) for _ in range(shoppers.count)]
    wanted = _wanted_there(counts, shoppers.items.share)
    lists = []
    for count, there in zip(counts, wanted, strict=True):
        takes = _takes(shoppers, building, random, there, shoppers.items.fixture)
        takes += _takes(shoppers, building, random, count - there, None, {t.facing for t in takes})
        lists.append(_on_the_way(takes, building, random))
    returns = _returns(shoppers, lists, random)
    return [_with_returns(takes, back, shoppers, building, random) for takes, back in zip(lists, returns, strict=True)]


def _wanted_there(counts: list[int], share: float) -> list[int]:
    """How many of each shopper's items come from the favoured fixture, as even as can be."""
    left = round(share * sum(counts))
    there = [0] * len(counts)
    while left > 0:
        i = min((i for i in range(len(counts)) if there[i] < counts[i]), key=lambda i: there[i])
        there[i] += 1
        left -= 1
    return there


def _takes(
    shoppers: Shoppers, building: Building, random: np.random.Generator, count: int, fixture: str | None,
    not_these: set[str] | None = None,
) -> list[TakeItems]:  # fmt: skip
    takes: list[TakeItems] = []
    used = set(not_these or ())
    wishes = shoppers.items
    while count > 0:
        free = [f for f in building.facings.values() if f.id not in used and fixture in (None, f.fixture)]
        if fixture is None and wishes.fixture:
            free = [f for f in free if f.fixture != wishes.fixture]
        if not free:
            break
        facing = free[int(random.integers(len(free)))]
        used.add(facing.id)
        pair = count >= 2 and random.random() < wishes.second_unit
        double = bool(random.random() < wishes.double_grab)
        takes.append(TakeItems(facing.id, 2 if pair else 1, pair and double, bool(random.random() < shoppers.touches)))
        count -= 2 if pair else 1
    return takes


def _on_the_way(takes: list[TakeItems], building: Building, random: np.random.Generator) -> list[TakeItems]:
    """Fixture by fixture in a random order, from left to right or back."""
    fixtures = list(dict.fromkeys(building.facings[t.facing].fixture for t in takes))
    random.shuffle(fixtures)
    backwards = {fixture: bool(random.random() < 0.5) for fixture in fixtures}

    def order(take: TakeItems) -> tuple[int, float]:
        facing = building.facings[take.facing]
        offset = -facing.offset_m if backwards[facing.fixture] else facing.offset_m
        return fixtures.index(facing.fixture), offset

    return sorted(takes, key=order)


def _returns(shoppers: Shoppers, lists: list[list[TakeItems]], random: np.random.Generator) -> list[set[int]]:
    """Which takes of every shopper are undone later, as positions in their list."""
    every = [(i, j) for i, takes in enumerate(lists) for j in range(len(takes))]
    if shoppers.put_backs.total is None:
        chosen = [pair for pair in every if random.random() < shoppers.put_backs.share]
    else:
        picked = random.permutation(len(every))[: shoppers.put_backs.total]
        chosen = [every[k] for k in sorted(int(k) for k in picked)]
    return [{j for i, j in chosen if i == who} for who in range(len(lists))]


def _with_returns(
    takes: list[TakeItems], back: set[int], shoppers: Shoppers, building: Building, random: np.random.Generator
) -> tuple[Errand, ...]:
    errands: list[Errand] = []
    later: list[tuple[int, PutItemBack]] = []
    for j, take in enumerate(takes):
        if j in back:
            target = _target(take.facing, shoppers, building, random)
            if target == take.facing and random.random() < shoppers.put_backs.at_once:
                errands.append(replace(take, put_back_at_once=target))
            else:
                after = int(random.integers(j, len(takes))) if j + 1 < len(takes) else j
                later.append((after, PutItemBack(target, take.facing)))
                errands.append(take)
        else:
            errands.append(take)
        errands += [undo for after, undo in later if after == j]
    return tuple(errands)


def _target(home: str, shoppers: Shoppers, building: Building, random: np.random.Generator) -> str:
    """Where an item goes back to: its own facing, or another one of the same fixture that is high enough for it."""
    if random.random() >= shoppers.put_backs.misplaced:
        return home
    facing, height_m = building.facings[home], building.items[building.facings[home].sku].size_m[2]
    others = [
        f.id
        for f in building.facings.values()
        if f.fixture == facing.fixture and f.sku != facing.sku and building.shelves[f.shelf].clear_m > height_m
    ]
    return others[int(random.integers(len(others)))] if others else home


def _different(random: np.random.Generator, kinds: Sequence[int], count: int) -> list[int]:
    """``count`` kinds, no two alike before all have been used."""
    order: list[int] = []
    while len(order) < count:
        order += [kinds[int(k)] for k in random.permutation(len(kinds))]
    return order[:count]


def _palm(seed: int, name: str) -> NDArray[np.float64]:
    vector = stream(seed, f"{name}/palm").normal(size=PALM_NUMBERS)
    return np.asarray(vector / np.linalg.norm(vector))
