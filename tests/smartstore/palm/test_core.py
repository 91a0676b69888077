"""Palms in, tokens out, and nothing of the palm anywhere else."""

import pickle

import numpy as np
import pytest
from numpy.typing import NDArray

from smartstore.palm.keys import PalmKeys, new_keys
from smartstore.palm.matcher import Matcher
from smartstore.palm.service import EnrolmentError, PalmService, Refused, VisitToken
from smartstore.palm.store import PalmStore
from smartstore.palm.templates import PalmError, TemplateKey, TemplateMaker, distance
from smartstore.palm.tokens import Verifier
from smartstore.palm.vault import TamperedError, Vault
from tests.smartstore.palm.people import CONSENT, KEYS, SECOND, SIGNER, a_service, come, enrol, known, scan

KEY = TemplateKey(b"k" * 32, b"corner")


def test_an_enrolled_person_gets_in_with_a_token_that_the_store_can_check() -> None:
    token = come(a_service(3), scan(3, seed=1), party_size=2)
    assert isinstance(token, VisitToken)
    claims = Verifier(SIGNER.key.public_key(), "corner").verify(token.text, 12 * SECOND)
    assert (claims.visit, claims.audience, claims.party_size) == (token.visit, "corner", 2)
    assert len(token.visit) == 16


def test_every_visit_is_a_stranger_to_the_last_one() -> None:
    service = a_service()
    person = enrol(service, 3)
    tokens = [come(service, scan(3, seed=n), now_s=n) for n in range(20)]
    texts = [token.visit + token.text for token in tokens if isinstance(token, VisitToken)]
    assert len(set(texts)) == 20
    assert not any(person in text for text in texts)


def test_among_fifty_everybody_is_found_and_no_stranger_is() -> None:
    service = a_service(*range(50))
    assert all(known(service, person, seed=5) for person in range(50))
    assert not any(known(service, person, seed=5) for person in range(50, 60))
    assert service.refusals == {"unknown": 10}


@pytest.mark.parametrize(("palm", "liveness", "reason"), [
    (scan(3), 0.1, "not alive"), (scan(3), float("nan"), "not alive"),
    (scan(4), 0.9, "unknown"), (scan(3, noise=5.0, seed=8), 0.9, "unknown"),
], ids=["photograph", "broken sensor", "stranger", "bad capture"])  # fmt: skip
def test_who_is_refused_gets_no_token(palm: NDArray[np.float64], liveness: float, reason: str) -> None:
    service = a_service(3)
    assert come(service, palm, liveness=liveness) == Refused(reason)  # type: ignore[arg-type]
    assert service.refusals == {reason: 1}


def test_twins_are_refused_rather_than_guessed() -> None:
    matcher, maker = Matcher(), TemplateMaker(KEY, 128)
    matcher.add("one", maker.template(scan(3, 0.05, seed=1)))
    matcher.add("other", maker.template(scan(3, 0.05, seed=2)))
    assert matcher.identify(maker.template(scan(3, 0.05, seed=3)), 0.9).refusal == "ambiguous"


def test_nobody_is_enrolled_without_consent_twice_or_dead() -> None:
    service = a_service(3)
    for reason, person, fields in [
        ("no consent", 4, {"consent": None}), ("not alive", 4, {"liveness": 0.2}),
        ("known already", 3, {"palm": scan(3, seed=9)}),
    ]:  # fmt: skip
        with pytest.raises(EnrolmentError, match=reason):
            enrol(service, person, **fields)
    assert service.enrolled == 1
    assert [entry.outcome for entry in service.audit()] == ["done", "no consent", "not alive", "known already"]


def test_who_is_deleted_is_unknown_and_the_others_stay() -> None:
    service = a_service()
    ids = [enrol(service, person) for person in range(5)]
    assert service.delete(ids[1], by="desk-1", now_ns=0)
    assert not service.delete(ids[1], by="desk-1", now_ns=0)
    assert not known(service, 1)
    assert all(known(service, person) for person in (0, 2, 3, 4))


def test_whoever_is_deleted_has_no_open_visit_any_more() -> None:
    service = a_service()
    person = enrol(service, 3)
    token = come(service, scan(3))
    assert isinstance(token, VisitToken)
    service.delete(person, by="desk-1", now_ns=11 * SECOND)
    assert service.revoke(token.visit, by="desk-1", now_ns=11 * SECOND) is False


def test_a_visit_and_its_person_are_strangers_once_the_token_has_expired() -> None:
    service = a_service()
    person = enrol(service, 3)
    come(service, scan(3), now_s=10)
    come(service, scan(3, seed=2), now_s=1000)
    held = service.export(person, by="desk-1", now_ns=1001 * SECOND)
    assert held is not None
    assert [visit.expires_s for visit in held.visits] == [1060]
    later = service.export(person, by="desk-1", now_ns=2000 * SECOND)
    assert later is not None and later.visits == [], "also when nobody came since"


@pytest.mark.parametrize("vector", [[1.0] * 127, [float("nan")] * 128, [0.0] * 128, []])
def test_what_is_no_palm_is_refused(vector: list[float]) -> None:
    with pytest.raises(PalmError, match="128"):
        enrol(a_service(), 0, palm=vector)


def test_an_export_holds_the_consent_the_sealed_template_and_the_trail() -> None:
    service = a_service(1)
    person = enrol(service, 3)
    held = service.export(person, by="desk-2", now_ns=20 * SECOND)
    assert held is not None
    assert (held.consent_wording, held.consented_ns) == (CONSENT.wording, CONSENT.given_ns)
    assert (held.enrolled_by, held.template_epoch) == ("desk-1", 1)
    assert [(entry.action, entry.actor) for entry in held.audit] == [("enrol", "desk-1"), ("export", "desk-2")]
    assert distance(Vault(KEYS.secret).open(person, 1, held.template_sealed), np.zeros(16, np.uint64)) > 0.3
    assert service.export("nobody", by="desk-2", now_ns=0) is None


# Several processes, one database


def test_another_process_hears_of_who_is_enrolled_and_who_is_deleted() -> None:
    store = PalmStore()
    one, other = a_service(store=store), a_service(store=store, seed=8)
    person = enrol(one, 3)
    assert known(other, 3)
    other.delete(person, by="desk-1", now_ns=0)
    assert not known(one, 3)
    assert one.enrolled == 0


def test_after_a_restart_everybody_is_still_known() -> None:
    store = PalmStore()
    a_service(3, 4, store=store)
    again = a_service(store=store, seed=8)
    assert known(again, 3) and known(again, 4) and not known(again, 5)


def test_a_database_of_other_keys_is_refused() -> None:
    store = PalmStore()
    a_service(3, store=store)
    with pytest.raises(TamperedError, match="other keys"):
        PalmService(PalmKeys(b"x" * 32, SIGNER), store, np.random.default_rng(1).bytes)


# Renewal


def test_a_new_salt_makes_templates_that_tell_nothing_about_the_old_ones() -> None:
    old, new = TemplateMaker(KEY, 128), TemplateMaker(TemplateKey(b"k" * 32, b"corner-2"), 128)
    palm = scan(3)
    assert float(distance(old.template(palm), old.template(scan(3, seed=1)))) < 0.3
    assert 0.44 < float(distance(old.template(palm), new.template(palm))) < 0.56


def test_while_templates_are_renewed_everybody_gets_in_and_comes_out_with_a_new_one() -> None:
    service = a_service()
    came, stayed = enrol(service, 3), enrol(service, 4)
    before = service.export(came, by="desk-1", now_ns=0)
    assert service.begin_renewal(by="operator", now_ns=0) == 2
    assert known(service, 3) and known(service, 3, seed=2)
    with pytest.raises(EnrolmentError, match="known already"):
        enrol(service, 4, palm=scan(4, seed=9))
    after = service.export(came, by="desk-1", now_ns=0)
    assert before is not None and after is not None
    assert (before.template_epoch, after.template_epoch) == (1, 2)
    assert before.template_sealed != after.template_sealed
    assert service.finish_renewal(by="operator", now_ns=0) == 1
    assert known(service, 3, seed=3) and not known(service, 4)
    assert service.export(stayed, by="desk-1", now_ns=0) is None


# What an attacker can and cannot do


def test_with_the_database_alone_nobody_sees_who_resembles_whom() -> None:
    vault, template = Vault(KEYS.secret), TemplateMaker(KEY, 128).template(scan(3))
    one, other = (np.frombuffer(vault.seal(person, 1, template)[16:], np.uint64) for person in ("me", "you"))
    assert 0.42 < float(distance(one, other)) < 0.58


def test_with_database_and_secret_a_palm_can_be_rebuilt_that_matches_also_after_renewal() -> None:
    """No promise, but a warning: this is why the keys lie elsewhere."""
    palm, key = scan(3), TemplateKey(KEYS.secret, b"salt")
    bits = np.unpackbits(TemplateMaker(key, 128).template(palm).view(np.uint8)).astype(np.float32) * 2 - 1
    rebuilt = TemplateMaker(key, 128)._directions @ bits
    assert rebuilt @ palm / np.linalg.norm(rebuilt) / np.linalg.norm(palm) > 0.9
    service = a_service(3)
    assert isinstance(come(service, rebuilt), VisitToken)
    assert come(service, rebuilt, liveness=0.2) == Refused("not alive")


def test_whoever_knows_the_scheme_but_not_the_secret_rebuilds_nothing() -> None:
    palm = scan(3)
    template = TemplateMaker(TemplateKey(b"x" * 32, b"salt"), 128).template(palm)
    bits = np.unpackbits(template.view(np.uint8)).astype(np.float32) * 2 - 1
    guess = TemplateMaker(TemplateKey(b"y" * 32, b"salt"), 128)._directions @ bits
    assert abs(guess @ palm / np.linalg.norm(guess) / np.linalg.norm(palm)) < 0.4


# Secrets


def test_a_sealed_template_opens_only_for_its_owner_and_unchanged() -> None:
    vault, template = Vault(b"k" * 32), TemplateMaker(KEY, 128).template(scan(3))
    sealed = vault.seal("me", 1, template)
    assert (vault.open("me", 1, sealed) == template).all()
    changed = bytes([sealed[0] ^ 1]) + sealed[1:]
    for name, epoch, content in [("you", 1, sealed), ("me", 2, sealed), ("me", 1, changed), ("me", 1, b"")]:
        with pytest.raises(TamperedError, match="changed or is another's"):
            vault.open(name, epoch, content)
    with pytest.raises(TamperedError, match="changed or is another's"):
        Vault(b"x" * 32).open("me", 1, sealed)


def test_the_raw_palm_is_nowhere_in_the_service() -> None:
    service = a_service()
    palm = scan(3)
    enrol(service, 3, palm=palm)
    gallery = vars(service)["_gallery"]
    kept = pickle.dumps([(hall.maker, hall.matcher) for hall in vars(gallery)["_halls"].values()])
    words = [number.tobytes() for kind in (np.float32, np.float64) for number in palm.astype(kind)]
    assert not any(word in kept for word in words)
    assert "k" * 32 not in repr((KEY, KEYS, vars(service)))


def test_short_secrets_are_refused_and_never_shown() -> None:
    with pytest.raises(PalmError, match="32 bytes") as caught:
        TemplateKey(b"hunter2", b"corner")
    assert "hunter2" not in str(caught.value)


def test_new_keys_differ() -> None:
    rng = np.random.default_rng(8)
    one, other = new_keys(rng.bytes), new_keys(rng.bytes)
    assert one.secret != other.secret and one.signer.public_pem() != other.signer.public_pem()


# The audit trail


def test_the_trail_says_who_did_what_and_never_who_came() -> None:
    service = a_service()
    person = enrol(service, 3)
    token = come(service, scan(3))
    assert isinstance(token, VisitToken)
    service.admit(token.text, audience="corner", by="gate-1", now_ns=12 * SECOND)
    service.delete(person, by="desk-1", now_ns=20 * SECOND)
    assert [(e.actor, e.action, e.subject) for e in service.audit()] == [
        ("desk-1", "enrol", person), ("gate-1", "identify", token.visit), ("gate-1", "admit", token.visit),
        ("desk-1", "delete", person),
    ]  # fmt: skip
    newest = service.check_audit()
    assert newest is not None and newest.seq == 4


@pytest.mark.parametrize("tampering", [
    "UPDATE palm_audit SET actor = 'nobody' WHERE seq = 2",
    "UPDATE palm_audit SET outcome = 'unknown' WHERE seq = 1",
    "DELETE FROM palm_audit WHERE seq = 2",
    "DELETE FROM palm_audit WHERE seq = 1",
    "UPDATE palm_audit SET seq = 9 WHERE seq = 3",
    "INSERT INTO palm_audit SELECT 4, at_ns, actor, action, subject, outcome, digest FROM palm_audit WHERE seq = 3",
], ids=["other actor", "other outcome", "one missing", "first missing", "renumbered", "one too many"])  # fmt: skip
def test_whoever_tampers_with_the_trail_is_seen(tampering: str) -> None:
    store = PalmStore()
    service = a_service(1, 2, 3, store=store)
    service.check_audit()
    with store.transaction() as books:
        books.connection.exec_driver_sql(tampering)
    with pytest.raises(TamperedError, match="tampered with at entry"):
        service.check_audit()
