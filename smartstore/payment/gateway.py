"""The gateway to a payment provider: so far, a provider made of straw.

In: visit tokens and amounts, each call with an idempotency key. Out: approvals and refusals, as ``domain.payments`` has
them. A real provider's adapter goes here, behind the same ``Gateway``.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from smartstore.domain.money import Money
from smartstore.domain.payments import Authorisation, Capture, Gateway, GatewayError, Refund

__all__ = ["Authorisation", "Capture", "Gateway", "GatewayError", "Refund", "StubGateway"]

Answer = TypeVar("Answer", Authorisation, Capture, Refund)


@dataclass(slots=True)
class StubGateway:
    """A provider for tests and simulations: deterministic, refuses whose token ``declines`` says so."""

    declines: Callable[[str], bool] = lambda _token: False
    captured: dict[str, Money] = field(default_factory=dict)
    """What was really taken, by key."""
    refunded: dict[str, Money] = field(default_factory=dict)
    """What was really given back, by key."""
    _answers: dict[str, tuple[object, Authorisation | Capture | Refund]] = field(default_factory=dict)
    _moved_minor: Counter[str] = field(default_factory=Counter)
    """Captured under an authorisation, refunded of a capture, by its code."""

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
        reason = _refusal(authorisation, amount, self._moved_minor[authorisation.code])
        if not reason:
            self.captured[key] = amount
            self._moved_minor[authorisation.code] += amount.minor
        answer = Capture(_code("C", key), amount, not reason, reason)
        return self._remember("capture", key, (authorisation.code, amount), answer)

    def refund(self, capture: Capture, amount: Money, key: str) -> Refund:
        known = self._known("refund", key, (capture.code, amount))
        if isinstance(known, Refund):
            return known
        left = capture.amount.minor - self._moved_minor[capture.code]
        fits = capture.approved and amount.currency == capture.amount.currency and 0 < amount.minor <= left
        if fits:
            self.refunded[key] = amount
            self._moved_minor[capture.code] += amount.minor
        reason = "" if fits else f"{amount} is not left of the captured {capture.amount}"
        return self._remember("refund", key, (capture.code, amount), Refund(_code("R", key), amount, fits, reason))

    def _known(self, call: str, key: str, question: object) -> Authorisation | Capture | Refund | None:
        known = self._answers.get(f"{call}:{key}")
        if known is not None and known[0] != question:
            raise GatewayError(f"key {key} was used for another {call}")
        return known[1] if known is not None else None

    def _remember(self, call: str, key: str, question: object, answer: Answer) -> Answer:
        self._answers[f"{call}:{key}"] = (question, answer)
        return answer


def _refusal(authorisation: Authorisation, amount: Money, before_minor: int) -> str:
    if not authorisation.approved:
        return authorisation.reason
    limit = authorisation.limit
    if amount.currency != limit.currency or amount.minor + before_minor > limit.minor:
        return f"{amount} is above the authorised {authorisation.limit}"
    return "" if amount.minor > 0 else "nothing to capture"


def _code(kind: str, key: str) -> str:
    return kind + hashlib.sha256(f"{kind}:{key}".encode()).hexdigest()[:9].upper()
