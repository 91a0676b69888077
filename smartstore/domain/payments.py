"""What a payment provider promises, takes and gives back, and what the ledger asks of it.

In: visit tokens and amounts, each call with an idempotency key. Out: approvals and refusals. The same key always gets
the same answer and moves money once: whoever got no answer asks again with the same key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from smartstore.domain.money import Money


class GatewayError(Exception):
    """The provider gave no usable answer: unlike a refusal, the same call may be made again."""


@dataclass(frozen=True, slots=True)
class Authorisation:
    """A provider's promise to pay up to ``limit``; refused when ``approved`` is False, with the ``reason``."""

    code: str
    limit: Money
    approved: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Capture:
    """Money taken; refused when ``approved`` is False, with the ``reason``."""

    code: str
    amount: Money
    approved: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back; refused when ``approved`` is False, with the ``reason``."""

    code: str
    amount: Money
    approved: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Void:
    """An authorisation given back unused; refused when ``approved`` is False, with the ``reason``."""

    code: str
    approved: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Dispute:
    """A cardholder says that a capture was wrong; "lost" when the provider took ``amount`` back from the store."""

    code: str
    capture: str
    amount: Money
    state: Literal["open", "won", "lost"]


class Gateway(Protocol):
    """What the ledger needs of a provider."""

    def authorise(self, token: str, limit: Money, key: str) -> Authorisation:
        """Asks for up to ``limit`` on behalf of a visit token.

        Raises:
            GatewayError: no answer, or the key was used for something else.
        """

    def capture(self, authorisation: Authorisation, amount: Money, key: str) -> Capture:
        """Takes ``amount`` under an authorisation.

        Raises:
            GatewayError: no answer, or the key was used for something else.
        """

    def refund(self, capture: Capture, amount: Money, key: str) -> Refund:
        """Gives back ``amount`` of what was captured.

        Raises:
            GatewayError: no answer, or the key was used for something else.
        """

    def void(self, authorisation: Authorisation, key: str) -> Void:
        """Gives an authorisation back of which nothing was captured.

        Raises:
            GatewayError: no answer, or the key was used for something else.
        """

    def disputes(self) -> Sequence[Dispute]:
        """Every dispute there ever was, as it stands, the oldest first.

        Raises:
            GatewayError: no answer.
        """
