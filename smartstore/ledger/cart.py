"""A visit's cart as a pure fold over what happened, and what it costs.

In: store events in the order of the journal. Out: the cart; with a catalogue, its priced lines. No I/O, no rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal

from smartstore.domain.events import (
    CaseRaised,
    ItemReturned,
    ItemTaken,
    StoreEvent,
    VisitLeft,
    VisitOpened,
    VisitSettled,
)
from smartstore.domain.items import Item
from smartstore.domain.money import included_tax_minor

State = Literal["unknown", "shopping", "left", "settled"]


@dataclass(frozen=True, slots=True)
class Cart:
    """What a visit holds. ``balance`` counts takes less put-backs per SKU, in the order in which SKUs came up."""

    visit: str
    state: State = "unknown"
    balance: tuple[tuple[str, int], ...] = ()
    cases: tuple[str, ...] = ()
    """Changes that may be this visit's and that nobody has decided."""
    token: str = ""
    opened_ns: int = 0
    left_ns: int = 0
    after_settling: int = 0
    """Changes that came to light when the receipt was already out; they alter nothing and need a human."""

    @property
    def lines(self) -> tuple[tuple[str, int], ...]:
        """SKU and quantity of what is held."""
        return tuple((sku, quantity) for sku, quantity in self.balance if quantity > 0)


def apply(cart: Cart, event: StoreEvent) -> Cart:
    """The cart after one more event of its visit."""
    if cart.state == "settled" and not isinstance(event, VisitSettled):
        return replace(cart, after_settling=cart.after_settling + 1)
    match event:
        case VisitOpened():
            return replace(cart, state="shopping", token=event.token, opened_ns=event.t_ns)
        case ItemTaken():
            return replace(cart, balance=_moved(cart.balance, event.sku, event.quantity))
        case ItemReturned():
            return replace(cart, balance=_moved(cart.balance, event.sku, -event.quantity))
        case CaseRaised():
            return cart if event.case in cart.cases else replace(cart, cases=(*cart.cases, event.case))
        case VisitLeft():
            return replace(cart, state="left", left_ns=event.t_ns)
        case VisitSettled():
            return replace(cart, state="settled")


def fold(visit: str, events: Iterable[StoreEvent]) -> Cart:
    """The cart of a visit after these events, oldest first."""
    return reduce(apply, events, Cart(visit))


def _moved(balance: tuple[tuple[str, int], ...], sku: str, quantity: int) -> tuple[tuple[str, int], ...]:
    counts = dict(balance)
    counts[sku] = counts.get(sku, 0) + quantity
    return tuple(counts.items())


@dataclass(frozen=True, slots=True)
class PriceList:
    """What a store charges: its items, and the rate of each tax class in basis points (1900 = 19 %)."""

    currency: str
    items: Mapping[str, Item]
    tax_classes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One line of a receipt; amounts in minor units, ``tax_minor`` is contained in ``total_minor``."""

    sku: str
    name: str
    quantity: int
    unit_price_minor: int
    total_minor: int
    tax_class: str
    tax_rate_basis_points: int
    tax_minor: int


@dataclass(frozen=True, slots=True)
class PricedCart:
    """A cart's lines with prices, sorted by SKU. ``unpriced`` names SKUs the price list does not know: never billed."""

    currency: str
    lines: tuple[PricedLine, ...]
    unpriced: tuple[str, ...]

    @property
    def total_minor(self) -> int:
        return sum(line.total_minor for line in self.lines)


def price(cart: Cart, prices: PriceList) -> PricedCart:
    """The cart at today's prices.

    Tax is rounded once per line (half away from zero); the taxes of a receipt are the sums of its lines' taxes.
    """
    lines = [_line(prices, sku, quantity) for sku, quantity in sorted(cart.lines) if sku in prices.items]
    unpriced = tuple(sku for sku, _ in sorted(cart.lines) if sku not in prices.items)
    return PricedCart(prices.currency, tuple(lines), unpriced)


def _line(prices: PriceList, sku: str, quantity: int) -> PricedLine:
    item = prices.items[sku]
    total_minor = item.price_minor * quantity
    rate = prices.tax_classes[item.tax_class]
    tax_minor = included_tax_minor(total_minor, rate)
    return PricedLine(sku, item.name, quantity, item.price_minor, total_minor, item.tax_class, rate, tax_minor)
