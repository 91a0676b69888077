"""``smartstore sim …``: the simulated building from the command line."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from sims.lab import cli_bench, cli_faults, cli_make, cli_nanostore, cli_plan, cli_site
from sims.lab.cli_options import Fidelity, seed_range
from sims.lab.spectator import Spectator
from smartstore.console import print_whole

app = typer.Typer(
    help="The simulated building: run scenarios and score what the product made of them.", no_args_is_help=True
)


@app.callback()
def sim() -> None:
    """The simulated building."""


@app.command()
def run(
    scenario: Annotated[
        Path, typer.Argument(help="Scenario document, for example configs/scenarios/corner-quiet.yaml")
    ],
    store: Annotated[Path | None, typer.Option(help="Store document instead of the scenario's own")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed instead of the scenario's own")] = None,
    seeds: Annotated[str | None, typer.Option(help="Several seeds, A-B; shows their mean")] = None,
    fidelity: Annotated[Fidelity, typer.Option(help="frames: pictures; edge: what smart cameras send")] = Fidelity.edge,
    cameras_fps: Annotated[
        float | None, typer.Option(min=0.1, max=60, help="Frame rate of all ceiling cameras")
    ] = None,
    broker: Annotated[str | None, typer.Option(help="mqtt://host:port of a broker of yours")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results")] = None,
    settings: Annotated[Path | None, typer.Option(help="Settings of the pipeline, like configs/pipeline.yaml")] = None,
    edge: Annotated[
        Path | None, typer.Option(help="Error model of edge cameras, like configs/edge/default.yaml")
    ] = None,
    faults: Annotated[Path | None, typer.Option(help="What goes wrong, like configs/faults/rough-network.yaml")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the score as JSON and nothing else")] = False,
) -> None:
    """Run a scenario to settled receipts and score them against the truth."""
    from sims.lab.run import RunRequest
    from sims.lab.run import run as run_scenario
    from sims.lab.score import mean_score
    from smartstore.faults import load_faults

    plan = load_faults(faults) if faults is not None else None
    numbers: Sequence[int | None] = [seed] if seeds is None else seed_range(seeds)
    results = []
    for number in numbers:
        folder = out if out is None or seeds is None else out / str(number)
        request = RunRequest(scenario, store, number, fidelity.value, cameras_fps, broker, folder, settings, edge, plan)
        with Spectator() as watch:
            results.append(run_scenario(request, watch))
    if as_json:
        print(json.dumps(results[0] if seeds is None else {"runs": results, "mean": mean_score(results)}, indent=2))
    else:
        _show(results)


@app.command()
def explain(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run")],
    case: Annotated[
        str | None, typer.Argument(metavar="CASE", help="A case, VISIT/SKU, or its number; left out: the list of all")
    ] = None,
    store: Annotated[Path | None, typer.Option(help="Store document in place of the recorded one")] = None,
    settings: Annotated[Path | None, typer.Option(help="Settings that the run had")] = None,
) -> None:
    """Explain what was wrong or in doubt: what happened, what was believed, and why, with a picture in RUN."""
    from sims.lab.explain import counted, listed
    from sims.lab.explain import explain as explained

    if case is not None:
        told = explained(run, case, store, settings)
        print("\n".join([*told.paragraphs, *(f"picture: {path}" for path in told.pictures)]))
        return
    found = listed(run, store)
    table = Table("number", "what", "name", title=f"{run}: {counted(found)}")
    for number, subject in enumerate(found, start=1):
        table.add_row(str(number), f"{subject.kind}: {subject.what}", subject.name)
    print_whole(table)


def _show(results: Sequence[dict[str, Any]]) -> None:
    from sims.lab.score import mean_score, without_receipts

    columns = (
        "seed",
        "sales",
        "exact_receipt_rate",
        "item_f1",
        "overcharge",
        "undercharge",
        "review_rate",
        "real_time_factor",
    )
    table = Table(
        *(name.replace("_", " ") for name in columns), title=f"{results[0]['scenario']}, {results[0]['fidelity']}"
    )
    for result in results:
        table.add_row(*(_cell(result[name]) for name in columns))
    if len(results) > 1:
        mean = mean_score(results)
        table.add_section()
        table.add_row("mean", *(_cell(mean[name]) for name in columns[1:]))
    print_whole(table)
    if mute := sum(result["shoppers"] > 0 and result["time_to_receipt_s"]["p50"] is None for result in results):
        print(without_receipts(mute), file=sys.stderr)


def _cell(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"


app.add_typer(cli_bench.app)
app.add_typer(cli_faults.app)
app.add_typer(cli_make.app)
app.add_typer(cli_plan.app)
app.add_typer(cli_nanostore.app)
app.add_typer(cli_site.app)
