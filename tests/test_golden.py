"""The committed recordings give the receipts that are committed beside them.

Recordings of smart cameras are played once, in this process. ``make golden`` plays all of them, those with pictures
too, at speed 1, 10 and as fast as it goes, shuffled within the lateness, and over two brokers.
"""

import json
import os
from functools import partial
from pathlib import Path

import pytest

from smartstore.testing import GOLDEN, recordings
from smartstore.testing.plugin import AssertReceipts, ReplayFeed
from tests.feeds import shuffled
from tests.mosquitto import mosquitto_broker

FOLDER = Path(__file__).parents[1] / "data/recordings"
EVERYTHING = os.environ.get("SMARTSTORE_GOLDEN") == "all"
FEEDS = [feed for feed in recordings(FOLDER) if EVERYTHING or not feed.stem.startswith("frames")]
WAYS = ["speed 1", "speed 10", "shuffled", "embedded broker", "Mosquitto"]

each = partial(pytest.mark.parametrize, ids=lambda feed: feed.stem if isinstance(feed, Path) else feed)


@each("feed", FEEDS)
def test_receipts_stay_as_they_were(feed: Path, replay_feed: ReplayFeed, assert_receipts: AssertReceipts) -> None:
    assert_receipts(replay_feed(feed))


@pytest.mark.timeout(900)
@each("way", WAYS if EVERYTHING else ["shuffled"])
@each("feed", FEEDS if EVERYTHING else FEEDS[:1])
def test_every_way_gives_the_same(
    feed: Path,
    way: str,
    replay_feed: ReplayFeed,
    assert_receipts: AssertReceipts,
    smartstore_broker: str,
    tmp_path: Path,
) -> None:
    if way == "shuffled":
        assert_receipts(replay_feed(feed, packets=iter(shuffled(feed, 5, 0.3))))
    elif way == "embedded broker":
        assert_receipts(replay_feed(feed, broker=smartstore_broker))
    elif way == "Mosquitto":
        with mosquitto_broker(tmp_path) as url:
            assert_receipts(replay_feed(feed, broker=url))
    else:
        assert_receipts(replay_feed(feed, speed=float(way.split()[1])))


def test_recordings_are_small_and_cover_the_hard_cases() -> None:
    sizes = {feed.stem: feed.stat().st_size for feed in recordings(FOLDER)}
    pictures = {name for name in sizes if name.startswith("frames")}
    assert len(pictures) >= 2 and all(sizes[name] < 8_000_000 for name in pictures)
    assert len(sizes) - len(pictures) >= 8 and all(sizes[name] < 1_000_000 for name in sizes if name not in pictures)
    told = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in sizes if f"| `{name}` |" not in told] == []
    billed = {name: json.loads((FOLDER / f"{name}{GOLDEN}").read_text()) for name in sizes}
    assert all(receipts for receipts in billed.values())
