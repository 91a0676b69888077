"""Whatever is sent to the palm service over HTTP, it answers as its OpenAPI document says, and never with 5xx."""

import itertools

import schemathesis
from hypothesis import HealthCheck, Phase, settings

from smartstore.palm.api import create_app
from smartstore.palm.guard import GuardOptions
from tests.smartstore.palm.people import SECOND, a_service

CALM = GuardOptions(per_s=1e6, burst=1_000_000, failures=1_000_000)
SERVICE = a_service(1, 2, 3)
KEYS = {role: SERVICE.clients.add(role, role, "corner", 0, "operator") for role in ("gate", "desk")}  # type: ignore[arg-type]
CLOCK = itertools.count(100 * SECOND, SECOND // 100)
APP = create_app(SERVICE, lambda: next(CLOCK), CALM)
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", APP)


@SCHEMA.parametrize()
@settings(
    max_examples=12, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_every_answer_is_as_the_document_says(case: schemathesis.Case) -> None:
    role = case.operation.definition.raw["tags"][0]
    head = {"Authorization": f"Bearer {KEYS[role]}"} if role in KEYS else {}
    case.call_and_validate(headers=head)
