"""Items for sale, and what is seen to change on a shelf."""

from dataclasses import dataclass, field

from msgspec import Struct


@dataclass(frozen=True, slots=True)
class Item:
    """A catalogue entry. ``sku`` is the GTIN as a string, leading zeros kept."""

    sku: str
    name: str
    price_minor: int
    tax_class: str
    grams: float
    grams_sigma: float
    size_m: tuple[float, float, float]
    """Width, depth and height in metres, as it stands on the shelf."""
    picture: str | None = field(default=None, compare=False)
    """File of its catalogue picture: the front, cropped to the product, before white."""


@dataclass(frozen=True, slots=True)
class WeightStep:
    """A settled change of weight on one shelf.

    ``grams`` is negative when something was lifted off; ``sigma_grams`` is one standard deviation.
    ``plates`` holds each plate that took part with its own settled difference in grams.
    """

    fixture: str
    shelf: str
    t_start_ns: int
    t_end_ns: int
    grams: float
    sigma_grams: float
    plates: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Unrest:
    """A plate that was disturbed at ``since_ns`` and has not settled; ``lowest_grams`` is 0 or how much less it carried
    for a moment, which only goods that were lifted can bring about, ``highest_grams`` how much more: hands press, too.
    """

    plate: str
    since_ns: int
    lowest_grams: float = 0.0
    highest_grams: float = 0.0


class Explanation(Struct, frozen=True):
    """What a weight step may have been, by weight alone. An empty ``sku`` with quantity 0 is "nothing was moved"."""

    sku: str
    quantity: int
    """Positive for a take, negative for a put-back."""
    log_likelihood: float
    """Natural logarithm of the density of the step's grams."""


@dataclass(frozen=True, slots=True)
class FacingChange:
    """A settled change of one facing in a shelf camera's view.

    ``items`` is the estimated change of the number of items (negative: gone; 0: something changed that the camera
    could not count), ``probability`` how sure the camera is that anything changed at all, ``scores`` what lies or lay
    there: (sku, probability).
    """

    camera: str
    facing: str
    t_start_ns: int
    t_end_ns: int
    items: int
    probability: float
    scores: tuple[tuple[str, float], ...]
    unclear: bool = False
    """True when the camera saw that something happened but not how much: the view was hidden in part. The ``scores``
    of what it saw hold.
    """


@dataclass(frozen=True, slots=True)
class Candidate:
    """One explanation of a change, with its probability: who moved what, how many, where."""

    visit: str | None
    sku: str
    quantity: int
    facing: str | None
    probability: float
    """``quantity`` is positive for a take, negative for a put-back; ``visit`` None is "nobody's sale"."""
    giver: str | None = None
    """The visit out of whose hands ``visit`` took it, where it did not come from a shelf."""
