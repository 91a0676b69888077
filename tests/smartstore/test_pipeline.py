"""From messages to facts: whole visits through all stages."""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from smartstore.domain.events import CaseRaised, ItemReturned, ItemTaken, StoreEvent, VisitLeft, VisitOpened
from smartstore.pipeline import Pipeline
from smartstore.site import Site, load_site
from smartstore.wire import topics
from smartstore.wire.codec import Received
from smartstore.wire.heard import HeardBatch, HeardPeople
from smartstore.wire.messages import Facings, Frame, GateEvent, SeenFacing
from tests.builders import at
from tests.feeds import annas_visit


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site("configs/stores/corner.yaml")


@pytest.fixture(scope="module")
def feed(site: Site) -> list[Received]:
    """Anna comes in, takes chopped tomatoes, takes sugar, puts the sugar back, and leaves."""
    return annas_visit(site)


def played(site: Site, feed: list[Received]) -> list[StoreEvent]:
    pipeline = Pipeline(site)
    return [event for received in feed for event in pipeline.feed(received)] + pipeline.flush()


def test_a_visit_becomes_its_events_in_order(site: Site, feed: list[Received]) -> None:
    events = played(site, feed)
    assert [type(event) for event in events] == [VisitOpened, ItemTaken, ItemTaken, ItemReturned, VisitLeft]
    assert {event.visit for event in events} == {"anna"}
    opened, tomatoes, sugar, returned, left = events
    assert isinstance(opened, VisitOpened) and opened.token == "token-anna"
    assert isinstance(tomatoes, ItemTaken) and tomatoes.sku == site.facings["g1-2-b"].sku
    assert isinstance(sugar, ItemTaken) and isinstance(returned, ItemReturned) and sugar.sku == returned.sku
    assert left.t_ns == at(33.2)
    assert len({event.caused_by for event in events}) == 5


def test_the_visit_leaves_only_after_everything_before_was_decided(site: Site, feed: list[Received]) -> None:
    """The last take happens a moment before the exit is crossed."""
    pipeline = Pipeline(site)
    decided = [(pipeline.processed_ns, event) for received in feed for event in pipeline.feed(received)]
    left_at = next(t_ns for t_ns, event in decided if isinstance(event, VisitLeft))
    assert at(33.2 + 4.0) <= left_at <= at(33.2 + 6.0)


def test_a_facing_that_the_store_does_not_have_is_left_out(site: Site, feed: list[Received]) -> None:
    """It was in view, hidden by somebody, and in view again."""
    strange = [
        Received(topics.FACINGS, "corner", "k1", Facings(seq=seq, t_ns=at(2.0 + 0.2 * seq), facings=[seen]))
        for seq in range(60)
        for seen in [SeenFacing(facing="another-store", fill=0.5, hidden=20 <= seq < 40)]
    ]
    assert played(site, sorted([*feed, *strange], key=lambda one: one.t_ns)) == played(site, feed)


def test_the_order_of_arrival_does_not_matter_within_the_lateness(site: Site, feed: list[Received]) -> None:
    shaken = sorted(feed, key=lambda received: received.t_ns + random.Random(str(received.key)).uniform(0, 4e8))
    assert shaken != feed
    assert played(site, shaken) == played(site, feed)


def test_every_message_twice_is_every_message_once(site: Site, feed: list[Received]) -> None:
    assert played(site, [copy for received in feed for copy in (received, received)]) == played(site, feed)


def test_holdings_are_told_while_the_visit_lasts_and_forgotten_after(site: Site, feed: list[Received]) -> None:
    pipeline = Pipeline(site)
    held = []
    for received in feed:
        pipeline.feed(received)
        held.append(dict(pipeline.holdings.get("anna", {})))
    assert {site.facings["g1-2-b"].sku: 1, site.facings["g1-1-b"].sku: 1} in held
    pipeline.flush()
    assert "anna" not in pipeline.holdings
    assert pipeline.inside == []


def test_without_scale_and_without_a_clear_view_touches_are_doubt(site: Site, feed: list[Received]) -> None:
    events = played(site, [received for received in feed if received.channel is not topics.SCALE])
    assert not [event for event in events if isinstance(event, ItemTaken)]
    assert {event.place for event in events if isinstance(event, CaseRaised)} == {"g1-2-b", "g1-1-b"}
    assert isinstance(events[-1], VisitLeft)


def test_what_cannot_be_used_is_counted(site: Site) -> None:
    pipeline = Pipeline(site)
    frame = Frame(seq=0, t_ns=at(1), width=640, height=360, jpeg=b"\xff\xd8")
    pipeline.feed(Received(topics.FRAME, site.store, "c1", frame))
    pipeline.flush()
    assert pipeline.stats["unused_frame"] == 1


def test_what_a_crazy_clock_says_is_counted_and_so_is_what_finds_no_room(site: Site, feed: list[Received]) -> None:
    pipeline = Pipeline(site)
    for received in feed:
        pipeline.feed(received)
    for seq in range(300):
        nobody = HeardPeople(seq=10_000 + seq, t_ns=at(1000), width=640, height=360, told=[])
        pipeline.feed(Received(topics.PEOPLE, site.store, "c1", nobody))
    assert (pipeline.stats["ahead"], pipeline.stats["dropped_ahead"]) == (300, 44)


def test_people_of_a_camera_whose_survey_is_none_are_counted(site: Site, feed: list[Received]) -> None:
    flat = replace(site.cameras["c1"], model=replace(site.cameras["c1"].model, rotation=np.zeros((3, 3))))
    pipeline = Pipeline(replace(site, cameras={**site.cameras, "c1": flat}))
    for received in feed:
        pipeline.feed(received)
    assert pipeline.stats["people_unknown_camera"] > 100


# Later than the bound


def delayed(feed: list[Received], late: Callable[[Received], bool], by_s: float = 3.0) -> list[Received]:
    """The same feed, in which some messages arrive later than all that is of the next seconds."""
    return sorted(feed, key=lambda received: received.t_ns + (by_s * 1e9 if late(received) else 0))


def hand_on_the_shelf(received: Received) -> bool:
    batch = received.message
    if not isinstance(batch, HeardBatch):
        return False
    return any(max(plate) - min(plate) > 100 for plate in zip(*batch.grams, strict=True))  # type: ignore[type-var]


def test_evidence_that_comes_too_late_is_counted_and_its_visits_go_to_review(site: Site, feed: list[Received]) -> None:
    assert any(map(hand_on_the_shelf, feed))
    pipeline = Pipeline(site)
    events = [event for received in delayed(feed, hand_on_the_shelf) for event in pipeline.feed(received)]
    cases = [event for event in events if isinstance(event, CaseRaised) and event.case.startswith("late-")]
    assert {case.visit for case in cases} == {"anna"}
    assert pipeline.stats["late"] == sum(map(hand_on_the_shelf, feed))


def test_a_late_entry_is_a_case_of_the_visit_that_nobody_saw_come(site: Site, feed: list[Received]) -> None:
    pipeline = Pipeline(site)
    story = delayed(feed, lambda r: isinstance(r.message, GateEvent) and r.message.kind == "entry")
    events = [event for received in story for event in pipeline.feed(received)]
    (case,) = [event for event in events if isinstance(event, CaseRaised) and event.case.startswith("late-")]
    assert case.visit == "anna"


def test_people_and_quiet_shelves_that_come_late_concern_nobody(site: Site, feed: list[Received]) -> None:
    calm = [r for r in feed if isinstance(r.message, HeardPeople) or (isinstance(r.message, HeardBatch)
            and not hand_on_the_shelf(r))][100:400:50]  # fmt: skip
    pipeline = Pipeline(site)
    for received in delayed(feed, lambda r: r in calm):
        assert not [e for e in pipeline.feed(received) if isinstance(e, CaseRaised) and e.case.startswith("late-")]
    assert pipeline.stats["late"] == len(calm)


def test_old_messages_once_more_change_nothing_however_old_they_are(site: Site, feed: list[Received]) -> None:
    pipeline = Pipeline(site)
    pipeline._timeline.options = replace(pipeline._timeline.options, remembered=50)
    story = [one for n, received in enumerate(feed) for one in ([received, feed[n // 2]] if n % 7 == 0 else [received])]
    events = [event for received in story for event in pipeline.feed(received)] + pipeline.flush()
    assert events == played(site, feed)
    assert pipeline.stats["old"] > 10
    assert pipeline.stats["late"] == 0
