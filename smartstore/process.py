"""What a process wants that runs for months: patience with its database, and a garbage collector that keeps quiet."""

import gc
import logging
import time

log = logging.getLogger(__name__)


def quiet_collector() -> None:
    """Spares the garbage collector what was imported and most of its rounds: a tenth of the time of a busy service."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


class Patience:
    """Waits for a database that is away, ``patience_s`` seconds (wall time) in a row; then it is asked no more."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s, self._since = patience_s, 0.0

    def __call__(self, attempts: int) -> bool:
        if attempts == 1:
            self._since = time.monotonic()
            log.warning("the database cannot be reached; trying again for %g s", self._patience_s)
        if time.monotonic() - self._since > self._patience_s:
            return False
        time.sleep(min(0.05 * attempts, 1.0))
        return True
