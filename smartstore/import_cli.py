"""``smartstore import …``: other people's data becomes a store document and feeds.

In: a folder of theirs. Out: files of ours, each written whole or not at all, and a table of what had to be repaired,
assumed or left out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smartstore.console import print_table

if TYPE_CHECKING:
    from smartstore.formats.nanostore import Finding
    from smartstore.formats.nanostore_feed import Timed

app = typer.Typer(help="Other people's data as a store document and feeds.", no_args_is_help=True)


@app.callback()
def imports() -> None:
    """Other people's data."""


@app.command()
def nanostore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Root of the NanoStore data: store_meta, feeds, ...")],
    out: Annotated[Path, typer.Option(help="Folder for store.yaml, catalogue.yaml, and per case feed.mcap")],
) -> None:
    """Import the AiFi NanoStore: its store, and its recorded cases as feeds that can be replayed."""
    from smartstore.formats.nanostore import NanoStoreError, open_nanostore, store_files
    from smartstore.site import check_document

    data = open_nanostore(folder)
    for name, text in store_files(data.store):
        _write(out / name, text)
    problems = check_document(out / "store.yaml")
    broken = 0
    for number, case in enumerate(data.cases, start=1):
        typer.echo(f"case {number} of {len(data.cases)}: {case.name}", err=True)
        try:
            packets = data.feed(case)
        except NanoStoreError as error:
            typer.echo(f"error: {error}; this case is left out", err=True)
            broken += 1
        else:
            _record(out / case.name / "feed.mcap", packets, out / "store.yaml", case.name)
    _write(out / "findings.json", data.report())
    _show(data.findings)
    for problem in problems:
        typer.echo(f"the store lacks: {problem}", err=True)
    typer.echo(
        f"{out}: store.yaml, catalogue.yaml, planogram.csv, findings.json, {len(data.cases) - broken} feeds", err=True
    )
    if broken:
        raise typer.Exit(2)


def _show(findings: "Sequence[Finding]") -> None:
    rows = [(one.what, one.places, one.done) for one in findings]
    print_table(("found", "where", "done"), rows)


def _write(path: Path, text: str) -> None:
    """The file, whole or not at all."""
    from smartstore.site.writing import write_whole

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode("utf-8"))


def _record(path: Path, packets: "Sequence[Timed]", store: Path, case: str) -> None:
    """A feed that carries its store, whole or not at all: a packet is heard at its own time."""
    from smartstore.feed.recording import record_whole
    from smartstore.formats.nanostore_store import STORE

    path.parent.mkdir(parents=True, exist_ok=True)
    record_whole(path, STORE, store, packets, case=case)
