"""Clothes, skin and hair: a seed and what a body is like go in, a colour and a thickness per region come out.

Colours are sRGB 0 to 255; thickness is how far cloth or hair stands off the skin, in metres for a body of 1.7 m.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sims.bodies.skeleton import BANDS, REGION, REGIONS

FloatArray = NDArray[np.float64]

_SKINS = (
    (246, 211, 186),
    (234, 192, 160),
    (219, 170, 134),
    (193, 140, 102),
    (150, 102, 70),
    (110, 72, 50),
    (80, 52, 38),
)
_HAIRS = ((28, 22, 20), (52, 36, 26), (86, 58, 36), (122, 84, 48), (176, 134, 82), (206, 172, 116), (130, 52, 26))
_GREYS = ((150, 148, 146), (196, 194, 190), (104, 102, 100))
_TROUSERS = (
    (38, 48, 78),
    (62, 82, 120),
    (28, 28, 32),
    (92, 92, 96),
    (132, 118, 92),
    (70, 66, 48),
    (90, 60, 44),
    (190, 184, 168),
)
_SHOES = ((24, 22, 22), (70, 46, 32), (230, 230, 228), (60, 64, 70), (150, 30, 34), (40, 60, 110))
_PATTERNS = ("plain", "plain", "plain", "hoops", "strip", "yoke", "block", "print")
_CHEST = " ".join(f"chest_{n}" for n in range(BANDS))
_FRONT = " ".join(f"front_{n}" for n in range(BANDS))
_SLEEVES = "sleeve_top sleeve_mid sleeve_low"
_LEGS = "thigh_top thigh_low shin ankle"


@dataclass(frozen=True, slots=True)
class Outfit:
    """What one person has on. Arrays are by region."""

    colours: FloatArray
    """(regions, 3)."""
    thickness_m: FloatArray
    """(regions,)."""
    fade: float
    """How much cloth varies in lightness from place to place."""


def _cloth(rng: np.random.Generator) -> FloatArray:
    """A believable colour of cloth: often muted, sometimes bright, sometimes grey."""
    kind = rng.random()
    if kind < 0.25:
        return np.full(3, rng.uniform(25, 240))
    saturation = rng.uniform(0.15, 0.55) if kind < 0.7 else rng.uniform(0.6, 0.95)
    return 255.0 * np.array(colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(0.2, 0.95)))


def _pick(rng: np.random.Generator, table: tuple[tuple[int, int, int], ...], spread: float) -> FloatArray:
    base = np.array(table[int(rng.integers(len(table)))], dtype=np.float64)
    return np.clip(base * rng.uniform(1 - spread, 1 + spread) + rng.normal(0, 3, 3), 0, 255)


def dress(seed: int, age: float, hair: str, skirt: bool) -> Outfit:
    """The outfit of a seed on a body of that age (anny's scale), hair style and with or without a skirt."""
    rng = np.random.default_rng([7919, seed])
    wardrobe = _Wardrobe(rng)
    skin = _pick(rng, _SKINS, 0.06)
    wardrobe.body(skin)
    wardrobe.head(skin, age, hair)
    below = wardrobe.below(skirt)
    wardrobe.above(below)
    wardrobe.straps()
    return Outfit(wardrobe.colours, wardrobe.thickness, float(rng.uniform(0.0, 0.08)))


class _Wardrobe:
    """Colours and thickness by region while somebody is getting dressed."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.colours = np.zeros((len(REGIONS), 3))
        self.thickness = np.zeros(len(REGIONS))

    def paint(self, names: str, colour: FloatArray, off_m: float = 0.0) -> None:
        for name in names.split():
            self.colours[REGION[name]], self.thickness[REGION[name]] = colour, off_m

    def body(self, skin: FloatArray) -> None:
        """Bare skin, and what does not depend on the rest."""
        self.paint(f"hand {_LEGS} {_SLEEVES} face neck", skin)
        self.paint("shoe", _pick(self.rng, _SHOES, 0.15))
        self.paint("bag", _cloth(self.rng))

    def head(self, skin: FloatArray, age: float, hair: str) -> None:
        """Face and hair; sometimes a cap."""
        rng = self.rng
        strands = _pick(rng, _GREYS if age > 0.84 and rng.random() < 0.75 else _HAIRS, 0.2)
        if rng.random() < 0.04:
            strands = _cloth(rng)
        self.paint("lips", skin * [0.86, 0.66, 0.66])
        self.paint("brows", 0.6 * strands + 0.25 * skin, 0.002)
        self.paint("eyes", np.array([228.0, 226.0, 222.0]))
        self.paint("pupils", np.array([42.0, 32.0, 26.0]))
        self.paint("long_hair", strands)
        thickness = float(rng.uniform(0.010, 0.028))
        if hair == "bald":
            self.paint("hair", skin)
        else:
            self.paint("hair", strands, thickness)
        if hair != "long" and rng.random() < 0.12:
            self.paint("hair", _cloth(rng), 0.022)

    def below(self, skirt: bool) -> FloatArray:
        """Trousers, shorts or a skirt with bare legs or tights; returns their colour."""
        rng = self.rng
        cloth = _cloth(rng) if rng.random() < 0.25 else _pick(rng, _TROUSERS, 0.2)
        self.paint("hips", cloth, 0.012)
        self.paint("skirt", cloth)
        if skirt:
            if rng.random() < 0.5:
                self.paint(_LEGS, _pick(rng, _TROUSERS[:4], 0.2), 0.002)
            return cloth
        names = _LEGS.split()[: int(rng.choice([4, 4, 4, 3, 1]))]
        self.paint(" ".join(names), cloth, 0.012)
        if rng.random() < 0.7:
            looseness = rng.uniform(0.012, 0.028)
            for region, share in (("thigh_low", 0.8), ("shin", 1.0), ("ankle", 1.4)):
                if region in names:
                    self.thickness[REGION[region]] = share * looseness
        if "ankle" not in names and rng.random() < 0.3:
            self.paint("ankle", _cloth(rng), 0.004)
        return cloth

    def above(self, below: FloatArray) -> None:
        """Shirt or open coat, with sleeves and a pattern."""
        rng = self.rng
        top, coat = _cloth(rng), rng.random() < 0.35
        sleeves = " ".join(_SLEEVES.split()[: 3 if coat else int(rng.choice([0, 1, 2, 3, 3]))])
        self.paint(f"{_CHEST} {_FRONT} hem", top, 0.013)
        self.paint(sleeves, top, 0.010)
        if coat:
            self.paint(f"{_CHEST} hem {sleeves}", top, float(rng.uniform(0.018, 0.03)))
            if rng.random() < 0.6:
                self.paint(_FRONT, _cloth(rng), 0.014)
            if rng.random() < 0.25:
                self.paint("hips", top, 0.028)
        elif rng.random() < 0.25:
            self.paint("hem", below, 0.012)
        elif rng.random() < 0.2:
            self.paint(sleeves, _cloth(rng), 0.010)
        second = _cloth(rng)
        for region in _marked(str(rng.choice(_PATTERNS)), coat):
            self.colours[REGION[region]] = second

    def straps(self) -> None:
        """A backpack's straps, darker than the pack, over whatever is worn."""
        over = max(self.thickness[REGION[name]] for name in ("chest_2", "front_2"))
        self.paint("strap", 0.5 * self.colours[REGION["bag"]] + 12.0, float(over))


def _marked(pattern: str, coat: bool) -> list[str]:
    """Which regions of the chest a pattern colours differently."""
    if pattern == "hoops":
        return [f"{part}_{n}" for n in range(0, BANDS, 2) for part in (("chest",) if coat else ("chest", "front"))]
    if pattern == "yoke":
        return [f"{part}_{n}" for n in (BANDS - 2, BANDS - 1) for part in ("chest", "front")]
    if pattern == "block":
        return ["hem", "chest_0", "front_0", "chest_1", "front_1"]
    if pattern == "print":
        return ["front_2", "front_3"]
    return _FRONT.split() if pattern == "strip" else []


def colour_vertices(outfit: Outfit, regions: NDArray[np.uint8], rest: FloatArray) -> NDArray[np.uint8]:
    """Colours (V, 3) of vertices with these regions and rest places (metres, scaled to a body of 1.7 m)."""
    colours = outfit.colours[regions]
    wave = np.sin(rest @ np.array([23.0, 31.0, 17.0])) * np.sin(rest @ np.array([-11.0, 19.0, 29.0]))
    colours = colours * (1.0 + outfit.fade * wave[:, None])
    whole: NDArray[np.uint8] = np.clip(np.rint(colours), 0, 255).astype(np.uint8)
    return whole
