"""Which facings a living scale carries, and which of its plates somebody still has a hand on.

In: what scales say of themselves. Out: whether a facing is weighed at a time, or only seen; and whether plates are
restless.
"""

from collections.abc import Container
from dataclasses import dataclass, field

from msgspec import Struct

from smartstore.domain.items import Unrest
from smartstore.site import Site

NS_PER_S = 1_000_000_000


class ScaleAlive(Struct, frozen=True):
    """The plates of a fixture that give numbers at ``t_ns``."""

    fixture: str
    t_ns: int
    plates: frozenset[str]
    restless: tuple[Unrest, ...] = ()
    """Plates that have not settled."""


@dataclass
class LivingScales:
    """Remembers the last word of every scale; one that was silent for ``silent_s`` is off."""

    site: Site
    silent_s: float
    _last: dict[str, ScaleAlive] = field(default_factory=dict)
    _off_ns: dict[str, int] = field(default_factory=dict)
    """When each plate was last not alive."""

    def __post_init__(self) -> None:
        self._plates = {
            fixture.id: frozenset(plate.id for shelf in fixture.shelves for plate in shelf.plates)
            for fixture in self.site.fixtures.values()
        }

    def observe(self, alive: ScaleAlive) -> None:
        """A scale spoke."""
        self._last[alive.fixture] = alive
        silent = self._plates[alive.fixture] - alive.plates if alive.fixture in self._plates else ()
        self._off_ns.update(dict.fromkeys(silent, alive.t_ns))

    def weighed(self, facing: str, t_ns: int) -> bool:
        """Whether living plates carry a facing at ``t_ns``."""
        place = self.site.facings[facing]
        alive = self._last.get(place.fixture)
        if alive is None or t_ns - alive.t_ns > self.silent_s * NS_PER_S:
            return False
        return any(plate in alive.plates for plate in place.plates)

    def steady(self, facing: str, since_ns: int) -> bool:
        """Whether the plates that carry a facing have been alive all the time since then."""
        return all(self._off_ns.get(plate, -1) < since_ns for plate in self.site.facings[facing].plates)

    def restless(self, fixture: str, plates: Container[str], before_ns: int) -> bool:
        """Whether one of these plates was disturbed before a time and has not settled since."""
        alive = self._last.get(fixture)
        return alive is not None and any(
            unrest.plate in plates and unrest.since_ns < before_ns for unrest in alive.restless
        )
