"""Who shows a palm: 1:N identification among protected templates.

In: a template and how alive the palm looked. Out: the one person who is near enough, or the reason why nobody is.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from smartstore.palm.templates import BITS, Bits, distance

Refusal = Literal["not alive", "unknown", "ambiguous"]


@dataclass(frozen=True, slots=True)
class MatchOptions:
    """Distances as shares of differing bits (0.5: strangers), liveness in 0..1."""

    most_distance: float = 0.32
    """Above this a palm is nobody's. Strangers' templates differ by 0.5 +- 0.016."""
    least_margin: float = 0.04
    """The runner-up must be this much further away."""
    least_liveness: float = 0.5


@dataclass(frozen=True, slots=True)
class Match:
    """``person`` "" with a ``refusal``, or the person found."""

    person: str
    refusal: Refusal | None = None


class Matcher:
    """Templates of all enrolled people, kept as one block for quick search."""

    def __init__(self, options: MatchOptions = MatchOptions()) -> None:
        self._options = options
        self._people: list[str] = []
        self._templates: Bits = np.zeros((16, BITS // 64), np.uint64)

    def __len__(self) -> int:
        return len(self._people)

    def add(self, person: str, template: Bits) -> None:
        """Enrols a template under a person's id."""
        count = len(self._people)
        if count == len(self._templates):
            self._templates = np.concatenate([self._templates, np.zeros_like(self._templates)])
        self._templates[count] = template
        self._people.append(person)

    def remove(self, person: str) -> bool:
        """Forgets a person, bytes included; False when there is no such person."""
        if person not in self._people:
            return False
        index, last = self._people.index(person), len(self._people) - 1
        self._templates[index] = self._templates[last]
        self._templates[last] = 0
        self._people[index] = self._people[last]
        self._people.pop()
        return True

    def identify(self, template: Bits, liveness: float) -> Match:
        """The person whose template is near enough and clearly nearest."""
        if not liveness >= self._options.least_liveness:
            return Match("", "not alive")
        if not self._people:
            return Match("", "unknown")
        found = distance(self._templates[: len(self._people)], template)
        nearest = int(np.argmin(found))
        if found[nearest] > self._options.most_distance:
            return Match("", "unknown")
        rest = np.delete(found, nearest)
        if rest.size and rest.min() - found[nearest] < self._options.least_margin:
            return Match("", "ambiguous")
        return Match(self._people[nearest])
