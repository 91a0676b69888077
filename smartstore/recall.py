"""What was missed comes again: the talk between a service that was away and devices that keep what they sent.

In: breaks (a restart, a lost broker), the status of devices, their answers. Out: a request to send again, and when
everybody who can has done so. Meanwhile the pipeline collects without deciding, so that what was missed still finds its
place in event time. Where no device keeps anything, nobody waits.
"""

import logging
import time
from collections.abc import Callable

from smartstore.wire import messages, topics
from smartstore.wire.codec import Packet, encode

log = logging.getLogger(__name__)

MOST_KEEPERS = 256
"""So many devices are asked; what else calls itself one is none of the store's."""


class Recall:
    """The requests of one service. ``listen_s``: so long after a break for devices to say that they keep something;
    ``patience_s``: so long for those that do (both wall time).
    """

    def __init__(self, publish: Callable[[Packet], None], store: str, service: str, listen_s: float,
                 patience_s: float) -> None:  # fmt: skip
        self._publish, self._store, self._service = publish, store, service
        self._listen_s, self._patience_s = listen_s, patience_s
        self.keepers: set[str] = set()
        """Devices that can send again."""
        self._answered: set[str] = set()
        self._session, self._since_ns = 0, 0
        self._asked_at: float | None = None

    @property
    def waiting(self) -> bool:
        """Whether something may come again."""
        return self._asked_at is not None

    def ask(self, since_ns: int) -> None:
        """Asks everybody for what was sent after ``since_ns`` (event time)."""
        self._session = max(self._session + 1, time.time_ns())
        self._answered.clear()
        self._since_ns, self._asked_at = max(since_ns, 0), time.monotonic()
        self._send()

    def note(self, device: str, message: messages.Status | messages.Replayed) -> bool:
        """A device said whether it is there and keeps what it sends, or that it has sent everything again.

        Whether it is one that keeps what it sends, and was not known before.
        """
        new = device not in self.keepers
        if isinstance(message, messages.Replayed):
            if message.session == self._session and device in self.keepers:
                self._answered.add(device)
        elif message.state == "online" and message.keeps_s > 0:
            if len(self.keepers) < MOST_KEEPERS:
                self.keepers.add(device)
            if self.waiting:  # it may have been away when it was asked
                self._send()
            return new
        else:
            self.keepers.discard(device)
        return False

    def _send(self) -> None:
        request = messages.Replay(seq=0, t_ns=self._since_ns, since_ns=self._since_ns, session=self._session)
        self._publish(encode(topics.REPLAY, self._store, self._service, request))

    def over(self) -> bool:
        """Whether the wait is over: everybody has answered, or it took too long. True once per request."""
        if self._asked_at is None:
            return False
        waited_s = time.monotonic() - self._asked_at
        silent = self.keepers - self._answered
        if (silent and waited_s < self._patience_s) or (not self.keepers and waited_s < self._listen_s):
            return False
        if silent:
            log.warning("%s did not send again what was missed; going on without it", ", ".join(sorted(silent)))
        self._asked_at = None
        return True
