"""How a service is: numbers that it says of itself, and what is wrong with it, in words.

In: counters of a service and of its bus, and when devices were last heard. Out: problems, one line each.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

PATIENCE_S = 30.0
"""A device or a service that says nothing for so long is missed."""
RECENT_S = 60.0
MOST_DROPPED = 0.01
"""Share of recent packets that may be dropped before somebody should look."""
DROPPED = ("malformed", "failed", "refused_token", "unknown_device", "too_many")
"""Fates of packets that went no further."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """A service at one moment. ``packets`` are counts by fate, ``pipeline`` by what was ignored, dropped or repaired.
    Times in seconds are of one clock; ``heard_s`` says when each device of the store was last heard, or nothing."""

    store: str
    service: str
    at_s: float
    processed_ns: int
    advanced_s: float
    """When event time last went on."""
    packets: Mapping[str, int]
    pipeline: Mapping[str, int]
    heard_s: Mapping[str, float | None]
    lost: int = 0
    """Packets that the service was too slow for."""
    refused: int = 0
    """Packets that the broker did not take from it."""
    connected: bool = True


Watch = Callable[[Vitals], None]
"""Is told how a service is, about once a second."""


class Doctor:
    """Remembers how a service was for the last minute, and says what is wrong."""

    def __init__(self) -> None:
        self._seen: deque[Vitals] = deque()

    def see(self, vitals: Vitals) -> None:
        """How the service is now."""
        self._seen.append(vitals)
        while len(self._seen) > 2 and vitals.at_s - self._seen[0].at_s > RECENT_S:
            self._seen.popleft()

    @property
    def latest(self) -> Vitals | None:
        """How the service was last seen."""
        return self._seen[-1] if self._seen else None

    def problems(self, now_s: float) -> list[str]:
        """What is wrong, one line each; nothing when all is well."""
        if not self._seen:
            return ["the service has not started to work yet"]
        latest = self._seen[-1]
        if now_s - latest.at_s > PATIENCE_S:
            return [
                f"the service has done nothing for {now_s - latest.at_s:.0f} s; look at its log, and start it again"
            ]
        found = [] if latest.connected else ["there is no connection to the broker; it is tried again and again"]
        return found + _silence(latest, now_s) + self._dropped()

    def _dropped(self) -> list[str]:
        first, last = self._seen[0], self._seen[-1]
        new = Counter(last.packets)
        new.subtract(first.packets)
        heard, lost = new["received"] + new["unknown_device"] + new["too_many"], last.lost - first.lost
        gone = {name: new[name] for name in DROPPED if new[name] > 0} | ({"too slow for": lost} if lost > 0 else {})
        if sum(gone.values()) <= MOST_DROPPED * max(heard, 1):
            return []
        what = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in gone.items())
        return [f"of {heard} packets of the last minute were dropped: {what}"]


def _silence(latest: Vitals, now_s: float) -> list[str]:
    silent = [name for name, at_s in latest.heard_s.items() if at_s is None or now_s - at_s > PATIENCE_S]
    if silent and len(silent) == len(latest.heard_s):
        return [f"no device of the store was heard for {PATIENCE_S:.0f} s"]
    found = [f"nothing was heard of {_named(silent)} for {PATIENCE_S:.0f} s"] if silent else []
    if latest.heard_s and now_s - latest.advanced_s > PATIENCE_S:
        found.append(f"event time stands still for {now_s - latest.advanced_s:.0f} s although devices speak; "
                     "look at their clocks")  # fmt: skip
    return found


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
