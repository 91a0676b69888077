"""Scripts: shoppers whose every action is written down, as keys of a scenario document.

In: parts of a scenario. Out: frozen actions, each told by the key that it must have. Seconds of event time.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from sims.building import Building
from sims.documents import Part

Name = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(ge=0.0, le=86_400.0)]
Mention = tuple[str, str, Any]
"""Key in the document, the name that stands there, and the names that may stand there."""


class Take(Part):
    """Take ``count`` items from a facing, or of a SKU from the first facing that has it."""

    take: Name
    count: Annotated[int, Field(ge=1, le=20)] = 1
    double_grab: bool = False
    lift_s: Annotated[float, Field(gt=0.0, le=30.0)] | None = None
    """How long the lift takes; without it as it comes, 0.07 to 0.3 s."""
    hold_s: Annotated[float, Field(ge=0.0, le=120.0)] = 0.0
    """The hand is around the item for so long before it lifts."""
    of: Name | None = None
    """Not the goods of the facing but what somebody left there out of this one; waited for if it is still to come."""


class BothHands(Part):
    """Take one item from each of two facings of a shelf, one with each hand, within 0.3 s."""

    both_hands: tuple[str, str]


class PutBack(Part):
    """Put one held item of a SKU back: into ``to``, or into the facing it was taken from."""

    put_back: Name
    to: str | None = None


class HandOver(Part):
    """Walk to another shopper, who waits, and hand over one held item of a SKU."""

    hand_over: Name
    to: Name


class Drop(Part):
    """Leave one held item of a SKU on the floor where one stands."""

    drop: Name


class Leave(Part):
    """Put a thing of one's own, which weighs so many grams, down on a shelf: no product, nobody's sale."""

    leave: Annotated[float, Field(ge=5.0, le=10_000.0)]
    at: Name


class PickUp(Part):
    """Take away a thing that is no product from the front of a facing."""

    pick_up: Name


class Restock(Part):
    """Fill up a facing with so many items from the back room; for staff."""

    restock: Name
    count: Annotated[int, Field(ge=1, le=50)] = 1


class Touch(Part):
    """Reach to a facing, press, and leave everything where it is."""

    touch: Name


class Lean(Part):
    """Rest the arms on the shelf before a facing: 0.5 to 3 kg on several plates, and then no more."""

    lean: Name
    pause_s: Annotated[float, Field(gt=0.0, le=120.0)] = 3.0


class PauseUntil(Part):
    """Stand still until so many seconds after the start; before the facing of the next action, ready for it."""

    pause_until_s: Seconds


class Pause(Part):
    """Stand still."""

    pause_s: Seconds


KINDS: dict[str, type[Part]] = {
    "take": Take,
    "both_hands": BothHands,
    "put_back": PutBack,
    "hand_over": HandOver,
    "drop": Drop,
    "leave": Leave,
    "pick_up": PickUp,
    "restock": Restock,
    "touch": Touch,
    "lean": Lean,
    "pause_until_s": PauseUntil,
    "pause_s": Pause,
}
"""Actions by the key that tells them from the others; the first that is there counts."""
ACTIONS = tuple(kind.__name__ for kind in KINDS.values())


def _kind(action: object) -> str | None:
    """Which action a mapping of keys is."""
    if isinstance(action, Part):
        return type(action).__name__
    keys = action if isinstance(action, dict) else {}
    return next((kind.__name__ for key, kind in KINDS.items() if key in keys), None)


Action = Annotated[
    Annotated[Take, Tag("Take")]
    | Annotated[PutBack, Tag("PutBack")]
    | Annotated[Touch, Tag("Touch")]
    | Annotated[BothHands, Tag("BothHands")]
    | Annotated[HandOver, Tag("HandOver")]
    | Annotated[Drop, Tag("Drop")]
    | Annotated[Leave, Tag("Leave")]
    | Annotated[PickUp, Tag("PickUp")]
    | Annotated[Restock, Tag("Restock")]
    | Annotated[Lean, Tag("Lean")]
    | Annotated[PauseUntil, Tag("PauseUntil")]
    | Annotated[Pause, Tag("Pause")],
    Discriminator(
        _kind,
        custom_error_type="no_action",
        custom_error_message=f"not an action; it needs one of the keys {', '.join(KINDS)}",
    ),
]


class ScriptedShopper(Part):
    """One shopper whose every action is written down; leaves after the last one."""

    arrive_s: Seconds | None = None
    """When they stand at the gate; of those who walk in behind somebody: when they do."""
    name: str | None = None
    party_of: str | None = None
    """Enters right behind this shopper and on their palm: one receipt for both."""
    tailgates: bool = False
    """Walks in right behind whoever is written before, without a scan, and pays nothing."""
    staff: bool = False
    """Enters with a staff pass and pays nothing."""
    body: Annotated[int, Field(ge=0)] | None = None
    speed_m_s: Annotated[float, Field(gt=0.1, le=2.0)] = 0.9
    actions: tuple[Action, ...] = ()

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        ways = [key for key in ("party_of", "tailgates", "staff") if getattr(self, key)]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} exclude each other; keep one")
        if self.arrive_s is None and not self.behind_somebody:
            raise ValueError("arrive_s is missing; add it")
        if self.arrive_s is not None and self.behind_somebody:
            raise ValueError(f"who has {ways[0]} comes when the one ahead does; remove arrive_s")
        if not self.staff and any(isinstance(action, Restock) for action in self.actions):
            raise ValueError("restock is for staff; add staff: true or remove it")
        return self

    @property
    def behind_somebody(self) -> bool:
        """Whether they walk in behind somebody else."""
        return self.tailgates or self.party_of is not None


def mentions(script: tuple[ScriptedShopper, ...], building: Building) -> Iterator[Mention]:
    """Everything of the building that a script names."""
    facings, items = building.facings, building.items
    places = {*facings, *(facing.sku for facing in facings.values())}
    known: dict[str, Any] = dict.fromkeys(("take", "touch", "lean"), places)
    known |= dict.fromkeys(("put_back", "hand_over", "drop"), items)
    known |= dict.fromkeys(("at", "pick_up", "restock"), facings)
    for i, shopper in enumerate(script):
        for j, action in enumerate(shopper.actions):
            key = f"script[{i}].actions[{j}]"
            for field, value in action:
                if field in known:
                    yield f"{key}.{field}", value, known[field]
            if isinstance(action, Take) and action.of is not None:
                yield f"{key}.of", action.of, facings
            if isinstance(action, PutBack) and action.to is not None:
                yield f"{key}.to", action.to, facings
            if isinstance(action, BothHands):
                yield from ((f"{key}.both_hands[{k}]", name, facings) for k, name in enumerate(action.both_hands))
