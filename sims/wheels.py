"""What rolls along with a shopper: a roller that is pulled, a trolley that is pushed and parked.

In: where the shopper is and looks to, tick by tick. Out: where the gear stands, clear of fixtures. Metres, radians,
seconds.
"""

import math

from sims.building import Building
from sims.motion import turn_towards
from sims.scene import Place

ROLLING = ("roller", "trolley")
PULLED_M = 0.52
"""How far behind the shopper a roller rolls."""
TURN_RAD_S = math.radians(220.0)
WALKS_M_S = 0.12
"""Slower than that the shopper stands."""
GRIP_RAD = math.radians(25.0)
"""A trolley is held while it is ahead within so much."""
CLEAR_M = 0.20
LOOKS_RAD = tuple(math.radians(sign * angle) for angle in range(0, 181, 20) for sign in (1, -1))


class Wheels:
    """The place of a roller or a trolley of a shopper of that height."""

    def __init__(self, building: Building, kind: str, height_m: float) -> None:
        self._building, self._kind = building, kind
        self._ahead_m = 0.21 * height_m + 0.31
        self._roller: Place | None = None
        self._trolley: tuple[float, float, float] | None = None
        self._bearing_rad: float | None = None
        self.gripped = True
        """Whether the shopper can hold the handle."""

    def follow(self, here: Place, heading_rad: float, speed_m_s: float, dt_s: float) -> tuple[float, float, float]:
        """Where it stands after this tick: x, y and heading."""
        if self._kind == "trolley":
            return self._pushed(here, heading_rad, speed_m_s, dt_s)
        behind = heading_rad + math.pi - 0.4
        at = self._roller or (here[0] + PULLED_M * math.cos(behind), here[1] + PULLED_M * math.sin(behind))
        away = math.dist(at, here)
        if away > PULLED_M:
            at = tuple(h + (a - h) * PULLED_M / away for h, a in zip(here, at, strict=True))  # type: ignore[assignment]
        self._roller, self.gripped = at, speed_m_s > WALKS_M_S
        return at[0], at[1], math.atan2(here[1] - at[1], here[0] - at[0])

    def _pushed(self, here: Place, heading_rad: float, speed_m_s: float, dt_s: float) -> tuple[float, float, float]:
        """Ahead while walking, beside fixtures rather than in them; it stays behind when the shopper stands."""
        if self._trolley is not None and speed_m_s <= WALKS_M_S:
            self.gripped = False
            return self._trolley
        bearing = heading_rad if self._bearing_rad is None else self._bearing_rad
        wanted = next((heading_rad + look for look in LOOKS_RAD if self._clear(here, heading_rad + look)), bearing)
        self._bearing_rad = bearing = turn_towards(bearing, wanted, TURN_RAD_S * dt_s)
        off = (bearing - heading_rad + math.pi) % math.tau - math.pi
        self.gripped = abs(off) < GRIP_RAD
        x, y = self._spot(here, bearing)
        self._trolley = x, y, bearing
        return self._trolley

    def _spot(self, here: Place, bearing_rad: float) -> Place:
        return here[0] + self._ahead_m * math.cos(bearing_rad), here[1] + self._ahead_m * math.sin(bearing_rad)

    def _clear(self, here: Place, bearing_rad: float) -> bool:
        x, y = self._spot(here, bearing_rad)
        for fixture in self._building.fixtures.values():
            u, v, _ = fixture.to_local((x, y, 0.0))
            if -CLEAR_M < u < fixture.width_m + CLEAR_M and -CLEAR_M < v < fixture.depth_m + CLEAR_M:
                return False
        return True
