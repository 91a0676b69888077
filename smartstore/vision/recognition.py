"""Which product shows at a place of a shelf: fronts cut out by geometry, compared with catalogue pictures.

In: pictures of one camera, places (facing, column, row). Out: distances and probabilities of products. A product is
cut out as if it stood there with its own size, so a wrong one is off in shape as well as in print.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from smartstore.domain.geometry import CameraModel
from smartstore.site import Site, SurveyedCamera
from smartstore.vision.embedding import STILL, Front, Gallery, cut
from smartstore.vision.shelf_face import FacingView, facing_views, item_box_m

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Picture = NDArray[np.uint8]
Hidden = Callable[[int, int, int], Bytes]
"""(facing, column, row): mask (h, w) above 0 where boards and other items hide what stands there."""

SPREAD = 0.32
"""Distance between a front and its own picture that is nothing special."""
CELLS_WORTH = 12.0
"""So many of a front's cells are as good as independent."""
OFFSETS_PX = tuple((dx, dy) for dy in (-4, -2, 0, 2, 4) for dx in (-4, -2, 0, 2, 4))
STALE = 0.5
"""Squared distance of a product in its own place beyond which its picture is of no use."""
OFFSET_COST = 0.001
"""Squared distance per squared pixel of offset."""
_NONE = np.zeros(2)


def catalogue_pictures(site: Site) -> dict[str, Picture]:
    """The catalogue pictures (RGB) of the products that have one which can be read, by SKU."""
    pictures = {}
    for sku, item in site.items.items():
        if item.picture is None:
            continue
        read = cv2.imread(item.picture, cv2.IMREAD_COLOR)
        if read is None:
            log.warning("%s: not a picture; %s is known by its own facing only", item.picture, item.name)
            continue
        pictures[sku] = np.asarray(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), np.uint8)
    return pictures


FARTHEST = 0.6
"""Squared distance beyond which one front is no worse than another when all fronts of a face are compared."""


def truest(
    site: Site, camera: SurveyedCamera, poses: Sequence[CameraModel], gallery: Gallery, picture: Picture
) -> CameraModel:
    """The pose under which the goods of the planogram look most like their catalogue pictures; the first one where
    none of them has a picture, or shows."""
    if len(poses) == 1:
        return poses[0]
    return min(poses, key=lambda model: _misfit(Recogniser.bare(site, camera, model, gallery), picture))


def _misfit(recogniser: "Recogniser", picture: Picture) -> float:
    """Mean distance of the fronts of all columns, of which up to one item may be gone."""
    fars = []
    for i, view in enumerate(recogniser.views):
        facing = view.facing
        recogniser.learn_light(i, picture, [facing.rows] * facing.columns)
        for column in range(facing.columns):
            seen = [recogniser.distance(picture, i, column, row, facing.sku) for row in range(min(2, facing.rows))]
            fars += [min(*known, FARTHEST)] if (known := [far for far in seen if np.isfinite(far)]) else []
    return float(np.mean(fars)) if fars else FARTHEST


@dataclass(slots=True, eq=False)
class Recogniser:
    """Knows products by their pictures, under the light of one camera's shelves."""

    site: Site
    model: CameraModel
    views: Sequence[FacingView]
    gallery: Gallery
    hidden: Hidden
    _gains: dict[int, Array] = field(default_factory=dict)
    _tint: Array = field(default_factory=lambda: np.ones(3))
    _offsets: dict[str, Array] = field(default_factory=dict)
    """By shelf: how many pixels its fronts lie beside where the camera's model puts them."""
    _corners: dict[tuple[int, int, int, str], Array | None] = field(default_factory=dict)

    @classmethod
    def bare(cls, site: Site, camera: SurveyedCamera, model: CameraModel, gallery: Gallery) -> Self:
        """One that knows nothing of what hides what."""
        nothing = np.zeros((model.height_px, model.width_px), np.uint8)
        return cls(site, model, facing_views(site, camera, model), gallery, lambda *_: nothing)

    def learn_light(self, i: int, picture: Picture, counts: Sequence[int]) -> None:
        """How bright and of what colour the light on a facing is, by the front items of its columns."""
        view = self.views[i]
        sku = view.facing.sku
        if sku not in self.gallery:
            return
        known = self.gallery.colours(sku)
        ratios = []
        for column, count in enumerate(counts):
            if (
                count == 0
                or (front := self._front(picture, i, column, view.facing.rows - count, sku, bare=True)) is None
            ):
                continue
            good = (front.weight[STILL] > 0) & (known.weight > 0)
            if np.count_nonzero(good) >= 8:
                ratios.append(np.median(front.colours[STILL][good] / np.maximum(known.colours[good], 0.08), axis=0))
        if ratios:
            self._gains[i] = np.clip(np.median(ratios, axis=0), 0.03, 3.0)
            gains = np.stack(list(self._gains.values()))
            self._tint = np.median(gains / gains.mean(axis=1, keepdims=True), axis=0)

    def align(self, picture: Picture, counts: Mapping[int, Sequence[int]]) -> None:
        """Learns how far every shelf's fronts lie beside where they should; ``counts`` per facing and column."""
        by_shelf: dict[str, list[tuple[int, int, int]]] = {}
        for i, columns in counts.items():
            facing = self.views[i].facing
            if facing.sku in self.gallery:
                fronts = [(i, c, facing.rows - n) for c, n in enumerate(columns) if n > 0]
                by_shelf.setdefault(facing.shelf, []).extend(fronts)
        for shelf, places in by_shelf.items():
            costs = {offset: self._mean_distance(picture, places, np.array(offset, float)) for offset in OFFSETS_PX}
            if all(np.isfinite(cost) for cost in costs.values()):
                self._offsets[shelf] = np.array(min(costs, key=lambda offset: costs[offset]), float)

    def doubt(self, picture: Picture, counts: Mapping[int, Sequence[int]]) -> None:
        """Forgets pictures that do not look like what stands in their facings: the product's print has changed."""
        seen: dict[str, list[float]] = {}
        for i, columns in counts.items():
            facing = self.views[i].facing
            fronts = [self.distance(picture, i, c, facing.rows - n, facing.sku) for c, n in enumerate(columns) if n > 0]
            seen.setdefault(facing.sku, []).extend(far for far in fronts if np.isfinite(far))
        for sku, fars in seen.items():
            if fars and float(np.median(fars)) > STALE:
                log.warning("the catalogue picture of %s does not look like what stands in its place", sku)
                self.gallery.forget(sku)

    def _mean_distance(self, picture: Picture, places: Sequence[tuple[int, int, int]], offset: Array) -> float:
        """How far fronts are from their pictures when moved by ``offset``, held to none."""
        found = []
        for i, column, row in places:
            sku = self.views[i].facing.sku
            front = self._front(picture, i, column, row, sku, offset=offset)
            if front is not None:
                found.append(min(self.gallery.distance(front, sku, still=True), 0.6))
        good = [far for far in found if np.isfinite(far)]
        return float(np.mean(good)) + OFFSET_COST * float(offset @ offset) if good else float("nan")

    def distance(self, picture: Picture, i: int, column: int, row: int, sku: str) -> float:
        """Squared distance between what shows at a place and a product's picture; NaN where that cannot be said."""
        if sku not in self.gallery:
            return float("nan")
        front = self._front(picture, i, column, row, sku)
        return float("nan") if front is None else self.gallery.distance(front, sku)

    def likeness(self, picture: Picture, i: int, column: int, row: int, sku: str) -> float:
        """The same as a number from 0 (nothing like it) to 1; NaN where that cannot be said."""
        return float(np.exp(-self.distance(picture, i, column, row, sku) / (2 * SPREAD**2)))

    def scores(
        self, picture: Picture, i: int, column: int, row: int, expected: str, trust: float, most: int = 5
    ) -> dict[str, float]:
        """Probabilities of the likeliest products at a place; ``expected`` is likelier by ``trust``, a logarithm."""
        skus = [sku for sku in self.site.items if sku in self.gallery]
        far = np.array([self.distance(picture, i, column, row, sku) for sku in skus])
        known = np.isfinite(far)
        if expected not in skus or not known[skus.index(expected)]:
            return {}
        logs = np.where(known, -CELLS_WORTH * far / (2 * SPREAD**2), -np.inf)
        logs[skus.index(expected)] += trust
        share = np.exp(logs - logs.max())
        share /= share.sum()
        best = np.argsort(-share, kind="stable")[:most]
        return {skus[k]: float(share[k] / share[best].sum()) for k in best if share[k] > 0}

    def _gain(self, i: int) -> Array:
        """The light on a facing; its colour is that of the whole face, its brightness its own."""
        own = self._gains.get(i)
        if own is not None:
            return np.asarray(own.mean() * self._tint)
        level = float(np.median([gain.mean() for gain in self._gains.values()])) if self._gains else 1.0
        return np.asarray(level * self._tint)

    def _front(
        self, picture: Picture, i: int, column: int, row: int, sku: str, bare: bool = False, offset: Array | None = None
    ) -> Front | None:
        corners = self._quad(i, column, row, sku)
        if corners is None:
            return None
        beside = self._offsets.get(self.views[i].facing.shelf, _NONE) if offset is None else offset
        return cut(picture, self.hidden(i, column, row), corners + beside, np.ones(3) if bare else self._gain(i))

    def _quad(self, i: int, column: int, row: int, sku: str) -> Array | None:
        """Corners (4, 2) in pixels of an item's front; None where it does not show."""
        key = (i, column, row, sku)
        if key not in self._corners:
            facing = self.views[i].facing
            box = item_box_m(self.site, self.site.fixtures[facing.fixture], facing, column, row, sku)
            pixels = self.model.project(box[[0, 1, 5, 4]])
            size = np.array([self.model.width_px, self.model.height_px])
            inside = np.isfinite(pixels).all() and (pixels > 0).all() and (pixels < size).all()
            self._corners[key] = pixels if inside else None
        return self._corners[key]
