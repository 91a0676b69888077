"""What a look says about windows, cooler glass, end panels, header boards and price tags; numbers only.

Out: the fittings of the shipped stores, and random ones for training.
"""

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Fittings:
    """Shares are of all places where such a thing may be."""

    windows: float = 1.0
    """Share of the shop windows that the walls with gates have room for."""
    sill_m: float = 0.75
    head_m: float = 2.3
    """Lower and upper edge of shop windows."""
    pane_m: float = 1.3
    strips: int = 1
    """How many other outer walls have a strip of daylight under the ceiling."""
    glass: float = 0.09
    """Opacity of cooler glass."""
    shine: float = 0.26
    """Share of the room's light that it reflects."""
    lip_m: float = 0.13
    """How far the glass lip of a cooler hangs down from its canopy."""
    ends: float = 1.0
    """Share of the free ends of gondolas that have a panel."""
    taper: float = 0.5
    """Share of the depth that a panel has lost at its top."""
    header_m: float = 0.16
    """Height of the boards on top of gondolas along walls; 0 for none."""
    paper: Colour = (0.97, 0.96, 0.91)
    """Price tags."""
    ink: Colour = (0.09, 0.09, 0.12)
    tag_m: float = 0.07
    """Width of a price tag."""

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Fittings":
        """Anything from a cellar without windows to a glass front, from bare racks to boards everywhere."""
        light, dark = rng.uniform(0.75, 1.0), rng.uniform(0.0, 0.3)
        tint, stain = rng.uniform(0.75, 1.0, 3), rng.uniform(0.3, 1.0, 3)
        return cls(
            windows=float(rng.choice([0.0, rng.uniform(0.3, 1.0), 1.0])),
            sill_m=float(rng.uniform(0.05, 1.1)),
            head_m=float(rng.uniform(1.8, 2.6)),
            pane_m=float(rng.uniform(0.7, 2.0)),
            strips=int(rng.integers(0, 3)),
            glass=float(rng.uniform(0.02, 0.16)),
            shine=float(rng.uniform(0.03, 0.40)),
            lip_m=float(rng.choice([0.0, rng.uniform(0.06, 0.18)])),
            ends=float(rng.choice([0.0, rng.uniform(0.3, 1.0), 1.0])),
            taper=float(rng.uniform(0.2, 0.7)),
            header_m=float(rng.choice([0.0, rng.uniform(0.10, 0.22)])),
            paper=(float(light * tint[0]), float(light * tint[1]), float(light * tint[2])),
            ink=(float(dark * stain[0]), float(dark * stain[1]), float(dark * stain[2])),
            tag_m=float(rng.uniform(0.05, 0.09)),
        )
