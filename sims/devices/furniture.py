"""Fixtures without their goods: racks, coolers and tables with rails, price tags, end panels and header boards.

In: a building, a look, its signs. Out: meshes by texture, before light, and the glass of coolers apart from them.
Coolers are open at the front, as supermarkets' chillers are: hands reach in. Their sides and a lip are glass.
"""

import math

import cv2
import numpy as np

from sims.building import Building, Facing, Fixture, Shelf
from sims.devices.goods import fixture_axes
from sims.devices.look import Colour, Floats, Look, scaled
from sims.devices.mesh import Mesh, block, moved, sheet
from sims.devices.signs import POSTERS, Sheet, Signs, vivid
from sims.optics import Point

BOARD_M = 0.025
"""Thickness of a shelf board."""
RAIL_M = 0.045
"""Height of a price rail."""
SIDE_M = 0.04
"""Thickness of a cooler's side."""
CANOPY_M = 0.16
GLASS_EDGE = (0.52, 0.66, 0.63)
END_M = 0.014
"""Thickness of an end panel."""
BESIDE_M = 0.12
"""An end is free where nothing stands so close to it."""


def furniture_meshes(building: Building, look: Look, signs: Signs) -> list[Mesh]:
    """All fixtures of a building without goods and glass, in store metres."""
    rng, own = np.random.default_rng((look.extras, 3)), np.random.default_rng((look.extras, 13))
    meshes = []
    for fixture in building.fixtures.values():
        if fixture.kind == "table":
            local = _table(fixture, look, rng)
        else:
            local = _cooler(fixture, look, signs) if fixture.kind == "cooler" else _rack(fixture, look)
            for shelf in fixture.shelves:
                local += _board(fixture, shelf, look, signs.tags)
            local = [_dusky(mesh, fixture) for mesh in local]
            if fixture.kind != "cooler":
                local += _dressing(building, fixture, look, signs, own)
        meshes += _in_store(local, fixture)
    return meshes


def glass_meshes(building: Building, look: Look) -> list[Mesh]:
    """Glass of all coolers, seen from both sides, in store metres; the light on it is its reflection."""
    meshes = []
    for fixture in building.fixtures.values():
        if fixture.kind == "cooler":
            w, d, h, low = fixture.width_m, fixture.depth_m, fixture.height_m, _lowest(fixture)
            panes = [
                ((u, 0.035, low), (0.0, d - 0.065, 0.0), (0.0, 0.0, h - low))
                for u, end in ((-SIDE_M / 2, -BESIDE_M), (w + SIDE_M / 2, w + BESIDE_M))
                if u < 0 or is_free(building, fixture, end)  # one pane between two coolers
            ]
            if lip := _lip_m(fixture, look):
                panes.append(((0.0, 0.015, h - lip), (w, 0.0, 0.0), (0.0, 0.0, lip)))
            local = []
            for corner, along, up in panes:
                far = np.array(corner) + np.array(along)
                local.append(sheet(corner, along, up, (1, 1, 1), 0.5, "glass", 1.1))
                local.append(sheet(far, -np.array(along), up, (1, 1, 1), 0.5, "glass", 1.1))
            meshes += _in_store(local, fixture)
    return meshes


def _lip_m(fixture: Fixture, look: Look) -> float:
    """How far the glass lip hangs down: never before where hands reach into the top shelf."""
    room = fixture.height_m - max((s.height_m for s in fixture.shelves), default=0.0) - 0.3
    lip = min(look.fittings.lip_m, room)
    return lip if lip > 0.03 else 0.0


def is_free(building: Building, fixture: Fixture, u_m: float, v_m: float | None = None) -> bool:
    """Whether nothing stands at (u, v) of a fixture's frame, the middle of its depth unless told, and it is inside."""
    place = fixture.point(u_m, fixture.depth_m / 2 if v_m is None else v_m, 0.0)
    if not _indoors(building, place):
        return False
    for other in building.fixtures.values():
        u, v, _ = other.to_local(place)
        if other is not fixture and 0 <= u <= other.width_m and 0 <= v <= other.depth_m:
            return False
    return True


def _indoors(building: Building, place_m: Point) -> bool:
    outline = np.array(building.walls_m, np.float32)[:, None]
    return bool(cv2.pointPolygonTest(outline, (float(place_m[0]), float(place_m[1])), True) > 0.01)


def _in_store(meshes: list[Mesh], fixture: Fixture) -> list[Mesh]:
    axes, origin = fixture_axes(fixture), fixture.point(0, 0, 0)
    return [moved(mesh, axes, origin) for mesh in meshes]


def _dusky(mesh: Mesh, fixture: Fixture) -> Mesh:
    """Inner surfaces darken towards the back, as the goods do."""
    if mesh.glowing:
        return mesh
    v = mesh.points[:, 1:2]
    inside = (v > 0.0) & (v < fixture.depth_m - 0.01) & (mesh.points[:, 2:3] < fixture.height_m - 0.01)
    inside &= (mesh.points[:, 0:1] > -0.001) & (mesh.points[:, 0:1] < fixture.width_m + 0.001)
    dusk = np.where(inside, np.clip(1.0 - 0.75 * v / fixture.depth_m, 0.25, 1.0), 1.0).astype(np.float32)
    return Mesh(mesh.points, mesh.normals, mesh.colours * dusk, mesh.uv, mesh.faces, mesh.texture, mesh.glowing)


def _printed(mesh: Mesh, prints: Sheet, key: str, texture: str) -> Mesh:
    return Mesh(mesh.points, mesh.normals, mesh.colours, prints.uv(key, mesh.uv), mesh.faces, texture)


def _lowest(fixture: Fixture) -> float:
    return min((shelf.height_m for shelf in fixture.shelves), default=0.2) - BOARD_M


def _base(fixture: Fixture, look: Look) -> list[Mesh]:
    """Plinth and back panel."""
    w, d, h = fixture.width_m, fixture.depth_m, fixture.height_m
    plinth = block((0, 0.02, 0), (w, d - 0.005, max(0.05, min(_lowest(fixture), 0.16))), scaled(look.rail, 0.7), 0.6)
    return plinth + block((0, d - 0.03, 0.05), (w, d, h), look.fixture, 0.3)


def _rack(fixture: Fixture, look: Look) -> list[Mesh]:
    """A gondola: uprights and a bar along the top."""
    w, d, h = fixture.width_m, fixture.depth_m, fixture.height_m
    meshes = _base(fixture, look)
    for u in (0.0, w - 0.03):
        meshes += block((u, d - 0.09, 0.0), (u + 0.03, d - 0.02, h), scaled(look.fixture, 0.8), 0.4)
    return meshes + block((0, d - 0.12, h - 0.005), (w, d, h + 0.02), look.rail, 0.4)


def _cooler(fixture: Fixture, look: Look, signs: Signs) -> list[Mesh]:
    """A chiller: closed below, posts at the corners for glass sides, a lit canopy that says what is in it."""
    w, d, h, low = fixture.width_m, fixture.depth_m, fixture.height_m, _lowest(fixture)
    meshes = _base(fixture, look)
    for u in (-SIDE_M, w):
        meshes += block((u, 0.0, 0.0), (u + SIDE_M, d, low), look.fixture, 0.3)
        meshes += block((u, 0.0, low), (u + SIDE_M, 0.035, h), look.fixture, 0.3)
        meshes += block((u, d - 0.03, low), (u + SIDE_M, d, h), look.fixture, 0.3)
    meshes += block((-SIDE_M, 0.0, h), (w + SIDE_M, d, h + CANOPY_M), look.rail, 0.3)
    meshes.append(sheet((0, 0.01, h - 0.002), (0, 0.06, 0), (w, 0, 0), (1, 1, 1), glowing=True))
    if lip := _lip_m(fixture, look):  # glass shows by its edge
        meshes += block((0, 0.012, h - lip), (w, 0.018, h - lip + 0.009), GLASS_EDGE, 0.3)
    if look.fittings.header_m and fixture.shelves:
        wide = min(w - 0.1, 8.0 * (CANOPY_M - 0.04))
        board = sheet((w / 2 - wide / 2, -0.003, h + 0.02), (wide, 0, 0), (0, 0, CANOPY_M - 0.04), (1, 1, 1), 0.3)
        meshes.append(_printed(board, signs.headers, fixture.id, "headers"))
    return meshes


def _board(fixture: Fixture, shelf: Shelf, look: Look, tags: Sheet) -> list[Mesh]:
    """A shelf board with its price rail, the channel in it for tags and a tag per facing."""
    w, d, z = fixture.width_m, fixture.depth_m, shelf.height_m
    meshes = block((0, 0, z - BOARD_M), (w, d - 0.03, z), look.fixture, 0.15)
    meshes += block((0, -0.012, z - RAIL_M), (w, 0.001, z - 0.002), look.rail, 0.3, without="+y")
    r, g, b = look.rail
    channel = (0.75 * r + 0.16, 0.75 * g + 0.16, 0.75 * b + 0.16)
    meshes.append(sheet((0.0, -0.0128, z - 0.0425), (w, 0, 0), (0, 0, 0.037), channel, 0.3))
    return meshes + [_tag(facing, z, look.fittings.tag_m, tags) for facing in shelf.facings]


def _tag(facing: Facing, z_m: float, wide_m: float, tags: Sheet) -> Mesh:
    """The price tag in the middle of a facing."""
    wide = min(wide_m, 0.9 * facing.width_m)
    left = facing.offset_m + facing.width_m / 2 - wide / 2
    return _printed(
        sheet((left, -0.0138, z_m - 0.0415), (wide, 0, 0), (0, 0, 0.035), (1, 1, 1)), tags, facing.sku, "tags"
    )


def _dressing(building: Building, fixture: Fixture, look: Look, signs: Signs, rng: np.random.Generator) -> list[Mesh]:
    """What dresses a gondola: panels on its free ends, a poster on a free back, a header where a wall is behind it."""
    w, d, h, fit = fixture.width_m, fixture.depth_m, fixture.height_m, look.fittings
    tone = vivid(rng) if look.seed and rng.random() < 0.4 else scaled(look.fixture, 0.94)
    meshes = []
    for u, sign in ((0.0, -1.0), (w, 1.0)):
        drawn, poster = rng.random() < fit.ends, str(int(rng.integers(POSTERS)))
        if drawn and is_free(building, fixture, u + sign * BESIDE_M):
            meshes += _end(fixture, look, u, sign, tone, signs.posters, poster)
    poster = str(int(rng.integers(POSTERS)))
    if is_free(building, fixture, w / 2, d + BESIDE_M) and is_free(building, fixture, w / 2, d + 0.5):
        tall = min(0.62 * h, 0.9)
        front = sheet((w / 2 + tall / 2.6, d + 0.003, 0.24 * h), (-tall / 1.3, 0, 0), (0, 0, tall), (1, 1, 1), 0.3)
        meshes.append(_printed(front, signs.posters, poster, "posters"))
    elif fit.header_m and fixture.shelves and not _indoors(building, fixture.point(w / 2, d + 0.5, 0.0)):
        meshes += block((0, d - 0.05, h + 0.02), (w, d - 0.03, h + 0.02 + fit.header_m), look.rail, 0.4)
        wide = min(w - 0.04, 8.0 * fit.header_m)
        board = sheet(
            (w / 2 - wide / 2, d - 0.052, h + 0.025), (wide, 0, 0), (0, 0, fit.header_m - 0.01), (1, 1, 1), 0.3
        )
        meshes.append(_printed(board, signs.headers, fixture.id, "headers"))
    return meshes


def _end(
    fixture: Fixture, look: Look, u: float, sign: float, colour: Colour, posters: Sheet, poster: str
) -> list[Mesh]:
    """A panel whose front edge swings back towards its top, with a poster on its outside."""
    d, h, cut = fixture.depth_m, fixture.height_m, look.fittings.taper * fixture.depth_m
    inner, outer = (0.0, d, 0), (0.0, -d, 0)
    meshes = []
    for at, forwards in ((u, sign < 0), (u + sign * END_M, sign > 0)):  # faces look along -u, then along +u
        start, edge = ((at, 0.0, 0.0), inner) if forwards else ((at, d, 0.0), outer)
        meshes.append(_swung(sheet(start, edge, (0, 0, h + 0.02), colour, 0.15), cut, d, h))
    rim = sheet((min(u, u + sign * END_M), 0.0, 0.0), (END_M, 0, 0), (0, 0, h + 0.02), look.rail, 0.15)
    meshes.append(_swung(rim, cut, d, h))
    low = 0.42 * h
    room_m = 0.86 * (d - 0.81 * cut)
    tall = min(1.3 * room_m, 0.46 * h)
    wide, at = tall / 1.3, u + sign * (END_M + 0.002)
    left = d - 0.03 if sign < 0 else d - 0.03 - wide
    face = sheet((at, left, low), (0, sign * wide, 0), (0, 0, tall), (1, 1, 1), 0.3)
    return [*meshes, _printed(face, posters, poster, "posters")]


def _front(z: Floats, cut: float, h: float) -> Floats:
    """How far back the front edge of an end panel is at a height."""
    return np.asarray(cut * np.clip(z / h, 0, 1) ** 2)


def _swung(mesh: Mesh, cut: float, d: float, h: float) -> Mesh:
    """The mesh with what lies at depth 0 moved to the panel's front edge, and the rest in proportion."""
    points = mesh.points.copy()
    front = _front(points[:, 2], cut, h)
    points[:, 1] = front + points[:, 1] * (d - front) / d
    return Mesh(points, mesh.normals, mesh.colours, mesh.uv, mesh.faces, mesh.texture)


def _table(fixture: Fixture, look: Look, rng: np.random.Generator) -> list[Mesh]:
    w, d, h = fixture.width_m, fixture.depth_m, fixture.height_m
    wood = (0.62, 0.47, 0.32) if look.seed == 0 else vivid(rng)
    meshes = block((0, 0, h - 0.04), (w, d, h), wood, 0.3)
    for u in (0.03, w - 0.09):
        for v in (0.03, d - 0.09):
            meshes += block((u, v, 0), (u + 0.06, v + 0.06, h - 0.04), scaled(wood, 0.8), 0.5, without="+z -z")
    for index in range(max(1, math.floor(w / 0.45))):
        left = 0.06 + index * 0.42
        tint = vivid(rng)
        meshes += block((left, 0.1, h), (left + 0.34, d - 0.1, h + 0.13), tint, 0.4, without="-z")
        fill = scaled(tint, 0.5)
        meshes.append(sheet((left + 0.03, 0.13, h + 0.131), (0.28, 0, 0), (0, d - 0.26, 0), fill, 0.2))
    return meshes
