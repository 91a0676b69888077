"""The stub provider keeps the promises that the gateway's protocol makes."""

import pytest

from smartstore.domain.money import Money
from smartstore.payment.gateway import GatewayError, StubGateway

LIMIT = Money(5000, "EUR")


def test_the_same_key_moves_money_once_and_gets_the_same_answer() -> None:
    provider = StubGateway()
    promise = provider.authorise("token", LIMIT, "v1")
    assert provider.authorise("token", LIMIT, "v1") == promise
    first = provider.capture(promise, Money(300, "EUR"), "v1")
    assert first.approved
    assert provider.capture(promise, Money(300, "EUR"), "v1") == first
    assert provider.captured == {"v1": Money(300, "EUR")}


def test_a_key_cannot_be_used_for_another_amount() -> None:
    provider = StubGateway()
    promise = provider.authorise("token", LIMIT, "v1")
    provider.capture(promise, Money(300, "EUR"), "v1")
    with pytest.raises(GatewayError, match="v1"):
        provider.capture(promise, Money(301, "EUR"), "v1")
    assert provider.captured == {"v1": Money(300, "EUR")}


@pytest.mark.parametrize("amount", [Money(5001, "EUR"), Money(10, "USD"), Money(0, "EUR"), Money(-5, "EUR")])
def test_what_was_not_authorised_is_not_captured(amount: Money) -> None:
    provider = StubGateway()
    refused = provider.capture(provider.authorise("token", LIMIT, "v1"), amount, "v1")
    assert not refused.approved
    assert refused.reason
    assert provider.captured == {}


def test_a_declined_token_is_refused_at_the_gate_and_at_the_till() -> None:
    provider = StubGateway(lambda call, _key, _times: "decline" if call == "authorise" else None)
    promise = provider.authorise("bad token", LIMIT, "v1")
    assert (promise.approved, promise.reason) == (False, "declined by the issuer")
    assert not provider.capture(promise, Money(10, "EUR"), "v1").approved


def test_a_declined_refund_says_why() -> None:
    provider = StubGateway(lambda call, _key, _times: "decline" if call == "refund" else None)
    capture = provider.capture(provider.authorise("token", LIMIT, "v1"), Money(300, "EUR"), "v1")
    refused = provider.refund(capture, Money(200, "EUR"), "r1")
    assert (refused.approved, refused.reason) == (False, "declined by the issuer")


def test_two_providers_give_the_same_codes() -> None:
    assert StubGateway().authorise("t", LIMIT, "v1") == StubGateway().authorise("t", LIMIT, "v1")
    assert StubGateway().authorise("t", LIMIT, "v1").code != StubGateway().authorise("t", LIMIT, "v2").code


def test_what_was_captured_can_be_given_back_once() -> None:
    provider = StubGateway()
    capture = provider.capture(provider.authorise("token", LIMIT, "v1"), Money(300, "EUR"), "v1")
    first = provider.refund(capture, Money(200, "EUR"), "r1")
    assert first.approved
    assert provider.refund(capture, Money(200, "EUR"), "r1") == first
    assert not provider.refund(capture, Money(101, "EUR"), "r2").approved, "only 100 are left"
    assert provider.refund(capture, Money(100, "EUR"), "r3").approved
    assert provider.refunded == {"r1": Money(200, "EUR"), "r3": Money(100, "EUR")}
    with pytest.raises(GatewayError, match="r1"):
        provider.refund(capture, Money(1, "EUR"), "r1")


def test_captures_of_one_authorisation_stay_below_its_limit_together() -> None:
    provider = StubGateway()
    promise = provider.authorise("token", LIMIT, "v1")
    assert provider.capture(promise, Money(3000, "EUR"), "v1").approved
    assert not provider.capture(promise, Money(2001, "EUR"), "v1:2").approved
    assert provider.capture(promise, Money(2000, "EUR"), "v1:3").approved
