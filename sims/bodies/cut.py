"""Cuts a dense mesh along lines, so that clothes end in clean edges (baking only).

Faces and one value per vertex go in; every edge on which the value passes zero gets a vertex there, and the faces are
split.
New vertices are mixtures of two old ones, so a ``Recipe`` carries any other per-vertex values over.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_SNAP = 0.12
"""Cuts that pass this near to a vertex, as a share of the edge, go through it."""


@dataclass(slots=True)
class Recipe:
    """How the vertices added by a series of cuts come from earlier ones."""

    parts: list[tuple[IntArray, IntArray, FloatArray]] = field(default_factory=list)

    def apply(self, values: FloatArray) -> FloatArray:
        """Values (V, ...) of the uncut mesh, extended to the added vertices."""
        for first, second, share in self.parts:
            weight = share.reshape(-1, *[1] * (values.ndim - 1))
            values = np.concatenate([values, (1 - weight) * values[first] + weight * values[second]])
        return values


def cut(faces: IntArray, values: FloatArray, where: NDArray[np.bool_], recipe: Recipe) -> tuple[IntArray, IntArray]:
    """Splits the faces ``where`` the value changes sign; writes the new vertices into ``recipe``.

    Returns the new faces and, for each, the old face that it was part of.
    """
    values = _snapped(faces[where], values)
    corners = faces[where]
    edges = np.sort(np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]]), axis=1)
    edges = np.unique(edges, axis=0)
    a, b = values[edges[:, 0]], values[edges[:, 1]]
    edges = edges[a * b < 0]
    share = values[edges[:, 0]] / (values[edges[:, 0]] - values[edges[:, 1]])
    first = len(values)
    recipe.parts.append((edges[:, 0], edges[:, 1], share))
    added = {(int(e[0]), int(e[1])): first + n for n, e in enumerate(edges)}
    out: list[tuple[int, int, int]] = []
    origin: list[int] = []
    for number, face in enumerate(faces.tolist()):
        sides = ((face[0], face[1]), (face[1], face[2]), (face[2], face[0]))
        pieces = _split(face, [added.get((min(x, y), max(x, y))) for x, y in sides])
        out += pieces
        origin += [number] * len(pieces)
    return np.array(out, dtype=np.int64), np.array(origin, dtype=np.int64)


def _snapped(corners: IntArray, values: FloatArray) -> FloatArray:
    """The values with those set to zero whose vertex lies next to the line."""
    values = values.copy()
    for i, j in ((0, 1), (1, 2), (2, 0)):
        a, b = corners[:, i], corners[:, j]
        crossing = values[a] * values[b] < 0
        a, b = a[crossing], b[crossing]
        share = values[a] / (values[a] - values[b])
        values[a[share < _SNAP]] = 0.0
        values[b[share > 1 - _SNAP]] = 0.0
    return values


def _split(face: list[int], middles: list[int | None]) -> list[tuple[int, int, int]]:
    """A face with new vertices on some of its edges (0-1, 1-2, 2-0), as smaller faces of the same winding."""
    marked = [n for n, middle in enumerate(middles) if middle is not None]
    if not marked:
        return [(face[0], face[1], face[2])]
    if len(marked) == 3:
        m0, m1, m2 = (int(m) for m in middles if m is not None)
        a, b, c = face
        return [(a, m0, m2), (m0, b, m1), (m2, m1, c), (m0, m1, m2)]
    turn = marked[0] if len(marked) == 1 else next(n for n in marked if (n + 1) % 3 in marked)
    a, b, c = face[turn], face[(turn + 1) % 3], face[(turn + 2) % 3]
    first, second = middles[turn], middles[(turn + 1) % 3]
    assert first is not None
    if second is None:
        return [(a, first, c), (first, b, c)]
    return [(first, b, second), (a, first, c), (first, second, c)]
