"""The examiner's part of the model card.

In: the figures of :mod:`smartstore.vision.examiner`. Out: lines of Markdown, with every table as it is.
"""

import textwrap
from typing import Any

Figures = dict[str, Any]
TABLES = (
    ("height_px", "height in the picture, px (everybody looked at)"),
    ("visible", "share of the body that shows (everybody looked at)"),
    ("facing", "turned to the camera with"),
    ("neighbour", "nearest other person, in radii of the circle around the body (0-50 %: closer than half)"),
    ("camera", "camera"),
    ("elevation_deg", "camera looks down by, degrees"),
    ("brightness", "mean brightness of the person, 0–255"),
    ("body", "body"),
    ("set", "set and looks (each look by itself: in the file)"),
)
LEAST_IN_ROW = 5
"""Rows of fewer people are left to the JSON file."""


def section(figures: Figures) -> list[str]:
    """Title, who counts, the headline, the tables, the examiner's habits and the photographs."""
    rule, counted = figures["rule"], figures["counted"]
    others, share = figures["counted_but_for_mirrored"], 100 * rule["least_visible"]
    about = f"""`{figures["network"]}` (BlazePose, Apache-2.0, fetched on demand, not part of this project) has seen
        only photographs of real people. `smartstore vision examine` lets it judge the rendered ones: PCK@0.2 torso over
        seen joints, its crop aligned by the labels (middle of the hips, circle around the body, trunk upright),
        nothing corrected. Who counts: all 17 joints in the picture, at least {share:.0f} % of the body shows, at least
        {rule["least_height_px"]:.0f} px tall. All figures are in `examiner.json`."""
    headline = f"""**{counted["people"]} people: {_n(counted, "all")} over all seen joints, {_n(counted, "wrists")}
        over seen wrists, somebody recognised in {_n(counted, "presence")} of the crops.** It took front for back in
        {100 * figures["mirrored_share"]:.1f} % of them; {_n(others, "all")} and {_n(others, "wrists")} without."""
    fair = figures["counted_large_and_alone"]
    easy = f"""It looks at one person in a crop of 256 pixels. {fair["people"]} of them are at least 120 px tall and
        have nobody else's middle in the circle: {_n(fair, "all")} over all, {_n(fair, "wrists")} over wrists."""
    return [
        "## What an independent examiner says",
        "",
        *_said(about),
        *_said(headline),
        *_said(easy),
        *_said(
            "Contact sheet: `data/pictures/examiner.jpg` (worst, middle, best by score; labels green, its own red)."
        ),
        *_parts(counted),
        *[line for name, title in TABLES for line in _table(figures[f"by_{name}"], title)],
        *_habits(figures["habits"]),
        *_photographs(figures),
    ]


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
