"""Which items moved: changed pixels explained by items that leave or join the fronts of their columns.

In: a mask of changed pixels, the facings in which to look. Out: moves, best first, and the pixels that no move
explains.

A move predicts for every pixel how likely it changes: nearly surely where the item's silhouette uncovers the board or
another item of a different column, less surely where the next item of the same kind shows the same colours. A move's
score is the sum of log-likelihood ratios against "nothing happened" over the pixels it speaks about; moves are chosen
greedily, and explained pixels count no more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from smartstore.vision.boards import for_count
from smartstore.vision.shelf_face import NOWHERE, ON_TOP, FacingView, Patch, around

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Shape = Callable[[int, int, int, str], Patch]
"""(facing, column, row, sku): where an item shows that stands there."""
MIN_PX = 40.0
"""Fewer changed pixels are never worth a look."""


class Eye(Protocol):
    """What the looks of places say, before and now."""

    def bare(self, facing: int) -> Array:
        """A facing's evidence for bare boards now against before, (columns, rows)."""

    def went(self, facing: int, column: int, row: int, sku: str, region: Patch) -> float:
        """How much more a place, or a region, looked like an item before than now, in -1..1."""

    def unlike(self, facing: int, column: int, row: int, sku: str) -> float:
        """How little a place now looks like an item, 0 (well enough) to 1; 0 where that cannot be said."""

    def strangers(self, facing: int, column: int, row: int) -> Sequence[str]:
        """Products of other facings that a place may show now, likeliest first."""


@dataclass(frozen=True, slots=True)
class MoveOptions:
    """How surely pixels change with a move, and when a move is believed."""

    sure: float = 0.8
    alike: float = 0.35
    """Where the item before looks like the one behind."""
    nothing: float = 0.02
    min_cover: float = 0.45
    """Least share of a move's sure pixels that must have changed."""
    min_area: float = 0.18
    """Least number of changed pixels of a facing, in visible items, worth a look."""
    most_items: int = 3
    """More than so many items of one column between two clear views are not considered."""
    second_penalty: float = 0.13
    """Price of each further item in one move, in items' pixels."""
    board_weight: float = 0.05
    """What one unit of evidence from a bare board is worth, in items' pixels."""
    look_weight: float = 1.2
    """What it is worth, in items' pixels, that a region wholly stopped to look like the item."""
    behind_weight: float = 1.2
    """The same of the item behind, which comes to light or is hidden."""
    stranger_penalty: float = 0.25
    """Price of an item that does not belong there."""
    unlike_penalty: float = 0.6
    """Price of an item that came and does not look like itself at all; it may be the edge of a neighbour's."""
    stirred: float = 0.25
    """Share of a place that must have changed before it is asked whether a stranger stands there."""
    shift_penalty: float = 0.5
    """Price of believing that a column held one item more or less than thought, in items' pixels."""
    spread_px: int = 3
    """Pixels so near to an explained region count as explained."""


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """``items`` joined (positive) or left the column of the facing with this index; ``region`` is where they show."""

    facing: int
    column: int
    items: int
    held: int
    """Items that the column held before."""
    sku: str
    """Of the item at the front: the one that joined last or left first, as far as the stock is known."""
    probability: float
    region: Patch

    @property
    def place(self) -> int:
        """Which item of the column, from 0 at the back, that is."""
        return max(self.held, self.held + self.items) - 1


@dataclass(slots=True, eq=False)
class Shelves:
    """The stock as far as it is known: the items of every column of every facing, and the level that was reported."""

    views: Sequence[FacingView]
    shape: Shape
    options: MoveOptions
    smallest: str
    """The SKU of the smallest item that may come."""
    _stacks: list[list[list[str]]] = field(init=False)
    _levels: list[int] = field(init=False)
    _least: list[float] = field(init=False)
    """Changed pixels of a facing that are worth a look."""

    def __post_init__(self) -> None:
        self._least = [self._least_px(i) for i in range(len(self.views))]
        self._stacks = [[[v.facing.sku] * v.facing.rows for _ in range(v.facing.columns)] for v in self.views]
        self._levels = [view.facing.capacity for view in self.views]

    def level(self, i: int) -> int:
        """Items in a facing, as reported: moves count, later insight into where a column began does not."""
        return self._levels[i]

    def counts(self, i: int) -> list[int]:
        """Items in each column of a facing."""
        return [len(stack) for stack in self._stacks[i]]

    def assume(self, i: int, counts: Sequence[int]) -> None:
        """Sets the stock of a facing that is seen for the first time."""
        sku = self.views[i].facing.sku
        self._stacks[i], self._levels[i] = [[sku] * count for count in counts], sum(counts)

    def apply(self, move: Move) -> None:
        """Books a move."""
        stack = self._held(move.facing, move.column, move.held)
        stack = stack + [move.sku] * move.items if move.items > 0 else stack[: move.items]
        self._stacks[move.facing][move.column] = stack
        self._levels[move.facing] = max(0, self._levels[move.facing] + move.items)

    def row(self, i: int, place: int) -> int:
        """The row in which an item of a column stands; one too many stands on top of the first."""
        return max(self.views[i].facing.rows - 1 - place, ON_TOP)

    def in_front(self, i: int, column: int, row: int) -> list[Patch]:
        """What the neighbouring columns hide: their items that stand nearer to the front edge than ``row``."""
        return [
            self.shape(i, other, self.row(i, place), stack[place])
            for other in (column - 1, column + 1) if 0 <= other < len(self._stacks[i])
            for stack in [self._stacks[i][other]]
            for place in range(len(stack)) if self.row(i, place) < max(row, 0)
        ]  # fmt: skip

    def explain(self, changed: Bools, usable: Sequence[int], eye: Eye) -> tuple[list[Move], Bools]:
        """The moves in the ``usable`` facings that explain ``changed``, and what they leave unexplained."""
        rest = changed.copy()
        moves: list[Move] = []
        taken: set[tuple[int, int]] = set()
        busy = [i for i in usable if self._worth_a_look(i, rest)]
        boards = {i: eye.bare(i) for i in busy}
        while busy and len(moves) < 12:
            options = [m for i in busy for m in self._options(i, rest, taken, boards[i], eye)]
            if not options:
                break
            _, move = max(options, key=lambda pair: pair[0])
            moves.append(move)
            taken.add((move.facing, move.column))
            _erase(rest, move.region, self.options.spread_px)
            busy = [i for i in busy if self._worth_a_look(i, rest)]
        return moves, rest

    def _held(self, i: int, column: int, held: int) -> list[str]:
        """A column's items if there are ``held``: one more or less than thought is so at the back."""
        stack = self._stacks[i][column]
        return [self.views[i].facing.sku] * (held - len(stack)) + stack[max(len(stack) - held, 0) :]

    def _worth_a_look(self, i: int, rest: Bools) -> bool:
        frame = self.views[i].frame
        return bool(np.count_nonzero(frame.of(rest) & frame.mask) >= self._least[i])

    def _least_px(self, i: int) -> float:
        """A share of a facing's own item, but not more than would show of something small that is put there."""
        view = self.views[i]
        own = float(np.median([column[1].area for column in view.items]))
        small = self.shape(i, view.facing.columns // 2, 0, self.smallest).area
        return max(min(self.options.min_area * own, 0.5 * small), MIN_PX)

    def _options(
        self, i: int, rest: Bools, taken: set[tuple[int, int]], bare: Array, eye: Eye
    ) -> list[tuple[float, Move]]:
        """All believable moves in one facing with their scores."""
        out = []
        facing, most = self.views[i].facing, self.options.most_items
        for column, count in enumerate(self.counts(i)):
            if (i, column) in taken:
                continue
            for held in (count, count - 1, count + 1):
                if not 0 <= held <= max(facing.rows, count):
                    continue
                stack = self._held(i, column, held)
                tries = [(-n, stack[-1]) for n in range(1, min(most, held) + 1)]
                tries += [(n, facing.sku) for n in range(1, min(most, facing.rows + 1 - held) + 1)]
                if held == count and held <= facing.rows and self._stirred(i, column, held, rest):
                    tries += [(1, sku) for sku in eye.strangers(i, column, self.row(i, held))]
                for items, sku in tries:
                    scored = self._score(i, column, stack, items, sku, rest, bare[column], eye)
                    if scored is not None:
                        out.append(scored)
        return out

    def _stirred(self, i: int, column: int, place: int, rest: Bools) -> bool:
        """Whether something may have come to a place: enough of it has changed."""
        patch = self.shape(i, column, self.row(i, place), self.views[i].facing.sku)
        least = min(self.options.stirred * patch.area, self._least[i])
        return bool(np.count_nonzero(patch.of(rest) & patch.mask) >= least)

    def _score(
        self, i: int, column: int, stack: list[str], items: int, sku: str, rest: Bools, bare: Array, eye: Eye
    ) -> tuple[float, Move] | None:
        options, held = self.options, len(stack)
        parts = self._prediction(i, column, stack, items, sku)
        if parts is None:
            return None
        frame, sure, alike = parts
        changed = frame.of(rest)
        counts = [int(np.count_nonzero(part)) for part in (sure, sure & changed, alike, alike & changed)]
        if counts[0] + counts[2] < 20:
            return None
        # Of an item before its own kind perhaps only a strip is sure: then all of it has a say.
        weight = counts[0] + options.alike * counts[2]
        cover = (counts[1] + options.alike * counts[3]) / max(weight, 1.0)
        if cover < options.min_cover:
            return None
        score = _ratio(counts[0], counts[1], options.sure, options.nothing)
        score += _ratio(counts[2], counts[3], options.alike, options.nothing)
        price = options.second_penalty * (abs(items) - 1)
        price += options.shift_penalty * abs(held - len(self._stacks[i][column]))
        price += options.stranger_penalty if items > 0 and sku != self.views[i].facing.sku else 0.0
        gain = options.board_weight * (for_count(bare, held + items) - for_count(bare, held))
        region = Patch(frame.top, frame.left, sure | alike)
        gain += self._looks(i, column, stack, items, sku, region, eye)
        score += (gain - price) * (self.views[i].item(column, 0).area or 1) * np.log(options.sure / options.nothing)
        if score <= 0:
            return None
        probability = float(np.clip(0.5 + 0.5 * (cover - options.min_cover) / (0.8 - options.min_cover), 0.5, 0.99))
        return score, Move(i, column, items, held, sku, probability, region)

    def _looks(self, i: int, column: int, stack: list[str], items: int, sku: str, region: Patch, eye: Eye) -> float:
        """What the looks say: the item in front went or came, and the one behind it came to light or was hidden."""
        low, high = sorted((len(stack), len(stack) + items))
        front = eye.went(i, column, self.row(i, high - 1), sku, region)
        gain = self.options.look_weight * (front if items < 0 else -front)
        if items > 0:
            gain -= self.options.unlike_penalty * eye.unlike(i, column, self.row(i, high - 1), sku)
        if low > 0:
            behind = eye.went(i, column, self.row(i, low - 1), stack[low - 1], NOWHERE)
            gain += self.options.behind_weight * (-behind if items < 0 else behind)
        return gain

    def _prediction(
        self, i: int, column: int, stack: list[str], items: int, sku: str
    ) -> tuple[Patch, Bools, Bools] | None:
        """Where a move shows: a canvas, the pixels that surely change, and those that show the same kind again."""
        low, high = sorted((len(stack), len(stack) + items))
        full = stack + [sku] * max(items, 0)
        moved = [self.shape(i, column, self.row(i, place), full[place]) for place in range(low, high)]
        shown = [patch for patch in moved if patch.mask.size > 1]
        if not shown:
            return None
        frame = around(shown)
        seen = np.zeros_like(frame.mask)
        for patch in moved:
            seen |= patch.within(frame)
        for patch in self.in_front(i, column, self.row(i, high - 1)):
            seen &= ~patch.within(frame)
        if low == 0 or full[low - 1] != full[high - 1]:
            return frame, seen, np.zeros_like(seen)
        alike = self.shape(i, column, self.row(i, low - 1), full[low - 1]).within(frame) & seen
        return frame, seen & ~alike, alike


def _ratio(pixels: int, changed: int, p: float, nothing: float) -> float:
    """Log-likelihood ratio of ``changed`` out of ``pixels`` changed pixels."""
    same = pixels - changed
    return float(changed * np.log(p / nothing) + same * np.log((1 - p) / (1 - nothing)))


def _erase(rest: Bools, region: Patch, spread: int) -> None:
    """Takes a region and its near surroundings out of a mask."""
    top, left = max(region.top - spread, 0), max(region.left - spread, 0)
    height, width = region.mask.shape
    part = rest[top : region.top + height + spread, left : region.left + width + spread]
    grown = region.within(Patch(top, left, np.zeros(part.shape, bool)))
    for axis in (0, 1):
        wide = grown.copy()
        for shift in range(1, spread + 1):
            ahead, back = [slice(None)] * 2, [slice(None)] * 2
            ahead[axis], back[axis] = slice(shift, None), slice(None, -shift)
            wide[tuple(ahead)] |= grown[tuple(back)]
            wide[tuple(back)] |= grown[tuple(ahead)]
        grown = wide
    part[grown] = False
