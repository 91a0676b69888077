"""A recording replayed for a test: in process, or over a broker to a service that is started for it.

In: a recording. Out: :class:`~smartstore.testing.plugin.ReplayedFeed`.
"""

from pathlib import Path

from smartstore.bus.mqtt import MqttBus
from smartstore.bus.reading import check_whole
from smartstore.faults import Faults, load_faults
from smartstore.feed.copying import Cut
from smartstore.feed.documents import recorded_palm_key, recorded_site
from smartstore.feed.live import paced, replay_live
from smartstore.feed.receipts import receipts_document
from smartstore.feed.replay import WHOLE, Packets, device_packets, has_pictures, replay
from smartstore.settings import read_settings
from smartstore.site import load_site
from smartstore.testing.plugin import ReplayedFeed
from smartstore.testing.served import ServedStore
from smartstore.vision_service import vision_worker


def replayed_feed(
    feed: str | Path,
    store: str | Path | None = None,
    settings: str | Path | None = None,
    part: Cut = WHOLE,
    faults: str | Path | None = None,
    speed: float | None = None,
    broker: str | None = None,
    packets: Packets | None = None,
) -> ReplayedFeed:
    """Plays a recording and returns what came of it.

    ``store`` is a store document in place of the recorded one, ``speed`` a factor (None: at most), ``faults``
    a document like those in ``configs/faults``, ``broker`` an address where a service is started for the replay, and
    ``packets`` what to play in place of the recording's own packets (with event times in UTC nanoseconds).

    Raises:
        FeedError, SiteError, SettingsError, FaultsError, BusError: something of it cannot be used; one line each.
    """
    path = Path(feed)
    check_whole(path)
    site = load_site(store) if store is not None else recorded_site(path)
    options = read_settings(Path(settings) if settings is not None else None)
    plan = Faults(load_faults(Path(faults)), 0) if faults is not None else None
    played = packets if packets is not None else device_packets(path, part, plan)
    with recorded_palm_key(path) as key:
        if broker is None:
            vision = vision_worker(site, options.vision) if has_pictures(path, part) else None
            said = replay(played, site, key, options, vision, paced(speed))
        else:
            with ServedStore(site, broker, key, options), MqttBus(broker, keep_latest=1_000_000) as bus:
                said = replay_live(bus, site.store, played, paced(speed))
    return ReplayedFeed(path, site, said, receipts_document(said.receipts))
