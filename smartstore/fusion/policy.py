"""What doubt costs: from the price of a review and the price of an error to the probability above which one may book.

In: prices in minor units of the store's currency. Out: a probability. Pure.
"""

from dataclasses import dataclass

EVEN = 0.5


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """Prices of a store's operator, in minor units of its currency; ``configs/policy.yaml`` explains them."""

    review_minor: int = 50
    """A person looks at one case."""
    overcharge_minor: int = 100
    """Somebody is billed for what another one took: the trust that it costs, beyond the money that goes back."""
    undercharge_share: float = 0.7
    """Of the price of goods that nobody is billed for, the share that is lost: what they cost the store."""


def threshold(policy: PolicyOptions, value_minor: int) -> float:
    """The probability from which an explanation worth ``value_minor`` is booked instead of being reviewed.

    To book what is right with probability p costs (1 - p) E on average, where the error E bills one person too much
    and another one too little: E = overcharge_minor + undercharge_share * value_minor. A review costs R = review_minor
    and settles it. Booking is cheaper where (1 - p) E <= R, that is from p = 1 - R / E on; but nothing is booked that
    is not more likely right than wrong, however little it is worth. (The rule of Chow, 1970, "On optimum recognition
    error and reject tradeoff", with a price of an error that grows with the value.)
    """
    error_minor = policy.overcharge_minor + policy.undercharge_share * value_minor
    return max(EVEN, 1 - policy.review_minor / error_minor) if error_minor > 0 else EVEN
