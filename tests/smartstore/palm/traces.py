"""What a palm, or a template, would look like if it were left somewhere."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PIECE = 12
"""Bytes of which chance makes no copy in a few megabytes."""


def forms(palm: NDArray[np.float64]) -> Iterator[bytes]:
    """Telling pieces of a palm in all encodings that anything here could have written: numbers of 4 and 8 bytes in
    either order, as they are, in base64 and in hexadecimal, and as text."""
    for kind in ("<f4", ">f4", "<f8", ">f8", "<f2"):
        yield from written(palm.astype(kind).tobytes())
    for number in palm[::8]:
        yield f"{abs(float(number)):.17g}"[:9].encode()
        yield f"{abs(float(np.float32(number))):.9g}"[:8].encode()
    yield json.dumps(palm.tolist()[3:6])[1:-1].encode()


def written(content: bytes) -> Iterator[bytes]:
    """Telling pieces of some bytes: as they are, in base64 at any offset, in hexadecimal, and as a list of numbers."""
    for at in range(0, len(content) - PIECE, 64):
        yield content[at : at + PIECE]
        yield content[at : at + PIECE].hex().encode()
        yield ", ".join(str(byte) for byte in content[at : at + PIECE]).encode()
    for skip in range(3):
        for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
            yield alphabet(content[skip : skip + 48])[2:-2]


def found(pieces: Iterator[bytes], where: bytes) -> list[bytes]:
    """The pieces that are there, in any case of letters for those that are text."""
    lower = where.lower()
    return [piece for piece in pieces if piece in where or (piece.isalnum() and piece.lower() in lower)]


def files(folder: Path) -> bytes:
    """All that lies in a folder, its names included."""
    return b"".join(str(path).encode() + path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
