"""What shoppers want whom nobody has written down: drawn from the seed.

In: the ``shoppers`` of a scenario, the building, a generator. Out: arrival times, and the errands of every shopper.
"""

from dataclasses import replace

import numpy as np

from sims.building import Building
from sims.errands import Errand, PutItemBack, TakeItems
from sims.scenario import Shoppers


def arrivals(shoppers: Shoppers, random: np.random.Generator) -> list[float]:
    """When they stand at the gate, seconds since the start."""
    told = shoppers.arrivals.times_s
    if told is not None:
        return sorted(float(told[i % len(told)]) for i in range(shoppers.count))
    gaps = random.uniform(shoppers.arrivals.gap_s.min, shoppers.arrivals.gap_s.max, shoppers.count)
    return [float(t) for t in shoppers.arrivals.first_s + np.concatenate([[0.0], np.cumsum(gaps[:-1])])]


def wishes(shoppers: Shoppers, building: Building, random: np.random.Generator) -> list[tuple[Errand, ...]]:
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
