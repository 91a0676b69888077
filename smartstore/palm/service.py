"""The palm service: enrols with consent, recognises, and hands out visit tokens. In this process for now.

In: palms as a scanner measures them, with a liveness score, and the time. Out: tokens that say nothing about anybody.
Randomness comes in by the constructor, so that a simulated day can be repeated; a real one passes ``os.urandom``.
"""

import base64
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from numpy.typing import ArrayLike

from smartstore.palm.matcher import Matcher, MatchOptions
from smartstore.palm.templates import KEY_BYTES, PalmError, TemplateKey, TemplateMaker
from smartstore.palm.tokens import Claims, Signer, new_signer

_ID_BYTES = 10


@dataclass(frozen=True, slots=True)
class VisitToken:
    """An opened visit: its random id, and the signed text that the gate sends along."""

    visit: str
    text: str


@dataclass(frozen=True, slots=True)
class PalmOptions:
    """``token_s`` is how long a token lasts: from the scanner to the gate, not for the visit."""

    token_s: int = 60
    dimension: int = 128
    """Numbers in a palm's vector."""


class PalmService:
    """The people of one store. Keeps protected templates; never a vector, a name or a purchase.

    ``entropy(n)`` gives n secret random bytes. Without ``key`` and ``signer`` it makes new ones of it.
    """

    def __init__(
        self, store: str, entropy: Callable[[int], bytes], key: TemplateKey | None = None, signer: Signer | None = None,
        options: PalmOptions = PalmOptions(), matching: MatchOptions = MatchOptions(),  # noqa: B008 - frozen
    ) -> None:  # fmt: skip
        self._store, self._entropy, self._options = store, entropy, options
        self._signer = signer or new_signer(entropy(32))
        self._maker = TemplateMaker(key or TemplateKey(entropy(KEY_BYTES), entropy(16)), options.dimension)
        self._matcher = Matcher(matching)
        self.refusals: Counter[str] = Counter()
        """How often nobody was recognised, by reason: "unknown", "not alive", "ambiguous"."""

    @property
    def public_key_pem(self) -> bytes:
        """What a store needs to check tokens."""
        return self._signer.public_pem()

    @property
    def enrolled(self) -> int:
        """How many people are known."""
        return len(self._matcher)

    def enrol(self, palm: ArrayLike, *, consent: bool, liveness: float = 1.0) -> str:
        """Adds a person and returns the random id under which they can be deleted.

        Raises:
            PalmError: there is no consent, the palm is not alive, or it is known already.
        """
        if not consent:
            raise PalmError("nobody is enrolled without consent")
        template = self._maker.template(palm)
        found = self._matcher.identify(template, liveness)
        if found.refusal == "not alive":
            raise PalmError("the palm does not look alive")
        if found.refusal != "unknown":
            raise PalmError("this palm is enrolled already")
        person = self._new_id()
        self._matcher.add(person, template)
        return person

    def identify(
        self, palm: ArrayLike, *, now_s: int, party_size: int = 1, liveness: float = 1.0
    ) -> VisitToken | None:  # fmt: skip
        """Opens a visit for whose palm this is, at ``now_s`` (UTC seconds); None for a palm that is not recognised."""
        found = self._matcher.identify(self._maker.template(palm), liveness)
        if found.refusal is not None:
            self.refusals[found.refusal] += 1
            return None
        visit = self._new_id()
        claims = Claims(visit, self._store, party_size, now_s, now_s + self._options.token_s)
        return VisitToken(visit, self._signer.sign(claims))

    def delete(self, person: str) -> bool:
        """Forgets a person with everything that is held about them; False when there is no such person."""
        return self._matcher.remove(person)

    def _new_id(self) -> str:
        """80 random bits, 16 letters and digits."""
        return base64.b32encode(self._entropy(_ID_BYTES)).decode().lower()
