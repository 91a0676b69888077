"""What the palm service knows, as frozen facts: they go into its database and come out of it.

There is no name, no purchase and no raw palm among them.
"""

from typing import Literal

import msgspec

Role = Literal["gate", "desk"]
VisitState = Literal["issued", "admitted", "revoked"]


class Epoch(msgspec.Struct, frozen=True):
    """A salt, and of which secret everything at rest is."""

    epoch: int
    salt: bytes
    fingerprint: bytes


class Person(msgspec.Struct, frozen=True):
    """Somebody enrolled. ``template`` is sealed."""

    person: str
    enrolled_ns: int
    enrolled_by: str
    wording: str
    consented_ns: int
    epoch: int
    template: bytes


class Visit(msgspec.Struct, frozen=True):
    """A visit token that still counts."""

    visit: str
    person: str
    audience: str
    expires_s: int
    state: VisitState = "issued"


class Client(msgspec.Struct, frozen=True):
    """A device (role gate) or a desk that may ask; tokens that it gets are for ``audience``."""

    name: str
    role: Role
    audience: str
    key_hash: bytes


class AuditEntry(msgspec.Struct, frozen=True):
    """Who did what when to whom, with what outcome; never anything of a palm."""

    seq: int
    at_ns: int
    actor: str
    action: str
    subject: str
    outcome: str
    digest: bytes

    def body(self) -> bytes:
        """What the digest covers."""
        return msgspec.json.encode((self.seq, self.at_ns, self.actor, self.action, self.subject, self.outcome))
