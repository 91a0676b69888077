"""What recordings cost and how fast they play: rows for ``make bench``.

In: the recording of a run. Out: rows of what, figure and unit. Measured as CPU time of this process, so that others on
the machine count for nothing.
"""

import tempfile
import time
from pathlib import Path

from smartstore.bus.recording import McapRecorder, read_timed_feed
from smartstore.feed.documents import recorded_site
from smartstore.feed.replay import device_packets, replay
from smartstore.process import quiet_collector

Row = tuple[str, float, str]


def feed_rows(feed: Path, name: str) -> list[Row]:
    """How fast a recording of smart cameras plays, and what share of that it costs to record it."""
    site, packets = recorded_site(feed), list(device_packets(feed))
    quiet_collector()
    began = time.process_time()
    played = replay(iter(packets), site)
    replay_s = time.process_time() - began
    record_s = recording_s(feed)
    return [
        (f"replay of {name}, in process", played.event_s / replay_s, "x real time"),
        (f"recording of {name}", 100 * record_s / (replay_s + record_s), "% of the time"),
    ]


def recording_s(feed: Path) -> float:
    """CPU seconds that it takes to record all packets of a recording once more."""
    heard = list(read_timed_feed(feed))
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        with McapRecorder(Path(folder) / "again.mcap", "bench", {}) as recorder:
            for log_time_ns, packet in heard:
                recorder.write(packet, log_time_ns)
        return time.process_time() - began
