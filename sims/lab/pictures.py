"""``smartstore sim pictures``: a catalogue picture of every product of a store, as the project prints it.

In: a store document. Out: a folder of PNG files named by SKU, ready to be named as ``pictures`` in the catalogue.
"""

from pathlib import Path

from PIL import Image

from sims.building import load_building
from sims.devices.look import Look
from sims.devices.packshot import packshots


def save_pictures(store: Path, out: Path) -> list[Path]:
    """Writes the pictures and returns their files."""
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for sku, picture in packshots(load_building(store), Look.shipped()).items():
        files.append(out / f"{sku}.png")
        # 256 colours: off by a quarter of a level (of 255) on average, at 58 % of the size.
        Image.fromarray(picture).quantize(256, dither=Image.Dither.NONE).save(files[-1], optimize=True)
    return files
