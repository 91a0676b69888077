"""A picture of how well an error model stands for the detector: measured against predicted curves.

In: what the detector, the fitted model and the one set by hand made of the same scenes. Out: a PNG.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sims.lab.fit_edge_goodness import LAGS_S, SHOWN_BINS, SIZE_BINS_PX, Seen, by_bins, error_memory, spreads

STYLES = (("measured", "o", "black"), ("fitted", "-", "tab:blue"), ("set by hand", "--", "tab:orange"))


def draw_fit(path: Path, real: Seen, fitted: Seen, former: Seen) -> None:
    """Six panels of curves."""
    from matplotlib.figure import Figure

    all_three = (real, fitted, former)
    figure = Figure(figsize=(13, 7.5), layout="constrained")
    panels = figure.subplots(2, 3).ravel()
    _bins(panels[0], all_three, "share of joints that show", lambda seen: seen.rows.features[:, 2], SHOWN_BINS)
    _bins(panels[1], all_three, "pixels tall (person of 1.7 m)", lambda seen: seen.rows.tall_px, SIZE_BINS_PX)
    panels[1].set_xscale("log")
    values = [spreads(seen.rows) for seen in all_three]
    _shares(panels[2], [v["score"] for v in values], "score of a person")
    _shares(panels[3], [v["seen_wrists_error"] for v in values], "error of wrists that show, share of height", 0.08)
    _shares(panels[4], [v["covered_ankles_knees_error"] for v in values], "error of covered knees and ankles", 0.6)
    middles = (LAGS_S[:-1] + LAGS_S[1:]) / 2
    for (label, style, colour), seen in zip(STYLES, all_three, strict=True):
        panels[5].plot(middles, error_memory(seen.rows), style, color=colour, label=label)
    panels[5].set(xlabel="seconds between frames", ylabel="correlation of joint errors", ylim=(0, 1))
    panels[0].legend()
    figure.suptitle("The detector on rendered frames, and its error model, on scenes that no fit has seen")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def _bins(panel: Any, three: tuple[Seen, ...], label: str, values: Callable[[Seen], Any], edges: Any) -> None:
    for (name, style, colour), seen in zip(STYLES, three, strict=True):
        middle, share, _ = by_bins(seen.rows, values(seen), edges)
        panel.plot(middle, share, style, color=colour, label=name)
    panel.set(xlabel=label, ylabel="share found", ylim=(0, 1.02))


def _shares(panel: Any, values: list[Any], label: str, most: float | None = None) -> None:
    """Distribution functions."""
    for (name, style, colour), column in zip(STYLES, values, strict=True):
        if len(column):
            at = np.linspace(0, 1, 41 if style == "o" else 201)
            panel.plot(np.quantile(column, at), at, style, color=colour, label=name, markersize=3)
    panel.set(xlabel=label, ylabel="share below", xlim=(0 if most else None, most))
