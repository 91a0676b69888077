"""A worker of its own: batches by deadline, cameras shared, and messages as a smart camera would send them."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from smartstore.bus.base import MemoryHub
from smartstore.bus.broker import EmbeddedBroker
from smartstore.bus.mqtt import MqttBus
from smartstore.domain.people import PeopleView, SeenPerson
from smartstore.pipeline import people_view
from smartstore.site import Site, load_site
from smartstore.vision.batching import Batcher, BatchOptions
from smartstore.vision.crew import Crew, assigned
from smartstore.vision.worker import NOTHING, Shot, Sight, VisionWorker
from smartstore.vision_service import VisionService
from smartstore.wire import topics
from smartstore.wire.codec import Packet, decode, encode
from smartstore.wire.messages import Facings, Frame, SeenFacing
from smartstore.wire.topics import matches

KEEP_ALL = BatchOptions(keep=50, late_s=30.0)


@dataclass(frozen=True)
class Taken:
    camera: str
    number: int


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(Path(__file__).parents[2] / "configs/stores/corner.yaml")


# Batches


def test_a_lone_picture_waits_for_company_and_not_longer() -> None:
    batcher: Batcher[Taken] = Batcher(BatchOptions(wait_s=0.02))
    assert batcher.due_s() is None
    batcher.offer(Taken("c1", 1), 10.0)
    batcher.offer(Taken("c2", 1), 10.015)
    assert batcher.due_s() == pytest.approx(10.02)
    assert batcher.take(10.019) == []
    assert batcher.take(10.021) == [Taken("c1", 1), Taken("c2", 1)]
    assert len(batcher) == 0


def test_a_full_batch_leaves_at_once() -> None:
    batcher: Batcher[Taken] = Batcher(BatchOptions(wait_s=5, most=3))
    for n in range(4):
        batcher.offer(Taken(f"c{n}", 1), 1.0)
    assert [taken.camera for taken in batcher.take(1.0)] == ["c0", "c1", "c2"]
    assert batcher.take(1.0) == [], "the fourth waits for its own deadline"


def test_the_newest_picture_of_a_camera_wins() -> None:
    batcher: Batcher[Taken] = Batcher(BatchOptions(wait_s=0.02, keep=1))
    for n in range(5):
        batcher.offer(Taken("c1", n), 1.0 + n / 1000)
    batcher.offer(Taken("c2", 9), 1.005)
    assert batcher.take(1.1) == [Taken("c1", 4), Taken("c2", 9)]
    assert batcher.dropped == {"frame_replaced": 4}


def test_of_a_camera_that_may_keep_some_the_oldest_goes_first_and_one_at_a_time() -> None:
    batcher: Batcher[Taken] = Batcher(BatchOptions(wait_s=0.0, keep=2))
    for n in range(3):
        batcher.offer(Taken("c1", n), 1.0)
    assert [batcher.take(1.0) for _ in range(3)] == [[Taken("c1", 1)], [Taken("c1", 2)], []]


def test_what_waited_too_long_is_dropped_and_counted() -> None:
    batcher: Batcher[Taken] = Batcher(BatchOptions(wait_s=0.02, late_s=0.5))
    batcher.offer(Taken("c1", 1), 1.0)
    batcher.offer(Taken("c2", 1), 1.4)
    assert batcher.take(1.6) == [Taken("c2", 1)]
    assert batcher.dropped == {"frame_late": 1}


def test_no_camera_starves_when_there_are_more_than_fit() -> None:
    batcher: Batcher[Taken] = Batcher(BatchOptions(wait_s=0.0, most=2))
    served: Counter[str] = Counter()
    for n in range(30):
        for camera in ("c1", "c2", "c3", "c4", "c5"):
            batcher.offer(Taken(camera, n), float(n))
        served.update(taken.camera for taken in batcher.take(float(n)))
    assert set(served.values()) == {12}


# Who looks at what


def test_cameras_are_shared_evenly_and_every_worker_agrees() -> None:
    cameras = [f"c{n}" for n in range(20)]
    crews = {name: Crew(name) for name in ("a", "b", "c")}
    for crew in crews.values():
        for name in crews:
            crew.heard(name, 0.0)
    shares = {name: crew.mine(cameras, 1.0) for name, crew in crews.items()}
    assert sorted(camera for share in shares.values() for camera in share) == sorted(cameras)
    assert max(map(len, shares.values())) <= 7


def test_few_cameras_change_hands_when_a_worker_goes() -> None:
    cameras = [f"c{n}" for n in range(40)]
    four, three = assigned(cameras, ["a", "b", "c", "d"]), assigned(cameras, ["a", "b", "c"])
    kept = [camera for camera in cameras if four[camera] != "d" and four[camera] == three[camera]]
    assert len(kept) >= 22, "of the 30 cameras of those who stay"


def test_a_worker_that_falls_silent_loses_its_cameras() -> None:
    crew = Crew("a", patience_s=5)
    crew.heard("b", 0.0)
    assert crew.mine(["c1", "c2"], 5.0) != ["c1", "c2"]
    assert crew.mine(["c1", "c2"], 5.1) == ["c1", "c2"]


# The shell


@dataclass
class Sees:
    """A worker that sees the same person everywhere and remembers what it was shown."""

    name: str = ""
    shots: list[Shot] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    stats: Counter[str] = field(default_factory=Counter)

    def look(self, shots: Sequence[Shot]) -> list[Sight]:
        self.shots += shots
        self.batches.append(len(shots))
        return [self._sight(shot) for shot in shots]

    def _sight(self, shot: Shot) -> Sight:
        if shot.camera == "c4":
            return NOTHING
        joints = np.column_stack([np.arange(17.0), np.arange(17.0), np.full(17, 0.5)])
        people = (SeenPerson((1.234567, 2.0, 30.0, 60.0), 0.9, joints, np.array([0.6, 0.8])),)
        facings = Facings(seq=1, t_ns=shot.t_ns, facings=[SeenFacing(facing="g1-1-a", fill=1.0)])
        return PeopleView(shot.camera, shot.t_ns, people), facings if shot.camera.startswith("s") else None


def jpeg(width: int = 640, height: int = 360) -> bytes:
    return bytes(cv2.imencode(".jpg", np.zeros((height, width, 3), np.uint8))[1])


def frame(camera: str, seq: int, width: int = 640, height: int = 360) -> Packet:
    t_ns = 1_000_000_000 + seq * 200_000_000
    message = Frame(seq=seq, t_ns=t_ns, width=width, height=height, jpeg=jpeg(width, height))
    return encode(topics.FRAME, "corner", camera, message)


@contextmanager
def running(service: VisionService) -> Iterator[None]:
    thread = threading.Thread(target=service.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        service.stop()
        thread.join(10)
        assert not thread.is_alive()


def until(condition: object, seconds: float = 10.0) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_people_and_facings_are_published_as_a_smart_camera_would(site: Site) -> None:
    hub, worker = MemoryHub(), Sees()
    with hub.connect() as bus, hub.connect() as cameras, hub.connect() as pipeline:
        pipeline.subscribe("smartstore/v1/corner/data/#", "smartstore/v1/corner/sys/#")
        with running(VisionService(bus, site, worker, "w", KEEP_ALL)):
            assert until(lambda: hub_shares(hub) == 7)
            for camera in ("c1", "s1", "c4", "nobody's"):
                cameras.publish(frame(camera, 5))
            assert until(lambda: len(worker.shots) == 3)
        heard = [decode(packet) for packet in drain(pipeline)]
    told = {(r.channel.name, r.device): r.message for r in heard if r is not None}
    view = people_view("c1", told["people", "c1"])
    assert (told["people", "c1"].seq, view.t_ns, view.people[0].box_px) == (5, 2_000_000_000, (1.23, 2.0, 30.0, 60.0))
    np.testing.assert_allclose(view.people[0].joints_px[:, 2], 0.5)
    assert told["facings", "s1"].seq == 5
    assert ("people", "c4") not in told and ("facings", "c1") not in told
    assert told["progress", "vision-w"].processed_ns == 2_000_000_000
    states = [r.message.state for r in heard if r is not None and r.channel is topics.STATUS]
    assert states == ["online", "offline"]


def test_rubbish_on_the_wire_is_counted_and_named_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    hub, worker = MemoryHub(), Sees()
    topic = topics.FRAME.topic("corner", "c1")
    size = {"schema": "1", "seq": "1", "t_ns": "5"}
    with hub.connect() as bus, hub.connect() as cameras:
        service = VisionService(bus, site, worker, "w", KEEP_ALL)
        with running(service):
            assert until(lambda: hub_shares(hub) == 7)
            for properties in ({}, size | {"width": "0", "height": "0"}, size | {"width": "640", "height": "x"}):
                cameras.publish(Packet(topic, jpeg(), "image/jpeg", properties))
            cameras.publish(Packet(topic, b"no picture", "image/jpeg", size | {"width": "640", "height": "360"}))
            cameras.publish(frame("c1", 2))
            assert until(lambda: len(worker.shots) == 1)
    assert service.stats["malformed"] == 4
    assert len([record for record in caplog.records if "malformed" in record.getMessage()]) == 1


def test_two_workers_share_the_cameras_and_the_one_that_stays_takes_all(site: Site) -> None:
    """Over a real broker: every picture is looked at once, each camera's by one worker."""
    workers = {name: Sees(name) for name in ("left", "right")}
    with EmbeddedBroker() as broker, ExitStack() as stack:
        cameras = stack.enter_context(MqttBus(broker.url, "cameras"))
        stop_left = ExitStack()
        for name, worker in workers.items():
            bus = MqttBus(broker.url, name, keep_latest=50)
            where = stop_left if name == "left" else stack
            where.enter_context(bus)
            where.enter_context(running(VisionService(bus, site, worker, name, KEEP_ALL)))
        time.sleep(2.5)
        for seq in range(4):
            for camera in site.cameras:
                cameras.publish(frame(camera, seq))
        assert until(lambda: sum(len(worker.shots) for worker in workers.values()) == 28)
        shares = {name: {shot.camera for shot in worker.shots} for name, worker in workers.items()}
        assert sorted(len(share) for share in shares.values()) == [3, 4]
        assert not shares["left"] & shares["right"]
        stop_left.close()
        time.sleep(1.5)
        for camera in site.cameras:
            cameras.publish(frame(camera, 9))
        assert until(lambda: sum(len(worker.shots) for worker in workers.values()) == 35)
        assert len({shot.camera for shot in workers["right"].shots if shot.t_ns == 2_800_000_000}) == 7


def test_the_worker_and_its_shell_fit_together(site: Site) -> None:
    """A real worker with a detector that sees nobody: pictures of seven cameras in, seven views out."""

    class Nobody:
        def detect(self, images: Sequence[object]) -> list[tuple[SeenPerson, ...]]:
            return [() for _ in images]

    class Blind:
        def __init__(self, camera: str) -> None:
            self.camera = camera

        def observe(self, t_ns: int, image: object, people: object) -> list[SeenFacing]:
            return []

    hub = MemoryHub()
    with hub.connect() as bus, hub.connect() as cameras, hub.connect() as pipeline:
        pipeline.subscribe(topics.PEOPLE.filter("corner"))
        with running(VisionService(bus, site, VisionWorker(site, Nobody(), Blind), "w", KEEP_ALL)):
            assert until(lambda: hub_shares(hub) == 7)
            for camera in site.cameras.values():
                cameras.publish(frame(camera.id, 1, camera.model.width_px, camera.model.height_px))
            heard = [pipeline.receive(5) for _ in range(7)]
    assert {topics.find(packet.topic)[2] for packet in heard if packet} == set(site.cameras)  # type: ignore[index]


def hub_shares(hub: MemoryHub) -> int:
    """How many cameras have somebody who looks."""
    topics_of = (topics.FRAME.topic("corner", camera) for camera in ("c1", "c2", "c3", "c4", "s1", "s2", "s3"))
    return sum(any(client.shared_filters(topic) for client in list(hub._clients)) for topic in topics_of)


def drain(bus: object) -> Iterator[Packet]:
    while (packet := bus.receive(0.1)) is not None:  # type: ignore[attr-defined]
        yield packet


def test_a_shared_subscription_hands_each_packet_to_one_of_its_members() -> None:
    hub = MemoryHub()
    packet = Packet("a/b", b"x")
    with hub.connect() as one, hub.connect() as two, hub.connect() as other, hub.connect() as sender:
        for client in (one, two):
            client.subscribe("$share/team/a/+")
        other.subscribe("a/#")
        for _ in range(4):
            sender.publish(packet)
        assert [len(list(drain(client))) for client in (one, two, other)] == [2, 2, 4]
        one.unsubscribe("$share/team/a/+")
        for _ in range(3):
            sender.publish(packet)
        assert [len(list(drain(client))) for client in (one, two)] == [0, 3]
    assert not matches("$share/team/a/+", "a/b")
