"""What sort of load cells a fixture has, and what they show when nothing happens on them.

In: a generator per fixture, and the ground it stands on. Out: grams (samples, plates) of noise, hum, shaking floor and
drift. Grams, seconds, hertz. Families are mixed on purpose: coloured noise, lines of narrow band that come and go,
bursts that die away, random walks and heavy tails; whoever reads these scales may assume none of them.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sims.devices.ground import Ground
from sims.flaws import LoadCells

Array = NDArray[np.float64]

BLOCK = 5
"""Batches whose noise is drawn at once."""
TAPS = 14
"""Samples that a plate goes on shaking after an impulse of the floor."""
ORDINARY_GRAMS = 0.7
"""Median noise of an ordinary fixture: plates of a noisy one shake more, too."""


@dataclass(frozen=True, slots=True)
class Temper:
    """What sort of load cells a fixture has; drawn once per fixture and plate."""

    noise: Array
    """Standard deviation per plate at rest."""
    memory: Array
    """Share of the last sample's noise that is left in the next one."""
    echo: Array
    """Weight of the last impulse: moving-average part of the noise."""
    hum: Array
    """Shares of the variance (3, plates): coloured noise, low line, high line."""
    gain: Array
    wander: Array
    """Random walk in grams per square root of a second."""
    sway_grams: Array
    """Drift with temperature, either way."""
    sway_period_s: float
    sway_phase: float
    jolt_share: float
    """Share of samples with a heavy-tailed error."""
    motor_grams: float
    motor_hz: float
    motor_period_s: float
    """A compressor that runs for half of each such period; zero grams: none."""
    shake: Array
    """How much of the floor's shaking each plate shows."""
    shake_taps: Array
    """How a plate answers to an impulse of the floor, from the newest sample on."""


def draw_temper(random: np.random.Generator, shelf_of: NDArray[np.intp], cooled: bool, options: LoadCells) -> Temper:
    """Load cells as they come, ``shelf_of`` (plates,) being the number of each plate's shelf: one fixture in five is a
    noisy one, and the plates of a shelf hum alike."""
    plates = len(shelf_of)
    median = 1.6 if random.random() < 0.2 else float(random.uniform(0.55, 0.9))
    noise = options.noise * np.minimum(7.3, median * random.lognormal(0.0, 0.65, plates))
    shelves = random.gamma([[2.5], [0.6], [0.6]], 1.0, (3, int(shelf_of.max(initial=0)) + 1))
    weights = shelves[:, shelf_of] * random.gamma(2.0, 0.5, (3, plates)) + 1e-6
    weights[1:] *= options.hum
    # Sampled at 60 Hz, vibration of 14 to 26 Hz: what the recording shows while people walk.
    turn, fade = 2 * np.pi * random.uniform(14, 26) / 60, float(random.uniform(0.70, 0.82))
    taps = fade ** np.arange(TAPS) * np.cos(turn * np.arange(TAPS))
    return Temper(
        noise=noise,
        memory=random.uniform(-0.35, 0.85, plates),
        echo=random.uniform(-0.25, 0.25, plates),
        hum=weights / weights.sum(axis=0),
        gain=random.normal(1.0, 0.0015, plates),
        wander=options.noise * 0.1 * median**2 * random.lognormal(0.0, 0.9, plates),
        sway_grams=options.temperature * median * random.uniform(0.5, 4.0, plates) * random.choice([-1.0, 1.0], plates),
        sway_period_s=float(random.uniform(400, 1500)),
        sway_phase=float(random.uniform(0, 2 * np.pi)),
        jolt_share=float(random.choice([0.0, 0.0005, 0.002])),
        motor_grams=float(random.uniform(0.1, 0.5)) if cooled else 0.0,
        motor_hz=float(random.uniform(5, 13)),
        motor_period_s=float(random.uniform(60, 180)),
        shake=noise / ORDINARY_GRAMS,
        shake_taps=taps / np.linalg.norm(taps),
    )


class Restlessness:
    """What the plates of one fixture show by themselves. :meth:`batch` is called for every batch in turn."""

    def __init__(
        self, fixture: str, temper: Temper, shelf_of: NDArray[np.intp], ground: Ground, rate_hz: float, batch: int,
        random: np.random.Generator,
    ) -> None:  # fmt: skip
        self._fixture, self._temper, self._shelf_of = fixture, temper, shelf_of
        self._ground, self._rate_hz, self._size, self._random = ground, rate_hz, batch, random
        plates = len(shelf_of)
        self._noise, self._impulse, self._drift = np.zeros(plates), np.zeros(plates), np.zeros(plates)
        self._response, self._fading, self._echoing, self._shrink = _noise_filter(temper, BLOCK * batch)
        self._hum = _Hum((ground.low_hz, ground.high_hz), plates, random)
        self._loudness = temper.noise * np.sqrt(temper.hum)
        self._ahead: list[Array] = []
        self._knocks = np.zeros((TAPS - 1, plates))
        self._floor, self._shelves = random.spawn(1)[0], int(shelf_of.max(initial=0)) + 1
        rows = np.arange(batch)[:, None] - np.arange(batch + TAPS - 1)[None, :] + TAPS - 1
        self._shaken = np.where((rows >= 0) & (rows < TAPS), temper.shake_taps[np.clip(rows, 0, TAPS - 1)], 0.0)

    def batch(self, t_s: float) -> Array:
        """Grams (samples, plates) of the batch whose first sample is at ``t_s``."""
        if not self._ahead:
            times_s = t_s + np.arange(BLOCK * self._size) / self._rate_hz
            drawn = self._disturbances(times_s)
            self._ahead = [drawn[i : i + self._size] for i in range(0, len(drawn), self._size)]
        return self._ahead.pop(0) + self._shakes(t_s)

    def _shakes(self, t_s: float) -> Array | float:
        """What steps on the floor do: bursts of vibration, in part the same for a whole shelf."""
        times_s = t_s + np.arange(self._size) / self._rate_hz
        strength = self._ground.shaking(self._fixture, times_s)
        if strength is None:
            self._knocks[:] = 0.0
            return 0.0
        shape = (self._size, len(self._shelf_of))
        shared = self._floor.normal(size=(self._size, self._shelves))[:, self._shelf_of]
        knocks = strength[:, None] * (0.6 * shared + 0.8 * self._floor.normal(size=shape))
        knocks = np.concatenate([self._knocks, knocks])
        self._knocks = knocks[-(TAPS - 1) :]
        return np.asarray((self._shaken @ knocks) * self._temper.shake)

    def _disturbances(self, times_s: Array) -> Array:
        """Noise with memory, heavy tails now and then, hum and drift of several batches, because that is quicker."""
        temper, random, shape = self._temper, self._random, (len(times_s), len(self._shelf_of))
        impulses = random.normal(size=shape)
        jolts = random.random(shape) < temper.jolt_share
        if jolts.any():
            impulses[jolts] = random.standard_t(2.0, int(jolts.sum())) * 3.0
        steps = random.normal(size=shape) * (temper.wander / np.sqrt(self._rate_hz))
        noise = (self._response @ impulses.T[:, :, None])[:, :, 0].T
        noise = noise + self._fading * self._noise + self._echoing * self._impulse
        self._noise, self._impulse = noise[-1], impulses[-1]
        drift = self._drift + np.cumsum(steps, axis=0)
        self._drift = drift[-1]
        t = times_s[:, None]
        sway = temper.sway_grams * np.sin(2 * np.pi * t / temper.sway_period_s + temper.sway_phase)
        hum = self._hum.at(times_s, self._loudness[1:])
        shown = self._loudness[0] * self._shrink * noise + hum + drift + sway
        if temper.motor_grams:
            running = np.mod(t, temper.motor_period_s) < temper.motor_period_s / 2
            shown += temper.motor_grams * running * np.sin(2 * np.pi * temper.motor_hz * t)
        return np.asarray(shown)


class _Hum:
    """Vibration of a few frequencies, each of root mean square 1 on every plate, whose strengths and phases wander."""

    MEMORY_S = 6.0

    def __init__(self, hz: tuple[float, ...], plates: int, random: np.random.Generator) -> None:
        self._turns, self._random = 2 * np.pi * np.array(hz)[:, None], random
        self._parts = random.normal(size=(len(hz), 2, plates))
        """Of every frequency the cosine and the sine."""
        self._last_s: float | None = None

    def at(self, times_s: Array, grams: Array) -> Array:
        """Samples (n, plates) of all lines, of which each plate shows ``grams`` (lines, plates)."""
        passed_s = 0.0 if self._last_s is None else float(times_s[-1]) - self._last_s
        self._last_s = float(times_s[-1])
        before, keep = self._parts, math.exp(-passed_s / self.MEMORY_S)
        self._parts = keep * before + math.sqrt(1 - keep**2) * self._random.normal(size=before.shape)
        angle, share = self._turns * times_s, np.linspace(0, 1, len(times_s))
        waves = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        fading = np.concatenate([(1 - share) * waves, share * waves], axis=1).reshape(-1, len(times_s))
        ends = np.concatenate([before, self._parts], axis=1) * grams[:, None]
        return np.asarray(fading.T @ ends.reshape(len(fading), -1))


def _noise_filter(temper: Temper, samples: int) -> tuple[Array, Array, Array, Array]:
    """The noise x[i] = memory x[i-1] + e[i] + echo e[i-1] of a batch at once: what it owes to each of its impulses
    (plates, samples, samples), to the x and the e before it (samples, plates), and the scale for a sigma of 1."""
    lag = np.arange(samples)[:, None] - np.arange(samples)
    later = temper.memory ** np.maximum(lag - 1, 0)[:, :, None] * (temper.memory + temper.echo)
    response = np.where(lag[:, :, None] == 0, 1.0, np.where(lag[:, :, None] > 0, later, 0.0))
    power = np.arange(samples)[:, None]
    spread = (1 + temper.echo**2 + 2 * temper.memory * temper.echo) / (1 - temper.memory**2)
    response = np.ascontiguousarray(np.moveaxis(response, 2, 0))
    return response, temper.memory ** (power + 1), temper.echo * temper.memory**power, 1.0 / np.sqrt(spread)
