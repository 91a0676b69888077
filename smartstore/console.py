"""What the command lines print. In: rows and data. Out: tables and JSON on standard output."""

from collections.abc import Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table


def print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table whose first column is never cut."""
    table = Table(*head)
    table.columns[0].no_wrap = True  # an id that is cut cannot be copied
    table.columns[0].overflow = "fold"
    table.columns[0].min_width = max((len(row[0]) for row in rows), default=0)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def print_json(data: Any) -> None:
    """Messages, facts or plain data as indented JSON."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(data), indent=2).decode())
