"""The failures of the field as families of scenarios: a family and a seed make a scenario, in memory.

In: a building and a seed. Out: a :class:`Scenario` in which facings, shoppers and times differ from seed to seed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sims.building import Building
from sims.lab.families import devices, people, shelves
from sims.lab.families.stage import Stage
from sims.scenario import Scenario

BOTH = ("corner", "kiosk")
ELSEWHERE = {"several-plates": ("kiosk", "stand")}
"""Families that need what not every store has: in the corner store each facing has a plate of its own."""


class FamilyError(Exception):
    """A family that does not exist; one line."""


@dataclass(frozen=True, slots=True)
class Family:
    """One way to fail. ``stores`` take turns from seed to seed."""

    name: str
    tell: Callable[[Stage], Scenario]
    stores: Sequence[str] = BOTH

    @property
    def what(self) -> str:
        """The failure in one line."""
        return (self.tell.__doc__ or "").partition("\n")[0]

    def store(self, seed: int) -> str:
        """The store of a seed."""
        return self.stores[(seed - 1) % len(self.stores)]

    def scenario(self, building: Building, seed: int) -> Scenario:
        """The story of a seed in a building."""
        return self.tell(Stage(self.name, building, seed))


def _families(*tellers: Callable[[Stage], Scenario]) -> dict[str, Family]:
    named = {tell.__name__.replace("_", "-"): tell for tell in tellers}
    return {name: Family(name, tell, ELSEWHERE.get(name, BOTH)) for name, tell in named.items()}


FAMILIES = _families(
    shelves.plain,
    shelves.twin_left_in_wrong_place,
    shelves.put_on_another_shelf,
    shelves.put_back_late,
    shelves.change_of_mind,
    shelves.quick_picks,
    shelves.double_grab,
    shelves.both_hands,
    shelves.several_plates,
    shelves.long_hold,
    shelves.slow_lift,
    shelves.leaning,
    shelves.foreign_object,
    shelves.wrong_planogram,
    shelves.left_on_the_floor,
    people.two_at_one_shelf,
    people.opposite_changes,
    people.swap,
    people.hand_over,
    people.crowded_fixture,
    people.crossing,
    people.group,
    people.tailgating,
    people.tailgating_thief,
    people.restocking,
    devices.dead_plates,
    devices.saturated_plates,
    devices.lost_cameras,
    devices.late_messages,
    devices.wrong_clocks,
)
PASSING = (
    *(FAMILIES[name] for name in ("hand-over", "left-on-the-floor", "swap", "leaning")),
    *_families(people.hand_over_at_once, shelves.left_at_once).values(),
)
"""Something may pass on that no sensor sees. The last two are for learning alone: the same as the first two, out of the
hand in place of the bag."""


def families_named(names: Sequence[str] | None) -> list[Family]:
    """These families, or all; raises :class:`FamilyError`."""
    unknown = [name for name in names or () if name not in FAMILIES]
    if unknown:
        raise FamilyError(f"there is no family {unknown[0]!r}; there are {', '.join(FAMILIES)}")
    return [FAMILIES[name] for name in names or FAMILIES]
