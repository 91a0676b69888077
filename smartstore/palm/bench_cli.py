"""``smartstore palm bench``: error rates and speed of recognising palms.

In: numbers of people. Out: a table, ``bench.json`` and ``det.png`` in a folder. What is done is kept at once: a bench
that is interrupted goes on where it was.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from smartstore.console import print_table

if TYPE_CHECKING:
    from smartstore.palm.bench import BenchResult, Progress
    from smartstore.palm.bench_indexes import IndexResult

OUT = Path("data/runs/palm-bench")


class PalmBenchError(Exception):
    """A bench that cannot be run; one line."""


def bench(
    people: Annotated[
        list[int] | None, typer.Option(min=1, max=20_000_000, help="How many are enrolled; may be said several times")
    ] = None,
    palms: Annotated[
        int, typer.Option(min=1, help="Palms shown of enrolled people, and as many of strangers")
    ] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Other people, other captures")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for the results")] = OUT,
    indexes: Annotated[bool, typer.Option("--indexes", help="Compare indexes instead, for the same people")] = False,
) -> None:
    """Measure FMR, FNMR and speed among 1,000, 100,000 and 1,000,000 people of a model; draws the DET curve."""
    sizes = sorted(set(people or [1_000, 100_000, 1_000_000]))
    out.mkdir(parents=True, exist_ok=True)
    if indexes:
        _indexes(sizes, seed, out)
        return
    from smartstore.palm.bench import bench as run_bench
    from smartstore.palm.bench_picture import draw_det

    file = out / "bench.json"
    done = {result.people: result for result in _read(file) if (result.seed, result.palms) == (seed, palms)}
    with _progress() as progress:
        for size in sizes:
            if size not in done:
                done[size] = run_bench(size, palms, seed, progress)
                kept = [done[known] for known in sorted(done)]
                _write(file, kept)
                draw_det(out / "det.png", kept)
    _show([done[size] for size in sizes])
    typer.echo(f"{file} and {out / 'det.png'}")


def _indexes(sizes: list[int], seed: int, out: Path) -> None:
    from smartstore.palm.bench import some_templates
    from smartstore.palm.bench_indexes import compare

    results: list[IndexResult] = []
    for size in sizes:
        for result in compare(*some_templates(size, seed)):
            typer.echo(f"{result.index} among {result.people:,}: recall {result.recall:.4f}", err=True)
            results.append(result)
            _write(out / "indexes.json", results)
    head = ("index", "people", "build s", "MB", "p50 ms", "p95 ms", "right person first")
    print_table(head, [
        (r.index, f"{r.people:,}", f"{r.build_s:.1f}", f"{r.megabytes:.0f}", f"{r.p50_ms:.2f}", f"{r.p95_ms:.2f}",
         f"{r.recall:.4f}") for r in results
    ])  # fmt: skip


def _show(results: "list[BenchResult]") -> None:
    head = ("people", "FNMR", "FMR", "taken for another", "CPU p50 ms", "CPU p95 ms", "wall p95 ms", "recall", "MB")
    print_table(head, [
        (f"{r.people:,}", f"{r.at_options.fnmr:.4f}", f"{r.at_options.fmr:.4f}",
         f"{r.at_options.taken_for_another:.4f}",
         f"{r.speed.cpu_p50_ms:.2f}", f"{r.speed.cpu_p95_ms:.2f}", f"{r.speed.wall_p95_ms:.2f}",
         f"{r.speed.recall:.4f}", f"{r.template_mb:.0f}") for r in results
    ])  # fmt: skip
    attacks = [(a.attack, f"{a.pass_liveness:.3f}", f"{a.match:.3f}", f"{a.let_in:.3f}") for a in results[-1].attacks]
    print_table(("copies of palms", "look alive", "match", "let in"), attacks)


def _read(file: Path) -> "list[BenchResult]":
    from smartstore.palm.bench import BenchResult

    if not file.exists():
        return []
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[BenchResult])
    except msgspec.DecodeError as error:
        raise PalmBenchError(f"{file}: was not written by this program ({error}); move it away") from error


def _write(file: Path, results: "list[BenchResult] | list[IndexResult]") -> None:
    """All of it or what was there before."""
    part = file.with_suffix(".partial")
    part.write_text(json.dumps(msgspec.to_builtins(results), indent=2) + "\n")
    part.replace(file)


@contextmanager
def _progress() -> "Iterator[Progress]":
    """What is being done, on standard error."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True, markup=False), transient=True) as bar:
        task = bar.add_task("palms", total=1.0)
        yield lambda what, done: bar.update(task, description=what, completed=done)
