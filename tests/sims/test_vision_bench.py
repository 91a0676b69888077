"""The bench of the worker measures what it says, and the worker's memory stays where it is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sims.lab.vision_bench import ROUND, _busiest, movement_rows, soak, speed_rows
from sims.truth import Header, TruthWriter
from smartstore.domain.people import SeenPerson
from smartstore.site import Site, load_site
from smartstore.vision.worker import Shot, VisionWorker
from smartstore.wire import topics
from smartstore.wire.codec import Received
from smartstore.wire.messages import Frame, SeenFacing


class Nobody:
    """Looks, and sees nobody."""

    def __init__(self) -> None:
        self.looks = 0

    def detect(self, images: Sequence[Any]) -> list[tuple[SeenPerson, ...]]:
        self.looks += len(images)
        return [() for _ in images]


class Blind:
    def observe(self, t_ns: int, image: Any, people: Any) -> list[SeenFacing]:
        return []


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(Path(__file__).parents[2] / "configs/stores/corner.yaml")


def shots(site: Site, rounds: int, seed: int = 400) -> list[Shot]:
    """Every camera in turn, two pictures each, five times a second."""
    rng = np.random.default_rng(seed)
    sizes = {camera.id: (camera.model.height_px, camera.model.width_px) for camera in site.cameras.values()}
    pictures = {name: [_jpeg(size, rng) for _ in range(2)] for name, size in sizes.items()}
    return [Shot(name, n * 200_000_000, pictures[name][n // 10 % 2], size[1], size[0])
            for n in range(rounds) for name, size in sizes.items()]  # fmt: skip


def _jpeg(size: tuple[int, int], rng: np.random.Generator) -> bytes:
    blocks = rng.integers(60, 180, (size[0] // 20, size[1] // 20, 3), np.uint8)
    picture = cv2.resize(blocks, size[::-1], interpolation=cv2.INTER_NEAREST)
    return cv2.imencode(".jpg", picture)[1].tobytes()


def test_the_memory_of_the_worker_stays_where_it_is(site: Site) -> None:
    network = Nobody()
    worker = VisionWorker(site, network, lambda _: Blind())
    first_mb, last_mb = soak(worker, shots(site, 20), 1200)
    assert worker.stats.total() >= 1200
    assert network.looks < 600
    assert last_mb - first_mb < 12, "about 300 KB of pictures per round go through it"


def test_movement_is_judged_on_the_same_recording_with_and_without_skipping(site: Site, tmp_path: Path) -> None:
    network = Nobody()
    ceiling = [shot for shot in shots(site, 30) if shot.camera.startswith("c")]
    heard = [Received(topics.FRAME, "corner", s.camera,
                      Frame(seq=n, t_ns=s.t_ns, width=s.width, height=s.height, jpeg=s.jpeg))
             for n, s in enumerate(ceiling)]  # fmt: skip
    truth = tmp_path / "truth.jsonl"
    with TruthWriter(truth) as writer:
        writer.write(Header(schema=1, scenario="still", seed=1, store="corner", start_ns=0, shoppers=()))
    rows = {what: figure for what, figure, _ in movement_rows(site, network, heard, truth)}
    assert rows["network calls with movement skipping"] < 0.5
    assert network.looks == 8, "two pictures of four cameras, looked at once each"


def test_speed_is_a_ratio_of_the_same_pictures(site: Site) -> None:
    network = Nobody()
    ceiling = [shot for shot in shots(site, 4) if shot.camera.startswith("c")][:ROUND]
    rows = {what: figure for what, figure, _ in speed_rows(site, network, ceiling)}
    assert network.looks == 3 * 2 * ROUND
    assert 0 < rows["worker, every frame looked at"] < 1.2, "with a network that costs nothing the worker only costs"


def test_the_busiest_part_of_a_recording_is_where_the_pictures_are_largest() -> None:
    quiet, busy = (Shot("c1", n, b"x" * n, 1, 1) for n in (10, 90))
    assert _busiest([quiet] * 5 + [busy] * 3 + [quiet] * 5, 3) == [busy] * 3
    assert _busiest([quiet], 3) == [quiet]
