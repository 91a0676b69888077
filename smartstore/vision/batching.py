"""Which pictures go to the network together, and when: by deadline, not by luck.

In: pictures as they arrive, with the time of the caller's clock. Out: batches. A batch leaves when it is full, or when
its oldest picture has waited long enough for company: a lone picture is never held up for longer than set, and a burst
is not taken one by one. Of a camera whose pictures come faster than they are looked at, the newest stay; what waited so
long that nobody can use it any more is dropped. Everything dropped is counted. No clock is read here.
"""

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class FromCamera(Protocol):
    """What a batch is made of."""

    @property
    def camera(self) -> str: ...


P = TypeVar("P", bound=FromCamera)


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How long pictures wait, in seconds of the wall clock, and how many."""

    wait_s: float = 0.02
    """The oldest picture of a batch waits at most so long for others."""
    most: int = 8
    """Pictures in a batch, each of another camera."""
    keep: int = 1
    """Pictures of one camera that may wait; beyond it the oldest goes."""
    late_s: float = 0.5
    """What waited longer is dropped: the pipeline would not wait for its answer either."""


class Batcher(Generic[P]):
    """A bounded queue: at most ``keep`` pictures per camera. ``dropped`` counts by reason."""

    def __init__(self, options: BatchOptions) -> None:
        self._options = options
        self._waiting: OrderedDict[str, deque[tuple[float, P]]] = OrderedDict()
        """Per camera, oldest first; the camera that was served longest ago first, also of those with none."""
        self.dropped: Counter[str] = Counter()

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._waiting.values())

    def offer(self, picture: P, now_s: float) -> None:
        """Adds a picture that arrived at ``now_s``."""
        queue = self._waiting.setdefault(picture.camera, deque())
        queue.append((now_s, picture))
        while len(queue) > max(1, self._options.keep):
            queue.popleft()
            self.dropped["frame_replaced"] += 1

    def due_s(self) -> float | None:
        """When the next batch is to be taken; None while nothing waits, 0 when one is full."""
        oldest_s = [queue[0][0] for queue in self._waiting.values() if queue]
        if not oldest_s:
            return None
        return 0.0 if len(oldest_s) >= self._options.most else min(oldest_s) + self._options.wait_s

    def take(self, now_s: float) -> list[P]:
        """The batch that is due at ``now_s``: of each camera the picture that waits longest; empty if none is due."""
        due_s = self.due_s()
        if due_s is None or now_s < due_s:
            return []
        batch: list[P] = []
        for camera in list(self._waiting):
            queue = self._waiting[camera]
            while queue and now_s - queue[0][0] > self._options.late_s:
                queue.popleft()
                self.dropped["frame_late"] += 1
            if queue and len(batch) < self._options.most:
                batch.append(queue.popleft()[1])
                self._waiting.move_to_end(camera)
        return batch

    def forget(self, camera: str) -> None:
        """Drops what waits of a camera that somebody else looks at from now on."""
        self._waiting.pop(camera, None)
