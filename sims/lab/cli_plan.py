"""``smartstore sim …``: what a planner asks: sweeps, comparisons, reports."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from sims.lab.batch import Progress
from smartstore.console import print_table, print_whole

app = typer.Typer()
Workers = Annotated[int, typer.Option(min=1, max=256, help="Processes on this machine")]
Scheduler = Annotated[str | None, typer.Option(help="A Dask cluster instead, like tcp://host:8786")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on: keep results of the same runs; not after a change")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else")]
CORES = os.cpu_count() or 1


@app.command()
def sweep(
    plan: Annotated[Path, typer.Argument(help="Plan of a sweep, for example configs/sweeps/corner-crowd.yaml")],
    workers: Workers = CORES,
    scheduler: Scheduler = None,
    resume: Resume = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the runs and results.parquet")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a store again and again with fields of its documents varied; one row of measures per run, as Parquet."""
    from sims.lab.measures import shown
    from sims.lab.score import without_receipts
    from sims.lab.sweep import RESULTS, summary
    from sims.lab.sweep import sweep as carry_out

    with _bar() as watch:
        folder, rows = carry_out(plan, workers, scheduler, resume, out, watch)
    failed = [row for row in rows if row["failed"]]
    if as_json:
        print(json.dumps({"results": str(folder / RESULTS), "rows": rows}, indent=2, default=str))
        return
    head, lines = summary(rows)
    cells = [
        tuple(shown(name, v) if isinstance(v, float) else str(v) for name, v in zip(head, line, strict=True))
        for line in lines
    ]
    print(f"{plan.stem}: means over seeds")
    print_table(tuple(name.replace("_", " ") for name in head), cells)
    for row in failed[:5]:
        print(f"failed: {', '.join(f'{name} {row[name]}' for name in row if name in head)}: {row['failed']}")
    if mute := sum(bool(row["visits"]) and row["receipt_p50_s"] is None for row in rows):
        print(without_receipts(mute), file=sys.stderr)
    print(f"{len(rows) - len(failed)} runs, {len(failed)} failed: {folder / RESULTS}")


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    """A progress bar with the time left, on stderr; on no terminal a line now and then."""
    console = Console(stderr=True, markup=False)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting ...", total=None)
        tenths = -1

        def see(step: Progress) -> None:
            nonlocal tenths
            minutes, seconds = divmod(round(step.left_s), 60)
            failed = f", {step.failed} failed" if step.failed else ""
            bar.update(task, completed=step.done, total=step.total, description=f"{minutes}:{seconds:02d} left{failed}")
            now = 10 * step.done // max(1, step.total)
            if not console.is_terminal and now != tenths:
                tenths = now
                console.print(str(step), highlight=False, soft_wrap=True)

        try:
            yield see
        except KeyboardInterrupt:
            console.print("interrupted: finished runs are kept, go on with --resume", highlight=False, soft_wrap=True)
            raise


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Scenario, store or edit document")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one, or an edit of the first")],
    first_seed: Annotated[int, typer.Option(min=0, help="Seed of the first pair")] = 1,
    pairs: Annotated[int, typer.Option(min=2, max=10_000, help="At most so many pairs of runs")] = 40,
    scenario: Annotated[Path | None, typer.Option(help="Scenario in which stores are compared")] = None,
    settings: Annotated[Path | None, typer.Option(help="Settings of the pipeline")] = None,
    prices: Annotated[Path | None, typer.Option(help="Price list, like configs/prices.yaml")] = None,
    workers: Workers = CORES,
    scheduler: Scheduler = None,
    resume: Resume = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the runs and compare.json")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two designs on the same seeds: every measure with its interval, a verdict in words, no run too many."""
    from sims.lab.batch import write_json
    from sims.lab.compare import OUT, document, in_words
    from sims.lab.compare import compare as carry_out
    from sims.lab.measures import BY_NAME, shown

    folder = out or OUT / f"{a.stem}-{b.stem}"
    with _bar() as watch:
        found = carry_out(
            a, b, first_seed, pairs, workers, scheduler, resume, folder, scenario, settings, prices, watch
        )
    write_json(folder / "compare.json", document(found))
    if as_json:
        print(json.dumps(document(found), indent=2))
        return
    table = Table("measure", "A", "B", "B - A", "interval", "", title=f"A: {found.a}   B: {found.b}")
    for row in found.findings:
        values = (shown(row.measure, value, found.currency) for value in (row.a, row.b, row.difference))
        interval = " to ".join(shown(row.measure, value) for value in (row.low, row.high))
        decides = BY_NAME[row.measure].decides
        table.add_row(BY_NAME[row.measure].title, *values, interval, row.verdict if decides else "")
    print_whole(table)
    print("\n".join(in_words(found)))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN_OR_SWEEP", help="Folder of a run or of a sweep")],
    out: Annotated[Path | None, typer.Option(help="File to write; report.html in the folder by default")] = None,
    store: Annotated[Path | None, typer.Option(help="Store document of a run in place of the recorded one")] = None,
    prices: Annotated[Path | None, typer.Option(help="Price list, like configs/prices.yaml")] = None,
    settings: Annotated[Path | None, typer.Option(help="Settings that the run had")] = None,
) -> None:
    """Write a run or a sweep as one HTML file: paths, zones, goods, receipts, money, devices, coverage, sensitivity."""
    from sims.lab.report import report as make

    with Console(stderr=True, markup=False).status("starting ...") as status:
        file = make(folder, out, store, prices, settings, lambda step: status.update(f"{step} ..."))
    print(f"{file} ({file.stat().st_size / 1e6:.1f} MB)")
