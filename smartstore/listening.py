"""What of all that arrives the pipeline gets: messages for this service, of devices of the store, that are in order.

In: packets from the bus. Out: messages, or nothing. What goes no further is counted, and named once per device and
minute; nothing that arrives makes an exception leave.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable

from smartstore.intake import Intake
from smartstore.palm.tokens import SingleAdmission, TokenError, Verifier
from smartstore.wire import messages, topics
from smartstore.wire.codec import Packet, Received, WireError, decode

log = logging.getLogger(__name__)

_LOG_AGAIN_S = 60.0


class EntryCheck:
    """Accepts entries whose token is signed, in time, for this visit and store, and was not used for another entry.

    Without a ``verifier`` it accepts any entry. ``admission`` remembers which tokens were used.
    """

    def __init__(self, verifier: Verifier | None) -> None:
        self._verifier = verifier
        self.admission = SingleAdmission(verifier.leeway_s if verifier else 0.0)

    def __call__(self, entry: messages.GateEvent) -> None:
        if self._verifier is None:
            return
        if not entry.token:
            raise TokenError("there is no token")
        claims = self._verifier.verify(entry.token, entry.t_ns)
        if claims.visit != entry.visit:
            raise TokenError("token is for another visit")
        if (entry.party_size or 1) > claims.party_size:
            raise TokenError(f"token admits {claims.party_size}, not {entry.party_size}")
        self.admission.use(claims, entry.event_id, entry.t_ns)


class Listener:
    """Listens for the service called ``service``, to pictures only with ``frames``; ``see`` is shown those.

    The fates of packets go into ``counts``.
    """

    def __init__(
        self, service: str, intake: Intake, entry_check: EntryCheck, frames: bool,
        see: Callable[[str, Packet], None], counts: Counter[str],
    ) -> None:  # fmt: skip
        self._service, self._intake, self._entry_check, self._frames = service, intake, entry_check, frames
        self._see, self._counts = see, counts
        self._named: dict[str, float] = {}

    def understood(self, packet: Packet, processed_ns: int, flood: bool) -> Received | None:
        """The message of a packet that is for us and in order; others are counted.

        ``flood``: devices were asked to send again, and may say as much as they like.
        """
        found = topics.find(packet.topic)
        if found is not None and (why := self._refuses(found[0], found[2], processed_ns, flood)) is not None:
            self.drop(why, packet.topic if why == "too_many" else why, packet.topic)
            return None
        if found is not None and found[0] is topics.FRAME:
            self._see(found[2], packet)
        if found is not None and not self._listens(found[0], found[2]):
            return None
        self._counts["received"] += found is None or found[0] not in (topics.STATUS, topics.REPLAYED)
        try:
            received = decode(packet)
        except WireError as error:
            self.drop("malformed", error.device, str(error))
            return None
        if received is None:
            self._counts["unknown_topic"] += 1
            return None
        if received.unknown_fields:
            self._counts["unknown_field"] += 1
        return received if self.admits(received) else None

    def admits(self, received: Received) -> bool:
        """Whether a message may go on: an entry needs a token that is in order, but for staff, who open no visit."""
        message = received.message
        if not isinstance(message, messages.GateEvent) or message.kind != "entry":
            return True
        if message.staff and not message.visit:
            return True
        try:
            self._entry_check(message)
        except TokenError as error:
            self.drop("refused_token", received.device, f"entry at {received.device}: {error}")
            return False
        return True

    def drop(self, fate: str, device: str, text: str, trace: bool = False) -> None:
        """Counts a packet that goes no further, and names it once per device and minute."""
        self._counts[fate] += 1
        now = time.monotonic()
        if now - self._named.get(device, -_LOG_AGAIN_S) < _LOG_AGAIN_S:
            return
        if len(self._named) > 10_000:
            self._named.clear()
        self._named[device] = now
        log.warning("%s: %s", fate.replace("_", " "), text[:500], exc_info=trace)

    def _refuses(self, channel: topics.Channel, device: str, processed_ns: int, flood: bool) -> str | None:
        if channel in (topics.STATUS, topics.REPLAYED):
            return None
        if flood and channel.sender == "device":
            return None if self._intake.knows(channel, device) else "unknown_device"
        return self._intake.refuses(channel, device, processed_ns, time.monotonic())

    def _listens(self, channel: topics.Channel, device: str) -> bool:
        if channel is topics.FINISH:
            return device == self._service
        return channel.sender == "device" and (channel is not topics.FRAME or self._frames)
