"""Hands inside facings that no scale weighs: what becomes of them when no camera explains them.

In: touches, views of facings, and the changes that were decided. Out: the touches that nothing explains, once waiting
is over. A facing that was seen clearly and unchanged after a touch was only touched; what may have been there and back
by then is for :mod:`smartstore.fusion.unseen`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from msgspec import Struct

from smartstore.fusion.reach import Touch

NS_PER_S = 1_000_000_000


class FacingsSeen(Struct, frozen=True):
    """Which facings a camera saw clearly at one moment, and which were hidden from it."""

    camera: str
    t_ns: int
    clear: tuple[str, ...]
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TouchOptions:
    """Times in seconds."""

    wait_s: float = 12.0
    """Wait for a clear view after a touch ..."""
    hidden_wait_s: float = 30.0
    """... and the longest one while a camera waits, too, behind somebody's back."""
    clear_s: float = 1.2
    """A facing seen clearly this long after a touch, and unchanged, was only touched."""
    match_s: float = 2.0
    """A change this far from a touch may explain it."""
    view_s: float = 3.0
    """A camera that said nothing about a facing for so long does not watch it any more."""
    memory_s: float = 60.0


class OpenTouches:
    """Keeps touches until something explains them, or nothing can any more."""

    def __init__(self, options: TouchOptions | None = None) -> None:
        self._options = options or TouchOptions()
        self._open: list[Touch] = []
        self._clear: dict[str, int] = {}
        self._hidden: dict[str, int] = {}
        self._explained: list[tuple[int, int, str]] = []

    @property
    def since(self) -> int | None:
        """The begin of the oldest touch that waits."""
        return min((touch.t_start_ns for touch in self._open), default=None)

    def add(self, touches: Iterable[Touch]) -> None:
        """Touches that ended."""
        self._open += touches

    def see(self, seen: FacingsSeen) -> None:
        """One view of a camera."""
        self._clear.update(dict.fromkeys(seen.clear, seen.t_ns))
        self._hidden.update(dict.fromkeys(seen.hidden, seen.t_ns))

    def explain(self, start_ns: int, end_ns: int, facing: str) -> None:
        """A change at ``facing`` between the two times was decided."""
        self._explained.append((start_ns, end_ns, facing))

    def untold(self, now_ns: int, weighed: Callable[[str, int], bool], final: bool) -> list[Touch]:
        """The touches for which waiting is over at ``now_ns``. ``weighed`` says whether a scale carries a facing."""
        untold: list[Touch] = []
        waiting: list[Touch] = []
        for touch in self._open:
            facing = touch.facings[0][0]
            seen_after_s = (self._clear.get(facing, -1) - touch.t_end_ns) / NS_PER_S
            if weighed(facing, touch.t_start_ns) or self._told(touch) or seen_after_s > self._options.clear_s:
                continue
            may_come = not final and self._may_clear(facing, now_ns, (now_ns - touch.t_end_ns) / NS_PER_S)
            (waiting if may_come else untold).append(touch)
        self._open = waiting
        oldest = now_ns - round(self._options.memory_s * NS_PER_S)
        self._explained = [entry for entry in self._explained if entry[1] > oldest]
        return untold

    def _may_clear(self, facing: str, now_ns: int, waited_s: float) -> bool:
        """Whether a clear view of ``facing`` may still come."""
        watched = self.watched(facing, now_ns)
        return waited_s < (self._options.hidden_wait_s if watched else self._options.wait_s)

    def watched(self, facing: str, now_ns: int) -> bool:
        """Whether a camera looks at ``facing``, be it hidden just now or not."""
        last_ns = max(self._hidden.get(facing, -1), self._clear.get(facing, -1))
        return (now_ns - last_ns) / NS_PER_S < self._options.view_s

    def _told(self, touch: Touch) -> bool:
        margin = round(self._options.match_s * NS_PER_S)
        names = {name for name, _ in touch.facings}
        return any(
            name in names and start - margin <= touch.t_end_ns and touch.t_start_ns <= end + margin
            for start, end, name in self._explained
        )
