"""One step of several items, of which several hands may have taken some.

In: a weight change and all that it may have been. Out: a change for each of its items.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from smartstore.fusion.changes import Change, with_grams
from smartstore.fusion.joint import Hypothesis
from smartstore.fusion.merging import is_sure


def item_by_item(change: Change, said: Sequence[Hypothesis], near: Iterable[str], sure: float) -> list[Change]:
    """The items that ``change`` took, each as a change, if it is ``sure`` what they were, whoever took them, and hands
    of several visits were ``near``; ``said`` is what it may have been, best first.
    """
    step, count = change.step, said[0].quantity
    what = {(h.sku, h.quantity): h for h in reversed(said)}
    whoever = sorted(what.values(), key=lambda h: -h.score)
    if step is None or count < 2 or not is_sure(whoever, sure) or len(list(near)) < 2:
        return [change]
    one = with_grams(step, step.grams / count)
    seen = change.seen and replace(change.seen, items=round(change.seen.items / count))
    return [replace(change, caused_by=f"{change.caused_by}:{n}", step=one, seen=seen) for n in range(count)]
