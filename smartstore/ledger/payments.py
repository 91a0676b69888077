"""Questions to the payment provider and its answers, both kept: whatever breaks in between, money moves once.

In: what a visit owes. Out: captures, refunds and voids, each as a question in the journal before the provider is asked
and an answer after it. A question without an answer (a crash, a time-out) is put again with the same key, and nothing
else is asked of that visit's money before it is answered.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from smartstore.domain.events import PaymentAnswered, PaymentDisputed, PaymentRequested, StoreEvent
from smartstore.domain.money import Money
from smartstore.domain.payments import Authorisation, Capture, Gateway, GatewayError, Refund, Void
from smartstore.ledger.journal import Journal
from smartstore.wire.messages import Tender

log = logging.getLogger(__name__)

TENDER = "CreditDebit"


@dataclass(frozen=True, slots=True)
class Account:
    """What was asked and answered of one visit's money, oldest first."""

    requests: tuple[PaymentRequested, ...]
    answers: Mapping[str, PaymentAnswered]
    disputes: Mapping[str, PaymentDisputed]
    """The latest word on each disputed capture."""

    @property
    def open(self) -> list[PaymentRequested]:
        """Questions that nobody has answered yet."""
        return [request for request in self.requests if request.caused_by not in self.answers]

    @property
    def authorisation(self) -> Authorisation | None:
        """The answer of the gate; None where there is none yet."""
        for request in self.requests:
            answer = self.answers.get(request.caused_by)
            if request.kind == "authorise" and answer is not None:
                limit = Money(request.amount_minor, request.currency)
                return Authorisation(answer.code, limit, answer.approved, answer.reason)
        return None

    @property
    def disputed(self) -> bool:
        """Whether a dispute is undecided."""
        return any(dispute.state == "open" for dispute in self.disputes.values())

    @property
    def charged_back(self) -> bool:
        """Whether a cardholder got money back from the provider: then people talk, and nothing is captured again."""
        return any(dispute.state == "lost" for dispute in self.disputes.values())

    @property
    def moves(self) -> int:
        """How many captures and refunds were asked for."""
        return sum(request.kind in ("capture", "refund") for request in self.requests)

    def tenders(self, known: Sequence[Tender] = ()) -> list[Tender]:
        """What really moved: the tenders that a receipt has already, then those since; refunds are negative."""
        tenders = list(known)
        codes = {tender.authorization_code for tender in known}
        for request in self.requests:
            answer = self.answers.get(request.caused_by)
            if answer is None or not answer.approved or request.kind not in ("capture", "refund"):
                continue
            if answer.code not in codes:
                sign = 1 if request.kind == "capture" else -1
                tenders.append(tender_of(sign * answer.amount_minor, answer.code))
        for dispute in self.disputes.values():
            code = f"dispute:{dispute.capture}"
            if dispute.state == "lost" and code not in codes:
                tenders.append(tender_of(-dispute.amount_minor, code))
        return tenders


def account_of(events: Sequence[StoreEvent]) -> Account:
    """The account of one visit after these events."""
    requests = tuple(event for event in events if isinstance(event, PaymentRequested))
    answers = {event.caused_by: event for event in events if isinstance(event, PaymentAnswered)}
    disputes = {event.capture: event for event in events if isinstance(event, PaymentDisputed)}
    return Account(requests, answers, disputes)


def tender_of(amount_minor: int, code: str) -> Tender:
    return Tender(tender_type=TENDER, amount=amount_minor, authorization_code=code)


class Payments:
    """Moves the money of visits through a gateway, with everything in the journal."""

    def __init__(self, gateway: Gateway, journal: Journal) -> None:
        self._gateway, self._journal = gateway, journal
        self._open: dict[str, None] = {}

    @property
    def open(self) -> list[str]:
        """Visits with a question that has no answer, the oldest first."""
        return list(self._open)

    def take_up(self) -> None:
        """Learns from the journal which questions a former run left open; nobody else asks any."""
        self._open = dict.fromkeys(self._journal.unanswered())

    def account(self, visit: str) -> Account:
        """The account of a visit as the journal has it."""
        return account_of(self._journal.events(visit))

    def authorise(self, visit: str, token: str, limit: Money, t_ns: int) -> Authorisation:
        """What the provider promises for a visit; asked once, and again only while there is no answer."""
        known = self.account(visit).authorisation
        if known is not None:
            return known
        request = PaymentRequested(visit, t_ns, f"authorise:{visit}", "authorise", visit, limit.minor, limit.currency,
                                   token)  # fmt: skip
        self._ask(request)
        return self.account(visit).authorisation or Authorisation("", limit, approved=False, reason="no answer")

    def balance(self, visit: str, due: Money, known: Sequence[Tender], t_ns: int) -> list[Tender]:
        """Captures what is missing, or gives back what is too much, the last captured first; all tenders then.

        ``known`` are the tenders of the receipt so far. While a former question is open, nothing new is asked. A visit
        that owes nothing and never did gives its authorisation back.
        """
        account = self.account(visit)
        if not all(self._ask(request) for request in account.open):
            return self.account(visit).tenders(known)
        tenders = self.account(visit).tenders(known)
        missing_minor = due.minor - sum(tender.amount for tender in tenders)
        if missing_minor > 0:
            self._capture(visit, Money(missing_minor, due.currency), t_ns)
        elif missing_minor < 0:
            self._give_back(visit, tenders, Money(-missing_minor, due.currency), t_ns)
        elif not tenders and not due.minor:
            self._void(visit, due.currency, t_ns)
        return self.account(visit).tenders(known)

    def ask_again(self, visit: str) -> bool:
        """Puts the open questions of a visit once more; whether one was answered."""
        answers = [self._ask(request) for request in self.account(visit).open]
        return any(answers)

    def _capture(self, visit: str, amount: Money, t_ns: int) -> None:
        account = self.account(visit)
        if account.authorisation is not None and not account.charged_back:
            self._move("capture", account, visit, amount, account.authorisation.code, t_ns)

    def _give_back(self, visit: str, tenders: Sequence[Tender], amount: Money, t_ns: int) -> None:
        left_minor = amount.minor
        for code, _, unspent in reversed(captures(tenders)):
            part = min(unspent, left_minor)
            if part <= 0:  # given back before, or there is nothing to give back any more
                continue
            answer = self._move("refund", self.account(visit), visit, Money(part, amount.currency), code, t_ns)
            if answer is None or not answer.approved:
                return
            left_minor -= part

    def _void(self, visit: str, currency: str, t_ns: int) -> None:
        authorisation = self.account(visit).authorisation
        if authorisation is not None and authorisation.approved:
            self._ask(PaymentRequested(visit, t_ns, f"void:{visit}", "void", visit, 0, currency, authorisation.code))

    def _move(
        self, kind: str, account: Account, visit: str, amount: Money, code: str, t_ns: int
    ) -> PaymentAnswered | None:
        """One more movement under the next key: the visit's name, then the visit's name and a number."""
        key = f"{visit}:{account.moves}" if account.moves else visit
        return self._ask(PaymentRequested(visit, t_ns, f"{kind}:{key}", kind, key, amount.minor, amount.currency, code))

    def _ask(self, request: PaymentRequested) -> PaymentAnswered | None:
        """The answer to a question, which is in the journal first; None when the provider gave none."""
        self._journal.append([request])
        account = self.account(request.visit)
        if request.caused_by in account.answers:
            return account.answers[request.caused_by]
        stored = next(known for known in account.requests if known.caused_by == request.caused_by)
        try:
            said = self._call(stored, account)
        except GatewayError as error:
            log.warning("visit %s: no answer to %s (%s); it is asked again", request.visit, stored.caused_by, error)
            self._open[stored.visit] = None
            return None
        answer = PaymentAnswered(stored.visit, stored.t_ns, stored.caused_by, stored.kind, stored.amount_minor,
                                 said.code, said.approved, said.reason)  # fmt: skip
        self._journal.append([answer])
        if account.open == [stored]:
            self._open.pop(stored.visit, None)
        return answer

    def _call(self, request: PaymentRequested, account: Account) -> Authorisation | Capture | Refund | Void:
        amount = Money(request.amount_minor, request.currency)
        if request.kind == "authorise":
            return self._gateway.authorise(request.of, amount, request.key)
        if request.kind == "refund":
            return self._gateway.refund(_captured(account, request), amount, request.key)
        authorisation = account.authorisation
        if authorisation is None:
            raise GatewayError("there is no authorisation yet")
        if request.kind == "void":
            return self._gateway.void(authorisation, request.key)
        return self._gateway.capture(authorisation, amount, request.key)


def captures(tenders: Sequence[Tender]) -> list[tuple[str, int, int]]:
    """Code, amount and what is left after refunds of every capture; refunds took from the last captured first."""
    found: list[tuple[str, int, int]] = []
    for tender in tenders:
        if tender.amount > 0:
            found.append((tender.authorization_code or "", tender.amount, tender.amount))
        back = -tender.amount
        for i in reversed(range(len(found))):
            code, amount, left = found[i]
            part = min(left, max(back, 0))
            found[i], back = (code, amount, left - part), back - part
    return found


def _captured(account: Account, request: PaymentRequested) -> Capture:
    """The capture that a refund is of; of one that an older journal does not tell of, the amount asked for is known."""
    for answer in account.answers.values():
        if answer.code == request.of:
            return Capture(answer.code, Money(answer.amount_minor, request.currency), approved=True)
    return Capture(request.of, Money(request.amount_minor, request.currency), approved=True)
