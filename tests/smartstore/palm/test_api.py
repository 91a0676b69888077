"""The palm service over HTTP: gates and desks with keys of their own, limits, and answers that give nothing away."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from smartstore.palm.api import create_app
from smartstore.palm.client import PalmClient, PalmClientError, PalmRefusedError
from smartstore.palm.guard import GuardOptions
from smartstore.palm.service import PalmService
from smartstore.palm.tokens import TokenError, Verifier
from tests.smartstore.palm.people import SECOND, SIGNER, a_service, scan

CALM = GuardOptions(per_s=1000.0, burst=1000, failures=1000)
LIMITS = GuardOptions(per_s=1.0, burst=5, failures=3, forgive_s=60.0, lock_s=30.0)


@dataclass
class Office:
    """A palm service with a gate, a desk, and a clock that a test turns."""

    guard: GuardOptions = CALM
    now_s: float = 100.0
    service: PalmService = field(default_factory=a_service)

    def __post_init__(self) -> None:
        keys = [self.service.clients.add(*who, 0, "operator") for who in (
            ("gate-1", "gate", "corner"), ("gate-2", "gate", "corner"), ("gate-3", "gate", "elsewhere"),
            ("desk-1", "desk", "corner"),
        )]  # fmt: skip
        self.keys = dict(zip(("gate", "gate-2", "gate-3", "desk"), keys, strict=True))
        self.http = TestClient(create_app(self.service, lambda: int(self.now_s * SECOND), self.guard))

    def ask(self, who: str, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        head = {"Authorization": f"Bearer {self.keys.get(who, who)}"}
        return self.http.request(method, path, json=body, headers=head, **more)

    def enrol(self, person: int, **changes: Any) -> httpx.Response:
        body = {"palm": scan(person).tolist(), "liveness": 0.9, "consent": {"given": True, "wording": "2026-1"}}
        return self.ask("desk", "POST", "/v1/people", body | changes)

    def come(self, person: int, who: str = "gate", seed: int = 1, **changes: Any) -> httpx.Response:
        body = {"palm": scan(person, seed=seed).tolist(), "liveness": 0.9}
        return self.ask(who, "POST", "/v1/visits", body | changes)


@pytest.fixture
def office() -> Office:
    return Office()


def reason(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


def test_somebody_enrols_comes_in_is_shown_what_is_held_and_is_forgotten(office: Office) -> None:
    person = office.enrol(3).json()["person"]
    opened = office.come(3, party_size=2)
    assert opened.status_code == 201 and opened.json()["expires_s"] == 160
    admitted = office.ask("gate", "POST", "/v1/admissions", {"token": opened.json()["token"]})
    assert admitted.json() == {"visit": opened.json()["visit"], "party_size": 2}
    held = office.ask("desk", "GET", f"/v1/people/{person}").json()
    assert held["consent_wording"] == "2026-1" and held["consented_ns"] == 100 * SECOND
    assert [visit["state"] for visit in held["visits"]] == ["admitted"]
    assert office.ask("desk", "DELETE", f"/v1/people/{person}").status_code == 204
    assert reason(office.come(3, seed=2)) == (403, "unknown")
    assert reason(office.ask("desk", "GET", f"/v1/people/{person}")) == (404, "no such person")
    trail = office.ask("desk", "GET", "/v1/audit?after=4").json()
    assert [(line["action"], line["outcome"]) for line in trail] == [
        ("enrol", "done"), ("identify", "done"), ("admit", "done"), ("export", "done"), ("delete", "done"),
        ("identify", "unknown"),
    ]  # fmt: skip


@pytest.mark.parametrize(("changes", "status", "why"), [
    ({"consent": {"given": False, "wording": "2026-1"}}, 403, "no consent"),
    ({"consent": None}, 422, "not in order"),
    ({"consent": {"given": True}}, 422, "not in order"),
    ({"consent": {"given": True, "wording": ""}}, 422, "not in order"),
    ({"liveness": 0.1}, 403, "not alive"),
    ({"liveness": 1.1}, 422, "not in order"),
    ({"palm": [0.0] * 128}, 403, "no palm"),
    ({"palm": [1e-320] * 128}, 403, "no palm"),
    ({"palm": [1.0] * 127}, 422, "not in order"),
    ({"palm": [1e300] * 128}, 422, "not in order"),
    ({"palm": "AAAA"}, 422, "not in order"),
    ({"name": "Ada"}, 422, "not in order"),
], ids=["consent refused", "no consent", "to what", "to nothing", "dead", "too alive", "zeros", "almost zeros", "short",
        "huge", "text", "a name"])  # fmt: skip
def test_who_cannot_be_enrolled_is_told_why(office: Office, changes: dict[str, Any], status: int, why: str) -> None:
    assert reason(office.enrol(3, **changes)) == (status, why)
    assert office.service.enrolled == 0


def test_a_palm_is_enrolled_once(office: Office) -> None:
    office.enrol(3)
    assert reason(office.enrol(3, palm=scan(3, seed=9).tolist())) == (409, "known already")


def test_a_refused_palm_is_told_in_one_word_and_never_how_near_it_was(office: Office) -> None:
    office.enrol(3)
    assert office.come(4).json() == {"reason": "unknown", "detail": ""}
    assert office.come(3, liveness=0.2).json() == {"reason": "not alive", "detail": ""}


@pytest.mark.parametrize(("who", "method", "path", "status"), [
    ("gate", "POST", "/v1/people", 403), ("gate", "DELETE", "/v1/people/aaaaaaaaaaaaaaaa", 403),
    ("gate", "GET", "/v1/people/aaaaaaaaaaaaaaaa", 403), ("gate", "GET", "/v1/audit", 403),
    ("gate", "POST", "/v1/revocations", 403), ("desk", "POST", "/v1/visits", 403),
    ("desk", "POST", "/v1/admissions", 403),
    ("gate-1.wrong", "POST", "/v1/visits", 401), ("nobody.x", "POST", "/v1/visits", 401), ("", "GET", "/v1/audit", 401),
    ("gate-1.", "POST", "/v1/visits", 401), (".", "GET", "/v1/audit", 401),
])  # fmt: skip
def test_everybody_does_what_is_theirs(office: Office, who: str, method: str, path: str, status: int) -> None:
    bodies: dict[str, Any] = {
        "/v1/people": {"palm": scan(3).tolist(), "liveness": 1, "consent": {"given": True, "wording": "1"}},
        "/v1/visits": {"palm": scan(3).tolist(), "liveness": 1}, "/v1/admissions": {"token": "x"},
        "/v1/revocations": {"visit": "a" * 16},
    }  # fmt: skip
    assert office.ask(who, method, path, bodies.get(path)).status_code == status
    assert office.service.enrolled == 0


def test_without_a_key_there_is_only_the_public_key_and_health(office: Office) -> None:
    assert office.http.get("/v1/audit").headers["www-authenticate"] == "Bearer"
    assert office.http.get("/v1/health").json() == {"status": "ok"}
    assert office.http.get("/v1/key").text == SIGNER.public_pem().decode()


def test_a_key_that_was_taken_away_opens_nothing(office: Office) -> None:
    office.service.clients.remove("gate-1", 0, "operator")
    assert office.come(3).status_code == 401


def test_a_token_is_for_the_store_of_the_gate_that_asked(office: Office) -> None:
    office.enrol(3)
    token = office.come(3, who="gate-3").json()["token"]
    assert Verifier(SIGNER.key.public_key(), "elsewhere").verify(token, 101 * SECOND)
    assert reason(office.ask("gate", "POST", "/v1/admissions", {"token": token})) == (403, "token is for another store")


def test_a_revoked_token_opens_nothing(office: Office) -> None:
    office.enrol(3)
    opened = office.come(3).json()
    assert office.ask("desk", "POST", "/v1/revocations", {"visit": opened["visit"]}).status_code == 204
    assert reason(office.ask("gate", "POST", "/v1/admissions", {"token": opened["token"]})) == (
        403,
        "token was revoked",
    )
    assert office.ask("desk", "POST", "/v1/revocations", {"visit": "a" * 16}).status_code == 404


# Limits


def test_too_many_palms_at_once_have_to_wait_and_other_gates_do_not() -> None:
    office = Office(LIMITS)
    office.enrol(3)
    answers = [office.come(3, seed=n) for n in range(6)]
    assert [answer.status_code for answer in answers] == [201] * 5 + [429]
    assert answers[-1].headers["retry-after"] == "2"
    assert office.come(3, who="gate-2").status_code == 201
    office.now_s += 2
    assert office.come(3).status_code == 201


def test_whoever_tries_palms_is_locked_out_for_longer_each_time_and_it_is_noted() -> None:
    office = Office(LIMITS)
    office.enrol(3)
    for seconds in (30, 60):
        assert [office.come(person).status_code for person in (4, 5, 6)] == [403] * 3
        assert reason(office.come(3)) == (429, "too fast")
        office.now_s += seconds - 1
        assert office.come(3).status_code == 429
        office.now_s += 2
        assert office.come(3).status_code == 201
        office.now_s += 5
    locks = [entry for entry in office.service.audit() if entry.action == "lock out"]
    assert [(entry.subject, entry.outcome) for entry in locks] == [("gate-1", "30 s"), ("gate-1", "60 s")]


def test_whoever_tries_tokens_is_locked_out_too() -> None:
    office = Office(LIMITS)
    answers = [office.ask("gate", "POST", "/v1/admissions", {"token": f"v1.{n}.x"}).status_code for n in range(4)]
    assert answers == [403, 403, 403, 429]


def test_whoever_guesses_keys_is_locked_out_and_the_gates_are_not() -> None:
    office = Office(LIMITS)
    office.enrol(3)
    assert [office.come(3, who=f"gate-1.{n}").status_code for n in range(5)] == [401, 401, 401, 429, 429]
    assert office.come(3).status_code == 201


@pytest.mark.parametrize("said", [True, False], ids=["length said", "in pieces"])
def test_nobody_fills_the_memory(office: Office, said: bool) -> None:
    content = b"[" + b"0," * 60_000 + b"0]"
    pieces: Any = content if said else (content[at : at + 1000] for at in range(0, len(content), 1000))
    answer = office.http.post("/v1/visits", content=pieces, headers={"Authorization": f"Bearer {office.keys['gate']}"})
    assert reason(answer) == (413, "too large")


# Nothing of a palm comes back


@pytest.mark.parametrize("body", [
    '{"palm": [0.1234567, NaN], "liveness": 0.5}', '{"palm": [0.1234567', '{"palm": 0.1234567, "liveness": 0.1234567}',
    '{"palm": ["0.1234567x"], "0.1234567": 1}', '[0.1234567]', '"0.1234567"',
    '{"palm": [0.1234567], "liveness": -0.1234567}',
])  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/visits", "/v1/people"])
def test_an_error_does_not_repeat_what_was_sent(
    office: Office, body: str, path: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    who = "gate" if path == "/v1/visits" else "desk"
    head = {"Authorization": f"Bearer {office.keys[who]}", "Content-Type": "application/json"}
    answer = office.http.post(path, content=body, headers=head)
    assert answer.status_code == 422
    said = answer.text + str(answer.headers) + caplog.text + "".join(capfd.readouterr())
    assert "1234567" not in said


# The other side


def gate_of(office: Office, who: str = "gate") -> PalmClient:
    return PalmClient("http://testserver", office.keys[who], transport=office.http._transport)


def test_a_gate_and_a_desk_use_the_service_through_the_client(office: Office) -> None:
    with gate_of(office, "desk") as desk, gate_of(office) as gate:
        person = desk.enrol(scan(3), 0.9, "2026-1")
        token = gate.identify(scan(3, seed=1), 0.9, 2)
        assert token is not None and gate.identify(scan(4), 0.9) is None
        assert gate.admit(token.text) == token.visit
        with pytest.raises(TokenError, match="used already"):
            gate.admit(token.text)
        again = gate.identify(scan(3, seed=2), 0.9)
        assert again is not None
        desk.revoke(again.visit)
        with pytest.raises(TokenError, match="revoked"):
            gate.admit(again.text)
        desk.delete(person)
        assert gate.identify(scan(3, seed=2), 0.9) is None
        assert gate.public_key_pem() == SIGNER.public_pem()
        with pytest.raises(PalmRefusedError, match="wrong role"):
            gate.delete(person)


def test_a_service_that_is_not_there_is_one_clear_line() -> None:
    with (
        PalmClient("http://127.0.0.1:9", "gate-1.x") as gate,
        pytest.raises(PalmClientError, match=r"127\.0\.0\.1:9: the palm service does not answer"),
    ):
        gate.identify(scan(3), 0.9)
    page = httpx.MockTransport(lambda _: httpx.Response(500, text="<html>"))
    with (
        PalmClient("http://shop", "x", transport=page) as gate,
        pytest.raises(PalmClientError, match="is no palm service"),
    ):
        gate.identify(scan(3), 0.9)


def test_the_document_names_every_problem_and_every_operation_has_a_role(office: Office) -> None:
    document = json.loads(office.http.get("/openapi.json").text)
    operations = {
        (path, method): found for path, methods in document["paths"].items() for method, found in methods.items()
    }
    assert len(operations) == 9
    for (path, _), operation in operations.items():
        if path not in ("/v1/health", "/v1/key"):
            assert {"401", "403", "422", "429", "503"} <= set(operation["responses"])
            assert operation["security"] == [{"HTTPBearer": []}]
