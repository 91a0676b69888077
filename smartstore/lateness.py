"""What came too late to be weighed: the visits that it may concern go to a person.

In: a message from before what is decided already, and the visits that are not settled. Out: cases without candidates.
Most of what comes late says nothing new (people are seen again a moment later, plates that rest say so again): only
what tells of somebody's hand or of a gate concerns anybody.
"""

from collections.abc import Sequence

import numpy as np

from smartstore.domain.events import CaseRaised
from smartstore.wire.codec import Received
from smartstore.wire.heard import HeardBatch
from smartstore.wire.messages import Facings, GateEvent

HAND_GRAMS = 25.0
"""A plate that moves so much within a batch was touched: well above the noise of the worst real ones (7 g)."""
CHANGED = 0.5
"""A facing that looks different with this probability was reached into."""
SAME_NS = 10_000_000_000
"""Late messages of a device within such a stretch of event time are one case of a visit."""


def late_cases(message: Received, inside: Sequence[str]) -> list[CaseRaised]:
    """A case for every visit that a late message may concern; ``inside`` are those that are not settled."""
    told = message.message
    visits = [told.visit] if isinstance(told, GateEvent) and told.kind == "entry" and told.visit else list(inside)
    if not _tells_of_somebody(message):
        return []
    stretch = message.t_ns // SAME_NS
    return [
        CaseRaised(visit, message.t_ns, f"late:{message.device}:{stretch}:{visit}",
                   f"late-{message.device}-{stretch}-{visit}", message.device, ())
        for visit in visits
    ]  # fmt: skip


def _tells_of_somebody(message: Received) -> bool:
    match message.message:
        case GateEvent() as event:
            return event.kind == "exit_beam" or (event.kind == "entry" and not event.staff)
        case HeardBatch() as batch:
            grams = batch.weights
            known = grams[:, ~np.isnan(grams).any(axis=0)]
            return bool(known.size and np.ptp(known, axis=0).max() > HAND_GRAMS)
        case Facings() as seen:
            return any(facing.change >= CHANGED and not facing.hidden for facing in seen.facings)
    return False
