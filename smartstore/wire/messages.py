"""What travels on the wire, message by message.

Every message carries ``schema`` (version of its layout), ``seq`` (counts up per device and channel) and ``t_ns``
(the device's clock, UTC nanoseconds). Which device speaks is said by the topic alone. Unknown fields are tolerated.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

SCHEMA_VERSION = 1
LATEST_NS = 2**62
"""The year 2116: with room for what is added to a time, still a number that every database can hold."""

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
FARTHEST = 1e6
"""Far outside of every picture is still a place; beyond that geometry would overflow."""
Pixel = Annotated[float, Meta(ge=-FARTHEST, le=FARTHEST)]
Side = Annotated[int, Meta(ge=1, le=16384)]
"""Width or height of a picture, px."""
Box = Annotated[tuple[Pixel, Pixel, Pixel, Pixel], Meta(description="left, top, right, bottom, px")]
Joints = list[tuple[Pixel, Pixel, Pixel]]
Look = list[Annotated[float, Meta(ge=-FARTHEST, le=FARTHEST)]]
HEAVIEST = 1e7
"""No load cell of a shelf reads ten tonnes: grams."""
Grams = Annotated[float, Meta(ge=-HEAVIEST, le=HEAVIEST)]
Period = Annotated[int, Meta(ge=1, le=3_600_000_000_000)]
Plates = Annotated[list[str], Meta(min_length=1)]
Phase = Literal["new", "update", "end"]


class Message(Struct, frozen=True, kw_only=True):
    """What all messages share."""

    seq: Count
    t_ns: Annotated[int, Meta(ge=0, le=LATEST_NS, description="Device clock, UTC nanoseconds")]
    schema: Annotated[int, Meta(ge=1, le=SCHEMA_VERSION)] = SCHEMA_VERSION


class Frame(Message, frozen=True, kw_only=True):
    """One picture. On the wire the payload is the JPEG itself and the other fields are user properties."""

    width: Side
    height: Side
    jpeg: bytes


class SeenPerson(Struct, frozen=True, kw_only=True):
    """One person in one picture, pixels of the picture as taken (lens distortion included)."""

    box: Box
    score: Probability
    joints: Joints = []
    """17 COCO joints as x px, y px, score; empty where joints were not looked for."""
    appearance: Look = []
    """Unit vector that looks alike for the same clothes; empty where the camera gives none."""

    def __post_init__(self) -> None:
        if len(self.joints) not in (0, 17):
            raise ValueError(f"expected 0 or 17 joints, got {len(self.joints)}")


class People(Message, frozen=True, kw_only=True):
    """Everybody one camera sees at ``t_ns``."""

    width: Side
    height: Side
    people: list[SeenPerson]


Joint3D = Annotated[list[float], Meta(min_length=4, max_length=4, description="x, y, z in metres, score 0 to 1")]


class TrackedPerson(Struct, frozen=True, kw_only=True):
    """One person as somebody else's system follows them, in the store's frame: metres, z up from the floor."""

    person: Annotated[str, Meta(min_length=1)]
    """Who that system takes them for: two people may have swapped it, and one may get a new one at any time."""
    x_m: float
    y_m: float
    sigma_m: Annotated[float, Meta(gt=0.0, le=2.0)] = 0.15
    """One standard deviation of the position on the floor."""
    score: Probability = 1.0
    joints: dict[str, Joint3D] = {}
    """By COCO's names (``left_wrist``, ``right_elbow``, ...), whichever are known; other names are tolerated."""


class Tracks(Message, frozen=True, kw_only=True):
    """Everybody inside at ``t_ns`` as a system beside ours follows them; it replaces the people of all cameras."""

    people: list[TrackedPerson]


class SeenFacing(Struct, frozen=True, kw_only=True):
    """One facing of the shelf face in view."""

    facing: str
    fill: Annotated[float, Meta(ge=0.0, le=2.0, description="Items there as a share of the facing's capacity")]
    change: Probability = 0.0
    """How likely it is that the facing differs from its last clear view."""
    scores: dict[str, float] = {}
    """Likely SKUs of what changed, as probabilities; empty: not looked at or cannot tell."""
    hidden: bool = False
    """True while a hand or a body is in the way: ``fill`` then repeats the last clear value."""


class Facings(Message, frozen=True, kw_only=True):
    """The shelf face as one shelf camera sees it."""

    facings: list[SeenFacing]


class ScaleBatch(Message, frozen=True, kw_only=True):
    """Consecutive samples of all plates of one fixture; ``t_ns`` is the time of the first sample."""

    period_ns: Period
    plates: Plates
    grams: Annotated[list[list[Grams | None]], Meta(min_length=1)]
    """One row per sample, one column per plate; null where a plate gave no number."""

    def __post_init__(self) -> None:
        if set(map(len, self.grams)) != {len(self.plates)}:
            raise ValueError(f"every row of grams must have {len(self.plates)} numbers, one per plate")


class GateEvent(Message, frozen=True, kw_only=True):
    """Something happened at a gate. ``event_id`` makes it idempotent."""

    event_id: Annotated[str, Meta(min_length=1)]
    kind: Literal["entry", "door", "exit_beam"]
    visit: str | None = None
    """With an entry: the visit the token stands for."""
    token: str | None = None
    """With an entry: the signed visit token of the palm service."""
    party_size: Annotated[int, Meta(ge=1, le=20)] | None = None
    staff: bool = False
    """With an entry: a staff pass opened the gate; there is no visit then, and nothing that follows is a sale."""


class CartLine(Struct, frozen=True, kw_only=True):
    """Quantity of one SKU in a cart; money in minor units."""

    sku: str
    name: str
    quantity: int
    unit_price_minor: int
    total_minor: int


class InDoubt(Struct, frozen=True, kw_only=True):
    """What a visit was seen to take and has perhaps no more: not billed until a person has decided its case."""

    sku: str
    quantity: int


class Cart(Message, frozen=True, kw_only=True):
    """The virtual cart of a visit after a change."""

    phase: Phase
    lines: list[CartLine]
    total_minor: int
    currency: str
    in_doubt: list[InDoubt] = []


class Tax(Struct, frozen=True, kw_only=True, rename="pascal"):
    """Value-added tax contained in an amount; ``percent`` as a number (19.0), amounts in minor units."""

    tax_type: str
    percent: float
    taxable_amount: int
    amount: int


class LineItem(Struct, frozen=True, kw_only=True, rename="pascal"):
    """One line of a receipt; amounts in minor units, tax included."""

    sequence_number: int
    item_id: Annotated[str, Meta(description="GTIN as a string")] = msgspec.field(name="ItemID")
    description: str
    quantity: int
    regular_sales_unit_price: int
    extended_amount: int
    tax: Tax


class Tender(Struct, frozen=True, kw_only=True, rename="pascal"):
    """How the receipt was paid."""

    tender_type: str
    amount: int
    authorization_code: str | None = None


class RetailTransaction(Struct, frozen=True, kw_only=True, rename="pascal"):
    """A receipt, named after the POSLog of NRF/ARTS; amounts are integers in minor units of the currency."""

    transaction_id: str = msgspec.field(name="TransactionID")
    business_unit_id: str = msgspec.field(name="BusinessUnitID")
    begin_date_time: str
    end_date_time: str
    currency_code: str
    line_item: list[LineItem]
    tax: list[Tax]
    tender: list[Tender]
    total: int
    transaction_status: Literal["Finished", "Suspended", "Unpaid", "Overpaid", "Disputed"]


class Receipt(Message, frozen=True, kw_only=True):
    """A settled visit. ``t_ns`` is the event time at which it was settled, ``left_ns`` when the exit was crossed.

    A person's verdict makes a new version of it: an ``update`` with the next ``seq``. What was refunded is a tender
    with a negative amount.
    """

    phase: Phase
    left_ns: int
    transaction: RetailTransaction
    in_doubt: list[InDoubt] = []
    """What no line bills and a verdict may still put on the receipt."""


class ReviewCandidate(Struct, frozen=True, kw_only=True):
    """One explanation of a doubtful change; negative quantities are put-backs.

    With a ``giver``, ``visit`` got it out of the hands of that visit.
    """

    visit: str | None
    sku: str
    quantity: int
    probability: Probability
    giver: str | None = None


class ReviewPicture(Struct, frozen=True, kw_only=True):
    """What a camera saw around a case; ``file`` is relative to the service's folder of pictures."""

    camera: str
    t_ns: int
    file: str


class Review(Message, frozen=True, kw_only=True):
    """A change that the evidence does not settle: ``end`` when a person has, ``update`` when another overrules that.

    ``place`` is a facing or a shelf, as far as it is known, or the entry that somebody took uninvited.
    """

    phase: Phase
    visit: str | None
    place: str
    happened_ns: int
    candidates: list[ReviewCandidate]
    fixture: str | None = None
    shelf: str | None = None
    facing: str | None = None
    pictures: list[ReviewPicture] = []
    verdict: ReviewCandidate | None = None
    """What the person decided; an empty ``sku`` means that nobody moved anything to be paid for."""


class ShelfChange(Message, frozen=True, kw_only=True):
    """An item change as the pipeline explains it; ``doubt`` means that a review case was opened instead."""

    kind: Literal["take", "put_back", "doubt"]
    visit: str | None
    sku: str | None
    quantity: Count
    happened_ns: int
    probability: Probability


class FloorPerson(Struct, frozen=True, kw_only=True):
    """One fused track, metres in the store's frame."""

    track: int
    x_m: float
    y_m: float
    visit: str | None = None


class Floor(Message, frozen=True, kw_only=True):
    """Where the pipeline believes everybody to be at ``t_ns``."""

    tracks: list[FloorPerson]


class Progress(Message, frozen=True, kw_only=True):
    """How far a service has come. Everything up to ``processed_ns`` (event time) is decided."""

    processed_ns: int
    messages: Count = 0
    dropped: Count = 0
    finished: Count = 0
    """How often it was told that the feed had ended, and is done with that."""


class Status(Message, frozen=True, kw_only=True):
    """Whether a device is there. Retained; ``offline`` is also its last will."""

    state: Literal["online", "offline"]
    kind: str = ""
    keeps_s: Annotated[float, Meta(ge=0.0)] = 0.0
    """How many seconds of what it sent the device can send again when it is asked to; 0: it keeps nothing."""


class Replay(Message, frozen=True, kw_only=True):
    """A service missed something, or cannot be sure that it did not: who keeps what it sent sends again, in order,
    everything of after ``since_ns``, then :class:`Replayed`, and then goes on. What the service has, it drops."""

    since_ns: int
    session: Annotated[int, Meta(ge=0)]
    """Which request this is; the answer repeats it."""


class Replayed(Message, frozen=True, kw_only=True):
    """All that a device kept and a service asked for is sent again; what follows is new."""

    session: Annotated[int, Meta(ge=0)]
    messages: Count = 0


class Finish(Message, frozen=True, kw_only=True):
    """The feed has ended: a service decides, books and publishes all that still waits."""
