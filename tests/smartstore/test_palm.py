"""Palms in, tokens out, and nothing of the palm anywhere else."""

import base64
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from smartstore.palm.matcher import Matcher
from smartstore.palm.service import PalmService
from smartstore.palm.templates import PalmError, TemplateKey, TemplateMaker, distance
from smartstore.palm.tokens import Claims, Signer, TokenError, Verifier, new_signer, read_signer, read_verifier

SECOND = 1_000_000_000
KEY = TemplateKey(b"k" * 32, b"corner")
SIGNER = new_signer(b"s" * 32)
PEOPLE = np.random.default_rng(1).normal(size=(200, 128))


def scan(person: int, noise: float = 0.5, seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng([person, seed])
    return PEOPLE[person] + noise * rng.normal(size=128)


def a_service(*enrolled: int) -> PalmService:
    service = PalmService("corner", np.random.default_rng(7).bytes, KEY, SIGNER)
    for person in enrolled:
        service.enrol(scan(person), consent=True)
    return service


def verifier(signer: Signer = SIGNER, store: str = "corner") -> Verifier:
    return Verifier(signer.key.public_key(), store)


def test_an_enrolled_person_gets_in_with_a_token_that_the_store_can_check() -> None:
    token = a_service(3).identify(scan(3, seed=1), now_s=10, party_size=2)
    assert token is not None
    claims = verifier().verify(token.text, 12 * SECOND)
    assert (claims.visit, claims.audience, claims.party_size) == (token.visit, "corner", 2)
    assert len(token.visit) == 16


def test_every_visit_is_a_stranger_to_the_last_one() -> None:
    service = a_service()
    person = service.enrol(scan(3), consent=True)
    tokens = [service.identify(scan(3, seed=n), now_s=n) for n in range(20)]
    assert len({token.visit for token in tokens if token}) == 20
    assert all(token and person not in token.visit + token.text for token in tokens)


def test_a_service_makes_its_own_keys_and_shows_the_public_one(tmp_path: Path) -> None:
    service = PalmService("corner", np.random.default_rng(8).bytes)
    service.enrol(scan(3), consent=True)
    token = service.identify(scan(3, seed=1), now_s=0)
    (tmp_path / "palm.pub").write_bytes(service.public_key_pem)
    assert token is not None
    assert read_verifier(tmp_path / "palm.pub", "corner").verify(token.text, 0).visit == token.visit


def test_among_two_hundred_everybody_is_found_and_no_stranger_is() -> None:
    service = a_service(*range(150))
    assert all(service.identify(scan(person, seed=5), now_s=0) for person in range(150))
    assert not any(service.identify(scan(person, seed=5), now_s=0) for person in range(150, 200))
    assert service.refusals == {"unknown": 50}


@pytest.mark.parametrize(("palm", "liveness", "refusal"), [
    (scan(3), 0.1, "not alive"), (scan(3), float("nan"), "not alive"),
    (scan(4), 0.9, "unknown"), (scan(3, noise=5.0, seed=8), 0.9, "unknown"),
], ids=["photograph", "broken sensor", "stranger", "bad capture"])  # fmt: skip
def test_who_is_refused_gets_no_token(palm: NDArray[np.float64], liveness: float, refusal: str) -> None:
    service = a_service(3)
    assert service.identify(palm, now_s=0, liveness=liveness) is None
    assert service.refusals == {refusal: 1}


def test_twins_are_refused_rather_than_guessed() -> None:
    matcher, maker = Matcher(), TemplateMaker(KEY, 128)
    matcher.add("one", maker.template(scan(3, 0.05, seed=1)))
    matcher.add("other", maker.template(scan(3, 0.05, seed=2)))
    assert matcher.identify(maker.template(scan(3, 0.05, seed=3)), 0.9).refusal == "ambiguous"


def test_nobody_is_enrolled_without_consent_twice_or_dead() -> None:
    service = a_service(3)
    with pytest.raises(PalmError, match="consent"):
        service.enrol(scan(4), consent=False)
    with pytest.raises(PalmError, match="alive"):
        service.enrol(scan(4), consent=True, liveness=0.2)
    with pytest.raises(PalmError, match="already"):
        service.enrol(scan(3, seed=9), consent=True)
    assert service.enrolled == 1


def test_who_is_deleted_is_unknown_and_the_others_stay() -> None:
    service = a_service()
    ids = [service.enrol(scan(person), consent=True) for person in range(5)]
    assert service.delete(ids[1])
    assert not service.delete(ids[1])
    assert service.identify(scan(1, seed=2), now_s=0) is None
    assert all(service.identify(scan(person, seed=2), now_s=0) for person in (0, 2, 3, 4))


@pytest.mark.parametrize("vector", [[1.0] * 127, [float("nan")] * 128, [0.0] * 128, []])
def test_what_is_no_palm_is_refused(vector: list[float]) -> None:
    with pytest.raises(PalmError, match="128"):
        a_service().enrol(vector, consent=True)


def test_a_new_salt_makes_templates_that_tell_nothing_about_the_old_ones() -> None:
    old, new = TemplateMaker(KEY, 128), TemplateMaker(TemplateKey(b"k" * 32, b"corner-2"), 128)
    palm = scan(3)
    assert float(distance(old.template(palm), old.template(scan(3, seed=1)))) < 0.3
    assert 0.44 < float(distance(old.template(palm), new.template(palm))) < 0.56


def test_the_raw_palm_is_nowhere_in_the_service() -> None:
    service = a_service()
    palm = scan(3)
    service.enrol(palm, consent=True)
    kept = pickle.dumps({name: value for name, value in vars(service).items() if name not in ("_signer", "_entropy")})
    words = [number.tobytes() for kind in (np.float32, np.float64) for number in palm.astype(kind)]
    assert not any(word in kept for word in words)
    assert "k" * 32 not in repr((KEY, vars(service)))


def test_short_secrets_are_refused_and_never_shown() -> None:
    with pytest.raises(PalmError, match="32 bytes") as caught:
        TemplateKey(b"hunter2", b"corner")
    assert "hunter2" not in str(caught.value)


# Tokens

CLAIMS = Claims("visit", "corner", 1, 100, 160)
TOKEN = SIGNER.sign(CLAIMS)


def forged(**changes: object) -> str:
    version, body, signature = TOKEN.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    body = base64.urlsafe_b64encode(json.dumps({**claims, **changes}).encode()).rstrip(b"=").decode()
    return f"{version}.{body}.{signature}"


@pytest.mark.parametrize(("token", "at_s", "why"), [
    (forged(visit="other"), 110, "signature"),
    (forged(expires_s=10**11), 110, "signature"),
    (new_signer(b"x" * 32).sign(CLAIMS), 110, "signature"),
    (TOKEN, 166, "expired"),
    (TOKEN, 94, "not valid yet"),
    (SIGNER.sign(Claims("visit", "other store", 1, 0, 10**11)), 110, "another store"),
    (TOKEN.replace("v1.", "v2."), 110, "no visit token"),
    (TOKEN[:-3], 110, "signature|no visit token"),
    (TOKEN + "A", 110, "signature|no visit token"),
    ("", 110, "no visit token"), ("v1..", 110, "no visit token"), ("a.b", 110, "no visit token"),
    ("v1.\xe9.x", 110, "no visit token"), ("v1." + "A" * 5000 + ".A", 110, "no visit token"),
])  # fmt: skip
def test_what_is_not_in_order_is_refused(token: str, at_s: int, why: str) -> None:
    with pytest.raises(TokenError, match=why):
        verifier().verify(token, at_s * SECOND)


def test_a_gates_clock_may_be_a_little_off() -> None:
    assert verifier().verify(TOKEN, 96 * SECOND) == verifier().verify(TOKEN, 164 * SECOND) == CLAIMS


def test_keys_are_read_from_files_that_only_their_owner_reads(tmp_path: Path) -> None:
    private, public = tmp_path / "palm.pem", tmp_path / "palm.pub"
    private.write_bytes(SIGNER.private_pem())
    public.write_bytes(SIGNER.public_pem())
    private.chmod(0o644)
    with pytest.raises(TokenError, match="chmod 600"):
        read_signer(private)
    private.chmod(0o600)
    assert read_verifier(public, "corner").verify(read_signer(private).sign(CLAIMS), 110 * SECOND) == CLAIMS


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_a_key_that_cannot_be_used_is_one_clear_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "palm.pub"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TokenError, match=r"palm\.pub: (cannot be read|holds no public key)"):
        read_verifier(path, "corner")
