"""Everybody who is enrolled, ready for search, and always as the database says.

In: the database. Out: who a palm belongs to. The audit trail is the list of changes: what this process or another one
has enrolled, renewed or deleted since the last look is taken over before the next search.

While templates are renewed there are several epochs of the salt. A palm is looked for in all of them.
"""

from dataclasses import dataclass

from numpy.typing import ArrayLike

from smartstore.palm.facts import Epoch
from smartstore.palm.matcher import Match, Matcher, MatchOptions
from smartstore.palm.store import Books
from smartstore.palm.templates import Bits, TemplateKey, TemplateMaker
from smartstore.palm.trail import DONE
from smartstore.palm.vault import TamperedError, Vault


@dataclass(frozen=True, slots=True)
class _Hall:
    maker: TemplateMaker
    matcher: Matcher


class Gallery:
    """Protected templates of all epochs, in memory."""

    def __init__(self, secret: bytes, vault: Vault, dimension: int, options: MatchOptions) -> None:
        self._secret, self._vault, self._dimension, self._options = secret, vault, dimension, options
        self._halls: dict[int, _Hall] = {}
        self._seq = 0

    def __len__(self) -> int:
        return sum(len(hall.matcher) for hall in self._halls.values())

    @property
    def epoch(self) -> int:
        """The newest epoch, of which new templates are."""
        return max(self._halls)

    def template(self, palm: ArrayLike) -> Bits:
        """The palm's template in the newest epoch; raises PalmError for what is no palm."""
        return self._halls[self.epoch].maker.template(palm)

    def identify(self, palm: ArrayLike, liveness: float) -> Match:
        """Who it is, in any epoch; raises PalmError for what is no palm."""
        found = [hall.matcher.identify(hall.maker.template(palm), liveness) for hall in self._halls.values()]
        told = [match for match in found if match.refusal != "unknown"]
        if not told:
            return found[0]
        people = {match.person for match in told}
        return told[0] if len(people) == 1 else Match("", "ambiguous")

    def refresh(self, books: Books) -> None:
        """Takes over what has changed since."""
        head = books.head()
        if not self._halls:
            self._load(books)
        elif head is not None and head.seq > self._seq:
            for entry in books.audit(self._seq):
                if entry.outcome == DONE:
                    self._follow(books, entry.action, entry.subject)
        self._seq = head.seq if head else 0

    def _follow(self, books: Books, action: str, subject: str) -> None:
        if action in ("begin renewal", "finish renewal"):
            self._load(books)
        elif action in ("enrol", "renew", "delete"):
            for hall in self._halls.values():
                hall.matcher.remove(subject)
            person = books.person(subject)
            if person is not None and person.epoch in self._halls:
                template = self._vault.open(subject, person.epoch, person.template)
                self._halls[person.epoch].matcher.add(subject, template)

    def _load(self, books: Books) -> None:
        """All epochs and their people; those that are there already stay."""
        epochs = books.epochs()
        self._halls = {epoch.epoch: self._halls.get(epoch.epoch) or self._hall(books, epoch) for epoch in epochs}

    def _hall(self, books: Books, epoch: Epoch) -> _Hall:
        if epoch.fingerprint != self._vault.fingerprint:
            raise TamperedError("this palm database was made with other keys; name those with --keys")
        hall = _Hall(TemplateMaker(TemplateKey(self._secret, epoch.salt), self._dimension), Matcher(self._options))
        for person, sealed in books.templates(epoch.epoch):
            hall.matcher.add(person, self._vault.open(person, epoch.epoch, sealed))
        return hall
