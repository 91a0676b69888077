"""From a cart that left the store to a captured payment and a receipt, and from a verdict to a new version of it.

In: the cart of a visit and the moment it left; later, what a person decided or the provider said. Out: the settled
event and the receipt that apps get. Doubtful changes are never guessed: they are left off the receipt, or hold it, by
policy. What could not be captured or refunded is a receipt that says so.

Money is counted in minor units of the store's currency, always as integers. A line is unit price times quantity, which
needs no rounding; prices contain their tax, whose part of a line is rounded once, half away from zero
(:func:`smartstore.domain.money.included_tax_minor`), and the taxes of a receipt are the sums of those of its lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Literal

import msgspec

from smartstore.domain.events import ReceiptAmended, VisitLeft, VisitOpened, VisitSettled
from smartstore.domain.money import Money
from smartstore.domain.payments import Authorisation
from smartstore.ledger.cart import Cart, PricedLine, PriceList, price
from smartstore.ledger.payments import Payments
from smartstore.wire.messages import InDoubt, LineItem, Receipt, RetailTransaction, Tax, Tender

Status = Literal["Finished", "Suspended", "Unpaid", "Overpaid", "Disputed"]


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


@dataclass(frozen=True, slots=True)
class Amended:
    """The next version of a receipt, and the event that the journal keeps of it."""

    event: ReceiptAmended
    receipt: Receipt


class Settlement:
    """Prices and charges the visits of one store."""

    def __init__(
        self, store: str, prices: PriceList, payments: Payments, options: SettlementOptions | None = None
    ) -> None:
        self._store, self._prices, self._payments = store, prices, payments
        self._options = options or SettlementOptions()
        self._limit = Money(self._options.limit_minor, prices.currency)

    def open(self, opened: VisitOpened) -> Authorisation:
        """Asks at the gate for the money of the visit; repeated calls for a visit are one."""
        return self._payments.authorise(opened.visit, opened.token, self._limit, opened.t_ns)

    def settle(self, cart: Cart, left: VisitLeft, settled_ns: int) -> Settled:
        """The receipt of a cart that left, at event time ``settled_ns``; the payment's idempotency key is the visit."""
        priced, held = price(cart, self._prices), self._holds(cart)
        lines = () if held else priced.lines
        total = sum(line.total_minor for line in lines)
        tender = [] if held else self._pay(cart, total, [], settled_ns)
        status = self._status(cart, held, total, tender)
        name = f"{self._store}-{cart.visit}"  # see visit_of
        payment = (tender[0].authorization_code or "") if tender else ""
        event = VisitSettled(cart.visit, settled_ns, left.caused_by, name, total, priced.currency, payment, status)
        transaction = RetailTransaction(
            transaction_id=name,
            business_unit_id=self._store,
            begin_date_time=iso_time(cart.opened_ns),
            end_date_time=iso_time(left.t_ns),
            currency_code=priced.currency,
            line_item=[_line_item(number, line) for number, line in enumerate(lines, start=1)],
            tax=_taxes(lines),
            tender=tender,
            total=total,
            transaction_status=status,
        )
        receipt = Receipt(
            seq=0, t_ns=settled_ns, phase="new", left_ns=left.t_ns, transaction=transaction, in_doubt=doubted(cart)
        )
        return Settled(event, receipt, cart.cases, priced.unpriced)

    def amend(self, cart: Cart, former: Receipt, t_ns: int, cause: str) -> Amended | None:
        """The next version of a settled receipt after a verdict or a late word of the provider (``cause``, ``t_ns``).

        None when it stays as it is. What was on the receipt keeps its price. The difference to what was paid is
        captured or refunded.
        """
        before = former.transaction
        priced = price(cart, _as_sold(self._prices, before))
        # What has been billed is not taken back only because one more case came to light.
        held = before.transaction_status == "Suspended" and self._holds(cart)
        lines = () if held else priced.lines
        items = [_line_item(number, line) for number, line in enumerate(lines, start=1)]
        total = sum(line.total_minor for line in lines)
        tender = before.tender if held else self._pay(cart, total, before.tender, t_ns)
        status = self._status(cart, held, total, tender)
        told = (before.line_item, before.transaction_status, before.tender, former.in_doubt)
        if (items, status, tender, doubted(cart)) == told:
            return None
        transaction = msgspec.structs.replace(
            before, line_item=items, tax=_taxes(lines), tender=tender, total=total, transaction_status=status
        )
        receipt = Receipt(seq=former.seq + 1, t_ns=t_ns, phase="update", left_ns=former.left_ns,
                          transaction=transaction, in_doubt=doubted(cart))  # fmt: skip
        moved = tender[len(before.tender) :]
        event = ReceiptAmended(
            cart.visit, t_ns, cause, before.transaction_id, receipt.seq, total, sum(t.amount for t in moved),
            before.currency_code, tuple(t.authorization_code or "" for t in moved), status,
        )  # fmt: skip
        return Amended(event, receipt)

    def _pay(self, cart: Cart, total_minor: int, known: Sequence[Tender], t_ns: int) -> list[Tender]:
        """Moves what has to be moved, under what was authorised at the gate; all that really moved."""
        if total_minor > sum(tender.amount for tender in known):
            self._payments.authorise(cart.visit, cart.token, self._limit, t_ns)
        return self._payments.balance(cart.visit, Money(total_minor, self._prices.currency), known, t_ns)

    def _status(self, cart: Cart, held: bool, total_minor: int, tender: Sequence[Tender]) -> Status:
        paid_minor = sum(t.amount for t in tender)
        if held:
            return "Suspended"
        if paid_minor < total_minor:
            return "Unpaid"
        if paid_minor > total_minor:
            return "Overpaid"
        return "Disputed" if self._payments.account(cart.visit).disputed else "Finished"

    def _holds(self, cart: Cart) -> bool:
        return bool(cart.cases) and self._options.doubt == "hold"


def _as_sold(prices: PriceList, sold: RetailTransaction) -> PriceList:
    """The price list with what is on a receipt at the receipt's prices."""
    then = {line.item_id: line.regular_sales_unit_price for line in sold.line_item}
    items = {sku: replace(item, price_minor=then.get(sku, item.price_minor)) for sku, item in prices.items.items()}
    return replace(prices, items=items)


def doubted(cart: Cart) -> list[InDoubt]:
    """What is left off a cart's bill until its case is decided."""
    return [InDoubt(sku=sku, quantity=quantity) for sku, quantity in sorted(cart.in_doubt)]


def visit_of(sold: RetailTransaction) -> str:
    """The visit that a receipt is of."""
    return sold.transaction_id.removeprefix(f"{sold.business_unit_id}-")


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
