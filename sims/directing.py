"""From script to stage: written actions become the errands of shoppers.

In: the script of a scenario and the building. Out: per shopper their errands, and what others will hand over to them.
Who has what by when is followed through all shoppers, so that an item can be put back by whoever was given it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sims.arrangement import thing
from sims.building import Building
from sims.errands import (
    DropItem,
    Errand,
    FillUp,
    Gift,
    GiveTo,
    LeanOn,
    PickThingUp,
    PutItemBack,
    Replenish,
    ShelfErrand,
    StandStill,
    StandUntil,
    TakeItems,
    TakeWithBothHands,
    TouchGoods,
)
from sims.scenario import Scenario, ScenarioError
from sims.script import (
    Action,
    BothHands,
    Drop,
    HandOver,
    Lean,
    Leave,
    Pause,
    PauseUntil,
    PickUp,
    PutBack,
    Restock,
    ScriptedShopper,
    Take,
    Touch,
)

ShelfAction = Take | BothHands | PutBack | PickUp | Touch | Lean
ARMS_M = 0.95
"""How far apart two facings may be that are reached at once."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one shopper does, and what they wait for."""

    errands: tuple[Errand, ...]
    awaits: tuple[Gift, ...]
    brings: tuple[tuple[str, str], ...]
    """SKU and home of every item that they come with."""


def directed(scenario: Scenario, building: Building, names: Sequence[str]) -> list[Part]:
    """The parts of all scripted shoppers, in the order of the script; raises :class:`ScenarioError`."""
    gifts: dict[str, list[Gift]] = {name: [] for name in names}
    readings: list[_Reading] = []
    for _ in range(len(names) + 1):
        readings = [
            _Reading(building, i, f"{scenario.path}: script[{i}]", names, name, [source for _, source in gifts[name]])
            for i, name in enumerate(names)
        ]
        for reading, shopper in zip(readings, scenario.script or (), strict=True):
            reading.read(shopper)
        before, gifts = gifts, {name: [] for name in names}
        for reading in readings:
            for to, source in reading.gives:
                gifts[to].append((reading.name, source))
        if gifts == before:
            break
    problem = next((reading.problem for reading in readings if reading.problem), None)
    if problem is not None:
        raise ScenarioError(problem)
    return [Part(tuple(reading.errands), tuple(gifts[reading.name]), tuple(reading.brings)) for reading in readings]


@dataclass(slots=True)
class _Reading:
    """One shopper's actions, read with what others are known to hand over to them."""

    building: Building
    number: int
    where: str
    names: Sequence[str]
    name: str
    received: list[str]
    """Facings from which others have given them an item that they have not parted with."""
    taken: list[str] = field(default_factory=list)
    """Facings from which they have an item by now."""
    gives: list[tuple[str, str]] = field(default_factory=list)
    """To whom, and the facing from which the item comes."""
    brings: list[tuple[str, str]] = field(default_factory=list)
    errands: list[Errand] = field(default_factory=list)
    problem: str | None = None

    def read(self, shopper: ScriptedShopper) -> None:
        """All actions; whoever waits for a time knows for what."""
        self.errands = [self._errand(action, j, f"actions[{j}]") for j, action in enumerate(shopper.actions)]
        for j, (errand, then) in enumerate(zip(self.errands, self.errands[1:], strict=False)):
            if isinstance(errand, StandUntil) and not isinstance(
                then, StandStill | StandUntil | GiveTo | DropItem | Replenish
            ):
                self.errands[j] = replace(errand, then=then)

    def _errand(self, action: Action, number: int, key: str) -> Errand:
        match action:
            case Leave(at=facing):
                own = thing(self.number, number)
                self.brings.append((own, own))
                return PutItemBack(facing, own)
            case Restock(restock=facing, count=count):
                self.brings += [(self.building.facings[facing].sku, facing)] * count
                return FillUp(facing, count)
            case HandOver(hand_over=sku, to=to):
                source = self._source(sku, f"{key}.hand_over")
                if to not in self.names or to == self.name:
                    self._complain(f"{key}.to", f"{to!r} is no other shopper of the script; name one")
                else:
                    self.gives.append((to, source))
                return GiveTo(to, source)
            case Drop(drop=sku):
                return DropItem(self._source(sku, f"{key}.drop"))
            case PauseUntil(pause_until_s=until_s):
                return StandUntil(until_s, None)
            case Pause(pause_s=pause_s):
                return StandStill(pause_s)
            case _:
                return self._at_shelf(action, key)

    def _at_shelf(self, action: ShelfAction, key: str) -> ShelfErrand:
        match action:
            case Take(take=name, count=count):
                facing = self._place(name)
                self.taken += [action.of or facing] * count
                return TakeItems(
                    facing, count, action.double_grab, lift_s=action.lift_s, hold_s=action.hold_s, left_from=action.of
                )
            case BothHands(both_hands=names):
                left, right = self._side_by_side(names, f"{key}.both_hands")
                self.taken += [left, right]
                return TakeWithBothHands(left, right)
            case PutBack(put_back=sku):
                source = self._source(sku, f"{key}.put_back")
                return PutItemBack(action.to or source, source)
            case Touch(touch=name):
                return TouchGoods(self._place(name))
            case PickUp(pick_up=name):
                return PickThingUp(name)
            case Lean(lean=name):
                return LeanOn(self._place(name), action.pause_s)

    def _source(self, sku: str, key: str) -> str:
        """The facing of the held item of a SKU that came last, or else of one that is handed over."""
        for held in (self.taken, self.received):
            source = next((facing for facing in reversed(held) if self.building.facings[facing].sku == sku), None)
            if source is not None:
                held.remove(source)
                return source
        self._complain(key, f"{sku!r} is not held by then; take it first")
        return next(iter(self.building.facings))

    def _complain(self, key: str, problem: str) -> None:
        self.problem = self.problem or f"{self.where}.{key}: {problem}"

    def _place(self, name: str) -> str:
        facings = self.building.facings
        return name if name in facings else next(f.id for f in facings.values() if f.sku == name)

    def _side_by_side(self, names: tuple[str, str], key: str) -> tuple[str, str]:
        """Two facings of a shelf that somebody can reach at once, the left one first."""
        one, two = sorted((self.building.facings[name] for name in names), key=lambda facing: facing.offset_m)
        apart_m = two.offset_m + two.width_m / 2 - one.offset_m - one.width_m / 2
        if one.shelf != two.shelf or one is two:
            self._complain(key, f"{one.id} and {two.id} are not two facings of one shelf; name two that are")
        elif apart_m > ARMS_M:
            self._complain(key, f"{one.id} and {two.id} are {apart_m:.2f} m apart; name two within {ARMS_M:g} m")
        return one.id, two.id
