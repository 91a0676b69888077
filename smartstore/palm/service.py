"""The core of the palm service, behind both of its doors: the HTTP API, and the simulated gate's calls in process.

In: palms as a scanner measures them with a liveness score, consent, times. Out: visit tokens that say nothing about
anybody. Randomness comes in by the constructor, so that a simulated day can be repeated; a real one passes
``os.urandom``. Safe to call from several threads.
"""

import base64
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec
from numpy.typing import ArrayLike

from smartstore.palm.clients import Clients
from smartstore.palm.facts import AuditEntry, Epoch, Person, Visit
from smartstore.palm.gallery import Gallery
from smartstore.palm.keys import PalmKeys
from smartstore.palm.matcher import MatchOptions, Refusal
from smartstore.palm.store import Books, PalmStore
from smartstore.palm.templates import BITS, PalmError
from smartstore.palm.tokens import Claims, TokenError, Verifier
from smartstore.palm.trail import Trail
from smartstore.palm.vault import Vault

_ID_BYTES = 10
_SALT_BYTES = 16
_NS = 1_000_000_000


class EnrolmentError(PalmError):
    """Somebody who cannot be enrolled, and why."""

    def __init__(self, reason: Literal["no consent", "not alive", "known already"]) -> None:
        super().__init__(f"nobody is enrolled: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Consent:
    """Somebody agreed, at ``given_ns`` (UTC), to the text whose version is ``wording``."""

    wording: str
    given_ns: int


@dataclass(frozen=True, slots=True)
class VisitToken:
    """An opened visit: its random id, and the signed text that the gate sends along."""

    visit: str
    text: str
    expires_s: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody was recognised, for this reason."""

    reason: Refusal


class Held(msgspec.Struct, frozen=True):
    """Everything that is held about a person."""

    person: str
    enrolled_ns: int
    enrolled_by: str
    consent_wording: str
    consented_ns: int
    template_scheme: str
    template_epoch: int
    template_sealed: bytes
    visits: list[Visit]
    audit: list[AuditEntry]


@dataclass(frozen=True, slots=True)
class PalmOptions:
    """``token_s`` is how long a token lasts: from the scanner to the gate, not for the visit."""

    token_s: int = 60
    dimension: int = 128
    """Numbers in a palm's vector."""
    leeway_s: int = 5
    """Forgiven to the clocks of gates."""


class PalmService:
    """The people of one tenant. Keeps protected templates; never a vector, a name or a purchase.

    ``entropy(n)`` gives n secret random bytes.

    Raises:
        TamperedError: the database was made with other keys, or somebody has changed it.
        PalmStoreError: the database fails; of all methods.
    """

    def __init__(
        self, keys: PalmKeys, store: PalmStore, entropy: Callable[[int], bytes],
        options: PalmOptions = PalmOptions(), matching: MatchOptions = MatchOptions(),  # noqa: B008 - frozen
    ) -> None:  # fmt: skip
        self._signer, self._store, self._entropy, self._options = keys.signer, store, entropy, options
        self._vault, self._matching = Vault(keys.secret), matching
        self._trail = Trail(self._vault)
        self.clients = Clients(store, self._trail, entropy)
        self.refusals: Counter[str] = Counter()
        """How often nobody was recognised, by reason: "unknown", "not alive", "ambiguous"."""
        self._gallery = Gallery(keys.secret, self._vault, options.dimension, matching)
        self._lock = threading.RLock()
        with store.transaction() as books:
            if not books.epochs():
                books.put(Epoch(1, entropy(_SALT_BYTES), self._vault.fingerprint))
        self._refresh()

    @property
    def public_key_pem(self) -> bytes:
        """What a store needs to check tokens."""
        return self._signer.public_pem()

    @property
    def enrolled(self) -> int:
        """How many people are known."""
        with self._lock:
            self._refresh()
            return len(self._gallery)

    def enrol(self, palm: ArrayLike, *, consent: Consent | None, liveness: float, by: str, now_ns: int) -> str:
        """Adds a person and returns the random id under which they can be exported and deleted.

        Raises:
            PalmError: the palm is none; EnrolmentError: there is no consent, the palm is not alive or known already.
        """
        with self._lock:
            with self._store.transaction() as books:
                self._gallery.refresh(books)
                refused = self._reason_against(palm, consent, liveness)
                if refused is None and consent is not None:
                    person, epoch = self._new_id(), self._gallery.epoch
                    sealed = self._vault.seal(person, epoch, self._gallery.template(palm))
                    books.put(Person(person, now_ns, by, consent.wording, consent.given_ns, epoch, sealed))
                    self._trail.note(books, now_ns, by, "enrol", person)
                    return person
                self._trail.note(books, now_ns, by, "enrol", "", str(refused))
            raise EnrolmentError(refused or "no consent")

    def identify(
        self, palm: ArrayLike, *, liveness: float, party_size: int, audience: str, by: str, now_ns: int
    ) -> VisitToken | Refused:
        """Opens a visit at the store ``audience`` for whose palm this is; raises PalmError for what is no palm."""
        with self._lock, self._store.transaction() as books:
            self._gallery.refresh(books)
            found = self._gallery.identify(palm, liveness)
            if found.refusal is not None:
                self.refusals[found.refusal] += 1
                self._trail.note(books, now_ns, by, "identify", "", found.refusal)
                return Refused(found.refusal)
            now_s = now_ns // _NS
            claims = Claims(self._new_id(), audience, party_size, now_s, now_s + self._options.token_s)
            books.forget_visits(now_s - 2 * self._options.leeway_s)
            books.put(Visit(claims.visit, found.person, audience, claims.expires_s))
            self._trail.note(books, now_ns, by, "identify", claims.visit)
            self._renew_one(books, found.person, palm, by, now_ns)
            return VisitToken(claims.visit, self._signer.sign(claims), claims.expires_s)

    def admit(self, token: str, *, audience: str, by: str, now_ns: int) -> Claims:
        """Lets a visit in, once.

        Raises:
            TokenError: the token is forged, for another store, expired, used, revoked or not known.
        """
        verifier = Verifier(self._signer.key.public_key(), audience, self._options.leeway_s)
        try:
            claims = verifier.verify(token, now_ns)
        except TokenError as error:
            with self._lock, self._store.transaction() as books:
                self._trail.note(books, now_ns, by, "admit", "", str(error))
            raise
        with self._lock, self._store.transaction() as books:
            visit = books.visit(claims.visit)
            refused = _ADMISSION.get(visit.state) if visit else "token is not known any more"
            if refused is None and visit is not None:
                books.put(msgspec.structs.replace(visit, state="admitted"))
            self._trail.note(books, now_ns, by, "admit", claims.visit, refused or "done")
        if refused is not None:
            raise TokenError(refused)
        return claims

    def revoke(self, visit: str, *, by: str, now_ns: int) -> bool:
        """Makes a visit's token void; False when there is no such visit, or its token has expired."""
        with self._lock, self._store.transaction() as books:
            found = books.visit(visit)
            if found is None:
                return False
            books.put(msgspec.structs.replace(found, state="revoked"))
            self._trail.note(books, now_ns, by, "revoke", visit)
            return True

    def delete(self, person: str, *, by: str, now_ns: int) -> bool:
        """Forgets a person with everything that is held about them, overwritten in the files of the database; what is
        left is that this random id was enrolled and deleted. False when there is no such person."""
        with self._lock:
            with self._store.transaction() as books:
                found = books.forget_person(person)
                if found:
                    self._trail.note(books, now_ns, by, "delete", person)
            self._refresh()
            self._store.erase()
            return found

    def export(self, person: str, *, by: str, now_ns: int) -> Held | None:
        """Everything that is held about a person; None when there is no such person."""
        with self._lock, self._store.transaction() as books:
            found = books.person(person)
            if found is None:
                return None
            books.forget_visits(now_ns // _NS - 2 * self._options.leeway_s)
            self._trail.note(books, now_ns, by, "export", person)
            return Held(
                person, found.enrolled_ns, found.enrolled_by, found.wording, found.consented_ns,
                f"signs of {BITS} keyed random projections, AES-SIV", found.epoch, found.template,
                books.visits_of(person), books.audit(subject=person),
            )  # fmt: skip

    def begin_renewal(self, *, by: str, now_ns: int) -> int:
        """A new salt: whoever is recognised from now on gets a new template. Returns the number of the epoch."""
        with self._lock:
            with self._store.transaction() as books:
                epoch = books.epochs()[-1].epoch + 1
                books.put(Epoch(epoch, self._entropy(_SALT_BYTES), self._vault.fingerprint))
                self._trail.note(books, now_ns, by, "begin renewal", str(epoch))
            self._refresh()
            return epoch

    def finish_renewal(self, *, by: str, now_ns: int) -> int:
        """Deletes who has no template of the newest salt, and the salts before. Returns how many people these were."""
        with self._lock:
            with self._store.transaction() as books:
                epochs = [epoch.epoch for epoch in books.epochs()]
                people = [person for epoch in epochs[:-1] for person, _ in books.templates(epoch)]
                for person in people:
                    books.forget_person(person)
                    self._trail.note(books, now_ns, by, "delete", person)
                books.forget_epochs(epochs[-1])
                self._trail.note(books, now_ns, by, "finish renewal", str(epochs[-1]))
            self._refresh()
            self._store.erase()
            return len(people)

    def audit(self, after: int = 0, limit: int | None = None) -> list[AuditEntry]:
        """Entries of the audit trail with a higher number than ``after``, the oldest first."""
        with self._lock, self._store.transaction() as books:
            return books.audit(after, limit)

    def check_audit(self) -> AuditEntry | None:
        """The newest entry of an audit trail that is whole; raises TamperedError where it is not."""
        with self._lock, self._store.transaction() as books:
            return self._trail.check(books)

    def note_lock(self, client: str, now_ns: int, seconds: float) -> None:
        """A client was locked out for so long."""
        with self._lock, self._store.transaction() as books:
            self._trail.note(books, now_ns, "palm service", "lock out", client, f"{seconds:.0f} s")

    def _reason_against(
        self, palm: ArrayLike, consent: Consent | None, liveness: float
    ) -> Literal["no consent", "not alive", "known already"] | None:
        if consent is None:
            return "no consent"
        match self._gallery.identify(palm, liveness).refusal:
            case "not alive":
                return "not alive"
            case "unknown":
                return None
        return "known already"

    def _renew_one(self, books: Books, person: str, palm: ArrayLike, by: str, now_ns: int) -> None:
        """Replaces a template of an older salt, now that the palm is at hand."""
        epoch = self._gallery.epoch
        before = books.person(person)
        if before is None or before.epoch == epoch:
            return
        sealed = self._vault.seal(person, epoch, self._gallery.template(palm))
        books.put(msgspec.structs.replace(before, epoch=epoch, template=sealed))
        self._trail.note(books, now_ns, by, "renew", person)

    def _refresh(self) -> None:
        """Takes over what is committed; never within the transaction that does it, which could yet fail."""
        with self._store.transaction() as books:
            self._gallery.refresh(books)

    def _new_id(self) -> str:
        """80 random bits, 16 letters and digits."""
        return base64.b32encode(self._entropy(_ID_BYTES)).decode().lower()


_ADMISSION = {"admitted": "token was used already", "revoked": "token was revoked"}
