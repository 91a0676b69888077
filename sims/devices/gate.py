"""Gates: what they notice goes in, messages come out."""

from sims.happened import GateNotice
from smartstore.wire.messages import GateEvent


class GateReader:
    """One gate with its scanner, door or beam."""

    def __init__(self, gate: str) -> None:
        self.gate = gate
        self._seq = 0

    def observe(self, notice: GateNotice, offset_ns: int = 0) -> GateEvent:
        """The message about a notice; ``offset_ns`` is the gate's own clock minus true time."""
        t_ns = notice.t_ns + offset_ns
        event = GateEvent(
            seq=self._seq, t_ns=t_ns, event_id=f"{self.gate}-{t_ns}-{self._seq}", kind=notice.kind, visit=notice.visit,
            token=notice.token, party_size=notice.party_size, staff=notice.staff,
        )  # fmt: skip
        self._seq += 1
        return event
