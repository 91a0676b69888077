"""What a step of the world brings about: what gates notice, what load cells feel, what is true from then on.

Frozen nouns that world and handling write, and simulation and devices read. Nanoseconds UTC.
"""

from dataclasses import dataclass, field
from typing import Literal

from sims.deeds import Contact
from sims.truth import Record


@dataclass(frozen=True, slots=True)
class GateNotice:
    """What a gate notices."""

    t_ns: int
    gate: str
    kind: Literal["entry", "door", "exit_beam"]
    visit: str | None = None
    token: str | None = None
    party_size: int | None = None
    staff: bool = False


@dataclass(slots=True)
class Happened:
    """All of one step; ``records`` is truth and goes nowhere but into its file."""

    t_ns: int
    notices: list[GateNotice] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
