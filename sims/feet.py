"""Feet: where somebody walks, stands and looks, tick by tick.

In: what is seen at every tick. Out: deeds that move the body, its heading and its gait. Metres, radians, seconds.
"""

import math
from collections.abc import Iterator

from sims import deeds
from sims.bodies.gait import stride_m
from sims.building import Building, Facing
from sims.customs import Customs
from sims.deeds import Snapshot
from sims.hands import Hands
from sims.motion import turn_towards
from sims.scene import Place
from sims.shelf_work import Tick

TURN_RAD_S = math.radians(200.0)
FARTHEST_M = 0.78
"""Farthest that an item may be from the body's axis, on the floor, to be reached."""


class Feet:
    """The legs of somebody called ``name``. Generators yield once per tick."""

    def __init__(
        self, name: str, building: Building, customs: Customs, height_m: float, hands: Hands, tick: Tick
    ) -> None:
        self._name, self._building, self._customs = name, building, customs
        self._height_m, self._hands, self._tick = height_m, hands, tick
        self.gait_phase = 0.0
        self._wanted_heading_rad: float | None = None

    @property
    def here(self) -> Place:
        """Where one stands."""
        return self._tick.seen.where.get(self._name, self._customs.station)

    @property
    def there(self) -> bool:
        """Whether the walk is over."""
        return self._name in self._tick.seen.arrived

    @property
    def others(self) -> list[Place]:
        """Where others are and where they go."""
        places = (self._tick.seen.where, self._tick.seen.going)
        return [place for told in places for name, place in told.items() if name != self._name]

    def walk(self, target: Place) -> Iterator[None]:
        """Walk to a place, with hanging arms."""
        self._hands.palm, self._hands.both, self._wanted_heading_rad = None, False, None
        self._tick.do(deeds.Go(target))
        yield
        while not self.there:
            yield

    def reachable(self, facing: Facing) -> bool:
        """Whether the middle of a facing is near enough."""
        x, y, _ = self._building.fixtures[facing.fixture].point(facing.offset_m + facing.width_m / 2, 0.0, 0.0)
        return math.dist(self.here, (x, y)) < FARTHEST_M

    def look_at(self, facing: Facing) -> None:
        """Turn to a facing."""
        fixture = self._building.fixtures[facing.fixture]
        spot = fixture.point(facing.offset_m + facing.width_m / 2, 0.1, 0.0)
        straight = math.atan2(-fixture.normal[1], -fixture.normal[0])
        self._wanted_heading_rad = turn_towards(straight, bearing_rad(self.here, spot[:2]), math.radians(30))

    def face(self, place: Place) -> None:
        """Turn to a place."""
        self._wanted_heading_rad = bearing_rad(self.here, place)

    def step(self, snapshot: Snapshot, dt_s: float) -> float:
        """Turn and swing the legs for one tick; how fast one walks."""
        vx, vy = snapshot.velocity[self._name]
        speed_m_s = math.hypot(vx, vy)
        wanted = self._wanted_heading_rad
        if speed_m_s > 0.15:
            wanted = math.atan2(vy, vx)
        if wanted is not None:
            self._hands.heading_rad = turn_towards(self._hands.heading_rad, wanted, TURN_RAD_S * dt_s)
        self.gait_phase = (self.gait_phase + speed_m_s * dt_s / stride_m(self._height_m, speed_m_s)) % 1.0
        return speed_m_s


def bearing_rad(start: Place, end: Place) -> float:
    """The direction from one place to another."""
    return math.atan2(end[1] - start[1], end[0] - start[0])
