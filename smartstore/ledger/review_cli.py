"""``smartstore review list | show | decide``: cases that the evidence does not settle, and the people who settle them.

In: a journal. Out: tables or JSON, and decisions in the journal; a service that runs on it takes notice by itself, one
that does not run when it starts again. The commands are mounted by :mod:`smartstore.cli`.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smartstore.console import print_json, print_table
from smartstore.ledger.cli import DEFAULT_DB, AsJson, Db, StoreFile, file_of, names_of, open_journal

if TYPE_CHECKING:
    from smartstore.domain.items import Candidate
    from smartstore.ledger.journal import Journal
    from smartstore.ledger.verdicts import Case, Verdict

app = typer.Typer(help="Review cases: what nobody could tell, and who decides it.", no_args_is_help=True)

CaseName = Annotated[str, typer.Argument(metavar="CASE", help="Case, as `smartstore review list` names it")]


@app.command("list")
def list_cases(
    db: Db = DEFAULT_DB,
    every: Annotated[bool, typer.Option("--all", help="Decided cases, too")] = False,
    as_json: AsJson = False,
) -> None:
    """List the cases that wait for a person, the oldest first."""
    from smartstore.ledger.settlement import iso_time
    from smartstore.ledger.verdicts import read_cases, told

    with open_journal(db) as journal:
        found = [case for case in read_cases(journal).values() if every or case.last is None]
    if as_json:
        print_json([_document(case) for case in found])
        return
    rows = [(case.raised.case, iso_time(case.raised.t_ns), case.raised.place, case.raised.visit or "nobody named",
             f"{len(case.raised.candidates)}", told(case.last) if case.last else "open") for case in found]  # fmt: skip
    print_table(("case", "when", "place", "visit", "candidates", "verdict"), rows)


@app.command()
def show(name: CaseName, db: Db = DEFAULT_DB, store: StoreFile = None, as_json: AsJson = False) -> None:
    """Show a case with its evidence: candidates, pictures, and what was decided."""
    from smartstore.ledger.settlement import iso_time
    from smartstore.ledger.verdicts import told

    with open_journal(db) as journal:
        case = _case(journal, name)
    if as_json:
        print_json(_document(case))
        return
    names = names_of(store)
    typer.echo(f"{case.raised.case}  {iso_time(case.raised.t_ns)}  at {case.raised.place}")
    rows = [(str(number), c.visit or "nobody", _what(c, names), c.facing or "", f"{c.probability:.3f}")
            for number, c in enumerate(case.raised.candidates, start=1)]  # fmt: skip
    print_table(("candidate", "visit", "what", "facing", "probability"), rows)
    folder = picture_folder(db)
    for picture in case.raised.pictures:
        typer.echo(f"picture of {picture.camera} at {iso_time(picture.t_ns)}: {(folder or Path()) / picture.file}")
    for decided in {d.decision: d for d in case.decisions}.values():
        typer.echo(f"decision {decided.decision} by {decided.by}, {iso_time(decided.t_ns)}: {told(decided)}")


@app.command()
def decide(
    name: CaseName,
    by: Annotated[str, typer.Option(help="Who decides; kept in the journal")],
    db: Db = DEFAULT_DB,
    candidate: Annotated[int | None, typer.Option(help="This candidate was right, counted from 1")] = None,
    nothing: Annotated[bool, typer.Option("--nothing", help="Nobody moved anything to be paid for")] = False,
    sku: Annotated[str | None, typer.Option(help="What it was, with --visit and --quantity")] = None,
    visit: Annotated[str | None, typer.Option(help="Whose it was")] = None,
    giver: Annotated[str | None, typer.Option(help="Out of whose hands it came, where it was handed over")] = None,
    quantity: Annotated[int | None, typer.Option(help="How many were taken; negative: put back")] = None,
    store: StoreFile = None,
    again: Annotated[
        bool, typer.Option("--again", help="Overrule a former decision; both stay in the journal")
    ] = False,
) -> None:
    """Settle a case. Carts follow at once; a receipt that is out already gets a new version, paid or refunded."""
    from smartstore.ledger import verdicts

    if not by.strip():
        raise verdicts.VerdictError("say who decides: --by NAME")
    ways = [candidate is not None, nothing, (sku, visit, quantity, giver) != (None,) * 4]
    if sum(ways) != 1:
        raise verdicts.VerdictError(
            "say what it was in one way: --candidate N, or --nothing, or --sku SKU --visit VISIT --quantity N"
        )
    with open_journal(db) as journal:
        case = _case(journal, name)
        if candidate is not None:
            verdict = verdicts.candidate(case.raised, candidate)
        else:
            verdict = verdicts.NOTHING if nothing else _spelled_out(journal, case, sku, visit, quantity, giver, store)
        events = verdicts.decide(case, verdict, by.strip(), time.time_ns(), again)
        if events and not journal.append(events):
            raise verdicts.VerdictError(f"case {name} was decided by somebody else just now; `review show` tells how")
    typer.echo(f"{name}: {verdicts.told(verdict)}" + ("" if events else " (that was decided before)"))


def picture_folder(db: str) -> Path | None:
    """Where pictures of cases lie: beside the file of the journal; None for one in memory or on a server."""
    file = file_of(db)
    return None if file is None else file.with_suffix(".pictures")


def _case(journal: "Journal", name: str) -> "Case":
    from smartstore.ledger.verdicts import VerdictError, read_cases

    case = read_cases(journal).get(name)
    if case is None:
        raise VerdictError(f"there is no case {name} in this journal; `smartstore review list --all` names them")
    return case


def _spelled_out(
    journal: "Journal", case: "Case", sku: str | None, visit: str | None, quantity: int | None, giver: str | None,
    store: Path | None,
) -> "Verdict":  # fmt: skip
    """A verdict in the person's own words, checked against what journal and catalogue know."""
    from smartstore.ledger.verdicts import Verdict, VerdictError

    if sku is None or visit is None or not quantity:
        raise VerdictError("--sku SKU, --visit VISIT and --quantity N go together; N is not 0, and negative: put back")
    for name in [visit, *([giver] if giver else [])]:
        if name not in journal.visits():
            raise VerdictError(
                f"there is no visit {name} in this journal; `smartstore review show` has the candidates'"
            )
    if giver is not None and (quantity < 1 or giver == visit):
        raise VerdictError("--giver GIVER is another visit than --visit, and --quantity N is more than 0 then")
    if sku not in {c.sku for c in case.raised.candidates} | set(names_of(store)):
        raise VerdictError(f"SKU {sku} is no candidate's; --store FILE allows whatever its catalogue has")
    return Verdict(visit, sku, quantity, giver)


def _what(claim: "Candidate", names: dict[str, str]) -> str:
    if not claim.sku or not claim.quantity:
        return "nothing"
    verb = "got" if claim.giver else "took" if claim.quantity > 0 else "put back"
    goods = f"{verb} {abs(claim.quantity)} × {names.get(claim.sku, claim.sku)}"
    return f"{goods} from {claim.giver}" if claim.giver else goods


def _document(case: "Case") -> dict[str, Any]:
    return {"raised": case.raised, "decisions": case.decisions, "open": case.last is None}
