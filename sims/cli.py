"""``smartstore sim …``: the simulated building from the command line."""

import json
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live as Screen
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

app = typer.Typer(
    help="The simulated building: run scenarios and score what the product made of them.", no_args_is_help=True
)


class Fidelity(StrEnum):
    """What the cameras send: rendered pictures, or what a smart camera makes of them."""

    frames = "frames"
    edge = "edge"


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
    as_json: Annotated[bool, typer.Option("--json", help="Print the score as JSON and nothing else")] = False,
) -> None:
    """Run a scenario to settled receipts and score them against the truth."""
    from sims.lab.run import RunRequest
    from sims.lab.run import run as run_scenario

    numbers: Sequence[int | None] = [seed] if seeds is None else _seed_range(seeds)
    results = []
    for number in numbers:
        folder = out if out is None or seeds is None else out / str(number)
        request = RunRequest(scenario, store, number, fidelity.value, cameras_fps, broker, folder, settings, edge)
        with _Spectator() as watch:
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
    store: Annotated[Path | None, typer.Option(help="Store document, if it was moved or changed since")] = None,
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
    Console(file=sys.stdout).print(table)


@app.command()
def trackers(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs with edge fidelity")],
    store: Annotated[Path | None, typer.Option(help="Store document, if it was moved or changed since")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON and nothing else")] = False,
) -> None:
    """Compare our floor tracker with ByteTrack and BoT-SORT of every camera, merged on the floor, on recorded runs."""
    from sims.lab.trackers import report

    report(runs, store, as_json)


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

    console = Console(stderr=True)
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

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("pictures", total=pictures)
        count = render_portraits(store, out, pictures, seed, lambda done, _: bar.update(task, completed=done))
    print(f"{out}: {count} pictures")


def _seed_range(text: str, option: str = "--seeds") -> list[int]:
    first, dash, last = text.partition("-")
    if not (first.isdecimal() and (last.isdecimal() or not dash)) or int(last or first) < int(first):
        raise typer.BadParameter(f"{text!r} is not a range of seeds; write for example 1-10", param_hint=option)
    return list(range(int(first), int(last or first) + 1))


def mean_score(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean of every number over runs; other values are kept where all runs agree."""
    mean: dict[str, Any] = {}
    for key, value in results[0].items():
        column = [result[key] for result in results]
        if isinstance(value, dict):
            mean[key] = mean_score(column)
        elif key == "seed":
            mean[key] = column
        elif isinstance(value, int | float):
            numbers = [x for x in column if x is not None]
            mean[key] = sum(numbers) / len(numbers) if numbers else None
        elif all(x == value for x in column):
            mean[key] = value
    return mean


class _Spectator:
    """A live display on stderr when that is a terminal, drawn a few times a second; silent otherwise."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live: Any = None
        self._screen = Screen(console=self._console, refresh_per_second=8, transient=True, get_renderable=self._picture)

    def __enter__(self) -> Callable[[Any], None]:
        if self._console.is_terminal:
            self._screen.start()
        return self._see

    def __exit__(self, *error: object) -> None:
        if self._console.is_terminal:
            self._screen.stop()

    def _see(self, live: Any) -> None:
        self._live = live

    def _picture(self) -> Group | Text:
        return Text("starting the store ...") if self._live is None else picture(self._live)


def picture(live: Any) -> Group:
    """What a run looks like at this moment."""
    factor = live.t_s / live.wall_s if live.wall_s else 0.0
    head = Text(
        f"{live.scenario} seed {live.seed}   event time {live.t_s:6.1f} s   inside {live.inside}   "
        f"{factor:.1f} x real time   doubts {live.cases}   renderer {live.renderer}"
    )
    table = Table("visit", "cart", "receipt", expand=True)
    for visit, lines in sorted(live.carts.items()):
        total = live.receipts.get(visit)
        table.add_row(visit[:8], lines or "-", "" if total is None else f"{total / 100:.2f}")
    return Group(head, ProgressBar(total=max(live.duration_s, live.t_s, 1.0), completed=live.t_s), table)


def _show(results: Sequence[dict[str, Any]]) -> None:
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
    Console(file=sys.stdout).print(table)


def _cell(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"


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

    fitted_to, judged_by = tuple(_seed_range(seeds)), tuple(_seed_range(held_out, "--held-out"))
    request = FitRequest(tuple(stores or STORES), scenario, fitted_to, judged_by, out, seconds=seconds)
    console = Console(stderr=True)
    with console.status("starting ...") as status:
        fitted = fit(request, lambda step: status.update(f"{step.what}  {step.share:.0%}"))
    if as_json:
        print(json.dumps(fitted, indent=2))
        return
    rows = Table("held-out seeds", "measured", "fitted", "set by hand", title=str(out))
    for row in table(fitted["goodness"]):
        rows.add_row(*row)
    Console(file=sys.stdout).print(rows)


@app.command()
def learn(
    seeds: Annotated[str, typer.Option(help="Seeds to learn from, A-B")] = "1001-1002",
    held_out: Annotated[str, typer.Option(help="Seeds to judge by, A-B")] = "1101-1101",
    only: Annotated[list[str] | None, typer.Option(help="Family of the gauntlet; may be given several times")] = None,
    out: Annotated[Path, typer.Option(help="Settings to write; the reliability diagram lies beside them")] = Path(
        "configs/learned.yaml"
    ),
) -> None:
    """Learn what evidence is worth from simulated runs, and how far its probabilities can be trusted."""
    from sims.lab.learn import LearnRequest
    from sims.lab.learn import learn as learn_from
    from smartstore.pipeline import PipelineOptions

    request = LearnRequest(
        tuple(_seed_range(seeds)), tuple(_seed_range(held_out, "--held-out")), out, tuple(only or ())
    )
    with Console(stderr=True).status("starting ...") as status:
        told = learn_from(request, PipelineOptions(), lambda step: status.update(f"{step.what}  {step.share:.0%}"))
    print(json.dumps(told["learned"], indent=2))


@app.command()
def fidelity(
    scenarios: Annotated[list[Path], typer.Argument(help="Scenario documents")],
    seeds: Annotated[str, typer.Option(help="Seeds, A-B")] = "1-5",
    edge: Annotated[Path | None, typer.Option(help="Error model of edge cameras")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the runs; those that are there are not run again")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON and nothing else")] = False,
) -> None:
    """Run scenarios in both fidelities and show the results side by side."""
    from sims.lab.fidelity import compare, document, markdown

    console = Console(stderr=True)
    with _Spectator() as watch:
        rows = compare(scenarios, _seed_range(seeds), out, edge, watch, console.log)
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
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON and nothing else")] = False,
) -> None:
    """Play every known failure of such stores, and show per family what became of the receipts."""
    from sims.lab.gauntlet import GauntletRequest
    from sims.lab.gauntlet import gauntlet as play
    from sims.lab.gauntlet_table import document, table

    request = GauntletRequest(
        _seed_range(seeds), only or (), fidelity.value, mode.value, without.value if without else None, noise, workers,
        out, resume,
    )  # fmt: skip
    console = Console(stderr=True)
    with console.status("starting ...") as status:
        results = play(request, lambda step: status.update(str(step)))
    if as_json:
        print(json.dumps(document(results), indent=2))
    else:
        Console(file=sys.stdout).print(table(results, request.title))


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
    from sims.lab.crowd import crowd as play
    from sims.lab.crowd import document, table

    numbers = rates.split(",")
    if not all(number.strip().isdecimal() and 0 < int(number) <= 1000 for number in numbers):
        raise typer.BadParameter(f"{rates!r} are no rates; write for example 20,60,120", param_hint="--rates")
    console = Console(stderr=True)
    with console.status("starting ...") as status:
        points = play(
            scenario, sorted({int(number) for number in numbers}), _seed_range(seeds), minutes, workers, out, resume,
            lambda step: status.update(str(step)),
        )  # fmt: skip
    if as_json:
        print(json.dumps(document(points), indent=2))
    else:
        Console(file=sys.stdout).print(table(points, f"{scenario.stem}, seeds {seeds}, {minutes:g} minutes"))


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

    numbers = tuple(_seed_range(seeds))
    try:
        result = trial(Trial(store, numbers, visits, "true" if true_people else "detector", pictures, out))
    except TrialError as error:
        raise typer.BadParameter(str(error), param_hint="--store") from error
    print(json.dumps(result, indent=2)) if as_json else show(result)


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

    result = report(store, nanostore, _seed_range(seeds), out)
    if as_json:
        print(json.dumps(result, indent=2))
        return
    table = Table("measure", "quantile", "recorded", "simulated", "may differ", "agrees", title=result["source"])
    for row in result["rows"]:
        numbers = (f"{row[key]:.3g} {row['unit']}" for key in ("recorded", "simulated", "most_off"))
        table.add_row(row["measure"], f"p{row['quantile']:g}", *numbers, "yes" if row["agrees"] else "NO")
    Console(file=sys.stdout).print(table)
