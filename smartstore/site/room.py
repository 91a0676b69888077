"""What must hold in the room: walls, gates, where fixtures and cameras are, and that people get to every facing.

In: a parsed store document and the heights of its items. Out: one problem per error.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from shapely import LinearRing

from smartstore.domain.geometry import CameraModel, camera_model
from smartstore.site.checks import known_ids
from smartstore.site.document import CameraNode, FixtureNode, ItemNode, Parsed, StoreDocument
from smartstore.site.floor import (
    ARM_REACH_M,
    area,
    can_reach,
    edge_distances,
    inside,
    overlap_m,
    standing_places,
    within_walls,
)
from smartstore.site.parts import Fixture, Point2
from smartstore.site.source import Loc, Problem

SLACK_M = 0.005
HIGHEST_GRASP_M = 2.0
NARROWEST_GATE_M = 0.6
WIDEST_GATE_M = 6.0
SMALLEST_FLOOR_M2 = 2.0
LONGEST_ROOM_M = 300.0
"""More is a plan in other units than metres."""

Store = Parsed[StoreDocument]


def bare_fixture(node: FixtureNode) -> Fixture:
    """A fixture's outline without its shelves."""
    return Fixture(
        node.id, node.kind, node.origin_m, node.facing_deg, node.width_m, node.depth_m, node.height_m, None, ()
    )  # fmt: skip


def calibration(node: CameraNode) -> CameraModel:
    """The camera model of the surveyed values."""
    lens = node.width_px, node.height_px, node.focal_px, node.distortion
    return camera_model(node.id, *lens, node.position_m, node.look_at_m, node.roll_deg, node.principal_px)


def room_problems(store: Store, items: Mapping[str, ItemNode | None]) -> Iterator[Problem]:
    """Everything about walls, gates, fixtures on the floor, reach and cameras."""
    if store.node is None:
        return
    outline = list(_outline(store, store.node))
    yield from outline
    yield from _gate_kinds(store)
    if outline:
        return
    gates = list(_gates(store, store.node))
    standing = list(_fixtures(store, store.node))
    yield from gates + standing
    yield from _cameras(store, store.node, items)
    if not gates:
        yield from _reach(store, store.node, items)


def _outline(store: Store, node: StoreDocument) -> Iterator[Problem]:
    length = float(np.ptp(np.asarray(node.walls_m, float), axis=0).max())
    if length > LONGEST_ROOM_M:
        yield store.problem(
            ("walls_m",), f"the room is {length:g} m long, more than {LONGEST_ROOM_M:g} m", "use metres"
        )
    elif not LinearRing(node.walls_m).is_simple:
        what = "the walls cross each other, touch, or go back the way they came"
        yield store.problem(("walls_m",), what, "list the corners in order, once around")
    elif area(node.walls_m) < SMALLEST_FLOOR_M2:
        yield store.problem(
            ("walls_m",), f"the walls enclose only {area(node.walls_m):.2g} square metres", "use metres"
        )


def _gate_kinds(store: Store) -> Iterator[Problem]:
    listed = store.source.data.get("gates") if isinstance(store.source.data, dict) else None
    kinds = {gate.get("kind") for gate in listed if isinstance(gate, dict)} if isinstance(listed, list) else set()
    for kind in ("entry", "exit"):
        if kind not in kinds:
            yield store.problem(("gates",), f"there is no {kind} gate", f"add a gate of kind {kind}")


def _gates(store: Store, node: StoreDocument) -> Iterator[Problem]:
    for index, gate in enumerate(node.gates):
        loc: Loc = ("gates", index, "line_m")
        a, b = np.asarray(gate.line_m, float)
        length = float(np.linalg.norm(b - a))
        if edge_distances(gate.line_m, node.walls_m).max(axis=0).min() > SLACK_M:
            yield store.problem(loc, f"gate {gate.id} does not lie on a wall", "put both ends on one wall")
        elif not NARROWEST_GATE_M <= length <= WIDEST_GATE_M:
            what = f"gate {gate.id} is {length:.2g} m wide"
            yield store.problem(loc, what, f"make it {NARROWEST_GATE_M:g} to {WIDEST_GATE_M:g} m")
    for (_, one), (index, other) in combinations(enumerate(node.gates), 2):
        middle = np.mean(np.asarray(other.line_m, float), axis=0)
        first, second = np.asarray(one.line_m, float)
        along = (second - first) / max(float(np.linalg.norm(second - first)), 1e-9)
        apart = float(np.linalg.norm(middle - np.mean([first, second], axis=0)))
        half = (np.linalg.norm(second - first) + abs(np.dot(np.subtract(*other.line_m), along))) / 2
        if apart < half - SLACK_M:
            yield store.problem(
                ("gates", index, "line_m"), f"gate {other.id} overlaps gate {one.id}", "move them apart"
            )


def _fixtures(store: Store, node: StoreDocument) -> Iterator[Problem]:
    fixtures = [bare_fixture(fixture) for fixture in node.fixtures]
    for index, fixture in enumerate(fixtures):
        loc: Loc = ("fixtures", index)
        if not within_walls(fixture, node.walls_m, SLACK_M):
            yield store.problem((*loc, "origin_m"), f"fixture {fixture.id} is not inside the walls", "move or turn it")
        if fixture.height_m > node.ceiling_m:
            what = f"fixture {fixture.id} is {fixture.height_m:g} m high, the ceiling {node.ceiling_m:g} m"
            yield store.problem((*loc, "height_m"), what, "lower it")
    middles, radii = _extents(fixtures)
    for index, other in enumerate(fixtures):
        apart_m = np.linalg.norm(middles[:index] - middles[index], axis=1)
        for number in np.nonzero(apart_m <= radii[:index] + radii[index])[0]:
            if (depth := overlap_m(fixtures[number], other)) > SLACK_M:
                what = f"fixture {other.id} overlaps fixture {fixtures[number].id} by {depth:.2g} m"
                yield store.problem(("fixtures", index, "origin_m"), what, "move them apart")


def _extents(fixtures: Sequence[Fixture]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middles (n, 2) of footprints, and radii of the circles around them."""
    middles = [fixture.point(fixture.width_m / 2, fixture.depth_m / 2, 0.0)[:2] for fixture in fixtures]
    radii = [float(np.hypot(fixture.width_m, fixture.depth_m)) / 2 for fixture in fixtures]
    return np.array(middles).reshape(-1, 2), np.array(radii)


def _reach(store: Store, node: StoreDocument, items: Mapping[str, ItemNode | None]) -> Iterator[Problem]:
    fixtures = [bare_fixture(fixture) for fixture in node.fixtures]
    starts: dict[str, Point2] = {}
    for gate in node.gates:
        x, y = np.mean(np.asarray(gate.line_m, float), axis=0)
        starts.setdefault(gate.kind, (float(x), float(y)))
    if set(starts) != {"entry", "exit"}:
        return
    places = standing_places(node.walls_m, fixtures, starts["entry"])
    if not len(places):
        index = [gate.kind for gate in node.gates].index("entry")
        yield store.problem(("gates", index), "nobody can come in: the entry is blocked", "clear the floor behind it")
        return
    if np.linalg.norm(places - np.asarray(starts["exit"]), axis=1).min() > WIDEST_GATE_M / 10:
        index = [gate.kind for gate in node.gates].index("exit")
        yield store.problem(("gates", index), "there is no way from the entry to the exit", "clear a way of 0.6 m")
    middles, radii = _extents(fixtures)
    for index, fixture in enumerate(node.fixtures):
        reach_m = radii[index] + ARM_REACH_M + SLACK_M  # what is farther from its middle is far from all of its face
        here = places[np.linalg.norm(places - middles[index], axis=1) <= reach_m]
        near = np.nonzero(np.linalg.norm(middles - middles[index], axis=1) <= reach_m + radii)[0]
        others = [fixtures[other] for other in near if other != index]
        for number, shelf in enumerate(fixture.shelves):
            for slot, facing in enumerate(shelf.facings):
                loc: Loc = ("fixtures", index, "shelves", number, "facings", slot)
                item = items.get(facing.sku)
                grasp = shelf.height_m + (item.size_m[2] / 2 if item else 0.0)
                if grasp > HIGHEST_GRASP_M:
                    what = f"facing {facing.id} is unreachable: its items are gripped at {grasp:.2f} m"
                    yield store.problem(loc, what, f"lower the shelf: arms reach {HIGHEST_GRASP_M:g} m")
                elif not can_reach(here, fixtures[index], facing.offset_m + facing.width_m / 2, others):
                    what = f"facing {facing.id} is unreachable: nobody can stand in front of it"
                    yield store.problem(loc, what, "keep 0.6 m of floor free before the face, connected with the entry")


def _cameras(store: Store, node: StoreDocument, items: Mapping[str, ItemNode | None]) -> Iterator[Problem]:
    named = known_ids(store.source.data, "fixtures")
    for index, camera in enumerate(node.cameras):
        loc: Loc = ("cameras", index)
        x, y, z = camera.position_m
        if not inside([(x, y)], node.walls_m)[0]:
            yield store.problem((*loc, "position_m"), f"camera {camera.id} is outside the walls", "move it inside")
        if not 0 < z < node.ceiling_m:
            what = f"camera {camera.id} at {z:g} m is not between floor and ceiling ({node.ceiling_m:g} m)"
            yield store.problem((*loc, "position_m"), what, "correct its height")
        if np.allclose(camera.position_m, camera.look_at_m, atol=0.01):
            yield store.problem((*loc, "look_at_m"), f"camera {camera.id} looks at itself", "give a point in its view")
            continue
        if camera.kind == "ceiling" and camera.look_at_m[2] >= z:
            yield store.problem((*loc, "look_at_m"), f"ceiling camera {camera.id} looks up", "give a point below it")
        if (camera.kind == "shelf") != bool(camera.watches):
            what = f"camera {camera.id} of kind {camera.kind} watches {', '.join(camera.watches) or 'nothing'}"
            yield store.problem(loc, what, "shelf cameras, and only they, name the fixtures they watch")
        by_id = {fixture.id: fixture for fixture in node.fixtures}
        for number, name in enumerate(camera.watches):
            spot: Loc = (*loc, "watches", number)
            if name not in named:
                yield store.problem(spot, f"camera {camera.id} watches unknown fixture '{name}'", "name a fixture's id")
            elif name in by_id and (hidden := _out_of_view(camera, by_id[name], items)):
                what = f"camera {camera.id} watches {name} but does not have in its picture: {', '.join(hidden)}"
                yield store.problem(spot, what, "turn or move the camera, or shorten focal_px")


def _out_of_view(camera: CameraNode, fixture: FixtureNode, items: Mapping[str, ItemNode | None]) -> list[str]:
    """The facings whose front, from board to item top at both ends, is not wholly in the picture."""
    model = calibration(camera)
    frame = bare_fixture(fixture)
    facings = [(shelf, facing) for shelf in fixture.shelves for facing in shelf.facings]
    if frame.to_local(camera.position_m)[1] >= 0:
        return [facing.id for _, facing in facings]
    hidden = []
    for shelf, facing in facings:
        item = items.get(facing.sku)
        ends = facing.offset_m, facing.offset_m + facing.width_m
        heights = shelf.height_m, shelf.height_m + (item.size_m[2] if item else 0.0)
        pixels = model.project([frame.point(u, 0.0, z) for u in ends for z in heights])
        if not np.all((pixels >= 0) & (pixels < [model.width_px, model.height_px])):
            hidden.append(facing.id)
    return hidden
