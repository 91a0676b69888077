"""Who shows a palm: 1:N identification among protected templates.

In: a template and how alive the palm looked. Out: the one person who is near enough, or the reason why nobody is.

The search is exhaustive (FAISS, population counts over packed bits): it never misses, is there as soon as the templates
are, and forgets at once. ``smartstore palm bench --indexes`` compares it with the graphs of FAISS and usearch, which
find a palm among a million sooner, but take minutes to build, and would lie on a disk, unsealed, between starts.
"""

from dataclasses import dataclass
from typing import Literal

import faiss
import numpy as np
from numpy.typing import NDArray

from smartstore.palm.templates import BITS, Bits, distance

Refusal = Literal["not alive", "unknown", "ambiguous"]


@dataclass(frozen=True, slots=True)
class MatchOptions:
    """Distances as shares of differing bits (0.5: strangers), liveness in 0..1."""

    most_distance: float = 0.28
    """Above this a palm is nobody's; ``smartstore palm bench`` shows what other limits would do."""
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
        self.reserve(len(self._people) + 1)
        self._templates[len(self._people)] = template
        self._people.append(person)

    def reserve(self, count: int) -> None:
        """Makes room for so many people at once."""
        held = len(self._templates)
        if count > held:
            more = np.zeros((max(count - held, held), BITS // 64), np.uint64)
            self._templates = np.concatenate([self._templates, more])

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
        distances, people = self.nearest(template)
        if not people or distances[0] > self._options.most_distance:
            return Match("", "unknown")
        if len(people) > 1 and distances[1] - distances[0] < self._options.least_margin:
            return Match("", "ambiguous")
        return Match(people[0])

    def nearest(self, template: Bits, count: int = 2) -> tuple[list[float], list[str]]:
        """The nearest people, the very nearest first: shares of differing bits, and ids."""
        distances, rows = self.search(template[np.newaxis], min(count, len(self._people)))
        return distances[0].tolist(), [self._people[row] for row in rows[0]]

    def search(self, templates: Bits, count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances to the ``count`` nearest people of each template and in which order they were added, both of shape
        (len(templates), count)."""
        if not count:
            return np.zeros((len(templates), 0)), np.zeros((len(templates), 0), np.int64)
        block = self._templates[: len(self._people)].view(np.uint8)
        bits, rows = faiss.knn_hamming(np.ascontiguousarray(templates).view(np.uint8), block, count)
        return bits / BITS, rows

    def templates(self, rows: NDArray[np.int64]) -> Bits:
        """The templates of those who were added first, second, ..., while nobody was removed."""
        return self._templates[rows]

    def distances(self, template: Bits) -> NDArray[np.float64]:
        """Distances to everybody, by NumPy alone: to check the search."""
        return distance(self._templates[: len(self._people)], template)
