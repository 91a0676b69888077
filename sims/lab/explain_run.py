"""A run that is over, read for explanations: what happened, what was believed, and the evidence for it.

In: the folder of a run. Out: truth, receipts, the journal's events, and the evidence of every decision, which comes of
feeding the recorded packets to the pipeline once more. Where the folder has no journal, the replay's events stand in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sims.building import Building, load_building
from sims.lab.score import Published, published
from sims.truth import Truth, read_truth
from smartstore.bus.recording import read_feed
from smartstore.domain.events import StoreEvent
from smartstore.domain.people import FloorState
from smartstore.feed.documents import recorded_document
from smartstore.ledger.journal import Journal
from smartstore.pipeline import Pipeline, attributor
from smartstore.service import pipeline_options
from smartstore.settings import read_settings
from smartstore.site import Site, load_site
from smartstore.vision.worker import LazyVision, load_worker
from smartstore.wire import topics
from smartstore.wire.codec import WireError, decode
from smartstore.wire.heard import HeardBatch
from smartstore.wire.messages import Frame

AROUND_S = 6.0
"""What is told of the time before and after."""


class ExplainError(Exception):
    """A run, or something of it, that cannot be explained; one line that says what and what to do."""


@dataclass(frozen=True)
class Run:
    """What is left of a run. ``events`` is empty where it has no journal."""

    folder: Path
    building: Building
    site: Site
    truth: Truth
    said: Published
    events: tuple[StoreEvent, ...]

    @property
    def people(self) -> Mapping[str, str]:
        """The person of each visit."""
        return {visit.visit: visit.person for visit in self.truth.visits}


@dataclass(frozen=True)
class Decision:
    """How a change was decided: the change, and what it may have been, with probabilities, best first."""

    change: Any
    ranking: tuple[tuple[Any, float], ...]


@dataclass(frozen=True)
class Replay:
    """The evidence: decisions, where everybody was believed to be and reaching, and the visit of each track."""

    events: tuple[StoreEvent, ...]
    decisions: tuple[Decision, ...]
    floor: tuple[FloorState, ...]
    owners: Mapping[int, str]


def read_run(folder: Path, store: Path | None = None) -> Run:
    """The run in a folder of ``smartstore sim run``; ``store`` is a store document in place of the recorded one.

    Raises:
        ExplainError, TruthError, FeedError, SiteError: there is no such run, or not enough of it.
    """
    feed, journal = folder / "feed.mcap", folder / "journal.db"
    if not feed.is_file():
        raise ExplainError(f"{folder}: is not the folder of a run (no feed.mcap); name one that `sim run` wrote")
    path, truth = store or recorded_document(feed), read_truth(folder / "truth.jsonl")
    site = load_site(path)
    if site.store != truth.store:
        raise ExplainError(f"{path}: is store {site.store!r}, and the run was in {truth.store!r}; name its document")
    said = published(packet for packet in read_feed(feed) if _is_said(packet.topic))
    events: tuple[StoreEvent, ...] = ()
    if journal.is_file():
        with Journal(f"sqlite:///{journal}", create=False) as book:
            events = tuple(book.all_events())
    return Run(folder, load_building(path), site, truth, said, events)


def _is_said(topic: str) -> bool:
    found = topics.find(topic)
    return found is not None and found[0].sender == "service"


def replay(run: Run, settings: Path | None = None) -> Replay:
    """Feeds the recorded packets of the devices to a pipeline and notes why it decides what it decides.

    Pictures are looked at again, which takes as long as it took the run.
    """
    options = pipeline_options(read_settings(settings))
    decisions: list[Decision] = []
    states: list[FloorState] = []
    told: Any = attributor(run.site, options, lambda change, choice: decisions.append(Decision(change, choice.ranking)))
    pipeline = Pipeline(run.site, options, LazyVision(lambda: load_worker(run.site)), told)
    events: list[StoreEvent] = []
    for packet in read_feed(run.folder / "feed.mcap"):
        if _is_said(packet.topic):
            continue
        try:
            received = decode(packet)
        except WireError:
            continue
        if received is None or received.channel is topics.STATUS:
            continue
        events += pipeline.feed(received)
        if not states or pipeline.floor.t_ns > states[-1].t_ns:
            states.append(pipeline.floor)
    events += pipeline.flush()
    return Replay(tuple(events), tuple(decisions), tuple(states), dict(pipeline.owners))


def weights(run: Run, fixture: str, from_ns: int, to_ns: int) -> list[HeardBatch]:
    """What the scale of a fixture said between two times."""
    wanted = topics.SCALE.topic(run.building.store, fixture)
    heard = (decode(packet) for packet in read_feed(run.folder / "feed.mcap") if packet.topic == wanted)
    return [received.message for received in heard if received is not None and from_ns <= received.t_ns < to_ns]


def frames_around(run: Run, camera: str, times_ns: tuple[int, ...]) -> list[Frame]:
    """For each time the picture of a camera that is nearest to it; none where the run has no pictures."""
    wanted, found = topics.FRAME.topic(run.building.store, camera), dict[int, Frame]()
    for packet in read_feed(run.folder / "feed.mcap"):
        received = decode(packet) if packet.topic == wanted else None
        if received is None:
            continue
        for t_ns in times_ns:
            if t_ns not in found or abs(received.t_ns - t_ns) < abs(found[t_ns].t_ns - t_ns):
                found[t_ns] = received.message
    return [found[t_ns] for t_ns in times_ns if t_ns in found]


def seconds(run: Run, t_ns: int) -> str:
    """Event time as seconds of the run."""
    return f"{(t_ns - run.truth.start_ns) / 1e9:.2f} s"


def near(t_ns: int, other_ns: int) -> bool:
    """Whether two times are told together."""
    return abs(t_ns - other_ns) <= AROUND_S * 1e9


def fixture_of(run: Run, place: str) -> str:
    """The fixture of a facing or a shelf; "" for a gate."""
    part = run.site.facings.get(place) or run.site.shelves.get(place)
    return part.fixture if part else ""


def shelf_of(run: Run, place: str) -> str:
    """The shelf of a facing; what is no facing is its own."""
    return run.site.facings[place].shelf if place in run.site.facings else place


def place_m(run: Run, place: str) -> tuple[float, float]:
    """Where a facing's front is on the floor; of a shelf or a gate, its middle."""
    if place in run.site.facings:
        x, y, _ = run.site.facings[place].centre_m
        return x, y
    for gate in run.site.gates:
        if gate.id == place:
            (ax, ay), (bx, by) = gate.line_m
            return (ax + bx) / 2, (ay + by) / 2
    fixture = run.site.fixtures[fixture_of(run, place)]
    x, y, _ = fixture.point(fixture.width_m / 2, 0.0, 0.0)
    return x, y


def who(run: Run, visit: str | None) -> str:
    """The person of a visit."""
    return "nobody known" if not visit else run.people.get(visit, visit)


def item_name(run: Run, sku: str) -> str:
    """What an item is called."""
    item = run.site.items.get(sku)
    return item.name if item else sku or "several items"
