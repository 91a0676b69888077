"""From the chosen explanation to the event: what is sure is booked, the rest becomes a case.

In: decided changes with their probabilities, unexplained touches, meetings of hands, exchanges and stoops. Out:
:class:`ItemTaken`, :class:`ItemReturned`, :class:`CaseRaised`; and the living planogram follows.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter

from smartstore.domain.events import CaseRaised, ItemReturned, ItemTaken
from smartstore.domain.items import Candidate
from smartstore.fusion.changes import Change
from smartstore.fusion.exchanges import Exchange
from smartstore.fusion.joint import Choice, Hypothesis
from smartstore.fusion.meetings import Meeting
from smartstore.fusion.placing import Correction
from smartstore.fusion.planogram import Planogram
from smartstore.fusion.policy import PolicyOptions, threshold
from smartstore.fusion.reach import Touch
from smartstore.fusion.stoops import Stoop
from smartstore.fusion.unseen import UnseenPair
from smartstore.fusion.weights import KnownWeights
from smartstore.site import Site

ItemEvent = ItemTaken | ItemReturned | CaseRaised
HANDED = 0.75
"""Of meetings of hands, the share in which something changed hands."""
LEFT = 0.75
"""Of hands at the floor, the share that left something there."""
EXCHANGED = 0.67
"""Of pairs of hands in one facing that looks as before, the share that moved something to and fro ..."""
RANG_ALONG = 0.5
"""... and the same where another plate of the shelf moved, too, as when somebody leans on it. Both by Laplace's rule of
succession: one of one and one of two that were seen in 101 stories of the gauntlet.
"""
Carts = dict[str, Counter[str]]
"""What each visit holds, by SKU."""


class Bookings:
    """Books what is at least ``sure``, or what a ``policy`` says is; a case names at most ``most`` candidates.

    ``doubt`` is what visits may hold besides: takes that became cases. Putting such a thing back is booked as doubtful.
    """

    def __init__(
        self,
        site: Site,
        planogram: Planogram,
        weights: KnownWeights,
        sure: float,
        most: int,
        policy: PolicyOptions | None = None,
    ) -> None:
        self._site, self._planogram, self._weights = site, planogram, weights
        self._sure, self._most, self._policy = sure, most, policy
        self.doubt: Carts = {}
        self._taken_at: dict[tuple[str, str], str] = {}
        self._held_since: dict[tuple[str, str], int] = {}

    def forget(self, inside: list[str]) -> None:
        """Only the visits ``inside`` matter any more."""
        self.doubt = {visit: held for visit, held in self.doubt.items() if visit in inside}
        self._taken_at = {key: facing for key, facing in self._taken_at.items() if key[0] in inside}
        for visit in {visit for visit, _ in self._held_since} - set(inside):
            self._weights.forget(visit)
        self._held_since = {key: t_ns for key, t_ns in self._held_since.items() if key[0] in inside}

    def _held_by(self, visit: str, t_ns: int, holdings: Carts) -> list[str]:
        """What a visit holds and held at a time already."""
        held = sorted(sku for sku, count in holdings.get(visit, {}).items() if count > 0)
        return [sku for sku in held if self._held_since.get((visit, sku), t_ns) <= t_ns]

    def _takes(self, visit: str, sku: str, count: int, facing: str, t_ns: int, holdings: Carts) -> None:
        held = holdings.setdefault(visit, Counter())
        if held[sku] <= 0:
            self._held_since[visit, sku] = t_ns
        held[sku] += count
        self._taken_at[visit, sku] = facing

    def book(
        self, change: Change, choice: Choice, t_ns: int, holdings: Carts, stranger: bool = False
    ) -> list[ItemEvent]:
        """The event of a decided change; none for what was nobody's sale. ``stranger``: somebody of no visit had a hand
        there, so that there is nobody to look for whom a take could be billed to.
        """
        claim = choice.hypothesis
        if self._came_from_nobody(change, choice):
            return []
        if not claim.sku:
            self._clear(change)
            sale = max(((p, h) for h, p in choice.ranking if h.sku and h.visit), default=None, key=itemgetter(0))
            return [self._case(change, choice, t_ns)] if sale and sale[0] > 1 - self._enough(sale[1]) else []
        unclear = change.step is None and change.seen is not None and change.seen.unclear
        nobody = not claim.visit and claim.quantity > 0 and not stranger
        if unclear or nobody or choice.probability < self._enough(claim):
            return [self._case(change, choice, t_ns)]
        return self._moved(change, choice, claim, t_ns, holdings)

    def _came_from_nobody(self, change: Change, choice: Choice) -> bool:
        """Whether something was laid down that no cart misses, whatever it is: kept in mind by its weight."""
        if change.step is None or change.step.grams <= 0 or not change.facings:
            return False
        nobodys = [(claim, p) for claim, p in choice.ranking if not claim.visit]
        goods = max((p for claim, p in nobodys if claim.sku), default=0.0)
        if sum(p for _, p in nobodys) < self._sure or goods >= self._sure:
            return False
        self._planogram.laid(change.facings[0], change.step.grams)
        return True

    def _clear(self, change: Change) -> None:
        """Weight went and it was nobody's sale: a thing that lay there and weighs so is gone."""
        step = change.step
        if step is not None and step.grams < 0:
            thing = self._planogram.thing_like(change.facings, -step.grams, step.sigma_grams)
            if thing is not None:
                self._planogram.cleared(thing)

    def _enough(self, claim: Hypothesis) -> float:
        """How likely a claim has to be."""
        if self._policy is None:
            return self._sure
        return threshold(self._policy, self._site.items[claim.sku].price_minor * abs(claim.quantity))

    def _moved(self, change: Change, choice: Choice, claim: Hypothesis, t_ns: int, holdings: Carts) -> list[ItemEvent]:
        held = holdings.setdefault(claim.visit, Counter()) if claim.visit else Counter()
        count, rest = abs(claim.quantity), (claim.visit, t_ns, change.caused_by, claim.sku)
        if claim.quantity > 0:
            self._planogram.took(claim.facing, claim.sku, count)
            self._weights.went(claim.facing, claim.sku, count, change.step)
            if not claim.visit:
                return []
            self._weights.came(claim.visit, claim.sku, count, change.step)
            self._takes(claim.visit, claim.sku, count, claim.facing, t_ns, holdings)
            return [ItemTaken(*rest, count, claim.facing, choice.probability)]
        self._planogram.returned(claim.facing, claim.sku, count)
        if claim.sku != self._site.facings[claim.facing].sku:
            self._weights.came(claim.facing, claim.sku, count, change.step)
        if not claim.visit:
            return []
        self._weights.went(claim.visit, claim.sku, count, change.step)
        booked = min(count, held[claim.sku])
        if booked < count:
            self.doubt[claim.visit][claim.sku] -= count - booked
        held[claim.sku] -= booked
        return [ItemReturned(*rest, booked, claim.facing, choice.probability, doubtful=count - booked)]

    def corrected(self, correction: Correction, holdings: Carts) -> list[ItemEvent]:
        """What was booked of a visit's take is taken back, and what it really took is booked instead."""
        taken, new = correction.taken, correction.instead
        old, caused_by = taken.booked, taken.change.caused_by
        held = holdings.setdefault(old.visit, Counter())
        if held[old.sku] < old.quantity:
            return []
        held[old.sku] -= old.quantity
        self._weights.went(old.visit, old.sku, old.quantity, taken.change.step)
        self._weights.came(new.visit, new.sku, new.quantity, taken.change.step)
        self._planogram.corrected(old.facing, old.sku, old.quantity)
        self._planogram.took(new.facing, new.sku, new.quantity)
        self._takes(new.visit, new.sku, new.quantity, new.facing, taken.t_ns, holdings)
        rest = new.facing, correction.probability
        return [
            ItemReturned(old.visit, taken.t_ns, f"{caused_by}:not:{new.sku}", old.sku, old.quantity, *rest),
            ItemTaken(new.visit, taken.t_ns, f"{caused_by}:but:{new.sku}", new.sku, new.quantity, *rest),
        ]

    def _case(self, change: Change, choice: Choice, t_ns: int) -> CaseRaised:
        best = choice.ranking[: self._most]
        likely: dict[str, float] = {}
        for claim, probability in choice.ranking:
            if claim.visit:
                likely[claim.visit] = likely.get(claim.visit, 0.0) + probability
        visit = min(likely, key=lambda name: (-likely[name], name), default="")
        for claim, probability in best:
            if claim.visit and claim.quantity > 0 and probability > 0.05:
                held = self.doubt.setdefault(claim.visit, Counter())
                held[claim.sku] = max(held[claim.sku], claim.quantity)
        candidates = tuple(Candidate(h.visit or None, h.sku, h.quantity, h.facing, min(p, 1.0)) for h, p in best)
        place = change.facings[0] if change.facings else change.shelf
        case = change.caused_by.replace(":", "-").replace("+", "-")
        return CaseRaised(visit, t_ns, change.caused_by, case, place, candidates)

    def touched(self, touch: Touch, visit: str | None) -> list[ItemEvent]:
        """The case of a hand that nothing explains; none when it belongs to no visit."""
        if visit is None:
            return []
        total = sum(spent for _, spent in touch.facings) or 1.0
        candidates = tuple(
            Candidate(visit, self._site.facings[name].sku, 1, name, round(0.5 * spent / total, 6))
            for name, spent in touch.facings[: self._most]
        )
        place = touch.facings[0][0]
        caused_by = f"touch:{touch.track}:{touch.side}:{place}:{touch.t_start_ns}"
        return [CaseRaised(visit, touch.t_end_ns, caused_by, caused_by.replace(":", "-"), place, candidates)]

    def unseen(self, pair: UnseenPair) -> list[ItemEvent]:
        """The case of two hands in a facing between which nobody saw it: something was there and back, or nothing."""
        total = sum(fit for _, fit in pair.facings)
        candidates = tuple(
            Candidate(pair.visit, self._site.facings[name].sku, quantity, name, round(0.25 * fit / total, 6))
            for name, fit in pair.facings[: self._most]
            for quantity in (1, -1)
        )[: self._most]
        place, second = pair.facings[0][0], pair.second
        caused_by = f"unseen:{second.track}:{place}:{pair.first.t_start_ns}:{second.t_start_ns}"
        t_ns = (second.t_start_ns + second.t_end_ns) // 2
        return [CaseRaised(pair.visit, t_ns, caused_by, caused_by.replace(":", "-"), place, candidates)]

    def met(self, meeting: Meeting, holdings: Carts) -> list[ItemEvent]:
        """The case of two visits whose hands met: any item of either may be with the other one now, or none is."""
        gifts = [
            (giver, taker, sku)
            for giver, taker in (meeting.visits, meeting.visits[::-1])
            for sku in self._held_by(giver, meeting.t_ns, holdings)
        ]
        if not gifts:
            return []
        share = round(HANDED / len(gifts), 6)
        candidates = [
            Candidate(taker, sku, 1, self._taken_at.get((giver, sku)), share, giver) for giver, taker, sku in gifts
        ]
        caused_by = f"meeting:{meeting.visits[0]}:{meeting.visits[1]}:{meeting.t_start_ns}"
        return self._case_of_two(candidates, meeting.t_ns, caused_by)

    def exchanged(self, exchange: Exchange, holdings: Carts) -> list[ItemEvent]:
        """Two hands in one facing that looks as before: what one put back the other one took, or it is a case."""
        sku, place, t_ns = exchange.sku, exchange.facing, exchange.t_ns
        caused_by = f"exchange:{exchange.giver}:{exchange.taker}:{place}:{t_ns}"
        share = EXCHANGED if exchange.alone else RANG_ALONG
        if self._enough(Hypothesis(exchange.taker, sku, 1, place, 0.0)) > share:
            gift = Candidate(exchange.taker, sku, 1, place, share, exchange.giver)
            return self._case_of_two([gift], t_ns, caused_by)
        holdings[exchange.giver][sku] -= 1
        self._weights.went(exchange.giver, sku, 1, None)
        self._weights.came(exchange.taker, sku, 1, None)
        self._takes(exchange.taker, sku, 1, place, t_ns, holdings)
        return [
            ItemReturned(exchange.giver, t_ns, f"{caused_by}:put", sku, 1, place, share),
            ItemTaken(exchange.taker, t_ns, f"{caused_by}:take", sku, 1, place, share),
        ]

    def stooped(self, stoop: Stoop, holdings: Carts) -> list[ItemEvent]:
        """The case of hands at the floor: something out of the cart may lie there now."""
        held = self._held_by(stoop.visit, stoop.t_ns, holdings)
        left = [
            Candidate(stoop.visit, sku, -1, self._taken_at.get((stoop.visit, sku)), round(LEFT / len(held), 6))
            for sku in held
        ]
        if not left:
            return []
        candidates = (*left[: self._most - 1], Candidate(None, "", 0, None, round(1 - LEFT, 6)))
        caused_by = f"stoop:{stoop.visit}:{stoop.t_start_ns}"
        case, place = caused_by.replace(":", "-"), left[0].facing or ""
        return [CaseRaised(stoop.visit, stoop.t_ns, caused_by, case, place, candidates)]

    def _case_of_two(self, gifts: Sequence[Candidate], t_ns: int, caused_by: str) -> list[ItemEvent]:
        """One case for a giver and a taker; of ``gifts`` one may be right, or none. The takers may hold them now."""
        for gift in gifts:
            held = self.doubt.setdefault(gift.visit or "", Counter())
            held[gift.sku] = max(held[gift.sku], 1)
        nothing = Candidate(None, "", 0, None, round(1 - sum(gift.probability for gift in gifts), 6))
        candidates = (*gifts[: self._most - 1], nothing)
        giver, taker, place = gifts[0].giver or "", gifts[0].visit or "", gifts[0].facing or ""
        case = CaseRaised(giver, t_ns, caused_by, caused_by.replace(":", "-"), place, candidates)
        return [case, replace(case, visit=taker, caused_by=f"{caused_by}:also", again=True)]
