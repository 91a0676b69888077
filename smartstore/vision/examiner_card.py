"""The examiner's part of the model card.

In: the figures of :mod:`smartstore.vision.examiner`. Out: lines of Markdown, with every table as it is.
"""

import textwrap
from typing import Any

Figures = dict[str, Any]
FACING, STEEP, BRIGHT = (
    "turned to the camera with",
    "camera looks down by, degrees",
    "mean brightness of the person, 0–255",
)
TABLES = (
    ("height_px", "height in the picture, px (everybody looked at)"),
    ("visible", "share of the body that shows (everybody looked at)"),
    ("facing", FACING),
    ("neighbour", "nearest other person, in radii of the circle around the body (0-50 %: closer than half)"),
    ("camera", "camera"),
    ("elevation_deg", STEEP),
    ("brightness", BRIGHT),
    ("body", "body"),
    ("set", "set and looks (each look by itself: in the file)"),
)
PORTRAIT_TABLES = (
    ("facing", FACING),
    ("doing", "doing"),
    ("gear", "shopping with"),
    ("set", "set and light (wide: random looks)"),
    ("elevation_deg", STEEP),
    ("brightness", BRIGHT),
    ("body", "body"),
)
LEAST_IN_ROW = 5
"""Rows of fewer people are left to the JSON file."""


def section(figures: Figures) -> list[str]:
    """Title, who counts, the headlines, the tables, the examiner's habits and the photographs."""
    rule = figures["rule"]
    about = f"""`{figures["network"]}` (BlazePose, Apache-2.0, fetched on demand, not part of this project) has seen
        only photographs of real people. `smartstore vision examine` lets it judge the rendered ones: PCK@0.2 torso over
        seen joints, its crop aligned by the labels (middle of the hips, circle around the body, trunk upright),
        nothing corrected. Who counts: all 17 joints in the picture, at least {100 * rule["least_visible"]:.0f} % of the
        body shows, at least {rule["least_height_px"]:.0f} px tall. All figures are in `examiner.json`."""
    lines = ["## What an independent examiner says", "", *_said(about)]
    if figures.get("portraits", {}).get("drawn"):
        lines += _portraits(figures["portraits"])
    return [*lines, *_as_sent(figures), *_photographs(figures)]


def _portraits(figures: Figures) -> list[str]:
    """The verdict on portraits: what the bodies are worth, as far as the examiner can say."""
    counted = figures["counted"]
    about = f"""**Portraits**: one person a picture, from the place of one of the store's cameras that has the whole
        body in its picture, turned and zoomed until the body fills 256 pixels; nobody else's hips within the circle
        around the body. Scenes, clothes, gear, goods, shelves and lights as everywhere. {figures["drawn"]} were drawn
        and all were looked at; of {figures["drawn"] - counted["people"]} more than the rule allows is behind a shelf,
        a neighbour or their own basket."""
    return [
        *_said(about),
        *_headline(figures),
        *_said("Contact sheet: `data/pictures/examiner-portraits.jpg` (worst, middle, best by score)."),
        *_parts(counted),
        *[line for name, title in PORTRAIT_TABLES for line in _table(figures[f"by_{name}"], title)],
        *_habits(figures["habits"]),
    ]


def _as_sent(figures: Figures) -> list[str]:
    """The verdict on pictures as the cameras send them."""
    counted, fair = figures["counted"], figures["counted_large_and_alone"]
    if not counted["people"]:
        return []
    easy = f"""It looks at one person in a crop of 256 pixels. {fair["people"]} of them are at least 120 px tall and
        have nobody else's middle in the circle: {_n(fair, "all")} over all, {_n(fair, "wrists")} over wrists."""
    return [
        *_said("**Pictures as the cameras send them**: people far away and close together, as the detector gets them."),
        *_headline(figures),
        *_said(easy),
        *_said(
            "Contact sheet: `data/pictures/examiner.jpg` (worst, middle, best by score; labels green, its own red)."
        ),
        *_parts(counted),
        *[line for name, title in TABLES for line in _table(figures[f"by_{name}"], title)],
        *_habits(figures["habits"]),
    ]


def _headline(figures: Figures) -> list[str]:
    counted, others = figures["counted"], figures["counted_but_for_mirrored"]
    return _said(
        f"""**{counted["people"]} people: {_n(counted, "all")} over all seen joints, {_n(counted, "wrists")}
        over {counted.get("wrists_seen", 0)} seen wrists, somebody recognised in {_n(counted, "presence")} of the
        crops.** It took front for back in {100 * figures["mirrored_share"]:.1f} % of them; {_n(others, "all")} and
        {_n(others, "wrists")} without."""
    )


def _said(text: str) -> list[str]:
    """A paragraph, wrapped, and an empty line."""
    return [*textwrap.wrap(" ".join(text.split()), 118, break_on_hyphens=False), ""]


def _parts(counted: Figures) -> list[str]:
    names = ("head", "shoulders", "elbows", "wrists", "hips", "knees", "ankles")
    return [
        "| " + " | ".join(names) + " |",
        "|---" * len(names) + "|",
        "| " + " | ".join(_n(counted, name) for name in names) + " |",
        "",
    ]


def _table(rows: Figures, title: str) -> list[str]:
    lines = [f"| {title} | people | all joints | wrists | recognised |", "|---|---|---|---|---|"]
    for name, row in rows.items():
        if row["people"] >= LEAST_IN_ROW:
            lines.append(
                f"| {name} | {row['people']} | {_n(row, 'all')} | {_n(row, 'wrists')} | {_n(row, 'presence')} |"
            )
    return [*lines, ""]


def _habits(habits: Figures) -> list[str]:
    """Joints that the examiner puts elsewhere by at least 3 % of the torso."""
    moved = {name: at for name, at in habits.items() if max(map(abs, at)) >= 0.03}
    if not moved:
        return []
    said = "; ".join(f"{name} {aside:+.2f} / {up:+.2f}" for name, (aside, up) in moved.items())
    return _said(f"Its joints sit elsewhere by habit (median, torso lengths, to the person's left / upwards): {said}.")


def _photographs(figures: Figures) -> list[str]:
    small = """What smallness alone does to it: real photographs, shrunk until the circle around the body has this
        diameter and sent as JPEG, against its own answers on the full photographs (joints it sees there)."""
    ours = """The other way round, our networks on the same real photographs. Boxes there were marked by eye; agreement
        is of our joints with the examiner's, from the boxes found and from the marked ones."""
    lines = [*_said(small), "| px | people | all joints | wrists |", "|---|---|---|---|"]
    for name, row in figures["photographs_made_small"].items():
        lines.append(f"| {name} | {row['people']} | {_n(row, 'share')} | {_n(row, 'wrists_share')} |")
    lines += [
        "",
        *_said(ours),
        "| photograph | people | found (at score 0.1) | other boxes | joints agree, found | joints agree, marked |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in figures["photographs"].items():
        agree = [
            f"{part['right']} of {part['joints']}" if part["joints"] else "–"
            for part in (row["agreement_on_found_boxes"], row["agreement_on_marked_boxes"])
        ]
        found = f"{row['found']} ({row['found_at_0.1']})"
        lines.append(f"| {name} | {row['people']} | {found} | {row['other_boxes']} | {agree[0]} | {agree[1]} |")
    return [*lines, ""]


def _n(row: Figures, key: str) -> str:
    value = row.get(key)
    return "–" if value is None else f"{value:.3f}"
