"""The parts of an error model of cameras with inference on board: what can be said about people and shelf faces.

Lengths are shares of how tall a standing person of 1.7 m would be at the same distance, in the same pixels; times are
seconds of event time.
"""

from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sims.documents import Part, Share

Array = NDArray[np.float64]

GROUPS = ("head", "shoulders", "elbows", "wrists", "hips", "knees", "ankles")
GROUP_OF = np.array([0] * 5 + [1] * 2 + [2] * 2 + [3] * 2 + [4] * 2 + [5] * 2 + [6] * 2)
"""Group of every COCO joint."""
STATES = ("outside", "covered", "seen")
KNOTS = 7
KNOT_FIRST, KNOT_STEP = -2.0, 2.0 / 3.0
"""Score quantiles stand at these normal scores: 2.3, 9, 25, 50, 75, 91 and 97.7 %."""
COVER = 0.25
"""Somebody is crowded when nearer people's boxes cover more than this share of theirs."""

Real = Annotated[float, Field(ge=-1000.0, le=1000.0)]
Size = Annotated[float, Field(ge=0.0, le=5.0)]
Memory = Annotated[float, Field(gt=0.0, le=60.0)]
Four = tuple[Real, Real, Real, Real]
FourSizes = tuple[Size, Size, Size, Size]
Quantiles = Annotated[tuple[Share, ...], Field(min_length=KNOTS, max_length=KNOTS)]


class Slopes(Part):
    """What a view's circumstances add up to. ``size``: per e-fold of pixels beyond 150; ``shown``: times the share of
    joints that show; ``cut``: times the share outside the picture; ``crowd``: times the share of the box that nearer
    people cover."""

    base: Real = 0.0
    size: Real = 0.0
    shown: Real = 0.0
    cut: Real = 0.0
    crowd: Real = 0.0

    @property
    def vector(self) -> Array:
        """In the order of the features."""
        return np.array([self.base, self.size, self.shown, self.cut, self.crowd])


class Finding(Part):
    """Who is reported. The chance is logistic; luck has a memory, so that misses come in rows."""

    chance: Slopes
    most: Share = 1.0
    """The chance comes no nearer to 1 than this."""
    memory_s: Memory
    score_base: Real
    score_chance: Real
    """How the score follows the log-odds of being found."""
    score_luck: Size
    """How it follows luck."""
    score_least: Share
    score_most: Share


class Groups(Part):
    """One number per kind of joint."""

    head: Real
    shoulders: Real
    elbows: Real
    wrists: Real
    hips: Real
    knees: Real
    ankles: Real

    @property
    def joints(self) -> Array:
        """One number per COCO joint (17,)."""
        values: Array = np.array([float(getattr(self, name)) for name in GROUPS])
        return np.asarray(values[GROUP_OF])


class JointErrors(Part):
    """Errors of the joints in one state, seen or covered: heavy-tailed (Tukey's h), times the exponential of
    ``grows``."""

    sigma: Groups
    sink: Groups
    """Median error downwards."""
    grows: Slopes
    tail: Groups
    """Tukey's h, 0 to 0.45."""
    score_follows: Annotated[float, Field(ge=0.0, le=0.99)]
    """How surely a large error has a low score (rank correlation)."""


class ScoreTable(Part):
    """Quantiles of the scores of one kind of joint, by state."""

    outside: Quantiles
    covered: Quantiles
    seen: Quantiles


class ScoreTables(Part):
    """Score quantiles of all joints."""

    head: ScoreTable
    shoulders: ScoreTable
    elbows: ScoreTable
    wrists: ScoreTable
    hips: ScoreTable
    knees: ScoreTable
    ankles: ScoreTable

    @property
    def table(self) -> Array:
        """(3 states, 17 joints, knots)."""
        rows = [[getattr(getattr(self, group), state) for group in GROUPS] for state in STATES]
        return np.array(rows)[:, GROUP_OF]


class AtShelf(Part):
    """What becomes of joints that show where they come among goods and boards, which cover more of a hand than lines
    of sight tell: times how far they are in."""

    grows: Real = 0.0
    """Logarithm of how much larger errors are."""
    score: Real = 0.0
    """How far scores shift, in normal scores."""


class Joints(Part):
    """Where joints are reported."""

    seen: JointErrors
    covered: JointErrors
    at_shelf: AtShelf = AtShelf()
    memory_s: Memory
    fresh: Share
    """Share of an error's variance that is new in every frame; the rest has a memory."""
    common: Share
    """Share of an error's variance that all joints of a person have in common."""
    trouble: Size
    """Spread of the logarithm of all of a person's errors together."""
    score_trouble: Annotated[float, Field(ge=0.0, le=0.99)]
    """How surely trouble lowers all scores together."""
    swapped: Share
    """Share of the reports in which left and right are swapped."""
    swap_memory_s: Memory
    borrowed: Share
    """Share of the covered joints of somebody crowded that are reported at those of the person before them."""
    scores: ScoreTables


class Boxes(Part):
    """Errors of left, top, right and lower edge against the box around what shows."""

    bias: Four
    sigma: FourSizes
    grows: Slopes
    tail: Annotated[float, Field(ge=0.0, le=0.45)]
    memory_s: Memory
    joined: Share
    """Share of the people who are missed behind somebody whose box then goes around both."""


class Doubles(Part):
    """Second boxes around somebody who is reported already."""

    chance: Slopes
    memory_s: Memory
    inset: FourSizes
    """Mean distance of their left, top, right and lower edge from the first box's, as shares of its size."""
    score: Share
    score_spread: Size


class FalseBoxes(Part):
    """Boxes around nobody."""

    per_min: Annotated[float, Field(ge=0.0, le=600.0)]
    """How many begin, per camera."""
    lasts_s: Memory
    tall: Share
    """Median height as a share of the picture's."""
    tall_spread: Size
    score: Share
    score_spread: Size


class Looks(Part):
    """Appearance vectors as sums of random unit vectors with these weights; their squares add up to one."""

    numbers: Annotated[int, Field(ge=2, le=256)]
    common: Share
    own: Share
    camera: Share
    noise: Share
    hidden_noise: Size
    """How much noisier, per share of the body that does not show."""
    memory_s: Memory


class PeopleErrors(Part):
    """Everything about people."""

    finding: Finding
    joints: Joints
    boxes: Boxes
    doubles: Doubles
    false_boxes: FalseBoxes
    looks: Looks


class FacingErrors(Part):
    """Everything about shelf faces. ``small``: what an e-fold fewer pixels of an item's front adds to log-odds."""

    hidden_share: Share
    """A facing of which people cover more is hidden."""
    clears_s: Annotated[float, Field(ge=0.0, le=30.0)]
    """Mean time for which a facing stays hidden after everybody went aside: the delay of all changes."""
    near_hides_per_s: Annotated[float, Field(ge=0.0, le=60.0)]
    """How often a facing becomes hidden though somebody is only near it."""
    missed: Share
    """Chance that a change is overlooked when the view is clear again."""
    missed_small: Real
    second_look_s: Memory
    """Mean time until a change that was overlooked is noticed after all."""
    invented_per_min: Annotated[float, Field(ge=0.0, le=600.0)]
    """Per shelf camera."""
    invented_lasts_s: Memory
    """Mean time until a change that was invented is taken back."""
    miscounted: Share
    """Chance that a change is counted one too many or too few."""
    fill_sigma_items: Size
    """Error of the first count."""
    misnamed: Share
    misnamed_small: Real
    sure_first: tuple[Share, Share]
    """Range of the change probabilities of what is noticed at once..."""
    sure_late: tuple[Share, Share]
    """...and of what is noticed late, or invented."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("sure_first", "sure_late"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: {low:g} is more than {high:g}; swap them")
        return self


class LightErrors(Part):
    """What a light does, compared with the one that everything else was fitted under."""

    found: Real = 0.0
    """Added to the log-odds of being found."""
    joints: Real = 0.0
    """Added to the logarithm of the errors of joints."""
    facings: Real = 0.0
    """Added to the log-odds that a change of a facing is missed, miscounted or misnamed."""
