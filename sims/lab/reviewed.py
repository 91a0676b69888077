"""What receipts would say had a human settled every case by the truth.

In: receipts as billed, true changes and hand-overs, and what the product said. Out: lines per visit. Pure.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sims.lab.score import FATE_NS, MATCH_NS, Lines
from sims.truth import TrueChange, TrueHandOver
from smartstore.wire.messages import ShelfChange

REVIEW_NS = 3_000_000_000
"""How far from a change the case may be in which a human finds it."""


def after_review(
    billed: Lines,
    true: Sequence[TrueChange],
    found: Sequence[tuple[str, ShelfChange]],
    shelf_of: Mapping[str, str],
    hand_overs: Sequence[TrueHandOver] = (),
    meetings: Sequence[tuple[int, frozenset[str]]] = (),
) -> dict[str, dict[str, int]]:
    """What the receipts would say had a human settled every case by the truth.

    A case settles the nearest change of its shelf within 3 s that the product did not book right, and what the same
    hand moved with it; the case of a meeting settles what those two handed over within 3 s of it. Wrong bookings
    without a case stay as they are.
    """
    lines = {visit: Counter(dict(items)) for visit, items in billed.items()}
    told = [(c.kind, c.visit, c.sku, c.happened_ns) for _, c in found for _ in range(c.quantity) if c.kind != "doubt"]
    untold = []
    for change in true:
        mine = [t for t in told if t[:3] == (change.kind, change.visit, change.sku) and _near(t[3], change, FATE_NS)]
        if mine:
            told.remove(min(mine, key=lambda t: abs(t[3] - change.t_ns)))
        else:
            untold.append(change)
    for place, doubt in sorted(found, key=lambda pair: pair[1].happened_ns):
        shelf = shelf_of.get(place, place)
        here = [c for c in untold if c.shelf == shelf and _near(doubt.happened_ns, c, REVIEW_NS)]
        if doubt.kind != "doubt" or not here:
            continue
        first = min(here, key=lambda c: abs(c.t_ns - doubt.happened_ns))
        for change in here:
            same = (change.kind, change.person, change.sku) == (first.kind, first.person, first.sku)
            if same and _near(change.t_ns, first, MATCH_NS):
                untold.remove(change)
                if change.visit:
                    lines.setdefault(change.visit, Counter())[change.sku] += 1 if change.kind == "take" else -1
    for given in hand_overs:
        if any({given.visit, given.to_visit} == visits and _near(t_ns, given, REVIEW_NS) for t_ns, visits in meetings):
            lines.setdefault(given.visit or "", Counter())[given.sku] -= 1
            lines.setdefault(given.to_visit or "", Counter())[given.sku] += 1
    return {visit: {sku: n for sku, n in items.items() if n > 0} for visit, items in lines.items()}


def _near(t_ns: int, change: TrueChange | TrueHandOver, most_ns: int) -> bool:
    return abs(t_ns - change.t_ns) <= most_ns
