"""``smartstore sim …``: how good the product is, measured."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sims.lab.cli_options import Fidelity, seed_range
from sims.lab.spectator import Spectator
from smartstore.console import print_table, print_whole

app = typer.Typer()

Looks = Annotated[
    Path | None,
    typer.Option(
        help="Folder that keeps what networks saw of pictures, and is asked first; not after a change of sims"
    ),
]


@app.command()
def fidelity(
    scenarios: Annotated[list[Path], typer.Argument(help="Scenario documents")],
    seeds: Annotated[str, typer.Option(help="Seeds, A-B")] = "1-5",
    edge: Annotated[Path | None, typer.Option(help="Error model of edge cameras")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the scores; runs whose are there are not played again")
    ] = None,
    looks: Looks = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON and nothing else")] = False,
) -> None:
    """Run scenarios in both fidelities and show the results side by side."""
    from sims.lab.fidelity import compare, document, markdown

    console = Console(stderr=True, markup=False)
    with Spectator() as watch:
        rows = compare(scenarios, seed_range(seeds), out, edge, looks, watch, console.log)
    print(json.dumps(document(rows), indent=2) if as_json else markdown(rows))


class Mode(StrEnum):
    """Which devices of the shelves there are."""

    both = "both"
    weights = "weights"
    cameras = "cameras"


class Without(StrEnum):
    """What the product has to do without."""

    weight = "weight"
    shelf_cameras = "shelf-cameras"
    reach = "reach"
    planogram = "planogram"
    living_planogram = "living-planogram"
    joint = "joint"


@app.command()
def gauntlet(
    seeds: Annotated[str, typer.Option(help="Seeds, A-B; the stores take turns")] = "1-3",
    fidelity: Annotated[Fidelity, typer.Option(help="frames: pictures; edge: what smart cameras send")] = Fidelity.edge,
    only: Annotated[list[str] | None, typer.Option(help="Family to play; may be given several times")] = None,
    mode: Annotated[Mode, typer.Option(help="weights: shelf cameras are off; cameras: scales are off")] = Mode.both,
    without: Annotated[Without | None, typer.Option(help="What the product has to do without")] = None,
    noise: Annotated[
        float, typer.Option(min=0.1, max=10, help="Errors of scales and smart cameras, times what they usually are")
    ] = 1.0,
    workers: Annotated[int, typer.Option(min=1, help="Processes")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for one result per case, and its scenario")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Keep results of the same stories; not after a change")] = (
        False
    ),
    looks: Looks = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON and nothing else")] = False,
) -> None:
    """Play every known failure of such stores, and show per family what became of the receipts."""
    from sims.lab.gauntlet import GauntletRequest
    from sims.lab.gauntlet import gauntlet as play
    from sims.lab.gauntlet_table import COLUMNS, cells, document

    request = GauntletRequest(
        seed_range(seeds), only or (), fidelity.value, mode.value, without.value if without else None, noise, workers,
        out, resume, looks,
    )  # fmt: skip
    console = Console(stderr=True, markup=False)
    with console.status("starting ...") as status:
        results = play(request, lambda step: status.update(str(step)))
    if as_json:
        print(json.dumps(document(results), indent=2))
    else:
        print(request.title)
        print_table(COLUMNS, cells(results))


@app.command()
def crowd(
    scenario: Annotated[Path, typer.Argument(help="Scenario document with shoppers drawn from the seed")] = Path(
        "configs/scenarios/corner-rush.yaml"
    ),
    rates: Annotated[str, typer.Option(help="Shoppers per hour, with commas between")] = "20,60,120,180,240",
    seeds: Annotated[str, typer.Option(help="Seeds, A-B")] = "1-5",
    minutes: Annotated[float, typer.Option(min=0.5, max=240, help="Event time during which people come")] = 10.0,
    workers: Annotated[int, typer.Option(min=1, help="Processes")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for the runs and crowd.png")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Keep results of the same runs; not after a change")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the curve as JSON and nothing else")] = False,
) -> None:
    """Show how right receipts stay against shoppers per hour, with confidence intervals over seeds."""
    from sims.lab.crowd import COLUMNS, cells, document
    from sims.lab.crowd import crowd as play

    numbers = rates.split(",")
    if not all(number.strip().isdecimal() and 0 < int(number) <= 1000 for number in numbers):
        raise typer.BadParameter(f"{rates!r} are no rates; write for example 20,60,120", param_hint="--rates")
    console = Console(stderr=True, markup=False)
    with console.status("starting ...") as status:
        points = play(
            scenario, sorted({int(number) for number in numbers}), seed_range(seeds), minutes, workers, out, resume,
            lambda step: status.update(str(step)),
        )  # fmt: skip
    if as_json:
        print(json.dumps(document(points), indent=2))
    else:
        print(f"{scenario.stem}, seeds {seeds}, {minutes:g} minutes; 95 % over seeds")
        print_table(COLUMNS, cells(points))


@app.command()
def facings(
    store: Annotated[Path, typer.Option(help="Store document")] = Path("configs/stores/corner.yaml"),
    seeds: Annotated[
        str, typer.Option(help="Seeds, A-B; each draws camera pose, light, prints, stock and people")
    ] = "1-3",
    out: Annotated[Path | None, typer.Option(help="Folder for the figures and the sheet of failures")] = None,
    pictures: Annotated[bool, typer.Option(help="Whether the reader has a catalogue picture per item")] = True,
    true_people: Annotated[bool, typer.Option("--true-people", help="Exact people instead of the detector's")] = False,
    visits: Annotated[int, typer.Option(min=1, max=100, help="Visits to the shelf per seed")] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON and nothing else")] = False,
) -> None:
    """Try the reader of shelf cameras: takes, put-backs, misplaced items, touches, people in the way."""
    from sims.lab.facing_trial import Trial, TrialError, show, trial

    numbers = tuple(seed_range(seeds))
    try:
        result = trial(Trial(store, numbers, visits, "true" if true_people else "detector", pictures, out))
    except TrialError as error:
        raise typer.BadParameter(str(error), param_hint="--store") from error
    print(json.dumps(result, indent=2)) if as_json else show(result)


@app.command("scale-report")
def scale_report(
    store: Annotated[Path, typer.Option(help="Store document whose load cells are simulated")] = Path(
        "configs/stores/corner.yaml"
    ),
    nanostore: Annotated[
        Path | None, typer.Option(help="Root folder of the NanoStore recording; without it, its published quantiles")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds of the simulated load cells, A-B")] = "0-5",
    out: Annotated[Path, typer.Option(help="Folder for scales.json and scales.png")] = Path("data/runs/scales"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON and nothing else")] = False,
) -> None:
    """Compare simulated load cells with recorded ones, quantile by quantile."""
    from sims.lab.scale_report import report

    result = report(store, nanostore, seed_range(seeds), out)
    if as_json:
        print(json.dumps(result, indent=2))
        return
    table = Table("measure", "quantile", "recorded", "simulated", "may differ", "agrees", title=result["source"])
    for row in result["rows"]:
        numbers = (f"{row[key]:.3g} {row['unit']}" for key in ("recorded", "simulated", "most_off"))
        table.add_row(row["measure"], f"p{row['quantile']:g}", *numbers, "yes" if row["agrees"] else "NO")
    print_whole(table)


@app.command()
def trackers(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders of runs with edge fidelity, or scenario documents")
    ],
    store: Annotated[Path | None, typer.Option(help="Store document in place of the recorded one")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON and nothing else")] = False,
) -> None:
    """Compare our floor tracker with ByteTrack and BoT-SORT per camera, merged on the floor, on the same messages."""
    from sims.lab.trackers import report

    report(runs, store, as_json)
