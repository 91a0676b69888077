"""Messages come in any order and leave in event-time order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartstore.timeline import ClockOptions, Timeline
from smartstore.wire.codec import Received
from smartstore.wire.messages import Facings, Message, People
from smartstore.wire.topics import FACINGS, PEOPLE, Channel

SECOND = 1_000_000_000


def said(t_s: float, device: str = "c1", seq: int = 0, channel: Channel = PEOPLE) -> Received:
    t_ns = round(t_s * SECOND)
    message: Message = Facings(seq=seq, t_ns=t_ns, facings=[])
    if channel is PEOPLE:
        message = People(seq=seq, t_ns=t_ns, width=640, height=360, people=[])
    return Received(channel, "corner", device, message)


def through(timeline: Timeline, feed: list[Received]) -> list[Received]:
    out = [released for received in feed for released in timeline.observe(received)]
    return out + timeline.flush()


def busy_store(seconds: float = 12.0) -> list[Received]:
    """Five devices at 5 Hz, each with its own phase; the shelf cameras speak on two channels."""
    feed = []
    for number, device in enumerate(("c1", "c2", "c3", "s1", "s2")):
        for seq in range(round(seconds * 5)):
            t_s = 100 + seq / 5 + number * 0.013
            feed.append(said(t_s, device, seq))
            if device.startswith("s"):
                feed.append(said(t_s, device, seq, FACINGS))
    return sorted(feed, key=lambda received: received.key)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), lateness_s=st.floats(0.3, 2.0))
def test_any_order_of_arrival_within_the_bound_gives_the_same_output(seed: int, lateness_s: float) -> None:
    feed = busy_store()
    delays = np.random.default_rng(seed).uniform(0, lateness_s * 0.99 * SECOND, len(feed))
    shuffled = [feed[i] for i in np.argsort([r.t_ns + d for r, d in zip(feed, delays, strict=True)], kind="stable")]
    assert shuffled != feed
    timeline = Timeline(lateness_s)
    assert through(timeline, shuffled) == feed
    assert (timeline.counts.late, timeline.counts.duplicates) == (0, 0)


def test_nothing_leaves_before_the_watermark_and_nothing_stays_behind_it() -> None:
    timeline = Timeline(1.0)
    for received in busy_store():
        for released in timeline.observe(received):
            assert released.t_ns <= timeline.watermark_ns
        assert timeline.watermark_ns <= received.t_ns - SECOND
    assert timeline.watermark_ns == pytest.approx(busy_store()[-1].t_ns - SECOND, abs=SECOND // 10)


def test_a_message_that_comes_twice_counts_once() -> None:
    feed = busy_store()
    timeline = Timeline(1.0)
    twice = [copy for received in feed for copy in (received, received)]
    assert through(timeline, twice) == feed
    assert timeline.counts.duplicates == len(feed)


def test_a_duplicate_is_known_even_when_the_watermark_has_passed_it() -> None:
    timeline = Timeline(0.5)
    feed = busy_store()
    through(timeline, feed)
    assert timeline.observe(feed[0]) == []
    assert (timeline.counts.duplicates, timeline.counts.late) == (1, 0)


def test_a_device_that_restarts_its_numbers_is_heard() -> None:
    feed = busy_store()
    again = [said(113 + seq / 5, "c1", seq) for seq in range(10)]
    assert through(Timeline(1.0), feed + again) == feed + again


def test_a_message_older_than_the_watermark_is_dropped_and_counted() -> None:
    timeline = Timeline(0.5)
    for received in busy_store():
        timeline.observe(received)
    assert timeline.observe(said(103.05, "c9", 1)) == []
    assert timeline.counts.late == 1


@pytest.mark.parametrize("ahead_s", [60.0, 86_400.0])
@pytest.mark.parametrize("first", [True, False], ids=["it speaks first", "it joins later"])
def test_one_crazy_clock_does_not_silence_the_others(ahead_s: float, first: bool) -> None:
    feed = busy_store()
    timeline = Timeline(1.0)
    crazy = [said(100 + ahead_s + i / 5, "mad", i) for i in range(60)]
    mixed = [m for pair in zip(feed, crazy + [None] * len(feed), strict=False) for m in pair if m]
    mixed = [crazy[0], *mixed] if first else feed[:40] + mixed[40:]
    mixed += [m for m in feed if m not in mixed]
    released = [r for m in mixed for r in timeline.observe(m)]
    assert [r for r in released if r.device == "mad"] == []
    assert released == [m for m in feed if m.t_ns <= timeline.watermark_ns]
    assert len(released) > 0.8 * len(feed)
    assert timeline.counts.ahead > 20
    assert timeline.counts.late == 0


def test_a_quiet_night_is_not_a_crazy_clock() -> None:
    morning = [said(40_000 + i / 10, f"c{i % 3}", 1000 + i) for i in range(60)]
    feed = busy_store()
    assert through(Timeline(1.0), feed + morning) == feed + morning


def test_the_last_device_that_still_speaks_is_believed() -> None:
    timeline = Timeline(1.0, ClockOptions(silent_after=50))
    feed = busy_store()
    alone = [said(113 + i / 5, "c1", 1000 + i) for i in range(200)]
    out = [r for m in feed + alone for r in timeline.observe(m)]
    assert out[-1].t_ns > alone[-10].t_ns


def test_memory_stays_bounded_under_a_device_that_lives_in_the_future() -> None:
    timeline = Timeline(1.0, ClockOptions(held_per_device=16))
    for i, received in enumerate(busy_store(60.0)):
        timeline.observe(received)
        timeline.observe(said(1e6 + i, "mad", i))
    assert timeline.pending < 16 + 120
    assert timeline.counts.dropped_ahead > 500


def test_the_output_ends_in_order_after_a_flush() -> None:
    timeline = Timeline(30.0)
    feed = busy_store(3.0)
    assert [r for m in reversed(feed) for r in timeline.observe(m)] == []
    assert timeline.flush() == feed
    assert timeline.flush() == []
