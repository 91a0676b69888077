"""What signs are worth: how often what they hint at was so, counted in stories whose truth is known.

In: stories, and what was learned of evidence. Out: the shares of :class:`ShareOptions` by Laplace's rule of succession,
with their counts, and the likelihood of the truth on stories that were held out.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sims.lab.families import PASSING
from sims.lab.learn_record import Story, replay
from sims.lab.learn_stories import Told, Wanted, again
from smartstore.fusion.attribution import Attributor
from smartstore.fusion.bookings import Passing
from smartstore.fusion.exchanges import Exchange
from smartstore.fusion.meetings import Meeting
from smartstore.fusion.shares import ShareOptions
from smartstore.fusion.stoops import Stoop
from smartstore.pipeline import PipelineOptions, attributor
from smartstore.site import Site

AROUND_NS = 2_000_000_000
"""What truly passed on so far from what was seen may still be it."""
LEAST = 1e-4


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign that was seen, by the name of its share, and whether what it hints at was so."""

    share: str
    so: bool


class _Noticing(Attributor):
    """Keeps what may have passed on."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.noticed: list[Passing] = []

    def _passing(self, *given: Any) -> Iterator[Passing]:
        for passing in super()._passing(*given):
            self.noticed.append(passing)
            yield passing


def of_passing(seeds: Sequence[int], only: Sequence[str]) -> list[Wanted]:
    """Stories in which something passes on, of which one of each family is too few."""
    families = [family for family in PASSING if not only or family.name in only]
    return [one for seed in seeds for family in families for one in again(family, seed)]


def all_signs(stories: Sequence[Told], options: PipelineOptions) -> list[Sign]:
    """The signs of all stories."""
    return [sign for story, site in stories for sign in signs_of(story, site, options)]


def signs_of(story: Story, site: Site, options: PipelineOptions) -> list[Sign]:
    """Every sign that was seen in a story."""
    stage = attributor(site, options, kind=_Noticing)
    replay(story, stage)
    return [sign for passing in stage.noticed for sign in _signs(passing, story)]


def counted(signs: Sequence[Sign]) -> dict[str, tuple[int, int]]:
    """Per share, how often it was so, and how often the sign was seen."""
    seen, so = Counter(sign.share for sign in signs), Counter(sign.share for sign in signs if sign.so)
    return {share: (so[share], seen[share]) for share in asdict(ShareOptions())}


def laplace(counts: Mapping[str, tuple[int, int]]) -> ShareOptions:
    """The shares that counts stand for: one of each kind was seen before counting."""
    return ShareOptions(**{share: round((so + 1) / (of + 2), 3) for share, (so, of) in counts.items()})


def learned_shares(signs: Sequence[Sign], held_out: Sequence[Sign], before: ShareOptions) -> dict[str, Any]:
    """Of each share its count, how often its sign was seen in what was held out, and what it is worth there beside
    what it was ``before``: the mean log probability of what was so, in nats."""
    counts, shares = counted(signs), laplace(counted(signs))
    worths = [_worth(held_out, which) for which in (before, shares)]
    return {
        share: {"so": so, "of": of, "held_out": sum(sign.share == share for sign in held_out)}
        | {when: worth[share] for when, worth in zip(("before", "after"), worths, strict=True) if share in worth}
        for share, (so, of) in counts.items()
    }  # fmt: skip


def _worth(signs: Sequence[Sign], shares: ShareOptions) -> dict[str, float]:
    logs: dict[str, list[float]] = {}
    for sign in signs:
        share = getattr(shares, sign.share)
        logs.setdefault(sign.share, []).append(math.log(max(share if sign.so else 1 - share, LEAST)))
    return {share: float(f"{sum(values) / len(values):.4g}") for share, values in logs.items()}


def _signs(passing: Passing, story: Story) -> Iterator[Sign]:
    """The signs of one that was noticed. Nothing can pass on where nobody carries anything."""
    match passing:
        case Meeting():
            yield from _of_meeting(passing, story)
        case Stoop(visit=visit):
            left = next((d for d in story.drops if d.visit == visit and _within(d.t_ns, passing)), None)
            if left is not None or +_carried(story, visit, passing.t_start_ns)[0]:
                yield Sign("left", left is not None)
            if left is not None:
                yield from _of_bag(passing.source, story, visit, left.sku, left.t_ns)
        case Exchange(giver=giver, taker=taker, sku=sku):
            here = [change for change in story.changes if (change.sku, change.facing) == (sku, passing.facing)]
            deeds = {(c.kind, c.visit) for c in here if abs(c.t_ns - passing.t_ns) <= AROUND_NS}
            yield Sign("exchanged" if passing.alone else "rang_along", {("put_back", giver), ("take", taker)} <= deeds)


def _of_meeting(meeting: Meeting, story: Story) -> Iterator[Sign]:
    seen, both = meeting.signs, meeting.visits
    given = next((h for h in story.hand_overs if {h.visit, h.to_visit} == {*both} and _within(h.t_ns, meeting)), None)
    if given is not None or any(+_carried(story, visit, meeting.t_start_ns)[0] for visit in both):
        yield Sign("parted" if seen.parted else "stayed", given is not None)
    if given is None:
        return
    giver = both.index(given.visit or "")
    if seen.offered is not None:
        yield Sign("offers", seen.offered == giver)
    if seen.came is not None:
        yield Sign("comes", seen.came == giver)
    yield from _of_bag(seen.sources[giver], story, both[giver], given.sku, given.t_ns)


def _of_bag(source: str, story: Story, visit: str, sku: str, t_ns: int) -> Iterator[Sign]:
    """Whether what somebody parted with was out of the bag: not what they took last. No question with one kind of
    goods, or where what was taken last is gone."""
    carried, last = _carried(story, visit, t_ns)
    if last in +carried and len(+carried) > 1:
        yield Sign(source, sku != last)


def _carried(story: Story, visit: str, t_ns: int) -> tuple[Counter[str], str | None]:
    """What a visit truly carried at a time, and what it took last."""
    carried: Counter[str] = Counter()
    last = None
    for t, sku, count in sorted(_moves(story, visit)):
        if t < t_ns:
            carried[sku] += count
            last = sku if count > 0 else last
    return carried, last


def _moves(story: Story, visit: str) -> Iterator[tuple[int, str, int]]:
    """What came to a visit, and what went: time, SKU and how many."""
    for change in story.changes:
        if change.visit == visit:
            yield change.t_ns, change.sku, change.quantity if change.kind == "take" else -change.quantity
    for given in story.hand_overs:
        if visit in (given.visit, given.to_visit) and given.visit != given.to_visit:
            yield given.t_ns, given.sku, 1 if given.to_visit == visit else -1
    for drop in story.drops:
        if drop.visit == visit:
            yield drop.t_ns, drop.sku, -1


def _within(t_ns: int, seen: Meeting | Stoop) -> bool:
    return seen.t_start_ns - AROUND_NS <= t_ns <= seen.t_end_ns + AROUND_NS
