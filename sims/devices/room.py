"""The room and its fixtures as meshes: everything that stays where it is.

In: a building and a look. Out: meshes by texture, before light. Walls have gaps where the gates are; a piece of
street lies outside.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sims.building import Building, Facing, Fixture, Gate, Shelf
from sims.devices.goods import fixture_axes
from sims.devices.look import Colour, Floats, Look
from sims.devices.mesh import Mesh, block, moved, sheet

DOOR_M = 2.2
"""Height of the gates."""
BOARD_M = 0.025
"""Thickness of a shelf board."""
RAIL_M = 0.045
"""Height of a price rail."""
GRID_M = 0.4
"""Pitch at which light is computed on large surfaces."""


def room_extent_m(building: Building) -> tuple[Floats, Floats]:
    """Lowest and highest corner of the room."""
    walls = np.array(building.walls_m, np.float32)
    low, high = walls.min(axis=0), walls.max(axis=0)
    return np.array([*low, 0], np.float32), np.array([*high, building.ceiling_m], np.float32)


def room_meshes(building: Building, look: Look) -> list[Mesh]:
    """Floor, ceiling, walls, fixtures, signs and what lies outside."""
    low, high = room_extent_m(building)
    size = high - low
    rng = np.random.default_rng((look.extras, 3))
    street = (0.55 * look.outside[0], 0.55 * look.outside[1], 0.55 * look.outside[2])
    meshes = [
        _floor(building, look, low, size),
        sheet((low[0], high[1], high[2]), (size[0], 0, 0), (0, -size[1], 0), _lit_from_below(look), glowing=True),
        sheet((low[0] - 8, low[1] - 8, -0.02), (size[0] + 16, 0, 0), (0, 8.0, 0), street, 1.0),
    ]
    for index, start in enumerate(building.walls_m):
        meshes += _wall(building, look, start, building.walls_m[(index + 1) % len(building.walls_m)])
    for fixture in building.fixtures.values():
        meshes += fixture_meshes(fixture, look, rng)
    meshes += _panels(look, low, high)
    meshes += _posters(look, low, high, rng)
    return meshes


def _floor(building: Building, look: Look, low: Floats, size: Floats) -> Mesh:
    """The floor, darker close to fixtures and walls, where less of the ceiling's light arrives."""
    mesh = sheet(low, (size[0], 0, 0), (0, size[1], 0), (1, 1, 1), 0.125, "floor", look.floor.span_m)
    shade = np.ones(len(mesh.points), np.float32)
    for fixture in building.fixtures.values():
        local = np.array([fixture.to_local(point) for point in mesh.points], np.float32)
        beside = np.maximum(np.maximum(-local[:, 0], local[:, 0] - fixture.width_m), 0)
        away = np.maximum(np.maximum(-local[:, 1], local[:, 1] - fixture.depth_m), 0)
        shade *= 1.0 - 0.5 * np.exp(-np.hypot(beside, away) / (0.22 if fixture.shelves else 0.12))
    inner = np.minimum(mesh.points[:, :2] - low[:2], low[:2] + size[:2] - mesh.points[:, :2]).min(axis=1)
    shade *= 1.0 - 0.25 * np.exp(-inner / 0.25)
    return Mesh(mesh.points, mesh.normals, mesh.colours * shade[:, None], mesh.uv, mesh.faces, mesh.texture)


def _lit_from_below(look: Look) -> Colour:
    """The ceiling's colour under the light that comes back from the floor."""
    light = np.clip(look.exposure * (np.array(look.bounce) * 1.6 + np.array(look.sky) * 0.8), 0, 1)
    return _scaled_by(look.ceiling, light)


def _scaled_by(colour: Colour, light: NDArray[np.floating]) -> Colour:
    r, g, b = (float(c * k) for c, k in zip(colour, light, strict=True))
    return r, g, b


def _wall(building: Building, look: Look, start: tuple[float, float], end: tuple[float, float]) -> list[Mesh]:
    """One side of the room with its gaps; the walls go round counter-clockwise, so the inside is on the left."""
    a, b = np.array(start), np.array(end)
    length = float(np.linalg.norm(b - a))
    along = (b - a) / length
    gaps = sorted(gap for gate in building.gates if (gap := _gap(gate, a, along, length)))
    meshes, at = [], 0.0

    def piece(left: float, right: float, bottom: float, top: float) -> None:
        if right - left > 1e-3 and top > bottom:
            foot = a + along * right  # seen from inside the wall runs from right to left
            edge = -along * (right - left)
            meshes.append(
                sheet((*foot, bottom), (*edge, 0), (0, 0, top - bottom), (1, 1, 1), GRID_M, "wall", look.wall.span_m)
            )
            if bottom == 0:
                inward = np.array([-along[1], along[0]]) * 0.012
                meshes.append(sheet((*(foot + inward), 0), (*edge, 0), (0, 0, 0.09), look.rail, 1.0))

    for left, right in gaps:
        piece(at, left, 0.0, building.ceiling_m)
        piece(left, right, DOOR_M, building.ceiling_m)
        meshes += _door(a, along, left, right, look)
        at = right
    piece(at, length, 0.0, building.ceiling_m)
    return meshes


def _gap(gate: Gate, start: Floats, along: Floats, length: float) -> tuple[float, float] | None:
    """Where a gate opens this wall, as distances from the wall's start."""
    offsets = np.array(gate.line_m) - start
    across = offsets @ np.array([-along[1], along[0]])
    places = sorted(float(p) for p in offsets @ along)
    if np.abs(across).max() > 0.05 or places[0] < -0.01 or places[1] > length + 0.01:
        return None
    return places[0], places[1]


def _door(start: Floats, along: Floats, left: float, right: float, look: Look) -> list[Mesh]:
    """Posts of a gate and the bright backdrop of the street behind it."""
    inward = np.array([-along[1], along[0]])
    meshes = []
    for at in (left, right):
        foot = start + along * at
        meshes += block((foot[0] - 0.04, foot[1] - 0.06, 0), (foot[0] + 0.04, foot[1] + 0.06, DOOR_M), look.rail, 0.6)
    far = start + along * (right + 3.0) - inward * 7.0
    meshes.append(sheet((*far, 0), (*(-along * (right - left + 6.0)), 0), (0, 0, 3.5), look.outside, 10, glowing=True))
    return meshes


def _panels(look: Look, low: Floats, high: Floats) -> list[Mesh]:
    """Bright rectangles under the ceiling where the lamps hang."""
    meshes = []
    for lamp in look.lamps:
        if 0 < lamp.place[1] < 1 and 0 < lamp.place[0] < 1:
            x, y = (low + (high - low) * np.array(lamp.place))[:2]
            corner = (x - 0.3, y + 0.3, high[2] - 0.01)
            meshes.append(sheet(corner, (0.6, 0, 0), (0, -0.6, 0), (1, 1, 1), glowing=True))
    return meshes


def _posters(look: Look, low: Floats, high: Floats, rng: np.random.Generator) -> list[Mesh]:
    """Coloured signs high on the side walls and the back wall."""
    meshes = []
    for _ in range(look.posters):
        wide, tall = float(rng.uniform(0.4, 1.4)), float(rng.uniform(0.3, 0.8))
        z = float(rng.uniform(1.55, max(1.6, high[2] - 0.1 - tall)))
        colour = _vivid(rng)
        side = int(rng.integers(3))
        place = float(rng.uniform(0.1, 0.9))
        out = np.array([(1, 0, 0), (-1, 0, 0), (0, -1, 0)][side])
        edge = np.cross([0, 0, 1], out) * wide
        corner = np.where(out > 0, low, np.where(out < 0, high, low + place * (high - low))) + 0.015 * out
        corner[2] = z
        meshes.append(sheet(corner, edge, (0, 0, tall), colour, 0.5))
        inner = corner + edge * 0.1 + 0.005 * out + np.array([0, 0, tall * 0.35])
        meshes.append(sheet(inner, edge * 0.8, (0, 0, tall * 0.3), _vivid(rng), 0.5))
    return meshes


def _vivid(rng: np.random.Generator) -> Colour:
    hue, value = float(rng.uniform(0, 6)), float(rng.uniform(0.35, 0.95))
    wheel = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1) * 0.75 + 0.25
    return float(value * wheel[0]), float(value * wheel[1]), float(value * wheel[2])


def fixture_meshes(fixture: Fixture, look: Look, rng: np.random.Generator) -> list[Mesh]:
    """A fixture without its goods, in store metres."""
    if fixture.kind == "table":
        local = _table(fixture, look, rng)
    else:
        local = _carcass(fixture, look)
        for shelf in fixture.shelves:
            local += _board(fixture, shelf, look)
    axes, origin = fixture_axes(fixture), fixture.point(0, 0, 0)
    meshes = [_dusky(mesh, fixture) for mesh in local]
    return [moved(mesh, axes, origin) for mesh in meshes]


def _dusky(mesh: Mesh, fixture: Fixture) -> Mesh:
    """Inner surfaces darken towards the back, as the goods do."""
    if fixture.kind == "table" or mesh.glowing:
        return mesh
    v = mesh.points[:, 1:2]
    inside = (v > 0.0) & (v < fixture.depth_m - 0.01) & (mesh.points[:, 2:3] < fixture.height_m - 0.01)
    inside &= (mesh.points[:, 0:1] > -0.001) & (mesh.points[:, 0:1] < fixture.width_m + 0.001)
    dusk = np.where(inside, np.clip(1.0 - 0.75 * v / fixture.depth_m, 0.25, 1.0), 1.0).astype(np.float32)
    return Mesh(mesh.points, mesh.normals, mesh.colours * dusk, mesh.uv, mesh.faces, mesh.texture, mesh.glowing)


def _carcass(fixture: Fixture, look: Look) -> list[Mesh]:
    """Plinth, back panel, uprights and, on coolers, full sides and a canopy."""
    w, d, h, body = fixture.width_m, fixture.depth_m, fixture.height_m, look.fixture
    lowest = min((shelf.height_m for shelf in fixture.shelves), default=0.2) - BOARD_M
    meshes = block((0, 0.02, 0), (w, d - 0.005, max(0.05, min(lowest, 0.16))), _darker(look.rail, 0.7), 0.6)
    meshes += block((0, d - 0.03, 0.05), (w, d, h), body, 0.3)
    if fixture.kind == "cooler":
        meshes += block((-0.04, 0.0, 0.0), (0, d, h), body, 0.3) + block((w, 0.0, 0.0), (w + 0.04, d, h), body, 0.3)
        meshes += block((-0.04, 0.0, h), (w + 0.04, d, h + 0.16), look.rail, 0.3)
        meshes.append(sheet((0, 0.01, h - 0.002), (0, 0.06, 0), (w, 0, 0), (1, 1, 1), glowing=True))
    else:
        for u in (0.0, w - 0.03):
            meshes += block((u, d - 0.09, 0.0), (u + 0.03, d - 0.02, h), _darker(body, 0.8), 0.4)
        meshes += block((0, d - 0.12, h - 0.005), (w, d, h + 0.02), look.rail, 0.4)
    return meshes


def _board(fixture: Fixture, shelf: Shelf, look: Look) -> list[Mesh]:
    """A shelf board with its price rail and a tag per facing."""
    w, d, z = fixture.width_m, fixture.depth_m, shelf.height_m
    meshes = block((0, 0, z - BOARD_M), (w, d - 0.03, z), look.fixture, 0.15)
    meshes += block((0, -0.012, z - RAIL_M), (w, 0.001, z - 0.002), look.rail, 0.3, without="+y")
    for facing in shelf.facings:
        meshes += _tag(facing, z)
    return meshes


def _tag(facing: Facing, z_m: float) -> list[Mesh]:
    """A price tag: white paper with two dark lines, in the middle of the facing."""
    u = facing.offset_m + facing.width_m / 2
    paper = sheet((u - 0.03, -0.0135, z_m - 0.042), (0.06, 0, 0), (0, 0, 0.036), (0.96, 0.95, 0.88))
    price = sheet((u - 0.022, -0.0145, z_m - 0.022), (0.03, 0, 0), (0, 0, 0.011), (0.12, 0.12, 0.14))
    name = sheet((u - 0.022, -0.0145, z_m - 0.036), (0.044, 0, 0), (0, 0, 0.006), (0.35, 0.35, 0.38))
    return [paper, price, name]


def _table(fixture: Fixture, look: Look, rng: np.random.Generator) -> list[Mesh]:
    w, d, h = fixture.width_m, fixture.depth_m, fixture.height_m
    wood = (0.62, 0.47, 0.32) if look.seed == 0 else _vivid(rng)
    meshes = block((0, 0, h - 0.04), (w, d, h), wood, 0.3)
    for u in (0.03, w - 0.09):
        for v in (0.03, d - 0.09):
            meshes += block((u, v, 0), (u + 0.06, v + 0.06, h - 0.04), _darker(wood, 0.8), 0.5, without="+z -z")
    for index in range(max(1, math.floor(w / 0.45))):
        left = 0.06 + index * 0.42
        tint = _vivid(rng)
        meshes += block((left, 0.1, h), (left + 0.34, d - 0.1, h + 0.13), tint, 0.4, without="-z")
        fill = _darker(tint, 0.5)
        meshes.append(sheet((left + 0.03, 0.13, h + 0.131), (0.28, 0, 0), (0, d - 0.26, 0), fill, 0.2))
    return meshes


def _darker(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor
