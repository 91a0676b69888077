"""People as cameras see them and as the floor knows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, overload

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[np.float64]

COCO_JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
"""The 17 joints of COCO, in their order."""

LEFT_WRIST, RIGHT_WRIST = COCO_JOINTS.index("left_wrist"), COCO_JOINTS.index("right_wrist")


@dataclass(frozen=True, slots=True, eq=False)
class SeenPerson:
    """One person in one picture.

    ``box_px`` is (left, top, right, bottom); ``joints_px`` has shape (17, 3): x, y in pixels of the
    distorted picture and a score in 0..1, zero where a joint was not looked for; ``appearance`` is a
    unit vector, empty where the camera gives none.
    """

    box_px: tuple[float, float, float, float]
    score: float
    joints_px: Array
    appearance: Array


@dataclass(frozen=True, slots=True, eq=False)
class SeenPeople(Sequence[SeenPerson]):
    """Several people as whole arrays, a row for each: boxes (n, 4), scores (n,), joints (n, 17, 3), and their looks."""

    boxes_px: Array
    scores: Array
    joints_px: Array
    looks: Sequence[Array]

    @classmethod
    def of(cls, people: Sequence[SeenPerson]) -> "SeenPeople":
        """``people``, who may be it already."""
        if isinstance(people, SeenPeople):
            return people
        none = np.zeros((len(COCO_JOINTS), 3))
        return cls(
            np.array([person.box_px for person in people], float).reshape(-1, 4),
            np.array([person.score for person in people], float),
            np.array([person.joints_px if len(person.joints_px) else none for person in people]).reshape(
                -1, *none.shape
            ),
            [person.appearance for person in people],
        )

    @classmethod
    def all(cls, groups: Sequence["SeenPeople"]) -> Self:
        """The people of one group after another."""
        return cls(
            np.concatenate([people.boxes_px for people in groups]),
            np.concatenate([people.scores for people in groups]),
            np.concatenate([people.joints_px for people in groups]),
            [look for people in groups for look in people.looks],
        )

    def __len__(self) -> int:
        return len(self.looks)

    @overload
    def __getitem__(self, which: int) -> SeenPerson: ...
    @overload
    def __getitem__(self, which: slice) -> Sequence[SeenPerson]: ...
    def __getitem__(self, which: int | slice) -> SeenPerson | Sequence[SeenPerson]:
        if isinstance(which, slice):
            return SeenPeople(self.boxes_px[which], self.scores[which], self.joints_px[which], self.looks[which])
        left, top, right, bottom = self.boxes_px[which].tolist()
        return SeenPerson(
            (left, top, right, bottom), float(self.scores[which]), self.joints_px[which], self.looks[which]
        )


class PeopleView(Struct, frozen=True, eq=False):
    """Everybody one camera saw at one moment."""

    camera: str
    t_ns: int
    people: Sequence[SeenPerson]


@dataclass(frozen=True, slots=True, eq=False)
class FollowedPerson:
    """One person as another system follows them: ``name`` is its id for them, which may switch or start anew.

    Place and joints are in store metres; ``joints_m`` maps a joint's name to (x, y, z, score).
    """

    name: str
    x_m: float
    y_m: float
    sigma_m: float
    score: float
    joints_m: Mapping[str, tuple[float, float, float, float]]


@dataclass(frozen=True, slots=True, eq=False)
class FollowedView:
    """Everybody whom another system, ``source``, followed at one moment."""

    source: str
    t_ns: int
    people: tuple[FollowedPerson, ...]


class Hand(Struct, frozen=True):
    """A wrist in store coordinates, metres. ``sigma_m`` is one standard deviation of its position.

    ``seen_ns`` is when a camera last saw it; None: at the time of its track. ``cov_m2`` is the covariance of its
    position, row by row: one camera knows a direction, not how far along it; None: as uncertain in all directions.
    """

    side: str
    x_m: float
    y_m: float
    z_m: float
    sigma_m: float
    seen_ns: int | None = None
    cov_m2: tuple[float, ...] | None = None


class FloorTrack(Struct, frozen=True):
    """One person on the floor: position and speed in metres, and the hands that are known just now."""

    track: int
    t_ns: int
    x_m: float
    y_m: float
    vx_m_s: float
    vy_m_s: float
    sigma_m: float
    hands: tuple[Hand, ...] = ()


@dataclass(frozen=True, slots=True)
class FloorState:
    """All confirmed tracks at one moment."""

    t_ns: int
    tracks: tuple[FloorTrack, ...]
