"""Detections matched with people: a recording goes in, one row per person, camera and frame comes out.

The same matching serves frames that the real detector looked at and reports drawn from an error model, so that the two
can be compared distribution by distribution.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from sims.bodies.library import BodyLibrary
from sims.building import Building, load_building
from sims.chance import stream
from sims.devices.edge import PeopleFinders
from sims.devices.edge_model import EdgeModel
from sims.devices.edge_view import View, Viewer
from sims.devices.sight import Crowd, CrowdReader, Solids
from sims.lab.fit_edge_record import Found, Recording, Take, hung
from sims.scene import BodyState, Scene
from smartstore.wire.messages import SeenPerson

Array = NDArray[np.float64]

NEAR_JOINTS, NEAR_BOX = 0.25, 0.7
"""A detection is somebody's when its joints are off by less than this share of the height, or 1 - IoU is less."""
SAME_PLACE = 0.2
"""Boxes around nobody that overlap more (intersection over union) are one and the same."""
PAIR_S = (0.05, 1.3)
"""Pairs of frames so far apart tell how long errors last."""
WITHIN = 0.7
"""A surplus box of which so much lies in somebody's detection is a second box of theirs."""


@dataclass(frozen=True, slots=True)
class Surplus:
    """A detection that is nobody's first one."""

    frame: int
    row: int
    """Row of the person whose second box it is; -1 for a box around nobody."""
    box: tuple[float, float, float, float]
    score: float
    tall: float
    """Share of the picture's height."""
    begins: bool
    """Whether the frame before had no box around nobody there."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """n rows of people who might be seen, and what was found of them."""

    frame: NDArray[np.intp]
    """Number of the frame; frames of one camera of one take follow each other."""
    track: NDArray[np.intp]
    """Number of the person, camera and take."""
    person: NDArray[np.intp]
    camera: NDArray[np.intp]
    t_s: Array
    features: Array
    tall_px: Array
    pixels: Array
    visible: NDArray[np.bool_]
    in_picture: NDArray[np.bool_]
    at_shelf: Array
    boxes: Array
    over: NDArray[np.intp]
    """Row of the person who covers most of them."""
    found: NDArray[np.bool_]
    score: Array
    seen_box: Array
    joints: Array
    looks: Array
    surplus: tuple[Surplus, ...]
    frames: int
    minutes: float
    """Camera minutes."""

    def pairs(self, least_s: float, most_s: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows of the same person in the same camera, so far apart in time."""
        order = np.lexsort((self.t_s, self.track))
        one, two = [], []
        for step in range(1, 16):
            a, b = order[:-step], order[step:]
            gap = self.t_s[b] - self.t_s[a]
            good = (self.track[a] == self.track[b]) & (gap >= least_s) & (gap < most_s)
            if not good.any() and step > 1:
                break
            one.append(a[good])
            two.append(b[good])
        return np.concatenate(one), np.concatenate(two)

    def pairs_among(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
        """Pairs of frames not far apart of the same person and camera, as positions in ``rows``; their gaps in
        seconds."""
        place = np.full(len(self.found), -1)
        place[rows] = np.arange(len(rows))
        a, b = self.pairs(*PAIR_S)
        good = (place[a] >= 0) & (place[b] >= 0)
        a, b = a[good], b[good]
        return place[a], place[b], self.t_s[b] - self.t_s[a]


@dataclass(slots=True)
class _Frame:
    view: View
    names: list[int]
    tracks: list[int]
    camera: int
    t_s: float
    matched: dict[int, int]
    found: Sequence[Found]
    doubles: dict[int, int]
    """Detection to person; -1 for nobody."""
    height_px: int


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """A recording with everybody posed and projected: what does not depend on what was found."""

    take: Take
    building: Building
    recording: Recording
    crowds: tuple[Crowd, ...]
    views: tuple[View, ...]
    minutes: float


def stage(take: Take, recording: Recording) -> Staged:
    """Poses everybody in a recording."""
    figures = BodyLibrary.load()
    building = hung(load_building(take.store), take.scenario, take.seed)
    names = list(building.cameras)
    viewer, reader = Viewer(list(building.cameras.values()), Solids(building)), CrowdReader(building, figures)
    crowds, views, shots = [], [], []
    for shot in recording.shots:
        crowd = reader.read(Scene(shot.t_ns, tuple(shot.people), {}))
        inside = {p.person for p in crowd.people}
        outside = [p for p in shot.people if p.person not in inside]
        shots.append(replace(shot, found=_without(shot.found, outside, figures, building, shot.camera)))
        crowds.append(crowd)
        views.append(viewer.look(crowd, np.array([names.index(shot.camera)])) if crowd.people else _EMPTY)
    return Staged(take, building, replace(recording, shots=shots), tuple(crowds), tuple(views), _minutes(recording))


def samples(staged: Sequence[Staged], model: EdgeModel | None = None) -> Samples:
    """All rows of some recordings; with a ``model``, of what it would have reported in place of the detector."""
    frames: list[_Frame] = []
    number: dict[tuple[int, str], int] = {}
    tracks: dict[tuple[int, int, int], int] = {}
    for nth, stage_ in enumerate(staged):
        names = list(stage_.building.cameras)
        finder = None if model is None else _finder(stage_.building, model, stage_.take.seed)
        first_ns = stage_.recording.shots[0].t_ns
        for shot, crowd, view in zip(stage_.recording.shots, stage_.crowds, stage_.views, strict=True):
            here = names.index(shot.camera)
            found: Sequence[Found] = shot.found
            if finder is not None:
                found = [_as_found(p) for p in finder.find(crowd, [here], [shot.t_ns])[0].people]
            matched, doubles = match(view, found)
            people = [number.setdefault((nth, p.person), len(number)) for p in crowd.people]
            seen = [tracks.setdefault((nth, here, p), len(tracks)) for p in people]
            t_s = (shot.t_ns - first_ns) / 1e9
            height_px = stage_.building.cameras[shot.camera].height_px
            frames.append(_Frame(view, people, seen, here + 100 * nth, t_s, matched, found, doubles, height_px))
    return _table(frames, sum(s.minutes for s in staged))


def match(view: View, found: Sequence[Found]) -> tuple[dict[int, int], dict[int, int]]:
    """Person to detection, and the surplus detections with the person whose second box they are (-1: nobody's)."""
    if not found or not view.possible.size:
        return {}, dict.fromkeys(range(len(found)), -1)
    people = np.nonzero(view.possible[0])[0]
    joints = np.array([f.joints for f in found])
    boxes = np.array([f.box for f in found])
    cost = np.full((len(view.possible[0]), len(found)), np.inf)
    for i in people:
        gap = np.linalg.norm(joints[:, :, :2] - view.pixels[0, i], axis=2) / view.tall_px[0, i]
        good = (joints[:, :, 2] > 0.3) & view.in_picture[0, i]
        off = np.array([np.median(g[k]) if k.sum() >= 3 else np.inf for g, k in zip(gap, good, strict=True)])
        by_joints, by_box = off / NEAR_JOINTS, (1 - overlap(view.boxes[0, i], boxes)) / NEAR_BOX
        near = np.minimum(by_joints, by_box) < 1
        cost[i] = np.where(near, np.minimum(by_joints, 2.0) + np.minimum(by_box, 2.0), np.inf)
    matched = {}
    for i, j in zip(*linear_sum_assignment(np.minimum(cost, 99.0)), strict=True):
        if np.isfinite(cost[i, j]):
            matched[int(i)] = int(j)
    doubles = {}
    for j in set(range(len(found))) - set(matched.values()):
        owner = int(cost[:, j].argmin()) if np.isfinite(cost[:, j]).any() else -1
        if owner not in matched:
            shares = {i: _inside(boxes[j], boxes[k]) for i, k in matched.items()}
            best = max(shares, key=lambda i: shares[i], default=-1)
            owner = best if best >= 0 and shares[best] > WITHIN else -1
        doubles[j] = owner
    return matched, doubles


def overlap(box: Array, others: Array) -> Array:
    """Intersection over union of one box (4,) with others (n, 4)."""
    size = np.clip(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0, None)
    shared = size.prod(axis=1)
    area = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1)
    return np.asarray(shared / np.maximum(area - shared, 1e-9))


def _inside(box: Array, other: Array) -> float:
    size = np.clip(np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2]), 0, None)
    return float(size.prod() / max(np.prod(box[2:] - box[:2]), 1e-9))


def _without(
    found: list[Found], outside: Sequence[BodyState], figures: BodyLibrary, building: Building, camera: str
) -> list[Found]:
    """The detections but for those of people beyond the walls, of whom nothing is claimed."""
    for person in outside:
        pixels = building.cameras[camera].project(figures.joints(person))
        good = np.isfinite(pixels[:, 0])
        if good.sum() < 3:
            continue
        tall = float(np.ptp(pixels[good, 1])) + 1.0
        found = [
            f
            for f in found
            if np.median(np.linalg.norm(np.array(f.joints)[good, :2] - pixels[good], axis=1)) > 0.3 * tall
        ]
    return found


def _finder(building: Building, model: EdgeModel, seed: int) -> PeopleFinders:
    specs = list(building.cameras.values())
    return PeopleFinders(specs, Solids(building), model, [stream(seed, f"camera/{spec.id}") for spec in specs])


def _as_found(person: SeenPerson) -> Found:
    return Found(tuple(person.box), person.score, [tuple(j) for j in person.joints], person.appearance)  # type: ignore[arg-type, misc]


def _minutes(recording: Recording) -> float:
    """Camera minutes of a recording."""
    times: dict[str, list[int]] = {}
    for shot in recording.shots:
        times.setdefault(shot.camera, []).append(shot.t_ns)
    return sum((t[-1] - t[0]) / 6e10 for t in times.values())


_NO_JOINTS = np.zeros((1, 0, 17), bool)
_EMPTY = View(
    np.zeros(1, np.intp), np.zeros((1, 0, 17, 2)), _NO_JOINTS, _NO_JOINTS, np.zeros((1, 0, 17)), np.zeros((1, 0, 4)),
    np.zeros((1, 0)), np.zeros((1, 0, 5)), np.zeros((1, 0), np.intp), np.zeros((1, 0), bool),
)  # fmt: skip


def _table(frames: Sequence[_Frame], minutes: float) -> Samples:
    first = np.cumsum([0, *(len(f.names) for f in frames)])
    count = int(first[-1])
    numbers = max((len(f.look) for frame in frames for f in frame.found), default=1)
    found, score, boxes = np.zeros(count, bool), np.zeros(count), np.zeros((count, 4))
    joints, looks = np.zeros((count, 17, 3)), np.zeros((count, numbers))
    surplus: list[Surplus] = []
    nobodys: dict[int, list[Array]] = {}
    for nth, (frame, start) in enumerate(zip(frames, first, strict=False)):
        for i, j in frame.matched.items():
            seen, row = frame.found[j], start + i
            found[row], score[row], boxes[row], joints[row] = True, seen.score, seen.box, seen.joints
            looks[row, : len(seen.look)] = seen.look
        before = np.array(nobodys.get(frame.camera, [])).reshape(-1, 4)
        nobodys[frame.camera] = [np.array(frame.found[j].box) for j, i in frame.doubles.items() if i < 0]
        for j, i in frame.doubles.items():
            box = np.array(frame.found[j].box)
            begins = not len(before) or float(overlap(box, before).max()) < SAME_PLACE
            tall = float(box[3] - box[1]) / frame.height_px
            row = int(start + i) if i >= 0 else -1
            surplus.append(Surplus(nth, row, frame.found[j].box, frame.found[j].score, tall, begins))
    full = [f for f in frames if f.names]
    starts = [s for f, s in zip(frames, first, strict=False) if f.names]

    def join(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(f.view, name)[0] for f in full])

    ids = np.repeat(np.arange(len(frames)), np.diff(first))
    people = [(frame, i) for frame in full for i in range(len(frame.names))]
    return Samples(
        frame=ids,
        track=np.array([frame.tracks[i] for frame, i in people]),
        person=np.array([frame.names[i] for frame, i in people]),
        camera=np.array([frame.camera for frame, _ in people]),
        t_s=np.array([frame.t_s for frame, _ in people]),
        features=join("features"), tall_px=join("tall_px"), pixels=join("pixels"), visible=join("visible"),
        in_picture=join("in_picture"), at_shelf=join("at_shelf"), boxes=join("boxes"),
        over=np.concatenate([f.view.over[0] + s for f, s in zip(full, starts, strict=True)]),
        found=found, score=score, seen_box=boxes, joints=joints, looks=looks, surplus=tuple(surplus),
        frames=len(frames), minutes=minutes,
    )  # fmt: skip
