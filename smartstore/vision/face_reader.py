"""Reads the facings of a shelf face from pictures: what was taken from them, and what was put back.

In: the pictures of one shelf camera, with the people in them. Out: one ``SeenFacing`` per facing and picture.

The first picture gives the camera's true pose (see ``registration``). From then on the last clear view of every facing
is kept. Where a clear, still picture differs from it, the change is explained by geometry: items leave and join columns
at their front, so every possible move predicts which pixels change. Moves are taken greedily by likelihood until what
is left is small; what no move explains is something in the way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import SeenPerson
from smartstore.site import Site
from smartstore.vision.blocking import hidden_by
from smartstore.vision.boards import Boards
from smartstore.vision.difference import differs
from smartstore.vision.embedding import Gallery
from smartstore.vision.glance import Glance, first_counts
from smartstore.vision.looks import Looks
from smartstore.vision.moves import Move, MoveOptions, Shelves
from smartstore.vision.recognition import Recogniser, catalogue_pictures, truest
from smartstore.vision.registration import RegistrationOptions, poses
from smartstore.vision.shelf_face import FacingView, Patch, facing_views, gap_patches, marks, silhouette
from smartstore.wire.messages import SeenFacing

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """What counts as different, as still and as hidden."""

    grey_levels: int = 20
    """A pixel that differs by more in any colour has changed."""
    still_levels: int = 24
    still_share: float = 0.015
    """A facing is still while fewer of its pixels changed since the last picture."""
    hidden_share: float = 0.02
    """A facing of which people cover more is hidden."""
    rail_share: float = 0.12
    """Where more of the price rail below a facing looks different, something stands before it."""
    unexplained_items: float = 0.45
    """Changed pixels that no move explains, in visible items of the facing, beyond which something is in the way."""
    give_in_s: float = 8.0
    """An unexplained but still picture becomes the new one after this time."""
    trust_take: float = 4.0
    """Natural logarithm of how much likelier an item is that was known to stand there,"""
    trust_put: float = 1.0
    """and one by which a put-back is best explained."""
    follow_s: float = 2.0
    """The kept view follows the light by one grey level in this time."""


@dataclass(slots=True, eq=False)
class _Face:
    """What is known of one facing."""

    view: FacingView
    typical_px: float
    """Visible pixels of a front item."""
    area_px: int
    known: bool = False
    """Whether there is a clear view to compare with."""
    followed_ns: int = 0
    odd_since_ns: int | None = None
    covered_since_ns: int | None = None
    change: float = 0.0
    scores: dict[str, float] | None = None


class FaceReader:
    """Reads all facings that one shelf camera watches."""

    def __init__(
        self, site: Site, camera: str, options: ReaderOptions | None = None, moves: MoveOptions | None = None,
        registration: RegistrationOptions | None = None, pictures: Mapping[str, Picture] | None = None,
    ) -> None:  # fmt: skip
        """``pictures`` are catalogue pictures by SKU (RGB, cropped to the product's front), by default those of the
        site; without one, an item is known by how its own facing looks."""
        self.options = options or ReaderOptions()
        self._site, self._camera = site, site.cameras[camera]
        self._moves, self._registration = moves or MoveOptions(), registration or RegistrationOptions()
        self.model = self._camera.model
        """The camera as it hangs, once the first picture came."""
        self._faces: list[_Face] = []
        self._shelves: Shelves | None = None
        self._boards: Boards | None = None
        self._looks = Looks()
        self._gallery = Gallery(catalogue_pictures(site) if pictures is None else pictures)
        self._recogniser: Recogniser | None = None
        self._shapes: dict[tuple[int, int, int, str], Patch] = {}
        self._kept: Picture | None = None
        self._last: Picture | None = None

    def observe(self, t_ns: int, image: Picture, people: Sequence[SeenPerson]) -> list[SeenFacing]:
        """What the RGB picture ``image`` (h, w, 3), taken at ``t_ns``, says about every facing in view."""
        picture = cv2.blur(image, (3, 3))
        blocked = hidden_by(people, image.shape[1], image.shape[0])
        if self._shelves is None:
            if blocked.mean() > 0.05:
                return []
            self._start(image, picture)
        shelves, kept = self._shelves, self._kept
        assert shelves is not None
        moving = differs(picture, self._last, self.options.still_levels, None) if self._last is not None else None
        self._last = picture
        if kept is None:
            kept = self._kept = picture.copy()
        changed = differs(picture, kept, self.options.grey_levels, ~blocked)
        clear = [
            self._is_still(face, blocked, moving) and self._is_open(face, changed, t_ns, picture, kept)
            for face in self._faces
        ]
        self._meet(clear, picture, kept)
        self._compare(t_ns, clear, picture, kept, changed)
        return [self._say(i, seen) for i, seen in enumerate(clear)]

    def _start(self, image: Picture, picture: Picture) -> None:
        """The first picture in which hardly anybody stands: where the camera looks, and which facings it sees."""
        site, camera = self._site, self._camera
        likely = poses(camera.model, marks(site, camera), image, self._registration)
        self.model = truest(site, camera, likely, self._gallery, picture)
        views = facing_views(site, camera, self.model)

        def shape(i: int, column: int, row: int, sku: str) -> Patch:
            view = views[i]
            if sku == view.facing.sku:
                return view.item(column, row)
            key = (i, column, row, sku)
            if key not in self._shapes:
                self._shapes[key] = silhouette(site, view, self.model, column, row, sku)
            return self._shapes[key]

        shelves = self._shelves = Shelves(views, shape, self._moves, _smallest(site))
        covers = [view.cover.astype(np.uint8) for view in views]

        def hidden(i: int, column: int, row: int) -> Picture:
            before = shelves.in_front(i, column, row)
            mask = covers[i].copy() if before else covers[i]
            for patch in before:
                np.maximum(patch.of(mask), patch.mask, out=patch.of(mask))
            return mask

        self._recogniser = Recogniser(site, self.model, views, self._gallery, hidden)
        self._boards = Boards(views, gap_patches(site, camera, self.model))
        self._faces = [
            _Face(view, float(np.median([column[1].area for column in view.items])), view.frame.area) for view in views
        ]

    def _is_still(self, face: _Face, blocked: Bools, moving: Bools | None) -> bool:
        frame = face.view.frame
        if moving is None:
            return False
        area = max(face.area_px, 1)
        covered = np.count_nonzero(frame.of(blocked) & frame.mask) / area
        moved = np.count_nonzero(frame.of(moving) & frame.mask) / area
        return bool(covered <= self.options.hidden_share and moved <= self.options.still_share)

    def _is_open(self, face: _Face, changed: Bools, t_ns: int, picture: Picture, kept: Picture) -> bool:
        """Whether nothing that the people network missed stands before the facing: it would cover the rail below."""
        rail = face.view.rail
        area = rail.area
        if not face.known or area < 30:
            return True
        if np.count_nonzero(rail.of(changed) & rail.mask) <= self.options.rail_share * area:
            face.covered_since_ns = None
            return True
        if face.covered_since_ns is None:
            face.covered_since_ns = t_ns
        if (t_ns - face.covered_since_ns) / 1e9 >= self.options.give_in_s:
            _copy(rail, picture, kept)
        return False

    def _meet(self, clear: list[bool], picture: Picture, kept: Picture) -> None:
        """The first clear view of a facing: what it holds, and how its item looks."""
        shelves, boards, recogniser = self._shelves, self._boards, self._recogniser
        assert shelves is not None and boards is not None and recogniser is not None
        new = [i for i, seen in enumerate(clear) if seen and not self._faces[i].known]
        if not new:
            return
        boards.learn(picture)
        for i in new:
            boards.meet(i, picture)
            shelves.assume(i, boards.counts(i, picture))
        for i in new:
            recogniser.learn_light(i, picture, shelves.counts(i))
        for _ in range(2):  # once more when it is known what stands before what
            for i in new:
                shelves.assume(i, first_counts(boards, recogniser, i, picture))
            recogniser.align(picture, {i: shelves.counts(i) for i in new})
        recogniser.doubt(picture, {i: shelves.counts(i) for i in new})
        for i in new:
            face = self._faces[i]
            face.known = True
            _copy(face.view.frame, picture, kept)
            _copy(face.view.rail, picture, kept)
            self._looks.learn(face.view, picture, shelves.counts(i))

    def _compare(self, t_ns: int, clear: list[bool], picture: Picture, kept: Picture, changed: Bools) -> None:
        """Explains what differs from the kept views, facing by facing."""
        assert self._shelves is not None and self._boards is not None and self._recogniser is not None
        usable = [i for i, seen in enumerate(clear) if seen and self._faces[i].known]
        glance = Glance(self._boards, self._looks, self._recogniser, kept, picture)
        moves, rest = self._shelves.explain(changed, usable, glance)
        by_facing: dict[int, list[Move]] = {}
        for move in moves:
            by_facing.setdefault(move.facing, []).append(move)
        for i in usable:
            face = self._faces[i]
            frame = face.view.frame
            odd = np.count_nonzero(frame.of(rest) & frame.mask) / face.typical_px
            face.change, face.scores = 0.02, None
            if odd > self.options.unexplained_items and not self._give_in(face, t_ns):
                clear[i] = False
                continue
            if odd <= self.options.unexplained_items:
                face.odd_since_ns = None
            for move in by_facing.get(i, ()):
                face.change = max(face.change, move.probability)
                face.scores = self._scores(move, kept if move.items < 0 else picture)
                self._shelves.apply(move)
            if by_facing.get(i) or odd > self.options.unexplained_items:
                _copy(face.view.frame, picture, kept)
                face.followed_ns = t_ns
            elif (t_ns - face.followed_ns) / 1e9 >= self.options.follow_s:
                _follow(face.view.frame, picture, kept)
                _follow(face.view.rail, picture, kept)
                face.followed_ns = t_ns

    def _scores(self, move: Move, picture: Picture) -> dict[str, float]:
        """What a move moved, by the picture in which it shows."""
        assert self._shelves is not None and self._recogniser is not None
        trust = self.options.trust_take if move.items < 0 else self.options.trust_put
        place = (move.facing, move.column, self._shelves.row(move.facing, move.place))
        scores = self._recogniser.scores(picture, *place, move.sku, trust)
        return scores or self._looks.scores(picture, move.region, move.sku)

    def _give_in(self, face: _Face, t_ns: int) -> bool:
        """Whether what stands in the way has stood there long enough to be how things are now."""
        if face.odd_since_ns is None:
            face.odd_since_ns = t_ns
        if (t_ns - face.odd_since_ns) / 1e9 < self.options.give_in_s:
            return False
        face.odd_since_ns, face.change = None, 0.6
        return True

    def _say(self, i: int, clear: bool) -> SeenFacing:
        assert self._shelves is not None
        face = self._faces[i]
        facing = face.view.facing
        fill = float(np.clip(self._shelves.level(i) / facing.capacity, 0.0, 2.0))
        shown = clear and face.known
        scores = face.scores if shown and face.scores else {}
        return SeenFacing(
            facing=facing.id, fill=fill, change=face.change if shown else 0.0, scores=scores, hidden=not shown
        )


def _smallest(site: Site) -> str:
    """The product whose front is the smallest of all that stand in the store."""
    sold = {facing.sku for facing in site.facings.values()}
    return min(sold, key=lambda sku: (site.items[sku].size_m[0] * site.items[sku].size_m[2], sku))


def _copy(patch: Patch, picture: Picture, kept: Picture) -> None:
    np.copyto(patch.of(kept), patch.of(picture), where=patch.mask[:, :, None])


def _follow(patch: Patch, picture: Picture, kept: Picture) -> None:
    """Moves the kept view one grey level towards the picture."""
    now, old = patch.of(picture), patch.of(kept)
    np.copyto(old, old + (now > old) - (now < old), where=patch.mask[:, :, None], casting="unsafe")
