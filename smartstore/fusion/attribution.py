"""Who took what: changes on shelves and people on the floor become takes, put-backs and cases.

In: weight steps, facing changes, views of facings, floor states and the liveness of scales; at every decision also
who holds what and whose track is whose, as plain data. Out: :class:`ItemTaken`, :class:`ItemReturned`, and
:class:`CaseRaised` where the best explanation does not beat the others by enough.

A change is decided a while after it ended, so that slower cameras have spoken, together with the changes that overlap
it. Where scales are alive, facing changes are evidence for weight steps; elsewhere they are the changes themselves,
and what hands may have done there unseen is doubt.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from msgspec import structs

from smartstore.domain.events import CaseRaised, ItemReturned, ItemTaken
from smartstore.domain.items import Explanation, FacingChange, WeightStep
from smartstore.domain.people import FloorState
from smartstore.fusion.alive import LivingScales, ScaleAlive
from smartstore.fusion.bookings import Bookings, ItemEvent, Passing
from smartstore.fusion.changes import Change, at_once, of_step, with_grams
from smartstore.fusion.dips import DipFinder
from smartstore.fusion.evidence import same_weight_log
from smartstore.fusion.exchanges import Exchanges
from smartstore.fusion.goods import Carts
from smartstore.fusion.hypotheses import Hypothesiser, seen_explanations
from smartstore.fusion.joint import Choice, Hypothesis, solve
from smartstore.fusion.meetings import Meetings
from smartstore.fusion.merging import merged
from smartstore.fusion.nearby import Nearby
from smartstore.fusion.options import FusionOptions
from smartstore.fusion.placing import Placing
from smartstore.fusion.planogram import Planogram
from smartstore.fusion.reach import ReachMemory
from smartstore.fusion.sharing import item_by_item
from smartstore.fusion.sightings import Sightings
from smartstore.fusion.stoops import Stoops
from smartstore.fusion.touches import FacingsSeen, OpenTouches
from smartstore.fusion.unseen import Moved, UnseenPairs
from smartstore.fusion.waiting import Waiting
from smartstore.fusion.weights import KnownWeights
from smartstore.site import Site

NS_PER_S = 1_000_000_000
Explain = Callable[[WeightStep], list[Explanation]]
Watch = Callable[[Change, Choice], None]
"""Told of every decided change and all that it may have been, before it is booked."""


def unwatched(_change: Change, _choice: Choice) -> None:
    """Nobody listens: a function with a name, so that the stage can be kept and taken up again."""


@dataclass(frozen=True, slots=True)
class Known:
    """What others know at the time of a decision: carts, owners of tracks, and the visits inside."""

    holdings: Mapping[str, Mapping[str, int]]
    owners: Mapping[int, str]
    inside: Sequence[str]
    strangers: Collection[int] = ()
    """Tracks of people who are known to be of no visit: staff, and who walked in behind somebody."""
    moved: frozenset[tuple[int, str]] = frozenset()
    """When SKUs may have been taken a moment ago, so that carts do not show them yet."""

    def movable(self, t_ns: int) -> frozenset[str]:
        """The SKUs that may have been taken a moment before ``t_ns``."""
        return frozenset(sku for moved_ns, sku in self.moved if moved_ns < t_ns)


class Attributor:
    """Explains changes jointly. ``explain`` says what a weight step may be by weight; ``watch`` hears decisions."""

    def __init__(
        self, site: Site, explain: Explain, options: FusionOptions | None = None, watch: Watch = unwatched
    ) -> None:
        options = options or FusionOptions()
        self._site, self._explain, self._watch = site, explain, watch
        self._options, self._evidence, self._joint = options.attribution, options.evidence, options.joint
        self.planogram = Planogram(site, options.planogram)
        self._placing = Placing(self.planogram, self._evidence)
        weights = KnownWeights()
        self._hypotheses = Hypothesiser(site, self.planogram, weights, self._evidence, options.hypotheses)
        self._reach = ReachMemory(site, self._evidence, options.reach)
        self._near = Nearby(self._reach)
        self._touches = OpenTouches(options.touches)
        self._scales = LivingScales(site, self._options.scale_silent_s)
        self._sightings = Sightings(site, self._scales, options.sightings)
        self._waiting = Waiting(site, self.planogram, self._options, self._scales, self._sightings, self._touches)
        self._dips = DipFinder(site, options.dips)
        self._unseen = UnseenPairs(self._scales.weighed, options.unseen)
        self._meetings = Meetings(site, options.meetings, options.parting)
        self._exchanges = Exchanges(site, options.exchanges)
        self._stoops = Stoops(site, options.stoops, options.parting)
        self._thought: dict[tuple[Change, frozenset[str]], list[Hypothesis]] = {}
        rules = (self._options.sure, self._options.candidates, options.policy, options.shares)
        self._bookings = Bookings(site, self.planogram, weights, *rules)

    def observe(self, fact: WeightStep | FacingChange | FloorState | FacingsSeen | ScaleAlive) -> None:
        """Takes in one more fact, in event-time order."""
        match fact:
            case FloorState():
                self._touches.add(self._reach.observe(fact))
                dips = self._dips.observe(fact)
                self._unseen.add(dips)
                for dip in dips:
                    if not all(self._scales.weighed(facing, dip.t_end_ns) for facing, _ in dip.facings):
                        self._stoops.in_shelf(dip.track, dip.t_start_ns, dip.t_end_ns)
                self._meetings.observe(fact)
                self._stoops.observe(fact)
            case ScaleAlive():
                self._scales.observe(fact)
                self._exchanges.observe(fact)
            case FacingsSeen():
                self._touches.see(fact)
                self._unseen.see(fact)
            case WeightStep():
                self._sightings.felt(fact)
                self._exchanges.felt(fact)
                if self._site.facings_of_shelf(fact.shelf):
                    self._waiting.changes.append(of_step(fact, self._site))
                else:
                    self._sightings.ignored["step_on_bare_shelf"] += 1
            case FacingChange():
                self._waiting.changes += self._sightings.see(fact)
                self._placing.seen(fact)

    @property
    def ignored(self) -> Counter[str]:
        """What was left aside, by name."""
        return self._sightings.ignored

    def undecided_since(self) -> int | None:
        """The begin of the oldest change that is not yet decided; None when there is none."""
        waiting = [
            since
            for since in (self._touches.since, self._unseen.since, self._meetings.since, self._stoops.since)
            if since is not None
        ]
        return min([change.t_start_ns for change in self._waiting.changes] + waiting, default=None)

    def decide(self, now_ns: int, known: Known, final: bool = False) -> list[ItemEvent]:
        """Everything that is due at ``now_ns``; with ``final`` everything there is."""
        events: list[ItemEvent] = []
        holdings = {visit: Counter(held) for visit, held in known.holdings.items()}
        self._waiting.changes += self._sightings.unfelt(now_ns, final)
        while group := self._waiting.due(now_ns, final):
            events += self._decide_group(group, replace(known, holdings=holdings), holdings)
        for touch in self._touches.untold(now_ns, self._scales.weighed, final):
            doubted = self._bookings.touched(touch, known.owners.get(touch.track))
            for case in doubted:  # that hand has its case: it is not half of an unseen pair, too
                self._unseen.moved(Moved(case.visit, touch.t_start_ns, touch.t_end_ns, case.place, 1))
            events += doubted
        for pair in self._unseen.due(now_ns, known.owners, final):
            events += self._bookings.unseen(pair)
        for passing in self._passing(now_ns, known, holdings, final):
            events += self._bookings.passed(passing, holdings)
        for correction in self._placing.corrections(known.inside, self._options.sure):
            events += self._bookings.corrected(correction, holdings)
        self._sightings.forget(now_ns)
        self._bookings.forget(list(known.inside))
        return events

    def _passing(self, now_ns: int, known: Known, holdings: Carts, final: bool) -> Iterator[Passing]:
        """What may have passed on between people, or to the floor; each is booked before the next one is looked at."""
        yield from self._meetings.due(now_ns, known.owners, final)
        for stoop in self._stoops.due(self._waiting.decided_until(now_ns), known.owners, final):
            if not self._meetings.at_work((stoop.visit,), stoop.t_start_ns, stoop.t_end_ns):
                yield stoop
        for exchange in self._exchanges.due(now_ns, holdings, self._near.reached(known.owners, known.inside), final):
            if not self._meetings.at_work((exchange.giver, exchange.taker), exchange.t_ns, exchange.t_ns):
                yield exchange

    def _decide_group(self, group: list[Change], known: Known, holdings: Carts) -> list[ItemEvent]:
        moved = frozenset(
            (change.t_start_ns, self._site.facings[name].sku) for change in group for name in change.facings
        )
        known = replace(known, moved=moved)
        seen = [self._sightings.beside(change, group) for change in group]
        group = merged(seen, lambda first, then: self._following(first, then, known), self._options, self._evidence)
        group = [item for change in group for part in self._parted(change, known) for item in self._each(part, known)]
        hypotheses = [self._following(group[:i], change, known) for i, change in enumerate(group)]
        self._thought.clear()
        may_hold = {
            visit: holdings.get(visit, Counter()) + self._bookings.doubt.get(visit, Counter())
            for visit in {*holdings, *self._bookings.doubt}
        }
        events: list[ItemEvent] = []
        pairs = at_once(group, round(self._options.at_once_s * NS_PER_S))
        choices = solve(hypotheses, may_hold, pairs, self._joint)
        for change, thought, choice in zip(group, hypotheses, choices, strict=True):
            self._watch(change, choice)
            taken = self._placing.decided(change, thought, choice, self._time(change))
            reach = self._near.reacher(change, known.owners, known.inside, known.strangers)
            stranger = any(reach("", self._site.facings[name]) > 0 for name in change.facings)
            booked = self._bookings.book(change, choice, self._time(change), holdings, stranger)
            if change.step and not booked:
                for track, visit in known.owners.items():
                    if visit in known.inside and any(reach(visit, self._site.facings[f]) > 0 for f in change.facings):
                        self._stoops.in_shelf(track, change.t_start_ns, change.t_end_ns)
            for event in booked:
                self._touches.explain(change.t_start_ns, change.t_end_ns, event.place)
                count = 1 if isinstance(event, CaseRaised) else event.quantity
                count += event.doubtful if isinstance(event, ItemReturned) else 0
                self._unseen.moved(Moved(event.visit, change.t_start_ns, change.t_end_ns, event.place, count))
                self._meetings.moved(event.visit, change.t_start_ns, change.t_end_ns)
            if taken and any(isinstance(event, ItemTaken) for event in booked):
                self._placing.keep(taken)
            events += booked
        return events

    def _explanations(self, change: Change, known: Known) -> list[Hypothesis]:
        """What a change may be, best first: thought out once for all questions about its group."""
        movable = known.movable(change.t_start_ns)
        thought = self._thought.get((change, movable))
        if thought is None:
            thought = self._thought[change, movable] = self._think(change, known, movable)
        return thought

    def _think(self, change: Change, known: Known, movable: frozenset[str]) -> list[Hypothesis]:
        explanations = (
            self._with_things(change, self._explain(change.step))
            if change.step
            else seen_explanations(change.seen, self._site, self._evidence)
            if change.seen
            else []
        )
        reach = self._near.reacher(change, known.owners, known.inside, known.strangers)
        carts = (known.holdings, self._bookings.doubt, movable)
        return self._hypotheses.all(change, explanations, list(known.inside), reach, *carts)

    def _following(self, earlier: Sequence[Change], change: Change, known: Known) -> list[Hypothesis]:
        """What a change may be after others that are not booked yet: what they left at its facings can be taken."""
        here = [other for other in earlier if other.step and set(other.facings) & set(change.facings)]
        said = [self._explanations(other, known)[0] for other in here]
        puts = [(best.facing, best.sku, -best.quantity) for best in said if best.visit and best.quantity < 0]
        if not puts:
            return self._explanations(change, known)
        with self.planogram.supposing(puts):
            return self._think(change, known, known.movable(change.t_start_ns))

    def _with_things(self, change: Change, explanations: list[Explanation]) -> list[Explanation]:
        """Nothing was sold, too, where what goes weighs like a thing that lies there and is no goods."""
        assert change.step is not None
        thing = self.planogram.thing_like(change.facings, -change.step.grams, change.step.sigma_grams)
        if thing is None:
            return explanations
        fit = same_weight_log(thing.off_grams, thing.sigma_grams) + self.planogram.options.thing_nats
        return [e if e.sku else structs.replace(e, log_likelihood=max(e.log_likelihood, fit)) for e in explanations]

    def _parted(self, change: Change, known: Known) -> list[Change]:
        """A step that no single visit explains, as a take and a put-back on the same plates at the same time."""
        step = change.step
        if step is None or abs(step.grams) < self._options.part_grams:
            return [change]
        reach = self._near.reacher(change, known.owners, known.inside, known.strangers)
        near = any(reach(visit, self._site.facings[name]) > 0 for visit in known.inside for name in change.facings)
        single = self._explanations(change, replace(known, moved=frozenset()))[0]
        if not near or single.visit:
            return [change]
        items = self._site.items
        fits = []
        for home in sorted({self._site.facings[facing].sku for facing in change.facings}):
            for sku in sorted({sku for held in known.holdings.values() for sku, count in held.items() if count > 0}):
                taken, put = items[home], items[sku]
                sigma = (step.sigma_grams**2 + taken.grams_sigma**2 + put.grams_sigma**2 + 1.0) ** 0.5
                off = abs(step.grams - put.grams + taken.grams) / sigma
                if off < self._options.part_sigmas and sku != home:
                    fits.append((off, home, sku, taken.grams))
        if not fits:
            return [change]
        grams = min(fits)[3]
        parts = [
            replace(change, caused_by=f"{change.caused_by}:take", step=with_grams(step, -grams)),
            replace(change, caused_by=f"{change.caused_by}:put", step=with_grams(step, step.grams + grams)),
        ]
        apart = sum(self._explanations(part, known)[0].score for part in parts) + self._options.part_nats
        return parts if apart > single.score else [change]

    def _each(self, change: Change, known: Known) -> list[Change]:
        """Item by item what went in one step, where hands of several visits were: each may have taken some."""
        reach = self._near.reacher(change, known.owners, known.inside, known.strangers)
        said = self._explanations(change, known)
        near = (visit for visit in known.inside if reach(visit, self._site.facings[said[0].facing]) > 0)
        return item_by_item(change, said, near, self._options.sure)

    def _time(self, change: Change) -> int:
        """When it happened: for sight, the last real touch in what may be a long time behind somebody's back."""
        if change.step is not None:
            return change.t_ns
        inside = [
            (spent >= self._options.touch_s, touch.t_end_ns, (touch.t_start_ns + touch.t_end_ns) // 2)
            for touch in self._reach.touches
            for name, spent in touch.facings
            if name in change.facings and touch.t_end_ns >= change.t_start_ns and touch.t_start_ns <= change.t_end_ns
        ]
        return max(inside)[2] if inside else change.t_ns
