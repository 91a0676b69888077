"""Receipts as a document that two replays can be compared by.

In: receipts by visit. Out: plain data and JSON text, the same bytes for the same receipts; the difference in words.
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from smartstore.wire.messages import Receipt

Document = list[dict[str, Any]]


class ReceiptsError(Exception):
    """A file of receipts that cannot be read; one line."""


def receipts_document(receipts: Mapping[str, Receipt]) -> Document:
    """All receipts in the order in which the exit was crossed: visit, quantities by GTIN, and the receipt itself."""
    ordered = sorted(receipts.items(), key=lambda item: (item[1].left_ns, item[0]))
    return [
        {"visit": visit, "lines": lines_of(receipt), "receipt": msgspec.to_builtins(receipt.transaction)}
        for visit, receipt in ordered
    ]


def lines_of(receipt: Receipt) -> dict[str, int]:
    """Quantities by GTIN."""
    counts: Counter[str] = Counter()
    for line in receipt.transaction.line_item:
        counts[line.item_id] += line.quantity
    return dict(sorted(counts.items()))


def receipts_text(document: Document) -> str:
    """The document as JSON, laid out the same way every time."""
    return json.dumps(document, indent=2) + "\n"


def read_receipts(path: Path) -> Document:
    """The document in a file.

    Raises:
        ReceiptsError: there is no such file, or it holds no receipts.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReceiptsError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ReceiptsError(f"{path}: is not JSON ({error})") from error
    if not isinstance(found, list) or not all(isinstance(r, dict) and {"visit", "lines"} <= set(r) for r in found):
        raise ReceiptsError(f"{path}: is not a list of receipts, each with visit and lines")
    return found


def difference(expected: Document, actual: Document, names: Mapping[str, str]) -> list[str]:
    """What differs, in words, one line each; ``names`` are those of items by GTIN. Empty where nothing does."""
    before, after = ({receipt["visit"]: receipt for receipt in side} for side in (expected, actual))
    out = []
    for visit in dict.fromkeys([*before, *after]):
        if visit not in after:
            out.append(f"visit {visit}: no receipt any more; expected {_told(before[visit]['lines'], names)}")
        elif visit not in before:
            out.append(f"visit {visit}: a receipt that was not expected: {_told(after[visit]['lines'], names)}")
        else:
            out += [f"visit {visit}: {line}" for line in _changed(before[visit], after[visit], names)]
    if not out and [r["visit"] for r in expected] != [r["visit"] for r in actual]:
        out.append("the receipts are the same, in another order")
    return out


def _changed(before: dict[str, Any], after: dict[str, Any], names: Mapping[str, str]) -> list[str]:
    out = []
    for sku in sorted({*before["lines"], *after["lines"]}):
        was, now = before["lines"].get(sku, 0), after["lines"].get(sku, 0)
        if was != now:
            out.append(f"expected {was} × {names.get(sku, '?')} ({sku}), got {now}")
    old, new = before.get("receipt", {}), after.get("receipt", {})
    if not out:
        out += [f"{key}: expected {old.get(key)!r}, got {new.get(key)!r}"
                for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]  # fmt: skip
    elif old.get("Total") != new.get("Total"):
        out.append(f"Total: expected {old.get('Total')}, got {new.get('Total')}")
    return out


def _told(lines: Mapping[str, int], names: Mapping[str, str]) -> str:
    return ", ".join(f"{count} × {names.get(sku, '?')} ({sku})" for sku, count in lines.items()) or "nothing"
