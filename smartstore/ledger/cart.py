"""A visit's cart as a pure fold over what happened, and what it costs.

In: store events in the order of the journal. Out: the cart; with a catalogue, its priced lines. No I/O, no rows.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal

from smartstore.domain.events import (
    CaseDecided,
    CaseRaised,
    ItemReturned,
    ItemTaken,
    PaymentAnswered,
    PaymentDisputed,
    PaymentRequested,
    ReceiptAmended,
    StoreEvent,
    VerdictApplied,
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
    withheld: tuple[tuple[str, str, int], ...] = ()
    """Case, SKU and quantity of what is booked and, by a case that nobody has decided, perhaps not held any more."""
    verdicts: tuple[tuple[str, str, int], ...] = ()
    """Case, SKU and quantity of what a person said this visit took (negative: put back, gave away); one per case."""
    doubtful_returns: tuple[tuple[str, int], ...] = ()
    """What was put back of things that only a verdict can say were taken."""
    token: str = ""
    opened_ns: int = 0
    left_ns: int = 0
    after_settling: int = 0
    """Changes that came to light when the receipt was already out; they alter nothing and need a human."""

    @property
    def lines(self) -> tuple[tuple[str, int], ...]:
        """SKU and quantity of what is billed: what is held, verdicts included, but for what is in doubt."""
        return tuple((+(self._held - self._doubted)).items())

    @property
    def in_doubt(self) -> tuple[tuple[str, int], ...]:
        """SKU and quantity of what is held by what was booked, and not billed until its case is decided."""
        return tuple((self._held & self._doubted).items())

    @property
    def _held(self) -> Counter[str]:
        counts, taken = Counter(dict(self.balance)), Counter[str]()
        for _, sku, quantity in self.verdicts:
            (taken if quantity > 0 else counts)[sku] += quantity
        for sku, quantity in taken.items():
            counts[sku] += max(0, quantity - dict(self.doubtful_returns).get(sku, 0))
        return +counts

    @property
    def _doubted(self) -> Counter[str]:
        doubted = Counter[str]()
        for _, sku, quantity in self.withheld:
            doubted[sku] += quantity
        return doubted


def apply(cart: Cart, event: StoreEvent) -> Cart:
    """The cart after one more event of its visit. Of a settled one, only what people decide changes anything."""
    match event:
        case CaseRaised():
            return _doubted(cart, event)
        case CaseDecided():
            return _decided(cart, event)
        case VisitSettled():
            return replace(cart, state="settled")
        case VerdictApplied() | ReceiptAmended() | PaymentRequested() | PaymentAnswered() | PaymentDisputed():
            return cart
        case _ if cart.state == "settled":
            return replace(cart, after_settling=cart.after_settling + 1)
        case VisitOpened():
            return replace(cart, state="shopping", token=event.token, opened_ns=event.t_ns)
        case ItemTaken() | ItemReturned():
            return _changed(cart, event)
        case VisitLeft():
            return replace(cart, state="left", left_ns=event.t_ns)


def fold(visit: str, events: Iterable[StoreEvent]) -> Cart:
    """The cart of a visit after these events, oldest first."""
    return reduce(apply, events, Cart(visit))


def _changed(cart: Cart, event: ItemTaken | ItemReturned) -> Cart:
    if isinstance(event, ItemTaken):
        return replace(cart, balance=_moved(cart.balance, event.sku, event.quantity))
    balance = _moved(cart.balance, event.sku, -event.quantity)
    return replace(cart, balance=balance, doubtful_returns=_moved(cart.doubtful_returns, event.sku, event.doubtful))


def _doubted(cart: Cart, event: CaseRaised) -> Cart:
    """The cart with one more case; what has been billed is not taken back only because a case came to light."""
    withheld = () if cart.state == "settled" else tuple((event.case, sku, n) for sku, n in event.withheld)
    cases = tuple(dict.fromkeys((*cart.cases, event.case)))
    return replace(cart, cases=cases, withheld=(*cart.withheld, *withheld))


def _decided(cart: Cart, event: CaseDecided) -> Cart:
    """The cart after a verdict, which stands in for any former one of the same case."""
    cases = tuple(case for case in cart.cases if case != event.case)
    withheld = tuple(held for held in cart.withheld if held[0] != event.case)
    verdicts = tuple(verdict for verdict in cart.verdicts if verdict[0] != event.case)
    if event.mover == cart.visit and event.quantity:
        verdicts += ((event.case, event.sku, event.quantity),)
    if event.giver == cart.visit:
        verdicts += ((event.case, event.sku, -event.quantity),)
    return replace(cart, cases=cases, withheld=withheld, verdicts=verdicts)


def _moved(balance: tuple[tuple[str, int], ...], sku: str, quantity: int) -> tuple[tuple[str, int], ...]:
    if not quantity:
        return balance
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
