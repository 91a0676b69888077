"""Shoppers among each other: one hands an item over, the other one waits for it and takes it.

In: what is seen at every tick. Out: deeds, tick by tick. Who wants to give hails; who is hailed stands still as soon
as their hands are free; they meet within arm's reach, both hands on the item, and one lets go.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from sims import deeds
from sims.building import Building
from sims.customs import meeting_place
from sims.deeds import Meeting
from sims.errands import Gift
from sims.feet import Feet
from sims.hands import Hands
from sims.scene import Place, Point
from sims.shelf_work import Tick

ARMS_LENGTH_M = 1.2
"""Two hands that meet can be so far apart at the bodies."""
PALM_M = 0.07
"""Half the distance of two palms with an item between them."""
HEIGHT = 0.62
"""Where hands meet, as a share of the giver's height."""
PATIENCE_S = 20.0


class Company:
    """How somebody called ``name`` deals with others. Generators yield once per tick."""

    def __init__(
        self, name: str, awaits: Sequence[Gift], building: Building, height_m: float, hands: Hands, feet: Feet,
        random: np.random.Generator, tick: Tick,
    ) -> None:  # fmt: skip
        """``awaits`` is what others will hand over."""
        self._name, self._building, self._height_m = name, building, height_m
        self._hands, self._feet, self._random, self._tick = hands, feet, random, tick
        self._awaits = list(awaits)

    @property
    def hailed(self) -> bool:
        """Whether somebody wants to hand something over."""
        return self._name in self._tick.seen.meetings

    def expects(self, source: str | None = None) -> bool:
        """Whether something of that facing, or anything, is still to come from somebody who has not left."""
        self._awaits = [gift for gift in self._awaits if gift[0] not in self._tick.seen.gone]
        return any(source in (None, facing) for _, facing in self._awaits)

    def stand(self, seconds: float) -> Iterator[None]:
        """Stand still for so long, one tick at least, but for whoever hails."""
        for _ in range(max(1, round(seconds / self._tick.dt_s))):
            if self.hailed:
                yield from self.attend()
            else:
                yield

    def give(self, to: str, source: str) -> Iterator[None]:
        """Hand an item of that facing to somebody, or keep it if they have left."""
        yield from self._hail(to)
        if self._with(to) is None:
            return
        for _ in range(3):
            place = meeting_place(self._building, self._tick.seen.where[to], self._feet.here, self._feet.others)
            yield from self._feet.walk(place)
            if math.dist(self._feet.here, self._tick.seen.where[to]) < ARMS_LENGTH_M:
                break
        self._feet.face(self._tick.seen.where[to])
        yield from self._hands.take_out(source)
        yield from self._tick.wait(0.3)
        at, mine = self._between(self._tick.seen.where[to])
        yield from self._hands.extend(mine)
        self._tick.do(deeds.Offer(to, source, at))
        yield
        waited_s = 0.0
        while self._with(to) is not None and waited_s < PATIENCE_S:
            waited_s += self._tick.dt_s
            yield
        if self._with(to) is not None:
            self._tick.do(deeds.Forgo(to))
        yield from self._tick.wait(self._random.uniform(0.3, 0.7))
        yield from self._hands.lower()

    def attend(self) -> Iterator[None]:
        """Wait for whoever hails, and take what they offer."""
        giver = self._tick.seen.meetings[self._name].giver
        yield from self._hands.stow()
        yield from self._hands.lower()
        self._tick.do(deeds.Await(giver))
        yield
        while (meeting := self._by(giver)) is not None and meeting.at is None:
            if giver in self._tick.seen.where:
                self._feet.face(self._tick.seen.where[giver])
            yield
        if meeting is None or meeting.at is None:
            return
        x, y, z = meeting.at
        away = self._off(self._tick.seen.where[giver])
        goal = (x - away[0] * PALM_M, y - away[1] * PALM_M, z)
        self._hands.choose(goal, False)
        yield from self._hands.extend(goal)
        yield from self._tick.wait(self._random.uniform(0.4, 0.8))
        if self._by(giver) is not None:
            self._tick.do(deeds.Accept(giver))
            if (giver, meeting.source) in self._awaits:
                self._awaits.remove((giver, meeting.source))
        yield
        yield from self._tick.wait(self._random.uniform(0.3, 0.6))
        yield from self._hands.stow()
        yield from self._hands.lower()

    def _hail(self, to: str) -> Iterator[None]:
        """Until they stand and wait, or have left. Of two who hail each other, the lesser name goes first."""
        seen = self._tick.seen
        while (meeting := self._with(to)) is None or not meeting.ready:
            seen = self._tick.seen
            if to in seen.gone:
                if meeting is not None:
                    self._tick.do(deeds.Forgo(to))
                yield
                return
            if meeting is None and to in seen.where:
                self._tick.do(deeds.Hail(to))
            if self.hailed and seen.meetings[self._name].giver < self._name:
                yield from self.attend()
            else:
                yield

    def _with(self, to: str) -> Meeting | None:
        """The meeting to which I have hailed somebody."""
        meeting = self._tick.seen.meetings.get(to)
        return meeting if meeting is not None and meeting.giver == self._name else None

    def _by(self, giver: str) -> Meeting | None:
        """The meeting to which somebody has hailed me."""
        meeting = self._tick.seen.meetings.get(self._name)
        return meeting if meeting is not None and meeting.giver == giver else None

    def _off(self, other: Place) -> Place:
        """The direction of somebody, as a unit vector."""
        here = self._feet.here
        apart_m = math.dist(here, other) or 1.0
        return (other[0] - here[0]) / apart_m, (other[1] - here[1]) / apart_m

    def _between(self, other: Place) -> tuple[Point, Point]:
        """Where hands meet, and where the own palm is then."""
        here, away, z_m = self._feet.here, self._off(other), HEIGHT * self._height_m
        x, y = (here[0] + other[0]) / 2, (here[1] + other[1]) / 2
        return (x, y, z_m), (x - away[0] * PALM_M, y - away[1] * PALM_M, z_m)
