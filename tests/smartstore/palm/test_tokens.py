"""Tokens that are not in order open nothing: not the store's own check, not the service of a store, not the palm
service's gate."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from smartstore.palm.service import VisitToken
from smartstore.palm.tokens import Claims, SingleAdmission, TokenError, Verifier, new_signer, read_verifier
from smartstore.service import EntryCheck
from smartstore.wire.messages import GateEvent
from tests.smartstore.palm.people import SECOND, SIGNER, a_service, come, scan

CLAIMS = Claims("visit", "corner", 1, 100, 160)
TOKEN = SIGNER.sign(CLAIMS)


def verifier(store: str = "corner") -> Verifier:
    return Verifier(SIGNER.key.public_key(), store)


def forged(token: str, **changes: object) -> str:
    """The token with other claims under the old signature."""
    version, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    body = base64.urlsafe_b64encode(json.dumps({**claims, **changes}).encode()).rstrip(b"=").decode()
    return f"{version}.{body}.{signature}"


def signed_by_another(token: str) -> str:
    _, body, _ = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return new_signer(b"x" * 32).sign(Claims(**claims))


def first_half_of(token: str) -> str:
    return token[: len(token) // 2]


ATTACKS: dict[str, tuple[Callable[[str], str], int, str]] = {
    # name: (what becomes of a good token, seconds after its issue, the store's refusal)
    "another visit forged": (lambda t: forged(t, visit="abcdefghijklmnop"), 5, "signature"),
    "lifetime forged": (lambda t: forged(t, expires_s=10**11), 5, "signature"),
    "party forged": (lambda t: forged(t, party_size=20), 5, "signature"),
    "store forged": (lambda t: forged(t, audience="elsewhere"), 5, "signature"),
    "signed by another key": (signed_by_another, 5, "signature"),
    "expired": (lambda t: t, 66, "expired"),
    "not valid yet": (lambda t: t, -6, "not valid yet"),
    "another version": (lambda t: t.replace("v1.", "v2."), 5, "no visit token"),
    "half of it": (first_half_of, 5, "signature|no visit token"),
    "without its end": (lambda t: t[:-3], 5, "signature|no visit token"),
    "something appended": (lambda t: t + "A", 5, "signature|no visit token"),
    "padded": (lambda t: t + "=", 5, "no visit token"),
    "without signature": (lambda t: t.rpartition(".")[0] + ".", 5, "signature|no visit token"),
    "empty": (lambda _: "", 5, "no visit token|no token"),
    "dots": (lambda _: "v1..", 5, "no visit token"),
    "no ASCII": (lambda _: "v1.\xe9.x", 5, "no visit token"),
    "very long": (lambda _: "v1." + "A" * 5000 + ".A", 5, "no visit token"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_in_order_is_refused_by_the_check_alone(attack: str) -> None:
    change, later_s, why = ATTACKS[attack]
    with pytest.raises(TokenError, match=why):
        verifier().verify(change(TOKEN), (100 + later_s) * SECOND)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_in_order_is_refused_by_a_store(attack: str) -> None:
    change, later_s, why = ATTACKS[attack]
    event = GateEvent(
        seq=0, t_ns=(100 + later_s) * SECOND, event_id="e", kind="entry", visit="visit", token=change(TOKEN)
    )
    with pytest.raises(TokenError, match=why):
        EntryCheck(verifier())(event)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_in_order_is_refused_at_the_gate(attack: str) -> None:
    change, later_s, why = ATTACKS[attack]
    service = a_service(3)
    token = come(service, scan(3), now_s=100)
    assert isinstance(token, VisitToken)
    with pytest.raises(TokenError, match=why):
        service.admit(change(token.text), audience="corner", by="gate-1", now_ns=(100 + later_s) * SECOND)
    assert service.audit()[-1].outcome != "done"
    assert service.admit(token.text, audience="corner", by="gate-1", now_ns=105 * SECOND).visit == token.visit


# What is in order, but not here, not again and not any more


def test_a_token_of_one_store_opens_no_other() -> None:
    service = a_service(3)
    token = come(service, scan(3), now_s=100, audience="corner")
    assert isinstance(token, VisitToken)
    with pytest.raises(TokenError, match="another store"):
        verifier("elsewhere").verify(token.text, 105 * SECOND)
    with pytest.raises(TokenError, match="another store"):
        service.admit(token.text, audience="elsewhere", by="gate-2", now_ns=105 * SECOND)


def test_a_token_admits_once_at_the_gate() -> None:
    service = a_service(3)
    token = come(service, scan(3), now_s=100)
    assert isinstance(token, VisitToken)
    service.admit(token.text, audience="corner", by="gate-1", now_ns=101 * SECOND)
    for second in (101, 102, 159):
        with pytest.raises(TokenError, match="used already"):
            service.admit(token.text, audience="corner", by="gate-1", now_ns=second * SECOND)


def test_a_token_admits_once_in_a_store_and_a_repeated_message_is_no_second_entry() -> None:
    check = EntryCheck(verifier())
    first = GateEvent(seq=0, t_ns=105 * SECOND, event_id="e1", kind="entry", visit="visit", token=TOKEN)
    again = GateEvent(seq=9, t_ns=110 * SECOND, event_id="e2", kind="entry", visit="visit", token=TOKEN)
    check(first)
    check(first)
    with pytest.raises(TokenError, match="used already"):
        check(again)


def test_a_refused_entry_does_not_use_up_the_token_of_somebody_else() -> None:
    check = EntryCheck(verifier())
    with pytest.raises(TokenError, match="another visit"):
        check(GateEvent(seq=0, t_ns=105 * SECOND, event_id="e1", kind="entry", visit="other", token=TOKEN))
    check(GateEvent(seq=1, t_ns=106 * SECOND, event_id="e2", kind="entry", visit="visit", token=TOKEN))


def test_a_store_remembers_used_tokens_for_as_long_as_they_last() -> None:
    admission = SingleAdmission(leeway_s=5.0)
    for second in range(5000):
        admission.use(Claims(f"v{second}", "corner", 1, second, second + 60), f"e{second}", second * SECOND)
    assert len(admission._admitted) < 2000
    for second in range(4940, 5000):
        with pytest.raises(TokenError, match="used already"):
            admission.use(Claims(f"v{second}", "corner", 1, second, second + 60), "replay", 5000 * SECOND)


def test_a_revoked_token_opens_nothing_at_the_gate() -> None:
    service = a_service(3)
    token = come(service, scan(3), now_s=100)
    assert isinstance(token, VisitToken)
    assert service.revoke(token.visit, by="desk-1", now_ns=101 * SECOND)
    with pytest.raises(TokenError, match="revoked"):
        service.admit(token.text, audience="corner", by="gate-1", now_ns=102 * SECOND)


def test_a_token_of_somebody_who_was_deleted_opens_nothing_at_the_gate() -> None:
    service = a_service(3)
    person = service.audit()[0].subject
    token = come(service, scan(3), now_s=100)
    assert isinstance(token, VisitToken)
    service.delete(person, by="desk-1", now_ns=101 * SECOND)
    with pytest.raises(TokenError, match="not known"):
        service.admit(token.text, audience="corner", by="gate-1", now_ns=102 * SECOND)


def test_a_gates_clock_may_be_a_little_off() -> None:
    assert verifier().verify(TOKEN, 96 * SECOND) == verifier().verify(TOKEN, 164 * SECOND) == CLAIMS


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_a_public_key_that_cannot_be_used_is_one_clear_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "palm.pub"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TokenError, match=r"palm\.pub: (cannot be read|holds no public key)"):
        read_verifier(path, "corner")
