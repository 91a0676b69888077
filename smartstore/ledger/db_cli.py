"""``smartstore db upgrade | check``: the tables of a journal.

In: a database. Out: its tables in another version, or what was found in them. Mounted by :mod:`smartstore.cli`.
"""

from typing import Annotated

import typer

from smartstore.ledger.cli import DEFAULT_DB, open_journal, url_of

app = typer.Typer(help="The tables of a journal.", no_args_is_help=True)

Where = Annotated[
    str, typer.Option("--database", "--db", envvar="SMARTSTORE_DB", help="Journal: a file or a database URL")
]


@app.command()
def upgrade(
    revision: Annotated[str, typer.Argument(metavar="VERSION", help="A version, or base for no tables")] = "",
    database: Where = DEFAULT_DB,
) -> None:
    """Make the tables, or bring them to this program's version, or to another one; events stay as they are."""
    from smartstore.ledger.database import NEWEST, shown, version_of
    from smartstore.ledger.database import upgrade as migrate

    migrate(url_of(database), revision or NEWEST)
    typer.echo(f"{shown(url_of(database))}: version {version_of(url_of(database)) or 'base'}")


@app.command()
def check(database: Where = DEFAULT_DB) -> None:
    """Say whether the tables are this program's, and every event and receipt can be read and adds up."""
    from smartstore.ledger.audit import audit
    from smartstore.ledger.database import shown, version_of

    url = url_of(database)
    with open_journal(database) as journal:
        found = audit(journal)
    for problem in found.problems:
        typer.echo(f"{shown(url)}: {problem}", err=True)
    if found.problems:
        raise typer.Exit(2)
    typer.echo(
        f"{shown(url)}: version {version_of(url)}; {found.events} events of {found.visits} visit"
        f"{'s' * (found.visits != 1)}, {found.receipts} receipts, {found.open} not settled, {found.unpaid} unpaid"
    )
