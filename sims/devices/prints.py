"""Printed fronts: a picture per product, drawn from its colour, name and number, and the atlas that holds them all.

In: catalogue items. Out: one square texture with a cell per product: the front in the left three quarters, the side
beside it.
"""

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from sims.building import CatalogueItem
from sims.devices.look import Floats, Look, Picture

CELL_PX = 128
FRONT_PX = 92
"""Width of the front in its cell."""
SIDE_PX = 32
EDGE_PX = 2
"""Kept clear of texture coordinates, so that neighbours do not bleed in when the texture is drawn small."""


@dataclass(frozen=True, slots=True)
class Atlas:
    """All prints of a catalogue in one picture; ``cells`` gives (column, row) from the lower left."""

    picture: Picture
    cells: Mapping[str, tuple[int, int]]
    across: int

    def front(self, sku: str, uv: Floats) -> Floats:
        """Coordinates in the atlas of points ``uv`` (n, 2) of a product's front, from (0, 0) to (1, 1)."""
        return self._place(sku, uv, 0, FRONT_PX)

    def side(self, sku: str, uv: Floats) -> Floats:
        """The same on a product's side, whose upper quarter shows its plain colour."""
        return self._place(sku, uv, CELL_PX - SIDE_PX, SIDE_PX)

    def _place(self, sku: str, uv: Floats, left: int, width: int) -> Floats:
        column, row = self.cells[sku]
        inner = np.array([left + EDGE_PX, EDGE_PX]) + uv * np.array([width - 2 * EDGE_PX, CELL_PX - 2 * EDGE_PX])
        placed = (inner + np.array([column, row]) * CELL_PX) / (self.across * CELL_PX)
        return np.asarray(placed, np.float32)


def atlas(items: Mapping[str, CatalogueItem], look: Look) -> Atlas:
    """The prints of a catalogue under a look."""
    across = 1
    while across * across < len(items):
        across *= 2
    picture = np.full((across * CELL_PX, across * CELL_PX, 3), 128, np.uint8)
    cells = {}
    for index, (sku, item) in enumerate(sorted(items.items())):
        row, column = divmod(index, across)
        top = (across - 1 - row) * CELL_PX
        picture[top : top + CELL_PX, column * CELL_PX : (column + 1) * CELL_PX] = paint_item(item, look)
        cells[sku] = (column, row)
    return Atlas(picture, cells, across)


def paint_item(item: CatalogueItem, look: Look) -> Picture:
    """The cell (128, 128, 3) of one product: front, gap in the same colour, side."""
    digits = int("".join(c for c in item.sku if c.isdigit()) or 0)
    rng = np.random.default_rng((digits, look.prints))
    main = turned(item.colour, look.hue_shift)
    second = _contrast(main, rng)
    front = _pattern(main, second, rng)
    _lettering(front, item.name, second, rng)
    if item.shape == "bottle":
        _bottle(front, main, rng)
    cell = np.empty((CELL_PX, CELL_PX, 3), np.uint8)
    cell[:] = main
    cell[:, :FRONT_PX] = front
    cell[:, FRONT_PX : FRONT_PX + 2] = front[:, -1:]
    side = cell[:, CELL_PX - SIDE_PX :]
    side[CELL_PX // 4 :] = cv2.resize(front[CELL_PX // 4 :, :8], (SIDE_PX, CELL_PX - CELL_PX // 4))
    side[CELL_PX // 2 : CELL_PX - 20 : 5, 6:-6] = second
    return cell


def turned(colour: tuple[int, int, int], degrees: float) -> tuple[int, int, int]:
    """The colour with its hue turned."""
    hue, light, saturation = colorsys.rgb_to_hls(*(c / 255 for c in colour))
    r, g, b = (round(255 * c) for c in colorsys.hls_to_rgb((hue + degrees / 360) % 1.0, light, saturation))
    return r, g, b


def _contrast(main: tuple[int, int, int], rng: np.random.Generator) -> tuple[int, int, int]:
    """A colour that stands out from ``main``: white, near black, or the other side of the wheel."""
    bright = 0.3 * main[0] + 0.59 * main[1] + 0.11 * main[2] > 120
    choice = rng.integers(3)
    if choice == 0:
        return (30, 30, 38) if bright else (245, 243, 236)
    hue, _, saturation = colorsys.rgb_to_hls(*(c / 255 for c in main))
    light = 0.28 if bright else 0.75
    r, g, b = colorsys.hls_to_rgb((hue + float(rng.choice([0.5, 0.33, 0.12, 0.66]))) % 1.0, light, max(saturation, 0.5))
    return round(255 * r), round(255 * g), round(255 * b)


def _pattern(main: tuple[int, ...], second: tuple[int, ...], rng: np.random.Generator) -> Picture:
    front = np.empty((CELL_PX, FRONT_PX, 3), np.uint8)
    front[:] = main
    h, w = front.shape[:2]
    kind = int(rng.integers(8))
    if kind == 0:
        at = int(rng.integers(20, 70))
        front[at : at + int(rng.integers(18, 44))] = second
    elif kind == 1:
        pitch = int(rng.integers(12, 30))
        for x in range(-h, w + h, 2 * pitch):
            cv2.line(front, (x, 0), (x + h, h), second, pitch // 2)
    elif kind == 2:
        cv2.circle(front, (w // 2, int(rng.integers(44, 84))), int(rng.integers(22, 40)), second, -1)
    elif kind == 3:
        at = int(rng.integers(w // 4, w // 2))
        front[:, at : at + int(rng.integers(14, 36))] = second
    elif kind == 4:
        cv2.fillPoly(
            front, [np.array([[0, h], [w, h], [w, int(rng.integers(30, 70))], [0, int(rng.integers(60, 110))]])], second
        )
    elif kind == 5:
        for _ in range(9):
            cv2.circle(front, (int(rng.integers(w)), int(rng.integers(h))), int(rng.integers(5, 13)), second, -1)
    elif kind == 6:
        cv2.ellipse(front, (w // 2, h // 2), (38, int(rng.integers(24, 52))), 0, 0, 360, second, -1)
    else:
        front[: h // 3] = second
        front[-h // 6 :] = second
    return front


def _lettering(front: Picture, name: str, second: tuple[int, ...], rng: np.random.Generator) -> None:
    """The name in large letters on a band, a weight below: enough to tell fronts apart as shoppers do."""
    h, w = front.shape[:2]
    words = [word for word in name.split() if word.isalpha() and len(word) > 1] or [name]
    paper, ink = ((248, 246, 240), (25, 25, 30)) if rng.random() < 0.6 else (second, (250, 250, 250))
    top = int(rng.integers(14, 62))
    lines = [word[:8] for word in words[:2]]
    high = 26 * len(lines) + 6
    margin = int(rng.integers(0, 8))
    cv2.rectangle(front, (margin, top), (w - 1 - margin, top + high), paper, -1)
    for index, line in enumerate(lines):
        size = cv2.getTextSize(line, cv2.FONT_HERSHEY_DUPLEX, 1.0, 2)[0][0]
        scale = min(0.95, (w - 2 * margin - 6) / max(size, 1))
        left = int((w - size * scale) / 2)
        cv2.putText(front, line, (left, top + 23 + 26 * index), cv2.FONT_HERSHEY_DUPLEX, scale, ink, 2, cv2.LINE_AA)
    cv2.rectangle(front, (w - 30, h - 16), (w - 4, h - 5), paper, -1)
    for x in range(w - 28, w - 6, 3):
        cv2.line(front, (x, h - 14), (x, h - 7), ink, 1 + int(rng.integers(2)))


def _bottle(front: Picture, main: tuple[int, ...], rng: np.random.Generator) -> None:
    """Cap and see-through shoulder above the label, glass below it."""
    glass = np.clip(np.array(main) * 0.55 + rng.uniform(10, 60, 3), 0, 255).astype(np.uint8)
    front[:12] = (235, 235, 235) if rng.random() < 0.5 else tuple(int(c) for c in np.array(main) // 2)
    front[12:44] = glass
    front[-8:] = glass
