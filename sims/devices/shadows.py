"""Shadows on the floor: where lamps and the ceiling's glow do not get past people and what they carry.

In: joints of people, points of their gear, the lamps. Out: one picture of the whole floor, how much light is missing
per cell. Limbs are thrown onto the floor as thick lines, blurred the more the higher they are above it: ceiling panels
are large. All shadows lie in one picture, so they never fight for the same depth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sims.devices.look import Floats, Lighting, Picture, falloff

CELL_M = 0.05
MARGIN_M = 1.0
"""The picture reaches beyond the walls, where people wait."""
REACH_M = 1.5
"""Shadows are followed so far from the feet."""
LAMPS = 3
"""How many lamps throw shadows of one person: the strongest there."""
CLEAR_M = 0.25
"""Lamps throw shadows of what is at least so much lower."""
NEAR_FLOOR_M = 0.62
"""Below it shadows have an edge."""
CONTACT = 0.42
"""Share of the light that is missing between the feet."""
DEEPER = 1.4
"""Lamps are drawn that much stronger against the ceiling's glow, which a body keeps off as well."""
FEW = 3.0 / 255
SIDE = 2 * round(REACH_M / CELL_M)

_SHOULDERS, _HIPS, _KNEES, _ANKLES = (5, 6), (11, 12), (13, 14), (15, 16)
LIMBS = (
    (15, 13, 0.055), (16, 14, 0.055), (13, 11, 0.08), (14, 12, 0.08), (5, 7, 0.05), (6, 8, 0.05), (7, 9, 0.045),
    (8, 10, 0.045), (5, 6, 0.08), (11, 12, 0.12), (5, 11, 0.12), (6, 12, 0.12),
)  # fmt: skip
"""COCO joints that a limb joins, and its radius in metres."""
HEAD_M = 0.115


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """Somebody who throws a shadow: joints (17, 3) and, if there is gear, points of it (n, 3), in store metres."""

    joints_m: NDArray[np.float64]
    gear_m: Floats | None


class FloorShadows:
    """The floor between the corners ``low_m`` and ``high_m`` of a room."""

    def __init__(self, low_m: Floats, high_m: Floats, lighting: Lighting) -> None:
        self.low_m = np.asarray(low_m[:2], float) - MARGIN_M
        cells = np.ceil((np.asarray(high_m[:2], float) + MARGIN_M - self.low_m) / CELL_M).astype(int)
        self.width, self.height = int(cells[0]), int(cells[1])
        self._places, self._colours = lighting.places_m, lighting.colours
        self._ambient = float(lighting.sky.mean())
        grid = (np.arange(SIDE) + 0.5) * CELL_M - REACH_M
        away = np.hypot(grid[None, :], grid[:, None])
        self._fade = np.clip((REACH_M - away) / (0.5 * REACH_M), 0, 1).astype(np.float32)
        self._keep = np.ones((self.height, self.width), np.float32)

    @property
    def high_m(self) -> NDArray[np.float64]:
        """The far corner of the picture on the floor."""
        return self.low_m + CELL_M * np.array([self.width, self.height])

    def draw(self, figures: Sequence[Figure]) -> tuple[Picture, list[Floats | None]]:
        """The missing light (h, w) in 1/255, first row at the low y; per figure the corners (4, 3) of its own."""
        self._keep.fill(1.0)
        corners = [self._add(figure) for figure in figures]
        return np.asarray((1.0 - self._keep) * 255, np.uint8), corners

    def _add(self, figure: Figure) -> Floats | None:
        feet = figure.joints_m[[15, 16], :2].mean(axis=0)
        first = np.round((feet - self.low_m) / CELL_M).astype(int) - SIDE // 2
        if np.any(first + SIDE <= 0) or first[0] >= self.width or first[1] >= self.height:
            return None
        missing = self._missing(figure, self.low_m + first * CELL_M, feet)
        shown = np.nonzero(missing > FEW)
        if not len(shown[0]):
            return None
        (x0, y0), (x1, y1) = np.maximum(first, 0), np.minimum(first + SIDE, (self.width, self.height))
        self._keep[y0:y1, x0:x1] *= 1 - missing[y0 - first[1] : y1 - first[1], x0 - first[0] : x1 - first[0]]
        start = self.low_m + (first + np.array([shown[1].min() - 1, shown[0].min() - 1])) * CELL_M
        end = self.low_m + (first + np.array([shown[1].max() + 2, shown[0].max() + 2])) * CELL_M
        return np.array([(x, y, 0.006) for x in (start[0], end[0]) for y in (start[1], end[1])], np.float32)

    def _missing(self, figure: Figure, origin_m: NDArray[np.float64], feet_m: NDArray[np.float64]) -> Floats:
        """Share of the light that is missing in the cells around somebody, whose first one starts at ``origin_m``."""
        keep = 1.0 - self._contact(figure, origin_m)
        beams = self._places - np.array([*feet_m, 0.0], np.float32)
        distance2 = np.einsum("ij,ij->i", beams, beams)
        cosine = np.maximum(beams[:, 2], 0) / np.sqrt(distance2 + 1e-6)
        strength = self._colours.mean(axis=1) * falloff(distance2) * cosine
        shares = strength / (float(strength.sum()) + self._ambient + 1e-6)
        for lamp in np.argsort(-shares, kind="stable")[:LAMPS]:
            if shares[lamp] > 0.02:
                keep *= 1.0 - min(0.6, DEEPER * float(shares[lamp])) * self._thrown(
                    figure, self._places[lamp], origin_m
                )
        return np.asarray(self._fade * (1.0 - keep), np.float32)

    def _contact(self, figure: Figure, origin_m: NDArray[np.float64]) -> Floats:
        """The dark close to the feet and under gear, which keep off the light of the whole ceiling."""
        mask = np.zeros((SIDE, SIDE), np.uint8)
        ankles = figure.joints_m[list(_ANKLES)]
        for ankle in ankles:
            if ankle[2] < 0.45:
                _line(mask, (ankle[:2] - origin_m) / CELL_M, (ankle[:2] - origin_m) / CELL_M, 0.26 / CELL_M)
        if figure.gear_m is not None and float(figure.gear_m[:, 2].min()) < 0.5:
            _hull(mask, (figure.gear_m[:, :2] - origin_m) / CELL_M)
        return np.asarray(CONTACT / 255 * _soft(mask, 7).astype(np.float32))

    def _thrown(self, figure: Figure, lamp_m: Floats, origin_m: NDArray[np.float64]) -> Floats:
        """What one lamp's shadow covers, 0 to 1."""
        joints, top = figure.joints_m, float(lamp_m[2]) - CLEAR_M
        grown = float(lamp_m[2]) / np.maximum(float(lamp_m[2]) - joints[:, 2], CLEAR_M)
        spots = (lamp_m[:2] + (joints[:, :2] - lamp_m[:2]) * grown[:, None] - origin_m) / CELL_M
        low, high = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
        for a, b, radius in LIMBS:
            if max(joints[a, 2], joints[b, 2]) < top:
                sharp = max(joints[a, 2], joints[b, 2]) < NEAR_FLOOR_M
                _line(low if sharp else high, spots[a], spots[b], 2 * radius * float(grown[b]) / CELL_M)
        if joints[:5, 2].max() < top:
            head = spots[:5].mean(axis=0)
            _line(high, head, head, 2 * HEAD_M * float(grown[0]) / CELL_M)
        if figure.gear_m is not None and float(figure.gear_m[:, 2].max()) < top:
            rise = float(lamp_m[2]) / (float(lamp_m[2]) - figure.gear_m[:, 2:3])
            _hull(low, (lamp_m[:2] + (figure.gear_m[:, :2] - lamp_m[:2]) * rise - origin_m) / CELL_M)
        both = np.maximum(_soft(low, 3), _soft(high, 7))
        return np.asarray(both, np.float32) / np.float32(255)


def _soft(mask: Picture, cells: int) -> Picture:
    """A mask blurred over about so many cells."""
    return np.asarray(cv2.blur(cv2.blur(mask, (cells, cells)), (cells, cells)), np.uint8)


def _line(mask: Picture, a: NDArray[np.float64], b: NDArray[np.float64], thick: float) -> None:
    if np.abs(a).max() < 4 * SIDE and np.abs(b).max() < 4 * SIDE:
        start, end = ((round(float(p[0]) * 16), round(float(p[1]) * 16)) for p in (a, b))
        if start == end:
            cv2.circle(mask, start, max(8, round(thick * 8)), 255, -1, cv2.LINE_8, 4)
        else:
            cv2.line(mask, start, end, 255, max(1, round(thick)), cv2.LINE_8, 4)


def _hull(mask: Picture, points: NDArray[np.floating]) -> None:
    if np.abs(points).max() < 4 * SIDE:
        hull = cv2.convexHull(np.asarray(points, np.float32))
        cv2.fillConvexPoly(mask, np.round(hull * 16).astype(np.int32), 255, cv2.LINE_8, 4)
