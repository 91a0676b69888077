"""Steps that are one: a hand that rested before it lifted, that left late, or that leaned there, heavier and lighter.

In: changes of a group, and a function that says what a change may be after others. Out: the changes, those of the same
plates as one where that is the better explanation.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from itertools import pairwise
from operator import itemgetter

from smartstore.fusion.changes import Change, joined
from smartstore.fusion.evidence import EvidenceOptions, press_log
from smartstore.fusion.joint import Hypothesis
from smartstore.fusion.options import AttributionOptions

NS_PER_S = 1_000_000_000
Following = Callable[[Sequence[Change], Change], Sequence[Hypothesis]]
"""What a change may be after others that are not booked yet, best first."""


def merged(
    group: Sequence[Change], following: Following, options: AttributionOptions, evidence: EvidenceOptions
) -> list[Change]:
    """The changes of ``group``: each as one with the last before it on its plates, or with all of them, if it is."""
    out: list[Change] = []
    for change in group:
        beside = [other for other in out if other.facings == change.facings]
        ways = [beside[-1:], beside] if len(beside) > 1 else [beside]
        found = [(gain, parts, one) for parts in ways
                 for gain, one in (_as_one([*parts, change], following, options, evidence),) if gain >= 0]  # fmt: skip
        if not found:
            out.append(change)
            continue
        _, parts, one = max(found, key=itemgetter(0))
        place = out.index(parts[0])
        out = [other for other in out if other not in parts]
        out.insert(place, one)
    return out


def _as_one(
    parts: Sequence[Change], following: Following, options: AttributionOptions, evidence: EvidenceOptions
) -> tuple[float, Change]:
    """Changes of the same plates as one, and by how much that is the better explanation."""
    steps = [part.step for part in parts if part.step]
    near = all(b.t_start_ns - a.t_end_ns <= options.merge_s * NS_PER_S for a, b in pairwise(parts))
    if len(parts) < 2 or len(steps) < len(parts) or not near:
        return -math.inf, parts[-1]
    main = max(parts, key=lambda part: abs(part.step.grams) if part.step else 0.0)
    seen = next((part.seen for part in parts if part.seen), None)
    end_ns = parts[-1].t_end_ns
    one = replace(parts[0], t_end_ns=end_ns, step=reduce(joined, steps), seen=seen, main_ns=main.hands_ns)
    pressed = sorted(abs(step.grams) for step in steps)[:-1]
    rest = sum(press_log(grams, evidence) + options.merge_nats for grams in pressed)
    apart = [following(parts[:i], part) for i, part in enumerate(parts)]
    together = following((), one)[0]
    undone = len(parts) == 2 and not together.sku and undoes(apart[0][0], apart[1], options.sure)
    undone = undone and not all(is_sure(said, options.sure) for said in apart)  # else both are booked as what they are
    gain = together.score + rest - sum(said[0].score for said in apart)
    return (max(gain, 0.0) if undone else gain), one


def undoes(first: Hypothesis, second: Sequence[Hypothesis], sure: float) -> bool:
    """Whether the best of ``second`` takes back what ``first`` claims, and its visit did it with probability ``sure``:
    no receipt is another one for it."""
    best = second[0]
    if not first.visit or (best.visit, best.sku, best.quantity) != (first.visit, first.sku, -first.quantity):
        return False
    weights = [(h.visit, math.exp(h.score - best.score)) for h in second]
    return sum(w for visit, w in weights if visit == best.visit) >= sure * sum(w for _, w in weights)


def is_sure(hypotheses: Sequence[Hypothesis], sure: float) -> bool:
    """Whether the best of the ``hypotheses`` of one change has at least the probability ``sure`` by itself."""
    return 1 / sum(math.exp(h.score - hypotheses[0].score) for h in hypotheses) >= sure
