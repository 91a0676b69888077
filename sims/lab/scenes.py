"""Random scenes for the labelled set: people who walk, stand about, reach into real facings and carry things.

In: a building, a generator, which bodies and outfits may appear. Out: :class:`~sims.scene.Scene`. Nothing here obeys
a shopping list; the point is to show the detector more than any scenario will.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sims.building import Building, Facing
from sims.lab.gear import equipped
from sims.scene import BodyState, Point, Scene

Stock = dict[str, tuple[tuple[str, ...], ...]]
WALL_GAP_M, FIXTURE_GAP_M, BODY_GAP_M = 0.22, 0.20, 0.36


@dataclass(frozen=True, slots=True)
class Cast:
    """Who may appear: body indices and the range of outfit seeds, first and behind the last."""

    bodies: tuple[int, ...]
    outfits: tuple[int, int]
    heights_m: tuple[float, ...]
    """Height of every body of the library, by index."""


def random_scene(building: Building, cast: Cast, rng: np.random.Generator, t_ns: int = 0) -> Scene:
    """Nobody to eight people, often in groups, a good third of them with a hand at a shelf, most with a basket, a
    trolley or a bag; shelves sold down at random.
    """
    people: list[BodyState] = []
    for number in range(int(rng.choice(9, p=[0.03, 0.11, 0.17, 0.18, 0.16, 0.13, 0.10, 0.07, 0.05]))):
        state = _somebody(building, cast, rng, f"p{number}", people)
        if state is not None:
            people.append(equipped(building, state, cast.heights_m[state.body], rng))
    return Scene(t_ns, tuple(people), random_stock(building, rng))


def random_stock(building: Building, rng: np.random.Generator) -> Stock:
    """Shelves between nearly full and nearly sold out; now and then something in the wrong place."""
    fullness = rng.uniform(0.35, 1.3)
    skus = list(building.items)
    stock: Stock = {}
    for facing in building.facings.values():
        columns = []
        for _ in range(facing.columns):
            left = int(np.clip(round(facing.rows * fullness * rng.uniform(0.5, 1.2)), 0, facing.rows))
            column = [facing.sku] * left
            if left and rng.random() < 0.01:
                column[-1] = str(rng.choice(skus))
            columns.append(tuple(column))
        stock[facing.id] = tuple(columns)
    return stock


def _somebody(
    building: Building, cast: Cast, rng: np.random.Generator, name: str, others: Sequence[BodyState]
) -> BodyState | None:
    """One more person who stands in nobody's way; None where no place was found."""
    body = int(rng.choice(cast.bodies))
    outfit = int(rng.integers(*cast.outfits))
    base = BodyState(name, body, outfit, 0.0, 0.0, 0.0, 0.0, float(rng.random()))
    kind = rng.random()
    for _ in range(30):
        if kind < 0.45:
            state = _reacher(building, rng, base, cast.heights_m[body])
        elif kind > 0.88:
            state = _close(building, rng, _walker(building, rng, base, others, cast.heights_m[body], kind > 0.94))
        else:
            state = _walker(building, rng, base, others, cast.heights_m[body], stands=kind < 0.6)
        if _free(building, state, others):
            return state
    return None


def _walker(
    building: Building,
    rng: np.random.Generator,
    base: BodyState,
    others: Sequence[BodyState],
    height_m: float,
    stands: bool,
) -> BodyState:
    """Somebody walking or standing anywhere, often beside somebody else, perhaps carrying something in front of the
    belly.
    """
    if others and rng.random() < 0.35:
        friend = others[int(rng.integers(len(others)))]
        angle, away = rng.uniform(0, 2 * math.pi), rng.uniform(0.4, 0.8)
        x, y = friend.x_m + away * math.cos(angle), friend.y_m + away * math.sin(angle)
    else:
        walls = np.array(building.walls_m)
        x, y = rng.uniform(walls.min(axis=0), walls.max(axis=0))
    state = replace(
        base,
        x_m=float(x),
        y_m=float(y),
        heading_rad=float(rng.uniform(-math.pi, math.pi)),
        speed_m_s=0.0 if stands else float(rng.uniform(0.2, 1.5)),
    )
    if rng.random() < 0.4:
        return _carrying(building, rng, state, height_m)
    return state


def _close(building: Building, rng: np.random.Generator, state: BodyState) -> BodyState:
    """The same person near a shelf camera, cut by the edge of its picture."""
    cameras = [camera for camera in building.cameras.values() if camera.kind == "shelf"]
    if not cameras:
        return state
    camera = cameras[int(rng.integers(len(cameras)))]
    ahead = np.asarray(camera.look_at_m)[:2] - np.asarray(camera.position_m)[:2]
    ahead = ahead / max(float(np.linalg.norm(ahead)), 1e-6)
    forward, aside = float(rng.uniform(0.2, 1.5)), float(rng.normal(0, 0.7))
    x = camera.position_m[0] + forward * ahead[0] - aside * ahead[1]
    y = camera.position_m[1] + forward * ahead[1] + aside * ahead[0]
    shift = np.array([x - state.x_m, y - state.y_m, 0.0])
    hands = [None if h is None else _shifted(h, shift) for h in (state.left_hand_m, state.right_hand_m)]
    return replace(state, x_m=float(x), y_m=float(y), left_hand_m=hands[0], right_hand_m=hands[1])


def _shifted(point: Point, by: np.ndarray) -> Point:
    x, y, z = (float(a + b) for a, b in zip(point, by, strict=True))
    return x, y, z


def _carrying(building: Building, rng: np.random.Generator, state: BodyState, height_m: float) -> BodyState:
    """The same person with an item in the hand, before the body or lifted to look at it."""
    forward, aside, up = rng.uniform(0.2, 0.38), rng.uniform(-0.05, 0.28), rng.uniform(0.52, 0.78) * height_m
    held = (str(rng.choice(list(building.items))),)
    hand = _beside(state, float(forward), -float(aside), float(up))
    other = _beside(state, float(forward), float(aside), float(up)) if rng.random() < 0.25 else None
    return replace(state, right_hand_m=hand, left_hand_m=other, held=held)


def _reacher(building: Building, rng: np.random.Generator, base: BodyState, height_m: float) -> BodyState:
    """Somebody before a shelf whose hand is at, in, or on its way to a facing, with or without an item."""
    facings = list(building.facings.values())
    facing = facings[int(rng.integers(len(facings)))]
    fixture = building.fixtures[facing.fixture]
    u, _, z = _target(building, facing, rng)
    stand_u, stand_v = u + rng.normal(0, 0.18), -rng.uniform(0.30, 0.62)
    x, y, _ = fixture.point(float(stand_u), float(stand_v), 0)
    heading = math.radians(fixture.facing_deg) + math.pi + rng.normal(0, 0.3)
    state = replace(base, x_m=x, y_m=y, heading_rad=float((heading + math.pi) % (2 * math.pi) - math.pi))
    deep = fixture.point(u, float(rng.uniform(-0.05, 0.28)), z)
    hand = _part_way(state, deep, height_m, rng)
    held = (facing.sku,) if rng.random() < 0.55 else ()
    way = rng.random()
    if way < 0.55:
        return replace(state, right_hand_m=hand, held=held)
    if way < 0.85:
        return replace(state, left_hand_m=hand, held=held, left_active=True)
    beside = fixture.point(u + float(rng.uniform(-0.35, -0.12)), float(rng.uniform(-0.05, 0.2)), z)
    return replace(state, right_hand_m=hand, left_hand_m=_part_way(state, beside, height_m, rng), held=held)


def _target(building: Building, facing: Facing, rng: np.random.Generator) -> Point:
    """Where a hand takes an item of the facing: (u, v, z) in the fixture's frame."""
    column, row = int(rng.integers(facing.columns)), int(rng.integers(facing.rows))
    u, v, z = building.slot(facing.id, column, row)
    return u, v, z + building.items[facing.sku].size_m[2] * float(rng.uniform(0.4, 0.8))


def _part_way(state: BodyState, target: Point, height_m: float, rng: np.random.Generator) -> Point:
    """Most often the target itself, else a place on the way to it from before the chest."""
    if rng.random() < 0.55:
        return target
    start = _beside(state, 0.25, -0.15, 0.62 * height_m)
    share = rng.uniform(0.2, 1.0)
    x, y, z = (float(a + share * (b - a)) for a, b in zip(start, target, strict=True))
    return x, y, z


def _beside(state: BodyState, forward_m: float, left_m: float, up_m: float) -> Point:
    """A point relative to a person's feet and heading, in store metres."""
    cos, sin = math.cos(state.heading_rad), math.sin(state.heading_rad)
    return state.x_m + cos * forward_m - sin * left_m, state.y_m + sin * forward_m + cos * left_m, up_m


def _free(building: Building, state: BodyState, others: Sequence[BodyState]) -> bool:
    """Whether somebody can stand there: inside the walls, outside fixtures, not inside another person."""
    walls = np.array(building.walls_m)
    low, high = walls.min(axis=0) + WALL_GAP_M, walls.max(axis=0) - WALL_GAP_M
    if not (low[0] <= state.x_m <= high[0] and low[1] <= state.y_m <= high[1]):
        return False
    for fixture in building.fixtures.values():
        u, v, _ = fixture.to_local((state.x_m, state.y_m, 0.0))
        gap = FIXTURE_GAP_M
        if -gap < u < fixture.width_m + gap and -gap < v < fixture.depth_m + gap:
            return False
    return all(math.hypot(state.x_m - o.x_m, state.y_m - o.y_m) >= BODY_GAP_M for o in others)
