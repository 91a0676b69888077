"""The nouns of a report: pages of sections of tables, pictures and words; and how a page becomes a file.

In: a :class:`Page`. Out: one HTML file with everything in it, that asks nobody for anything.
"""

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path

from sims.building import Building
from sims.lab import report_pictures as pictures
from sims.lab.cost import Cost, Prices
from sims.lab.coverage import coverage
from sims.lab.measures import shown
from smartstore.site import Site
from smartstore.site.writing import write_whole

TEMPLATE = Path(__file__).with_name("report.html")


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a caption. Numbers stand right."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    """So many columns from the left are words."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its caption and what it shows in words."""

    caption: str
    alt: str
    png: bytes

    @property
    def source(self) -> str:
        """The picture as a data URL."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"

    @property
    def tall(self) -> bool:
        """Whether two of it have room beside each other; width and height are where every PNG has them."""
        return int.from_bytes(self.png[16:20], "big") < 1.2 * int.from_bytes(self.png[20:24], "big")


@dataclass(slots=True)
class Section:
    """A heading and what stands below it, in this order."""

    title: str
    parts: list[Table | Picture | str] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """Its name in links."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report."""

    title: str
    about: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def write(file: Path, page: Page) -> None:
    """Render a page, whole or not at all. Raises EditError where it cannot be written."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.tests["table"] = lambda part: isinstance(part, Table)
    environment.tests["picture"] = lambda part: isinstance(part, Picture)
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(page=page)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, text.encode("utf-8"))


def hardware_section(cost: Cost, prices: Prices) -> Section:
    """The list of devices with their cost."""
    rows = [
        (
            line.what,
            str(line.count),
            shown("hardware_minor", line.each_minor),
            shown("hardware_minor", line.minor),
            line.source,
        )
        for line in cost.lines
    ]
    rows.append(("all", "", "", shown("hardware_minor", cost.hardware_minor), ""))
    head = ("device", "count", "each", "together", "price from")
    table = Table(f"Devices and what they cost, {cost.currency}.", head, tuple(rows))
    month = (
        f"A month, over {cost.years:g} years and with power ({shown('month_minor', cost.power_month_minor)}): "
        f"{shown('month_minor', cost.month_minor, cost.currency)}. A review costs "
        f"{shown('review_minor', prices.running.review.minor, cost.currency)}."
    )
    return Section("Hardware", [table, month])


def coverage_section(site: Site, building: Building, inside: float) -> Section:
    """What the cameras see, with as many people as there were."""
    found = coverage(site)
    crowded = coverage(site, min(5.0, inside / max(1.0, len(found.floor_m) * found.step_m**2)))
    rows = tuple(
        (what, *(f"{share:.0%}" for share in shares))
        for what, shares in (
            ("free floor", found.floor), ("shelf faces", found.shelf),
            ("free floor, with people", crowded.floor), ("shelf faces, with people", crowded.shelf),
        )
    )  # fmt: skip
    blind = ", ".join(found.blind_facings) or "none"
    spots = "; ".join(f"{s.area_m2:.1f} m² around ({s.x_m:.1f}, {s.y_m:.1f})" for s in found.blind_floor[:8]) or "none"
    parts: list[Table | Picture | str] = [
        Table("Share that at least so many cameras see.", ("what", "1", "2", "3"), rows),
        Table("Share of the shelf faces with enough pixels per metre for each class of IEC 62676-4:2025.",
              ("class", "share"), tuple((name, f"{share:.0%}") for name, share in found.classes.items())),
        f"Blind facings: {blind}. Blind floor: {spots}.",
    ]  # fmt: skip
    plan = pictures.seen_floor(building, found.floor_m, found.floor_chance, found.step_m)
    alt = "Plan of the store, brighter where more cameras see the floor"
    parts.append(Picture("Cameras that see each place of the free floor", alt, plan))
    return Section("Coverage", parts)
