"""The gateway to a payment provider: so far, a provider made of straw.

In: visit tokens and amounts, each call with an idempotency key. Out: approvals and refusals, as ``domain.payments`` has
them. A real provider's adapter goes here, behind the same ``Gateway``.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from smartstore.domain.money import Money
from smartstore.domain.payments import Authorisation, Capture, Gateway, GatewayError

__all__ = ["Authorisation", "Capture", "Gateway", "GatewayError", "StubGateway"]

Answer = TypeVar("Answer", Authorisation, Capture)


@dataclass(slots=True)
class StubGateway:
    """A provider for tests and simulations: deterministic, refuses whose token ``declines`` says so."""

    declines: Callable[[str], bool] = lambda _token: False
    captured: dict[str, Money] = field(default_factory=dict)
    """What was really taken, by key."""
    _answers: dict[str, tuple[object, Authorisation | Capture]] = field(default_factory=dict)

    def authorise(self, token: str, limit: Money, key: str) -> Authorisation:
        known = self._known("authorise", key, (token, limit))
        if isinstance(known, Authorisation):
            return known
        declined = self.declines(token)
        answer = Authorisation(_code("A", key), limit, not declined, "declined by the issuer" if declined else "")
        return self._remember("authorise", key, (token, limit), answer)

    def capture(self, authorisation: Authorisation, amount: Money, key: str) -> Capture:
        known = self._known("capture", key, (authorisation.code, amount))
        if isinstance(known, Capture):
            return known
        reason = _refusal(authorisation, amount)
        if not reason:
            self.captured[key] = amount
        answer = Capture(_code("C", key), amount, not reason, reason)
        return self._remember("capture", key, (authorisation.code, amount), answer)

    def _known(self, call: str, key: str, question: object) -> Authorisation | Capture | None:
        known = self._answers.get(f"{call}:{key}")
        if known is not None and known[0] != question:
            raise GatewayError(f"key {key} was used for another {call}")
        return known[1] if known is not None else None

    def _remember(self, call: str, key: str, question: object, answer: Answer) -> Answer:
        self._answers[f"{call}:{key}"] = (question, answer)
        return answer


def _refusal(authorisation: Authorisation, amount: Money) -> str:
    if not authorisation.approved:
        return authorisation.reason
    if amount.currency != authorisation.limit.currency or amount.minor > authorisation.limit.minor:
        return f"{amount} is above the authorised {authorisation.limit}"
    return "" if amount.minor > 0 else "nothing to capture"


def _code(kind: str, key: str) -> str:
    return kind + hashlib.sha256(f"{kind}:{key}".encode()).hexdigest()[:9].upper()
