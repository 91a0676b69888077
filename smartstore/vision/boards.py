"""Where the bare board of a shelf shows, which says how far a column is emptied.

In: a picture and the facings in it. Out: per item place, how much the picture speaks for a bare board there.

The strip of board before the first row shows the board's colour; deeper in the shelf it is darker, but of the same hue.
White print looks like a board too, so this is evidence among others, never a proof.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from smartstore.vision.shelf_face import FacingView, Patch

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]

TOLERANCE, TOLERANCE_SHARE = 12.0, 0.12
"""Grey levels, and share of the board's brightness, by which a colour may be off the board's, at its brightness."""
DARKEST, BRIGHTEST = 0.35, 1.2
"""Brightness against the strip before the first row."""
LEAST_PX = 10


@dataclass(slots=True, eq=False)
class Boards:
    """The boards of all facings in one camera's picture."""

    views: Sequence[FacingView]
    strips: Mapping[str, Patch]
    middle: float = 0.8
    """A place of whose pixels this share looks like board may be empty as well as not."""
    steepness: float = 9.0
    most: float = 2.5
    _colours: dict[str, Array] = field(default_factory=dict)
    _middles: dict[int, float] = field(default_factory=dict)

    def learn(self, picture: Picture) -> None:
        """Takes the boards' colours from a picture."""
        for shelf, strip in self.strips.items():
            pixels = strip.of(picture)[strip.mask]
            if len(pixels) >= LEAST_PX:
                self._colours[shelf] = np.median(pixels, axis=0).astype(float)

    def meet(self, i: int, picture: Picture) -> None:
        """Learns from the first view of facing ``i`` how much its own items look like board: print may be white."""
        front = self._shares(i, picture)[:, 0]
        like = float(np.nanmin(front)) if np.isfinite(front).any() else 0.0
        self._middles[i] = float(np.clip((1.0 + like) / 2, self.middle, 0.97))

    def evidence(self, i: int, picture: Picture) -> Array:
        """Log-likelihood ratios (columns, rows) of bare board against an item in facing ``i``; 0 where it is hidden."""
        shares = self._shares(i, picture)
        middle = self._middles.get(i, self.middle)
        return np.nan_to_num(np.clip(self.steepness * (shares - middle), -self.most, self.most))

    def _shares(self, i: int, picture: Picture) -> Array:
        """Share of the pixels of each place, (columns, rows), that look like board; NaN where it is hidden."""
        view = self.views[i]
        out = np.full((view.facing.columns, view.facing.rows), np.nan)
        colour = self._colours.get(view.facing.shelf)
        if colour is None:
            return out
        for column, places in enumerate(view.floors):
            for row, place in enumerate(places):
                pixels = place.of(picture)[place.mask].astype(float)
                if len(pixels) >= LEAST_PX:
                    out[column, row] = _share_alike(pixels, colour)
        return out

    def counts(self, i: int, picture: Picture, full: float = 2.2) -> list[int]:
        """The likeliest number of items in each column; a full one has ``full`` in its favour."""
        rows = self.views[i].facing.rows
        out = []
        for column in self.evidence(i, picture):
            scores = [for_count(column, n) + (full if n == rows else 0.0) for n in range(rows + 1)]
            out.append(int(np.argmax(scores)))
        return out


def for_count(column: Array, n: int) -> float:
    """What the evidence (rows,) of a column says for ``n`` items: bare places before them, none under the first."""
    first = max(len(column) - n, 0)
    return float(column[:first].sum() - (column[first] if first < len(column) else 0.0))


def _share_alike(pixels: Array, colour: Array) -> float:
    light = pixels.mean(axis=1) / max(float(colour.mean()), 1.0)
    off = np.abs(pixels - light[:, None] * colour).max(axis=1)
    tolerance = min(TOLERANCE, TOLERANCE_SHARE * float(colour.mean()))
    return float(np.mean((light > DARKEST) & (light < BRIGHTEST) & (off < max(tolerance, 3.0))))
