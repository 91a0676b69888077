"""Pictures of scenes: what a camera of the building sees, with its lens, and for training who is where in it.

In: a building, a look, scenes. Out: RGB pictures (h, w, 3) and labels. The room is lit once; shelves are rebuilt when
their stock changes; people are posed, lit and written into the renderer's memory when they move.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sims.building import Building
from sims.devices.furniture import glass_meshes
from sims.devices.goods import Goods, shelf_corners_m, standing
from sims.devices.labels import PersonLabel, label_people
from sims.devices.layers import Box, glaze, joined, lay_over
from sims.devices.lens import LensMap, lens_map
from sims.devices.look import Floats, Lighting, Look, Picture, rgba
from sims.devices.mesh import PLAIN, Mesh, merged
from sims.devices.panda import NEAR_M, Node, Pose, RendererError, Stage, View, metres, open_door
from sims.devices.people import Bodies, Crowd
from sims.devices.prints import atlas
from sims.devices.room import room_extent_m, room_meshes
from sims.devices.signs import Signs, paint_glass
from sims.devices.surfaces import paint
from sims.optics import Array, CameraSpec
from sims.scene import Dropped, Scene

__all__ = ["Bodies", "PersonLabel", "Renderer", "RendererError"]

Stock = Mapping[str, tuple[tuple[str, ...], ...]]


SAMPLES = 4
"""Samples per pixel for what stays: drawn rarely, so it may be drawn well."""


@dataclass(frozen=True, slots=True, eq=False)
class _Still:
    """What a camera sees of everything that does not move: BGRA and raw depth, before the lens, last row on top."""

    spec: CameraSpec
    age: int
    picture: Picture
    bent: Picture
    """The same as the lens shows it, RGB, first row on top."""
    depth: Floats
    glass: Picture | None
    """Glass in front of all that, BGRA, multiplied with its opacity; None where there is none in view."""
    glass_depth: Floats


class Renderer:
    """Draws scenes of one building under one look."""

    def __init__(self, building: Building, look: Look, bodies: Bodies | None = None, scale: float = 1.0) -> None:
        """``bodies`` defaults to the baked people; ``scale`` is the share of each camera's resolution to draw at."""
        self._door = open_door()
        self.kind, self.detail = self._door.kind, self._door.detail
        self.building, self.look, self._scale = building, look, scale
        self._stage = Stage()
        self._lighting = Lighting.of(look, *room_extent_m(building))
        prints = atlas(building.items, look)
        self._stage.add_texture("floor", paint(look.floor, look.seed), repeats=True)
        self._stage.add_texture("wall", paint(look.wall, look.seed + 1), repeats=True)
        self._stage.add_texture("atlas", prints.picture, repeats=False)
        signs = Signs.of(building, look)
        for name, sheet in (("tags", signs.tags), ("posters", signs.posters), ("headers", signs.headers)):
            self._stage.add_texture(name, sheet.picture, repeats=False)
        self._stage.add_texture("street", signs.street, repeats=True)
        self._stage.add_texture("glass", paint_glass(look.extras), repeats=True)
        self._goods = Goods.of(building, prints)
        self._shelves: dict[str, tuple[object, Node | None]] = {}
        self._crowd = Crowd(
            self._stage, bodies or _baked_people(), self._lighting, building, prints, look.gear, room_extent_m(building)
        )
        self._views: dict[tuple[int, int, int], View] = {}
        self._lenses: dict[tuple[object, ...], LensMap] = {}
        self._stills: dict[str, _Still] = {}
        self._ages: dict[str, int] = {}
        self._floor: tuple[tuple[Dropped, ...], Node | None] = ((), None)
        self._floor_age = 0
        self._seen: dict[str, tuple[CameraSpec, list[str]]] = {}
        self._layered = self.kind != "software"
        self._light_room(signs)

    def render(self, scene: Scene, camera: str | CameraSpec) -> Picture:
        """What the camera (an id of the store's, or any specification) sees: RGB (h, w, 3), bent by its lens."""
        spec, lens = self._camera(camera)
        self._show(scene)
        return self._composed(spec, lens) if self._layered else self._direct(spec, lens)

    def render_labelled(self, scene: Scene, camera: str | CameraSpec) -> tuple[Picture, list[PersonLabel]]:
        """The picture and a label for everybody of whom at least one pixel shows."""
        picture = self.render(scene, camera)
        spec, lens = self._camera(camera)
        shapes = self._crowd.shapes()
        numbers, depth = self._numbers(spec, lens, len(shapes))
        return picture, label_people(spec, lens, shapes, numbers, depth, self._scale)

    def depth(self, scene: Scene, camera: str | CameraSpec) -> Floats:
        """Metres along the optical axis (h, w) to what each pixel of the picture shows; glass shows what is behind it.

        Raises :class:`RendererError` with a renderer that keeps no depth.
        """
        if not self._layered:
            raise RendererError(f"the {self.kind} renderer keeps no depth; use one with OpenGL")
        spec, lens = self._camera(camera)
        self._show(scene)
        view, pose = self._view(lens, 0), self._pose(spec)
        view.draw(pose, self._stage.still)
        still = view.raw_depth().copy()
        view.draw(pose, self._stage.moving)
        nearest = metres(np.minimum(still, view.raw_depth()))
        return np.asarray(cv2.remap(nearest, *lens.nearest, cv2.INTER_NEAREST), np.float32)

    def _direct(self, spec: CameraSpec, lens: LensMap) -> Picture:
        """Everything drawn at once."""
        view = self._view(lens, 0)
        view.draw(self._pose(spec), self._stage.root, (*self.look.outside, 1))
        return _rgb(lens.bend(view.picture()))

    def _composed(self, spec: CameraSpec, lens: LensMap) -> Picture:
        """What moves, laid over the kept picture of what stays wherever it is nearer: several times cheaper."""
        still = self._still(spec, lens)
        result = still.bent.copy()
        windows = self._windows(spec, lens)
        if not windows:
            return result
        view = self._view(lens, 0)
        view.draw(self._pose(spec), self._stage.moving)
        drawn, depth = view.picture(), view.raw_depth()
        picture = still.picture.copy()
        for window in windows:
            lay_over(picture[window], drawn[window], depth[window], still.depth[window])
            if still.glass is not None and still.glass[window][:, :, 3].any():
                shown = (depth[window] < still.depth[window]) & (still.glass_depth[window] < depth[window])
                glaze(picture[window], still.glass[window], shown)
        for window in windows:
            part = lens.part(window)
            if result[part].size:
                result[part] = _rgb(lens.bend(picture, part))
        return result

    def _windows(self, spec: CameraSpec, lens: LensMap) -> list[tuple[slice, slice]]:
        """Parts of the pinhole picture in which somebody may show; none overlap."""
        size = np.array([lens.width_px, lens.height_px])
        boxes: list[Box] = []
        for corners in self._crowd.corners_m():
            local = _in_front(spec.to_camera(corners))
            if not len(local):
                continue
            at = local[:, :2] / local[:, 2:] * np.array([1, -1]) * (spec.focal_px * self._scale) + size / 2
            low = np.clip(np.floor(at.min(axis=0)) - 1, 0, size)
            high = np.clip(np.ceil(at.max(axis=0)) + 1, 0, size)
            if np.all(high > low):
                boxes = joined(boxes, (int(low[0]), int(low[1]), int(high[0]), int(high[1])))
        return [(slice(y0, y1), slice(x0, x1)) for x0, y0, x1, y1 in boxes]

    def _still(self, spec: CameraSpec, lens: LensMap) -> "_Still":
        """The kept picture and depth of what does not move, drawn anew when a shelf in view has changed."""
        kept = self._stills.get(spec.id)
        age = sum(self._ages[shelf] for shelf in self._seen_shelves(spec)) + self._floor_age
        if kept is not None and kept.spec == spec and kept.age == age:
            return kept
        fine, plain, pose = self._view(lens, SAMPLES), self._view(lens, 0), self._pose(spec)
        fine.draw(pose, self._stage.still, (*self.look.outside, 1))
        plain.draw(pose, self._stage.still)
        picture, depth = fine.picture().copy(), plain.raw_depth().copy()
        glass, glass_depth = self._glass(plain, pose, depth)
        if glass is not None:
            glaze(picture, glass, glass[:, :, 3] > 0)
        self._stills[spec.id] = _Still(spec, age, picture, _rgb(lens.bend(picture)), depth, glass, glass_depth)
        return self._stills[spec.id]

    def _glass(self, view: View, pose: Pose, depth: Floats) -> tuple[Picture | None, Floats]:
        """The glass before what stays, and its depth."""
        view.draw(pose, self._stage.glass)
        glass, glass_depth = view.picture().copy(), view.raw_depth().copy()
        glass[glass_depth >= depth] = 0
        return (glass if glass[:, :, 3].any() else None), glass_depth

    def _seen_shelves(self, spec: CameraSpec) -> list[str]:
        """Shelves of which a camera may see something."""
        kept = self._seen.get(spec.id)
        if kept is None or kept[0] != spec:
            lens = self._camera(spec)[1]
            half = np.array([lens.width_px, lens.height_px]) / 2 / (spec.focal_px * self._scale)
            shelves = [
                s.id for s in self.building.shelves.values() if _in_view(spec, half, shelf_corners_m(self.building, s))
            ]
            kept = self._seen[spec.id] = (spec, shelves)
        return kept[1]

    def _numbers(self, spec: CameraSpec, lens: LensMap, last: int) -> tuple[NDArray[np.uint8], Floats | None]:
        """Which person each pixel of the pinhole picture shows (0: none), and its depth in metres where known."""
        view = self._view(lens, 0)
        if not self._layered:
            view.draw_numbers(self._pose(spec), self._stage.root, last)
            return np.ascontiguousarray(view.picture()[:, :, 2]), None
        still = self._still(spec, lens)
        view.draw_numbers(self._pose(spec), self._stage.moving, last)
        raw = view.raw_depth()
        numbers = np.where(raw < still.depth, view.picture()[:, :, 2], 0).astype(np.uint8)
        return numbers, metres(np.minimum(raw, still.depth))

    def _pose(self, spec: CameraSpec) -> Pose:
        return Pose(spec.rotation, spec.position_m, spec.focal_px * self._scale)

    def close(self) -> None:
        """Gives back the buffers, and what the context keeps of the room and its textures."""
        for view in self._views.values():
            view.close()
        self._views.clear()
        self._stage.close(self._door)

    def _camera(self, camera: str | CameraSpec) -> tuple[CameraSpec, LensMap]:
        spec = self.building.cameras.get(camera) if isinstance(camera, str) else camera
        if spec is None:
            raise RendererError(f"camera {camera}: not in this store, which has {', '.join(self.building.cameras)}")
        key = (spec.width_px, spec.height_px, spec.focal_px, spec.distortion, spec.centre_px)
        if key not in self._lenses:
            width, height = (max(2, round(side * self._scale)) for side in (spec.width_px, spec.height_px))
            self._lenses[key] = lens_map(spec, width, height)
        return spec, self._lenses[key]

    def _view(self, lens: LensMap, samples: int) -> View:
        key = (lens.width_px, lens.height_px, samples)
        if key not in self._views:
            self._views[key] = View(self._door, self._stage, *key)
        return self._views[key]

    def _show(self, scene: Scene) -> None:
        self._stock(scene.stock)
        self._lay_down(scene.dropped)
        self._crowd.show(scene.people)

    def _stock(self, stock: Stock) -> None:
        """Rebuilds the shelves whose stock has changed."""
        for shelf in self.building.shelves.values():
            here = tuple(stock.get(facing.id, ()) for facing in shelf.facings)
            before, node = self._shelves.get(shelf.id, (None, None))
            if here == before:
                continue
            if node is not None:
                node.remove()
            self._ages[shelf.id] = self._ages.get(shelf.id, 0) + 1
            mesh = self._goods.fill(shelf, stock)
            self._shelves[shelf.id] = (here, self._add(mesh) if mesh else None)

    def _lay_down(self, dropped: tuple[Dropped, ...]) -> None:
        """Stands what was left on the floor there."""
        before, node = self._floor
        if dropped == before:
            return
        if node is not None:
            node.remove()
        meshes = [standing(self._crowd.template(one.sku), one) for one in dropped]
        self._floor = dropped, self._add(merged(meshes)) if meshes else None
        self._floor_age += 1

    def _light_room(self, signs: Signs) -> None:
        by_kind: dict[tuple[str, bool], list[Mesh]] = {}
        for mesh in room_meshes(self.building, self.look, signs):
            by_kind.setdefault((mesh.texture, mesh.glowing), []).append(mesh)
        for meshes in by_kind.values():
            self._add(merged(meshes))
        if self._layered and (panes := glass_meshes(self.building, self.look)):
            self._add_glass(merged(panes))

    def _add_glass(self, mesh: Mesh) -> None:
        fit = self.look.fittings
        colours = rgba(np.asarray(fit.shine * self._lighting.shade(mesh.points, mesh.normals), np.float32))
        colours[:, 3] = round(255 * fit.glass)
        Node(self._stage.glass, mesh.points, colours, mesh.uv, mesh.faces, self._stage.textures["glass"]).fade()

    def _add(self, mesh: Mesh) -> Node:
        light: Floats | float = 1.0 if mesh.glowing else self._lighting.shade(mesh.points, mesh.normals)
        texture = None if mesh.texture == PLAIN else self._stage.textures[mesh.texture]
        return Node(self._stage.still, mesh.points, rgba(mesh.colours * light), mesh.uv, mesh.faces, texture)


def _rgb(picture: Picture) -> Picture:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGRA2RGB), np.uint8)


def _in_front(corners: Array) -> Array:
    """Points around the part before the near plane of a convex body with these corners (n, 3, camera's frame)."""
    behind = corners[:, 2] < NEAR_M
    if not behind.any():
        return corners
    front, back = corners[~behind], corners[behind]
    if not len(front):
        return front
    a, b = np.repeat(front, len(back), axis=0), np.tile(back, (len(front), 1))
    share = (NEAR_M - a[:, 2:]) / (b[:, 2:] - a[:, 2:])
    return np.concatenate([front, a + share * (b - a)])


def _in_view(spec: CameraSpec, half: Array, corners_m: Array) -> bool:
    """Whether a box with these corners may reach into a picture that ends at ``half`` (normalised coordinates)."""
    local = _in_front(spec.to_camera(corners_m))
    if not len(local):
        return False
    at = local[:, :2] / local[:, 2:]
    return bool(np.all(at.max(axis=0) > -half) and np.all(at.min(axis=0) < half))


def _baked_people() -> Bodies:
    from sims.bodies.library import BodyLibrary

    library: Bodies = BodyLibrary.load()
    return library
