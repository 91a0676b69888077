"""What shoppers come for: errands, and the plan of a whole visit.

Frozen nouns that casting and demand write and shoppers carry out; nothing is computed here. Seconds of event time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TakeItems:
    """Take ``count`` items from a facing; with ``double_grab`` as many as go in one grip."""

    facing: str
    count: int = 1
    double_grab: bool = False
    touch_first: bool = False
    put_back_at_once: str | None = None
    """Facing into which the last one goes back before the shopper walks on."""


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
class StandStill:
    """Wait for some seconds."""

    pause_s: float


Errand = TakeItems | PutItemBack | TouchGoods | StandStill


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
