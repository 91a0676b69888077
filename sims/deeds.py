"""What shoppers see of the world and do to it: they decide on a snapshot, and the world carries their deeds out.

Frozen nouns that shoppers, world and scales exchange; nothing is computed here. Metres, seconds, grams.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sims.scene import Place, Point
from sims.stock import Stock


@dataclass(frozen=True, slots=True)
class Meeting:
    """Somebody wants to hand an item over; ``at`` is where they hold it out once the other one is ``ready``."""

    giver: str
    source: str = ""
    """The facing from which the item comes."""
    ready: bool = False
    at: Point | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What everybody decides on. ``where`` and ``going`` are people on the floor, ``owners`` who has claimed what."""

    t_s: float
    where: Mapping[str, Place]
    velocity: Mapping[str, Place]
    going: Mapping[str, Place]
    arrived: frozenset[str]
    gone: frozenset[str]
    """Who has come and left."""
    owners: Mapping[str, str]
    meetings: Mapping[str, Meeting]
    """By whom something is handed to."""
    stock: Stock


@dataclass(frozen=True, slots=True)
class Claim:
    """Ask for the right to be alone at a place (a fixture, the entry)."""

    place: str


@dataclass(frozen=True, slots=True)
class Release:
    """Give the right back."""

    place: str


@dataclass(frozen=True, slots=True)
class PassOn:
    """Leave the right to whoever comes right behind."""

    place: str
    to: str


@dataclass(frozen=True, slots=True)
class Appear:
    """Come into sight."""

    at: Place


@dataclass(frozen=True, slots=True)
class ScanPalm:
    """Hold the palm over the scanner of the entry."""


@dataclass(frozen=True, slots=True)
class ShowPass:
    """Open the entry with a staff pass."""


@dataclass(frozen=True, slots=True)
class FollowIn:
    """Walk in right behind somebody, while the door is still open."""


@dataclass(frozen=True, slots=True)
class Go:
    """Walk somewhere."""

    target: Place


@dataclass(frozen=True, slots=True)
class Grasp:
    """Take up to ``count`` items from the front of a column: the hand presses first, then lifts."""

    facing: str
    column: int
    count: int
    press_grams: float
    press_s: float
    lift_s: float


@dataclass(frozen=True, slots=True)
class PutDown:
    """Stand the held item of this home before a column."""

    facing: str
    column: int
    home: str
    press_grams: float
    settle_s: float


@dataclass(frozen=True, slots=True)
class Press:
    """Touch the goods without taking any; ``ease_s`` as in :class:`Contact`."""

    facing: str
    column: int
    grams: float
    press_s: float
    ease_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Lean:
    """Rest the arms on the shelf board before a facing, on ``width_m`` of it around ``middle_m`` along the fixture."""

    facing: str
    middle_m: float
    width_m: float
    grams: float
    lean_s: float
    ease_s: float


@dataclass(frozen=True, slots=True)
class Hail:
    """Ask somebody to wait for something."""

    to: str


@dataclass(frozen=True, slots=True)
class Await:
    """Stand and wait for whoever has hailed."""

    giver: str


@dataclass(frozen=True, slots=True)
class Offer:
    """Hold out the held item of this home to somebody who waits."""

    to: str
    home: str
    at: Point


@dataclass(frozen=True, slots=True)
class Accept:
    """Take what somebody holds out."""

    giver: str


@dataclass(frozen=True, slots=True)
class Forgo:
    """Hand nothing over after all."""

    to: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Leave the held item of this home on the floor."""

    home: str
    at: Point


@dataclass(frozen=True, slots=True)
class Vanish:
    """Be gone."""


Handled = Grasp | PutDown | Press | Lean | Drop | Hail | Await | Offer | Accept | Forgo
"""What is done to goods and with them."""
Deed = Claim | Release | PassOn | Appear | ScanPalm | ShowPass | FollowIn | Go | Handled | Vanish


@dataclass(frozen=True, slots=True)
class Contact:
    """What the load cells of a fixture feel of a hand or an item, from ``t_s`` on.

    ``grams`` is what a plate carries more (or less) when all is over; ``press_grams`` is there for ``press_s`` only. It
    comes and goes within ``ease_s`` and sways meanwhile, as bodies do; 0: at once and steady, as of quick fingers.
    """

    t_s: float
    fixture: str
    shelf: str
    plates: dict[str, float]
    """Share of the force by plate."""
    grams: float
    press_grams: float
    press_s: float
    move_s: float
    ease_s: float = 0.0
