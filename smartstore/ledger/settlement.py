"""From a cart that left the store to a captured payment and a receipt, and from a verdict to a new version of it.

In: the cart of a visit and the moment it left; later, what a person decided. Out: the settled event and the receipt
that apps get. Doubtful changes are never guessed: they are left off the receipt, or hold it, by policy. What could not
be captured or refunded is a receipt that says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Literal

import msgspec

from smartstore.domain.events import CaseDecided, ReceiptAmended, VisitLeft, VisitOpened, VisitSettled
from smartstore.domain.money import Money
from smartstore.domain.payments import Authorisation, Capture, Gateway, GatewayError
from smartstore.ledger.cart import Cart, PricedCart, PricedLine, PriceList, price
from smartstore.wire.messages import LineItem, Receipt, RetailTransaction, Tax, Tender

Status = Literal["Finished", "Suspended", "Unpaid", "Overpaid"]
TENDER = "CreditDebit"


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
        self, store: str, prices: PriceList, gateway: Gateway, options: SettlementOptions | None = None
    ) -> None:
        self._store, self._prices, self._gateway = store, prices, gateway
        self._options = options or SettlementOptions()
        self._limit = Money(self._options.limit_minor, prices.currency)

    def open(self, opened: VisitOpened) -> Authorisation:
        """Asks at the gate for the money of the visit; repeated calls for a visit are one."""
        try:
            return self._gateway.authorise(opened.token, self._limit, opened.visit)
        except GatewayError as error:
            return Authorisation("", self._limit, approved=False, reason=str(error))

    def settle(self, cart: Cart, left: VisitLeft, settled_ns: int) -> Settled:
        """The receipt of a cart that left, at event time ``settled_ns``; the payment's idempotency key is the visit."""
        priced = price(cart, self._prices)
        status, payment = self._charge(cart, priced)
        lines = () if status == "Suspended" else priced.lines
        total = sum(line.total_minor for line in lines)
        name = f"{self._store}-{cart.visit}"
        event = VisitSettled(cart.visit, settled_ns, left.caused_by, name, total, priced.currency, payment, status)
        tender = [_tender(total, payment)] if payment else []
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
        receipt = Receipt(seq=0, t_ns=settled_ns, phase="new", left_ns=left.t_ns, transaction=transaction)
        return Settled(event, receipt, cart.cases, priced.unpriced)

    def amend(self, cart: Cart, former: Receipt, decided: CaseDecided) -> Amended | None:
        """The next version of a settled receipt after a verdict; None when it stays as it is.

        What was on the receipt keeps its price. The difference to what was paid is captured or refunded; the key is the
        verdict's cause, so that the same verdict moves money once.
        """
        before = former.transaction
        priced = price(cart, _as_sold(self._prices, before))
        # What has been billed is not taken back only because one more case came to light.
        held = before.transaction_status == "Suspended" and self._holds(cart)
        lines = () if held else priced.lines
        items = [_line_item(number, line) for number, line in enumerate(lines, start=1)]
        total, paid = sum(line.total_minor for line in lines), sum(tender.amount for tender in before.tender)
        moved = self._move(cart, before.tender, total - paid, decided.caused_by)
        paid += sum(tender.amount for tender in moved)
        status: Status = (
            "Suspended" if held else "Unpaid" if paid < total else "Overpaid" if paid > total else "Finished"
        )
        if (items, status) == (before.line_item, before.transaction_status) and not moved:
            return None
        transaction = msgspec.structs.replace(
            before, line_item=items, tax=_taxes(lines), tender=before.tender + moved, total=total,
            transaction_status=status,
        )  # fmt: skip
        receipt = Receipt(
            seq=former.seq + 1, t_ns=decided.t_ns, phase="update", left_ns=former.left_ns, transaction=transaction
        )
        event = ReceiptAmended(
            cart.visit, decided.t_ns, decided.caused_by, before.transaction_id, receipt.seq, total,
            sum(tender.amount for tender in moved), before.currency_code,
            tuple(tender.authorization_code or "" for tender in moved), status,
        )  # fmt: skip
        return Amended(event, receipt)

    def _move(self, cart: Cart, tenders: Sequence[Tender], difference_minor: int, key: str) -> list[Tender]:
        """Captures a difference or, when it is negative, gives it back, the last captured first; what really moved."""
        currency, moved = self._prices.currency, list[Tender]()
        try:
            if difference_minor > 0:
                capture = self._capture(cart, difference_minor, key)
                if capture.approved:
                    moved.append(_tender(difference_minor, capture.code))
            for code, captured, left in reversed(_captures(tenders)):
                part = min(left, -difference_minor - sum(-tender.amount for tender in moved))
                if part <= 0:  # given back before, or there is nothing to give back any more
                    continue
                paid = Capture(code, Money(captured, currency), approved=True)
                refund = self._gateway.refund(paid, Money(part, currency), f"{key}:{code}")
                if not refund.approved:
                    break
                moved.append(_tender(-part, refund.code))
        except GatewayError:
            pass  # the receipt says what is still to be paid, or to be given back
        return moved

    def _charge(self, cart: Cart, priced: PricedCart) -> tuple[Status, str]:
        """Status of the receipt and the code of the payment, "" where no money moved."""
        if self._holds(cart):
            return "Suspended", ""
        if priced.total_minor == 0:
            return "Finished", ""
        try:
            capture = self._capture(cart, priced.total_minor, cart.visit)
        except GatewayError:
            return "Unpaid", ""
        return ("Finished", capture.code) if capture.approved else ("Unpaid", "")

    def _holds(self, cart: Cart) -> bool:
        return bool(cart.cases) and self._options.doubt == "hold"

    def _capture(self, cart: Cart, amount_minor: int, key: str) -> Capture:
        """Takes an amount of what was authorised at the gate; raises GatewayError."""
        authorisation = self._gateway.authorise(cart.token, self._limit, cart.visit)
        return self._gateway.capture(authorisation, Money(amount_minor, self._prices.currency), key)


def _as_sold(prices: PriceList, sold: RetailTransaction) -> PriceList:
    """The price list with what is on a receipt at the receipt's prices."""
    then = {line.item_id: line.regular_sales_unit_price for line in sold.line_item}
    items = {sku: replace(item, price_minor=then.get(sku, item.price_minor)) for sku, item in prices.items.items()}
    return replace(prices, items=items)


def _tender(amount_minor: int, code: str) -> Tender:
    return Tender(tender_type=TENDER, amount=amount_minor, authorization_code=code)


def _captures(tenders: Sequence[Tender]) -> list[tuple[str, int, int]]:
    """Code, amount and what is left after refunds of every capture; refunds took from the last captured first."""
    captures: list[tuple[str, int, int]] = []
    for tender in tenders:
        if tender.amount > 0:
            captures.append((tender.authorization_code or "", tender.amount, tender.amount))
        back = -tender.amount
        for i in reversed(range(len(captures))):
            code, amount, left = captures[i]
            part = min(left, max(back, 0))
            captures[i], back = (code, amount, left - part), back - part
    return captures


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
