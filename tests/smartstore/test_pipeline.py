"""From messages to facts: whole visits through all stages."""

import random

import pytest

from smartstore.domain.events import CaseRaised, ItemReturned, ItemTaken, StoreEvent, VisitLeft, VisitOpened
from smartstore.pipeline import Pipeline
from smartstore.site import Site, load_site
from smartstore.wire import topics
from smartstore.wire.codec import Received
from smartstore.wire.messages import Frame
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
