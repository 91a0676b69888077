"""Which of several workers looks at which camera. In: who is there. Out: the cameras of each.

A shelf camera's reader and the movement test remember pictures, so all pictures of a camera go to one worker. Every
worker works out the same assignment for itself: cameras go, in a fixed order, to the worker that a hash likes best for
them and that has room, so that the load is even and few cameras change hands when a worker comes or goes (rendezvous
hashing, Thaler and Ravishankar 1998, with a bound on the load). No clock is read here.
"""

import hashlib
from collections import Counter
from collections.abc import Collection


class Crew:
    """The workers of a store as one of them, ``name``, knows them. A worker not heard of for ``patience_s`` is gone."""

    def __init__(self, name: str, patience_s: float = 5.0) -> None:
        self.name = name
        self._patience_s = patience_s
        self._heard_s: dict[str, float] = {}

    def heard(self, worker: str, now_s: float) -> None:
        """A worker gave a sign of life."""
        self._heard_s[worker] = now_s

    def left(self, worker: str) -> None:
        """A worker said that it goes, or its broker did."""
        self._heard_s.pop(worker, None)

    def present(self, now_s: float) -> list[str]:
        """Who is there, by name; oneself always."""
        others = {worker for worker, at_s in self._heard_s.items() if now_s - at_s <= self._patience_s}
        return sorted(others | {self.name})

    def mine(self, cameras: Collection[str], now_s: float) -> list[str]:
        """The cameras that this worker looks at, by name."""
        owners = assigned(cameras, self.present(now_s))
        return sorted(camera for camera, worker in owners.items() if worker == self.name)


def assigned(cameras: Collection[str], workers: Collection[str]) -> dict[str, str]:
    """The worker of every camera; nobody has more than an even share, rounded up."""
    most = -(-len(cameras) // max(1, len(workers)))
    load: Counter[str] = Counter()
    owners: dict[str, str] = {}
    for camera in sorted(cameras, key=lambda camera: (_liking("", camera), camera)):
        free = ((_liking(worker, camera), worker) for worker in workers if load[worker] < most)
        owner = owners[camera] = max(free)[1]
        load[owner] += 1
    return owners


def _liking(worker: str, camera: str) -> bytes:
    """How much a worker likes a camera: the same in every process."""
    return hashlib.blake2b(f"{worker}/{camera}".encode(), digest_size=8).digest()
