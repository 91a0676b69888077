"""Pace of a run: a building that simulates faster than the product can follow waits for it.

In: how far the product says it has come. Out: nothing but time. Packets are sent by whoever plays the simulation.
"""

import time
from collections.abc import Callable


class PaceError(Exception):
    """The product does not follow any more: one line."""


class Pacer:
    """Keeps event time at most ``ahead_s`` ahead of ``processed_ns()``, and at ``speed`` times real time if given.

    ``check`` may raise when the product is gone; after ``patience_s`` without progress :class:`PaceError` is raised.
    """

    def __init__(
        self,
        processed_ns: Callable[[], int],
        check: Callable[[], object] = lambda: None,
        ahead_s: float = 2.0,
        patience_s: float = 60.0,
        speed: float | None = None,
    ) -> None:
        self._processed_ns, self._check = processed_ns, check
        self._ahead_ns, self._patience_s, self._speed = round(ahead_s * 1e9), patience_s, speed
        self._first: tuple[int, float] | None = None

    def wait_for(self, t_ns: int) -> None:
        """Return once messages of ``t_ns`` may be sent."""
        first_ns, began = self._first = self._first or (t_ns, time.monotonic())
        if self._speed is not None:
            time.sleep(max(0.0, began + (t_ns - first_ns) / 1e9 / self._speed - time.monotonic()))
        last, since = -1, time.monotonic()
        while t_ns - (processed := max(first_ns, self._processed_ns())) > self._ahead_ns:
            self._check()
            if processed > last:
                last, since = processed, time.monotonic()
            elif time.monotonic() - since > self._patience_s:
                behind_s = (t_ns - processed) / 1e9
                raise PaceError(
                    f"the service has made no progress for {self._patience_s:.0f} s and is {behind_s:.1f} s behind; "
                    "is it running on this broker and store?"
                )
            time.sleep(0.001)
