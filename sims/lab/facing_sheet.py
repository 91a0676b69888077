"""A sheet of the facings that were read wrongly: before and after, side by side, with what was true and what was said.

In: failures of a trial. Out: one JPEG.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sims.devices.look import Picture
from sims.lab.facing_score import Case

TILE_PX = (300, 190)
ACROSS = 4
MOST = 48


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """A case that was not read right, with clear pictures before and after, and where the facing is in them."""

    case: Case
    before: Picture
    after: Picture
    part: tuple[int, int, int, int]
    """Left, top, right, bottom."""


def save_sheet(failures: Sequence[Failure], path: Path) -> None:
    """Writes the sheet with the first failures, as they come; an empty one when there is none."""
    shown = failures[:MOST]
    rows = max(1, -(-len(shown) // ACROSS))
    sheet = Image.new("RGB", (ACROSS * TILE_PX[0], rows * TILE_PX[1]), (24, 24, 24))
    for index, failure in enumerate(shown):
        tile = _tile(failure)
        sheet.paste(tile, (index % ACROSS * TILE_PX[0], index // ACROSS * TILE_PX[1]))
    sheet.save(path, quality=88)


def _tile(failure: Failure) -> Image.Image:
    tile = Image.new("RGB", TILE_PX, (24, 24, 24))
    half = (TILE_PX[0] // 2 - 3, TILE_PX[1] - 40)
    left, top, right, bottom = failure.part
    for index, picture in enumerate((failure.before, failure.after)):
        part = Image.fromarray(np.ascontiguousarray(picture[top:bottom, left:right]))
        scale = min(half[0] / part.width, half[1] / part.height)
        part = part.resize((max(1, round(part.width * scale)), max(1, round(part.height * scale))))
        tile.paste(part, (index * (half[0] + 4), 36))
    case, labels = failure.case, dict(failure.case.labels)
    draw = ImageDraw.Draw(tile)
    draw.text((3, 1), f"{case.kind} {case.facing} seed {labels.get('seed')} visit {case.episode}", fill=(255, 255, 255))
    said = f"true {case.true_items:+d} {case.sku[-6:]}  said {case.said_items:+d} {case.said_sku[-6:]}"
    draw.text((3, 17), said, fill=(255, 190, 120))
    return tile
