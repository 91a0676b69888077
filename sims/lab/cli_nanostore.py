"""``smartstore sim nanostore``: labelled scripts of a real store, played again."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sims.lab.cli_options import seed_range
from smartstore.console import print_table

app = typer.Typer()


@app.command()
def nanostore(
    data: Annotated[Path, typer.Option(envvar="SMARTSTORE_NANOSTORE", help="Root folder of the NanoStore data")] = Path(
        "../shared/nanostore"
    ),
    scripts: Annotated[Path | None, typer.Option(help="Labelled scripts instead of those of the data")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of bodies, scales and cameras")] = 1,
    seeds: Annotated[str | None, typer.Option(help="Several seeds, A-B; shows their mean")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Case to play; may be given several times")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for one result per run, its scenario and store")] = Path(
        "data/runs/nanostore"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Keep results of the same stories; not after a change")] = (
        False
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON and nothing else")] = False,
) -> None:
    """Play labelled scripts of the AiFi NanoStore in its imported geometry, scored as the competition was."""
    from sims.lab.nanostore import NanoStoreRequest, stages, winner_scores
    from sims.lab.nanostore import nanostore as play
    from sims.lab.nanostore_table import COLUMNS, cells, document

    numbers = [seed] if seeds is None else seed_range(seeds)
    request = NanoStoreRequest(data, numbers, scripts, tuple(only or ()), workers, out, resume)
    winner, console = winner_scores(data), Console(stderr=True, markup=False)
    staged, problems = stages(request)
    notes = [note for stage in staged for note in stage.story.notes]
    for line in [] if as_json else notes:
        console.print(f"note: {line}", style="dim", highlight=False, soft_wrap=True)
    for line in problems:
        console.print(f"not played: {line}", highlight=False, soft_wrap=True)
    with console.status("starting ...") as status:
        results = play(request, staged, lambda step: status.update(str(step)))
    if as_json:
        print(json.dumps(document(results, winner, problems, notes), indent=2))
    else:
        print(f"NanoStore scripts, edge fidelity, seeds {seeds or seed}; F1 of receipts with what is in doubt left off")
        print_table(COLUMNS, cells(results, winner))
        if winner:
            mean = sum(f1 for _, f1 in winner) / len(winner)
            print(f"the competition's winner: {mean:.3f} over {len(winner)} submissions of recorded cases")
