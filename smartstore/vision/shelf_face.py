"""A shelf face in a picture: where every item of a full shelf would show.

In: a site, a shelf camera (with its registered model). Out: for each facing the silhouettes of its items, as small
masks of the picture, and the lines that must show as edges.

Items are taken as boxes of the catalogue's size that stand in columns side by side and in rows behind each other, the
first row at the front edge. Row -1 is an item put on top of the first row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from smartstore.domain.geometry import CameraModel
from smartstore.site import Facing, Fixture, Site, SurveyedCamera
from smartstore.vision.registration import Line, Marks

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)

FRONT_GAP_M = 0.012
ROW_GAP_M = 0.008
BACK_GAP_M = 0.03
RAIL_M, RAIL_PROUD_M = 0.045, 0.012
"""Height of a usual price rail below the board's top, and how far it stands before the face."""
TAG_M = 0.05
"""Half the width of a price tag, generously."""
ON_TOP = -1


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A mask of part of a picture: ``mask`` starts at row ``top`` and column ``left``."""

    top: int
    left: int
    mask: Bools

    @property
    def area(self) -> int:
        """Pixels in the mask."""
        return int(np.count_nonzero(self.mask))

    def of(self, picture: NDArray[Scalar]) -> NDArray[Scalar]:
        """The part of a picture under this patch."""
        height, width = self.mask.shape
        return picture[self.top : self.top + height, self.left : self.left + width]

    def within(self, frame: "Patch") -> Bools:
        """This mask on the canvas of another patch."""
        out = np.zeros_like(frame.mask)
        y, x = self.top - frame.top, self.left - frame.left
        height, width = self.mask.shape
        a, b, c, d = max(y, 0), min(y + height, out.shape[0]), max(x, 0), min(x + width, out.shape[1])
        if a < b and c < d:
            out[a:b, c:d] = self.mask[a - y : b - y, c - x : d - x]
        return out


NOWHERE = Patch(0, 0, np.zeros((1, 1), bool))
"""Of what does not show."""


@dataclass(frozen=True, slots=True, eq=False)
class FacingView:
    """One facing in one camera's picture: ``items[column][row + 1]`` is the silhouette of an item, row -1 first."""

    facing: Facing
    items: tuple[tuple[Patch, ...], ...]
    frame: Patch
    """All that can change when this facing changes."""
    floors: tuple[tuple[Patch, ...], ...]
    """``floors[column][row]`` is the board under an item, which shows when it and all before it are gone."""
    rail: Patch
    """The price rail below it, which never changes: where it does, something stands before the facing."""
    cover: Bools
    """What the boards above hide of its shelf, as a mask of the whole picture."""

    def item(self, column: int, row: int) -> Patch:
        return self.items[column][row + 1]


def facing_views(site: Site, camera: SurveyedCamera, model: CameraModel) -> list[FacingView]:
    """All facings of the watched fixtures that lie in the picture, at least with their front row."""
    views = []
    for name in camera.watches:
        fixture = site.fixtures[name]
        for shelf in fixture.shelves:
            cover = _cover(fixture, shelf.height_m, model)
            for facing in shelf.facings:
                view = _view(site, fixture, facing, model, cover)
                if view is not None:
                    views.append(view)
    return views


def _view(site: Site, fixture: Fixture, facing: Facing, model: CameraModel, cover: Bools) -> FacingView | None:
    items = tuple(
        tuple(_silhouette(site, fixture, facing, model, cover, column, row) for row in range(ON_TOP, facing.rows))
        for column in range(facing.columns)
    )
    if any(column[1].area < 20 for column in items):
        return None
    frame = _union([patch for column in items for patch in column if patch.area], margin=4)
    top_m = site.shelves[facing.shelf].height_m - 0.2 * RAIL_M
    ends = (facing.offset_m - 0.02, facing.offset_m + facing.width_m + 0.02)
    rail = [fixture.point(u, -RAIL_PROUD_M, z) for u in ends for z in (top_m, top_m - 0.6 * RAIL_M)]
    floors = tuple(
        tuple(_floor(site, fixture, facing, model, cover, column, row) for row in range(facing.rows))
        for column in range(facing.columns)
    )
    return FacingView(facing, items, frame, floors, _hull(model, np.array(rail)), cover)


def item_box_m(site: Site, fixture: Fixture, facing: Facing, column: int, row: int, sku: str | None = None) -> Array:
    """The corners (8, 3) in store metres of an item in its place, base first; row -1 is on top of the first row."""
    width, depth, height = site.items[sku or facing.sku].size_m
    own = site.items[facing.sku].size_m
    pitch = min(own[1] + ROW_GAP_M, (fixture.depth_m - BACK_GAP_M) / facing.rows)
    u = facing.offset_m + (column + 0.5) * facing.width_m / facing.columns
    v = FRONT_GAP_M + max(row, 0) * pitch
    z = site.shelves[facing.shelf].height_m + (own[2] if row == ON_TOP else 0.0)
    return np.array([
        fixture.point(u + du, v + dv, z + dz)
        for dz in (0.0, height) for du, dv in ((-width / 2, 0), (width / 2, 0), (width / 2, depth), (-width / 2, depth))
    ])  # fmt: skip


def silhouette(site: Site, view: FacingView, model: CameraModel, column: int, row: int, sku: str) -> Patch:
    """Where an item of any kind shows that stands in a place of a facing."""
    fixture = site.fixtures[view.facing.fixture]
    return _without(_hull(model, item_box_m(site, fixture, view.facing, column, row, sku)), view.cover)


def _silhouette(site: Site, fixture: Fixture, facing: Facing, model: CameraModel, cover: Bools, column: int,
                row: int) -> Patch:  # fmt: skip
    return _without(_hull(model, item_box_m(site, fixture, facing, column, row)), cover)


def _floor(
    site: Site, fixture: Fixture, facing: Facing, model: CameraModel, cover: Bools, column: int, row: int
) -> Patch:
    """The middle of an item's base, as far as boards above leave it free."""
    base = item_box_m(site, fixture, facing, column, row)[:4]
    middle = base.mean(axis=0)
    return _without(_hull(model, middle + 0.75 * (base - middle)), cover)


def gap_patches(site: Site, camera: SurveyedCamera, model: CameraModel) -> dict[str, Patch]:
    """By shelf: the strip of bare board before its first row."""
    strips = {}
    for name in camera.watches:
        fixture = site.fixtures[name]
        for shelf in fixture.shelves:
            ends = [(u, v) for u in (0.02, fixture.width_m - 0.02) for v in (0.0, FRONT_GAP_M)]
            strips[shelf.id] = _hull(model, np.array([fixture.point(u, v, shelf.height_m) for u, v in ends]))
    return strips


def _hull(model: CameraModel, points_m: Array) -> Patch:
    """The convex hull of points as a patch, cut off at the edges of the picture; empty when a point does not show."""
    pixels = model.project(points_m)
    if not np.isfinite(pixels).all():
        return NOWHERE
    low = np.maximum(np.floor(pixels.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(pixels.max(axis=0)).astype(int) + 1, [model.width_px, model.height_px])
    if (high <= low).any():
        return NOWHERE
    canvas = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    hull = cv2.convexHull(np.rint(pixels - low - 0.5).astype(np.int32))
    cv2.fillConvexPoly(canvas, hull, 1)
    return Patch(int(low[1]), int(low[0]), canvas > 0)


def _cover(fixture: Fixture, height_m: float, model: CameraModel) -> Bools:
    """What the boards above hide of a shelf, as a mask of the whole picture."""
    out = np.zeros((model.height_px, model.width_px), bool)
    above = [shelf.height_m for shelf in fixture.shelves if shelf.height_m > height_m + 0.01]
    for top_m in [*above, fixture.height_m]:
        board = _slab(fixture, top_m - RAIL_M, top_m)
        if top_m == fixture.height_m and board[:, 2].max() > model.position_m[2]:
            continue
        patch = _hull(model, board)
        height, width = patch.mask.shape
        out[patch.top : patch.top + height, patch.left : patch.left + width] |= patch.mask
    return out


def _slab(fixture: Fixture, low_m: float, high_m: float) -> Array:
    return np.array([
        fixture.point(u, v, z) for z in (low_m, high_m) for u in (0.0, fixture.width_m) for v in (0.0, fixture.depth_m)
    ])  # fmt: skip


def _without(patch: Patch, cover: Bools) -> Patch:
    return Patch(patch.top, patch.left, patch.mask & ~patch.of(cover))


def around(patches: Sequence[Patch], margin: int = 0) -> Patch:
    """An empty mask around patches, of which there is at least one."""
    top, left = min(p.top for p in patches), min(p.left for p in patches)
    bottom = max(p.top + p.mask.shape[0] for p in patches)
    right = max(p.left + p.mask.shape[1] for p in patches)
    top, left = max(top - margin, 0), max(left - margin, 0)
    return Patch(top, left, np.zeros((bottom + margin - top, right + margin - left), bool))


def _union(patches: Sequence[Patch], margin: int) -> Patch:
    frame = around(patches, margin)
    for patch in patches:
        frame.mask[:] |= patch.within(frame)
    return frame


def marks(site: Site, camera: SurveyedCamera) -> Marks:
    """By what a camera can be aligned: price rails, the outlines of a full front row, and what must be calm."""
    fixtures = [site.fixtures[name] for name in camera.watches]
    return Marks(
        [line for fixture in fixtures for line in _rail_lines(fixture)],
        [line for fixture in fixtures for line in _goods_lines(site, fixture)],
        [line for fixture in fixtures for line in _quiet_lines(fixture)],
    )


def _rail_lines(fixture: Fixture) -> Iterator[Line]:
    for shelf in fixture.shelves:
        corners = {
            (u, z): np.array(fixture.point(u, -RAIL_PROUD_M, z))
            for u in (0.0, fixture.width_m) for z in (shelf.height_m, shelf.height_m - RAIL_M)
        }  # fmt: skip
        (a, b, c, d) = corners.values()
        yield from ((a, c), (b, d), (a, b), (c, d))


def _goods_lines(site: Site, fixture: Fixture) -> Iterator[Line]:
    for shelf in fixture.shelves:
        for facing in shelf.facings:
            for column in range(facing.columns):
                box = item_box_m(site, fixture, facing, column, 0)
                yield from ((box[4], box[5]), (box[0], box[4]), (box[1], box[5]))


def _quiet_lines(fixture: Fixture) -> Iterator[Line]:
    """The middles of the price rails, between the tags of the facings."""
    for shelf in fixture.shelves:
        ends = [0.02, *(f.offset_m + f.width_m / 2 for f in shelf.facings), fixture.width_m - 0.02]
        for left, right in pairwise(ends):
            if right - left > 2 * TAG_M:
                z = shelf.height_m - RAIL_M / 2
                a, b = (fixture.point(u, -RAIL_PROUD_M, z) for u in (left + TAG_M, right - TAG_M))
                yield np.array(a), np.array(b)
