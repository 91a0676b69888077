"""Pictures of scenes: what a camera of the building sees, with its lens, and for training who is where in it.

In: a building, a look, scenes. Out: RGB pictures (h, w, 3) and labels. The room is lit once; shelves are rebuilt when their stock
changes; people are posed, lit and written into the renderer's memory when they move.
"""

from collections.abc import Mapping

import cv2
import numpy as np

from sims.building import Building
from sims.devices.goods import Goods
from sims.devices.labels import PersonLabel, label_people
from sims.devices.lens import LensMap, lens_map
from sims.devices.look import Floats, Lighting, Look, Picture, paint, rgba
from sims.devices.mesh import PLAIN, Mesh, merged
from sims.devices.panda import Node, RendererError, Stage, View, open_door
from sims.devices.people import Bodies, Crowd
from sims.devices.prints import atlas
from sims.devices.room import room_extent_m, room_meshes
from sims.optics import CameraSpec
from sims.scene import Scene

__all__ = ["Bodies", "PersonLabel", "Renderer", "RendererError"]

Stock = Mapping[str, tuple[tuple[str, ...], ...]]


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
        self._views: dict[tuple[int, int, bool], View] = {}
        self._lenses: dict[str, LensMap] = {}
        self._light_room()

    def render(self, scene: Scene, camera_id: str) -> Picture:
        """What the camera sees: RGB (h, w, 3), bent by its lens."""
        spec, lens = self._camera(camera_id)
        self._show(scene)
        view = self._view(lens, with_depth=False)
        clear = np.array(self.look.outside, np.float32)
        view.draw(spec.rotation, spec.position_m, spec.focal_px * self._scale, clear)
        return np.asarray(cv2.cvtColor(lens.bend(view.picture()), cv2.COLOR_BGR2RGB), np.uint8)

    def render_labelled(self, scene: Scene, camera_id: str) -> tuple[Picture, list[PersonLabel]]:
        """The picture and a label for everybody of whom at least one pixel shows."""
        picture = self.render(scene, camera_id)
        spec, lens = self._camera(camera_id)
        view = self._view(lens, with_depth=True)
        shapes = self._crowd.shapes()
        view.draw_numbers(spec.rotation, spec.position_m, spec.focal_px * self._scale, len(shapes))
        numbers = np.ascontiguousarray(view.picture()[:, :, 2])
        return picture, label_people(spec, lens, shapes, numbers, view.depth_m(), self._scale)

    def close(self) -> None:
        """Gives the buffers back."""
        for view in self._views.values():
            view.close()
        self._views.clear()

    def _camera(self, camera_id: str) -> tuple[CameraSpec, LensMap]:
        spec = self.building.cameras.get(camera_id)
        if spec is None:
            raise RendererError(f"camera {camera_id}: not in this store, which has {', '.join(self.building.cameras)}")
        if camera_id not in self._lenses:
            width, height = (max(2, round(side * self._scale)) for side in (spec.width_px, spec.height_px))
            self._lenses[camera_id] = lens_map(spec, width, height)
        return spec, self._lenses[camera_id]

    def _view(self, lens: LensMap, with_depth: bool) -> View:
        key = (lens.width_px, lens.height_px, with_depth)
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
        texture = None if mesh.texture == PLAIN else mesh.texture
        return Node(self._stage, mesh.points, rgba(mesh.colours * light), mesh.uv, mesh.faces, texture)


def _baked_people() -> Bodies:
    from sims.bodies import BodyLibrary

    library: Bodies = BodyLibrary.load()
    return library
