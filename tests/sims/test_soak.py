"""The short form of ``make soak``: three visits instead of hundreds, and a reader that is ten times too slow."""

import pytest

from sims.lab.soak import Course, Slow, Soak, hours, slow_reader, soak, verdicts
from smartstore.site import load_site
from smartstore.wire.codec import decode
from tests.feeds import CORNER, record_visit


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> Soak:
    """A soak whose shift is one visit of forty seconds."""
    short = Soak(hours=150 / 3600, rate=90, shift_minutes=40 / 60, out=tmp_path_factory.mktemp("soak"))
    record_visit(short.feed, load_site(CORNER))
    return short


def test_a_shift_comes_again_as_a_later_one_with_new_visits(wanted: Soak) -> None:
    seen: set[tuple[str, int]] = set()
    entries: list[tuple[str, str]] = []
    times: list[int] = []
    for t_ns, packet in hours(wanted.feed):
        received = decode(packet)
        assert received is not None
        assert received.t_ns == t_ns
        assert (packet.topic, received.message.seq) not in seen
        seen.add((packet.topic, received.message.seq))
        times.append(t_ns)
        if received.channel.name == "gate" and received.message.kind == "entry":
            entries.append((received.message.visit, received.message.event_id))
        if len(entries) == 3:
            break
    assert len(set(entries)) == 3
    assert max(times) - min(times) > 80e9


def test_everybody_gets_a_receipt_from_a_service_that_does_not_grow_without_end(wanted: Soak) -> None:
    course = soak(wanted)
    assert course.came == 4
    assert len(course.receipts) >= 3
    assert course.event_s >= 150
    assert course.grown is not None
    assert course.grown < 0.3


def test_a_reader_ten_times_too_slow_keeps_what_was_promised_in_little_room(wanted: Soak) -> None:
    slow = slow_reader(wanted.feed, count=4000, room=300)
    assert slow.sent == 4000
    assert slow.waited <= 300 + slow.promised
    assert slow.kept == slow.promised > 5


def test_what_is_not_as_it_should_be_is_said() -> None:
    well, slow = Course(event_s=14400.0, came=480, receipts={str(n) for n in range(475)}), Slow(100, 10, 0, 5, 5)
    well.memory = [(float(t), 180.0) for t in range(0, 14400, 20)]
    assert verdicts(Soak(), well, slow, room=10) == []
    grown = Course(event_s=14400.0, came=480, receipts=set(), memory=[(t, 180 + t / 100) for t, _ in well.memory])
    told = verdicts(Soak(hours=5), grown, Slow(100, 500, 0, 5, 4), room=10)
    assert [line.split()[0] for line in told] == ["ended", "memory", "480", "a", "500"]
