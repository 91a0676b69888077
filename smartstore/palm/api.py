"""The HTTP door of the palm service.

In: requests of gates and desks, each with the client's key as bearer token. Out: JSON, and problems with a reason.
The OpenAPI document is part of it, under /openapi.json. Answers to a palm never say how near it was.
"""

import base64
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.routing import Route

from smartstore.palm import words
from smartstore.palm.facts import AuditEntry, Client
from smartstore.palm.guard import Guard, GuardOptions
from smartstore.palm.limits import SmallBodies
from smartstore.palm.service import Consent, EnrolmentError, Held, PalmService, Refused
from smartstore.palm.store import PalmStoreError
from smartstore.palm.templates import PalmError
from smartstore.palm.tokens import TokenError
from smartstore.palm.vault import TamperedError

_BEARER = HTTPBearer(auto_error=False, description="A client's key, from `smartstore palm client add`")
_Clock = Callable[[], int]


class ProblemError(Exception):
    """A request that is refused, with its HTTP status and headers."""

    def __init__(self, status: int, reason: str, detail: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.detail, self.headers = status, reason, detail, headers

    def response(self) -> Response:
        return JSONResponse({"reason": self.reason, "detail": self.detail}, self.status, self.headers)


class Door:
    """Who may come to which desk: keys, roles, rate limits and lock-out."""

    def __init__(self, service: PalmService, clock: _Clock, options: GuardOptions) -> None:
        self._service, self._clock = service, clock
        self._clients, self._strangers = Guard(options), Guard(options)

    def role(self, role: str) -> Callable[..., Client]:
        """A dependency: the client that asks, which has this role and may ask now.

        A right key gets in also from an address that is locked out: else whoever shares it could shut out its gates.
        """

        def check(request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Client:
            address = request.client.host if request.client else "nowhere"
            now_ns = self._clock()
            client = self._service.clients.find(bearer.credentials) if bearer else None
            if client is None:
                _wait(self._strangers.wait_s(address, now_ns))
                self._strangers.failed(address, now_ns)
                raise ProblemError(401, "unknown client", "send a client's key as bearer token", _WHO)
            _wait(self._clients.wait_s(client.name, now_ns))
            if client.role != role:
                raise ProblemError(403, "wrong role", f"this is for a {role}, and {client.name} is a {client.role}")
            return client

        return check

    def failed(self, client: Client) -> None:
        """A palm or a token of this client was refused; too many lock it out."""
        now_ns = self._clock()
        locked_s = self._clients.failed(client.name, now_ns)
        if locked_s:
            self._service.note_lock(client.name, now_ns, locked_s)


_ASKED = (words.Enrolment, words.ConsentGiven, words.Presentation, words.TokenShown, words.Revocation, words.AuditQuery)
_FIELDS = {"body", "query", "path", "person"}.union(*(word.model_fields for word in _ASKED))
"""Names that a problem may repeat, since they are ours."""
_WHO = {"WWW-Authenticate": "Bearer"}


def _wait(seconds: float) -> None:
    if seconds > 0:
        raise ProblemError(429, "too fast", "try again later", {"Retry-After": str(int(seconds) + 1)})


def _says(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that an operation may answer with, for the OpenAPI document."""
    names = {
        400: "No JSON", 401: "Unknown client", 403: "Refused", 404: "Not there", 409: "Known already",
        413: "Too large", 422: "Not in order", 429: "Too fast, or locked out", 503: "The database is busy",
    }  # fmt: skip
    return {
        status: {"model": words.Problem, "description": names[status]}
        for status in (400, 401, 403, *statuses, 413, 422, 429, 503)
    }


def create_app(service: PalmService, clock: _Clock, guard: GuardOptions = GuardOptions()) -> FastAPI:  # noqa: B008 - frozen
    """The application around a service. ``clock`` gives UTC nanoseconds."""
    app = FastAPI(
        title="smartstore palm service", version="1", summary="Palms in, visit tokens out.",
        description=__doc__, docs_url=None, redoc_url=None,
    )  # fmt: skip
    app.add_middleware(SmallBodies)
    _problems(app)
    door = Door(service, clock, guard)
    _gate(app, service, door, clock)
    _desk(app, service, door, clock)

    @app.get("/v1/health", tags=["everybody"])
    def health() -> words.Health:
        """Whether the service is up."""
        return words.Health()

    @app.get("/v1/key", tags=["everybody"], response_class=PlainTextResponse)
    def key() -> str:
        """The public key (PEM) that stores check tokens with."""
        return service.public_key_pem.decode()

    return app


def _gate(app: FastAPI, service: PalmService, door: Door, clock: _Clock) -> None:
    gate = Annotated[Client, Depends(door.role("gate"))]

    @app.post("/v1/visits", status_code=201, tags=["gate"], responses=_says())
    def identify(presentation: words.Presentation, client: gate) -> words.Opened:
        """Open a visit for whose palm this is."""
        found = service.identify(
            presentation.palm, liveness=presentation.liveness, party_size=presentation.party_size,
            audience=client.audience, by=client.name, now_ns=clock(),
        )  # fmt: skip
        if isinstance(found, Refused):
            door.failed(client)
            raise ProblemError(403, found.reason)
        return words.Opened(visit=found.visit, token=found.text, expires_s=found.expires_s)

    @app.post("/v1/admissions", tags=["gate"], responses=_says())
    def admit(shown: words.TokenShown, client: gate) -> words.Admitted:
        """Let a visit in, once."""
        try:
            claims = service.admit(shown.token, audience=client.audience, by=client.name, now_ns=clock())
        except TokenError as error:
            door.failed(client)
            raise ProblemError(403, str(error)) from error
        return words.Admitted(visit=claims.visit, party_size=claims.party_size)


def _desk(app: FastAPI, service: PalmService, door: Door, clock: _Clock) -> None:
    desk = Annotated[Client, Depends(door.role("desk"))]
    person_id = Annotated[words.Id, Path()]

    @app.post("/v1/people", status_code=201, tags=["desk"], responses=_says(409))
    def enrol(enrolment: words.Enrolment, client: desk) -> words.Enrolled:
        """Enrol a person who agreed to it."""
        now_ns = clock()
        consent = Consent(enrolment.consent.wording, now_ns) if enrolment.consent.given else None
        try:
            person = service.enrol(
                enrolment.palm, consent=consent, liveness=enrolment.liveness, by=client.name, now_ns=now_ns
            )
        except EnrolmentError as error:
            raise ProblemError(409 if error.reason == "known already" else 403, error.reason) from error
        return words.Enrolled(person=person)

    @app.get("/v1/people/{person}", tags=["desk"], responses=_says(404))
    def export(person: person_id, client: desk) -> words.PersonHeld:
        """Everything that is held about a person."""
        held = service.export(person, by=client.name, now_ns=clock())
        if held is None:
            raise ProblemError(404, "no such person")
        return person_held(held)

    @app.delete("/v1/people/{person}", status_code=204, tags=["desk"], responses=_says(404))
    def delete(person: person_id, client: desk) -> None:
        """Forget a person; their bytes are overwritten before this answers."""
        if not service.delete(person, by=client.name, now_ns=clock()):
            raise ProblemError(404, "no such person")

    @app.post("/v1/revocations", status_code=204, tags=["desk"], responses=_says(404))
    def revoke(revocation: words.Revocation, client: desk) -> None:
        """Make a visit's token void."""
        if not service.revoke(revocation.visit, by=client.name, now_ns=clock()):
            raise ProblemError(404, "no such visit")

    @app.get("/v1/audit", tags=["desk"], responses=_says(), dependencies=[Depends(door.role("desk"))])
    def audit(query: Annotated[words.AuditQuery, Query()]) -> list[words.AuditLine]:
        """Entries of the audit trail, the oldest first."""
        return [audit_line(entry) for entry in service.audit(query.after, query.limit)]


def _problems(app: FastAPI) -> None:
    """One form for everything that is refused. The framework's own answer to a bad request repeats its values."""

    async def problem(_: Request, error: Exception) -> Response:
        if not isinstance(error, ProblemError):
            raise error
        return error.response()

    async def http(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        headers = dict(error.headers or {})
        if error.status_code == 405:  # the framework names the methods of one operation on the path only
            headers["Allow"] = ", ".join(sorted(_methods(app, request.url.path)))
        return ProblemError(error.status_code, str(error.detail).lower(), headers=headers).response()

    async def not_in_order(_: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise error
        found = [f"{'.'.join(part for part in e['loc'] if part in _FIELDS)}: {e['type']}" for e in error.errors()]
        return ProblemError(422, "not in order", "; ".join(dict.fromkeys(found))[:500]).response()

    def says(status: int, reason: str) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def handler(_: Request, error: Exception) -> Response:
            return ProblemError(status, reason, str(error)).response()

        return handler

    app.add_exception_handler(ProblemError, problem)
    app.add_exception_handler(RequestValidationError, not_in_order)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(PalmError, says(403, "no palm"))
    app.add_exception_handler(TamperedError, says(503, "tampered with"))
    app.add_exception_handler(PalmStoreError, says(503, "busy"))


def _methods(app: FastAPI, path: str) -> set[str]:
    """What can be done with a path."""
    found = [route for route in app.routes if isinstance(route, Route) and route.path_regex.match(path)]
    return {method for route in found for method in route.methods or ()}


def audit_line(entry: AuditEntry) -> words.AuditLine:
    """An entry as it is shown."""
    return words.AuditLine(
        seq=entry.seq, at_ns=entry.at_ns, actor=entry.actor, action=entry.action, subject=entry.subject,
        outcome=entry.outcome, digest=entry.digest.hex(),
    )  # fmt: skip


def person_held(held: Held) -> words.PersonHeld:
    """An export as it is shown."""
    visits = [
        words.VisitHeld(visit=visit.visit, audience=visit.audience, expires_s=visit.expires_s, state=visit.state)
        for visit in held.visits
    ]
    return words.PersonHeld(
        person=held.person, enrolled_ns=held.enrolled_ns, enrolled_by=held.enrolled_by,
        consent_wording=held.consent_wording, consented_ns=held.consented_ns, template_scheme=held.template_scheme,
        template_epoch=held.template_epoch, template_sealed=base64.b64encode(held.template_sealed).decode(),
        visits=visits, audit=[audit_line(entry) for entry in held.audit],
    )  # fmt: skip
