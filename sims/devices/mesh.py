"""Small meshes as arrays: what room and goods are made of before a renderer sees them.

Points are metres, faces turn counter-clockwise when seen from outside, texture coordinates start at the lower left
corner.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sims.devices.look import Colour, Floats

Ints = NDArray[np.int32]
PLAIN = "plain"
"""Name of the texture that is white all over."""


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles with a normal, a colour (before light) and a texture coordinate at each of their n corners."""

    points: Floats
    normals: Floats
    colours: Floats
    uv: Floats
    faces: Ints
    texture: str = PLAIN
    glowing: bool = False
    """Shines by itself: no light is computed."""


def merged(meshes: Sequence[Mesh]) -> Mesh:
    """All meshes, which share one texture, as one."""
    starts = np.cumsum([0, *(len(mesh.points) for mesh in meshes)])
    return Mesh(
        np.concatenate([mesh.points for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.colours for mesh in meshes]),
        np.concatenate([mesh.uv for mesh in meshes]),
        np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]).astype(np.int32),
        meshes[0].texture,
        meshes[0].glowing,
    )


def sheet(
    corner: ArrayLike, along: ArrayLike, up: ArrayLike, colour: Colour, step_m: float = 10.0,
    texture: str = PLAIN, span_m: float | None = None, glowing: bool = False,
) -> Mesh:  # fmt: skip
    """A rectangle from ``corner`` along the edges ``along`` and ``up``; its outside is where ``along`` × ``up`` points.

    ``step_m`` is the pitch of its grid (light is computed at the grid's points), ``span_m`` the length that one texture
    covers; without it the texture fills the rectangle once.
    """
    origin, a, b = (np.asarray(value, np.float32) for value in (corner, along, up))
    length_a, length_b = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    count_a, count_b = (max(1, round(length / step_m)) for length in (length_a, length_b))
    s, t = np.meshgrid(np.linspace(0, 1, count_a + 1), np.linspace(0, 1, count_b + 1))
    st = np.column_stack([s.ravel(), t.ravel()]).astype(np.float32)
    uv = st if span_m is None else st * np.array([length_a / span_m, length_b / span_m], np.float32)
    normal = np.cross(a, b)
    normal /= np.linalg.norm(normal)
    index = np.arange(len(st)).reshape(count_b + 1, count_a + 1)
    p, q, r, o = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.stack([np.stack([p, q, r], -1), np.stack([p, r, o], -1)], -2).reshape(-1, 3)
    ones = np.ones((len(st), 1), np.float32)
    return Mesh(
        (origin + st[:, :1] * a + st[:, 1:] * b).astype(np.float32),
        (ones * normal).astype(np.float32),
        (ones * np.array(colour)).astype(np.float32),
        uv.astype(np.float32),
        faces.astype(np.int32),
        texture,
        glowing,
    )


def block(low: ArrayLike, high: ArrayLike, colour: Colour, step_m: float = 10.0, without: str = "") -> list[Mesh]:
    """The sides of a box between two corners; ``without`` leaves out some of ``-x +x -y +y -z +z``."""
    a, b = np.asarray(low, np.float32), np.asarray(high, np.float32)
    x, y, z = (np.array(axis, np.float32) for axis in ((b[0] - a[0], 0, 0), (0, b[1] - a[1], 0), (0, 0, b[2] - a[2])))
    sides = {
        "-x": (a + y, -y, z), "+x": (a + x, y, z), "-y": (a, x, z), "+y": (a + x + y, -x, z),
        "-z": (a + y, x, -y), "+z": (a + z, x, y),
    }  # fmt: skip
    skipped = without.split()
    return [sheet(*edges, colour, step_m) for name, edges in sides.items() if name not in skipped]


def moved(mesh: Mesh, rotation: Floats, offset: ArrayLike) -> Mesh:
    """The mesh with its points turned by ``rotation`` (3, 3), then shifted."""
    turn = rotation.astype(np.float32).T
    points = (mesh.points @ turn + np.asarray(offset, np.float32)).astype(np.float32)
    normals = (mesh.normals @ turn).astype(np.float32)
    return Mesh(points, normals, mesh.colours, mesh.uv, mesh.faces, mesh.texture, mesh.glowing)
