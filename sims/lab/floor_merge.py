"""Trackers of single cameras as one tracker of the floor.

In: what each camera sees, and a tracker per camera with the interface of Ultralytics'. Out: everybody on the floor.
Tracks are put on the floor by the product's own geometry and merged across cameras.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import PeopleView, SeenPeople, SeenPerson
from smartstore.site import Site
from smartstore.vision.floor import FloorOptions, locate
from smartstore.vision.rays import RayTable

Array = NDArray[np.float64]
Place = tuple[int, float, float, float]
"""Time, x, y in metres, and a weight: the inverse of the variance."""
Key = tuple[str, int]
"""A camera's track."""
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class MergeOptions:
    """How tracks of single cameras become people on the floor."""

    hits: int = 3
    """A camera's track counts from its third match on."""
    join_m: float = 0.7
    split_m: float = 1.2
    """A camera's track so far from what the others say of its person is somebody else."""
    fresh_s: float = 0.5
    lost_s: float = 6.0
    """A person whom nobody sees is remembered for so long, the buffer of the camera trackers."""
    lost_m: float = 2.0
    merge_m: float = 0.5
    merge_s: float = 1.0
    """Two people so near for so long whom no camera shows side by side are one."""


@dataclass(frozen=True)
class _Boxes:
    """Detections in the layout that the trackers of Ultralytics read."""

    xywh: Array
    conf: Array
    cls: Array

    @classmethod
    def of(cls, people: Sequence[SeenPerson]) -> Self:
        boxes = np.array([person.box_px for person in people], float).reshape(-1, 4)
        size = boxes[:, 2:] - boxes[:, :2]
        xywh = np.concatenate([boxes[:, :2] + size / 2, size], axis=1)
        return cls(xywh, np.array([person.score for person in people]), np.zeros(len(people)))

    def __len__(self) -> int:
        return len(self.conf)

    def __getitem__(self, which: NDArray[np.bool_]) -> "_Boxes":
        return _Boxes(self.xywh[which], self.conf[which], self.cls[which])


class FloorMerge:
    """One tracker per camera; its tracks belong to people on the floor, each seen at most once by a camera."""

    def __init__(self, site: Site, new_tracker: Callable[[], Any], options: MergeOptions | None = None) -> None:
        self._options, self._floor = options or MergeOptions(), FloorOptions()
        self._rays = RayTable({camera.id: camera.model for camera in site.cameras.values()})
        self._trackers = {camera: new_tracker() for camera in self._rays.number}
        self._hits: Counter[Key] = Counter()
        self._places: dict[Key, Place] = {}
        self._person: dict[Key, int] = {}
        self._near_since: dict[tuple[int, int], int] = {}
        self._people = 0

    def observe(self, view: PeopleView) -> None:
        """Takes in what a camera sees."""
        for key, place in self._tracked(view):
            self._hits[key] += 1
            self._places[key] = place
            person = self._person.get(key)
            others = [] if person is None else [other for other in self._fresh(person, view.t_ns) if other != key]
            if others and self._away_m(place, self._mean(others)) > self._options.split_m:
                person = None
            if person is None and self._hits[key] >= self._options.hits:
                self._person.pop(key, None)
                self._person[key] = self._who(key, place)
        self._merge(view.t_ns)

    def at(self, t_ns: int) -> tuple[tuple[int, float, float], ...]:
        """Everybody whom some camera saw just now: number, x, y."""
        means = {person: self._mean(keys) for person, keys in self._now(t_ns).items()}
        return tuple((person, place[1], place[2]) for person, place in sorted(means.items()))

    def _tracked(self, view: PeopleView) -> list[tuple[Key, Place]]:
        """The camera's tracks that have a detection in this view, on the floor."""
        looks = {len(person.appearance) for person in view.people}
        feats = np.array([person.appearance for person in view.people]) if len(looks) == 1 and looks != {0} else None
        rows = self._trackers[view.camera].update(_Boxes.of(view.people), feats=feats)
        camera = np.full(len(view.people), self._rays.number[view.camera])
        stands = locate(SeenPeople.of(view.people), camera, self._rays, self._floor)
        out = []
        for row in rows:
            number, index = int(row[4]), int(row[7])
            if stands.known[index]:
                weight = 1.0 / float(stands.cov[index, 0, 0] + stands.cov[index, 1, 1])
                x_m, y_m = (float(v) for v in stands.mean[index, :2])
                out.append(((view.camera, number), (view.t_ns, x_m, y_m, weight)))
        return out

    def _who(self, key: Key, place: Place) -> int:
        """The person that a camera's new track belongs to: somebody there, somebody lost near there, or a new one."""
        options, t_ns = self._options, place[0]
        now = self._now(t_ns)
        near = [
            (self._away_m(place, self._mean(keys)), person)
            for person, keys in now.items()
            if all(camera != key[0] for camera, _ in keys)
        ]
        last: dict[int, Place] = {}
        for other, person in self._person.items():
            if person not in now:
                last[person] = max(last.get(person, self._places[other]), self._places[other])
        lost = [
            (self._away_m(place, seen), person)
            for person, seen in last.items()
            if t_ns - seen[0] <= options.lost_s * NS_PER_S
        ]
        for found, limit_m in ((near, options.join_m), (lost, options.lost_m)):
            if found and min(found)[0] <= limit_m:
                return min(found)[1]
        self._people += 1
        return self._people

    def _merge(self, t_ns: int) -> None:
        now = self._now(t_ns)
        since: dict[tuple[int, int], int] = {}
        for older in sorted(now):
            for younger in sorted(now):
                apart = {camera for camera, _ in now[older]}.isdisjoint(camera for camera, _ in now[younger])
                near = self._away_m(self._mean(now[older]), self._mean(now[younger])) < self._options.merge_m
                if older >= younger or not (apart and near):
                    continue
                since[older, younger] = self._near_since.get((older, younger), t_ns)
                if t_ns - since[older, younger] >= self._options.merge_s * NS_PER_S:
                    self._person = {k: older if p == younger else p for k, p in self._person.items()}
        self._near_since = since

    def _now(self, t_ns: int) -> dict[int, list[Key]]:
        out: dict[int, list[Key]] = {}
        for key, person in self._person.items():
            if self._is_fresh(key, t_ns):
                out.setdefault(person, []).append(key)
        return out

    def _fresh(self, person: int, t_ns: int) -> list[Key]:
        return [key for key, whose in self._person.items() if whose == person and self._is_fresh(key, t_ns)]

    def _is_fresh(self, key: Key, t_ns: int) -> bool:
        return t_ns - self._places[key][0] <= self._options.fresh_s * NS_PER_S

    def _mean(self, keys: Sequence[Key]) -> Place:
        places = np.array([self._places[key] for key in keys])
        x_m, y_m = np.average(places[:, 1:3], axis=0, weights=places[:, 3])
        return int(places[:, 0].max()), float(x_m), float(y_m), float(places[:, 3].sum())

    @staticmethod
    def _away_m(one: Place, other: Place) -> float:
        return math.hypot(one[1] - other[1], one[2] - other[2])
