"""Money as integer minor units, and value-added tax included in a price."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents) of one ISO 4217 currency."""

    minor: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.minor - other.minor, self.currency)

    def times(self, quantity: int) -> "Money":
        return Money(self.minor * quantity, self.currency)

    def __str__(self) -> str:
        sign = "-" if self.minor < 0 else ""
        return f"{sign}{abs(self.minor) // 100}.{abs(self.minor) % 100:02d} {self.currency}"

    def _same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise ValueError(f"cannot mix {self.currency} and {other.currency}")


def included_tax_minor(gross_minor: int, rate_basis_points: int) -> int:
    """The tax contained in a gross amount, in minor units.

    gross * rate / (1 + rate) with the rate in basis points (1900 = 19 %), rounded half away from zero,
    so that a refund carries exactly the negated tax of its sale.
    """
    magnitude = abs(gross_minor) * rate_basis_points
    divisor = 10_000 + rate_basis_points
    tax = (2 * magnitude + divisor) // (2 * divisor)
    return tax if gross_minor >= 0 else -tax
