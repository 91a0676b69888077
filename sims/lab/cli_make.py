"""``smartstore sim …``: what is drawn, fitted and learned once, and kept."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sims.lab.cli_options import seed_range
from smartstore.console import print_whole

app = typer.Typer()


@app.command()
def dataset(
    out: Annotated[Path, typer.Option(help="Folder of the set; rendering goes on where it stopped")],
    pictures: Annotated[int, typer.Option(min=1, help="How many pictures, in shards of a hundred")] = 3000,
    store: Annotated[Path, typer.Option(help="Store document")] = Path("configs/stores/corner.yaml"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything")] = 1,
    wide: Annotated[bool, typer.Option("--wide", help="Random looks and camera poses instead of the shipped ones")] = (
        False
    ),
) -> None:
    """Render a labelled set of people for `smartstore vision train` and `eval`."""
    from rich.progress import Progress

    from sims.lab.dataset import render_dataset

    console = Console(stderr=True, markup=False)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("pictures", total=pictures)
        counts = render_dataset(
            store, out, pictures, seed, wide, lambda done, wanted: bar.update(task, completed=done, total=wanted)
        )
    print(f"{out}: " + ", ".join(f"{count} pictures to {split}" for split, count in counts.items()))


@app.command()
def portraits(
    out: Annotated[Path, typer.Option(help="Folder of the set; rendering goes on where it stopped")] = Path(
        "data/runs/portraits"
    ),
    pictures: Annotated[int, typer.Option(min=1, help="How many pictures, in shards of 25 in one light")] = 600,
    store: Annotated[Path, typer.Option(help="Store document")] = Path("configs/stores/corner.yaml"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything")] = 11,
) -> None:
    """Render people one by one and large, for `smartstore vision examine`."""
    from rich.progress import Progress

    from sims.lab.portraits import render_portraits

    console = Console(stderr=True, markup=False)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("pictures", total=pictures)
        count = render_portraits(store, out, pictures, seed, lambda done, _: bar.update(task, completed=done))
    print(f"{out}: {count} pictures")


@app.command()
def pictures(
    store: Annotated[Path, typer.Option(help="Store document")],
    out: Annotated[Path, typer.Option(help="Folder, for example data/catalogues/pictures/corner")],
) -> None:
    """Draw a catalogue picture of every product of a store; name the folder as ``pictures`` in its catalogue."""
    from sims.building import BuildingError
    from sims.lab.pictures import save_pictures

    try:
        print(f"{len(save_pictures(store, out))} pictures in {out}")
    except BuildingError as error:
        raise typer.BadParameter(str(error), param_hint="--store") from error


@app.command("fit-edge")
def fit_edge(
    stores: Annotated[
        list[Path] | None, typer.Option(help="Store document; may be given several times, the seeds take turns")
    ] = None,
    scenario: Annotated[Path, typer.Option(help="Who comes; played in every store")] = Path(
        "configs/scenarios/corner-rush.yaml"
    ),
    seeds: Annotated[str, typer.Option(help="Seeds to fit to, A-B")] = "6-10",
    held_out: Annotated[str, typer.Option(help="Seeds to judge the fit by, A-B")] = "400-401",
    seconds: Annotated[float, typer.Option(min=10, help="Event time recorded of each run")] = 65.0,
    out: Annotated[Path, typer.Option(help="Model to write; its picture lies beside it")] = Path(
        "configs/edge/default.yaml"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the goodness of fit as JSON and nothing else")] = False,
) -> None:
    """Fit the error model of edge cameras to the real detector on rendered frames."""
    from sims.lab.fit_edge import STORES, FitRequest
    from sims.lab.fit_edge import fit_edge as fit
    from sims.lab.fit_edge_goodness import table

    fitted_to, judged_by = tuple(seed_range(seeds)), tuple(seed_range(held_out, "--held-out"))
    request = FitRequest(tuple(stores or STORES), scenario, fitted_to, judged_by, out, seconds=seconds)
    console = Console(stderr=True, markup=False)
    with console.status("starting ...") as status:
        fitted = fit(request, lambda step: status.update(f"{step.what}  {step.share:.0%}"))
    if as_json:
        print(json.dumps(fitted, indent=2))
        return
    rows = Table("held-out seeds", "measured", "fitted", "set by hand", title=str(out))
    for row in table(fitted["goodness"]):
        rows.add_row(*row)
    print_whole(rows)


@app.command()
def learn(
    seeds: Annotated[str, typer.Option(help="Seeds to learn from, A-B")] = "1001-1002",
    held_out: Annotated[str, typer.Option(help="Seeds to judge by, A-B")] = "1101-1101",
    only: Annotated[list[str] | None, typer.Option(help="Family of the gauntlet; may be given several times")] = None,
    out: Annotated[Path, typer.Option(help="Settings to write; the reliability diagram lies beside them")] = Path(
        "configs/learned.yaml"
    ),
    shares: Annotated[
        bool, typer.Option("--shares", help="Count only how often signs hint rightly; the rest of the file stays")
    ] = False,
    judge: Annotated[
        bool,
        typer.Option("--judge", help="Move no parameter: say what those that there are, are worth in these stories"),
    ] = False,
) -> None:
    """Learn what evidence is worth from simulated runs, and how far its probabilities can be trusted."""
    from sims.lab.learn import LearnRequest, recount, rejudge
    from sims.lab.learn import learn as learn_from
    from sims.lab.learn_stories import Progress
    from smartstore.pipeline import PipelineOptions
    from smartstore.service import pipeline_options
    from smartstore.settings import read_settings

    request = LearnRequest(tuple(seed_range(seeds)), tuple(seed_range(held_out, "--held-out")), out, tuple(only or ()))
    with Console(stderr=True, markup=False).status("starting ...") as status:

        def show(step: Progress) -> None:
            status.update(f"{step.what}  {step.share:.0%}")

        as_learned = pipeline_options(read_settings(None))
        if shares:
            told = recount(request, as_learned, show)
        elif judge:
            told = rejudge(request, PipelineOptions(), as_learned, show)
        else:
            told = learn_from(request, PipelineOptions(), show)
    print(json.dumps(told["learned"], indent=2))
