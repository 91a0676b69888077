"""What is said over HTTP: requests, answers and problems, as pydantic models from which the OpenAPI document comes.

A palm is only ever part of a request. Nothing here repeats a request's values, in answers or in errors.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

DIMENSION = 128

Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Palm = Annotated[list[Number], Field(min_length=DIMENSION, max_length=DIMENSION, repr=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Id = Annotated[str, Field(pattern="^[a-z2-7]{16}$")]


class _Word(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ConsentGiven(_Word):
    """What somebody said when they were asked; the service notes the time."""

    given: bool
    wording: str = Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Version of the text they agreed to")


class Enrolment(_Word):
    """A palm to be enrolled."""

    palm: Palm
    liveness: Share = Field(description="How sure the scanner is that this is a living hand")
    consent: ConsentGiven


class Enrolled(_Word):
    """Under which random id a person can be exported and deleted."""

    person: Id


class Presentation(_Word):
    """A palm held over a gate's scanner."""

    palm: Palm
    liveness: Share = Field(description="How sure the scanner is that this is a living hand")
    party_size: int = Field(default=1, ge=1, le=20)


class Opened(_Word):
    """A visit, with the token that the gate shows to the store."""

    visit: Id
    token: str
    expires_s: int = Field(description="UTC seconds")


class TokenShown(_Word):
    """A token to be let in with."""

    token: str = Field(min_length=1, max_length=2048)


class Admitted(_Word):
    """Somebody may come in, now and never again on this token."""

    visit: Id
    party_size: int


class Revocation(_Word):
    """A visit whose token shall be void."""

    visit: Id


class VisitHeld(_Word):
    """A visit whose token still lasts."""

    visit: Id
    audience: str
    expires_s: int
    state: Literal["issued", "admitted", "revoked"]


class AuditQuery(_Word):
    """Which entries of the audit trail."""

    after: int = Field(default=0, ge=0, le=2**62, description="Only entries with a higher number")
    limit: int = Field(default=100, ge=1, le=1000, description="At most so many")


class AuditLine(_Word):
    """Who did what when to whom, with what outcome."""

    seq: int
    at_ns: int
    actor: str
    action: str
    subject: str
    outcome: str
    digest: str = Field(description="Hexadecimal; links the entry to the one before")


class PersonHeld(_Word):
    """Everything that is held about a person."""

    person: Id
    enrolled_ns: int
    enrolled_by: str
    consent_wording: str
    consented_ns: int
    template_scheme: str
    template_epoch: int
    template_sealed: str = Field(description="Base64; opens with the service's secret only")
    visits: list[VisitHeld]
    audit: list[AuditLine]


class Health(_Word):
    """The service is up."""

    status: Literal["ok"] = "ok"


class Problem(_Word):
    """Why a request was refused; ``reason`` is one of a few words, ``detail`` is for people."""

    reason: str
    detail: str = ""
