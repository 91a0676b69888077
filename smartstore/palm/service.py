"""The palm service: enrols with consent, recognises, and hands out visit tokens. In this process for now.

In: palms as a scanner measures them, with a liveness score, and the time. Out: tokens that say nothing about anybody.
Randomness comes in by the constructor, so that a simulated day can be repeated; a real one passes ``os.urandom``.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass

from numpy.typing import ArrayLike

from smartstore.palm.matcher import Matcher, MatchOptions
from smartstore.palm.templates import PalmError, TemplateKey, TemplateMaker
from smartstore.palm.tokens import Claims, Signer

_ID_BYTES = 10


@dataclass(frozen=True, slots=True)
class Palm:
    """One capture: the vector that the scanner measured, and how alive the hand looked, 0..1."""

    vector: ArrayLike
    liveness: float

    def __repr__(self) -> str:
        return "Palm(...)"


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person agreed to, and when (UTC nanoseconds). Without it nobody is enrolled."""

    text_version: str
    given_ns: int


@dataclass(frozen=True, slots=True)
class Admission:
    """The gate's answer: a visit with its signed token, or the ``refusal`` ("unknown", "not alive", "ambiguous")."""

    visit: str
    token: str
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class PalmOptions:
    """``token_s`` is how long a token lasts: from the scanner to the gate, not for the visit."""

    token_s: float = 60.0
    dimension: int = 128
    """Numbers in a palm's vector."""


class PalmService:
    """One tenant's people. Keeps protected templates and consents; never a vector, a name or a purchase."""

    def __init__(
        self, key: TemplateKey, signer: Signer, entropy: Callable[[int], bytes],
        options: PalmOptions = PalmOptions(), matching: MatchOptions = MatchOptions(),  # noqa: B008 - frozen
    ) -> None:  # fmt: skip
        self._maker = TemplateMaker(key, options.dimension)
        self._signer, self._entropy, self._options = signer, entropy, options
        self._matcher = Matcher(matching)
        self._consents: dict[str, Consent] = {}

    @property
    def enrolled(self) -> int:
        """How many people are known."""
        return len(self._matcher)

    def enrol(self, palm: Palm, consent: Consent | None) -> str:
        """Adds a person and returns the id under which they can be deleted.

        Raises:
            PalmError: there is no consent, the palm is not alive, or it is known already.
        """
        if consent is None or not consent.text_version:
            raise PalmError("nobody is enrolled without consent")
        template = self._maker.template(palm.vector)
        found = self._matcher.identify(template, palm.liveness)
        if found.refusal == "not alive":
            raise PalmError("the palm does not look alive")
        if found.refusal != "unknown":
            raise PalmError("this palm is enrolled already")
        person = self._new_id()
        self._matcher.add(person, template)
        self._consents[person] = consent
        return person

    def admit(self, palm: Palm, store: str, now_ns: int) -> Admission:
        """Recognises a palm at a store's gate and opens a visit with a random id."""
        found = self._matcher.identify(self._maker.template(palm.vector), palm.liveness)
        if found.refusal is not None:
            return Admission("", "", found.refusal)
        visit = self._new_id()
        claims = Claims(visit, store, now_ns, now_ns + int(self._options.token_s * 1e9))
        return Admission(visit, self._signer.sign(claims))

    def delete(self, person: str) -> bool:
        """Forgets a person with everything that is held about them; False when there is no such person."""
        self._consents.pop(person, None)
        return self._matcher.remove(person)

    def _new_id(self) -> str:
        """80 random bits, 16 letters and digits."""
        return base64.b32encode(self._entropy(_ID_BYTES)).decode().lower()
