"""What happened, in the past tense: the facts that the pipeline states and the journal keeps.

Every event names the visit it belongs to, the event time it happened at (``t_ns``) and, in ``caused_by``,
the observation it follows from, so that the same observation can never be booked twice.
"""

from dataclasses import dataclass, field

from smartstore.domain.items import Candidate


@dataclass(frozen=True, slots=True)
class VisitOpened:
    """A palm was accepted at the entry gate. ``token`` is the signed visit token."""

    visit: str
    t_ns: int
    caused_by: str
    token: str = field(repr=False)
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
    """The visit put ``quantity`` of ``sku`` back at ``place``.

    ``doubtful`` more were put back of what it may have taken in open cases: they count only against verdicts.
    """

    visit: str
    t_ns: int
    caused_by: str
    sku: str
    quantity: int
    place: str
    probability: float
    doubtful: int = 0


@dataclass(frozen=True, slots=True)
class CasePicture:
    """What a camera saw around a case; ``file`` is relative to the folder of pictures beside the journal."""

    camera: str
    t_ns: int
    file: str


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
    pictures: tuple[CasePicture, ...] = ()
    again: bool = False
    """The same case once more, for another visit that it concerns."""
    withheld: tuple[tuple[str, int], ...] = ()
    """SKU and quantity of what ``visit`` holds by what was booked, and perhaps no more: not billed until a person has
    decided.
    """


@dataclass(frozen=True, slots=True)
class CaseDecided:
    """A person said what a case was: ``mover`` took ``quantity`` of ``sku`` (negative: put it back).

    Without a mover it was nobody's sale. A decision is one event for each ``visit`` that it concerns, the one of the
    case among them. ``decision`` counts the decisions of a case: a later one overrules the former, and both stand.
    ``t_ns`` is when the person said so. With a ``giver`` it came out of that visit's hands, not from a shelf.
    """

    visit: str
    t_ns: int
    caused_by: str
    case: str
    decision: int
    mover: str | None
    sku: str
    quantity: int
    by: str
    giver: str | None = None


@dataclass(frozen=True, slots=True)
class VerdictApplied:
    """A decision has come into effect in the cart of the visit and, where there was one, in its receipt."""

    visit: str
    t_ns: int
    caused_by: str
    case: str


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


@dataclass(frozen=True, slots=True)
class ReceiptAmended:
    """A verdict after settling made a new ``version`` of a receipt.

    ``moved_minor`` was captured (negative: refunded) under ``payments``.
    """

    visit: str
    t_ns: int
    caused_by: str
    receipt: str
    version: int
    total_minor: int
    moved_minor: int
    currency: str
    payments: tuple[str, ...]
    status: str


@dataclass(frozen=True, slots=True)
class PaymentRequested:
    """The provider is about to be asked to move money; in the journal before the call, so that none is forgotten.

    ``kind`` is "authorise", "capture", "refund" or "void"; ``key`` its idempotency key; ``of`` what it is about: the
    token, the authorisation's or the capture's code.
    """

    visit: str
    t_ns: int
    caused_by: str
    kind: str
    key: str
    amount_minor: int
    currency: str
    of: str


@dataclass(frozen=True, slots=True)
class PaymentAnswered:
    """What the provider said to the request of the same cause; without it the question is open and is put again."""

    visit: str
    t_ns: int
    caused_by: str
    kind: str
    amount_minor: int
    code: str
    approved: bool
    reason: str


@dataclass(frozen=True, slots=True)
class PaymentDisputed:
    """A cardholder disputes a capture (``state`` "open"), and got the money back ("lost") or not ("won")."""

    visit: str
    t_ns: int
    caused_by: str
    capture: str
    amount_minor: int
    state: str


StoreEvent = (
    VisitOpened
    | ItemTaken
    | ItemReturned
    | CaseRaised
    | CaseDecided
    | VerdictApplied
    | VisitLeft
    | VisitSettled
    | ReceiptAmended
    | PaymentRequested
    | PaymentAnswered
    | PaymentDisputed
)
