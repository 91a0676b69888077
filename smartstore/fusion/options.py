"""The options of all parts of the attribution in one place, by the names that they have in a settings file."""

from dataclasses import dataclass, field

from smartstore.fusion.dips import DipOptions
from smartstore.fusion.evidence import EvidenceOptions
from smartstore.fusion.exchanges import ExchangeOptions
from smartstore.fusion.hypotheses import HypothesisOptions
from smartstore.fusion.joint import JointOptions
from smartstore.fusion.meetings import MeetingOptions
from smartstore.fusion.parting import PartingOptions
from smartstore.fusion.planogram import PlanogramOptions
from smartstore.fusion.policy import PolicyOptions
from smartstore.fusion.reach import ReachOptions
from smartstore.fusion.shares import ShareOptions
from smartstore.fusion.sightings import SightingOptions
from smartstore.fusion.stoops import StoopOptions
from smartstore.fusion.touches import TouchOptions
from smartstore.fusion.unseen import UnseenOptions


@dataclass(frozen=True, slots=True)
class AttributionOptions:
    """Waiting times in seconds, probabilities as shares."""

    step_wait_s: float = 2.5
    """After a weight step ended, for cameras to speak."""
    look_wait_s: float = 6.0
    """The same where goods beside weigh the same, so that only a camera can tell whether they were exchanged."""
    view_wait_s: float = 1.0
    """After a facing change ended, where there is no scale."""
    join_s: float = 1.0
    """Changes less apart than this are explained together."""
    patience_s: float = 10.5
    """Nothing waits longer than this for company."""
    sure: float = 0.6
    """Below this probability a change becomes a case, where no policy sets prices: nothing is booked against another
    explanation of more than 0.4."""
    at_once_s: float = 0.5
    """Two things done at different places within this time need two hands."""
    joint: bool = True
    """Without it every change is explained alone."""
    merge_s: float = 3.5
    """Steps of the same plates less apart than this may be one: a hand rested before it lifted."""
    restless_s: float = 8.0
    """So long a step waits while its plates are on the move again, to be one with what follows."""
    part_grams: float = 25.0
    """Smaller steps are nudges, not a take and a put-back at once."""
    part_sigmas: float = 3.0
    """How well a take and a put-back at once must add up to a step that nothing else explains."""
    part_nats: float = -5.0
    """Log prior of a take and a put-back at once."""
    merge_nats: float = 2.0
    """How much more likely two changes of the same plates in so short a time are one than two."""
    scale_silent_s: float = 2.0
    """A scale without batches for so long is off."""
    touch_s: float = 0.25
    """A hand that stayed so long in a facing may have changed it."""
    candidates: int = 5


@dataclass(frozen=True, slots=True)
class FusionOptions:
    """Everything that says who took what. ``policy`` None: ``attribution.sure`` holds for goods of every price."""

    evidence: EvidenceOptions = field(default_factory=EvidenceOptions)
    hypotheses: HypothesisOptions = field(default_factory=HypothesisOptions)
    reach: ReachOptions = field(default_factory=ReachOptions)
    touches: TouchOptions = field(default_factory=TouchOptions)
    dips: DipOptions = field(default_factory=DipOptions)
    unseen: UnseenOptions = field(default_factory=UnseenOptions)
    meetings: MeetingOptions = field(default_factory=MeetingOptions)
    exchanges: ExchangeOptions = field(default_factory=ExchangeOptions)
    stoops: StoopOptions = field(default_factory=StoopOptions)
    parting: PartingOptions = field(default_factory=PartingOptions)
    shares: ShareOptions = field(default_factory=ShareOptions)
    attribution: AttributionOptions = field(default_factory=AttributionOptions)
    planogram: PlanogramOptions = field(default_factory=PlanogramOptions)
    joint: JointOptions = field(default_factory=JointOptions)
    sightings: SightingOptions = field(default_factory=SightingOptions)
    policy: PolicyOptions | None = None
