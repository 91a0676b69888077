"""People with palms, and a palm service that they come to, for the tests of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartstore.palm.keys import PalmKeys
from smartstore.palm.service import Consent, PalmService, Refused, VisitToken
from smartstore.palm.store import PalmStore
from smartstore.palm.tokens import new_signer

SECOND = 1_000_000_000
SIGNER = new_signer(b"s" * 32)
KEYS = PalmKeys(b"k" * 32, SIGNER)
PEOPLE = np.random.default_rng(1).normal(size=(200, 128))
CONSENT = Consent("2026-1", 5 * SECOND)


def scan(person: int, noise: float = 0.4, seed: int = 0) -> NDArray[np.float64]:
    """What a scanner reads of somebody's palm this time."""
    rng = np.random.default_rng([person, seed])
    return PEOPLE[person] + noise * rng.normal(size=128)


def a_service(*enrolled: int, store: PalmStore | None = None, seed: int = 7) -> PalmService:
    """A service that knows these people."""
    service = PalmService(KEYS, store or PalmStore(), np.random.default_rng(seed).bytes)
    for person in enrolled:
        enrol(service, person)
    return service


def enrol(service: PalmService, person: int, **fields: Any) -> str:
    asked: dict[str, Any] = {"consent": CONSENT, "liveness": 0.95, "by": "desk-1", "now_ns": 6 * SECOND}
    palm = fields.pop("palm", scan(person))
    return service.enrol(palm, **asked | fields)


def come(service: PalmService, palm: NDArray[np.float64], now_s: int = 10, **fields: Any) -> VisitToken | Refused:
    """Somebody holds a palm over the scanner of the gate."""
    asked: dict[str, Any] = {"liveness": 0.95, "party_size": 1, "audience": "corner", "by": "gate-1"}
    return service.identify(palm, now_ns=now_s * SECOND, **asked | fields)


def known(service: PalmService, person: int, seed: int = 1) -> bool:
    """Whether somebody gets in."""
    return isinstance(come(service, scan(person, seed=seed)), VisitToken)
