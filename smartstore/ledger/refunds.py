"""Money that a person gives back: a complaint is a case like any other, raised and decided at once.

In: a receipt, and what of it is given back. Out: events to append; a service brings them into effect as it does with
verdicts: a new version of the receipt, and a refund of the difference.
"""

from smartstore.domain.events import CaseDecided, CaseRaised
from smartstore.ledger.journal import Journal
from smartstore.ledger.settlement import visit_of
from smartstore.ledger.verdicts import Verdict, VerdictError, collect, decide


def refunded(
    journal: Journal, name: str, what: tuple[str | None, int | None] | None, by: str, t_ns: int
) -> list[CaseRaised | CaseDecided]:
    """The events of a refund at ``t_ns``: SKU and quantity of one line, or with None of all lines (a void).

    Raises:
        VerdictError: there is no such receipt, or that is not on it.
    """
    receipt = journal.receipt(name)
    if receipt is None:
        raise VerdictError(f"there is no receipt {name} in this journal; `smartstore receipts` lists them")
    if not by.strip():
        raise VerdictError("say who gives the money back: --by NAME")
    transaction = receipt.transaction
    visit = visit_of(transaction)
    billed = {line.item_id: line.quantity for line in transaction.line_item}
    if what is None:
        lines = list(billed.items())
    elif what[0] is None or what[1] is None:
        raise VerdictError("say what is given back: --all, or --sku SKU --quantity N")
    else:
        lines = [(what[0], what[1])]
        if what[1] > billed.get(what[0], 0):
            raise VerdictError(f"{what[1]} of {what[0]} is not on receipt {name}, which has {billed.get(what[0], 0)}")
    if not lines:
        raise VerdictError(f"nothing is left on receipt {name}")
    number = len(journal.receipt_versions(name))
    events: list[CaseRaised | CaseDecided] = []
    for sku, quantity in lines:
        case = f"refund-{visit}-{number}-{sku}"
        raised = CaseRaised(visit, t_ns, case, case, "", ())
        verdict = Verdict(visit, sku, -quantity)
        events += [raised, *decide(collect([raised])[case], verdict, by.strip(), t_ns)]
    return events
