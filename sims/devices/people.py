"""The people in the picture: posed, lit, with what they carry and a soft shadow under their feet.

In: body states. Out: nodes on the stage that follow them. A person who has not moved costs nothing.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sims.building import Building
from sims.devices.goods import item_mesh
from sims.devices.labels import Shape
from sims.devices.look import Floats, Lighting, rgba
from sims.devices.mesh import Mesh, moved
from sims.devices.panda import Node, Stage
from sims.devices.prints import Atlas
from sims.scene import BodyState

CUBE = tuple((i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1))
SHOWN = 3
"""How many carried items are drawn, one in the right hand, the others in the left; the rest is out of sight."""
SHADOW_M = 0.45
"""Radius of the shadow under a person."""


class Surface(Protocol):
    """A posed body."""

    @property
    def vertices(self) -> Floats:
        """(v, 3) in store metres."""

    @property
    def normals(self) -> Floats:
        """(v, 3), unit length."""


class Bodies(Protocol):
    """What is needed of the library of people."""

    def surface(self, state: BodyState) -> Surface:
        """The body in its pose."""

    def faces(self, body: int) -> NDArray[np.int32]:
        """(f, 3), counter-clockwise from outside."""

    def colours(self, body: int, outfit: int) -> NDArray[np.uint8]:
        """(v, 3)."""

    def joints(self, state: BodyState) -> NDArray[np.float64]:
        """(17, 3) COCO joints in store metres."""

    def hands(self, state: BodyState) -> NDArray[np.float64]:
        """(2, 3) centres of the palms, left and right."""


class Crowd:
    """Everybody who can be seen."""

    def __init__(self, stage: Stage, bodies: Bodies, lighting: Lighting, building: Building, prints: Atlas) -> None:
        self.stage, self.bodies, self.lighting = stage, bodies, lighting
        self.building, self._prints = building, prints
        self._people: dict[str, _Person] = {}
        self._templates: dict[str, Mesh] = {}

    def show(self, people: Sequence[BodyState]) -> None:
        """Brings the stage up to date."""
        for person in sorted(self._people.keys() - {state.person for state in people}):
            self._people.pop(person).remove()
        order = []
        for state in people:
            known = self._people.get(state.person)
            if known is not None and (known.state.body, known.state.outfit) != (state.body, state.outfit):
                known.remove()
                known = None
            if known is None:
                known = self._people[state.person] = _Person(self, state)
            known.follow(state)
            order.append(known)
        self._people = {person.state.person: person for person in order}

    def corners_m(self) -> list[Floats]:
        """Per person the eight corners (8, 3) of a box around all that belongs to them."""
        return [person.corners_m() for person in self._people.values()]

    def shapes(self) -> list[Shape]:
        """Everybody's body, in the order in which they were shown; numbers them from 1 for a picture of numbers."""
        shapes = []
        for number, person in enumerate(self._people.values(), start=1):
            person.body.name(number)
            joints = np.asarray(self.bodies.joints(person.state), float)
            shapes.append(Shape(person.state.person, person.vertices_m, person.normals, joints))
        return shapes

    def template(self, sku: str) -> Mesh:
        """A product as it is seen from all sides."""
        if sku not in self._templates:
            self._templates[sku] = item_mesh(self.building.items[sku], self._prints, all_round=True)
        return self._templates[sku]


class _Person:
    """One person's nodes."""

    def __init__(self, crowd: Crowd, state: BodyState) -> None:
        self._crowd = crowd
        self._albedo: Floats = crowd.bodies.colours(state.body, state.outfit).astype(np.float32) / np.float32(255)
        self._items: list[tuple[str, Node]] = []
        self._carried: list[Floats] = []
        self.state = state
        self.body = self._pose(state)
        self._shadow = _shadow(crowd.stage)
        self._carry(state)

    def follow(self, state: BodyState) -> None:
        """Takes the pose of ``state``."""
        if state == self.state:
            return
        self.state = state
        points, colours = self._lit(state)
        self.body.write(points, colours)
        self._carry(state)

    def corners_m(self) -> Floats:
        """Corners (8, 3) of a box around body, shadow and what is carried."""
        low, high = self.vertices_m.min(axis=0), self.vertices_m.max(axis=0)
        place = np.array([self.state.x_m, self.state.y_m, 0], np.float32)
        reach = np.array([SHADOW_M, SHADOW_M, 0], np.float32)
        low, high = np.minimum(low, place - reach), np.maximum(high, place + reach)
        for points in self._carried:
            low, high = np.minimum(low, points.min(axis=0)), np.maximum(high, points.max(axis=0))
        return np.array([[(low, high)[i][0], (low, high)[j][1], (low, high)[k][2]] for i, j, k in CUBE], np.float32)

    def remove(self) -> None:
        """Leaves the stage."""
        for node in (self.body, self._shadow, *(node for _, node in self._items)):
            node.remove()

    def _pose(self, state: BodyState) -> Node:
        points, colours = self._lit(state)
        return Node(self._crowd.stage.moving, points, colours, None, self._crowd.bodies.faces(state.body))

    def _lit(self, state: BodyState) -> tuple[Floats, NDArray[np.uint8]]:
        surface = self._crowd.bodies.surface(state)
        self.vertices_m = np.asarray(surface.vertices, np.float32)
        self.normals = np.asarray(surface.normals, np.float32)
        centre = np.array([state.x_m, state.y_m, 1.1], np.float32)
        return self.vertices_m, rgba(self._albedo * self._crowd.lighting.shade_body(centre, self.normals))

    def _carry(self, state: BodyState) -> None:
        """Puts what is held into the hands and the shadow under the feet."""
        self._shadow.write(*_shadow_at(state))
        skus = [sku for sku, _ in self._items]
        wanted = [sku for sku in state.held if sku in self._crowd.building.items][:SHOWN]
        if skus != wanted:
            for _, node in self._items:
                node.remove()
            self._items = []
        self._carried = []
        if not wanted:
            return
        stage = self._crowd.stage
        left, right = np.asarray(self._crowd.bodies.hands(state), np.float32)
        for place, sku in enumerate(wanted):
            hand = left if place else right
            mesh = self._held(sku, hand, state.heading_rad, max(0, place - 1))
            light = self._crowd.lighting.shade_body(np.asarray(hand, np.float32), mesh.normals)
            colours = rgba(mesh.colours * light)
            self._carried.append(mesh.points)
            if place < len(self._items):
                self._items[place][1].write(mesh.points, colours)
            else:
                self._items.append(
                    (sku, Node(stage.moving, mesh.points, colours, mesh.uv, mesh.faces, stage.textures["atlas"]))
                )

    def _held(self, sku: str, hand: Floats, heading_rad: float, layer: int) -> Mesh:
        """The item as it is gripped: upright, its middle a little ahead of the palm, further ones stacked below."""
        item = self._crowd.building.items[sku]
        c, s = np.cos(heading_rad), np.sin(heading_rad)
        turn = np.array([[s, c, 0], [-c, s, 0], [0, 0, 1]], np.float32)
        ahead = min(item.size_m[1], item.size_m[0]) / 2 + 0.015
        place = hand + np.array([c * ahead, s * ahead, -item.size_m[2] * (0.5 + layer * 0.8)], np.float32)
        return moved(self._crowd.template(sku), turn, place)


def _shadow(stage: Stage) -> Node:
    rim = np.arange(12)
    after = (rim + 1) % 12
    fan = np.column_stack([np.zeros(12, int), 1 + rim, 1 + after])
    band = np.concatenate(
        [np.column_stack([1 + rim, 13 + rim, 13 + after]), np.column_stack([1 + rim, 13 + after, 1 + after])]
    )
    faces = np.concatenate([fan, band]).astype(np.int32)
    node = Node(stage.moving, np.zeros((25, 3), np.float32), np.zeros((25, 4), np.uint8), None, faces)
    node.fade()
    return node


def _shadow_at(state: BodyState) -> tuple[Floats, NDArray[np.uint8]]:
    angle = 2 * np.pi * np.arange(12) / 12
    ring = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(12)])
    rings = np.concatenate([np.zeros((1, 3)), 0.4 * SHADOW_M * ring, SHADOW_M * ring])
    points = rings + np.array([state.x_m, state.y_m, 0.006])
    colours = np.zeros((25, 4), np.uint8)
    colours[:13, 3] = 105
    return points.astype(np.float32), colours
