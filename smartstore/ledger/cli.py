"""``smartstore carts | receipts | receipt | refund``: what the journal of a store holds.

In: a journal. Out: tables or JSON; refunds as events in it. The commands are mounted by :mod:`smartstore.cli`.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from smartstore.console import print_json, print_table

if TYPE_CHECKING:
    from smartstore.ledger.database import Again
    from smartstore.ledger.journal import Journal
    from smartstore.wire.messages import Receipt

DEFAULT_DB = "sqlite:///data/runs/journal.db"

Db = Annotated[str, typer.Option("--db", envvar="SMARTSTORE_DB", help="Journal: a file or a database URL")]
StoreFile = Annotated[Path | None, typer.Option("--store", help="Store document, for the names of items")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else")]

app = typer.Typer()


@app.command()
def carts(db: Db = DEFAULT_DB, store: StoreFile = None, as_json: AsJson = False) -> None:
    """Show the carts of visits that are not settled yet."""
    from smartstore.ledger.cart import fold

    names = names_of(store)
    with open_journal(db) as journal:
        found = [fold(visit, journal.events(visit)) for visit in journal.open_visits()]
    if as_json:
        print_json([{"visit": c.visit, "state": c.state, "lines": dict(c.lines), "in_doubt": dict(c.in_doubt),
                     "cases": c.cases} for c in found])  # fmt: skip
        return
    rows = [(c.visit, c.state, ", ".join(f"{count} × {names.get(sku, sku)}" for sku, count in c.lines) or "empty",
             ", ".join(c.cases)) for c in found]  # fmt: skip
    print_table(("visit", "state", "cart", "open cases"), rows)


@app.command()
def receipts(
    db: Db = DEFAULT_DB,
    unpaid: Annotated[bool, typer.Option("--unpaid", help="Only those that are not paid, or disputed")] = False,
    as_json: AsJson = False,
) -> None:
    """List the settled receipts."""
    with open_journal(db) as journal:
        found = [receipt.transaction for receipt in journal.receipts()]
    if unpaid:
        found = [transaction for transaction in found if transaction.transaction_status in ("Unpaid", "Disputed")]
    if as_json:
        print_json(found)
        return
    rows = [(t.transaction_id, t.end_date_time, str(sum(line.quantity for line in t.line_item)),
             _money(t.total, t.currency_code), t.transaction_status) for t in found]  # fmt: skip
    print_table(("receipt", "left", "items", "total", "status"), rows)


@app.command()
def receipt(
    name: Annotated[str, typer.Argument(metavar="ID", help="Receipt or visit")],
    db: Db = DEFAULT_DB,
    as_json: AsJson = False,
) -> None:
    """Show one receipt; the newest version, where people's verdicts made several."""
    from smartstore.ledger.journal import JournalError
    from smartstore.ledger.settlement import visit_of
    from smartstore.ledger.verdicts import cart_of

    with open_journal(db) as journal:
        versions = journal.receipt_versions(name)
        if not versions:
            raise JournalError(f"there is no receipt {name} in this journal; `smartstore receipts` lists them")
        newest = versions[-1].transaction
        cases = cart_of(journal, visit_of(newest)).cases
    if as_json:
        print_json(newest)
    else:
        _print_receipt(versions, cases)


@app.command()
def refund(
    name: Annotated[str, typer.Argument(metavar="ID", help="Receipt or visit")],
    by: Annotated[str, typer.Option(help="Who gives the money back")],
    everything: Annotated[bool, typer.Option("--all", help="Void the receipt: all that is on it")] = False,
    sku: Annotated[str | None, typer.Option(help="What, with --quantity")] = None,
    quantity: Annotated[int | None, typer.Option(min=1, help="How many of it")] = None,
    db: Db = DEFAULT_DB,
) -> None:
    """Give money back for what is on a receipt; a running service does so by itself, as events like any other."""
    from smartstore.ledger.refunds import refunded

    with open_journal(db) as journal:
        events = refunded(journal, name, None if everything else (sku, quantity), by, time.time_ns())
        journal.append(events)
    for event in events:
        typer.echo(f"{name}: {event.case}")


def open_journal(db: str, create: bool = False, again: "Again | None" = None) -> "Journal":
    """The journal at ``db``, a file or a database URL; ``create`` makes it where there is none."""
    from smartstore.ledger.journal import Journal

    url = url_of(db)
    if create and url == DEFAULT_DB:
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return Journal(url, create, again)


def url_of(db: str) -> str:
    """The URL of a database that is named by a file or by its URL."""
    return db if "://" in db else f"sqlite:///{db}"


def file_of(db: str) -> Path | None:
    """The file of a journal; None for one in memory or on a server."""
    file = db.removeprefix("sqlite:///")
    return None if "://" in file or file in ("", ":memory:") else Path(file)


def state_folder(db: str, store: str, service: str) -> Path:
    """Where a service keeps what it needs after a crash: beside the file of the journal, or in data/runs."""
    file = file_of(db)
    return Path("data/runs") / f"{store}-{service}.state" if file is None else file.with_suffix(".state")


def names_of(store: Path | None) -> dict[str, str]:
    """Names by SKU in the catalogue of a store document; none without one."""
    from smartstore.site import load_site

    return {} if store is None else {sku: item.name for sku, item in load_site(store).items.items()}


def _print_receipt(versions: "list[Receipt]", cases: tuple[str, ...]) -> None:
    transaction = versions[-1].transaction
    currency = transaction.currency_code
    lines = Table(box=None, show_header=False)
    for _ in range(3):
        lines.add_column(justify="right")
    lines.columns[1].justify = "left"
    for line in transaction.line_item:
        lines.add_row(f"{line.quantity} ×", line.description, _money(line.extended_amount, currency))
    lines.add_row("", "total", _money(transaction.total, currency))
    for tax in transaction.tax:
        lines.add_row("", f"  contains {tax.percent:g} % tax", _money(tax.amount, currency))
    console = Console(markup=False)
    console.print(f"{transaction.transaction_id}  {transaction.end_date_time}  {transaction.transaction_status}")
    console.print(lines)
    for former in versions[:-1]:
        total = _money(former.transaction.total, currency)
        console.print(f"version {former.seq} had a total of {total}, before a person decided a case")
    for case in cases:
        console.print(f"left off, to be reviewed: {case}")


def _money(minor: int, currency: str) -> str:
    from smartstore.domain.money import Money

    return str(Money(minor, currency))
