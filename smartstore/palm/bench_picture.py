"""The DET curve of the palm service: FMR against FNMR of the whole path, for different numbers of people enrolled.

In: results of :mod:`smartstore.palm.bench`. Out: a picture.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from smartstore.palm.bench import BenchResult

_COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#805ad5")
_LEAST_FMR, _LEAST_FNMR = 3e-8, 2e-3


def draw_det(path: Path, results: Sequence[BenchResult]) -> None:
    """Both error rates on logarithmic axes; a ring marks the service's own limit of distance.

    Where strangers were hardly ever mistaken, the rate of single comparisons among most people says how often.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 6.2), layout="constrained")
    axes = figure.subplots()
    most = max(results, key=lambda result: result.people)
    for result, colour in zip(results, _COLOURS, strict=False):
        fnmr = np.array([rates.fnmr for rates in result.curve])
        fmr = np.array([rates.fmr for rates in result.curve])
        axes.plot(fmr[fmr > 0], fnmr[fmr > 0], color=colour, lw=2.5, label=f"{result.people:,} enrolled")
        single = result.people * np.array([rates.fmr_of_one for rates in most.curve])
        few = (single > 0) & (single < 2e-3)
        axes.plot(single[few], fnmr[few], color=colour, lw=1.2, ls="--")
        at, one = result.at_options, most.at_options.fmr_of_one or 3 / most.palms / most.people
        known = most.at_options.fmr_of_one > 0
        axes.plot(result.people * one, at.fnmr, "o" if known else "<", ms=9, mfc="none", mec=colour, mew=2)
    axes.set(xscale="log", yscale="log", xlim=(_LEAST_FMR, 0.1), ylim=(_LEAST_FNMR, 0.3))
    axes.set_xlabel("FMR: presentations by strangers that let them in as anybody")
    axes.set_ylabel("FNMR: presentations by enrolled people that do not let them in")
    axes.grid(which="both", alpha=0.25)
    axes.legend(loc="upper right", frameon=False)
    axes.set_title("Palms, single presentations, liveness failures included", loc="left")
    axes.text(0.015, 0.015, _words(most), transform=axes.transAxes, va="bottom", family="monospace", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _words(result: BenchResult) -> str:
    """What happens to copies of enrolled palms."""
    head = f"{'copies of palms':16}{'alive':>7}{'match':>7}{'let in':>8}"
    rows = [
        f"{attack.attack:16}{attack.pass_liveness:7.1%}{attack.match:7.1%}{attack.let_in:8.1%}"
        for attack in result.attacks
    ]
    words = [
        f"ring: the service's limit, {result.at_options.most_distance:.2f} (triangle: 95 % certain that FMR is below)",
        f"dashed: people times the rate of a single comparison, of {result.palms * result.people:,}",
    ]
    return "\n".join([head, *rows, "", *words])
