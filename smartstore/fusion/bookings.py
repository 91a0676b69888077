"""From the chosen explanation to the event: what is sure is booked, the rest becomes a case.

In: decided changes with their probabilities, unexplained touches, meetings of hands, exchanges and stoops. Out:
:class:`ItemTaken`, :class:`ItemReturned`, :class:`CaseRaised`; and the living planogram follows.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from smartstore.domain.events import CaseRaised, ItemReturned, ItemTaken
from smartstore.domain.items import Candidate
from smartstore.fusion.changes import Change
from smartstore.fusion.exchanges import Exchange
from smartstore.fusion.goods import Carts, Goods
from smartstore.fusion.joint import Choice, Hypothesis
from smartstore.fusion.meetings import Meeting
from smartstore.fusion.placing import Correction
from smartstore.fusion.planogram import Planogram
from smartstore.fusion.policy import PolicyOptions, threshold
from smartstore.fusion.reach import Touch
from smartstore.fusion.shares import ShareOptions, fetched, gives, handed
from smartstore.fusion.stoops import Stoop
from smartstore.fusion.unseen import UnseenPair
from smartstore.fusion.weights import KnownWeights
from smartstore.site import Site

ItemEvent = ItemTaken | ItemReturned | CaseRaised
Passing = Meeting | Exchange | Stoop
"""Something may have gone from somebody to another one, or to the floor, and no sensor sees what."""


class Bookings:
    """Books what is at least ``sure``, or what a ``policy`` says is; a case names at most ``most`` candidates.
    ``shares`` say how likely something passed on.

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
        shares: ShareOptions | None = None,
    ) -> None:
        self._site, self._planogram, self._weights = site, planogram, weights
        self._sure, self._most, self._policy, self._shares = sure, most, policy, shares or ShareOptions()
        self.doubt: Carts = {}
        self._goods = Goods(weights)

    def forget(self, inside: list[str]) -> None:
        """Only the visits ``inside`` matter any more."""
        self.doubt = {visit: held for visit, held in self.doubt.items() if visit in inside}
        self._goods.forget(inside)

    def _withheld(self, visit: str, partings: Sequence[Candidate]) -> tuple[tuple[str, int], ...]:
        """What a visit holds no more by so likely explanations that it could not be billed for it."""
        gone: dict[str, float] = {}
        for claim in partings:
            if claim.giver == visit or (claim.visit == visit and claim.quantity < 0):
                gone[claim.sku] = gone.get(claim.sku, 0.0) + claim.probability
        return tuple((sku, 1) for sku, p in gone.items() if 1 - p < self._enough(Hypothesis(visit, sku, 1, "", 0.0)))

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
            sale = next((h for h, _ in choice.ranking if h.sku and h.visit), None)
            gone = sum(p for h, p in choice.ranking if h.sku)
            return [self._case(change, choice, t_ns)] if sale and gone > 1 - self._enough(sale) else []
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
            self._goods.takes(claim.visit, claim.sku, count, claim.facing, t_ns, holdings)
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
        self._goods.takes(new.visit, new.sku, new.quantity, new.facing, taken.t_ns, holdings)
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

    def passed(self, what: Passing, holdings: Carts) -> list[ItemEvent]:
        """What may have passed on is booked where that is likely enough, or a case."""
        match what:
            case Meeting():
                return self._met(what, holdings)
            case Exchange():
                return self._exchanged(what, holdings)
            case Stoop():
                return self._stooped(what, holdings)

    def _met(self, meeting: Meeting, holdings: Carts) -> list[ItemEvent]:
        """Hands of two visits met: what went from one to the other is booked where that is likely enough, and nothing
        where it is likely that nothing did; else it is a case of both.
        """
        seen, t_ns, shares = meeting.signs, meeting.t_ns, self._shares
        went, first = handed(seen, shares), gives(seen, shares)
        gave, bags = (went * first, went * (1 - first)), [fetched(source, shares) for source in seen.sources]
        parted = [self._goods.parted(meeting.visits[i], t_ns, holdings, bags[i]) for i in (0, 1)]
        possible = 1 - went + sum(p for p, goods in zip(gave, parted, strict=True) if goods)
        gifts = [
            Candidate(taker, sku, 1, self._goods.home(giver, sku), round(p * share / possible, 6), giver)
            for giver, taker, p, goods in zip(meeting.visits, meeting.visits[::-1], gave, parted, strict=True)
            for sku, share in goods.items()
        ]
        if all((1 - went) / possible >= self._enough(_taken(gift)) for gift in gifts):
            return []
        gifts.sort(key=lambda gift: -gift.probability)
        caused_by = f"meeting:{meeting.visits[0]}:{meeting.visits[1]}:{meeting.t_start_ns}"
        return self._given(gifts, t_ns, caused_by, holdings)

    def _exchanged(self, exchange: Exchange, holdings: Carts) -> list[ItemEvent]:
        """Two hands in one facing that looks as before: what one put back the other one took, or it is a case."""
        caused_by = f"exchange:{exchange.giver}:{exchange.taker}:{exchange.facing}:{exchange.t_ns}"
        share = self._shares.exchanged if exchange.alone else self._shares.rang_along
        gift = Candidate(exchange.taker, exchange.sku, 1, exchange.facing, share, exchange.giver)
        return self._given([gift], exchange.t_ns, caused_by, holdings)

    def _given(self, gifts: Sequence[Candidate], t_ns: int, caused_by: str, holdings: Carts) -> list[ItemEvent]:
        """What went from one visit to another: booked where the likeliest gift is likely enough, or a case of both."""
        gift = gifts[0]
        giver, taker, place = gift.giver or "", gift.visit or "", gift.facing
        if place is None or gift.probability < self._enough(_taken(gift)):
            return self._case_of_two(gifts, t_ns, caused_by)
        holdings[giver][gift.sku] -= 1
        self._weights.went(giver, gift.sku, 1, None)
        self._weights.came(taker, gift.sku, 1, None)
        self._goods.takes(taker, gift.sku, 1, place, t_ns, holdings)
        return [
            ItemReturned(giver, t_ns, f"{caused_by}:put", gift.sku, 1, place, gift.probability),
            ItemTaken(taker, t_ns, f"{caused_by}:take", gift.sku, 1, place, gift.probability),
        ]

    def _stooped(self, stoop: Stoop, holdings: Carts) -> list[ItemEvent]:
        """The case of hands at the floor: something out of the cart may lie there now."""
        parted = self._goods.parted(stoop.visit, stoop.t_ns, holdings, fetched(stoop.source, self._shares))
        left = [
            Candidate(stoop.visit, sku, -1, self._goods.home(stoop.visit, sku), round(self._shares.left * share, 6))
            for sku, share in sorted(parted.items(), key=lambda entry: -entry[1])
        ]
        if not left:
            return []
        candidates = (*left[: self._most - 1], Candidate(None, "", 0, None, round(1 - self._shares.left, 6)))
        caused_by = f"stoop:{stoop.visit}:{stoop.t_start_ns}"
        case, place = caused_by.replace(":", "-"), left[0].facing or ""
        withheld = self._withheld(stoop.visit, left)
        return [CaseRaised(stoop.visit, stoop.t_ns, caused_by, case, place, candidates, withheld=withheld)]

    def _case_of_two(self, gifts: Sequence[Candidate], t_ns: int, caused_by: str) -> list[ItemEvent]:
        """One case for a giver and a taker; of ``gifts`` one may be right, or none. The takers may hold them now."""
        for gift in gifts:
            held = self.doubt.setdefault(gift.visit or "", Counter())
            held[gift.sku] = max(held[gift.sku], 1)
        nothing = Candidate(None, "", 0, None, round(1 - sum(gift.probability for gift in gifts), 6))
        candidates = (*gifts[: self._most - 1], nothing)
        giver, taker, place = gifts[0].giver or "", gifts[0].visit or "", gifts[0].facing or ""
        case = CaseRaised(giver, t_ns, caused_by, caused_by.replace(":", "-"), place, candidates,
                          withheld=self._withheld(giver, gifts))  # fmt: skip
        also = replace(case, visit=taker, caused_by=f"{caused_by}:also", again=True,
                       withheld=self._withheld(taker, gifts))  # fmt: skip
        return [case, also]


def _taken(gift: Candidate) -> Hypothesis:
    """A gift as what it is for whoever got it."""
    return Hypothesis(gift.visit or "", gift.sku, gift.quantity, gift.facing or "", gift.probability)
