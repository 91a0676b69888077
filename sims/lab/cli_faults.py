"""``smartstore sim faults``: the command line of the table of what faults cost."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sims.lab.cli_options import Fidelity, seed_range
from smartstore.console import print_whole

app = typer.Typer()


@app.command()
def faults(
    scenario: Annotated[Path, typer.Argument(help="Scenario document, like configs/scenarios/corner-quiet.yaml")],
    plan: Annotated[
        Path, typer.Option("--faults", help="What goes wrong, like configs/faults/broken-devices.yaml")
    ] = Path("configs/faults/broken-devices.yaml"),
    seeds: Annotated[str, typer.Option(help="Seeds, A-B")] = "1-3",
    fidelity: Annotated[Fidelity, typer.Option(help="frames: pictures; edge: what smart cameras send")] = Fidelity.edge,
    workers: Annotated[int, typer.Option(min=1, help="Processes")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for the runs; data/runs/faults if not said")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Keep results of the same runs; not after a change")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON and nothing else")] = False,
) -> None:
    """Show what each fault of a document costs, alone and all together, against a run without any."""
    from sims.lab.fault_table import costs, table
    from smartstore.faults import load_faults

    console = Console(stderr=True, markup=False)
    with console.status("starting ...") as status:
        rows = costs(
            scenario, load_faults(plan), seed_range(seeds), fidelity.value, workers, out, resume,
            lambda step: status.update(str(step)),
        )  # fmt: skip
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        title = f"{scenario.stem}, {fidelity.value}, {plan.stem}, seeds {seeds}"
        print_whole(table(rows, title))
