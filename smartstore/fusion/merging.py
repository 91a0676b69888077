"""Steps that are one: a hand that rested before it lifted, that left late, or that leaned there, heavier and lighter.

In: changes of a group, and a function that says what a change may be after others. Out: the changes, those of the same
plates as one where that is the better explanation.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from itertools import pairwise

from smartstore.fusion.changes import Change, joined
from smartstore.fusion.evidence import EvidenceOptions, press_log
from smartstore.fusion.joint import Hypothesis, is_sure, undoes
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
        for parts in (beside[-1:], beside) if len(beside) > 1 else (beside,):
            one = _as_one([*parts, change], following, options, evidence)
            if one is not None:
                place = out.index(parts[0])
                out = [other for other in out if other not in parts]
                out.insert(place, one)
                break
        else:
            out.append(change)
    return out


def _as_one(
    parts: Sequence[Change], following: Following, options: AttributionOptions, evidence: EvidenceOptions
) -> Change | None:
    """Changes of the same plates as one, when that is the better explanation."""
    steps = [part.step for part in parts if part.step]
    near = all(b.t_start_ns - a.t_end_ns <= options.merge_s * NS_PER_S for a, b in pairwise(parts))
    if len(parts) < 2 or len(steps) < len(parts) or not near:
        return None
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
    return one if undone or together.score + rest > sum(said[0].score for said in apart) else None
