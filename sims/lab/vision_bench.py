"""What the vision worker costs and what it saves, measured on a recorded run; part of ``make bench``.

In: the folder of a frames run (``feed.mcap truth.jsonl``). Out: rows of figures, most of them ratios of two things
timed in turns, so that another load on the machine hits both. ``python -m sims.lab.vision_bench --frames 30000``
replays a handful of pictures for as many frames and says how the memory of the worker grew.
"""

import argparse
import hashlib
import resource
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sims.lab.floor import Moment, floor_metrics
from sims.lab.score import within
from sims.truth import read_truth
from smartstore.bus.recording import read_feed
from smartstore.domain.people import SeenPerson
from smartstore.pipeline import Pipeline
from smartstore.service import pipeline_options
from smartstore.settings import Settings
from smartstore.site import Site, load_site
from smartstore.vision.detector import DetectorOptions
from smartstore.vision.face_reader import FaceReader
from smartstore.vision.movement import MovementOptions
from smartstore.vision.worker import PeopleDetector, Shot, VisionWorker, decode_jpeg, load_detector
from smartstore.wire import topics
from smartstore.wire.codec import Received, decode
from smartstore.wire.messages import SeenFacing

CORNER = Path("configs/stores/corner.yaml")
FEED = Path("data/runs/bench/frames/feed.mcap")
Row = tuple[str, float, str]
ALL = MovementOptions(skip=False)
ROUND = 7
"""Pictures in a batch: one of each camera of the corner store."""


def vision_rows(run: Path, store: Path) -> list[Row]:
    """All rows for the frames run in the folder ``run`` of a store."""
    site, detector = load_site(store), load_detector("openvino", DetectorOptions())
    heard = [received for packet in read_feed(run / "feed.mcap") if (received := decode(packet)) is not None]
    return [*speed_rows(site, detector, _busiest(shots_of(heard), 12 * ROUND)),
            *movement_rows(site, detector, heard, run / "truth.jsonl")]  # fmt: skip


def speed_rows(site: Site, detector: PeopleDetector, shots: Sequence[Shot]) -> list[Row]:
    """The worker against the bare networks on the same JPEGs, reading the JPEG included, in turns."""

    def bare(batch: Sequence[Shot]) -> None:
        for shot in batch:
            image = decode_jpeg(shot.jpeg)
            assert image is not None
            detector.detect([image])

    blind = VisionWorker(site, detector, lambda _: _Blind(), ALL)
    whole = VisionWorker(site, detector, lambda camera: FaceReader(site, camera), ALL)
    ways = {"bare": bare, "blind": blind.look, "whole": whole.look}
    spent_s = dict.fromkeys(ways, 0.0)
    for lap in range(2):
        for at in range(0, len(shots), ROUND):
            batch = [_later(shot, lap) for shot in shots[at : at + ROUND]]
            for name, way in ways.items():
                began = time.perf_counter()
                way(batch)
                spent_s[name] += time.perf_counter() - began if lap else 0.0  # the first lap warms up
    bare_per_s = len(shots) / spent_s["bare"]
    return [
        ("bare networks with decoding, one thread", bare_per_s, "frames per s"),
        ("worker, every frame looked at", spent_s["bare"] / spent_s["blind"], "x bare networks"),
        ("worker, every frame looked at and every shelf read", spent_s["bare"] / spent_s["whole"], "x bare networks"),
    ]


def movement_rows(site: Site, detector: PeopleDetector, heard: Sequence[Received], truth: Path) -> list[Row]:
    """What leaving out pictures without movement saves, and what it costs on the floor."""
    network = _Remembering(detector)
    idf1, looks, frames = {}, {}, 0
    for skip in (False, True):
        worker = VisionWorker(site, network, lambda camera: FaceReader(site, camera), MovementOptions(skip=skip))
        floor = within(site.walls_m, replayed(site, worker, heard))
        idf1[skip] = floor_metrics(read_truth(truth).positions, floor)["idf1"]
        looks[skip], frames = (
            worker.stats["frames_looked"],
            worker.stats["frames_looked"] + worker.stats["frames_repeated"],
        )
    return [
        ("frames of that run", float(frames), ""),
        ("network calls with movement skipping", looks[True] / looks[False], "x all frames"),
        ("floor IDF1, every frame looked at", idf1[False], ""),
        ("floor IDF1, movement skipping", idf1[True], ""),
    ]


def replayed(site: Site, worker: VisionWorker, heard: Iterable[Received]) -> list[Moment]:
    """Where the pipeline believes everybody to be, five times a second, when it hears a recording."""
    settings = Settings()
    pipeline = Pipeline(site, pipeline_options(settings), worker)
    floor: list[Moment] = []
    shown_ns = -1
    for received in heard:
        if received.channel.sender != "device":
            continue
        pipeline.feed(received)
        state = pipeline.floor
        if state.t_ns - shown_ns >= settings.service.floor_s * 1e9:
            shown_ns = state.t_ns
            floor.append((state.t_ns, tuple((track.track, track.x_m, track.y_m) for track in state.tracks)))
    return floor


def soak(worker: VisionWorker, shots: Sequence[Shot], frames: int) -> tuple[float, float]:
    """Megabytes of this process after a tenth of the frames and after all; ``shots`` come again and again."""
    after_warm_up = 0.0
    done = lap = 0
    while done < frames:
        for at in range(0, len(shots), ROUND):
            worker.look([_later(shot, lap) for shot in shots[at : at + ROUND]])
            before, done = done, done + len(shots[at : at + ROUND])
            if before < frames / 10 <= done:
                after_warm_up = memory_mb()
        lap += 1
    return after_warm_up, memory_mb()


def memory_mb() -> float:
    """Resident memory of this process, megabytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def shots_of(heard: Iterable[Received]) -> list[Shot]:
    """The pictures of a recording, in their order."""
    frames = ((r.device, r.message) for r in heard if r.channel is topics.FRAME)
    return [Shot(camera, m.t_ns, m.jpeg, m.width, m.height) for camera, m in frames]


def main() -> None:
    """The soak."""
    parser = argparse.ArgumentParser(description="Memory of the worker over many frames.")
    parser.add_argument("--frames", type=int, default=30_000)
    parser.add_argument("--feed", type=Path, default=FEED, help="recording of a frames run")
    parser.add_argument("--store", type=Path, default=CORNER)
    given = parser.parse_args()
    site = load_site(given.store)
    heard = (received for packet in read_feed(given.feed) if (received := decode(packet)) is not None)
    shots = _busiest(shots_of(heard), 2 * ROUND)
    detector = load_detector("openvino", DetectorOptions())
    worker = VisionWorker(site, detector, lambda camera: FaceReader(site, camera))
    began = time.perf_counter()
    first, last = soak(worker, shots, given.frames)
    looked = worker.stats["frames_looked"]
    print(f"{given.frames} frames, {looked} of them through the networks, in {time.perf_counter() - began:.0f} s: "
          f"{first:.0f} MB after a tenth, {last:.0f} MB after all")  # fmt: skip


class _Blind:
    """In place of a shelf reader."""

    def observe(self, _t_ns: int, _image: NDArray[np.uint8], _people: Sequence[SeenPerson]) -> list[SeenFacing]:
        return []


class _Remembering:
    """A detector that looks at the same picture only once."""

    def __init__(self, detector: PeopleDetector) -> None:
        self._detector = detector
        self._known: dict[bytes, Sequence[SeenPerson]] = {}

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Sequence[SeenPerson]]:
        return [self._look(image) for image in images]

    def _look(self, image: NDArray[np.uint8]) -> Sequence[SeenPerson]:
        key = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        if key not in self._known:
            self._known[key] = self._detector.detect([image])[0]
        return self._known[key]


def _later(shot: Shot, laps: int) -> Shot:
    """The same picture in another lap of a minute each."""
    return Shot(shot.camera, shot.t_ns + laps * 60_000_000_000, shot.jpeg, shot.width, shot.height)


def _busiest(shots: list[Shot], count: int) -> list[Shot]:
    """So many consecutive pictures, from where their JPEGs are largest: something is going on there."""
    if len(shots) <= count:
        return shots
    size = np.cumsum([0, *(len(shot.jpeg) for shot in shots)])
    first = int(np.argmax(size[count:] - size[:-count]))
    return shots[first : first + count]


if __name__ == "__main__":
    main()
