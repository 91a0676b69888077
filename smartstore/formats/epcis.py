"""Receipts as EPCIS 2.0 events: what was sold, when and where.

In: receipts. Out: an EPCIS document (JSON-LD, GS1 EPCIS 2.0 and CBV 2.0): an ObjectEvent per receipt, of the step
``retail_selling``, with quantities by GTIN class and the receipt as its business transaction. Receipts without lines
sold nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from smartstore.formats.text import FormatError
from smartstore.wire.messages import RetailTransaction

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"


def epcis_document(receipts: Iterable[RetailTransaction], location: str | None = None) -> dict[str, Any]:
    """The sales of receipts. ``location`` is the store's GLN (13 digits); without it a URN names the store.

    Raises:
        FormatError: the GLN or a GTIN is none.
    """
    ordered = sorted(receipts, key=lambda receipt: (receipt.end_date_time, receipt.transaction_id))
    sold = [receipt for receipt in ordered if any(line.quantity > 0 for line in receipt.line_item)]
    return {
        "@context": [CONTEXT],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": ordered[-1].end_date_time if ordered else "1970-01-01T00:00:00Z",
        "epcisBody": {"eventList": [_event(receipt, location) for receipt in sold]},
    }


def epc_class(gtin: str) -> str:
    """The Digital Link of a GTIN as a class of objects; raises :class:`FormatError`."""
    if not gtin.isdecimal() or not gtin.isascii() or len(gtin) not in (8, 12, 13, 14):
        raise FormatError(f"item {gtin!r} has no GTIN of 8, 12, 13 or 14 digits")
    return f"https://id.gs1.org/01/{gtin.zfill(14)}"


def _event(receipt: RetailTransaction, location: str | None) -> dict[str, Any]:
    store = f"urn:smartstore:{receipt.business_unit_id}" if location is None else _gln(location)
    quantities: dict[str, int] = {}
    for line in receipt.line_item:
        quantities[line.item_id] = quantities.get(line.item_id, 0) + line.quantity
    return {
        "type": "ObjectEvent",
        "eventTime": receipt.end_date_time,
        "eventTimeZoneOffset": "+00:00",
        "action": "OBSERVE",
        "bizStep": "retail_selling",
        "disposition": "retail_sold",
        "readPoint": {"id": store},
        "bizLocation": {"id": store},
        "quantityList": _quantities(quantities),
        "bizTransactionList": [
            {"type": "inv", "bizTransaction": f"urn:smartstore:{receipt.business_unit_id}:{receipt.transaction_id}"}
        ],
    }


def _quantities(quantities: Mapping[str, int]) -> Sequence[dict[str, Any]]:
    return [{"epcClass": epc_class(gtin), "quantity": count} for gtin, count in quantities.items() if count > 0]


def _gln(digits: str) -> str:
    """The Digital Link of a location; the last digit checks the others (GS1 General Specifications, 7.9)."""
    if not digits.isdecimal() or not digits.isascii() or len(digits) != 13:
        raise FormatError(f"GLN {digits!r} has not 13 digits")
    if sum(int(d) * (3 if index % 2 else 1) for index, d in enumerate(digits)) % 10:
        raise FormatError(f"GLN {digits}: its check digit is wrong")
    return f"https://id.gs1.org/414/{digits}"
