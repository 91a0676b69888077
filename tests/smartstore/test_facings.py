"""What shelf cameras say about facings becomes settled changes; what their pictures show is read by geometry."""

from pathlib import Path

import numpy as np
import pytest

from sims.building import Building, load_building
from sims.devices.camera import FrameCamera, encode
from sims.devices.look import Look
from sims.devices.mounting import as_built
from sims.devices.renderer import Renderer
from sims.flaws import Mounting
from sims.optics import CameraSpec
from sims.scene import Scene
from smartstore.domain.items import FacingChange
from smartstore.domain.people import SeenPerson
from smartstore.site import Site, load_site
from smartstore.vision.blocking import hidden_by
from smartstore.vision.facings import FacingReader, FacingWatcher
from smartstore.vision.likeness import Likeness
from smartstore.vision.registration import poses
from smartstore.vision.shelf_face import marks
from smartstore.vision.worker import decode_jpeg
from smartstore.wire.messages import Facings, SeenFacing

STORE = Path("configs/stores/corner.yaml")
SECOND = 1_000_000_000
CAPACITY = 15
FACING = "g1-2-b"


@pytest.fixture(scope="module")
def corner() -> Site:
    return load_site(STORE)


def said(t_s: float, items: float, change: float = 0.02, hidden: bool = False, **scores: float) -> Facings:
    seen = SeenFacing(facing=FACING, fill=items / CAPACITY, change=change, hidden=hidden, scores=scores)
    return Facings(seq=0, t_ns=round(t_s * SECOND), facings=[seen])


def changes(site: Site, history: list[Facings]) -> list[FacingChange]:
    watcher = FacingWatcher(site)
    return [change for message in history for change in watcher.observe("s1", message)]


def test_an_item_taken_behind_a_back_is_a_change_from_the_last_clear_view_to_the_next(corner: Site) -> None:
    history = [
        *[said(t, 15) for t in (0, 0.5, 1.0)], *[said(t, 15, hidden=True) for t in (1.5, 2.0, 2.5)],
        said(3.0, 14, 0.9, a=0.8, b=0.2), said(3.5, 14), said(4.0, 14),
    ]  # fmt: skip
    (change,) = changes(corner, history)
    assert (change.facing, change.items, change.unclear) == (FACING, -1, False)
    assert (change.t_start_ns, change.t_end_ns) == (1 * SECOND, 3 * SECOND)
    assert change.probability == pytest.approx(0.9)
    assert change.scores[0] == ("a", pytest.approx(0.8))


@pytest.mark.parametrize(
    ("fills", "expected"),
    [
        pytest.param([15, 15, 15, 15, 15], [], id="nothing happens"),
        pytest.param([15, 15, 14, 15, 15, 15], [], id="a flicker"),
        pytest.param([15, 15, 14, 14, 14], [-1], id="a take"),
        pytest.param([12, 12, 13, 13, 13], [1], id="a put-back"),
        pytest.param([15, 15, 13, 13, 13], [-2], id="two at once"),
        pytest.param([15, 14, 14, 13, 13, 13], [-1, -1], id="one after the other"),
        pytest.param([15, 15, 14.8, 14.6, 14.7, 14.6, 14.6], [], id="an estimate that drifts"),
        pytest.param([15, 15, 14.2, 13.9, 14.1, 14.0], [-1], id="a noisy take"),
        pytest.param([15, 14, 14, 15, 15, 15], [-1, 1], id="taken and put back"),
    ],
)
def test_fills_become_changes(corner: Site, fills: list[float], expected: list[int]) -> None:
    history = [said(k * 0.5, fill) for k, fill in enumerate(fills)]
    assert [change.items for change in changes(corner, history)] == expected


def test_a_camera_that_is_sure_makes_half_an_item_count(corner: Site) -> None:
    doubtful = [said(k * 0.5, 15 if k < 3 else 14.5) for k in range(8)]
    sure = [said(k * 0.5, 15 if k < 3 else 14.5, 0.9 if k == 3 else 0.02) for k in range(8)]
    assert changes(corner, doubtful) == []
    assert [change.items for change in changes(corner, sure)] == [-1]


def test_a_middling_change_after_a_hidden_view_is_unclear(corner: Site) -> None:
    history = [said(0, 15), said(0.5, 15, hidden=True), said(1.0, 15, 0.6), said(1.5, 15), said(2.0, 15)]
    (change,) = changes(corner, history)
    assert (change.unclear, change.items) == (True, 0)
    assert changes(corner, [said(0, 15), said(0.5, 15), said(1.0, 15, 0.6), said(1.5, 15)]) == []


def test_a_sure_change_that_the_camera_cannot_count_is_told_with_its_name(corner: Site) -> None:
    history = [said(0, 15), said(0.5, 15, hidden=True), said(1.0, 15, 0.95, a=0.9), said(1.5, 15), said(2.0, 15)]
    (change,) = changes(corner, history)
    assert (change.items, change.unclear, change.scores[0]) == (0, False, ("a", pytest.approx(0.9)))
    assert (change.t_start_ns, change.t_end_ns) == (0, 1 * SECOND)


def test_what_left_for_one_view_and_came_back_is_no_change_however_sure_the_camera_was(corner: Site) -> None:
    flicker = [said(0, 15), said(0.5, 14, 0.95), said(1.0, 15, 0.95), said(1.5, 15), said(2.0, 15)]
    assert changes(corner, flicker) == []


def test_facings_that_the_site_does_not_have_are_counted(corner: Site) -> None:
    watcher = FacingWatcher(corner)
    stranger = SeenFacing(facing="attic", fill=0.5)
    assert watcher.observe("s1", Facings(seq=0, t_ns=0, facings=[stranger])) == []
    assert watcher.unknown_facings == 1


class Shop:
    """Pictures of one shelf camera that hangs a little off its survey; items come and go at the fronts of columns."""

    def __init__(self, building: Building, camera: str, renderer: Renderer, seed: int) -> None:
        self.spec: CameraSpec = as_built(building, Mounting(), seed).cameras[camera]
        self.renderer, self.sensor = renderer, FrameCamera(self.spec, renderer, np.random.default_rng(seed))
        self.stock = {facing: [list(column) for column in columns] for facing, columns in building.full_stock().items()}
        self.t_ns = 0

    def picture(self) -> tuple[int, np.ndarray]:  # type: ignore[type-arg]
        self.t_ns += SECOND // 2
        stock = {facing: tuple(map(tuple, columns)) for facing, columns in self.stock.items()}
        shown = self.sensor.expose(self.renderer.render(Scene(self.t_ns, (), stock), self.spec))
        image = decode_jpeg(encode(shown, 88))
        assert image is not None
        return self.t_ns, image


@pytest.fixture(scope="module")
def building() -> Building:
    return load_building(STORE)


@pytest.fixture(scope="module")
def renderer(building: Building) -> Renderer:
    return Renderer(building, Look.shipped())


@pytest.mark.parametrize(("camera", "seed"), [("s1", 7), ("s2", 7), ("s3", 7)])
def test_a_camera_off_its_survey_is_aligned_by_the_shelves(
    corner: Site, building: Building, renderer: Renderer, camera: str, seed: int
) -> None:
    shop = Shop(building, camera, renderer, seed)
    _, image = shop.picture()
    surveyed = corner.cameras[camera]
    found = poses(surveyed.model, marks(corner, surveyed), image)[0]
    fixtures = [corner.fixtures[name] for name in surveyed.watches]
    points = np.array([f.point(u, 0.02, z) for f in fixtures for u in (0.05, f.width_m - 0.05) for z in (0.35, 1.25)])
    true = shop.spec.project(points)
    assert np.abs(surveyed.model.project(points) - true).max() > 4.0
    assert np.abs(found.project(points) - true).max() < 6.0
    assert np.abs((found.project(points) - true).mean(axis=0)).max() < 3.0


@pytest.mark.parametrize("camera", ["s1", "s2", "s3"])
def test_single_takes_and_put_backs_are_read_from_pictures(
    corner: Site, building: Building, renderer: Renderer, camera: str
) -> None:
    shop, rng = Shop(building, camera, renderer, 7), np.random.default_rng(3)
    reader, watcher = FacingReader(corner), FacingWatcher(corner)

    def watch(pictures: int) -> list[FacingChange]:
        found = []
        for _ in range(pictures):
            t_ns, image = shop.picture()
            message = reader.observe(camera, t_ns, image, ())
            found += watcher.observe(camera, message) if message else []
        return found

    assert watch(4) == []
    facings = [f for f in corner.facings.values() if f.fixture in corner.cameras[camera].watches]
    right, wrong = 0, 0
    for k in range(6):
        facing = facings[rng.integers(len(facings))]
        column = shop.stock[facing.id][rng.integers(facing.columns)]
        put = k % 3 == 2 and len(column) < facing.rows
        column.append(facing.sku) if put else column.pop()
        found = watch(3)
        hits = [c for c in found if c.facing == facing.id and c.items == (1 if put else -1)]
        right += len(hits)
        wrong += len(found) - len(hits)
        assert not hits or hits[0].scores[0][0] == facing.sku
    assert (right, wrong) == (6, 0)


def test_whoever_stands_before_a_facing_hides_it(corner: Site, building: Building, renderer: Renderer) -> None:
    shop, reader = Shop(building, "s1", renderer, 7), FacingReader(corner)
    for _ in range(3):
        t_ns, image = shop.picture()
        message = reader.observe("s1", t_ns, image, ())
    assert message is not None
    assert not any(seen.hidden for seen in message.facings)
    shop.stock["g1-2-b"][1].pop()
    somebody = SeenPerson((60.0, 0.0, 480.0, 540.0), 0.9, np.zeros((17, 3)), np.zeros(0))
    t_ns, image = shop.picture()
    message = reader.observe("s1", t_ns, image, (somebody,))
    assert message is not None
    hidden = {seen.facing for seen in message.facings if seen.hidden}
    assert hidden == {facing.id for facing in corner.facings.values() if facing.fixture == "g1"}
    assert all(seen.fill == 1.0 for seen in message.facings)


def test_a_camera_without_shelves_reads_nothing(corner: Site) -> None:
    reader = FacingReader(corner)
    assert reader.observe("c1", 0, np.zeros((360, 640, 3), np.uint8), ()) is None
    assert reader.observe("attic", 0, np.zeros((360, 640, 3), np.uint8), ()) is None


def test_a_reaching_arm_hides_what_lies_beyond_its_hand() -> None:
    joints = np.zeros((17, 3))
    joints[5:11] = [
        [300, 300, 0.9],
        [340, 300, 0.9],
        [300, 250, 0.9],
        [340, 350, 0.9],
        [300, 200, 0.9],
        [345, 390, 0.9],
    ]
    joints[11:14] = [[305, 400, 0.9], [335, 400, 0.9], [305, 450, 0.9]]
    mask = hidden_by([SeenPerson((280, 180, 360, 470), 0.9, joints, np.zeros(0))], 640, 480)
    assert mask[170, 300]
    assert mask[350, 320]
    assert not mask[350, 450]
    assert not mask[100, 300]


def test_looks_are_worth_what_they_tell_apart() -> None:
    rng = np.random.default_rng(0)
    telling, useless = Likeness(), Likeness()
    for _ in range(100):
        telling.learn(rng.normal(0.1, 0.03, 3), rng.normal(0.8, 0.1, 3))
        useless.learn(rng.normal(0.3, 0.1, 3), rng.normal(0.3, 0.1, 3))
    near, far = np.array([[0.1]]), np.array([[0.8]])
    assert telling.cost(far)[0, 0] - telling.cost(near)[0, 0] > 8
    assert abs(useless.cost(far)[0, 0] - useless.cost(near)[0, 0]) < 3
    assert telling.cost(np.array([[np.nan]]))[0, 0] == 0
