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

import numpy as np
from numpy.typing import NDArray

from smartstore.vision.boards import for_count
from smartstore.vision.shelf_face import ON_TOP, FacingView, Patch

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]


Went = Callable[[int, int, int, int, Patch], float]
"""(facing, column, fewest, most items, region): how much more the region looked like the item before than now."""


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
    probability: float
    region: Patch


@dataclass(slots=True, eq=False)
class Shelves:
    """The stock as far as it is known: items per column of every facing, and the level that was reported."""

    views: Sequence[FacingView]
    options: MoveOptions
    _counts: list[list[int]] = field(init=False)
    _levels: list[int] = field(init=False)
    _typical: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self._typical = [float(np.median([column[1].area for column in view.items])) for view in self.views]
        self._counts = [[view.facing.rows] * view.facing.columns for view in self.views]
        self._levels = [sum(counts) for counts in self._counts]

    def level(self, i: int) -> int:
        """Items in a facing, as reported: moves count, later insight into where a column began does not."""
        return self._levels[i]

    def assume(self, i: int, counts: list[int]) -> None:
        """Sets the stock of a facing that is seen for the first time."""
        self._counts[i], self._levels[i] = counts, sum(counts)

    def apply(self, move: Move) -> None:
        """Books a move."""
        self._counts[move.facing][move.column] = move.held + move.items
        self._levels[move.facing] = max(0, self._levels[move.facing] + move.items)

    def explain(
        self,
        changed: Bools,
        usable: Sequence[int],
        bare: Callable[[int], Array],
        departed: Callable[[int, Patch], float],
    ) -> tuple[list[Move], Bools]:
        """The moves in the ``usable`` facings that explain ``changed``, and what they leave unexplained.

        ``bare`` gives a facing's evidence for bare boards in the new picture, (columns, rows); ``departed`` how much
        more a region looked like the facing's item before than it does now.
        """
        rest = changed.copy()
        moves: list[Move] = []
        taken: set[tuple[int, int]] = set()
        busy = [i for i in usable if self._worth_a_look(i, rest)]
        boards = {i: bare(i) for i in busy}
        gone: dict[tuple[int, int, int, int], float] = {}

        def went(i: int, column: int, low: int, high: int, region: Patch) -> float:
            key = (i, column, low, high)
            if key not in gone:
                gone[key] = departed(i, region)
            return gone[key]

        while busy and len(moves) < 12:
            options = [m for i in busy for m in self._options(i, rest, taken, boards[i], went)]
            if not options:
                break
            _, move = max(options, key=lambda pair: pair[0])
            moves.append(move)
            taken.add((move.facing, move.column))
            _erase(rest, move.region, self.options.spread_px)
            busy = [i for i in busy if self._worth_a_look(i, rest)]
        return moves, rest

    def _worth_a_look(self, i: int, rest: Bools) -> bool:
        frame = self.views[i].frame
        return bool(np.count_nonzero(frame.of(rest) & frame.mask) >= self.options.min_area * self._typical[i])

    def _options(
        self, i: int, rest: Bools, taken: set[tuple[int, int]], bare: Array, went: Went
    ) -> list[tuple[float, Move]]:
        """All believable moves in one facing with their scores."""
        out = []
        rows, most = self.views[i].facing.rows, self.options.most_items
        for column, count in enumerate(self._counts[i]):
            if (i, column) in taken:
                continue
            for held in (count, count - 1, count + 1):
                if not 0 <= held <= max(rows, count):
                    continue
                for items in [*range(-min(most, held), 0), *range(1, min(most, rows + 1 - held) + 1)]:
                    scored = self._score(i, column, held, items, rest, bare[column], went)
                    if scored is not None:
                        out.append(scored)
        return out

    def _score(
        self, i: int, column: int, held: int, items: int, rest: Bools, bare: Array, went: Went
    ) -> tuple[float, Move] | None:
        options, view = self.options, self.views[i]
        parts = self._prediction(i, column, held, items)
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
        price = options.second_penalty * (abs(items) - 1) + options.shift_penalty * abs(held - self._counts[i][column])
        gain = options.board_weight * (for_count(bare, held + items) - for_count(bare, held))
        region = Patch(frame.top, frame.left, sure | alike)
        look = went(i, column, min(held, held + items), max(held, held + items), region)
        gain += options.look_weight * (look if items < 0 else -look)
        score += (gain - price) * (view.item(column, 0).area or 1) * np.log(options.sure / options.nothing)
        if score <= 0:
            return None
        probability = float(np.clip(0.5 + 0.5 * (cover - options.min_cover) / (0.8 - options.min_cover), 0.5, 0.99))
        return score, Move(i, column, items, held, probability, region)

    def _prediction(self, i: int, column: int, held: int, items: int) -> tuple[Patch, Bools, Bools] | None:
        """Where a move shows: a canvas, the pixels that surely change, and those that show the same kind again."""
        view = self.views[i]
        low, high = sorted((held, held + items))
        rows = [view.facing.rows - n for n in range(low + 1, high + 1)]
        frame = _frame([view.item(column, row) for row in rows])
        if frame is None:
            return None
        seen = np.zeros_like(frame.mask)
        for row in rows:
            seen |= view.item(column, row).within(frame)
        seen &= ~self._in_front(i, column, min(rows), frame)
        behind = view.facing.rows - low
        if behind >= view.facing.rows:
            return frame, seen, np.zeros_like(seen)
        alike = view.item(column, behind).within(frame) & seen
        return frame, seen & ~alike, alike

    def _in_front(self, i: int, column: int, row: int, frame: Patch) -> Bools:
        """What the neighbouring columns hide: their items that stand nearer to the front edge than ``row``."""
        out = np.zeros_like(frame.mask)
        view, counts = self.views[i], self._counts[i]
        for other in (column - 1, column + 1):
            if 0 <= other < len(counts):
                first = view.facing.rows - counts[other]
                for r in range(max(first, ON_TOP), max(row, 0)):
                    out |= view.item(other, r).within(frame)
        return out


def _ratio(pixels: int, changed: int, p: float, nothing: float) -> float:
    """Log-likelihood ratio of ``changed`` out of ``pixels`` changed pixels."""
    same = pixels - changed
    return float(changed * np.log(p / nothing) + same * np.log((1 - p) / (1 - nothing)))


def _frame(patches: Sequence[Patch]) -> Patch | None:
    """An empty canvas around patches."""
    patches = [patch for patch in patches if patch.mask.size > 1]
    if not patches:
        return None
    top, left = min(p.top for p in patches), min(p.left for p in patches)
    bottom = max(p.top + p.mask.shape[0] for p in patches)
    right = max(p.left + p.mask.shape[1] for p in patches)
    return Patch(top, left, np.zeros((bottom - top, right - left), bool))


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
