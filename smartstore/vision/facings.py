"""Shelf faces: from pictures to facings messages, and from those to settled changes.

``FacingReader``: pictures of shelf cameras in, facings messages out, as a smart camera would send them.
``FacingWatcher``: facings messages in, of a camera or of the reader; out: ``FacingChange``. A step of the fill that
stays over clear views becomes a change, from the last clear view before it to the first one after it; a flicker does
not. Where the view was hidden and the picture afterwards is neither the same nor plainly different, the change is
*unclear*.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.items import FacingChange
from smartstore.domain.people import SeenPerson
from smartstore.site import Site
from smartstore.wire.messages import Facings, SeenFacing

if TYPE_CHECKING:
    from smartstore.vision.face_reader import FaceReader, ReaderOptions

NS_PER_S = 1_000_000_000


class FacingReader:
    """Reads the facings in the pictures of all shelf cameras of a site, as cameras with inference on board do."""

    def __init__(self, site: Site, options: "ReaderOptions | None" = None) -> None:
        self._site, self._options = site, options
        self._readers: dict[str, FaceReader] = {}
        self._seq: dict[str, int] = {}

    def observe(self, camera: str, t_ns: int, image: NDArray[np.uint8], people: Sequence[SeenPerson]) -> Facings | None:
        """The facings in an RGB picture (h, w, 3); None where the camera watches none or is not aligned yet."""
        surveyed = self._site.cameras.get(camera)
        if surveyed is None or not surveyed.watches:
            return None
        reader = self._readers.get(camera)
        if reader is None:
            # Only those who look at pictures need OpenCV.
            from smartstore.vision.face_reader import FaceReader

            reader = self._readers[camera] = FaceReader(self._site, camera, self._options)
        seen = reader.observe(t_ns, image, people)
        if not seen:
            return None
        self._seq[camera] = self._seq.get(camera, -1) + 1
        return Facings(seq=self._seq[camera], t_ns=t_ns, facings=seen)


@dataclass(frozen=True, slots=True)
class WatcherOptions:
    """What counts as a change; times in seconds."""

    stay_s: float = 0.45
    """A new fill has to stay for so long, over at least ``views`` clear views."""
    views: int = 2
    many_items: int = 3
    many_stay_s: float = 2.0
    """So many items at once are more often somebody in the way: they have to stay for longer."""
    step_items: float = 0.6
    """Smaller differences, in items, are noise of the estimate..."""
    told_items: float = 0.4
    """...unless the camera said with a probability of ``told`` that something changed."""
    told: float = 0.65
    half_items: float = 0.6
    """Beyond n items and this share of one more it is n + 1: takes of several at once are rarer."""
    follow_s: float = 30.0
    """Time constant with which the settled fill follows slow drift."""
    unclear_low: float = 0.35
    unclear_high: float = 0.85
    """Change probabilities between these, after the view was hidden, are doubt; beyond them something did change,
    also where the count is what it was."""


@dataclass(slots=True)
class _Step:
    """A difference that may become a change."""

    items: int
    """0: the camera is sure that something changed, but counts as many as before."""
    start_ns: int
    first_ns: int
    views: int = 0
    level: float = 0.0
    change: float = 0.0
    scores: dict[str, float] = field(default_factory=dict)
    scored: int = 0

    def add(self, level: float, seen: SeenFacing) -> None:
        self.views += 1
        self.level += (level - self.level) / self.views
        self.change = max(self.change, seen.change)
        if seen.scores:
            self.scored += 1
            for sku in {*self.scores, *seen.scores}:
                before = self.scores.get(sku, 0.0)
                self.scores[sku] = before + (seen.scores.get(sku, 0.0) - before) / self.scored


@dataclass(slots=True)
class _Watched:
    """What is known of one facing in one camera's view; ``level`` in items."""

    level: float
    clear_ns: int
    """Last clear view that showed ``level``."""
    hidden: bool = False
    told: float = 0.0
    """The largest change probability said since then."""
    step: _Step | None = None


class FacingWatcher:
    """Watches all facings of a store; the same code for messages of smart cameras and of the vision worker."""

    def __init__(self, site: Site, options: WatcherOptions | None = None) -> None:
        self.options = options or WatcherOptions()
        self._capacity = {facing.id: facing.capacity for facing in site.facings.values()}
        self._watched: dict[tuple[str, str], _Watched] = {}
        self.unknown_facings = 0
        """Facings in messages that the site does not have."""

    def observe(self, camera: str, message: Facings) -> list[FacingChange]:
        """The changes that this message settles."""
        changes = []
        for seen in message.facings:
            watched = self._watched.get((camera, seen.facing))
            if watched is None:
                self._begin(camera, message.t_ns, seen)
            elif seen.hidden:
                watched.hidden = True
            elif (change := self._look(camera, watched, message.t_ns, seen)) is not None:
                changes.append(change)
        return changes

    def _begin(self, camera: str, t_ns: int, seen: SeenFacing) -> None:
        """A facing that this camera has not shown clearly yet."""
        if seen.facing not in self._capacity:
            self.unknown_facings += 1
        elif not seen.hidden:
            self._watched[camera, seen.facing] = _Watched(seen.fill * self._capacity[seen.facing], t_ns)

    def _look(self, camera: str, watched: _Watched, t_ns: int, seen: SeenFacing) -> FacingChange | None:
        level = seen.fill * self._capacity[seen.facing]
        watched.told = max(watched.told, seen.change)
        least = self.options.told_items if watched.told >= self.options.told else self.options.step_items
        items = self._items(level - watched.level) if abs(level - watched.level) >= least else 0
        step = watched.step
        uncounted = step.items == 0 if step is not None else seen.change > self.options.unclear_high
        if items == 0 and not uncounted:
            return self._same(camera, watched, t_ns, level, seen)
        return self._different(camera, watched, t_ns, level, items, seen)

    def _items(self, difference: float) -> int:
        """A difference of the level as items; at least one."""
        size = max(1, math.floor(abs(difference) + 1.0 - self.options.half_items))
        return size if difference > 0 else -size

    def _same(self, camera: str, watched: _Watched, t_ns: int, level: float, seen: SeenFacing) -> FacingChange | None:
        """The fill is what it was: a step that began was a flicker."""
        doubtful = self.options.unclear_low <= seen.change <= self.options.unclear_high
        start_ns, was_hidden = watched.clear_ns, watched.hidden
        share = min(1.0, (t_ns - watched.clear_ns) / NS_PER_S / self.options.follow_s)
        watched.level += share * (level - watched.level)
        watched.clear_ns, watched.hidden, watched.step, watched.told = t_ns, False, None, 0.0
        if not (was_hidden and doubtful):
            return None
        scores = tuple(sorted(seen.scores.items(), key=lambda pair: (-pair[1], pair[0])))
        return FacingChange(camera, seen.facing, start_ns, t_ns, 0, seen.change, scores, unclear=True)

    def _different(
        self, camera: str, watched: _Watched, t_ns: int, level: float, items: int, seen: SeenFacing
    ) -> FacingChange | None:
        step = watched.step
        if step is None or step.items != items:
            earlier_ns = watched.clear_ns if step is None else step.first_ns
            change = 0.0 if step is None else step.change
            start_ns = watched.clear_ns if step is None else step.start_ns
            step = watched.step = _Step(items, start_ns, t_ns if step is None else max(t_ns, earlier_ns), change=change)
        step.add(level, seen)
        watched.hidden = False
        stay_s = self.options.many_stay_s if abs(items) >= self.options.many_items else self.options.stay_s
        if step.views < self.options.views or (t_ns - step.first_ns) / NS_PER_S < stay_s:
            return None
        watched.level, watched.clear_ns, watched.step, watched.told = step.level, t_ns, None, 0.0
        scores = tuple(sorted(step.scores.items(), key=lambda pair: (-pair[1], pair[0])))
        probability = max(step.change, 0.5)
        return FacingChange(camera, seen.facing, step.start_ns, step.first_ns, items, probability, scores)
