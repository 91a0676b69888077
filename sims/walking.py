"""Walking: pedestrians of JuPedSim on the free floor of the building, the only door to that library.

In: where everybody wants to go. Out: where everybody is, one step later. Somebody who is blocked is led around, then
squeezes past, and at last is an error: a run never hangs.
"""

import math
from dataclasses import dataclass, field

import jupedsim
import shapely
from shapely.geometry import Point as FloorPoint
from shapely.geometry import Polygon
from shapely.ops import nearest_points

from sims.building import Building, Gate
from sims.scene import Place

RADIUS_M = 0.19
SLIM_RADIUS_M = 0.10
CLEARANCE_M = 0.27
"""Distance that routes keep from walls and fixtures."""
PORCH_M = 1.3
"""How far the floor goes on outside a gate."""
ARRIVED_M = 0.08
CORNER_M = 0.25
SLOWING_M = 0.5
"""People slow down this far before they stop."""
BLOCKED_AFTER_S = 1.5
CLOSE_AFTER_S, CLOSE_M = 3.0, 0.7
"""Somebody blocked for so long so near to the goal stays where they are."""
STUCK_AFTER_S = 30.0


class WalkingError(Exception):
    """Somebody cannot get where they want to go: one line."""


@dataclass(slots=True)
class _Walker:
    agent: int
    speed_m_s: float
    at: Place
    velocity: Place = (0.0, 0.0)
    route: list[Place] = field(default_factory=list)
    standing: bool = True
    progress_at_s: float = 0.0
    progress_from: Place = (0.0, 0.0)
    blocked_since_s: float | None = None
    blocked_at: Place = (0.0, 0.0)
    dodges: int = 0


class Walkways:
    """The floor and the people on it. ``dt_s`` is the length of one step."""

    def __init__(self, building: Building, dt_s: float) -> None:
        self._dt_s = dt_s
        self._t_s = 0.0
        floor = Polygon(building.walls_m)
        for gate in building.gates:
            floor = floor.union(_porch(building, gate))
        for fixture in building.fixtures.values():
            floor = floor.difference(Polygon(fixture.footprint_m()))
        if not isinstance(floor, Polygon):
            floor = max(floor.geoms, key=lambda part: part.area)
        routes = floor.buffer(-CLEARANCE_M, join_style="mitre")
        if isinstance(routes, shapely.MultiPolygon):
            routes = max(routes.geoms, key=lambda part: part.area)
        self.routes, self._well_inside = routes, routes.buffer(-0.005)
        shapely.prepare(routes)
        self._router = jupedsim.RoutingEngine(routes)
        model = jupedsim.AnticipationVelocityModel(rng_seed=1)
        self._crowd = jupedsim.Simulation(model=model, geometry=floor, dt=dt_s)
        self._stage = self._crowd.add_direct_steering_stage()
        self._journey = self._crowd.add_journey(jupedsim.JourneyDescription([self._stage]))
        self._walkers: dict[str, _Walker] = {}

    def appear(self, name: str, at: Place, speed_m_s: float) -> None:
        """Somebody stands at ``at`` from now on."""
        agent = self._crowd.add_agent(
            jupedsim.AnticipationVelocityModelAgentParameters(
                position=at, desired_speed=0.0, radius=RADIUS_M, time_gap=0.4, wall_buffer_distance=0.05,
                journey_id=self._journey, stage_id=self._stage,
            )
        )  # fmt: skip
        self._crowd.agent(agent).target = at
        self._walkers[name] = _Walker(agent, speed_m_s, at)

    def vanish(self, name: str) -> None:
        """Somebody is gone."""
        self._crowd.mark_agent_for_removal(self._walkers.pop(name).agent)

    def go(self, name: str, target: Place) -> None:
        """Walk to the free place nearest to ``target``."""
        walker = self._walkers[name]
        walker.route = self._route(walker.at, self.nearest_free(target))
        walker.standing = False
        walker.progress_at_s, walker.progress_from = self._t_s, walker.at
        walker.blocked_since_s, walker.dodges = None, 0
        self._steer(walker)

    def stop(self, name: str) -> None:
        """Stand still."""
        walker = self._walkers[name]
        walker.route, walker.standing, walker.blocked_since_s = [], True, None
        self._set_pace(walker, 0.0, RADIUS_M)

    def where(self, name: str) -> Place:
        """Metres on the floor."""
        return self._walkers[name].at

    def velocity(self, name: str) -> Place:
        """Metres per second during the last step."""
        return self._walkers[name].velocity

    def arrived(self, name: str) -> bool:
        """Whether the walk is over."""
        return not self._walkers[name].route

    def blocked_s(self, name: str) -> float:
        """For how long somebody who wants to walk has not got ahead."""
        since = self._walkers[name].blocked_since_s
        return 0.0 if since is None else self._t_s - since

    def nearest_free(self, place: Place) -> Place:
        """The place itself, or the nearest one that keeps clear of walls and fixtures."""
        point = FloorPoint(place)
        if self.routes.contains(point):
            return place
        near = nearest_points(self._well_inside, point)[0]
        return near.x, near.y

    def step(self) -> None:
        """Everybody takes one step."""
        if self._crowd.agent_count():
            self._crowd.iterate()
        self._t_s += self._dt_s
        for name, walker in self._walkers.items():
            x, y = self._crowd.agent(walker.agent).position
            walker.velocity = ((x - walker.at[0]) / self._dt_s, (y - walker.at[1]) / self._dt_s)
            walker.at = (x, y)
            if not walker.standing:
                self._follow(name, walker)

    def _follow(self, name: str, walker: _Walker) -> None:
        """Turn to the next point of the route once the last one is reached; look after those who are blocked."""
        turned = False
        while walker.route:
            near_m = ARRIVED_M if len(walker.route) == 1 else CORNER_M
            if math.dist(walker.at, walker.route[0]) > near_m:
                break
            walker.route.pop(0)
            turned = True
        if not walker.route:
            self.stop(name)
            return
        if math.dist(walker.at, walker.progress_from) > 0.15:
            walker.progress_at_s, walker.progress_from = self._t_s, walker.at
            if math.dist(walker.at, walker.blocked_at) > 0.7:
                walker.blocked_since_s, walker.dodges = None, 0
        waited_s = self._t_s - walker.progress_at_s
        if waited_s > BLOCKED_AFTER_S:
            if self.blocked_s(name) > CLOSE_AFTER_S and math.dist(walker.at, walker.route[-1]) < CLOSE_M:
                self.stop(name)
                return
            if walker.blocked_since_s is None:
                walker.blocked_since_s, walker.blocked_at = walker.progress_at_s, walker.at
            self._dodge(name, walker)
            turned = True
        if turned or math.dist(walker.at, walker.route[-1]) < SLOWING_M:
            self._steer(walker)

    def _dodge(self, name: str, walker: _Walker) -> None:
        """Somebody is in the way: step aside and go round, slimmer every time."""
        if self.blocked_s(name) > STUCK_AFTER_S:
            x, y = walker.at
            tx, ty = walker.route[-1]
            raise WalkingError(
                f"{name} is stuck at ({x:.2f}, {y:.2f}) m on the way to ({tx:.2f}, {ty:.2f}); "
                "is there a way at least 0.7 m wide between the fixtures?"
            )
        walker.dodges += 1
        walker.progress_at_s, walker.progress_from = self._t_s, walker.at
        goal = walker.route[-1]
        dx, dy = walker.route[0][0] - walker.at[0], walker.route[0][1] - walker.at[1]
        length = math.hypot(dx, dy) or 1.0
        side = 0.5 if walker.dodges % 2 else -0.5
        aside = (walker.at[0] - dy / length * side, walker.at[1] + dx / length * side)
        aside = self.nearest_free(aside)
        walker.route = [aside, *self._route(aside, goal)]

    def _steer(self, walker: _Walker) -> None:
        if not walker.route:
            return
        slow = min(1.0, 0.3 + math.dist(walker.at, walker.route[-1]) / SLOWING_M)
        radius_m = RADIUS_M if walker.dodges < 2 else SLIM_RADIUS_M
        self._set_pace(walker, walker.speed_m_s * slow, radius_m)
        self._crowd.agent(walker.agent).target = walker.route[0]

    def _set_pace(self, walker: _Walker, speed_m_s: float, radius_m: float) -> None:
        model = self._crowd.agent(walker.agent).model
        model.desired_speed = speed_m_s
        model.radius = radius_m

    def _route(self, start: Place, goal: Place) -> list[Place]:
        way = self._router.compute_waypoints(self.nearest_free(start), goal)
        return [(float(x), float(y)) for x, y in way[1:]] or [goal]


def outward(building: Building, gate: Gate) -> Place:
    """Unit vector out of the store through a gate."""
    (x0, y0), (x1, y1) = gate.line_m
    length = math.hypot(x1 - x0, y1 - y0)
    nx, ny = (y1 - y0) / length, -(x1 - x0) / length
    inside = Polygon(building.walls_m).contains(FloorPoint((x0 + x1) / 2 + 0.05 * nx, (y0 + y1) / 2 + 0.05 * ny))
    return (-nx, -ny) if inside else (nx, ny)


class Doorway:
    """A gate as a line on the floor that people cross."""

    def __init__(self, building: Building, gate: Gate) -> None:
        self._start, self._end = gate.line_m
        self._out = outward(building, gate)

    def beyond_m(self, place: Place) -> float:
        """How far outside the gate's line a place is; negative inside."""
        return (place[0] - self._start[0]) * self._out[0] + (place[1] - self._start[1]) * self._out[1]

    def crossed(self, was: Place, now: Place) -> bool:
        """Whether a step led out through the gate."""
        if not self.beyond_m(was) < 0 <= self.beyond_m(now):
            return False
        middle = ((self._start[0] + self._end[0]) / 2, (self._start[1] + self._end[1]) / 2)
        return math.dist(now, middle) <= math.dist(self._start, self._end) / 2 + 0.2


def through(building: Building, gate: Gate, outside_m: float) -> Place:
    """The place in the middle of a gate, ``outside_m`` beyond the wall (negative: inside)."""
    (x0, y0), (x1, y1) = gate.line_m
    nx, ny = outward(building, gate)
    return (x0 + x1) / 2 + outside_m * nx, (y0 + y1) / 2 + outside_m * ny


def _porch(building: Building, gate: Gate) -> Polygon:
    (x0, y0), (x1, y1) = gate.line_m
    nx, ny = outward(building, gate)
    back = -0.01
    return Polygon(
        [(x0 + back * nx, y0 + back * ny), (x1 + back * nx, y1 + back * ny),
         (x1 + PORCH_M * nx, y1 + PORCH_M * ny), (x0 + PORCH_M * nx, y0 + PORCH_M * ny)]
    )  # fmt: skip
