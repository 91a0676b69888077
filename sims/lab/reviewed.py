"""What receipts would say had a human settled every case by the truth.

In: what was booked, true changes and hand-overs, and what the product said. Out: lines per visit. Pure.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sims.lab.score import FATE_NS, MATCH_NS, Lines
from sims.truth import TrueChange, TrueDrop, TrueHandOver
from smartstore.wire.messages import ShelfChange

REVIEW_NS = 3_000_000_000
"""How far from a change the case may be in which a human finds it."""

Found = Sequence[tuple[str, ShelfChange]]
OfTwo = tuple[str, int, frozenset[str]]
"""Place and time of a case that concerns two visits, and those visits."""
Carts = dict[str, Counter[str]]


def after_review(
    booked: Lines,
    true: Sequence[TrueChange],
    found: Found,
    shelf_of: Mapping[str, str],
    hand_overs: Sequence[TrueHandOver] = (),
    of_two: Sequence[OfTwo] = (),
    drops: Sequence[TrueDrop] = (),
) -> dict[str, dict[str, int]]:
    """What the receipts would say had a human settled every case by the truth.

    A case settles the nearest change of its shelf within 3 s that the product did not book right, and what the same
    hand moved with it. One of two visits settles what went from one to the other within 3 s: out of hand, or through
    the shelf; and one within 3 s of the moment at which its visit left something on the floor settles that. Wrong
    bookings without a case stay as they are.
    """
    lines = {visit: Counter(dict(items)) for visit, items in booked.items()}
    untold = _untold(true, found)
    for place, t_ns, visits in of_two:
        for change in _between(untold, shelf_of.get(place, place), t_ns, visits):
            _settle(change, untold, lines)
    told_of_two = {(place, t_ns) for place, t_ns, _ in of_two}
    for place, doubt in sorted(found, key=lambda pair: pair[1].happened_ns):
        if doubt.kind == "doubt" and (place, doubt.happened_ns) not in told_of_two:
            for change in _of_one_hand(untold, shelf_of.get(place, place), doubt.happened_ns):
                _settle(change, untold, lines)
    for given in hand_overs:
        between = {given.visit, given.to_visit}
        if any(between == visits and abs(t_ns - given.t_ns) <= REVIEW_NS for _, t_ns, visits in of_two):
            lines.setdefault(given.visit or "", Counter())[given.sku] -= 1
            lines.setdefault(given.to_visit or "", Counter())[given.sku] += 1
    for drop in drops:
        if any(
            c.kind == "doubt" and c.visit == drop.visit and abs(c.happened_ns - drop.t_ns) <= REVIEW_NS
            for _, c in found
        ):
            lines.setdefault(drop.visit or "", Counter())[drop.sku] -= 1
    return {visit: {sku: n for sku, n in items.items() if n > 0} for visit, items in lines.items()}


def runner_up(judged: Sequence[tuple[float, bool]]) -> float:
    """The most that any other explanation can have had of a booking that was wrong: what is left to the second best.
    ``judged`` are the bookings of :func:`bookings`.
    """
    return max((1 - sure for sure, right in judged if not right), default=0.0)


def bookings(
    true: Sequence[TrueChange], found: Found, hand_overs: Sequence[TrueHandOver] = ()
) -> list[tuple[float, bool]]:
    """The probability of every booking, item by item, and whether it was right; cases are none.

    What was booked and put right later, by one put-back and one take of the same place and time, is left out, with what
    put it right.
    """
    moved = [("take", c.to_visit, c.sku, c.t_ns) for c in hand_overs]
    moved += [("put_back", c.visit, c.sku, c.t_ns) for c in hand_overs]
    moved += [(c.kind, c.visit, c.sku, c.t_ns) for c in true]
    booked = [c for _, c in found for _ in range(c.quantity) if c.kind != "doubt"]
    judged: list[tuple[float, bool]] = []
    wrong = []
    for change in booked:
        mine = [m for m in moved if m[:3] == (change.kind, change.visit, change.sku)]
        near = [m for m in mine if abs(m[3] - change.happened_ns) <= FATE_NS]
        if near:
            moved.remove(min(near, key=lambda m: abs(m[3] - change.happened_ns)))
            judged.append((change.probability, True))
        else:
            wrong.append(change)
    undone = Counter((c.visit, c.sku, c.happened_ns) for c in wrong if c.kind == "put_back")
    taken = Counter((c.visit, c.sku, c.happened_ns) for c in wrong if c.kind == "take")
    left = [c for c in wrong if not undone[c.visit, c.sku, c.happened_ns] or not taken[c.visit, c.sku, c.happened_ns]]
    return [*judged, *((change.probability, False) for change in left)]


def _untold(true: Sequence[TrueChange], found: Found) -> list[TrueChange]:
    """The true changes that were not booked right."""
    told = [(c.kind, c.visit, c.sku, c.happened_ns) for _, c in found for _ in range(c.quantity) if c.kind != "doubt"]
    untold = []
    for change in true:
        key = (change.kind, change.visit, change.sku)
        mine = [t for t in told if t[:3] == key and abs(t[3] - change.t_ns) <= FATE_NS]
        if mine:
            told.remove(min(mine, key=lambda t: abs(t[3] - change.t_ns)))
        else:
            untold.append(change)
    return untold


def _between(untold: Sequence[TrueChange], shelf: str, t_ns: int, visits: frozenset[str]) -> list[TrueChange]:
    """What went from one visit to another one through a shelf around a time; nothing if only one did anything."""
    both = [c for c in untold if c.shelf == shelf and c.visit in visits and abs(c.t_ns - t_ns) <= REVIEW_NS]
    one_sku = len({change.sku for change in both}) == 1
    return both if one_sku and {change.visit for change in both} == visits else []


def _of_one_hand(untold: Sequence[TrueChange], shelf: str, t_ns: int) -> list[TrueChange]:
    """The change of a shelf that is nearest to a time, and what the same hand moved with it."""
    here = [c for c in untold if c.shelf == shelf and abs(c.t_ns - t_ns) <= REVIEW_NS]
    if not here:
        return []
    first = min(here, key=lambda c: abs(c.t_ns - t_ns))
    key = (first.kind, first.person, first.sku)
    return [c for c in here if (c.kind, c.person, c.sku) == key and abs(c.t_ns - first.t_ns) <= MATCH_NS]


def _settle(change: TrueChange, untold: list[TrueChange], lines: Carts) -> None:
    untold.remove(change)
    if change.visit:
        lines.setdefault(change.visit, Counter())[change.sku] += 1 if change.kind == "take" else -1
