"""The people in the picture: posed, lit, with what they carry and their shadows on the floor.

In: body states. Out: nodes on the stage that follow them. A person who has not moved costs nothing.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sims.bodies.gear import Placed, placed
from sims.bodies.posing import active_hand
from sims.building import Building
from sims.devices.gear import gear_mesh, goods_places
from sims.devices.goods import item_mesh
from sims.devices.labels import Shape
from sims.devices.look import Colour, Floats, Lighting, rgba
from sims.devices.mesh import Mesh, moved
from sims.devices.panda import Node, Stage, Veil
from sims.devices.prints import Atlas
from sims.devices.shadows import Figure, FloorShadows
from sims.scene import BodyState

CUBE = tuple((i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1))
SHOWN = 3
"""How many carried items are drawn, one in the active hand, the others in the other; the rest is out of sight."""


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

    def height_m(self, body: int) -> float:
        """Standing height."""


class Crowd:
    """Everybody who can be seen."""

    def __init__(
        self, stage: Stage, bodies: Bodies, lighting: Lighting, building: Building, prints: Atlas, gear: Colour,
        floor_m: tuple[Floats, Floats],
    ) -> None:  # fmt: skip
        """``gear`` is the colour of the store's baskets, ``floor_m`` are the corners of the floor."""
        self.stage, self.bodies, self.lighting = stage, bodies, lighting
        self.building, self.gear, self._prints = building, gear, prints
        self._people: dict[str, _Person] = {}
        self._templates: dict[str, Mesh] = {}
        self._shadows = FloorShadows(*floor_m, lighting)
        size = self._shadows.width, self._shadows.height
        self._veil = Veil(stage.moving, self._shadows.low_m, self._shadows.high_m, *size)
        self._drawn: list[BodyState] = []

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
        if self._drawn != list(people):
            opacity, corners = self._shadows.draw([person.figure() for person in order])
            self._veil.write(opacity)
            for shown, floor_m in zip(order, corners, strict=True):
                shown.shadow_m = floor_m
            self._drawn = list(people)

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
        self.shadow_m: Floats | None = None
        """Corners of the part of the floor that the shadow lies on."""
        self._gear: tuple[str, Node] | None = None
        self._gear_m: Floats | None = None
        self._goods: list[tuple[str, Node]] = []
        self.body = self._pose(state)
        self._carry(state)
        self._equip(state)

    def follow(self, state: BodyState) -> None:
        """Takes the pose of ``state``."""
        if state == self.state:
            return
        self.state = state
        points, colours = self._lit(state)
        self.body.write(points, colours)
        self._carry(state)
        self._equip(state)

    def figure(self) -> Figure:
        """What throws a shadow."""
        return Figure(np.asarray(self._crowd.bodies.joints(self.state), float), self._gear_m)

    def corners_m(self) -> Floats:
        """Corners (8, 3) of a box around body, shadow and what is carried."""
        low, high = self.vertices_m.min(axis=0), self.vertices_m.max(axis=0)
        more = [points for points in (self._gear_m, self.shadow_m) if points is not None]
        for points in (*self._carried, *more):
            low, high = np.minimum(low, points.min(axis=0)), np.maximum(high, points.max(axis=0))
        return np.array([[(low, high)[i][0], (low, high)[j][1], (low, high)[k][2]] for i, j, k in CUBE], np.float32)

    def remove(self) -> None:
        """Leaves the stage."""
        for node in (self.body, *(node for _, node in (*self._items, *self._goods))):
            node.remove()
        if self._gear is not None:
            self._gear[1].remove()

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
        """Puts what is held into the hands."""
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
        hands, active = np.asarray(self._crowd.bodies.hands(state), np.float32), active_hand(state)
        for place, sku in enumerate(wanted):
            hand = hands[1 - active if place else active]
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

    def _equip(self, state: BodyState) -> None:
        """Basket, trolley or bag, and what lies in it."""
        bodies, worn = self._crowd.bodies, state.gear
        kind = "" if worn is None else worn.kind
        if self._gear is not None and self._gear[0] != kind:
            self._gear[1].remove()
            self._gear = None
        self._gear_m = None
        skus = [] if worn is None else [sku for sku in worn.goods if sku in self._crowd.building.items]
        if worn is not None:
            where = placed(state, bodies.joints(state), bodies.hands(state), bodies.height_m(state.body))
            assert where is not None
            self._gear_m = self._wear(kind, where)
            self._fill(kind, where, skus)
        else:
            self._fill(kind, None, [])

    def _wear(self, kind: str, where: Placed) -> Floats:
        """Draws the gear; returns its points."""
        crowd = self._crowd
        colour = _bag_colour(self.state.outfit) if kind == "tote" else crowd.gear
        mesh = gear_mesh(kind, colour, where)
        light = crowd.lighting.shade_body(mesh.points.mean(axis=0), mesh.normals)
        colours = rgba(mesh.colours * light)
        if self._gear is None:
            self._gear = kind, Node(crowd.stage.moving, mesh.points, colours, None, mesh.faces)
        else:
            self._gear[1].write(mesh.points, colours)
        return mesh.points

    def _fill(self, kind: str, where: Placed | None, skus: list[str]) -> None:
        """Draws the goods in the gear."""
        crowd = self._crowd
        places = [] if where is None else goods_places(kind, where, tuple(skus))
        shown = skus[len(skus) - len(places) :]
        if shown != [sku for sku, _ in self._goods]:
            for _, node in self._goods:
                node.remove()
            self._goods = []
        for number, (sku, (turn, place)) in enumerate(zip(shown, places, strict=True)):
            mesh = moved(crowd.template(sku), turn, place)
            colours = rgba(mesh.colours * crowd.lighting.shade_body(place, mesh.normals) * np.float32(0.8))
            self._carried.append(mesh.points)
            if number < len(self._goods):
                self._goods[number][1].write(mesh.points, colours)
            else:
                atlas = crowd.stage.textures["atlas"]
                node = Node(crowd.stage.moving, mesh.points, colours, mesh.uv, mesh.faces, atlas)
                self._goods.append((sku, node))


def _bag_colour(outfit: int) -> Colour:
    own = np.random.default_rng([7933, outfit])
    r, g, b = own.uniform(0.06, 0.75, 3)
    return float(r), float(g), float(b)
