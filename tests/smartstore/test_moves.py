"""What explains changed pixels of a shelf face: items that came and went, and what none of them explains."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from smartstore.site import Site, load_site
from smartstore.vision.moves import MoveOptions, Shelves
from smartstore.vision.shelf_face import ON_TOP, FacingView, Patch, facing_views, silhouette

FACING = "g1-3-c"


@pytest.fixture(scope="module")
def corner() -> Site:
    return load_site(Path(__file__).parents[2] / "configs/stores/corner.yaml")


@pytest.fixture(scope="module")
def views(corner: Site) -> list[FacingView]:
    return facing_views(corner, corner.cameras["s1"], corner.cameras["s1"].model)


@dataclass
class Eye:
    """Boards and looks say nothing, but for how little anything looks like what is said to have come."""

    views: Sequence[FacingView]
    unlikeness: float = 0.0

    def bare(self, facing: int) -> NDArray[np.float64]:
        return np.zeros((self.views[facing].facing.columns, self.views[facing].facing.rows))

    def went(self, facing: int, column: int, row: int, sku: str, region: Patch) -> float:
        return 0.0

    def unlike(self, facing: int, column: int, row: int, sku: str) -> float:
        return self.unlikeness

    def strangers(self, facing: int, column: int, row: int) -> Sequence[str]:
        return ()


def full_shelves(corner: Site, views: Sequence[FacingView]) -> Shelves:
    model = corner.cameras["s1"].model

    def shape(i: int, column: int, row: int, sku: str) -> Patch:
        if sku == views[i].facing.sku:
            return views[i].item(column, row)
        return silhouette(corner, views[i], model, column, row, sku)

    smallest = min(corner.items, key=lambda sku: corner.items[sku].size_m)
    return Shelves(views, shape, MoveOptions(), smallest)


def changed(corner: Site, patch: Patch, share: float) -> NDArray[np.bool_]:
    """The left part of a patch, as a mask of the whole picture."""
    model = corner.cameras["s1"].model
    mask = np.zeros((model.height_px, model.width_px), bool)
    width = patch.mask.shape[1]
    part = patch.mask & (np.arange(width) < share * width)
    mask[patch.top : patch.top + part.shape[0], patch.left : patch.left + width] |= part
    return mask


def moves(corner: Site, views: Sequence[FacingView], pixels: NDArray[np.bool_], eye: Eye) -> list[tuple[str, int, int]]:
    found, _ = full_shelves(corner, views).explain(pixels, list(range(len(views))), eye)
    return [(views[move.facing].facing.id, move.column, move.items) for move in found]


def at(views: Sequence[FacingView]) -> FacingView:
    return next(view for view in views if view.facing.id == FACING)


def test_an_item_on_top_of_a_full_column_came(corner: Site, views: list[FacingView]) -> None:
    pixels = changed(corner, at(views).item(3, ON_TOP), 1.0)
    assert moves(corner, views, pixels, Eye(views)) == [(FACING, 3, 1)]


def test_what_does_not_look_like_the_item_at_all_is_left_unexplained(corner: Site, views: list[FacingView]) -> None:
    """As where a wide bag stands in the next facing and reaches over this one."""
    pixels = changed(corner, at(views).item(3, ON_TOP), 0.6)
    assert moves(corner, views, pixels, Eye(views)) == [(FACING, 3, 1)], "by its pixels alone it might have come"
    assert moves(corner, views, pixels, Eye(views, unlikeness=1.0)) == []


def test_a_take_is_not_asked_what_it_looks_like(corner: Site, views: list[FacingView]) -> None:
    pixels = changed(corner, at(views).item(1, 0), 0.6)
    assert moves(corner, views, pixels, Eye(views, unlikeness=1.0)) == [(FACING, 1, -1)]
