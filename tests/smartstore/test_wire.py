"""The wire: golden samples of every message, good and malformed, and the documents derived from the channel table."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartstore.wire.asyncapi import asyncapi_document, channel_rows, channels_markdown
from smartstore.wire.codec import JPEG, Packet, WireError, decode, encode
from smartstore.wire.topics import CHANNELS, Channel, find

GOLDEN = Path(__file__).parents[1] / "golden"
SAMPLES = {channel.name: json.loads((GOLDEN / f"wire/{channel.name}.json").read_text()) for channel in CHANNELS}
BY_NAME = {channel.name: channel for channel in CHANNELS}


def packet(name: str, sample: dict[str, Any]) -> Packet:
    """The packet that a sample stands for: a JSON payload, raw text, or bytes in hexadecimal."""
    topic, qos, retained = SAMPLES[name]["topic"], BY_NAME[name].qos, BY_NAME[name].retained
    if "hex" in sample:
        return Packet(topic, bytes.fromhex(sample["hex"]), JPEG, sample.get("properties", {}), qos, retained)
    text = sample["text"] if "text" in sample else json.dumps(sample["payload"])
    return Packet(topic, text.encode(), qos=qos, retain=retained)


def table(kind: str) -> list[Any]:
    return [pytest.param(n, s, id=f"{n}: {s['name']}") for n, file in SAMPLES.items() for s in file[kind]]


@pytest.mark.parametrize(("name", "sample"), table("good"))
def test_good_samples_are_read_and_written_again_unchanged(name: str, sample: dict[str, Any]) -> None:
    sent = packet(name, sample)
    received = decode(sent)
    assert received is not None
    assert (received.channel, received.store, received.device) == (BY_NAME[name], "corner", SAMPLES[name]["device"])
    assert received.unknown_fields == sample.get("unknown_fields", 0)
    again = encode(received.channel, received.store, received.device, received.message)
    if sample.get("unknown_fields"):
        assert json.loads(again.payload).items() < sample["payload"].items()
    elif "payload" in sample:
        assert json.loads(again.payload) == sample["payload"], "golden samples spell out every field"
    else:
        assert again == sent


@pytest.mark.parametrize(("name", "sample"), table("malformed"))
def test_malformed_samples_are_refused_in_words(name: str, sample: dict[str, Any]) -> None:
    with pytest.raises(WireError) as refused:
        decode(packet(name, sample))
    assert sample["says"] in str(refused.value)
    assert refused.value.device == SAMPLES[name]["topic"]


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_every_required_field_is_missed(channel: Channel) -> None:
    good = packet(channel.name, SAMPLES[channel.name]["good"][0])
    whole = dict(good.properties) or json.loads(good.payload)
    required = [f.encode_name for f in msgspec.structs.fields(channel.message) if f.required and f.name != "jpeg"]
    assert len(required) >= 2
    for name in required:
        rest = {key: value for key, value in whole.items() if key != name}
        bad = replace(good, properties=rest) if good.properties else replace(good, payload=json.dumps(rest).encode())
        with pytest.raises(WireError, match=f"missing required field `{name}`"):
            decode(bad)


@given(name=st.sampled_from(sorted(SAMPLES)), payload=st.binary(max_size=60), cut=st.integers(0, 400))
def test_whatever_arrives_is_a_message_or_a_wire_error(name: str, payload: bytes, cut: int) -> None:
    good = packet(name, SAMPLES[name]["good"][0])
    for damaged in (payload, good.payload[:cut] + payload, b"[" * cut):
        try:
            decode(replace(good, payload=damaged))
        except WireError as error:
            assert good.topic in str(error)  # noqa: PT017  anything else is a failure of its own


@pytest.mark.parametrize("topic", [
    "", "smartstore/v2/corner/data/scale/g1", "smartstore/v1//data/scale/g1", "smartstore/v1/corner/data/scale",
    "smartstore/v1/corner/data/scale/", "smartstore/v1/corner/data/scale/g1/more", "other/v1/corner/data/scale/g1",
])  # fmt: skip
def test_foreign_topics_are_nobodys_message(topic: str) -> None:
    assert find(topic) is None
    assert decode(Packet(topic, b"{}")) is None


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_topics_lead_back_to_their_channel(channel: Channel) -> None:
    assert find(channel.topic("corner", "x-1")) == (channel, "corner", "x-1")
    assert channel.filter("corner").count("+") == 1
    assert channel.qos == (1 if channel.pattern.startswith(("event/", "cmd/")) or channel.retained else 0)


def test_messages_come_in_one_order_for_everybody() -> None:
    received = [decode(packet(name, file["good"][0])) for name, file in SAMPLES.items()]
    keys = {message.key for message in received if message is not None}
    assert len(keys) == len(CHANNELS), "messages of one moment still have an order"
    later = decode(packet("status", {"payload": {"seq": 0, "t_ns": max(keys)[0] + 1, "state": "online"}}))
    assert later is not None
    assert later.key > max(keys), "time comes before everything else"


@pytest.fixture(scope="module")
def official() -> jsonschema.Draft7Validator:
    """AsyncAPI's own schema of version 3.0.0 (npm package @asyncapi/specs 6.11.1, Apache-2.0), compressed."""
    return jsonschema.Draft7Validator(
        json.loads(gzip.decompress((GOLDEN / "asyncapi-3.0.0.schema.json.gz").read_bytes()))
    )


def test_the_asyncapi_document_is_valid(official: jsonschema.Draft7Validator) -> None:
    document = json.loads(json.dumps(asyncapi_document()))
    assert [f"{error.json_path}: {error.message}" for error in official.iter_errors(document)] == []
    broken = json.loads(json.dumps(asyncapi_document()))
    broken["operations"]["send-cart"]["action"] = "publish"
    assert not official.is_valid(broken)


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi_document()
    text = json.dumps(document)
    references = {part.split('"')[0] for part in text.split('"$ref": "')[1:]}
    for reference in references:
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
    assert len(references) > 2 * len(CHANNELS)


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "frame"])
def test_samples_fit_the_schemas_of_the_asyncapi_document(name: str) -> None:
    document = asyncapi_document()
    reference = document["components"]["messages"][name]["payload"]["$ref"]
    validator = jsonschema.Draft202012Validator({"$ref": reference, "components": document["components"]})
    for sample in SAMPLES[name]["good"]:
        validator.validate(sample["payload"])
    shapes = [s for s in SAMPLES[name]["malformed"] if "payload" in s and "expected 0 or 17" not in s["says"]]
    for sample in (s for s in shapes if "every row" not in s["says"]):
        assert not validator.is_valid(sample["payload"]), sample["name"]


def test_the_document_says_who_speaks_and_how_surely() -> None:
    document = asyncapi_document()
    assert document["operations"]["receive-gate"]["bindings"]["mqtt"]["qos"] == 1
    assert document["operations"]["send-receipt"]["action"] == "send"
    assert document["channels"]["scale"]["address"] == "smartstore/v1/{store}/data/scale/{fixture}"
    assert document["components"]["messages"]["frame"]["contentType"] == "image/jpeg"


def test_the_table_has_a_row_per_channel() -> None:
    assert [row[0] for row in channel_rows()[1:]] == [channel.pattern for channel in CHANNELS]
    assert channels_markdown().count("\n") == len(CHANNELS) + 2
