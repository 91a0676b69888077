"""A fixture's load cells: what hands and goods do to the plates goes in, batches of readings come out.

Nothing is ever zeroed: every plate has a tare, a gain and a noise of its own, drifts, rings along with its neighbours
and answers in steps of 0.241 g. Rates and sizes follow a published recording of a real store. Grams, seconds, hertz.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sims.building import Building
from sims.deeds import Contact
from smartstore.wire.messages import ScaleBatch

Array = NDArray[np.float64]

STEP_GRAMS = 0.241
"""What one step of the converter is worth."""
BLOCK = 5
"""Batches whose noise is drawn at once."""


@dataclass(frozen=True, slots=True)
class Temper:
    """What sort of load cells a fixture has; drawn once per fixture and plate."""

    noise: Array
    """Standard deviation per plate."""
    memory: Array
    """Share of the last sample's noise that is left in the next one."""
    echo: Array
    """Weight of the last impulse: moving-average part of the noise."""
    gain: Array
    wander: Array
    """Random walk in grams per square root of a second."""
    sway_grams: Array
    sway_period_s: Array
    sway_phase: Array
    jolt_share: float
    """Share of samples with a heavy-tailed error."""
    hum_grams: float
    hum_hz: float
    hum_period_s: float
    """A compressor that runs for half of each such period; zero hum: none."""


def draw_temper(random: np.random.Generator, plates: int, cooled: bool) -> Temper:
    """Load cells as they come: one fixture in five is a noisy one."""
    median = 1.8 if random.random() < 0.2 else float(random.uniform(0.5, 0.8))
    return Temper(
        noise=np.minimum(7.3, median * random.lognormal(0.0, 0.6, plates)),
        memory=random.uniform(-0.35, 0.85, plates),
        echo=random.uniform(-0.25, 0.25, plates),
        gain=random.normal(1.0, 0.0015, plates),
        wander=0.05 * median * random.lognormal(0.0, 0.5, plates),
        sway_grams=random.uniform(0.5, 4.0, plates),
        sway_period_s=random.uniform(400, 1500, plates),
        sway_phase=random.uniform(0, 2 * np.pi, plates),
        jolt_share=float(random.choice([0.0, 0.0005, 0.002])),
        hum_grams=float(random.uniform(0.1, 0.5)) if cooled else 0.0,
        hum_hz=float(random.uniform(5, 13)),
        hum_period_s=float(random.uniform(60, 180)),
    )


@dataclass(slots=True)
class _Motion:
    """A contact as all plates of the fixture feel it, over time."""

    start_s: float
    press: Array
    press_s: float
    release_s: float
    """When the hand stops pressing."""
    lift_s: float
    """When the weight begins to change."""
    move_s: float
    load: Array
    """What stays, per plate."""
    ring: Array
    ring_hz: Array
    ring_phase: Array
    fade_s: float
    over: float
    """Overshoot of a put-down as a share of the load."""

    @property
    def end_s(self) -> float:
        return max(self.lift_s + self.move_s, self.release_s) + 7 * self.fade_s

    def at(self, t_s: Array) -> Array:
        """Grams (samples, plates) at times (samples,)."""
        t = t_s[:, None]
        rise = _smooth((t - self.start_s) / min(0.05, 0.4 * self.press_s + 1e-3))
        fall = _smooth((t - self.release_s) / min(0.06, 0.5 * self.press_s + self.move_s + 1e-3))
        moved = _smooth((t - self.lift_s) / (self.move_s + 1e-3))
        since = np.maximum(0.0, t - self.lift_s - 0.5 * self.move_s)
        begun = t > self.lift_s + 0.5 * self.move_s
        wave = np.cos(2 * np.pi * self.ring_hz * since + self.ring_phase) * np.exp(-since / self.fade_s)
        swing = np.cos(2 * np.pi * 0.8 * self.ring_hz * since) * np.exp(-since / self.fade_s) * (moved > 0.5)
        grams = (
            self.press * (rise - fall) + self.load * moved + begun * self.ring * wave + self.over * self.load * swing
        )
        return np.asarray(grams)


def _smooth(share: Array) -> Array:
    s = np.clip(share, 0.0, 1.0)
    return np.asarray(s * s * (3 - 2 * s))


def _noise_filter(temper: Temper, samples: int) -> tuple[Array, Array, Array, Array]:
    """The noise x[i] = memory x[i-1] + e[i] + echo e[i-1] of a batch at once: what it owes to each of its impulses
    (samples, samples, plates), to the x and the e before it (samples, plates), and the scale for the wanted sigma."""
    lag = np.arange(samples)[:, None] - np.arange(samples)
    later = temper.memory ** np.maximum(lag - 1, 0)[:, :, None] * (temper.memory + temper.echo)
    response = np.where(lag[:, :, None] == 0, 1.0, np.where(lag[:, :, None] > 0, later, 0.0))
    power = np.arange(samples)[:, None]
    spread = (1 + temper.echo**2 + 2 * temper.memory * temper.echo) / (1 - temper.memory**2)
    return response, temper.memory ** (power + 1), temper.echo * temper.memory**power, temper.noise / np.sqrt(spread)


class Scale:
    """The load cells of one fixture. Call :meth:`feel` for contacts, then :meth:`read` for every batch in turn."""

    def __init__(
        self, building: Building, fixture: str, standing: dict[str, float], random: np.random.Generator,
        dead: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        """``standing`` is what every plate carries at the start; ``dead`` plates give no numbers."""
        spec = building.fixtures[fixture].scale
        assert spec is not None
        self.fixture, self.rate_hz, self.batch = fixture, spec.rate_hz, spec.batch
        self.plates = [p.id for shelf in building.fixtures[fixture].shelves for p in shelf.plates]
        self._index = {plate: i for i, plate in enumerate(self.plates)}
        self._shelf = np.array([building.plates[plate].shelf for plate in self.plates])
        self._random = random
        self._temper = draw_temper(random, len(self.plates), building.fixtures[fixture].kind == "cooler")
        self._load = np.array([standing[plate] for plate in self.plates])
        self._tare = random.uniform(-3000, 6000, len(self.plates)) - self._load
        self._noise = np.zeros(len(self.plates))
        self._impulse = np.zeros(len(self.plates))
        self._drift = np.zeros(len(self.plates))
        self._response, self._fading, self._echoing, self._shrink = _noise_filter(self._temper, BLOCK * self.batch)
        self._dead = np.array([plate in dead for plate in self.plates])
        self._motions: list[_Motion] = []
        self._ahead: list[Array] = []
        self._seq = 0

    @property
    def period_ns(self) -> int:
        """Nanoseconds between samples."""
        return round(1e9 / self.rate_hz)

    def feel(self, contact: Contact) -> None:
        """Something presses, lifts or sets down."""
        self._motions.append(self._motion(contact))

    def read(self, t_ns: int, t_s: float) -> ScaleBatch:
        """The next batch; its first sample is at ``t_ns`` on the device's clock, ``t_s`` in seconds of the world."""
        times_s = t_s + np.arange(self.batch) / self.rate_hz
        grams = self._load + sum((motion.at(times_s) for motion in self._motions), np.zeros((self.batch, 1)))
        raw = self._tare + grams * self._temper.gain + self._disturbance(t_s)
        self._forget(float(times_s[-1]))
        readings = np.round(np.round(raw / STEP_GRAMS) * STEP_GRAMS, 3)
        rows: list[list[float | None]] = readings.tolist()
        if self._dead.any():
            rows = [[None if dead else value for value, dead in zip(row, self._dead, strict=True)] for row in rows]
        self._seq += 1
        return ScaleBatch(seq=self._seq - 1, t_ns=t_ns, period_ns=self.period_ns, plates=self.plates, grams=rows)

    def _motion(self, contact: Contact) -> _Motion:
        """How the plates take a contact: neighbours on the shelf ring by up to 7 % and settle a little off."""
        random, count = self._random, len(self.plates)
        share = np.zeros(count)
        for plate, part in contact.plates.items():
            share[self._index[plate]] = part
        same = (self._shelf == contact.shelf) & (share == 0)
        size = abs(contact.grams) if contact.grams else 0.3 * contact.press_grams
        ring = size * np.where(same, random.uniform(0.0, 0.07, count), random.uniform(0.0, 0.013, count))
        ring = np.where(share > 0, size * random.uniform(0.01, 0.04, count), ring)
        stays = np.where(same, size * random.normal(0.0, 0.004, count) * (random.random(count) < 0.6), 0.0)
        if contact.grams and same.any() and random.random() < 0.25:
            stays[random.choice(np.nonzero(same)[0])] += size * random.uniform(-0.018, 0.018)
        load = contact.grams * share + stays
        lean = np.where(same, random.uniform(0.0, 0.12, count), 0.0)
        comes = contact.grams > 0
        return _Motion(
            start_s=contact.t_s,
            press=contact.press_grams * (share + lean),
            press_s=contact.press_s,
            release_s=contact.t_s + contact.press_s + (contact.move_s if comes else 0.0),
            lift_s=contact.t_s + (0.0 if comes else contact.press_s),
            move_s=contact.move_s,
            load=load,
            ring=ring,
            ring_hz=random.uniform(4.0, 14.0, count),
            ring_phase=random.uniform(0, 2 * np.pi, count),
            fade_s=float(random.uniform(0.06, 0.22)),
            over=float(random.uniform(0.05, 0.22)) if comes else float(random.uniform(0.0, 0.03)),
        )

    def _disturbance(self, t_s: float) -> Array:
        """Noise with memory, heavy tails now and then, drift and hum of the batch at ``t_s``: (samples, plates)."""
        if not self._ahead:
            times_s = t_s + np.arange(BLOCK * self.batch) / self.rate_hz
            self._ahead = np.split(self._disturbances(times_s), BLOCK)
        return self._ahead.pop(0)

    def _disturbances(self, times_s: Array) -> Array:
        """The same of several batches at once, because that is quicker."""
        temper, random, shape = self._temper, self._random, (len(times_s), len(self.plates))
        impulses = random.normal(size=shape)
        jolts = random.random(shape) < temper.jolt_share
        if jolts.any():
            impulses[jolts] = random.standard_t(2.0, int(jolts.sum())) * 3.0
        steps = random.normal(size=shape) * (temper.wander / np.sqrt(self.rate_hz))
        noise = np.einsum("ijp,jp->ip", self._response, impulses)
        noise += self._fading * self._noise + self._echoing * self._impulse
        self._noise, self._impulse = noise[-1], impulses[-1]
        drift = self._drift + np.cumsum(steps, axis=0)
        self._drift = drift[-1]
        t = times_s[:, None]
        sway = temper.sway_grams * np.sin(2 * np.pi * t / temper.sway_period_s + temper.sway_phase)
        running = np.mod(t, temper.hum_period_s) < temper.hum_period_s / 2
        hum = temper.hum_grams * running * np.sin(2 * np.pi * temper.hum_hz * t)
        return np.asarray(noise * self._shrink + drift + sway + hum)

    def _forget(self, t_s: float) -> None:
        """What is over becomes a load that stays."""
        for motion in [m for m in self._motions if m.end_s < t_s]:
            self._load = self._load + motion.load
            self._motions.remove(motion)
