"""How often what signs hint at was so.

In: what was seen of hands that met, or that parted with something. Out: probabilities. Pure functions.

Every share is a count: by Laplace's rule of succession, in simulated stories whose truth is known. ``smartstore sim
learn`` counts them; ``configs/learned.yaml`` has them with how many they were and what they are worth on stories that
were held out. The defaults are those of an earlier count.
"""

from dataclasses import dataclass

from smartstore.fusion.parting import Signs, Source


@dataclass(frozen=True, slots=True)
class ShareOptions:
    """Probabilities, as shares of the cases in which the sign was seen."""

    rose: float = 0.85
    """What was left at the floor was out of a bag where a hand came up before it went down ..."""
    sank: float = 0.09
    """... and where it only sank."""
    slow: float = 0.93
    """What was given was out of a bag where the giver had come long before the hands met ..."""
    quick: float = 0.12
    """... and where they had just come; ..."""
    came_up: float = 0.2
    """... of one who was there before, where a hand came up shortly before ..."""
    was_up: float = 0.61
    """... and where none did."""
    offers: float = 0.95
    """Of two between whom something went, whoever held a hand out for longer gave it, ..."""
    comes: float = 0.8
    """... and whoever walked up to the other one."""
    parted: float = 0.94
    """Something changed hands between two who parted after their hands had met ..."""
    stayed: float = 0.11
    """... and between two who did not."""
    left: float = 0.75
    """Whose hands were at the floor left something there."""
    exchanged: float = 0.67
    """What one put back another one took, where two had a hand in one facing and it looks as before ..."""
    rang_along: float = 0.5
    """... and the same where another plate of the shelf moved, too, as when somebody leans on it."""


def fetched(source: Source, shares: ShareOptions) -> float:
    """How likely what a hand parted with was out of a bag."""
    share: float = getattr(shares, source)
    return share


def handed(seen: Signs, shares: ShareOptions) -> float:
    """How likely anything changed hands between two who met."""
    return shares.parted if seen.parted else shares.stayed


def gives(seen: Signs, shares: ShareOptions) -> float:
    """How likely it was the first one who gave: by whose hand was held out for longer, and by who walked up to whom."""
    odds = 1.0
    for share, who in ((shares.offers, seen.offered), (shares.comes, seen.came)):
        if who is not None:
            odds *= (share / (1 - share)) ** (1 if who == 0 else -1)
    return odds / (1 + odds)
