"""What the world shows at one instant: the world writes scenes, renderer and edge cameras read them.

Positions are store metres (x to the right, y to the back, z up); heading 0 looks along +x, counter-clockwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Point = tuple[float, float, float]
"""A point in store metres."""
Place = tuple[float, float]
"""A point on the floor in store metres."""
BASKETS = ("basket", "arm_basket")
"""Gear that hangs on the left arm and leaves only the right hand free."""


@dataclass(frozen=True, slots=True)
class Gear:
    """What somebody shops with: carried, pulled, pushed or stood on the floor."""

    kind: str
    """``basket`` (in the left hand), ``arm_basket`` (on the left forearm), ``roller`` (pulled), ``trolley`` (pushed)
    or ``tote`` (a bag on the left shoulder)."""
    goods: tuple[str, ...] = ()
    """SKUs that lie in it."""
    place: Point | None = None
    """Where it stands by itself (x m, y m, heading rad); None: it hangs on the body or goes along with it."""
    gripped: bool = True
    """Whether a hand is on the handle of what rolls."""


@dataclass(frozen=True, slots=True)
class BodyState:
    """Where a person stands, how they move and what their hands do."""

    person: str
    """Shopper id; truth only, never on the wire."""
    body: int
    """Which baked body."""
    outfit: int
    """Seed of clothes, skin and hair."""
    x_m: float
    y_m: float
    heading_rad: float
    speed_m_s: float
    gait_phase: float
    """Phase of the walk in cycles of two steps, [0, 1)."""
    left_hand_m: Point | None = None
    """Where the left palm should be; None lets the arm swing by the side."""
    right_hand_m: Point | None = None
    """Where the right palm should be; None lets the arm swing by the side."""
    held: tuple[str, ...] = ()
    """SKUs in the hands, the first one in the active hand."""
    gear: Gear | None = None
    left_active: bool = False
    """The left hand is the active one."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """An item that lies on the floor."""

    sku: str
    x_m: float
    y_m: float
    heading_rad: float


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that can be seen at one time."""

    t_ns: int
    people: tuple[BodyState, ...]
    stock: Mapping[str, tuple[tuple[str, ...], ...]]
    """Facing id to its columns, each the SKUs from back to front; the last one stands at the front edge."""
    dropped: tuple[Dropped, ...] = ()
