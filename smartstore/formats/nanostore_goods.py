"""What the NanoStore sells: products and the places they have.

In: ``products.json`` and ``planogram.json``. Out: goods with GTINs and grams, and placements on plates; a finding for
every label that cannot be true.
"""

import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from smartstore.formats.nanostore_source import Findings, number
from smartstore.site.checks import gtin_check_digit

LEAST_GRAMS = 10.0
"""Lighter goods are a wrong label: no scale of the store would feel them."""
GRAMS_OF = {"fl oz": 29.57, "oz": 28.35, "ml": 1.0, "ltr": 1000.0, "l": 1000.0, "g": 1.0}
CONTENTS = re.compile(r"(\d*\.?\d+)\s*(fl\.? oz|oz|ml|ltr|l|g)\b", re.IGNORECASE)

Plate = tuple[int, int, int]
"""Gondola, shelf and plate, counted from 1."""


@dataclass(frozen=True, slots=True)
class Good:
    """A product. ``grams`` is what its label says, or what stands in for it."""

    gtin: str
    name: str
    price_minor: int
    grams: float


@dataclass(frozen=True, slots=True)
class Placement:
    """A facing: one product on neighbouring plates of one shelf, counted from 1."""

    gondola: int
    shelf: int
    plates: tuple[int, ...]
    gtin: str


def gtin_of(code: str) -> str | None:
    """The GTIN that a bar code of the data stands for; None where it is none.

    Six digits are a UPC-E without number system and check digit; it is expanded to UPC-A (GS1 General Specifications,
    section 5.2.2.4.2).
    """
    if not code.isascii() or not code.isdigit():
        return None
    if len(code) == 6:
        a, last = code, int(code[5])
        if last <= 2:
            body = a[:2] + a[5] + "0000" + a[2:5]
        elif last == 3:
            body = a[:3] + "00000" + a[3:5]
        elif last == 4:
            body = a[:4] + "00000" + a[4]
        else:
            body = a[:5] + "0000" + a[5]
        return "0" + body + gtin_check_digit("0" + body + "0")
    return code if len(code) in (8, 12, 13) and gtin_check_digit(code) == code[-1] else None


def read_goods(entries: Iterable[Mapping[str, Any]], findings: Findings) -> dict[str, Good]:
    """Goods by GTIN."""
    rows = [(str((entry.get("product_id") or {}).get("id", "")), entry.get("metadata") or {}) for entry in entries]
    weights = [grams for _, about in rows if (grams := number(about.get("weight"))) and grams >= LEAST_GRAMS]
    prices = [price for _, about in rows if (price := number(about.get("price"))) and price > 0]
    usual_grams = statistics.median(weights) if weights else 150.0
    usual_price = statistics.median(prices) if prices else 1.0
    goods: dict[str, Good] = {}
    for code, about in rows:
        gtin = gtin_of(code)
        if gtin is None:
            findings.add("a product's code is no GTIN", code or "(empty)", "product left out")
            continue
        if gtin in goods:
            findings.add("a product is there twice", code, "the first one counts")
            continue
        if gtin != code:
            findings.add("a product's code is a UPC-E of six digits", f"{code} = {gtin}", "expanded to UPC-A")
        name = " ".join(str(about.get("name") or "").split())[:120]
        price = number(about.get("price"))
        if not name:
            findings.add("a product has no name", code, "named by its code")
        if not price or price <= 0:
            findings.add("a product has no price", f"{code} {name}", f"the usual price, {usual_price:g}, stands in")
        goods[gtin] = Good(
            gtin, name or code, round(100 * (price or usual_price)), _grams(code, name, about, findings, usual_grams)
        )
    return goods


def believable_grams(value: Any) -> float | None:
    """A weight on a label, unless it cannot be that of goods."""
    grams = number(value)
    return grams if grams is not None and LEAST_GRAMS <= grams <= 20_000.0 else None


def _grams(code: str, name: str, about: Mapping[str, Any], findings: Findings, usual: float) -> float:
    grams = believable_grams(about.get("weight"))
    if grams is None:
        said = number(about.get("weight"))
        what = "a label has no weight" if not said else f"a label's weight cannot be true ({said:g} g)"
        findings.add(what, f"{code} {name}", f"the median of all products, {usual:.1f} g, stands in")
        return usual
    found = CONTENTS.search(name)
    if found and grams < 0.97 * (least := float(found[1]) * GRAMS_OF[found[2].lower().replace(".", "")]):
        what = "a label weighs less than the contents in its name"
        findings.add(what, f"{code} {name}: {grams:g} g, contents {least:.0f} g", "kept as labelled")
    return grams


def read_planogram(
    entries: Iterable[Mapping[str, Any]], goods: Mapping[str, Good], plates: Iterable[Plate], findings: Findings
) -> tuple[Placement, ...]:
    """Placements that share no plate, each of one product on neighbouring plates of one shelf."""
    there, taken = set(plates), dict[Plate, str]()
    out: list[Placement] = []
    for entry in entries:
        code = str((entry.get("planogram_product_id") or {}).get("id", ""))
        gtin = gtin_of(code)
        on = plates_of(entry.get("plate_ids"))
        where = f"{code} on {', '.join('-'.join(map(str, plate)) for plate in sorted(on)[:3])}"
        if gtin is None or gtin not in goods:
            findings.add("the planogram has a product that products.json has not", where, "facing left out")
            continue
        if unknown := on - there:
            findings.add("the planogram names plates that do not exist", where, "these plates left out", len(unknown))
        if doubled := on & set(taken):
            others = {taken[plate] for plate in doubled}
            findings.add("two products on one plate", f"{where}, {', '.join(sorted(others))}", "the first one counts")
        on = (on & there) - set(taken)
        taken |= dict.fromkeys(on, gtin)
        runs = _runs(on)
        if len(runs) > 1:
            findings.add("a facing with a gap, or on several shelves", where, "several facings", len(runs))
        out += [Placement(g, s, run, gtin) for g, s, run in runs]
        if len(on) > 1:
            findings.add("a facing spans several plates", f"{where}: {len(on)}", "one facing on all of them")
    return tuple(sorted(out, key=lambda place: (place.gondola, place.shelf, place.plates)))


def plates_of(listed: Any) -> set[Plate]:
    """The plates in a list of plate ids; what is no plate id is left out."""
    out = set()
    for one in listed if isinstance(listed, list) else []:
        shelf = one.get("shelf_id") or {}
        try:
            out.add((int(shelf["gondola_id"]["id"]), int(shelf["shelf_index"]), int(one["plate_index"])))
        except (KeyError, TypeError, ValueError):
            continue
    return out


def _runs(plates: Iterable[Plate]) -> list[tuple[int, int, tuple[int, ...]]]:
    """Gondola, shelf and neighbouring plates."""
    runs: list[tuple[int, int, tuple[int, ...]]] = []
    for gondola, shelf, plate in sorted(plates):
        if runs and runs[-1][:2] == (gondola, shelf) and runs[-1][2][-1] == plate - 1:
            runs[-1] = (gondola, shelf, (*runs[-1][2], plate))
        else:
            runs.append((gondola, shelf, (plate,)))
    return runs


def without(place: Placement, plates: Iterable[int]) -> Placement | None:
    """What is left of a facing when ``plates`` of its shelf go to another product: the longest part; None: nothing."""
    left = set(place.plates) - set(plates)
    runs = [run for *_, run in _runs((place.gondola, place.shelf, plate) for plate in left)]
    return replace(place, plates=max(runs, key=len)) if runs else None
