"""The customs of a store: where palms are scanned, where one comes in, waits, stands and leaves.

In: the building and its free floor. Out: a frozen :class:`Customs`, and places to stand at. Metres on the floor.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from shapely.geometry import Point as FloorPoint
from shapely.geometry import Polygon

from sims.building import Building, Facing, Gate
from sims.scene import Place
from sims.walking import Walkways, through

ELBOW_ROOM_M = 0.55
"""How far apart people like to stand."""
LEFT_M = 0.10
"""People stand a little to the left of what their right hand takes, left-handed ones to the right."""
MEETING_M = 0.75
"""How far apart two stand who hand something over."""
BODY_M = 0.28
WAIT_CLEAR_M = (0.85, 0.6, 0.45)
"""How far from fixtures people wait; in a small store nearer, where it has no place so far away."""


@dataclass(frozen=True, slots=True)
class Customs:
    """Places that everybody knows, and whether one waits for one's turn at a fixture."""

    station: Place
    inside: Place
    exit_inside: Place
    exit_outside: Place
    waiting: tuple[Place, ...]
    one_at_a_fixture: bool


def customs_of(building: Building, walkways: Walkways, entry: Gate, way_out: Gate, one_at_a_fixture: bool) -> Customs:
    """The customs of a building."""
    return Customs(
        station=walkways.nearest_free(building.palm_station_m or through(building, entry, 0.6)),
        inside=walkways.nearest_free(through(building, entry, -0.7)),
        exit_inside=walkways.nearest_free(through(building, way_out, -0.5)),
        exit_outside=walkways.nearest_free(through(building, way_out, 0.7)),
        waiting=_waiting_places(building),
        one_at_a_fixture=one_at_a_fixture,
    )


def standing_place(
    building: Building, facing: Facing, stand_off_m: float, others: Iterable[Place], random: np.random.Generator,
    left_handed: bool = False,
) -> Place:  # fmt: skip
    """A place before a facing, ``stand_off_m`` from the face, that keeps away from the places of others if it can."""
    fixture, taken = building.fixtures[facing.fixture], list(others)
    u_m = facing.offset_m + facing.width_m / 2 + random.normal(LEFT_M if left_handed else -LEFT_M, 0.05)
    off_m = stand_off_m + random.normal(0.0, 0.02)
    best, least = (0.0, 0.0), math.inf
    for aside_m in (0.0, -0.2, 0.2, -0.35, 0.35):
        x, y, _ = fixture.point(u_m + aside_m, -off_m, 0.0)
        nearest = min((math.hypot(x - ox, y - oy) for ox, oy in taken), default=9.0)
        cost = abs(aside_m) + 4.0 * max(0.0, ELBOW_ROOM_M - nearest)
        if cost < least:
            best, least = (x, y), cost
    return best


def meeting_place(building: Building, other: Place, here: Place, others: Iterable[Place]) -> Place:
    """A place at arm's length from somebody, on my side of them if it is free."""
    room = Polygon(building.walls_m).buffer(-BODY_M)
    solid = [Polygon(fixture.footprint_m()).buffer(BODY_M) for fixture in building.fixtures.values()]
    straight = math.atan2(here[1] - other[1], here[0] - other[0])
    taken = [place for place in others if math.dist(place, other) > 0.1]
    spots = []
    for turn in (0, 20, -20, 40, -40, 60, -60, 90, -90, 120, -120, 150, -150, 180):
        angle = straight + math.radians(turn)
        spot = (other[0] + MEETING_M * math.cos(angle), other[1] + MEETING_M * math.sin(angle))
        crowded = max(0.0, ELBOW_ROOM_M - min((math.dist(spot, place) for place in taken), default=9.0))
        if room.contains(FloorPoint(spot)) and not any(shape.contains(FloorPoint(spot)) for shape in solid):
            spots.append((abs(turn) / 180 + 4.0 * crowded, spot))
    return min(spots)[1] if spots else here


def waiting_place(customs: Customs, here: Place, others: Iterable[Place]) -> Place:
    """The nearest place to wait at that nobody else has."""
    taken = list(others)
    free = [p for p in customs.waiting if all(math.dist(p, other) > 0.7 for other in taken)]
    return min(free or customs.waiting or [here], key=lambda p: math.dist(p, here))


def _waiting_places(building: Building) -> tuple[Place, ...]:
    """Spots that are clear of shelves, walls and gates, as far as the store has any."""
    return next((spots for clear_m in WAIT_CLEAR_M if (spots := _clear_spots(building, clear_m))), ())


def _clear_spots(building: Building, clear_m: float) -> tuple[Place, ...]:
    """Spots of a half-metre grid, ``clear_m`` from all fixtures."""
    room = Polygon(building.walls_m)
    solid = [Polygon(fixture.footprint_m()) for fixture in building.fixtures.values()]
    gates = [through(building, gate, 0.0) for gate in building.gates]
    x0, y0, x1, y1 = room.bounds
    spots: list[Place] = []
    for x in np.arange(x0 + 0.5, x1, 0.5):
        for y in np.arange(y0 + 0.5, y1, 0.5):
            spot = FloorPoint(x, y)
            clear = room.contains(spot) and room.exterior.distance(spot) >= 0.5
            clear = clear and all(shape.distance(spot) >= clear_m for shape in solid)
            if clear and all(math.dist((x, y), gate) >= 1.2 for gate in gates):
                spots.append((float(x), float(y)))
    return tuple(spots)
