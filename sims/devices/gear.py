"""Baskets, rollers, trolleys and bags as meshes, with what lies in them.

In: a kind of gear, a colour, where it is placed. Out: plain meshes before light, in store metres, whose number of
points depends on the kind alone; and where goods lie in it.
"""

import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sims.bodies.gear import BASKET_M, HANDLE_M, ROLLER_M, TOTE_M, TROLLEY_M, Placed
from sims.devices.look import Colour, Floats
from sims.devices.mesh import Mesh, block, merged, moved, sheet

METAL: Colour = (0.55, 0.56, 0.58)
DARK: Colour = (0.09, 0.09, 0.10)
SHOWN = 8
"""How many goods are drawn in a basket."""
TRAY_M = {
    "basket": (BASKET_M[0], BASKET_M[1], 0.01),
    "arm_basket": (BASKET_M[0], BASKET_M[1], 0.01),
    "roller": (ROLLER_M[0], ROLLER_M[1], 0.08),
    "trolley": (TROLLEY_M[0], TROLLEY_M[1], 0.46),
}
"""Length and width of the ground that goods lie on, and its height."""
STRAP_M = {"roller": 0.018, "tote": 0.024}


def gear_mesh(kind: str, colour: Colour, placed: Placed) -> Mesh:
    """The gear of a body, in store metres."""
    body = _template("basket" if kind == "arm_basket" else kind, colour)
    scaled = Mesh(body.points * np.float32(placed.scale), body.normals, body.colours, body.uv, body.faces)
    parts = [moved(scaled, placed.turn.astype(np.float32), placed.origin_m)]
    parts += [_rod(a, b, STRAP_M[kind], METAL if kind == "roller" else colour) for a, b in placed.ends_m]
    return merged(parts)


def goods_places(kind: str, placed: Placed, goods: tuple[str, ...]) -> list[tuple[NDArray[np.float32], Floats]]:
    """Per item that is drawn the turn (3, 3) and the place (3,) of its base in store metres."""
    if kind not in TRAY_M:
        return []
    length, width, floor = TRAY_M[kind]
    out = []
    for number, sku in enumerate(goods[-SHOWN:]):
        cell, layer = number % 6, number // 6
        bits = zlib.crc32(f"{sku}/{number}".encode())
        angle = (bits & 255) / 255 * 2 * np.pi
        x = ((cell % 3) - 1) * length * 0.28
        y = ((cell // 3) - 0.5) * width * 0.42
        c, s = np.cos(angle), np.sin(angle)
        turn = placed.turn @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        spot = placed.origin_m + placed.turn @ (placed.scale * np.array([x, y, floor + 0.09 * layer]))
        out.append((turn.astype(np.float32), spot.astype(np.float32)))
    return out


@lru_cache(maxsize=64)
def _template(kind: str, colour: Colour) -> Mesh:
    parts = {"basket": _basket, "roller": _roller, "trolley": _trolley, "tote": _tote}[kind](colour)
    return merged(parts)


def _basket(colour: Colour) -> list[Mesh]:
    length, width, depth = BASKET_M
    parts = _tub(length, width, 0.0, depth, colour, (0.34, 0.28, 0.24))
    for x in (-0.10, 0.10):
        a, b = np.array([x, 0.0, depth + HANDLE_M]), np.array([x * 1.5, width / 2, depth])
        parts += [_rod(b * [1, side, 1], a, 0.012, DARK) for side in (1.0, -1.0)]
    a = np.array([0.10, 0.0, depth + HANDLE_M])
    return [*parts, _rod(a * [-1, 1, 1], a, 0.022, DARK)]


def _roller(colour: Colour) -> list[Mesh]:
    length, width, height = ROLLER_M
    parts = _tub(length, width, 0.07, height, colour, (0.7, 0.14, 0.10))
    for x in (-0.4, 0.4):
        for y in (-0.45, 0.45):
            low = np.array([x * length - 0.03, y * width - 0.015, 0.0])
            parts += block(low, low + np.array([0.06, 0.03, 0.07]), DARK)
    return parts


def _trolley(colour: Colour) -> list[Mesh]:
    length, width, handle = TROLLEY_M
    parts = _tub(0.9 * length, width, 0.45, 0.78, colour, (0.12, 0.12, 0.12, 0.12, 0.12))
    for y in (-0.5, 0.5):
        back, front = np.array([-length / 2, y * width, handle]), np.array([0.4 * length, y * width * 0.8, 0.10])
        foot = np.array([-0.4 * length, y * width, 0.10])
        parts += [_rod(foot, back, 0.022, METAL), _rod(foot, front, 0.022, METAL)]
        parts.append(_rod(front, np.array([0.1 * length, y * width * 0.9, 0.45]), 0.022, METAL))
        for spot in (foot, front):
            parts += block(spot - [0.05, 0.016, 0.10], spot + np.array([0.05, 0.016, 0.0]), DARK)
    grip = np.array([-length / 2, width / 2, handle])
    return [*parts, _rod(grip * [1, -1, 1], grip, 0.03, colour)]


def _tote(colour: Colour) -> list[Mesh]:
    length, width, height = TOTE_M
    return _tub(length, width, 0.0, height, colour, (1.0,), taper=1.25)


def _tub(
    length: float, width: float, low: float, high: float, colour: Colour, bands: tuple[float, ...], taper: float = 0.86
) -> list[Mesh]:
    """An open box seen from inside and outside, narrower at the ground by ``taper``; its walls are bands with slits.

    ``bands`` are shares of the height; what is left of it is shared out as slits between them.
    """
    gap = (1.0 - sum(bands)) / max(1, len(bands) - 1)
    spans, at = [], 0.0
    for band in bands:
        spans.append((at, at + band))
        at += band + gap
    dark = (0.7 * colour[0], 0.7 * colour[1], 0.7 * colour[2])
    x, y = length / 2, width / 2
    parts = _double((-x, -y, low), (2 * x, 0, 0), (0, 2 * y, 0), dark)
    for start, end in spans:
        z, up = low + start * (high - low), (0, 0, (end - start) * (high - low))
        for corner, edge in (
            ((-x, -y, z), (2 * x, 0, 0)), ((x, -y, z), (0, 2 * y, 0)),
            ((x, y, z), (-2 * x, 0, 0)), ((-x, y, z), (0, -2 * y, 0)),
        ):  # fmt: skip
            parts += _double(corner, edge, up, colour, dark)
    return [_tapered(part, low, high, taper) for part in parts]


def _double(
    corner: tuple[float, float, float], a: tuple[float, float, float], b: tuple[float, float, float],
    outside: Colour, inside: Colour | None = None,
) -> list[Mesh]:  # fmt: skip
    """A sheet with two faces; ``a`` x ``b`` points outwards."""
    far = (corner[0] + a[0], corner[1] + a[1], corner[2] + a[2])
    back = (-a[0], -a[1], -a[2])
    return [sheet(corner, a, b, outside), sheet(far, back, b, inside or outside)]


def _tapered(mesh: Mesh, low: float, high: float, taper: float) -> Mesh:
    share = np.clip((mesh.points[:, 2:3] - low) / (high - low), 0, 1)
    points = mesh.points.copy()
    points[:, :2] *= taper + (1 - taper) * share
    return Mesh(points.astype(np.float32), mesh.normals, mesh.colours, mesh.uv, mesh.faces)


def _rod(a: NDArray[np.floating], b: NDArray[np.floating], thick_m: float, colour: Colour) -> Mesh:
    """A square rod between two points."""
    axis = np.asarray(b, float) - a
    length = float(np.linalg.norm(axis)) + 1e-9
    ahead = axis / length
    side = np.cross(ahead, (0.0, 0.0, 1.0) if abs(ahead[2]) < 0.9 else (1.0, 0.0, 0.0))
    side /= np.linalg.norm(side)
    turn = np.column_stack([ahead, side, np.cross(ahead, side)]).astype(np.float32)
    half = thick_m / 2
    return moved(merged(block((0, -half, -half), (length, half, half), colour)), turn, a)
