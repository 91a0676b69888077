"""A planner's eye on a sound store: what will make its receipts wrong, its shoppers stuck or its owner liable.

In: a :class:`Site`. Out: findings, errors first. What makes a document unusable is found by ``site check`` instead.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from smartstore.domain.items import Item
from smartstore.site.aisles import aisle_findings
from smartstore.site.document import ItemNode
from smartstore.site.findings import Finding
from smartstore.site.floor import ARM_REACH_M, BODY_RADIUS_M, Array, inside
from smartstore.site.gates import inward
from smartstore.site.parts import Facing, Fixture, Gate, Point2, Site
from smartstore.site.sight import ROW_GAP_M, Solids, face_density, seen
from smartstore.site.targets import BODY_M, face_points

__all__ = ["Finding", "lint"]

HIGH_GRASP_M, LOW_GRASP_M = 1.8, 0.15
"""Higher, shorter shoppers do not get there; lower, many do not bend."""
ROW_REACH_M = ARM_REACH_M - BODY_RADIUS_M
"""How far behind the face a hand gets."""
CELL_GRAMS = 1.8
"""Noise of a load cell, one standard deviation: the median of the noisiest gondola of the NanoStore recording."""
APART_SIGMAS = 2.0
SEEN = 0.5
"""A face counts as seen where so much of its front is."""
TWO_EYES = 2
NEAR_ENTRY_M = 2.5
EXIT_DEPTH_M, EXIT_STEP_M, EXIT_SHARE = 1.2, 0.2, 0.9
"""Before an exit line people have to be seen over so much of this depth."""


def lint(site: Site) -> list[Finding]:
    """Everything that a planner would object to, errors first, then by rule and place."""
    solids = Solids(site)
    found = [
        *aisle_findings(site), *_reach(site), *_weights(site), *_faces(site, solids), *_signs(site),
        *_exits(site, solids),
    ]  # fmt: skip
    return sorted(found, key=lambda finding: (finding.level, finding.rule, finding.where))


def _reach(site: Site) -> Iterator[Finding]:
    for facing in site.facings.values():
        shelf, fixture = site.shelves[facing.shelf], site.fixtures[facing.fixture]
        _, deep, high = site.items[facing.sku].size_m
        grasp = shelf.height_m + high / 2
        pitch = min(deep + ROW_GAP_M, (fixture.depth_m - 0.03) / facing.rows)
        last = (facing.rows - 1) * pitch
        if grasp > HIGH_GRASP_M:
            what = f"its items are gripped at {grasp:.2f} m, above {HIGH_GRASP_M:g} m"
            yield _of_facing(site, facing, "out-of-reach", what, f"lower shelf {shelf.id}")
        elif grasp < LOW_GRASP_M:
            what = f"its items are gripped at {grasp:.2f} m, below {LOW_GRASP_M:g} m"
            yield _of_facing(site, facing, "out-of-reach", what, f"raise shelf {shelf.id}")
        if last > ROW_REACH_M:
            what = f"the last row stands {last:.2f} m behind the face, hands get {ROW_REACH_M:.2f} m deep"
            yield _of_facing(site, facing, "out-of-reach", what, "take fewer rows")


def _weights(site: Site) -> Iterator[Finding]:
    """Neighbours on load cells whose weights are within the noise."""
    for shelf in site.shelves.values():
        for one, other in pairwise(shelf.facings):
            a, b = site.items[one.sku], site.items[other.sku]
            if not (one.plates and other.plates) or weighed_apart(a, b):
                continue
            what = (
                f"'{a.name}' ({a.grams:g} g) beside '{b.name}' ({b.grams:g} g): scales cannot tell them apart, the "
                f"noise of the difference is {_sigma(a, b):.1f} g"
            )
            swap = next(
                (f"swap {mine.id} {better.id}" for mine in (other, one) for better in _better(site, mine)), None
            )
            remedy = f'site edit STORE "{swap}"' if swap else "put something of another weight between them"
            yield Finding("warning", "equal-weights", f"{one.id} and {other.id}", _front(site, other), what, remedy)


def _better(site: Site, mine: Facing) -> Iterator[Facing]:
    """Facings of the same fixture with which ``mine`` could be swapped so that both have only neighbours apart."""
    near = _beside(site, mine)
    for shelf in site.fixtures[mine.fixture].shelves:
        for place in shelf.facings:
            if place.sku == mine.sku or place in near or not (_fits(site, mine, place) and _fits(site, place, mine)):
                continue
            items, there = site.items, _beside(site, place)
            here = all(weighed_apart(items[place.sku], items[beside.sku]) for beside in near)
            if here and all(weighed_apart(items[mine.sku], items[beside.sku]) for beside in there):
                yield place


def _beside(site: Site, facing: Facing) -> list[Facing]:
    row = site.shelves[facing.shelf].facings
    at = row.index(facing)
    return [*row[max(at - 1, 0) : at], *row[at + 1 : at + 2]]


def _fits(site: Site, facing: Facing, place: Facing) -> bool:
    """Whether what lies at one facing, in its columns, has room at another."""
    wide, _, high = site.items[facing.sku].size_m
    return facing.columns * wide <= place.width_m and high <= site.shelves[place.shelf].clear_m


def weighed_apart(one: Item | ItemNode, other: Item | ItemNode) -> bool:
    """Whether scales can tell two SKUs apart, or need not."""
    return one.sku == other.sku or abs(one.grams - other.grams) >= APART_SIGMAS * _sigma(one, other)


def _sigma(one: Item | ItemNode, other: Item | ItemNode) -> float:
    """The noise of the difference of two weights on two plates, one standard deviation, grams."""
    return math.sqrt(one.grams_sigma**2 + other.grams_sigma**2 + 2 * CELL_GRAMS**2)


def _faces(site: Site, solids: Solids) -> Iterator[Finding]:
    """Shelf faces that no camera sees, or only one: by fixture."""
    faces = face_points(site)
    views = (face_density(list(site.cameras.values()), site, solids, faces) > 0).sum(axis=0)
    poor: dict[tuple[str, int], list[str]] = defaultdict(list)
    for name, mine in faces.by_facing.items():
        for least in range(1, TWO_EYES + 1):
            if (views[mine] >= least).mean() < SEEN:
                poor[site.facings[name].fixture, least - 1].append(name)
                break
    for (name, cameras), facings in poor.items():
        fixture = site.fixtures[name]
        total = sum(len(shelf.facings) for shelf in fixture.shelves)
        what = f"{_some(facings)} of {total} facings are seen by {'no camera' if cameras == 0 else 'one camera only'}"
        remedy = "add a camera before its face, or let sim place-cameras propose places"
        rule = "unseen-face" if cameras == 0 else "one-camera"
        if cameras == 0 and fixture.scale is None:
            what = f"{what}, and it has no scale: nothing tells what is taken there"
            yield Finding("error", rule, name, _middle(fixture), what, remedy)
        else:
            yield Finding("warning", rule, name, _middle(fixture), what, remedy)


def _signs(site: Site) -> Iterator[Finding]:
    """People must be told of biometrics before they come in (GDPR, article 13; NYC Administrative Code, 22-1202)."""
    for gate in (gate for gate in site.gates if gate.kind == "entry"):
        middle, _ = inward(site, gate)
        near = [
            sign for sign in site.signs
            if sign.kind == "biometrics" and math.dist(sign.position_m, middle) <= NEAR_ENTRY_M
            and not inside([sign.position_m], site.walls_m)[0]
        ]  # fmt: skip
        if not near:
            what = f"no sign for biometrics within {NEAR_ENTRY_M:g} m before the entry, where palms are scanned"
            x, y = middle
            remedy = f"add to the document: signs: [{{id: sign-{gate.id}, kind: biometrics, position_m: [x, y]}}]"
            yield Finding("error", "no-sign", gate.id, (x, y), what, remedy)


def _exits(site: Site, solids: Solids) -> Iterator[Finding]:
    """Exits before which ceiling cameras do not see who leaves."""
    cameras = [camera.model for camera in site.cameras.values() if camera.kind == "ceiling"]
    for gate in (gate for gate in site.gates if gate.kind == "exit"):
        middle, _ = inward(site, gate)
        views = seen(cameras, solids, _before(site, gate)).sum(axis=0) if cameras else np.zeros(1)
        one, two = (float((views >= least).mean()) for least in (1, TWO_EYES))
        last, remedy = f"of the last {EXIT_DEPTH_M:g} m before it", "turn a ceiling camera to it, or add one"
        if one < EXIT_SHARE:
            what = f"tracks do not cover it: no ceiling camera sees {1 - one:.0%} {last}"
            yield Finding("error", "uncovered-exit", gate.id, middle, what, remedy)
        elif two < EXIT_SHARE:
            what = f"tracks barely cover it: only one ceiling camera sees {1 - two:.0%} {last}"
            yield Finding("warning", "uncovered-exit", gate.id, middle, what, remedy)


def _before(site: Site, gate: Gate) -> Array:
    """Points (n, 3) over the floor before a gate, at the height of bodies."""
    _, into = inward(site, gate)
    a, b = np.asarray(gate.line_m, float)
    along = np.linspace(0.1, 0.9, max(2, round(float(np.linalg.norm(b - a)) / EXIT_STEP_M)))
    deep = np.arange(EXIT_STEP_M / 2, EXIT_DEPTH_M, EXIT_STEP_M)
    floor = a + along[:, None, None] * (b - a) + deep[None, :, None] * np.asarray(into)
    points = floor.reshape(-1, 2)
    return np.column_stack([points, np.full(len(points), BODY_M)])


def _of_facing(site: Site, facing: Facing, rule: str, what: str, remedy: str) -> Finding:
    return Finding("warning", rule, facing.id, _front(site, facing), what, remedy)


def _front(site: Site, facing: Facing) -> Point2:
    x, y, _ = site.fixtures[facing.fixture].point(facing.offset_m + facing.width_m / 2, 0.0, 0.0)
    return x, y


def _middle(fixture: Fixture) -> Point2:
    x, y, _ = fixture.point(fixture.width_m / 2, 0.0, 0.0)
    return x, y


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{len(names)} ({shown}{', …' if len(names) > 3 else ''})"
