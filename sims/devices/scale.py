"""A fixture's load cells: what hands and goods do to the plates goes in, batches of readings come out.

Nothing is ever zeroed: every plate has a tare, a gain and a noise of its own, drifts, rings along with its neighbours
and answers in steps of 0.241 g. Rates and sizes follow a published recording of a real store. Grams, seconds, hertz.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sims.building import Building
from sims.deeds import Contact
from sims.devices.cells import Restlessness, draw_temper
from sims.devices.ground import Ground
from sims.flaws import LoadCells
from smartstore.wire.messages import ScaleBatch

Array = NDArray[np.float64]

NARROW_M = 0.1016
"""Width of the plates that the capacity is told for: wider ones rest on more cells."""
STEP_GRAMS = 0.241
"""What one step of the converter is worth."""
STUCK_GRAMS = 6067.416
"""What a converter reads that no cell is connected to, again and again; the same number all over the recorded store."""
FLICKER_EVERY_S = 30.0
SLOW_S = 0.5
"""What moves for longer than this is guided, not flicked: the hand sways and the shelf hardly rings."""
SWAYS = (0.02, 0.25), (0.12, 1.6)
"""Least and greatest share of the force, and hertz, of the waves in a hand that rests or lifts slowly."""
WAVES = 3
ORDINARY_GRAMS = 400.0
"""Weight of an item that is lifted and pressed on like any other."""


@dataclass(slots=True, eq=False)
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
    ease_s: float = 0.0
    """Over how long the press comes and goes; 0: as fingers do."""
    sway: Array | None = None
    """What lasts is never steady: shares and hertz (n, 2) of waves in its force; None: too short to sway."""

    @property
    def end_s(self) -> float:
        return max(self.lift_s + self.move_s, self.release_s + self.ease_s) + 7 * self.fade_s

    def at(self, t_s: Array) -> Array:
        """Grams (samples, plates) at times (samples,)."""
        t = t_s[:, None]
        rise = _smooth((t - self.start_s) / (self.ease_s or min(0.05, 0.4 * self.press_s + 1e-3)))
        fall = _smooth((t - self.release_s) / (self.ease_s or min(0.06, 0.5 * self.press_s + self.move_s + 1e-3)))
        moved = _smooth((t - self.lift_s) / (self.move_s + 1e-3))
        since = np.maximum(0.0, t - self.lift_s - 0.5 * self.move_s)
        begun = t > self.lift_s + 0.5 * self.move_s
        wave = np.cos(2 * np.pi * self.ring_hz * since + self.ring_phase) * np.exp(-since / self.fade_s)
        swing = np.cos(2 * np.pi * 0.8 * self.ring_hz * since) * np.exp(-since / self.fade_s) * (moved > 0.5)
        grams = (
            self.press * (rise - fall) + self.load * moved + begun * self.ring * wave + self.over * self.load * swing
        )
        if self.sway is not None:
            waves = sum(share * np.sin(2 * np.pi * hz * (t - self.start_s)) for share, hz in self.sway)
            grams = grams + waves * (self.press * (rise - fall) + 4 * self.load * moved * (1 - moved))
        return np.asarray(grams)


def _hardness(seconds: float) -> float:
    """How much of a quick push is left in one that takes so long, for what rings and rubs: all at zero or less."""
    return 0.05 / (0.05 + max(0.0, seconds))


def _smooth(share: Array) -> Array:
    s = np.minimum(np.maximum(share, 0.0), 1.0)
    return np.asarray(s * s * (3 - 2 * s))


class Scale:
    """The load cells of one fixture. Call :meth:`feel` for contacts, then :meth:`read` for every batch in turn."""

    def __init__(
        self, building: Building, fixture: str, standing: dict[str, float], random: np.random.Generator,
        dead: frozenset[str] = frozenset(), ground: Ground | None = None, options: LoadCells | None = None,
        stuck: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        """``standing`` is what every plate carries at the start; ``dead`` plates give no numbers, ``stuck`` ones
        always the same."""
        spec = building.fixtures[fixture].scale
        assert spec is not None
        self.fixture, self.rate_hz, self.batch = fixture, spec.rate_hz, spec.batch
        self.plates = [p.id for shelf in building.fixtures[fixture].shelves for p in shelf.plates]
        self._index = {plate: i for i, plate in enumerate(self.plates)}
        self._shelf = np.array([building.plates[plate].shelf for plate in self.plates])
        shelf_of = np.unique(self._shelf, return_inverse=True)[1]
        self._random, self._options = random, options or LoadCells()
        widths_m = np.array([building.plates[plate].width_m for plate in self.plates])
        self._capacity = self._options.capacity_grams * np.maximum(1.0, widths_m / NARROW_M)
        self._temper = draw_temper(random, shelf_of, building.fixtures[fixture].kind == "cooler", self._options)
        self._load = np.array([standing[plate] for plate in self.plates])
        self._tare = random.uniform(-3000, 6000, len(self.plates)) - self._load
        ground = ground or Ground(building, random.spawn(1)[0], 0.0)
        self._restless = Restlessness(fixture, self._temper, shelf_of, ground, self.rate_hz, self.batch, random)
        self._dead = np.array([plate in dead for plate in self.plates])
        self._stuck = np.array([plate in stuck for plate in self.plates])
        self._luck = random.spawn(1)[0]
        self._flickers = self._luck.random(len(self.plates)) < self._options.flicker_share
        self._falters = bool((self._dead | self._flickers).any())
        self._silent_until_s = np.zeros(len(self.plates))
        self._samples_s = np.arange(self.batch) / self.rate_hz
        self._motions: list[_Motion] = []
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
        times_s = t_s + self._samples_s
        grams = self._load + sum(motion.at(times_s) for motion in self._motions)
        shown = np.minimum(grams, self._capacity)
        raw = self._tare + shown * self._temper.gain + self._restless.batch(t_s)
        self._forget(float(times_s[-1]))
        readings = np.round(np.round(raw / STEP_GRAMS) * STEP_GRAMS, 3)
        readings[:, self._stuck] = STUCK_GRAMS
        rows: list[list[float | None]] = readings.tolist()
        if self._falters and (silent := self._silence(times_s)).any():
            rows = [
                [None if gone else value for value, gone in zip(row, missing, strict=True)]
                for row, missing in zip(rows, silent, strict=True)
            ]
        self._seq += 1
        return ScaleBatch(seq=self._seq - 1, t_ns=t_ns, period_ns=self.period_ns, plates=self.plates, grams=rows)

    def _silence(self, times_s: Array) -> NDArray[np.bool_]:
        """Which samples (samples, plates) are missing: those of dead plates, now and then some of flickering ones."""
        if self._flickers.any():
            chance = len(times_s) / self.rate_hz / FLICKER_EVERY_S
            starts = self._flickers & (self._luck.random(len(self.plates)) < chance)
            lasts_s = self._luck.exponential(self._options.flicker_s, len(self.plates))
            self._silent_until_s = np.where(starts, times_s[0] + lasts_s, self._silent_until_s)
        return np.asarray(self._dead | (times_s[:, None] < self._silent_until_s))

    def _motion(self, contact: Contact) -> _Motion:
        """How the plates take a contact: neighbours on the shelf ring by up to 8 % and settle a little off."""
        random, count = self._random, len(self.plates)
        share = np.zeros(count)
        for plate, part in contact.plates.items():
            share[self._index[plate]] = part
        same = (self._shelf == contact.shelf) & (share == 0)
        size = abs(contact.grams) if contact.grams else 0.3 * contact.press_grams * _hardness(contact.ease_s)
        ring = size * np.where(same, random.uniform(0.0, 0.08, count), random.uniform(0.0, 0.013, count))
        ring = np.where(share > 0, size * random.uniform(0.01, 0.04, count), ring)
        stays = np.where(same, size * random.normal(0.0, 0.004, count) * (random.random(count) < 0.6), 0.0)
        if contact.grams and same.any() and random.random() < 0.25:
            stays[random.choice(np.nonzero(same)[0])] += size * random.uniform(-0.018, 0.018)
        load = contact.grams * share + stays
        lean = np.where(same, random.uniform(0.0, 0.12, count), 0.0) * _hardness(contact.ease_s)
        comes = contact.grams > 0
        # Heavy things are gripped harder and lifted more slowly.
        weight = float(np.clip((abs(contact.grams) or ORDINARY_GRAMS) / ORDINARY_GRAMS, 0.1, 10.0))
        move_s = contact.move_s * weight**0.15
        if contact.grams and self._luck.random() < self._options.slow_lifts:
            move_s *= float(self._luck.uniform(3.0, 6.0))
        lasts = contact.ease_s > 0 or contact.move_s > SLOW_S
        return _Motion(
            start_s=contact.t_s,
            press=contact.press_grams * weight**0.2 * (share + lean),
            press_s=contact.press_s,
            release_s=contact.t_s + contact.press_s + (move_s if comes else 0.0),
            lift_s=contact.t_s + (0.0 if comes else contact.press_s),
            move_s=move_s,
            load=load,
            ring=ring * _hardness(contact.move_s - SLOW_S),
            ring_hz=random.uniform(4.0, 14.0, count),
            ring_phase=random.uniform(0, 2 * np.pi, count),
            fade_s=float(random.uniform(0.06, 0.22)),
            over=float(random.uniform(0.05, 0.22)) if comes else float(random.uniform(0.0, 0.03)),
            ease_s=contact.ease_s,
            sway=self._luck.uniform(*SWAYS, (WAVES, 2)) if lasts else None,
        )

    def _forget(self, t_s: float) -> None:
        """What is over becomes a load that stays."""
        for motion in [m for m in self._motions if m.end_s < t_s]:
            self._load = self._load + motion.load
            self._motions.remove(motion)
