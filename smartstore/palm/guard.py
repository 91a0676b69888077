"""Rate limits and lock-out, client by client: trying palms or tokens in bulk is slow, and soon not possible at all.

In: who asks and when (nanoseconds of any clock that never goes back). Out: how long they have to wait. Both limits are
leaky buckets, so that a busy hour is allowed and a steady attack is not; a success in between does not clear failures,
else somebody with one good palm could try others for ever.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GuardOptions:
    """What one client may do."""

    per_s: float = 2.0
    """Requests per second in the long run."""
    burst: int = 20
    """Requests at once."""
    failures: int = 10
    """Refused palms or keys at once before the lock."""
    forgive_s: float = 30.0
    """A failure is forgotten after so long, one after the other."""
    lock_s: float = 30.0
    """The first lock; every further one lasts twice as long."""
    longest_lock_s: float = 3600.0


_MANY = 10_000
"""Clients remembered before the quiet ones are forgotten."""


@dataclass(slots=True)
class _Seen:
    asked: float = 0.0
    failed: float = 0.0
    at_ns: int = 0
    locks: int = 0
    locked_until_ns: int = 0


class Guard:
    """Who may ask now."""

    def __init__(self, options: GuardOptions = GuardOptions()) -> None:
        self._options = options
        self._seen: dict[str, _Seen] = {}

    def wait_s(self, client: str, now_ns: int) -> float:
        """Counts a request; 0 when it may go on, else after how many seconds to try again."""
        seen = self._leaked(client, now_ns)
        if seen.locked_until_ns > now_ns:
            return (seen.locked_until_ns - now_ns) / 1e9
        if seen.asked > self._options.burst - 1:
            return (seen.asked - self._options.burst + 1) / self._options.per_s
        seen.asked += 1
        return 0.0

    def failed(self, client: str, now_ns: int) -> float:
        """Counts a refused palm or key; the seconds for which the client is locked out from now on, mostly 0."""
        seen = self._leaked(client, now_ns)
        seen.failed += 1
        if seen.failed < self._options.failures:
            return 0.0
        locked_s = min(self._options.lock_s * 2.0**seen.locks, self._options.longest_lock_s)
        seen.locks, seen.failed = seen.locks + 1, 0.0
        seen.locked_until_ns = now_ns + int(locked_s * 1e9)
        return locked_s

    def _leaked(self, client: str, now_ns: int) -> _Seen:
        """What is known of a client, after the time since."""
        if client not in self._seen and len(self._seen) >= _MANY:
            self._forget(now_ns)
        seen = self._seen.setdefault(client, _Seen(at_ns=now_ns))
        gone_s = max(0.0, (now_ns - seen.at_ns) / 1e9)
        seen.asked = max(0.0, seen.asked - gone_s * self._options.per_s)
        seen.failed = max(0.0, seen.failed - gone_s / self._options.forgive_s)
        if now_ns - seen.locked_until_ns > self._options.longest_lock_s * 1e9:
            seen.locks = 0
        seen.at_ns = max(seen.at_ns, now_ns)
        return seen

    def _forget(self, now_ns: int) -> None:
        """Drops the half that was quiet for longest, but nobody who is locked out."""
        newest = sorted(self._seen.items(), key=lambda item: item[1].at_ns)[len(self._seen) // 2 :]
        locked = {name: seen for name, seen in self._seen.items() if seen.locked_until_ns > now_ns}
        self._seen = dict(newest) | locked
