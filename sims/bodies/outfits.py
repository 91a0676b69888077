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

_SKINS = ((246, 211, 186), (234, 192, 160), (219, 170, 134), (193, 140, 102), (150, 102, 70), (110, 72, 50), (80, 52, 38))
_HAIRS = ((28, 22, 20), (52, 36, 26), (86, 58, 36), (122, 84, 48), (176, 134, 82), (206, 172, 116), (130, 52, 26))
_GREYS = ((150, 148, 146), (196, 194, 190), (104, 102, 100))
_TROUSERS = ((38, 48, 78), (62, 82, 120), (28, 28, 32), (92, 92, 96), (132, 118, 92), (70, 66, 48), (90, 60, 44), (190, 184, 168))
_SHOES = ((24, 22, 22), (70, 46, 32), (230, 230, 228), (60, 64, 70), (150, 30, 34), (40, 60, 110))
_PATTERNS = ("plain", "plain", "plain", "hoops", "strip", "yoke", "block", "print")
_CHEST = " ".join(f"chest_{n}" for n in range(BANDS))
_FRONT = " ".join(f"front_{n}" for n in range(BANDS))


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
    colours, thickness = np.zeros((len(REGIONS), 3)), np.zeros(len(REGIONS))

    def paint(names: str, colour: FloatArray, off_m: float) -> None:
        for name in names.split():
            colours[REGION[name]], thickness[REGION[name]] = colour, off_m

    skin = _pick(rng, _SKINS, 0.06)
    _paint_head(rng, paint, skin, age, hair)
    paint("hand thigh_low shin ankle sleeve_mid sleeve_low thigh_top", skin, 0.0)
    below = _cloth(rng) if rng.random() < 0.25 else _pick(rng, _TROUSERS, 0.2)
    top, coat = _cloth(rng), rng.random() < 0.35
    legs = rng.choice(["long", "long", "long", "cropped", "shorts"]) if not skirt else rng.choice(["bare", "tights"])
    covered = {"long": "thigh_top thigh_low shin ankle", "cropped": "thigh_top thigh_low shin", "shorts": "thigh_top",
               "bare": "", "tights": ""}[str(legs)]  # fmt: skip
    paint("hips " + covered, below, 0.012)
    if legs != "tights" and rng.random() < 0.7:
        for region, share in (("thigh_low", 0.8), ("shin", 1.0), ("ankle", 1.5)):
            if region in covered:
                thickness[REGION[region]] = share * rng.uniform(0.012, 0.028)
    paint("skirt", below, 0.0)
    if legs == "tights":
        paint("thigh_top thigh_low shin ankle", _pick(rng, _TROUSERS[:4], 0.2), 0.002)
    elif rng.random() < 0.3 and legs != "long":
        paint("ankle", _cloth(rng), 0.004)
    shoe = _pick(rng, _SHOES, 0.15)
    paint("shoe", shoe, 0.0)
    tucked = rng.random() < 0.25 and not coat
    paint("hem", below if tucked else top, 0.014)
    paint(f"{_CHEST} {_FRONT}", top, 0.012)
    sleeves = "sleeve_top sleeve_mid sleeve_low" if coat else str(rng.choice(
        ["sleeve_top", "sleeve_top sleeve_mid", "sleeve_top sleeve_mid sleeve_low", "sleeve_top sleeve_mid sleeve_low", ""]))
    paint("sleeve_top", skin, 0.0)
    paint(sleeves, top, 0.010)
    if coat:
        paint(f"{_CHEST} hem {sleeves}", top, float(rng.uniform(0.018, 0.03)))
        paint(_FRONT, _cloth(rng) if rng.random() < 0.6 else top, 0.014)
        if rng.random() < 0.25:
            paint("hips", top, 0.028)
    elif rng.random() < 0.15:
        paint(sleeves, _cloth(rng), 0.010)
    paint("bag", _cloth(rng), 0.0)
    second = _cloth(rng)
    for region in _marked(str(rng.choice(_PATTERNS)), coat):
        colours[REGION[region]] = second
    return Outfit(colours, thickness, float(rng.uniform(0.0, 0.08)))


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
    return [f"front_{n}" for n in range(BANDS)] if pattern == "strip" else []


def _paint_head(rng: np.random.Generator, paint, skin: FloatArray, age: float, hair: str) -> None:  # type: ignore[no-untyped-def]
    strands = _pick(rng, _GREYS if age > 0.84 and rng.random() < 0.75 else _HAIRS, 0.2)
    if hair != "bald" and rng.random() < 0.04:
        strands = _cloth(rng)
    paint("face neck", skin, 0.0)
    paint("lips", skin * [0.86, 0.66, 0.66], 0.0)
    paint("brows", 0.6 * strands + 0.25 * skin, 0.002)
    paint("eyes", np.array([228.0, 226.0, 222.0]), 0.0)
    paint("pupils", np.array([42.0, 32.0, 26.0]), 0.0)
    bald = hair == "bald"
    paint("hair", skin if bald else strands, 0.0 if bald else float(rng.uniform(0.010, 0.028)))
    paint("long_hair", strands, 0.0)
    if hair != "long" and rng.random() < 0.12:
        hat = _cloth(rng)
        paint("hair", hat, 0.022)


def colour_vertices(outfit: Outfit, regions: NDArray[np.uint8], rest: FloatArray) -> NDArray[np.uint8]:
    """Colours (V, 3) of vertices with these regions and rest places (metres, scaled to a body of 1.7 m)."""
    colours = outfit.colours[regions]
    wave = np.sin(rest @ np.array([23.0, 31.0, 17.0])) * np.sin(rest @ np.array([-11.0, 19.0, 29.0]))
    colours = colours * (1.0 + outfit.fade * wave[:, None])
    return np.clip(np.rint(colours), 0, 255).astype(np.uint8)
