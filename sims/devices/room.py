"""The room as meshes: everything that stays where it is.

In: a building, a look and its signs. Out: meshes by texture, before light.
"""

from collections.abc import Sequence

import numpy as np

from sims.building import Building
from sims.devices.furniture import furniture_meshes
from sims.devices.look import Colour, Floats, Look, scaled
from sims.devices.mesh import Mesh, sheet
from sims.devices.signs import Signs
from sims.devices.walls import Pane, panes, wall_meshes

STREET_M = 12.0
"""How far the ground goes on outside."""
DAYLIGHT = 0.45
"""How much brighter the floor is below a large window at full daylight."""


def room_extent_m(building: Building) -> tuple[Floats, Floats]:
    """Lowest and highest corner of the room."""
    walls = np.array(building.walls_m, np.float32)
    low, high = walls.min(axis=0), walls.max(axis=0)
    return np.array([*low, 0], np.float32), np.array([*high, building.ceiling_m], np.float32)


def room_meshes(building: Building, look: Look, signs: Signs) -> list[Mesh]:
    """Floor, ceiling, walls with windows, fixtures, signs and what lies outside."""
    low, high = room_extent_m(building)
    size, glass = high - low, panes(building, look)
    street = (0.55 * look.outside[0], 0.55 * look.outside[1], 0.55 * look.outside[2])
    wide, deep = (2 * STREET_M + size[:2]).tolist()
    return [
        _floor(building, look, low, size, glass),
        sheet((low[0], high[1], high[2]), (size[0], 0, 0), (0, -size[1], 0), _lit_from_below(look), glowing=True),
        sheet((low[0] - STREET_M, low[1] - STREET_M, -0.02), (wide, 0, 0), (0, deep, 0), street, 1.0),
        *wall_meshes(building, look, signs, glass),
        *furniture_meshes(building, look, signs),
        *_lamp_panels(look, low, high),
    ]


def _floor(building: Building, look: Look, low: Floats, size: Floats, glass: Sequence[Pane]) -> Mesh:
    """The floor: darker close to fixtures and walls, which keep the ceiling's light off, brighter before windows."""
    mesh = sheet(low, (size[0], 0, 0), (0, size[1], 0), (1, 1, 1), 0.125, "floor", look.floor.span_m)
    shade = np.ones(len(mesh.points), np.float32)
    for fixture in building.fixtures.values():
        local = np.array([fixture.to_local(point) for point in mesh.points], np.float32)
        beside = np.maximum(np.maximum(-local[:, 0], local[:, 0] - fixture.width_m), 0)
        away = np.maximum(np.maximum(-local[:, 1], local[:, 1] - fixture.depth_m), 0)
        shade *= 1.0 - 0.5 * np.exp(-np.hypot(beside, away) / (0.22 if fixture.shelves else 0.12))
    inner = np.minimum(mesh.points[:, :2] - low[:2], low[:2] + size[:2] - mesh.points[:, :2]).min(axis=1)
    shade *= 1.0 - 0.25 * np.exp(-inner / 0.25)
    day = np.zeros(len(mesh.points), np.float32)
    for pane in glass:
        area = (pane.right - pane.left) * (pane.top - pane.bottom)
        away2 = ((mesh.points[:, :2] - pane.foot_m - 0.6 * pane.wall.inward) ** 2).sum(axis=1)
        day += DAYLIGHT * min(area / 2.0, 1.0) / (1.0 + away2) ** 2
    light = shade[:, None] * (1.0 + day[:, None] * np.array(look.outside, np.float32))
    return Mesh(mesh.points, mesh.normals, (mesh.colours * light).astype(np.float32), mesh.uv, mesh.faces, mesh.texture)


def _lit_from_below(look: Look) -> Colour:
    """The ceiling's colour under the light that comes back from the floor."""
    light = np.clip(look.exposure * (np.array(look.bounce) * 1.6 + np.array(look.sky) * 0.8), 0, 1)
    return scaled(look.ceiling, light)


def _lamp_panels(look: Look, low: Floats, high: Floats) -> list[Mesh]:
    """Bright rectangles under the ceiling where the lamps hang."""
    meshes = []
    for lamp in look.lamps:
        if 0 < lamp.place[1] < 1 and 0 < lamp.place[0] < 1:
            x, y = (low + (high - low) * np.array(lamp.place))[:2]
            corner = (x - 0.3, y + 0.3, high[2] - 0.01)
            meshes.append(sheet(corner, (0.6, 0, 0), (0, -0.6, 0), (1, 1, 1), glowing=True))
    return meshes
