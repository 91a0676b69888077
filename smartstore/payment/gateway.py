"""The gateway to a payment provider: so far, a provider made of straw.

In: visit tokens and amounts, each call with an idempotency key. Out: approvals and refusals, as ``domain.payments`` has
them. A real provider's adapter goes here, behind the same ``Gateway``.

The provider's books are a database of its own, which outlives whoever calls it: what was captured stays captured when
the store's service is killed between the call and the answer.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from smartstore.domain.money import Money
from smartstore.domain.payments import Authorisation, Capture, Dispute, Gateway, GatewayError, Refund, Void

__all__ = ["Authorisation", "Capture", "Dispute", "Fault", "Gateway", "GatewayError", "Refund", "StubGateway",
           "StubOptions", "Void", "faults_of"]  # fmt: skip

Fault = Literal["decline", "down", "lost_answer"]
"""What goes wrong with a call: refused; not heard at all; carried out, but the answer is lost."""
FaultOf = Callable[[str, str, int], Fault | None]
"""The fault of a call ("authorise", "capture", "refund", "void"), given its key and how often it came before."""
_DECLINED = "declined by the issuer"
A = TypeVar("A", Authorisation, Capture, Refund, Void)

_TABLES = """
CREATE TABLE IF NOT EXISTS answer (call TEXT, key TEXT, question BLOB, answer BLOB, moved INTEGER, of TEXT,
    PRIMARY KEY (call, key));
CREATE TABLE IF NOT EXISTS attempt (call TEXT, key TEXT, times INTEGER, PRIMARY KEY (call, key));
CREATE TABLE IF NOT EXISTS dispute (code TEXT PRIMARY KEY, capture TEXT, minor INTEGER, currency TEXT, state TEXT);
"""
_KINDS: dict[str, type[Any]] = {"authorise": Authorisation, "capture": Capture, "refund": Refund, "void": Void}


@dataclass(frozen=True, slots=True)
class StubOptions:
    """How often the provider of straw fails, as shares of its calls; which ones follows from the calls' keys."""

    decline: float = 0.0
    """Captures that the issuer refuses."""
    down: float = 0.0
    """Calls that time out and do nothing."""
    lost_answer: float = 0.0
    """Calls that time out although they were carried out."""


def faults_of(options: StubOptions) -> FaultOf:
    """The faults of a provider as the options have them: the same keys, the same faults, in every run."""

    def fault(call: str, key: str, times: int) -> Fault | None:
        chance = _chance(f"{call}:{key}:{times}")
        if call == "capture" and times == 0 and _chance(f"decline:{key}") < options.decline:
            return "decline"
        if chance < options.down:
            return "down"
        return "lost_answer" if chance < options.down + options.lost_answer else None

    return fault


class StubGateway:
    """A provider for tests and simulations: deterministic, and it fails when ``fault`` says so.

    ``books`` is the file of its books; without one they live as long as the object.
    """

    def __init__(self, fault: FaultOf = lambda _call, _key, _times: None, books: Path | None = None) -> None:
        self._fault = fault
        if books is not None:
            books.parent.mkdir(parents=True, exist_ok=True)
        self._books = sqlite3.connect(books or ":memory:", isolation_level=None, timeout=30.0, check_same_thread=False)
        self._books.execute("PRAGMA journal_mode=WAL")
        self._books.executescript(_TABLES)

    @property
    def captured(self) -> dict[str, Money]:
        """What was really taken, by key."""
        return self._moved("capture")

    @property
    def refunded(self) -> dict[str, Money]:
        """What was really given back, by key."""
        return self._moved("refund")

    @property
    def voided(self) -> list[str]:
        """The keys of authorisations given back unused."""
        return [key for (key,) in self._books.execute("SELECT key FROM answer WHERE call = 'void' ORDER BY rowid")]

    def authorise(self, token: str, limit: Money, key: str) -> Authorisation:
        def carry_out(declined: bool) -> Authorisation:
            return Authorisation(_code("A", key), limit, not declined, _DECLINED if declined else "")

        return self._called("authorise", key, (token, limit), "", carry_out)

    def capture(self, authorisation: Authorisation, amount: Money, key: str) -> Capture:
        def carry_out(declined: bool) -> Capture:
            reason = _DECLINED if declined else self._refusal(authorisation, amount)
            return Capture(_code("C", key), amount, not reason, reason)

        return self._called("capture", key, (authorisation.code, amount), authorisation.code, carry_out)

    def refund(self, capture: Capture, amount: Money, key: str) -> Refund:
        def carry_out(declined: bool) -> Refund:
            left = capture.amount.minor - self._sum("refund", capture.code)
            fits = capture.approved and amount.currency == capture.amount.currency and 0 < amount.minor <= left
            refusal = "" if fits else f"{amount} is not left of the captured {capture.amount}"
            reason = refusal or (_DECLINED if declined else "")
            return Refund(_code("R", key), amount, not reason, reason)

        return self._called("refund", key, (capture.code, amount), capture.code, carry_out)

    def void(self, authorisation: Authorisation, key: str) -> Void:
        def carry_out(declined: bool) -> Void:
            used = self._sum("capture", authorisation.code) > 0
            reason = "money was captured under it" if used else _DECLINED if declined else ""
            return Void(_code("V", key), not reason, reason)

        return self._called("void", key, (authorisation.code,), authorisation.code, carry_out)

    def disputes(self) -> Sequence[Dispute]:
        rows = self._books.execute("SELECT code, capture, minor, currency, state FROM dispute ORDER BY rowid")
        return [Dispute(code, capture, Money(minor, money), state) for code, capture, minor, money, state in rows]

    def dispute(self, capture: str, amount: Money, state: Literal["open", "won", "lost"] = "open") -> None:
        """The cardholder's side: disputes a capture, or decides the dispute."""
        self._books.execute(
            "INSERT INTO dispute VALUES (?, ?, ?, ?, ?) ON CONFLICT (code) DO UPDATE SET state = excluded.state",
            (_code("D", capture), capture, amount.minor, amount.currency, state),
        )

    def _called(self, call: str, key: str, question: object, of: str, carry_out: Callable[[bool], A]) -> A:
        """One call: the answer that is known, or the one that is worked out and written down, or a fault."""
        asked = msgspec.json.encode(question)
        fault = self._fault(call, key, self._times(call, key))
        if fault == "down":
            raise GatewayError(f"the provider does not answer to {call} {key}")
        with self._books:
            self._books.execute("BEGIN IMMEDIATE")
            known = self._books.execute(
                "SELECT question, answer FROM answer WHERE call = ? AND key = ?", (call, key)
            ).fetchone()
            if known is not None and known[0] != asked:
                raise GatewayError(f"key {key} was used for another {call}")
            if known is not None:
                answer: A = msgspec.json.decode(known[1], type=_KINDS[call])
            else:
                answer = carry_out(fault == "decline")
                moved = getattr(answer, "amount", Money(0, "")).minor if answer.approved else 0
                row = (call, key, asked, msgspec.json.encode(answer), moved, of)
                self._books.execute("INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?)", row)
        if fault == "lost_answer":
            raise GatewayError(f"the answer of the provider to {call} {key} was lost")
        return answer

    def _times(self, call: str, key: str) -> int:
        """How often the same call came before."""
        row = self._books.execute(
            "INSERT INTO attempt VALUES (?, ?, 1) ON CONFLICT (call, key) DO UPDATE SET times = times + 1"
            " RETURNING times", (call, key),
        ).fetchone()  # fmt: skip
        return int(row[0]) - 1

    def _moved(self, call: str) -> dict[str, Money]:
        rows = self._books.execute(
            "SELECT key, answer FROM answer WHERE call = ? AND moved > 0 ORDER BY rowid", (call,)
        )
        return {key: msgspec.json.decode(answer, type=_KINDS[call]).amount for key, answer in rows}

    def _sum(self, call: str, of: str) -> int:
        row = self._books.execute("SELECT COALESCE(SUM(moved), 0) FROM answer WHERE call = ? AND of = ?", (call, of))
        return int(row.fetchone()[0])

    def _refusal(self, authorisation: Authorisation, amount: Money) -> str:
        if not authorisation.approved:
            return authorisation.reason
        limit = authorisation.limit
        if amount.currency != limit.currency or amount.minor + self._sum("capture", authorisation.code) > limit.minor:
            return f"{amount} is above the authorised {authorisation.limit}"
        return "" if amount.minor > 0 else "nothing to capture"


def _chance(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def _code(kind: str, key: str) -> str:
    return kind + hashlib.sha256(f"{kind}:{key}".encode()).hexdigest()[:9].upper()
