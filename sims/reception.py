"""The gates' side of a visit: who is let in on whose palm, who slips in, who leaves, and what is owed then.

In: palms, passes and steps across the exit. Out: notices of the gates, and the truth about visits. A party leaves when
its last member does; whoever has no visit owes nothing, whatever they carry.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sims import deeds
from sims.arrangement import foreign
from sims.building import Building, Gate
from sims.chance import stream
from sims.happened import GateNotice, Happened
from sims.scenario import Scenario, ScenarioError
from sims.scene import Place
from sims.shopper import Shopper
from sims.stock import Unit
from sims.truth import TrueGuest, TrueVisit
from sims.walking import Doorway

PALM_NOISE = 0.015
"""Capture noise per number of a palm's unit vector, standard deviation."""

Scan = Callable[[NDArray[np.float64], int, int], tuple[str, str] | None]
"""Palm as captured, party size, UTC seconds -> (visit, token), or None for a palm that is not known."""
Enrol = Callable[[NDArray[np.float64]], object]


@dataclass(slots=True)
class _Party:
    """Who shops on one palm."""

    host: str
    visit: str
    entered_ns: int
    expected: int
    members: list[Shopper] = field(default_factory=list)
    left: int = 0


class Reception:
    """Everybody who comes and goes through the gates of a building."""

    def __init__(
        self, building: Building, scenario: Scenario, seed: int, shoppers: Sequence[Shopper], scan: Scan, enrol: Enrol
    ) -> None:
        self.entry, self.exit = gates_of(building, scenario)
        self._exit_line = Doorway(building, self.exit)
        self._scan = scan
        self._parties: dict[str, _Party] = {}
        self._inside: dict[str, int] = {}
        hosts = [shopper.plan for shopper in shoppers if shopper.plan.role == "shopper"]
        self._palms = {plan.name: stream(seed, f"{plan.name}/scanner") for plan in hosts}
        for plan in hosts:
            enrol(self._captured(plan.name, plan.palm))

    def enter(
        self, shopper: Shopper, deed: deeds.ScanPalm | deeds.ShowPass | deeds.FollowIn, t_ns: int, happened: Happened
    ) -> None:
        """Somebody wants to come in, on a palm, on a staff pass, or right behind somebody else."""
        if isinstance(deed, deeds.ScanPalm):
            self._scan_palm(shopper, t_ns, happened)
        elif isinstance(deed, deeds.ShowPass):
            notice = GateNotice(t_ns, self.entry.id, "entry", party_size=1, staff=True)
            self._open(shopper, None, t_ns, happened, notice)
        else:
            party = self._parties.get(shopper.plan.host or "")
            self._let_in(shopper, party.visit if party else None, t_ns)

    def _scan_palm(self, shopper: Shopper, t_ns: int, happened: Happened) -> None:
        palm, size = self._captured(shopper.name, shopper.plan.palm), shopper.plan.party
        found = self._scan(palm, size, t_ns // 1_000_000_000)
        if found is None:
            return
        visit, token = found
        self._parties[shopper.name] = _Party(shopper.name, visit, t_ns, size)
        self._open(shopper, visit, t_ns, happened, GateNotice(t_ns, self.entry.id, "entry", visit, token, size))

    def watch(self, shopper: Shopper, was: Place, now: Place, t_ns: int, happened: Happened) -> None:
        """A step of somebody, perhaps out through the exit."""
        if shopper.name not in self._inside or not self._exit_line.crossed(was, now):
            return
        happened.notices.append(GateNotice(t_ns, self.exit.id, "exit_beam"))
        entered_ns = self._inside.pop(shopper.name)
        party = self._parties.get(shopper.plan.host or shopper.name)
        if party is None:
            happened.records.append(
                TrueGuest(
                    person=shopper.name, role=shopper.plan.role, behind=shopper.plan.behind, entered_ns=entered_ns,
                    left_ns=t_ns, lines=_lines([shopper]),
                )
            )  # fmt: skip
            return
        party.left += 1
        if party.left == party.expected:
            happened.records.append(
                TrueVisit(
                    visit=party.visit, person=party.host, entered_ns=party.entered_ns, left_ns=t_ns,
                    lines=_lines(party.members),
                )
            )  # fmt: skip

    def _open(self, shopper: Shopper, visit: str | None, t_ns: int, happened: Happened, notice: GateNotice) -> None:
        self._let_in(shopper, visit, t_ns)
        happened.notices += [notice, GateNotice(t_ns, self.entry.id, "door")]

    def _let_in(self, shopper: Shopper, visit: str | None, t_ns: int) -> None:
        shopper.admitted(visit)
        self._inside[shopper.name] = t_ns
        if visit is not None:
            self._parties[shopper.plan.host or shopper.name].members.append(shopper)

    def _captured(self, name: str, palm: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(palm + self._palms[name].normal(0.0, PALM_NOISE, palm.shape))


def gates_of(building: Building, scenario: Scenario) -> tuple[Gate, Gate]:
    """The way in and the way out; raises :class:`ScenarioError` where there is none."""
    return _gate(building, scenario, "entry"), _gate(building, scenario, "exit")


def _gate(building: Building, scenario: Scenario, kind: str) -> Gate:
    found = next((gate for gate in building.gates if gate.kind == kind), None)
    if found is None:
        raise ScenarioError(
            f"{scenario.path}: store {building.store} has no gate of kind {kind!r}; add one to its document"
        )
    return found


def _lines(people: Sequence[Shopper]) -> dict[str, int]:
    units: list[Unit] = [unit for person in people for unit in person.held if not foreign(unit.sku)]
    return dict(sorted(Counter(unit.sku for unit in units).items()))
