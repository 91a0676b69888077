"""People whom another system follows: places in metres, ids that swap and start anew, joints with scores."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from smartstore.domain.events import ItemReturned, ItemTaken, StoreEvent, VisitLeft, VisitOpened
from smartstore.domain.people import FollowedPerson, FollowedView
from smartstore.pipeline import Pipeline
from smartstore.site import Site, load_site
from smartstore.vision.followed import FloorFollower
from smartstore.wire.codec import Received
from tests.builders import (
    FakeScale,
    Walker,
    at,
    before,
    gate_message,
    grams,
    people_messages,
    plate,
    scale_messages,
)
from tests.feeds import str_of, tracks_messages


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site("configs/stores/corner.yaml")


UNTIL_S = 32.0


@dataclass(frozen=True)
class Story:
    """Anna and Ben come in one after the other; each takes something from the same gondola at the same moment."""

    site: Site

    @property
    def walkers(self) -> list[Walker]:
        return [self._walker(1, 2.5, "g1-2-b"), self._walker(2, 5.0, "g2-2-b")]

    def _walker(self, track: int, in_s: float, facing: str) -> Walker:
        place = before(self.site, facing)
        path = [(in_s, 1.1, 0.2), (in_s + 2, 1.1, 1.5), (11.0, *place), (15.0, *place), (20.0, 2.0 + track, 1.2)]
        path += [(22.0 + track, 4.9, 1.0), (23.5 + track, 4.9, -0.5)]
        return Walker(track, tuple(path), ((12.0, 13.4, facing),))

    def scales(self) -> list[Received]:
        out = []
        for fixture, facing in (("g1", "g1-2-b"), ("g2", "g2-2-b")):
            scale = FakeScale(self.site.fixtures[fixture], 1, 1.5)
            scale.move(12.7, plate(self.site, facing), -grams(self.site, facing))
            out += scale_messages(self.site, scale, UNTIL_S)
        return out

    def gates(self) -> list[Received]:
        return [
            gate_message(self.site, "entry", 0, 1.5, "entry", "anna"),
            gate_message(self.site, "entry", 1, 4.0, "entry", "ben"),
            gate_message(self.site, "exit", 0, 24.0, "exit_beam"),
            gate_message(self.site, "exit", 1, 25.0, "exit_beam"),
        ]

    def tracks(self, name: Callable[[int, int], str] = str_of) -> list[Received]:
        """What the other system says; ``name`` gives its ids."""
        return tracks_messages(self.site, self.walkers, UNTIL_S, 0.2, name)


HALFWAY_NS = at(12.5)


def anew(track: int, t_ns: int) -> str:
    """Everybody gets a new id halfway."""
    return f"{track}-{t_ns > HALFWAY_NS}"


def swapped(track: int, t_ns: int) -> str:
    """Two people swap theirs."""
    return str(3 - track if t_ns > HALFWAY_NS else track)


def played(site: Site, feed: list[Received]) -> tuple[list[StoreEvent], dict[str, int]]:
    pipeline = Pipeline(site)
    ordered = sorted(feed, key=lambda received: received.key)
    return [event for received in ordered for event in pipeline.feed(received)] + pipeline.flush(), pipeline.stats


@pytest.mark.parametrize("name", [str_of, anew, swapped], ids=["good ids", "new ids", "swapped ids"])
def test_tracks_of_another_system_make_the_same_visits(site: Site, name: Callable[[int, int], str]) -> None:
    story = Story(site)
    events, _ = played(site, [*story.tracks(name), *story.scales(), *story.gates()])
    assert sorted(type(event).__name__ for event in events) == sorted(
        kind.__name__ for kind in (VisitOpened, VisitOpened, ItemTaken, ItemTaken, VisitLeft, VisitLeft)
    )
    taken = {event.visit: event.sku for event in events if isinstance(event, ItemTaken | ItemReturned)}
    assert taken == {"anna": site.facings["g1-2-b"].sku, "ben": site.facings["g2-2-b"].sku}


def test_they_stand_in_for_the_people_of_cameras(site: Site) -> None:
    """Cameras that say nonsense beside them change nothing but a count."""
    story = Story(site)
    told = [*story.tracks(), *story.gates()]
    people = people_messages(site, [Walker(9, ((0.0, 3.0, 6.0), (30.0, 1.0, 6.0)))], 10)
    beside, stats = played(site, [*told, *people])
    assert beside == played(site, told)[0]
    assert stats["unused_people"] >= len(people) - 8


def view(t_s: float, **places: tuple[float, float]) -> FollowedView:
    people = tuple(FollowedPerson(name, x, y, 0.1, 1.0, {}) for name, (x, y) in places.items())
    return FollowedView("theirs", at(t_s), people)


def walk(follower: FloorFollower, swap_s: float | None) -> dict[int, list[float]]:
    """Two people walk along the aisle side by side, 0.8 m apart; their ids swap. Rows (y) by track."""
    rows: dict[int, list[float]] = {}
    for i in range(60):
        t_s = i / 10
        one, two = (1.0 + t_s / 2, 2.5), (1.0 + t_s / 2, 3.3)
        swapped = swap_s is not None and t_s >= swap_s
        state = follower.observe(view(t_s, a=two if swapped else one, b=one if swapped else two))
        assert state
        for track in state.tracks:
            rows.setdefault(track.track, []).append(track.y_m)
    return rows


@pytest.mark.parametrize("swap_s", [None, 2.0, 5.9])
def test_who_swaps_ids_stays_who_they_are(site: Site, swap_s: float | None) -> None:
    rows = walk(FloorFollower(site), swap_s)
    assert len(rows) == 2
    assert sorted(round(sum(ys) / len(ys), 1) for ys in rows.values()) == [2.5, 3.3]
    assert all(max(ys) - min(ys) < 0.2 for ys in rows.values())


def test_who_is_hidden_for_seconds_is_the_same_person_under_a_new_id(site: Site) -> None:
    follower = FloorFollower(site, first=7)
    numbers = set()
    for i in range(100):
        t_s = i / 10
        shown = {} if 4 <= t_s < 8 else {"a" if t_s < 4 else "c": (2.5, 3.0)}
        state = follower.observe(view(t_s, **shown))
        assert state
        numbers |= {track.track for track in state.tracks}
    assert numbers == {7}


def test_a_wrist_becomes_a_palm_and_an_unsure_one_none(site: Site) -> None:
    follower = FloorFollower(site)
    joints = {
        "left_wrist": (2.5, 3.0, 1.2, 0.9), "left_elbow": (2.5, 2.75, 1.2, 0.9), "right_wrist": (2.5, 3.0, 1.2, 0.1),
    }  # fmt: skip
    for i in range(10):
        state = follower.observe(FollowedView("theirs", at(i / 10), (FollowedPerson("a", 2.5, 2.6, 0.1, 1.0, joints),)))
    assert state
    (hand,) = state.tracks[0].hands
    assert (hand.side, hand.x_m, hand.z_m) == ("left", 2.5, 1.2)
    assert hand.y_m == pytest.approx(3.09)
    assert hand.sigma_m == pytest.approx(0.05 / 0.9)


def test_a_view_from_the_past_and_places_that_are_none_are_left(site: Site) -> None:
    follower = FloorFollower(site)
    follower.observe(view(1.0, a=(2.5, 3.0)))
    assert follower.observe(view(0.5, a=(2.5, 3.0))) is None
    state = follower.observe(view(1.1, a=(float("nan"), 3.0)))
    assert state
    assert state.tracks == ()


def test_a_pipeline_that_is_saved_and_loaded_goes_on_with_them(site: Site) -> None:
    story = Story(site)
    feed = sorted([*story.tracks(), *story.scales(), *story.gates()], key=lambda received: received.key)
    whole, first = Pipeline(site), Pipeline(site)
    events = [event for received in feed for event in whole.feed(received)]
    half = next(n for n, received in enumerate(feed) if received.t_ns > at(13))
    again = [event for received in feed[:half] for event in first.feed(received)]
    second = Pipeline(site)
    second.load(first.save())
    assert again + [event for received in feed[half:] for event in second.feed(received)] == events
