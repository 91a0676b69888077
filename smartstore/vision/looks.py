"""How the items on a face look: colour histograms learned from the facings themselves.

In: clear views of facings that hold what the planogram says. Out: how alike a region is to each item seen so far.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from smartstore.vision.shelf_face import FacingView, Patch

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]

SHARPNESS = 14.0
"""Factor of the likeness in the softmax."""


class Looks:
    """Remembers items by colour: hue, saturation and brightness of the front row, as square roots of shares."""

    def __init__(self) -> None:
        self._known: dict[str, Array] = {}

    def learn(self, view: FacingView, picture: Picture, counts: Sequence[int]) -> None:
        """Takes the first item of each column as the look of a facing's item; facings of one item are averaged."""
        first = [view.item(c, view.facing.rows - n) for c, n in enumerate(counts) if n > 0]
        columns = [self._describe(picture, patch) for patch in first if patch.area >= 20]
        if columns:
            mean = np.mean(columns, axis=0)
            known = self._known.get(view.facing.sku)
            self._known[view.facing.sku] = mean if known is None else _unit(known + mean)

    def scores(self, picture: Picture, region: Patch, expected: str, most: int = 5) -> dict[str, float]:
        """Probabilities of the likeliest items in a region; ``expected`` has the benefit of the doubt."""
        if not self._known:
            return {}
        seen = self._describe(picture, region)
        names = list(self._known)
        likeness = np.array([float(seen @ self._known[name]) for name in names])
        likeness += np.array([0.05 if name == expected else 0.0 for name in names])
        weight = np.exp(SHARPNESS * (likeness - likeness.max()))
        share = weight / weight.sum()
        best = np.argsort(-share, kind="stable")[:most]
        total = float(share[best].sum())
        return {names[i]: float(share[i]) / total for i in best}

    def departed(self, before: Picture, after: Picture, region: Patch, sku: str) -> float:
        """How much more a region looked like an item before than after, in -1..1: positive when the item went."""
        known = self._known.get(sku)
        if known is None or region.area < 20:
            return 0.0
        return float((self._describe(before, region) - self._describe(after, region)) @ known)

    def _describe(self, picture: Picture, region: Patch) -> Array:
        pixels = np.asarray(region.of(picture))[region.mask].reshape(-1, 1, 3)
        hsv = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2HSV).reshape(-1, 3)
        colourful = hsv[:, 1] > 50
        bins = np.where(
            colourful, hsv[:, 0].astype(int) // 8 * 3 + hsv[:, 2].astype(int) // 86, 69 + hsv[:, 2].astype(int) // 43
        )
        return _unit(np.sqrt(np.bincount(bins, minlength=75)[:75].astype(float)))


def _unit(vector: Array) -> Array:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))
