"""Who shops with what in the labelled set: baskets, rollers, trolleys and bags, filled at random.

In: somebody of a random scene, a generator. Out: the same person with gear that fits what the hands do.
"""

import math
from dataclasses import replace

import numpy as np

from sims.bodies.gear import KINDS
from sims.building import Building
from sims.scene import BodyState, Gear

SHARES = {"": 0.36, "basket": 0.22, "arm_basket": 0.13, "roller": 0.08, "trolley": 0.09, "tote": 0.12}
STANDS_M = 0.32
"""How far from a fixture's face the middle of gear stands at least."""


def equipped(building: Building, state: BodyState, height_m: float, rng: np.random.Generator) -> BodyState:
    """The same person with or without gear."""
    kind = ("", *KINDS)[int(rng.choice(len(SHARES), p=[SHARES[k] for k in ("", *KINDS)]))]
    if not kind:
        return state
    skus = list(building.items)
    goods = tuple(str(rng.choice(skus)) for _ in range(int(rng.integers(0, 9))))
    busy = state.left_hand_m is not None or (state.right_hand_m is not None and kind == "trolley")
    gear = Gear(kind, goods)
    if kind != "tote" and (busy or (kind in ("roller", "trolley") and state.speed_m_s == 0.0 and rng.random() < 0.5)):
        place = _beside(building, state, rng)
        if place is None:
            return state
        gear = Gear(kind, goods, place, gripped=False)
    elif kind == "trolley" and not _clear(building, _ahead(state, 0.21 * height_m + 0.45)):
        return state
    if kind == "trolley" and gear.place is None:
        state = replace(state, held=())
    return replace(state, gear=gear)


def _beside(building: Building, state: BodyState, rng: np.random.Generator) -> tuple[float, float, float] | None:
    """A free spot on the floor next to somebody, and a heading."""
    for _ in range(8):
        angle = state.heading_rad + float(rng.uniform(0.3, 2 * math.pi - 0.3))
        away = float(rng.uniform(0.45, 0.75))
        spot = state.x_m + away * math.cos(angle), state.y_m + away * math.sin(angle)
        if _clear(building, spot):
            return spot[0], spot[1], float(rng.uniform(-math.pi, math.pi))
    return None


def _ahead(state: BodyState, metres: float) -> tuple[float, float]:
    return state.x_m + metres * math.cos(state.heading_rad), state.y_m + metres * math.sin(state.heading_rad)


def _clear(building: Building, spot: tuple[float, float]) -> bool:
    """Whether gear can stand there: within the walls' extent and outside fixtures."""
    walls = np.array(building.walls_m)
    if np.any(np.array(spot) < walls.min(axis=0) + 0.2) or np.any(np.array(spot) > walls.max(axis=0) - 0.2):
        return False
    for fixture in building.fixtures.values():
        u, v, _ = fixture.to_local((*spot, 0.0))
        if -STANDS_M < u < fixture.width_m + STANDS_M and -STANDS_M < v < fixture.depth_m + STANDS_M:
            return False
    return True
