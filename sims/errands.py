"""What shoppers come for: errands, and the plan of a whole visit.

Frozen nouns that casting and demand write and shoppers carry out; nothing is computed here. Seconds of event time.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sims.stock import Unit


@dataclass(frozen=True, slots=True)
class TakeItems:
    """Take ``count`` items from a facing; with ``double_grab`` as many as go in one grip."""

    facing: str
    count: int = 1
    double_grab: bool = False
    touch_first: bool = False
    put_back_at_once: str | None = None
    """Facing into which the last one goes back before the shopper walks on."""
    lift_s: float | None = None
    """How long the lift takes; None: as it comes."""
    hold_s: float = 0.0
    """How long the hand is around the item before it lifts."""
    left_from: str | None = None
    """The facing where what is taken comes from, if somebody left it in this one."""


@dataclass(frozen=True, slots=True)
class TakeWithBothHands:
    """Take one item from each of two facings of a shelf at once, ``facing`` being the left one."""

    facing: str
    right: str


@dataclass(frozen=True, slots=True)
class PutItemBack:
    """Put one held item that was taken from ``source`` into ``facing``."""

    facing: str
    source: str


@dataclass(frozen=True, slots=True)
class TouchGoods:
    """Reach, press and leave."""

    facing: str


@dataclass(frozen=True, slots=True)
class LeanOn:
    """Rest the arms on the shelf board before a facing."""

    facing: str
    lean_s: float


@dataclass(frozen=True, slots=True)
class StandStill:
    """Wait for some seconds."""

    pause_s: float


@dataclass(frozen=True, slots=True)
class PickThingUp:
    """Take away a thing that is no product."""

    facing: str


@dataclass(frozen=True, slots=True)
class FillUp:
    """Put so many brought items of a facing into it."""

    facing: str
    count: int


@dataclass(frozen=True, slots=True)
class LookAt:
    """Stand before a facing and look, hands down."""

    facing: str
    look_s: float


@dataclass(frozen=True, slots=True)
class Replenish:
    """See what is missing, and fill up what holds less than ``below`` of its room with up to ``most`` items."""

    below: float
    most: int


@dataclass(frozen=True, slots=True)
class GiveTo:
    """Hand one item that was taken from ``source`` to somebody."""

    to: str
    source: str


@dataclass(frozen=True, slots=True)
class DropItem:
    """Leave one item that was taken from ``source`` on the floor."""

    source: str


ShelfErrand = TakeItems | TakeWithBothHands | PutItemBack | TouchGoods | LeanOn | PickThingUp | FillUp | LookAt
"""What is done at a facing."""


@dataclass(frozen=True, slots=True)
class StandUntil:
    """Wait for a time, before the facing of ``then`` with everything ready for it."""

    until_s: float
    then: ShelfErrand | None


Gift = tuple[str, str]
"""Who hands over, and the facing from which the item comes."""
Role = Literal["shopper", "party", "tailgater", "staff"]
Errand = ShelfErrand | GiveTo | DropItem | StandStill | StandUntil | Replenish


@dataclass(frozen=True, slots=True)
class Plan:
    """One shopper. ``palm`` is their unit vector; what a scanner reads of it is noisy."""

    name: str
    arrive_s: float
    body: int
    outfit: int
    speed_m_s: float
    palm: NDArray[np.float64]
    errands: tuple[Errand, ...]
    in_order: bool = False
    """Errands are done as written, also when somebody stands in the way."""
    gear: str = ""
    """What the shopper shops with: a kind of :class:`sims.scene.Gear`, or nothing."""
    left_handed: bool = False
    role: Role = "shopper"
    party: int = 1
    """How many come in on the palm."""
    host: str | None = None
    """On whose palm somebody of a party comes in."""
    behind: str | None = None
    """Right behind whom somebody walks in, without a word of the gate."""
    followed_by: str | None = None
    """Who walks in right behind."""
    brings: tuple[Unit, ...] = ()
    """What is in the bag from the beginning: goods from the back room, own things."""
    awaits: tuple[Gift, ...] = ()
    """What others will hand over: nobody leaves before they have it."""
