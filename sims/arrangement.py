"""How a store really is when a scenario begins: goods that stand where its document has others, and things of people
that are no goods.

In: the building of the document, a scenario. Out: the building as it is; whoever reads the document does not know.
"""

from dataclasses import replace

from sims.building import Building
from sims.fixtures import CatalogueItem, Facing
from sims.scenario import Scenario, ScenarioError
from sims.script import Leave

FOREIGN = "foreign-"
"""How the names of things begin that are no goods."""
Look = tuple[tuple[float, float, float], tuple[int, int, int]]
MOST_ROWS = 5
THINGS: tuple[tuple[float, Look], ...] = (
    (90.0, ((0.06, 0.08, 0.02), (150, 140, 110))),
    (400.0, ((0.076, 0.155, 0.012), (24, 25, 30))),
    (1200.0, ((0.19, 0.07, 0.11), (96, 52, 38))),
    (float("inf"), ((0.30, 0.13, 0.22), (46, 48, 60))),
)
"""Up to so many grams it is keys, a phone, a purse, a bag: size in metres (width, depth, height) and colour."""


def thing(shopper: int, action: int) -> str:
    """The name of what the script's shopper leaves with that action."""
    return f"{FOREIGN}{shopper}-{action}"


def foreign(sku: str) -> bool:
    """Whether this is no product but a thing of somebody's."""
    return sku.startswith(FOREIGN)


def arranged(building: Building, scenario: Scenario) -> Building:
    """The building with the swaps and the things of a scenario; raises :class:`ScenarioError` where they do not fit."""
    items = dict(building.items)
    for i, shopper in enumerate(scenario.script or ()):
        for j, action in enumerate(shopper.actions):
            if isinstance(action, Leave):
                items[thing(i, j)] = _thing(thing(i, j), action.leave, next(iter(building.items.values())))
    facings = dict(building.facings)
    for number, (one, other) in enumerate(scenario.planogram_swaps):
        key = f"{scenario.path}: planogram_swaps[{number}]"
        first, second = facings[one], facings[other]
        facings[one] = _filled(building, first, second.sku, key)
        facings[other] = _filled(building, second, first.sku, key)
    if items == building.items and facings == building.facings:
        return building
    fixtures = {
        fixture.id: replace(
            fixture,
            shelves=tuple(
                replace(shelf, facings=tuple(facings[facing.id] for facing in shelf.facings))
                for shelf in fixture.shelves
            ),
        )
        for fixture in building.fixtures.values()
    }
    return replace(building, items=items, fixtures=fixtures)


def _filled(building: Building, facing: Facing, sku: str, key: str) -> Facing:
    """A facing with as much of a product as has room there."""
    (width_m, depth_m, height_m), shelf = building.items[sku].size_m, building.shelves[facing.shelf]
    if width_m > facing.width_m or height_m > shelf.clear_m:
        raise ScenarioError(f"{key}: {sku} is too large for facing {facing.id}; swap facings of goods alike in size")
    room_m = building.fixtures[facing.fixture].depth_m - 0.03
    rows = min(MOST_ROWS, int(room_m / (depth_m + 0.008)))
    return replace(facing, sku=sku, columns=int(facing.width_m / width_m + 1e-9), rows=max(1, rows))


def _thing(name: str, grams: float, like: CatalogueItem) -> CatalogueItem:
    size_m, colour = next(look for most_grams, look in THINGS if grams <= most_grams)
    return replace(like, sku=name, name="", grams=grams, grams_sigma=0.0, size_m=size_m, shape="box", colour=colour)
