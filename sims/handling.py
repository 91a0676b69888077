"""What hands do to goods: deeds at shelves become contacts for load cells, changes of the stock, and truth.

In: a deed and who does it. Out: an amended :class:`~sims.happened.Happened`; the stock and the shopper's hands know.
Seconds since the start, grams.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from sims import deeds
from sims.arrangement import foreign
from sims.building import Building
from sims.deeds import Contact, Meeting
from sims.happened import Happened
from sims.scene import Dropped, Point
from sims.shopper import Shopper
from sims.stock import Stock, Unit, shares_below
from sims.truth import TrueChange, TrueDrop, TrueForeign, TrueHandOver


class Handling:
    """The goods of a building under people's hands."""

    def __init__(self, building: Building, stock: Stock, people: Mapping[str, Shopper]) -> None:
        self._building, self._stock, self._people = building, stock, people
        self.meetings: dict[str, Meeting] = {}
        """By whom something is handed to."""
        self.dropped: list[Dropped] = []
        """What lies on the floor."""

    def carry_out(self, shopper: Shopper, deed: deeds.Handled, t_s: float, happened: Happened) -> None:
        """Do what ``shopper`` wants done at ``t_s``."""
        match deed:
            case deeds.Grasp():
                self._grasp(shopper, deed, t_s, happened)
            case deeds.PutDown():
                self._put_down(shopper, deed, t_s, happened)
            case deeds.Press(facing, column, grams, press_s, ease_s):
                contact = self._contact(facing, column, t_s, 0.0, grams, press_s, 0.0, ease_s)
                happened.contacts.append(contact)
            case deeds.Lean():
                happened.contacts.append(self._lean(deed, t_s))
            case deeds.Drop(home, at):
                self._drop(shopper, _part_with(shopper, home), at, happened)
            case _:
                self._meet(shopper, deed, happened)

    def _grasp(self, shopper: Shopper, deed: deeds.Grasp, t_s: float, happened: Happened) -> None:
        units = self._stock.take(deed.facing, deed.column, deed.count)
        if not units:
            return
        shopper.receive(units)
        grams = sum(unit.grams for unit in units)
        press = (t_s, -grams, deed.press_grams, deed.press_s, deed.lift_s)
        happened.contacts.append(self._contact(deed.facing, deed.column, *press))
        lifted_ns = happened.t_ns + round(deed.press_s * 1e9)
        happened.records += [self._moved("take", lifted_ns, shopper, unit, deed.facing) for unit in units]

    def _put_down(self, shopper: Shopper, deed: deeds.PutDown, t_s: float, happened: Happened) -> None:
        unit = next(unit for unit in shopper.hands.holds if unit.home == deed.home)
        contact = self._contact(deed.facing, deed.column, t_s, unit.grams, deed.press_grams, 0.12, deed.settle_s)
        at_home = self._building.facings[deed.facing].sku == unit.sku
        self._stock.put(deed.facing, deed.column, replace(unit, home=deed.facing) if at_home else unit)
        happened.contacts.append(contact)
        happened.records.append(self._moved("put_back", happened.t_ns, shopper, unit, deed.facing))

    def _drop(self, shopper: Shopper, unit: Unit, at: Point, happened: Happened) -> None:
        self.dropped.append(Dropped(unit.sku, at[0], at[1], shopper.hands.heading_rad))
        happened.records.append(
            TrueDrop(
                t_ns=happened.t_ns, person=shopper.name, visit=shopper.visit, sku=unit.sku, grams=round(unit.grams, 3),
                home=unit.home, x_m=round(at[0], 3), y_m=round(at[1], 3),
            )
        )  # fmt: skip

    def _meet(
        self, shopper: Shopper, deed: deeds.Hail | deeds.Await | deeds.Offer | deeds.Accept | deeds.Forgo,
        happened: Happened,
    ) -> None:  # fmt: skip
        """How a meeting begins, goes on and ends; deeds of those who are not part of one change nothing."""
        name, meetings = shopper.name, self.meetings
        match deed:
            case deeds.Hail(to):
                meetings.setdefault(to, Meeting(name))
            case deeds.Await(giver) if name in meetings and meetings[name].giver == giver:
                meetings[name] = replace(meetings[name], ready=True)
            case deeds.Offer(to, home, at) if to in meetings and meetings[to].giver == name:
                meetings[to] = replace(meetings[to], source=home, at=at)
            case deeds.Forgo(to) if to in meetings and meetings[to].giver == name:
                del meetings[to]
            case deeds.Accept(giver) if name in meetings and meetings[name].giver == giver:
                self._hand_over(self._people[giver], shopper, meetings.pop(name).source, happened)

    def _hand_over(self, giver: Shopper, taker: Shopper, home: str, happened: Happened) -> None:
        unit = _part_with(giver, home)
        taker.receive([unit])
        happened.records.append(
            TrueHandOver(
                t_ns=happened.t_ns, person=giver.name, to=taker.name, visit=giver.visit, to_visit=taker.visit,
                sku=unit.sku, grams=round(unit.grams, 3), home=unit.home,
            )
        )  # fmt: skip

    def _lean(self, deed: deeds.Lean, t_s: float) -> Contact:
        facing = self._building.facings[deed.facing]
        shares = shares_below(self._building.shelves[facing.shelf], deed.middle_m, deed.width_m / 2)
        return Contact(t_s, facing.fixture, facing.shelf, shares, 0.0, deed.grams, deed.lean_s, 0.0, deed.ease_s)

    def _contact(
        self, facing: str, column: int, t_s: float, grams: float, press_grams: float, press_s: float, move_s: float,
        ease_s: float = 0.0,
    ) -> Contact:  # fmt: skip
        place = self._building.facings[facing]
        shares = self._stock.plate_shares(facing, column, max(0, self._stock.count(facing, column) - 1), place.sku)
        return Contact(t_s, place.fixture, place.shelf, shares, grams, press_grams, press_s, move_s, ease_s)

    def _moved(
        self, kind: Literal["take", "put_back"], t_ns: int, shopper: Shopper, unit: Unit, facing: str
    ) -> TrueChange | TrueForeign:
        if foreign(unit.sku):
            return TrueForeign(
                t_ns=t_ns, kind="picked_up" if kind == "take" else "left", person=shopper.name, visit=shopper.visit,
                facing=facing, shelf=self._building.facings[facing].shelf, grams=round(unit.grams, 3),
            )  # fmt: skip
        return TrueChange(
            t_ns=t_ns, kind=kind, person=shopper.name, visit=shopper.visit or "", sku=unit.sku, facing=facing,
            shelf=self._building.facings[facing].shelf, quantity=1, grams=round(unit.grams, 3), home=unit.home,
            role="" if shopper.plan.role == "shopper" else shopper.plan.role,
        )  # fmt: skip


def _part_with(shopper: Shopper, home: str) -> Unit:
    """Take the item of this home out of somebody's hand."""
    unit = next(unit for unit in shopper.hands.holds if unit.home == home)
    shopper.hands.holds.remove(unit)
    return unit
