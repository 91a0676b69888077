"""Printed matter of a store, drawn by the project: price tags, posters, header boards, and the street behind windows.

In: a building and a look. Out: square pictures for textures and where on them each print is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sims.building import Building, CatalogueItem, Fixture
from sims.devices.look import Colour, Floats, Look, Picture
from sims.devices.prints import FRONT_PX, paint_item
from sims.devices.surfaces import cloud

SHEET_PX = 1024
TAG_PX, POSTER_PX, HEADER_PX = (128, 64), (256, 336), (512, 64)
POSTERS = 8
STREET_M = (8.0, 3.2)
"""Width and height of window that the picture of the street covers."""
EDGE_PX = 1.5
SLOGANS = ("FRESH", "2 for 1", "NEW", "-20 %", "LOCAL", "THIS WEEK", "SAVE", "COLD", "TASTY", "BIO")
FONT = cv2.FONT_HERSHEY_DUPLEX
INK = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Prints in one square picture; ``places`` gives left, top, right and bottom in pixels."""

    picture: Picture
    places: Mapping[str, tuple[float, float, float, float]]

    def uv(self, key: str, uv: Floats) -> Floats:
        """Texture coordinates of points ``uv`` (n, 2) of a print, from (0, 0) at its lower left to (1, 1)."""
        left, top, right, bottom = self.places[key]
        across = left + EDGE_PX + uv[:, 0] * (right - left - 2 * EDGE_PX)
        down = bottom - EDGE_PX - uv[:, 1] * (bottom - top - 2 * EDGE_PX)
        return np.stack([across / SHEET_PX, 1 - down / SHEET_PX], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Signs:
    """All printed matter of one store under one look."""

    tags: Sheet
    posters: Sheet
    headers: Sheet
    street: Picture

    @classmethod
    def of(cls, building: Building, look: Look) -> "Signs":
        """Draws them: a tag per SKU, a board per fixture with shelves, ``POSTERS`` posters named by number."""
        rng = np.random.default_rng((look.extras, 5))
        items = sorted(building.items.values(), key=lambda item: item.sku)
        tags = {item.sku: paint_tag(item, look) for item in items}
        posters = {str(n): _poster(items[int(rng.integers(len(items)))], look, rng) for n in range(POSTERS)}
        stocked = [fixture for fixture in building.fixtures.values() if fixture.shelves]
        headers = {fixture.id: _header(_goods(building, fixture), rng) for fixture in stocked}
        return cls(_sheet(tags, TAG_PX), _sheet(posters, POSTER_PX), _sheet(headers, HEADER_PX), paint_street(look))


def _sheet(prints: Mapping[str, Picture], size_px: tuple[int, int]) -> Sheet:
    """All prints side by side; they shrink until they fit."""
    wide, high = size_px
    while (SHEET_PX // wide) * (SHEET_PX // high) < len(prints):
        wide, high = wide * 3 // 4, high * 3 // 4
    picture, places = np.full((SHEET_PX, SHEET_PX, 3), 200, np.uint8), {}
    for index, (key, image) in enumerate(prints.items()):
        row, column = divmod(index, SHEET_PX // wide)
        left, top = column * wide, row * high
        picture[top : top + high, left : left + wide] = cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA)
        places[key] = (float(left), float(top), float(left + wide), float(top + high))
    return Sheet(picture, places)


def paint_tag(item: CatalogueItem, look: Look) -> Picture:
    """A price tag (64, 128, 3): name above, price large, bars of a code beside it; every ninth shouts."""
    wide, high = TAG_PX
    digits = int("".join(c for c in item.sku if c.isdigit()) or 0)
    paper, ink = _bytes(look.fittings.paper), _bytes(look.fittings.ink)
    if digits % 9 == 0:
        paper = (250, 214, 40)
    tag = np.empty((high, wide, 3), np.uint8)
    tag[:] = paper
    _text(tag, item.name, (5, 3, wide - 5, 19), ink)
    _text(tag, f"{item.price_minor / 100:.2f}", (5, 22, 82, high - 5), ink, 3)
    for index in range(12):
        if digits >> index & 1:
            tag[26 : high - 16, 90 + 3 * index - 1 : 90 + 3 * index + 1] = ink
    tag[high - 12 : high - 7, 90:124] = (np.array(ink) + np.array(paper)) // 2
    return tag


def _poster(item: CatalogueItem, look: Look, rng: np.random.Generator) -> Picture:
    """A poster (336, 256, 3): a slogan, a product of the store as large as it goes, its price on a disc."""
    wide, high = POSTER_PX
    ground, band = vivid(rng), vivid(rng)
    if rng.random() < 0.4:
        ground = (0.95, 0.94, 0.90)
    picture = np.empty((high, wide, 3), np.uint8)
    picture[:] = _bytes(ground)
    if rng.random() < 0.5:
        cv2.circle(picture, (wide // 2, int(high * 0.62)), 118, _bytes(_mixed(ground, band, 0.35)), -1, cv2.LINE_AA)
    else:
        corners = np.array([[0, high], [wide, high], [wide, int(high * 0.45)], [0, int(high * 0.7)]])
        cv2.fillPoly(picture, [corners], _bytes(_mixed(ground, band, 0.5)), cv2.LINE_AA)
    picture[:76] = _bytes(band)
    _text(picture, str(rng.choice(SLOGANS)), (14, 10, wide - 14, 66), _ink_on(band), 4)
    front = paint_item(item, look)[:, :FRONT_PX]
    shape = item.size_m[0] / item.size_m[2]
    tall = min(210, round(170 / max(shape, 0.3)))
    broad = max(30, min(180, round(tall * shape)))
    left, top = (wide - broad) // 2 - 18, high - tall - 22
    cv2.ellipse(picture, (left + broad // 2, high - 20), (broad // 2 + 12, 9), 0, 0, 360, (70, 70, 74), -1, cv2.LINE_AA)
    picture[top : top + tall, left : left + broad] = cv2.resize(front, (broad, tall), interpolation=cv2.INTER_LINEAR)
    cv2.circle(picture, (wide - 58, high - 74), 50, (214, 34, 38), -1, cv2.LINE_AA)
    _text(picture, f"{item.price_minor / 100:.2f}", (wide - 98, high - 96, wide - 18, high - 52), (255, 255, 255), 3)
    return picture


def _goods(building: Building, fixture: Fixture) -> list[str]:
    """Three words for what stands on a fixture, from the names of its products."""
    words = []
    for shelf in reversed(fixture.shelves):
        for facing in shelf.facings:
            name = [word for word in building.items[facing.sku].name.split() if word.isalpha() and len(word) > 2]
            if name and name[-1].capitalize() not in words:
                words.append(name[-1].capitalize())
    return words[:: max(1, len(words) // 3)][:3]


def _header(words: Sequence[str], rng: np.random.Generator) -> Picture:
    """A board (64, 512, 3) that says what is below it."""
    wide, high = HEADER_PX
    ground = vivid(rng) if rng.random() < 0.5 else _mixed(vivid(rng), (0.1, 0.12, 0.15), 0.7)
    board = np.empty((high, wide, 3), np.uint8)
    board[:] = _bytes(ground)
    board[-6:] = _bytes(vivid(rng))
    _text(board, "  ".join(words), (16, 10, wide - 16, high - 14), _ink_on(ground), 2)
    return board


def paint_street(look: Look) -> Picture:
    """What windows show (1024, 1024, 3), repeating sideways: sky, houses, cars and pavement in the light outside."""
    rng = np.random.default_rng((look.extras, 7))
    size, ground = SHEET_PX, int(SHEET_PX * 0.80)
    scene = np.empty((size, size, 3), np.float32)
    scene[:] = np.linspace(1.0, 1.18, size)[::-1, None, None]
    left = 0
    while left < size:
        wide, top = int(rng.integers(140, 330)), int(rng.integers(230, 430))
        tone = np.array(_mixed(vivid(rng), (0.86, 0.83, 0.78), 0.85), np.float32) * float(rng.uniform(0.75, 1.05))
        scene[top:ground, left : left + wide] = tone
        for y in range(top + 30, ground - 190, 105):
            for x in range(left + 22, min(left + wide, size) - 50, 72):
                cv2.rectangle(scene, (x, y), (x + 36, y + 60), _floats(tone * 0.62), -1)
        cv2.rectangle(scene, (left + 16, ground - 130), (left + wide - 16, ground - 24), _floats(tone * 0.5), -1)
        left += wide
    scene[ground:] = np.linspace(0.80, 0.60, size - ground)[:, None, None]
    for _ in range(int(rng.integers(1, 4))):
        x, paint = int(rng.integers(0, size - 280)), np.array(vivid(rng), np.float32) * 0.7
        cv2.rectangle(scene, (x, ground - 40), (x + 270, ground + 26), _floats(paint), -1)
        cv2.ellipse(scene, (x + 135, ground - 38), (92, 52), 0, 180, 360, _floats(paint * 0.6), -1)
        for wheel in (x + 55, x + 215):
            cv2.circle(scene, (wheel, ground + 26), 24, (0.1, 0.1, 0.1), -1)
    scene *= 1 + 0.03 * np.kron(cloud(rng, 8), np.ones((2, 2), np.float32))[:, :, None]
    scene = cv2.GaussianBlur(scene, (0, 0), 3.5) * 1.12 * np.array(look.outside, np.float32)
    dark = float(np.clip(1.0 - np.mean(look.outside) / 0.35, 0, 1))
    return np.asarray(np.clip((scene + dark * _at_night(rng)) * 255, 0, 255), np.uint8)


def _at_night(rng: np.random.Generator) -> Floats:
    """Lit windows and street lamps, and the room's own lamps mirrored in the pane."""
    glow = np.zeros((SHEET_PX, SHEET_PX, 3), np.float32)
    for _ in range(14):
        x, y = int(rng.integers(0, SHEET_PX - 40)), int(rng.integers(200, 640))
        lit = np.array((0.62, 0.48, 0.26), np.float32) * float(rng.uniform(0.3, 1.0))
        cv2.rectangle(glow, (x, y), (x + 36, y + 60), _floats(lit), -1)
    for x in range(120, SHEET_PX, 330):
        cv2.rectangle(glow, (x, 90), (x + 120, 112), (0.36, 0.34, 0.30), -1)
    return np.asarray(cv2.GaussianBlur(glow, (0, 0), 6.0), np.float32)


def paint_glass(seed: int) -> Picture:
    """Reflections on cooler glass (1024, 1024, 3): slanted bands of light, brighter towards the top."""
    rng = np.random.default_rng((seed, 11))
    light = np.zeros((SHEET_PX, SHEET_PX), np.float32)
    light[:] = np.linspace(0.42, 0.10, SHEET_PX)[:, None]
    for _ in range(4):
        x, broad = int(rng.integers(-300, SHEET_PX)), int(rng.integers(30, 190))
        corners = np.array([[x, SHEET_PX], [x + broad, SHEET_PX], [x + broad + 420, 0], [x + 420, 0]])
        band = cv2.fillPoly(np.zeros_like(light), [corners], 1.0)
        light += float(rng.uniform(0.15, 0.5)) * cv2.GaussianBlur(band, (0, 0), 14)
    grey = np.clip(light * 255, 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def vivid(rng: np.random.Generator) -> Colour:
    """A strong colour."""
    hue, value = float(rng.uniform(0, 6)), float(rng.uniform(0.35, 0.95))
    wheel = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1) * 0.75 + 0.25
    return float(value * wheel[0]), float(value * wheel[1]), float(value * wheel[2])


def _text(picture: Picture, text: str, box: tuple[int, int, int, int], ink: INK, stroke: int = 1) -> None:
    """Writes a line as large as the box (left, top, right, bottom) lets it be."""
    left, top, right, bottom = box
    (wide, high), _ = cv2.getTextSize(text, FONT, 1.0, stroke)
    scale = min((right - left) / max(wide, 1), (bottom - top) / max(high, 1))
    at = (int((left + right - wide * scale) / 2), int((top + bottom + high * scale) / 2))
    cv2.putText(picture, text, at, FONT, scale, ink, stroke, cv2.LINE_AA)


def _mixed(a: Colour, b: Colour, share: float) -> Colour:
    r, g, bl = (x + share * (y - x) for x, y in zip(a, b, strict=True))
    return r, g, bl


def _ink_on(ground: Colour) -> INK:
    return (28, 28, 34) if 0.3 * ground[0] + 0.59 * ground[1] + 0.11 * ground[2] > 0.5 else (250, 249, 244)


def _bytes(colour: Colour) -> INK:
    return tuple(round(255 * float(np.clip(c, 0, 1))) for c in colour)


def _floats(colour: Floats) -> tuple[float, ...]:
    return tuple(float(c) for c in colour)
