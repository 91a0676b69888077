"""The audit trail: who did what when, each entry chained to the one before with a key.

In: what was done. Out: entries of the database, or the place where somebody has tampered with them. An entry names a
person or a visit, never both, so that the trail does not say who came when; and nothing of a palm. The exception is a
renewal: "renew" names the person right after the visit that it came with, once per person and salt.

Whoever can write to the database but lacks the secret cannot change, insert or remove an entry unseen, with one
exception: the newest ones can be cut off. Against that the number and digest of the newest entry, which ``smartstore
palm audit`` shows, are to be noted elsewhere from time to time.
"""

from typing import Literal

from smartstore.palm.facts import AuditEntry
from smartstore.palm.store import Books
from smartstore.palm.vault import TamperedError, Vault

Action = Literal[
    "enrol", "identify", "admit", "revoke", "delete", "export", "renew", "begin renewal", "finish renewal",
    "add client", "remove client", "lock out",
]  # fmt: skip
DONE = "done"


class Trail:
    """Writes and checks the trail with the service's secret."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def note(self, books: Books, now_ns: int, actor: str, action: Action, subject: str, outcome: str = DONE) -> None:
        """Adds an entry; ``outcome`` is "done" or the reason why it was not."""
        before = books.head()
        entry = AuditEntry(before.seq + 1 if before else 1, now_ns, actor, action, subject, outcome, b"")
        digest = self._vault.digest(before.digest if before else b"", entry.body())
        books.append(AuditEntry(entry.seq, now_ns, actor, action, subject, outcome, digest))

    def check(self, books: Books) -> AuditEntry | None:
        """Follows the whole chain and returns its newest entry.

        Raises:
            TamperedError: an entry was changed, inserted or removed.
        """
        before: AuditEntry | None = None
        while entries := books.audit(before.seq if before else 0, 4096):
            for entry in entries:
                expected = self._vault.digest(before.digest if before else b"", entry.body())
                if entry.seq != (before.seq if before else 0) + 1 or entry.digest != expected:
                    raise TamperedError(
                        f"the audit trail was tampered with at entry {entry.seq}: keep a copy, and find out who"
                    )
                before = entry
        return before
