"""What the command lines share: what they print, and how they are told of a broker.

In: rows and data. Out: tables and JSON on standard output.
"""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

Credentials = Annotated[
    Path | None,
    typer.Option(
        help="File with username, password and ca_file of the broker; else SMARTSTORE_MQTT_USERNAME and _PASSWORD"
    ),
]
CaFile = Annotated[Path | None, typer.Option(help="Certificates to trust with mqtts://")]


class Level(StrEnum):
    """What is worth a line in the log."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


LogLevel = Annotated[Level, typer.Option(help="What is worth a line on standard error")]
LogJson = Annotated[bool, typer.Option("--log-json", help="Lines of JSON instead of lines of text")]

LEAST_COLUMN = 24
"""Characters of a column beside the first one, before the table grows beyond the terminal."""


def print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table whose first column is never cut nor squeezes the others: it may be wider than a terminal."""
    table = Table(*head)
    table.columns[0].no_wrap = True  # an id that is cut cannot be copied
    table.columns[0].overflow = "fold"
    table.columns[0].min_width = max((len(row[0]) for row in rows), default=0)
    for row in rows:
        table.add_row(*row)
    console = Console(markup=False)  # brackets in names of goods and stores are no markup
    natural = console.measure(table, options=console.options.update(width=10_000)).maximum
    least = (table.columns[0].min_width or 0) + LEAST_COLUMN * (len(head) - 1)
    console.width = max(console.width, min(natural, least))
    console.print(table)


def print_whole(table: Table) -> None:
    """A table as wide as its longest cells, in a pipe, too: numbers that are cut are worth nothing."""
    console = Console(file=sys.stdout, markup=False)
    console.width = max(console.width, console.measure(table, options=console.options.update(width=10_000)).maximum)
    console.print(table)


def print_json(data: Any) -> None:
    """Messages, facts or plain data as indented JSON."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(data), indent=2).decode())
