"""What the building does to its load cells: steps of people on the floor, and hums that never stop.

In: who stands where, step by step. Out: per fixture, how hard the floor under it shakes at given times, in grams of an
ordinary load cell, and the frequencies that hum. In a recording of a real store everything rings when somebody walks
in, dying away within a second; at rest the plates of all gondolas show the same two or three lines.
"""

import numpy as np
from numpy.typing import NDArray

from sims.building import Building
from sims.scene import BodyState, Scene

Array = NDArray[np.float64]

REACH_M = 2.5
"""Distance over which a step loses two thirds of its strength."""
FADE_S = 0.35
STRENGTH_GRAMS = 4.0
"""Root mean square right after the step of an ordinary person beside a fixture, on an ordinary plate."""
FORGOTTEN_S = 8 * FADE_S


class Ground:
    """The floor of a store. Call :meth:`feel` with every scene; scales ask :meth:`shaking`."""

    def __init__(self, building: Building, random: np.random.Generator, footfalls: float) -> None:
        """``footfalls`` scales the steps; 0: a floor of solid rock."""
        self.low_hz = float(random.uniform(1.2, 2.4))
        self.high_hz = float(random.uniform(20.0, 27.5))
        self._random, self._footfalls = random, footfalls
        self._middles = {f.id: _middle(f.point(f.width_m / 2, f.depth_m / 2, 0.0)) for f in building.fixtures.values()}
        self._softness = {f: float(random.lognormal(0.0, 0.6)) for f in self._middles}
        self._phases: dict[str, float] = {}
        self._steps: dict[str, list[tuple[float, float]]] = {f: [] for f in self._middles}

    def feel(self, scene: Scene, t_s: float) -> None:
        """Notice the feet that come down between the last scene and this one, at ``t_s`` of the world."""
        if not self._footfalls:
            return
        for person in scene.people:
            before = self._phases.get(person.person, person.gait_phase)
            self._phases[person.person] = person.gait_phase
            if int(2 * before) != int(2 * person.gait_phase) and person.speed_m_s > 0.15:
                self._step(person, t_s)

    def shaking(self, fixture: str, times_s: Array) -> Array | None:
        """Grams (samples,) that an ordinary plate of a fixture shakes by; None when nobody has walked near."""
        if not (steps := self._steps[fixture]):
            return None
        since_s = float(times_s[0]) - FORGOTTEN_S
        steps[:] = [step for step in steps if step[0] > since_s]
        if not steps:
            return None
        since = times_s[:, None] - np.array([t_s for t_s, _ in steps])
        strength = np.array([grams for _, grams in steps])
        power = (strength * np.exp(-np.maximum(since, 0.0) / FADE_S) * (since >= 0)) ** 2
        return np.asarray(np.sqrt(power.sum(axis=1)))

    def _step(self, person: BodyState, t_s: float) -> None:
        grams = (
            self._footfalls * STRENGTH_GRAMS * (0.4 + 0.6 * person.speed_m_s) * float(self._random.lognormal(0, 0.5))
        )
        for fixture, (x_m, y_m) in self._middles.items():
            away_m = float(np.hypot(person.x_m - x_m, person.y_m - y_m))
            felt = grams * self._softness[fixture] * np.exp(-away_m / REACH_M)
            if felt > 0.02:
                self._steps[fixture].append((t_s, float(felt)))


def _middle(point: tuple[float, float, float]) -> tuple[float, float]:
    return point[0], point[1]
