"""Pictures of scenes: what a camera of the building sees, with its lens, and for training who is where in it.

In: a building, a look, scenes. Out: RGB pictures (h, w, 3) and labels. The room is lit once; shelves are rebuilt when their stock
changes; people are posed, lit and written into the renderer's memory when they move.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sims.building import Building
from sims.devices.goods import Goods
from sims.devices.labels import PersonLabel, label_people
from sims.devices.lens import LensMap, lens_map
from sims.devices.look import Floats, Lighting, Look, Picture, paint, rgba
from sims.devices.mesh import PLAIN, Mesh, merged
from sims.devices.panda import NEAR_M, Node, Pose, RendererError, Stage, View, metres, open_door
from sims.devices.people import Bodies, Crowd
from sims.devices.prints import atlas
from sims.devices.room import room_extent_m, room_meshes
from sims.optics import CameraSpec
from sims.scene import Scene

__all__ = ["Bodies", "PersonLabel", "Renderer", "RendererError"]

Box = tuple[int, int, int, int]
Stock = Mapping[str, tuple[tuple[str, ...], ...]]


SAMPLES = 4
"""Samples per pixel for what stays: drawn rarely, so it may be drawn well."""


@dataclass(frozen=True, slots=True, eq=False)
class _Still:
    """What a camera sees of everything that does not move: BGR and raw depth, before the lens."""

    spec: CameraSpec
    age: int
    picture: Picture
    depth: Floats


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
        self._goods = Goods.of(building, prints)
        self._shelves: dict[str, tuple[object, Node | None]] = {}
        self._crowd = Crowd(self._stage, bodies or _baked_people(), self._lighting, building, prints)
        self._views: dict[tuple[int, int, int], View] = {}
        self._lenses: dict[tuple[object, ...], LensMap] = {}
        self._stills: dict[str, _Still] = {}
        self._age = 0
        self._layered = self.kind != "software"
        self._light_room()

    def render(self, scene: Scene, camera: str | CameraSpec) -> Picture:
        """What the camera sees: RGB (h, w, 3), bent by its lens. A camera is an id of the store's, or any specification."""
        spec, lens = self._camera(camera)
        self._show(scene)
        picture = self._composed(spec, lens) if self._layered else self._direct(spec, lens)
        return np.asarray(cv2.cvtColor(lens.bend(picture), cv2.COLOR_BGR2RGB), np.uint8)

    def render_labelled(self, scene: Scene, camera: str | CameraSpec) -> tuple[Picture, list[PersonLabel]]:
        """The picture and a label for everybody of whom at least one pixel shows."""
        picture = self.render(scene, camera)
        spec, lens = self._camera(camera)
        shapes = self._crowd.shapes()
        numbers, depth = self._numbers(spec, lens, len(shapes))
        return picture, label_people(spec, lens, shapes, numbers, depth, self._scale)

    def _direct(self, spec: CameraSpec, lens: LensMap) -> Picture:
        """Everything drawn at once."""
        view = self._view(lens, 0)
        view.draw(self._pose(spec), self._stage.root, (*self.look.outside, 1))
        return np.ascontiguousarray(view.picture()[::-1, :, :3])

    def _composed(self, spec: CameraSpec, lens: LensMap) -> Picture:
        """What moves, drawn and laid over the kept picture of what stays where it is nearer: several times cheaper."""
        still = self._still(spec, lens)
        picture = still.picture.copy()
        view = self._view(lens, 0)
        view.draw(self._pose(spec), self._stage.moving)
        for rows, columns in self._windows(spec, lens):
            layer = view.picture()[::-1][rows, columns]
            near = view.raw_depth()[::-1][rows, columns] < still.depth[rows, columns]
            cover = layer[:, :, 3] * near
            under = picture[rows, columns]
            solid = cover == 255
            under[solid] = layer[solid, :3]
            soft = (cover > 0) & ~solid
            if soft.any():
                rest = (255 - cover[soft].astype(np.uint16))[:, None]
                under[soft] = (layer[soft, :3] + under[soft] * rest // 255).astype(np.uint8)
        return picture

    def _windows(self, spec: CameraSpec, lens: LensMap) -> list[tuple[slice, slice]]:
        """Parts of the pinhole picture in which somebody may show; none overlap."""
        size = np.array([lens.width_px, lens.height_px])
        boxes: list[Box] = []
        for corners in self._crowd.corners_m():
            local = spec.to_camera(corners)
            if local[:, 2].max() < NEAR_M:
                continue
            if local[:, 2].min() < NEAR_M:
                return [(slice(0, lens.height_px), slice(0, lens.width_px))]
            at = local[:, :2] / local[:, 2:] * (spec.focal_px * self._scale) + size / 2
            low, high = np.clip(np.floor(at.min(axis=0)) - 1, 0, size), np.clip(np.ceil(at.max(axis=0)) + 1, 0, size)
            if np.all(high > low):
                boxes = _joined(boxes, (int(low[0]), int(low[1]), int(high[0]), int(high[1])))
        return [(slice(y0, y1), slice(x0, x1)) for x0, y0, x1, y1 in boxes]

    def _still(self, spec: CameraSpec, lens: LensMap) -> "_Still":
        """The kept picture and depth of what does not move, drawn anew when a shelf in view has changed."""
        kept = self._stills.get(spec.id)
        if kept is not None and kept.spec == spec and kept.age == self._age:
            return kept
        fine, plain, pose = self._view(lens, SAMPLES), self._view(lens, 0), self._pose(spec)
        fine.draw(pose, self._stage.still, (*self.look.outside, 1))
        plain.draw(pose, self._stage.still)
        picture = np.ascontiguousarray(fine.picture()[::-1, :, :3])
        self._stills[spec.id] = _Still(spec, self._age, picture, plain.raw_depth()[::-1].copy())
        return self._stills[spec.id]

    def _numbers(self, spec: CameraSpec, lens: LensMap, last: int) -> tuple[NDArray[np.uint8], Floats | None]:
        """Which person each pixel of the pinhole picture shows (0: none), and its depth in metres if the renderer knows."""
        view = self._view(lens, 0)
        if not self._layered:
            view.draw_numbers(self._pose(spec), self._stage.root, last)
            return np.ascontiguousarray(view.picture()[::-1, :, 2]), None
        still = self._still(spec, lens)
        view.draw_numbers(self._pose(spec), self._stage.moving, last)
        raw = view.raw_depth()[::-1]
        numbers = np.where(raw < still.depth, view.picture()[::-1, :, 2], 0)
        return numbers, metres(np.minimum(raw, still.depth))

    def _pose(self, spec: CameraSpec) -> Pose:
        return Pose(spec.rotation, spec.position_m, spec.focal_px * self._scale)

    def close(self) -> None:
        """Gives the buffers back."""
        for view in self._views.values():
            view.close()
        self._views.clear()

    def _camera(self, camera: str | CameraSpec) -> tuple[CameraSpec, LensMap]:
        spec = self.building.cameras.get(camera) if isinstance(camera, str) else camera
        if spec is None:
            raise RendererError(f"camera {camera}: not in this store, which has {', '.join(self.building.cameras)}")
        key = (spec.width_px, spec.height_px, spec.focal_px, spec.distortion)
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
            self._age += 1
            mesh = self._goods.fill(shelf, stock)
            self._shelves[shelf.id] = (here, self._add(mesh) if mesh else None)

    def _light_room(self) -> None:
        by_kind: dict[tuple[str, bool], list[Mesh]] = {}
        for mesh in room_meshes(self.building, self.look):
            by_kind.setdefault((mesh.texture, mesh.glowing), []).append(mesh)
        for meshes in by_kind.values():
            self._add(merged(meshes))

    def _add(self, mesh: Mesh) -> Node:
        light: Floats | float = 1.0 if mesh.glowing else self._lighting.shade(mesh.points, mesh.normals)
        texture = None if mesh.texture == PLAIN else self._stage.textures[mesh.texture]
        return Node(self._stage.still, mesh.points, rgba(mesh.colours * light), mesh.uv, mesh.faces, texture)


def _joined(boxes: list[Box], new: Box) -> list[Box]:
    """Boxes (x0, y0, x1, y1) with one more, overlapping ones made one."""
    for box in boxes:
        if box[0] < new[2] and new[0] < box[2] and box[1] < new[3] and new[1] < box[3]:
            rest = [other for other in boxes if other is not box]
            return _joined(rest, (min(box[0], new[0]), min(box[1], new[1]), max(box[2], new[2]), max(box[3], new[3])))
    return [*boxes, new]


def _baked_people() -> Bodies:
    from sims.bodies.library import BodyLibrary

    library: Bodies = BodyLibrary.load()
    return library
