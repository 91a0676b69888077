"""What happened, in the past tense: the facts that the pipeline states and the journal keeps.

Every event names the visit it belongs to, the event time it happened at (``t_ns``) and, in ``caused_by``,
the observation it follows from, so that the same observation can never be booked twice.
"""

from dataclasses import dataclass

from smartstore.domain.items import Candidate


@dataclass(frozen=True, slots=True)
class VisitOpened:
    """A palm was accepted at the entry gate. ``token`` is the signed visit token."""

    visit: str
    t_ns: int
    caused_by: str
    token: str
    party_size: int


@dataclass(frozen=True, slots=True)
class ItemTaken:
    """The visit now holds ``quantity`` more of ``sku``. ``place`` is the facing or shelf it came from."""

    visit: str
    t_ns: int
    caused_by: str
    sku: str
    quantity: int
    place: str
    probability: float


@dataclass(frozen=True, slots=True)
class ItemReturned:
    """The visit put ``quantity`` of ``sku`` back at ``place``."""

    visit: str
    t_ns: int
    caused_by: str
    sku: str
    quantity: int
    place: str
    probability: float


@dataclass(frozen=True, slots=True)
class CaseRaised:
    """A change that the evidence does not settle; a human has to look.

    ``visit`` is the most likely visit, or "" when nobody can be named; ``candidates`` best first.
    """

    visit: str
    t_ns: int
    caused_by: str
    case: str
    place: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class VisitLeft:
    """The visit crossed the exit at ``t_ns`` (event time).

    ``decided_ns`` is the event time at which nothing more could concern it, 0 where nobody says.
    """

    visit: str
    t_ns: int
    caused_by: str
    decided_ns: int = 0


@dataclass(frozen=True, slots=True)
class VisitSettled:
    """The visit was priced; ``total_minor`` was captured under ``payment`` at event time ``t_ns``."""

    visit: str
    t_ns: int
    caused_by: str
    receipt: str
    total_minor: int
    currency: str
    payment: str
    status: str


StoreEvent = VisitOpened | ItemTaken | ItemReturned | CaseRaised | VisitLeft | VisitSettled
