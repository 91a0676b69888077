"""People's numbers as arrays: the very ones that the message's own type reads, whatever a sender writes them like."""

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartstore.wire import topics
from smartstore.wire.codec import Packet, WireError, decode
from smartstore.wire.heard import HeardPeople
from smartstore.wire.messages import People

NUMBERS = st.one_of(
    st.floats(-1e6, 1e6), st.integers(-(10**6), 10**6), st.decimals(-1000, 1000, places=2).map(float),
    st.sampled_from([0.0, 1e6, -1e6, 1e-7, 5e-324, 0.1 + 0.2, 999999.9999999999]),
)  # fmt: skip
JOINTS: st.SearchStrategy[Any] = st.one_of(
    st.just([]), st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=17, max_size=17)
)
PERSON = st.fixed_dictionaries({"box": st.just([1, 2, 3, 4]), "score": st.just(0.5)},
                               optional={"joints": JOINTS, "appearance": st.lists(NUMBERS, max_size=9)})  # fmt: skip


def payload(people: Any, indent: int | None = None, **more: Any) -> bytes:
    message = {"seq": 1, "t_ns": 2, "width": 640, "height": 360, "people": people, **more}
    return json.dumps(message, indent=indent).encode()


def heard(body: bytes) -> HeardPeople:
    received = decode(Packet(topics.PEOPLE.topic("corner", "c1"), body))
    assert received is not None
    assert isinstance(received.message, HeardPeople)
    return received.message


@given(people=st.lists(PERSON, max_size=3), indent=st.sampled_from([None, 1]), more=st.sampled_from([{}, {"new": 1}]))
def test_arrays_hold_the_numbers_of_the_message_to_the_last_bit(people: Any, indent: int | None, more: Any) -> None:
    body = payload(people, indent, **more)
    sent = msgspec.json.decode(body, type=People)
    boxes, joints, looks = heard(body).bodies
    assert boxes.tolist() == [list(person.box) for person in sent.people]
    whole = np.array([person.joints or [(0.0, 0.0, 0.0)] * 17 for person in sent.people], float).reshape(-1, 17, 3)
    assert joints.tobytes() == whole.tobytes()
    assert [look.tolist() for look in looks] == [person.appearance for person in sent.people]
    assert heard(body).people == sent.people


@pytest.mark.parametrize(("joints", "appearance"), [
    ([[1, 2]] * 17, []), ([[1, 2, 3]] * 16, []), ([[[1, 2, 3]]] * 17, []), ([[]], []), ([1, 2, 3] * 17, []),
    ([[1, 2, 1e7]] * 17, []), ([[1, 2, None]] * 17, []), (None, []), ({}, []), ([[1, 2, 3]] * 34, []), ([], [[1.0]]),
    ([], [1e300]), ([], ["1"]), ([], ["[1]"]), ([], 5), ([], [True]), ([], "[]"), (5, [7]),
])  # fmt: skip
def test_what_is_no_body_is_refused_in_the_words_of_the_message(joints: Any, appearance: Any) -> None:
    good = {"box": [1, 2, 3, 4], "score": 0.5}
    body = payload([good, {**good, "joints": joints, "appearance": appearance}])
    with pytest.raises(msgspec.ValidationError) as expected:
        msgspec.json.decode(body, type=People)
    with pytest.raises(WireError) as refused:
        heard(body)
    assert str(expected.value) in str(refused.value)
    assert "people[" in str(refused.value)


def test_who_only_keeps_messages_gets_them_as_they_were_sent() -> None:
    person = {"box": [1, 2, 3, 4], "score": 0.5, "joints": [[1, 2, 0.5]] * 17, "appearance": [1]}
    packet = Packet(topics.PEOPLE.topic("corner", "c1"), payload([person]))
    received = decode(packet, as_sent=True)
    assert received is not None
    assert isinstance(received.message, People)
    assert received.message.people == heard(packet.payload).people
    with pytest.raises(WireError, match="expected 0 or 17 joints, got 1"):
        decode(Packet(packet.topic, payload([{**person, "joints": [[1, 2, 0.5]]}])), as_sent=True)


def test_grams_are_arrays_with_nothing_where_a_plate_was_silent() -> None:
    rows = b"[[1.5,null],[-0.25,1e1],[0.1234567890123456789,7]]"
    body = b'{"seq":1,"t_ns":2,"period_ns":3,"plates":["a","b"],"grams":' + rows + b"}"
    received = decode(Packet(topics.SCALE.topic("corner", "g1"), body))
    assert received is not None
    assert received.message.grams == [[1.5, None], [-0.25, 10.0], [0.12345678901234568, 7.0]]
    assert np.array_equal(
        received.message.weights, [[1.5, np.nan], [-0.25, 10], [0.12345678901234568, 7]], equal_nan=True
    )
    for grams in (
        "[[1.5],[2,3]]",
        "[]",
        "[1,2]",
        "[[1,2,3,4]]",
        '[["1",2]]',
        "[[1e8,2]]",
        "null",
        "[[[1,2]]]",
        "[[1,true]]",
    ):
        with pytest.raises(WireError):
            decode(
                Packet(topics.SCALE.topic("corner", "g1"), body.replace(body[body.index(b"[[") : -1], grams.encode()))
            )
