"""A crowd for trackers: simple skeletons on given paths, seen through cameras that hang a little off their survey."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smartstore.domain.geometry import CameraModel
from smartstore.domain.people import COCO_JOINTS, PeopleView, SeenPerson
from smartstore.site import Site

Array = NDArray[np.float64]
SECOND = 1_000_000_000

_ABOVE = {"nose": 0.91, "eye": 0.935, "ear": 0.925, "shoulder": 0.82, "elbow": 0.63, "wrist": 0.48, "hip": 0.53,
          "knee": 0.285, "ankle": 0.05}  # fmt: skip
_BESIDE = {"nose": 0.0, "eye": 0.03, "ear": 0.075, "shoulder": 0.19, "elbow": 0.23, "wrist": 0.24, "hip": 0.10,
           "knee": 0.10, "ankle": 0.10}  # fmt: skip
_AHEAD = {"nose": 0.11, "eye": 0.09, "ear": 0.0, "wrist": 0.05}
UPPER_ARM_M, FOREARM_M, PALM_M = 0.29, 0.25, 0.09


@dataclass(frozen=True)
class Walker:
    """Somebody on a path: seconds to (x, y); ``hands`` by side: seconds to the palm's place or None."""

    path: Callable[[float], tuple[float, float]]
    height_m: float = 1.72
    look: int = 0
    hands: Mapping[str, Callable[[float], tuple[float, float, float] | None]] | None = None
    unseen: tuple[tuple[float, float], ...] = ()
    """Intervals in seconds during which no camera sees them."""

    stay_s: tuple[float, float] = (-np.inf, np.inf)
    """In the store from the first to the second of these times only."""

    def is_away(self, t_s: float) -> bool:
        return not self.stay_s[0] <= t_s < self.stay_s[1]

    def at(self, t_s: float) -> Array:
        return np.array(self.path(t_s))

    def joints(self, t_s: float) -> Array:
        """(17, 3) in metres; arms with a target end in a palm there."""
        here, ahead = self.at(t_s), self.at(t_s + 0.1) - self.at(t_s - 0.1)
        speed = float(np.linalg.norm(ahead))
        forward = ahead / speed if speed > 1e-3 else np.array([0.0, 1.0])
        right = np.array([forward[1], -forward[0]])
        out = np.zeros((17, 3))
        for i, name in enumerate(COCO_JOINTS):
            side, _, part = name.rpartition("_")
            sign = {"left": -1.0, "right": 1.0}.get(side, 0.0)
            flat = here + right * sign * _BESIDE[part] + forward * _AHEAD.get(part, 0.0)
            if part in ("ankle", "knee") and speed > 1e-3:
                flat = flat + forward * sign * 0.25 * np.sin(2 * np.pi * t_s) * (1.0 if part == "ankle" else 0.5)
            out[i] = (*flat, _ABOVE[part] * self.height_m)
        for side, target in (self.hands or {}).items():
            palm = target(t_s)
            if palm is not None:
                self._reach(out, side, np.array(palm))
        return out

    @staticmethod
    def _reach(joints: Array, side: str, palm: Array) -> None:
        """Arms of 29 + 25 cm, the palm 9 cm beyond the wrist; a target out of reach stretches the upper arm."""
        shoulder = joints[COCO_JOINTS.index(f"{side}_shoulder")]
        way = palm - shoulder
        distance = float(np.linalg.norm(way))
        lower = FOREARM_M + PALM_M
        upper = max(UPPER_ARM_M, distance - lower)
        along = min(distance, (upper**2 - lower**2 + distance**2) / (2 * distance))
        drop = np.array([0.0, 0.0, -1.0]) - way * (-way[2] / distance**2)
        drop /= max(float(np.linalg.norm(drop)), 1e-9)
        elbow = shoulder + way / distance * along + drop * np.sqrt(max(upper**2 - along**2, 0.0))
        joints[COCO_JOINTS.index(f"{side}_elbow")] = elbow
        joints[COCO_JOINTS.index(f"{side}_wrist")] = palm - (palm - elbow) / lower * PALM_M


@dataclass
class Cinema:
    """What the ceiling cameras of a site see of walkers, with everything that makes it hard."""

    site: Site
    seed: int = 0
    noise_px: float = 2.5
    miss: float = 0.1
    false_boxes: float = 0.03
    pose_error_deg: float = 0.4
    pose_error_m: float = 0.015
    like: float = 0.25
    """Spread of the appearance vectors around a person's own."""
    kinds: tuple[str, ...] = ("ceiling",)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.cameras = {c.id: self._as_built(c.model) for c in self.site.cameras.values() if c.kind in self.kinds}

    def _as_built(self, model: CameraModel) -> CameraModel:
        turn = Rotation.from_rotvec(self.rng.normal(0, np.radians(self.pose_error_deg) / np.sqrt(3), 3)).as_matrix()
        shift = self.rng.normal(0, self.pose_error_m / np.sqrt(3), 3)
        return replace(model, rotation=turn @ model.rotation, position_m=model.position_m + shift)

    def views(self, walkers: list[Walker], seconds: float, fps: float = 5.0) -> list[PeopleView]:
        """All views in event time; the cameras' phases differ."""
        out = []
        for number, (camera, model) in enumerate(self.cameras.items()):
            for k in range(round(seconds * fps)):
                t_s = (k + number / len(self.cameras)) / fps
                out.append(PeopleView(camera, round((1000 + t_s) * SECOND), tuple(self._see(model, walkers, t_s))))
        return sorted(out, key=lambda view: view.t_ns)

    def _see(self, model: CameraModel, walkers: list[Walker], t_s: float) -> list[SeenPerson]:
        bodies = [w.joints(t_s) for w in walkers]
        seen = []
        for me, (walker, body) in enumerate(zip(walkers, bodies, strict=True)):
            if walker.is_away(t_s) or any(a <= t_s < b for a, b in walker.unseen) or self.rng.random() < self.miss:
                continue
            others = [b for other, b in enumerate(bodies) if other != me and not walkers[other].is_away(t_s)]
            person = self._person(model, body, walker.look, others)
            if person is not None:
                seen.append(person)
        if self.rng.random() < self.false_boxes:
            x, y = self.rng.uniform(0, model.width_px - 60), self.rng.uniform(0, model.height_px - 120)
            seen.append(SeenPerson((x, y, x + 50, y + 110), 0.45, np.zeros((17, 3)), self._look(99, 1.0)))
        return seen

    def _person(self, model: CameraModel, body: Array, look: int, others: list[Array]) -> SeenPerson | None:
        clear = self._clear(model.position_m, body, others)
        pixels = model.project(body)
        inside = np.all((pixels > 0) & (pixels < [model.width_px, model.height_px]), axis=1)
        good = clear & inside
        if np.count_nonzero(good) < 5:
            return None
        joints = np.zeros((17, 3))
        joints[good, :2] = pixels[good] + self.rng.normal(0, self.noise_px, (int(good.sum()), 2))
        joints[good, 2] = self.rng.uniform(0.6, 0.95, int(good.sum()))
        low, high = joints[good, :2].min(axis=0) - 5, joints[good, :2].max(axis=0) + 5
        return SeenPerson((low[0], low[1], high[0], high[1]), 0.9, joints, self._look(look, self.like))

    def _look(self, look: int, spread: float) -> Array:
        vector = np.random.default_rng(look).normal(0, 1, 16)
        vector = vector / np.linalg.norm(vector) + self.rng.normal(0, spread / 4, 16)
        return np.asarray(vector / np.linalg.norm(vector))

    def _clear(self, eye: Array, body: Array, others: list[Array]) -> NDArray[np.bool_]:
        """For each joint (17, 3): whether neither a fixture nor another body is between the eye and it."""
        share = np.linspace(0.1, 0.97, 30)[:, None]
        way = eye + share * (body[:, None] - eye)
        clear = np.ones(len(body), bool)
        for fixture in self.site.fixtures.values():
            nx, ny = fixture.normal
            dx, dy = way[..., 0] - fixture.origin_m[0], way[..., 1] - fixture.origin_m[1]
            u, v = -dx * ny + dy * nx, -dx * nx - dy * ny
            solid = (
                (u > 0) & (u < fixture.width_m) & (v > 0.02) & (v < fixture.depth_m) & (way[..., 2] < fixture.height_m)
            )
            clear &= ~solid.any(axis=1)
        for other in others:
            axis = other[[11, 12], :2].mean(axis=0)
            near = np.hypot(way[..., 0] - axis[0], way[..., 1] - axis[1]) < 0.2
            clear &= ~(near & (way[..., 2] < other[0, 2] + 0.1)).any(axis=1)
        return clear


def line(start: tuple[float, float], end: tuple[float, float], seconds: float,
         begin_s: float = 0.0) -> Callable[[float], tuple[float, float]]:  # fmt: skip
    """A straight walk that takes ``seconds`` from ``begin_s`` on; standing before and after."""

    def path(t_s: float) -> tuple[float, float]:
        share = min(1.0, max(0.0, (t_s - begin_s) / seconds))
        return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])

    return path
