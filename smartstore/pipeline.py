"""From messages to facts: what every device says becomes visits, takes, put-backs, cases and departures.

In: received messages in any order within the lateness bound. Out: store events in the order in which they were decided.
Nothing here knows the bus, the journal or the wall clock; the same feed gives the same events, byte for byte.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import Protocol, TypeVar

from smartstore.domain.events import ItemReturned, ItemTaken, StoreEvent, VisitLeft
from smartstore.domain.people import FloorState, PeopleView
from smartstore.fusion.alive import ScaleAlive
from smartstore.fusion.attribution import Attributor, Known, Watch, unwatched
from smartstore.fusion.gates import BeamBroken, GateEntered, StaffEntered
from smartstore.fusion.options import FusionOptions
from smartstore.fusion.touches import FacingsSeen
from smartstore.fusion.visits import VisitKeeper, VisitOptions
from smartstore.lateness import late_cases
from smartstore.scales.candidates import CandidateFinder, CandidateOptions
from smartstore.scales.steps import StepDetector, StepOptions
from smartstore.site import Site
from smartstore.state import freeze, thaw
from smartstore.timeline import Timeline
from smartstore.views import followed_view, people_view
from smartstore.vision.facings import FacingWatcher
from smartstore.vision.followed import FloorFollower
from smartstore.vision.tracker import FloorTracker
from smartstore.wire.codec import Received
from smartstore.wire.heard import HeardBatch, HeardPeople
from smartstore.wire.messages import Facings, Frame, GateEvent, Tracks

NS_PER_S = 1_000_000_000


class Vision(Protocol):
    """Looks at frames. Returns the people and, for a shelf camera, the facings of its view."""

    @property
    def stats(self) -> Mapping[str, int]:
        """What became of the frames, by name."""

    def observe(
        self, camera: str, t_ns: int, jpeg: bytes, width: int, height: int
    ) -> tuple[PeopleView | None, Facings | None]: ...


@dataclass(frozen=True, slots=True)
class PipelineOptions(FusionOptions):
    """The options of all stages."""

    lateness_s: float = 0.5
    """How late a message may arrive after newer ones of other devices."""
    settle_s: float = 4.5
    """From the exit to the decision that nothing more can concern the visit: steps settle, cameras speak."""
    settle_most_s: float = 20.0
    """A visit never waits longer than this for something doubtful."""
    steps: StepOptions = field(default_factory=StepOptions)
    candidates: CandidateOptions = field(default_factory=CandidateOptions)
    visits: VisitOptions = field(default_factory=VisitOptions)


A = TypeVar("A", bound=Attributor)


def attributor(
    site: Site,
    options: PipelineOptions,
    watch: Watch = unwatched,
    kind: type[A] = Attributor,  # type: ignore[assignment]
) -> A:
    """The stage that says who took what; ``watch`` is told of every decided change."""
    return kind(site, CandidateFinder(site, options.candidates).observe, options, watch)


class Pipeline:
    """Ties the stages together. ``vision`` looks at frames; without it frames are counted and left. ``attribution`` is
    the stage that says who took what, for those who want to listen to it.
    """

    def __init__(
        self,
        site: Site,
        options: PipelineOptions | None = None,
        vision: Vision | None = None,
        attribution: Attributor | None = None,
    ) -> None:
        self.site, self._options, self._vision = site, options or PipelineOptions(), vision
        self._timeline = Timeline(self._options.lateness_s)
        self._tracker = FloorTracker(site)
        self._follower: FloorFollower | None = None
        """Once another system tells where people are, cameras' people are counted and left."""
        self._watcher = FacingWatcher(site)
        self._scales = {f.id: StepDetector(f, self._options.steps) for f in site.fixtures.values() if f.shelves}
        self._visits = VisitKeeper(site.gates, self._options.visits, site.walls_m)
        self._attributor = attribution or attributor(site, self._options)
        self._holdings: dict[str, Counter[str]] = {}
        self._leaving: list[VisitLeft] = []
        self._floor = FloorState(-1, ())
        self._stats: Counter[str] = Counter()

    @property
    def processed_ns(self) -> int:
        """The event time up to which every message went through all stages; -1 before the first one."""
        return self._timeline.watermark_ns

    @property
    def floor(self) -> FloorState:
        """Where everybody was last seen."""
        return self._floor

    @property
    def owners(self) -> Mapping[int, str]:
        """The visit of every track that ever belonged to one."""
        return self._visits.owners

    @property
    def inside(self) -> list[str]:
        """The visits that have entered and not left."""
        return self._visits.inside

    @property
    def holdings(self) -> Mapping[str, Mapping[str, int]]:
        """What every visit that was not yet settled holds, by SKU."""
        return self._holdings

    @property
    def stats(self) -> dict[str, int]:
        """What was ignored, dropped or repaired so far, by name."""
        out = Counter(self._stats)
        out.update(asdict(self._timeline.counts))
        out.update({f"people_{what}": count for what, count in asdict(self._tracker.counts).items()})
        out.update({"beam_unclaimed": self._visits.unclaimed_beams})
        out.update({"plate_unknown": sum(scale.unknown_plates for scale in self._scales.values())})
        out.update(self._attributor.ignored)
        out.update(self._vision.stats if self._vision is not None else {})
        return dict(sorted(out.items()))

    def feed(self, received: Received) -> list[StoreEvent]:
        """What follows from one more message."""
        events = self._work(self._timeline.observe(received))
        for missed in self._timeline.missed():
            events += late_cases(missed, [*self._visits.inside, *(left.visit for left in self._leaving)])
        return events

    def hold(self) -> None:
        """From now on messages are only collected: some of those before them were missed and come again."""
        self._timeline.hold()

    def release(self) -> list[StoreEvent]:
        """Goes on after :meth:`hold`, in event-time order."""
        return self._work(self._timeline.release())

    def save(self) -> bytes:
        """All that was learned from messages so far, but for what ``vision`` remembers of pictures."""
        return freeze({name: thing for name, thing in vars(self).items() if name != "site"}, self._fixed())

    def load(self, state: bytes) -> None:
        """Takes up what a pipeline of the same store and options saved.

        Raises:
            StateError: the state is damaged, or another program's.
        """
        vars(self).update(thaw(state, self._fixed()))

    def _fixed(self) -> dict[str, object]:
        """What follows from the store document and the options alone."""
        fixed: dict[str, object] = {"site": self.site, "options": self._options, "rays": self._tracker.rays}
        return fixed if self._vision is None else {**fixed, "vision": self._vision}

    def flush(self) -> list[StoreEvent]:
        """The feed has ended: everything that waits is decided."""
        events = self._work(self._timeline.flush())
        self._leaving += self._visits.flush()
        return events + self._decide(self.processed_ns, final=True)

    def _work(self, released: Sequence[Received]) -> list[StoreEvent]:
        """Messages in event-time order through all stages, tick by tick; at the end of each what is due is decided.

        The people of all cameras are located at once, and those of one moment are one state of the floor.
        """
        if not released:
            return []
        moments = [
            (r.t_ns, people_view(r.device, r.message) if isinstance(r.message, HeardPeople) else r) for r in released
        ]
        self._tracker.foresee([seen for _, seen in moments if isinstance(seen, PeopleView)])
        tick_ns = self._timeline.tick_ns
        events: list[StoreEvent] = []
        for tick, of_tick in groupby(moments, key=lambda moment: -(-moment[0] // tick_ns)):
            for (_, are_views), group in groupby(of_tick, key=lambda one: (one[0], isinstance(one[1], PeopleView))):
                if are_views:
                    events += self._people([seen for _, seen in group if isinstance(seen, PeopleView)])
                else:
                    events += [event for _, one in group if isinstance(one, Received) for event in self._route(one)]
            events += self._decide(tick * tick_ns)
        return events

    def _route(self, received: Received) -> list[StoreEvent]:
        """One message, in event time, to its stages; the events that are certain at once."""
        match received.message:
            case Frame() as frame if self._vision is not None:
                people, facings = self._vision.observe(
                    received.device, frame.t_ns, frame.jpeg, frame.width, frame.height
                )
                seen = self._people([people]) if people is not None else []
                return seen + (self._facings(received.device, facings) if facings is not None else [])
            case Tracks() as tracks:
                return self._followed(received.device, tracks)
            case Facings() as message:
                return self._facings(received.device, message)
            case HeardBatch() as batch if received.device in self._scales:
                return self._weights(received.device, batch)
            case GateEvent() as event:
                return self._gate(received.device, event)
        self._stats[f"unused_{received.channel.name}"] += 1
        return []

    def _people(self, views: Sequence[PeopleView]) -> list[StoreEvent]:
        """What several cameras see at the same time."""
        if self._follower is not None:
            self._stats["unused_people"] += len(views)
            return []
        return self._on_floor(self._tracker.observe(views))

    def _followed(self, source: str, message: Tracks) -> list[StoreEvent]:
        if self._follower is None:
            self._follower = FloorFollower(self.site, self._tracker.last_number + 1)
        return self._on_floor(self._follower.observe(followed_view(source, message)))

    def _on_floor(self, state: FloorState | None) -> list[StoreEvent]:
        """Where everybody is, if there is news, to who wants it."""
        if state is None:
            return []
        self._floor = state
        self._attributor.observe(state)
        events = self._visits.observe(state)
        self._leaving += [event for event in events if isinstance(event, VisitLeft)]
        return [event for event in events if not isinstance(event, VisitLeft)]

    def _facings(self, camera: str, message: Facings) -> list[StoreEvent]:
        known, clear, hidden = self.site.facings, list[str](), list[str]()
        for facing in message.facings:
            if facing.facing in known:
                (hidden if facing.hidden else clear).append(facing.facing)
        self._attributor.observe(FacingsSeen(camera, message.t_ns, tuple(clear), tuple(hidden)))
        for change in self._watcher.observe(camera, message):
            self._attributor.observe(change)
        return []

    def _weights(self, fixture: str, batch: HeardBatch) -> list[StoreEvent]:
        detector = self._scales[fixture]
        for step in detector.observe(batch):
            self._attributor.observe(step)
        self._attributor.observe(ScaleAlive(fixture, batch.t_ns, detector.live_plates(batch.t_ns), detector.restless()))
        return []

    def _gate(self, gate: str, event: GateEvent) -> list[StoreEvent]:
        caused_by = f"gate:{gate}:{event.event_id}"
        if event.kind == "entry" and event.visit:
            entered = GateEntered(event.visit, event.token or "", event.party_size or 1, event.t_ns, caused_by)
            return list(self._visits.observe(entered))
        if event.kind == "entry" and event.staff:
            self._visits.observe(StaffEntered(event.t_ns, caused_by))
        if event.kind == "exit_beam":
            self._visits.observe(BeamBroken(gate, event.t_ns, caused_by))
        return []

    def _decide(self, now_ns: int, final: bool = False) -> list[StoreEvent]:
        """What is due at ``now_ns``: items first, then the visits that nothing open can concern any more."""
        waiting = [visit.visit for visit in self._leaving]
        inside = [*self._visits.inside, *waiting]
        known = Known(self._holdings, self._visits.owners, inside, self._visits.strangers)
        events: list[StoreEvent] = list(self._attributor.decide(now_ns, known, final))
        for event in events:
            self._hold(event)
        return events + self._departures(now_ns, final)

    def _departures(self, now_ns: int, final: bool) -> list[StoreEvent]:
        undecided_ns = self._attributor.undecided_since()
        gone: list[StoreEvent] = []
        for left in sorted(self._leaving, key=lambda left: (left.t_ns, left.visit)):
            waited_ns = now_ns - left.t_ns
            settled = undecided_ns is None or undecided_ns > left.t_ns
            patient = waited_ns < self._options.settle_most_s * NS_PER_S
            if not final and (waited_ns < self._options.settle_s * NS_PER_S or (not settled and patient)):
                continue
            self._leaving.remove(left)
            self._holdings.pop(left.visit, None)
            gone.append(replace(left, decided_ns=now_ns))
        return gone

    def _hold(self, event: StoreEvent) -> None:
        """Folds an own event into the holdings."""
        if isinstance(event, ItemTaken | ItemReturned):
            held = self._holdings.setdefault(event.visit, Counter())
            held[event.sku] += event.quantity if isinstance(event, ItemTaken) else -event.quantity
