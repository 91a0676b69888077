"""The scoreboard: the gauntlet's numbers on fixed seeds, kept in the repository, so that nothing gets worse unnoticed.

In: ``tests/scoreboard.json``. Out: a new one with ``python -m sims.lab.scoreboard``, on purpose; or what fell, for a
test that plays a part of it again.
"""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.console import Console

from sims.lab.gauntlet import OUT, GauntletRequest, gauntlet
from sims.lab.gauntlet_table import COLUMNS, cells, rows
from sims.lab.run import write_json
from smartstore.console import print_table

FILE = Path("tests/scoreboard.json")
SEEDS = tuple(range(1, 5))
MEASURES = ("f1", "f1_unsold")
LEAST_NOISE = 0.02
"""A family whose seeds all agree may still fall by this."""

Board = Mapping[str, Any]


class ScoreboardError(Exception):
    """A scoreboard that cannot be read; one line."""


def board(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is kept: per family the means, how far they spread from seed to seed, and every seed by itself."""
    families: dict[str, Any] = {}
    for row in rows([dict(result) for result in results])[:-1]:
        mine = sorted((r for r in results if r["family"] == row.family), key=lambda r: int(r["seed"]))
        families[row.family] = {
            **{name: round(mean(r[name] for r in mine), 4) for name in MEASURES},
            "exact_unsold": round(row.exact_unsold, 4), "review": round(row.review, 4),
            "baseline_f1": None if row.baseline_f1 is None else round(row.baseline_f1, 4),
            "spread": {name: round(_spread([r[name] for r in mine]), 4) for name in MEASURES},
            "seeds": {str(r["seed"]): [round(r[name], 4) for name in MEASURES] for r in mine},
        }  # fmt: skip
    return {"fidelity": "edge", "measures": list(MEASURES), "families": families}


def _spread(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def read_board(path: Path = FILE) -> Board:
    """The kept scoreboard; raises :class:`ScoreboardError`."""
    try:
        kept: Board = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise ScoreboardError(f"{path}: cannot be read ({error}); make one with make scoreboard") from error
    return kept


def falls(kept: Board, results: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for every family whose mean over the seeds of ``results`` fell by more than its noise.

    Noise is the standard error of a mean over so many seeds, from the spread of the kept ones.
    """
    lines = []
    for family in dict.fromkeys(str(result["family"]) for result in results):
        entry = kept["families"].get(family)
        mine = [r for r in results if r["family"] == family and entry and str(r["seed"]) in entry["seeds"]]
        for i, name in enumerate(MEASURES if mine else ()):
            was, now = mean(entry["seeds"][str(r["seed"])][i] for r in mine), mean(r[name] for r in mine)
            noise = max(LEAST_NOISE, entry["spread"][name] / math.sqrt(len(mine)))
            if now < was - noise:
                seeds = ", ".join(str(r["seed"]) for r in mine)
                lines.append(f"{family}: {name} fell from {was:.3f} to {now:.3f} on seeds {seeds}, noise {noise:.3f}")
    return lines


def main() -> None:
    """Plays the gauntlet on the scoreboard's seeds, says what fell, and writes the new numbers."""
    console = Console(stderr=True, markup=False)
    request = GauntletRequest(SEEDS, out=OUT / "scoreboard", resume="--resume" in sys.argv)
    with console.status("starting ...") as status:
        results = gauntlet(request, lambda step: status.update(str(step)))
    if FILE.is_file():
        for line in falls(read_board(), results):
            print(line)
    write_json(FILE, board(results))
    print(request.title)
    print_table(COLUMNS, cells(results))


if __name__ == "__main__":
    main()
