"""``smartstore sim trackers``: our floor tracker against the usual trackers of single cameras, on the same messages.

In: folders of runs whose recordings have people messages (edge fidelity), and scenario documents, which are played with
smart cameras. Out: IDF1, HOTA and MODA on the floor of the product's tracker and of Ultralytics' ByteTrack and BoT-SORT
with their own defaults. Those follow boxes in each camera's picture, BoT-SORT with and without the messages'
appearances. Their tracks become people on the floor by :class:`FloorMerge`.
"""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from sims.building import load_building
from sims.lab.explain_run import read_run
from sims.lab.floor import Moment, floor_metrics
from sims.lab.floor_merge import FloorMerge
from sims.lab.product import Palms
from sims.lab.score import within
from sims.scenario import load_scenario
from sims.simulation import Simulation
from sims.truth import Truth, read_truth
from smartstore.bus.recording import read_feed
from smartstore.console import print_table
from smartstore.domain.people import PeopleView
from smartstore.site import Site, load_site
from smartstore.views import people_view
from smartstore.vision.tracker import FloorTracker
from smartstore.wire.codec import Packet, Received, WireError, decode
from smartstore.wire.heard import HeardPeople

EVERY_NS = 200_000_000
"""The floor is looked at this often, as the service publishes it."""
OURS = "smartstore"
MEASURES = ("idf1", "hota", "moda")


class TrackersError(Exception):
    """A run that cannot be tracked again; one line that says what and what to do."""


def byte_track() -> Any:
    """ByteTrack with the defaults of Ultralytics."""
    from ultralytics.trackers.byte_tracker import BYTETracker

    return BYTETracker(_defaults("bytetrack"))


def bot_sort() -> Any:
    """BoT-SORT with the defaults of Ultralytics, which go by motion alone, for cameras that hang still."""
    from ultralytics.trackers.bot_sort import BOTSORT

    return BOTSORT(_defaults("botsort", gmc_method="none"))


def bot_sort_by_looks() -> Any:
    """The same with the appearances of the messages."""
    from ultralytics.trackers.bot_sort import BOTSORT

    return BOTSORT(_defaults("botsort", gmc_method="none", with_reid=True))


def _defaults(name: str, **changed: object) -> Any:
    from ultralytics.utils import ROOT, YAML, IterableSimpleNamespace

    return IterableSimpleNamespace(**{**YAML.load(ROOT / f"cfg/trackers/{name}.yaml"), **changed})


RIVALS: dict[str, Callable[[], Any]] = {
    "ByteTrack, merged": byte_track,
    "BoT-SORT, merged": bot_sort,
    "BoT-SORT with appearances, merged": bot_sort_by_looks,
}


def compare(run: Path, store: Path | None = None) -> dict[str, dict[str, float]]:
    """IDF1, HOTA and MODA of every tracker on a recorded run, or on the run of a scenario document with its own seed.

    Raises:
        TrackersError, ExplainError, TruthError, FeedError: there is no such run, or nobody in its recording;
        ScenarioError, BuildingError, SiteError: the scenario cannot be played; each is one line.
    """
    if run.is_file():
        return compare_on(*_played(run, store))
    recorded = read_run(run, store)
    views = people_views(read_feed(run / "feed.mcap"))
    if not views:
        raise TrackersError(f"{run}: its recording has no people messages; run the scenario with --fidelity edge")
    return compare_on(views, recorded.truth, recorded.site)


def _played(path: Path, store: Path | None) -> tuple[list[PeopleView], Truth, Site]:
    """What cameras see in a scenario, and what is true. Nothing of the product listens."""
    scenario = load_scenario(path)
    document = store or scenario.store
    building = load_building(document)
    palms = Palms(building.store, scenario.seed)
    with tempfile.TemporaryDirectory() as folder:
        truth = Path(folder) / "truth.jsonl"
        simulation = Simulation(building, scenario, scan=palms.scan, enrol=palms.enrol, truth=truth)
        views = people_views(packet for moment in simulation.run() for packet in moment.packets)
        return views, read_truth(truth), load_site(document)


def compare_on(views: Sequence[PeopleView], truth: Truth, site: Site) -> dict[str, dict[str, float]]:
    """The same on views in event-time order."""
    floors = {OURS: ours(views, site)}
    floors.update({name: merged(views, site, new) for name, new in RIVALS.items()})
    return {name: floor_metrics(truth.positions, within(site.walls_m, floor)) for name, floor in floors.items()}


def people_views(packets: Iterable[Packet]) -> list[PeopleView]:
    """The people messages among packets in event-time order, each once."""
    found = {(one.device, one.message.seq, one.t_ns): one for one in _people(packets)}
    return [people_view(one.device, one.message) for one in sorted(found.values(), key=lambda received: received.key)]


def _people(packets: Iterable[Packet]) -> Iterator[Received]:
    for packet in packets:
        try:
            received = decode(packet) if packet.topic.endswith("/people") else None
        except WireError:
            continue
        if received is not None and isinstance(received.message, HeardPeople):
            yield received


def ours(views: Sequence[PeopleView], site: Site) -> list[Moment]:
    """What the product's tracker says of the floor."""
    tracker, out = FloorTracker(site), list[Moment]()
    for _, together in groupby(views, key=lambda view: view.t_ns):
        state = tracker.observe(list(together))
        if state is not None and (not out or state.t_ns - out[-1][0] >= EVERY_NS):
            out.append((state.t_ns, tuple((track.track, track.x_m, track.y_m) for track in state.tracks)))
    return out


def merged(views: Sequence[PeopleView], site: Site, new_tracker: Callable[[], Any]) -> list[Moment]:
    """What single-camera trackers say of the floor together."""
    merge, out = FloorMerge(site, new_tracker), list[Moment]()
    for view in views:
        merge.observe(view)
        if not out or view.t_ns - out[-1][0] >= EVERY_NS:
            out.append((view.t_ns, merge.at(view.t_ns)))
    return out


def report(runs: Sequence[Path], store: Path | None, as_json: bool) -> None:
    """Prints the comparison, run by run, with the mean, and by how much ours is ahead at least."""
    rows = {str(run): compare(run, store) for run in runs}
    mean = {
        name: {m: float(np.mean([row[name][m] for row in rows.values()])) for m in MEASURES} for name in (OURS, *RIVALS)
    }
    if as_json:
        print(json.dumps({**rows, "mean": mean}, indent=2))
        return
    print(" / ".join(measure.upper() for measure in MEASURES))
    print_table(("run", *mean), [
        (Path(run).stem, *(" / ".join(f"{values[m]:.3f}" for m in MEASURES) for values in row.values()))
        for run, row in {**rows, "mean": mean}.items()
    ])  # fmt: skip
    leads = {run: row[OURS]["idf1"] - max(row[name]["idf1"] for name in RIVALS) for run, row in rows.items()}
    least = min(leads, key=leads.__getitem__)
    ahead = sum(lead > 0 for lead in leads.values())
    print(f"IDF1 above all others in {ahead} of {len(rows)} runs; the least lead is {leads[least]:+.3f} ({least})")
