"""Floors and walls: a surface's kind and colours go in, its repeating texture comes out."""

import cv2
import numpy as np

from sims.devices.look import Floats, Picture, Surface

SIZE_PX = 512


def paint(surface: Surface, seed: int) -> Picture:
    """The repeating texture (512, 512, 3) of a surface."""
    rng = np.random.default_rng((seed, 17))
    base = np.empty((SIZE_PX, SIZE_PX, 3), np.float32)
    base[:] = surface.colour
    _PATTERNS[surface.kind](base, np.array(surface.second, np.float32), rng)
    mottle = surface.grain * (0.7 * cloud(rng, 8) + 0.5 * cloud(rng, 64)) + 0.35 * surface.grain * cloud(rng, 256)
    return np.asarray(np.clip((base * (1 + mottle[:, :, None])) * 255, 0, 255), np.uint8)


def cloud(rng: np.random.Generator, cells: int) -> Floats:
    """Seamless smooth noise (512, 512) with unit deviation and ``cells`` bumps along a side."""
    grid = np.pad(rng.standard_normal((cells, cells)).astype(np.float32), 1, mode="wrap")
    step = SIZE_PX // cells
    big = cv2.resize(grid, ((cells + 2) * step, (cells + 2) * step), interpolation=cv2.INTER_CUBIC)
    return np.asarray(big[step : step + SIZE_PX, step : step + SIZE_PX], np.float32)


def _tiles(base: Floats, second: Floats, rng: np.random.Generator) -> None:
    count = int(rng.choice([2, 4]))
    cell = SIZE_PX // count
    for row in range(count):
        for column in range(count):
            base[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] *= 1 + rng.normal(0, 0.025)
    joint = max(2, cell // 48)
    for line in range(0, SIZE_PX, cell):
        base[line : line + joint] = second
        base[:, line : line + joint] = second


def _checks(base: Floats, second: Floats, _: np.random.Generator) -> None:
    half = SIZE_PX // 2
    base[:half, :half] = second
    base[half:, half:] = second


def _planks(base: Floats, second: Floats, rng: np.random.Generator) -> None:
    count = 8
    cell = SIZE_PX // count
    for row in range(count):
        base[row * cell : (row + 1) * cell] *= 1 + rng.normal(0, 0.09)
        fibre = np.repeat(rng.standard_normal((cell, 1)), SIZE_PX, axis=1).astype(np.float32)
        base[row * cell : (row + 1) * cell] *= 1 + 0.03 * fibre[:, :, None]
        base[row * cell : row * cell + 2] = second * 0.6
        cut = int(rng.integers(0, SIZE_PX - 3))
        base[row * cell : (row + 1) * cell, cut : cut + 3] = second * 0.6


def _speckle(base: Floats, second: Floats, rng: np.random.Generator) -> None:
    for _ in range(900):
        centre = (int(rng.integers(SIZE_PX)), int(rng.integers(SIZE_PX)))
        tone = np.clip(second + rng.normal(0, 0.12, 3), 0, 1)
        cv2.circle(base, centre, int(rng.integers(1, 7)), tuple(float(t) for t in tone), -1, cv2.LINE_AA)


def _bricks(base: Floats, second: Floats, rng: np.random.Generator) -> None:
    rows, columns = 16, 8
    high, wide = SIZE_PX // rows, SIZE_PX // columns
    for row in range(rows):
        shift = (row % 2) * wide // 2
        for column in range(columns):
            at = np.arange(column * wide + shift, (column + 1) * wide + shift) % SIZE_PX
            base[row * high : (row + 1) * high, at] *= 1 + rng.normal(0, 0.08)
        base[row * high : row * high + 4] = second
        base[row * high : (row + 1) * high, (np.arange(columns) * wide + shift) % SIZE_PX] = second


def _panels(base: Floats, second: Floats, _: np.random.Generator) -> None:
    for line in range(0, SIZE_PX, SIZE_PX // 4):
        base[:, line : line + 5] = second
        base[:, line + 5 : line + 8] *= 1.08
    base[int(SIZE_PX * 0.7) :] = base[int(SIZE_PX * 0.7) :] * 0.4 + second * 0.6


def _plain(base: Floats, second: Floats, rng: np.random.Generator) -> None:
    base += 0.15 * (second - base) * (cloud(rng, 4)[:, :, None] > 0.4)


_PATTERNS = {
    "tiles": _tiles,
    "checks": _checks,
    "planks": _planks,
    "speckle": _speckle,
    "bricks": _bricks,
    "panels": _panels,
    "plaster": _plain,
    "concrete": _plain,
}
