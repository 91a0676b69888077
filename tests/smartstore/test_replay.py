"""Recordings played again: the same receipts at every speed, in any order within the lateness, over every bus."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from smartstore.bus.base import MemoryHub
from smartstore.cli import run
from smartstore.feed.copying import Cut
from smartstore.feed.live import ReplayError, paced, replay_live
from smartstore.feed.receipts import difference, receipts_text
from smartstore.feed.replay import device_packets
from smartstore.site import Site, load_site
from smartstore.testing.plugin import ReplayedFeed
from smartstore.testing.replaying import replayed_feed
from tests.builders import at
from tests.feeds import CORNER, SUGAR, TOMATOES, record_visit, shuffled
from tests.mosquitto import mosquitto_broker


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(CORNER)


@pytest.fixture(scope="module")
def feed(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_visit(tmp_path_factory.mktemp("feed") / "anna.mcap", site)


@pytest.fixture(scope="module")
def here(feed: Path) -> ReplayedFeed:
    """In this process, as fast as it goes."""
    return replayed_feed(feed)


def test_the_visit_is_one_receipt(here: ReplayedFeed, site: Site) -> None:
    (receipt,) = here.receipts
    assert receipt["visit"] == "anna"
    assert receipt["lines"] == {site.facings[TOMATOES].sku: 1}
    assert here.said.event_s == pytest.approx(39.8)


def test_late_packets_change_nothing(feed: Path, here: ReplayedFeed) -> None:
    packets = shuffled(feed, 1)
    assert [packet for _, packet in packets] != [packet for _, packet in device_packets(feed)]
    assert replayed_feed(feed, packets=iter(packets)).receipts == here.receipts


def test_over_the_embedded_broker_it_is_the_same(feed: Path, here: ReplayedFeed, smartstore_broker: str) -> None:
    over = replayed_feed(feed, broker=smartstore_broker)
    assert receipts_text(over.receipts) == receipts_text(here.receipts)
    assert over.said.sent == here.said.sent
    assert over.said.changes == here.said.changes


def test_over_mosquitto_and_shuffled_it_is_the_same(feed: Path, here: ReplayedFeed, tmp_path: Path) -> None:
    with mosquitto_broker(tmp_path) as url:
        over = replayed_feed(feed, broker=url, packets=iter(shuffled(feed, 3)))
    assert receipts_text(over.receipts) == receipts_text(here.receipts)


@pytest.mark.parametrize("speed", [1.0, 10.0])
def test_event_time_passes_as_fast_as_was_asked(speed: float) -> None:
    clock = [100.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    pace = paced(speed, lambda: clock[0], sleep)
    for t_s in (0, 1, 1, 4, 4):
        pace(at(t_s))
    assert clock[0] == pytest.approx(100 + 4 / speed)
    assert len(slept) == 2
    clock[0] += 60  # somebody was slow: nothing is slept that has passed
    pace(at(5))
    assert len(slept) == 2


def test_speed_changes_nothing(feed: Path, here: ReplayedFeed) -> None:
    """Forty times real time takes a second."""
    assert replayed_feed(feed, speed=40.0).receipts == here.receipts


def test_faults_on_the_way_are_the_same_every_time(feed: Path, here: ReplayedFeed) -> None:
    document = CORNER.parents[1] / "faults/rough-network.yaml"
    first, second = (replayed_feed(feed, faults=document, part=Cut(to_s=18)) for _ in range(2))
    assert first.said.changes == second.said.changes
    assert first.said.sent == second.said.sent != replayed_packets(feed, 18)


def replayed_packets(feed: Path, to_s: float) -> int:
    return sum(1 for _ in device_packets(feed, Cut(to_s=to_s)))


def said(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert run(["replay", *(str(word) for word in words)]) == 0
    return capsys.readouterr().out


def test_the_command_says_what_the_library_says(
    feed: Path, here: ReplayedFeed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, feed, "--json", "--out", tmp_path / "r.json") == receipts_text(here.receipts)
    assert (tmp_path / "r.json").read_text() == receipts_text(here.receipts)
    without = said(capsys, feed, "--topics", "data/tracks/#,event/gate/#")
    assert "anna" in without
    assert "nothing" in without, "nothing was weighed"
    assert json.loads(said(capsys, feed, "--json", "--to", "9")) == [], "nobody had left"


@pytest.mark.parametrize(("words", "says"), [
    (["--speed", "fast"], "fast"), (["--speed", "0"], "neither a factor"), (["--from", "900"], "devices say nothing"),
    (["--store", "nowhere.yaml"], "nowhere.yaml"), (["--faults", "nowhere.yaml"], "nowhere.yaml"),
    (["--faults", str(CORNER.parents[1] / "faults/restarts.yaml")], "a replay restarts neither"),
    (["--palm-key", "nowhere.pem"], "nowhere.pem"), (["--broker", "mqtt://127.0.0.1:1"], "127.0.0.1:1"),
    (["--broker", "mqtt://127.0.0.1:1", "--any-token"], "leave those options out"),
])  # fmt: skip
def test_what_cannot_be_played_is_one_line(
    words: list[str], says: str, feed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", str(feed), *words]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.strip().splitlines()
    assert says in line


def test_nobody_there_is_one_line(feed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartstore.feed.live.HELLO_S", 0.05)
    with MemoryHub().connect() as bus, pytest.raises(ReplayError, match="no service 'main' of store 'corner'"):
        replay_live(bus, "corner", device_packets(feed))


@pytest.mark.parametrize(("change", "says"), [
    (lambda r: r["lines"].clear(), ["visit anna: expected 0 × ", "got 1"]),
    (lambda r: r.update(visit="ben"), ["visit ben: no receipt any more", "visit anna: a receipt that was not"]),
    (lambda r: r["receipt"].update(Total=1), ["visit anna: Total: expected 1, got"]),
])  # fmt: skip
def test_a_difference_is_told_in_words(
    here: ReplayedFeed, site: Site, change: Callable[[dict[str, object]], None], says: list[str]
) -> None:
    expected = json.loads(receipts_text(here.receipts))
    assert difference(expected, here.receipts, {}) == []
    change(expected[0])
    lines = "\n".join(difference(expected, here.receipts, {sku: item.name for sku, item in site.items.items()}))
    assert all(words in lines for words in says)
    assert SUGAR not in lines
