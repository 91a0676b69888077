"""People as a camera with inference on board reports them: a crowd goes in, boxes, joints and appearances come out.

Errors are those of an :class:`~sims.devices.edge_model.EdgeModel`, fitted to the real detector: people are missed the
more often the smaller and the more hidden they are, and for some frames in a row; boxes and joints jitter with a
memory and with heavy tails, hidden joints are guessed; people behind each other are mixed up; now and then somebody is
reported twice, or there is a box around nothing. Pixels are those of the camera as it hangs, lens included.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr, ndtri

from sims.chance import stream
from sims.devices.edge_false import FalseBoxes
from sims.devices.edge_laws import COVER, KNOT_FIRST, KNOT_STEP, KNOTS
from sims.devices.edge_model import EdgeModel
from sims.devices.edge_view import View, Viewer
from sims.devices.sight import Array, Crowd, Mask, Solids
from sims.optics import CameraSpec
from smartstore.wire.messages import People, SeenPerson

MOST_PEOPLE = 256
MIRROR = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])
FORGOTTEN_S = 1e-6
MOST_GROWTH = 2.0
"""Logarithm of how much larger than usual errors become."""


class _Drawn(NamedTuple):
    """Fresh normal numbers of c cameras for n people."""

    luck: Array
    trouble: Array
    swap: Array
    double: Array
    shared: Array
    joints: Array
    scores: Array
    boxes: Array
    looks: Array
    fresh: Array


class PeopleFinders:
    """The detectors of many cameras, computed together; every camera draws from its own stream."""

    def __init__(
        self, specs: Sequence[CameraSpec], solids: Solids, model: EdgeModel, randoms: Sequence[np.random.Generator]
    ) -> None:
        count, errors = len(specs), model.people
        self._viewer, self._errors, self._randoms = Viewer(specs, solids), errors, randoms
        self._numbers = errors.looks.numbers
        self._sizes_px = [(int(spec.width_px), int(spec.height_px)) for spec in specs]
        self._sizes = (1, 1, 1, 1, 2, 34, 17, 4, self._numbers, 34)
        self._rows: dict[str, int] = {}
        self._looks = np.zeros((MOST_PEOPLE, self._numbers))
        self._tints = np.array([_aside(random, self._numbers) for random in randoms])[:, None]
        self._state = np.zeros((count, MOST_PEOPLE, sum(self._sizes)))
        for column in range(4):  # luck, trouble, swap and double are there from the start
            self._state[:, :, column : column + 1] = _start(randoms)
        finding, joints = errors.finding, errors.joints
        memories_s = (
            finding.memory_s, joints.memory_s, joints.swap_memory_s, errors.doubles.memory_s, joints.memory_s,
            joints.memory_s, joints.memory_s, errors.boxes.memory_s, errors.looks.memory_s, FORGOTTEN_S,
        )  # fmt: skip
        self._memory_s = np.repeat(memories_s, self._sizes)
        self._joint_laws = (joints.covered, joints.seen)
        self._sigmas = np.stack([law.sigma.joints for law in self._joint_laws])
        self._sinks = np.stack([law.sink.joints for law in self._joint_laws])
        self._grows = np.stack([law.grows.vector for law in self._joint_laws])
        self._tails = np.stack([law.tail.joints for law in self._joint_laws])
        self._follows = np.array([law.score_follows for law in self._joint_laws])
        self._scores = joints.scores.table
        self._false = [
            FalseBoxes(errors.false_boxes, spec, self._numbers, random)
            for spec, random in zip(specs, randoms, strict=True)
        ]
        self._last_ns = np.full(count, -1)
        self._seq = [0] * count

    def find(self, crowd: Crowd, cameras: Sequence[int], clocks_ns: Sequence[int]) -> list[People]:
        """What the chosen cameras report of a crowd; ``clocks_ns`` are their own clocks."""
        chosen = np.array(cameras, np.intp)
        passed_s = np.where(
            self._last_ns[chosen] < 0, 1.0, np.maximum(1e-3, (crowd.t_ns - self._last_ns[chosen]) / 1e9)
        )
        self._last_ns[chosen] = crowd.t_ns
        everybody = self._people(crowd, chosen, passed_s) if crowd.people else [[] for _ in cameras]
        messages = []
        for i, camera in enumerate(cameras):
            width, height = self._sizes_px[camera]
            seen = everybody[i] + self._false[camera].find(float(passed_s[i]))
            messages.append(People(seq=self._seq[camera], t_ns=clocks_ns[i], width=width, height=height, people=seen))
            self._seq[camera] += 1
        return messages

    def _people(self, crowd: Crowd, cameras: NDArray[np.intp], passed_s: Array) -> list[list[SeenPerson]]:
        rows = np.array([self._row(person.person, person.outfit) for person in crowd.people], np.intp)
        view = self._viewer.look(crowd, cameras)
        chance, odds = self._chances(view)
        # Drawn also when nobody is in view: what one camera sees is no other's luck.
        now = self._draw(cameras, rows, passed_s)
        uniform = np.stack([self._randoms[c].random((len(rows), 3)) for c in cameras])
        if not (chance > 0).any():
            return [[] for _ in cameras]
        luck = ndtr(now.luck[..., 0])
        found = luck < chance
        fortune = ndtri(np.clip(1.0 - luck / np.maximum(chance, 1e-9), 1e-6, 1 - 1e-6))
        joints = self._joints(view, now, uniform[..., 0]).round(2)
        boxes = self._boxes(view, now.boxes, found, uniform[..., 1]).round(1)
        scores = self._finding_scores(odds, fortune).round(3)
        looks = self._appearances(view, now.looks, rows).round(4)
        doubled = found & (ndtr(now.double[..., 0]) < self._double_chance(view))
        reports: list[list[SeenPerson]] = []
        for c in range(len(cameras)):
            here = []
            for i in np.nonzero(found[c])[0]:
                person = SeenPerson(
                    box=boxes[c, i].tolist(), score=float(scores[c, i]), joints=joints[c, i].tolist(),
                    appearance=looks[c, i].tolist(),
                )  # fmt: skip
                here.append(person)
                if doubled[c, i]:
                    here.append(self._double(person, joints[c, i], cameras[c]))
            reports.append(sorted(here, key=lambda person: -person.score))
        return reports

    def _draw(self, cameras: NDArray[np.intp], rows: NDArray[np.intp], passed_s: Array) -> _Drawn:
        """All latent noise of the people in ``rows``, one step further."""
        fresh = np.stack([self._randoms[c].standard_normal((len(rows), sum(self._sizes))) for c in cameras])
        at = np.ix_(cameras, rows)
        now = self._state[at] = _remember(self._state[at], fresh, self._memory_s, passed_s)
        return _Drawn(*np.split(now, np.cumsum(self._sizes)[:-1], axis=2))

    def _chances(self, view: View) -> tuple[Array, Array]:
        """Chance (c, n) to be found, and its log-odds before the limit."""
        law = self._errors.finding
        odds = view.features @ law.chance.vector
        return np.where(view.possible, np.minimum(law.most, expit(odds)), 0.0), odds

    def _finding_scores(self, odds: Array, fortune: Array) -> Array:
        law = self._errors.finding
        level = law.score_base + law.score_chance * np.clip(odds, -4.0, 6.0) + law.score_luck * fortune
        return np.asarray(law.score_least + (law.score_most - law.score_least) * expit(level))

    def _joints(self, view: View, now: _Drawn, chance: Array) -> Array:
        """Joints (c, n, 17, 3) with errors and scores."""
        law, state = self._errors.joints, view.visible.astype(np.intp)
        shape = view.visible.shape
        steady = np.sqrt(1.0 - law.common) * now.joints.reshape(*shape, 2)
        steady += np.sqrt(law.common) * now.shared[:, :, None]
        normal = np.sqrt(1.0 - law.fresh) * steady + np.sqrt(law.fresh) * now.fresh.reshape(*shape, 2)
        # What is far off stays so for a while: tails and scores follow what is remembered.
        radius2 = np.einsum("cnjk,cnjk->cnj", steady, steady)
        growth = view.features @ self._grows.T + law.trouble * now.trouble
        among = view.visible * view.at_shelf
        growth = np.where(view.visible, growth[..., 1:], growth[..., :1]) + among * law.at_shelf.grows
        growth = np.minimum(growth, MOST_GROWTH) + self._tails[state, np.arange(17)] * np.minimum(radius2, 12.0) / 2
        size = view.tall_px[..., None] * self._sigmas[state, np.arange(17)] * np.exp(growth)
        places = np.nan_to_num(view.pixels, nan=0.0) + normal * size[..., None]
        places[..., 1] += view.tall_px[..., None] * self._sinks[state, np.arange(17)]
        follows = self._follows[state]
        rank = ndtri(np.clip(1.0 - np.exp(-radius2 / 2), 1e-6, 1 - 1e-6))
        rest = np.sqrt(np.maximum(0.0, 1.0 - follows**2 - law.score_trouble**2))
        level = rest * now.scores - follows * rank - law.score_trouble * now.trouble + among * law.at_shelf.score
        scores = _quantile(self._scores, np.where(view.in_picture, 1 + state, 0), level)
        joints = np.concatenate([places, scores[..., None]], axis=3)
        self._borrow(view, joints, chance)
        swapped = ndtr(now.swap) < law.swapped
        joints = np.where(swapped[..., None], joints[:, :, MIRROR], joints)
        sizes_px = self._viewer.lenses.sizes_px[view.cameras, None, None]
        joints[..., :2] = np.clip(joints[..., :2], 0.0, sizes_px - 0.01)
        return joints

    def _borrow(self, view: View, joints: Array, chance: Array) -> None:
        """Put covered joints of the crowded where those of the person before them are."""
        crowded = (view.features[..., 4] > COVER) & (chance < self._errors.joints.borrowed)
        for c, i in zip(*np.nonzero(crowded), strict=True):
            covered = ~view.visible[c, i] & view.in_picture[c, i]
            joints[c, i, covered] = joints[c, view.over[c, i], covered]

    def _boxes(self, view: View, noise: Array, found: Mask, chance: Array) -> Array:
        law = self._errors.boxes
        growth = np.minimum(view.features @ law.grows.vector, MOST_GROWTH)[..., None]
        error = noise * np.array(law.sigma) * np.exp(growth + law.tail * np.minimum(noise**2, 12.0) / 2)
        boxes = view.boxes + view.tall_px[..., None] * (error + np.array(law.bias))
        joined = ~found & view.possible & (view.features[..., 4] > COVER) & (chance < law.joined)
        for c, i in zip(*np.nonzero(joined), strict=True):
            before, whole = view.over[c, i], view.boxes[c, i]
            boxes[c, before, :2] = np.minimum(boxes[c, before, :2], whole[:2])
            boxes[c, before, 2:] = np.maximum(boxes[c, before, 2:], whole[2:])
        limit = np.tile(self._viewer.lenses.sizes_px[view.cameras], 2)[:, None]
        boxes = np.clip(boxes, 0.0, limit)
        boxes[..., 2:] = np.clip(np.maximum(boxes[..., 2:], boxes[..., :2] + 2.0), 0.0, limit[..., 2:])
        boxes[..., :2] = np.minimum(boxes[..., :2], boxes[..., 2:] - 2.0)
        return np.asarray(boxes)

    def _double_chance(self, view: View) -> Array:
        return np.asarray(expit(view.features @ self._errors.doubles.chance.vector))

    def _double(self, person: SeenPerson, joints: Array, camera: int) -> SeenPerson:
        """A second, smaller box around the same joints."""
        law, random = self._errors.doubles, self._randoms[camera]
        left, top, right, bottom = person.box
        inset = np.minimum(random.exponential(law.inset), 0.45) * ([right - left, bottom - top] * 2)
        score = _bounded(law.score, law.score_spread, self._errors.finding.score_least, random)
        scores = np.clip(joints[:, 2] + random.normal(0.0, 0.05, 17), 0.0, 1.0)
        return SeenPerson(
            box=np.round(np.array([left, top, right, bottom]) + inset * [1, 1, -1, -1], 1).tolist(),
            score=round(min(score, person.score), 3),
            joints=np.column_stack([joints[:, :2], scores]).round(2).tolist(),
            appearance=person.appearance,
        )

    def _appearances(self, view: View, noise: Array, rows: NDArray[np.intp]) -> Array:
        law = self._errors.looks
        vague = law.noise * (1.0 + law.hidden_noise * (1.0 - view.features[..., 2:3]))
        return _unit(
            self._looks[rows] + law.camera * self._tints[view.cameras] + vague * noise / np.sqrt(self._numbers)
        )

    def _row(self, person: str, outfit: int) -> int:
        row = self._rows.get(person)
        if row is None:
            row = self._rows[person] = len(self._rows)
            law = self._errors.looks
            common, own = clothes(outfit, self._numbers)
            self._looks[row] = law.common * common + law.own * own
        return row


def _start(randoms: Sequence[np.random.Generator]) -> Array:
    """A latent number of everybody to begin with (cameras, people, 1)."""
    return np.array([random.normal(size=MOST_PEOPLE) for random in randoms]).reshape(-1, MOST_PEOPLE, 1)


def _remember(state: Array, fresh: Array, memory_s: Array, passed_s: Array) -> Array:
    """One step of noise of unit variance (cameras, people, numbers), each of which forgets within its ``memory_s``."""
    keep = np.exp(-passed_s[:, None, None] / memory_s)
    return np.asarray(keep * state + np.sqrt(1 - keep**2) * fresh)


def _quantile(table: Array, state: NDArray[np.intp], normal: Array) -> Array:
    """The values (c, n, 17) that stand at normal scores in a table (3, 17, knots) of quantiles."""
    at = np.clip((normal - KNOT_FIRST) / KNOT_STEP, 0.0, KNOTS - 1.001)
    low = at.astype(np.intp)
    joint = np.arange(17)
    one, two = table[state, joint, low], table[state, joint, low + 1]
    return np.asarray(np.clip(one + (at - low) * (two - one), 0.0, 0.99))


def _bounded(middle: float, spread: float, least: float, random: np.random.Generator) -> float:
    """A score around ``middle``, not below ``least``."""
    return float(np.clip(middle + spread * random.normal(), least, 0.98))


def clothes(outfit: int, numbers: int) -> tuple[Array, Array]:
    """What an outfit looks like, as unit vectors: what all outfits have in common, and its own."""
    common = np.zeros(numbers)
    common[0] = 1.0
    return common, _aside(stream(outfit, "outfit"), numbers)


def _aside(random: np.random.Generator, numbers: int) -> Array:
    """A random unit vector across what all outfits have in common."""
    return np.concatenate([[0.0], _unit(random.normal(size=numbers - 1))])


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))
