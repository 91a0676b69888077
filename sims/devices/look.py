"""How a building looks: surfaces, lights and prints, either the shipped look or one drawn from a seed.

In: a seed. Out: a frozen :class:`Look`, from which textures are painted and vertices shaded. Randomised looks are
what the detector is trained on, so that nothing it learns hangs on one floor or one lamp. All light is computed per
vertex on the CPU: the same picture comes out of every renderer, and the cheapest one is fast enough.
"""

from dataclasses import dataclass, field, replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from sims.devices.fittings import Fittings
from sims.flaws import Light

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]
Colour = tuple[float, float, float]
"""Red, green, blue in [0, 1]."""

FLOORS = ("tiles", "planks", "speckle", "checks", "concrete")
WALLS = ("plaster", "bricks", "panels", "tiles")
PRESETS: tuple[str, ...] = get_args(Light)
"""Names of the lights that a store may be in."""


@dataclass(frozen=True, slots=True)
class Surface:
    """A repeating material: ``span_m`` is the length of wall or floor that one texture covers."""

    kind: str
    colour: Colour
    second: Colour
    span_m: float
    grain: float
    """Standard deviation of the brightness mottle, 0 to about 0.1."""


@dataclass(frozen=True, slots=True)
class Lamp:
    """A light at a place given in shares of the room's extent; the third share is of the ceiling's height."""

    place: tuple[float, float, float]
    colour: Colour
    """Strength per channel at 2 m."""


@dataclass(frozen=True, slots=True)
class Look:
    """Everything about a store's appearance that is not in its document."""

    seed: int
    floor: Surface
    wall: Surface
    ceiling: Colour
    fixture: Colour
    rail: Colour
    outside: Colour
    sky: Colour
    """Ambient light from above."""
    bounce: Colour
    """Ambient light from below."""
    lamps: tuple[Lamp, ...]
    posters: int = 4
    hue_shift: float = 0.0
    """Turns the colours of all prints, in degrees of hue."""
    prints: int = 0
    """Seed of the products' prints."""
    exposure: float = 1.0
    extras: int = field(default=0)
    """Seed for windows, signs and posters."""
    gear: Colour = (0.66, 0.10, 0.11)
    """Baskets and trolleys of the store."""
    fittings: Fittings = field(default_factory=Fittings)

    @classmethod
    def shipped(cls) -> "Look":
        """The look that scenarios run with."""
        white = (0.34, 0.33, 0.31)
        grid = [(x, y, 0.98) for x in (0.25, 0.75) for y in (0.2, 0.5, 0.8)]
        return cls(
            seed=0,
            floor=Surface("tiles", (0.72, 0.71, 0.68), (0.55, 0.54, 0.52), 1.6, 0.035),
            wall=Surface("plaster", (0.86, 0.85, 0.80), (0.80, 0.78, 0.72), 2.0, 0.02),
            ceiling=(0.93, 0.93, 0.92),
            fixture=(0.80, 0.81, 0.82),
            rail=(0.25, 0.30, 0.36),
            outside=(0.62, 0.68, 0.74),
            sky=(0.42, 0.43, 0.45),
            bounce=(0.24, 0.23, 0.22),
            lamps=tuple(Lamp(place, white) for place in grid),
        )

    @classmethod
    def preset(cls, name: str) -> "Look":
        """The shipped store in the light of that name, one of ``PRESETS``; another name is a ValueError in one line."""
        if name not in PRESETS:
            raise ValueError(f"light {name!r}: not known; use one of {', '.join(PRESETS)}")
        shipped = cls.shipped()
        if name == "day":
            window = Lamp((0.5, -0.22, 0.75), (1.25, 1.32, 1.45))
            lamps = tuple(Lamp(lamp.place, scaled(lamp.colour, 0.8)) for lamp in shipped.lamps)
            tones = (0.43, 0.45, 0.49), (0.28, 0.28, 0.28), (0.86, 0.91, 0.97)
            return _lit(shipped, (*lamps, window), *tones)
        if name == "evening":
            warm = kelvin_to_rgb(4400)  # as a camera shows 3,000 K after its white balance
            lamps = tuple(Lamp(lamp.place, scaled(warm, 0.36)) for lamp in shipped.lamps)
            return _lit(shipped, lamps, scaled(warm, 0.36), scaled(warm, 0.20), (0.05, 0.06, 0.10))
        if name == "dim":
            lamps = tuple(Lamp(lamp.place, scaled(lamp.colour, 0.9)) for lamp in shipped.lamps[1::2])
            return _lit(shipped, lamps, (0.20, 0.20, 0.21), (0.11, 0.11, 0.11), (0.18, 0.20, 0.24))
        if name == "mixed":
            kelvins, strengths = (3800, 6500, 4200, 6500, 3800, 5200), (0.42, 0.30, 0.08, 0.46, 0.26, 0.34)
            each = zip(shipped.lamps, kelvins, strengths, strict=True)
            lamps = tuple(Lamp(lamp.place, scaled(kelvin_to_rgb(k), strength)) for lamp, k, strength in each)
            return _lit(shipped, lamps, (0.40, 0.38, 0.37), (0.22, 0.20, 0.18), shipped.outside)
        return shipped

    @classmethod
    def random(cls, seed: int) -> "Look":
        """A look drawn from ``seed``: materials, colours, lamps (places, strength, colour temperature) and prints."""
        rng, own = np.random.default_rng(seed), np.random.default_rng((seed, 41))
        kelvin = float(rng.uniform(2700, 7500))
        strength = float(rng.uniform(0.55, 1.5))
        ambient = float(rng.uniform(0.22, 0.60))
        return cls(
            seed=seed,
            floor=_random_surface(rng, FLOORS, (0.12, 0.85)),
            wall=_random_surface(rng, WALLS, (0.25, 0.95)),
            ceiling=_tone(rng, 0.5, 0.97, 0.1),
            fixture=_tone(rng, 0.08, 0.95, 0.35),
            rail=_tone(rng, 0.1, 0.9, 0.9),
            outside=_tone(rng, 0.02, 0.95, 0.4),
            sky=scaled(kelvin_to_rgb(kelvin + float(rng.uniform(-600, 1500))), ambient),
            bounce=scaled(kelvin_to_rgb(kelvin - 300), ambient * float(rng.uniform(0.3, 0.8))),
            lamps=_random_lamps(rng, kelvin, strength),
            posters=int(rng.integers(0, 9)),
            hue_shift=float(rng.uniform(0, 360)),
            prints=int(rng.integers(1, 2**31)),
            exposure=float(rng.uniform(0.8, 1.25)),
            extras=int(rng.integers(1, 2**31)),
            gear=_tone(own, 0.08, 0.95, 0.95),
            fittings=Fittings.random(np.random.default_rng((seed, 43))),
        )


@dataclass(frozen=True, slots=True)
class Lighting:
    """The lamps of a look hung in a room: where they are in store metres."""

    places_m: Floats
    colours: Floats
    sky: Floats
    bounce: Floats

    @classmethod
    def of(cls, look: Look, low_m: Floats, high_m: Floats) -> "Lighting":
        """The look's lamps in the room between the corners ``low_m`` and ``high_m``."""
        shares = np.array([lamp.place for lamp in look.lamps], np.float32).reshape(-1, 3)
        colours = np.array([lamp.colour for lamp in look.lamps], np.float32).reshape(-1, 3)
        gain = np.float32(look.exposure)
        return cls(
            (low_m + shares * (high_m - low_m)).astype(np.float32),
            colours * gain,
            np.array(look.sky, np.float32) * gain,
            np.array(look.bounce, np.float32) * gain,
        )

    def shade(self, points_m: Floats, normals: Floats) -> Floats:
        """Light (n, 3) that falls on points (n, 3) with unit normals (n, 3): multiply with the surface's colour."""
        light = self._ambient(normals)
        for place, colour in zip(self.places_m, self.colours, strict=True):
            beam = place - points_m
            distance2 = np.einsum("ij,ij->i", beam, beam)
            cosine = np.einsum("ij,ij->i", beam, normals) / np.sqrt(distance2 + 1e-6)
            light += (np.maximum(cosine, 0) * falloff(distance2))[:, None] * colour
        return light

    def shade_body(self, centre_m: Floats, normals: Floats) -> Floats:
        """The same for something small around ``centre_m``, with one direction per lamp: several times cheaper."""
        beams = self.places_m - centre_m
        distance2 = np.einsum("ij,ij->i", beams, beams)
        towards = beams / np.sqrt(distance2 + 1e-6)[:, None]
        cosine = np.maximum(normals @ towards.T, 0)
        light: Floats = self._ambient(normals) + cosine @ (self.colours * falloff(distance2)[:, None])
        return light

    def _ambient(self, normals: Floats) -> Floats:
        up = (0.5 + 0.5 * normals[:, 2:3]).astype(np.float32)
        ambient: Floats = up * self.sky + (1 - up) * self.bounce
        return ambient


def falloff(distance2: Floats) -> Floats:
    """Strength of a lamp of the size of a ceiling panel: 1 at 2 m, flat when near."""
    fall: Floats = (5.5 / (1.5 + distance2)).astype(np.float32)
    return fall


def rgba(colours: Floats) -> Picture:
    """Colours (n, 3), 1 being white, as bytes (n, 4), opaque; what is too bright rolls off instead of clipping hard."""
    glare = np.maximum(colours - 0.8, 0)
    out = np.full((len(colours), 4), 255, np.uint8)
    out[:, :3] = (np.minimum(colours, 0.8) + 0.2 * glare / (0.2 + glare)) * 255
    return out


def kelvin_to_rgb(kelvin: float) -> Colour:
    """Colour of a black body over its brightest channel (T. Helland's fit to the CIE 1964 curve, 1,000-40,000 K)."""
    t = float(np.clip(kelvin, 1000, 40000)) / 100
    red = 255.0 if t <= 66 else 329.7 * (t - 60) ** -0.1332
    green = 99.47 * np.log(t) - 161.12 if t <= 66 else 288.12 * (t - 60) ** -0.0755
    blue = 255.0 if t >= 66 else 0.0 if t <= 19 else 138.52 * np.log(t - 10) - 305.04
    rgb = np.clip([red, green, blue], 0, 255) / 255
    return _triple(rgb / rgb.max())


def _lit(look: Look, lamps: tuple[Lamp, ...], sky: Colour, bounce: Colour, outside: Colour) -> Look:
    return replace(look, lamps=lamps, sky=sky, bounce=bounce, outside=outside)


def _triple(values: NDArray[np.floating]) -> Colour:
    r, g, b = (float(v) for v in values)
    return r, g, b


def scaled(colour: Colour, factor: float | NDArray[np.float64]) -> Colour:
    """The colour times a factor, one for all channels or one for each."""
    return _triple(np.array(colour) * factor)


def _tone(rng: np.random.Generator, low: float, high: float, saturation: float) -> Colour:
    """A colour of random brightness in [low, high] and hue, saturation up to the one given."""
    value, sat, hue = rng.uniform(low, high), rng.uniform(0, saturation), rng.uniform(0, 6)
    wheel = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return _triple(value * (1 - sat + sat * wheel))


def _random_surface(rng: np.random.Generator, kinds: tuple[str, ...], brightness: tuple[float, float]) -> Surface:
    colour = _tone(rng, *brightness, 0.5)
    second = _triple(np.clip(np.array(colour) * rng.uniform(0.55, 1.2) + rng.normal(0, 0.04, 3), 0, 1))
    kind = kinds[int(rng.integers(len(kinds)))]
    return Surface(kind, colour, second, float(rng.uniform(0.8, 3.0)), float(rng.uniform(0.01, 0.07)))


def _random_lamps(rng: np.random.Generator, kelvin: float, strength: float) -> tuple[Lamp, ...]:
    count = int(rng.integers(1, 7))
    lamps = []
    for _ in range(count):
        place = (float(rng.uniform(0.05, 0.95)), float(rng.uniform(0.05, 0.95)), float(rng.uniform(0.75, 1.0)))
        colour = kelvin_to_rgb(kelvin + float(rng.normal(0, 350)))
        lamps.append(Lamp(place, scaled(colour, 1.9 * strength / count * float(rng.uniform(0.6, 1.4)))))
    if rng.random() < 0.35:  # daylight through a shop window, low and from one side
        place = (float(rng.uniform(0, 1)), float(rng.uniform(-0.6, -0.1)), float(rng.uniform(0.5, 1.2)))
        lamps.append(Lamp(place, scaled(kelvin_to_rgb(6500), float(rng.uniform(0.5, 2.5)))))
    return tuple(lamps)
