"""From a cart that left the store to a captured payment and a receipt.

In: the cart of a visit and the moment it left. Out: the settled event and the receipt that apps get. Doubtful changes
are never guessed: they are left off the receipt, or hold it, by policy. What could not be captured is a receipt that
says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Literal

from smartstore.domain.events import VisitLeft, VisitOpened, VisitSettled
from smartstore.domain.money import Money
from smartstore.domain.payments import Authorisation, Gateway, GatewayError
from smartstore.ledger.cart import Cart, PricedCart, PricedLine, PriceList, price
from smartstore.wire.messages import LineItem, Receipt, RetailTransaction, Tax, Tender

Status = Literal["Finished", "Suspended", "Unpaid"]


@dataclass(frozen=True, slots=True)
class SettlementOptions:
    """``doubt``: with open cases "leave_off" bills the sure lines, "hold" bills nothing until they are decided."""

    doubt: Literal["leave_off", "hold"] = "leave_off"
    limit_minor: int = 50_000
    """What is authorised at the gate, in minor units of the store's currency."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A priced visit: what the journal keeps and what apps get, with what was left off."""

    event: VisitSettled
    receipt: Receipt
    cases: tuple[str, ...]
    unpriced: tuple[str, ...]


class Settlement:
    """Prices and charges the visits of one store."""

    def __init__(
        self, store: str, prices: PriceList, gateway: Gateway, options: SettlementOptions | None = None
    ) -> None:
        self._store, self._prices, self._gateway = store, prices, gateway
        self._options = options or SettlementOptions()

    def open(self, opened: VisitOpened) -> Authorisation:
        """Asks at the gate for the money of the visit; repeated calls for a visit are one."""
        limit = Money(self._options.limit_minor, self._prices.currency)
        try:
            return self._gateway.authorise(opened.token, limit, opened.visit)
        except GatewayError as error:
            return Authorisation("", limit, approved=False, reason=str(error))

    def settle(self, cart: Cart, left: VisitLeft, settled_ns: int) -> Settled:
        """The receipt of a cart that left, at event time ``settled_ns``; the payment's idempotency key is the visit."""
        priced = price(cart, self._prices)
        status, payment = self._charge(cart, priced)
        lines = () if status == "Suspended" else priced.lines
        total = sum(line.total_minor for line in lines)
        name = f"{self._store}-{cart.visit}"
        event = VisitSettled(cart.visit, settled_ns, left.caused_by, name, total, priced.currency, payment, status)
        transaction = RetailTransaction(
            transaction_id=name,
            business_unit_id=self._store,
            begin_date_time=iso_time(cart.opened_ns),
            end_date_time=iso_time(left.t_ns),
            currency_code=priced.currency,
            line_item=[_line_item(number, line) for number, line in enumerate(lines, start=1)],
            tax=_taxes(lines),
            tender=[Tender(tender_type="CreditDebit", amount=total, authorization_code=payment)] if payment else [],
            total=total,
            transaction_status=status,
        )
        receipt = Receipt(seq=0, t_ns=settled_ns, phase="new", left_ns=left.t_ns, transaction=transaction)
        return Settled(event, receipt, cart.cases, priced.unpriced)

    def _charge(self, cart: Cart, priced: PricedCart) -> tuple[Status, str]:
        """Status of the receipt and the code of the payment, "" where no money moved."""
        if cart.cases and self._options.doubt == "hold":
            return "Suspended", ""
        if priced.total_minor == 0:
            return "Finished", ""
        limit = Money(self._options.limit_minor, priced.currency)
        try:
            authorisation = self._gateway.authorise(cart.token, limit, cart.visit)
            amount = Money(priced.total_minor, priced.currency)
            capture = self._gateway.capture(authorisation, amount, cart.visit)
        except GatewayError:
            return "Unpaid", ""
        return ("Finished", capture.code) if capture.approved else ("Unpaid", "")


def iso_time(t_ns: int) -> str:
    """UTC nanoseconds as ISO 8601 with milliseconds."""
    moment = datetime.fromtimestamp(t_ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{t_ns // 1_000_000 % 1000:03d}Z"


def _line_item(number: int, line: PricedLine) -> LineItem:
    return LineItem(
        sequence_number=number,
        item_id=line.sku,
        description=line.name,
        quantity=line.quantity,
        regular_sales_unit_price=line.unit_price_minor,
        extended_amount=line.total_minor,
        tax=_tax([line]),
    )


def _taxes(lines: Sequence[PricedLine]) -> list[Tax]:
    """One entry per tax class: the sums of its lines."""
    by_class = sorted(lines, key=lambda line: (line.tax_rate_basis_points, line.tax_class))
    return [_tax(list(group)) for _, group in groupby(by_class, key=lambda line: line.tax_class)]


def _tax(lines: Sequence[PricedLine]) -> Tax:
    """``taxable_amount`` is the net amount: what the tax was reckoned on."""
    tax_minor = sum(line.tax_minor for line in lines)
    net_minor = sum(line.total_minor for line in lines) - tax_minor
    percent = lines[0].tax_rate_basis_points / 100
    return Tax(tax_type=lines[0].tax_class, percent=percent, taxable_amount=net_minor, amount=tax_minor)
