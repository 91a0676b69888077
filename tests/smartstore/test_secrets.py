"""No secret and no template in any log, message, recording or error: a store works, fails and is attacked, and then
everything that it wrote and said is searched for what nobody may read."""

import base64
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec.structs import replace

from smartstore.bus.access import MqttAddress
from smartstore.bus.base import BusError, MemoryHub
from smartstore.bus.mqtt import MqttBus
from smartstore.bus.recording import McapRecorder, read_feed
from smartstore.domain.events import VisitOpened
from smartstore.ledger.inputs import InputLog
from smartstore.ledger.journal import Journal
from smartstore.logs import JsonLines, PlainLines
from smartstore.palm.service import VisitToken
from smartstore.palm.tokens import Verifier
from smartstore.payment.gateway import StubGateway
from smartstore.pipeline import Pipeline
from smartstore.service import EntryCheck, Service
from smartstore.site import load_site
from smartstore.wire import topics
from smartstore.wire.codec import Packet, encode
from smartstore.wire.messages import GateEvent
from tests.feeds import CORNER, annas_visit
from tests.smartstore.palm.people import KEYS, SIGNER, a_service, come, scan

PASSWORD = "correct-horse-battery-staple"


@dataclass
class Told:
    """Everything that came out of a store: what it logged, what it said, and the files that it left."""

    token: str
    log: str = ""
    said: list[Packet] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


def vector_forms(vector: np.ndarray) -> list[bytes]:
    """A palm as it could have been written by somebody careless: binary, Base64, hexadecimal, or numbers as text."""
    forms = []
    for kind in (np.float64, np.float32, np.float16):
        raw = vector.astype(kind).tobytes()[:32]
        forms += [raw, base64.b64encode(raw)[:40], raw.hex().encode()]
    numbers = [repr(float(x)) for x in vector[:3]]
    return [*forms, *(number[:9].encode() for number in numbers)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """A visit with a real palm and token, wrong tokens, broken messages, an error inside, a provider whose first
    answers are lost, and a broker that is not there; journal, input log and recording on disk, everything logged from
    the lowest level on in both forms."""
    folder = tmp_path_factory.mktemp("store")
    root, before = logging.getLogger(), logging.getLogger().level
    handlers: list[logging.Handler] = []
    for name, formatter in (("plain.log", PlainLines()), ("lines.log", JsonLines())):
        handlers.append(logging.FileHandler(folder / name))
        handlers[-1].setFormatter(formatter)
        root.addHandler(handlers[-1])
    root.setLevel(logging.DEBUG)
    try:
        yield _worked(folder)
    finally:
        root.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def _worked(folder: Path) -> Told:
    site, hub = load_site(CORNER), MemoryHub()
    feed = annas_visit(site)
    token = come(a_service(7), scan(7, seed=1), now_s=feed[0].t_ns // 1_000_000_000 + 1)
    assert isinstance(token, VisitToken)
    out = Told(token.text)
    check = EntryCheck(Verifier(SIGNER.key.public_key(), site.store))
    with hub.connect() as bus, hub.connect() as ear, McapRecorder(folder / "feed.mcap", site.store, {}) as recorder, \
            InputLog(folder / "state", "test") as inputs:  # fmt: skip
        inputs.recover()
        ear.subscribe("#")
        journal = Journal(f"sqlite:///{folder}/journal.db")
        provider = StubGateway(lambda _kind, _key, before: "lost_answer" if before < 1 else None)
        service = Service(bus, site, Pipeline(site), journal, provider, check, frames=False, inputs=inputs)
        for received in feed:
            message = received.message
            packets = [encode(received.channel, received.store, received.device, message)]
            if isinstance(message, GateEvent) and message.kind == "entry":
                packets = _attempts(message, token)
            for packet in packets:
                recorder.write(packet, received.t_ns)
                service.handle(packet)
        service.finish()
        logging.getLogger("smartstore").error("as text: %s", journal.events(token.visit)[0])
        while (said := ear.receive(0)) is not None:
            recorder.write(said, feed[-1].t_ns)
            out.said.append(said)
        journal.close()
    address = MqttAddress("127.0.0.1", 1, username="camera-c1", password=PASSWORD)
    with pytest.raises(BusError) as caught:
        MqttBus(address).__enter__()
    logging.getLogger("smartstore").error("%r: %s", address, caught.value, exc_info=caught.value)
    for handler in logging.getLogger().handlers:
        handler.flush()
    out.files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    out.log = (out.files["plain.log"] + out.files["lines.log"]).decode()
    return out


def _attempts(entry: GateEvent, token: VisitToken) -> list[Packet]:
    """The entry with its token, and what somebody tries who has heard it: changed, for another visit, cut, broken."""

    def said(seq: int, **fields: object) -> Packet:
        event = replace(entry, seq=seq, event_id=f"e{seq}", **fields)
        return encode(topics.GATE, "corner", "entry", event)

    right = said(1, visit=token.visit, token=token.text)
    wrong = [said(2, visit="another", token=token.text), said(3, visit=token.visit, token=token.text[:-4] + "AAAA")]
    again = said(4, visit=token.visit, token=token.text)
    broken = [Packet(right.topic, right.payload[:-3], qos=1), Packet(right.topic, right.payload + b"}", qos=1)]
    return [right, *wrong, again, *broken]


def test_the_store_has_really_worked(told: Told) -> None:
    kinds = {found[0].name for packet in told.said if (found := topics.find(packet.topic)) is not None}
    assert {"cart", "receipt"} <= kinds
    assert "refused token" in told.log
    assert "payment not authorised" in told.log
    assert "malformed" in told.log
    assert {"journal.db", "feed.mcap"} <= set(told.files)
    assert len(told.files) > 4


def test_no_palm_and_no_template_is_anywhere(told: Told) -> None:
    forms = [form for seed in (0, 1) for form in vector_forms(scan(7, seed=seed))]
    for name, data in told.files.items():
        assert not [form for form in forms if form in data], name
    for packet in told.said:
        assert not [form for form in forms if form in packet.payload]


def test_no_key_and_no_password_is_anywhere(told: Told) -> None:
    private = SIGNER.key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    secrets = [PASSWORD.encode()]
    for key in (private, KEYS.secret):
        secrets += [key, key.hex().encode(), base64.b64encode(key)[:40]]
    for name, data in told.files.items():
        assert not [secret for secret in secrets if secret in data], name


def test_tokens_are_in_no_log_and_in_nothing_that_the_store_says(told: Told) -> None:
    """They travel once, from the gate; what hears gates keeps them, and nobody else gets to know."""
    signature = told.token.rsplit(".", 1)[-1][:24]
    assert signature not in told.log
    assert not [packet.topic for packet in told.said if signature.encode() in packet.payload]
    heard = [packet for packet in read_feed_of(told) if signature.encode() in packet.payload]
    assert {packet.topic for packet in heard} == {topics.GATE.topic("corner", "entry")}


def read_feed_of(told: Told) -> list[Packet]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "feed.mcap"
        path.write_bytes(told.files["feed.mcap"])
        return list(read_feed(path))


def test_an_event_says_nothing_of_its_token() -> None:
    assert "sesame" not in repr(VisitOpened("v1", 1, "gate:1", "sesame", 1))
