"""People seen by several cameras become tracks on the floor that keep their numbers."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from smartstore.domain.people import FloorState, PeopleView, SeenPeople, SeenPerson
from smartstore.site import Site, load_site
from smartstore.state import freeze, thaw
from smartstore.vision.association import assign
from smartstore.vision.doubles import alike, once_each
from smartstore.vision.flock import Flock, begun
from smartstore.vision.floor import FloorOptions, Stands, locate
from smartstore.vision.rays import RayTable
from smartstore.vision.tracker import FloorTracker
from smartstore.vision.tracks import Track, TrackerOptions
from tests.smartstore.crowd import SECOND, Cinema, Walker, line

AISLE_A = 1.5


@pytest.fixture(scope="module")
def corner() -> Site:
    return load_site(Path("configs/stores/corner.yaml"))


def track(site: Site, views: list[PeopleView]) -> list[FloorState]:
    tracker = FloorTracker(site)
    return [state for view in views if (state := tracker.observe([view]))]


def located(site: Site, view: PeopleView) -> Stands:
    """The people of one picture on the floor."""
    table = RayTable({view.camera: site.cameras[view.camera].model})
    return locate(SeenPeople.of(view.people), np.zeros(len(view.people), np.intp), table, FloorOptions())


def numbers_of(states: list[FloorState], walker: Walker, from_s: float, within_m: float = 0.5) -> Counter[int]:
    """How often each track was the nearest one to a walker, and near enough; 0 where there was none."""
    found: Counter[int] = Counter()
    for state in states:
        t_s = state.t_ns / SECOND - 1000
        if t_s < from_s or walker.is_away(t_s):
            continue
        x, y = walker.at(t_s)
        near = min(state.tracks, key=lambda t: np.hypot(t.x_m - x, t.y_m - y), default=None)
        good = near is not None and np.hypot(near.x_m - x, near.y_m - y) < within_m
        found[near.track if good and near else 0] += 1
    return found


def errors_m(states: list[FloorState], walker: Walker, from_s: float) -> list[float]:
    out = []
    for state in states:
        t_s = state.t_ns / SECOND - 1000
        if t_s >= from_s and state.tracks:
            x, y = walker.at(t_s)
            out.append(min(float(np.hypot(t.x_m - x, t.y_m - y)) for t in state.tracks))
    return out


@pytest.mark.parametrize("height_m", [1.55, 1.72, 1.92])
@pytest.mark.parametrize("place", [(1.1, 3.0), (4.4, 3.4), (2.2, 5.6)], ids=str)
def test_one_picture_of_a_standing_body_gives_its_place_and_height(
    corner: Site, place: tuple[float, float], height_m: float
) -> None:
    cinema = Cinema(corner, noise_px=0.0, miss=0.0, false_boxes=0.0, pose_error_deg=0.0, pose_error_m=0.0)
    seen = 0
    for view in cinema.views([Walker(lambda t: place, height_m)], 0.2):
        stands = located(corner, view)
        for mean, cov in zip(stands.mean, stands.cov, strict=True):
            seen += 1
            spread = np.sqrt(np.linalg.eigvalsh(cov[:2, :2])[-1])
            assert np.hypot(*(mean[:2] - place)) < max(0.12, 1.5 * spread)
            assert mean[2] == pytest.approx(height_m, abs=0.12) or spread > 0.4
    assert seen >= 2


def test_a_box_without_joints_still_stands_somewhere(corner: Site) -> None:
    cinema = Cinema(corner, noise_px=0.0, miss=0.0, false_boxes=0.0, pose_error_deg=0.0)
    for view in cinema.views([Walker(lambda t: (1.5, 5.6))], 0.2):
        for person in view.people:
            person.joints_px[:] = 0.0
        stands = located(corner, view)
        for mean, cov in zip(stands.mean, stands.cov, strict=True):
            assert np.hypot(mean[0] - 1.5, mean[1] - 5.6) < 3 * np.sqrt(np.trace(cov[:2, :2]))


def test_the_ray_table_is_the_camera(corner: Site) -> None:
    model = corner.cameras["c1"].model
    pixels = np.random.default_rng(0).uniform((0, 0), (640, 360), (500, 2))
    rays = RayTable({camera.id: camera.model for camera in corner.cameras.values()})
    ours = rays.rays(pixels[None], np.array([rays.number["c1"]]))[0]
    ours /= np.linalg.norm(ours, axis=1, keepdims=True)
    assert np.abs(ours - model.rays(pixels)).max() < 2e-4


def test_one_shopper_keeps_one_number_from_entry_to_exit(corner: Site) -> None:
    legs = [(1.1, 0.3), (1.1, 3.0), (1.6, 5.6), (3.9, 5.6), (4.4, 3.0), (4.9, 0.9), (4.9, -0.8)]
    times = [0.0, 3.0, 6.0, 9.0, 12.0, 15.0, 17.0]
    xs, ys = zip(*legs, strict=True)
    shopper = Walker(lambda t: (float(np.interp(t, times, xs)), float(np.interp(t, times, ys))), stay_s=(0.0, 16.0))
    states = track(corner, Cinema(corner, seed=4).views([shopper], 20.0))
    found = numbers_of(states, shopper, from_s=1.0)
    assert set(found) == {1}
    assert np.mean(errors_m([s for s in states if s.t_ns < 1015 * SECOND], shopper, 1.0)) < 0.12
    assert states[-1].tracks == ()


def test_two_people_who_cross_keep_their_numbers(corner: Site) -> None:
    up = Walker(line((1.3, 1.2), (1.3, 6.0), 5.0, 1.5), look=1)
    down = Walker(line((1.8, 6.0), (1.8, 1.2), 5.0, 1.5), look=2)
    for seed in range(3):
        states = track(corner, Cinema(corner, seed=seed).views([up, down], 8.0))
        first, second = numbers_of(states, up, 2.0), numbers_of(states, down, 2.0)
        assert first.most_common(1)[0][0] != second.most_common(1)[0][0]
        assert first.most_common(1)[0][1] > 0.97 * first.total()
        assert second.most_common(1)[0][1] > 0.97 * second.total()


def test_people_dressed_alike_are_told_apart_by_their_motion(corner: Site) -> None:
    up = Walker(line((1.2, 1.2), (1.2, 6.0), 5.0, 1.5), look=1)
    down = Walker(line((1.9, 6.0), (1.9, 1.2), 5.0, 1.5), look=1)
    states = track(corner, Cinema(corner, seed=2).views([up, down], 8.0))
    for walker in (up, down):
        found = numbers_of(states, walker, 2.0)
        assert found.most_common(1)[0][1] > 0.95 * found.total()


def test_somebody_whom_nobody_sees_for_two_seconds_comes_back_with_their_number(corner: Site) -> None:
    hidden = Walker(line((1.1, 1.0), (1.6, 5.5), 6.0), unseen=((3.0, 5.0),))
    states = track(corner, Cinema(corner, seed=5).views([hidden], 9.0))
    found = numbers_of([s for s in states if s.t_ns > 1005.8 * SECOND], hidden, 0.0)
    assert set(found) == {1}


def test_a_birth_in_the_middle_of_the_store_is_believed_late_and_one_at_the_entry_soon(corner: Site) -> None:
    cinema = Cinema(corner, seed=6, miss=0.0, false_boxes=0.0)
    first_s = {}
    for name, place in (("middle", (1.5, 5.6)), ("entry", (1.1, 0.6))):
        states = track(corner, cinema.views([Walker(lambda t, place=place: place)], 4.0))  # type: ignore[misc]
        first_s[name] = next(s.t_ns / SECOND - 1000 for s in states if s.tracks)
    assert first_s["entry"] < 0.8
    assert 1.1 < first_s["middle"] < 2.0


def test_whoever_stands_in_the_store_when_it_has_long_been_watched_is_believed_after_three_seconds(
    corner: Site,
) -> None:
    late = Walker(lambda t: (1.5, 5.6), stay_s=(5.0, 20.0))
    states = track(corner, Cinema(corner, seed=6, miss=0.0, false_boxes=0.0).views([late], 12.0))
    first_s = next(s.t_ns / SECOND - 1000 for s in states if s.tracks)
    assert 7.9 < first_s < 9.0


def test_a_box_around_nobody_that_one_camera_never_stops_showing_is_nobody(corner: Site) -> None:
    """Not even when somebody walks by, whom all other cameras show."""
    model = corner.cameras["c1"].model
    passer = Walker(line((1.1, 0.3), (1.6, 6.0), 8.0, 1.0))
    seen = Cinema(corner, seed=3).views([passer], 20.0)
    boxes = {v.t_ns: v.people[0] for v in (_box_around_nobody("c1", (model.width_px, model.height_px), k / 5)
                                           for k in range(100))}  # fmt: skip
    views = [structs.replace(v, people=(*v.people, boxes[v.t_ns])) if v.camera == "c1" else v for v in seen]
    states = track(corner, views)
    assert {t.track for state in states for t in state.tracks} == {1}
    assert max(numbers_of(states, passer, 2.0).items(), key=lambda item: item[1])[0] == 1


def test_whoever_stoops_beside_another_keeps_place_and_number(corner: Site) -> None:
    """A body that is suddenly 40 cm lower is the same body, and does not slide along the camera's ray."""

    @dataclass(frozen=True)
    class Stooper(Walker):
        def joints(self, t_s: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
            low = 0.75 if 3.0 < t_s < 5.0 else 1.0
            return super().joints(t_s) * [1.0, 1.0, low]

    stooper, other = Stooper(lambda t: (0.9, 4.0), look=1), Walker(lambda t: (0.9, 3.0), look=2)
    for seed in range(3):
        states = track(corner, Cinema(corner, seed=seed).views([stooper, other], 8.0))
        for walker in (stooper, other):
            assert len(numbers_of(states, walker, 2.0)) == 1
            assert max(errors_m(states, walker, 2.0)) < 0.45


def test_whoever_was_last_seen_at_the_exit_has_left_and_is_nobody_else_later(corner: Site) -> None:
    leaver = Walker(line((4.9, 3.0), (4.9, 0.3), 3.0), stay_s=(0.0, 3.0), look=1)
    late = Walker(lambda t: (4.9, 3.0), stay_s=(6.0, 20.0), look=1)
    states = track(corner, Cinema(corner, seed=5).views([leaver, late], 12.0))
    assert all(not state.tracks for state in states if 1004.5 < state.t_ns / SECOND < 1006)
    assert {t.track for state in states if state.t_ns > 1006 * SECOND for t in state.tracks} == {2}


def test_false_boxes_make_no_people(corner: Site) -> None:
    states = track(corner, Cinema(corner, seed=7, false_boxes=0.3).views([], 30.0))
    assert sum(len(state.tracks) for state in states) <= 0.02 * len(states)


def test_two_people_side_by_side_are_two(corner: Site) -> None:
    left = Walker(lambda t: (1.2, 3.0), look=1)
    right = Walker(lambda t: (1.2, 3.5), look=2)
    states = track(corner, Cinema(corner, seed=8).views([left, right], 10.0))
    late = [state for state in states if state.t_ns > 1003 * SECOND]
    assert np.mean([len(state.tracks) == 2 for state in late]) > 0.97
    assert len({t.track for state in late for t in state.tracks}) == 2


def test_half_or_double_frame_rate_tells_the_same_story(corner: Site) -> None:
    walker = Walker(line((1.1, 0.5), (1.6, 6.0), 6.0, 1.0))
    results = {}
    for fps in (3.0, 5.0, 10.0):
        states = track(corner, Cinema(corner, seed=9).views([walker], 8.0, fps))
        assert set(numbers_of(states, walker, 1.5)) == {1}
        results[fps] = float(np.mean(errors_m(states, walker, 1.5)))
    assert max(results.values()) < 0.15
    assert max(results.values()) < 2.5 * min(results.values())


def test_a_view_of_an_unknown_camera_or_from_the_past_is_counted(corner: Site) -> None:
    tracker = FloorTracker(corner)
    assert tracker.observe([PeopleView("c1", 10 * SECOND, ())]) == FloorState(10 * SECOND, ())
    assert tracker.observe([PeopleView("c1", 9 * SECOND, ())]) is None
    assert tracker.observe([PeopleView("attic", 11 * SECOND, ())]) is None
    assert (tracker.counts.out_of_order, tracker.counts.unknown_camera) == (1, 1)


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        pytest.param([[1.0, 9.0], [9.0, 1.0]], [(0, 0), (1, 1)], id="each to its own"),
        pytest.param([[1.0, 2.0], [1.5, 9.0]], [(0, 1), (1, 0)], id="the sum decides, not the first"),
        pytest.param([[20.0]], [], id="beyond the gate"),
        pytest.param([[1.0, 1e6], [2.0, 1e6]], [(0, 0)], id="a forbidden pair pushes nobody out"),
        pytest.param([[], []], [], id="nobody"),
    ],
)
def test_assignment(cost: list[list[float]], expected: list[tuple[int, int]]) -> None:
    rows, columns = assign(np.array(cost), 14.0, (0, len(cost[0])))
    assert sorted(zip(rows, columns, strict=True)) == expected


def test_each_view_is_assigned_by_itself_and_known_people_first() -> None:
    cost, views = np.array([[1.0, 3.0, 9.0], [0.5, 1.0, np.inf]]), (0, 1, 3)
    rows, columns = assign(cost, 14.0, views)
    assert list(zip(rows, columns, strict=True)) == [(1, 0), (1, 1), (0, 2)]
    rows, columns = assign(cost, 14.0, views, first=np.array([True, False]))
    assert list(zip(rows, columns, strict=True)) == [(0, 0), (0, 1)]


def test_what_several_cameras_measure_at_once_is_worth_as_much_as_one_after_the_other() -> None:
    options, cov = TrackerOptions(), np.diag([0.02, 0.03, 0.05])
    seen = np.array([[1.02, 2.0, 1.7], [0.97, 2.05, 1.72], [1.0, 1.98, 1.66]])
    together, alone = (Flock([Track(*begun(np.array([1.0, 2.0, 1.7]), cov), 0, 0)]) for _ in range(2))
    covs, far = np.array([cov] * 3), np.full(1, np.inf)
    distance = together.compare(seen, covs, far).distance[0]
    together.update(np.zeros(3, int), seen, covs, distance, options.trusted)
    for one in seen:
        distance = alone.compare(one[None], cov[None], far).distance[0]
        alone.update(np.zeros(1, int), one[None], cov[None], distance, options.trusted)
    assert together.mean == pytest.approx(alone.mean)
    assert together.cov == pytest.approx(alone.cov)


def test_somebody_found_twice_in_one_picture_is_one_person(corner: Site) -> None:
    """A network often gives one box for all of a body and another one for its upper half."""
    views = Cinema(corner, seed=11, miss=0.0).views([Walker(lambda t: (1.5, 5.6))], 6.0)
    doubled = []
    for view in views:
        upper = [
            replace(p, box_px=(p.box_px[0], p.box_px[1], p.box_px[2], (p.box_px[1] + p.box_px[3]) / 2), score=0.6)
            for p in view.people
        ]
        doubled.append(structs.replace(view, people=(*upper, *view.people)))
    states = track(corner, doubled)
    assert {len(state.tracks) for state in states if state.t_ns > 1003 * SECOND} == {1}


def test_one_person_before_another_stays_two() -> None:
    joints = np.random.default_rng(0).uniform((100, 100, 0.9), (140, 200, 0.9), (17, 3))
    one = SeenPerson((95, 95, 145, 205), 0.9, joints, np.zeros(0))
    behind = SeenPerson((100, 90, 140, 150), 0.8, joints + np.array([20.0, -30.0, 0.0]), np.zeros(0))
    again = SeenPerson((100, 90, 140, 150), 0.8, joints + np.array([1.0, 2.0, 0.0]), np.zeros(0))
    two, twice = SeenPeople.of((one, behind)), SeenPeople.of((one, again))
    here = np.array([[1.0, 1.0], [1.1, 1.0]])
    assert not alike(two, here, np.array([0, 2])).any()
    doubled = alike(twice, here, np.array([0, 2]))
    assert doubled.tolist() == [[False, True], [True, False]]
    assert once_each(twice.scores, [0, 1], doubled) == [0]
    assert not alike(twice, here * [[1.0, 1.0], [2.0, 1.0]], np.array([0, 2])).any()
    assert not alike(twice, here, np.array([0, 1, 2])).any(), "of two pictures"


def _box_around_nobody(camera: str, model_px: tuple[int, int], t_s: float) -> PeopleView:
    x, y = model_px[0] / 2, model_px[1] / 2
    joints = np.zeros((17, 3))
    box = (x - 20.0, y - 60.0, x + 20.0, y + 60.0)
    return PeopleView(camera, round((1000 + t_s) * SECOND), (SeenPerson(box, 0.7, joints, np.zeros(16)),))


@pytest.mark.parametrize("others_look_there", [True, False])
def test_a_box_that_one_camera_alone_shows_for_two_seconds_is_nobody_where_others_look_too(
    corner: Site, others_look_there: bool
) -> None:
    model = corner.cameras["c1"].model
    views = [_box_around_nobody("c1", (model.width_px, model.height_px), k / 5) for k in range(11)]
    if others_look_there:
        views += [PeopleView(c, round((1000.01 + k / 5) * SECOND), ()) for c in ("c2", "c3", "c4") for k in range(11)]
    states = track(corner, sorted(views, key=lambda view: view.t_ns))
    assert any(state.tracks for state in states) is not others_look_there


@pytest.mark.parametrize("apart_m", [0.6, 0.9, 1.1])
def test_a_box_around_nobody_gets_no_witness_from_who_comes_in_beside_it(corner: Site, apart_m: float) -> None:
    """All cameras show the newcomer at one moment, one of them so vaguely that either place would do."""
    cinema = Cinema(corner, seed=2, noise_px=1.0, miss=0.0, false_boxes=0.0, pose_error_deg=0.0, pose_error_m=0.0)
    nobody, comes = (
        {view.camera: view.people for view in cinema.views([Walker(lambda t, x=x: (x, 1.0))], 0.2)}  # type: ignore[misc]
        for x in (1.1 + apart_m, 1.1)
    )
    comes["c2"] = tuple(replace(person, joints_px=np.zeros((17, 3))) for person in comes["c2"])
    tracker = FloorTracker(corner)
    for k in range(8):
        seen = comes if k > 1 else {}
        people = {**seen, "c1": nobody["c1"] + seen.get("c1", ())}
        tracker.observe([PeopleView(camera, (5000 + k) * SECOND // 5, people[camera]) for camera in sorted(people)])
    box, newcomer = tracker._flock.tracks  # who was met by which camera is told by nothing else
    assert set(box.shown) == {"c1"}
    assert set(newcomer.shown) == {"c1", "c2", "c3", "c4"}


def test_a_floor_that_is_kept_and_taken_up_again_goes_on_as_if_nothing_had_been(corner: Site) -> None:
    """Two meet whom no view shows both: for how long they run along, until they are one, is not forgotten."""
    waits, comes = (
        Walker(lambda t: (1.2, 5.4)),
        Walker(lambda t: (1.3 + max(0.0, 2.0 - max(0.0, t - 5.0)), 5.4), look=1),
    )
    seen = [Cinema(corner, seed=12, miss=0.0, false_boxes=0.0).views([walker], 9.5) for walker in (waits, comes)]
    first = [view for view in seen[0] if view.camera in ("c1", "c3")]
    second = [view for view in seen[1] if view.camera in ("c2", "c4")]
    tracker = again = FloorTracker(corner)
    counts = []
    for view in sorted(first + second, key=lambda view: view.t_ns):
        rays: dict[str, object] = {"rays": again.rays}
        again = thaw(freeze(again, rays), rays)
        state = tracker.observe([view])
        assert state is not None
        assert again.observe([view]) == state
        counts.append(len(state.tracks))
    assert (max(counts), counts[-1]) == (2, 1)
