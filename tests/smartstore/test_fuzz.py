"""The short form of ``make fuzz``: what is wrong with a payload or a feed never leaves codec or service as an error."""

import pytest

from smartstore.wire.topics import CHANNELS, Channel
from tests.fuzz import MOST_GROWN, fuzz_codec, fuzz_service


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_mutated_payloads_are_read_or_refused(channel: Channel) -> None:
    out = fuzz_codec(channel, 500, seed=2)
    assert out.fates.total() == 500
    assert out.fates["read"] > 0, "some mutations harm nothing"
    assert out.fates["refused"] > 100
    assert out.grown < MOST_GROWN


def test_mutated_feeds_go_through_the_service_and_are_counted() -> None:
    out = fuzz_service(40, seed=2)
    assert out.fates["received"] > 1000
    assert out.fates["malformed"] > 80
    assert out.fates["unknown_device"] > 5
    assert out.grown < MOST_GROWN
