"""Where to hang ceiling cameras: proposals that see as much as possible at least twice, from directions that cross.

In: a store as the product reads it, and how many cameras, or how much they should see. Out: a :class:`Placement`.

The choice is among a grid of places under the ceiling, headings and tilts, with the lens of the store's own ceiling
cameras, which are among the candidates. A mixed-integer program (maximum coverage, each place worth most until two
cameras see it; Church and ReVelle, "The maximal covering location problem", 1974; solved by HiGHS) picks cameras, then
each is exchanged for a better one as long as there is one. Shelf cameras stay where they are and count.

Two cameras that look the same way see a hand twice and know it no better: how far away it is remains open. What is
exchanged therefore also goes by how well bearings cross (the least certain direction of their sum of information).
"""

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import block_array, coo_array, csr_array, eye_array

from sims.lab.coverage import FLOOR_STEP_M, Coverage, coverage
from sims.lab.poses import Matrix, Poses, poses_of
from smartstore.domain.geometry import CameraModel
from smartstore.site import Site, SurveyedCamera
from smartstore.site.edit import edited
from smartstore.site.sight import Solids, face_density, seen
from smartstore.site.targets import BODY_M, face_points, floor_points
from smartstore.site.writing import Document

Array = NDArray[np.float64]

TARGETS = 9000
"""Of all places that coverage looks at, at most about so many are looked at here."""
WORTH = (0.2, 1.0, 0.3)
"""Of the first, the second and the third camera that sees a place: two make a position in space."""
CROSSED = 1.0
"""Of bearings that tell exactly where somebody stands."""
HALF_M = 10.0
"""Two cameras so far away that look at right angles tell a position half as well as is worth anything."""
FOR_THE_SOLVER, POSES_PER_PLACE, SOLVER_S = 700, 3, 15.0
TRIED = 6
"""Candidates that are tried in the place of a camera, those with most to gain."""
AIM_M = 3.0
"""Distance of the point that a proposed camera is said to look at."""
MOST = 60
"""More cameras than that are not tried."""

Say = Callable[[str], None]


class PlacementError(Exception):
    """Cameras that cannot be placed: one line."""


@dataclass(frozen=True)
class Placement:
    """Proposed ceiling cameras, and what the store's cameras see without and with them in their place."""

    cameras: tuple[SurveyedCamera, ...]
    before: Coverage
    after: Coverage


class _Choice:
    """Picks among candidates. ``fixed``: (n,) how many shelf cameras see each target; ``weights``: (n,), those of the
    ``floor`` first targets and those of the shelf faces both sum to 1; the first ``own`` poses are the store's."""

    def __init__(self, poses: Poses, fixed: Array, weights: Array, floor: int, own: int, say: Say) -> None:
        self._poses, self._fixed, self._weights, self._say = poses, fixed, weights, say
        self._floor, self._own = floor, own
        self._at = np.searchsorted(poses.places, np.arange(1, len(poses.tells)))

    def value(self, chosen: Sequence[int]) -> tuple[float, float]:
        """What a choice is worth: how far it falls short of the store's own cameras in anything, negative, where it has
        as many; then what all targets are worth."""
        worth = float(self._weights @ self._worth(self._count(chosen), self._told(chosen)))
        short = np.maximum(self._merits(range(self._own)) - self._merits(chosen), 0.0).sum()
        return (-round(float(short), 6) if len(chosen) >= self._own else 0.0), worth

    def best(self, count: int, with_solver: bool = True) -> list[int]:
        """The best choice of ``count`` candidates that was found."""
        starts = [self._greedy([], count)]
        if count >= self._own:
            starts.append(self._greedy(range(self._own), count))
        if with_solver and (solved := self._solve(count)):
            starts.append(solved)
        return max((self._exchanged(start) for start in starts), key=self.value)

    def _merits(self, chosen: Sequence[int]) -> Array:
        """Of floor and of shelf faces, the shares that two and three cameras see, and how well bearings cross."""
        count, crossing = self._count(chosen), _crossing(self._told(chosen))
        each = self._weights * np.stack([count >= 2, count >= 3, crossing])
        return np.concatenate([each[:, : self._floor].sum(axis=1), each[:, self._floor :].sum(axis=1)])

    def _count(self, chosen: Sequence[int]) -> Array:
        return np.asarray(self._fixed + (self._poses.sees[list(chosen)] > 0).sum(axis=0))

    def _told(self, chosen: Sequence[int]) -> Matrix:
        """What the bearings of chosen cameras tell together of where each target is, (3, n)."""
        sees, tells = self._poses.sees[list(chosen)], self._poses.tells[self._poses.places[list(chosen)]]
        return np.asarray((sees[:, None] * tells).sum(axis=0))

    @staticmethod
    def _worth(count: Array, told: Matrix) -> Array:
        """What each target is worth that so many cameras see and of which so much is told."""
        seen_by = np.minimum(count.astype(int), len(WORTH))
        return np.asarray(np.cumsum([0.0, *WORTH])[seen_by] + CROSSED * _crossing(told))

    def _gains(self, chosen: Sequence[int]) -> Array:
        """What each candidate would add to chosen ones."""
        count, told = self._count(chosen), self._told(chosen)
        now = self._worth(count, told)
        return np.concatenate([
            sees @ (self._weights * (self._worth(count + 1, told + tells) - now)).astype(np.float32)
            for sees, tells in zip(np.split(self._poses.sees, self._at), self._poses.tells, strict=True)
        ])  # fmt: skip

    def _greedy(self, start: Sequence[int], count: int) -> list[int]:
        chosen = list(start)
        while len(chosen) < count:
            gains = self._gains(chosen)
            gains[chosen] = -1.0
            chosen.append(int(np.argmax(gains)))
        return chosen

    def _exchanged(self, chosen: list[int]) -> list[int]:
        """Each camera exchanged for the best one in its place until nothing gets better; one hangs at each place."""
        value, better = self.value(chosen), True
        while better:
            better = False
            for index in range(len(chosen)):
                others = chosen[:index] + chosen[index + 1 :]
                gains = self._gains(others)
                gains[np.isin(self._poses.places, self._poses.places[others])] = -1.0
                for candidate in np.argsort(-gains)[:TRIED]:
                    tried = [*others[:index], int(candidate), *others[index:]]
                    if (found := self.value(tried)) > value and gains[candidate] >= 0:
                        chosen, value, better = tried, found, True
        return chosen

    def _solve(self, count: int) -> list[int]:
        """The choice of the mixed-integer program over the most promising poses of each place; [] without an answer."""
        pool, targets = self._pool(), self._sample()
        sees = csr_array((self._poses.sees[pool][:, targets].T > 0).astype(float))
        n, c = sees.shape
        worth = self._weights[targets] / self._weights[targets].sum()
        taken = np.minimum(self._fixed[targets], 2.0)
        # Variables: a camera hangs (binary), and per target how far it is seen once and twice, in [0, 1]. The first
        # view is worth as much as the second, so that halves never pay.
        rows = block_array([[-sees, eye_array(n), eye_array(n)]])
        place = coo_array(
            (np.ones(c), (self._poses.places[pool], np.arange(c))), shape=(self._poses.places.max() + 1, c)
        )
        alone = block_array([[place.tocsr(), csr_array((place.shape[0], 2 * n))]])
        total = csr_array(np.concatenate([np.ones(c), np.zeros(2 * n)])[None])
        result = milp(
            -np.concatenate([np.zeros(c), worth, worth]),
            integrality=np.concatenate([np.ones(c), np.zeros(2 * n)]),
            bounds=Bounds(0.0, 1.0),
            constraints=[
                LinearConstraint(rows.tocsr(), -np.inf, taken), LinearConstraint(alone.tocsr(), -np.inf, 1.0),
                LinearConstraint(total, count, count),
            ],
            options={"time_limit": SOLVER_S, "mip_rel_gap": 0.005},
        )  # fmt: skip
        if result.x is None:
            return []
        self._say(f"the solver proposes {count} of {c} candidates, within {result.mip_gap:.1%} of the best")
        return [int(pool[index]) for index in np.nonzero(result.x[:c] > 0.5)[0]]

    def _pool(self) -> NDArray[np.intp]:
        """The store's own cameras, and of each place the poses that see most."""
        alone = self._poses.sees @ self._weights.astype(np.float32)
        order = np.argsort(-alone)
        left: Counter[int] = Counter()
        pool = list(range(self._own))
        for index in order:
            if index >= self._own and left[int(self._poses.places[index])] < POSES_PER_PLACE:
                left[int(self._poses.places[index])] += 1
                pool.append(int(index))
        return np.array(pool)

    def _sample(self) -> NDArray[np.intp]:
        """Evenly chosen targets, so few that the solver gets on."""
        n = len(self._weights)
        return np.unique(np.linspace(0, n - 1, min(n, FOR_THE_SOLVER)).astype(int))


def _crossing(told: Matrix) -> Matrix:
    """How well bearings that tell so much (3, n) of each position tell it in their least certain direction, 0 to 1."""
    xx, xy, yy = told
    least = (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    return np.asarray(least / (least + HALF_M**-2))


def place(site: Site, count: int | None = None, wanted: float | None = None, say: Say = lambda _: None) -> Placement:
    """Ceiling cameras for a store: ``count`` of them, or as few as let two cameras see ``wanted`` of floor and shelves.

    Raises:
        PlacementError: the store has no ceiling camera whose lens could be used, or the wish cannot be fulfilled.
        CoverageError: there is nothing to see.
    """
    own = [camera for camera in site.cameras.values() if camera.kind == "ceiling"]
    if not own:
        raise PlacementError(f"store {site.store} has no ceiling camera whose lens could be used; add one")
    if count is not None and not 1 <= count <= MOST:
        raise PlacementError(f"{count} cameras cannot be placed; give 1 to {MOST}")
    if wanted is not None and not 0 < wanted <= 1:
        raise PlacementError(f"a share of {wanted:g} cannot be seen; give more than 0 and at most 1")
    before = coverage(site)
    choice, poses = _choice(site, own, say)
    if count is not None:
        models = [poses.models[index] for index in choice.best(count)]
        return _placement(site, own, models, before)
    return _fewest(site, own, choice, poses, before, wanted or 1.0, say)


def with_cameras(document: Document, cameras: Sequence[SurveyedCamera]) -> Document:
    """A store document with these ceiling cameras instead of its own."""
    own = [camera for camera in document["cameras"] if camera["kind"] == "ceiling"]
    result = edited(document, [f"remove {camera['id']}" for camera in own])
    for number, camera in enumerate(cameras):
        aim = camera.model.position_m + AIM_M * camera.model.rotation[2]
        node = {key: copy.deepcopy(value) for key, value in own[0].items() if key not in {"roll_deg", "principal_px"}}
        node["id"] = camera.id
        for key, point in (("position_m", camera.model.position_m), ("look_at_m", aim)):
            for axis in range(3):
                node[key][axis] = round(float(point[axis]), 3)
        result["cameras"].insert(number, node)
    return result


def _fewest(
    site: Site, own: list[SurveyedCamera], choice: _Choice, poses: Poses, before: Coverage, wanted: float, say: Say
) -> Placement:
    """The placement with the fewest cameras that sees enough: quick choices upwards, then the solver one below."""

    def tried(count: int, with_solver: bool) -> Placement:
        models = [poses.models[index] for index in choice.best(count, with_solver)]
        return _placement(site, own, models, before)

    best = 0.0
    for count in range(1, MOST + 1):
        found = tried(count, with_solver=False)
        best = max(best, _seen_twice(found.after))
        say(f"{count} cameras: two see {_seen_twice(found.after):.1%}")
        if _seen_twice(found.after) >= wanted:
            fewer = tried(count - 1, with_solver=True) if count > 1 else found
            return fewer if _seen_twice(fewer.after) >= wanted else found
    raise PlacementError(f"{MOST} cameras see only {best:.1%} twice; wish for less, or change lens or layout")


def _seen_twice(covered: Coverage) -> float:
    """The smaller of the shares of floor and shelf faces that two cameras see."""
    return min(covered.floor[1], covered.shelf[1])


def _placement(site: Site, own: list[SurveyedCamera], models: Sequence[CameraModel], before: Coverage) -> Placement:
    names = _names(site, own, len(models))
    cameras = tuple(
        replace(own[0], id=name, model=replace(model, camera=name)) for name, model in zip(names, models, strict=True)
    )
    rest = {name: camera for name, camera in site.cameras.items() if camera.kind != "ceiling"}
    changed = replace(site, cameras={**{camera.id: camera for camera in cameras}, **rest})
    return Placement(cameras, before, coverage(changed))


def _names(site: Site, own: list[SurveyedCamera], count: int) -> list[str]:
    """The names of the store's ceiling cameras, then free ones."""
    names = [camera.id for camera in own][:count]
    taken = {*site.cameras, *site.fixtures, *site.facings, *site.shelves, *site.plates, *(g.id for g in site.gates)}
    free = (f"c{number}" for number in range(1, 1000) if f"c{number}" not in taken)
    return names + [next(free) for _ in range(count - len(names))]


def _choice(site: Site, own: list[SurveyedCamera], say: Say) -> tuple[_Choice, Poses]:
    """Candidates, what they see, and what that is worth."""
    solids, floor, faces = Solids(site), floor_points(site, FLOOR_STEP_M), face_points(site)
    stride = -(-(len(floor) + len(faces.points_m)) // TARGETS)
    floor = floor[::stride]
    faces = replace(
        faces, points_m=faces.points_m[::stride], places_m=faces.places_m[::stride], owners=faces.owners[::stride],
        areas_m2=faces.areas_m2[::stride],
    )  # fmt: skip
    bodies = np.column_stack([floor, np.full(len(floor), BODY_M)])
    rest = [camera for camera in site.cameras.values() if camera.kind != "ceiling"]
    fixed = np.concatenate([
        seen([camera.model for camera in rest], solids, bodies).sum(axis=0),
        (face_density(rest, site, solids, faces) > 0).sum(axis=0),
    ]).astype(float)  # fmt: skip
    weights = np.concatenate([np.full(len(floor), 1 / len(floor)), faces.areas_m2 / faces.areas_m2.sum()])
    poses = poses_of(site, own, solids, bodies, faces)
    say(f"{len(poses.models)} poses of cameras, {len(weights)} places to see")
    return _Choice(poses, fixed, weights, len(floor), len(own), say), poses
