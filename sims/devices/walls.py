"""Walls with what is in them: gates, shop windows, strips of daylight, posters, and the street outside.

In: a building, a look, its signs. Out: meshes by texture, before light. Windows are panes with a painted street: light
comes in, but nobody who stands outside shows through them. Posters keep clear of gates and windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sims.building import Building, Gate
from sims.devices.look import Floats, Look
from sims.devices.mesh import Mesh, block, sheet
from sims.devices.signs import POSTERS, STREET_M, Signs

DOOR_M = 2.2
"""Height of the gates."""
GRID_M = 0.4
"""Pitch at which light is computed on large surfaces."""
CLEAR_M = 0.35
"""Kept between a window or poster and a gate or corner."""
STRIP_M = (0.65, 0.25)
"""Lower and upper edge of a strip of daylight below the ceiling."""
ENDS_M = 1.4
"""A strip ends so far from the corners, where cameras hang."""
FRAME_M = 0.045
_OVER_M = 0.25
"""Boards and canopies of a fixture end so far above it."""


@dataclass(frozen=True, slots=True, eq=False)
class Wall:
    """One side of the room seen from inside; walls go round counter-clockwise, so the inside is on the left."""

    start: Floats
    along: Floats
    length_m: float
    gaps: tuple[tuple[float, float], ...]

    @property
    def inward(self) -> Floats:
        """Unit vector into the room."""
        return np.array([-self.along[1], self.along[0]])

    def sheet(
        self, left: float, right: float, bottom: float, top: float, colour: tuple[float, float, float], off_m: float,
        step_m: float = GRID_M, texture: str = "plain", span_m: float | None = None, glowing: bool = False,
    ) -> Mesh:  # fmt: skip
        """A rectangle on the wall between two distances from its start, ``off_m`` into the room."""
        foot = self.start + self.along * right + self.inward * off_m  # from inside the wall runs from right to left
        edge = -self.along * (right - left)
        return sheet((*foot, bottom), (*edge, 0), (0, 0, top - bottom), colour, step_m, texture, span_m, glowing)


@dataclass(frozen=True, slots=True, eq=False)
class Pane:
    """A window's glass: distances from the wall's start and heights, in metres."""

    wall: Wall
    left: float
    right: float
    bottom: float
    top: float

    @property
    def foot_m(self) -> Floats:
        """The middle of its foot on the floor."""
        return np.asarray(self.wall.start + self.wall.along * (self.left + self.right) / 2)


def walls_of(building: Building) -> list[Wall]:
    """The walls of a building in the order of its outline."""
    walls, corners = [], building.walls_m
    for index, corner in enumerate(corners):
        a, b = np.array(corner), np.array(corners[(index + 1) % len(corners)])
        length = float(np.linalg.norm(b - a))
        along = (b - a) / length
        gaps = sorted(gap for gate in building.gates if (gap := _gap(gate, a, along, length)))
        walls.append(Wall(a, along, length, tuple(gaps)))
    return walls


def _gap(gate: Gate, start: Floats, along: Floats, length: float) -> tuple[float, float] | None:
    """Where a gate opens this wall, as distances from the wall's start."""
    offsets = np.array(gate.line_m) - start
    across = offsets @ np.array([-along[1], along[0]])
    places = sorted(float(p) for p in offsets @ along)
    if np.abs(across).max() > 0.05 or places[0] < -0.01 or places[1] > length + 0.01:
        return None
    return places[0], places[1]


def panes(building: Building, look: Look) -> list[Pane]:
    """Windows of the walls with gates, and daylight strips of some of the other outer walls."""
    rng = np.random.default_rng((look.extras, 9))
    fit, out = look.fittings, []
    others = []
    for wall in walls_of(building):
        if not wall.gaps:
            others += [wall] if wall.length_m > 4.0 and _outer(wall, building) else []
            continue
        ends = [0.0, *(end for gap in wall.gaps for end in gap), wall.length_m]
        for left, right in zip(ends[::2], ends[1::2], strict=True):
            count = round((right - left - 2 * CLEAR_M) / fit.pane_m)
            width = (right - left - 2 * CLEAR_M) / max(count, 1)
            for number in range(count):
                if rng.random() < fit.windows:
                    at = left + CLEAR_M + number * width
                    out.append(Pane(wall, at, at + width, fit.sill_m, min(fit.head_m, building.ceiling_m - 0.3)))
    for index in rng.permutation(len(others))[: fit.strips]:
        wall = others[index]
        count = round((wall.length_m - 2 * ENDS_M) / 1.2)
        width = (wall.length_m - 2 * ENDS_M) / count
        low, high = building.ceiling_m - STRIP_M[0], building.ceiling_m - STRIP_M[1]
        out += [Pane(wall, ENDS_M + n * width, ENDS_M + (n + 1) * width, low, high) for n in range(count)]
    raised = (_above_fixtures(pane, building) for pane in out)
    return [pane for pane in raised if pane.top - pane.bottom > 0.3]


def _outer(wall: Wall, building: Building) -> bool:
    """Whether a wall lies on the outline's bounding box: others may be partitions."""
    corners = np.array(building.walls_m)
    ends = np.array([wall.start, wall.start + wall.along * wall.length_m])
    sides = np.concatenate([ends - corners.min(axis=0), corners.max(axis=0) - ends], axis=1)
    return bool(np.any(np.all(np.abs(sides) < 0.01, axis=0)))


def _above_fixtures(pane: Pane, building: Building) -> Pane:
    """The pane with its sill above whatever stands against the wall there."""
    return replace(pane, bottom=max(pane.bottom, _covered_m(pane.wall, pane.left, pane.right, building)))


def _covered_m(wall: Wall, left: float, right: float, building: Building) -> float:
    """Up to which height fixtures stand before a piece of wall, with their boards and canopies."""
    height = 0.0
    for fixture in building.fixtures.values():
        offsets = np.array(fixture.footprint_m()) - wall.start
        along, away = offsets @ wall.along, offsets @ wall.inward
        if -0.1 < away.min() < 0.6 and along.min() < right and along.max() > left:
            height = max(height, fixture.height_m + _OVER_M)
    return height


def wall_meshes(building: Building, look: Look, signs: Signs, glass: Sequence[Pane]) -> list[Mesh]:
    """All walls with their gates, windows and posters."""
    meshes: list[Mesh] = []
    for wall in walls_of(building):
        at = 0.0
        for left, right in (*wall.gaps, (wall.length_m, wall.length_m)):
            meshes += _piece(wall, look, at, left, 0.0, building.ceiling_m)
            meshes += _piece(wall, look, left, right, DOOR_M, building.ceiling_m)
            at = right
        for left, right in wall.gaps:
            meshes += _door(wall, left, right, look)
    for pane in glass:
        meshes += _window(pane, look)
    return meshes + _posters(building, look, signs, glass)


def _piece(wall: Wall, look: Look, left: float, right: float, bottom: float, top: float) -> list[Mesh]:
    if right - left < 1e-3 or top <= bottom:
        return []
    meshes = [wall.sheet(left, right, bottom, top, (1, 1, 1), 0.0, GRID_M, "wall", look.wall.span_m)]
    if bottom == 0:
        meshes.append(wall.sheet(left, right, 0, 0.09, look.rail, 0.012, 1.0))
    return meshes


def _door(wall: Wall, left: float, right: float, look: Look) -> list[Mesh]:
    """Posts of a gate and the street behind it."""
    meshes = []
    for at in (left, right):
        foot = wall.start + wall.along * at
        meshes += block((foot[0] - 0.04, foot[1] - 0.06, 0), (foot[0] + 0.04, foot[1] + 0.06, DOOR_M), look.rail, 0.6)
    far = wall.sheet(left - 3.0, right + 3.0, 0, 3.5, (1, 1, 1), -7.0, 10, "street", glowing=True)
    return [*meshes, _streetwise(far, right - left + 6.0, 0.0, 3.5, 0.5)]


def _streetwise(mesh: Mesh, width_m: float, bottom: float, top: float, scale: float = 1.0) -> Mesh:
    """The mesh with the piece of street that shows there; ``scale`` shrinks what is farther away."""
    wide, high = STREET_M
    uv = mesh.uv * np.array([width_m / wide * scale, (top - bottom) / high]) + np.array([mesh.points[0, 0] / wide, 0])
    uv[:, 1] = np.clip(uv[:, 1] + bottom / high, 0.01, 0.99)
    return Mesh(mesh.points, mesh.normals, mesh.colours, uv.astype(np.float32), mesh.faces, mesh.texture, True)


def _window(pane: Pane, look: Look) -> list[Mesh]:
    """A pane that shines with the light outside, in a frame that stands out from the wall."""
    wall, left, right, low, high = pane.wall, pane.left, pane.right, pane.bottom, pane.top
    bright = wall.sheet(left, right, low, high, (1, 1, 1), 0.004, 10, "street", glowing=True)
    colour = tuple(0.35 * c + 0.25 for c in look.rail)
    frame = (colour[0], colour[1], colour[2])
    bars = [
        (left, right, low, low + FRAME_M), (left, right, high - FRAME_M, high),
        (left, left + FRAME_M, low, high), (right - FRAME_M, right, low, high),
    ]  # fmt: skip
    meshes = [_streetwise(bright, right - left, low, high)]
    for a, b, bottom, top in bars:
        meshes += _bar(wall, a, b, bottom, top, frame)
    return meshes


def _bar(wall: Wall, left: float, right: float, bottom: float, top: float, colour: tuple[float, ...]) -> list[Mesh]:
    """A piece of a frame, 4 cm thick: its face and the sides that show from the room."""
    tone = (colour[0], colour[1], colour[2])
    face = wall.sheet(left, right, bottom, top, tone, 0.04)
    foot = (*(wall.start + wall.along * right), top)
    run, out = (*(-wall.along * (right - left)), 0), (*(wall.inward * 0.04), 0)
    base = (foot[0], foot[1], bottom)
    far = (*(wall.start + wall.along * left), bottom)
    up = (0, 0, top - bottom)
    return [face, sheet(foot, out, run, tone, GRID_M), sheet(base, run, out, tone, GRID_M),
            sheet(base, up, out, tone, GRID_M), sheet(far, out, up, tone, GRID_M)]  # fmt: skip


def _posters(building: Building, look: Look, signs: Signs, glass: Sequence[Pane]) -> list[Mesh]:
    """Printed posters where a wall has room between gates, windows and each other."""
    rng = np.random.default_rng((look.extras, 3))
    walls = [wall for wall in walls_of(building) if wall.length_m > 1.5]
    taken = [(_id_of(p.wall), p.left, p.right, p.bottom, p.top) for p in glass]
    taken += [(_id_of(wall), left, right, 0.0, DOOR_M) for wall in walls for left, right in wall.gaps]
    meshes: list[Mesh] = []
    for number in range(look.posters):
        for _ in range(12):
            wall = walls[int(rng.integers(len(walls)))]
            wide = float(rng.uniform(0.45, 0.95))
            tall = wide * 1.3
            left = float(rng.uniform(CLEAR_M, max(CLEAR_M, wall.length_m - CLEAR_M - wide)))
            floor = max(1.2, _covered_m(wall, left, left + wide, building))
            low = float(rng.uniform(floor, max(floor, building.ceiling_m - 0.75 - tall)))
            here = (_id_of(wall), left, left + wide, low, low + tall)
            fits = left + wide < wall.length_m - 0.1 and low + tall < building.ceiling_m - 0.05
            if fits and not any(_overlap(here, other) for other in taken):
                taken.append(here)
                mesh = wall.sheet(left, left + wide, low, low + tall, (1, 1, 1), 0.015, 0.5, "posters")
                uv = signs.posters.uv(str((number + look.extras) % POSTERS), mesh.uv)
                meshes.append(Mesh(mesh.points, mesh.normals, mesh.colours, uv, mesh.faces, "posters"))
                break
    return meshes


Place = tuple[tuple[float, float], float, float, float, float]


def _id_of(wall: Wall) -> tuple[float, float]:
    """What tells a wall from the others: where it starts."""
    return float(wall.start[0]), float(wall.start[1])


def _overlap(a: Place, b: Place) -> bool:
    """Whether two rectangles on walls are closer than a hand's breadth."""
    return a[0] == b[0] and a[1] < b[2] + 0.1 and b[1] < a[2] + 0.1 and a[3] < b[4] + 0.1 and b[3] < a[4] + 0.1
