"""Half-edge collapse by quadric error: a dense mesh goes in, the few vertices worth keeping and their faces come out.

Vertices are kept or dropped, never moved, so shape, skin weights and every other per-vertex value of the dense mesh
carry over by indexing, and one result serves all bodies that share the topology. Used only when bodies are baked.

Source of the error measure: M. Garland, P. Heckbert, "Surface simplification using quadric error metrics", 1997.
"""

from __future__ import annotations

import heapq
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Quadric = NDArray[np.float64]

_BORDER_WEIGHT = 4.0
"""How much stiffer the seam between two regions is than the surface around it."""


class _Collapser:
    """Mutable state of one decimation."""

    def __init__(self, points: FloatArray, faces: IntArray, regions: IntArray, importance: FloatArray) -> None:
        self.points = points
        self.faces = [tuple(int(i) for i in face) for face in faces]
        self.alive = [True] * len(self.faces)
        self.regions = regions
        self.importance = importance
        self.around: dict[int, set[int]] = defaultdict(set)
        for number, face in enumerate(self.faces):
            for vertex in face:
                self.around[vertex].add(number)
        self.quadrics = self._quadrics()
        self.version = [0] * len(points)
        self.heap: list[tuple[float, int, int, int, int]] = []

    def _quadrics(self) -> list[Quadric]:
        quadrics = [np.zeros((4, 4)) for _ in range(len(self.points))]
        for face in self.faces:
            a, b, c = self.points[list(face)]
            cross = np.cross(b - a, c - a)
            area = float(np.linalg.norm(cross))
            if area < 1e-14:
                continue
            plane = self._plane(cross / area, a) * area
            for vertex in face:
                quadrics[vertex] += plane
            for i, j in ((0, 1), (1, 2), (2, 0)):
                if self._is_seam(face[i], face[j]):
                    edge = self.points[face[j]] - self.points[face[i]]
                    side = np.cross(edge, cross / area)
                    length = float(np.linalg.norm(side))
                    wall = self._plane(side / length, self.points[face[i]]) * length**2 * _BORDER_WEIGHT
                    quadrics[face[i]] += wall
                    quadrics[face[j]] += wall
        return quadrics

    @staticmethod
    def _plane(normal: FloatArray, point: FloatArray) -> Quadric:
        plane = np.append(normal, -float(normal @ point))
        return np.outer(plane, plane)

    def labels(self, vertex: int) -> set[int]:
        return {int(self.regions[number]) for number in self.around[vertex]}

    def _is_seam(self, a: int, b: int) -> bool:
        shared = self.around[a] & self.around[b]
        return len(shared) == 1 or len({int(self.regions[number]) for number in shared}) > 1

    def _is_rim(self, vertex: int) -> bool:
        return any(len(self.around[vertex] & self.around[other]) == 1 for other in self.neighbours(vertex))

    def neighbours(self, vertex: int) -> set[int]:
        return {other for number in self.around[vertex] for other in self.faces[number]} - {vertex}

    def cost(self, gone: int, kept: int) -> float:
        point = np.append(self.points[kept], 1.0)
        error = float(point @ (self.quadrics[gone] + self.quadrics[kept]) @ point)
        edge = self.points[gone] - self.points[kept]
        return (max(error, 0.0) + 1e-7 * float(edge @ edge)) * float(self.importance[gone])

    def allowed(self, gone: int, kept: int) -> bool:
        """Whether the collapse keeps seams in place, the surface a surface and no face turned over."""
        if len(self.labels(gone)) > 1 or self._is_rim(gone):
            if not self._is_seam(gone, kept) or not self.labels(gone) <= self.labels(kept):
                return False
            if self._is_rim(gone) and len(self.around[gone] & self.around[kept]) != 1:
                return False
        shared = self.around[gone] & self.around[kept]
        if len(self.neighbours(gone) & self.neighbours(kept)) != len(shared):
            return False
        return all(self._stays_upright(number, gone, kept) for number in self.around[gone] - shared)

    def _stays_upright(self, number: int, gone: int, kept: int) -> bool:
        before = self.points[list(self.faces[number])]
        after = self.points[[kept if vertex == gone else vertex for vertex in self.faces[number]]]
        old = np.cross(before[1] - before[0], before[2] - before[0])
        new = np.cross(after[1] - after[0], after[2] - after[0])
        size = float(np.linalg.norm(old) * np.linalg.norm(new))
        return float(old @ new) > 0.25 * size

    def push(self, a: int, b: int) -> None:
        for gone, kept in ((a, b), (b, a)):
            entry = (self.cost(gone, kept), gone, kept, self.version[gone], self.version[kept])
            heapq.heappush(self.heap, entry)

    def collapse(self, gone: int, kept: int) -> None:
        for number in list(self.around[gone]):
            face = self.faces[number]
            if kept in face:
                self.alive[number] = False
                for vertex in face:
                    self.around[vertex].discard(number)
            else:
                self.faces[number] = tuple(kept if vertex == gone else vertex for vertex in face)
                self.around[kept].add(number)
        del self.around[gone]
        self.quadrics[kept] = self.quadrics[kept] + self.quadrics[gone]
        self.version[gone] += 1
        self.version[kept] += 1
        for other in self.neighbours(kept):
            self.push(kept, other)


def decimate(
    points: FloatArray, faces: IntArray, regions: IntArray, importance: FloatArray, target: int
) -> tuple[IntArray, IntArray, IntArray]:
    """The mesh with about ``target`` vertices left.

    ``points`` (V, 3) metres, ``faces`` (F, 3), ``regions`` (F,) whose borders stay sharp, ``importance`` (V,) a factor
    on the error of dropping a vertex. Returns the indices of the kept vertices, the faces in terms of them, and
    the old numbers of those faces.
    """
    work = _Collapser(points, faces, regions, importance)
    for a, b in {(min(f[i], f[j]), max(f[i], f[j])) for f in work.faces for i, j in ((0, 1), (1, 2), (2, 0))}:
        work.push(a, b)
    while len(work.around) > target and work.heap:
        _, gone, kept, version_gone, version_kept = heapq.heappop(work.heap)
        stale = gone not in work.around or kept not in work.around
        if stale or (version_gone, version_kept) != (work.version[gone], work.version[kept]):
            continue
        if work.allowed(gone, kept):
            work.collapse(gone, kept)
    numbers = np.array([n for n, alive in enumerate(work.alive) if alive], dtype=np.int64)
    left = np.array([work.faces[n] for n in numbers], dtype=np.int64)
    kept_vertices, flat = np.unique(left, return_inverse=True)
    return kept_vertices, flat.reshape(-1, 3).astype(np.int64), numbers
